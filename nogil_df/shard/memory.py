"""What records cost in memory, in bytes; kept incrementally by the keyspace.

The figures are those of CPython 3.13t on a 64-bit machine. An object costs its header, its payload, and what
the allocator (mimalloc) rounds its size up by: it has four size classes between one power of two and the
next, so that is up to a quarter, mostly a tenth. The account has to be kept by adding and subtracting on
every write, so rounding is a constant here, fitted to small objects, where it matters most. A test holds the
account of a shard within 20 % of what the process really grows by, for keys and values of many sizes.

A record's share of its segment is not in these figures: the table counts its segments as a whole. The
compiled table holds keys and strings in its segments, and so counts them: there they are nothing here.
"""

from __future__ import annotations

from sys import getsizeof
from typing import Any

from nogil_df.shard.table import PACKED

ROUNDING = 15
"""What the allocator adds to an object of some dozens to some hundreds of bytes, on average."""

BYTES_OVERHEAD = getsizeof(b"") + ROUNDING
"""A bytes object beside its payload."""

RECORD_OVERHEAD = 2 * BYTES_OVERHEAD
"""Key and value objects of a record whose value is bytes."""


BIG_VALUE = 1 << 20
"""Bytes from which a deleted collection is freed in slices: freeing 1 MB of it takes about 0.2 ms."""


def value_size(value: Any) -> int:
    """Bytes held by a stored value, beside the table; objects of ours keep count in ``memory``. O(1)."""
    if value.__class__ is bytes:
        return 0 if PACKED else BYTES_OVERHEAD + len(value)
    if isinstance(value, bytearray):
        return getsizeof(value) + ROUNDING
    size: int = value.memory
    return size


def record_size(key: bytes, value: Any) -> int:
    """Bytes held by a record's key and value, beside the table. O(1)."""
    if PACKED:
        return value_size(value)
    if value.__class__ is bytes:
        return RECORD_OVERHEAD + len(key) + len(value)
    return BYTES_OVERHEAD + len(key) + value_size(value)


def own(payload: Any) -> Any:
    """Copy the byte strings of a payload that came from another thread.

    3.13t leaks resident memory when objects allocated by one thread are kept and later freed in bulk by
    another (python/cpython#145615): the owner of a shard makes every byte string it stores. ``%b`` is the
    quickest real copy of a bytes object (76 ns; ``bytes(b)`` returns the same object).
    """
    if payload.__class__ is bytes:
        return b"%b" % payload
    if payload.__class__ is list:
        return [own(item) for item in payload]
    if payload.__class__ is tuple:
        return tuple([own(item) for item in payload])
    return payload
