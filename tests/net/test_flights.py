"""Pipelines over several shards, all over the same few keys, whole and in order; and nobody waits for ever.

Clients pipeline MSETs of all keys, MGETs of them, counters alone and in transactions, while others have
BLMOVE wait, which asks those who are in its way to give way. So there are flights that are granted at once,
that wait, that are refused and come again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers import NogilServer, Server

KEYS = [b"key%d" % number for number in range(12)]
TOGETHER = [b"one", b"two", b"three"]
ROUNDS = 40
PLAYERS = 5
Command = tuple[bytes, ...]


@pytest.fixture(scope="module", params=[2, 3])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Two shard threads, and three: there are flights over two and over all."""
    with NogilServer(threads=request.param) as started:
        yield started


def mset(keys: list[bytes], value: bytes) -> Command:
    """All of these keys to one value."""
    return b"MSET", *(word for key in keys for word in (key, value))


def writes(rng: random.Random, who: int) -> list[Command]:
    """One command, or one transaction, of a writer."""
    return rng.choice(
        (
            [mset(KEYS, b"%d" % who)],
            [mset(KEYS, b"%d" % rng.getrandbits(30))],
            [(b"INCR", b"counter%d" % rng.randrange(6))],
            [(b"MULTI",), *((b"INCR", key) for key in TOGETHER), (b"EXEC",)],
            [(b"RPUSH", b"list%d" % rng.randrange(3), b"element")],
            [(b"MGET", *KEYS)],
        )
    )


def reads(rng: random.Random, who: int) -> list[Command]:
    """One command of a reader."""
    return [(b"MGET", *rng.choice((rng.sample(KEYS, len(KEYS)), TOGETHER)))]


def play(server: Server, who: int, makes: Callable[[random.Random, int], list[Command]]) -> int:
    """Pipelines of one client, the replies looked at; how many INCRs it sent of its own."""
    rng = random.Random(who)
    alone = 0
    with server.connect(timeout=120.0) as client:
        for _ in range(ROUNDS):
            commands = [command for _ in range(rng.randrange(1, 20)) for command in makes(rng, who)]
            replies = client.pipeline(commands)
            for command, reply in zip(commands, replies, strict=True):
                assert reply.kind != "-", (command, reply)
                if command[0] == b"MGET":
                    assert len({*reply.value}) == 1, (command, reply)
                alone += command[0] == b"INCR" and command[1] not in TOGETHER
    return alone


def move(server: Server, who: int, over: threading.Event) -> None:
    """BLMOVEs that wait, until the others are done."""
    rng = random.Random(who)
    lists = [b"list%d" % number for number in range(3)]
    with server.connect(timeout=120.0) as client:
        while not over.is_set():
            client.execute(b"BLMOVE", rng.choice(lists), rng.choice(lists), b"LEFT", b"RIGHT", b"0.05")


def figures(server: Server) -> dict[str, int]:
    """INFO transaction, its numbers."""
    with server.connect() as client:
        text = client.execute(b"INFO", b"transaction")
    pairs = (line.split(":", 1) for line in text.value.decode().splitlines() if ":" in line)
    return {name: int(value) for name, value in pairs if value.isdigit()}


@pytest.mark.parametrize("movers", [0, 2])
def test_steps_of_pipelines_are_atomic_over_shards(server: Server, movers: int) -> None:
    server.flush()
    with server.connect() as client:
        client.pipeline([mset(KEYS, b"0"), mset(TOGETHER, b"0")])
    before = figures(server)
    over = threading.Event()
    with ThreadPoolExecutor(2 * PLAYERS + movers) as pool:
        waiting = [pool.submit(move, server, who, over) for who in range(movers)]
        playing = [
            pool.submit(play, server, who, makes) for who in range(PLAYERS) for makes in (writes, reads)
        ]
        try:
            alone = sum(player.result() for player in playing)
        finally:
            over.set()
        for mover in waiting:
            mover.result()
    with server.connect() as client:
        assert client.execute(b"DEBUG", b"VERIFY").value == b"OK"
        counted = client.execute(b"MGET", *(b"counter%d" % number for number in range(6)))
        assert sum(int(count.value) for count in counted.value if count.value is not None) == alone
    after = figures(server)
    assert after["tx_scheduled_total"] > before["tx_scheduled_total"]
    assert after["squashed_hops_total"] > before["squashed_hops_total"]
    assert after["tx_queue_len"] == 0
