"""What records cost in memory, in bytes; kept incrementally by the keyspace.

Figures are those of CPython 3.13t: an object's header and its allocation rounded to mimalloc's size
classes are taken into the per-object constants, so that the sum stays within some per cent of what the
process really grows by (a test holds it within 20 %).
"""

from __future__ import annotations

import sys
from typing import Any

BYTES_OVERHEAD = sys.getsizeof(b"") + 8
"""A bytes object beside its payload; half of the 16-byte rounding of small allocations."""

SLOT_OVERHEAD = 40
"""A record's share of its segment: a fingerprint, key and value pointers, at the usual load of a segment."""

RECORD_OVERHEAD = 2 * BYTES_OVERHEAD + SLOT_OVERHEAD
"""Key and value objects and the slot, for a record whose value is bytes."""


def value_size(value: Any) -> int:
    """Bytes held by a stored value. O(1) for strings; other types keep their own count in ``memory``."""
    if value.__class__ is bytes:
        return BYTES_OVERHEAD + len(value)
    if value.__class__ is bytearray:
        return sys.getsizeof(value) + 8
    return value.memory


def record_size(key: bytes, value: Any) -> int:
    """Bytes held by a record: slot, key and value. O(1)."""
    if value.__class__ is bytes:
        return RECORD_OVERHEAD + len(key) + len(value)
    return SLOT_OVERHEAD + BYTES_OVERHEAD + len(key) + value_size(value)


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
