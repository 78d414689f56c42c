"""redis-py's asyncio client in both protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis.asyncio
from redis import WatchError

from tests.servers import NogilServer

Body = Callable[[redis.asyncio.Redis], Awaitable[None]]
Run = Callable[[Body], None]


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def run(request: pytest.FixtureRequest, server: NogilServer) -> Run:
    """A function that runs a coroutine function with a client."""

    def run(body: Body) -> None:
        async def main() -> None:
            async with redis.asyncio.Redis(
                host=server.host, port=server.port, protocol=request.param, socket_timeout=30.0
            ) as client:
                await body(client)

        asyncio.run(main())

    return run


def test_commands_at_the_same_time(run: Run) -> None:
    async def body(client: redis.asyncio.Redis) -> None:
        counts = await asyncio.gather(*[client.incr("count") for _ in range(50)])
        assert sorted(counts) == list(range(1, 51))
        await asyncio.gather(*[client.set(f"key{n}", n) for n in range(50)])
        assert await client.mget([f"key{n}" for n in range(50)]) == [b"%d" % n for n in range(50)]

    run(body)


def test_pipelines_and_transactions(run: Run) -> None:
    async def body(client: redis.asyncio.Redis) -> None:
        async with client.pipeline(transaction=False) as pipeline:
            for number in range(300):
                pipeline.set(f"key{number}", number)
                pipeline.get(f"key{number}")
            replies = await pipeline.execute()
        assert replies[1::2] == [b"%d" % number for number in range(300)]
        async with client.pipeline() as pipeline:
            assert await pipeline.set("a", 1).incr("a").get("a").execute() == [True, 2, b"2"]
        async with client.pipeline() as pipeline:
            await pipeline.watch("a")
            await client.set("a", "changed")
            pipeline.multi()
            pipeline.set("a", "mine")
            with pytest.raises(WatchError):
                await pipeline.execute()
        assert await client.get("a") == b"changed"

    run(body)


def test_publish_and_subscribe(run: Run) -> None:
    async def body(client: redis.asyncio.Redis) -> None:
        async with client.pubsub(ignore_subscribe_messages=True) as listener:
            await listener.subscribe("news")
            await listener.psubscribe("n*")
            # The first two are what is ignored: once they have come, so has the subscription.
            for _ in range(2):
                assert await listener.get_message(timeout=30.0) is None
            assert await client.publish("news", "hello") == 2
            kinds = [(await listener.get_message(timeout=30.0))["type"] for _ in range(2)]
            assert kinds == ["message", "pmessage"]

    run(body)


def test_scan_iter_and_locks(run: Run) -> None:
    async def body(client: redis.asyncio.Redis) -> None:
        keys = {b"key:%d" % number for number in range(300)}
        await client.mset(dict.fromkeys(keys, "x"))
        assert {key async for key in client.scan_iter(count=50)} == keys
        lock = client.lock("lock", timeout=60)
        assert await lock.acquire(blocking=False)
        other = client.lock("lock", timeout=60, sleep=0.02)
        assert not await other.acquire(blocking=False)
        await client.pexpire("lock", 1)
        assert await other.acquire(blocking_timeout=30.0)

    run(body)
