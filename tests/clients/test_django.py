"""Django's own Redis cache, and django-redis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django.conf
import pytest
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.redis import RedisCache
from django_redis.cache import RedisCache as DjangoRedisCache

from tests.servers import NogilServer

if not django.conf.settings.configured:
    django.conf.settings.configure()


@pytest.fixture(params=[RedisCache, DjangoRedisCache], ids=["django", "django-redis"])
def cache(request: pytest.FixtureRequest, server: NogilServer) -> Iterator[Any]:
    """An empty cache with a prefix for its keys."""
    it = request.param(f"redis://{server.host}:{server.port}/2", {"KEY_PREFIX": "site", "TIMEOUT": 300})
    yield it
    it.close()


def test_values_and_times(cache: BaseCache) -> None:
    cache.set("a", {"list": [1, 2.5, "text"]})
    assert cache.get("a") == {"list": [1, 2.5, "text"]}
    assert cache.get("none", "default") == "default"
    assert cache.add("a", 1) is False
    assert cache.add("b", 1) is True
    assert cache.incr("b", 4) == 5
    assert cache.decr("b") == 4
    with pytest.raises(ValueError, match="none"):
        cache.incr("none")
    assert cache.touch("a", 1000) is True
    assert cache.touch("none") is False
    cache.set("short", 1, timeout=0)
    assert cache.has_key("short") is False
    assert cache.delete("a") is True
    assert "a" not in cache


def test_many_keys(cache: BaseCache) -> None:
    assert not cache.set_many({f"key{number}": number for number in range(50)})
    assert cache.get_many([f"key{number}" for number in range(0, 50, 10)]) == {
        f"key{number}": number for number in range(0, 50, 10)
    }
    cache.delete_many(["key0", "key10"])
    assert cache.get_many(["key0", "key10", "key20"]) == {"key20": 20}
    assert cache.get_or_set("made", lambda: "once") == "once"
    assert cache.get_or_set("made", "twice") == "once"
    cache.clear()
    assert cache.get("key20") is None


def test_what_django_redis_adds(server: NogilServer) -> None:
    cache = DjangoRedisCache(f"redis://{server.host}:{server.port}/3", {"KEY_PREFIX": "site"})
    cache.set("a1", "x", timeout=None)
    cache.set("a2", "y", timeout=100)
    assert cache.ttl("a1") is None
    assert 90 < cache.ttl("a2") <= 100
    assert sorted(cache.iter_keys("a*")) == ["a1", "a2"]
    with cache.lock("lock", timeout=60) as lock:
        assert lock.locked()
    assert cache.persist("a2") is True
    assert cache.delete_pattern("a*") == 2
    cache.close()
