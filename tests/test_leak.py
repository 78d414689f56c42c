"""Memory stays flat over cycles of filling and flushing, with clients on other threads than the owners.

So it does where keys are overwritten with other sizes, where they expire, and where they are evicted.
One operation over and over, of each kind, leaves nothing behind: what is measured is how much resident memory
grows by, in bytes an operation, and 16 that were planted in the server showed.

Two thirds of what each client sends belongs to shards of other threads, by every way there is: pipelines that
are squashed, multi-key commands, transactions, APPEND; and by DEL and FLUSHALL it all goes again. Whatever a
cycle leaves behind, on any of these ways, adds up over the cycles.

This watches the whole process. That objects which one thread allocates are not kept by another one, which may
leak on free-threaded CPython 3.13 (python/cpython#145615), is held by tests of each family: they compare the
objects that are stored with those that were sent.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.patience import PATIENCE
from tests.resp import Connection
from tests.servers import NogilServer

THREADS = 3
CLIENTS = 3
WARM_UP = 8
CYCLES = 24
KEYS = 6_000
"""Of each client in each cycle."""

VALUE = b"v" * 180
GROWTH = 12 << 20
"""Bytes that the greatest size may grow by after the warm-up: 0.5 MB a cycle."""


@pytest.fixture
def server() -> Iterator[NogilServer]:
    """A server of three shard threads."""
    with NogilServer(threads=THREADS) as running:
        assert isinstance(running, NogilServer)
        yield running


def commands(client: int) -> list[list[tuple[bytes, ...]]]:
    """One client's cycle: pipelines."""
    keys = [b"client:%d:key:%d" % (client, number) for number in range(KEYS)]
    singles = [(b"SET", key, VALUE) for key in keys[: KEYS // 2]]
    several = [
        (b"MSET", *(part for key in keys[at : at + 10] for part in (key, VALUE)))
        for at in range(KEYS // 2, KEYS, 10)
    ]
    grown = [(b"APPEND", key, VALUE) for key in keys[:300]]
    within = [(b"MULTI",), *[(b"SET", key, VALUE) for key in keys[300:600]], (b"EXEC",)]
    gone = [(b"DEL", *keys[at : at + 7]) for at in range(0, 700, 7)]
    return [*(singles[at : at + 500] for at in range(0, len(singles), 500)), several, grown, within, gone]


def fill(connection: Connection, pipelines: list[list[tuple[bytes, ...]]]) -> None:
    """Run one client's cycle."""
    for pipeline in pipelines:
        for reply in connection.pipeline(pipeline):
            assert reply.kind != "-", reply


def fill_all(connections: list[Connection], work: list[list[list[tuple[bytes, ...]]]]) -> None:
    """Run all clients' cycles at once. Raises what one of them raised."""
    with ThreadPoolExecutor(len(connections)) as pool:
        for done in [pool.submit(fill, *one) for one in zip(connections, work, strict=True)]:
            done.result()


def test_resident_memory_is_flat_over_fill_and_flush(server: NogilServer) -> None:
    """The greatest size of the last cycles is that of the first ones after a warm-up."""
    process = psutil.Process(server.pid)
    connections = [server.connect() for _ in range(CLIENTS)]
    work = [commands(client) for client in range(CLIENTS)]
    sizes = []
    for _ in range(WARM_UP + CYCLES):
        fill_all(connections, work)
        sizes.append(process.memory_info().rss)
        assert connections[0].execute("DBSIZE").value == CLIENTS * (KEYS - 700)
        connections[0].execute("FLUSHALL")
        # Frees the flushed tables at once, so that every cycle begins with the same.
        connections[0].execute("MEMORY", "PURGE")
    settled = sizes[WARM_UP:]
    quarter = CYCLES // 4
    grown = max(settled[-quarter:]) - max(settled[:quarter])
    assert grown < GROWTH, [size >> 20 for size in sizes]
    for connection in connections:
        connection.close()


# Cycles after which there is as much as before: whatever they leave behind adds up.

CYCLE_WARM_UP = 8
CYCLE_COUNT = 16
CYCLE_KEYS = 2_000
"""Of each client in each cycle."""
CYCLE_GROWTH = 8 << 20
"""Bytes that the greatest size may grow by from the first quarter of the cycles to the last: 0.5 MB a cycle,
of which each writes 1 to 25 MB."""
SIZES = (20, 2_000, 90, 700, 11, 300, 30_000, 64, 1_200)
"""Of values: small ones, large ones, and one that lies outside the heap of a segment."""


def overwrite(client: int, cycle: int) -> list[list[tuple[bytes, ...]]]:
    """The same keys in each cycle, each of another size than before."""
    sizes = [SIZES[(number + cycle) % len(SIZES)] for number in range(CYCLE_KEYS)]
    sets = [(b"SET", b"%d:%d" % (client, number), b"v" * size) for number, size in enumerate(sizes)]
    kinds = [
        (b"DEL", b"list:%d" % client, b"hash:%d" % client),
        (b"RPUSH", b"list:%d" % client, *[b"v" * (20 + cycle % 7)] * 500),
        (b"HSET", b"hash:%d" % client, *[b"%d" % number for number in range(200)]),
        (b"SET", b"list:%d" % client, b"no list any more"),
    ]
    return [*(sets[at : at + 250] for at in range(0, CYCLE_KEYS, 250)), kinds]


def short_lived(client: int, cycle: int) -> list[list[tuple[bytes, ...]]]:
    """New keys that expire within 40 ms, a hash with fields that do, and keys that are given a time later."""
    stem = b"%d:%d:" % (client, cycle)
    sets = [
        (b"SET", stem + b"%d" % number, VALUE, b"PX", b"%d" % (1 + number % 40))
        for number in range(CYCLE_KEYS)
    ]
    later = [
        command
        for number in range(200)
        for command in (
            (b"RPUSH", stem + b"list:%d" % number, *[VALUE] * 5),
            (b"PEXPIRE", stem + b"list:%d" % number, b"20"),
        )
    ]
    return [*(sets[at : at + 250] for at in range(0, CYCLE_KEYS, 250)), later]


def evicted(client: int, cycle: int) -> list[list[tuple[bytes, ...]]]:
    """New keys, of which about six cycles' fit."""
    stem = b"%d:%d:" % (client, cycle)
    sets = [(b"SET", stem + b"%d" % number, b"v" * SIZES[number % 6]) for number in range(CYCLE_KEYS)]
    return [sets[at : at + 250] for at in range(0, CYCLE_KEYS, 250)]


def sizes_over_cycles(
    server: NogilServer,
    cycle_of: Callable[[int, int], list[list[tuple[bytes, ...]]]],
    settle: Callable[[Connection], None],
) -> list[int]:
    """Resident memory after each cycle that follows the warm-up: all clients at once, then ``settle``."""
    process = psutil.Process(server.pid)
    connections = [server.connect() for _ in range(CLIENTS)]
    sizes = []
    for cycle in range(CYCLE_WARM_UP + CYCLE_COUNT):
        fill_all(connections, [cycle_of(client, cycle) for client in range(CLIENTS)])
        settle(connections[0])
        sizes.append(process.memory_info().rss)
    for connection in connections:
        connection.close()
    return sizes[CYCLE_WARM_UP:]


def assert_flat(sizes: list[int]) -> None:
    """The greatest of the last quarter is that of the first."""
    quarter = len(sizes) // 4
    grown = max(sizes[-quarter:]) - max(sizes[:quarter])
    assert grown < CYCLE_GROWTH, [size >> 20 for size in sizes]


def count(connection: Connection, section: bytes, name: bytes) -> int:
    """A number of INFO."""
    text = connection.execute("INFO", section).value
    assert isinstance(text, bytes)
    return int(text.split(name + b":")[1].split(b"\r")[0])


def test_resident_memory_is_flat_over_values_of_changing_sizes(server: NogilServer) -> None:
    """Garbage of the segments' heaps, and what lies outside them, is given back."""

    def settle(connection: Connection) -> None:
        assert connection.execute("DBSIZE").value == CLIENTS * (CYCLE_KEYS + 2)

    # As many cycles as there are sizes come back to the same bytes.
    assert_flat(sizes_over_cycles(server, overwrite, settle))


def test_resident_memory_is_flat_over_expiry(server: NogilServer) -> None:
    """Nobody asks for the keys again: active expiry finds them all."""

    def settle(connection: Connection) -> None:
        deadline = time.monotonic() + PATIENCE
        while connection.execute("DBSIZE").value != 0:
            assert time.monotonic() < deadline, "expired keys are not collected"

    assert_flat(sizes_over_cycles(server, short_lived, settle))
    with server.connect() as connection:
        cycles = CYCLE_WARM_UP + CYCLE_COUNT
        assert count(connection, b"stats", b"expired_keys") == CLIENTS * (CYCLE_KEYS + 200) * cycles


@pytest.mark.parametrize(
    "flags",
    [("--maxmemory-policy", "allkeys-lru"), ("--maxmemory-policy", "allkeys-lfu"), ("--cache_mode",)],
    ids=["lru", "lfu", "cache"],
)
def test_resident_memory_is_flat_over_eviction(flags: tuple[str, ...]) -> None:
    """Full from the end of the warm-up on; each cycle takes out as much as it brings."""
    limit = 20 << 20

    def settle(connection: Connection) -> None:
        # What the last turn brought may go in the next one.
        assert count(connection, b"memory", b"used_memory") < limit * 1.05

    with NogilServer("--maxmemory", str(limit), *flags, threads=THREADS) as server:
        assert isinstance(server, NogilServer)
        assert_flat(sizes_over_cycles(server, evicted, settle))
        with server.connect() as connection:
            written = CLIENTS * CYCLE_KEYS * (CYCLE_WARM_UP + CYCLE_COUNT)
            assert count(connection, b"stats", b"evicted_keys") > written // 2
            assert count(connection, b"stats", b"total_error_replies") == 0


# One operation over and over: what one of them leaves behind shows, if it is 16 bytes.

LEAST_LEAK = 10
"""Bytes an operation from which on something leaks. Without a leak it is -2 to 2."""
LEAST_OF_A_WAIT = 50
LEAST_OF_A_CONNECTION = 300
WAITERS = 100
OPERATION_SIZES = (20, 300, 90, 700, 11, 64)


def encoded(*words: bytes) -> bytes:
    """A command as it is sent."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Raw:
    """A connection that only counts what comes back, so that the client is quicker than the server."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def run(self, commands: bytes, reply: bytes) -> None:
        """Send commands, and read replies of which the last one is this."""
        self.socket.sendall(commands)
        end = b""
        while not end.endswith(reply):
            got = self.socket.recv(1 << 16)
            assert got, "the connection was closed"
            end = (end + got)[-len(reply) :]

    def ask(self, *words: bytes) -> bytes:
        """A reply that comes in one piece."""
        self.socket.sendall(encoded(*words))
        return self.socket.recv(1 << 16)

    def close(self) -> None:
        self.socket.close()


def overwriting(clients: list[Raw], cycle: int) -> int:
    """Values of other sizes."""
    stored = [
        encoded(b"SET", b"key:%d" % number, b"v" * OPERATION_SIZES[(number + cycle) % 6])
        for number in range(5_000)
    ]
    clients[cycle % 3].run(b"".join(stored) + encoded(b"PING"), b"+PONG\r\n")
    return 5_000


def expiring(clients: list[Raw], cycle: int) -> int:
    """Keys that expire at once."""
    stored = [
        encoded(b"SET", b"%d:%d" % (cycle, number), b"v" * OPERATION_SIZES[number % 6], b"PX", b"1")
        for number in range(20_000)
    ]
    clients[cycle % 3].run(b"".join(stored) + encoded(b"PING"), b"+PONG\r\n")
    deadline = time.monotonic() + PATIENCE
    while True:
        if clients[0].ask(b"DBSIZE") == b":0\r\n":
            return 20_000
        assert time.monotonic() < deadline, "expired keys are not collected"


def evicting(clients: list[Raw], cycle: int) -> int:
    """New keys, of which four cycles' fit."""
    stored = [
        encoded(b"SET", b"%d:%d" % (cycle, number), b"v" * OPERATION_SIZES[number % 6])
        for number in range(10_000)
    ]
    clients[cycle % 3].run(b"".join(stored) + encoded(b"PING"), b"+PONG\r\n")
    return 10_000


def transacting(clients: list[Raw], cycle: int) -> int:
    """Transactions, two thirds of which have keys on two threads."""
    commands = [
        encoded(b"MULTI")
        + encoded(b"SET", b"key:%d" % number, b"v")
        + encoded(b"SET", b"key:%d" % (number + 1), b"v")
        + encoded(b"EXEC")
        for number in range(1_000)
    ]
    clients[cycle % 3].run(b"".join(commands) + encoded(b"PING"), b"+PONG\r\n")
    return 1_000


def scripting(clients: list[Raw], cycle: int) -> int:
    """Scripts that write."""
    script = b"return redis.call('SET', KEYS[1], ARGV[1])"
    commands = [encoded(b"EVAL", script, b"1", b"key:%d" % number, b"v") for number in range(1_000)]
    clients[cycle % 3].run(b"".join(commands) + encoded(b"PING"), b"+PONG\r\n")
    return 1_000


def blocking(clients: list[Raw], cycle: int) -> int:
    """Clients wait, each for a queue of its own, until another one pushes."""
    waiters, pusher = clients[CLIENTS:], clients[cycle % CLIENTS]
    for number, waiter in enumerate(waiters):
        waiter.socket.sendall(encoded(b"BLPOP", b"queue:%d" % number, b"0"))
    deadline = time.monotonic() + PATIENCE
    while b"blocked_clients:%d\r" % len(waiters) not in pusher.ask(b"INFO", b"clients"):
        assert time.monotonic() < deadline, "not all of them wait"
    pushes = [encoded(b"RPUSH", b"queue:%d" % number, b"v") for number in range(len(waiters))]
    pusher.run(b"".join(pushes) + encoded(b"PING"), b"+PONG\r\n")
    for waiter in waiters:
        waiter.run(b"", b"$1\r\nv\r\n")
    return len(waiters)


def connecting(clients: list[Raw], cycle: int) -> int:
    """Connections that come and go."""
    port = clients[0].socket.getpeername()[1]
    for _ in range(200):
        client = Raw(port)
        client.run(encoded(b"PING"), b"+PONG\r\n")
        client.close()
    return 200


@pytest.mark.parametrize(
    ("step", "cycles", "most"),
    [
        (overwriting, 90, LEAST_LEAK),
        (expiring, 18, LEAST_LEAK),
        (evicting, 60, LEAST_LEAK),
        (transacting, 90, LEAST_LEAK),
        (scripting, 90, LEAST_LEAK),
        (blocking, 150, LEAST_OF_A_WAIT),
        (connecting, 45, LEAST_OF_A_CONNECTION),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_an_operation_leaves_nothing_behind(
    step: Callable[[list[Raw], int], int], cycles: int, most: int
) -> None:
    """Resident memory an operation, from the second third of the cycles to the last one."""
    flags = ("--maxmemory", str(12 << 20), "--maxmemory-policy", "allkeys-lru")
    with NogilServer(*flags, threads=THREADS) as server:
        assert isinstance(server, NogilServer)
        process = psutil.Process(server.pid)
        clients = [Raw(server.port) for _ in range(CLIENTS + (WAITERS if step is blocking else 0))]
        sizes, operations = [], 0
        for cycle in range(cycles):
            operations += step(clients, cycle)
            sizes.append(process.memory_info().rss)
        for client in clients:
            client.close()
    third = cycles // 3
    grown = statistics.median(sizes[-third:]) - statistics.median(sizes[third : 2 * third])
    slope = grown / (operations / 3)
    print(f"{step.__name__}: {slope:.1f} bytes an operation")
    assert slope < most, [size >> 10 for size in sizes]
