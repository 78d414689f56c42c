"""Commands on hashes where redis-server is no judge: deadlines under a moved clock, ownership, traversals."""

from __future__ import annotations

from random import Random

import pytest

from nogil_df.base import keyspace_events as events
from nogil_df.base.flags import Options
from nogil_df.shard.shard import Shard
from tests.commands.console import Console
from tests.commands.test_sets import key_on
from tests.resp import Reply


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console(thread=0)


@pytest.fixture
def heard(redis: Console, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """Keyspace events as they happen: (event, key)."""
    found: list[tuple[bytes, bytes]] = []

    def note(shard: Shard, kind: int, event: bytes, key: bytes, db: int) -> None:
        found.append((event, key))

    monkeypatch.setattr(Shard, "notify", note)
    for thread in redis.simulation.threads:
        thread.proactor.shard.set_notify_mask(events.ALL | events.KEYEVENT)
    return found


def expired_fields(console: Console) -> int:
    return sum(thread.proactor.shard.expired_fields for thread in console.simulation.threads)


@pytest.mark.parametrize("shard", [0, 1])
def test_what_a_hash_holds_belongs_to_its_shard(redis: Console, shard: int) -> None:
    """What came by a hop is copied, options and all."""
    key = key_on(redis, shard)
    field, value = bytes(bytearray(b"a field")), bytes(bytearray(b"a value"))
    lines = (
        [b"HSET", key.encode(), field, value],
        [b"HSET", key.encode(), b"other", value, field, value],
        [b"HSETEX", key.encode(), b"EX", b"10", b"FIELDS", b"1", field, value],
        [b"HEXPIRE", key.encode(), b"10", b"FIELDS", b"1", field],
        [b"HINCRBY", key.encode(), b"number", b"1"],
    )
    for line in lines:
        redis.client.send(line)
        redis.simulation.run()
        stored = redis.stored(key.encode())
        if shard:
            assert not any(name is field for name in stored.fields)
            assert not any(text is value for text in stored.fields.values())
            if stored.deadlines is not None:
                assert not any(name is field for name in stored.deadlines.by_field)
    redis.simulation.verify()


@pytest.mark.parametrize("shard", [0, 1])
def test_a_field_expires_to_the_millisecond(redis: Console, shard: int) -> None:
    key = key_on(redis, shard)
    redis(f"HSET {key} a 1 b 2")
    redis(f"HPEXPIRE {key} 1000 FIELDS 1 a")
    redis.simulation.clock.advance(1000)
    assert redis.value(f"HPTTL {key} FIELDS 1 a") == [0]
    assert redis.value(f"HGET {key} a") == b"1"
    redis.simulation.clock.advance(1)
    assert redis.value(f"HGET {key} a") is None
    assert redis.value(f"HGETALL {key}") == [b"b", b"2"]
    assert expired_fields(redis) == 1
    redis.simulation.verify()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("HGET h a", None),
        ("HMGET h a b", [None, b"2"]),
        ("HGETALL h", [b"b", b"2"]),
        ("HKEYS h", [b"b"]),
        ("HVALS h", [b"2"]),
        ("HLEN h", 1),
        ("HEXISTS h a", 0),
        ("HSTRLEN h a", 0),
        ("HDEL h a", 0),
        ("HSET h a 5", 1),
        ("HSETNX h a 5", 1),
        ("HINCRBY h a 5", 5),
        ("HINCRBYFLOAT h a 5", b"5"),
        ("HRANDFIELD h 5", [b"b"]),
        ("HTTL h FIELDS 2 a b", [-2, -1]),
        ("HPERSIST h FIELDS 2 a b", [-2, -1]),
        ("HEXPIRE h 10 FIELDS 2 a b", [-2, 1]),
        ("HGETDEL h FIELDS 2 a b", [None, b"2"]),
        ("HGETEX h FIELDS 2 a b", [None, b"2"]),
        ("HSETEX h FXX FIELDS 1 a 5", 0),
        ("HSETEX h FNX FIELDS 1 a 5", 1),
        ("HSETEX h KEEPTTL FIELDS 1 a 5", 1),
    ],
)
def test_nobody_sees_an_expired_field(redis: Console, line: str, answer: object) -> None:
    redis("HSET h a 1 b 2")
    redis("HPEXPIRE h 5 FIELDS 1 a")
    redis.simulation.clock.advance(6)
    assert redis.value(line) == answer
    assert redis.value("HTTL h FIELDS 1 a") in ([-1], [-2])
    redis.simulation.verify()


def test_the_last_field_takes_the_key_along(redis: Console, heard: list[tuple[bytes, bytes]]) -> None:
    redis("HSET h a 1 b 2")
    redis("HPEXPIRE h 5 FIELDS 2 a b")
    redis.simulation.clock.advance(6)
    assert redis.value("HGETALL h") == []
    assert redis.value("EXISTS h") == 0
    assert heard == [(event, b"h") for event in (b"hset", b"hexpire", b"hexpired", b"del")]
    redis.simulation.verify()


def test_fields_expire_without_being_asked_for(redis: Console, heard: list[tuple[bytes, bytes]]) -> None:
    keys = [key_on(redis, shard) for shard in range(3)]
    for key in keys:
        redis(f"HSET {key} a 1 b 2 c 3")
        redis(f"HPEXPIRE {key} 50 FIELDS 1 a")
        redis(f"HPEXPIRE {key} 5000 FIELDS 2 b c")
    heard.clear()
    redis.simulation.advance(51)
    assert [redis.stored(key.encode()).fields for key in keys] == [{b"b": b"2", b"c": b"3"}] * 3
    assert sorted(heard) == sorted((b"hexpired", key.encode()) for key in keys)
    redis.simulation.verify()
    redis.simulation.advance(5000)
    assert redis.value("DBSIZE") == 0
    assert expired_fields(redis) == 9
    redis.simulation.verify()


def test_many_expired_fields_go_in_slices(redis: Console) -> None:
    redis.run(b"HSET", b"h", *[word for number in range(1000) for word in (b"f%d" % number, b"v")])
    redis.run(b"HPEXPIRE", b"h", b"5", b"FIELDS", b"1000", *[b"f%d" % number for number in range(1000)])
    redis.run(b"HSET", b"h", b"stays", b"v")
    redis.simulation.clock.advance(6)
    shard = next(
        thread.proactor.shard for thread in redis.simulation.threads if len(thread.proactor.shard.dbs[0])
    )
    shard.tick.ms = redis.simulation.clock.unix_ms()
    left = [1001]
    while left[-1] > 1:
        shard.expire_step(1)
        left.append(len(shard.dbs[0].table.peek(b"h", shard.hash_key(b"h"))))
        assert 0 < left[-2] - left[-1] <= 200
    redis.simulation.verify()


@pytest.mark.parametrize(
    ("change", "where"),
    [("RENAME h g", b"g"), ("COPY h g", b"g"), ("PERSIST h", b"h"), ("HPERSIST h FIELDS 1 b", b"h")],
)
def test_active_expiry_finds_a_hash_that_moved(redis: Console, change: str, where: bytes) -> None:
    redis("HSET h a 1 b 2 c 3")
    redis("HPEXPIRE h 50 FIELDS 2 a b")
    redis(change)
    redis.simulation.advance(51)
    stored = redis.stored(where)
    assert b"a" not in stored.fields
    assert b"c" in stored.fields
    redis.simulation.verify()


def test_active_expiry_in_another_database(redis: Console) -> None:
    redis("HSET h a 1 b 2")
    redis("HPEXPIRE h 50 FIELDS 1 a")
    redis("MOVE h 3")
    redis("SWAPDB 3 0")
    redis.simulation.advance(51)
    assert redis.stored(b"h").fields == {b"b": b"2"}
    redis("HPEXPIRE h 50 FIELDS 1 b")
    redis("FLUSHALL")
    redis("HSET h b 2")
    redis.simulation.advance(51)
    assert redis.value("HGETALL h") == [b"b", b"2"]
    redis.simulation.verify()


def test_deadlines_that_are_changed_over_and_over_leave_nothing_behind(redis: Console) -> None:
    for turn in range(3000):
        redis("HSET h a 1")
        redis(f"HPEXPIRE h {100_000 + turn} FIELDS 1 a")
        if turn % 3 == 0:
            redis("DEL h")
    entries = sum(len(thread.proactor.shard.dbs[0].field_expiry.heap) for thread in redis.simulation.threads)
    assert entries <= 1100
    redis.simulation.verify()


def test_events_of_deadlines(redis: Console, heard: list[tuple[bytes, bytes]]) -> None:
    redis("HSET h a 1 b 2 c 3")
    heard.clear()
    for line, expected in (
        ("HEXPIRE h 100 FIELDS 2 a none", [b"hexpire"]),
        ("HEXPIRE h 100 NX FIELDS 1 a", []),
        ("HEXPIRE h 100 FIELDS 1 none", []),
        ("HPERSIST h FIELDS 2 a b", [b"hpersist"]),
        ("HPERSIST h FIELDS 2 a b", []),
        ("HGETEX h FIELDS 1 a", []),
        ("HGETEX h EX 10 FIELDS 1 a", [b"hexpire"]),
        ("HGETEX h PERSIST FIELDS 1 a", [b"hpersist"]),
        ("HGETEX h PERSIST FIELDS 1 a", []),
        ("HSETEX h FIELDS 1 a 1", [b"hset"]),
        ("HSETEX h EX 10 FIELDS 1 a 1", [b"hset", b"hexpire"]),
        ("HSETEX h FNX FIELDS 1 a 1", []),
        ("HSETEX h EX 0 FIELDS 1 a 1", [b"hset", b"hdel"]),
        ("HGETDEL h FIELDS 1 a", []),
        ("HGETDEL h FIELDS 1 b", [b"hdel"]),
        ("HEXPIRE h 0 FIELDS 1 c", [b"hdel", b"del"]),
        ("HSETEX h PXAT 1 FIELDS 1 a 1", [b"hset", b"hdel", b"del"]),
    ):
        redis(line)
        assert [event for event, _ in heard] == expected, line
        heard.clear()
    redis.simulation.verify()


def test_a_watched_hash_is_spoiled_when_a_field_expires(redis: Console) -> None:
    redis("HSET h a 1 b 2")
    redis("HPEXPIRE h 50 FIELDS 1 a")
    redis("WATCH h")
    redis.simulation.advance(51)
    redis("MULTI")
    redis("PING")
    assert redis("EXEC").value is None


@pytest.mark.parametrize("seed", range(4))
def test_hscan_gives_whatever_is_there_all_the_time(seed: int) -> None:
    redis = Console(seed=seed)
    random = Random(seed)
    stay = {b"stay:%d" % number: b"%d" % number for number in range(600)}
    redis.run(b"HSET", b"h", *[word for pair in stay.items() for word in pair])
    found: dict[bytes, bytes] = {}
    cursor = b"0"
    others: list[bytes] = []
    for _ in range(10_000):
        answer = redis(f"HSCAN h {cursor.decode()} COUNT {random.randrange(1, 40)}")
        cursor = answer.value[0].value
        words = [item.value for item in answer.value[1].value]
        found.update(zip(words[::2], words[1::2], strict=True))
        if cursor == b"0":
            break
        if random.random() < 0.6:
            some = [b"other:%d" % random.randrange(1 << 40) for _ in range(60)]
            others += some
            redis.run(b"HSET", b"h", *[word for name in some for word in (name, b"v")])
            redis.run(b"HPEXPIRE", b"h", b"10", b"FIELDS", b"30", *some[:30])
        elif others:
            redis.run(b"HDEL", b"h", *others)
            others = []
        redis.simulation.clock.advance(random.randrange(20))
    assert cursor == b"0"
    assert stay.items() <= found.items()
    redis.simulation.verify()


def test_maps_in_resp3() -> None:
    redis = Console(protocol=3)
    redis("HSET h a 1")
    pair = (Reply("$", b"a"), Reply("$", b"1"))
    assert redis("HGETALL h") == Reply("%", (pair,))
    assert redis("HGETALL none") == Reply("%", ())
    assert redis("HRANDFIELD h 1 WITHVALUES") == Reply("*", (Reply("*", pair),))
    assert redis("HGET h none") == Reply("_", None)


def test_limits_follow_the_configuration_on_every_thread() -> None:
    redis = Console(options=Options(config=(("hash-max-listpack-entries", "2"),)))
    for shard in range(3):
        key = key_on(redis, shard)
        redis(f"HSET {key} a 1 b 2")
        assert redis.value(f"OBJECT ENCODING {key}") == b"listpack"
        redis(f"HSET {key} c 3")
        assert redis.value(f"OBJECT ENCODING {key}") == b"hashtable"
    redis("CONFIG SET hash-max-listpack-entries 512")
    redis("HSET new a 1 b 2 c 3")
    assert redis.value("OBJECT ENCODING new") == b"listpack"


def test_the_deadlines_of_fields_by_dragonflys_names() -> None:
    redis = Console()
    redis("HSET h a 1 b 2")
    assert redis.value("FIELDEXPIRE h 10 a none") == [1, -2]
    assert redis.value("FIELDTTL h a") == 10
    assert redis.value("FIELDTTL h b") == -1
    assert redis.value("FIELDTTL h none") == -3
    assert redis.value("FIELDTTL none a") == -2
    assert redis.value("FIELDEXPIRE none 10 a") == [-2]
    assert redis.value("FIELDEXPIRE h 0 a") == b"ERR invalid expire time in 'fieldexpire' command"
    assert redis.value("FIELDEXPIRE h x a") == b"ERR value is not an integer or out of range"
    redis.simulation.advance(10_001)
    assert redis.value("HGETALL h") == [b"b", b"2"]
