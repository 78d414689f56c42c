"""BITFIELD and BITFIELD_RO: integers of any width, at any bit, in a string.

The coordinator parses the whole command, so that the shard sees a list of steps, none of which can fail; all
of them run in one go. A step is on a type ``u1`` to ``u63`` or ``i1`` to ``i64``. The string grows to what
the farthest write needs before the first step, even if a step then declines to write (OVERFLOW FAIL).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

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


class Step(NamedTuple):
    """One GET, SET or INCRBY.

    Attributes:
        signed, width, position: the field; bits.
        operand: the value of SET, the increment of INCRBY.
        overflow: what happens to a result that the field cannot hold.
    """

    action: int
    signed: bool
    width: int
    position: int
    operand: int
    overflow: int


Payload = tuple[bytes, list[Step], int]
"""key, steps, and how many bytes the string must have for its writes; 0 if there are none."""


def cmd_bitfield(session: Session, args: Args) -> Payload:
    """Parse the steps.

    Raises:
        ReplyError: SYNTAX, BITFIELD_TYPE, BITFIELD_OVERFLOW, BIT_OFFSET, NOT_INTEGER.
    """
    limit = session.dispatcher.config.proto_max_bulk_len
    steps: list[Step] = []
    overflow = WRAP
    at = 2
    while at < len(args):
        word = args[at].upper()
        left = len(args) - at
        if word in ACTIONS and left >= ACTIONS[word][1]:
            action, words = ACTIONS[word]
            steps.append(_step(action, args[at + 1 : at + words], limit, overflow))
            at += words
        elif word == b"OVERFLOW" and left >= 2:
            overflow = _overflow(args[at + 1])
            at += 2
        else:
            raise ReplyError("SYNTAX")
    ends = [step.position + step.width for step in steps if step.action != GET]
    return args[1], steps, (max(ends) + 7) >> 3 if ends else 0


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


def _step(action: int, words: Args, limit: int, overflow: int) -> Step:
    """A step of its type, its offset and, but for GET, its operand."""
    kind = words[0]
    width = parse_int(kind[1:])
    signed = kind.startswith(b"i")
    if (
        width is None
        or not (signed or kind.startswith(b"u"))
        or not 0 < width <= (WIDEST_SIGNED if signed else WIDEST_UNSIGNED)
    ):
        raise ReplyError("BITFIELD_TYPE")
    position = parse_offset(words[1], limit, width)
    operand: int | None = 0
    if action != GET:
        operand = parse_int(words[2])
        if operand is None:
            raise ReplyError("NOT_INTEGER")
        if action == SET and not signed:
            # Redis takes a negative value as an unsigned one of 64 bits.
            operand &= (1 << 64) - 1
    assert operand is not None
    return Step(action, signed, width, position, operand, overflow)


def op_bitfield(db: Keyspace, payload: Payload, h: int) -> list[int | None]:
    """Run the steps. O(steps), O(length) when the value is changed in place for the first time.

    Returns:
        One result a step: the value for GET, the old one for SET, the new one for INCRBY; None where an
        overflow was declined.
    """
    key, steps, length = payload
    if not length:
        value = read(db, key, h) or b""
        return [_value(value, step) for step in steps]
    buffer, grown = with_room(db, key, h, length)
    results: list[int | None] = []
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
            write_field(buffer, step.position, step.width, new & ((1 << step.width) - 1))
        changed = changed or grown or new != old
    if changed:
        db.changed(key, events.STRING, b"setbit")
    return results


def _value(data: bytes | bytearray, step: Step) -> int:
    """What the field of a step holds. O(1)."""
    number = read_field(data, step.position, step.width)
    return as_signed(number, step.width) if step.signed else number


def _fitting(number: int, step: Step) -> int | None:
    """A number as the field can hold it; None if it cannot and the step declines. O(1)."""
    width = step.width
    low, high = (-1 << (width - 1), (1 << (width - 1)) - 1) if step.signed else (0, (1 << width) - 1)
    if low <= number <= high:
        return number
    if step.overflow == FAIL:
        return None
    if step.overflow == SAT:
        # Redis takes the distance from the highest as 64 bits: what is too far below counts as above.
        too_far = step.action == SET and high - number > INT64_MAX
        return high if number > high or too_far else low
    wrapped = number & ((1 << width) - 1)
    return as_signed(wrapped, width) if step.signed else wrapped


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
