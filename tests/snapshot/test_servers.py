"""Snapshots of a real server under load, with its sockets, threads and whatever is compiled.

Writers go on all the while: transfers between accounts of several shards, pairs that are set together, and a
client that sets one key and then counts in another. Whatever a snapshot holds, the sum is the same, the pairs
are equal, and what came later is not there without what came before.
"""

from __future__ import annotations

import random
import shutil
import threading
from pathlib import Path

import pytest

from tests.resp import Reply
from tests.servers import NogilServer

KEYS = 400
ROUNDS = 2


def transfer(server: NogilServer, seed: int, stop: threading.Event) -> None:
    """Move money about, ten transactions at a time."""
    rng = random.Random(seed)
    with server.connect() as connection:
        while not stop.is_set():
            commands: list[tuple[bytes, ...]] = []
            for _ in range(10):
                one, other = rng.sample(range(KEYS), 2)
                amount = b"%d" % rng.randrange(50)
                commands += [
                    (b"MULTI",),
                    (b"DECRBY", b"account:%d" % one, amount),
                    (b"INCRBY", b"account:%d" % other, amount),
                    (b"EXEC",),
                ]
            connection.pipeline(commands)


def pair(server: NogilServer, seed: int, stop: threading.Event) -> None:
    """Set two keys to the same value, and two others one after the other."""
    rng = random.Random(seed)
    step = 0
    with server.connect() as connection:
        while not stop.is_set():
            step += 1
            at = rng.randrange(KEYS)
            value = b"%d" % step
            connection.execute(b"MSET", b"left:%d" % at, value, b"right:%d" % at, value)
            connection.execute(b"SET", b"first", value)
            connection.execute(b"INCR", b"second")


def numbers(replies: list[Reply]) -> list[int]:
    """The integers that were stored."""
    return [int(reply.value) for reply in replies]


@pytest.mark.parametrize("name", ["dump.rdb", "dump"])
def test_a_server_under_load(tmp_path: Path, name: str) -> None:
    running, taken = tmp_path / "running", tmp_path / "taken"
    running.mkdir()
    flags = ("--dir", str(running), f"--dbfilename={name}")
    with NogilServer(*flags, threads=3) as server, server.connect() as connection:
        connection.pipeline([(b"SET", b"account:%d" % at, b"1000") for at in range(KEYS)])
        connection.pipeline([(b"MSET", b"left:%d" % at, b"0", b"right:%d" % at, b"0") for at in range(KEYS)])
        connection.pipeline([(b"SET", b"other:%d" % at, b"x" * 60) for at in range(20_000)])
        stop = threading.Event()
        writers = [
            threading.Thread(target=transfer, args=(server, 1, stop)),
            threading.Thread(target=transfer, args=(server, 2, stop)),
            threading.Thread(target=pair, args=(server, 3, stop)),
        ]
        for writer in writers:
            writer.start()
        for at in range(ROUNDS):
            assert connection.execute("SAVE") == Reply("+", b"OK")
            shutil.copytree(running, taken / str(at), ignore=shutil.ignore_patterns("*.tmp-*"))
        stop.set()
        for writer in writers:
            writer.join()
        assert connection.execute("DEBUG", "VERIFY") == Reply("+", b"OK")
    for at in range(ROUNDS):
        with (
            NogilServer("--dir", str(taken / str(at)), f"--dbfilename={name}", threads=2) as server,
            server.connect() as connection,
        ):
            accounts = connection.pipeline([(b"GET", b"account:%d" % one) for one in range(KEYS)])
            assert sum(numbers(accounts)) == 1_000 * KEYS
            left = connection.pipeline([(b"GET", b"left:%d" % one) for one in range(KEYS)])
            right = connection.pipeline([(b"GET", b"right:%d" % one) for one in range(KEYS)])
            assert left == right
            first, second = connection.pipeline([(b"GET", b"first"), (b"GET", b"second")])
            assert int(first.value or 0) - int(second.value or 0) in (0, 1)
            assert connection.execute("DEBUG", "VERIFY") == Reply("+", b"OK")


@pytest.mark.parametrize("name", ["dump.rdb", "dump"])
def test_a_cache_loads_more_than_it_may_hold(tmp_path: Path, name: str) -> None:
    """Blobs of an RDB file that compresses well bring more memory than one look at it makes room for."""
    flags = ("--dir", str(tmp_path), f"--dbfilename={name}")
    with NogilServer(*flags, threads=2) as server, server.connect() as connection:
        connection.execute("DEBUG", "POPULATE", "40000", "key", "1000")
        assert connection.execute("SAVE") == Reply("+", b"OK")
    limit = 10 << 20
    with (
        NogilServer(*flags, f"--maxmemory={limit}", "--cache_mode", threads=2) as server,
        server.connect() as connection,
    ):
        lines = connection.execute("INFO", "everything").value.decode().split("\r\n")
        info = dict(line.split(":", 1) for line in lines if ":" in line)
        assert 0.9 * limit < int(info["used_memory"]) <= 1.02 * limit
        held = connection.execute("DBSIZE").value
        assert held > 8_000
        assert int(info["evicted_keys"]) == 40_000 - held
        assert connection.execute("SET", "more", "x") == Reply("+", b"OK")
