"""Bits of a byte string: counting, searching, logic, and integers of any width in it.

Bit 0 is the most significant bit of byte 0, as Redis numbers them. Ranges are half open, in bits.

Everything that depends on the length runs in C: counting by `int.bit_count`, searching by comparing blocks
with what is to be skipped, logic on whole strings as one big integer each. Blocks keep the temporary
integers within the processor's cache. Where there is a C compiler, all but the two conversions are in C
(`_bits.pyx`).
"""

from __future__ import annotations

from typing import Final

Buffer = bytes | bytearray

COUNT_BLOCK: Final = 64 * 1024
SEARCH_BLOCK: Final = 16 * 1024


def get_bit(data: Buffer, position: int) -> int:
    """The bit at a position, 0 behind the end. O(1)."""
    at = position >> 3
    return data[at] >> (7 - (position & 7)) & 1 if at < len(data) else 0


def count_ones(data: Buffer, first: int, end: int) -> int:
    """How many bits of a range are set; the range is not empty and within the string. O(length of range)."""
    start, stop = first >> 3, (end + 7) >> 3
    if stop - start <= COUNT_BLOCK:
        total = int.from_bytes(data[start:stop]).bit_count()
    else:
        with memoryview(data) as view:
            total = sum(
                int.from_bytes(view[at : min(at + COUNT_BLOCK, stop)]).bit_count()
                for at in range(start, stop, COUNT_BLOCK)
            )
    if first & 7:
        total -= (data[start] >> (8 - (first & 7))).bit_count()
    if end & 7:
        total -= (data[stop - 1] & (0xFF >> (end & 7))).bit_count()
    return total


def find_bit(data: Buffer, bit: int, first: int, end: int) -> int:
    """The position of the first bit of a range that is ``bit``, -1 if there is none. O(length of range).

    The range is not empty and within the string.
    """
    dull = 0 if bit else 0xFF
    start, stop = first >> 3, (end + 7) >> 3
    found = (data[start] ^ dull) & (0xFF >> (first & 7))
    if not found:
        start = _first_other(data, dull, start + 1, stop)
        if start < 0:
            return -1
        found = data[start] ^ dull
    position = (start << 3) + 8 - found.bit_length()
    return position if position < end else -1


def _first_other(data: Buffer, dull: int, start: int, stop: int) -> int:
    """The index of the first byte that is not ``dull``, -1 if there is none. O(stop - start)."""
    one = bytes((dull,))
    block = one * min(stop - start, SEARCH_BLOCK)
    for at in range(start, stop, SEARCH_BLOCK):
        piece = data[at : min(at + SEARCH_BLOCK, stop)]
        if len(piece) < len(block) or piece != block:
            rest = piece.lstrip(one)
            if rest:
                return at + len(piece) - len(rest)
    return -1


def as_number(data: Buffer) -> int:
    """A string as one integer. Shorter strings act as if they had zeros behind them. O(length)."""
    return int.from_bytes(data, "little")


def as_bytes(number: int, length: int) -> bytes:
    """What `as_number` came from. O(length)."""
    return number.to_bytes(length, "little")


def combined(operation: str, values: list[Buffer]) -> bytes:
    """AND, OR, XOR or NOT of strings, of which shorter ones act as if they had zeros behind them.

    As long as the longest one. O(bytes of all).
    """
    length = max(map(len, values))
    first, *others = map(as_number, values)
    if operation == "NOT":
        return as_bytes(first ^ ((1 << (length << 3)) - 1), length)
    for other in others:
        if operation == "AND":
            first &= other
        elif operation == "OR":
            first |= other
        else:
            first ^= other
    return as_bytes(first, length)


def read_field(data: Buffer, position: int, width: int) -> int:
    """The unsigned integer of ``width`` bits at a position; zeros behind the end. O(width)."""
    start = position >> 3
    end = position + width
    stop = (end + 7) >> 3
    part = data[start:stop]
    number = int.from_bytes(part) << ((stop - start - len(part)) << 3)
    return number >> ((stop << 3) - end) & ((1 << width) - 1)


def write_field(data: bytearray, position: int, width: int, number: int) -> None:
    """Store the lowest ``width`` bits of a number, for which there is room. O(width)."""
    start = position >> 3
    end = position + width
    stop = (end + 7) >> 3
    shift = (stop << 3) - end
    mask = ((1 << width) - 1) << shift
    whole = int.from_bytes(data[start:stop]) & ~mask | number << shift & mask
    data[start:stop] = whole.to_bytes(stop - start)


def as_signed(number: int, width: int) -> int:
    """The two's complement reading of an unsigned integer. O(1)."""
    return number - (1 << width) if number >> (width - 1) else number


# In C where it was built; what is above is the specification.
count_ones_slowly, find_bit_slowly, combined_slowly = count_ones, find_bit, combined
read_field_slowly, write_field_slowly = read_field, write_field
try:
    from nogil_df.shard._bits import as_signed as as_signed
    from nogil_df.shard._bits import combined as combined
    from nogil_df.shard._bits import count_ones as count_ones
    from nogil_df.shard._bits import find_bit as find_bit
    from nogil_df.shard._bits import get_bit as get_bit
    from nogil_df.shard._bits import read_field as read_field
    from nogil_df.shard._bits import write_field as write_field
except ImportError:
    pass
