"""Is a history linearizable? A search for an order of its operations that explains every result.

A history is linearizable if each operation can be thought of as taking effect at one moment between its call
and its return (Herlihy and Wing, 1990). Linearizability is local: a history is linearizable if the history
of every key is, so keys are judged one by one, which keeps the searches small.

`judge` is the search of Wing and Gong ("Testing and verifying concurrent objects", J. Parallel and
Distributed Computing 17, 1993): choose an operation that nothing unfinished returned before, apply it to the
model, compare the result, go on with the rest, and come back when stuck. Lowe's pruning ("Testing for
linearizability", Concurrency and Computation 29(4), 2017) remembers which pairs of (operations placed,
state) were entered: from the same pair the rest would be the same again. That is what makes it practical:
the pairs are few, as only operations that overlap can change places. The search is a loop with a stack of
its own, over a doubly linked list of calls and returns from which what is placed is lifted out.

The number of operations tried is bounded. A search that reaches the bound says GAVE_UP, and `check` treats
that as a failure: a history that nobody could judge must not pass.

An operation without an outcome may be placed at any time after its call, or never. Operations that one
client sent at once, in a pipeline, are placed in the order in which it sent them.

When there is no order, `explain` follows all possible (placed, state) pairs from the beginning, event after
event (Lowe's just-in-time linearization), to the first return that none of them allows, and tells the states
that were possible when that operation was called, and the operations in between, without the reads that
don't matter.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stress.history import ANY, Operation, by_key, text
from stress.models import Model

OK, WRONG, GAVE_UP = "linearizable", "not linearizable", "gave up"

BUDGET = 2_000_000
"""How many times a search may apply an operation: some seconds of CPU."""

_IMPOSSIBLE = object()


@dataclass(slots=True)
class Verdict:
    """What came of one search.

    Attributes:
        outcome: OK, WRONG or GAVE_UP.
        tried: how many times an operation was applied to a state.
        states: how many pairs of (operations placed, state) were entered.
        furthest: the event (an index into `_events`) that the search never got past.
    """

    outcome: str
    tried: int
    states: int
    furthest: int = -1


@dataclass(slots=True)
class Report:
    """What came of all keys: figures for the end of a run."""

    keys: int = 0
    operations: int = 0
    unknown: int = 0
    tried: int = 0
    states: int = 0


class NotLinearizable(AssertionError):
    """No order explains a key's history; or the search gave up, and nobody knows."""


@dataclass(slots=True)
class _Event:
    """A call or a return; `index` is that of the operation."""

    index: int
    is_call: bool


def _events(operations: Sequence[Operation]) -> list[_Event]:
    """Calls and returns by time. What has the same moment overlaps: calls come first."""
    moments: list[tuple[int, int, int]] = []
    for index, operation in enumerate(operations):
        moments.append((operation.called, 0, index))
        if operation.returned is not None:
            moments.append((operation.returned, 1, index))
    moments.sort()
    return [_Event(index, kind == 0) for _, kind, index in moments]


def _pipelined(operations: Sequence[Operation]) -> list[int]:
    """For each operation the one of the same client that must be placed before it though it overlaps; or
    -1.
    """
    last: dict[Hashable, int] = {}
    found = []
    for index, operation in enumerate(operations):
        before = last.get(operation.client, -1)
        if before >= 0:
            returned = operations[before].returned
            if returned is not None and returned < operation.called:
                before = -1
        found.append(before)
        last[operation.client] = index
    return found


def _apply(model: Model, state: Any, operation: Operation) -> Any:
    """The state after an operation, or `_IMPOSSIBLE` if the result would have been another."""
    after, result = model.step(state, operation.name, operation.args)
    if operation.returned is not None and operation.result is not ANY and operation.result != result:
        return _IMPOSSIBLE
    return after


class _Search:
    """Wing and Gong's search with Lowe's memory over the history of one key.

    The operations placed are written as two numbers: `base` operations from the first on, and a bit for each
    that is placed beyond, so that an entry of the memory is small however long the history. Those without an
    outcome may never be placed and would hold `base` up; they have bits of their own.
    """

    __slots__ = ("model", "operations", "budget", "events", "after", "before", "place", "bit")

    def __init__(self, operations: Sequence[Operation], model: Model, budget: int) -> None:
        self.model = model
        self.operations = operations
        self.budget = budget
        self.events = _events(operations)
        count = len(self.events)
        # The linked list; position 0 is its head, event i is at i + 1, `count + 1` its end.
        self.after = list(range(1, count + 3))
        self.before = list(range(-1, count + 1))
        # Where the return of each operation is, or 0.
        self.place = [0] * len(operations)
        # Number among those with, or among those without an outcome, in the order of calls.
        self.bit = [0] * len(operations)
        numbers = [0, 0]
        for position, event in enumerate(self.events, 1):
            if event.is_call:
                unknown = operations[event.index].returned is None
                self.bit[event.index] = numbers[unknown]
                numbers[unknown] += 1
            else:
                self.place[event.index] = position

    def _lift(self, position: int) -> None:
        before, after = self.before[position], self.after[position]
        self.after[before], self.before[after] = after, before

    def _put_back(self, position: int) -> None:
        self.after[self.before[position]] = position
        self.before[self.after[position]] = position

    def run(self) -> Verdict:
        """Search. O(pairs of placed operations and states), which is exponential in what overlaps at
        worst.
        """
        operations, events, after = self.operations, self.events, self.after
        model, place, bit = self.model, self.place, self.bit
        previous = _pipelined(operations)
        placed = bytearray(len(operations))
        end = len(events) + 1
        state: Any = model.initial
        base = window = unknowns = 0
        seen: set[Any] = set()
        stack: list[tuple[int, Any, int, int, int]] = []
        tried = 0
        furthest = 0
        position = after[0]
        while position != end:
            event = events[position - 1]
            index = event.index
            if event.is_call:
                if previous[index] < 0 or placed[previous[index]]:
                    tried += 1
                    if tried > self.budget:
                        return Verdict(GAVE_UP, tried, len(seen), furthest - 1)
                    entered = _apply(model, state, operations[index])
                    if entered is not _IMPOSSIBLE:
                        new_base, new_window, new_unknowns = base, window, unknowns
                        if place[index]:
                            new_window |= 1 << (bit[index] - base)
                            while new_window & 1:
                                new_window >>= 1
                                new_base += 1
                        else:
                            new_unknowns |= 1 << bit[index]
                        pair = (new_base, new_window, new_unknowns, entered)
                        if pair not in seen:
                            seen.add(pair)
                            stack.append((position, state, base, window, unknowns))
                            state, base, window, unknowns = entered, new_base, new_window, new_unknowns
                            placed[index] = 1
                            self._lift(position)
                            if place[index]:
                                self._lift(place[index])
                            position = after[0]
                            continue
                position = after[position]
                continue
            # A return of what is not placed: something chosen so far was wrong.
            furthest = max(furthest, position)
            if not stack:
                return Verdict(WRONG, tried, len(seen), furthest - 1)
            position, state, base, window, unknowns = stack.pop()
            index = events[position - 1].index
            placed[index] = 0
            if place[index]:
                self._put_back(place[index])
            self._put_back(position)
            position = after[position]
        return Verdict(OK, tried, len(seen))


def judge(operations: Sequence[Operation], model: Model, budget: int = BUDGET) -> Verdict:
    """Search an order for the history of one key.

    Args:
        operations: each client's in the order in which it sent them.
        model: what the key is.
        budget: how many times an operation may be applied.
    """
    return _Search(sorted(operations, key=_called), model, budget).run()


def _called(operation: Operation) -> int:
    # Sorting is stable, so what one client sent at once stays in order.
    return operation.called


def check(
    operations: Iterable[Operation], model: Model | Callable[[Hashable], Model], budget: int = BUDGET
) -> Report:
    """Judge every key of a history.

    Args:
        operations: of any keys; each client's in the order in which it sent them.
        model: of all keys, or a function from a key to its model.
        budget: for each key.

    Raises:
        NotLinearizable: with the smallest window that shows it; also if the search gave up.
    """
    report = Report()
    for key, part in by_key(operations).items():
        chosen = model if isinstance(model, Model) else model(key)
        verdict = judge(part, chosen, budget)
        report.keys += 1
        report.operations += len(part)
        report.unknown += sum(operation.returned is None for operation in part)
        report.tried += verdict.tried
        report.states += verdict.states
        if verdict.outcome == GAVE_UP:
            raise NotLinearizable(
                f"{chosen.name} {text(key)}: gave up after {verdict.tried} steps on {len(part)} operations; "
                "whether the history is linearizable is not known"
            )
        if verdict.outcome == WRONG:
            raise NotLinearizable(f"{chosen.name} {text(key)} is not linearizable\n{explain(part, chosen)}")
    return report


# A possible past: the state, and which of the operations still going on have taken effect.
_Past = tuple[Any, frozenset[int]]


@dataclass(slots=True)
class _Window:
    """Where every possible past ends: the pasts when the fatal operation was called, and what happened
    since.
    """

    pasts: set[_Past]
    events: list[_Event]
    pending: set[int] = field(default_factory=set)


class _Pasts:
    """Follows all possible pasts of a history, event after event."""

    __slots__ = ("operations", "model", "previous", "budget")

    def __init__(self, operations: Sequence[Operation], model: Model, budget: int) -> None:
        self.operations = operations
        self.model = model
        self.previous = _pipelined(operations)
        self.budget = budget

    def survive(self, pasts: set[_Past], pending: set[int], returned: int) -> set[_Past]:
        """The pasts in which `returned` has taken effect by now. `pending` contains it."""
        found: set[_Past] = set()
        seen = set(pasts)
        todo = list(pasts)
        while todo:
            state, effective = todo.pop()
            if returned in effective:
                found.add((state, effective - {returned}))
                continue
            for index in pending - effective:
                before = self.previous[index]
                if before in pending and before not in effective:
                    continue
                self.budget -= 1
                after = _apply(self.model, state, self.operations[index])
                past = (after, effective | {index})
                if after is not _IMPOSSIBLE and past not in seen:
                    seen.add(past)
                    todo.append(past)
            if self.budget < 0:
                raise _TooManyPasts
        return found

    def replay(self, window: _Window, without: frozenset[int] = frozenset()) -> int:
        """The position of the first return that no past allows, or -1. Operations `without` are left out."""
        pasts, pending = set(window.pasts), set(window.pending)
        for position, event in enumerate(window.events):
            if event.index in without:
                continue
            if event.is_call:
                pending.add(event.index)
                continue
            pasts = self.survive(pasts, pending, event.index)
            pending.discard(event.index)
            if not pasts:
                return position
        return -1

    def fatal_window(self, events: list[_Event]) -> _Window:
        """Cut the history at the call of the operation whose return no past allows."""
        whole = _Window({(self.model.initial, frozenset())}, events)
        fatal = self.replay(whole)
        assert fatal >= 0, "the history is linearizable"
        failed = events[fatal].index
        start = next(at for at, event in enumerate(events) if event.is_call and event.index == failed)
        pasts: set[_Past] = whole.pasts
        pending: set[int] = set()
        for event in events[:start]:
            if event.is_call:
                pending.add(event.index)
            else:
                pasts = self.survive(pasts, pending, event.index)
                pending.discard(event.index)
        return _Window(pasts, events[start : fatal + 1], pending)

    def needless_reads(self, window: _Window) -> frozenset[int]:
        """Reads that can be left out of the window, and still no past survives it. They change no state."""
        fatal = window.events[-1].index
        without: frozenset[int] = frozenset()
        for index in window.pending | {event.index for event in window.events}:
            tried = without | {index}
            is_read = self.operations[index].name in self.model.reads
            if index != fatal and is_read and self.replay(window, tried) == len(window.events) - 1:
                without = tried
        return without


class _TooManyPasts(Exception):
    """There are more possible pasts than the budget lets us follow."""


def explain(operations: Sequence[Operation], model: Model, budget: int = BUDGET) -> str:
    """Tell why a history that `judge` found wrong is wrong, in as few operations as can be.

    Returns:
        The states possible when the operation was called whose result nothing explains, and everything that
        went on between its call and its return; or the end of the history, if the possible pasts are too
        many.
    """
    operations = sorted(operations, key=_called)
    events = _events(operations)
    pasts = _Pasts(operations, model, budget)
    try:
        window = pasts.fatal_window(events)
        left_out = pasts.needless_reads(window)
    except _TooManyPasts:
        furthest = judge(operations, model).furthest
        last = events[furthest].index
        near = operations[max(0, last - 20) : last + 1]
        return "\n".join(["too many pasts to tell them all; it went well before:", *_lines(near)])
    shown = (window.pending | {event.index for event in window.events}) - left_out
    fatal = window.events[-1].index
    lines = ["possible at first:"]
    for state, effective in sorted(window.pasts, key=str)[:8]:
        done = [f"({operations[index]}) had taken effect" for index in sorted(effective - left_out)]
        lines.append("  " + ", ".join([text(state), *done]))
    if len(window.pasts) > 8:
        lines.append(f"  ... {len(window.pasts) - 8} more")
    lines.append("then, where the last one has no explanation:")
    lines += _lines([operations[index] for index in sorted(shown - {fatal})] + [operations[fatal]])
    return "\n".join(lines)


def _lines(operations: Sequence[Operation]) -> list[str]:
    """Operations with the times of their calls and returns, in units of the clock since the first of them."""
    start = min((operation.called for operation in operations), default=0)
    return [
        f"  {operation.called - start:>10} .. "
        f"{'never' if operation.returned is None else operation.returned - start:>10}"
        f"  client {operation.client}: {operation}"
        for operation in operations
    ]
