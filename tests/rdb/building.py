"""Payloads in forms that redis-server 7.0 reads and no longer writes, or that came after it, piece by piece.

Written from the descriptions of the formats and apart from what is tested: plain, and not quick. Integers are
given as `int` where they stand as integers, everything else is bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from nogil_df.base.crc64 import crc64
from nogil_df.base.rdb_strings import write_length, write_string

Item = bytes | int


def payload(form: int, body: bytes, version: int = 10) -> bytes:
    """What DUMP would answer: form and body with a good footer."""
    data = bytes([form]) + body + version.to_bytes(2, "little")
    return data + crc64(data).to_bytes(8, "little")


def strings(*texts: bytes) -> bytes:
    """Strings one after the other, as they are."""
    return b"".join(map(write_string, texts))


def counted(*texts: bytes) -> bytes:
    """How many strings there are, and the strings."""
    return write_length(len(texts)) + strings(*texts)


def _ziplist_entry(item: Item) -> bytes:
    if isinstance(item, bytes):
        size = len(item)
        if size < 1 << 6:
            return bytes([size]) + item
        if size < 1 << 14:
            return (1 << 14 | size).to_bytes(2) + item
        return b"\x80" + size.to_bytes(4) + item
    if 0 <= item <= 12:
        return bytes([0xF1 + item])
    for tag, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
        if -(1 << 8 * size - 1) <= item < 1 << 8 * size - 1:
            return bytes([tag]) + item.to_bytes(size, "little", signed=True)
    raise OverflowError(item)


def ziplist(*items: Item) -> bytes:
    """A ziplist."""
    body, last, before = b"", 10, 0
    for item in items:
        last = 10 + len(body)
        previous = bytes([before]) if before < 254 else b"\xfe" + before.to_bytes(4, "little")
        entry = previous + _ziplist_entry(item)
        body += entry
        before = len(entry)
    return struct.pack("<IIH", 11 + len(body), last, len(items)) + body + b"\xff"


def zipmap(*texts: bytes, unused: int = 0) -> bytes:
    """A zipmap of keys and values in turn, with some unused bytes behind each value."""
    body = b""
    for at, text in enumerate(texts):
        body += bytes([len(text)]) if len(text) < 254 else b"\xfe" + len(text).to_bytes(4, "little")
        body += bytes([unused]) + text + bytes(unused) if at & 1 else text
    return bytes([min(len(texts) // 2, 254)]) + body + b"\xff"


def listpack(*items: Item) -> bytes:
    """A listpack, its integers in 64 bits and its strings with lengths of 32 bits, which is allowed."""
    body = b""
    for item in items:
        if isinstance(item, int):
            entry = b"\xf4" + item.to_bytes(8, "little", signed=True)
        else:
            entry = b"\xf0" + len(item).to_bytes(4, "little") + item
        size = len(entry)
        back = bytes([size]) if size < 128 else bytes([size >> 7, 0x80 | size & 0x7F])
        body += entry + back
    return struct.pack("<IH", 7 + len(body), len(items)) + body + b"\xff"


def stream_id(ms: int, seq: int) -> bytes:
    """An id as it stands in keys and lists of what is pending."""
    return ms.to_bytes(8) + seq.to_bytes(8)


def lengths(*numbers: int) -> bytes:
    """Lengths one after the other."""
    return b"".join(map(write_length, numbers))


def times(*numbers: int) -> bytes:
    """Times in milliseconds, one after the other."""
    return struct.pack(f"<{len(numbers)}q", *numbers)


def node(entries: Sequence[tuple[int, int, Sequence[Item]]], fields: Sequence[bytes]) -> bytes:
    """The listpack of a stream's node, whose id is 1-0: entries as (ms, seq, values of these fields)."""
    items: list[Item] = [len(entries), 0, len(fields), *fields, 0]
    for ms, seq, values in entries:
        items += [2, ms - 1, seq, *values, 3 + len(fields)]
    return listpack(*items)
