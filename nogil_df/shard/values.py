"""What a stored value is to commands that do not care which type it has: its name, its encoding, a copy.

Strings are `bytes`, a `bytearray` once they were changed in place, or `Flagged`, which is one too. Every
other type is a class of ours that has `type_name`, `type_number`, `encoding`, `memory` (bytes), `copy()`,
`digest(begun)` and `serialized_length` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base.numbers import parse_int
from nogil_df.shard.flagged import Flagged
from nogil_df.shard.lists import ListValue

if TYPE_CHECKING:
    from nogil_df.shard.limits import EncodingLimits

EMBEDDED_LIMIT = 44
"""Longest string that Redis stores together with its object header ("embstr")."""

LONGEST_INTEGER = 20
"""Bytes of the longest decimal 64-bit integer, sign included."""

SHARED_INTEGERS = 10_000
"""Redis keeps one object for each integer below this, whoever stores it."""

SHARED_REFERENCES = (1 << 31) - 1
"""The reference count that Redis shows for such an object."""


def type_name(value: Any) -> bytes:
    """The type as TYPE and SCAN name it; b"none" for None. O(1)."""
    if value.__class__ is bytes or isinstance(value, bytearray):
        return b"string"
    if value is None:
        return b"none"
    name: bytes = value.type_name
    return name


def encoding(value: Any, limits: EncodingLimits) -> bytes:
    """The encoding that Redis would report for the value. O(1); O(length) for a list of at most some KB."""
    if value.__class__ is bytes or value.__class__ is Flagged:
        if len(value) <= LONGEST_INTEGER and parse_int(value) is not None:
            return b"int"
        return b"embstr" if len(value) <= EMBEDDED_LIMIT else b"raw"
    if isinstance(value, bytearray):
        return b"raw"
    if value.__class__ is ListValue:
        return value.encoding_within(limits.list_max_listpack_size)
    name: bytes = value.encoding
    return name


def copy_of(value: Any) -> Any:
    """A copy made by this thread that shares nothing with the value (see `memory.own`). O(size)."""
    if value.__class__ is bytes:
        return b"%b" % value
    if value.__class__ is bytearray:
        return bytearray(value)
    return value.copy()


def reference_count(value: Any) -> int:
    """The number of references that Redis would report for the value. O(1)."""
    if value.__class__ is bytes and len(value) <= LONGEST_INTEGER:
        number = parse_int(value)
        if number is not None and 0 <= number < SHARED_INTEGERS:
            return SHARED_REFERENCES
    return 1
