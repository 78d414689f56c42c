"""Clients of Redis Cluster on a server that passes for one: redis-py, both ways, and `redis-cli -c`."""

from __future__ import annotations

import asyncio

import redis
import redis.asyncio
from redis.asyncio.cluster import RedisCluster as AsyncCluster
from redis.cluster import LoadBalancingStrategy

from tests.clients.terminal import run
from tests.servers import NogilServer

KEYS = [f"key:{number}" for number in range(300)]


def test_redis_py(cluster: NogilServer) -> None:
    with redis.RedisCluster(host=cluster.host, port=cluster.port) as client:
        assert [node.server_type for node in client.get_nodes()] == ["primary"]
        assert client.mset_nonatomic(dict.fromkeys(KEYS, "v"))
        assert client.mget_nonatomic(KEYS) == [b"v"] * len(KEYS)
        assert client.dbsize() == len(KEYS)
        assert sorted(client.scan_iter()) == sorted(key.encode() for key in KEYS)
        with client.pipeline() as pipeline:
            for key in KEYS:
                pipeline.append(key, "!")
            assert pipeline.execute() == [2] * len(KEYS)
        script = client.register_script("return redis.call('SUNIONSTORE', KEYS[1], KEYS[2], KEYS[3])")
        client.sadd("{s}a", 1, 2)
        client.sadd("{s}b", 2, 3)
        assert script(keys=["{s}c", "{s}a", "{s}b"]) == 3
        slot = client.keyslot("{s}a")
        assert client.cluster_countkeysinslot(slot) == 3
        assert sorted(client.cluster_get_keys_in_slot(slot, 10)) == ["{s}a", "{s}b", "{s}c"]
        assert client.cluster_keyslot("{s}a") == slot
        assert client.cluster_info()["cluster_state"] == "ok"
        (address, node) = next(iter(client.cluster_nodes().items()))
        assert address == f"{cluster.host}:{cluster.port}"
        assert node["slots"] == [["0", "16383"]]
        assert client.cluster_shards()[0]["nodes"][0][b"health"] == b"online"


def test_redis_py_reads_from_replicas_where_there_are_none(cluster: NogilServer) -> None:
    with redis.RedisCluster(
        host=cluster.host, port=cluster.port, load_balancing_strategy=LoadBalancingStrategy.ROUND_ROBIN
    ) as client:
        client.set("a", 1)
        assert client.get("a") == b"1"


def test_redis_py_with_asyncio(cluster: NogilServer) -> None:
    async def body() -> None:
        async with AsyncCluster(host=cluster.host, port=cluster.port) as client:
            await asyncio.gather(*[client.set(key, 1) for key in KEYS[:30]])
            assert await client.mget_nonatomic(KEYS[:30]) == [b"1"] * 30
            async with client.pipeline() as pipeline:
                pipeline.incr("{n}a").incr("{n}a").get("{n}a")
                assert await pipeline.execute() == [1, 2, b"2"]

    asyncio.run(body())


def test_an_ordinary_client_does_what_it_did(cluster: NogilServer) -> None:
    with redis.Redis(host=cluster.host, port=cluster.port) as client:
        assert client.mset(dict.fromkeys(KEYS, "v"))
        assert client.mget(KEYS) == [b"v"] * len(KEYS)


def test_redis_cli(cluster: NogilServer) -> None:
    assert run("redis-cli", cluster, "-c", "set", "a", "1") == "OK\n"
    assert run("redis-cli", cluster, "-c", "get", "a") == "1\n"
    address = f"{cluster.host}:{cluster.port}"
    report = run("redis-cli", cluster, "--cluster", "check", address)
    assert "[OK] All nodes agree about slots configuration." in report
    assert "[OK] All 16384 slots covered." in report
