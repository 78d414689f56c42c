"""What commands do, told once more in the plainest way: one dict a database, one command after the other.

A server is strictly serialisable if its replies are those that this model gives for *some* order of the
commands, an order that keeps each client's own and never puts a command before one that was answered before
it was sent. `explain` looks for such an order.

The model is the commands' meaning, not their code: it knows no shards, hops or locks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.resp import Reply

Args = tuple[bytes, ...]
Key = tuple[int, bytes]

NIL = "nil array"
OK = "OK"


def plain(reply: Reply) -> Any:
    """A reply as the model writes it: str for simple strings, ("-", code) for errors, tuples for arrays."""
    if reply.kind == "*":
        return NIL if reply.value is None else tuple(map(plain, reply.value))
    if reply.kind == "+":
        return reply.value.decode()
    if reply.kind == "-":
        return ("-", reply.value.split()[0])
    return reply.value


@dataclass(slots=True)
class State:
    """All databases, what has a deadline, and what clients watch.

    Attributes:
        watched: client -> the keys it watches; a client whose watch was broken has None.
    """

    now: int = 0
    data: dict[Key, bytes] = field(default_factory=dict)
    deadlines: dict[Key, int] = field(default_factory=dict)
    watched: dict[int, frozenset[Key] | None] = field(default_factory=dict)

    def copy(self) -> State:
        """One that can change independently."""
        return State(self.now, dict(self.data), dict(self.deadlines), dict(self.watched))

    def frozen(self) -> Any:
        """A value equal for equal states."""
        return (
            self.now,
            frozenset(self.data.items()),
            frozenset(self.deadlines.items()),
            frozenset(self.watched.items()),
        )

    def touch(self, key: Key) -> None:
        """A key changed: whoever watches it must not succeed."""
        for client, keys in self.watched.items():
            if keys is not None and key in keys:
                self.watched[client] = None

    def put(self, key: Key, value: bytes, deadline: int = 0) -> None:
        """Store a record in place of whatever is there."""
        self.data[key] = value
        self.deadlines.pop(key, None)
        if deadline:
            self.deadlines[key] = deadline
        self.touch(key)

    def drop(self, key: Key) -> bool:
        """Remove a record; False if there is none."""
        if self.data.pop(key, None) is None:
            return False
        self.deadlines.pop(key, None)
        self.touch(key)
        return True

    def advance(self, ms: int) -> None:
        """Let time pass, and what has expired go."""
        self.now += ms
        for key in [key for key, when in self.deadlines.items() if when < self.now]:
            self.drop(key)


def run(state: State, client: int, commands: tuple[Args, ...], *, atomic: bool) -> Any:
    """Run one command, or several as one EXEC, and return the reply."""
    if not atomic:
        return one(state, client, commands[0])
    kept = state.watched.pop(client, frozenset())
    if kept is None:
        return NIL
    return tuple(one(state, client, command) for command in commands)


def one(state: State, client: int, args: Args) -> Any:
    """Run one command on database 0 and return its reply."""
    name, words = args[0], args[1:]
    keys = [(0, word) for word in words]
    if name == b"GET":
        return state.data.get(keys[0])
    if name == b"MGET":
        return tuple(state.data.get(key) for key in keys)
    if name == b"SET":
        state.put(keys[0], words[1])
        return OK
    if name == b"MSET":
        for key, value in zip(keys[::2], words[1::2], strict=True):
            state.put(key, value)
        return OK
    if name == b"MSETNX":
        if any(key in state.data for key in keys[::2]):
            return 0
        for key, value in zip(keys[::2], words[1::2], strict=True):
            state.put(key, value)
        return 1
    if name == b"DEL":
        return sum(state.drop(key) for key in keys)
    if name == b"EXISTS":
        return sum(key in state.data for key in keys)
    if name in (b"RENAME", b"COPY"):
        return (
            _rename(state, *keys) if name == b"RENAME" else _copy(state, *keys, replace=b"REPLACE" in words)
        )
    if name == b"EXPIRE":
        if keys[0] not in state.data:
            return 0
        state.deadlines[keys[0]] = state.now + 1000 * int(words[1])
        state.touch(keys[0])
        return 1
    if name == b"DBSIZE":
        return sum(database == 0 for database, _ in state.data)
    return _of_databases(state, client, name, keys)


def _of_databases(state: State, client: int, name: bytes, keys: list[Key]) -> Any:
    if name == b"FLUSHALL":
        for key in list(state.data):
            state.drop(key)
    elif name == b"SWAPDB":
        for database, key in list(state.data):
            state.touch((database, key))
            state.touch((1 - database, key))
        state.data = {(1 - database, key): value for (database, key), value in state.data.items()}
        state.deadlines = {(1 - database, key): when for (database, key), when in state.deadlines.items()}
    elif name == b"WATCH":
        held = state.watched.get(client, frozenset())
        if held is not None:
            state.watched[client] = held | frozenset(keys)
    elif name == b"UNWATCH":
        state.watched.pop(client, None)
    else:
        raise AssertionError(f"the model does not know {name!r}")
    return OK


def _rename(state: State, source: Key, target: Key) -> Any:
    if source not in state.data:
        return ("-", b"ERR")
    if source != target:
        value, deadline = state.data[source], state.deadlines.get(source, 0)
        state.drop(source)
        state.put(target, value, deadline)
    return OK


def _copy(state: State, source: Key, target: Key, *rest: Key, replace: bool) -> int:
    if source not in state.data or (target in state.data and not replace):
        return 0
    state.put(target, state.data[source], state.deadlines.get(source, 0))
    return 1
