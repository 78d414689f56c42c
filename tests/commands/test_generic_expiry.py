"""Deadlines under a clock that the tests move: expiry to the millisecond, lazily and actively."""

from __future__ import annotations

import pytest

from tests.commands.console import Console
from tests.resp import Reply

YEAR_MS = 365 * 24 * 3600 * 1000


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console()


def expired(console: Console) -> int:
    """Records that expired, on all shards."""
    return sum(thread.proactor.shard.expired for thread in console.simulation.threads)


def records(console: Console) -> int:
    """Records that take up room, expired or not."""
    return sum(len(thread.proactor.shard.dbs[0]) for thread in console.simulation.threads)


def test_a_key_lives_through_its_last_millisecond(redis: Console) -> None:
    redis("SET k v PX 1000")
    redis.simulation.clock.advance(1000)
    assert redis.value("PTTL k") == 0
    assert redis.value("GET k") == b"v"
    redis.simulation.clock.advance(1)
    assert redis.value("PTTL k") == -2
    assert redis.value("GET k") is None
    assert expired(redis) == 1


@pytest.mark.parametrize("years", [8, 9, 100, 1_000_000, 200_000_000])
def test_deadlines_are_exact_however_far(redis: Console, years: int) -> None:
    """Where others round times beyond 2**28 ms to seconds."""
    redis("SET k v")
    ms = years * YEAR_MS + 123
    assert redis.value(f"PEXPIRE k {ms}") == 1
    assert redis.value("PTTL k") == ms
    assert redis.value("PEXPIRETIME k") == redis.simulation.clock.unix_ms() + ms
    redis.simulation.clock.advance(ms)
    assert redis.value("EXISTS k") == 1
    redis.simulation.clock.advance(1)
    assert redis.value("EXISTS k") == 0


def test_the_latest_deadline_there_is(redis: Console) -> None:
    redis("SET k v")
    now = redis.simulation.clock.unix_ms()
    assert redis.value(f"PEXPIRE k {2**63 - 1 - now}") == 1
    assert redis.value("PEXPIRETIME k") == 2**63 - 1
    refused = Reply("-", b"ERR invalid expire time in 'pexpire' command")
    assert redis(f"PEXPIRE k {2**63 - now}") == refused
    assert redis.value("PEXPIRETIME k") == 2**63 - 1


def test_a_deadline_of_now_is_past(redis: Console) -> None:
    redis("SET k v")
    assert redis.value(f"PEXPIREAT k {redis.simulation.clock.unix_ms()}") == 1
    assert redis.value("EXISTS k") == 0
    assert expired(redis) == 0  # it was deleted


@pytest.mark.parametrize(("ms", "seconds"), [(499, 0), (500, 1), (1499, 1), (1500, 2)])
def test_seconds_are_rounded_to_the_nearest(redis: Console, ms: int, seconds: int) -> None:
    redis(f"SET k v PX {ms}")
    assert redis.value("TTL k") == seconds


def test_a_request_that_hops_counts_from_the_time_of_the_shard(redis: Console) -> None:
    """A thread's clock stands for a turn: the time of the coordinator may be older than that of the shard."""
    for thread in range(3):
        client = redis.another(thread)
        redis("SET k v")
        redis.simulation.clock.advance(7)
        client.client.send([b"PEXPIRE", b"k", b"1000"], [b"PTTL", b"k"])
        redis.simulation.run()
        assert client.replies() == [Reply(":", 1), Reply(":", 1000)]


def test_active_expiry_frees_what_nobody_asks_for(redis: Console) -> None:
    for number in range(2_000):
        redis.run(b"SET", b"key:%d" % number, b"v", b"PX", b"%d" % (1 + number % 500))
    redis.run(b"SET", b"stays", b"v")
    redis.run(b"SET", b"later", b"v", b"PX", b"100000")
    for _ in range(30):
        redis.simulation.advance(100)
    assert records(redis) == 2
    assert expired(redis) == 2_000
    redis.simulation.verify()


def test_active_expiry_goes_through_all_databases(redis: Console) -> None:
    for database in range(16):
        redis.client.session.db = database
        redis("SET k v PX 5")
    for _ in range(30):
        redis.simulation.advance(100)
    assert expired(redis) == 16
    redis.simulation.verify()


def test_one_beat_does_a_bounded_part_and_asks_for_the_next_turn() -> None:
    redis = Console(shards=1)
    shard = redis.simulation.threads[0].proactor.shard
    state = redis.simulation.threads[0].state
    for number in range(30_000):
        key = b"key:%d" % number
        shard.dbs[0].put(key, shard.hash_key(key), b"v", redis.simulation.clock.unix_ms() + 10)
    redis.simulation.advance(1000)
    assert 0 < shard.expired < 10_000
    assert state.has_more_work
    beats = 1
    while shard.has_deadlines:
        redis.simulation.advance(1)
        beats += 1
    assert shard.expired == 30_000
    assert beats < 60
    redis.simulation.verify()


def test_no_active_expiry_where_it_is_switched_off(redis: Console) -> None:
    for thread in redis.simulation.threads:
        thread.proactor.shard.expire_enabled = False
    redis("MSET a 1 b 2 c 3")
    for key in "abc":
        redis(f"PEXPIRE {key} 5")
    redis.simulation.advance(10_000)
    assert records(redis) == 3
    assert redis.value("EXISTS a b c") == 0
    assert records(redis) == 0


def test_a_wall_clock_that_is_set_back_brings_nothing_back(redis: Console) -> None:
    redis("SET k v PX 1000")
    redis.simulation.clock.advance(2000)
    assert redis.value("EXISTS k") == 0
    redis.simulation.clock.set_unix_ms(redis.simulation.clock.unix_ms() - 10_000)
    assert redis.value("EXISTS k") == 0
