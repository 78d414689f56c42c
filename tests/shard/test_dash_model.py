"""The Dash table against a dict, under every operation in any order (stateful property test).

The model holds exactly the records that the table must hold physically: an expired record leaves it when the
table reports it to `on_expired`. A traversal and a cut may be under way at any time.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.shard.dash_support import HASHES, TABLES, Tick, key_of

KEYS = st.integers(0, 40).map(key_of)
LIFETIMES = st.integers(-5, 500)
SPANS = st.tuples(st.integers(0, 2_500), st.integers(1, 1_500))


class DashMachine(RuleBasedStateMachine):
    table_class = TABLES["reference"]

    @initialize(name=st.sampled_from(sorted(HASHES)), ghosts=st.booleans())
    def start(self, name: str, ghosts: bool) -> None:
        self.tick = Tick()
        self.hash_key = HASHES[name]
        self.table = self.table_class(self.tick, self.on_expired, hash_key=self.hash_key)
        self.ghosts = ghosts
        self.table.uses[:] = bytes([*range(1, 256), 255])
        self.model: dict[bytes, tuple[list[int], int]] = {}
        self.serial = 0
        self.cursor = 0
        self.owed: set[bytes] = set()
        self.version = 0
        self.position = -1
        self.at_cut: dict[bytes, tuple[tuple[int, ...], int]] = {}
        self.handed: dict[bytes, tuple[tuple[int, ...], int]] = {}

    # what the table calls, and the model's view of it

    def on_expired(self, key: bytes, h: int, value: Any) -> None:
        assert h == self.hash_key(key)
        stored, deadline = self.model.pop(key)
        assert value is stored
        assert 0 < deadline < self.tick.ms
        self.owed.discard(key)

    def on_change(self, records: list[tuple[bytes, Any, int, int]]) -> None:
        assert records
        for key, value, deadline, _ in records:
            assert key not in self.handed, "handed out twice"
            self.handed[key] = tuple(value), deadline

    def live(self, key: bytes) -> tuple[list[int], int] | None:
        record = self.model.get(key)
        return None if record is None or 0 < record[1] < self.tick.ms else record

    def put(self, key: bytes, deadline: int) -> None:
        before = self.live(key)
        self.serial += 1
        value = [self.serial]
        old = self.table.put(key, self.hash_key(key), value, deadline)
        assert old is (None if before is None else before[0])
        if deadline < 0:
            deadline = 0 if before is None else before[1]
        self.model[key] = value, deadline

    def erase(self, key: bytes) -> None:
        before = self.live(key)
        value = self.table.erase(key, self.hash_key(key))
        if before is None:
            assert value is None
        else:
            assert value is before[0]
            del self.model[key]
            self.owed.discard(key)
        assert key not in self.model

    # one record

    @rule(key=KEYS, lifetime=LIFETIMES)
    def put_with_deadline(self, key: bytes, lifetime: int) -> None:
        self.put(key, self.tick.ms + lifetime)

    @rule(key=KEYS, deadline=st.sampled_from((0, -1)))
    def put_without(self, key: bytes, deadline: int) -> None:
        self.put(key, deadline)

    @rule(key=KEYS)
    def erase_one(self, key: bytes) -> None:
        self.erase(key)

    @rule(key=KEYS)
    def read(self, key: bytes) -> None:
        h = self.hash_key(key)
        physical = self.model.get(key)
        assert self.table.peek(key, h) is (None if physical is None else physical[0])
        expected = self.live(key)
        assert self.table.get(key, h) is (None if expected is None else expected[0])
        assert self.table.deadline(key, h) == (-1 if expected is None else expected[1])
        assert (key in self.model) == (expected is not None)

    @rule(key=KEYS)
    def replace(self, key: bytes) -> None:
        record = self.model.get(key)
        self.serial += 1
        value = [self.serial]
        assert self.table.replace(key, self.hash_key(key), value) == (record is not None)
        if record is not None:
            self.model[key] = value, record[1]

    @rule(key=KEYS)
    def change_in_place(self, key: bytes) -> None:
        self.table.before_change(key, self.hash_key(key))
        value = self.table.peek(key, self.hash_key(key))
        if value is not None:
            value.append(0)

    @rule(key=KEYS, lifetime=st.one_of(st.none(), LIFETIMES))
    def set_deadline(self, key: bytes, lifetime: int | None) -> None:
        deadline = 0 if lifetime is None else self.tick.ms + lifetime
        record = self.live(key)
        assert self.table.set_deadline(key, self.hash_key(key), deadline) == (record is not None)
        if record is not None:
            self.model[key] = record[0], deadline

    @rule(key=KEYS, times=st.integers(1, 30))
    def touch(self, key: bytes, times: int) -> None:
        for _ in range(times):
            level = self.table.level(key, self.hash_key(key))
            self.table.get(key, self.hash_key(key))
            assert self.table.level(key, self.hash_key(key)) in (level, min(level + 1, 255))

    @rule(key=KEYS)
    def evict(self, key: bytes) -> None:
        segment, _ = self.table.segment(self.hash_key(key) >> 22)
        if slots := segment.slots():
            victim = segment.key(max(slots, key=segment.ages.__getitem__))
            if self.ghosts:
                segment.remember(self.hash_key(victim))
            self.erase(victim)

    # many records

    @rule(span=SPANS, lifetime=st.one_of(st.none(), LIFETIMES))
    def put_many(self, span: tuple[int, int], lifetime: int | None) -> None:
        first, count = span
        for i in range(first, first + count):
            self.put(key_of(i), 0 if lifetime is None else self.tick.ms + lifetime + i % 50)

    @rule(span=SPANS, step=st.integers(1, 3))
    def erase_many(self, span: tuple[int, int], step: int) -> None:
        first, count = span
        for i in range(first, first + 2 * count, step):
            self.erase(key_of(i))

    @rule()
    def erase_most(self) -> None:
        for key in sorted(self.model)[: len(self.model) * 9 // 10]:
            self.erase(key)

    @rule(ms=st.integers(1, 300))
    def advance(self, ms: int) -> None:
        self.tick.ms += ms

    @rule(budget=st.integers(1, 5))
    def collect(self, budget: int) -> None:
        before = len(self.model)
        position, total = self.table.collect_expired(budget)
        while position:
            position, collected = self.table.collect_expired(budget, position)
            total += collected
        assert before - len(self.model) == total
        assert all(self.live(key) for key in self.model)

    @rule(seed=st.integers(0, 99))
    def random_key(self, seed: int) -> None:
        key = self.table.random_key(random.Random(seed))
        assert self.live(key) if key is not None else not any(map(self.live, self.model))

    @rule(slices=st.booleans())
    def clear(self, slices: bool) -> None:
        if slices:
            while len(self.table):
                assert 1 <= self.table.free_step(2) <= 2
        else:
            self.table.clear()
        self.model.clear()
        self.owed.clear()

    # a traversal, one step at a time

    @rule(steps=st.integers(1, 80))
    def scan(self, steps: int) -> None:
        if not self.cursor:
            self.owed = {key for key in self.model if self.live(key)}
        for _ in range(steps):
            self.cursor, keys = self.table.scan(self.cursor)
            assert all(map(self.live, keys))
            self.owed.difference_update(keys)
            if not self.cursor:
                assert not any(map(self.live, self.owed)), "the traversal missed keys"
                self.owed.clear()
                break

    # a cut, one step at a time

    @precondition(lambda self: self.position < 0)
    @rule()
    def begin_cut(self) -> None:
        self.version += 1
        self.at_cut = {key: (tuple(value), deadline) for key, (value, deadline) in self.model.items()}
        self.handed = {}
        self.table.cut(self.version, self.on_change)
        self.position = 0

    @precondition(lambda self: self.position >= 0)
    @rule(steps=st.integers(1, 100))
    def step_cut(self, steps: int) -> None:
        for _ in range(steps):
            self.position = self.table.cut_step(self.version, self.position)
            if self.position < 0:
                assert self.handed == self.at_cut
                self.table.end_cut(self.version)
                assert not self.table.cut_version
                break

    # what always holds

    @invariant()
    def agrees(self) -> None:
        self.table.verify()
        assert len(self.table) == len(self.model)
        assert {key: (value, deadline) for key, value, deadline in self.table.items()} == self.model


DashMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestDashModel = DashMachine.TestCase

if "compiled" in TABLES:

    class CompiledMachine(DashMachine):
        table_class = TABLES["compiled"]

    CompiledMachine.TestCase.settings = DashMachine.TestCase.settings
    TestCompiledModel = CompiledMachine.TestCase
