"""The progress of a loading, for people: a bar on a terminal, else a line in the log now and then."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from nogil_df.base import log

if TYPE_CHECKING:
    from nogil_df.base.clock import Clock
    from nogil_df.snapshot.reading import Loading

EVERY: Final = 5.0
"""Seconds between lines in the log."""

REDRAWN: Final = 0.1
"""Seconds between two states of the bar."""

WIDTH: Final = 40


class Progress:
    """Shows how far a loading is; to be called with it, by its readers, as often as they like."""

    __slots__ = ("_begun", "_clock", "_is_bar", "_next")

    def __init__(self, clock: Clock, *, is_terminal: bool | None = None) -> None:
        self._clock = clock
        if is_terminal is None:
            is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._is_bar = is_terminal
        self._begun = clock.monotonic()
        self._next = self._begun + (REDRAWN if self._is_bar else EVERY)

    def __call__(self, loading: Loading) -> None:
        now = self._clock.monotonic()
        if now < self._next:
            return
        self._next = now + (REDRAWN if self._is_bar else EVERY)
        text = f"{100 * loading.fraction:.0f} %, {loading.records} keys"
        if self._is_bar:
            done = round(WIDTH * loading.fraction)
            self._draw(f"\r[{'#' * done}{' ' * (WIDTH - done)}] {text}\x1b[K")
        else:
            rate = loading.records / max(now - self._begun, 1e-3)
            log.notice(f"Loading: {text}, {rate:.0f} a second")

    def end(self) -> None:
        """Take the bar away."""
        if self._is_bar:
            self._draw("\r\x1b[K")

    def _draw(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            # The terminal has gone. The loading goes on, and the log tells how far it is.
            self._is_bar = False
