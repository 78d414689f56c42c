"""A whole server of N shards on one thread, without sockets, in an order that a seed decides.

The same proactors, dispatchers and shards as in the real server, turned by a scheduler that picks at random
who goes on: a thread whose inbox holds batches handles one of them, a client hands its next commands over,
the clock moves. One seed is one interleaving, every time: a failing test prints its seed and that seed
fails again. (Keys are hashed with a fixed seed for the same reason.)

    simulation = Simulation(seed=7, shards=3)
    alice, bob = simulation.client(), simulation.client()
    alice.send([b"SET", b"a", b"1"], [b"SET", b"b", b"1"])
    bob.send([b"MGET", b"a", b"b"])
    simulation.run()
    bob.replies
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

from nogil_df.base import machine
from nogil_df.base.clock import FakeClock
from nogil_df.base.flags import Options
from nogil_df.commands.registry import all_rows
from nogil_df.commands.session import Session
from nogil_df.commands.spec import Row
from nogil_df.runtime import Thread, make_threads
from nogil_df.snapshot.reading import LoadError, Loading
from nogil_df.snapshot.status import Persistence
from nogil_df.snapshot.writing import Save, write


class SimulatedClient:
    """A client of one thread: a transport that keeps what it is given.

    Attributes:
        waiting: batches of commands not yet handed over; a batch is a pipeline that arrived at once.
        output: encoded replies so far, in order.
        on_hand_over: called with this client just before a batch is handed over.
        on_reply: called with this client whenever a batch is done.
    """

    def __init__(self, simulation: Simulation, thread: Thread, session_id: int) -> None:
        self.simulation = simulation
        self.thread = thread
        self.waiting: list[list[list[bytes]]] = []
        self.output = bytearray()
        self.closed = False
        self.on_hand_over: Any = None
        self.on_reply: Any = None
        self.session = Session(session_id, thread.dispatcher, self)
        thread.state.sessions[session_id] = self.session

    def send(self, *commands: list[bytes]) -> None:
        """Pipeline commands; they are handed over when the scheduler picks this client."""
        self.waiting.append([list(command) for command in commands])

    @property
    def may_run(self) -> bool:
        """Whether there is a batch to hand over and nothing in flight."""
        return bool(self.waiting) and not self.session.busy and not self.closed

    def hand_over(self) -> None:
        """Give the session its next batch."""
        session = self.session
        if self.on_hand_over is not None:
            self.on_hand_over(self)
        session.batch = self.waiting.pop(0)
        session.position = 0
        self.thread.proactor.tick()
        self.thread.dispatcher.execute(session)
        if not session.busy:
            self.ready()

    def ready(self) -> None:
        """See `Transport`."""
        for piece in self.session.sink:
            self.output += piece
        self.session.sink.clear()
        if self.on_reply is not None:
            self.on_reply(self)
        if self.session.closing:
            self.close(after_replies=True)

    def send_soon(self) -> None:
        """See `Transport`."""
        for piece in self.session.sink:
            self.output += piece
        self.session.sink.clear()

    def close(self, *, after_replies: bool) -> None:
        """See `Transport`: leave; what is in flight ends by itself."""
        if not self.closed:
            self.closed = True
            self.thread.state.forget(self.session)

    def watch_for_end(self) -> None:
        """See `Transport`: `close` tells the session at once."""

    def login_changed(self) -> None:
        """See `Transport`: nothing is parsed here."""

    def check(self, now: float) -> None:
        """See `Transport`."""

    def describe(self) -> dict[str, Any]:
        """See `Transport`."""
        return {"addr": "127.0.0.1:0", "laddr": "127.0.0.1:0", "fd": -1}


class SimulatedDisk:
    """Writes a snapshot in one go once every shard has given all its blobs; reads one in one go.

    A shard's slice is one bucket, so that commands come between any two of them. It never rests.
    """

    slice_ns = 0
    rest = 0.0
    waits = False

    def __init__(self) -> None:
        self._writing: list[tuple[Save, Any]] = []
        self._reading: list[tuple[Loading, Any]] = []

    def bell(self) -> None:
        """See `Disk`: nobody sleeps."""

    def write(self, save: Save, on_end: Any) -> None:
        """See `Disk`."""
        self._writing.append((save, on_end))

    def load(self, loading: Loading, on_end: Any) -> None:
        """See `Disk`."""
        self._reading.append((loading, on_end))

    @property
    def may_run(self) -> bool:
        """Whether there is anything that can be done in one go."""
        if self._reading:
            return True
        return bool(self._writing) and all(channel.closed for channel in self._writing[0][0].channels)

    def run(self) -> None:
        """Do it."""
        if self._reading:
            loading, on_end = self._reading.pop(0)
            try:
                loading.run()
            except LoadError as error:
                loading.error = str(error)
            on_end(loading)
        else:
            save, on_end = self._writing.pop(0)
            write(save)
            on_end(save)


class Simulation:
    """A simulated server.

    Args:
        seed: decides every choice of the scheduler.
        shards: number of threads' worth of server.
        options: flags, as for the real one.
        rows: the commands it knows; all of them if None. A server of a few is made much quicker.
    """

    def __init__(
        self,
        seed: int,
        shards: int = 3,
        options: Options | None = None,
        rows: Sequence[Row] | None = None,
    ) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.clock = FakeClock()
        self.exit_code: int | None = None
        self.connections_rejected = 0
        self.run_id = "0" * 40
        self.replication_id = "1" * 40
        self.started_unix_ms = self.clock.unix_ms()
        self.started_at = self.clock.monotonic()
        self.port = 0
        self.memcached_port = 0
        self.resident = 0
        self.usable = machine.usable_memory()
        self.options = options or Options()
        self.persistence = Persistence(self.started_unix_ms // 1000)
        self.disk = SimulatedDisk()
        self._ids = itertools.count(1)
        self.threads = make_threads(self.options, self.clock, self, rows or all_rows(), shards)
        for thread in self.threads:
            thread.proactor.doze = self._turn_somebody
        self.clients: list[SimulatedClient] = []
        self.steps = 0

    def client(self, thread: int | None = None) -> SimulatedClient:
        """A new client, on a given or a random thread."""
        index = self.random.randrange(len(self.threads)) if thread is None else thread
        client = SimulatedClient(self, self.threads[index], next(self._ids))
        self.clients.append(client)
        return client

    def step(self) -> bool:
        """Let one actor do one thing. Returns False if nobody has anything to do."""
        threads = self.threads
        actors: list[Any] = [thread for thread in threads if thread.proactor.inbox or thread.proactor.mail]
        actors += [client for client in self.clients if client.may_run]
        if self.disk.may_run:
            actors.append(self.disk)
        if not actors:
            return False
        self.steps += 1
        actor = self.random.choice(actors)
        if isinstance(actor, SimulatedDisk):
            actor.run()
        elif isinstance(actor, SimulatedClient):
            actor.hand_over()
            end_turn(actor.thread)
        else:
            actor.proactor.drain(1)
            end_turn(actor)
        return True

    def _turn_somebody(self) -> None:
        """A thread waits on the spot for the answer of another: let one that has messages handle a batch."""
        actors = [thread.proactor for thread in self.threads if thread.proactor.inbox]
        assert actors, f"seed {self.seed}: a thread waits for an answer that nobody will give"
        proactor = self.random.choice(actors)
        if proactor.may_handle is not None:
            proactor.serve_peers()
        else:
            proactor.drain(1)
        proactor.finish_turn()

    def run(self, most: int = 1_000_000) -> None:
        """Step until everything is quiet.

        Raises:
            AssertionError: it does not become quiet within ``most`` steps.
        """
        for _ in range(most):
            if not self.step():
                return
        raise AssertionError(f"seed {self.seed}: not quiet after {most} steps")

    def advance(self, ms: int) -> None:
        """Move the clock and give every thread its heartbeat and its due timers."""
        self.clock.advance(ms)
        for thread in self.threads:
            thread.proactor.tick()
            now = self.clock.monotonic()
            if now >= thread.state.next_beat:
                thread.state.beat(now)
            thread.state.timers.run_due(now)
            end_turn(thread)

    def verify(self) -> None:
        """Check the invariants of every shard, and that no lock or queue entry is left behind."""
        for thread in self.threads:
            thread.proactor.engine.verify()
            thread.proactor.shard.verify()
            thread.state.subscriptions.verify()
            assert not thread.proactor.engine.queue.parts, f"seed {self.seed}: tx-queue not empty"
            assert not thread.proactor.engine.locks, f"seed {self.seed}: intents left behind"

    # What threads ask of the server as a whole.

    def resident_memory(self) -> int:
        """See `RunningServer`: what the test says."""
        return self.resident

    def usable_memory(self) -> int:
        """What the machine has for this process, as a test has set it."""
        return self.usable

    def next_session_id(self) -> int:
        """See `RunningServer`."""
        return next(self._ids)

    def connections_of(self, thread: int) -> int:
        """See `RunningServer`."""
        return len(self.threads[thread].state.sessions)

    def connected_clients(self) -> int:
        """See `RunningServer`."""
        return sum(len(thread.state.sessions) for thread in self.threads)

    def submit(self, thread: int, message: tuple[Any, ...]) -> None:
        """See `RunningServer`."""
        self.threads[thread].proactor.inbox.append([message])

    def dirty(self) -> int:
        """See `RunningServer`."""
        return sum(thread.proactor.shard.dirty for thread in self.threads)

    def renew_tls(self, settings: dict[str, str]) -> str:
        """See `RunningServer`: there are no sockets to encrypt."""
        return ""

    def request_stop(self, exit_code: int = 0) -> None:
        """See `RunningServer`: only noted."""
        self.exit_code = exit_code


def end_turn(thread: Thread) -> None:
    """What the loop does at the end of a turn."""
    shard = thread.proactor.shard
    if shard.needs_look:
        thread.state.memory.look()
    if shard.outgoing:
        thread.state.publish_events()
    thread.proactor.finish_turn()
