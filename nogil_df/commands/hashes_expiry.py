"""Deadlines of fields: HEXPIRE and its kin, HTTL and its kin, HPERSIST, HGETDEL, HGETEX, HSETEX.

A deadline is absolute, in unix milliseconds. A relative time is added to the time of the key's shard, as for
whole keys. A deadline that is not in the future removes the field at once.

Redis looks at the key first and at the rest of the arguments afterwards (but for HSETEX), so what is wrong
with the arguments travels to the shard in the payload and is raised there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import INT64_MAX, parse_int
from nogil_df.commands.expiry_commands import GT, LT, NX, XX
from nogil_df.commands.hashes import hash_to_change, read_hash, remove_fields, store_fields
from nogil_df.commands.sets import erase_if_empty
from nogil_df.commands.spec import Row, single

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.hashes import HashValue
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

LATEST: Final = 0x0000FFFFFFFFFFFE >> 2
"""Milliseconds: the last deadline that Redis gives a field, in the year 4199."""

INT32_MAX: Final = (1 << 31) - 1

NO_FIELD, NO_DEADLINE = -2, -1
NOT_MET, DONE, REMOVED = 0, 1, 2

CONDITIONS: Final = {b"NX": NX, b"XX": XX, b"GT": GT, b"LT": LT}
TIMES: Final = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}
"""Option -> (milliseconds of its unit, whether it counts from now)."""

Time = tuple[int, str]
"""Milliseconds; the command's name if they count from now, "" if they are absolute."""

Outcome = tuple[Any, ReplyError | None]
"""What arguments were parsed to, and what is wrong with them."""


def _parsed(parse: Callable[[Args], Any], args: Args) -> tuple[bytes, Any, ReplyError | None]:
    """The payload of a command whose arguments are judged after its key."""
    try:
        return args[1], parse(args), None
    except ReplyError as error:
        return args[1], None, error.bare()


def _existing(db: Keyspace, key: bytes, h: int, error: ReplyError | None) -> HashValue | None:
    """The hash to be changed, once the arguments are known to be good."""
    value = hash_to_change(db, key, h)
    if error is not None:
        raise error
    return value


def _time(text: bytes, unit: int, relative: bool, command: str) -> Time:
    """A time as given.

    Raises:
        ReplyError: NOT_INTEGER, NEGATIVE_EXPIRE, INVALID_EXPIRE.
    """
    number = parse_int(text)
    if number is None:
        raise ReplyError("NOT_INTEGER")
    if number < 0:
        raise ReplyError("NEGATIVE_EXPIRE")
    if number * unit > LATEST:
        raise ReplyError("INVALID_EXPIRE", command)
    return number * unit, command if relative else ""


def _deadline(db: Keyspace, time: Time) -> int:
    """A time as a deadline on this shard.

    Raises:
        ReplyError INVALID_EXPIRE: it is too late.
    """
    number, relative = time
    if not relative:
        return number
    number += db.shard.tick.ms
    if number > LATEST:
        raise ReplyError("INVALID_EXPIRE", relative)
    return number


def _fields(args: Args, at: int, bad_count: str) -> Args:
    """The fields behind ``FIELDS numfields`` at a position.

    Args:
        bad_count: the error that a number of fields makes that is none.

    Raises:
        ReplyError: FIELDS_MISSING, FIELDS_MISMATCH, or that.
    """
    if at + 1 >= len(args) or args[at].upper() != b"FIELDS":
        raise ReplyError("FIELDS_MISSING")
    number = parse_int(args[at + 1])
    if number is None or not 1 <= number <= INT64_MAX:
        raise ReplyError(bad_count)
    if number != len(args) - at - 2:
        raise ReplyError("FIELDS_MISMATCH")
    return args[at + 2 :]


# HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT.


def _expire_parser(command: str, unit: int, relative: bool) -> Callable[[Session, Args], Any]:
    def parse(args: Args) -> tuple[Time, int, Args]:
        time = _time(args[2], unit, relative, command)
        word = args[3].upper()
        condition = CONDITIONS[word] if word in CONDITIONS else 0
        return time, condition, _fields(args, 4 if condition else 3, "NUMFIELDS_NOT_POSITIVE")

    def cmd_hexpire(session: Session, args: Args) -> Any:
        """Time, condition, fields."""
        return _parsed(parse, args)

    return cmd_hexpire


def op_hexpire(db: Keyspace, payload: tuple[bytes, Any, ReplyError | None], h: int) -> list[int]:
    """Give fields a deadline; for each 1, 2 if it is gone, 0 for no, -2 for no field. O(fields given)."""
    key, request, error = payload
    value = _existing(db, key, h, error)
    time, condition, given = request
    deadline = _deadline(db, time)
    if value is None:
        return [NO_FIELD] * len(given)
    before = value.memory
    answers = [_expire(db, value, field, deadline, condition) for field in given]
    db.resized(before, value.memory)
    if REMOVED in answers:
        db.changed(key, events.HASH, b"hdel")
        erase_if_empty(db, key, h, value)
    elif DONE in answers:
        db.changed(key, events.HASH, b"hexpire")
    _note(db, key, value)
    return answers


def _expire(db: Keyspace, value: HashValue, field: bytes, deadline: int, condition: int) -> int:
    if field not in value.fields:
        return NO_FIELD
    if condition:
        current = value.deadline(field)
        if condition == NX and current:
            return NOT_MET
        if condition in (XX, GT) and not current:
            return NOT_MET
        if current and (
            (condition == GT and deadline <= current) or (condition == LT and deadline >= current)
        ):
            return NOT_MET
    if deadline <= db.shard.tick.ms:
        value.remove(field)
        return REMOVED
    value.expire(field, deadline)
    return DONE


def _note(db: Keyspace, key: bytes, value: HashValue) -> None:
    """Let active expiry know of the hash's next deadline."""
    if value.deadlines is not None and len(value):
        db.field_expiry.note(db, key, value.deadlines)


# FIELDEXPIRE, FIELDTTL: Dragonfly's names for the same.

NO_SUCH_KEY, NO_SUCH_FIELD = -2, -3


def cmd_fieldexpire(session: Session, args: Args) -> Any:
    """FIELDEXPIRE key seconds field [field ...]: as HEXPIRE, without conditions."""
    return _parsed(_seconds_and_fields, args)


def _seconds_and_fields(args: Args) -> tuple[Time, int, Args]:
    time = _time(args[2], 1000, True, "fieldexpire")
    if not time[0]:
        raise ReplyError("INVALID_EXPIRE", "fieldexpire")
    return time, 0, args[3:]


def cmd_fieldttl(session: Session, args: Args) -> tuple[bytes, bytes]:
    """FIELDTTL key field."""
    return args[1], args[2]


def op_fieldttl(db: Keyspace, payload: tuple[bytes, bytes], h: int) -> int:
    """Seconds that a field has left; -1 without a deadline, -2 for no key, -3 for no field. O(1)."""
    key, field = payload
    value = read_hash(db, key, h)
    if value is None:
        return NO_SUCH_KEY
    deadline = value.deadline(field)
    if deadline:
        return (deadline - db.shard.tick.ms + 999) // 1000
    return NO_DEADLINE if field in value.fields else NO_SUCH_FIELD


# HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME, HPERSIST, HGETDEL.


def cmd_fields(session: Session, args: Args) -> Any:
    """The fields of a command that has nothing else behind its key."""
    return _parsed(_only_fields, args)


def _only_fields(args: Args) -> Args:
    return _fields(args, 2, "BAD_NUMFIELDS")


def _deadline_reader(answer: Callable[[int, int], int]) -> Callable[..., list[int]]:
    """The op of a command that tells something about deadlines: (deadline, now) -> what it tells."""

    def op_httl(db: Keyspace, payload: tuple[bytes, Args, ReplyError | None], h: int) -> list[int]:
        """What is asked for each field, -1 for one without a deadline, -2 for no field. O(fields given)."""
        key, given, error = payload
        value = read_hash(db, key, h)
        if error is not None:
            raise error
        if value is None:
            return [NO_FIELD] * len(given)
        now = db.shard.tick.ms
        answers = []
        for field in given:
            deadline = value.deadline(field)
            if deadline:
                answers.append(answer(deadline, now))
            else:
                answers.append(NO_DEADLINE if field in value.fields else NO_FIELD)
        return answers

    return op_httl


def op_hpersist(db: Keyspace, payload: tuple[bytes, Args, ReplyError | None], h: int) -> list[int]:
    """Take deadlines away; for each field 1, -1 if it had none, -2 if there is none. O(fields given)."""
    key, given, error = payload
    value = _existing(db, key, h, error)
    if value is None:
        return [NO_FIELD] * len(given)
    before = value.memory
    answers = []
    for field in given:
        if field not in value.fields:
            answers.append(NO_FIELD)
        else:
            answers.append(DONE if value.persist(field) else NO_DEADLINE)
    db.resized(before, value.memory)
    if DONE in answers:
        db.changed(key, events.HASH, b"hpersist")
    return answers


def op_hgetdel(db: Keyspace, payload: tuple[bytes, Args, ReplyError | None], h: int) -> list[bytes | None]:
    """Answer the values of fields and remove them. O(fields given)."""
    key, given, error = payload
    value = _existing(db, key, h, error)
    if value is None:
        return [None] * len(given)
    answers: list[bytes | None] = []
    seen: set[bytes] = set()
    for field in given:
        answers.append(None if field in seen else value.fields[field])
        seen.add(field)
    remove_fields(db, key, h, given)
    return answers


# HGETEX.


def cmd_hgetex(session: Session, args: Args) -> Any:
    """HGETEX key [EX seconds | PX ms | EXAT time | PXAT ms | PERSIST] FIELDS numfields field [field ...]."""
    return _parsed(_hgetex, args)


def _hgetex(args: Args) -> tuple[Time | None, bool, Args]:
    word = args[2].upper()
    time: Time | None = None
    at = 2
    if word in TIMES:
        time = _time(args[3], *TIMES[word], "hgetex")
        at = 4
    elif word == b"PERSIST":
        at = 3
    return time, word == b"PERSIST", _fields(args, at, "BAD_NUMFIELDS")


def op_hgetex(db: Keyspace, payload: tuple[bytes, Any, ReplyError | None], h: int) -> list[bytes | None]:
    """Answer the values of fields and change their deadlines. O(fields given)."""
    key, request, error = payload
    value = _existing(db, key, h, error)
    time, persist, given = request
    deadline = 0 if time is None else _deadline(db, time)
    if value is None:
        return [None] * len(given)
    before = value.memory
    answers: list[bytes | None] = []
    outcomes: list[int] = []
    for field in given:
        found = value.fields[field]
        answers.append(found)
        if found is None:
            continue
        if persist:
            outcomes.append(DONE if value.persist(field) else NOT_MET)
        elif deadline:
            outcomes.append(_expire(db, value, field, deadline, 0))
    db.resized(before, value.memory)
    if DONE in outcomes:
        db.changed(key, events.HASH, b"hpersist" if persist else b"hexpire")
    elif REMOVED in outcomes:
        db.changed(key, events.HASH, b"hdel")
        erase_if_empty(db, key, h, value)
    _note(db, key, value)
    return answers


# HSETEX.

FNX, FXX = 1, 2


def cmd_hsetex(session: Session, args: Args) -> tuple[bytes, Args, int, Time | None, bool]:
    """HSETEX key [FNX | FXX] [EX.. | PX.. | EXAT.. | PXAT.. | KEEPTTL] FIELDS numfields field value [...].

    Returns:
        (key, pairs, condition, time, whether deadlines stay).
    """
    condition = 0
    time: Time | None = None
    keep = False
    at = 2
    while at < len(args):
        word = args[at].upper()
        at += 1
        if word == b"FIELDS":
            return args[1], _pairs(args, at), condition, time, keep
        if word in TIMES or word == b"KEEPTTL":
            if time is not None or keep:
                raise ReplyError("HSETEX_ONE_TIME")
            if word == b"KEEPTTL":
                keep = True
                continue
            if at == len(args):
                raise ReplyError("MISSING_EXPIRE")
            time = _time(args[at], *TIMES[word], "hsetex")
            at += 1
        elif word in (b"FNX", b"FXX"):
            if condition:
                raise ReplyError("HSETEX_ONE_CONDITION")
            condition = FNX if word == b"FNX" else FXX
        else:
            raise ReplyError("UNKNOWN_ARGUMENT", args[at - 1])
    raise ReplyError("WRONG_ARITY", "hsetex")


def _pairs(args: Args, at: int) -> Args:
    """The fields and values behind ``FIELDS``.

    Raises:
        ReplyError: WRONG_ARITY, HSETEX_NUMFIELDS.
    """
    if at > len(args) - 3:
        raise ReplyError("WRONG_ARITY", "hsetex")
    number = parse_int(args[at])
    if number is None or not 1 <= number <= INT32_MAX:
        raise ReplyError("HSETEX_NUMFIELDS")
    if len(args) - at - 1 != 2 * number:
        raise ReplyError("WRONG_ARITY", "hsetex")
    return args[at + 1 :]


def op_hsetex(db: Keyspace, payload: tuple[bytes, Args, int, Time | None, bool], h: int) -> int:
    """Set fields and their deadlines, if none or all of them exist. O(fields given). 1 if that was done."""
    key, pairs, condition, time, keep = payload
    deadline = 0 if time is None else _deadline(db, time)
    value = hash_to_change(db, key, h)
    if condition:
        there = [value is not None and field in value.fields for field in pairs[::2]]
        if any(there) if condition == FNX else not all(there):
            return 0
    store_fields(db, key, h, pairs, keep_deadlines=keep)
    db.changed(key, events.HASH, b"hset")
    if deadline:
        _expire_stored(db, key, h, pairs[::2], deadline)
    return 1


def _expire_stored(db: Keyspace, key: bytes, h: int, given: Args, deadline: int) -> None:
    """The second half of HSETEX: the deadline of the fields just set."""
    value = hash_to_change(db, key, h)
    assert value is not None
    before = value.memory
    outcomes = [_expire(db, value, field, deadline, 0) for field in given]
    db.resized(before, value.memory)
    db.changed(key, events.HASH, b"hdel" if REMOVED in outcomes else b"hexpire")
    erase_if_empty(db, key, h, value)
    _note(db, key, value)


def _row(name: str, arity: int, flags: str, syntax: str, summary: str, **rest: Any) -> Row:
    """A row of this family; most of it follows from its flags."""
    writes = "write" in flags
    return single(
        name,
        arity,
        flags,
        acl=f"{'@write' if writes else '@read'} @hash @fast",
        since=rest.pop("since", "7.4.0"),
        group="hash",
        syntax=syntax,
        summary=summary,
        key_flags=rest.pop("key_flags", "RW UPDATE" if writes else "RO ACCESS"),
        complexity="O(N) where N is the number of fields given",
        **rest,
    )


def _setter(name: str, unit: int, relative: bool, word: str, summary: str) -> Row:
    """The row of a command that gives fields a deadline."""
    return _row(
        name,
        -6,
        "write fast",
        f"key {word} [<NX|XX|GT|LT>] FIELDS numfields field [field ...]",
        summary,
        cmd=_expire_parser(name.lower(), unit, relative),
        op=op_hexpire,
    )


def _getter(name: str, answer: Callable[[int, int], int], summary: str, tips: str = "") -> Row:
    """The row of a command that reads deadlines."""
    return _row(
        name,
        -5,
        "readonly fast",
        "key FIELDS numfields field [field ...]",
        summary,
        cmd=cmd_fields,
        op=_deadline_reader(answer),
        tips=tips,
    )


_RUNNING: Final = "nondeterministic_output"

TABLE: tuple[Row, ...] = (
    _row(
        "FIELDEXPIRE",
        -4,
        "write fast",
        "key seconds field [field ...]",
        "Lets fields of a hash live for some seconds.",
        cmd=cmd_fieldexpire,
        op=op_hexpire,
    ),
    _row(
        "FIELDTTL",
        3,
        "readonly fast",
        "key field",
        "Tells how many seconds a field of a hash has left.",
        cmd=cmd_fieldttl,
        op=op_fieldttl,
        encode="number",
    ),
    _setter("HEXPIRE", 1000, True, "seconds", "Lets fields of a hash live for some seconds."),
    _setter("HPEXPIRE", 1, True, "milliseconds", "Lets fields of a hash live for some milliseconds."),
    _setter("HEXPIREAT", 1000, False, "unix-time-seconds", "Lets fields of a hash live until a unix time."),
    _setter(
        "HPEXPIREAT",
        1,
        False,
        "unix-time-milliseconds",
        "Lets fields of a hash live until a unix time in milliseconds.",
    ),
    _getter(
        "HTTL",
        lambda deadline, now: (deadline - now + 999) // 1000,
        "Tells the seconds that fields have left.",
        _RUNNING,
    ),
    _getter(
        "HPTTL",
        lambda deadline, now: deadline - now,
        "Tells the milliseconds that fields have left.",
        _RUNNING,
    ),
    _getter(
        "HEXPIRETIME",
        lambda deadline, now: (deadline + 999) // 1000,
        "Tells the unix time at which fields expire.",
    ),
    _getter(
        "HPEXPIRETIME",
        lambda deadline, now: deadline,
        "Tells the unix time in milliseconds at which fields expire.",
    ),
    _row(
        "HPERSIST",
        -5,
        "write fast",
        "key FIELDS numfields field [field ...]",
        "Lets fields of a hash live for ever.",
        cmd=cmd_fields,
        op=op_hpersist,
    ),
    _row(
        "HGETDEL",
        -5,
        "write fast",
        "key FIELDS numfields field [field ...]",
        "Answers the values of fields and removes them.",
        cmd=cmd_fields,
        op=op_hgetdel,
        encode="bulks",
        since="8.0.0",
        key_flags="RW ACCESS DELETE",
    ),
    _row(
        "HGETEX",
        -5,
        "write fast",
        "key [<EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST>] "
        "FIELDS numfields field [field ...]",
        "Answers the values of fields and sets or removes their deadlines.",
        cmd=cmd_hgetex,
        op=op_hgetex,
        encode="bulks",
        since="8.0.0",
        key_flags="RW ACCESS UPDATE",
    ),
    _row(
        "HSETEX",
        -6,
        "write denyoom fast",
        "key [<FNX|FXX>] "
        "[<EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL>] "
        "FIELDS numfields field value [field value ...]",
        "Sets fields of a hash and their deadlines, if none or all of them exist.",
        cmd=cmd_hsetex,
        op=op_hsetex,
        encode="number",
        since="8.0.0",
    ),
)
