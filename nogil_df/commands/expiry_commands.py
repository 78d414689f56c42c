"""Commands on deadlines: EXPIRE and its kin, TTL and its kin, PERSIST.

A deadline is absolute, in unix milliseconds, exact over Redis's whole range. A relative time is added to the
time of the key's shard, the very clock that TTL subtracts again and that expiry goes by, so no difference
between the threads' clocks ever shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import INT64_MAX
from nogil_df.commands.arguments import integer
from nogil_df.commands.spec import Row, single

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

NX, XX, GT, LT = 1, 2, 4, 8
_OPTIONS = {b"NX": NX, b"XX": XX, b"GT": GT, b"LT": LT}

MOST_SECONDS = INT64_MAX // 1000
"""Seconds, of either sign, beyond which their milliseconds would not fit 64 bits."""

Request = tuple[bytes, int, str, int]
"""Key; milliseconds; the command's name if they count from now, "" if they are absolute; options."""


def cmd_expire(session: Session, args: Args) -> Request:
    """EXPIRE key seconds [NX | XX | GT | LT]."""
    options = _options(args)
    return args[1], _from_seconds(args[2], "expire"), "expire", options


def cmd_pexpire(session: Session, args: Args) -> Request:
    """PEXPIRE key milliseconds [NX | XX | GT | LT]."""
    options = _options(args)
    return args[1], integer(args[2]), "pexpire", options


def cmd_expireat(session: Session, args: Args) -> Request:
    """EXPIREAT key unix-seconds [NX | XX | GT | LT]."""
    options = _options(args)
    return args[1], _from_seconds(args[2], "expireat"), "", options


def cmd_pexpireat(session: Session, args: Args) -> Request:
    """PEXPIREAT key unix-milliseconds [NX | XX | GT | LT]."""
    options = _options(args)
    return args[1], integer(args[2]), "", options


def _options(args: Args) -> int:
    """The options as a mask.

    Raises:
        ReplyError: an unknown one, or some that exclude each other.
    """
    found = 0
    for word in args[3:]:
        option = word.upper()
        if option not in _OPTIONS:
            raise ReplyError("UNSUPPORTED_OPTION", word)
        found |= _OPTIONS[option]
    if found & NX and found & (XX | GT | LT):
        raise ReplyError("EXPIRE_NX_CONFLICT")
    if found & GT and found & LT:
        raise ReplyError("EXPIRE_GT_LT")
    return found


def _from_seconds(word: bytes, command: str) -> int:
    """Milliseconds of a number of seconds."""
    seconds = integer(word)
    if not -MOST_SECONDS <= seconds <= MOST_SECONDS:
        raise ReplyError("INVALID_EXPIRE", command)
    return seconds * 1000


def op_expire(db: Keyspace, request: Request, h: int) -> int:
    """Set the deadline, or delete the key if it lies in the past; 1 if that was done. O(1).

    Raises:
        ReplyError INVALID_EXPIRE: the deadline does not fit 64 bits.
    """
    key, deadline, relative, options = request
    now = db.shard.tick.ms
    if relative:
        deadline += now
        if deadline > INT64_MAX:
            raise ReplyError("INVALID_EXPIRE", relative)
    current = db.deadline(key, h)
    if current < 0 or (options and not _allowed(options, current, deadline)):
        return 0
    if deadline <= now:
        db.erase(key, h)
        db.changed(key, events.GENERIC, b"del")
    else:
        db.set_deadline(key, h, deadline)
        db.changed(key, events.GENERIC, b"expire")
    return 1


def _allowed(options: int, current: int, deadline: int) -> bool:
    """Whether the options let ``deadline`` replace ``current`` (0: none, which is later than any)."""
    if options & NX and current:
        return False
    if options & XX and not current:
        return False
    if options & GT and (not current or deadline <= current):
        return False
    return not (options & LT and current and deadline >= current)


def op_persist(db: Keyspace, args: Args, h: int) -> int:
    """Take the deadline away; 1 if there was one. O(1)."""
    key = args[1]
    if db.deadline(key, h) <= 0:
        return 0
    db.set_deadline(key, h, 0)
    db.changed(key, events.GENERIC, b"persist")
    return 1


def _read_deadline(db: Keyspace, key: bytes, h: int) -> int:
    """The deadline; -1 if the key has none, -2 if there is no key. O(1)."""
    if db.look(key, h) is None:
        return -2
    return db.deadline(key, h) or -1


def op_pttl(db: Keyspace, args: Args, h: int) -> int:
    """Milliseconds left, -1 for a key without a deadline, -2 for no key. O(1)."""
    deadline = _read_deadline(db, args[1], h)
    return deadline if deadline < 0 else deadline - db.shard.tick.ms


def op_ttl(db: Keyspace, args: Args, h: int) -> int:
    """Seconds left, rounded to the nearest; else as `op_pttl`. O(1)."""
    left = op_pttl(db, args, h)
    return left if left < 0 else (left + 500) // 1000


def op_pexpiretime(db: Keyspace, args: Args, h: int) -> int:
    """The deadline in unix milliseconds, -1 for a key without one, -2 for no key. O(1)."""
    return _read_deadline(db, args[1], h)


def op_expiretime(db: Keyspace, args: Args, h: int) -> int:
    """The deadline in unix seconds, rounded to the nearest; else as `op_pexpiretime`. O(1)."""
    deadline = _read_deadline(db, args[1], h)
    return deadline if deadline < 0 else (deadline + 500) // 1000


def _setter(name: str, since: str, cmd: object, unit: str, summary: str) -> Row:
    """The row of a command that sets a deadline."""
    return single(
        name,
        -3,
        "write fast",
        cmd=cmd,  # type: ignore[arg-type]
        op=op_expire,
        encode="number",
        key_flags="RW UPDATE",
        acl="@keyspace @write @fast",
        since=since,
        group="generic",
        syntax=f"key {unit} [<NX|XX|GT|LT>]",
        summary=summary,
    )


def _getter(name: str, since: str, op: object, summary: str, tips: str = "") -> Row:
    """The row of a command that reads a deadline."""
    return single(
        name,
        2,
        "readonly fast",
        op=op,  # type: ignore[arg-type]
        encode="number",
        key_flags="RO ACCESS",
        acl="@keyspace @read @fast",
        since=since,
        group="generic",
        syntax="key",
        summary=summary,
        tips=tips,
    )


TABLE: tuple[Row, ...] = (
    _setter("EXPIRE", "1.0.0", cmd_expire, "seconds", "Lets a key live for some seconds."),
    _setter("PEXPIRE", "2.6.0", cmd_pexpire, "milliseconds", "Lets a key live for some milliseconds."),
    _setter("EXPIREAT", "1.2.0", cmd_expireat, "unix-time-seconds", "Lets a key live until a unix time."),
    _setter(
        "PEXPIREAT",
        "2.6.0",
        cmd_pexpireat,
        "unix-time-milliseconds",
        "Lets a key live until a unix time in milliseconds.",
    ),
    _getter("TTL", "1.0.0", op_ttl, "Tells the seconds that a key has left.", tips="nondeterministic_output"),
    _getter(
        "PTTL",
        "2.6.0",
        op_pttl,
        "Tells the milliseconds that a key has left.",
        tips="nondeterministic_output",
    ),
    _getter("EXPIRETIME", "7.0.0", op_expiretime, "Tells the unix time at which a key expires."),
    _getter(
        "PEXPIRETIME",
        "7.0.0",
        op_pexpiretime,
        "Tells the unix time in milliseconds at which a key expires.",
    ),
    single(
        "PERSIST",
        2,
        "write fast",
        op=op_persist,
        encode="number",
        key_flags="RW UPDATE",
        acl="@keyspace @write @fast",
        since="2.2.0",
        group="generic",
        syntax="key",
        summary="Lets a key live for ever.",
    ),
)
