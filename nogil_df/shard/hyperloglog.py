"""HyperLogLogs as strings, in Redis's own format, so that values can be carried both ways.

A value is a header of 16 bytes and 16,384 registers of 6 bits. A register holds the longest run of zeros,
plus one, that the hashes of the elements which fall to it ended in; the cardinality is estimated of how many
registers hold what. The header: "HYLL", the encoding, three bytes not used, the cardinality last estimated
(64 bits, little endian), of which the highest bit says that it is out of date.

*Dense*: registers one behind the other, each beginning at the lowest bit that is free. Four of them in
three bytes are base64 read backwards, so that `binascii` unpacks and packs them.
*Sparse*: opcodes for runs of registers. ZERO (00llllll) and XZERO (01llllll llllllll): l+1 registers that
are zero. VAL (1vvvvvll): l+1 registers that hold v+1. A value turns dense when a register needs more than VAL
can say, or when it would grow past `hll-sparse-max-bytes`.

Which opcodes a change leaves behind, and when a value turns dense, is as in Redis, byte for byte. Algorithms
between values work on *plain* registers, one byte each.

Sources: Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm",
2007; Heule et al., "HyperLogLog in practice", 2013; Ertl, "New cardinality estimation algorithms for
HyperLogLog sketches", arXiv:1702.01284, whose estimator, with tau and sigma, Redis has since 4.0; Appleby,
MurmurHash64A.
"""

from __future__ import annotations

import math
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator
from functools import partial
from struct import iter_unpack
from typing import Final
from zlib import adler32

from nogil_df.base.errors import ReplyError

Buffer = bytes | bytearray

INDEX_BITS: Final = 14
REGISTERS: Final = 1 << INDEX_BITS
HASH_BITS: Final = 64 - INDEX_BITS
"""What is left of a hash when the number of its register has been taken: a register holds up to 51."""

HEADER: Final = 16
DENSE_SIZE: Final = HEADER + REGISTERS * 6 // 8
DENSE, SPARSE = 0, 1

LONGEST_SPARSE: Final = HEADER + 2 * REGISTERS
"""No sparse value is longer: an opcode takes one or two bytes and stands for a register at least."""

LONGEST_ZERO: Final = 64
LONGEST_VAL: Final = 4
HIGHEST_VAL: Final = 32
SHORT: Final = 160
"""Bytes of opcodes that are looked at one by one before something cleverer is tried."""

MERGE_STEPS: Final = 5
"""How many opcodes, from the one before a change on, are looked at to join equal neighbours."""

Place = tuple[int, int, int, int]
"""An opcode and the first register of it, and the same of the opcode before it; the first of all counts as
the one before itself."""

_SPANS: Final = bytes(
    [code + 1 for code in range(64)] + 64 * [0] + [(code & 3) + 1 for code in range(128, 256)]
)
"""How many registers a one-byte opcode stands for; 0 for XZERO."""

_RUNS: Final = tuple(
    [bytes(length) for length in range(1, 65)]
    + 64 * [bytes(REGISTERS + 1)]
    + [bytes(((code >> 2 & 31) + 1,)) * ((code & 3) + 1) for code in range(128, 256)]
)
"""The plain registers that a one-byte opcode stands for; too many for half an XZERO at the end."""

_FIRST_LOW: Final = bytes([_SPANS[code] or 1 for code in range(256)])
_FIRST_HIGH: Final = bytes(64) + bytes(range(64)) + bytes(128)
"""What the first byte of an opcode adds to the number of registers, and the 256 times it does."""

_WIDE_TO_ONES: Final = bytes(64) + b"\xff" * 64 + bytes(128)
_ODD_ONES: Final = int.from_bytes(b"\x00\x01" * REGISTERS, "little")
_EVEN_BYTES: Final = int.from_bytes(b"\xff\x00" * REGISTERS, "little")

_WIDE: Final = re.compile(rb"[\x40-\x7f].", re.DOTALL)
"""XZERO. Not to be searched for from the second byte of one on."""

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_DIGIT_TO_REGISTER: Final = bytes.maketrans(_BASE64, bytes(range(64)))
_REGISTER_TO_DIGIT: Final = bytes.maketrans(bytes(range(64)), _BASE64)

_MASK: Final = (1 << 64) - 1
_HIGH_BITS: Final = int.from_bytes(b"\x80" * REGISTERS)
_ALPHA: Final = 0.721347520444481703680
"""1 / (2 ln 2)."""


# Hashing.


def murmur64(data: bytes) -> int:
    """MurmurHash64A with the seed that Redis gives it. O(length)."""
    length = len(data)
    multiplier = 0xC6A4A7935BD1E995
    h = 0xADC83B19 ^ (length * multiplier & _MASK)
    tail = length & 7
    if length > 7:
        for (block,) in iter_unpack("<Q", data[: length - tail] if tail else data):
            block = block * multiplier & _MASK
            h = (h ^ ((block ^ block >> 47) * multiplier & _MASK)) * multiplier & _MASK
    if tail:
        h = (h ^ int.from_bytes(data[length - tail :], "little")) * multiplier & _MASK
    h = (h ^ h >> 47) * multiplier & _MASK
    return h ^ h >> 47


def register_of(element: bytes) -> tuple[int, int]:
    """The register that an element falls to, and what it must hold at least. O(length)."""
    h = murmur64(element)
    rest = h >> INDEX_BITS | 1 << HASH_BITS
    return h & (REGISTERS - 1), (rest & -rest).bit_length()


# The header.


def new() -> bytearray:
    """An empty value: sparse, its cardinality of 0 up to date. O(1)."""
    return bytearray(b"HYLL\x01" + bytes(11) + _zeros(REGISTERS))


def is_value(value: Buffer) -> bool:
    """Whether a string is a HyperLogLog. O(1)."""
    head = value[:5]
    return len(value) == DENSE_SIZE if head == b"HYLL\x00" else head == b"HYLL\x01" and len(value) >= HEADER


def check(value: Buffer) -> None:
    """Refuse strings that are no HyperLogLogs. O(1).

    Raises:
        ReplyError HLL_INVALID.
    """
    if not is_value(value):
        raise ReplyError("HLL_INVALID")


def is_sparse(value: Buffer) -> bool:
    """Whether a value is in the sparse encoding. O(1)."""
    return value[4] == SPARSE


def cached(value: Buffer) -> int | None:
    """The cardinality that the header knows; None if it is out of date. O(1)."""
    return None if value[15] & 0x80 else int.from_bytes(value[8:16], "little")


def remember(buffer: bytearray, cardinality: int) -> None:
    """Put the cardinality into the header. O(1)."""
    buffer[8:16] = cardinality.to_bytes(8, "little")


def forget(buffer: bytearray) -> None:
    """Mark the cardinality in the header as out of date. O(1)."""
    buffer[15] |= 0x80


# Reading.


def plain(value: Buffer) -> bytes:
    """The registers, one byte each. O(registers), in C but for the opcodes of a sparse value.

    Raises:
        ReplyError HLL_CORRUPT: the opcodes do not stand for all registers and no more.
    """
    if value[4] == DENSE:
        return unpacked(value)
    if len(value) > LONGEST_SPARSE:
        raise ReplyError("HLL_CORRUPT")
    pieces: list[bytes] = []
    at, wide_zeros = HEADER, 0
    for wide in _WIDE.finditer(value, HEADER):
        begin = wide.start()
        pieces.extend(map(_RUNS.__getitem__, value[at:begin]))
        length = ((value[begin] & 63) << 8 | value[begin + 1]) + 1
        wide_zeros += length
        if wide_zeros > REGISTERS:
            raise ReplyError("HLL_CORRUPT")
        pieces.append(bytes(length))
        at = begin + 2
    pieces.extend(map(_RUNS.__getitem__, value[at:]))
    if sum(map(len, pieces)) != REGISTERS:
        raise ReplyError("HLL_CORRUPT")
    return b"".join(pieces)


def unpacked(value: Buffer) -> bytes:
    """The registers of a dense value, one byte each. O(registers), in C."""
    return b2a_base64(value[:15:-1], newline=False).translate(_DIGIT_TO_REGISTER)[::-1]


def opcodes(value: Buffer) -> Iterator[tuple[str, int, int]]:
    """The opcodes of a sparse value: letter (z, Z or v), what the registers hold, and how many they are."""
    codes = iter(memoryview(value)[HEADER:])
    for code in codes:
        if code & 0x80:
            yield "v", (code >> 2 & 31) + 1, (code & 3) + 1
        elif code & 0x40:
            yield "Z", 0, ((code & 63) << 8 | next(codes, 0)) + 1
        else:
            yield "z", 0, code + 1


def merged(one: bytes, other: bytes) -> bytes:
    """The greater of every two plain registers. O(registers), in C: all of them are one integer each."""
    a, b = int.from_bytes(one), int.from_bytes(other)
    # The highest bit of a byte survives where a's register is not the smaller one; there the mask is 0x7F.
    high = (a | _HIGH_BITS) - b & _HIGH_BITS
    return (b ^ (a ^ b) & (high - (high >> 7))).to_bytes(REGISTERS)


def estimate(registers: bytes) -> int:
    """The cardinality that plain registers stand for; 2**63 if they cannot be those of any elements.

    O(registers), in C. Equal to Redis's figure: the same operations in the same order, in doubles.
    """
    counts = histogram(registers)
    m = float(REGISTERS)
    z = m * _tau((m - counts[HASH_BITS + 1]) / m)
    for number in range(HASH_BITS, 0, -1):
        z = (z + counts[number]) * 0.5
    z += m * _sigma(counts[0] / m)
    if not z:
        return 1 << 63
    exact = _ALPHA * m * m / z
    whole = int(exact)
    return whole + (exact - whole >= 0.5)


def histogram(registers: bytes) -> list[int]:
    """How many registers hold 0, 1, ... 63. O(registers), in C: what has been counted is taken out."""
    counts = [0] * 64
    for number in range(64):
        size = len(registers)
        if not size:
            break
        registers = registers.translate(None, bytes((number,)))
        counts[number] = size - len(registers)
    return counts


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z = 1.0, 1.0 - x
    while True:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1.0 - x) * (1.0 - x) * y
        if z == before:
            return z / 3.0


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, z = 1.0, x
    while True:
        x *= x
        before = z
        z += x * y
        y += y
        if z == before:
            return z


# Writing.


def add(buffer: bytearray, elements: list[bytes], limit: int) -> bool:
    """Add elements; whether any register changed. O(1) each, in a sparse value O(opcodes).

    Args:
        limit: the most bytes of a sparse value.

    Raises:
        ReplyError HLL_CORRUPT; what was added before stays.
    """
    changed = False
    for at, element in enumerate(elements):
        if buffer[4] == DENSE:
            return add_to_dense(buffer, elements, at) or changed
        index, number = register_of(element)
        changed |= SparseWriter(buffer, limit).set(index, number)
    return changed


def add_to_dense(buffer: bytearray, elements: list[bytes], begin: int) -> bool:
    """Add the elements from one on to a dense value; whether any register changed. O(1) each."""
    changed = False
    for element in elements[begin:]:
        index, number = register_of(element)
        changed |= _set_dense(buffer, index, number)
    return changed


def absorb(buffer: bytearray, registers: bytes, limit: int, *, dense: bool) -> None:
    """Merge plain registers, which hold nothing less than the value's own, into it. O(registers).

    Args:
        limit: the most bytes of a sparse value.
        dense: it is to be dense afterwards.

    Raises:
        ReplyError HLL_CORRUPT.
    """
    if dense:
        to_dense(buffer)
    if buffer[4] == SPARSE:
        own = plain(buffer)
        writer = SparseWriter(buffer, limit)
        for index, (number, old) in enumerate(zip(registers, own, strict=True)):
            if number > old:
                writer.set(index, number)
                if buffer[4] == DENSE:
                    break
    if buffer[4] == DENSE:
        buffer[HEADER:] = packed(registers)
    forget(buffer)


def to_dense(buffer: bytearray) -> bool:
    """Turn a value into a dense one; False if it is one. O(registers).

    Raises:
        ReplyError HLL_CORRUPT.
    """
    if buffer[4] == DENSE:
        return False
    registers = plain(buffer)
    buffer[4] = DENSE
    buffer[HEADER:] = packed(registers)
    return True


def packed(registers: bytes) -> bytes:
    """Plain registers, dense. O(registers), in C."""
    return a2b_base64(registers[::-1].translate(_REGISTER_TO_DIGIT))[::-1]


def _set_dense(buffer: bytearray, index: int, number: int) -> bool:
    """Raise a register of a dense value; False if it holds as much. O(1)."""
    at = HEADER + (index * 6 >> 3)
    shift = index * 6 & 7
    word = int.from_bytes(buffer[at : at + 2], "little")
    old = word >> shift & 63
    if old >= number:
        return False
    word ^= (old ^ number) << shift
    buffer[at] = word & 0xFF
    if shift > 2:
        buffer[at + 1] = word >> 8
    forget(buffer)
    return True


class SparseWriter:
    """Raises registers of a sparse value; registers in ascending order cost O(1) each.

    Attributes:
        at, first: the opcode before the one last changed, or the first of all, and its first register: from
            here the search goes on, if the next register is not before it.
    """

    __slots__ = ("at", "buffer", "first", "limit")

    def __init__(self, buffer: bytearray, limit: int) -> None:
        self.buffer = buffer
        self.limit = limit
        self.at = HEADER
        self.first = 0

    def set(self, index: int, number: int) -> bool:
        """Raise a register; False if it holds as much. The value may turn dense. O(opcodes).

        Raises:
            ReplyError HLL_CORRUPT.
        """
        buffer = self.buffer
        if number > HIGHEST_VAL:
            to_dense(buffer)
            return _set_dense(buffer, index, number)
        at, first, before, before_first = self._find(index)
        code = buffer[at]
        run: Callable[[int], bytes] = _zeros
        if code & 0x80:
            old, length, size = (code >> 2 & 31) + 1, (code & 3) + 1, 1
            if old >= number:
                return False
            run = partial(_val, old)
        elif code & 0x40:
            length, size = ((code & 63) << 8 | buffer[at + 1]) + 1, 2
        else:
            length, size = code + 1, 1
        ahead, behind = index - first, first + length - 1 - index
        codes = (run(ahead) if ahead else b"") + _val(number, 1) + (run(behind) if behind else b"")
        if len(codes) > size and len(buffer) + len(codes) - size > self.limit:
            to_dense(buffer)
            return _set_dense(buffer, index, number)
        buffer[at : at + size] = codes
        self.at, self.first = before, before_first
        _join_neighbours(buffer, before)
        forget(buffer)
        return True

    def _find(self, index: int) -> Place:
        """The place of a register. O(opcodes), most of it in C; O(1) a little behind the last one."""
        buffer = self.buffer
        if self.at > HEADER and self.first <= index:
            found = _walk(buffer, index, self.at, self.first)
            if found is not None and found[0] != self.at:
                return found
        return (len(buffer) <= SHORT and _walk(buffer, index, HEADER, 0)) or _locate(buffer, index)


def _walk(buffer: bytearray, index: int, at: int, first: int) -> Place | None:
    """The place of a register that one of the next opcodes from ``at`` on stands for; None if none does."""
    before = at
    before_first = start = first
    wide = 0
    for position, code in enumerate(buffer[at : at + SHORT], at):
        if wide:
            span = ((wide & 63) << 8 | code) + 1
            position -= 1
            wide = 0
        else:
            span = _SPANS[code]
            if not span:
                wide = code
                continue
        first += span
        if first > index:
            return position, start, before, before_first
        before, before_first, start = position, start, first
    return None


def _locate(buffer: bytearray, index: int) -> Place:
    """The place of a register. O(opcodes), in C but for a logarithm.

    What each byte adds to the number of registers is laid out in two strings of bytes, of which halves,
    quarters and so on are summed up until the one is found with which the sum passes the register.

    Raises:
        ReplyError HLL_CORRUPT.
    """
    if len(buffer) > LONGEST_SPARSE:
        raise ReplyError("HLL_CORRUPT")
    codes = buffer[HEADER:]
    low, high, seconds = _contributions(codes)
    start, stop, first = 0, len(codes), 0
    while stop - start > 8:
        middle = start + stop >> 1
        ahead = first + _sum(low[start:middle]) + (_sum(high[start:middle]) << 8)
        if ahead <= index:
            start, first = middle, ahead
        else:
            stop = middle
    while start < stop:
        ahead = first + low[start] + (high[start] << 8)
        if ahead > index:
            break
        start, first = start + 1, ahead
    else:
        raise ReplyError("HLL_CORRUPT")
    if seconds[start]:
        start -= 1
        first -= low[start] + (high[start] << 8)
    if codes[start] & 0xC0 == 0x40 and start + 1 == len(codes):
        raise ReplyError("HLL_CORRUPT")
    before = max(start - 1, 0)
    before -= seconds[before] & 1
    before_first = first - sum(low[before:start]) - (sum(high[before:start]) << 8)
    return HEADER + start, first, HEADER + before, before_first


def _contributions(codes: bytearray) -> tuple[bytes, bytes, bytes]:
    """What each byte of opcodes adds to the number of registers: low part, high part; which are second bytes.

    The second byte of an XZERO may look like the first of another. It is the question which characters of
    a text are escaped, where backslashes can be too, and has the answer of Langdale and Lemire ("Parsing
    gigabytes of JSON per second", 2019), with one integer for all bytes: in a row of bytes that look like
    first ones every other is a second one; a carry tells rows that begin at odd bytes from others.
    O(length), in C.
    """
    length = len(codes)
    wide = int.from_bytes(codes.translate(_WIDE_TO_ONES), "little")
    after = wide << 8
    odd_starts = (wide ^ (wide & after)) & _ODD_ONES
    seconds = (_EVEN_BYTES ^ (odd_starts + wide << 8)) & after & ((1 << (length << 3)) - 1)
    low = int.from_bytes(codes.translate(_FIRST_LOW), "little")
    low ^= (low ^ int.from_bytes(codes, "little")) & seconds
    high = int.from_bytes(codes.translate(_FIRST_HIGH), "little")
    high ^= high & seconds
    return (
        low.to_bytes(length, "little"),
        high.to_bytes(length, "little"),
        seconds.to_bytes(length, "little"),
    )


def _sum(spans: bytes) -> int:
    """The sum of bytes, O(bytes), in C: the low half of Adler-32, if it is less than 65,521.

    It is where opcodes stand for 16,384 registers; others are damaged.
    """
    return adler32(spans, 0) & 0xFFFF


def _join_neighbours(buffer: bytearray, at: int) -> None:
    """Join VALs of the same number that stand side by side, as far as one opcode can say it. O(size)."""
    for _ in range(MERGE_STEPS):
        if at >= len(buffer):
            return
        code = buffer[at]
        if not code & 0x80:
            at += 2 if code & 0x40 else 1
            continue
        if at + 1 < len(buffer) and (code ^ buffer[at + 1]) & 0xFC == 0:
            length = (code & 3) + (buffer[at + 1] & 3) + 2
            if length <= LONGEST_VAL:
                del buffer[at]
                buffer[at] = code & 0xFC | length - 1
                continue
        at += 1


def _zeros(length: int) -> bytes:
    """The opcode for a run of registers that are zero."""
    if length > LONGEST_ZERO:
        return bytes((0x40 | (length - 1) >> 8, (length - 1) & 0xFF))
    return bytes((length - 1,))


def _val(number: int, length: int) -> bytes:
    """The opcode for a run of registers that hold a number."""
    return bytes((0x80 | (number - 1) << 2 | length - 1,))


# In C where it was built; what is above is the specification.
murmur64_slowly, is_value_slowly, cached_slowly = murmur64, is_value, cached
add_to_dense_slowly, unpacked_slowly, packed_slowly = add_to_dense, unpacked, packed
merged_slowly, histogram_slowly = merged, histogram
try:
    from nogil_df.shard._registers import add_to_dense as add_to_dense
    from nogil_df.shard._registers import cached as cached
    from nogil_df.shard._registers import histogram as histogram
    from nogil_df.shard._registers import is_value as is_value
    from nogil_df.shard._registers import merged as merged
    from nogil_df.shard._registers import murmur64 as murmur64
    from nogil_df.shard._registers import packed as packed
    from nogil_df.shard._registers import unpacked as unpacked
except ImportError:
    pass
