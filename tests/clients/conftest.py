"""The servers that the clients talk to, of one and of two shard threads, each for a whole test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import NogilServer


@pytest.fixture(scope="session", params=[1, 2], ids=["threads1", "threads2"])
def running(request: pytest.FixtureRequest) -> Iterator[NogilServer]:
    """A server that stays for all tests."""
    with NogilServer(threads=request.param) as it:
        yield it


@pytest.fixture
def server(running: NogilServer) -> NogilServer:
    """The server, without keys."""
    running.flush()
    return running
