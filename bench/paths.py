"""What each path of a transaction costs: CPU time of the server for one operation of one client.

    python -X gil=0 -m bench.paths [--requests N] [--docs]

The server runs with two threads; the client is on the first, and every command gets keys that take it down
one path (docs/transactions.md has the list). The same commands go to a redis-server. One client that waits
for each reply is
the worst case for messages between threads: nothing is batched, every hop wakes the other thread and is
    waited for. So these figures compare the paths; what a request costs under load is in docs/benchmarks.md.

``--docs`` writes the table into docs/transactions.md.
"""

from __future__ import annotations

import argparse
import itertools
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.client import packed
from bench.servers import OURS, REDIS, Server
from nogil_df.base.hashing import hash_key

PAGE = Path(__file__).parent.parent / "docs" / "transactions.md"
BEGIN, END = "<!-- costs:begin -->", "<!-- costs:end -->"
THREADS = 2
ROUNDS = 3

Command = list[bytes]


@dataclass(frozen=True, slots=True)
class Way:
    """One path: its name, and the commands of one operation with keys that take it.

    ``commands`` uses ``{a}``, ``{b}`` for keys of the client's own thread and ``{x}``, ``{y}`` for keys of
    the other.
    """

    name: str
    commands: tuple[str, ...]


PATHS = (
    Way("inline, one key", ("GET {a}",)),
    Way("inline, two keys", ("MGET {a} {b}",)),
    Way("one key elsewhere", ("GET {x}",)),
    Way("two keys on one shard elsewhere", ("MGET {x} {y}",)),
    Way("combined: two shards, one hop", ("MSET {a} 1 {x} 2",)),
    Way("full: two shards, two hops", ("COPY {a} {x} REPLACE",)),
    Way("global", ("DBSIZE",)),
    Way("EXEC, two keys here", ("MULTI", "SET {a} 1", "SET {b} 2", "EXEC")),
    Way("EXEC, two shards", ("MULTI", "SET {a} 1", "SET {x} 2", "EXEC")),
    Way("EXEC of three kinds, two shards", ("MULTI", "SET {a} 1", "MGET {a} {x}", "GET {x}", "EXEC")),
    Way("script, keys here", ("EVAL {script} 2 {a} {b} 1",)),
    Way("script, keys on one shard elsewhere", ("EVAL {script} 2 {x} {y} 1",)),
    Way("script, two shards", ("EVAL {script} 2 {a} {x} 1",)),
)
SCRIPT = b"redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[2])"


def keys_of(shard: int, prefix: str) -> Iterator[bytes]:
    """Keys of a shard of the server, for ever the same."""
    names = (b"%b:%d" % (prefix.encode(), number) for number in itertools.count())
    return (name for name in names if (hash_key(name) >> 32) % THREADS == shard)


def requests_of(path: Way) -> list[bytes]:
    """Some operations of a path, encoded, with different keys."""
    own, other = keys_of(0, "key"), keys_of(1, "key")
    found = []
    for _ in range(64):
        fill = {"a": next(own), "b": next(own), "x": next(other), "y": next(other), "script": SCRIPT}
        commands = [
            [fill[word[1:-1]] if word.startswith("{") else word.encode() for word in line.split()]
            for line in path.commands
        ]
        found.append(b"".join(packed(*command) for command in commands))
    return found


class Connection:
    """A client that waits for each reply, on the first thread of the server."""

    def __init__(self, port: int) -> None:
        while True:
            self.socket = socket.create_connection(("127.0.0.1", port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(packed(b"CLIENT", b"INFO"))
            text = self.socket.recv(65536)
            found = re.search(rb"io-thread=(\d+)", text)
            if found is None or found[1] == b"0":
                return

    def run(self, request: bytes, replies: int) -> None:
        """Send an operation and read all of its (short) replies."""
        self.socket.sendall(request)
        data = self.socket.recv(65536)
        while not complete(data, replies):
            data += self.socket.recv(65536)


def complete(data: bytes, replies: int) -> bool:
    """Whether so many replies are there: of the last one it is enough that the bytes end with a line."""
    at = 0
    for _ in range(replies):
        at = end_of_reply(data, at)
        if at < 0:
            return False
    return True


def end_of_reply(data: bytes, at: int) -> int:
    """Where the reply at a position ends; -1 if not all of it is there."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return -1
    kind, rest = data[at : at + 1], data[at + 1 : line]
    end = line + 2
    if kind == b"-":
        raise RuntimeError(data[at:line].decode())
    if kind == b"$" and rest != b"-1":
        end += int(rest) + 2
    elif kind == b"*":
        for _ in range(int(rest)):
            end = end_of_reply(data, end)
            if end < 0:
                return -1
    return end if end <= len(data) else -1


def measure(server: Server, path: Way, count: int) -> float:
    """Microseconds of CPU of a server for one operation of a path: the least of some rounds."""
    connection = Connection(server.port)
    requests = requests_of(path)
    replies = len(path.commands)
    for request in requests:
        connection.run(request, replies)
    best = float("inf")
    for _ in range(ROUNDS):
        before = server.cpu_time()
        for request in itertools.islice(itertools.cycle(requests), count):
            connection.run(request, replies)
        best = min(best, (server.cpu_time() - before).total / count * 1e6)
    connection.socket.close()
    return best


def table(count: int) -> str:
    """The table in Markdown."""
    lines = [
        "| Path | Commands | CPU, µs | redis-server, µs |",
        "|---|---|--:|--:|",
    ]
    with Server("ours", OURS, THREADS) as ours, Server("redis", REDIS, 0) as redis:
        for path in PATHS:
            mine, theirs = measure(ours, path, count), measure(redis, path, count)
            shown = "; ".join(path.commands)
            lines.append(f"| {path.name} | `{shown}` | {mine:.1f} | {theirs:.1f} |")
            print(lines[-1], file=sys.stderr)
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the table where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=3000, help="operations a round")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/transactions.md")
    options = parser.parse_args()
    text = table(options.requests)
    print(text)
    if options.docs:
        page = PAGE.read_text()
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
