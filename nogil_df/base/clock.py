"""Time, injected.

Everything that asks for the time (expiry, time-outs, the slow log, the housekeeping of shards) is handed a
clock and asks that, so that tests move the time instead of waiting for it. Two kinds of time exist and are
never mixed:

* wall time (`unix_ms`, `unix_us`): what deadlines of keys are written in; it may jump when the machine's
  clock is set;
* monotonic time (`monotonic`, `monotonic_us`): what durations are measured with; it never runs backwards.

A `Clock` has no state, so one may serve all threads; hot code binds the method it needs once per thread.
"""

from __future__ import annotations

import time


class Clock:
    """The machine's clock."""

    __slots__ = ()

    def unix_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC, rounded down."""
        return time.time_ns() // 1_000_000

    def unix_us(self) -> int:
        """Microseconds since 1970-01-01 UTC, rounded down."""
        return time.time_ns() // 1_000

    def monotonic_us(self) -> int:
        """Microseconds from the same arbitrary start as `monotonic`, rounded down."""
        return time.monotonic_ns() // 1_000

    def sleep(self, seconds: float) -> None:
        """Hold the calling thread up for so long."""
        time.sleep(seconds)

    # Seconds from an arbitrary start, where only differences mean something; nanoseconds, to time commands.
    # The C functions themselves: a method would cost as much again.
    monotonic = staticmethod(time.monotonic)
    stopwatch_ns = staticmethod(time.perf_counter_ns)


class FakeClock(Clock):
    """A clock that stands still until it is told to move.

    The monotonic clock starts at zero; `set_unix_ms` moves wall time alone, as an administrator does.
    """

    __slots__ = ("_monotonic_us", "_unix_us")

    def __init__(self, unix_ms: int = 1_700_000_000_000) -> None:
        self._unix_us = unix_ms * 1_000
        self._monotonic_us = 0

    def unix_ms(self) -> int:
        return self._unix_us // 1_000

    def unix_us(self) -> int:
        return self._unix_us

    def monotonic(self) -> float:
        return self._monotonic_us / 1_000_000

    def monotonic_us(self) -> int:
        return self._monotonic_us

    def stopwatch_ns(self) -> int:
        return self._monotonic_us * 1_000

    def sleep(self, seconds: float) -> None:
        self.advance(us=round(seconds * 1_000_000))

    def advance(self, ms: int = 0, *, us: int = 0) -> None:
        """Move both times forward by `ms` milliseconds plus `us` microseconds.

        Raises ValueError for a negative step: monotonic time does not run backwards.
        """
        step = ms * 1_000 + us
        if step < 0:
            raise ValueError("a clock does not run backwards; use set_unix_ms to move wall time")
        self._unix_us += step
        self._monotonic_us += step

    def set_unix_ms(self, unix_ms: int) -> None:
        """Set wall time, to the past too; monotonic time stays."""
        self._unix_us = unix_ms * 1_000
