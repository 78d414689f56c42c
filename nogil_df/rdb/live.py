"""What is made of a big value bit by bit, while the value goes on living.

Whoever writes a value down in slices need not copy it first: it is read where it lies until somebody is about
to change it. Only then is the rest taken (`Live.settle`), as references to what it consists of; elements
never change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

PORTION: Final = 256
"""Elements that are read of a value at a time: about 0.1 ms to write."""


class Live[T](Iterator[T]):
    """Portions of a value, each read when it is asked for.

    Args:
        portions: reads them.
        rest: gives what `portions` has not, for values of which that can be taken in less time at once.
    """

    __slots__ = ("_portions", "_rest")

    def __init__(self, portions: Iterator[T], rest: Callable[[], Iterator[T]] | None = None) -> None:
        self._portions = portions
        self._rest = rest

    def __next__(self) -> T:
        return next(self._portions)

    def settle(self) -> None:
        """Take what is left, as the value is about to change. O(elements left)."""
        self._portions = _drained(deque(self._portions)) if self._rest is None else self._rest()


class Made[T](Live[T]):
    """What is made of portions.

    Args:
        items: makes it.
        parts: what it reads for that.
    """

    __slots__ = ("_parts",)

    def __init__(self, items: Iterable[T], *parts: Live[Any]) -> None:
        super().__init__(iter(items))
        self._parts = parts

    def settle(self) -> None:
        """See `Live.settle`."""
        for part in self._parts:
            part.settle()


def _drained[T](items: deque[T]) -> Iterator[T]:
    """Each item, let go of as it comes."""
    while items:
        yield items.popleft()


def portions_of[T](items: list[T], size: int = PORTION) -> Iterator[list[T]]:
    """Portions of a list that is used up by that, so that it need not be freed as a whole."""
    items.reverse()
    while items:
        yield items[: -size - 1 : -1]
        del items[-size:]
