"""How long a scenario runs, and the server it runs against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import NogilServer, Server


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--seconds`: the length of each scenario."""
    parser.addoption("--seconds", type=float, default=20.0, help="how long each scenario runs")


@pytest.fixture
def seconds(pytestconfig: pytest.Config) -> float:
    """The length of a scenario, in seconds."""
    value: float = pytestconfig.getoption("--seconds")
    return value


@pytest.fixture(params=[1, 2, 4], ids="threads{}".format)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A nogil-df of its own for the scenario, with 1, 2 and 4 shard threads."""
    with NogilServer(threads=request.param) as started:
        yield started
