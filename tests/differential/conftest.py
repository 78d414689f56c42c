"""Servers of the differential tests: one redis-server and one subject of each kind for a whole test process.

The subject is nogil-df with one and with three shard threads. `DIFFERENTIAL_SUBJECT=redis` in the
environment puts a second redis-server in its place: that is how the cases themselves are checked (whatever
differs then is a fault of the case, not of a server).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.capabilities import SUBJECT_IS_REDIS
from tests.servers import NogilServer, RedisServer, Server

# A redis-server 7.0.15 in the subject's place knows nothing of what is newer.
collect_ignore = ["test_newer.py"] if SUBJECT_IS_REDIS else []
SUBJECTS = ("redis",) if SUBJECT_IS_REDIS else ("threads1", "threads3")


def _subject(name: str) -> Server:
    return RedisServer() if name == "redis" else NogilServer(threads=int(name.removeprefix("threads")))


@pytest.fixture(scope="session")
def reference() -> Iterator[Server]:
    """The real redis-server."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session", params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server under test."""
    with _subject(request.param) as server:
        yield server
