"""DUMP and RESTORE: a value as Redis serialises it, out of one server and into another one.

The format is `nogil_df.rdb`'s. DUMP writes what Redis 7.0 and later read; a hash with deadlines of fields is
written as Redis 7.4 and later read it, which older ones refuse by its version. RESTORE reads what Redis 4 to
8 write, checks all of it whatever `sanitize-dump-payload` says, and refuses what is more than one value.

RESTORE's checksum is computed where the command arrived, before the shard is asked; the value is made by the
shard's own thread, as everything that it stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import INT64_MAX, parse_int
from nogil_df.base.rdb_strings import RdbError
from nogil_df.commands.spec import Row, single
from nogil_df.rdb.payload import dump, is_sound, load
from nogil_df.shard.ages import OLDEST, level_of
from nogil_df.shard.eviction import CACHE
from nogil_df.shard.field_deadlines import purge
from nogil_df.shard.hashes import HashValue

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

UNSET: Final = -1

Request = tuple[bytes, bytes, bytes, bool, bool, bool, int]
"""Key, ttl as given, payload, whether that is sound, REPLACE, ABSTTL, age to begin with (`UNSET`: none)."""


# DUMP.


def cmd_dump(session: Session, args: Args) -> tuple[bytes, bool]:
    """DUMP key: the key, and whether strings may be compressed."""
    return args[1], session.dispatcher.config.rdbcompression


def op_dump(db: Keyspace, request: tuple[bytes, bool], h: int) -> bytes | None:
    """The payload of the value at a key; None if there is none. O(bytes)."""
    key, compress = request
    value = db.find(key, h)
    if value.__class__ is HashValue:
        value = purge(db, key, h, value)
    return None if value is None else dump(value, db.shard.limits, compress=compress)


# RESTORE.


def cmd_restore(session: Session, args: Args) -> Request:
    """RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds | FREQ frequency].

    The ttl is looked at after the key, as Redis does.
    """
    replace = absolute = False
    idle = frequency = UNSET
    words = iter(args[4:])
    for word in words:
        option = word.upper()
        if option == b"REPLACE":
            replace = True
        elif option == b"ABSTTL":
            absolute = True
        elif option == b"IDLETIME" and frequency == UNSET:
            idle = _number(next(words, None), "RESTORE_IDLETIME", INT64_MAX)
        elif option == b"FREQ" and idle == UNSET:
            frequency = _number(next(words, None), "RESTORE_FREQ", OLDEST)
        else:
            raise ReplyError("SYNTAX")
    age = UNSET
    kind = session.dispatcher.proactor.shard.evictor.policy.kind
    if kind == "lfu":
        age = frequency
    elif kind != CACHE and idle != UNSET:
        age = level_of(idle)
    return args[1], args[2], args[3], is_sound(args[3]), replace, absolute, age


def _number(word: bytes | None, error: str, most: int) -> int:
    """The number behind an option, from 0 to ``most``.

    Raises:
        ReplyError: SYNTAX if there is none, ``error`` if it is out of range.
    """
    if word is None:
        raise ReplyError("SYNTAX")
    number = parse_int(word)
    if number is None:
        raise ReplyError("NOT_INTEGER")
    if not 0 <= number <= most:
        raise ReplyError(error)
    return number


def op_restore(db: Keyspace, request: Request, h: int) -> bool:
    """Store the value of a payload. O(bytes).

    Raises:
        ReplyError: BUSYKEY, or what is wrong with the ttl or the payload.
    """
    key, ttl, payload, sound, replace, absolute, age = request
    if not replace and db.peek(key, h) is not None:
        raise ReplyError("BUSYKEY")
    deadline = parse_int(ttl)
    if deadline is None:
        raise ReplyError("NOT_INTEGER")
    if deadline < 0:
        raise ReplyError("RESTORE_TTL")
    if not sound:
        raise ReplyError("DUMP_PAYLOAD")
    try:
        value = load(payload, db.shard.limits)
    except RdbError:
        raise ReplyError("BAD_FORMAT") from None
    existed = db.drop(key, h)
    now = db.shard.tick.ms
    if deadline and not absolute:
        deadline += now
    # A ttl that does not fit 64 bits lies in the past, as it does in Redis, where the sum wraps round.
    if deadline and (deadline <= now or deadline > INT64_MAX):
        if existed:
            db.changed(key, events.GENERIC, b"del")
        return True
    db.put(key, h, value, deadline)
    if age != UNSET:
        db.table.set_age(key, h, age)
    db.changed(key, events.GENERIC, b"restore")
    return True


def _restore(name: str, flags: str, since: str, group: str, summary: str) -> Row:
    return single(
        name,
        -4,
        flags,
        cmd=cmd_restore,
        op=op_restore,
        encode="ok_or_null",
        key_flags="OW UPDATE",
        acl="@keyspace @write @slow @dangerous",
        since=since,
        group=group,
        syntax="key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
        summary=summary,
        complexity="O(N) where N is the size of the payload, O(N*log(N)) for a sorted set",
    )


TABLE: tuple[Row, ...] = (
    single(
        "DUMP",
        2,
        "readonly",
        cmd=cmd_dump,
        op=op_dump,
        encode="bulk_or_null",
        key_flags="RO ACCESS",
        acl="@keyspace @read @slow",
        since="2.6.0",
        group="generic",
        syntax="key",
        summary="Serialises a key's value in the format of Redis.",
        complexity="O(N) where N is the size of the value",
        tips="nondeterministic_output",
    ),
    _restore(
        "RESTORE",
        "write denyoom",
        "2.6.0",
        "generic",
        "Creates a key of what DUMP gave.",
    ),
    _restore(
        "RESTORE-ASKING",
        "write denyoom asking",
        "3.0.0",
        "server",
        "Creates a key of what DUMP gave, while its slot moves from node to node.",
    ),
)
