"""The account of memory: kept exactly by every write, and within 20 % of what the process really grows by."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import sysconfig

import pytest

from nogil_df.shard.memory import own, record_size, value_size
from nogil_df.shard.shard import Shard
from nogil_df.shard.table import PACKED
from tests.patience import PATIENCE
from tests.servers import ROOT

TOLERANCE = 0.20
NOW = 1_700_000_000_000


def growth(*arguments: object) -> tuple[int, int, int]:
    """What `tests.shard.memory_growth` prints, in a process of its own."""
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    line = [sys.executable, *(["-X", "gil=0"] if free_threaded else []), "-m", "tests.shard.memory_growth"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [*line, *map(str, arguments)],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env=environment,
        timeout=PATIENCE,
    )
    accounted, usage, real = map(int, result.stdout.split())
    return accounted, usage, real


# Sizes about the allocator's classes, those just past one included, where rounding costs most.
@pytest.mark.parametrize(
    ("key", "value", "deadlines", "kind"),
    [
        (10, 8, 0, "bytes"),
        (16, 16, 0, "bytes"),
        (16, 16, 1, "bytes"),
        (40, 64, 0, "bytes"),
        (16, 256, 0, "bytes"),
        (16, 470, 0, "bytes"),
        (16, 1000, 0, "bytes"),
        (32, 4000, 0, "bytes"),
        (16, 20_000, 0, "bytes"),
        (16, 300_000, 0, "bytes"),
        (16, 200, 0, "bytearray"),
        (16, 16, 0, "list1"),
        (16, 16, 0, "list4"),
        (16, 100, 0, "list20"),
        (16, 16, 0, "list60"),
        (16, 16, 0, "list120"),
        (16, 16, 0, "list140"),
        (16, 16, 0, "list1000"),
        (16, 16, 0, "set1"),
        (16, 16, 0, "set5"),
        (16, 16, 0, "set1000"),
        (16, 100, 0, "set60"),
        (16, 16, 0, "indexed1000"),
        (16, 16, 0, "zset1"),
        (16, 16, 0, "zset10"),
        (16, 16, 0, "zset100"),
        (16, 100, 0, "zset1000"),
        (16, 16, 0, "zset20000"),
        (16, 16, 0, "scanned1000"),
        (16, 16, 0, "hash1"),
        (16, 16, 0, "hash6"),
        (16, 100, 0, "hash1000"),
        (16, 16, 0, "expiring1"),
        (16, 16, 0, "expiring50"),
        (16, 16, 0, "stream1"),
        (16, 16, 0, "stream10"),
        (16, 16, 0, "stream1000"),
        (16, 300, 0, "stream100"),
        (16, 16, 0, "wide1000"),
        (16, 16, 0, "pending1"),
        (16, 16, 0, "pending20"),
        (16, 16, 0, "pending1000"),
        (16, 16, 0, "number"),
        (16, 8, 0, "ints400"),
        (16, 8, 0, "ints5000"),
        (16, 8, 0, "counts6"),
        (16, 8, 0, "counts1000"),
        (16, 512, 0, "vector1"),
        (16, 512, 0, "vector50"),
        (16, 4, 0, "list3000"),
        (16, 3000, 0, "list10"),
    ],
)
def test_accounts_are_close_to_what_the_process_grows_by(
    key: int, value: int, deadlines: int, kind: str
) -> None:
    """Both the shard's account and the sum of MEMORY USAGE."""
    accounted, usage, real = growth(key, value, deadlines, kind)
    assert accounted == pytest.approx(real, rel=TOLERANCE)
    assert usage == pytest.approx(real, rel=TOLERANCE)


@pytest.mark.parametrize("seed", range(5))
def test_the_account_is_exact_whatever_is_done(seed: int) -> None:
    """Against a sum over all records, which `verify` makes; an emptied database holds nothing."""
    rng = random.Random(seed)
    shard = Shard(0, 1, 2, NOW)
    db, other = shard.dbs
    for _ in range(4000):
        key = b"key:%d" % rng.randrange(300)
        h = shard.hash_key(key)
        choice = rng.randrange(8)
        if choice < 4:
            value = b"x" * rng.randrange(100)
            db.put(key, h, bytearray(value) if choice == 0 else value, rng.choice((0, -1, NOW + 500)))
        elif choice < 6:
            db.erase(key, h)
        elif choice == 6:
            value = db.peek(key, h)
            if type(value) is bytearray:
                before = value_size(value)
                value.extend(b"y" * rng.randrange(200))
                db.resized(before, value_size(value))
        else:
            db.swap(other)
        if rng.randrange(500) == 0:
            shard.tick.ms += 1000
    shard.verify()
    for one in shard.dbs:
        one.flush()
        assert one.used == 0
    shard.verify()


def test_a_record_costs_what_its_objects_cost() -> None:
    """Whatever the value is made of."""
    if PACKED:
        assert record_size(b"k" * 11, b"v" * 21) == 0
        assert record_size(b"k", bytearray(50)) == value_size(bytearray(50)) > 50
        return
    small = record_size(b"k", b"v")
    assert record_size(b"k" * 11, b"v" * 21) == small + 30
    assert small - value_size(b"v") == record_size(b"k", bytearray(50)) - value_size(bytearray(50))


def test_own_makes_copies_of_everything() -> None:
    """Of byte strings, however deep; what is no byte string stays."""
    key, value = b"some key", b"some value"
    copy = own([key, (value, 5, None)])
    assert copy == [key, (value, 5, None)]
    assert copy[0] is not key
    assert copy[1][0] is not value
    assert type(copy[1]) is tuple
