"""Memcached's clients as applications use them: memccapable, pymemcache, python-memcached, Django."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator

import memcache
import pytest
from pymemcache.client.base import Client, PooledClient
from pymemcache.serde import pickle_serde

from tests.memcached.servers import NogilMemcached
from tests.patience import PATIENCE
from tests.servers import HOST


@pytest.fixture(scope="module")
def server() -> Iterator[NogilMemcached]:
    """A server of two threads."""
    with NogilMemcached(threads=2) as it:
        assert isinstance(it, NogilMemcached)
        yield it


def test_memccapable(server: NogilMemcached) -> None:
    command = ["memccapable", "-a", "-h", HOST, "-p", str(server.memcached_port)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "All tests passed" in ran.stdout
    assert ran.stdout.count("[pass]") == 27


def test_pymemcache(server: NogilMemcached) -> None:
    client = Client((HOST, server.memcached_port), serde=pickle_serde, timeout=PATIENCE)
    client.flush_all()
    assert client.set("object", {"a": [1, 2.5, None]}, expire=100)
    assert client.set("text", "grüße")
    assert client.set("number", 5)
    assert client.get_many(["object", "text", "number", "none"]) == {
        "object": {"a": [1, 2.5, None]},
        "text": "grüße",
        "number": 5,
    }
    assert client.set_many({f"k{number}": b"x" * number for number in range(300)}) == []
    assert len(client.get_many([f"k{number}" for number in range(300)])) == 300
    assert client.incr("number", 3) == 8
    assert client.decr("number", 100) == 0
    assert client.incr("none", 1) is None
    value, unique = client.gets("text")
    assert value == "grüße"
    assert client.cas("text", "new", unique) is True
    assert client.cas("text", "newer", unique) is False
    assert client.cas("none", "x", unique) is None
    assert client.add("text", "x", noreply=False) is False
    assert client.replace("none", "x", noreply=False) is False
    assert client.append("k1", b"!", noreply=False) is True
    assert client.touch("k1", 100, noreply=False) is True
    assert client.get("k1") == b"x!"
    assert client.delete("k1", noreply=False) is True
    assert client.delete_many(["k2", "k3"])
    assert client.stats()[b"curr_items"] == 300
    assert client.version().startswith(b"1.6")
    client.flush_all(delay=0, noreply=False)
    assert client.get("text") is None
    client.quit()


def test_pymemcache_from_several_threads(server: NogilMemcached) -> None:
    client = PooledClient((HOST, server.memcached_port), max_pool_size=4, timeout=PATIENCE)
    client.set("count", "0", noreply=False)

    def count() -> None:
        for _ in range(200):
            client.incr("count", 1)

    workers = [threading.Thread(target=count) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert client.get("count") == b"800"
    client.close()


def test_python_memcached(server: NogilMemcached) -> None:
    client = memcache.Client([f"{HOST}:{server.memcached_port}"], cache_cas=True, socket_timeout=PATIENCE)
    client.flush_all()
    assert client.set("a", "text")
    assert client.set("b", 42, time=100)
    assert client.set("c", {"nested": (1, 2)}, min_compress_len=1)
    assert client.get_multi(["a", "b", "c", "d"]) == {"a": "text", "b": 42, "c": {"nested": (1, 2)}}
    assert client.set_multi({"x": 1, "y": 2}, key_prefix="p_") == []
    assert client.get_multi(["x", "y"], key_prefix="p_") == {"x": 1, "y": 2}
    assert client.incr("b") == 43
    assert client.decr("b", 3) == 40
    assert client.gets("a") == "text"
    assert client.cas("a", "changed")
    assert client.get("a") == "changed"
    assert client.append("a", "!")
    assert not client.add("a", "x")
    assert client.replace("a", "y")
    assert client.touch("a", 50)
    assert client.delete("a")
    assert client.get("a") is None
    assert client.get_stats()[0][1]["threads"] == "2"
    client.disconnect_all()


def test_django_cache(server: NogilMemcached) -> None:
    from django.core.cache.backends.memcached import PyMemcacheCache

    cache = PyMemcacheCache(f"{HOST}:{server.memcached_port}", {"KEY_PREFIX": "site"})
    cache.clear()
    assert cache.get("view") is None
    cache.set("view", {"rendered": "<p>"}, timeout=60)
    assert cache.get("view") == {"rendered": "<p>"}
    assert cache.add("view", "other") is False
    cache.set_many({"one": 1, "two": 2}, timeout=None)
    assert cache.get_many(["one", "two", "three"]) == {"one": 1, "two": 2}
    assert cache.incr("one") == 2
    assert cache.touch("view", 10) is True
    assert cache.delete("view") is True
    assert cache.has_key("two")
    cache.close()
