"""Payloads in the forms that redis-server 7.0 does not write itself, and what they hold."""

from __future__ import annotations

import struct
from typing import Any, Final

from nogil_df.base.rdb_strings import write_string
from nogil_df.rdb import forms
from tests.rdb.building import (
    counted,
    lengths,
    listpack,
    node,
    payload,
    stream_id,
    strings,
    times,
    ziplist,
    zipmap,
)

ITEMS: Final = (
    b"",
    b"a",
    0,
    12,
    13,
    -1,
    -128,
    32767,
    -8388608,
    2147483647,
    -(1 << 62),
    b"x" * 63,
    b"y" * 300,
)
"""In every encoding that an entry of a ziplist can have, but for the longest strings."""

TEXTS: Final = [item if isinstance(item, bytes) else b"%d" % item for item in ITEMS]
LONG: Final = b"z" * 20000

_ENTRIES: Final = [(1, 0, (b"x", 5)), (1, 1, (b"", -7)), (9, 3, (b"y", 6))]
_NODE: Final = strings(stream_id(1, 0), node(_ENTRIES, (b"f", b"g")))
_PENDING: Final = stream_id(1, 1) + times(1111) + lengths(2)


def _group(*, entries_read: bool, active: bool) -> bytes:
    """A group that has read up to 1-1, which is pending for its consumer."""
    return (
        write_string(b"group")
        + lengths(1, 1)
        + (lengths(2) if entries_read else b"")
        + lengths(1)
        + _PENDING
        + lengths(1)
        + write_string(b"consumer")
        + times(2222)
        + (times(3333) if active else b"")
        + lengths(1)
        + stream_id(1, 1)
    )


OLDER: Final[dict[str, tuple[bytes, Any]]] = {
    "list": (payload(forms.LIST, counted(*TEXTS)), TEXTS),
    "list of version 6": (payload(forms.LIST, counted(b"a", b"b"), version=6), [b"a", b"b"]),
    "list, ziplist": (payload(forms.LIST_ZIPLIST, write_string(ziplist(*ITEMS))), TEXTS),
    "list, ziplist with a long string": (
        payload(forms.LIST_ZIPLIST, write_string(ziplist(b"a", LONG, b"b"))),
        [b"a", LONG, b"b"],
    ),
    "list, quicklist of ziplists": (
        payload(forms.LIST_QUICKLIST, counted(ziplist(*ITEMS[:5]), ziplist(*ITEMS[5:]))),
        TEXTS,
    ),
    "set of numbers as strings": (payload(forms.SET, counted(b"1", b"22", b"-3")), {b"1", b"22", b"-3"}),
    "set, intset wider than it need be": (
        payload(forms.SET_INTSET, write_string(struct.pack("<IIqq", 8, 2, -1, 5))),
        {b"-1", b"5"},
    ),
    "hash, zipmap": (
        payload(forms.HASH_ZIPMAP, write_string(zipmap(b"f", b"v", b"g", b"w" * 300, unused=3))),
        {b"f": b"v", b"g": b"w" * 300},
    ),
    "hash, zipmap without unused bytes": (
        payload(forms.HASH_ZIPMAP, write_string(zipmap(b"f", b"", b"", b"1"))),
        {b"f": b"", b"": b"1"},
    ),
    "hash, ziplist": (
        payload(forms.HASH_ZIPLIST, write_string(ziplist(b"f", 1, 7, b"v"))),
        {b"f": b"1", b"7": b"v"},
    ),
    "sorted set of decimal scores": (
        payload(
            forms.SORTED_SET,
            lengths(4)
            + strings(b"a", b"1.5")
            + strings(b"b", b"-17")
            + write_string(b"c")
            + b"\xfe"
            + write_string(b"d")
            + b"\xff",
        ),
        {b"a": 1.5, b"b": -17.0, b"c": float("inf"), b"d": float("-inf")},
    ),
    "sorted set, ziplist": (
        payload(forms.SORTED_SET_ZIPLIST, write_string(ziplist(b"a", -3, b"b", 0, b"c", b"2.25"))),
        {b"a": -3.0, b"b": 0.0, b"c": 2.25},
    ),
    "stream of version 1": (
        payload(
            forms.STREAM_1,
            lengths(1) + _NODE + lengths(3, 9, 3, 1) + _group(entries_read=False, active=False),
        ),
        3,
    ),
}
"""Name -> payload, value; the value of a stream is its number of entries. redis-server 7.0 reads them all."""

NEWER: Final[dict[str, tuple[bytes, Any]]] = {
    "set, listpack": (
        payload(forms.SET_LISTPACK, write_string(listpack(b"a", 5, b"b")), version=11),
        {b"a", b"5", b"b"},
    ),
    "stream of version 3": (
        payload(
            forms.STREAM_3,
            lengths(1) + _NODE + lengths(3, 9, 3, 1, 0, 0, 0, 5, 1) + _group(entries_read=True, active=True),
            version=11,
        ),
        3,
    ),
    "hash with deadlines": (
        payload(
            forms.HASH_DEADLINES,
            times(5_000_000_000_000)
            + lengths(3, 0)
            + strings(b"a", b"1")
            + lengths(1)
            + strings(b"b", b"2")
            + lengths(1001)
            + strings(b"c", b"3"),
            version=12,
        ),
        {b"a": (b"1", 0), b"b": (b"2", 5_000_000_000_000), b"c": (b"3", 5_000_000_001_000)},
    ),
    "hash with deadlines, listpack": (
        payload(
            forms.HASH_LISTPACK_DEADLINES,
            times(5_000_000_000_000) + write_string(listpack(b"b", 2, 5_000_000_000_000, b"a", b"1", 0)),
            version=12,
        ),
        {b"a": (b"1", 0), b"b": (b"2", 5_000_000_000_000)},
    ),
    "hash with deadlines, draft": (
        payload(
            forms.HASH_DEADLINES_DRAFT,
            lengths(2, 0) + strings(b"a", b"1") + lengths(5_000_000_000_000) + strings(b"b", b"2"),
            version=12,
        ),
        {b"a": (b"1", 0), b"b": (b"2", 5_000_000_000_000)},
    ),
    "hash with deadlines, listpack, draft": (
        payload(
            forms.HASH_LISTPACK_DEADLINES_DRAFT,
            write_string(listpack(b"b", b"2", 5_000_000_000_000, b"a", b"1", 0)),
            version=12,
        ),
        {b"a": (b"1", 0), b"b": (b"2", 5_000_000_000_000)},
    ),
}
"""The same for forms that came after 7.0; the value of a hash has the deadline of each field."""
