"""The two ways to choose what is evicted, in Python and in C, choose the same."""

from __future__ import annotations

import random

import pytest

from nogil_df.base.hashing import hash_key
from nogil_df.shard import choice
from nogil_df.shard import table as chosen_table
from nogil_df.shard.choice import CACHE_KIND, CACHE_USES, LFU, LRU, PROBATION, RANDOM, TTL
from nogil_df.shard.dash import DashTable as Reference
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
            position, going = visit(
                table, max(position, 0), way, volatile, 20, all_older, hash_key, chance.sample
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
