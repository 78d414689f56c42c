"""DUMP and RESTORE where redis-server is no judge: events, ownership, ages, deadlines of fields, damage."""

from __future__ import annotations

import pytest

from nogil_df.base import keyspace_events as events
from nogil_df.base.rdb_strings import write_string
from nogil_df.rdb import forms
from nogil_df.shard.shard import Shard
from tests.commands.console import Console
from tests.commands.test_sets import key_on
from tests.rdb.building import lengths, payload, strings, times
from tests.resp import Reply

OK = Reply("+", b"OK")
TEXT = payload(forms.STRING, write_string(b"text"))


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


def restore(redis: Console, key: str, data: bytes, *options: str, ttl: str = "0") -> Reply:
    return redis.run(b"RESTORE", key.encode(), ttl.encode(), data, *[word.encode() for word in options])


def test_events(redis: Console, heard: list[tuple[bytes, bytes]]) -> None:
    assert restore(redis, "k", TEXT) == OK
    assert restore(redis, "k", TEXT, "REPLACE", ttl="1000") == OK
    assert heard == [(b"restore", b"k")] * 2
    heard.clear()
    assert restore(redis, "k", TEXT, "REPLACE", "ABSTTL", ttl="1") == OK
    assert restore(redis, "k", TEXT, "ABSTTL", ttl="1") == OK
    assert heard == [(b"del", b"k")]
    heard.clear()
    redis("SET k v")
    heard.clear()
    assert restore(redis, "k", TEXT).kind == "-"
    assert restore(redis, "k", TEXT[:-1], "REPLACE").kind == "-"
    assert restore(redis, "k", payload(forms.LIST, b"\x00"), "REPLACE").kind == "-"
    assert redis("DUMP k").kind == "$"
    assert heard == []
    redis.simulation.verify()


@pytest.mark.parametrize("shard", [0, 1])
def test_every_type_arrives_and_is_accounted_for(redis: Console, shard: int) -> None:
    source, target = key_on(redis, shard), key_on(redis, 2)
    makers = (
        f"SET {source} {'s' * 300}",
        f"RPUSH {source} {' '.join(map(str, range(300)))}",
        f"SADD {source} {' '.join(f'm{number}' for number in range(300))}",
        f"SADD {source} 1 2 3",
        f"HSET {source} {' '.join(map(str, range(600)))}",
        f"ZADD {source} {' '.join(map(str, range(600)))}",
        f"XADD {source} 1-1 a b",
    )
    for maker in makers:
        redis(f"DEL {source} {target}")
        assert redis(maker).kind in "+:$"
        data = redis(f"DUMP {source}").value
        assert restore(redis, target, data) == OK
        assert redis(f"DEBUG DIGEST-VALUE {source}") == redis(f"DEBUG DIGEST-VALUE {target}")
        assert redis(f"OBJECT ENCODING {source}") == redis(f"OBJECT ENCODING {target}")
        assert restore(redis, source, data, "REPLACE") == OK
        redis.simulation.verify()


def test_age_to_begin_with(redis: Console) -> None:
    assert restore(redis, "k", TEXT, "IDLETIME", "3000") == OK
    assert 2900 <= redis("OBJECT IDLETIME k").value <= 3000
    assert restore(redis, "k", TEXT, "REPLACE", "FREQ", "9") == OK
    assert redis("OBJECT IDLETIME k").value == 0
    redis("CONFIG SET maxmemory-policy allkeys-lfu")
    assert restore(redis, "k", TEXT, "REPLACE", "FREQ", "9") == OK
    assert redis("OBJECT FREQ k").value == 9
    assert restore(redis, "k", TEXT, "REPLACE", "IDLETIME", "3000") == OK
    assert redis("OBJECT FREQ k").value == 5


def test_deadlines_of_fields_go_along(redis: Console) -> None:
    redis("HSET k a 1 b 2")
    redis("HPEXPIREAT k 5000000000000 FIELDS 1 a")
    data = redis("DUMP k").value
    assert data[-10] == 12
    assert restore(redis, "copy", data) == OK
    assert redis("HPEXPIRETIME copy FIELDS 2 a b").value == (Reply(":", 5000000000000), Reply(":", -1))
    redis.simulation.verify()


def test_fields_that_have_expired_meanwhile(redis: Console) -> None:
    """They are gone for whoever asks, and a hash of nothing else is gone as well."""
    some = payload(
        forms.HASH_DEADLINES,
        times(5) + lengths(2, 1) + strings(b"a", b"1") + b"\x00" + strings(b"b", b"2"),
        12,
    )
    every = payload(forms.HASH_DEADLINES, times(5) + lengths(1, 1) + strings(b"a", b"1"), 12)
    assert restore(redis, "some", some) == OK
    assert redis("HGETALL some").value == (Reply("$", b"b"), Reply("$", b"2"))
    assert restore(redis, "every", every) == OK
    assert redis("HGETALL every").value == ()
    assert redis("DUMP every").value is None
    assert redis("EXISTS every").value == 0
    redis.simulation.verify()


def test_dump_leaves_out_what_has_expired(redis: Console) -> None:
    redis("HSET k a 1 b 2")
    redis("HPEXPIRE k 50 FIELDS 1 a")
    redis.simulation.advance(1000)
    assert restore(redis, "copy", redis("DUMP k").value) == OK
    assert redis("HGETALL copy").value == (Reply("$", b"b"), Reply("$", b"2"))


def test_compression_follows_the_configuration(redis: Console) -> None:
    redis(f"SET k {'abc' * 500}")
    assert len(redis("DUMP k").value) < 100
    redis("CONFIG SET rdbcompression no")
    assert len(redis("DUMP k").value) > 1500


def test_in_a_transaction_over_shards(redis: Console) -> None:
    keys = [key_on(redis, shard) for shard in range(3)]
    redis("MULTI")
    for key in keys:
        assert restore(redis, key, TEXT) == Reply("+", b"QUEUED")
        redis(f"DUMP {key}")
    replies = redis("EXEC").value
    assert [reply.kind for reply in replies] == ["+", "$"] * 3
    assert {reply.value for reply in replies[1::2]} == {TEXT}
