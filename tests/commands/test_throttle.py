"""CL.THROTTLE: bursts, rates, what is told, and what is kept. Time stands still unless it is moved."""

from __future__ import annotations

import pytest

from tests.commands.console import Console


@pytest.fixture
def redis() -> Console:
    return Console()


def test_a_burst_and_then_the_rate(redis: Console) -> None:
    """2 at once, then 1 in 10 seconds."""
    ask = "CL.THROTTLE user 1 6 60"
    assert redis.value(ask) == [0, 2, 1, -1, 10]
    assert redis.value(ask) == [0, 2, 0, -1, 20]
    assert redis.value(ask) == [1, 2, 0, 10, 20]
    redis.simulation.advance(9_999)
    assert redis.value(ask) == [1, 2, 0, 1, 11]
    redis.simulation.advance(1)
    assert redis.value(ask) == [0, 2, 0, -1, 20]
    redis.simulation.advance(20_000)
    assert redis.value(ask) == [0, 2, 1, -1, 10]


def test_who_waits_as_long_as_told_is_let_in(redis: Console) -> None:
    """Also where seconds had to be rounded."""
    ask = "CL.THROTTLE user 2 7 10"
    while (answer := redis.value(ask))[0] == 0:
        pass
    redis.simulation.advance(answer[3] * 1000)
    assert redis.value(ask)[0] == 0


def test_quantities(redis: Console) -> None:
    assert redis.value("CL.THROTTLE k 9 10 10 4") == [0, 10, 6, -1, 4]
    assert redis.value("CL.THROTTLE k 9 10 10 0") == [0, 10, 6, -1, 4]
    assert redis.value("CL.THROTTLE k 9 10 10 7") == [1, 10, 6, 1, 4]
    assert redis.value("CL.THROTTLE k 9 10 10 6") == [0, 10, 0, -1, 10]
    # More than a burst: no wait will help.
    assert redis.value("CL.THROTTLE k 9 10 10 11") == [1, 10, 0, -1, 10]


def test_only_asking_leaves_nothing_behind(redis: Console) -> None:
    assert redis.value("CL.THROTTLE k 1 1 1 0") == [0, 2, 2, -1, 0]
    assert redis.value("EXISTS k") == 0


def test_what_is_kept_goes_when_the_key_is_at_rest(redis: Console) -> None:
    redis.value("CL.THROTTLE k 5 1 3")
    assert redis.value("TYPE k") == b"string"
    assert redis.value("PTTL k") == 3000
    redis.simulation.advance(3_001)
    assert redis.value("EXISTS k") == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("k 1 1", b"ERR wrong number of arguments for 'cl.throttle' command"),
        ("k 1 1 1 1 1", b"ERR syntax error"),
        ("k x 1 1", b"ERR value is not an integer or out of range"),
        ("k -1 1 1", b"ERR rate limits are positive numbers"),
        ("k 1 0 1", b"ERR rate limits are positive numbers"),
        ("k 1 1 0", b"ERR rate limits are positive numbers"),
        ("k 1 1 1 -1", b"ERR rate limits are positive numbers"),
        ("k 9223372036854775807 1 1", b"ERR value is not an integer or out of range"),
        ("l 1 1 1", b"WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("s 1 1 1", b"ERR value is not an integer or out of range"),
    ],
)
def test_errors(redis: Console, arguments: str, error: bytes) -> None:
    redis("RPUSH l x")
    redis("SET s x")
    assert redis.value(f"CL.THROTTLE {arguments}") == error


def test_the_rate_is_kept_whatever_happens(redis: Console) -> None:
    """Over 100 seconds no more than the burst and what the rate gives get through."""
    let_in = 0
    for _ in range(1000):
        let_in += redis.value("CL.THROTTLE k 4 3 2")[0] == 0
        redis.simulation.advance(100)
    assert let_in == 5 + 149
