"""Run as a program: what a shard says it grew by, and what the process grew by, in bytes.

    python -m tests.shard.memory_growth KEY VALUE DEADLINES KIND

KEY and VALUE are sizes in bytes, DEADLINES 0 or 1, KIND bytes, number (a string that is an integer),
bytearray, listN, setN, intsN (a set of integers), hashN, countsN (a hash of integers), expiringN (a hash
whose fields have deadlines), indexedN (a set with an index), streamN, wideN, pendingN (streams), vectorN
(VALUE / 4 components): N elements of that size, added one by one; none of one byte, of which CPython has one
for all. Prints three numbers: accounted growth, growth by the sum of MEMORY USAGE, resident growth. A first
fill warms the process up, so that memory it has in stock does not count; the figures are of the second one.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable

from nogil_df.commands.memory_commands import op_usage
from nogil_df.shard.hashes import HashValue
from nogil_df.shard.keyspace import Keyspace
from nogil_df.shard.lists import ListValue
from nogil_df.shard.sets import SetValue
from nogil_df.shard.shard import Shard
from nogil_df.shard.sorted_sets import SortedSetValue
from nogil_df.shard.stream_groups import Group
from nogil_df.shard.streams import StreamValue
from nogil_df.shard.vectors import BYTES, VectorSetValue

NOW = 1_700_000_000_000
WARM_UP = 12 << 20
MEASURED = 28 << 20
"""Bytes of keys, values and overhead, roughly."""


def resident() -> int:
    """Resident bytes of this process."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def fill(db: Keyspace, begin: int, end: int, key_size: int, make: Callable[[int], object], ttl: bool) -> None:
    """Make keys of that size, numbered."""
    hash_key = db.shard.hash_key
    for number in range(begin, end):
        key = b"%0*d" % (key_size, number)
        db.put(key, hash_key(key), make(number), NOW + 1000 + number if ttl else 0)


def collection(shard: Shard, kind: str, elements: int, size: int) -> object:
    """A list, set, sorted set or hash of so many elements."""
    if kind == "list":
        pushed = ListValue([])
        for place in range(elements):
            pushed.push([b"%0*d" % (size, place)], left=place % 2 == 0)
        return pushed
    if kind == "ints":
        numbers = SetValue.begin(b"1000", 1, shard.limits)
        for place in range(elements):
            numbers.add(b"%d" % (1001 + place * 1_000_003), shard.limits)
        return numbers
    if kind == "vector":
        rng = random.Random(elements)
        vectors = VectorSetValue(size // 4, BYTES, 16, None, 1)
        for place in range(elements):
            vectors.put(b"element:%06d" % place, [rng.random() for _ in range(size // 4)])
        return vectors
    if kind in ("set", "indexed"):
        members = SetValue.begin(b"x" * size, 1, shard.limits)
        for place in range(elements):
            members.add(b"m%0*d" % (size - 1, place), shard.limits)
        if kind == "indexed":
            members.indexed()
        return members
    if kind in ("zset", "scanned"):
        scored = SortedSetValue(shard.limits)
        for place in range(elements):
            scored.add(b"m%0*d" % (size - 1, place), float(place * 7919 % elements), shard.limits)
        if kind == "scanned":
            scored.scan(0)
        return scored
    if kind in ("stream", "wide", "pending"):
        return stream(kind, elements, size)
    fields = HashValue(shard.limits)
    for place in range(elements):
        field = b"f%0*d" % (9, place)
        fields.set(
            field, b"%d" % (1000 + place) if kind == "counts" else b"%0*d" % (size, place), shard.limits
        )
        if kind == "expiring":
            fields.expire(field, NOW + 100_000 + place)
    return fields


def stream(kind: str, elements: int, size: int) -> StreamValue:
    """A stream of entries with a field, or three, or of which each is pending."""
    value = StreamValue()
    for place in range(elements):
        flat = [b"f", b"%0*d" % (size, place)]
        if kind == "wide":
            flat += [b"field", b"%0*d" % (size, place), b"name", b"%0*d" % (size, place)]
        value.append((NOW + place) << 64, flat, 100, 4096)
    if kind == "pending":
        group = value.groups[b"group"] = Group(b"group", 0, 0)
        consumer = group.add_consumer(b"consumer", NOW)
        for entry_id, _ in list(value):
            group.give(consumer, entry_id, NOW)
        value.memory += group.memory
    return value


def main() -> None:
    """See the module's text."""
    key_size, value_size = int(sys.argv[1]), int(sys.argv[2])
    ttl = sys.argv[3] == "1"
    kind = sys.argv[4]
    elements = int(kind.lstrip("abcdefghijklmnopqrstuvwxyz") or 0)
    kind = kind.rstrip("0123456789")
    shard = Shard(0, 1, 16, NOW)
    db = shard.dbs[0]

    def make(number: int) -> object:
        if elements:
            return collection(shard, kind, elements, value_size)
        value = b"%d" % (10**15 + number) if kind == "number" else b"%0*d" % (value_size, number)
        if kind == "number":
            return value
        return value if kind == "bytes" else bytearray(value)

    each = key_size + value_size + 150
    if elements:
        each = key_size + 200 + elements * (value_size + 70)
    first, second = WARM_UP // each, (WARM_UP + MEASURED) // each
    fill(db, 0, first, key_size, make, ttl)
    used, real = shard.used, resident()
    fill(db, first, second, key_size, make, ttl)
    accounted, grown = shard.used - used, resident() - real
    usage = 0
    for number in range(first, second):
        key = b"%0*d" % (key_size, number)
        usage += op_usage(db, key, shard.hash_key(key)) or 0
    print(accounted, usage, grown)


if __name__ == "__main__":
    main()
