"""OBJECT where time or another thread is in play."""

from __future__ import annotations

import pytest

from tests.commands.console import Console


def wait(console: Console, seconds: int) -> None:
    """Let time pass as it does on a running server, a heartbeat after the other."""
    for _ in range(seconds * 10):
        console.simulation.advance(100)


@pytest.mark.parametrize("thread", [0, 1, 2])
def test_idle_time_counts_from_the_last_use(thread: int) -> None:
    redis = Console(thread=thread)
    redis("MSET a 1 b 2 c 3")
    wait(redis, 20)
    redis("GET b")
    redis("TOUCH c")
    for line in (
        "TYPE a",
        "TTL a",
        "EXISTS a",
        "OBJECT ENCODING a",
        "OBJECT REFCOUNT a",
        "OBJECT IDLETIME a",
    ):
        redis(line)
    wait(redis, 10)
    assert abs(redis.value("OBJECT IDLETIME a") - 30) <= 1
    assert abs(redis.value("OBJECT IDLETIME b") - 10) <= 1
    assert abs(redis.value("OBJECT IDLETIME c") - 10) <= 1
    assert redis.value("OBJECT IDLETIME nokey") is None


def test_idle_time_grows_while_the_server_sleeps() -> None:
    redis = Console(shards=1)
    redis("SET k v")
    wait(redis, 2)
    shard = redis.simulation.threads[0].proactor.shard
    swept = shard._age_second
    wait(redis, 500)
    assert shard._age_second <= swept + 2
    assert abs(redis.value("OBJECT IDLETIME k") - 502) <= 1


def test_what_a_write_leaves_is_as_fresh_as_can_be() -> None:
    redis = Console()
    redis("SET k v")
    wait(redis, 10)
    redis("APPEND k w")
    assert redis.value("OBJECT IDLETIME k") == 0
    wait(redis, 10)
    redis("RENAME k j")
    assert redis.value("OBJECT IDLETIME j") == 0


def test_frequency_falls_with_the_idle_time() -> None:
    redis = Console()
    redis("MSET k v j w")
    for thread in redis.simulation.threads:
        thread.state.config.maxmemory_policy = "allkeys-lfu"
    fresh = redis.value("OBJECT FREQ k")
    wait(redis, 30)
    redis("GET j")
    assert fresh == redis.value("OBJECT FREQ j") == 255
    assert 0 < redis.value("OBJECT FREQ k") < 240


@pytest.mark.parametrize(
    ("value", "encoding", "references"),
    [
        ("0", b"int", 2**31 - 1),
        ("9999", b"int", 2**31 - 1),
        ("10000", b"int", 1),
        ("-1", b"int", 1),
        ("9223372036854775807", b"int", 1),
        ("9223372036854775808", b"embstr", 1),
        ("01", b"embstr", 1),
        ("x" * 44, b"embstr", 1),
        ("x" * 45, b"raw", 1),
    ],
)
def test_encodings(value: str, encoding: bytes, references: int) -> None:
    redis = Console()
    redis(f"SET k {value}")
    assert redis.value("OBJECT ENCODING k") == encoding
    assert redis.value("OBJECT REFCOUNT k") == references
