"""What single keys do, told in the plainest way: an immutable state, and a function from state to state.

A model is deterministic: a state and an operation give the next state and the result. Whether a history is
right is the question whether some order of its operations gives the results that were seen
(`stress.linearizability`). Blocking pops are pops: where they may wait they take effect when they are
served, and say nil only if at some moment in between there was nothing to take.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

State = Any
Step = Callable[[State, str, tuple[Any, ...]], tuple[State, Any]]


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of key.

    Attributes:
        name: for messages.
        initial: the state of a key that nobody wrote.
        step: (state, name, args) -> (next state, result). States are hashable.
        reads: the names of operations that never change the state.
    """

    name: str
    initial: Hashable
    step: Step
    reads: frozenset[str]


def _register(state: State, name: str, args: tuple[Any, ...]) -> tuple[State, Any]:
    if name == "GET":
        return state, state
    if name == "SET":
        return args[0], "OK"
    if name == "GETSET":
        return args[0], state
    if name == "CAS":
        return (args[1], 1) if state == args[0] else (state, 0)
    if name == "DEL":
        return None, int(state is not None)
    if name == "SETNX":
        return (args[0], 1) if state is None else (state, 0)
    raise AssertionError(f"a register does not know {name}")


def _counter(state: State, name: str, args: tuple[Any, ...]) -> tuple[State, Any]:
    if name == "GET":
        return state, state
    if name == "INCRBY":
        return state + args[0], state + args[0]
    if name == "DECRBY":
        return state - args[0], state - args[0]
    raise AssertionError(f"a counter does not know {name}")


def _set(state: State, name: str, args: tuple[Any, ...]) -> tuple[State, Any]:
    if name == "SADD":
        after = state | set(args)
        return after, len(after) - len(state)
    if name == "SREM":
        after = state - set(args)
        return after, len(state) - len(after)
    if name == "SISMEMBER":
        return state, int(args[0] in state)
    if name == "SMEMBERS":
        return state, state
    if name == "SCARD":
        return state, len(state)
    raise AssertionError(f"a set does not know {name}")


def _list(state: State, name: str, args: tuple[Any, ...]) -> tuple[State, Any]:
    if name == "RPUSH":
        return state + args, len(state) + len(args)
    if name == "LPUSH":
        return args[::-1] + state, len(state) + len(args)
    if name == "LPOP":
        return (state[1:], state[0]) if state else (state, None)
    if name == "RPOP":
        return (state[:-1], state[-1]) if state else (state, None)
    if name == "LRANGE":
        return state, state
    if name == "LLEN":
        return state, len(state)
    raise AssertionError(f"a list does not know {name}")


REGISTER = Model("register", None, _register, frozenset(("GET",)))
"""A string: GET, SET value, GETSET value (the old one), CAS expected new (1 or 0), SETNX value, DEL."""

COUNTER = Model("counter", 0, _counter, frozenset(("GET",)))
"""A number: INCRBY amount and DECRBY amount (the sum), GET (0 if there is none)."""

SET = Model("set", frozenset(), _set, frozenset(("SISMEMBER", "SMEMBERS", "SCARD")))
"""A set: SADD and SREM members (how many), SISMEMBER member, SMEMBERS (a frozenset), SCARD."""

LIST = Model("list", (), _list, frozenset(("LRANGE", "LLEN")))
"""A list: LPUSH and RPUSH elements (the length), LPOP and RPOP (or nil), LRANGE (all of it, a tuple),
LLEN.
"""
