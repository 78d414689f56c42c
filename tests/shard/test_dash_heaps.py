"""Where the compiled table keeps its records: what goes leaves nothing behind, and no step takes long."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from nogil_df.base import compiled
from nogil_df.base.hashing import hash_key
from nogil_df.shard.dash import DashTable
from tests.patience import PATIENCE
from tests.shard.dash_support import TABLES, Tick, key_of

packed = pytest.mark.skipif(not compiled.in_use(), reason="the reference keeps objects, and has no heaps")
ROOT = Path(__file__).resolve().parent.parent.parent
HALF = """
import random, sys
from nogil_df.base.hashing import hash_key
from nogil_df.shard.table import fill_numbered, prepare_process
from tests.shard.dash_support import TABLES, Tick
from tests.shard.memory_growth import resident

keys, size, erased = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "erased"
prepare_process()
table = TABLES["compiled"](Tick())
before = resident()
number, left = 0, keys
while left:
    done, _ = fill_numbered(table, b"key", number, left, size, 0, 1, 100_000)
    number, left = done, left - (done - number)
assert len(table) == keys
if erased:
    chance = random.Random(1)
    for number in range(keys):
        if chance.random() < 0.5:
            key = b"key:%d" % number
            table.erase(key, hash_key(key))
print((resident() - before) / len(table))
"""
MOST = 1.3
"""Memory after half of the keys were erased at random, in that of a table that never had more."""


@packed
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("keys", "size"), [(300_000, 16), (100_000, 256), (30_000, 1024)])
def test_half_of_the_keys_gone_frees_half_of_the_memory(keys: int, size: int) -> None:
    def bytes_a_key(keys: int, kind: str) -> float:
        done = subprocess.run(
            [sys.executable, "-X", "gil=0", "-c", HALF, str(keys), str(size), kind],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert not done.returncode, done.stderr
        return float(done.stdout)

    assert bytes_a_key(keys, "erased") <= MOST * bytes_a_key(keys // 2, "fresh")


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_a_segment_of_big_values_splits_before_moving_them_takes_long(kind: str) -> None:
    table = TABLES[kind](Tick())
    chance = random.Random(2)
    expected: dict[bytes, bytes] = {}
    for step in range(6_000):
        key = key_of(chance.randrange(600))
        if step > 3_000 and chance.random() < 0.5:
            table.erase(key, hash_key(key))
            expected.pop(key, None)
        else:
            value = b"%0*d" % (chance.choice((9_000, 15_000, 16_383)), step)
            table.put(key, hash_key(key), value)
            expected[key] = value
        if kind == "compiled" and step % 100 == 0:
            assert max(heap(table)) <= 2 << 20
    table.verify()
    assert {key: value for key, value, _ in table.items()} == expected


@packed
def test_values_that_grow_in_their_places_split_the_segment() -> None:
    table = TABLES["compiled"](Tick())
    keys = [key_of(number) for number in range(700)]
    for size in (10, 1_000, 4_000, 16_000):
        for key in keys:
            table.put(key, hash_key(key), b"%0*d" % (size, size))
        assert max(heap(table)) <= 2 << 20
    table.verify()
    assert all(table.get(key, hash_key(key)) == b"%016000d" % 16_000 for key in keys)


def heap(table: DashTable) -> list[int]:
    """Bytes in use of each segment's heap, garbage included."""
    return [used for *_, used, _, _ in table.layout()]


@packed
def test_what_comes_takes_the_places_of_what_went() -> None:
    """Records as long as those before them need no room at the end of a heap."""
    table = TABLES["compiled"](Tick())
    chance = random.Random(4)
    keys = [key_of(10_000 + number) for number in range(4_000)]
    for key in keys:
        table.put(key, hash_key(key), b"v" * 200)
    serial = 20_000
    for turn in range(100):
        for _ in range(60):
            key = keys.pop(chance.randrange(len(keys)))
            table.erase(key, hash_key(key))
        for _ in range(60):
            serial += 1
            key = key_of(serial)
            table.put(key, hash_key(key), b"v" * 200)
            keys.append(key)
        if turn == 50:
            before = heap(table)
    table.verify()
    grown = sum(heap(table)) - sum(before)
    # 3,000 records have come and gone since.
    assert abs(grown) < 150 * 215
    assert {key for key, _, _ in table.items()} == set(keys)


@packed
def test_holes_hold_records_of_all_kinds() -> None:
    """Shorter and longer ones, numbers, objects, long keys; and a heap that is tidied up has none."""
    table = TABLES["compiled"](Tick())
    chance = random.Random(6)
    expected: dict[bytes, object] = {}
    values = [b"", b"7", b"123456789012", b"v" * 20, b"w" * 255, b"x" * 256, b"y" * 3_000, b"z" * 20_000, [1]]
    for step in range(30_000):
        number = chance.randrange(1_500)
        key = (b"k%d" % number).ljust(300 if number % 50 == 0 else 1, b"-") if number else b""
        if chance.random() < 0.5:
            assert table.erase(key, hash_key(key)) == expected.pop(key, None)
        else:
            value = chance.choice(values)
            deadline = chance.choice((0, 2_000_000))
            table.put(key, hash_key(key), value, deadline)
            expected[key] = value
        if step % 1_000 == 0:
            table.verify()
    assert {key: value for key, value, _ in table.items()} == expected
