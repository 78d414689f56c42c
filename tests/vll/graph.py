"""Serialisability of long histories by a graph: every key is a list that commands append to and read.

Tokens are unique, so a list tells the order of its writes, and a read tells which of them it saw (the idea
is that of Elle, "Inferring isolation anomalies from experimental observations", VLDB 2020). Edges say who
must come before whom:

    written before    a list's tokens are in the order of their writes
    read from         who saw a token comes after who appended it
    overtaken         who did not see a token comes before who appended it
    own order         of each client
    real time         what was answered before another was sent

The history is strictly serialisable if and only if there is no circle.
"""

from __future__ import annotations

import itertools
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tests.vll.history import NEVER, Operation
from tests.vll.model import NIL

Node = Any


def appends(operation: Operation) -> list[tuple[bytes, bytes]]:
    """(key, token) of every append."""
    return [(words[0], words[1]) for name, *words in operation.commands if name == b"APPEND"]


def reads(operation: Operation) -> list[tuple[bytes, list[bytes]]]:
    """(key, tokens seen) of every read that was answered."""
    if operation.answered == NEVER or operation.reply == NIL:
        return []
    replies = operation.reply if operation.atomic else (operation.reply,)
    found: list[tuple[bytes, list[bytes]]] = []
    for (name, *words), reply in zip(operation.commands, replies, strict=True):
        if name == b"GET":
            found.append((words[0], tokens(reply)))
        elif name == b"MGET":
            found += zip(words, map(tokens, reply), strict=True)
    return found


def tokens(value: bytes | None) -> list[bytes]:
    """The tokens in a list; each of them ends in a comma."""
    return [part + b"," for part in (value or b"").split(b",")[:-1]]


def circle(history: list[list[Operation]], final: dict[bytes, list[bytes]]) -> list[Operation] | None:
    """Operations that would each have to come before the next, if there are such.

    Args:
        history: operations by client, in the order of sending.
        final: the tokens of every key when all was over.

    Raises:
        AssertionError: a read that is no beginning of the list, a token lost or from nowhere.
    """
    writers = {token: operation for part in history for operation in part for _, token in appends(operation)}
    sorter: TopologicalSorter[Node] = TopologicalSorter()
    names: dict[int, Operation] = {}

    def before(first: Operation, second: Operation) -> None:
        if first is not second:
            sorter.add(id(second), id(first))

    for key, order in final.items():
        for token in order:
            assert token in writers, f"{token!r} in {key!r} was written by nobody"
        for first, second in itertools.pairwise(order):
            before(writers[first], writers[second])
    for part in history:
        for operation in part:
            names[id(operation)] = operation
            for key, token in appends(operation):
                gone = operation.answered != NEVER and operation.reply != NIL and token not in final[key]
                assert not gone, f"{token!r} in {key!r} was lost"
            for key, seen in reads(operation):
                order = final[key]
                assert seen == order[: len(seen)], f"{key!r} read as {seen}, was {order}"
                if seen:
                    before(writers[seen[-1]], operation)
                if len(seen) < len(order):
                    before(operation, writers[order[len(seen)]])
        for one, two in itertools.pairwise(part):
            before(one, two)
    _add_real_time(sorter, history)
    try:
        sorter.prepare()
    except CycleError as error:
        return [names[node] for node in error.args[1] if node in names]
    return None


def _add_real_time(sorter: TopologicalSorter[Node], history: list[list[Operation]]) -> None:
    """Edges from what was answered to what was sent later, by way of a node for every step."""
    steps = sorted({operation.sent for part in history for operation in part})
    for earlier, later in itertools.pairwise(steps):
        sorter.add(("step", later), ("step", earlier))
    for part in history:
        for operation in part:
            sorter.add(id(operation), ("step", operation.sent))
            after = next((step for step in steps if step > operation.answered), None)
            if after is not None:
                sorter.add(("step", after), id(operation))
