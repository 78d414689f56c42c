"""Every scenario on real servers with 1, 2 and 4 shard threads, for `--seconds` each."""

from __future__ import annotations

from collections import Counter

import pytest

from stress.conftest import Note
from stress.play import Scenario
from stress.scenarios import ALL
from stress.threads import perform
from tests.servers import NogilServer

ROUND = 4.0
"""Seconds after which a scenario starts over on an empty server: histories are kept and judged whole."""


@pytest.mark.parametrize("scenario", ALL, ids=lambda kind: kind.name.replace(" ", "_"))
def test_it_holds(server: NogilServer, seconds: float, scenario: type[Scenario], note: Note) -> None:
    """What the scenario asserts, for as many rounds as there is time."""
    rounds = max(1, round(seconds / ROUND))
    figures: Counter[str] = Counter()
    for number in range(rounds):
        figures += perform(server, scenario(), seconds / rounds, seed=number)
    note(f"{scenario.name}, {server.threads} threads, {seconds:g} s", figures)
