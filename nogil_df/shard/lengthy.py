"""Work on a big value, done in slices: how an op says that it would hold its shard for too long.

A million members are copied, united or sorted in a tenth of a second to ten seconds. Nobody else on the shard
should wait for that, and yet it must be as if it happened at one moment. So an op that finds a big value does
not go to work: before it has had any effect it raises `Lengthy`, which holds a generator. Whoever called it
runs that generator slice by slice between other work, with intents on the keys held until the end
(`nogil_df.vll.slices`): readers of the keys go on beside it, writers wait, and other keys are not concerned.
Where nobody may get in between, as inside EXEC, a script or a squashed pipeline, `Lengthy.finish` does it all
in one go.

What a generator may rely on: the keys it named are not written between two slices. Three things change a
value all the same. Its key can expire or be evicted: then the value is not freed while it is pinned
(`Shard.pinned`). Readers may add an index to it, which no generator here looks at. And fields of a hash
expire one by one: a hash with such deadlines is read in one go.

What it must keep to: nothing that others can see changes before its last slice.

A slice is `Shard.slice` elements (`--slice_elements`): from that size on a value counts as big.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import Any, Final

from nogil_df.wire.values import Chunks

Slices = Generator[None, None, Any]

SAMPLES: Final = 16
"""Samples for each bucket of a sort: the fullest of 250 then has about twice its share."""


class Lengthy(Exception):
    """Raised in place of beginning work that takes long.

    Attributes:
        steps: the work: every ``next`` is a slice, the return value is what the op would have returned.
        pinned: the values that it reads.
        timed: who asked wants ``[value, nanoseconds]``, as `nogil_df.vll.squash` answers single commands.
    """

    def __init__(self, steps: Slices, *pinned: Any) -> None:
        super().__init__()
        self.steps = steps
        self.pinned = pinned
        self.timed = False

    def bare(self) -> Lengthy:
        """Itself without the traceback, which would keep every object alive that the op had at hand."""
        return self.with_traceback(None)

    def finish(self) -> Any:
        """Do all of it now; the value is in one piece."""
        while True:
            try:
                next(self.steps)
            except StopIteration as stop:
                value = stop.value
                return value.whole() if value.__class__ is Chunks else value


def in_chunks(elements: Iterable[bytes], size: int) -> Slices:
    """A list of all elements, as `Chunks` of so many; one a slice."""
    following = iter(elements)
    parts: deque[Any] = deque()
    while chunk := list(islice(following, size)):
        parts.append(chunk)
        yield
    return Chunks(parts)


def flat_in_chunks(pairs: Iterable[tuple[bytes, bytes]], size: int) -> Slices:
    """Pairs as one flat list, in `Chunks` of so many pairs."""
    following = iter(pairs)
    parts: deque[Any] = deque()
    while chunk := [word for pair in islice(following, size) for word in pair]:
        parts.append(chunk)
        yield
    return Chunks(parts)


def drained(elements: Any, size: int) -> Slices:
    """The elements of a list in their order, or of a set, as `Chunks`; what they were in is empty then.

    Taking them out frees the list, or the set, in slices as well.
    """
    parts: deque[Any] = deque()
    if elements.__class__ is list:
        elements.reverse()
        while elements:
            chunk = elements[-size:]
            del elements[-size:]
            chunk.reverse()
            parts.append(chunk)
            yield
    else:
        pop = elements.pop
        while elements:
            parts.append([pop() for _ in range(min(size, len(elements)))])
            yield
    return Chunks(parts)


def sort_in_slices(
    count: int, ranks_of: Callable[[int, int], list[Any]], size: int, *, descending: bool
) -> Slices:
    """What ``sorted`` makes of ``count`` ranks, in slices; their last items as one list.

    A sample says where to cut; everything goes to its bucket, and the buckets are sorted one by one. What is
    equal goes to one bucket, whose sorting then takes one comparison each.

    Args:
        ranks_of: the ranks, tuples, from one position up to another one.
    """
    step = max(size // SAMPLES, 1)
    sample: list[Any] = []
    for at in range(0, count, step):
        sample += ranks_of(at, at + 1)
        if not len(sample) % size:
            yield
    sample.sort()
    cuts = sample[SAMPLES::SAMPLES]
    del sample
    yield
    buckets: list[list[Any]] = [[] for _ in range(len(cuts) + 1)]
    for at in range(0, count, size):
        for rank in ranks_of(at, min(at + size, count)):
            buckets[bisect_right(cuts, rank)].append(rank)
        yield
    found: list[Any] = []
    if not descending:
        buckets.reverse()
    while buckets:
        bucket = buckets.pop()
        bucket.sort(reverse=descending)
        found += [rank[-1] for rank in bucket]
        del bucket
        yield
    return found
