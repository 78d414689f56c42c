"""Memory stays flat over cycles of filling and flushing, with clients on other threads than the owners.

Two thirds of what each client sends belongs to shards of other threads, by every way there is: pipelines that
are squashed, multi-key commands, transactions, APPEND; and by DEL and FLUSHALL it all goes again. Whatever a
cycle leaves behind, on any of these ways, adds up over the cycles.

This watches the whole process. That objects which one thread allocates are not kept by another one, which may
leak on free-threaded CPython 3.13 (python/cpython#145615), is held by tests of each family: they compare the
objects that are stored with those that were sent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psutil
import pytest

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


def test_resident_memory_is_flat_over_fill_and_flush(server: NogilServer) -> None:
    """The greatest size of the last cycles is that of the first ones after a warm-up."""
    process = psutil.Process(server.pid)
    connections = [server.connect() for _ in range(CLIENTS)]
    work = [commands(client) for client in range(CLIENTS)]
    sizes = []
    for _ in range(WARM_UP + CYCLES):
        clients = [
            threading.Thread(target=fill, args=(connection, pipelines))
            for connection, pipelines in zip(connections, work, strict=True)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
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
