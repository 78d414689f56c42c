"""The string family: values that are byte strings.

A value is stored as ``bytes``; it becomes a ``bytearray`` once a command changes it in place (APPEND,
SETRANGE), which makes repeated appends cheap and is also the moment from which Redis reports the encoding
"raw". What counts (INCR...) is in `strings_numeric`, what takes several keys in `strings_multi`.

Invariant: a ``bytearray`` never leaves the shard: it may change before the reply is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.spec import Row, single
from nogil_df.commands.string_options import (
    ALWAYS,
    COMPARISONS,
    EXPIRIES,
    KEEP_DEADLINE,
    NX,
    XX,
    check_digest,
    deadline,
    deadline_of,
    digest,
    holds,
    parse_getex,
    parse_set,
)
from nogil_df.commands.strings_many import many_get, many_set
from nogil_df.shard.flagged import Flagged
from nogil_df.shard.memory import value_size
from nogil_df.shard.table import PACKED

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]
SetPayload = tuple[bytes, bytes, int, bytes, bool, int]
"""key, value, condition, operand, whether to answer the old value, deadline."""

ALWAYS_ALLOWED = 1 << 20
"""Bytes that a string may have whatever is configured: `proto-max-bulk-len` is at least that."""


def op_get(db: Keyspace, args: Args, h: int) -> bytes | None:
    """The value, None if there is no key. O(1)."""
    value = db.table.get(args[1], h)
    if value.__class__ is bytes:
        db.shard.hits += 1
        return value
    if value is None:
        return db.find(args[1], h)  # type: ignore[no-any-return]
    db.shard.hits += 1
    if isinstance(value, bytearray):
        return bytes(value)
    raise ReplyError("WRONGTYPE")


def read(db: Keyspace, key: bytes, h: int) -> bytes | bytearray | None:
    """The string at a key as a command that reads for a client sees it: counts a hit or a miss. O(1).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    value = db.find(key, h)
    if value is None or value.__class__ is bytes or isinstance(value, bytearray):
        return value
    raise ReplyError("WRONGTYPE")


def longest(session: Session, wanted: int) -> int:
    """The most bytes that a string may have, or, if few are wanted, what every configuration allows. O(1)."""
    return ALWAYS_ALLOWED if wanted <= ALWAYS_ALLOWED else session.dispatcher.config.proto_max_bulk_len


def copied(value: bytes | bytearray | None) -> bytes | None:
    """A value as it may leave the shard. O(1), or O(length) if it was changed in place."""
    return bytes(value) if isinstance(value, bytearray) else value


# SET and its relatives.


def cmd_set(session: Session, args: Args) -> Any:
    """Parse SET's options; plain ``SET key value`` goes through as it came."""
    if len(args) == 3:
        return args
    if len(args) == 5:
        # What caches send, spelled out: only a time.
        option = args[3].upper()
        if option in EXPIRIES:
            unit, relative = EXPIRIES[option]
            return args[1], args[2], ALWAYS, b"", False, deadline(session, args[4], unit, relative, "set")
    options = parse_set(args[3:])
    operand = check_digest(options.condition, options.operand)
    when = deadline_of(session, options, "set")
    return args[1], args[2], options.condition, operand, options.get, when


def op_set(db: Keyspace, args: Any, h: int) -> Any:
    """Store a value. O(1). True, or None if a condition did not hold; the old value if that was asked for."""
    if args.__class__ is list:
        key = args[1]
        value = args[2]
        old = db.table.put(key, h, value, 0)
        if old.__class__ is not bytes:
            db.account_put(key, value, old)
        elif not PACKED:
            db.used += len(value) - len(old)
        db.shard.dirty += 1
        if db.observed:
            db.tell(key, events.STRING, b"set")
        return True
    return _set_with_options(db, args, h)


def _set_with_options(db: Keyspace, payload: SetPayload, h: int) -> Any:
    key, value, condition, operand, get, when = payload
    old: Any = None
    if get:
        old = copied(read(db, key, h))
    elif condition != ALWAYS:
        old = db.peek(key, h) if condition in (NX, XX) else db.string(key, h)
    if condition != ALWAYS:
        exists = old is not None
        if not ((exists == (condition == XX)) if condition in (NX, XX) else holds(condition, operand, old)):
            return old if get else None
    store(db, key, h, value, when)
    return old if get else True


def store(db: Keyspace, key: bytes, h: int, value: bytes | bytearray, when: int) -> None:
    """Store a value and tell of it as SET does. O(1).

    Args:
        when: absolute unix ms, 0 for never, -1 to keep the deadline there is.
    """
    db.put(key, h, value, when)
    db.changed(key, events.STRING, b"set")
    if when > 0 and db.observed:
        db.tell(key, events.GENERIC, b"expire")


def cmd_setex(session: Session, args: Args) -> SetPayload:
    """SETEX is SET with EX."""
    return args[1], args[3], ALWAYS, b"", False, deadline(session, args[2], 1000, True, "setex")


def cmd_psetex(session: Session, args: Args) -> SetPayload:
    """PSETEX is SET with PX."""
    return args[1], args[3], ALWAYS, b"", False, deadline(session, args[2], 1, True, "psetex")


def op_setnx(db: Keyspace, args: Args, h: int) -> int:
    """Store a value if there is no key. O(1). 1 if it was stored, 0 if not."""
    key = args[1]
    if db.peek(key, h) is not None:
        return 0
    store(db, key, h, args[2], 0)
    return 1


def op_getset(db: Keyspace, args: Args, h: int) -> bytes | None:
    """Store a value, answer the old one. O(1)."""
    key = args[1]
    old = copied(read(db, key, h))
    store(db, key, h, args[2], 0)
    return old


def op_getdel(db: Keyspace, args: Args, h: int) -> bytes | None:
    """Remove a key that holds a string, answer its value. O(1)."""
    key = args[1]
    value = copied(read(db, key, h))
    if value is not None:
        db.erase(key, h)
        db.changed(key, events.GENERIC, b"del")
    return value


def cmd_getex(session: Session, args: Args) -> tuple[bytes, int, bool, ReplyError | None]:
    """Parse GETEX's options.

    Returns:
        (key, deadline, whether to change it, error). The error of a bad time is the shard's to raise:
        without a key the answer is null, with one of another type it is WRONGTYPE.
    """
    if len(args) == 2:
        return args[1], 0, False, None
    options = parse_getex(args[2:])
    try:
        when = deadline_of(session, options, "getex")
    except ReplyError as error:
        return args[1], 0, False, error.bare()
    return args[1], when, True, None


def op_getex(db: Keyspace, payload: tuple[bytes, int, bool, ReplyError | None], h: int) -> bytes | None:
    """The value; its deadline is set, or taken away if `when` is 0. O(1)."""
    key, when, change, error = payload
    value = copied(read(db, key, h))
    if value is None:
        return None
    if error is not None:
        raise error
    if change:
        set_expiry(db, key, h, when)
    return value


def set_expiry(db: Keyspace, key: bytes, h: int, when: int) -> None:
    """Give a key that is there a deadline, or take it away (0); one in the past removes the key. O(1)."""
    if not when:
        if db.deadline(key, h) > 0:
            db.set_deadline(key, h, 0)
            db.changed(key, events.GENERIC, b"persist")
    elif when <= db.shard.tick.ms:
        db.erase(key, h)
        db.changed(key, events.GENERIC, b"del")
    else:
        db.set_deadline(key, h, when)
        db.changed(key, events.GENERIC, b"expire")


# Parts of a string.


def op_strlen(db: Keyspace, args: Args, h: int) -> int:
    """The length in bytes, 0 without a key. O(1)."""
    value = read(db, args[1], h)
    return 0 if value is None else len(value)


def cmd_getrange(session: Session, args: Args) -> tuple[bytes, int, int]:
    """Parse the bounds."""
    start = parse_int(args[2])
    end = parse_int(args[3])
    if start is None or end is None:
        raise ReplyError("NOT_INTEGER")
    return args[1], start, end


def op_getrange(db: Keyspace, payload: tuple[bytes, int, int], h: int) -> bytes:
    """The bytes from ``start`` to ``end``, both included, negative from the end. O(bytes answered)."""
    key, start, end = payload
    value = read(db, key, h)
    if value is None or (start < 0 and end < start):
        return b""
    size = len(value)
    if start < 0:
        start = max(start + size, 0)
    if end < 0:
        end = max(end + size, 0)
    return bytes(value[start : end + 1])


def cmd_append(session: Session, args: Args) -> tuple[bytes, bytes, int]:
    """Add the limit that the result must keep."""
    return args[1], args[2], session.dispatcher.config.proto_max_bulk_len


def op_append(db: Keyspace, payload: tuple[bytes, bytes, int], h: int) -> int:
    """Add bytes at the end. O(bytes added), amortised. The length of the result."""
    key, tail, limit = payload
    value = db.string(key, h)
    if value is None:
        db.put(key, h, tail)
        size = len(tail)
    else:
        size = checked_length(len(value) + len(tail), limit)
        buffer = in_place(db, key, h, value)
        before = value_size(buffer)
        buffer += tail
        db.resized(before, value_size(buffer))
    db.changed(key, events.STRING, b"append")
    return size


def op_prepend(db: Keyspace, payload: tuple[bytes, bytes, int], h: int) -> int:
    """Add bytes in front. O(length). The length of the result."""
    key, head, limit = payload
    value = db.string(key, h)
    if value is None:
        db.put(key, h, head)
        size = len(head)
    else:
        size = checked_length(len(value) + len(head), limit)
        buffer = in_place(db, key, h, value)
        before = value_size(buffer)
        buffer[:0] = head
        db.resized(before, value_size(buffer))
    db.changed(key, events.STRING, b"prepend")
    return size


def cmd_setrange(session: Session, args: Args) -> tuple[bytes, int, bytes, int]:
    """Parse the offset and add the limit that the result must keep."""
    offset = parse_int(args[2])
    if offset is None:
        raise ReplyError("NOT_INTEGER")
    if offset < 0:
        raise ReplyError("OFFSET_OUT_OF_RANGE")
    return args[1], offset, args[3], longest(session, offset + len(args[3]))


def op_setrange(db: Keyspace, payload: tuple[bytes, int, bytes, int], h: int) -> int:
    """Overwrite from ``offset`` on, with zero bytes up to there if need be. The length of the result.

    O(bytes written), O(length) when the value is changed in place for the first time.
    """
    key, offset, patch, limit = payload
    value = db.string(key, h)
    if not patch:
        return 0 if value is None else len(value)
    if offset > limit - len(patch):
        raise ReplyError("STRING_TOO_LONG")
    end = offset + len(patch)
    if value is None:
        db.put(key, h, bytearray(offset) + patch)
        size = end
    else:
        buffer = in_place(db, key, h, value)
        size = len(buffer)
        if end <= size:
            buffer[offset:end] = patch
        else:
            before = value_size(buffer)
            if offset > size:
                buffer.extend(bytes(offset - size))
            buffer[offset:end] = patch
            db.resized(before, value_size(buffer))
            size = end
    db.changed(key, events.STRING, b"setrange")
    return size


def checked_length(length: int, limit: int) -> int:
    """The length, if a string may have it.

    Raises:
        ReplyError STRING_TOO_LONG.
    """
    if length > limit:
        raise ReplyError("STRING_TOO_LONG")
    return length


def in_place(db: Keyspace, key: bytes, h: int, value: bytes | bytearray) -> bytearray:
    """The string stored at a key as one that may be changed; the caller accounts for what it changes.

    O(1), O(length) the first time.
    """
    if isinstance(value, bytearray):
        db.table.before_change(key, h)
        if value.__class__ is Flagged:
            value.cas = value.marks = 0
        return value
    buffer = bytearray(value)
    db.put(key, h, buffer, KEEP_DEADLINE)
    return buffer


# Comparison by value or digest.


def op_digest(db: Keyspace, args: Args, h: int) -> bytes | None:
    """The digest of a string, None without a key. O(length)."""
    value = read(db, args[1], h)
    return None if value is None else digest(value)


def cmd_delex(session: Session, args: Args) -> tuple[bytes, int, bytes]:
    """Parse DELEX's condition."""
    if len(args) == 2:
        return args[1], ALWAYS, b""
    if len(args) != 4:
        raise ReplyError("WRONG_ARITY", "delex")
    option = args[2].upper()
    if option not in COMPARISONS:
        raise ReplyError("SYNTAX")
    condition = COMPARISONS[option]
    return args[1], condition, check_digest(condition, args[3])


def op_delex(db: Keyspace, payload: tuple[bytes, int, bytes], h: int) -> int:
    """Remove a key if its string compares as asked; without a condition a key of any type.

    O(1), O(length) for a comparison. 1 if it was removed, 0 if not.
    """
    key, condition, operand = payload
    value = db.peek(key, h)
    if value is None:
        return 0
    if condition != ALWAYS:
        if value.__class__ is not bytes and not isinstance(value, bytearray):
            raise ReplyError("DELEX_NOT_STRING")
        if not holds(condition, operand, value):
            return 0
    db.erase(key, h)
    db.changed(key, events.GENERIC, b"del")
    return 1


TABLE: tuple[Row, ...] = (
    single(
        "GET",
        2,
        "readonly fast",
        op=op_get,
        many=many_get,
        many_with=2,
        encode="bulk_or_null",
        acl="@read @string @fast",
        since="1.0.0",
        group="string",
        syntax="key",
        summary="Answers the string at a key.",
        key_flags="RO ACCESS",
    ),
    single(
        "SET",
        -3,
        "write denyoom",
        cmd=cmd_set,
        plain_with=3,
        op=op_set,
        many=many_set,
        many_with=3,
        encode="ok_or_null",
        acl="@write @string @slow",
        since="1.0.0",
        group="string",
        syntax="key value [NX|XX|IFEQ value|IFNE value|IFDEQ digest|IFDNE digest] [GET] "
        "[EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]",
        summary="Stores a string, whatever the key held; with options on conditions and for a time.",
        key_flags="RW ACCESS UPDATE VARIABLE_FLAGS",
    ),
    single(
        "SETNX",
        3,
        "write denyoom fast",
        op=op_setnx,
        encode="number",
        acl="@write @string @fast",
        since="1.0.0",
        group="string",
        syntax="key value",
        summary="Stores a string if the key does not exist.",
        key_flags="OW INSERT",
    ),
    single(
        "SETEX",
        4,
        "write denyoom",
        cmd=cmd_setex,
        op=op_set,
        encode="ok_or_null",
        acl="@write @string @slow",
        since="2.0.0",
        group="string",
        syntax="key seconds value",
        summary="Stores a string that lives for some seconds.",
        key_flags="OW UPDATE",
    ),
    single(
        "PSETEX",
        4,
        "write denyoom",
        cmd=cmd_psetex,
        op=op_set,
        encode="ok_or_null",
        acl="@write @string @slow",
        since="2.6.0",
        group="string",
        syntax="key milliseconds value",
        summary="Stores a string that lives for some milliseconds.",
        key_flags="OW UPDATE",
    ),
    single(
        "GETSET",
        3,
        "write denyoom fast",
        op=op_getset,
        encode="bulk_or_null",
        acl="@write @string @fast",
        since="1.0.0",
        group="string",
        syntax="key value",
        summary="Stores a string and answers the one before.",
        key_flags="RW ACCESS UPDATE",
    ),
    single(
        "GETDEL",
        2,
        "write fast",
        op=op_getdel,
        encode="bulk_or_null",
        acl="@write @string @fast",
        since="6.2.0",
        group="string",
        syntax="key",
        summary="Answers the string at a key and removes the key.",
        key_flags="RW ACCESS DELETE",
    ),
    single(
        "GETEX",
        -2,
        "write fast",
        cmd=cmd_getex,
        op=op_getex,
        encode="bulk_or_null",
        acl="@write @string @fast",
        since="6.2.0",
        group="string",
        syntax="key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]",
        summary="Answers the string at a key and sets or removes its time to live.",
        key_flags="RW ACCESS UPDATE",
    ),
    single(
        "GETRANGE",
        4,
        "readonly",
        cmd=cmd_getrange,
        op=op_getrange,
        encode="bulk_or_null",
        acl="@read @string @slow",
        since="2.4.0",
        group="string",
        syntax="key start end",
        summary="Answers a part of the string at a key.",
        key_flags="RO ACCESS",
        complexity="O(N) where N is the length of the reply",
    ),
    single(
        "SUBSTR",
        4,
        "readonly",
        cmd=cmd_getrange,
        op=op_getrange,
        encode="bulk_or_null",
        acl="@read @string @slow",
        since="1.0.0",
        group="string",
        syntax="key start end",
        summary="The old name of GETRANGE.",
        key_flags="RO ACCESS",
        complexity="O(N) where N is the length of the reply",
    ),
    single(
        "SETRANGE",
        4,
        "write denyoom",
        cmd=cmd_setrange,
        op=op_setrange,
        encode="number",
        acl="@write @string @slow",
        since="2.2.0",
        group="string",
        syntax="key offset value",
        summary="Overwrites a part of the string at a key.",
        key_flags="RW UPDATE",
        complexity="O(N) where N is the length of the value",
    ),
    single(
        "STRLEN",
        2,
        "readonly fast",
        op=op_strlen,
        encode="number",
        acl="@read @string @fast",
        since="2.2.0",
        group="string",
        syntax="key",
        summary="Answers the length of the string at a key.",
        key_flags="RO",
    ),
    single(
        "APPEND",
        3,
        "write denyoom fast",
        cmd=cmd_append,
        op=op_append,
        encode="number",
        acl="@write @string @fast",
        since="2.0.0",
        group="string",
        syntax="key value",
        summary="Adds to the end of the string at a key; creates the key if need be.",
        key_flags="RW INSERT",
    ),
    single(
        "PREPEND",
        3,
        "write denyoom fast",
        cmd=cmd_append,
        op=op_prepend,
        encode="number",
        acl="@write @string @fast",
        since="2.0.0",
        group="string",
        syntax="key value",
        summary="Adds to the front of the string at a key; creates the key if need be.",
        key_flags="RW INSERT",
    ),
    single(
        "DIGEST",
        2,
        "readonly fast",
        op=op_digest,
        encode="bulk_or_null",
        acl="@read @string @fast",
        since="8.4.0",
        group="string",
        syntax="key",
        summary="Answers the XXH3 digest of the string at a key.",
        key_flags="RO ACCESS",
        complexity="O(N) where N is the length of the string",
    ),
    single(
        "DELEX",
        -2,
        "write fast",
        cmd=cmd_delex,
        op=op_delex,
        encode="number",
        acl="@write @string @fast",
        since="8.4.0",
        group="string",
        syntax="key [IFEQ value|IFNE value|IFDEQ digest|IFDNE digest]",
        summary="Removes a key if its string, or the digest of it, compares as asked.",
        key_flags="RW DELETE VARIABLE_FLAGS",
    ),
)
