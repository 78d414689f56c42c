"""The compiled table beside the reference: whatever is done to both, both hold and hand out the same.

Here values are what the compiled table packs in several ways: strings of every width of its fields, integers
of every width and what only looks like one, strings and keys that it keeps outside the heap, objects.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nogil_df.base.hashing import hash_key
from nogil_df.shard.table import fill_numbered, get_many, put_many, revise_many
from tests.shard.dash_support import HASHES, TABLES, Tick, key_of

LENGTHS = (0, 1, 7, 16, 20, 254, 255, 256, 257, 1_000, 16_383, 16_384, 40_000)
INTEGERS = [
    sign * (1 << bits) + near for bits in (0, 7, 8, 15, 31, 62, 63) for sign in (1, -1) for near in (-1, 0, 1)
]
NO_INTEGERS = [
    b"",
    b"-",
    b"-0",
    b"00",
    b"01",
    b"+1",
    b" 1",
    b"1 ",
    b"1x",
    b"9" * 20,
    b"-" + b"9" * 19,
    b"1\0",
]

LONG_KEYS = (0, 255, 256, 16_383, 16_384, 50_000)

KEYS = st.one_of(st.integers(0, 300).map(key_of), st.sampled_from(LONG_KEYS).map(lambda size: b"k" * size))
STRINGS = st.one_of(
    st.builds(bytes.__mul__, st.sampled_from([b"v", b"w"]), st.sampled_from(LENGTHS)),
    st.sampled_from(INTEGERS).map(lambda number: b"%d" % number),
    st.sampled_from(NO_INTEGERS),
)
VALUES = st.one_of(STRINGS, STRINGS, st.binary(max_size=40).map(bytearray), st.just([1]))
LIFETIMES = st.one_of(st.sampled_from((0, -1)), st.integers(1, 300))


class Both(RuleBasedStateMachine):
    @initialize(name=st.sampled_from(sorted(HASHES)))
    def start(self, name: str) -> None:
        self.tick = Tick()
        self.hashed = HASHES[name]
        self.expired: tuple[list[Any], list[Any]] = ([], [])
        self.handed_out: tuple[list[Any], list[Any]] = ([], [])
        self.reference, self.packed = (
            TABLES[kind](self.tick, lambda *record, kept=kept: kept.append(record), hash_key=self.hashed)
            for kind, kept in zip(("reference", "compiled"), self.expired, strict=True)
        )
        self.tables = self.reference, self.packed
        for table in self.tables:
            table.uses[:] = bytes([*range(1, 256), 255])
            table.fresh, table.known = 3, 7
        self.version = 0

    def same(self, method: str, *arguments: Any) -> Any:
        """Call a method of both; what they return is equal."""
        expected, found = (getattr(table, method)(*arguments) for table in self.tables)
        assert found == expected
        assert type(found) is type(expected)
        return found

    @rule(key=KEYS, value=VALUES, lifetime=LIFETIMES)
    def put(self, key: bytes, value: Any, lifetime: int) -> None:
        self.same("put", key, self.hashed(key), value, self.tick.ms + lifetime if lifetime > 0 else lifetime)

    @rule(key=KEYS, values=st.lists(STRINGS, min_size=2, max_size=12))
    def overwrite(self, key: bytes, values: list[bytes]) -> None:
        for value in values:
            self.same("put", key, self.hashed(key), value, -1)

    @rule(key=KEYS, value=VALUES)
    def replace(self, key: bytes, value: Any) -> None:
        self.same("replace", key, self.hashed(key), value)

    @rule(key=KEYS)
    def erase(self, key: bytes) -> None:
        self.same("erase", key, self.hashed(key))

    @rule(key=KEYS)
    def read(self, key: bytes) -> None:
        h = self.hashed(key)
        for method in ("peek", "get", "look", "deadline", "level", "age", "idle_seconds"):
            self.same(method, key, h)

    @rule(key=KEYS, lifetime=LIFETIMES)
    def set_deadline(self, key: bytes, lifetime: int) -> None:
        self.same("set_deadline", key, self.hashed(key), self.tick.ms + lifetime if lifetime > 0 else 0)

    @rule(key=KEYS, level=st.integers(0, 255))
    def set_age(self, key: bytes, level: int) -> None:
        h = self.hashed(key)
        if all(table.look(key, h) is not None for table in self.tables):
            self.same("set_age", key, h, level)

    @rule(position=st.integers(0, (1 << 42) - 1), share=st.integers(5, 100))
    def evict(self, position: int, share: int) -> None:
        """Records of a segment go and leave ghosts; the others get new levels."""
        view, _ = self.reference.segment(position)
        going = [view.key(slot) for slot in view.slots()[::share]]
        for table in self.tables:
            for key in going:
                h = self.hashed(key)
                view, _ = table.segment(h >> 22)
                slot = next(slot for slot in view.slots() if view.key(slot) == key)
                deadline = view.deadline(slot)
                # To whoever asks for it an expired record is gone; a view shows it.
                assert 0 < deadline <= self.tick.ms or deadline in (0, table.deadline(key, h))
                view.remember(h)
                ages = view.ages
                ages[:] = ages.translate(bytes(255 - level for level in range(256)))
                view.ages = ages
        for key in going:
            self.same("erase", key, self.hashed(key))

    @rule(first=st.integers(0, 2_000), count=st.integers(1, 1_000), size=st.sampled_from(LENGTHS[:10]))
    def put_some(self, first: int, count: int, size: int) -> None:
        for i in range(first, first + count):
            key = key_of(i)
            self.same(
                "put", key, self.hashed(key), b"%0*d" % (size, i), self.tick.ms + i if i % 9 == 0 else 0
            )

    @rule(first=st.integers(0, 2_000), count=st.integers(1, 1_500), step=st.integers(1, 3))
    def erase_some(self, first: int, count: int, step: int) -> None:
        for i in range(first, first + count, step):
            self.same("erase", key_of(i), self.hashed(key_of(i)))

    @rule(keys=st.lists(KEYS, max_size=20), value=STRINGS)
    def many(self, keys: list[bytes], value: bytes) -> None:
        hashes = [self.hashed(key) for key in keys]
        assert get_many(self.packed, keys, hashes) == [
            self.reference.get(*pair) for pair in zip(keys, hashes, strict=True)
        ]
        values = [value + b"%d" % i for i in range(len(keys))]
        old = [self.reference.put(*one) for one in zip(keys, hashes, values, strict=True)]
        assert put_many(self.packed, keys, hashes, values, True) == old
        unlike = dict(zip(keys, hashes, strict=True))
        for key, h in unlike.items():
            self.reference.put(key, h, self.reference.get(key, h) + b"!", -1)
        revised, _ = revise_many(
            self.packed, list(unlike), list(unlike.values()), lambda one: one + b"!", self.absent
        )
        # Not another use of them.
        assert revised == [self.reference.peek(key, h) for key, h in unlike.items()]

    def absent(self, key: bytes, h: int) -> None:
        raise AssertionError(f"{key!r} was not found")

    @rule(ms=st.integers(1, 2_000))
    def advance(self, ms: int) -> None:
        self.tick.ms += ms

    @rule()
    def sweep(self) -> None:
        for method in ("collect_expired", "age_step"):
            for table in self.tables:
                position, _ = getattr(table, method)(5)
                while position:
                    position, _ = getattr(table, method)(5, position)

    @rule(seed=st.integers(0, 99))
    def random_key(self, seed: int) -> None:
        for table, other in (self.tables, self.tables[::-1]):
            key = table.random_key(random.Random(seed))
            if key is not None:
                assert other.look(key, self.hashed(key)) is not None

    @rule()
    def scan(self) -> None:
        found: list[set[bytes]] = []
        for table in self.tables:
            cursor, keys = table.scan(0)
            while cursor:
                cursor, more = table.scan(cursor)
                keys += more
            assert len(keys) == len(set(keys))
            found.append(set(keys))
        assert found[0] == found[1]

    @rule(steps=st.integers(0, 100))
    def cut(self, steps: int) -> None:
        if not self.reference.cut_version:
            self.version += 1
            for table, records, kept in zip(self.tables, self.handed_out, (0, 1), strict=True):
                records.clear()
                table.cut(self.version, lambda handed, kept=kept: self.handed_out[kept].extend(handed))
            return
        for table in self.tables:
            position = 0
            for _ in range(steps):
                position = table.cut_step(self.version, position)
                if position < 0:
                    break
        if steps > 50:
            for table in self.tables:
                position = 0
                while position >= 0:
                    position = table.cut_step(self.version, position)
                table.end_cut(self.version)
            expected, found = ({record[0]: record for record in records} for records in self.handed_out)
            assert found == expected
            assert len(self.handed_out[1]) == len(found)

    @rule(slices=st.booleans())
    def clear(self, slices: bool) -> None:
        for table in self.tables:
            if slices:
                while len(table):
                    table.free_step(2)
            else:
                table.clear()

    @invariant()
    def agree(self) -> None:
        for table in self.tables:
            table.verify()
        assert len(self.packed) == len(self.reference)
        assert self.packed.expiring == self.reference.expiring
        expected, found = ({key: record for key, *record in table.items()} for table in self.tables)
        assert found == expected
        assert sorted(map(repr, self.expired[0])) == sorted(map(repr, self.expired[1]))


def test_every_length_of_key_hashes_as_in_python() -> None:
    """The compiled table hashes short keys by itself; `verify` compares."""
    for kind in TABLES:
        table = TABLES[kind](Tick())
        for size in range(300):
            key = bytes(number * 7 + size & 255 for number in range(size))
            table.put(key, hash_key(key), 1)
        table.verify()


def test_numbered_keys_are_those_that_python_makes() -> None:
    """What DEBUG POPULATE leaves to the compiled table, in slices; keys that are there stay."""
    if fill_numbered is None:
        assert set(TABLES) == {"reference"}
        return
    for size in (0, 3, 16, 300):
        table = TABLES["compiled"](Tick())
        table.put(b"key:7", hash_key(b"key:7"), b"mine")
        number = made = 0
        while number < 2_000:
            number, more = fill_numbered(table, b"key", number, 2_000 - number, size, 1, 2, 100)
            made += more
        expected = {b"key:7": b"mine"}
        for number in range(2_000):
            if (hash_key(key_of(number)) >> 32) % 2 == 1:
                text = b"value:%d" % number
                expected.setdefault(key_of(number), text[:size].ljust(size, b"\0") if size else text)
        assert {key: value for key, value, _ in table.items()} == expected
        assert made == len(expected) - 1
        table.verify()


if "compiled" in TABLES:
    Both.TestCase.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
    TestBothTables = Both.TestCase
