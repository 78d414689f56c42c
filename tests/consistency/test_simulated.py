"""Every stress scenario on simulated servers: hundreds of seeded interleavings, and the same ones every time.

`NOGIL_DF_SEEDS=100` in the environment multiplies the number of seeds; a failure names its seed.
"""

from __future__ import annotations

import pytest

from stress.play import Scenario
from stress.scenarios import ALL, Carousel
from stress.simulated import simulate
from tests.vll.scenario import seeds


@pytest.mark.parametrize("scenario", ALL, ids=lambda kind: kind.name.replace(" ", "_"))
@pytest.mark.parametrize("chunk", seeds(30, 1), ids="seeds{0.start}".format)
def test_it_holds(scenario: type[Scenario], chunk: range) -> None:
    """What the scenario asserts, under every seed."""
    for seed in chunk:
        simulate(scenario(), seed)


@pytest.mark.parametrize("seed", [20492, 20494, 20716])
def test_waiters_come_before_who_queues(seed: int) -> None:
    """Interleavings in which a script concluded, or a move did while others were being served.

    Somebody who queued was granted a key there ahead of those who waited for its element.
    """
    simulate(Carousel(), seed)


@pytest.mark.parametrize("scenario", ALL, ids=lambda kind: kind.name.replace(" ", "_"))
def test_a_seed_repeats(scenario: type[Scenario]) -> None:
    """A seed is one run: it gives the same figures twice, down to the number of states the checkers
    entered.
    """
    assert simulate(scenario(), 5, turns=4) == simulate(scenario(), 5, turns=4)
