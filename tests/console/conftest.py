"""Servers that the console's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import NogilServer, Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Two threads, no password."""
    with NogilServer(threads=2) as made:
        yield made


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """Two threads, and a password."""
    with NogilServer(threads=2) as made:
        # Once it runs: PING has to be answered for that.
        with made.connect() as client:
            client.execute("CONFIG", "SET", "requirepass", "sesame")
        yield made
