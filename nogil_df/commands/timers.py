"""Timers of one thread: a heap of (when, what), run by whoever drives the thread.

Time is whatever the clock says, so tests with a fake clock need no sleeping. Cancelling marks an entry; it
leaves the heap when its time comes, or when dead entries outnumber live ones (a client that blocks again and
again, for an hour at most each time, must not leave an hour's worth of entries behind).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf

MOST_DEAD = 64
"""Cancelled entries that are never worth a clean-up."""


class Timer:
    """A callback to come. ``cancel`` is amortised O(1)."""

    __slots__ = ("action", "timers", "when")

    def __init__(self, when: float, action: Callable[[], None], timers: Timers) -> None:
        self.when = when
        self.action: Callable[[], None] | None = action
        self.timers = timers

    def cancel(self) -> None:
        """Make sure that it never runs. Idempotent."""
        if self.action is not None:
            self.action = None
            self.timers.bury()


class Timers:
    """A heap of timers; times are the clock's monotonic seconds.

    Attributes:
        first: no timer is due before it; infinite if there is none.
    """

    __slots__ = ("_count", "_dead", "_heap", "first")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._dead = 0
        self.first = inf

    def at(self, when: float, action: Callable[[], None]) -> Timer:
        """Run ``action`` once ``when`` has come. O(log n)."""
        timer = Timer(when, action, self)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, timer))
        self.first = self._heap[0][0]
        return timer

    def bury(self) -> None:
        """One more entry is dead. Amortised O(1)."""
        self._dead += 1
        if self._dead > MOST_DEAD and 2 * self._dead > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._dead = 0
            self.first = self._heap[0][0] if self._heap else inf

    def next_time(self) -> float | None:
        """When the next live timer is due, None if there is none. Amortised O(log n)."""
        heap = self._heap
        while heap and heap[0][2].action is None:
            heapq.heappop(heap)
            self._dead -= 1
        return heap[0][0] if heap else None

    def run_due(self, now: float) -> int:
        """Run what is due. Returns how many ran."""
        ran = 0
        while (when := self.next_time()) is not None and when <= now:
            timer = heapq.heappop(self._heap)[2]
            action = timer.action
            timer.action = None
            if action is not None:
                action()
                ran += 1
        self.first = self._heap[0][0] if self._heap else inf
        return ran
