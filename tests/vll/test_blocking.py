"""Blocking commands on simulated shards: every history has an order that explains it, and nobody is left
behind."""

from __future__ import annotations

import random

import pytest

from nogil_df.base.flags import Options
from nogil_df.commands.registry import all_rows
from nogil_df.simulation import Simulation
from nogil_df.vll.blocking import Blocking
from nogil_df.vll.engine import Engine
from tests.vll.blocking_model import explained
from tests.vll.history import Operation, Recorder
from tests.vll.scenario import seeds

pytestmark = pytest.mark.timeout(300)

KEYS = (b"k0", b"k1", b"k2", b"k3")
_NAMES = frozenset("LPUSH RPUSH LPOP LRANGE LMOVE BLPOP BLMOVE MULTI EXEC CLIENT PING".split())
ROWS = tuple(row for row in all_rows() if row.name in _NAMES)


class Scene:
    """Clients that push, pop, move and wait on a handful of lists; everything is decided by one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.simulation = Simulation(seed, 1 + seed % 4, Options(dbnum=1), ROWS)
        self.recorder = Recorder(self.simulation)
        self.pushed = 0
        self.keys = KEYS[: self.random.randrange(2, 5)]
        for _ in range(self.random.randrange(3, 5)):
            self.recorder.client()

    def command(self) -> tuple[bytes, ...]:
        """Any command."""
        choice = self.random.random()
        key, other = self.random.choice(self.keys), self.random.choice(self.keys)
        if choice < 0.35:
            count = self.random.choice((1, 1, 1, 2))
            self.pushed += count
            values = [b"e%d" % (self.pushed - n) for n in range(count)]
            return self.random.choice((b"LPUSH", b"RPUSH")), key, *values
        if choice < 0.5:
            return b"LPOP", key
        if choice < 0.55:
            return b"LRANGE", key, b"0", b"-1"
        if choice < 0.65:
            return b"LMOVE", key, other, b"LEFT", b"RIGHT"
        timeout = self.random.choice((b"0.5", b"3", b"0"))
        if choice < 0.82:
            return b"BLPOP", *self.random.sample(self.keys, self.random.randrange(1, len(self.keys))), timeout
        return b"BLMOVE", key, other, b"LEFT", b"RIGHT", timeout

    def operation(self) -> Operation:
        """A command, or a few inside MULTI."""
        if self.random.random() < 0.25:
            return Operation(
                0, tuple(self.command() for _ in range(self.random.randrange(1, 4))), atomic=True
            )
        return Operation(0, (self.command(),))

    def play(self, rounds: int) -> None:
        """Let everybody do something, again and again; then end what still waits."""
        simulation = self.simulation
        for _ in range(rounds):
            for number, client in enumerate(self.recorder.clients):
                if not (client.waiting or client.session.busy or client.closed):
                    operations = [self.operation() for _ in range(self.random.choice((1, 1, 2)))]
                    self.recorder.send(number, *operations)
            for _ in range(self.random.randrange(1, 40)):
                if not simulation.step():
                    break
                self.recorder.note_sleepers()
            if self.random.random() < 0.3:
                simulation.steps += 1
                simulation.advance(self.random.choice((100, 600, 3000)))
            if self.random.random() < 0.05:
                self._disconnect(self.random.randrange(len(self.recorder.clients)))
        self._wind_up()

    def _disconnect(self, number: int) -> None:
        client = self.recorder.clients[number]
        client.close(after_replies=False)
        client.thread.proactor.finish_turn()
        self.recorder.client()

    def _wind_up(self) -> None:
        """Unblock whoever waits, one after the other, until nobody does."""
        simulation = self.simulation
        simulation.run()
        while blocked := [client for client in simulation.clients if client.session.blocked is not None]:
            simulation.steps += 1
            blocked[0].session.unblock(None)
            blocked[0].thread.proactor.finish_turn()
            simulation.run()

    def verify(self) -> None:
        """Nothing is left over, and an order explains all."""
        self.simulation.verify()
        for client in self.simulation.clients:
            assert client.closed or not client.session.busy, f"seed {self.seed}: a client waits for ever"
        for thread in self.simulation.threads:
            assert not thread.proactor.shard.ready, f"seed {self.seed}: a ready key that nobody served"
            assert not thread.dispatcher.movers
            assert thread.state.timers.next_time() is None, f"seed {self.seed}: a wait is over, its timer not"
            for db in thread.proactor.shard.dbs:
                assert not db.waiting, f"seed {self.seed}: waiters left behind"
        assert explained(self.recorder.done), f"seed {self.seed}: no order explains the history"


@pytest.mark.parametrize("chunk", seeds(600, 4), ids=str)
def test_an_order_explains_every_history(chunk: range) -> None:
    for seed in chunk:
        scene = Scene(seed)
        scene.play(4)
        scene.verify()


@pytest.mark.parametrize("chunk", seeds(120, 2), ids=str)
def test_nobody_is_left_behind_in_long_runs(chunk: range) -> None:
    """Longer than what can be searched for an order: everything ends, nothing leaks, no element is lost."""
    for seed in chunk:
        scene = Scene(seed)
        scene.recorder.done = [[] for _ in scene.recorder.done]
        scene.play(40)
        scene.simulation.verify()


def _first_unexplained(count: int) -> int | None:
    for seed in range(count):
        scene = Scene(seed)
        try:
            scene.play(4)
            scene.verify()
        except AssertionError:
            return seed
    return None


def test_a_thief_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With waiters served after the next in the queue was granted, some history has no order."""

    def conclude(engine: Engine, part: object) -> None:
        if part.locked:  # type: ignore[attr-defined]
            engine._leave(part)  # type: ignore[arg-type]
            engine.grant_next()
            if part.ready:  # type: ignore[attr-defined]
                engine.blocking.serve(part.ready)  # type: ignore[attr-defined]

    monkeypatch.setattr(Engine, "conclude", conclude)
    assert _first_unexplained(1500) is not None


def test_serving_out_of_turn_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the last of a line served first, some history has no order."""
    serve_line = Blocking._serve_line

    def backwards(blocking: Blocking, db: object, key: bytes) -> None:
        line = db.waiting.get(key)  # type: ignore[attr-defined]
        if line:
            line.reverse()
        serve_line(blocking, db, key)  # type: ignore[arg-type]

    monkeypatch.setattr(Blocking, "_serve_line", backwards)
    assert _first_unexplained(600) is not None
