"""The two ways to choose what is evicted, in Python and in C, choose the same."""

from __future__ import annotations

import random

import pytest

from nogil_df.base.hashing import hash_key
from nogil_df.shard import choice
from nogil_df.shard import table as chosen_table
from nogil_df.shard.choice import CACHE_KIND, CACHE_USES, LFU, LRU, PROBATION, RANDOM, TTL
from nogil_df.shard.dash import DashTable as Reference
from nogil_df.shard.eviction import CACHE
from nogil_df.shard.shard import Shard
from tests.shard.dash_support import Tick, key_of

RECORDS = 3_000
"""Four segments or so."""


@pytest.fixture
def tick() -> Tick:
    return Tick()


def tables(tick: Tick, seed: int, *, levels: int) -> tuple[Reference, Reference]:
    """A table of the reference and one of those in use, with the same records, levels, and deadlines."""
    chance = random.Random(seed)
    both = (
        Reference(tick, uses=bytearray(CACHE_USES)),
        chosen_table.DashTable(tick, uses=bytearray(CACHE_USES)),
    )
    for i in range(RECORDS):
        key, level = key_of(i), chance.randrange(levels)
        deadline = tick.ms + chance.randrange(1, 50) if chance.random() < 0.3 else 0
        for table in both:
            table.put(key, hash_key(key), b"value", deadline)
            table.set_age(key, hash_key(key), level)
    return both


def visits(table: Reference, way: int, *, volatile: bool, evict: bool) -> list[object]:
    """What visits of two passes choose, and how the levels are afterwards."""
    visit = choice.visit if type(table) is Reference else chosen_table.visit
    chance = random.Random(1)
    seen: list[object] = []
    for all_older in (True, False):
        position = -1
        while position:
            position, going, *_ = visit(
                table, max(position, 0), way, volatile, 20, all_older, 777, hash_key, chance.sample
            )
            seen.append((position, going))
            for key, _ in going if evict else []:
                table.erase(key, hash_key(key))
                # Some come back.
                if chance.random() < 0.3:
                    table.put(key, hash_key(key), b"again")
    return [*seen, sorted((key, table.level(key, hash_key(key))) for key, _, _ in table.items())]


@pytest.mark.parametrize("volatile", [False, True])
@pytest.mark.parametrize("way", [LRU, LFU, TTL, RANDOM])
def test_policies_of_redis_choose_the_same(tick: Tick, way: int, volatile: bool) -> None:
    volatile = volatile or way == TTL
    one, other = (visits(table, way, volatile=volatile, evict=True) for table in tables(tick, way, levels=9))
    assert one == other
    assert any(going for _, going in one[:-1])  # type: ignore[misc, has-type]


@pytest.mark.parametrize("way", [LRU, LFU, TTL, RANDOM, CACHE_KIND])
def test_there_is_nothing_to_choose_where_nothing_is(tick: Tick, way: int) -> None:
    """A segment that never had a record has no slots either."""
    for table in (Reference(tick), chosen_table.DashTable(tick)):
        for _ in range(2):
            assert visits(table, way, volatile=way == TTL, evict=True) == [(0, []), (0, []), []]
            table.put(key_of(1), hash_key(key_of(1)), b"value")
            table.erase(key_of(1), hash_key(key_of(1)))


@pytest.mark.parametrize("levels", [1, 128, 256])
@pytest.mark.parametrize("evict", [False, True])
def test_cache_mode_chooses_the_same(tick: Tick, levels: int, evict: bool) -> None:
    both = tables(tick, levels, levels=levels)
    for table in both:
        table.fresh, table.known = PROBATION, 0
    one, other = (visits(table, CACHE_KIND, volatile=False, evict=evict) for table in both)
    assert one == other
    for table in both:
        table.verify()


def test_what_is_chosen_goes_until_enough_is_free(tick: Tick) -> None:
    """A packed table evicts strings itself, and leaves those that were used since, and other values."""
    _, table = tables(tick, 5, levels=9)
    keys = [key_of(i) for i in range(200)]
    chosen = [(key, table.level(key, hash_key(key))) for key in keys]
    if not chosen_table.PACKED:
        assert table.evict_strings(chosen, 1 << 20) == (0, 0)
        assert len(chosen) == 200
        return
    table.set_age(keys[199], hash_key(keys[199]), 100)
    table.put(keys[190], hash_key(keys[190]), [1])
    chosen[190] = (keys[190], table.level(keys[190], hash_key(keys[190])))
    before = table.memory_usage()
    freed, count = table.evict_strings(chosen, 1 << 20)
    assert (len(chosen), count) == (191, 8)
    assert freed == before - table.memory_usage() > 0
    assert table.look(keys[199], hash_key(keys[199])) == b"value"
    assert table.look(keys[191], hash_key(keys[191])) is None
    chosen.pop()
    freed, count = table.evict_strings(chosen, 1)
    assert (len(chosen), count) == (189, 1)
    # A transaction wants one of them.
    wanted = hash_key(keys[185])
    freed, count = table.evict_strings(chosen, 1 << 20, wanted.__eq__)
    assert (len(chosen), count) == (0, 188)
    assert table.look(keys[185], wanted) == b"value"
    table.verify()


@pytest.mark.parametrize("way", [LRU, LFU, TTL, RANDOM, CACHE_KIND])
def test_strings_go_where_they_are_chosen(tick: Tick, way: int) -> None:
    """A packed table takes out itself what it chooses, in the same order, until so much is free."""
    _, table = tables(tick, 7, levels=9)
    _, other = tables(tick, 7, levels=9)
    if not chosen_table.PACKED:
        assert chosen_table.visit(table, 0, way, False, 20, False, 5, hash_key, random.sample, 1)[2:] == (
            0,
            0,
            1,
        )
        return
    position, expected = 0, []
    while True:
        position, going, *_ = chosen_table.visit(
            table, position, way, way == TTL, 20, False, 5, hash_key, random.Random(position).sample
        )
        expected += going[::-1]
        if not position:
            break
    # All of one segment, and of the next one until it is enough.
    chance = random.Random(0)
    before = other.memory_usage()
    position, left, freed, evicted, visits = chosen_table.visit(
        other, 0, way, way == TTL, 20, False, 5, hash_key, chance.sample, 60 * 25, 100
    )
    other.verify()
    assert freed == before - other.memory_usage()
    # Not many expire, and in cache mode room for ghosts is taken first: then it ends at the end of the table.
    assert freed >= 60 * 25 or not position
    assert visits >= 2
    assert len(other) == RECORDS - evicted
    if way != RANDOM:
        gone = [key for key, _ in expected[:evicted]]
        assert not any(other.look(key, hash_key(key)) for key in gone)
        assert left[::-1] == expected[evicted : evicted + len(left)]


def test_what_may_not_go_at_once_stays(tick: Tick) -> None:
    """A value that is no string ends it; what a transaction wants, or has expired, is not evicted."""
    if not chosen_table.PACKED:
        return
    _, table = tables(tick, 11, levels=9)
    expired: list[bytes] = []
    table.on_expired = lambda key, h, value: expired.append(key)
    _, going, *_ = chosen_table.visit(table, 0, LRU, False, 20, False, 0, hash_key, random.sample)
    first, second, third, fourth = (key for key, _ in going[:-5:-1])
    for key in (second, fourth):
        level = table.level(key, hash_key(key))
        table.put(key, hash_key(key), b"late" if key == second else [1], tick.ms + 1 if key == second else 0)
        table.set_age(key, hash_key(key), level)
    tick.ms += 2
    _, left, _, evicted, visits = chosen_table.visit(
        table, 0, LRU, False, 20, False, 0, hash_key, random.sample, 1 << 20, 100, hash_key(third).__eq__
    )
    assert (evicted, visits) == (1, 1)
    assert left[-1][0] == fourth
    assert len(left) == len(going) - 3
    assert [key for key, _, _ in table.items() if key in (first, second, third)] == [third]
    assert expired == [second]
    table.verify()


@pytest.mark.parametrize("name", ["allkeys-lru", "allkeys-lfu", "allkeys-random", CACHE])
def test_a_full_table_keeps_its_segments(name: str) -> None:
    """Records that are worth the same go from all buckets alike: as many come as go, and nothing splits."""
    shard = Shard(0, 1, 1, 1_700_000_000_000)
    shard.evictor.follow(name, 5, 10, 1)
    table = shard.dbs[0].table
    full = 8 * 640
    turnover = 20_000 if chosen_table.PACKED else 8_000
    capacity = 0
    for number in range(full + turnover):
        key = key_of(number)
        shard.dbs[0].put(key, hash_key(key), b"value")
        while len(table) > full:
            shard.evictor.evict(1, 100, None)
        if number == full:
            capacity = table.capacity
    assert shard.evicted == turnover
    assert table.capacity == capacity == 8 * 840
    shard.verify()
