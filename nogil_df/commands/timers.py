"""Timers of one thread: a heap of (when, what), run by whoever drives the thread.

Time is whatever the clock says, so tests with a fake clock need no sleeping. Cancelling marks an entry; it
leaves the heap when its time comes, or when dead entries outnumber live ones.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf


class Timer:
    """A callback to come. ``cancel`` is O(1)."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Callable[[], None]) -> None:
        self.when = when
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Make sure that it never runs."""
        self.action = None


class Timers:
    """A heap of timers; times are the clock's monotonic seconds.

    Attributes:
        first: no timer is due before it; infinite if there is none.
    """

    __slots__ = ("_count", "_heap", "first")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self.first = inf

    def at(self, when: float, action: Callable[[], None]) -> Timer:
        """Run ``action`` once ``when`` has come. O(log n)."""
        timer = Timer(when, action)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, timer))
        self.first = self._heap[0][0]
        return timer

    def next_time(self) -> float | None:
        """When the next live timer is due, None if there is none. Amortised O(log n)."""
        heap = self._heap
        while heap and heap[0][2].action is None:
            heapq.heappop(heap)
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
