"""Latencies counted in buckets whose width is a fixed share of their value, so that counts of processes add
up.

A value's bucket is its binary exponent and the 6 bits after its leading one: 64 buckets for each power of
two, so a quantile is at most 1/64 (1.6 %) too high, at any latency from a nanosecond to hours. (The same idea
as in HdrHistogram.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil

BITS = 6
PRECISION = 1 / (1 << BITS)


def bucket_of(value: int) -> int:
    """The number of the bucket of a value >= 0. Buckets of greater values have greater numbers. O(1)."""
    shift = max(0, value.bit_length() - BITS - 1)
    return (shift << BITS) + (value >> shift)


def highest_in(bucket: int) -> int:
    """The greatest value that belongs to a bucket. O(1)."""
    shift = max(0, (bucket >> BITS) - 1)
    return ((bucket - (shift << BITS) + 1) << shift) - 1


class Histogram:
    """Counts of values (nanoseconds) by bucket."""

    __slots__ = ("counts", "total")

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: Counter[int] = Counter(counts or {})
        self.total = sum(self.counts.values())

    def record(self, values: Iterable[int]) -> None:
        """Count values. O(values)."""
        before = self.total
        self.counts.update(map(bucket_of, values))
        self.total = sum(self.counts.values())
        assert self.total >= before

    def merge(self, other: Histogram) -> None:
        """Add the counts of another one."""
        self.counts.update(other.counts)
        self.total += other.total

    def quantile(self, share: float) -> int:
        """The least value that at least `share` of the values (0 < share <= 1) do not exceed, rounded up
        to its
        bucket's end; 0 without values. O(buckets)."""
        wanted, seen = ceil(self.total * share), 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return highest_in(bucket)
        return 0
