"""A transaction queue that grows is seen: in INFO, in DEBUG TX and in the log."""

from __future__ import annotations

import pytest

from nogil_df.base.flags import Options
from nogil_df.simulation import Simulation
from nogil_df.vll.part import Part

pytestmark = pytest.mark.timeout(60)


def stuck_parts(simulation: Simulation, count: int) -> list[Part]:
    """Parts of one shard that all want the same key, and no coordinator to run them."""
    engine = simulation.threads[0].proactor.engine
    parts = [Part(0, None, frozenset(), {7}) for _ in range(count)]
    for part in parts:
        engine.schedule(part)
    return parts


def test_a_long_queue_is_warned_of_once_a_second(capfd: pytest.CaptureFixture[str]) -> None:
    simulation = Simulation(1, 2, Options(tx_queue_warning_len=3))
    parts = stuck_parts(simulation, 3)
    simulation.advance(1000)
    assert "transaction queue" not in capfd.readouterr().err
    parts += stuck_parts(simulation, 2)
    simulation.advance(1000)
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "transaction queue" in line]
    assert (
        f"The transaction queue of shard 0 is long: 5 wait; its head is {parts[0].tx_id} of thread 0, granted"
        in line
    )
    simulation.advance(200)
    assert "transaction queue" not in capfd.readouterr().err
    simulation.advance(1000)
    assert "transaction queue" in capfd.readouterr().err


def test_a_long_queue_shows_in_info() -> None:
    simulation = Simulation(1, 2)
    stuck_parts(simulation, 4)
    client = simulation.client()
    client.send([b"INFO", b"shards"], [b"INFO", b"dragonfly"], [b"INFO", b"everything"])
    simulation.run()
    assert b"tx_queue_len:4" in client.output
    assert b"tx_queue_longest:4" in client.output
