"""CRC-64 of the Jones polynomial: the checksum at the end of Redis's RDB files and of DUMP's payloads.

Parameters (as Redis uses it): polynomial 0xad93d23594c935a9, input and output reflected, begins with 0,
nothing is added at the end; the check value of ``123456789`` is 0xe9c6d914c4b8d9ca.

`crc64` is the compiled twin (`nogil_df/base/_crc64.pyx`, 1.5 GB a second) where there is one, or else
`crc64_in_python`, in two ways. What is short goes by a table, two bytes a step: about 13 MB a second. The
table is an ``array``: its items are made anew with each look-up, so threads share no counted objects.

What is long is folded first, as CPUs with carry-less multiplication do it, but with integers of thousands of
bits: a checksum is a remainder, so a piece of the message may be replaced by something with the same
remainder further on. A piece that stands ``d`` places ahead of the rest is multiplied with ``x**d mod P``,
which for a few distances has few terms, and each term is one shift and one XOR of the whole piece. That makes
more than 100 MB a second.
"""

from __future__ import annotations

import sys
from array import array
from functools import cache
from typing import Final

REFLECTED: Final = 0x95AC9329AC4BC9B5
"""The polynomial, reflected."""

_FOLDS: Final = (
    (18710, (3, 16, 17, 19, 21, 22, 23, 25, 29, 36, 50, 53, 58, 62)),
    (3208, (6, 8, 11, 15, 18, 19, 28, 29, 30, 31, 34, 35, 41, 46, 53, 59, 60)),
    (804, (1, 8, 12, 15, 16, 17, 18, 19, 23, 27, 28, 29, 32, 42, 47, 48, 49, 51, 53, 61, 63, 64)),
    (136, (3, 4, 10, 12, 15, 20, 24, 26, 31, 32, 33, 34, 36, 37, 42, 43, 48, 49, 50, 52, 57, 59, 61, 64)),
)
"""Bytes of a piece, and 64 less each exponent in x**(8 * bytes + 64) mod P; found by trying all sizes."""

_FOLDED_FROM: Final = 512
"""Bytes from which folding is quicker than the table alone."""


def crc64_in_python(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """The checksum of ``data``.

    Args:
        crc: of what came before, to go on from there: ``crc64(b, crc64(a)) == crc64(a + b)``.

    Complexity: O(data): about 80 ns a byte for the shortest, 6 ns for long ones.
    """
    table = _pairs()
    view = memoryview(data).cast("B")
    if len(view) >= _FOLDED_FROM:
        view, crc = memoryview(_folded(view, crc)), 0
    even = len(view) & ~1
    if sys.byteorder == "little":
        for pair in view[:even].cast("H"):
            crc = table[(crc ^ pair) & 0xFFFF] ^ (crc >> 16)
    else:
        for at in range(0, even, 2):
            crc = table[(crc ^ view[at] ^ view[at + 1] << 8) & 0xFFFF] ^ (crc >> 16)
    if even != len(view):
        crc = _step(crc ^ view[even])
    return crc


def _folded(view: memoryview, crc: int) -> bytes:
    """Some hundreds of bytes that have the same checksum, going on from 0.

    A message is an integer here whose lowest bit comes first, so that multiplying by x shifts to the right.
    """
    # What is to be XORed into the message from ``at`` on; never longer than the rest of it.
    pending = crc
    at = 0
    for size, shifts in _FOLDS:
        bits = 8 * size
        mask = (1 << bits) - 1
        while len(view) - at >= 2 * size + 8:
            pending ^= int.from_bytes(view[at : at + size], "little")
            piece = pending & mask
            pending >>= bits
            for shift in shifts:
                pending ^= piece << shift
            at += size
    rest = int.from_bytes(view[at:], "little") ^ pending
    return rest.to_bytes(len(view) - at, "little")


def _step(crc: int) -> int:
    """The register after the eight bits at its end were shifted out."""
    for _ in range(8):
        crc = crc >> 1 ^ (REFLECTED if crc & 1 else 0)
    return crc


@cache
def _pairs() -> array[int]:
    """The register after two bytes, by these: made when first needed."""
    single = array("Q", map(_step, range(256)))
    return array(
        "Q",
        [single[(first := single[pair & 0xFF]) & 0xFF ^ pair >> 8] ^ first >> 8 for pair in range(0x10000)],
    )


try:
    from nogil_df.base._crc64 import crc64 as crc64
except ImportError:
    crc64 = crc64_in_python
