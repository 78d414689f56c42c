"""Many records at once do what the methods of the table do one by one, wherever the records are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.shard.dash import DashTable
from nogil_df.shard.dash import DashTable as Reference
from nogil_df.shard.dash_many import get_many, put_many, revise_many
from tests.shard.dash_support import HASHES, Tick, key_of

pytestmark = pytest.mark.usefixtures("each_table")

NUMBERS = st.lists(st.integers(0, 400), max_size=60)
STEPS = st.lists(
    st.tuples(st.sampled_from(["get", "put", "revise", "expire", "cut", "later"]), NUMBERS), max_size=12
)


class Pair:
    """Two equal tables: one is changed record by record, the other by many."""

    def __init__(self, name: str) -> None:
        self.hashed = HASHES[name]
        self.tick = Tick()
        self.handed_out: tuple[list[Any], list[Any]] = ([], [])
        self.single, self.many = (DashTable(self.tick, hash_key=self.hashed) for _ in range(2))
        for number in range(300):
            for table in (self.single, self.many):
                table.put(key_of(number), self.hashed(key_of(number)), number, 0 if number % 7 else 1_000_500)

    def step(self, action: str, numbers: list[int]) -> None:
        keys = [key_of(number) for number in numbers]
        hashes = [self.hashed(key) for key in keys]
        pairs = list(zip(keys, hashes, strict=True))
        if action == "get":
            assert get_many(self.many, keys, hashes) == [self.single.get(key, h) for key, h in pairs]
        elif action == "put":
            old = [self.single.put(key, h, number) for (key, h), number in zip(pairs, numbers, strict=True)]
            assert put_many(self.many, keys, hashes, numbers, True) == old
        elif action == "revise":
            assert self.revised(keys, hashes) == [self.longer(self.single, key, h) for key, h in pairs]
        elif action == "expire":
            for key, h in pairs:
                assert self.single.set_deadline(key, h, 1_000_200) == self.many.set_deadline(
                    key, h, 1_000_200
                )
        elif action == "cut" and not self.single.cut_version:
            for table, records in zip((self.single, self.many), self.handed_out, strict=True):
                table.cut(1, records.append)
        elif action == "later":
            self.tick.ms += 150

    def revised(self, keys: list[bytes], hashes: list[int]) -> list[Any]:
        def otherwise(key: bytes, h: int) -> Any:
            return self.longer(self.many, key, h)

        results, grown = revise_many(
            self.many, keys, hashes, lambda value: value + "x" if isinstance(value, str) else None, otherwise
        )
        assert 0 <= grown <= len(keys)
        return results

    @staticmethod
    def longer(table: DashTable, key: bytes, h: int) -> Any:
        value = table.get(key, h)
        if value is None:
            return None
        table.put(key, h, value + "x" if isinstance(value, str) else "x", -1)
        return table.get(key, h)


@pytest.mark.parametrize("name", HASHES)
@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_many_do_what_one_does(name: str, steps: list[tuple[str, list[int]]]) -> None:
    pair = Pair(name)
    for action, numbers in steps:
        pair.step(action, numbers)
        pair.many.verify()
    assert sorted(map(repr, pair.many.items())) == sorted(map(repr, pair.single.items()))
    assert pair.handed_out[0] == pair.handed_out[1]


def test_new_keys_are_copied_only_if_they_are_foreign() -> None:
    table = DashTable(Tick())
    hashed = HASHES["xxh3"]
    own, foreign = bytes(bytearray(b"own")), bytes(bytearray(b"foreign"))
    put_many(table, [own], [hashed(own)], [b"1"], False)
    put_many(table, [foreign], [hashed(foreign)], [b"1"], True)
    stored = {key: key for key, _, _ in table.items()}
    if type(table) is Reference:
        assert stored[own] is own
    assert stored[foreign] is not foreign
