"""Is a history of transactions strictly serialisable? A search for cycles, after Elle.

Kingsbury and Alvaro ("Elle: Inferring Isolation Anomalies from Experimental Observations", PVLDB 14(3), 2020)
let transactions append unique values to lists and read whole lists. A list that was read tells the order in
which its values were appended, so who depends on whom follows from what clients saw, in linear time, without
a search over orders:

    ww   T appended the value right before U's
    wr   U read T's value, as the last one
    rw   T read the list as it was right before U appended to it

to which come the orders that are known from outside:

    process    a client's own transactions, one after the other
    realtime   T was answered before U was sent

A history is strictly serialisable only if these have no cycle. The components that have are found by Tarjan's
algorithm ("Depth-first search and linear graph algorithms", SIAM J. Computing 1(2), 1972), and the cycle in
each is named after Adya ("Weak Consistency", MIT, 1999), by the worst thing that it consists of: G0 of ww
alone, G1c with wr, G-single with one rw, G2 with several; a suffix says that process or realtime order is
needed for it.

Some anomalies need no cycle: G1a (read what was aborted), G1b (read what was overwritten by the same
transaction), lost update (two read the same version and both appended), incompatible order (two reads,
neither a beginning of the other), and reads that no history could give: values of nobody, values twice, and
a transaction that does not see what it did itself (internal).

Lists here never shrink. So a value of a transaction that took place, seen by nobody, comes after all that
was seen: whoever read the longest list is before it. That finds writes that were lost.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from stress.history import text

WW, WR, RW, PROCESS, REALTIME = "ww", "wr", "rw", "process", "realtime"

_ORDERS: tuple[tuple[str, frozenset[str]], ...] = (
    ("", frozenset()),
    ("-process", frozenset((PROCESS,))),
    ("-realtime", frozenset((PROCESS, REALTIME))),
)

# Name, an edge that the cycle must have, what the rest of it may consist of.
_CLASSES: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("G0", WW, frozenset((WW,))),
    ("G1c", WR, frozenset((WW, WR))),
    ("G-single", RW, frozenset((WW, WR))),
    ("G2", RW, frozenset((WW, WR, RW))),
)


@dataclass(frozen=True, slots=True)
class Append:
    """A step: append a value that nobody else appends to this key."""

    key: Hashable
    value: Hashable

    def __str__(self) -> str:
        return f"append {text(self.key)} {text(self.value)}"


@dataclass(frozen=True, slots=True)
class Read:
    """A step: read a list whole. `seen` is None if the reply is not known."""

    key: Hashable
    seen: tuple[Hashable, ...] | None = None

    def __str__(self) -> str:
        return f"read {text(self.key)}" + ("" if self.seen is None else f" {text(self.seen)}")


@dataclass(slots=True, eq=False)
class Transaction:
    """Several steps that claim to be one.

    Attributes:
        client: who sent it.
        steps: in their order, reads with what they saw.
        called, returned: the moments before sending and after the reply; `returned` is None without one.
        committed: False if the reply says that nothing took place, None if there was no reply.
        number: its place in the history, for messages.
    """

    client: Hashable
    steps: Sequence[Append | Read]
    called: int = 0
    returned: int | None = None
    committed: bool | None = None
    number: int = 0

    def __str__(self) -> str:
        fate = {True: "", False: " (aborted)", None: " (nobody knows)"}[self.committed]
        return f"T{self.number} of client {self.client}{fate}: " + "; ".join(map(str, self.steps))


@dataclass(slots=True)
class Anomaly:
    """Something that no serial order of the transactions explains."""

    name: str
    transactions: list[Transaction]
    reasons: list[str]

    def __str__(self) -> str:
        lines = [self.name, *(f"  {transaction}" for transaction in self.transactions)]
        return "\n".join([*lines, *(f"  - {reason}" for reason in self.reasons)])


@dataclass(slots=True)
class Report:
    """Figures of a history without anomaly."""

    transactions: int = 0
    aborted: int = 0
    unknown: int = 0
    keys: int = 0
    edges: Counter[str] = field(default_factory=Counter)


class NotSerializable(AssertionError):
    """The history has anomalies."""


def check(transactions: Iterable[Transaction]) -> Report:
    """Look for every kind of anomaly.

    Args:
        transactions: each client's in the order of sending.

    Raises:
        NotSerializable: there are some; the message tells them, cycles edge by edge.
        ValueError: a value was appended twice, so that nothing can be inferred.
    """
    analysis = _Analysis(transactions)
    anomalies = analysis.anomalies()
    if anomalies:
        rest = f"\n... and {len(anomalies) - 5} more" if len(anomalies) > 5 else ""
        raise NotSerializable("\n".join(map(str, anomalies[:5])) + rest)
    return analysis.report()


def anomalies(transactions: Iterable[Transaction]) -> list[Anomaly]:
    """All anomalies that are found: one cycle for each component of the graph. O(history) but for the
    last.
    """
    return _Analysis(transactions).anomalies()


class _Analysis:
    """What follows from one history."""

    __slots__ = ("history", "writers", "orders", "confused", "found", "taken_place", "graph")

    def __init__(self, transactions: Iterable[Transaction]) -> None:
        self.history = sorted(transactions, key=_called)
        for number, transaction in enumerate(self.history):
            transaction.number = number
        self.writers = _writers(self.history)
        self.found: list[Anomaly] = []
        # Keys whose reads contradict each other: nothing is inferred from them.
        self.confused: set[Hashable] = set()
        self._look_at_reads()
        self.orders = self._orders()
        self.taken_place = self._taken_place()
        self._look_at_updates()
        self.graph = _Graph()
        self._infer()

    def report(self) -> Report:
        """The figures."""
        kinds = Counter(kind for reasons in self.graph.edges.values() for kind in reasons)
        return Report(
            transactions=len(self.history),
            aborted=sum(one.committed is False for one in self.history),
            unknown=sum(one.committed is None for one in self.history),
            keys=len({step.key for one in self.history for step in one.steps}),
            edges=kinds,
        )

    def anomalies(self) -> list[Anomaly]:
        """What single reads show, then one cycle for each strongly connected component."""
        return [*self.found, *self.graph.cycles()]

    # Reads one by one.

    def _blame(self, name: str, transactions: Sequence[Transaction], reason: str) -> None:
        self.found.append(Anomaly(name, list(dict.fromkeys(transactions)), [reason]))

    def _reads(self) -> Iterator[tuple[Transaction, Hashable, tuple[Hashable, ...]]]:
        for transaction in self.history:
            for step in transaction.steps:
                if isinstance(step, Read) and step.seen is not None:
                    yield transaction, step.key, step.seen

    def _look_at_reads(self) -> None:
        for reader, key, seen in self._reads():
            if len(set(seen)) < len(seen):
                twice = [value for value, times in Counter(seen).items() if times > 1]
                self._blame("duplicate elements", [reader], f"{text(key)} has {text(twice[0])} twice")
                self.confused.add(key)
            for value in seen:
                writer = self.writers.get((key, value))
                if writer is None:
                    self._blame("garbage read", [reader], f"nobody appended {text(value)} to {text(key)}")
                    self.confused.add(key)
                elif writer.committed is False:
                    self._blame("G1a", [writer, reader], f"{text(value)} in {text(key)} was aborted")
            self._look_for_half(reader, key, seen)
        for transaction in self.history:
            self._look_inside(transaction)

    def _look_for_half(self, reader: Transaction, key: Hashable, seen: tuple[Hashable, ...]) -> None:
        """G1b: the last value seen is not the last one its writer appended to this key."""
        writer = self.writers.get((key, seen[-1])) if seen else None
        if writer is None or writer is reader:
            return
        values = [step.value for step in writer.steps if isinstance(step, Append) and step.key == key]
        if values[-1] != seen[-1]:
            reason = f"{text(key)} ends in {text(seen[-1])}, though {text(values[-1])} was appended with it"
            self._blame("G1b", [writer, reader], reason)

    def _look_inside(self, transaction: Transaction) -> None:
        """A transaction sees what it saw and did before, and nothing else."""
        known: dict[Hashable, tuple[Hashable, ...]] = {}
        appended: dict[Hashable, tuple[Hashable, ...]] = {}
        for step in transaction.steps:
            if isinstance(step, Append):
                appended[step.key] = (*appended.get(step.key, ()), step.value)
            elif step.seen is not None:
                own = appended.get(step.key, ())
                if step.key in known:
                    fits = step.seen == known[step.key] + own
                else:
                    fits = step.seen[len(step.seen) - len(own) :] == own
                if not fits:
                    reason = f"{text(step.key)} is not what it was before, with what was done since"
                    self._blame("internal", [transaction], reason)
                known[step.key] = step.seen
                appended[step.key] = ()

    # The order of each key's values.

    def _orders(self) -> dict[Hashable, tuple[Hashable, ...]]:
        longest: dict[Hashable, tuple[Transaction, tuple[Hashable, ...]]] = {}
        for reader, key, seen in self._reads():
            if key not in longest or len(seen) > len(longest[key][1]):
                longest[key] = (reader, seen)
        for reader, key, seen in self._reads():
            other, order = longest[key]
            if order[: len(seen)] != seen and key not in self.confused:
                self.confused.add(key)
                reason = f"{text(key)}: neither {text(seen)} nor {text(order)} begins with the other"
                self._blame("incompatible order", [reader, other], reason)
        return {key: order for key, (_, order) in longest.items() if key not in self.confused}

    def _taken_place(self) -> list[Transaction]:
        """Committed transactions, and those of unknown fate whose values were seen."""
        seen = {id(self.writers[key, value]) for key, order in self.orders.items() for value in order}
        return [one for one in self.history if one.committed or (one.committed is None and id(one) in seen)]

    def _look_at_updates(self) -> None:
        updates: dict[tuple[Hashable, tuple[Hashable, ...]], list[Transaction]] = {}
        for transaction in self.taken_place:
            first: dict[Hashable, tuple[Hashable, ...] | None] = {}
            updated: set[Hashable] = set()
            for step in transaction.steps:
                if isinstance(step, Append):
                    updated.add(step.key)
                first.setdefault(step.key, step.seen if isinstance(step, Read) else None)
            for key in updated:
                version = first[key]
                if version is not None:
                    updates.setdefault((key, version), []).append(transaction)
        for (key, version), those in updates.items():
            if len(those) > 1:
                self._blame(
                    "lost update", those, f"all read {text(key)} as {text(version)} and appended to it"
                )

    # Who must come before whom.

    def _infer(self) -> None:
        places = {key: {value: at for at, value in enumerate(order)} for key, order in self.orders.items()}
        readers: dict[Hashable, list[Transaction]] = {}
        add = self.graph.add
        for key, order in self.orders.items():
            for one, two in itertools.pairwise(order):
                reason = f"appended {text(one)} to {text(key)} right before {text(two)}"
                add(self.writers[key, one], self.writers[key, two], WW, reason)
        for reader, key, seen in self._reads():
            if key not in self.orders or reader.committed is False:
                continue
            order = self.orders[key]
            if seen:
                reason = f"appended {text(seen[-1])} to {text(key)}, which was read"
                add(self.writers[key, seen[-1]], reader, WR, reason)
            if len(seen) < len(order):
                reason = f"read {text(key)} before {text(order[len(seen)])} was appended"
                add(reader, self.writers[key, order[len(seen)]], RW, reason)
            else:
                readers.setdefault(key, []).append(reader)
        for writer in self.taken_place:
            for step in writer.steps:
                key = step.key
                if isinstance(step, Append) and key in self.orders and step.value not in places[key]:
                    self._put_last(writer, step, readers.get(key, []))
        self._add_process()
        self._add_realtime()

    def _put_last(self, writer: Transaction, step: Append, readers: Iterable[Transaction]) -> None:
        """Nobody saw what this step appended."""
        order = self.orders[step.key]
        what = f"{text(step.value)}, which nobody saw, was appended to {text(step.key)}"
        if order:
            before = self.writers[step.key, order[-1]]
            self.graph.add(before, writer, WW, f"appended {text(order[-1])} before {what}")
        for reader in readers:
            self.graph.add(reader, writer, RW, f"read it before {what}")

    def _add_process(self) -> None:
        last: dict[Hashable, Transaction] = {}
        for transaction in self.taken_place:
            before = last.get(transaction.client)
            if before is not None:
                self.graph.add(before, transaction, PROCESS, "sent earlier by the same client")
            last[transaction.client] = transaction

    def _add_realtime(self) -> None:
        """An edge from each of those that were answered last to what was sent then; the others follow."""
        moments: list[tuple[int, int, Transaction]] = []
        for transaction in self.taken_place:
            moments.append((transaction.called, 0, transaction))
            if transaction.returned is not None:
                moments.append((transaction.returned, 1, transaction))
        # At the same moment they overlap: calls come first.
        moments.sort(key=lambda moment: moment[:2])
        latest: list[Transaction] = []
        for _, is_return, transaction in moments:
            if is_return:
                latest = [one for one in latest if not _returned_before(one, transaction.called)]
                latest.append(transaction)
            else:
                for one in latest:
                    if _returned_before(one, transaction.called):
                        self.graph.add(one, transaction, REALTIME, "answered before the other was sent")


def _called(transaction: Transaction) -> int:
    return transaction.called


def _returned_before(transaction: Transaction, moment: int) -> bool:
    return transaction.returned is not None and transaction.returned < moment


def _writers(history: Iterable[Transaction]) -> dict[tuple[Hashable, Hashable], Transaction]:
    writers: dict[tuple[Hashable, Hashable], Transaction] = {}
    for transaction in history:
        for step in transaction.steps:
            if isinstance(step, Append):
                if (step.key, step.value) in writers:
                    raise ValueError(f"{text(step.value)} is appended to {text(step.key)} twice")
                writers[step.key, step.value] = transaction
    return writers


class _Graph:
    """Transactions, and for each pair of them the kinds of order between them with a reason for each."""

    __slots__ = ("edges", "successors")

    def __init__(self) -> None:
        self.edges: dict[tuple[Transaction, Transaction], dict[str, str]] = {}
        self.successors: dict[Transaction, list[Transaction]] = {}

    def add(self, before: Transaction, after: Transaction, kind: str, reason: str) -> None:
        """`before` must come before `after`; the first reason of a kind is kept."""
        if before is after:
            return
        pair = (before, after)
        if pair not in self.edges:
            self.edges[pair] = {}
            self.successors.setdefault(before, []).append(after)
            self.successors.setdefault(after, [])
        self.edges[pair].setdefault(kind, reason)

    def cycles(self) -> list[Anomaly]:
        """The worst cycle of every component that has one."""
        return [self._worst(component) for component in self.components() if len(component) > 1]

    def components(self) -> list[list[Transaction]]:
        """Strongly connected components (Tarjan, with a stack of its own). O(nodes + edges)."""
        index: dict[Transaction, int] = {}
        low: dict[Transaction, int] = {}
        path: list[Transaction] = []
        on_path: set[Transaction] = set()
        found: list[list[Transaction]] = []
        for root in self.successors:
            if root in index:
                continue
            work: list[tuple[Transaction, Iterator[Transaction]]] = []
            todo: Transaction | None = root
            while todo is not None or work:
                if todo is not None:
                    index[todo] = low[todo] = len(index)
                    path.append(todo)
                    on_path.add(todo)
                    work.append((todo, iter(self.successors[todo])))
                    todo = None
                node, successors = work[-1]
                for successor in successors:
                    if successor not in index:
                        todo = successor
                        break
                    if successor in on_path:
                        low[node] = min(low[node], index[successor])
                if todo is not None:
                    continue
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    at = path.index(node)
                    found.append(path[at:])
                    on_path.difference_update(path[at:])
                    del path[at:]
        return found

    def _worst(self, component: Collection[Transaction]) -> Anomaly:
        nodes = set(component)
        inside = [pair for pair in self.edges if pair[0] in nodes and pair[1] in nodes]
        for suffix, orders in _ORDERS:
            for name, first, rest in _CLASSES:
                cycle = self._shortest(inside, nodes, first, rest | orders)
                if cycle:
                    return self._tell(name + suffix, cycle, (first, *sorted(rest - {first}), *sorted(orders)))
        # Cycles of process and realtime alone: a client that sent two at once, say, and got them in another
        # order.
        cycle = self._shortest(inside, nodes, PROCESS, frozenset((PROCESS, REALTIME)))
        return self._tell("broken history", cycle, (PROCESS, REALTIME))

    def _shortest(
        self,
        inside: Iterable[tuple[Transaction, Transaction]],
        nodes: set[Transaction],
        first: str,
        rest: frozenset[str],
    ) -> list[Transaction]:
        """The shortest cycle with an edge of kind `first` and else of kinds `rest`; empty if there is
        none.
        """
        best: list[Transaction] = []
        for before, after in inside:
            if first in self.edges[before, after]:
                way = self._way(after, before, nodes, rest)
                if way and (not best or len(way) < len(best)):
                    best = way
                if len(best) == 2:
                    break
        # From the end of that edge to its start: turned so that the edge comes first.
        return [best[-1], *best[:-1]] if best else []

    def _way(
        self, start: Transaction, goal: Transaction, nodes: set[Transaction], kinds: frozenset[str]
    ) -> list[Transaction]:
        """The shortest way along edges of some kinds, both ends included; empty if there is none."""
        came: dict[Transaction, Transaction | None] = {start: None}
        todo = deque([start])
        while todo:
            node = todo.popleft()
            if node is goal:
                way: list[Transaction] = []
                at: Transaction | None = node
                while at is not None:
                    way.append(at)
                    at = came[at]
                return way[::-1]
            for successor in self.successors[node]:
                if (
                    successor in nodes
                    and successor not in came
                    and self.edges[node, successor].keys() & kinds
                ):
                    came[successor] = node
                    todo.append(successor)
        return []

    def _tell(self, name: str, cycle: list[Transaction], kinds: Sequence[str]) -> Anomaly:
        reasons = []
        for at, before in enumerate(cycle):
            after = cycle[(at + 1) % len(cycle)]
            edge = self.edges[before, after]
            # The edge that names the cycle is its first; the others are best told by the strongest kind.
            wanted = kinds if at == 0 else (*(kind for kind in (WW, WR) if kind in kinds), *kinds)
            kind = next(kind for kind in wanted if kind in edge)
            reasons.append(f"T{before.number} before T{after.number} ({kind}): T{before.number} {edge[kind]}")
        return Anomaly(name, cycle, reasons)


def sizes(report: Report) -> dict[str, Any]:
    """A report's figures by name, for the end of a run."""
    edges = {f"edges {kind}": count for kind, count in sorted(report.edges.items())}
    return {
        "transactions": report.transactions,
        "aborted": report.aborted,
        "of unknown fate": report.unknown,
        **edges,
    }
