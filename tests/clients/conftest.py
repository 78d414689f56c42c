"""The servers that the clients talk to, of one and of two shard threads, each for a whole test process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import NogilServer

# What `make test` installs where it can, see tools/environment.py.
PACKAGES = Path(__file__).parent / "node" / "node_modules"
NO_NODE = shutil.which("node") is None or not (PACKAGES / "bullmq").exists()
collect_ignore = ["test_node.py"] if NO_NODE else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not tested for want of Node.js or its packages."""
    if NO_NODE:
        terminalreporter.write_line(
            "Not tested, as Node.js or the packages are not installed: node-redis, ioredis, BullMQ."
        )


@pytest.fixture(scope="session", params=[1, 2], ids=["threads1", "threads2"])
def running(request: pytest.FixtureRequest) -> Iterator[NogilServer]:
    """A server that stays for all tests."""
    with NogilServer(threads=request.param) as it:
        yield it


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[NogilServer]:
    """A server of two threads that passes for a cluster."""
    with NogilServer("--cluster_mode=emulated", threads=2) as it:
        yield it


@pytest.fixture
def cluster(running_cluster: NogilServer) -> NogilServer:
    """The cluster, without keys."""
    running_cluster.flush()
    return running_cluster


@pytest.fixture
def server(running: NogilServer) -> NogilServer:
    """The server, without keys."""
    running.flush()
    return running
