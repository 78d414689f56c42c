"""The Dash table: single properties, corners, and sizes that a stateful test does not reach."""

from __future__ import annotations

import gc
import random
import sys
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from nogil_df.base.hashing import hash_key
from nogil_df.shard.dash import DashTable, SegmentView
from nogil_df.shard.dash import DashTable as Reference
from nogil_df.shard.dash_segment import (
    GHOST_WAYS,
    HOME_BUCKETS,
    REMAINDERS,
    SEGMENT_SLOTS,
    HashKey,
)
from tests.shard.dash_support import HASHES, Tick, constant, crowded, fill, key_of, scan_all

pytestmark = pytest.mark.usefixtures("each_table")


def spilled(table: DashTable) -> list[int]:
    """How many records of each segment are in spill buckets."""
    return [count for _, _, _, _, count, *_ in table.layout()]


@pytest.fixture
def tick() -> Tick:
    return Tick()


@pytest.fixture
def table(tick: Tick) -> DashTable:
    return DashTable(tick)


class TestRecords:
    def test_an_insert_stores_the_key_object_given_and_an_overwrite_keeps_it(self, table: DashTable) -> None:
        first, second = bytes(bytearray(b"key")), bytes(bytearray(b"key"))
        h = hash_key(first)
        assert table.put(first, h, 1) is None
        assert table.put(second, h, 2) == 1
        (stored, value, deadline), *others = table.items()
        assert stored is first if type(table) is Reference else stored == first
        assert (value, deadline, others) == (2, 0, [])

    def test_a_deadline_is_set_kept_and_cleared(self, table: DashTable, tick: Tick) -> None:
        h = hash_key(b"k")
        table.put(b"k", h, 1, tick.ms + 10)
        assert table.expiring == 1
        table.put(b"k", h, 2, -1)
        table.replace(b"k", h, 3)
        assert table.deadline(b"k", h) == tick.ms + 10
        table.put(b"k", h, 4)
        assert table.deadline(b"k", h) == 0
        assert table.expiring == 0

    def test_a_record_lives_through_the_millisecond_of_its_deadline(self, tick: Tick) -> None:
        expired: list[tuple[bytes, int, Any]] = []
        table = DashTable(tick, lambda *record: expired.append(record))
        h = hash_key(b"k")
        table.put(b"k", h, "v", tick.ms + 10)
        tick.ms += 10
        assert table.get(b"k", h) == "v"
        tick.ms += 1
        assert table.peek(b"k", h) == "v"
        assert table.get(b"k", h) is None
        assert expired == [(b"k", h, "v")]
        assert len(table) == table.expiring == 0

    def test_overwriting_an_expired_record_reports_it_and_inserts(self, tick: Tick) -> None:
        expired: list[bytes] = []
        table = DashTable(tick, lambda key, h, value: expired.append(key))
        h = hash_key(b"k")
        table.put(b"k", h, 1, tick.ms - 1)
        assert table.put(b"k", h, 2, -1) is None
        assert expired == [b"k"]
        assert table.deadline(b"k", h) == 0

    @pytest.mark.parametrize("deadline", [1, (1 << 63) - 1])
    def test_deadlines_of_the_whole_range(self, table: DashTable, tick: Tick, deadline: int) -> None:
        h = hash_key(b"k")
        table.put(b"k", h, 1, deadline)
        assert table.deadline(b"k", h) == (deadline if deadline > tick.ms else -1)


class TestGrowthAndShrinking:
    def test_an_empty_table_is_tiny(self, table: DashTable) -> None:
        if type(table) is Reference:
            segment = next(iter(table._segments()))
            assert sys.getsizeof(table._directory) + segment.memory_usage() < 1_500
        else:
            assert table.memory_usage() < 1_500
        assert table.capacity == SEGMENT_SLOTS

    def test_200000_keys_come_and_go(self, table: DashTable) -> None:
        count = 200_000
        fill(table, range(count))
        table.verify()
        assert len(table) == count
        assert len(table) / table.capacity > 0.6
        assert not any(spilled(table))
        keys = [key_of(i) for i in range(count)]
        assert all(table.get(key, hash_key(key)) == i for i, key in enumerate(keys, 1))
        assert table.get(b"absent", hash_key(b"absent")) is None
        assert sorted(scan_all(table)) == sorted(keys)
        for key in keys[: count - 2_000]:
            table.erase(key, hash_key(key))
        table.verify()
        assert len(table) / table.capacity > 0.1
        for key in keys[count - 2_000 :]:
            table.erase(key, hash_key(key))
        table.verify()
        assert table.capacity == SEGMENT_SLOTS
        assert table.entries == 1

    def test_segments_fill_well_before_they_split(self, table: DashTable) -> None:
        i = 0
        while table.capacity == SEGMENT_SLOTS:
            fill(table, range(i, i + 1))
            i += 1
        assert i > 0.9 * SEGMENT_SLOTS

    def test_expired_records_are_collected_before_a_split(self, tick: Tick) -> None:
        expired: list[bytes] = []
        table = DashTable(tick, lambda key, h, value: expired.append(key))
        for i in range(600):
            table.put(key_of(i), hash_key(key_of(i)), i, tick.ms + 5)
        tick.ms += 6
        fill(table, range(600, 1_200))
        assert table.capacity == SEGMENT_SLOTS
        assert sorted(expired) == sorted(key_of(i) for i in range(600))
        table.verify()

    def test_the_estimate_of_memory_is_near_the_truth(self, tick: Tick) -> None:
        """Without deadlines: their dicts leave behind what they outgrew, which only the process shows."""
        table = Reference(tick)
        for i in range(20_000):
            table.put(key_of(i), hash_key(key_of(i)), i)
        true = sys.getsizeof(table._directory) + sum(s.memory_usage() for s in table._segments())
        assert 0.8 < table.memory_usage() / true < 1.25

    def test_a_table_is_freed_without_the_collector(self, tick: Tick) -> None:
        class Value:
            pass

        value = Value()
        table = DashTable(tick)
        gc.disable()
        try:
            for i in range(2_000):
                table.put(key_of(i), hash_key(key_of(i)), value)
            for i in range(1_990):
                table.erase(key_of(i), hash_key(key_of(i)))
            gone = weakref.ref(value)
            del value, table
            assert gone() is None
        finally:
            gc.enable()

    def test_a_table_out_of_service_is_dropped_in_slices(self, table: DashTable) -> None:
        fill(table, range(5_000))
        segments = table.capacity // SEGMENT_SLOTS
        steps = 0
        while len(table):
            assert table.free_step(1) == 1
            table.verify()
            steps += 1
        assert steps == segments
        assert table.free_step(1) == 0
        assert table.capacity == SEGMENT_SLOTS


class TestCollidingKeys:
    @pytest.mark.parametrize("name", ["constant", "crowded"])
    def test_a_flood_of_them_is_taken_and_given_back(self, tick: Tick, name: str) -> None:
        hashed = HASHES[name]
        table = DashTable(tick, hash_key=hashed)
        fill(table, range(20_000), hashed)
        table.verify()
        assert table.entries <= 2_048
        for i in range(20_000):
            assert table.get(key_of(i), hashed(key_of(i))) == i + 1
        assert table.get(b"absent", hashed(b"absent")) is None
        assert Counter(scan_all(table)) == Counter(map(key_of, range(20_000)))
        for i in range(20_000):
            assert table.erase(key_of(i), hashed(key_of(i))) == i + 1
        table.verify()
        assert len(table) == 0
        assert sum(slots for _, _, _, slots, *_ in table.layout()) <= table.capacity

    def test_equal_top_bits_do_not_blow_the_directory_up(self, tick: Tick) -> None:
        def hashed(key: bytes) -> int:
            return hash_key(key) >> 40

        table = DashTable(tick, hash_key=hashed)
        fill(table, range(5_000), hashed)
        table.verify()
        assert table.entries <= 256

    def test_one_crowded_segment_leaves_the_others_alone(self, tick: Tick) -> None:
        table = DashTable(tick, hash_key=crowded)
        fill(table, range(3_000), crowded)
        crowds = [count for count in spilled(table) if count]
        assert 0 < len(crowds) < table.capacity // SEGMENT_SLOTS


class TestScan:
    def test_each_key_once_while_nothing_changes(self, table: DashTable) -> None:
        fill(table, range(3_000))
        assert Counter(scan_all(table)) == Counter(map(key_of, range(3_000)))

    def test_an_empty_table_ends_at_once(self, table: DashTable) -> None:
        assert table.scan(0) == (0, [])

    def test_expired_keys_are_not_given(self, table: DashTable, tick: Tick) -> None:
        for i in range(100):
            table.put(key_of(i), hash_key(key_of(i)), i, tick.ms + i)
        tick.ms += 50
        assert sorted(scan_all(table)) == sorted(key_of(i) for i in range(50, 100))

    def test_cursors_that_were_never_given_out_are_safe(self, table: DashTable) -> None:
        fill(table, range(3_000))
        rng = random.Random(3)
        for _ in range(500):
            cursor, keys = table.scan(rng.getrandbits(rng.randrange(1, 65)))
            assert 0 <= cursor < 1 << 48
            assert all(table.get(key, hash_key(key)) for key in keys)

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize(("name", "count"), [("xxh3", 6_000), ("crowded", 1_500)])
    def test_keys_that_stay_are_given_while_the_table_grows_and_shrinks(
        self, tick: Tick, name: str, count: int, seed: int
    ) -> None:
        hashed = HASHES[name]
        table = DashTable(tick, hash_key=hashed)
        staying = {b"stay:%d" % i for i in range(100)}
        for key in staying:
            table.put(key, hashed(key), 1)
        if seed % 2:
            fill(table, range(count), hashed)
        sizes: list[int] = []
        steps = 0
        cursor, keys = table.scan(0)
        seen = set(keys)
        while cursor:
            steps += 1
            if steps % (8 + seed) == 0:
                self.fill_or_empty(table, hashed, count, staying)
                sizes.append(table.capacity)
            cursor, keys = table.scan(cursor)
            seen.update(keys)
        assert staying <= seen
        assert len(sizes) >= 4
        assert max(sizes) >= 4 * min(sizes)

    def fill_or_empty(self, table: DashTable, hashed: HashKey, count: int, staying: set[bytes]) -> None:
        if len(table) > len(staying):
            for i in range(count):
                table.erase(key_of(i), hashed(key_of(i)))
        else:
            fill(table, range(count), hashed)


class TestRandomKey:
    def test_each_key_is_about_as_likely(self, table: DashTable) -> None:
        count, draws = 1_500, 60_000
        fill(table, range(count))
        rng = random.Random(7)
        drawn = Counter(table.random_key(rng) for _ in range(draws))
        assert len(drawn) == count
        assert max(drawn.values()) < 3 * draws / count

    def test_a_nearly_empty_table_gives_the_one_key_left(self, table: DashTable) -> None:
        rng = random.Random(1)
        assert table.random_key(rng) is None
        fill(table, range(20_000))
        for i in range(1, 20_000):
            table.erase(key_of(i), hash_key(key_of(i)))
        assert table.random_key(rng) == key_of(0)

    def test_expired_keys_are_taken_out_on_the_way(self, table: DashTable, tick: Tick) -> None:
        for i in range(3_000):
            table.put(key_of(i), hash_key(key_of(i)), i, tick.ms)
        tick.ms += 1
        assert table.random_key(random.Random(1)) is None
        assert len(table) == 0


class TestActiveExpiry:
    def test_it_takes_out_what_has_expired_and_nothing_else(self, tick: Tick) -> None:
        expired: list[bytes] = []
        table = DashTable(tick, lambda key, h, value: expired.append(key))
        fill(table, range(5_000))
        for i in range(2_000):
            table.set_deadline(key_of(i), hash_key(key_of(i)), tick.ms + i)
        assert table.collect_expired(100) == (0, 0)
        tick.ms += 1_000
        position, collected, slices = 0, 0, 0
        while True:
            position, more = table.collect_expired(1, position)
            collected += more
            slices += 1
            if not position:
                break
        assert collected == 1_000
        assert slices == table.capacity // SEGMENT_SLOTS
        assert sorted(expired) == sorted(key_of(i) for i in range(1_000))
        assert table.expiring == 1_000
        table.verify()

    def test_segments_without_deadlines_do_not_use_the_budget_up(self, table: DashTable, tick: Tick) -> None:
        fill(table, range(20_000))
        table.put(b"last", hash_key(b"last"), 1, tick.ms - 1)
        assert table.collect_expired(1)[1] == 1
        assert table.collect_expired(1) == (0, 0)

    def test_a_table_whose_records_all_expire_shrinks(self, table: DashTable, tick: Tick) -> None:
        for i in range(10_000):
            table.put(key_of(i), hash_key(key_of(i)), i, tick.ms)
        tick.ms += 1
        position, _ = table.collect_expired(3)
        while position:
            position, _ = table.collect_expired(3, position)
        assert len(table) == 0
        assert table.capacity == SEGMENT_SLOTS
        table.verify()


class TestUses:
    def test_a_use_is_a_look_up_in_a_map_that_tables_share(self, tick: Tick) -> None:
        uses = bytearray(256)
        table, other = DashTable(tick, uses=uses), DashTable(tick, uses=uses)
        table.fresh = 5
        key, h = key_of(1), hash_key(key_of(1))
        table.put(key, h, 1)
        other.put(key, h, 1)
        assert (table.level(key, h), other.level(key, h)) == (5, 0)
        uses[:] = bytes([*range(1, 256), 255])
        for use in (table.get, lambda key, h: table.put(key, h, 2), lambda key, h: table.replace(key, h, 3)):
            use(key, h)
        table.look(key, h)
        table.peek(key, h)
        table.put(key, h, 4, tick.ms + 5)
        assert table.level(key, h) == 9
        assert other.level(key, h) == 0
        table.verify()

    def test_a_key_with_a_ghost_is_known_once(self, tick: Tick) -> None:
        table = DashTable(tick)
        table.fresh, table.known = 128, 3
        key, h = key_of(1), hash_key(key_of(1))
        table.put(key, h, 1)
        segment, position = table.segment(0)
        assert position == 0
        segment.remember(h)
        table.erase(key, h)
        for level in (3, 128):
            table.put(key, h, 1)
            assert table.level(key, h) == level
            table.erase(key, h)
        table.verify()

    def test_the_oldest_ghost_of_a_bucket_is_forgotten(self, tick: Tick) -> None:
        table = DashTable(tick, hash_key=constant)
        fill(table, range(5 * HOME_BUCKETS), constant)
        segment, _ = table.segment(0)
        # Three for two records: seven and a half for five in each bucket.
        ways = 8
        assert ways < GHOST_WAYS
        for number in range(1, ways + 3):
            # The low bits are such that the home bucket is the first one.
            segment.remember((number << 16) + -(number << 16) % REMAINDERS)
        assert [ghost for ghost in segment.ghosts if ghost] == list(range(ways + 2, 2, -1))

    def test_ghosts_and_levels_survive_a_split(self, tick: Tick) -> None:
        table = DashTable(tick)
        table.fresh, table.known = 7, 9
        gone = key_of(1_000_000)
        table.put(gone, hash_key(gone), 1)
        segment, _ = table.segment(0)
        segment.remember(hash_key(gone))
        table.erase(gone, hash_key(gone))
        fill(table, range(5_000))
        assert {table.level(key, hash_key(key)) for key, _, _ in table.items()} <= {7, 9}
        table.put(gone, hash_key(gone), 1)
        assert table.level(gone, hash_key(gone)) == 9
        table.reset_levels(2)
        assert {table.level(key, hash_key(key)) for key, _, _ in table.items()} == {2}
        assert not any(view.ghosts for view in self.visit(table))
        table.verify()

    def visit(self, table: DashTable) -> Iterator[SegmentView]:
        segment, position = table.segment(0)
        yield segment
        while position:
            segment, position = table.segment(position)
            yield segment

    def test_visits_go_through_all_segments(self, tick: Tick) -> None:
        table = DashTable(tick)
        fill(table, range(5_000))
        seen = [view.key(slot) for view in self.visit(table) for slot in view.slots()]
        assert sorted(seen) == sorted(map(key_of, range(5_000)))


class TestVerify:
    def test_it_tells_what_is_wrong(self, tick: Tick) -> None:
        table = Reference(tick)
        fill(table, range(100))
        segment = next(iter(table._segments()))
        slot = segment.slots()[0]
        segment.fingerprints[slot] ^= 0xFF
        with pytest.raises(AssertionError, match="has fingerprint"):
            table.verify()
        segment.fingerprints[slot] ^= 0xFF
        segment.overflow[3] += 1
        with pytest.raises(AssertionError, match="overflow counts"):
            table.verify()
        segment.overflow[3] -= 1
        table.expiring += 1
        with pytest.raises(AssertionError, match="deadlines"):
            table.verify()
