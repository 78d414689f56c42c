"""Cuts of the Dash table: each record of the moment of the cut is handed out exactly once, as it was."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from nogil_df.shard.dash import DashTable
from tests.shard.dash_support import HASHES, Tick, key_of

pytestmark = pytest.mark.usefixtures("each_table")

type Contents = dict[bytes, tuple[Any, int]]


class Snapshot:
    """What a cut hands out."""

    def __init__(self, table: DashTable, version: int) -> None:
        self.expected: Contents = {key: (value, deadline) for key, value, deadline in table.items()}
        self.found: Contents = {}
        self.table = table
        self.version = version
        self.position = 0
        table.cut(version, self.take)

    def take(self, records: list[tuple[bytes, Any, int, int]]) -> None:
        for key, value, deadline, _ in records:
            assert key not in self.found, f"{key!r} was handed out twice"
            self.found[key] = value, deadline

    def step(self) -> bool:
        """Hand out one more bucket; False when there is none, which ends and checks the cut."""
        self.position = self.table.cut_step(self.version, self.position)
        if self.position >= 0:
            return True
        self.table.end_cut(self.version)
        assert self.found == self.expected
        return False


def change(
    table: DashTable, hashed: Callable[[bytes], int], rng: random.Random, tick: Tick, adding: float
) -> None:
    """One random write."""
    key = key_of(rng.randrange(6_000))
    h = hashed(key)
    if rng.random() < adding:
        table.put(key, h, rng.random(), rng.choice((0, 0, -1, tick.ms + rng.randrange(100))))
    else:
        choice = rng.randrange(5)
        if choice < 2:
            table.erase(key, h)
        elif choice == 2:
            table.set_deadline(key, h, tick.ms + rng.randrange(100))
        elif choice == 3:
            table.replace(key, h, rng.random())
        else:
            table.get(key, h)


@pytest.mark.parametrize("adding", [0.05, 0.9])
@pytest.mark.parametrize("name", sorted(HASHES))
@pytest.mark.parametrize("seed", range(3))
def test_exactly_once_while_the_table_changes(name: str, adding: float, seed: int) -> None:
    tick, hashed, rng = Tick(), HASHES[name], random.Random(seed)
    table = DashTable(tick, hash_key=hashed)
    for i in range(3_000):
        table.put(key_of(i), hashed(key_of(i)), i, tick.ms + 50 if i % 5 == 0 else 0)
    capacity = table.capacity
    snapshot = Snapshot(table, 1)
    while snapshot.step():
        for _ in range(30):
            change(table, hashed, rng, tick, adding)
        tick.ms += 1
        table.collect_expired(1, 0)
    table.verify()
    if adding > 0.5 and name != "constant":
        assert table.capacity > capacity, "no segment split during the cut"


@pytest.mark.parametrize("seed", range(4))
def test_cuts_that_overlap_each_get_their_own_moment(seed: int) -> None:
    tick, hashed, rng = Tick(), HASHES["xxh3"], random.Random(seed)
    table = DashTable(tick)
    running: list[Snapshot] = []
    version = finished = 0
    while finished < 6:
        if len(running) < 3 and rng.random() < 0.02:
            version += 1
            running.append(Snapshot(table, version))
        for _ in range(10):
            change(table, hashed, rng, tick, 0.6)
        if running:
            snapshot = rng.choice(running)
            if not snapshot.step():
                running.remove(snapshot)
                finished += 1
    for snapshot in running:
        while snapshot.step():
            pass
    assert table.cut_version == 0
    table.verify()


def test_a_value_about_to_be_changed_in_place_is_handed_out_first() -> None:
    tick, hashed = Tick(), HASHES["xxh3"]
    table = DashTable(tick)
    value = bytearray(b"before")
    h = hashed(b"k")
    table.put(b"k", h, value)
    taken: list[bytes] = []
    table.cut(1, lambda records: taken.extend(bytes(record[1]) for record in records))
    table.before_change(b"k", h)
    value += b" and after"
    table.before_change(b"k", h)
    assert taken == [b"before"]
    assert table.cut_step(1, 0) == -1
    assert taken == [b"before"]


def test_a_write_hands_out_its_own_record_alone() -> None:
    tick, hashed = Tick(), HASHES["constant"]
    table = DashTable(tick, hash_key=hashed)
    # With one hash for all of them they share buckets.
    for i in range(100):
        table.put(key_of(i), hashed(key_of(i)), i)
    snapshot = Snapshot(table, 1)
    table.put(key_of(3), hashed(key_of(3)), "new")
    table.erase(key_of(7), hashed(key_of(7)))
    table.put(b"another", hashed(b"another"), "comes later")
    table.put(key_of(3), hashed(key_of(3)), "newer")
    assert snapshot.found == {key_of(3): (3, 0), key_of(7): (7, 0)}
    while snapshot.step():
        pass
    # What a cut that was given up has got of a bucket means nothing to the next one.
    given_up = Snapshot(table, 2)
    table.put(key_of(5), hashed(key_of(5)), "once more")
    assert given_up.found == {key_of(5): (5, 0)}
    table.end_cut(2)
    again = Snapshot(table, 3)
    while again.step():
        pass
    table.verify()


@pytest.mark.parametrize("slices", [False, True])
def test_emptying_the_table_hands_everything_out_first(slices: bool) -> None:
    hashed = HASHES["xxh3"]
    table = DashTable(Tick())
    for i in range(2_000):
        table.put(key_of(i), hashed(key_of(i)), i)
    snapshot = Snapshot(table, 1)
    for _ in range(10):
        snapshot.step()
    if slices:
        while table.free_step(1):
            assert snapshot.step() or not len(table)
    else:
        table.clear()
        assert not snapshot.step()
    assert snapshot.found == snapshot.expected
    assert not table.cut_version


def test_a_table_shrinks_again_after_a_cut() -> None:
    hashed = HASHES["xxh3"]
    table = DashTable(Tick())
    for i in range(3_000):
        table.put(key_of(i), hashed(key_of(i)), i)
    capacity = table.capacity
    snapshot = Snapshot(table, 1)
    for i in range(2_900):
        table.erase(key_of(i), hashed(key_of(i)))
    assert table.capacity == capacity
    while snapshot.step():
        pass
    for i in range(2_900, 3_000):
        table.erase(key_of(i), hashed(key_of(i)))
    assert table.capacity < capacity


def test_versions_must_grow_and_cuts_must_exist() -> None:
    table = DashTable(Tick())
    table.cut(5, lambda records: None)
    with pytest.raises(ValueError, match="not newer"):
        table.cut(5, lambda records: None)
    with pytest.raises(ValueError, match="no cut"):
        table.end_cut(4)
    table.end_cut(5)
    assert table.cut_version == 0
