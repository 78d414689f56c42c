"""Lengths and strings as Redis's RDB format writes them.

A length is one byte below 64; 14 bits after the bits 01; 32 or 64 bits, big-endian, after 0x80 or 0x81. The
bits 11 stand for a string that is an integer of 8, 16 or 32 bits, little-endian (0, 1, 2), or that is
compressed (3: its compressed length, its length, an LZF block). Source: the description of the RDB file
format.
"""

from __future__ import annotations

from typing import Final

from nogil_df.base.lzf import decompress

MOST: Final = 512 << 20
"""Bytes of the longest string that is read from a payload."""

_INTEGERS: Final = (1, 2, 4)
_COMPRESSED: Final = 3


CUT_OFF: Final = "it ends too early"


class RdbError(Exception):
    """What was read is not as the RDB format has it; the argument says why."""


def write_length(length: int) -> bytes:
    """A length. O(1)."""
    if length < 1 << 6:
        return length.to_bytes(1)
    if length < 1 << 14:
        return (length | 1 << 14).to_bytes(2)
    if length < 1 << 32:
        return b"\x80" + length.to_bytes(4)
    return b"\x81" + length.to_bytes(8)


def write_string(text: bytes) -> bytes:
    """A string, as it is. O(text)."""
    return write_length(len(text)) + text


class Reader:
    """Reads one value after the other.

    Args:
        data: what to read.

    Attributes:
        at: position of what comes next.
    """

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes. Raises RdbError if there are fewer."""
        piece = self.data[self.at : self.at + count]
        if len(piece) != count:
            raise RdbError(CUT_OFF)
        self.at += count
        return piece

    def byte(self) -> int:
        """The next byte. Raises RdbError."""
        return self.take(1)[0]

    def length(self) -> int:
        """A length. Raises RdbError. O(1)."""
        first = self.byte()
        if first >> 6 == 3:
            raise RdbError("a string where a length belongs")
        return self._length(first)

    def string(self) -> bytes:
        """A string of any encoding. Raises RdbError. O(string)."""
        at = self.at
        data = self.data
        if at < len(data) and data[at] < 1 << 6:
            # A short string as it is: most of them.
            stop = at + 1 + data[at]
            if stop > len(data):
                raise RdbError(CUT_OFF)
            self.at = stop
            return data[at + 1 : stop]
        first = self.byte()
        if first >> 6 != 3:
            return self.take(self._length(first))
        kind = first & 0x3F
        if kind < len(_INTEGERS):
            return b"%d" % int.from_bytes(self.take(_INTEGERS[kind]), "little", signed=True)
        if kind != _COMPRESSED:
            raise RdbError("a string of an unknown kind")
        compressed, size = self.length(), self.length()
        # LZF makes at most 264 bytes of three.
        if size > min(MOST, 88 * compressed + 264):
            raise RdbError("a compressed string of an impossible length")
        text = decompress(self.take(compressed), size)
        if text is None:
            raise RdbError("a compressed string that is damaged")
        return text

    def _length(self, first: int) -> int:
        kind = first >> 6
        if kind == 0:
            return first
        if kind == 1:
            return (first & 0x3F) << 8 | self.byte()
        if first == 0x80:
            return int.from_bytes(self.take(4))
        if first == 0x81:
            return int.from_bytes(self.take(8))
        raise RdbError("a length of an unknown kind")
