"""Every stress scenario on a real server with three shard threads, as long as an ordinary test may take."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stress.play import Scenario
from stress.scenarios import ALL
from stress.threads import perform
from tests.servers import NogilServer, Server

SECONDS = 1.5


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Three shard threads; every scenario empties it."""
    with NogilServer(threads=3) as started:
        yield started


@pytest.mark.parametrize("scenario", ALL, ids=lambda kind: kind.name.replace(" ", "_"))
def test_it_holds(server: Server, scenario: type[Scenario]) -> None:
    """What the scenario asserts while and after all its clients play at once."""
    figures = perform(server, scenario(), SECONDS)
    assert figures["turns"] > len(scenario().roles())
