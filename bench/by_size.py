"""What collections cost by their size, beside redis-server: CPU time of the server's process.

    python -X gil=0 -m bench.by_size [--docs] [--only sorted|big] [--in-one-go]

Two tables. *Sorted sets*: commands on sets of 10, 1,000 and 1,000,000 members, in pipelines of 50. *Big
values*: one command on a million elements, or of a million keys, and how long another client's GET of another
key of the shard waits meanwhile. One thread. ``--docs`` writes them into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, sleep

from bench.client import packed
from bench.servers import OURS, REDIS, Server

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
SIZES = (10, 1_000, 1_000_000)
BIG = 1_000_000
PIPELINE = 50
REQUESTS = 10_000
ROUNDS = 2
STEP = 1000
PROBE_PAUSE = 0.0005
"""Seconds between two GETs of the client that other commands make wait."""
MARK = b"end-of-replies"
UNSAVED = OURS + " --dbfilename ''"
"""Nothing is saved at the end, nor loaded at the start."""

Args = tuple[bytes, ...]


class Client:
    """A client that sends commands and waits until all of them are answered, whatever the replies are."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.tail = packed(b"ECHO", MARK)
        self.end = b"$%d\r\n%b\r\n" % (len(MARK), MARK)

    def run(self, data: bytes) -> None:
        """Send encoded commands; returns when their replies are there."""
        self.socket.sendall(data + self.tail)
        last = b""
        while not last.endswith(self.end):
            last = last[-len(self.end) :] + self.socket.recv(1 << 20)


def number(at: int) -> bytes:
    """A member or key by number; all of the same length."""
    return b"member:%07d" % at


def fill(client: Client, command: bytes, key: bytes, items: Iterator[Args]) -> None:
    """Add items to a collection, a thousand a command."""
    words: list[bytes] = []
    for item in items:
        words += item
        if len(words) >= STEP:
            client.run(packed(command, key, *words))
            words = []
    if words:
        client.run(packed(command, key, *words))


def scored(size: int) -> Iterator[Args]:
    """Scores and members, in random order."""
    order = list(range(size))
    random.Random(size).shuffle(order)
    return ((b"%d" % at, number(at)) for at in order)


SORTED: dict[str, Callable[[random.Random, int], Args]] = {
    "ZADD, another score": lambda r, n: (b"ZADD", b"z", b"%d" % r.randrange(n), number(r.randrange(n))),
    "ZINCRBY": lambda r, n: (b"ZINCRBY", b"z", b"1", number(r.randrange(n))),
    "ZSCORE": lambda r, n: (b"ZSCORE", b"z", number(r.randrange(n))),
    "ZRANK": lambda r, n: (b"ZRANK", b"z", number(r.randrange(n))),
    "ZCOUNT": lambda r, n: (b"ZCOUNT", b"z", b"%d" % r.randrange(n), b"+inf"),
    "ZRANGEBYSCORE, 10 members": lambda r, n: (
        b"ZRANGEBYSCORE",
        b"z",
        b"%d" % r.randrange(n),
        b"+inf",
        b"LIMIT",
        b"0",
        b"10",
    ),
    "ZRANGE by rank, 10 members": lambda r, n: (
        (b"ZRANGE", b"z", b"%d" % (at := r.randrange(n)), b"%d" % (at + 9))
    ),
    "ZREVRANGE WITHSCORES, 10 members": lambda r, n: (
        (b"ZREVRANGE", b"z", b"%d" % (at := r.randrange(n)), b"%d" % (at + 9), b"WITHSCORES")
    ),
}


def microseconds(server: Server, client: Client, data: list[bytes], commands: int) -> float:
    """CPU of a server for a command: the least of some rounds over all of the encoded pipelines."""
    best = float("inf")
    for _ in range(ROUNDS):
        before = server.cpu_time()
        for piece in data:
            client.run(piece)
        best = min(best, (server.cpu_time() - before).total / commands * 1e6)
    return best


def sorted_table() -> str:
    """CPU of commands on sorted sets, in Markdown."""
    lines = ["| Command | " + " | ".join(f"{size:,} members" for size in SIZES) + " |"]
    lines.append("|---|" + "--:|" * len(SIZES))
    figures: dict[str, list[str]] = {name: [] for name in SORTED}
    for size in SIZES:
        with Server("ours", UNSAVED, 1) as ours, Server("redis", REDIS, 0) as redis:
            clients = Client(ours.port), Client(redis.port)
            for client in clients:
                fill(client, b"ZADD", b"z", scored(size))
            for name, make in SORTED.items():
                source = random.Random(1)
                data = [
                    b"".join(packed(*make(source, size)) for _ in range(PIPELINE))
                    for _ in range(REQUESTS // PIPELINE)
                ]
                mine = microseconds(ours, clients[0], data, REQUESTS)
                theirs = microseconds(redis, clients[1], data, REQUESTS)
                figures[name].append(f"{mine:.2f} / {theirs:.2f}")
                print(f"{size} {name}: {mine:.2f} / {theirs:.2f}", file=sys.stderr)
    lines += [f"| {name} | " + " | ".join(row) + " |" for name, row in figures.items()]
    return "\n".join(lines)


def prepare_big(client: Client) -> None:
    """A million elements in a collection of each type, under keys that nothing else is under."""
    every = range(BIG)
    fill(client, b"RPUSH", b"list", ((number(at),) for at in every))
    fill(client, b"SADD", b"set", ((number(at),) for at in every))
    fill(client, b"SADD", b"ints", ((b"%d" % at,) for at in every))
    fill(client, b"HSET", b"hash", ((number(at), b"%d" % at) for at in every))
    fill(client, b"ZADD", b"zset", scored(BIG))


BIG_COMMANDS: tuple[tuple[str, tuple[Args, ...]], ...] = (
    ("LRANGE list 0 -1", ((b"LRANGE", b"list", b"0", b"-1"),)),
    ("SMEMBERS set", ((b"SMEMBERS", b"set"),)),
    ("HGETALL hash", ((b"HGETALL", b"hash"),)),
    ("ZRANGE zset 0 -1 WITHSCORES", ((b"ZRANGE", b"zset", b"0", b"-1", b"WITHSCORES"),)),
    ("SORT list ALPHA", ((b"SORT", b"list", b"ALPHA", b"LIMIT", b"0", b"10"),)),
    ("SORT ints", ((b"SORT", b"ints", b"LIMIT", b"0", b"10"),)),
    ("SUNIONSTORE of two sets", ((b"SUNIONSTORE", b"union", b"set", b"ints"),)),
    ("ZUNIONSTORE of a sorted set and a set", ((b"ZUNIONSTORE", b"zunion", b"2", b"zset", b"set"),)),
    ("COPY set", ((b"COPY", b"set", b"copy"),)),
    ("COPY zset", ((b"COPY", b"zset", b"zcopy"),)),
    ("DUMP hash", ((b"DUMP", b"hash"),)),
    ("DEL union", ((b"DEL", b"union"),)),
    ("UNLINK zunion", ((b"UNLINK", b"zunion"),)),
    ("DEL list", ((b"DEL", b"list"),)),
    ("KEYS *, a million keys", ((b"KEYS", b"*"),)),
    ("KEYS member:12*, a million keys", ((b"KEYS", b"member:12*"),)),
    ("FLUSHALL ASYNC, a million keys", ((b"FLUSHALL", b"ASYNC"),)),
)


class Probe:
    """Asks for a small key over and over, in its own thread, and keeps how long the slowest answer took."""

    def __init__(self, port: int) -> None:
        self.client = Client(port)
        self.longest = 0.0
        self.running = True
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        get = packed(b"GET", b"small")
        while self.running:
            began = perf_counter()
            self.client.run(get)
            self.longest = max(self.longest, perf_counter() - began)
            sleep(PROBE_PAUSE)

    def stop(self) -> float:
        """End; the longest wait in milliseconds."""
        self.running = False
        self.thread.join()
        self.client.socket.close()
        return self.longest * 1000


def took(client: Client, port: int, commands: tuple[Args, ...]) -> tuple[float, float]:
    """Milliseconds until commands are answered, and until the slowest GET of another client meanwhile was."""
    probe = Probe(port)
    sleep(10 * PROBE_PAUSE)
    began = perf_counter()
    client.run(b"".join(packed(*command) for command in commands))
    elapsed = (perf_counter() - began) * 1000
    return elapsed, probe.stop()


def big_table(flags: str = "") -> str:
    """Time until one big command is answered, and the longest wait of another client's GET, in Markdown."""
    head = "| Command | ours, ms | redis-server, ms | longest GET, ours, ms | redis-server, ms |"
    lines = [head, "|---|--:|--:|--:|--:|"]
    with Server("ours", UNSAVED + flags, 1) as ours, Server("redis", REDIS, 0) as redis:
        servers = [(Client(server.port), server.port) for server in (ours, redis)]
        for client, _ in servers:
            prepare_big(client)
        filled = False
        for name, commands in BIG_COMMANDS:
            if not filled and name.startswith("KEYS"):
                filled = True
                for client, _ in servers:
                    client.run(packed(b"FLUSHALL"))
                    fill_keys(client)
            mine, theirs = (took(client, port, commands) for client, port in servers)
            lines.append(f"| `{name}` | {mine[0]:.0f} | {theirs[0]:.0f} | {mine[1]:.1f} | {theirs[1]:.1f} |")
            print(lines[-1], file=sys.stderr)
    return "\n".join(lines)


def fill_keys(client: Client) -> None:
    """A million keys with short strings."""
    for first in range(0, BIG, STEP):
        words = [word for at in range(first, first + STEP) for word in (number(at), b"%d" % at)]
        client.run(packed(b"MSET", *words))


def write(name: str, text: str) -> None:
    """Put a table between its marks on the page."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    page = PAGE.read_text()
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main() -> None:
    """Measure, print, and write the tables where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["sorted", "big"], help="one table only")
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/benchmarks.md")
    parser.add_argument("--in-one-go", action="store_true", help="big values not in slices, to compare")
    options = parser.parse_args()
    for name, make in (("sorted", sorted_table), ("big", big_table)):
        if options.only in (None, name):
            text = make(" --slice_elements 2000000000") if options.in_one_go and make is big_table else make()
            print(text)
            if options.docs:
                write(name, text)


if __name__ == "__main__":
    main()
