"""Strings at several keys: MGET, MSET, MSETNX, MSETEX, GAT.

Each is one transaction over all its shards, so nobody sees half of it; one hop, or two where a condition has
to be asked everywhere before anything is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.bulk import run_keys
from nogil_df.commands.spec import Row, multi
from nogil_df.commands.string_options import ALWAYS, XX, deadline_of, parse_msetex
from nogil_df.commands.strings import copied, op_set, set_expiry, store
from nogil_df.commands.strings_many import many_set, many_value_or_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

MEMCACHED_ABSOLUTE: Final = 60 * 60 * 24 * 30
"""Seconds; a Memcached expiry time above this is a unix time (Memcached's protocol description)."""

INT32_MAX: Final = (1 << 31) - 1


def cmd_mget(context: Context, args: Args) -> Steps:
    """MGET: one hop to each shard."""
    return (yield from context.each_key(args[1:], op_value_or_none, last=True))


def op_value_or_none(db: Keyspace, key: bytes, h: int) -> bytes | None:
    """A string's value; None if there is no key or it holds another type. O(1)."""
    value = db.find(key, h)
    if value.__class__ is bytes:
        return value
    return bytes(value) if isinstance(value, bytearray) else None


def op_mget_one(db: Keyspace, args: Args, h: int) -> bytes | None:
    """MGET of one key, ``args[1]``. O(1)."""
    return op_value_or_none(db, args[1], h)


def all_stored(results: Sequence[Any]) -> bool:
    """The reply of MSET."""
    return True


def cmd_mset(context: Context, args: Args) -> Steps:
    """MSET: atomic over all its shards, in one hop."""
    if len(args) % 2 == 0:
        raise ReplyError("WRONG_ARITY", "mset")
    yield from _set_all(context, args[1::2], args[2::2])
    return True


def cmd_msetnx(context: Context, args: Args) -> Steps:
    """MSETNX: a hop to see that none of the keys exists, one to store. 1 if stored, 0 if not."""
    if len(args) % 2 == 0:
        raise ReplyError("WRONG_ARITY", "msetnx")
    keys = args[1::2]
    if any((yield from context.each_key(keys, op_exists))):
        return 0
    yield from _set_all(context, keys, args[2::2])
    return 1


def msetnx_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """MSETNX of keys that are here. O(keys)."""
    keys = args[1::2]
    hashes = here.find_all(keys)
    if hashes is None or len(args) % 2 == 0:
        return ELSEWHERE
    for key, h in zip(keys, hashes, strict=True):
        if op_exists(db, key, h):
            return 0
    for key, value, h in zip(keys, args[2::2], hashes, strict=True):
        op_set(db, [b"", key, value], h)
    return 1


def _set_all(context: Context, keys: list[bytes], values: list[bytes]) -> Steps:
    """Store every pair as a plain SET would."""
    payloads = [[None, key, value] for key, value in zip(keys, values, strict=True)]
    yield from context.each_key(keys, op_set, payloads, last=True)


def cmd_msetex(context: Context, args: Args) -> Steps:
    """MSETEX: MSET with SET's expiry options, on the condition that none or all of the keys exist.

    1 if stored, 0 if not.
    """
    indexes = find_msetex_keys(args)
    options = parse_msetex(args[indexes[-1] + 2 :])
    when = deadline_of(context.session, options, "msetex")
    keys = [args[index] for index in indexes]
    if options.condition != ALWAYS:
        there = yield from context.each_key(keys, op_exists)
        if not (all(there) if options.condition == XX else not any(there)):
            return 0
    payloads = [(args[index], args[index + 1], when) for index in indexes]
    yield from context.each_key(keys, op_store, payloads, last=True)
    return 1


def find_msetex_keys(args: Sequence[bytes]) -> list[int]:
    """Where MSETEX's keys are: as many as it says, every second argument. O(keys).

    Raises:
        ReplyError: the number is none, or there are fewer arguments than it says.
    """
    number = parse_int(args[1])
    if number is None or not 0 < number <= INT32_MAX:
        raise ReplyError("BAD_NUMKEYS")
    if 2 + 2 * number > len(args):
        raise ReplyError("WRONG_ARITY", "msetex")
    return list(range(2, 2 + 2 * number, 2))


def op_exists(db: Keyspace, key: bytes, h: int) -> bool:
    """Whether there is such a key. O(1)."""
    return db.peek(key, h) is not None


def op_store(db: Keyspace, payload: tuple[bytes, bytes, int], h: int) -> None:
    """Store one pair. O(1)."""
    key, value, when = payload
    store(db, key, h, value, when)


def cmd_gat(context: Context, args: Args) -> Steps:
    """GAT: the values, and one deadline for all keys that hold strings.

    The time is Memcached's: seconds, 0 for never, negative for at once, a unix time if it is above 30 days.
    """
    seconds = parse_int(args[1])
    if seconds is None:
        raise ReplyError("NOT_INTEGER")
    now = context.proactor.shard.tick.ms
    when = seconds * 1000 if seconds > MEMCACHED_ABSOLUTE or seconds == 0 else now + seconds * 1000
    keys = args[2:]
    payloads = [(key, max(when, 1) if seconds else 0) for key in keys]
    return (yield from context.each_key(keys, op_get_and_touch, payloads, last=True))


def op_get_and_touch(db: Keyspace, payload: tuple[bytes, int], h: int) -> bytes | None:
    """A string's value, its deadline changed; None if there is no key or it holds another type. O(1)."""
    key, when = payload
    value = db.find(key, h)
    if value.__class__ is not bytes and not isinstance(value, bytearray):
        return None
    value = copied(value)
    set_expiry(db, key, h, when)
    return value


TABLE: tuple[Row, ...] = (
    multi(
        "MGET",
        -2,
        "readonly fast",
        run=cmd_mget,
        op=op_mget_one,
        many=many_value_or_none,
        quick=run_keys,
        keys=(1, -1, 1),
        acl="@read @string @fast",
        since="1.0.0",
        group="string",
        syntax="key [key ...]",
        summary="Answers the strings at several keys, as they are at one moment.",
        key_flags="RO ACCESS",
        complexity="O(N) where N is the number of keys",
        tips="request_policy:multi_shard",
    ),
    multi(
        "MSET",
        -3,
        "write denyoom",
        run=cmd_mset,
        op=op_set,
        many=many_set,
        quick=run_keys,
        gather=all_stored,
        keys=(1, -1, 2),
        encode="ok_or_null",
        acl="@write @string @slow",
        since="1.0.1",
        group="string",
        syntax="key value [key value ...]",
        summary="Stores strings at several keys, all at one moment.",
        key_flags="OW UPDATE",
        complexity="O(N) where N is the number of keys",
        tips="request_policy:multi_shard response_policy:all_succeeded",
    ),
    multi(
        "MSETNX",
        -3,
        "write denyoom",
        run=cmd_msetnx,
        at_once=msetnx_at_once,
        keys=(1, -1, 2),
        encode="number",
        acl="@write @string @slow",
        since="1.0.1",
        group="string",
        syntax="key value [key value ...]",
        summary="Stores strings at several keys if none of them exists.",
        key_flags="OW INSERT",
        complexity="O(N) where N is the number of keys",
        tips="request_policy:multi_shard response_policy:agg_min",
    ),
    multi(
        "MSETEX",
        -4,
        "write denyoom movablekeys",
        run=cmd_msetex,
        find_keys=find_msetex_keys,
        encode="number",
        acl="@write @string @slow",
        since="8.4.0",
        group="string",
        syntax="numkeys key value [key value ...] [NX|XX] "
        "[EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]",
        summary="Stores strings at several keys, on a condition and for one time to live.",
        key_flags="OW UPDATE",
        complexity="O(N) where N is the number of keys",
    ),
    multi(
        "GAT",
        -3,
        "write fast",
        run=cmd_gat,
        keys=(2, -1, 1),
        acl="@write @string @fast",
        since="8.0.0",
        group="string",
        syntax="seconds key [key ...]",
        summary="Answers the strings at several keys and gives them a new time to live.",
        key_flags="RW ACCESS UPDATE",
    ),
)
