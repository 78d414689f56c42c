"""Nothing that repeats makes reference cycles, and nothing grows: the server runs with the collector off.

The collector of free-threaded CPython stops all threads and walks every object. So the server switches it
off, and a cycle on any path that a client can take again and again is a leak. Here every command is run with
good and bad arguments, alone, in pipelines and in transactions, by clients that come and go; then the
collector is asked what it finds.
"""

from __future__ import annotations

import codecs
import gc
import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from nogil_df import Server
from nogil_df.commands.registry import all_rows
from nogil_df.simulation import SimulatedClient, Simulation
from tests.resp import Connection

# Loaded when first used; what a module leaves behind while it is loaded is not of interest here.
for _encoding in ("ascii", "latin-1", "utf-8", "idna"):
    codecs.lookup(_encoding)

NAMES = sorted({row.name for row in all_rows()} - {"SHUTDOWN", "DEBUG", "QUIT", "MONITOR"})
# Their effects would end or hold up the soak itself.
_LEFT_OUT = frozenset((b"PAUSE", b"KILL", b"REPLY", b"POPULATE"))
KEYS = [b"key:%d" % number for number in range(8)]
WORDS = [*KEYS, *KEYS, *b"0 1 2 x * EX 10 NX XX GET -1 1.5 COUNT MATCH SET HELP LIST INFO".split()]


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """As in the server: what is not freed by counting references stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def found() -> Counter[str]:
    """Collect, and tell the types of what only the collector could free."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return Counter(type(thing).__qualname__ for thing in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.collect()


class Soak:
    """Clients of a simulated server that send anything."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.simulation = Simulation(seed, 3)
        self.clients = [self.simulation.client(thread) for thread in (0, 1, 2, 0)]
        self.table = self.simulation.threads[0].dispatcher.table

    def command(self) -> list[bytes]:
        """Some command with some arguments, as many as it wants, mostly."""
        choices = self.random
        name = choices.choice(("MULTI", "EXEC", "WATCH", "GET", "SET", "MSET", "DEL", "RENAME", *NAMES))
        command = self.table[name]
        start = [name.encode()]
        if command.subcommands and choices.random() < 0.9:
            command = choices.choice([command.subcommands[key] for key in sorted(command.subcommands)])
            word = command.name.split()[1].encode()
            if word in _LEFT_OUT:
                return [b"PING"]
            start.append(word)
        extra = choices.randint(0, 3) if command.arity < 0 or choices.random() < 0.1 else 0
        wanted = max(0, abs(command.arity) - len(start)) + extra
        return start + [choices.choice(WORDS) for _ in range(wanted)]

    def turn(self) -> None:
        """Everybody sends something; some leave before the answer, others afterwards."""
        for client in self.clients:
            client.send(*[self.command() for _ in range(self.random.randint(1, 6))])
        for _ in range(self.random.randint(0, 10)):
            self.simulation.step()
        if self.random.random() < 0.2:
            self.replace(self.random.randrange(4))
        self.simulation.run()
        self.simulation.advance(100)
        for at, client in enumerate(self.clients):
            client.output.clear()
            if client.closed or self.random.random() < 0.1:
                self.replace(at)

    def replace(self, at: int) -> SimulatedClient:
        """Another client in the place of one."""
        self.clients[at].close(after_replies=False)
        self.simulation.clients.remove(self.clients[at])
        self.clients[at] = self.simulation.client()
        return self.clients[at]

    def rest(self) -> None:
        """Drop all data and all clients, so that what is left is what leaked."""
        for at in range(4):
            last = self.replace(at)
        last.send([b"FLUSHALL"], [b"CONFIG", b"RESETSTAT"], [b"SLOWLOG", b"RESET"])
        self.simulation.run()
        for _ in range(30):
            self.simulation.advance(1000)
        self.simulation.run()
        self.simulation.verify()
        last.output.clear()


def test_every_command_on_a_simulated_server() -> None:
    """No cycles at all, and no memory kept."""
    soak = Soak(7)
    blocks = []
    for number in range(7):
        for _ in range(100):
            soak.turn()
        soak.rest()
        if not number:
            # Importing a module leaves some, once: Lua comes with its first script.
            gc.collect()
            continue
        assert not found()
        blocks.append(sys.getallocatedblocks())
    grown = blocks[-1] - blocks[2]
    assert grown < 1500, f"{grown} blocks more after 300 turns of four clients: {blocks}"


@pytest.mark.parametrize("by_columns", [False, True])
def test_crashes(capfd: pytest.CaptureFixture[str], by_columns: bool) -> None:
    """Not even a bug in a command leaves one: neither at home nor on another shard nor in a transaction."""

    def crash(db: object, payload: object, h: int) -> None:
        try:
            raise KeyError(payload)
        except KeyError:
            raise ZeroDivisionError from None

    def crash_many(db: object, hashes: object, keys: object, values: object, foreign: bool) -> None:
        crash(db, keys, 0)

    rows = [row for row in all_rows() if row.name in ("GET", "SET", "MULTI", "EXEC", "MGET")]
    for at, row in enumerate(rows):
        if row.name == "GET":
            rows[at] = replace(row, op=crash, many=crash_many, many_with=2 * by_columns)
    simulation = Simulation(1, 3, rows=rows)
    client = simulation.client(0)
    gc.collect()
    for key in KEYS:
        client.send([b"GET", key])
        client.send(*[[b"GET", other] for other in KEYS])
        client.send([b"MULTI"], [b"GET", key], [b"GET", KEYS[0]], [b"EXEC"])
        simulation.run()
    assert client.output.count(b"-ERR") == len(KEYS) * (1 + len(KEYS) + 2)
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert not found()


def test_connections_of_a_real_server() -> None:
    """Clients that come, use everything above, and go in the midst of it."""
    soak = Soak(1)
    pipelines = [[[soak.command() for _ in range(5)] for _ in range(60)] for _ in range(3)]

    def work(port: int, mine: list[list[list[bytes]]]) -> None:
        for at in range(0, len(mine), 4):
            with Connection("127.0.0.1", port) as connection:
                for pipeline in mine[at : at + 4]:
                    for command in pipeline:
                        connection.send(*command)
                    connection.execute("PING")

    with Server(port=0, threads=3) as server:
        work(server.port, pipelines[0])
        found()
        threads = [threading.Thread(target=work, args=(server.port, mine)) for mine in pipelines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # What refers to itself by design, the threads' own state, stays in use for as long as this does.
        running = server._running
    # Not before the threads have ended: what one made and another let go of last waits for the first to run
    # again, and the collector would find it meanwhile.
    ours = {name: count for name, count in found().items() if name in _OURS}
    assert running.threads
    assert not ours


_OURS = frozenset(
    "Session Connection Context Transaction Part SquashedBatch ReplyError generator traceback frame".split()
)
