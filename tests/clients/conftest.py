"""The servers that the clients talk to, of one and of two shard threads, each for a whole test process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.servers import NogilServer

NO_NODE = shutil.which("npm") is None
collect_ignore = ["test_node.py"] if NO_NODE else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not tested for want of Node.js."""
    if NO_NODE:
        terminalreporter.write_line("Not tested, as npm is not installed: node-redis, ioredis, BullMQ.")


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
