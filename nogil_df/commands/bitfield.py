"""BITFIELD and BITFIELD_RO: integers of any width, at any bit, in a string.

The coordinator parses the whole command, so that the shard sees a list of steps, none of which can fail; all
of them run in one go. A step is on a type ``u1`` to ``u63`` or ``i1`` to ``i64``. The string grows to what
the farthest write needs before the first step, even if a step then declines to write (OVERFLOW FAIL).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import INT64_MAX, parse_int
from nogil_df.commands.bitmaps import parse_offset, with_room
from nogil_df.commands.spec import Row, single
from nogil_df.commands.strings import read
from nogil_df.shard.bits import as_signed, read_field, write_field

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

GET, SET, INCRBY = range(3)
WRAP, SAT, FAIL = range(3)

ACTIONS: Final = {b"GET": (GET, 3), b"SET": (SET, 4), b"INCRBY": (INCRBY, 4)}
"""Word -> (action, number of words)."""

OVERFLOWS: Final = {b"WRAP": WRAP, b"SAT": SAT, b"FAIL": FAIL}
WIDEST_SIGNED: Final = 64
WIDEST_UNSIGNED: Final = 63


FIELDS: Final = {
    b"i%d" % width: (True, width, -1 << (width - 1), (1 << (width - 1)) - 1)
    for width in range(1, WIDEST_SIGNED + 1)
} | {b"u%d" % width: (False, width, 0, (1 << width) - 1) for width in range(1, WIDEST_UNSIGNED + 1)}
"""Type of a field -> (whether it is signed, its bits, the lowest and the highest number it holds)."""


class Step:
    """One GET, SET or INCRBY.

    Attributes:
        signed, width, low, high: what `FIELDS` says of it.
        position: of its first bit.
        operand: the value of SET, the increment of INCRBY.
        overflow: what happens to a result that the field cannot hold.
    """

    __slots__ = ("action", "high", "low", "operand", "overflow", "position", "signed", "width")

    def __init__(self, action: int, kind: bytes, overflow: int) -> None:
        self.action = action
        self.signed, self.width, self.low, self.high = FIELDS[kind]
        self.position = 0
        self.operand = 0
        self.overflow = overflow


Payload = tuple[bytes, list[Step], int]
"""key, steps, and how many bytes the string must have for its writes; 0 if there are none."""


def cmd_bitfield(session: Session, args: Args) -> Payload:
    """Parse the steps.

    Raises:
        ReplyError: SYNTAX, BITFIELD_TYPE, BITFIELD_OVERFLOW, BIT_OFFSET, NOT_INTEGER.
    """
    steps: list[Step] = []
    overflow = WRAP
    length = 0
    at = 2
    while at < len(args):
        word = args[at].upper()
        left = len(args) - at
        if word in ACTIONS and left >= ACTIONS[word][1]:
            action, words = ACTIONS[word]
            step = _step(session, action, args, at + 1, overflow)
            steps.append(step)
            if action != GET:
                length = max(length, (step.position + step.width + 7) >> 3)
            at += words
        elif word == b"OVERFLOW" and left >= 2:
            overflow = _overflow(args[at + 1])
            at += 2
        else:
            raise ReplyError("SYNTAX")
    return args[1], steps, length


def cmd_bitfield_ro(session: Session, args: Args) -> Payload:
    """As `cmd_bitfield`; nothing but GET.

    Raises:
        ReplyError BITFIELD_READ_ONLY.
    """
    payload = cmd_bitfield(session, args)
    if payload[2]:
        raise ReplyError("BITFIELD_READ_ONLY")
    return payload


def _overflow(word: bytes) -> int:
    name = word.upper()
    if name not in OVERFLOWS:
        raise ReplyError("BITFIELD_OVERFLOW")
    return OVERFLOWS[name]


def _step(session: Session, action: int, words: Args, at: int, overflow: int) -> Step:
    """A step of its type, which is the word ``at``, its offset and, but for GET, its operand."""
    kind = words[at]
    if kind not in FIELDS:
        raise ReplyError("BITFIELD_TYPE")
    step = Step(action, kind, overflow)
    step.position = parse_offset(session, words[at + 1], step.width)
    if action != GET:
        operand = parse_int(words[at + 2])
        if operand is None:
            raise ReplyError("NOT_INTEGER")
        if action == SET and operand < 0 and not step.signed:
            # Redis takes it as an unsigned one of 64 bits.
            operand += 1 << 64
        step.operand = operand
    return step


def op_bitfield(db: Keyspace, payload: Payload, h: int) -> list[int | None]:
    """Run the steps. O(steps), O(length) when the value is changed in place for the first time.

    Returns:
        One result a step: the value for GET, the old one for SET, the new one for INCRBY; None where an
        overflow was declined.
    """
    key, steps, length = payload
    results: list[int | None] = []
    if not length:
        data = read(db, key, h) or b""
        for step in steps:
            results.append(_value(data, step))
        return results
    value = db.string(key, h)
    grown = value is None or len(value) < length
    buffer = with_room(db, key, h, value, length)
    changed = False
    for step in steps:
        old = _value(buffer, step)
        if step.action == GET:
            results.append(old)
            continue
        new = _fitting(step.operand if step.action == SET else old + step.operand, step)
        if new is None:
            results.append(None)
            continue
        results.append(old if step.action == SET else new)
        if new != old:
            write_field(buffer, step.position, step.width, new)
        changed = changed or grown or new != old
    if changed:
        db.changed(key, events.STRING, b"setbit")
    return results


def _value(data: bytes | bytearray, step: Step) -> int:
    """What the field of a step holds. O(1)."""
    number = read_field(data, step.position, step.width)
    if step.signed:
        return as_signed(number, step.width)
    return number


def _fitting(number: int, step: Step) -> int | None:
    """A number as the field can hold it; None if it cannot and the step declines. O(1)."""
    low, high = step.low, step.high
    if low <= number <= high:
        return number
    if step.overflow == FAIL:
        return None
    if step.overflow == SAT:
        # Redis takes the distance from the highest as 64 bits: what is too far below counts as above.
        too_far = step.action == SET and high - number > INT64_MAX
        return high if number > high or too_far else low
    return (number - low) % (high - low + 1) + low


TABLE: tuple[Row, ...] = (
    single(
        "BITFIELD",
        -2,
        "write denyoom",
        cmd=cmd_bitfield,
        op=op_bitfield,
        acl="@write @bitmap @slow",
        since="3.2.0",
        group="bitmap",
        syntax="key [<GET encoding offset|[OVERFLOW <WRAP|SAT|FAIL>] "
        "<SET encoding offset value|INCRBY encoding offset increment>> "
        "[<GET encoding offset|[OVERFLOW <WRAP|SAT|FAIL>] "
        "<SET encoding offset value|INCRBY encoding offset increment>> ...]]",
        summary="Reads, sets and increments integers of any width within a string.",
        key_flags="RW ACCESS UPDATE VARIABLE_FLAGS",
        complexity="O(N) where N is the number of subcommands",
    ),
    single(
        "BITFIELD_RO",
        -2,
        "readonly fast",
        cmd=cmd_bitfield_ro,
        op=op_bitfield,
        acl="@read @bitmap @fast",
        since="6.0.0",
        group="bitmap",
        syntax="key [GET encoding offset [GET encoding offset ...]]",
        summary="Reads integers of any width within a string.",
        key_flags="RO ACCESS",
        complexity="O(N) where N is the number of subcommands",
    ),
)
