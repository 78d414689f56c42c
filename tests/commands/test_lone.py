"""Commands that come alone get what they would get in a pipeline, and count the same."""

from __future__ import annotations

import pytest

from nogil_df.simulation import Simulation
from tests.commands.console import Console
from tests.differential.case import words

LINES = (
    "SET a 1",
    "GET a",
    "get a",
    "GeT a",
    "GET nokey",
    "SET a 2 NX",
    "SET a 2 GET",
    "SET a",
    "INCR a",
    "INCR s",
    "SET s text",
    "INCR s",
    "DEL a",
    "DEL a b",
    "RPUSH l 1 2 3",
    "LRANGE l 0 -1",
    "LPUSH s x",
    "HSET h f v",
    "HGETALL h",
    "NOSUCH x",
    "PING",
    "MGET s nokey h",
    "MSET m 1 n 2",
    "MSET m 1 n",
    "MSET",
    "MGET m n m",
    "EXPIRE s 100",
    "TYPE s",
)


@pytest.mark.parametrize("proto", [2, 3])
@pytest.mark.parametrize("shards", [1, 3])
def test_alone_or_not_makes_no_difference(proto: int, shards: int) -> None:
    one, other = (Console(shards=shards, protocol=proto, thread=0) for _ in range(2))
    for line in LINES:
        args = words(line)
        answered = one.client.session.dispatcher.lone.answer(one.client.session, list(args))
        if not answered:
            if answered is None:
                one.client.send(list(args))
            else:
                one.client.thread.proactor.finish_turn()
            one.simulation.run()
            answered = bytes(one.client.output)
            one.client.output.clear()
        other.client.send(list(args))
        other.simulation.run()
        assert answered == bytes(other.client.output), line
        other.client.output.clear()
    for mine, theirs in zip(one.simulation.threads, other.simulation.threads, strict=True):
        mine.proactor.shard.verify()
        for name, command in mine.dispatcher.table.items():
            twin = theirs.dispatcher.table[name]
            assert (command.calls, command.failed, command.rejected) == (
                twin.calls,
                twin.failed,
                twin.rejected,
            )
        assert mine.state.errors == theirs.state.errors
    assert one.client.session.commands_run == other.client.session.commands_run


def test_what_is_not_lone_is_left_alone() -> None:
    simulation = Simulation(1, 3)
    client = simulation.client(0)
    answer = client.thread.dispatcher.lone.answer
    for line in ("PING", "NOSUCH", "MGET", "GET", "GET a b", "CLIENT ID", "MULTI", "DEL a b", "MSET a 1 b"):
        assert answer(client.session, words(line)) is None, line
    shard = simulation.threads[0].proactor.shard
    keys = [b"k%d" % number for number in range(30)]
    here = [key for key in keys if (shard.hash_key(key) >> 32) % 3 == 0]
    assert all(answer(client.session, [b"GET", key]) == b"$-1\r\n" for key in here)
    elsewhere = next(key for key in keys if key not in here)
    assert answer(client.session, [b"MGET", *here]) is not None
    assert answer(client.session, [b"MGET", here[0], elsewhere]) is None
    locks = client.thread.proactor.engine.locks
    locks.acquire({1}, set())
    assert answer(client.session, [b"MGET", *here]) is None
    assert answer(client.session, [b"GET", here[0]]) is None
    locks.release({1}, set())
    assert client.session.position == 0
    assert not client.session.sink


def test_a_key_elsewhere_is_a_hop() -> None:
    simulation = Simulation(1, 3)
    shard = simulation.threads[0].proactor.shard
    key = next(key for key in (b"k%d" % n for n in range(30)) if (shard.hash_key(key) >> 32) % 3 == 2)
    client = simulation.client(0)
    answer = client.thread.dispatcher.lone.answer
    for args, reply in (
        ([b"SET", key, b"v"], b"+OK\r\n"),
        ([b"GET", key], b"$1\r\nv\r\n"),
        ([b"INCR", key], b"-ERR value is not an integer or out of range\r\n"),
        ([b"DEL", key], b":1\r\n"),
    ):
        assert answer(client.session, args) == b""
        assert client.session.busy
        client.thread.proactor.finish_turn()
        simulation.run()
        assert bytes(client.output) == reply
        client.output.clear()
        assert not client.session.busy
    assert answer(client.session, [b"SET", key, b"v", b"EX", b"x"]).startswith(b"-ERR")
    assert not client.session.busy


def test_a_crash_is_an_error_reply(capfd: pytest.CaptureFixture[str]) -> None:
    simulation = Simulation(1, 1)
    client = simulation.client()
    dispatcher = client.thread.dispatcher
    assert dispatcher.lone.answer(client.session, [b"GET", b"a"]) is not None

    def broken(db: object, payload: object, h: int) -> None:
        raise ZeroDivisionError

    dispatcher.table["STRLEN"].op = broken
    reply = dispatcher.lone.answer(client.session, [b"STRLEN", b"a"])
    assert reply is not None
    assert reply.startswith(b"-ERR")
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert dispatcher.lone.answer(client.session, [b"GET", b"a"]) is not None
