"""HyperLogLogs: PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST. The format is in `nogil_df.shard.hyperloglog`.

A HyperLogLog is a string, which GET and SET carry to and from other servers; every command here checks that
it is one. A value that is stored by us is a ``bytearray``, as it is changed in place.

PFCOUNT of one key writes: it leaves the cardinality in the header. That changes nothing that another
HyperLogLog command can see, and is a modification to WATCH, as it is in Redis. PFCOUNT and PFMERGE of several
keys bring the registers of each shard together there; what travels is 16 KB a shard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.spec import Row, local, multi, single
from nogil_df.commands.strings import in_place, read
from nogil_df.shard import hyperloglog
from nogil_df.shard.hyperloglog import DENSE, add_to_dense, cached, is_value
from nogil_df.shard.memory import own, value_size
from nogil_df.wire.values import OK, Simple

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.part import Work

Args = list[bytes]
Place = tuple[int, bytes, int]
"""Where a value is on its shard: database, key, hash of the key."""

Group = list[tuple[int, bytes, int]]
"""Keys of one shard: (position among all, key, hash)."""

Union = tuple[bytes | None, bool]
"""Plain registers of several values, None for none, and whether any of these is dense."""


class Wrong(NamedTuple):
    """That a key, by its position among all, is none that can be read, and why."""

    position: int
    error: ReplyError


INT64_END: Final = 1 << 63


def op_pfadd(db: Keyspace, args: Args, h: int) -> int:
    """Add elements. O(elements). 1 if the key is new or its registers changed, 0 if not."""
    key = args[1]
    value = db.string(key, h)
    if value is None:
        buffer = hyperloglog.new()
        db.put(key, h, buffer)
    elif is_value(value):
        buffer = in_place(db, key, h, value)
    else:
        raise ReplyError("HLL_INVALID")
    if buffer[4] != DENSE:
        before = value_size(buffer)
        try:
            changed = hyperloglog.add(buffer, args[2:], db.shard.limits.hll_sparse_max_bytes)
        finally:
            db.resized(before, value_size(buffer))
    else:
        changed = add_to_dense(buffer, args, 2)
    if value is None:
        hyperloglog.forget(buffer)
    elif not changed:
        return 0
    db.changed(key, events.STRING, b"pfadd")
    return 1


def op_pfcount(db: Keyspace, args: Args, h: int) -> int:
    """The cardinality of one value. O(1) if its header knows it, or else O(registers)."""
    key = args[1]
    value = read(db, key, h)
    if value is None:
        return 0
    if not is_value(value):
        raise ReplyError("HLL_INVALID")
    if value.__class__ is bytes:
        # As in Redis, where its encoding is "raw" from now on.
        value = in_place(db, key, h, value)
    known = cached(value)
    if known is not None:
        return known
    cardinality = hyperloglog.estimate(hyperloglog.plain(value))
    hyperloglog.remember(in_place(db, key, h, value), cardinality)
    db.shard.dirty += 1
    if db.observed:
        db.touched(key)
    return as_int64(cardinality)


def cmd_pfcount(context: Context, args: Args) -> Steps:
    """PFCOUNT of several keys: the cardinality of their union, in one hop."""
    groups = context.by_shard(args[1:])
    registers, _ = united((yield from _unions(context, groups, last=True)))
    return 0 if registers is None else as_int64(hyperloglog.estimate(registers))


def pfcount_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """PFCOUNT of several keys that are here."""
    group = here.group(args[1:])
    if group is None:
        return ELSEWHERE
    registers, _ = unite(here.shard, (db.index, group))
    return 0 if registers is None else as_int64(hyperloglog.estimate(registers))


def as_int64(cardinality: int) -> int:
    """A cardinality as a reply has it. Only registers that no elements make have one that does not fit."""
    return cardinality if cardinality < INT64_END else cardinality - 2 * INT64_END


def _unions(context: Context, groups: dict[int, Group], *, last: bool = False) -> Steps:
    """One hop: the union of each shard's values.

    Raises:
        ReplyError: of the first key that is wrong; they may be so in different ways.
    """
    works: dict[int, Work] = {shard: (unite_or_tell, (context.db, group)) for shard, group in groups.items()}
    found = yield from context.hop(works, last)
    wrong = [one for one in found.values() if one.__class__ is Wrong]
    if wrong:
        raise min(wrong).error
    return list(found.values())


def unite_or_tell(shard: Shard, argument: tuple[int, Group]) -> Union | Wrong:
    """`unite`; or what is wrong with the first key that is."""
    index, group = argument
    found: list[Union] = []
    for place in group:
        try:
            found.append(unite(shard, (index, [place])))
        except ReplyError as error:
            return Wrong(place[0], error.bare())
    return united(found)


def unite(shard: Shard, argument: tuple[int, Group]) -> Union:
    """The union of the values of this shard. O(keys * registers).

    Raises:
        ReplyError: WRONGTYPE, HLL_INVALID, HLL_CORRUPT.
    """
    index, group = argument
    db = shard.dbs[index]
    found: list[Union] = []
    for _, key, h in group:
        value = read(db, key, h)
        if value is not None:
            hyperloglog.check(value)
            found.append((hyperloglog.plain(value), not hyperloglog.is_sparse(value)))
    return united(found)


def united(parts: list[Union]) -> Union:
    """One union of several. O(parts * registers)."""
    total: bytes | None = None
    dense = False
    for registers, has_dense in parts:
        if registers is not None:
            total = registers if total is None else hyperloglog.merged(total, registers)
            dense = dense or has_dense
    return total, dense


def cmd_pfmerge(context: Context, args: Args) -> Steps:
    """PFMERGE destination [source ...]: a hop that reads, one that writes; one for both on a single shard."""
    h = context.proactor.shard.hash_key(args[1])
    to = context.shard_of(h)
    target = context.db, args[1], h
    groups = context.by_shard(args[1:])
    if len(groups) == 1:
        yield from context.hop({to: (unite_and_settle, (target, groups[to]))}, last=True)
        return OK
    found = yield from _unions(context, groups)
    yield from context.hop({to: (settle, (target, united(found)))}, last=True)
    return OK


def pfmerge_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """PFMERGE of keys that are here."""
    group = here.group(args[1:])
    if group is None:
        return ELSEWHERE
    unite_and_settle(here.shard, ((db.index, args[1], group[0][2]), group))
    return OK


def unite_and_settle(shard: Shard, argument: tuple[Place, Group]) -> None:
    """PFMERGE of keys that are all on this shard."""
    target, group = argument
    settle(shard, (target, unite(shard, (target[0], group))))


def settle(shard: Shard, argument: tuple[Place, Union]) -> None:
    """Bring the destination, which took part in the union, up to it. O(registers)."""
    (index, key, h), (registers, dense) = argument
    db = shard.dbs[index]
    value = db.string(key, h)
    if value is None:
        buffer = hyperloglog.new()
        db.put(own(key), h, buffer)
    else:
        buffer = in_place(db, key, h, value)
    before = value_size(buffer)
    if registers is None:
        hyperloglog.forget(buffer)
    else:
        hyperloglog.absorb(buffer, registers, shard.limits.hll_sparse_max_bytes, dense=dense)
    db.resized(before, value_size(buffer))
    db.changed(key, events.STRING, b"pfadd")


# Introspection.


def cmd_pfdebug(context: Context, args: Args) -> Steps:
    """PFDEBUG subcommand key."""
    return (yield from context.at(args[2], op_pfdebug, (args[2], args[1]), last=True))


def op_pfdebug(db: Keyspace, payload: tuple[bytes, bytes], h: int) -> Any:
    """Tell about the encoding of a value; GETREG and TODENSE make it dense. O(registers)."""
    key, word = payload
    value = db.string(key, h)
    if value is None:
        raise ReplyError("HLL_NO_KEY")
    hyperloglog.check(value)
    buffer = in_place(db, key, h, value)
    subcommand = word.upper()
    if subcommand == b"ENCODING":
        return Simple(b"sparse" if hyperloglog.is_sparse(buffer) else b"dense")
    if subcommand == b"DECODE":
        if not hyperloglog.is_sparse(buffer):
            raise ReplyError("HLL_NOT_SPARSE")
        return " ".join(
            f"{letter}:{number},{length}" if number else f"{letter}:{length}"
            for letter, number, length in hyperloglog.opcodes(buffer)
        )
    if subcommand not in (b"GETREG", b"TODENSE"):
        raise ReplyError("PFDEBUG_UNKNOWN", word)
    before = value_size(buffer)
    turned = hyperloglog.to_dense(buffer)
    db.resized(before, value_size(buffer))
    db.shard.dirty += turned
    return list(hyperloglog.plain(buffer)) if subcommand == b"GETREG" else int(turned)


SELF_TEST_SIZES: Final = (1, 10, 100, 1000, 10_000)
LARGE_ERROR: Final = 1.04 / 128 * 6
"""Six standard errors of an estimate with 16,384 registers."""


def cmd_pfselftest(session: Session, args: Args) -> Any:
    """PFSELFTEST: +OK, or what is wrong. O(10,000 elements), about 50 ms."""
    return self_test_registers() or self_test_error() or OK


def self_test_registers() -> ReplyError | None:
    """Whether a dense value returns what its registers were raised to, and sparse ones the same."""
    dense, sparse = hyperloglog.new(), hyperloglog.new()
    hyperloglog.to_dense(dense)
    expected = bytes((index * 7 >> 3) % 33 if index % 5 == 0 else 0 for index in range(hyperloglog.REGISTERS))
    for buffer, is_dense in ((dense, True), (sparse, False)):
        hyperloglog.absorb(buffer, expected, hyperloglog.LONGEST_SPARSE, dense=is_dense)
        if hyperloglog.plain(buffer) != expected:
            return ReplyError("TESTFAILED", "Registers do not hold what they were raised to")
    return None


def self_test_error() -> ReplyError | None:
    """Whether estimates are near the truth, and those of sparse and dense values equal."""
    dense, sparse = hyperloglog.new(), hyperloglog.new()
    hyperloglog.to_dense(dense)
    added = 0
    for size in SELF_TEST_SIZES:
        elements = [b"%016x" % number for number in range(added, size)]
        added = size
        for buffer in (dense, sparse):
            hyperloglog.add(buffer, elements, 3000)
        found = hyperloglog.estimate(hyperloglog.plain(dense))
        if abs(found - size) > size * LARGE_ERROR + 1:
            return ReplyError("TESTFAILED", f"Too big error. card:{size} estimated:{found}")
        if found != hyperloglog.estimate(hyperloglog.plain(sparse)):
            return ReplyError("TESTFAILED", f"dense/sparse disagree. card:{size}")
    return None


TABLE: tuple[Row, ...] = (
    single(
        "PFADD",
        -2,
        "write denyoom fast",
        op=op_pfadd,
        encode="number",
        acl="@write @hyperloglog @fast",
        since="2.8.9",
        group="hyperloglog",
        syntax="key [element [element ...]]",
        summary="Adds elements to a HyperLogLog, which is made if there is none.",
        key_flags="RW INSERT",
        complexity="O(N) where N is the number of elements",
    ),
    multi(
        "PFCOUNT",
        -2,
        "readonly",
        run=cmd_pfcount,
        at_once=pfcount_at_once,
        op=op_pfcount,
        single_with=2,
        encode="number",
        keys=(1, -1, 1),
        acl="@read @hyperloglog @slow",
        since="2.8.9",
        group="hyperloglog",
        syntax="key [key ...]",
        summary="Estimates how many different elements were added to one or several HyperLogLogs.",
        key_flags="RW ACCESS",
        complexity="O(N) where N is the number of keys; O(1) for one key that has not changed",
    ),
    multi(
        "PFMERGE",
        -2,
        "write denyoom",
        run=cmd_pfmerge,
        at_once=pfmerge_at_once,
        keys=(1, -1, 1),
        acl="@write @hyperloglog @slow",
        since="2.8.9",
        group="hyperloglog",
        syntax="destkey [sourcekey [sourcekey ...]]",
        summary="Adds all that was added to some HyperLogLogs to another one.",
        key_flags="RW ACCESS INSERT; RO ACCESS",
        complexity="O(N) where N is the number of keys",
    ),
    multi(
        "PFDEBUG",
        3,
        "write denyoom admin",
        run=cmd_pfdebug,
        keys=(2, 2, 1),
        acl="@write @hyperloglog @admin @slow @dangerous",
        since="2.8.9",
        group="hyperloglog",
        syntax="subcommand key",
        summary="Shows how a HyperLogLog is stored (DECODE, ENCODING, GETREG), or makes it dense (TODENSE).",
        key_flags="RW ACCESS",
        complexity="O(N) where N is the number of registers",
    ),
    local(
        "PFSELFTEST",
        1,
        "admin",
        run=cmd_pfselftest,
        acl="@hyperloglog @admin @slow @dangerous",
        since="2.8.9",
        group="hyperloglog",
        summary="Checks registers and estimates of HyperLogLogs.",
        complexity="O(N) where N is the number of elements it tries",
    ),
)
