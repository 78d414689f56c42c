"""What clients of a server asked and were told, and when: the raw material of the checkers.

An operation has two moments: the one just before it was sent and the one just after its reply was read. Both
err to the outside, so that a history never claims more order than there was. Who lost its connection before
the reply does not know whether the operation took place: such an operation has no second moment, and a
checker may place it anywhere after the first, or nowhere.

Time is an integer that only grows: `time.monotonic_ns` for real servers (one clock for all threads and
processes of a machine), a count of events for simulated ones.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol


class _Any:
    """The type of ANY."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "?"


ANY = _Any()
"""The result of an operation that took place, but did not say what came of it on this key (as LMOVE of its
target).
"""


@dataclass(slots=True)
class Operation:
    """One operation on one key.

    Attributes:
        client: who sent it; a client's operations take effect in the order in which it sent them, also when
            they were sent at once. One that reconnects is another client.
        name: what it does, in the words of the model that will judge it (`stress.models`).
        key: the key; models are of single keys.
        args: hashable arguments.
        called, returned: the two moments; `returned` is None if the outcome is not known.
        result: what the reply said, as the model writes it.
    """

    client: Hashable
    name: str
    key: Hashable
    args: tuple[Any, ...] = ()
    called: int = 0
    returned: int | None = None
    result: Any = None

    def __str__(self) -> str:
        words = " ".join([self.name, *map(text, self.args)])
        outcome = "nobody knows" if self.returned is None else text(self.result)
        return f"{words} -> {outcome}"


def text(value: Any) -> str:
    """A value as a message shows it: bytes without their quotes, collections in short."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, tuple):
        return f"[{' '.join(map(text, value))}]"
    if isinstance(value, frozenset):
        return "{" + " ".join(sorted(map(text, value))) + "}"
    return "nil" if value is None else str(value)


def by_key(operations: Iterable[Operation]) -> dict[Hashable, list[Operation]]:
    """Operations of every key, each key's in their order. O(operations)."""
    parts: dict[Hashable, list[Operation]] = {}
    for operation in operations:
        if operation.key not in parts:
            parts[operation.key] = []
        parts[operation.key].append(operation)
    return parts


class Stamped(Protocol):
    """What has two moments: an `Operation`, or a transaction (`stress.cycles`)."""

    called: int
    returned: int | None


class Journal:
    """The operations of one client, stamped by whoever carries them.

    A program announces with `call` what it is about to send and tells with `end` what came of it; the carrier
    (`stress.play`) says with `sent` and `answered` when the bytes went and came. What was announced and never
    answered stays without an outcome.

    Attributes:
        client: the name of the connection; `reconnect` changes it.
        operations: all of them, in the order of `call`.
    """

    __slots__ = ("client", "operations", "_player", "_generation", "_unsent", "_answered_at")

    def __init__(self, player: int) -> None:
        self._player = player
        self._generation = 0
        self.client = (player, 0)
        self.operations: list[Operation] = []
        self._unsent: list[Stamped] = []
        self._answered_at = 0

    def call(self, name: str, key: Hashable, *args: Any) -> Operation:
        """Announce an operation that the next request contains."""
        operation = Operation(self.client, name, key, args)
        self.operations.append(operation)
        self._unsent.append(operation)
        return operation

    def announce(self, item: Stamped) -> None:
        """Announce something else that is to be stamped; its owner keeps it."""
        self._unsent.append(item)

    def end(self, operation: Operation, result: Any) -> None:
        """The reply that was answered last tells what came of `operation`."""
        operation.returned = self._answered_at
        operation.result = result

    def close(self, item: Stamped) -> None:
        """The reply that was answered last is that of `item`."""
        item.returned = self._answered_at

    def forget(self, operation: Operation) -> None:
        """The reply says that `operation` did not take place at all, as EXEC after a broken WATCH."""
        at = next(at for at in reversed(range(len(self.operations))) if self.operations[at] is operation)
        del self.operations[at]

    def sent(self, now: int) -> None:
        """The announced operations go out; `now` was read before."""
        for item in self._unsent:
            item.called = now
        self._unsent.clear()

    def answered(self, now: int) -> None:
        """The reply is complete; `now` was read afterwards."""
        self._answered_at = now

    def reconnect(self) -> None:
        """The connection is gone; what follows is another client's."""
        assert not self._unsent, "announced, but never sent"
        self._generation += 1
        self.client = (self._player, self._generation)
