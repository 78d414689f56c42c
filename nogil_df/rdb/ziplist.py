"""What Redis packed small collections in before there were listpacks: ziplists, zipmaps, intsets.

Ziplists and zipmaps are only read. An intset is what small sets of integers are written as to this day.

A **ziplist** begins with its size and the place of its last entry (4 bytes each, little-endian), and the
number of entries (2 bytes, 65535 for "count them"), and ends with 0xFF. An entry tells the size of the one
before (1 byte, or 0xFE and 4 bytes), then what it is:

    00xxxxxx            a string of up to 63 bytes
    01xxxxxx + 1        a string of up to 16383 bytes, the length big-endian
    10000000 + 4        a string with a length of 32 bits, big-endian
    11000000 ...        integers of 16, 32, 64, 24 bits (0xC0, 0xD0, 0xE0, 0xF0), of 8 (0xFE)
    1111xxxx            an integer from 0 to 12, plus 1

A **zipmap** is a number of pairs (1 byte, 254 and more for "count them"), then key and value in turn, each
after its length (1 byte, or 0xFE and 4 bytes); between a value's length and the value one byte counts the
unused ones behind it. 0xFF ends it. An **intset** is the width of its integers and their number (4 bytes
each), and the integers in ascending order, little-endian. Source: the descriptions of these formats.
"""

from __future__ import annotations

import sys
from array import array
from typing import Final

from nogil_df.base.rdb_strings import RdbError

_HEADER: Final = 10
_END: Final = 0xFF
_FAR: Final = 0xFE
_UNCOUNTED: Final = 65535
_WIDTHS: Final = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}

_CODES: Final = {2: "h", 4: "i", 8: "q"}
_INTSET_HEADER: Final = 8


def unpack_ziplist(data: bytes) -> list[bytes]:
    """The entries of a ziplist, each as a string. O(bytes).

    Raises:
        RdbError: it is none, or not a whole one.
    """
    end = len(data) - 1
    if end < _HEADER or int.from_bytes(data[:4], "little") != len(data) or data[end] != _END:
        raise RdbError("ziplist: wrong header")
    entries: list[bytes] = []
    at = last = _HEADER
    before = 0
    while at < end:
        last = at
        if data[at] < _FAR:
            told = data[at]
            at += 1
        else:
            told = int.from_bytes(data[at + 1 : at + 5], "little")
            at += 5
        if told != before or at >= end:
            raise RdbError("ziplist: an entry of another size")
        entry, at = _entry(data, at)
        if at > end:
            raise RdbError("ziplist: an entry that does not end")
        entries.append(entry)
        before = at - last
    count = int.from_bytes(data[8:10], "little")
    if at != end or (count != _UNCOUNTED and count != len(entries)):
        raise RdbError("ziplist: another number of entries")
    if int.from_bytes(data[4:8], "little") != last:
        raise RdbError("ziplist: its last entry is elsewhere")
    return entries


def _entry(data: bytes, at: int) -> tuple[bytes, int]:
    """An entry behind the size of the one before; where it ends, which may be behind the end of the data."""
    tag = data[at]
    kind = tag >> 6
    if kind == 3:
        if 0xF1 <= tag <= 0xFD:
            return b"%d" % (tag - 0xF1), at + 1
        if tag not in _WIDTHS:
            raise RdbError("ziplist: unknown entry")
        stop = at + 1 + _WIDTHS[tag]
        return b"%d" % int.from_bytes(data[at + 1 : stop], "little", signed=True), stop
    if kind == 0:
        begin, size = at + 1, tag
    elif kind == 1:
        begin, size = at + 2, (tag & 0x3F) << 8 | data[at + 1]
    else:
        begin, size = at + 5, int.from_bytes(data[at + 1 : at + 5])
    return data[begin : begin + size], begin + size


def unpack_zipmap(data: bytes) -> list[bytes]:
    """Keys and values of a zipmap in turn. O(bytes).

    Raises:
        RdbError: it is none, or not a whole one.
    """
    end = len(data) - 1
    if end < 1 or data[end] != _END:
        raise RdbError("zipmap: it does not end")
    found: list[bytes] = []
    at = 1
    while at < end:
        is_value = len(found) & 1
        size = data[at]
        at += 1
        if size == _FAR:
            size = int.from_bytes(data[at : at + 4], "little")
            at += 4
        elif size == _END:
            raise RdbError("zipmap: it ends too early")
        unused = data[at] if is_value and at < end else 0
        at += is_value
        found.append(data[at : at + size])
        at += size + unused
    if at != end or len(found) & 1 or (data[0] < _FAR and data[0] * 2 != len(found)):
        raise RdbError("zipmap: another number of pairs")
    return found


def pack_intset(numbers: list[int]) -> bytes:
    """An intset of 64-bit integers in ascending order, which are all different. O(n)."""
    widest = max(numbers[-1], ~numbers[0]).bit_length() + 1
    width = next(width for width in _CODES if widest <= 8 * width)
    packed = array(_CODES[width], numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return width.to_bytes(4, "little") + len(numbers).to_bytes(4, "little") + packed.tobytes()


def unpack_intset(data: bytes) -> list[int]:
    """The integers of an intset. O(n).

    Raises:
        RdbError: it is none, not a whole one, or not in order.
    """
    width = int.from_bytes(data[:4], "little")
    count = int.from_bytes(data[4:_INTSET_HEADER], "little")
    if width not in _CODES or not count or len(data) != _INTSET_HEADER + width * count:
        raise RdbError("intset: wrong header")
    packed = array(_CODES[width], data[_INTSET_HEADER:])
    if sys.byteorder == "big":
        packed.byteswap()
    numbers = packed.tolist()
    if any(map(int.__ge__, numbers, numbers[1:])):
        raise RdbError("intset: not in order")
    return numbers
