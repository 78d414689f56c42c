"""Every scenario on simulated servers of 2 to 4 shards, for `--seeds` seeds each.

A failure names its seed; `make stress ARGS="-k 'simulated and bank' --first-seed 1234 --seeds 1"` plays that
one again.
"""

from __future__ import annotations

from collections import Counter

import pytest

from stress.conftest import Note
from stress.play import Scenario
from stress.scenarios import ALL
from stress.simulated import simulate


@pytest.mark.parametrize("scenario", ALL, ids=lambda kind: kind.name.replace(" ", "_"))
def test_it_holds(seeds: range, scenario: type[Scenario], note: Note) -> None:
    """What the scenario asserts, under every seed."""
    figures: Counter[str] = Counter()
    for seed in seeds:
        figures += simulate(scenario(), seed)
    note(f"{scenario.name}, seeds {seeds.start} to {seeds.stop - 1}", figures)
