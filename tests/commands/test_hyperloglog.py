"""HyperLogLog commands where redis-server is no judge: shards, ownership, memory, WATCH, the self-test."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from nogil_df.commands import hyperloglog as commands
from nogil_df.shard import hyperloglog as hll
from tests.commands.console import Console

PLACES = list(itertools.product((0, 1, 2), repeat=3))
"""Shards of destination and two sources; the coordinator is thread 0."""


def key_on(console: Console, shard: int, prefix: str) -> str:
    """A key that a given shard owns."""
    hash_key = console.simulation.threads[0].proactor.shard.hash_key
    shards = len(console.simulation.threads)
    names = (f"{prefix}{number}" for number in itertools.count())
    return next(name for name in names if (hash_key(name.encode()) >> 32) % shards == shard)


def add(console: Console, key: str, numbers: Iterable[int]) -> None:
    console.run(b"PFADD", key.encode(), *[b"%d" % number for number in numbers])


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console(thread=0)


@pytest.mark.parametrize(
    ("size", "places"),
    [
        *itertools.product([40], PLACES),
        *itertools.product([3000], [(0, 0, 0), (2, 2, 2), (0, 1, 2), (1, 1, 0)]),
    ],
)
def test_unions_wherever_the_keys_are(redis: Console, size: int, places: tuple[int, int, int]) -> None:
    to, one, two = [key_on(redis, shard, prefix) for shard, prefix in zip(places, "rab", strict=True)]
    add(redis, one, range(size))
    add(redis, two, range(size // 2, 2 * size))
    add(redis, "all", range(2 * size))
    expected = redis.value("PFCOUNT all")
    assert redis.value(f"PFCOUNT {one} {two}") == expected
    assert redis.value(f"PFCOUNT {one} {two} {to} {one}") == expected
    assert redis.value(f"PFMERGE {to} {one} {two}") == b"OK"
    assert redis.value(f"PFCOUNT {to}") == expected
    assert hll.plain(redis.stored(to.encode())) == hll.plain(redis.stored(b"all"))
    add(redis, to, range(10 * size, 11 * size))
    assert redis.value(f"PFMERGE {to} {two}") == b"OK"
    assert redis.value(f"PFCOUNT {to}") == redis.value(f"PFCOUNT {to} {one}") > expected
    redis.simulation.verify()


def test_a_source_of_another_type_changes_nothing(redis: Console) -> None:
    to, one, two = (key_on(redis, shard, "key") for shard in (0, 1, 2))
    add(redis, to, range(3))
    add(redis, one, range(10))
    redis(f"SET {two} text")
    assert redis(f"PFMERGE {to} {one} {two}").value.startswith(b"WRONGTYPE Key is not")
    assert redis(f"PFCOUNT {to} {one} {two}").value.startswith(b"WRONGTYPE Key is not")
    assert redis.value(f"PFCOUNT {to}") == 3
    redis.simulation.verify()


def test_unions_in_transactions(redis: Console) -> None:
    to, one, two = (key_on(redis, shard, "key") for shard in (2, 1, 0))
    for line in (f"PFADD {one} a b", "MULTI", f"PFADD {two} b c", f"PFMERGE {to} {one} {two}"):
        redis(line)
    redis(f"PFCOUNT {to}")
    redis(f"PFCOUNT {one} {two}")
    assert redis.value("EXEC") == [1, b"OK", 3, 3]
    redis.simulation.verify()


def test_memory_is_accounted_for_in_both_encodings(redis: Console) -> None:
    for first in range(0, 6000, 200):
        add(redis, "k", range(first, first + 200))
        redis("PFCOUNT k")
        redis("PFMERGE m k")
        redis.simulation.verify()
    assert redis.value("PFDEBUG ENCODING k") == b"dense"
    redis("PFADD s a")
    redis("PFDEBUG TODENSE s")
    redis("PFADD g a")
    redis("PFDEBUG GETREG g")
    assert redis.value("STRLEN s") == redis.value("STRLEN g") == hll.DENSE_SIZE
    redis.simulation.verify()


def test_memory_is_accounted_for_when_a_damaged_value_is_found_halfway(redis: Console) -> None:
    # Registers from 16,000 on are missing.
    redis.run(b"SET", b"k", bytes(hll.new()[:16]) + b"\x7e\x7f")
    replies = [redis.run(b"PFADD", b"k", *[b"%d" % number for number in range(200)])]
    redis.simulation.verify()
    replies.append(redis("PFCOUNT k"))
    assert [reply.value for reply in replies] == [b"INVALIDOBJ Corrupted HLL object detected"] * 2


def test_counting_is_a_change_once(redis: Console) -> None:
    other = redis.another()
    redis("PFADD k a b")
    for executes in (False, True):
        redis("WATCH k")
        assert other.value("PFCOUNT k") == 2
        redis("MULTI")
        redis("PING")
        assert (redis("EXEC").value is not None) == executes


def test_counting_a_value_that_was_set_leaves_it_to_its_deadline(redis: Console) -> None:
    redis("PFADD k a b c")
    value = redis.value("GET k")
    redis.run(b"SET", b"copy", value, b"EX", b"1000")
    assert redis.value("PFCOUNT copy") == 3
    assert redis.value("TTL copy") == 1000
    redis("PFCOUNT k")
    assert redis.value("GET copy") == redis.value("GET k") != value
    redis.simulation.verify()


def test_the_limit_of_sparse_values_is_that_of_the_configuration(redis: Console) -> None:
    redis("CONFIG SET hll-sparse-max-bytes 64")
    for shard in range(3):
        key = key_on(redis, shard, "key")
        add(redis, key, range(10))
        assert redis.value(f"PFDEBUG ENCODING {key}") == b"sparse"
        add(redis, key, range(100))
        assert redis.value(f"PFDEBUG ENCODING {key}") == b"dense"


def test_the_self_test_finds_what_is_wrong(redis: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    assert redis.value("PFSELFTEST") == b"OK"
    monkeypatch.setattr(hll, "estimate", lambda registers: 5)
    assert redis.value("PFSELFTEST").startswith(b"TESTFAILED Too big error. card:1 ")
    monkeypatch.setattr(commands.hyperloglog, "plain", lambda value: bytes(hll.REGISTERS))
    assert redis.value("PFSELFTEST").startswith(b"TESTFAILED Registers ")
