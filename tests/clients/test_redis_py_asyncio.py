"""redis-py's asyncio client in both protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis.asyncio
from redis import WatchError

from tests.patience import PATIENCE
from tests.servers import NogilServer

Body = Callable[[redis.asyncio.Redis], Awaitable[None]]
Run = Callable[[Body], None]


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def run(request: pytest.FixtureRequest, server: NogilServer) -> Run:
    """A function that runs a coroutine function with a client."""

    def run(body: Body) -> None:
        async def main() -> None:
            async with redis.asyncio.Redis(
                host=server.host, port=server.port, protocol=request.param, socket_timeout=PATIENCE
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
                assert await listener.get_message(timeout=PATIENCE) is None
            assert await client.publish("news", "hello") == 2
            kinds = [(await listener.get_message(timeout=PATIENCE))["type"] for _ in range(2)]
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
        assert await other.acquire(blocking_timeout=PATIENCE)

    run(body)


def test_blocking_pops(run: Run) -> None:
    async def body(client: redis.asyncio.Redis) -> None:
        waiting = [asyncio.create_task(client.blpop(["a", "b"], timeout=30)) for _ in range(3)]
        while int((await client.info("clients"))["blocked_clients"]) < 3:
            await asyncio.sleep(0)
        await client.rpush("b", "1", "2")
        await client.lpush("a", "3")
        popped = [tuple(pair) for pair in await asyncio.gather(*waiting)]
        assert sorted(popped) == [(b"a", b"3"), (b"b", b"1"), (b"b", b"2")]
        assert await client.exists("a", "b") == 0
        assert await client.blpop(["a"], timeout=0.01) is None
        moved = asyncio.create_task(client.blmove("from", "to", 30, "LEFT", "RIGHT"))
        while int((await client.info("clients"))["blocked_clients"]) < 1:
            await asyncio.sleep(0)
        await client.rpush("from", "x")
        assert await moved == b"x"
        assert await client.lrange("to", 0, -1) == [b"x"]
        least = asyncio.create_task(client.bzpopmin(["z"], timeout=30))
        while int((await client.info("clients"))["blocked_clients"]) < 1:
            await asyncio.sleep(0)
        await client.zadd("z", {"one": 1, "two": 2})
        assert list(await least) == [b"z", b"one", 1.0]

    run(body)


def test_streams_with_a_group(run: Run) -> None:
    async def body(client: redis.asyncio.Redis) -> None:
        await client.xgroup_create("s", "g", id="$", mkstream=True)
        reading = asyncio.create_task(client.xreadgroup("g", "c", {"s": ">"}, block=30_000, count=10))
        while int((await client.info("clients"))["blocked_clients"]) < 1:
            await asyncio.sleep(0)
        first = await client.xadd("s", {"n": 1})
        got = await reading
        entries = dict(got)[b"s"] if isinstance(got, list) else got[b"s"]
        entries = entries[0] if entries and isinstance(entries[0], list) else entries
        assert [tuple(entry) for entry in entries] == [(first, {b"n": b"1"})]
        assert (await client.xpending("s", "g"))["pending"] == 1
        assert await client.xack("s", "g", first) == 1
        assert (await client.xpending("s", "g"))["pending"] == 0
        ids = [await client.xadd("s", {"n": number}) for number in range(2, 12)]
        assert await client.xlen("s") == 11
        assert [entry[0] for entry in await client.xrange("s", min=ids[0], max=ids[-1])] == ids
        assert await client.xtrim("s", maxlen=3, approximate=False) == 8

    run(body)
