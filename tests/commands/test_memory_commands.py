"""MEMORY: what a key costs, the server's account, the reports made of it."""

from __future__ import annotations

import pytest

from nogil_df.commands.memory_commands import diagnose
from nogil_df.shard.table import PACKED, DashTable
from tests.commands.console import Console
from tests.resp import Reply

SYNTAX = Reply("-", b"ERR syntax error")
MEGABYTE = 1 << 20


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console(protocol=3)


def stats(console: Console) -> dict[bytes, Reply]:
    """MEMORY STATS by field."""
    return {name.value: value for name, value in console("MEMORY STATS").value}


def test_usage_follows_the_size_of_the_value(redis: Console) -> None:
    """Byte by byte; the same on every shard; a deadline costs something."""
    redis("SET a " + "x" * 100)
    redis("SET b " + "x" * 1100)
    small, big = redis.value("MEMORY USAGE a"), redis.value("MEMORY USAGE b")
    assert (100 if PACKED else 200) < small < 350
    # What their segments have to spare is not the same.
    assert big - small == pytest.approx(1000, abs=20 if PACKED else 0)
    redis("PEXPIRE a 100000")
    assert redis.value("MEMORY USAGE a") >= small + (0 if PACKED else DashTable.deadline_bytes)
    redis("APPEND b y")
    assert (1100 if PACKED else big) < redis.value("MEMORY USAGE b") < big + 1000


def test_usage_of_what_is_small(redis: Console) -> None:
    """A few bytes in an empty server are not charged with all of its first segment."""
    for value in ("1", "x", "xx"):
        redis(f"SET k {value}")
        assert 10 < redis.value("MEMORY USAGE k") < 200, value


def test_usage_of_nothing_and_options(redis: Console) -> None:
    """SAMPLES may be given, several times too; nothing needs to be sampled."""
    assert redis("MEMORY USAGE nokey") == Reply("_", None)
    redis("SET k v")
    plain = redis.value("MEMORY USAGE k")
    for options in ("SAMPLES 0", "samples 5", "SAMPLES 5 SAMPLES 6"):
        assert redis.value(f"MEMORY USAGE k {options}") == plain
    for options in ("SAMPLES", "SAMPLES -1", "FOO 5", "SAMPLES 5 FOO"):
        assert redis(f"MEMORY USAGE k {options}") == SYNTAX
    not_integer = Reply("-", b"ERR value is not an integer or out of range")
    assert redis("MEMORY USAGE k SAMPLES x") == not_integer


def test_usage_does_not_count_as_a_use(redis: Console) -> None:
    """OBJECT IDLETIME goes on; an expired key is not there."""
    redis("SET k v PX 60000")
    for _ in range(30):
        redis.simulation.advance(1000)
    redis("MEMORY USAGE k")
    assert redis.value("OBJECT IDLETIME k") >= 28
    for _ in range(31):
        redis.simulation.advance(1000)
    assert redis("MEMORY USAGE k") == Reply("_", None)


def test_usage_inside_a_transaction(redis: Console) -> None:
    """Keys of several shards."""
    redis("MSET a 1 b 2 c 3")
    for line in ("MULTI", "MEMORY USAGE a", "MEMORY USAGE b", "MEMORY USAGE nokey"):
        redis(line)
    one, two, none = redis("EXEC").value
    assert one.value == two.value > 0
    assert none.value is None


def test_stats_add_up(redis: Console) -> None:
    """Totals are the sums of their parts, over all shards."""
    before = stats(redis)
    for number in range(2000):
        redis(f"SET key:{number} {'v' * 50}")
    redis("EXPIRE key:1 100")
    redis("SELECT 3")
    redis("SET other x")
    after = stats(redis)
    growth = after[b"total.allocated"].value - before[b"total.allocated"].value
    assert after[b"keys.count"].value == 2001
    assert 2000 * (60 if PACKED else 150) < growth < 2000 * (120 if PACKED else 300)
    assert after[b"dataset.bytes"].value + after[b"overhead.total"].value == after[b"total.allocated"].value
    assert after[b"peak.allocated"].value >= after[b"total.allocated"].value
    assert {name for name in after if name.startswith(b"db.")} == {b"db.0", b"db.3"}
    tables = {name.value: value.value for name, value in after[b"db.0"].value}
    assert tables[b"overhead.hashtable.expires"] == DashTable.deadline_bytes
    assert tables[b"overhead.hashtable.main"] >= 2000 * (10 if PACKED else 16)
    assert after[b"dataset.percentage"].kind == after[b"fragmentation"].kind == ","
    redis("FLUSHALL")
    empty = stats(redis)
    assert empty[b"dataset.bytes"].value == 0
    data = after[b"total.allocated"].value - after[b"clients.normal"].value
    assert empty[b"peak.allocated"].value >= data


def test_purge_frees_what_a_flush_left(redis: Console) -> None:
    """At once, on every thread."""
    redis("DEBUG POPULATE 5000")
    redis("FLUSHALL")
    assert any(thread.proactor.shard.garbage for thread in redis.simulation.threads)
    assert redis("MEMORY PURGE") == Reply("+", b"OK")
    assert not any(thread.proactor.shard.garbage for thread in redis.simulation.threads)


def test_malloc_stats(redis: Console) -> None:
    """Text about the process and about every thread."""
    reply = redis("MEMORY MALLOC-STATS")
    assert reply.kind == "="
    assert b"shard-2: " in reply.value
    assert b" blocks\n" in reply.value


def test_doctor(redis: Console) -> None:
    """What it finds, and what it does not."""
    assert b"nothing to diagnose" in redis("MEMORY DOCTOR").value
    healthy = diagnose(1000 * MEGABYTE, 1000 * MEGABYTE, 1100 * MEGABYTE, 0, 0)
    assert healthy == "Nothing unusual about the memory of this server.\n"
    assert "Peak: the server once held 2.00G" in diagnose(
        1000 * MEGABYTE, 2048 * MEGABYTE, 1100 * MEGABYTE, 0, 0
    )
    assert "Resident memory" in diagnose(1000 * MEGABYTE, 1000 * MEGABYTE, 1500 * MEGABYTE, 0, 0)
    assert "Clients: their buffers" in diagnose(
        1000 * MEGABYTE, 1000 * MEGABYTE, 1100 * MEGABYTE, 900 * MEGABYTE, 10
    )


def test_memory_by_type_adds_up_to_that_of_all_values() -> None:
    redis = Console()
    redis("SET s " + "x" * 1000)
    redis("RPUSH l " + "y" * 500)
    redis("SADD e a b c")
    redis("ZADD z 1 a")
    redis("HSET h f " + "v" * 2000)
    redis("XADD x * f v")
    text = redis.value("INFO memory").decode()
    figures = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    sizes = {
        name: int(figures[f"type_used_memory_{name}"]) for name in "string list set zset hash stream".split()
    }
    assert all(sizes.values())
    assert sizes["hash"] > sizes["string"] > sizes["list"]
    assert abs(sum(sizes.values()) - int(figures["object_used_memory"])) <= len(sizes)
