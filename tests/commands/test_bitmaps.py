"""Bitmap commands where redis-server is no judge: shards, ownership, memory, bounds, who watches."""

from __future__ import annotations

import itertools
from functools import reduce
from operator import and_, or_, xor
from random import Random

import pytest

from tests.commands.console import Console
from tests.resp import Reply

PLACES = list(itertools.product((0, 1, 2), repeat=3))
"""Shards of destination and two sources; the coordinator is thread 0."""


def key_on(console: Console, shard: int, prefix: str) -> str:
    """A key that a given shard owns."""
    hash_key = console.simulation.threads[0].proactor.shard.hash_key
    shards = len(console.simulation.threads)
    names = (f"{prefix}{number}" for number in itertools.count())
    return next(name for name in names if (hash_key(name.encode()) >> 32) % shards == shard)


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console(thread=0)


@pytest.mark.parametrize("places", PLACES)
def test_bitop_wherever_the_keys_are(redis: Console, places: tuple[int, int, int]) -> None:
    to, one, two = [key_on(redis, shard, prefix) for shard, prefix in zip(places, "rab", strict=True)]
    redis(rf'SET {one} "\xd8\xff"')
    redis(rf'SET {two} "\x19"')
    expected = {
        "AND": b"\x18\x00",
        "OR": b"\xd9\xff",
        "XOR": b"\xc1\xff",
        "DIFF": b"\xc0\xff",
        "DIFF1": b"\x01\x00",
        "ANDOR": b"\x18\x00",
        "ONE": b"\xc1\xff",
    }
    for operation, result in expected.items():
        assert redis.value(f"BITOP {operation} {to} {one} {two}") == 2
        assert redis.value(f"GET {to}") == result
    assert redis.value(f"BITOP NOT {to} {two}") == 1
    assert redis.value(f"GET {to}") == b"\xe6"
    assert redis.value(f"BITOP DIFF {to} {two} {one}") == 2
    assert redis.value(f"GET {to}") == b"\x01\x00"
    assert redis.value(f"BITOP OR {to} none{one} none{two}") == 0
    assert redis.value(f"EXISTS {to}") == 0
    redis.simulation.verify()


def plainly(operation: str, sources: list[int]) -> int:
    """A BITOP of integers, one source after the other."""
    first, rest = sources[0], reduce(or_, sources[1:], 0)
    if operation == "ONE":
        return sum(1 << bit for bit in range(128) if sum(source >> bit & 1 for source in sources) == 1)
    if operation in ("AND", "OR", "XOR"):
        return reduce({"AND": and_, "OR": or_, "XOR": xor}[operation], sources)
    return {"DIFF": first & ~rest, "DIFF1": rest & ~first, "ANDOR": first & rest}[operation]


@pytest.mark.parametrize("shards", [1, 2, 3])
@pytest.mark.parametrize("operation", ["AND", "OR", "XOR", "DIFF", "DIFF1", "ANDOR", "ONE"])
def test_bitop_of_many_keys(operation: str, shards: int) -> None:
    redis = Console(shards=shards)
    random = Random(operation)
    for _ in range(12):
        values = [random.randbytes(random.randrange(16)) for _ in range(random.randrange(2, 7))]
        names = [f"k{random.randrange(100)}-{at}" for at in range(len(values))]
        for name, value in zip(names, values, strict=True):
            redis.run(b"SET", name.encode(), value)
        length = max(map(len, values))
        numbers = [int.from_bytes(value.ljust(length, b"\0")) for value in values]
        target = random.choice([*names, "target"])
        assert redis.value(f"BITOP {operation} {target} {' '.join(names)}") == length
        expected = plainly(operation, numbers).to_bytes(length) if length else None
        assert redis.value(f"GET {target}") == expected
        redis("FLUSHALL")
    redis.simulation.verify()


def test_bitop_of_another_type_changes_nothing(redis: Console) -> None:
    to, one, two = (key_on(redis, shard, "key") for shard in (0, 1, 2))
    redis(f"SET {to} old")
    redis(f"SET {one} abc")
    redis(f"SADD {two} member")
    assert redis(f"BITOP OR {to} {one} {two}").value.startswith(b"WRONGTYPE")
    assert redis.value(f"GET {to}") == b"old"
    redis.simulation.verify()


def test_bitop_in_a_transaction(redis: Console) -> None:
    to, one, two = (key_on(redis, shard, "key") for shard in (2, 1, 0))
    for line in (f"SET {one} a", f"SET {two} b", "MULTI", f"BITOP OR {to} {one} {two}", f"GET {to}"):
        redis(line)
    assert redis.value("EXEC") == [1, b"c"]
    redis.simulation.verify()


def test_bitop_stores_its_own_copy(redis: Console) -> None:
    redis("SET a text")
    redis("BITOP OR b a")
    redis("SETBIT b 7 0")
    assert redis.value("GET a") == b"text"
    assert redis.value("GET b") == b"text"
    redis("SETBIT b 7 1")
    assert redis.value("GET a") == b"text"
    assert redis.value("GET b") == b"uext"


def test_memory_is_accounted_for_while_bitmaps_grow(redis: Console) -> None:
    for position in (0, 7, 8, 1000, 90_000, 5):
        redis(f"SETBIT k {position} 1")
        redis(f"BITFIELD f SET u63 {position} 5")
        redis("BITOP NOT n k")
        redis.simulation.verify()
    assert redis.value("STRLEN k") == 11_251
    assert redis.value("BITCOUNT k") == 6


@pytest.mark.parametrize(
    "line", ["SETBIT k {} 1", "GETBIT k {}", "BITFIELD k SET u8 {} 1", "BITFIELD k GET i9 {}"]
)
def test_the_longest_string_bounds_positions(redis: Console, line: str) -> None:
    redis("CONFIG SET proto-max-bulk-len 1mb")
    error = Reply("-", b"ERR bit offset is not an integer or out of range")
    assert redis(line.format(8 << 20)) == error
    assert redis(line.format((8 << 20) - 1)) != error


def test_bitfield_counts_as_one_change_to_those_who_watch(redis: Console) -> None:
    other = redis.another()
    for change, executes in (
        ("BITFIELD k SET u8 0 7", False),
        ("BITFIELD k SET u8 0 7 GET u8 0", True),
        ("BITFIELD k OVERFLOW FAIL INCRBY u8 0 300", True),
        ("BITFIELD k INCRBY u8 0 1", False),
        ("SETBIT k 0 0", True),
        ("SETBIT k 0 1", False),
    ):
        redis("WATCH k")
        other(change)
        redis("MULTI")
        redis("PING")
        assert (redis("EXEC").value is not None) == executes, change


def test_negative_values_of_unsigned_fields(redis: Console) -> None:
    assert redis.value("BITFIELD k SET u8 0 -1 GET u8 0") == [0, 255]
    assert redis.value("BITFIELD k OVERFLOW SAT SET u8 0 -1 GET u8 0") == [255, 255]
    assert redis.value("BITFIELD k OVERFLOW FAIL SET u8 0 -1") == [None]
