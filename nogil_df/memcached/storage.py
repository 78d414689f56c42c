"""The classic commands: set and its kin, get and its kin, incr, decr, delete, touch.

As in the families of `nogil_df.commands`, ``cmd_x`` looks at the words on the thread of the client and
``op_x`` does the work on the thread of the key. A key that holds another type than a string is a miss to
whoever reads, and is overwritten by whoever stores.

What a client did not ask for is not kept: see `nogil_df.shard.flagged`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.commands.spec import Row, local, multi, single
from nogil_df.commands.string_options import KEEP_DEADLINE
from nogil_df.commands.strings import op_append, op_prepend, set_expiry, store
from nogil_df.commands.strings_multi import MEMCACHED_ABSOLUTE
from nogil_df.memcached.replies import (
    DELETED,
    DONE,
    EXISTS,
    NON_NUMERIC,
    NOT_FOUND,
    NOT_STORED,
    SILENT,
    STORED,
    TOO_LARGE,
    TOUCHED,
    Number,
)
from nogil_df.shard.flagged import FETCHED, Flagged, flags_of
from nogil_df.wire.memcached import ITEM_OVERHEAD, parse_int32, parse_uint

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.memcached.replies import Found
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

PAST: Final = 1
"""A deadline that has passed, whatever the time is."""

COUNTER_DIGITS: Final = 20
WRAP: Final = 1 << 64

BAD_EXPTIME: Final = b"CLIENT_ERROR invalid exptime argument"
BAD_DELTA: Final = b"CLIENT_ERROR invalid numeric delta argument"
BAD_DELETE: Final = b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]"

SET, ADD, REPLACE, APPEND, PREPEND, CAS = range(6)
MODES: Final = {
    b"set": SET,
    b"add": ADD,
    b"replace": REPLACE,
    b"append": APPEND,
    b"prepend": PREPEND,
    b"cas": CAS,
}

StorePayload = tuple[bytes, bytes, int, int, int, int, int]
"""Key, data, flags, deadline, mode, cas unique, most bytes of data that the key may come to have."""


def complaint(line: bytes, quiet: bool = False) -> ReplyError:
    """An error whose whole text this is; nothing at all for a client that wants no replies."""
    return ReplyError("RAW", b"" if quiet else line)


def deadline_in(session: Session, seconds: int) -> int:
    """An expiry time as an absolute unix time in ms: 0 for never, `PAST` for at once. O(1)."""
    if seconds == 0:
        return 0
    if seconds < 0:
        return PAST
    if seconds > MEMCACHED_ABSOLUTE:
        return seconds * 1000
    return session.dispatcher.proactor.shard.tick.ms + seconds * 1000


def parse_deadline(session: Session, word: bytes, quiet: bool = False) -> int:
    """`deadline_in` of a word.

    Raises:
        ReplyError: it is no number of 32 bits.
    """
    seconds = parse_int32(word)
    if seconds is None:
        raise complaint(BAD_EXPTIME, quiet)
    return deadline_in(session, seconds)


def is_string(value: Any) -> bool:
    """Whether a stored value, or None, is a string. O(1)."""
    return value.__class__ is bytes or isinstance(value, bytearray)


# Storing.


def cmd_store(session: Session, args: Args) -> Any:
    """``name key data flags exptime cas noreply``; the parser has checked the numbers."""
    name, key, data, flags, expires, cas, quiet = args
    if name == b"set" and flags == b"0" and expires == b"0" and not quiet:
        # What is nothing but a value goes through as it came.
        return args
    payload = (
        key,
        data,
        0 if flags == b"0" else int(flags),
        0 if expires == b"0" else deadline_in(session, int(expires)),
        MODES[name],
        int(cas) if cas else 0,
        session.dispatcher.config.memcached_max_item_size - ITEM_OVERHEAD - len(key),
    )
    return payload, SILENT if quiet else 0


def op_store(db: Keyspace, payload: Any, h: int) -> int:
    """Store as the mode says. O(1), prepend O(length). The status."""
    if payload.__class__ is list:
        key = payload[1]
        db.put(key, h, payload[2])
        db.shard.dirty += 1
        if db.observed:
            db.tell(key, events.STRING, b"set")
        return STORED
    store, silent = payload
    return put_by_mode(db, store, h) + int(silent)


def put_by_mode(db: Keyspace, payload: StorePayload, h: int) -> int:
    """Store if the mode lets it; the status. O(1), prepend O(length)."""
    key, data, flags, when, mode, cas, most = payload
    if mode == SET:
        put(db, key, h, data, flags, when)
        return STORED
    value = db.peek(key, h)
    if mode == CAS:
        if not is_string(value):
            return NOT_FOUND
        if value.__class__ is not Flagged or value.cas != cas or not cas:
            return EXISTS
    elif (value is None) != (mode == ADD):
        return NOT_STORED
    elif mode in (APPEND, PREPEND):
        if not is_string(value) or len(value) + len(data) > most:
            return NOT_STORED
        grow = op_append if mode == APPEND else op_prepend
        grow(db, (key, data, most), h)
        return STORED
    put(db, key, h, data, flags, when)
    return STORED


def put(db: Keyspace, key: bytes, h: int, data: bytes, flags: int, when: int) -> None:
    """Store data with flags; with a deadline that has passed the key is gone at once. O(1)."""
    if 0 < when <= db.shard.tick.ms:
        remove(db, key, h)
    else:
        store(db, key, h, Flagged(data, flags) if flags else data, when)


def remove(db: Keyspace, key: bytes, h: int) -> bool:
    """Remove a key; whether there was one. O(1)."""
    if db.erase(key, h) is None:
        return False
    db.changed(key, events.GENERIC, b"del")
    return True


def cmd_too_large(session: Session, args: Args) -> tuple[bytes, bool, int]:
    """What takes the place of a command whose data is too big: ``name key command noreply``."""
    _, key, name, quiet = args
    return key, name in (b"set", b"ms"), SILENT if quiet else 0


def op_too_large(db: Keyspace, payload: tuple[bytes, bool, int], h: int) -> int:
    """The old value must not outlive a set that failed, or it would be taken for the new one. O(1)."""
    key, drop, silent = payload
    if drop:
        remove(db, key, h)
    return TOO_LARGE + silent


# Reading.


def look_up(db: Keyspace, key: bytes, h: int) -> Any:
    """The stored string, None for a miss, which is counted as one. O(1)."""
    value = db.find(key, h)
    if value.__class__ is Flagged:
        value.marks |= FETCHED
        return value
    return value if is_string(value) else None


def with_cas(db: Keyspace, key: bytes, h: int, value: Any) -> Flagged:
    """A stored string as one that has a cas unique; it gets one if it has none. O(1), O(length) at first."""
    if value.__class__ is not Flagged:
        value = Flagged(value)
        db.put(key, h, value, KEEP_DEADLINE)
    if not value.cas:
        value.cas = db.shard.next_cas()
    return value  # type: ignore[no-any-return]


def op_get(db: Keyspace, args: Args, h: int) -> Found | None:
    """get of one key, ``args[1]``. O(1)."""
    key = args[1]
    value = db.table.get(key, h)
    if value.__class__ is bytes:
        db.shard.hits += 1
        return key, 0, value
    if value is None:
        db.count_read(key, None)
        return None
    return op_get_key(db, key, h)


def op_get_key(db: Keyspace, key: bytes, h: int) -> Found | None:
    """get of a key among several. O(1)."""
    value = look_up(db, key, h)
    return None if value is None else (key, flags_of(value), bytes(value))


def op_gets(db: Keyspace, args: Args, h: int) -> Found | None:
    """gets of one key, ``args[1]``. O(1)."""
    return op_gets_key(db, args[1], h)


def op_gets_key(db: Keyspace, key: bytes, h: int) -> Found | None:
    """gets of a key among several. O(1)."""
    value = look_up(db, key, h)
    if value is None:
        return None
    value = with_cas(db, key, h, value)
    return key, value.flags, bytes(value), value.cas


def cmd_get_many(context: Context, args: Args) -> Steps:
    """get of several keys: one hop to each shard."""
    return (yield from context.each_key(args[1:], op_get_key, last=True))


def cmd_gets_many(context: Context, args: Args) -> Steps:
    """gets of several keys: one hop to each shard."""
    return (yield from context.each_key(args[1:], op_gets_key, last=True))


def cmd_gat(context: Context, args: Args) -> Steps:
    """gat and gats: ``name exptime key...``."""
    when = parse_deadline(context.session, args[1])
    payloads = [(key, when, args[0] == b"gats") for key in args[2:]]
    return (yield from context.each_key(args[2:], op_gat, payloads, last=True))


def op_gat(db: Keyspace, payload: tuple[bytes, int, bool], h: int) -> Found | None:
    """A value, its deadline changed. O(1)."""
    key, when, cas = payload
    found = op_gets_key(db, key, h) if cas else op_get_key(db, key, h)
    if found is not None:
        set_expiry(db, key, h, when)
    return found


# Numbers, deadlines, removal.


def cmd_count(session: Session, args: Args) -> tuple[bytes, int, int]:
    """``incr|decr key delta [noreply]``; the delta has the sign of what is to be done."""
    quiet = args[-1] == b"noreply"
    if len(args) > 4:
        raise ReplyError("WRONG_ARITY", "incr")
    delta = parse_uint(args[2])
    if delta is None:
        raise complaint(BAD_DELTA, quiet)
    return args[1], delta if args[0] == b"incr" else -delta, SILENT if quiet else 0


def op_count(db: Keyspace, payload: tuple[bytes, int, int], h: int) -> int:
    """Add to a number: it wraps at 2**64 upwards and stops at 0 downwards. O(1). The number, or a status."""
    key, delta, silent = payload
    value = db.peek(key, h)
    if not is_string(value):
        return NOT_FOUND + silent if value is None else NON_NUMERIC + silent
    number = plus(value, delta)
    if number is None:
        return NON_NUMERIC + silent
    replace_number(db, key, h, value, number)
    return DONE + silent if silent else Number(number)


def plus(value: bytes | bytearray, delta: int) -> int | None:
    """What incr and decr make of a number; None if it is none of 64 bits. O(1)."""
    digits = value.strip(b" ")
    if len(digits) > COUNTER_DIGITS or not digits.isdigit() or (number := int(digits)) >= WRAP:
        return None
    return max(number + delta, 0) if delta < 0 else (number + delta) % WRAP


def replace_number(db: Keyspace, key: bytes, h: int, value: Any, number: int) -> None:
    """Put a number in the place of one; flags and deadline stay. O(1)."""
    digits = b"%d" % number
    flags = flags_of(value)
    db.put(key, h, Flagged(digits, flags) if flags else digits, KEEP_DEADLINE)
    db.changed(key, events.STRING, b"incrby")


def cmd_delete(session: Session, args: Args) -> tuple[bytes, int]:
    """``delete key [0] [noreply]``."""
    rest = args[2:]
    quiet = bool(rest) and rest[-1] == b"noreply"
    if len(rest) > 2:
        raise ReplyError("WRONG_ARITY", "delete")
    if rest and rest not in ([b"0"], [b"noreply"], [b"0", b"noreply"]):
        raise complaint(BAD_DELETE, quiet)
    return args[1], SILENT if quiet else 0


def op_delete(db: Keyspace, payload: tuple[bytes, int], h: int) -> int:
    """Remove a key of any type. O(1), apart from freeing a big value."""
    return (DELETED if remove(db, payload[0], h) else NOT_FOUND) + payload[1]


def cmd_touch(session: Session, args: Args) -> tuple[bytes, int, int]:
    """``touch key exptime [noreply]``."""
    quiet = args[-1] == b"noreply"
    if len(args) > 4:
        raise ReplyError("WRONG_ARITY", "touch")
    return args[1], parse_deadline(session, args[2], quiet), SILENT if quiet else 0


def op_touch(db: Keyspace, payload: tuple[bytes, int, int], h: int) -> int:
    """Change the deadline of a key. O(1)."""
    key, when, silent = payload
    if db.peek(key, h) is None:
        return NOT_FOUND + silent
    set_expiry(db, key, h, when)
    return TOUCHED + silent


def run_refuse(session: Session, args: Args) -> ReplyError:
    """What the parser found wrong with a line."""
    return ReplyError("RAW", args[1])


def _store_row(name: str, encode: str = "stored") -> Row:
    return single(
        name,
        7,
        "write denyoom",
        cmd=cmd_store,
        op=op_store,
        encode=encode,
        acl="@write @string",
        key_flags="RW UPDATE",
    )


def _get_row(name: str, run: Any, op: Any) -> Row:
    return multi(
        name,
        -2,
        "readonly fast",
        run=run,
        op=op,
        single_with=2,
        keys=(1, -1, 1),
        encode="found",
        acl="@read @string",
        key_flags="RO ACCESS",
    )


def _gat_row(name: str) -> Row:
    return multi(
        name,
        -2,
        "write fast",
        run=cmd_gat,
        keys=(2, -1, 1),
        encode="found_and_touched",
        acl="@write @string",
        key_flags="RW ACCESS UPDATE",
    )


TABLE: tuple[Row, ...] = (
    _get_row("GET", cmd_get_many, op_get),
    _get_row("GETS", cmd_gets_many, op_gets),
    _gat_row("GAT"),
    _gat_row("GATS"),
    *map(_store_row, "SET ADD REPLACE APPEND PREPEND".split()),
    _store_row("CAS", "swapped"),
    single(
        "INCR",
        -3,
        "write denyoom fast",
        cmd=cmd_count,
        op=op_count,
        encode="incremented",
        acl="@write @string",
        key_flags="RW UPDATE",
    ),
    single(
        "DECR",
        -3,
        "write denyoom fast",
        cmd=cmd_count,
        op=op_count,
        encode="decremented",
        acl="@write @string",
        key_flags="RW UPDATE",
    ),
    single(
        "DELETE",
        -2,
        "write fast",
        cmd=cmd_delete,
        op=op_delete,
        encode="deleted",
        acl="@keyspace @write",
        key_flags="RM DELETE",
    ),
    single(
        "TOUCH",
        -3,
        "write fast",
        cmd=cmd_touch,
        op=op_touch,
        encode="touched",
        acl="@keyspace @write",
        key_flags="RW UPDATE",
    ),
    single(
        "TOO-LARGE",
        4,
        "write",
        cmd=cmd_too_large,
        op=op_too_large,
        encode="refused_large",
        acl="@write @string",
        key_flags="RM DELETE",
    ),
    local("REFUSE", -2, "fast no_auth loading stale skip_monitor skip_slowlog", run=run_refuse),
)
