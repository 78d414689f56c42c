"""Scenarios: what clients do, written once, for real servers and for simulated ones.

A *role* is a generator function that plays one turn: it yields requests and is sent their replies. It knows
no sockets and no clock, so the same program is carried by threads over real connections (`stress.threads`)
and by the seeded scheduler of a simulated server (`stress.simulated`):

    def transfer(player):
        reply = yield from ask("GET", "account")
        ...

A request may say that the client leaves without its reply: then it is carried to the server, or not, and at
some moment the connection is closed; the role ends there, and its next turn has a new connection.

A *scenario* is a set of roles over the same keys, and what must hold when they are done. Roles assert what
must hold meanwhile.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stress.cycles import Transaction
from stress.history import Journal, Operation
from tests.resp import Reply, as_bytes

Word = bytes | str | int | float
Command = tuple[bytes, ...]

OK = Reply("+", b"OK")
QUEUED = Reply("+", b"QUEUED")


@dataclass(frozen=True, slots=True)
class Request:
    """Commands sent at once. `leave`: the connection is closed at some moment, and no reply is read."""

    commands: tuple[Command, ...]
    leave: bool = False


Turn = Generator[Request, list[Reply]]
Asking = Generator[Request, list[Reply], Any]


@dataclass(slots=True)
class Player:
    """One client of a scenario, over all its connections.

    Attributes:
        number: among the players of the scenario.
        random: its source of choices.
        journal: operations on single keys, for the linearizability checker.
        transactions: for the cycle search.
        figures: what it counted, for the report.
        memory: what a role keeps from turn to turn.
    """

    number: int
    random: random.Random
    journal: Journal
    transactions: list[Transaction] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    memory: dict[Hashable, Any] = field(default_factory=dict)

    def value(self) -> bytes:
        """A value that nobody else writes."""
        self.memory["values"] = self.memory.get("values", 0) + 1
        return b"%d.%d" % (self.number, self.memory["values"])


Role = Callable[[Player], Turn]
# Asks a server that nobody else uses any more.
Ask = Callable[..., Reply]


class Scenario:
    """What some clients do at once, and what must hold.

    An instance serves one run. Players are carried by threads: what they share here must bear that.

    Attributes:
        name: for reports.
    """

    name = "scenario"

    def opening(self) -> list[Command]:
        """Commands that prepare an empty server."""
        return []

    def roles(self) -> list[Role]:
        """One for each player."""
        raise AssertionError("a scenario has roles")

    def quiet(self, waiting: list[tuple[Player, Request]], ask: Ask) -> None:
        """Assert what must hold when all clients wait, and only time can let them go on (simulated ones
        only).
        """

    def closing(self, players: list[Player], ask: Ask) -> None:
        """Assert what must hold now that all turns are over; figures go to `players[0].figures`."""


def command(*words: Word) -> Command:
    """A command as it is sent."""
    return tuple(map(as_bytes, words))


def ask(*words: Word) -> Asking:
    """Send one command; returns its reply."""
    replies = yield Request((command(*words),))
    return replies[0]


def ask_all(commands: Iterable[Command]) -> Asking:
    """Send commands in one pipeline; returns their replies."""
    replies = yield Request(tuple(commands))
    return replies


def leave(*commands: Command) -> Asking:
    """Send commands and hang up."""
    yield Request(commands, leave=True)
    raise AssertionError("the connection is closed")


def ask_together(player: Player, commands: list[Command]) -> Asking:
    """Send a transaction, in one pipeline or command by command.

    Returns:
        The replies of the commands, or None if WATCH prevented it.
    """
    if player.random.random() < 0.7:
        replies = yield Request(((b"MULTI",), *commands, (b"EXEC",)))
    else:
        replies = []
        for one in ((b"MULTI",), *commands, (b"EXEC",)):
            # The journal's moments are those of MULTI's call and EXEC's reply: that errs to the outside.
            replies += yield Request((one,))
    assert replies[0] == OK, replies[0]
    assert replies[1:-1] == [QUEUED] * len(commands), replies
    assert replies[-1].kind == "*", replies[-1]
    return None if replies[-1].value is None else list(replies[-1].value)


def run_script(player: Player, source: str, keys: Sequence[Word], args: Sequence[Word] = ()) -> Asking:
    """EVAL; returns its reply.

    `source` names its keys by KEYS. Sometimes they are given as arguments instead, and nothing is declared:
    the script is atomic all the same, by another way through the server.
    """
    if player.random.random() < 0.3:
        count = len(keys)
        taken = f"local K, A = {{unpack(ARGV, 1, {count})}}, {{unpack(ARGV, {count + 1})}}\n"
        source = taken + source.replace("KEYS", "K").replace("ARGV[", "A[")
        keys, args = (), (*keys, *args)
        player.figures["scripts that declare no keys"] += 1
    player.figures["scripts"] += 1
    reply = yield from ask("EVAL", source, len(keys), *keys, *args)
    assert reply.kind != "-", f"{source} -> {reply}"
    return reply


def value_of(reply: Reply, kind: str = "$") -> Any:
    """The value of a reply that must be of a kind."""
    assert reply.kind == kind, reply
    return reply.value


def values_of(reply: Reply) -> list[Any]:
    """The values of an array's elements."""
    assert reply.kind == "*", reply
    assert reply.value is not None, reply
    return [item.value for item in reply.value]


def number_of(reply: Reply) -> int:
    """The number in a bulk; a key that is not there counts 0."""
    return int(value_of(reply) or 0)


def operations(players: Iterable[Player]) -> list[Operation]:
    """The operations of all, each player's in the order of sending."""
    return [operation for player in players for operation in player.journal.operations]


def figures(players: Iterable[Player]) -> Counter[str]:
    """What all players counted."""
    return sum((player.figures for player in players), Counter())
