"""Servers of the differential tests: one redis-server and one subject of each kind for a whole test process.

The subject is nogil-df with one and three shard threads. `DIFFERENTIAL_SUBJECT=redis` in the
environment puts a second redis-server in its place: that is how the cases themselves are checked (whatever
differs then is a fault of the case, not of a server).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.differential.capabilities import SUBJECT_IS_REDIS, SUBJECTS
from tests.servers import NogilServer, RedisServer, Server

# A redis-server 7.0.15 in the subject's place knows nothing of what is newer.
collect_ignore = ["test_newer.py", "test_dump_newer.py"] if SUBJECT_IS_REDIS else []


@pytest.fixture(scope="session")
def server_named() -> Iterator[Callable[[str], Server]]:
    """A function from a name ("redis", "reference", "threads3") to its server, started at the first call."""
    started: dict[str, Server] = {}
    with ExitStack() as stack:

        def server(name: str) -> Server:
            if name not in started:
                ours = name.startswith("threads")
                # One thread takes even small collections apart, and must answer the same.
                flags = ["--slice_elements=1"] if name == "threads1" else []
                threads = int(name.removeprefix("threads")) if ours else 0
                made = NogilServer(*flags, threads=threads) if ours else RedisServer()
                started[name] = stack.enter_context(made)
            return started[name]

        yield server


@pytest.fixture
def reference(server_named: Callable[[str], Server]) -> Server:
    """The real redis-server."""
    return server_named("reference")


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest, server_named: Callable[[str], Server]) -> Server:
    """The server under test, of every kind."""
    return server_named(request.param)
