"""What the suites of the Dash table share: a settable time, and hash functions that bring out its corners."""

from __future__ import annotations

from collections.abc import Callable

from nogil_df.base.hashing import hash_key
from nogil_df.shard import dash, table
from nogil_df.shard.dash import DashTable
from nogil_df.shard.dash_segment import FINGERPRINTS, REMAINDERS

TABLES: dict[str, type[DashTable]] = {"reference": dash.DashTable}
"""The implementations there are, by name."""

if table.PACKED:
    TABLES["compiled"] = table.DashTable


class Tick:
    """The time, as a test sets it."""

    def __init__(self, ms: int = 1_000_000) -> None:
        self.ms = ms


def crowded(key: bytes) -> int:
    """A hash with 16 prefixes, of which one takes half the keys, and 3 home buckets, the last among them.

    A few hundred keys fill home, neighbour and stash, split segments to different depths and spill.
    """
    h = hash_key(key)
    prefix = h >> 60 if h & 1 else 5
    home = (0, 1, 55)[h % 3]
    remainder = home * FINGERPRINTS + h % 7
    base = prefix << 60
    return base + (remainder - base) % REMAINDERS


def constant(key: bytes) -> int:
    """All keys collide in all 64 bits."""
    return 0x0123456789ABCDEF


HASHES: dict[str, Callable[[bytes], int]] = {"xxh3": hash_key, "crowded": crowded, "constant": constant}


def key_of(i: int) -> bytes:
    return b"key:%d" % i


def fill(table: DashTable, numbers: range, hashed: Callable[[bytes], int] = hash_key) -> None:
    """Put the keys of these numbers, each with its number plus one as the value."""
    for i in numbers:
        key = key_of(i)
        table.put(key, hashed(key), i + 1)


def scan_all(table: DashTable) -> list[bytes]:
    """The keys of one whole traversal, in the order given."""
    cursor, found = table.scan(0)
    while cursor:
        assert 0 < cursor < 1 << 48
        cursor, keys = table.scan(cursor)
        found += keys
    return found
