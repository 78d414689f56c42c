"""redis-py's client-side caching: a local copy until the server says that it is void.

The writer may be answered by its thread a moment before the reader's thread tells the reader: `becomes` waits
for that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import redis
from redis.cache import CacheConfig

from tests.patience import PATIENCE
from tests.servers import NogilServer


@pytest.fixture
def writer(server: NogilServer) -> Iterator[redis.Redis]:
    """A client without a cache."""
    with redis.Redis(server.host, server.port, socket_timeout=PATIENCE) as it:
        yield it


@pytest.fixture
def reader(server: NogilServer) -> Iterator[redis.Redis]:
    """A client that caches, with one connection."""
    with redis.Redis(
        server.host,
        server.port,
        protocol=3,
        socket_timeout=PATIENCE,
        single_connection_client=True,
        cache_config=CacheConfig(),
    ) as it:
        yield it


def becomes(read: Callable[[], object], wanted: object) -> bool:
    """Whether reading gives this, at last."""
    deadline = time.monotonic() + PATIENCE
    while (found := read()) != wanted and time.monotonic() < deadline:
        pass
    return found == wanted


def _commands(client: redis.Redis, name: str) -> int:
    """How many commands of a name the server ran."""
    return int(client.info("commandstats").get(f"cmdstat_{name}", {"calls": 0})["calls"])


def test_the_second_read_does_not_reach_the_server(reader: redis.Redis, writer: redis.Redis) -> None:
    writer.set("a", "1")
    before = _commands(writer, "get")
    assert [reader.get("a") for _ in range(5)] == [b"1"] * 5
    assert _commands(writer, "get") == before + 1
    assert reader.get_cache().size == 1


def test_a_write_by_another_client_voids_the_copy(reader: redis.Redis, writer: redis.Redis) -> None:
    keys = [f"key:{number}" for number in range(20)]
    for key in keys:
        writer.set(key, "old")
    assert [reader.get(key) for key in keys] == [b"old"] * 20
    for key in keys[::2]:
        writer.set(key, "new")
    assert becomes(lambda: [reader.get(key) for key in keys], [b"new", b"old"] * 10)


def test_several_keys_of_one_command(reader: redis.Redis, writer: redis.Redis) -> None:
    writer.mset({"a": "1", "b": "2", "c": "3"})
    assert reader.mget("a", "b", "c") == [b"1", b"2", b"3"]
    writer.delete("b")
    assert becomes(lambda: reader.mget("a", "b", "c"), [b"1", None, b"3"])


def test_collections_and_own_writes(reader: redis.Redis, writer: redis.Redis) -> None:
    writer.hset("h", mapping={"f": "1"})
    assert reader.hgetall("h") == {b"f": b"1"}
    reader.hset("h", "g", "2")
    assert reader.hgetall("h") == {b"f": b"1", b"g": b"2"}
    writer.hdel("h", "f")
    assert becomes(lambda: reader.hgetall("h"), {b"g": b"2"})


def test_a_flush_voids_everything(reader: redis.Redis, writer: redis.Redis) -> None:
    writer.mset({"a": "1", "b": "2"})
    assert (reader.get("a"), reader.get("b")) == (b"1", b"2")
    writer.flushall()
    assert becomes(lambda: (reader.get("a"), reader.get("b")), (None, None))


def test_a_key_that_expires_is_void(reader: redis.Redis, writer: redis.Redis) -> None:
    ms = 40
    while writer.set("a", "1", px=ms) and reader.get("a") != b"1":
        # It ran out on the way to the reader: the machine is that busy.
        ms *= 2
    while writer.exists("a"):
        pass
    assert becomes(lambda: reader.get("a"), None)
