"""Bitmaps: strings seen as bits. SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP; BITFIELD is in `bitfield`.

What depends on the length of a string is done by `nogil_df.shard.bits`, in C. Arguments are looked at before
the key is, as Redis does since 7.2, so that a missing key does not hide a wrong argument.

BITOP reads in one hop: each shard brings its sources down to one or two big integers, which is what travels.
The shard of the destination makes the string of it in a second hop; if all keys are on one shard, one
hop does both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.arguments import integer
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.spec import Row, multi, single
from nogil_df.commands.strings import in_place, longest, read
from nogil_df.shard.bits import as_bytes, as_number, combined, count_ones, find_bit, get_bit
from nogil_df.shard.memory import own, value_size
from nogil_df.shard.values import EMBEDDED_LIMIT

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.part import Work

Args = list[bytes]
Range = tuple[bytes, int, int, bool]
"""key, first and last, both included and negative from the end, and whether they count bits."""

Place = tuple[int, bytes, int]
"""Where a string is on its shard: database, key, hash of the key."""

Group = list[tuple[int, bytes, int]]
"""Keys of one shard: (position among all, key, hash)."""


def parse_offset(session: Session, text: bytes, width: int = 0) -> int:
    """The position of a bit.

    Args:
        width: for a field of so many bits ``#n`` is the n-th; 0 where that is not allowed.

    Raises:
        ReplyError BIT_OFFSET.
    """
    number = parse_int(text)
    if number is None and width and text.startswith(b"#"):
        number = parse_int(text[1:])
        if number is not None:
            number *= width
    if number is None or number < 0:
        raise ReplyError("BIT_OFFSET")
    length = (number >> 3) + 1
    if length > longest(session, length):
        raise ReplyError("BIT_OFFSET")
    return number


# One bit.


def cmd_setbit(session: Session, args: Args) -> tuple[bytes, int, int]:
    """Parse the position and the bit."""
    position = parse_offset(session, args[2])
    bit = args[3]
    if bit != b"0" and bit != b"1":
        raise ReplyError("BIT_VALUE")
    return args[1], position, bit == b"1"


def op_setbit(db: Keyspace, payload: tuple[bytes, int, int], h: int) -> int:
    """Set a bit, with zeros up to there if need be; the bit that was there.

    O(1), O(length) when the value is changed in place for the first time.
    """
    key, position, bit = payload
    at = position >> 3
    mask = 0x80 >> (position & 7)
    value = db.string(key, h)
    size = 0 if value is None else len(value)
    buffer = with_room(db, key, h, value, at + 1)
    byte = buffer[at]
    old = 1 if byte & mask else 0
    if old != bit:
        buffer[at] = byte ^ mask
    elif at < size:
        return old
    db.changed(key, events.STRING, b"setbit")
    return old


def with_room(db: Keyspace, key: bytes, h: int, value: bytes | bytearray | None, length: int) -> bytearray:
    """The string at a key, which is ``value``, as one that may be changed, of at least ``length`` bytes.

    O(1), O(bytes added), O(length) when the value is changed in place for the first time.
    """
    if value is None:
        buffer = bytearray(length)
        db.put(key, h, buffer)
        return buffer
    buffer = in_place(db, key, h, value)
    missing = length - len(buffer)
    if missing > 0:
        before = value_size(buffer)
        buffer.extend(bytes(missing))
        db.resized(before, value_size(buffer))
    return buffer


def cmd_getbit(session: Session, args: Args) -> tuple[bytes, int]:
    """Parse the position."""
    return args[1], parse_offset(session, args[2])


def op_getbit(db: Keyspace, payload: tuple[bytes, int], h: int) -> int:
    """A bit, 0 behind the end of the string or without a key. O(1)."""
    key, position = payload
    value = read(db, key, h)
    return 0 if value is None else get_bit(value, position)


# Ranges of bits.


def cmd_bitcount(session: Session, args: Args) -> Range:
    """Parse the range; all of the string if there is none."""
    count = len(args)
    if count == 2:
        return args[1], 0, -1, False
    if count not in (4, 5):
        raise ReplyError("SYNTAX")
    first, last = integer(args[2]), integer(args[3])
    return args[1], first, last, count == 5 and _counts_bits(args[4])


def op_bitcount(db: Keyspace, payload: Range, h: int) -> int:
    """The number of bits set in a range. O(length of the range)."""
    key, first, last, in_bits = payload
    value = read(db, key, h)
    if value is None or (first < 0 and last < first):
        return 0
    first, end = _clamped(first, last, len(value), in_bits)
    return count_ones(value, first, end) if first < end else 0


def cmd_bitpos(session: Session, args: Args) -> tuple[Range, int, bool]:
    """Parse the bit and the range; whether the range has an end."""
    bit = integer(args[2])
    if bit not in (0, 1):
        raise ReplyError("BIT_ARGUMENT")
    count = len(args)
    if count > 6:
        raise ReplyError("SYNTAX")
    first = integer(args[3]) if count > 3 else 0
    in_bits = count == 6 and _counts_bits(args[5])
    last = integer(args[4]) if count > 4 else -1
    return (args[1], first, last, in_bits), bit, count > 4


def op_bitpos(db: Keyspace, payload: tuple[Range, int, bool], h: int) -> int:
    """The position of the first 0 or 1 in a range, -1 if there is none. O(length of the range).

    A range without an end acts as if zeros followed the string.
    """
    (key, first, last, in_bits), bit, has_end = payload
    value = read(db, key, h)
    if value is None:
        return -1 if bit else 0
    first, end = _clamped(first, last, len(value), in_bits)
    if first >= end:
        return -1
    found = find_bit(value, bit, first, end)
    return end if found < 0 and not bit and not has_end else found


def _counts_bits(unit: bytes) -> bool:
    """What BYTE or BIT says."""
    word = unit.upper()
    if word not in (b"BYTE", b"BIT"):
        raise ReplyError("SYNTAX")
    return word == b"BIT"


def _clamped(first: int, last: int, length: int, in_bits: bool) -> tuple[int, int]:
    """A range within a string of ``length`` bytes, half open and in bits; empty if its end is not behind
    its beginning. O(1).
    """
    total = length << 3 if in_bits else length
    first = max(first + total, 0) if first < 0 else min(first, total)
    if last < 0:
        last = max(last + total, 0)
    end = min(last, total - 1) + 1
    return (first, end) if in_bits else (first << 3, end << 3)


# Logic on whole strings.

NOT: Final = "NOT"
OPERATIONS: Final = {
    name.encode(): name for name in ("AND", "OR", "XOR", NOT, "DIFF", "DIFF1", "ANDOR", "ONE")
}
SIMPLE: Final = ("AND", "OR", "XOR", NOT)
OF_FIRST_AND_REST: Final = ("DIFF", "DIFF1", "ANDOR")
"""These set the first source against the union of the others."""


class Share(NamedTuple):
    """What some sources of a BITOP come to; strings are integers (see `bits.as_number`).

    Attributes:
        length: that of the longest, in bytes.
        first: AND, OR, XOR, NOT: the result. DIFF, DIFF1, ANDOR: the first source, None where it is not. ONE:
            the bits that any of them has.
        rest: DIFF, DIFF1, ANDOR: the union of all but the first. ONE: the bits that several of them have.
    """

    length: int
    first: int | None
    rest: int = 0


def cmd_bitop(context: Context, args: Args) -> Steps:
    """BITOP operation destination key [key ...]: the length of the result, in bytes.

    An empty result removes the destination.
    """
    operation, sources = _parse_bitop(args)
    h = context.proactor.shard.hash_key(args[2])
    to = context.shard_of(h)
    target = context.db, args[2], h
    groups = context.by_shard(sources)
    if list(groups) == [to]:
        request = operation, target, groups[to]
        return (yield from context.hop({to: (combine_and_settle, request)}, last=True))[to]
    works: dict[int, Work] = {
        shard: (combine, (operation, context.db, group)) for shard, group in groups.items()
    }
    shares = yield from context.hop(works)
    share = join(operation, list(shares.values()))
    result = as_bytes(finish(operation, share), share.length)
    yield from context.hop({to: (settle, (target, result))}, last=True)
    return share.length


def bitop_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """BITOP of keys that are here. O(bytes of all)."""
    operation, sources = _parse_bitop(args)
    group, h = here.group(sources), here.find(args[2])
    if group is None or h < 0:
        return ELSEWHERE
    return store_combined(db, operation, args[2], h, group)


def _parse_bitop(args: Args) -> tuple[str, Args]:
    """The operation and the sources.

    Raises:
        ReplyError: there is no such operation, or it takes another number of sources.
    """
    word = args[1].upper()
    if word not in OPERATIONS:
        raise ReplyError("SYNTAX")
    operation = OPERATIONS[word]
    sources = args[3:]
    if operation == NOT and len(sources) != 1:
        raise ReplyError("BITOP_NOT")
    if operation in OF_FIRST_AND_REST and len(sources) < 2:
        raise ReplyError("BITOP_SOURCES", operation)
    return operation, sources


def combine(shard: Shard, argument: tuple[str, int, Group]) -> Share:
    """The share of the sources on this shard. O(bytes of all).

    Raises:
        ReplyError WRONGTYPE.
    """
    operation, index, group = argument
    db = shard.dbs[index]
    values = [read(db, key, h) or b"" for _, key, h in group]
    length = max(map(len, values))
    if operation == NOT:
        return Share(length, as_number(values[0]) ^ ((1 << (length << 3)) - 1))
    if operation in OF_FIRST_AND_REST:
        shares = [Share(len(values[0]), as_number(values[0]))] if group[0][0] == 0 else []
        shares += [Share(len(value), None, as_number(value)) for value in values[len(shares) :]]
    else:
        shares = [Share(len(value), as_number(value)) for value in values]
    return join(operation, shares)


def join(operation: str, shares: list[Share]) -> Share:
    """One share of several. O(bytes of all)."""
    length = max(share.length for share in shares)
    first, rest = shares[0].first, shares[0].rest
    for share in shares[1:]:
        other = share.first
        if operation in OF_FIRST_AND_REST:
            first = other if first is None else first
            rest |= share.rest
            continue
        assert first is not None
        assert other is not None
        if operation == "AND":
            first &= other
        elif operation == "XOR":
            first ^= other
        else:
            if operation == "ONE":
                rest |= share.rest | first & other
            first |= other
    return Share(length, first, rest)


def finish(operation: str, share: Share) -> int:
    """The result that the share of all sources stands for. O(bytes)."""
    _, first, rest = share
    assert first is not None
    if operation == "DIFF":
        return first ^ (first & rest)
    if operation == "DIFF1":
        return rest ^ (first & rest)
    if operation == "ANDOR":
        return first & rest
    return first ^ rest if operation == "ONE" else first


def combine_and_settle(shard: Shard, argument: tuple[str, Place, Group]) -> int:
    """BITOP of keys that are all on this shard; the length of the result."""
    operation, (index, key, h), group = argument
    return store_combined(shard.dbs[index], operation, own(key), h, group)


def store_combined(db: Keyspace, operation: str, key: bytes, h: int, group: Group) -> int:
    """`combine_and_settle` with a key that is this thread's own. O(bytes of all)."""
    if operation in SIMPLE:
        result = combined(operation, [read(db, source, to) or b"" for _, source, to in group])
    else:
        share = combine(db.shard, (operation, db.index, group))
        result = as_bytes(finish(operation, share), share.length)
    put_result(db, key, h, result)
    return len(result)


def settle(shard: Shard, argument: tuple[Place, bytes]) -> None:
    """Put a result that comes from elsewhere in its place. O(length)."""
    (index, key, h), result = argument
    put_result(shard.dbs[index], own(key), h, own(result))


def put_result(db: Keyspace, key: bytes, h: int, result: bytes) -> None:
    """Put a result in place of whatever the destination holds; an empty one removes it. O(length)."""
    if result:
        # Redis never reports "int" or "embstr" for what BITOP made.
        db.put(key, h, bytearray(result) if len(result) <= EMBEDDED_LIMIT else result)
        db.changed(key, events.STRING, b"set")
    elif db.drop(key, h):
        db.changed(key, events.GENERIC, b"del")


TABLE: tuple[Row, ...] = (
    single(
        "SETBIT",
        4,
        "write denyoom",
        cmd=cmd_setbit,
        op=op_setbit,
        encode="number",
        acl="@write @bitmap @slow",
        since="2.2.0",
        group="bitmap",
        syntax="key offset value",
        summary="Sets or clears one bit of a string, which grows as needed; answers the old one.",
        key_flags="RW ACCESS UPDATE",
    ),
    single(
        "GETBIT",
        3,
        "readonly fast",
        cmd=cmd_getbit,
        op=op_getbit,
        encode="number",
        acl="@read @bitmap @fast",
        since="2.2.0",
        group="bitmap",
        syntax="key offset",
        summary="Answers one bit of a string.",
        key_flags="RO ACCESS",
    ),
    single(
        "BITCOUNT",
        -2,
        "readonly",
        cmd=cmd_bitcount,
        op=op_bitcount,
        encode="number",
        acl="@read @bitmap @slow",
        since="2.6.0",
        group="bitmap",
        syntax="key [start end [BYTE|BIT]]",
        summary="Counts the bits that are set in a string or a part of it.",
        key_flags="RO ACCESS",
        complexity="O(N) where N is the number of bytes looked at",
    ),
    single(
        "BITPOS",
        -3,
        "readonly",
        cmd=cmd_bitpos,
        op=op_bitpos,
        encode="number",
        acl="@read @bitmap @slow",
        since="2.8.7",
        group="bitmap",
        syntax="key bit [start [end [BYTE|BIT]]]",
        summary="Finds the first bit that is set, or clear, in a string or a part of it.",
        key_flags="RO ACCESS",
        complexity="O(N) where N is the number of bytes looked at",
    ),
    multi(
        "BITOP",
        -4,
        "write denyoom",
        run=cmd_bitop,
        at_once=bitop_at_once,
        encode="number",
        keys=(2, -1, 1),
        acl="@write @bitmap @slow",
        since="2.6.0",
        group="bitmap",
        syntax="<AND|OR|XOR|NOT|DIFF|DIFF1|ANDOR|ONE> destkey key [key ...]",
        summary="Combines strings bit by bit and stores the result.",
        key_flags="OW UPDATE; RO ACCESS",
        complexity="O(N) where N is the number of bytes of all strings",
    ),
)
