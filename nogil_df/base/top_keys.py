"""The keys that weigh most of a stream of weighted keys, in memory that is bounded: Space-Saving.

Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams" (2005). A
fixed number of keys have counters. A key without one takes that of the lightest, whose weight it inherits and
remembers as its possible error: so no key that is heavier than the total over the number of counters is ever
missed, and a counter less its error is never more than the truth.

The lightest is found by a heap whose entries are allowed to be out of date: counters only grow, so an entry
that comes out on top is put back with what its counter says now, until one is right.
"""

from __future__ import annotations

from heapq import heapify, heapreplace


class TopKeys:
    """Counters of the heaviest keys.

    Args:
        capacity: how many counters there are.

    Invariants: every key that is counted has one entry in the heap, whose weight is not above its counter's.
    """

    __slots__ = ("_heap", "capacity", "errors", "weights")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.weights: dict[bytes, int] = {}
        self.errors: dict[bytes, int] = {}
        self._heap: list[tuple[int, bytes]] = []

    def add(self, key: bytes, weight: int) -> None:
        """Count a weight for a key. O(log capacity), amortised; the key is kept as a copy."""
        weights = self.weights
        if key in weights:
            weights[key] += weight
            return
        own = b"%b" % key
        if len(weights) < self.capacity:
            weights[own] = weight
            self.errors[own] = 0
            self._heap.append((weight, own))
            if len(weights) == self.capacity:
                heapify(self._heap)
            return
        heap = self._heap
        while True:
            noted, lightest = heap[0]
            least = weights[lightest]
            if noted == least:
                break
            heapreplace(heap, (least, lightest))
        del weights[lightest], self.errors[lightest]
        weights[own] = least + weight
        self.errors[own] = least
        heapreplace(heap, (least + weight, own))

    def certain(self) -> dict[bytes, int]:
        """What each key weighs at least. O(capacity)."""
        errors = self.errors
        return {key: weight - errors[key] for key, weight in self.weights.items()}

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError. O(capacity)."""
        assert len(self.weights) <= self.capacity
        assert self.weights.keys() == self.errors.keys() == {key for _, key in self._heap}
        assert len(self._heap) == len(self.weights)
        assert all(noted <= self.weights[key] for noted, key in self._heap)


def heaviest(counted: list[dict[bytes, int]], count: int) -> list[tuple[bytes, int]]:
    """The heaviest keys by the sums of several counts, heaviest first, down to 1. O(n log n)."""
    total: dict[bytes, int] = {}
    for weights in counted:
        for key, weight in weights.items():
            total[key] = total.get(key, 0) + weight
    ranked = sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))
    return [pair for pair in ranked[:count] if pair[1] > 0]
