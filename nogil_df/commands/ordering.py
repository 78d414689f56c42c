"""The numbers that elements are, and the order these give: what SORT sorts by unless it is told otherwise."""

from __future__ import annotations

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_float


def by_number(elements: list[bytes], descending: bool) -> list[bytes] | None:
    """Elements in the order of the numbers that they are, if no two are equal; None if it takes more.

    O(n log n). In C, where it was built, two may be equal, but all must be plain decimals.
    """
    found = dict(zip(numbers(elements), elements, strict=True))
    if len(found) < len(elements):
        return None
    # Numbers are sorted quicker than pairs.
    return [found[rank] for rank in sorted(found, reverse=descending)]


def numbers(elements: list[bytes]) -> list[float]:
    """The numbers that elements are; in one go where all are plain decimals. O(bytes)."""
    if _PLAIN.issuperset(b"".join(elements)):
        try:
            return list(map(float, elements))
        except ValueError:
            pass
    return list(map(number, elements))


_PLAIN = frozenset(b"0123456789.-")
"""What Python and C read alike; there is more that only one of them takes for a number."""


def number(weight: bytes | None) -> float:
    """A weight as C's ``strtod`` reads it: up to a NUL, without white space before it, and nothing is 0."""
    text = b"" if weight is None else weight.partition(b"\0")[0]
    if not text:
        return 0.0
    found = parse_float(text.lstrip(b" \t\n\v\f\r"))
    if found is None:
        raise ReplyError("SORT_SCORES")
    return found


by_number_slowly = by_number
try:
    from nogil_df.shard._ordering import by_number as by_number
except ImportError:
    by_number = by_number_slowly
