"""Pipelines over so many keys that these are looked for together, ahead: the replies are the same."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.resp import Reply
from tests.servers import NogilServer, Server

KEYS = 25_000
ROUNDS = 150
STEP = 500


@pytest.fixture(scope="module", params=[1, 2])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One shard thread, which has all keys, and two, which send each other shares of pipelines."""
    with NogilServer(threads=request.param) as started:
        yield started


def play(rng: random.Random, model: dict[bytes, bytes]) -> tuple[tuple[bytes, ...], Reply]:
    """A command and its reply; every eighth key is missing at first."""
    key = b"key:%d" % rng.randrange(KEYS * 8 // 7)
    kind = rng.randrange(6)
    if kind == 0:
        model[key] = value = b"%d" % rng.getrandbits(20) + b"x" * rng.choice((0, 0, 10, 500))
        return (b"SET", key, value), Reply("+", b"OK")
    if kind == 1:
        found = model.get(key, b"0")
        if not found.isdigit():
            return (b"INCR", key), Reply("-", b"ERR value is not an integer or out of range")
        model[key] = b"%d" % (int(found) + 1)
        return (b"INCR", key), Reply(":", int(model[key]))
    if kind == 2:
        return (b"DEL", key), Reply(":", int(model.pop(key, None) is not None))
    if kind == 3:
        keys = [b"key:%d" % rng.randrange(KEYS * 8 // 7) for _ in range(rng.randrange(1, 70))]
        return (b"MGET", *keys), Reply("*", tuple(Reply("$", model.get(one)) for one in keys))
    return (b"GET", key), Reply("$", model.get(key))


def test_pipelines_over_many_keys(server: Server) -> None:
    rng = random.Random(7)
    model = {b"key:%d" % number: b"%d" % number for number in range(KEYS)}
    with server.connect() as client:
        for first in range(0, KEYS, STEP):
            some = [b"key:%d" % number for number in range(first, first + STEP)]
            client.pipeline([(b"SET", key, model[key]) for key in some])
        for _ in range(ROUNDS):
            played = [play(rng, model) for _ in range(rng.choice((1, 2, 30, 100)))]
            assert client.pipeline([command for command, _ in played]) == [reply for _, reply in played]
        assert client.execute(b"DBSIZE").value == len(model)
        assert client.execute(b"DEBUG", b"VERIFY").value == b"OK"
