"""How long the suites run, the servers they run against, and the report of figures at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.servers import NogilServer, Server

Note = Callable[[str, Counter[str]], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--seconds`: how long on a real server; `--seeds`, `--kills`: how often elsewhere."""
    parser.addoption("--seconds", type=float, default=20.0, help="how long each scenario runs")
    parser.addoption("--seeds", type=int, default=300, help="how many seeds each simulated scenario plays")
    parser.addoption("--kills", type=int, default=25, help="how often servers are killed that save")
    parser.addoption("--first-seed", type=int, default=0, help="the first of these seeds")


@pytest.fixture
def seconds(pytestconfig: pytest.Config) -> float:
    """The length of a scenario, in seconds."""
    value: float = pytestconfig.getoption("--seconds")
    return value


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    """How often a server is killed in each format, with 1, with 2, and with changing numbers of threads."""
    value: int = pytestconfig.getoption("--kills")
    return value


@pytest.fixture
def seeds(pytestconfig: pytest.Config) -> range:
    """The seeds of a simulated scenario."""
    first: int = pytestconfig.getoption("--first-seed")
    count: int = pytestconfig.getoption("--seeds")
    return range(first, first + count)


@pytest.fixture(params=[1, 2, 4], ids="threads{}".format, scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A nogil-df of its own for the module, with 1, 2 and 4 shard threads."""
    with NogilServer(threads=request.param) as started:
        yield started


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Keeps figures of a run for the report: a title, and numbers by name."""

    def keep(title: str, figures: Counter[str]) -> None:
        request.node.user_properties.append(("figures", (title, dict(figures))))

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was done; properties of tests come from other processes too (pytest-xdist)."""
    notes = [
        value
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == "figures"
    ]
    if notes:
        terminalreporter.section("figures")
    for title, figures in sorted(notes):
        terminalreporter.write_line(f"{title}:")
        line = ", ".join(f"{name} {count:,}" for name, count in sorted(figures.items()))
        terminalreporter.write_line(f"    {line}")
