"""What clients of a simulated server sent and got, and when; and whether one order of it all explains it.

Time is the simulation's step count. A command was sent at the step that handed its pipeline over, and
answered at the step that completed the pipeline. Whoever disconnects never learns: of the pipeline it had in
flight, any number of commands from the front may have run, at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nogil_df.simulation import SimulatedClient, Simulation
from tests.resp import Decoder
from tests.vll.model import Args, State, plain, run

NEVER = 1 << 60


@dataclass(slots=True)
class Operation:
    """One command, or one MULTI ... EXEC, and what became of it.

    Attributes:
        sent, answered: steps of the simulation; `answered` is NEVER for what got no reply.
        asleep: the step by which it was known to wait, for a blocking command that did.
        reply: as `plain` gives it.
    """

    client: int
    commands: tuple[Args, ...]
    atomic: bool = False
    sent: int = NEVER
    answered: int = NEVER
    asleep: int = NEVER
    reply: Any = None

    def lines(self) -> list[list[bytes]]:
        """What goes over the wire."""
        commands = [list(command) for command in self.commands]
        return [[b"MULTI"], *commands, [b"EXEC"]] if self.atomic else commands


@dataclass(slots=True)
class Recorder:
    """Sends operations through clients of a simulation and keeps what they got.

    Attributes:
        done: the operations that were handed over, by client, in the order of sending.
        on_reply: called with (client, the operations of a pipeline) when it is answered.
    """

    simulation: Simulation
    clients: list[SimulatedClient] = field(default_factory=list)
    done: list[list[Operation]] = field(default_factory=list)
    on_reply: Callable[[int, list[Operation]], None] | None = None
    _pipelines: list[list[list[Operation]]] = field(default_factory=list)
    _flying: list[list[Operation]] = field(default_factory=list)
    _decoders: list[Decoder] = field(default_factory=list)

    def client(self, thread: int | None = None) -> int:
        """Connect a client; returns its number."""
        number = len(self.clients)
        client = self.simulation.client(thread)
        client.on_hand_over = partial(self._sent, number)
        client.on_reply = partial(self._answered, number)
        self.clients.append(client)
        self.done.append([])
        self._pipelines.append([])
        self._flying.append([])
        self._decoders.append(Decoder())
        return number

    def send(self, client: int, *operations: Operation) -> None:
        """Queue a pipeline."""
        self._pipelines[client].append(list(operations))
        self.clients[client].send(*[line for operation in operations for line in operation.lines()])

    def note_sleepers(self) -> None:
        """Note of the clients that wait at this step that they do. O(clients)."""
        for number, client in enumerate(self.clients):
            if client.session.blocked is not None:
                lines = client.session.position
                for operation in self._flying[number]:
                    lines -= len(operation.lines())
                    if not lines:
                        operation.asleep = min(operation.asleep, self.simulation.steps)

    def _sent(self, number: int, client: SimulatedClient) -> None:
        operations = self._pipelines[number].pop(0)
        for operation in operations:
            operation.client = number
            operation.sent = self.simulation.steps
        self.done[number] += operations
        self._flying[number] = operations

    def _answered(self, number: int, client: SimulatedClient) -> None:
        decoder = self._decoders[number]
        decoder.feed(bytes(client.output))
        client.output.clear()
        operations = self._flying[number]
        for operation in operations:
            replies = [decoder.next() for _ in operation.lines()]
            assert replies[-1] is not None, f"{operation} got no reply"
            operation.reply = plain(replies[-1])
            operation.answered = self.simulation.steps
        assert decoder.next() is None, "a reply too many"
        if self.on_reply is not None:
            self.on_reply(number, operations)


def explain(history: list[list[Operation]]) -> list[Operation] | None:
    """Find an order that explains every reply (Wing and Gong's search, remembering dead ends).

    Args:
        history: operations by client, in the order of sending.

    Returns:
        The order, or None if there is none: the history is not strictly serialisable. The search is
        exponential in the number of clients, which are few here.
    """
    ends = [len(operations) for operations in history]
    dead: set[Any] = set()
    stack: list[tuple[tuple[int, ...], State, list[tuple[int, int]]]] = []
    order: list[Operation] = []

    def enter(position: tuple[int, ...], state: State) -> bool:
        """Go to a point of the search that is not known to be hopeless."""
        key = (position, state.frozen())
        if key in dead:
            return False
        dead.add(key)
        stack.append((position, state, _choices(history, position)))
        return True

    enter((0,) * len(history), State())
    while stack:
        position, state, choices = stack[-1]
        if all(
            at == end or history[client][at].answered == NEVER
            for client, (at, end) in enumerate(zip(position, ends, strict=True))
        ):
            return order
        while choices:
            client, _ = choices.pop()
            operation = history[client][position[client]]
            after = state.copy()
            if operation.commands[0][0] == b"ADVANCE":
                after.advance(int(operation.commands[0][1]))
            else:
                reply = run(after, client, operation.commands, atomic=operation.atomic)
                if operation.answered != NEVER and reply != operation.reply:
                    continue
            moved = (*position[:client], position[client] + 1, *position[client + 1 :])
            if enter(moved, after):
                order.append(operation)
                break
        else:
            stack.pop()
            if order:
                order.pop()
    return None


def _choices(history: list[list[Operation]], position: tuple[int, ...]) -> list[tuple[int, int]]:
    """Who may come next: (client, step of its answer), the earliest answered last.

    Nobody may who was sent after another one was answered that has not come yet.
    """
    nexts = [
        (client, operations[at])
        for client, (operations, at) in enumerate(zip(history, position, strict=True))
        if at < len(operations)
    ]
    first_answer = min((operation.answered for _, operation in nexts), default=NEVER)
    found = [(client, operation.answered) for client, operation in nexts if operation.sent <= first_answer]
    return sorted(found, key=lambda choice: -choice[1])
