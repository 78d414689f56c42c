"""Listpacks: strings and integers one after the other in one piece of memory.

The header is the size of everything (4 bytes, little-endian, as all integers here) and the number of elements
(2 bytes, 65535 for "count them"); the end is 0xFF. An element is a tag with the length or the value, the
data, and how long the element was so far, in groups of 7 bits to be read from behind:

    0xxxxxxx            an integer from 0 to 127
    10xxxxxx            a string of up to 63 bytes
    110xxxxx + 1        an integer of 13 bits
    1110xxxx + 1        a string of up to 4095 bytes
    11110000 + 4        a string with a length of 32 bits
    11110001 ... 0100   integers of 16, 24, 32, 64 bits

An integer stands for its decimal form. Source: the listpack specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from nogil_df.base.numbers import INT64_MAX, INT64_MIN, parse_int
from nogil_df.base.rdb_strings import RdbError

HEADER: Final = 6
END: Final = 0xFF
UNCOUNTED: Final = 65535

LONGEST_INTEGER: Final = 20

_WIDTHS: Final = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}
_TAGS: Final = ((16, b"\xf1"), (24, b"\xf2"), (32, b"\xf3"), (64, b"\xf4"))
_MAYBE_INTEGER: Final = frozenset(b"0123456789-")


def _back(size: int) -> bytes:
    """How long an element is, for who reads from behind: its groups of 7 bits, the highest first.

    The greatest number of two groups and more takes one group more: so Redis writes it, and checks it.
    """
    groups = 1 if size < 1 << 7 else 2
    while groups > 1 and size >= (1 << 7 * groups) - 1:
        groups += 1
    found = [size >> 7 * at & 0x7F for at in range(groups - 1, -1, -1)]
    return bytes([found[0], *(group | 0x80 for group in found[1:])])


_BACKS: Final = tuple(_back(size) for size in range(1 << 7))
_SHORT: Final = tuple((bytes([0x80 | size]), _back(size + 1)) for size in range(1 << 6))
"""Tag and way back of the shortest strings."""


class Packer:
    """Makes a listpack.

    Attributes:
        body: the elements so far, each in its parts.
        size: their bytes.
        count: how many there are.
    """

    __slots__ = ("body", "count", "size")

    def __init__(self) -> None:
        self.body: list[bytes] = []
        self.count = 0
        self.size = 0

    def add(self, element: bytes) -> None:
        """Add a string; one that is an integer becomes one. O(element)."""
        size = len(element)
        self.count += 1
        if size <= LONGEST_INTEGER and size and element[0] in _MAYBE_INTEGER:
            number = parse_int(element)
            if number is not None:
                self._put(_integer(number))
                return
        if size < 1 << 6:
            tag, back = _SHORT[size]
        elif size < 1 << 12:
            tag = bytes([0xE0 | size >> 8, size & 0xFF])
            back = _back(size + 2)
        else:
            tag = b"\xf0" + size.to_bytes(4, "little")
            back = _back(size + 5)
        self.body += (tag, element, back)
        self.size += len(tag) + size + len(back)

    def add_integer(self, number: int) -> None:
        """Add a 64-bit integer. O(1)."""
        self.count += 1
        self._put(_integer(number))

    def _put(self, written: bytes) -> None:
        self.body += (written, _BACKS[len(written)])
        self.size += len(written) + 1

    def done(self) -> bytes:
        """The listpack. O(size)."""
        header = (HEADER + self.size + 1).to_bytes(4, "little") + min(self.count, UNCOUNTED).to_bytes(
            2, "little"
        )
        return b"".join((header, *self.body, b"\xff"))


def _integer(number: int) -> bytes:
    if 0 <= number < 1 << 7:
        return bytes([number])
    if -(1 << 12) <= number < 1 << 12:
        return bytes([0xC0 | number >> 8 & 0x1F, number & 0xFF])
    bits = (number if number >= 0 else ~number).bit_length() + 1
    for width, tag in _TAGS:
        if bits <= width:
            return tag + number.to_bytes(width // 8, "little", signed=True)
    raise OverflowError(number)


def pack(elements: Iterable[bytes]) -> bytes:
    """A listpack of strings. O(bytes)."""
    packer = Packer()
    for element in elements:
        packer.add(element)
    return packer.done()


def unpack(data: bytes) -> list[bytes]:
    """The elements of a listpack, each as a string. O(bytes).

    Raises:
        RdbError: it is none, or not a whole one.
    """
    return [b"%d" % one if one.__class__ is int else one for one in unpack_raw(data)]  # type: ignore[misc]


def unpack_raw(data: bytes) -> list[bytes | int]:
    """The elements of a listpack, as they stand there. O(bytes).

    Raises:
        RdbError: it is none, or not a whole one.
    """
    end = len(data) - 1
    if end < HEADER or int.from_bytes(data[:4], "little") != len(data) or data[end] != END:
        raise RdbError("listpack: wrong header")
    elements: list[bytes | int] = []
    append = elements.append
    at = HEADER
    while at < end:
        tag = data[at]
        begin = at
        if tag < 0x80:
            append(tag)
            at += 1
        elif tag < 0xC0:
            at += 1 + (tag & 0x3F)
            append(data[begin + 1 : at])
        elif tag < 0xE0:
            number = (tag & 0x1F) << 8 | data[at + 1]
            append(number - (1 << 13) if number >> 12 else number)
            at += 2
        elif tag < 0xF0:
            at += 2 + ((tag & 0x0F) << 8 | data[at + 1])
            append(data[begin + 2 : at])
        elif tag == 0xF0:
            at += 5 + int.from_bytes(data[at + 1 : at + 5], "little")
            append(data[begin + 5 : at])
        elif tag in _WIDTHS:
            at += 1 + _WIDTHS[tag]
            append(int.from_bytes(data[begin + 1 : at], "little", signed=True))
        else:
            raise RdbError("listpack: unknown element")
        size = at - begin
        if size < 1 << 7:
            # The way back is one byte, which is the size itself.
            if at >= end or data[at] != size:
                raise RdbError("listpack: an element that does not end")
            at += 1
            continue
        back = _back(size)
        if at + len(back) > end or data[at : at + len(back)] != back:
            raise RdbError("listpack: an element that does not end")
        at += len(back)
    count = int.from_bytes(data[4:6], "little")
    if at != end or (count != UNCOUNTED and count != len(elements)):
        raise RdbError("listpack: another number of elements")
    return elements


def integer(element: bytes) -> int:
    """An element that has to be a 64-bit integer. Raises RdbError."""
    number = parse_int(element)
    if number is None or not INT64_MIN <= number <= INT64_MAX:
        raise RdbError("listpack: no integer where one belongs")
    return number
