"""What the Dash table costs: CPU nanoseconds per operation and bytes per key, at a given number of keys.

    python -X gil=0 bench/dash.py [keys]        100,000 unless told

Keys are looked up in random order, through equal but not identical `bytes` that lie in memory in that order:
a command brings its key in the cache, while the table's records are wherever they are. The cost of the loop
around the calls is subtracted. Operations that can be repeated are timed in small batches over several rounds
and the least time of each batch counts, which keeps neighbours on the machine out of the figures.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Callable
from time import thread_time_ns
from typing import Any

from nogil_df.base.hashing import hash_key
from nogil_df.shard.dash import DashTable

ROUNDS = 15
BATCH = 1000
FAR_FUTURE_MS = 4_000_000_000_000


class Tick:
    """A time that stands still."""

    ms = 1_700_000_000_000


type Pairs = list[tuple[bytes, int]]


def ns(operation: Callable[[Pairs], None], pairs: Pairs, rounds: int = ROUNDS) -> float:
    """CPU nanoseconds per pair: for each batch the least of `rounds`."""
    batches = [pairs[i : i + BATCH] for i in range(0, len(pairs), BATCH)]
    best = [1 << 62] * len(batches)
    for _ in range(rounds):
        for i, batch in enumerate(batches):
            begin = thread_time_ns()
            operation(batch)
            best[i] = min(best[i], thread_time_ns() - begin)
    return sum(best) / len(pairs)


def nothing(pairs: Pairs) -> None:
    for _key, _h in pairs:
        pass


def getter(table: Any) -> Callable[[Pairs], None]:
    def run(pairs: Pairs) -> None:
        get = table.get
        for key, h in pairs:
            get(key, h)

    return run


def putter(table: DashTable, value: bytes, deadline: int = 0) -> Callable[[Pairs], None]:
    def run(pairs: Pairs) -> None:
        put = table.put
        for key, h in pairs:
            put(key, h, value, deadline)

    return run


def eraser(table: DashTable) -> Callable[[Pairs], None]:
    def run(pairs: Pairs) -> None:
        erase = table.erase
        for key, h in pairs:
            erase(key, h)

    return run


def scan_ns(table: DashTable) -> float:
    """CPU nanoseconds per key of a whole traversal."""
    begin = thread_time_ns()
    cursor, keys = table.scan(0)
    found = len(keys)
    while cursor:
        cursor, keys = table.scan(cursor)
        found += len(keys)
    return (thread_time_ns() - begin) / found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    gc.disable()
    pairs = [(key, hash_key(key)) for key in (b"key:%012d" % i for i in range(count))]
    order = random.Random(1).sample(pairs, count)
    shuffled = [(bytes(bytearray(key)), h * 1) for key, h in order]
    absent = [(key, hash_key(key)) for key in (b"none:%012d" % i for i in range(count))]
    table = DashTable(Tick())
    loop = ns(nothing, shuffled)
    figures = {
        "put, insert": ns(putter(table, b"value"), pairs, 1),
        "get, hit": ns(getter(table), shuffled),
        "get, miss": ns(getter(table), absent),
        "put, overwrite": ns(putter(table, b"another"), shuffled),
        "scan, a key": scan_ns(table) + loop,
        "put, with deadline": ns(putter(table, b"value", FAR_FUTURE_MS), shuffled),
        "get, with deadline": ns(getter(table), shuffled),
    }
    putter(table, b"value")(shuffled)
    segments = table.capacity // 840
    print(f"{count} keys, {segments} segments, {len(table) / table.capacity:.1%} of the slots taken")
    print(f"structure: {table.memory_usage() / count:.1f} bytes a key, without keys and values")
    plain = dict(pairs)
    figures["dict, get"] = ns(getter(plain), shuffled)
    figures["erase"] = ns(eraser(table), shuffled, 1)
    for name, figure in figures.items():
        print(f"{name:20}{figure - loop:8.0f} ns")


if __name__ == "__main__":
    main()
