"""Ages of records: the scale by itself, and in a table that splits, merges and swaps."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.base.hashing import hash_key
from nogil_df.shard.ages import OLDEST, moved, seconds, step_bits, translation
from nogil_df.shard.dash import DashTable
from nogil_df.shard.shard_state import Tick

pytestmark = pytest.mark.usefixtures("each_table")

NOW = 1_700_000_000


def test_levels_go_up_in_steps_of_their_own_size() -> None:
    assert [seconds(level) for level in (0, 1, 2, 64, 65, 66, 80, 81)] == [0, 0, 1, 63, 64, 66, 94, 96]
    for level in range(1, OLDEST):
        assert seconds(level + 1) - seconds(level) == 1 << step_bits(level)
    assert seconds(OLDEST) > 34 * 3600


@given(st.integers(NOW, NOW + 100_000), st.lists(st.integers(1, 5_000), max_size=30))
def test_any_sequence_of_sweeps_keeps_the_age_within_a_step(start: int, gaps: list[int]) -> None:
    level, now = moved(0, start - 1, start), start
    for gap in gaps:
        level = moved(level, now, now + gap)
        now += gap
        true = now - start
        if level < OLDEST:
            assert abs(seconds(level) - true) <= 1 << step_bits(level)
        else:
            assert true > 33 * 3600


@given(st.integers(0, NOW), st.integers(0, 200_000))
def test_a_sweep_keeps_the_order(since: int, gap: int) -> None:
    table = translation(since, since + gap)
    assert len(table) == 256
    assert table[0] == 1
    assert table[OLDEST] == OLDEST
    assert list(table) == sorted(table)


def sweep(table: DashTable, budget: int = 1000) -> None:
    """A whole sweep."""
    position, _ = table.age_step(budget)
    while position:
        position, _ = table.age_step(budget, position)


def test_records_keep_their_ages_wherever_they_move() -> None:
    chance = random.Random(1)
    tick = Tick(NOW * 1000)
    table = DashTable(tick)
    used: dict[bytes, int] = {}
    for second in range(40):
        tick.ms = (NOW + second) * 1000
        for number in range(500):
            key = b"key:%d:%d" % (second, number)
            table.put(key, hash_key(key), b"v")
            used[key] = second
        for key in chance.sample(sorted(used), 50):
            assert table.get(key, hash_key(key)) == b"v"
            used[key] = second
        sweep(table, 7)
    for key in chance.sample(sorted(used), 19_500):
        assert table.erase(key, hash_key(key)) == b"v"
        del used[key]
    table.verify()
    for key, second in used.items():
        assert abs(table.idle_seconds(key, hash_key(key)) - (39 - second)) <= 1
    tick.ms += 500_000
    for key, second in used.items():
        assert abs(table.idle_seconds(key, hash_key(key)) - (539 - second)) <= 1
        assert table.age(key, hash_key(key)) > 64


def test_looking_does_not_count_as_a_use() -> None:
    tick = Tick(NOW * 1000)
    table = DashTable(tick)
    h = hash_key(b"k")
    table.put(b"k", h, b"v")
    sweep(table)
    tick.ms += 30_000
    sweep(table)
    assert table.look(b"k", h) == table.peek(b"k", h) == b"v"
    assert table.deadline(b"k", h) == 0
    assert abs(table.idle_seconds(b"k", h) - 30) <= 1
    assert table.get(b"k", h) == b"v"
    assert table.idle_seconds(b"k", h) == 0
    assert table.idle_seconds(b"nokey", hash_key(b"nokey")) == table.age(b"nokey", hash_key(b"nokey")) == -1


def test_a_clock_that_is_set_back_does_no_harm() -> None:
    tick = Tick(NOW * 1000)
    table = DashTable(tick)
    h = hash_key(b"k")
    table.put(b"k", h, b"v")
    sweep(table)
    tick.ms -= 100_000
    assert table.idle_seconds(b"k", h) == 0
    sweep(table)
    tick.ms += 10_000
    sweep(table)
    assert table.idle_seconds(b"k", h) <= 11
