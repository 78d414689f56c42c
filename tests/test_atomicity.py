"""Real threads: writes of many keys are seen whole, and pipelines in their order, on three shard threads.

The seeded simulation (`tests/vll`) looks at far more interleavings; this is what it cannot see, the hand-over
between threads. Seconds long; the suites in `stress` run for minutes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import redis

from stress.clients import Turn, run_clients
from tests.resp import Connection, Reply
from tests.servers import NogilServer, Server

SECONDS = 3.0
OK = Reply("+", b"OK")
KEYS = [b"key:%d" % number for number in range(9)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Three shard threads."""
    with NogilServer(threads=3) as started:
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    """A client of redis-py on an empty server; its pool gives every thread a connection."""
    server.flush()
    with redis.Redis(port=server.port, protocol=3) as made:
        yield made


def test_many_keys_are_written_and_read_whole(server: Server, client: redis.Redis) -> None:
    """MSET and EXEC by redis-py and by raw sockets; MGET and EXEC see one writer's values."""
    numbers = itertools.count(1)

    def mset(connection: Connection, number: int) -> None:
        value = b"%d" % next(numbers)
        assert connection.execute("MSET", *(part for key in KEYS for part in (key, value))) == OK

    def execute(connection: Connection, number: int) -> None:
        with client.pipeline(transaction=True) as pipeline:
            value = next(numbers)
            for key in reversed(KEYS):
                pipeline.set(key, value)
            assert pipeline.execute() == [True] * len(KEYS)

    def read_raw(connection: Connection, number: int) -> None:
        seen = {item.value for item in connection.execute("MGET", *KEYS).value}
        assert len(seen) == 1, f"MGET saw parts of several writes: {seen}"

    def read_in_transaction(connection: Connection, number: int) -> None:
        with client.pipeline(transaction=True) as pipeline:
            for key in KEYS:
                pipeline.get(key)
            seen = set(pipeline.execute())
        assert len(seen) == 1, f"EXEC saw parts of several writes: {seen}"

    turns: list[Turn] = [mset, mset, execute, read_raw, read_raw, read_in_transaction]
    assert run_clients(server, SECONDS, turns) > 0


def test_pipelines_are_seen_in_order(server: Server, client: redis.Redis) -> None:
    """`SET a n; SET b n; ...`: no reader sees a later key ahead of an earlier one."""
    count = 0

    def write(connection: Connection, number: int) -> None:
        nonlocal count
        rounds = range(count + 1, count + 101)
        count += 100
        commands = [(b"SET", key, b"%d" % value) for value in rounds for key in KEYS]
        assert connection.pipeline(commands) == [OK] * len(commands)

    def read_at_once(connection: Connection, number: int) -> None:
        seen = [int(value or 0) for value in client.mget(KEYS)]
        assert seen == sorted(seen, reverse=True), f"MGET saw a later key ahead: {seen}"
        assert seen[0] - seen[-1] <= 1, f"a round began before the last one ended: {seen}"

    def read_backwards(connection: Connection, number: int) -> None:
        replies = connection.pipeline([(b"GET", key) for key in reversed(KEYS)])
        seen = [int(reply.value or 0) for reply in replies]
        assert seen == sorted(seen), f"pipelined GETs saw a later key ahead: {seen}"

    turns: list[Turn] = [write, read_at_once, read_backwards, read_backwards]
    assert run_clients(server, SECONDS, turns) > 0


def test_optimistic_transfers_keep_the_sum(server: Server, client: redis.Redis) -> None:
    """WATCH, read, compute, MULTI, EXEC with redis-py: what fails is tried again, the sum stays."""
    client.mset(dict.fromkeys(KEYS, 100))

    def transfer(connection: Connection, number: int) -> None:
        source, target = KEYS[number], KEYS[number + 1]

        def move(pipeline: redis.client.Pipeline) -> None:
            had, has = int(pipeline.get(source)), int(pipeline.get(target))
            pipeline.multi()
            pipeline.set(source, had - 1)
            pipeline.set(target, has + 1)

        assert client.transaction(move, source, target) == [True, True]

    def audit(connection: Connection, number: int) -> None:
        total = sum(int(item.value) for item in connection.execute("MGET", *KEYS).value)
        assert total == 100 * len(KEYS)

    turns: list[Turn] = [transfer, transfer, transfer, audit]
    assert run_clients(server, SECONDS, turns) > 0
