"""The flags that bound squashing: the replies stay the same, the number of hops tells that they work."""

from __future__ import annotations

import pytest

from nogil_df.base.flags import Options
from nogil_df.simulation import Simulation

KEYS = [b"key:%d" % number for number in range(20)]


def hops(simulation: Simulation) -> int:
    return sum(thread.dispatcher.squashed_hops for thread in simulation.threads)


def replies_of(options: Options, *commands: list[bytes]) -> tuple[bytes, int]:
    """What one client on the first thread gets for a pipeline, and how many squashed hops that took."""
    simulation = Simulation(seed=1, shards=3, options=options)
    client = simulation.client(thread=0)
    client.send(*commands)
    simulation.run()
    simulation.verify()
    return bytes(client.output), hops(simulation)


PIPELINE = [[b"SET", key, key] for key in KEYS] + [[b"GET", key] for key in KEYS]
TRANSACTION = [[b"MULTI"], *PIPELINE, [b"EXEC"]]


@pytest.mark.parametrize(
    "options", [Options(pipeline_squash=0), Options(pipeline_squash=100), Options(max_squashed_cmd_num=1)]
)
def test_a_pipeline_that_is_not_squashed_takes_a_hop_for_each_command_elsewhere(options: Options) -> None:
    squashed, few = replies_of(Options(), *PIPELINE)
    single, many = replies_of(options, *PIPELINE)
    assert single == squashed
    assert few <= 6 < many


def test_an_exec_that_is_not_squashed_takes_a_hop_for_each_command() -> None:
    squashed, few = replies_of(Options(), *TRANSACTION)
    single, many = replies_of(Options(multi_exec_squash=False), *TRANSACTION)
    assert single == squashed
    assert few == 3
    assert many == len(PIPELINE)
