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


def test_frequency_rises_with_uses_and_falls_with_time() -> None:
    redis = Console()
    redis("CONFIG SET maxmemory-policy allkeys-lfu")
    redis("MSET k v j w")
    assert redis.value("OBJECT FREQ k") == redis.value("OBJECT FREQ j") == 5
    for _ in range(200):
        redis("GET j")
    # Of 5 + n uses about n * factor / 2 are needed for n more.
    assert 8 <= redis.value("OBJECT FREQ j") <= 14
    used = redis.value("OBJECT FREQ j")
    wait(redis, 180)
    assert (redis.value("OBJECT FREQ k"), redis.value("OBJECT FREQ j")) == (2, used - 3)
    wait(redis, 2)
    redis("CONFIG SET lfu-log-factor 0")
    for _ in range(20):
        redis("GET j")
    assert redis.value("OBJECT FREQ j") == used - 3 + 20
    redis("CONFIG SET lfu-decay-time 0")
    wait(redis, 600)
    assert redis.value("OBJECT FREQ j") == used - 3 + 20


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
