"""How fast a save goes: as fast as it can while nobody else wants the CPUs, and in small bites where they do.

A save is a second of CPU time for half a gigabyte. Done as fast as possible on a machine whose threads all
have clients, that second is taken from them: the p99 of a client that had nothing to do with it was four
times as long. redis-server's child process takes its time, too, some seven seconds a gigabyte, and nobody
waits for a snapshot as one waits for a reply. So:

- a shard rests for `REST` after each slice while it has other work;
- the writer sleeps after each blob for as long as that took it. It may have half a CPU then; but what matters
  more is that it runs for 0.15 ms at a stretch. The system lets a thread that has waited go on for 1.5 ms and
  more, whatever slice it is said to have, and a shard that wakes up behind it waits for that;
- a writer that is behind (`Channel.is_full`) does not sleep: what commands force out of a shard is not paced.

What other work there is a shard sees by the time between two of its slices: a turn in which nothing was
served is over in some microseconds. That includes what the system took the CPU away for, and needs no
counters.

The last save before the server ends is not paced: whoever waits for that waits for a process to end.
"""

from __future__ import annotations

from typing import Final

SLICE: Final = 50_000
"""Nanoseconds that a shard writes down records at a stretch: some 100 KB of strings."""

REST: Final = 0.001
"""Seconds between two slices of a shard that has other work: a slice is a twentieth of its time then, and
half a gigabyte on two shards takes about as long as redis-server's child takes."""

TURN: Final = 20_000
"""Nanoseconds between two slices by which something was served; a turn without anything takes a fifth."""

WINDOW: Final = 10_000_000
"""Nanoseconds for which a shard counts as busy after it has served something: with fewer than a hundred
requests a second it is at leisure most of the time."""

LONGEST_NAP: Final = 0.002
"""Seconds that a writer sleeps at most: a blob that took longer was one that had to wait for the CPU."""


class Pace:
    """When a shard takes its slices.

    Attributes:
        is_busy: it has other work.
    """

    __slots__ = ("_busy_until", "_ended", "_rests", "is_busy")

    def __init__(self) -> None:
        self._ended = 0
        self._busy_until = 0
        self._rests = False
        self.is_busy = False

    def must_rest(self, now: int) -> bool:
        """Whether to rest before the slice that is due, and to ask again then. O(1).

        Args:
            now: nanoseconds, as in `end`.
        """
        if self._rests:
            self._rests = False
            return False
        if now - self._ended > TURN:
            self._busy_until = now + WINDOW
        self._rests = self.is_busy = now < self._busy_until
        return self._rests

    def end(self, now: int) -> None:
        """A slice is over. O(1)."""
        self._ended = now


def nap(took: float) -> float:
    """How long a writer sleeps after a blob that took so long, while shards are busy: seconds."""
    return min(took, LONGEST_NAP)
