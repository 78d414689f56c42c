"""Random work for simulated servers, all of it decided by one seed.

A `Scenario` is a server of a few shards with some clients, each of which sends pipelines over a handful of
keys: few enough that almost everything meets something else.
"""

from __future__ import annotations

import os
import random

from nogil_df.base.flags import Options
from nogil_df.commands.registry import all_rows
from nogil_df.simulation import Simulation
from tests.vll.history import NEVER, Operation, Recorder
from tests.vll.model import Args

SEEDS = int(os.environ.get("NOGIL_DF_SEEDS", "1"))
"""How many times as many seeds as usual to try; the soak of a night sets 1000."""

_NAMES = frozenset(
    (
        "SET GET MSET MGET MSETNX RENAME COPY DEL EXISTS EXPIRE FLUSHALL SWAPDB DBSIZE WATCH UNWATCH "
        "MULTI EXEC DISCARD APPEND INCRBY DECRBY PING"
    ).split()
)
ROWS = tuple(row for row in all_rows() if row.name in _NAMES)
KEYS = tuple(b"k%d" % number for number in range(8))


def seeds(count: int, chunks: int) -> list[range]:
    """Split ``count * SEEDS`` seeds into ranges, one a test case, so that they spread over processes."""
    size = count * SEEDS // chunks
    return [range(chunk * size, (chunk + 1) * size) for chunk in range(chunks)]


def make_simulation(seed: int, shards: int = 0) -> Simulation:
    """A simulated server of 2 to 4 shards that knows the commands used here."""
    return Simulation(seed, shards or 2 + seed % 3, Options(dbnum=2), ROWS)


def settle(simulation: Simulation, most: int = 100_000) -> None:
    """Run until all is quiet; then nobody may still wait, and nothing may be held."""
    simulation.run(most)
    simulation.verify()
    for client in simulation.clients:
        assert client.closed or not client.waiting, f"seed {simulation.seed}: a client was left alone"
        assert not client.session.busy, f"seed {simulation.seed}: a client waits for ever"
        assert client.session.task is None
        assert client.session.pending is None
    for thread in simulation.threads:
        assert not any(thread.proactor.outboxes)
        for db in thread.proactor.shard.dbs:
            live = {id(token) for client in simulation.clients for token in client.session.watching.values()}
            found = {id(token) for tokens in db.watched.values() for token in tokens}
            assert found <= live, f"seed {simulation.seed}: WATCH tokens of nobody"


class Scenario:
    """A server, its clients, and every kind of command that concerns more than one shard.

    Args:
        seed: decides the work and the schedule.
        clients, pipelines: how many, and how many pipelines each of them sends at most in each phase.
    """

    def __init__(self, seed: int, *, clients: int = 3, pipelines: int = 3) -> None:
        self.seed = seed
        self.random = random.Random(f"work {seed}")
        self.simulation = make_simulation(seed)
        self.recorder = Recorder(self.simulation)
        self.keys = self.random.sample(KEYS, self.random.randint(2, 6))
        self.pipelines = pipelines
        # What ran between phases, when nothing else did.
        self.clock: list[Operation] = []
        self._values = 0
        for _ in range(clients):
            self.recorder.client()

    def run(self, phases: int = 2) -> list[list[Operation]]:
        """Let all clients work, with time passing in between; the history, the clock's part at its end."""
        recorder = self.recorder
        for phase in range(phases):
            for number, client in enumerate(recorder.clients):
                if not client.closed:
                    for _ in range(self.random.randint(1, self.pipelines)):
                        recorder.send(number, *self.pipeline())
            if phase == phases - 1 and self.random.random() < 0.4:
                self._disconnect_somebody()
            self.simulation.run()
            self._advance(self.random.choice((500, 1500)))
        settle(self.simulation)
        return [*recorder.done, self.clock]

    def _disconnect_somebody(self) -> None:
        """Take a client away, most likely in mid-flight."""
        victim = self.random.choice(self.recorder.clients)
        for _ in range(self.random.randint(1, 40)):
            if not self.simulation.step():
                break
            if victim.session.busy and self.random.random() < 0.3:
                break
        victim.close(after_replies=False)

    def _advance(self, ms: int) -> None:
        simulation = self.simulation
        # Steps on either side of it: strictly after all that was answered, strictly before what comes.
        simulation.steps += 1
        self.clock.append(
            Operation(-1, ((b"ADVANCE", b"%d" % ms),), sent=simulation.steps, answered=simulation.steps)
        )
        simulation.advance(ms)
        simulation.steps += 1

    def value(self) -> bytes:
        """A value that nobody else writes."""
        self._values += 1
        return b"v%d" % self._values

    def some(self, least: int, most: int) -> list[bytes]:
        """Distinct keys."""
        most = min(most, len(self.keys))
        return self.random.sample(self.keys, self.random.randint(min(least, most), most))

    def pipeline(self) -> list[Operation]:
        """What a client sends at once."""
        kind = self.random.random()
        if kind < 0.35:
            return [self._plain(self._single()) for _ in range(self.random.randint(1, 5))]
        if kind < 0.55:
            watched = (b"WATCH", *self.some(1, 2))
            read = self._plain((b"MGET", *watched[1:]))
            return [self._plain(watched), read, self._transaction()]
        return [
            self._transaction() if self.random.random() < 0.3 else self._plain(self.any_command())
            for _ in range(self.random.randint(1, 3))
        ]

    def _plain(self, command: Args) -> Operation:
        return Operation(-1, (command,))

    def _transaction(self) -> Operation:
        count = self.random.randint(1, 4)
        chooser = self._single if self.random.random() < 0.6 else self.any_command
        return Operation(-1, tuple(chooser() for _ in range(count)), atomic=True)

    def _single(self) -> Args:
        key = self.random.choice(self.keys)
        if self.random.random() < 0.5:
            return (b"SET", key, self.value())
        return (self.random.choice((b"GET", b"GET", b"EXISTS", b"DEL")), key)

    def any_command(self) -> Args:
        """One command of any kind but those that make a transaction."""
        choose = self.random.choice
        name = choose(
            (b"MSET",) * 5
            + (b"MGET",) * 5
            + (b"MSETNX", b"DEL", b"EXISTS", b"RENAME", b"COPY", b"single") * 2
            + (b"EXPIRE", b"FLUSHALL", b"SWAPDB", b"DBSIZE")
        )
        if name in (b"MSET", b"MSETNX"):
            return (name, *(part for key in self.some(1, 4) for part in (key, self.value())))
        if name in (b"MGET", b"DEL", b"EXISTS"):
            return (name, *self.some(1, 4))
        if name == b"RENAME":
            return (name, choose(self.keys), choose(self.keys))
        if name == b"COPY":
            return (name, *self.random.sample(self.keys, 2), *choose(((), (b"REPLACE",))))
        if name == b"EXPIRE":
            return (name, choose(self.keys), b"1")
        if name == b"SWAPDB":
            return (name, b"0", b"1")
        return self._single() if name == b"single" else (name,)


def describe(history: list[list[Operation]]) -> str:
    """A history as text, for the message of a failing test."""
    lines = []
    for operation in sorted((one for part in history for one in part), key=lambda one: one.sent):
        end = "never" if operation.answered == NEVER else operation.answered
        what = "; ".join(b" ".join(command).decode() for command in operation.commands)
        lines.append(f"{operation.client:3} {operation.sent:4}..{end:<5} {what} -> {operation.reply!r}")
    return "\n".join(lines)
