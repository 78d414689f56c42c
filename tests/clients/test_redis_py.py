"""redis-py, synchronous, in both protocols: the calls that applications are made of."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis

from tests.patience import PATIENCE
from tests.servers import NogilServer


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(request: pytest.FixtureRequest, server: NogilServer) -> Iterator[redis.Redis]:
    """A client of the server."""
    with redis.Redis(server.host, server.port, protocol=request.param, socket_timeout=PATIENCE) as it:
        yield it


def test_strings(client: redis.Redis) -> None:
    assert client.set("a", "1", ex=100, nx=True) is True
    assert client.set("a", "2", nx=True) is None
    assert client.set("a", "3", get=True, keepttl=True) == b"1"
    assert 90 < client.ttl("a") <= 100
    assert client.incrby("a", 4) == 7
    assert client.incrbyfloat("a", 0.5) == 7.5
    assert client.getdel("a") == b"7.5"
    assert client.append("b", "hello") == 5
    assert client.setrange("b", 1, "EL") == 5
    assert client.getrange("b", 0, 2) == b"hEL"
    assert client.getex("b", px=5000) == b"hELlo"


def test_many_keys(client: redis.Redis) -> None:
    values = {f"key{number}": b"%d" % number for number in range(100)}
    assert client.mset(values) is True
    assert client.mget(list(values)) == list(values.values())
    assert client.msetnx({"key1": "x", "new": "x"}) is False
    assert client.exists("key1", "key2", "new") == 2
    assert client.rename("key1", "other") is True
    assert client.copy("other", "key2", replace=True) is True
    assert client.delete("key2", "key3", "new") == 2
    assert client.dbsize() == 98
    assert client.type("other") == b"string"


def test_a_pipeline_keeps_its_order(client: redis.Redis) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for number in range(1000):
            pipeline.set(f"key{number}", number).incr("count").get(f"key{number}")
        replies = pipeline.execute()
    assert replies == [reply for n in range(1000) for reply in (True, n + 1, b"%d" % n)]


def test_a_transaction_runs_all_that_can_be_run(client: redis.Redis) -> None:
    with client.pipeline() as pipeline:
        pipeline.set("a", "1").incr("a").mset({"b": "x", "c": "y"}).incr("b").mget("a", "b", "c")
        *replies, error, values = pipeline.execute(raise_on_error=False)
    assert replies == [True, 2, True]
    assert isinstance(error, redis.ResponseError)
    assert values == [b"2", b"x", b"y"]


def test_a_watched_key_that_changes_stops_the_transaction(client: redis.Redis) -> None:
    client.set("stock", 5)
    with client.pipeline() as pipeline:
        pipeline.watch("stock")
        left = int(pipeline.get("stock"))  # type: ignore[arg-type]
        client.decr("stock")
        pipeline.multi()
        pipeline.set("stock", left - 1)
        with pytest.raises(redis.WatchError):
            pipeline.execute()
    assert client.get("stock") == b"4"


def test_optimistic_counting_by_many_threads_loses_nothing(client: redis.Redis) -> None:
    def count() -> None:
        for _ in range(10):
            client.transaction(add_one, "count")

    def add_one(pipeline: redis.client.Pipeline) -> None:
        before = int(pipeline.get("count") or 0)  # type: ignore[arg-type]
        pipeline.multi()
        pipeline.set("count", before + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert client.get("count") == b"40"


def test_publish_and_subscribe(client: redis.Redis) -> None:
    with client.pubsub() as listener:
        listener.subscribe("news", "sport")
        listener.psubscribe("n*")
        listener.ssubscribe("shard")
        kinds = [listener.get_message(timeout=PATIENCE)["type"] for _ in range(4)]
        assert kinds == ["subscribe", "subscribe", "psubscribe", "ssubscribe"]
        assert client.publish("news", "hello") == 2
        assert client.spublish("shard", "here") == 1
        messages = [listener.get_message(timeout=PATIENCE) for _ in range(3)]
        assert [(m["type"], m["channel"], m["data"]) for m in messages] == [
            ("message", b"news", b"hello"),
            ("pmessage", b"news", b"hello"),
            ("smessage", b"shard", b"here"),
        ]
        assert client.pubsub_numsub("news", "sport", "none") == [(b"news", 1), (b"sport", 1), (b"none", 0)]
        listener.unsubscribe("news")
        assert listener.get_message(timeout=PATIENCE)["type"] == "unsubscribe"


def test_a_listening_thread(client: redis.Redis) -> None:
    arrived: list[bytes] = []
    heard = threading.Event()

    def handle(message: dict[str, bytes]) -> None:
        arrived.append(message["data"])
        heard.set()

    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(news=handle)
    thread = listener.run_in_thread(sleep_time=0.05)
    try:
        client.publish("news", "hello")
        assert heard.wait(PATIENCE)
    finally:
        thread.stop()
        thread.join(PATIENCE)
    assert arrived == [b"hello"]


def test_scan_iter_finds_every_key(client: redis.Redis) -> None:
    keys = {b"key:%d" % number for number in range(700)}
    client.mset(dict.fromkeys(keys, "x"))
    assert set(client.scan_iter()) == keys
    assert set(client.scan_iter(match="key:6?", count=100)) == {b"key:%d" % n for n in range(60, 70)}
    assert set(client.scan_iter(_type="string")) == keys
    assert list(client.scan_iter(_type="hash")) == []


def test_a_lock_excludes_and_runs_out(client: redis.Redis) -> None:
    # To release or to extend it, redis-py runs a script; taking it and letting it run out needs none.
    lock = client.lock("lock", timeout=60)
    assert lock.acquire(blocking=False)
    other = client.lock("lock", timeout=60, sleep=0.02)
    assert not other.acquire(blocking=False)
    assert lock.locked()
    assert lock.owned()
    assert 50 < client.ttl("lock") <= 60
    client.pexpire("lock", 1)
    assert other.acquire(blocking_timeout=PATIENCE)
    assert not lock.owned()


def test_what_tools_ask_for(client: redis.Redis) -> None:
    assert client.info()["redis_version"].startswith("8.")
    assert client.info("everything")["nogil_df_version"]
    client.set("a", "1")
    assert client.info("keyspace")["db0"]["keys"] == 1
    assert client.info("commandstats")["cmdstat_set"]["calls"] >= 1
    assert client.config_get("maxmemory", "hz") == {"maxmemory": "0", "hz": "100"}
    assert client.config_set("timeout", 0, "hz", 100) is True
    assert client.client_setname("tool") is True
    assert client.client_getname() in ("tool", b"tool")
    assert [entry["name"] for entry in client.client_list(client_id=[client.client_id()])] == ["tool"]
    assert client.command()["get"]["arity"] == 2
    assert client.command_getkeys("MSET", "a", 1, "b", 2) in (["a", "b"], [b"a", b"b"])
    assert client.memory_usage("a") > 0
    assert client.memory_stats()["keys.count"] == 1
    assert client.object("encoding", "a") in ("int", b"int")
    assert client.role()[0] in ("master", b"master")
    assert client.slowlog_get() is not None


def test_the_stream_of_monitor(client: redis.Redis) -> None:
    with client.monitor() as stream:
        client.set("a", "x y")
        for _ in range(10):
            command = stream.next_command()
            if command["command"].startswith("SET"):
                break
    assert command["command"] == "SET a x y"
    assert command["db"] == 0
    assert command["client_type"] == "tcp"


def test_a_big_value(client: redis.Redis) -> None:
    value = bytes(range(256)) * 40_000
    assert client.set("big", value) is True
    assert client.get("big") == value
