"""SCAN over several shards: every key that stays is given, whatever else happens."""

from __future__ import annotations

import random

import pytest

from nogil_df.shard.shard import Shard
from tests.commands.console import Console
from tests.resp import Reply


def fill(console: Console, keys: list[bytes]) -> None:
    """Store keys straight in their shards."""
    for thread in console.simulation.threads:
        shard: Shard = thread.proactor.shard
        for key in keys:
            h = shard.hash_key(key)
            if (h >> 32) % shard.count == shard.index:
                shard.dbs[0].put(key, h, b"v")


def scan(console: Console, cursor: bytes, *options: bytes) -> tuple[bytes, list[bytes]]:
    """One call: the next cursor and the keys."""
    reply = console.run(b"SCAN", cursor, *options)
    following, keys = reply.value
    return following.value, [key.value for key in keys.value]


def traverse(console: Console, *options: bytes) -> list[bytes]:
    """All keys that a whole traversal gives."""
    cursor, found = scan(console, b"0", *options)
    while cursor != b"0":
        cursor, keys = scan(console, cursor, *options)
        found += keys
    return found


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [b"1", b"10", b"1000", b"100000000"])
def test_a_traversal_gives_every_key_once(shards: int, count: bytes) -> None:
    redis = Console(shards=shards)
    keys = [b"key:%d" % number for number in range(3_000)]
    fill(redis, keys)
    found = traverse(redis, b"COUNT", count)
    assert sorted(found) == sorted(keys)


@pytest.mark.parametrize("shards", [1, 3, 64])
def test_a_few_keys_come_in_one_call(shards: int) -> None:
    redis = Console(shards=shards)
    fill(redis, [b"a", b"b", b"c"])
    cursor, keys = scan(redis, b"0")
    assert cursor == b"0"
    assert sorted(keys) == [b"a", b"b", b"c"]


def test_count_bounds_a_call() -> None:
    redis = Console()
    fill(redis, [b"key:%d" % number for number in range(20_000)])
    cursor, keys = scan(redis, b"0", b"COUNT", b"100")
    assert cursor != b"0"
    assert 100 <= len(keys) <= 100 + 28


def test_a_call_that_finds_nothing_ends_all_the_same() -> None:
    """Sparse tables: the number of places that one call looks at is bounded."""
    redis = Console(shards=1)
    shard = redis.simulation.threads[0].proactor.shard
    keys = [b"key:%d" % number for number in range(60_000)]
    fill(redis, keys)
    cursor, found = scan(redis, b"0", b"MATCH", b"nothing", b"COUNT", b"10")
    assert found == []
    assert cursor != b"0"
    assert len(shard.dbs[0]) == 60_000


@pytest.mark.parametrize("seed", range(5))
def test_keys_that_stay_are_given_while_the_tables_grow_and_shrink(seed: int) -> None:
    redis = Console(shards=2)
    chance = random.Random(seed)
    stay = [b"stay:%d" % number for number in range(500)]
    fill(redis, stay)
    others: list[bytes] = []
    found: set[bytes] = set()
    cursor = b"0"
    for turn in range(100_000):
        cursor, keys = scan(redis, cursor, b"COUNT", b"20")
        found.update(keys)
        if cursor == b"0":
            break
        if chance.random() < (0.9 if turn % 200 < 100 else 0.1) and len(others) < 20_000:
            fresh = [b"other:%d:%d" % (turn, number) for number in range(300)]
            fill(redis, fresh)
            others += fresh
        elif others:
            redis.run(b"DEL", *(others.pop() for _ in range(min(300, len(others)))))
    assert cursor == b"0"
    assert found >= set(stay)
    redis.simulation.verify()


def test_filters() -> None:
    redis = Console()
    keys = [b"%s:%d" % (name, number) for name in (b"user", b"job") for number in range(300)]
    fill(redis, keys)
    assert sorted(traverse(redis, b"MATCH", b"user:1?")) == [b"user:%d" % number for number in range(10, 20)]
    assert len(traverse(redis, b"TYPE", b"string", b"MATCH", b"job:*")) == 300
    assert traverse(redis, b"TYPE", b"list") == []


def test_expired_keys_are_not_given() -> None:
    redis = Console()
    redis("MSET a 1 b 2 c 3")
    redis("PEXPIRE b 5")
    redis.simulation.clock.advance(6)
    assert sorted(traverse(redis)) == [b"a", b"c"]


@pytest.mark.parametrize(
    "cursor", [b"18446744073709551615", b"-1", b"123456789", b"4398046511104", b"99999999999999999"]
)
def test_cursors_that_nobody_gave_are_safe(cursor: bytes) -> None:
    redis = Console()
    fill(redis, [b"key:%d" % number for number in range(1_000)])
    calls = 0
    while calls == 0 or cursor != b"0":
        cursor, _ = scan(redis, cursor)
        calls += 1
        assert calls < 10_000


@pytest.mark.parametrize(
    "cursor", [b"18446744073709551616", b"x", b" 1", b"1 ", b"1.0", b"--1", b"0x10", b"1\n"]
)
def test_what_is_no_cursor(cursor: bytes) -> None:
    redis = Console()
    assert redis.run(b"SCAN", cursor) == Reply("-", b"ERR invalid cursor")


def test_inside_exec_it_sees_what_the_transaction_did() -> None:
    redis = Console()
    redis("SET before v")
    redis("MULTI")
    redis("SET during v")
    redis("SCAN 0 COUNT 100")
    reply = redis("EXEC")
    assert sorted(key.value for key in reply.value[1].value[1].value) == [b"before", b"during"]
    redis.simulation.verify()


@pytest.mark.parametrize("seed", range(20))
def test_a_key_that_a_transaction_takes_away_and_puts_back_is_never_missed(seed: int) -> None:
    """SCAN waits for its turn on each shard, so it sees no state within a transaction."""
    redis = Console(seed=seed)
    redis("MSET a 1 b 2 c 3")
    simulation = redis.simulation
    writer, reader = simulation.client(), simulation.client()
    for _ in range(10):
        writer.send(
            [b"MULTI"], [b"DEL", b"a", b"b"], [b"KEYS", b"*"], [b"MSET", b"a", b"1", b"b", b"2"], [b"EXEC"]
        )
        reader.send([b"SCAN", b"0", b"COUNT", b"100"])
    simulation.run()
    assert bytes(reader.output).count(b"*3\r\n") == 10
    simulation.verify()
