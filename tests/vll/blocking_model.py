"""Lists and blocking commands as one client after the other would see them, and the search for such an order.

The model is Redis's, on one thread, with one freedom more: a waiter need not be served in the very step
that made its key ready. But until it was, nobody else may look at that key or change it. So an element that
is stolen, lost, doubled, or given to who came later, is a history that no order explains.

What happens in an order, besides the commands themselves: the head of a ready key's line is served, and a
waiter whose reply was null goes away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.vll.history import NEVER, Operation
from tests.vll.model import NIL

Args = tuple[bytes, ...]
Lists = dict[bytes, tuple[bytes, ...]]

_ELSEWHERE = object()


@dataclass(slots=True)
class Model:
    """A moment of an order.

    Attributes:
        lists: no empty ones.
        lines: by key, the clients that wait for it, in the order they came.
        waiting: by client, its blocking command.
        ready: keys that were written while somebody waited for them.
    """

    lists: Lists = field(default_factory=dict)
    lines: dict[bytes, tuple[int, ...]] = field(default_factory=dict)
    waiting: dict[int, Args] = field(default_factory=dict)
    ready: frozenset[bytes] = frozenset()

    def copy(self) -> Model:
        """Another one to go on from."""
        return Model(dict(self.lists), dict(self.lines), dict(self.waiting), self.ready)

    def frozen(self) -> Any:
        """Hashable, equal for equal moments."""
        return (
            frozenset(self.lists.items()),
            frozenset(self.lines.items()),
            frozenset(self.waiting.items()),
            self.ready,
        )

    def push(self, key: bytes, values: tuple[bytes, ...], left: bool) -> int:
        """Add elements at an end, one after the other."""
        held = self.lists.get(key, ())
        self.lists[key] = held = values[::-1] + held if left else held + values
        if key in self.lines:
            self.ready |= {key}
        return len(held)

    def pop(self, key: bytes, left: bool) -> bytes | None:
        """Take the element at an end."""
        held = self.lists.pop(key, ())
        if not held:
            return None
        element, rest = (held[0], held[1:]) if left else (held[-1], held[:-1])
        if rest:
            self.lists[key] = rest
        return element

    def move(self, source: bytes, target: bytes, from_left: bool, to_left: bool) -> bytes | None:
        """LMOVE."""
        element = self.pop(source, from_left)
        if element is not None:
            self.push(target, (element,), to_left)
        return element

    def leave(self, client: int) -> None:
        """A wait is over."""
        for key in _keys(self.waiting.pop(client)):
            line = tuple(one for one in self.lines.get(key, ()) if one != client)
            if line:
                self.lines[key] = line
            elif key in self.lines:
                del self.lines[key]
                self.ready -= {key}

    def serve(self, key: bytes) -> tuple[int, Any] | None:
        """Serve the head of a ready key's line. Returns (client, reply); None if there is nothing (left)."""
        if key not in self.lists:
            self.ready -= {key}
            return None
        client = self.lines[key][0]
        command = self.waiting[client]
        self.leave(client)
        return client, self._take(command, key)

    def run(self, client: int, command: Args, *, waits: bool) -> Any:
        """Run a command; `_ELSEWHERE` if it waits now."""
        name, key = command[0], command[1]
        if name in (b"LPUSH", b"RPUSH"):
            return self.push(key, command[2:], name == b"LPUSH")
        if name == b"LPOP":
            return self.pop(key, True)
        if name == b"LRANGE":
            return self.lists.get(key, ())
        if name == b"LMOVE":
            return self.move(key, command[2], command[3] == b"LEFT", command[4] == b"LEFT")
        for key in _keys(command):
            if key in self.lists:
                return self._take(command, key)
        if not waits:
            return None
        self.waiting[client] = command
        for key in dict.fromkeys(_keys(command)):
            self.lines[key] = (*self.lines.get(key, ()), client)
        return _ELSEWHERE

    def _take(self, command: Args, key: bytes) -> Any:
        if command[0] == b"BLPOP":
            return key, self.pop(key, True)
        return self.move(key, command[2], command[3] == b"LEFT", command[4] == b"LEFT")


def _keys(command: Args) -> tuple[bytes, ...]:
    """Keys that a blocking command waits for."""
    return command[1:-1] if command[0] == b"BLPOP" else command[1:2]


def _touched(command: Args) -> tuple[bytes, ...]:
    if command[0] == b"BLPOP":
        return command[1:-1]
    return command[1:3] if command[0] in (b"LMOVE", b"BLMOVE") else command[1:2]


def explained(history: list[list[Operation]]) -> bool:
    """Whether some order explains all replies. ``history``: by client, in the order of sending."""
    ends = [len(operations) for operations in history]
    seen: set[Any] = set()
    stack: list[tuple[tuple[int, ...], Model]] = [((0,) * len(history), Model())]
    while stack:
        position, model = stack.pop()
        if _is_end(history, position, ends, model):
            return True
        mark = (position, model.frozen())
        if mark not in seen:
            seen.add(mark)
            stack += _next(history, position, model)
    return False


def _is_end(history: list[list[Operation]], position: tuple[int, ...], ends: list[int], model: Model) -> bool:
    """Nobody who got a reply is left; whoever was cut off may have got anywhere."""
    for client, (at, end) in enumerate(zip(position, ends, strict=True)):
        if any(operation.answered < NEVER for operation in history[client][at:end]):
            return False
        if client in model.waiting and history[client][at - 1].answered < NEVER:
            return False
    return True


def _next(
    history: list[list[Operation]], position: tuple[int, ...], model: Model
) -> list[tuple[tuple[int, ...], Model]]:
    found: list[tuple[tuple[int, ...], Model]] = []
    # Nothing may come after an operation that was sent after this one was answered, or was seen to wait.
    horizon = NEVER
    for client, at in enumerate(position):
        if client in model.waiting:
            horizon = min(horizon, history[client][at - 1].answered)
        elif at < len(history[client]):
            horizon = min(horizon, history[client][at].answered, history[client][at].asleep)
    for key in model.ready:
        moved = model.copy()
        served = moved.serve(key)
        if served is None or _fits(history[served[0]][position[served[0]] - 1], served[1]):
            found.append((position, moved))
    for client, at in enumerate(position):
        if client in model.waiting:
            operation = history[client][at - 1]
            if _fits(operation, None):
                moved = model.copy()
                moved.leave(client)
                found.append((position, moved))
            continue
        if at < len(history[client]) and history[client][at].sent <= horizon:
            moved = model.copy()
            if _run(moved, client, history[client][at]):
                found.append(((*position[:client], at + 1, *position[client + 1 :]), moved))
    return found


def _run(model: Model, client: int, operation: Operation) -> bool:
    """Run an operation; False if that is not what happened."""
    if any(key in model.ready for command in operation.commands for key in _touched(command)):
        return False
    waits = not operation.atomic
    replies = tuple(model.run(client, command, waits=waits) for command in operation.commands)
    if operation.atomic:
        return _fits(operation, replies)
    return replies[0] is _ELSEWHERE or _fits(operation, replies[0])


def _fits(operation: Operation, reply: Any) -> bool:
    return operation.answered == NEVER or bool(_plain(operation.reply) == reply)


def _plain(reply: Any) -> Any:
    """A reply with one kind of null only."""
    if reply is NIL:
        return None
    return tuple(map(_plain, reply)) if reply.__class__ is tuple else reply
