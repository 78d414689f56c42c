"""The time-table of `snapshot_cron`: five fields, to the minute, in local time."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any


class Cron:
    """A cron expression and the next moment that it means.

    Args:
        expression: five fields; "" for never.

    Raises:
        ValueError: it is no such expression; the text says why.
    """

    __slots__ = ("_iterator", "_next", "expression")

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._iterator: Any = None
        self._next = 0.0
        if expression:
            check(expression)

    def begin(self, now: int) -> None:
        """Begin to count at ``now``, unix seconds."""
        if self.expression:
            from croniter import croniter

            self._iterator = croniter(self.expression, datetime.fromtimestamp(now).astimezone())
            self._next = self._iterator.get_next(float)

    def due(self, now: int) -> str:
        """The moment that has come since the last look, for people; "" if none has.

        Of several only the last counts: a machine that slept makes one save.
        """
        if self._iterator is None or now < self._next:
            return ""
        moment = self._next
        while self._next <= now:
            moment = self._next
            self._next = self._iterator.get_next(float)
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


def check(expression: str) -> None:
    """Raises ValueError if this is no cron expression of five fields."""
    from croniter import croniter

    if len(expression.split()) != 5 or not croniter.is_valid(expression):
        raise ValueError("must be a cron expression of five fields, such as '*/30 * * * *'")
