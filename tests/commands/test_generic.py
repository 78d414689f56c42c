"""Commands on keys of any type where redis-server is no judge: shards, ownership, events, atomicity."""

from __future__ import annotations

import itertools

import pytest

from nogil_df.base import keyspace_events as events
from nogil_df.base.flags import Options
from nogil_df.shard.shard import Shard
from tests.commands.console import Console
from tests.resp import Reply

OK = Reply("+", b"OK")
NO_SUCH_KEY = Reply("-", b"ERR no such key")


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console()


def key_on(console: Console, shard: int, prefix: str = "key") -> str:
    """A key that a given shard owns."""
    hash_key = console.simulation.threads[0].proactor.shard.hash_key
    shards = len(console.simulation.threads)
    names = (f"{prefix}{number}" for number in itertools.count())
    return next(name for name in names if (hash_key(name.encode()) >> 32) % shards == shard)


def dirty(console: Console) -> int:
    """Changes counted on all shards."""
    return sum(thread.proactor.shard.dirty for thread in console.simulation.threads)


@pytest.fixture
def heard(redis: Console, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes, int]]:
    """Keyspace events as they happen: (event, key, database)."""
    found: list[tuple[bytes, bytes, int]] = []

    def note(shard: Shard, kind: int, event: bytes, key: bytes, db: int) -> None:
        assert kind & events.ALL
        found.append((event, key, db))

    monkeypatch.setattr(Shard, "notify", note)
    for thread in redis.simulation.threads:
        thread.proactor.shard.set_notify_mask(events.ALL | events.KEYEVENT)
    return found


PLACES = [(0, 0), (0, 1), (1, 0), (1, 2)]
"""Shards of two keys; the coordinator is thread 0."""


@pytest.mark.parametrize(("source", "target"), PLACES)
@pytest.mark.parametrize("thread", [0, 2])
def test_rename_takes_value_deadline_and_account_along(source: int, target: int, thread: int) -> None:
    redis = Console(thread=thread)
    old, new = key_on(redis, source, "old"), key_on(redis, target, "new")
    redis(f"SET {old} value PX 5000")
    redis(f"SET {new} longer-than-that")
    assert redis(f"RENAME {old} {new}") == OK
    assert redis.value(f"GET {new}") == b"value"
    assert redis.value(f"PTTL {new}") == 5000
    assert redis.value(f"EXISTS {old}") == 0
    assert redis(f"RENAME {old} {new}") == NO_SUCH_KEY
    redis.simulation.verify()


@pytest.mark.parametrize(("source", "target"), PLACES)
def test_rename_keeps_a_value_that_is_changed_in_place(source: int, target: int) -> None:
    redis = Console()
    old, new = key_on(redis, source, "old"), key_on(redis, target, "new")
    redis(f"SET {old} a")
    redis(f"APPEND {old} b")
    redis(f"RENAME {old} {new}")
    assert redis.value(f"OBJECT ENCODING {new}") == b"raw"
    redis(f"APPEND {new} c")
    assert redis.value(f"GET {new}") == b"abc"
    redis.simulation.verify()


@pytest.mark.parametrize(("source", "target"), PLACES)
def test_a_copy_does_not_change_with_its_original(source: int, target: int) -> None:
    redis = Console()
    old, new = key_on(redis, source, "old"), key_on(redis, target, "new")
    redis(f"SET {old} a")
    redis(f"APPEND {old} b")
    assert redis.value(f"COPY {old} {new}") == 1
    redis(f"APPEND {old} x")
    redis(f"APPEND {new} yz")
    assert redis.value(f"MGET {old} {new}") == [b"abx", b"abyz"]
    redis.simulation.verify()


@pytest.mark.parametrize("command", ["RENAME", "RENAMENX", "COPY"])
def test_the_receiving_shard_makes_its_own_bytes(command: str) -> None:
    redis = Console(thread=1)
    old, new = key_on(redis, 0, "old"), key_on(redis, 1, "new")
    redis(f"SET {old} a-value-of-some-length")
    before = redis.stored(old.encode())
    redis(f"{command} {old} {new}")
    after = redis.stored(new.encode())
    assert after == before
    assert after is not before


@pytest.mark.parametrize(("source", "target"), PLACES)
def test_events_of_renames_and_copies(
    redis: Console, heard: list[tuple[bytes, bytes, int]], source: int, target: int
) -> None:
    old, new = key_on(redis, source, "old"), key_on(redis, target, "new")
    redis(f"SET {old} v")
    redis(f"RENAME {old} {new}")
    redis(f"RENAME {new} {new}")
    redis(f"RENAMENX {new} {old}")
    redis(f"COPY {old} {new}")
    redis(f"COPY {old} {new} DB 3")
    o, n = old.encode(), new.encode()
    assert heard[0] == (b"set", o, 0)
    assert set(heard[1:3]) == {(b"rename_from", o, 0), (b"rename_to", n, 0)}
    assert set(heard[3:5]) == {(b"rename_from", n, 0), (b"rename_to", o, 0)}
    assert heard[5:] == [(b"copy_to", n, 0), (b"copy_to", n, 3)]
    assert dirty(redis) == 5


def test_events_of_other_commands(redis: Console, heard: list[tuple[bytes, bytes, int]]) -> None:
    redis("SET k v")
    for line in (
        "EXPIRE k 100",
        "EXPIRE k 50 GT",
        "PERSIST k",
        "PERSIST k",
        "MOVE k 1",
        "MOVE k 1",
        "SET k v",
        "EXPIREAT k 1",
        "DEL k",
        "SET k v",
        "UNLINK k nokey",
        "SET k v PX 10",
    ):
        redis(line)
    redis.simulation.advance(11)
    redis("GET k")
    assert [(event, db) for event, key, db in heard if key == b"k"] == [
        (b"set", 0),
        (b"expire", 0),
        (b"persist", 0),
        (b"move_from", 0),
        (b"move_to", 1),
        (b"set", 0),
        (b"del", 0),
        (b"set", 0),
        (b"del", 0),
        (b"set", 0),
        (b"expire", 0),
        (b"expired", 0),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "RENAME a b",
        "RENAME b a",
        "COPY b a REPLACE",
        "DEL a",
        "EXPIRE a 9",
        "MOVE a 1",
        "FLUSHALL",
        "SWAPDB 0 1",
    ],
)
def test_what_changes_a_watched_key_fails_exec(redis: Console, line: str) -> None:
    redis("MSET a 1 b 2")
    redis("WATCH a")
    assert redis.another()(line).kind in "+:"
    redis("MULTI")
    redis("SET c 3")
    assert redis("EXEC") == Reply("*", None)


@pytest.mark.parametrize(
    "line", ["RENAME b c", "RENAME a a", "COPY a b REPLACE", "COPY b a", "TOUCH a", "PERSIST a", "DEL b"]
)
def test_what_leaves_a_watched_key_alone_does_not(redis: Console, line: str) -> None:
    redis("MSET a 1 b 2")
    redis("WATCH a")
    assert redis.another()(line).kind in "+:"
    redis("MULTI")
    redis("SET c 3")
    assert redis("EXEC") == Reply("*", (OK,))


@pytest.mark.parametrize("seed", range(30))
def test_renames_are_atomic(seed: int) -> None:
    """One key goes round under many names: whoever looks sees it exactly once."""
    redis = Console(seed=seed)
    names = [f"name-{number}" for number in range(6)]
    redis(f"SET {names[0]} v")
    simulation = redis.simulation
    movers = [simulation.client() for _ in range(3)]
    watchers = [simulation.client() for _ in range(3)]
    for step in range(20):
        for number, mover in enumerate(movers):
            at = (step + number) % 6
            mover.send([b"RENAME", names[at].encode(), names[(at + number + 1) % 6].encode()])
        for watcher in watchers:
            watcher.send([b"EXISTS", *(name.encode() for name in names)])
            watcher.send([b"KEYS", b"*"])
            watcher.send([b"DBSIZE"])
            watcher.send([b"RANDOMKEY"])
    simulation.run()
    for watcher in watchers:
        output = bytes(watcher.output)
        assert output.count(b":1\r\n") == 40
        assert output.count(b"*1\r\n") == 20
        assert b"$-1" not in output
    simulation.verify()


@pytest.mark.parametrize("seed", range(30))
def test_del_and_exists_of_many_keys_are_atomic(seed: int) -> None:
    redis = Console(seed=seed)
    simulation = redis.simulation
    keys = [b"key:%d" % number for number in range(8)]
    pairs = [word for key in keys for word in (key, b"v")]
    writers = [simulation.client() for _ in range(2)]
    readers = [simulation.client() for _ in range(3)]
    for _ in range(15):
        writers[0].send([b"MSET", *pairs])
        writers[1].send([b"DEL" if seed % 2 else b"UNLINK", *keys])
        for reader in readers:
            reader.send([b"EXISTS", *keys])
    simulation.run()
    for reader in readers:
        assert set(bytes(reader.output).split()) <= {b":0", b":8"}
    assert set(bytes(writers[1].output).split()) <= {b":0", b":8"}
    simulation.verify()


def test_one_key_runs_as_a_single_command_and_several_as_one_transaction(redis: Console) -> None:
    dispatcher = redis.client.thread.dispatcher
    for name in ("DEL", "UNLINK", "EXISTS", "TOUCH"):
        command = dispatcher.table[name]
        assert command.is_single([name.encode(), b"k"])
        assert not command.is_single([name.encode(), b"k", b"j"])


def test_a_pipeline_of_deletions_is_squashed(redis: Console) -> None:
    keys = [b"key:%d" % number for number in range(30)]
    redis.client.send(*([b"SET", key, b"v"] for key in keys))
    redis.simulation.run()
    redis.replies()
    before = redis.client.thread.dispatcher.squashed_commands
    redis.client.send(*([b"DEL", key] for key in keys))
    redis.simulation.run()
    assert redis.replies() == [Reply(":", 1)] * 30
    assert redis.client.thread.dispatcher.squashed_commands > before
    redis.simulation.verify()


def test_keys_answers_no_more_than_its_limit() -> None:
    redis = Console(options=Options(keys_output_limit=5))
    for number in range(20):
        redis(f"SET key:{number} v")
    assert len(redis.value("KEYS *")) == 5
    assert len(redis.value("KEYS key:1?")) == 5
    assert len(redis.value("KEYS key:1")) == 1


def test_keys_without_a_limit() -> None:
    redis = Console(options=Options(keys_output_limit=0))
    for number in range(50):
        redis(f"SET key:{number} v")
    assert len(redis.value("KEYS *")) == 50


def test_randomkey_gives_every_key_sooner_or_later(redis: Console) -> None:
    names = {b"key:%d" % number for number in range(12)}
    for name in names:
        redis.run(b"SET", name, b"v")
    redis("SET gone v PX 1")
    redis.simulation.advance(2)
    assert {redis.value("RANDOMKEY") for _ in range(400)} == names


def test_swapdb_and_flush_concern_every_shard(redis: Console) -> None:
    redis("MSET " + " ".join(f"key:{number} v" for number in range(30)))
    redis("SWAPDB 0 5")
    assert redis.value("DBSIZE") == 0
    redis.client.session.db = 5
    assert redis.value("DBSIZE") == 30
    redis("FLUSHDB")
    assert redis.value("DBSIZE") == 0
    redis.simulation.verify()


@pytest.mark.parametrize("mode", ["", " SYNC", " ASYNC"])
def test_a_flushed_table_is_freed_in_slices(mode: str) -> None:
    redis = Console(shards=1)
    shard = redis.simulation.threads[0].proactor.shard
    for number in range(20_000):
        key = b"key:%d" % number
        shard.dbs[0].put(key, shard.hash_key(key), b"v")
    redis(f"FLUSHALL{mode}")
    assert redis.value("DBSIZE") == 0
    assert shard.dbs[0].used == 0
    slices = 0
    while shard.garbage:
        redis.simulation.advance(1)
        slices += 1
    assert slices > 3
    redis.simulation.verify()


@pytest.mark.parametrize(
    "line",
    ["SET big x", "COPY small big REPLACE", "RENAME small big", "SUNIONSTORE big small", "SORT l STORE big"],
)
def test_a_big_value_that_is_overwritten_is_freed_in_slices(line: str) -> None:
    redis = Console(shards=1)
    redis("SADD small a b")
    redis("RPUSH l 2 1")
    members = [b"member-%d" % number for number in range(30_000)]
    for begin in range(0, 30_000, 1000):
        redis.run(b"SADD", b"big", *members[begin : begin + 1000])
    shard = redis.simulation.threads[0].proactor.shard
    assert not shard.garbage
    redis(line)
    assert [len(value) for value in shard.garbage] == [30_000]
    while shard.garbage:
        redis.simulation.advance(1)
    redis.simulation.verify()


def test_sort_by_numbers_and_bytes() -> None:
    redis = Console()
    redis("RPUSH l 10 9 9.0 -1.5 .5 1. 1e3 0x10 2")
    assert redis.value("SORT l") == [b"-1.5", b".5", b"1.", b"2", b"9", b"9.0", b"10", b"0x10", b"1e3"]
    redis("RPUSH m 10 9 9.0 -1.5 .5 1. 2")
    assert redis.value("SORT m") == [b"-1.5", b".5", b"1.", b"2", b"9", b"9.0", b"10"]
    assert redis.value("SORT m DESC") == [b"10", b"9.0", b"9", b"2", b"1.", b".5", b"-1.5"]
    assert redis.value("SORT m ALPHA DESC LIMIT 0 3") == [b"9.0", b"9", b"2"]
    redis("RPUSH m 1-1")
    assert redis("SORT m").value == b"ERR One or more scores can't be converted into double"
