"""A load client for what redis-benchmark can't send: whole transactions, and very long pipelines.

`python -m bench.client --port P --test TEST --requests N [--clients C] [--pipeline D]` prints what
`redis-benchmark --csv` prints. The tests:

    exec        MULTI, ten SETs of random keys, EXEC, in one write; one such unit is a request
    publish     PUBLISH to a channel that one more connection listens to
    get, set    pipelines of D commands on random keys; each command is a request
    memcached-get, memcached-set        the same in Memcached's protocol

A connection sends its next unit when the last one is answered, so it has at most D commands on the way.
Units are made ahead, and their replies are counted in bytes, which are known as all keys exist: the client
must not be what is measured.
"""

from __future__ import annotations

import argparse
import random
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from itertools import cycle

from bench.workloads import KEYSPACE, VALUE_BYTES

UNIT_BYTES = 4 << 20
"""About how many bytes of units are made ahead."""

SETS_A_TRANSACTION = 10
CHANNEL = b"bench:channel"
OK, QUEUED = len(b"+OK\r\n"), len(b"+QUEUED\r\n")


def packed(*words: bytes) -> bytes:
    """A command as a client sends it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def get(rng: random.Random) -> bytes:
    """GET of a random key."""
    return packed(b"GET", b"key:%012d" % rng.randrange(KEYSPACE))


def set_(rng: random.Random) -> bytes:
    """SET of a random key."""
    return packed(b"SET", b"key:%012d" % rng.randrange(KEYSPACE), b"x" * VALUE_BYTES)


def transaction(rng: random.Random) -> bytes:
    """MULTI, SETs, EXEC."""
    return packed(b"MULTI") + b"".join(set_(rng) for _ in range(SETS_A_TRANSACTION)) + packed(b"EXEC")


def publish(rng: random.Random) -> bytes:
    """PUBLISH to the one channel."""
    return packed(b"PUBLISH", CHANNEL, b"message")


def memcached_get(rng: random.Random) -> bytes:
    """Memcached's get of a random key."""
    return b"get key:%012d\r\n" % rng.randrange(KEYSPACE)


def memcached_set(rng: random.Random) -> bytes:
    """Memcached's set of a random key."""
    return b"set key:%012d 0 0 %d\r\n%b\r\n" % (rng.randrange(KEYSPACE), VALUE_BYTES, b"x" * VALUE_BYTES)


TESTS: dict[str, tuple[Callable[[random.Random], bytes], int]] = {
    "get": (get, len(b"$%d\r\n" % VALUE_BYTES) + VALUE_BYTES + 2),
    "set": (set_, OK),
    "publish": (publish, len(b":1\r\n")),
    "memcached-get": (
        memcached_get,
        len(b"VALUE key:%012d 0 %d\r\n" % (0, VALUE_BYTES)) + VALUE_BYTES + len(b"\r\nEND\r\n"),
    ),
    "memcached-set": (memcached_set, len(b"STORED\r\n")),
    "exec": (
        transaction,
        OK + SETS_A_TRANSACTION * QUEUED + len(b"*%d\r\n" % SETS_A_TRANSACTION) + SETS_A_TRANSACTION * OK,
    ),
}
"""Test -> (what makes one request, bytes of its reply)."""


def listen(port: int) -> socket.socket:
    """A connection that listens to CHANNEL; a thread throws away what it hears, until it is closed."""
    subscriber = socket.create_connection(("127.0.0.1", port))
    subscriber.sendall(packed(b"SUBSCRIBE", CHANNEL))
    subscriber.recv(1 << 16)

    def hear() -> None:
        while subscriber.recv(1 << 20):
            pass

    threading.Thread(target=hear, name="subscriber", daemon=True).start()
    return subscriber


class Client:
    """One connection and the unit it has on the way."""

    __slots__ = ("missing", "sent_at", "socket", "unsent")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.unsent = memoryview(b"")
        self.missing = 0
        self.sent_at = 0.0

    def begin(self, unit: bytes, reply_bytes: int) -> None:
        """Send a unit, as far as the kernel takes it."""
        self.unsent = memoryview(unit)
        self.missing = reply_bytes
        self.sent_at = time.perf_counter()
        self.push()

    def push(self) -> None:
        """Send more of the unit."""
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            pass

    def pull(self) -> bool:
        """Take what has arrived of the replies; whether that was all. ConnectionError if they are wrong."""
        data = self.socket.recv(1 << 20)
        self.missing -= len(data)
        if not data or self.missing < 0 or data[:1] == b"-":
            raise ConnectionError(f"not the replies that were to come: {data[:100]!r}")
        return self.missing == 0


def run(port: int, test: str, requests: int, clients: int, pipeline: int) -> tuple[float, list[float]]:
    """Send the requests; the seconds it took and the latency of every unit in seconds."""
    make, reply_bytes = TESTS[test]
    rng = random.Random(1)
    units = [b"".join(make(rng) for _ in range(pipeline))]
    while len(units) * len(units[0]) < UNIT_BYTES:
        units.append(b"".join(make(rng) for _ in range(pipeline)))
    supply = cycle(units)
    total = max(clients, requests // pipeline)
    latencies: list[float] = []
    subscriber = listen(port) if test == "publish" else None
    poll = select.epoll()
    by_fd = {client.socket.fileno(): client for client in (Client(port) for _ in range(clients))}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    begun = time.perf_counter()
    for client in by_fd.values():
        client.begin(next(supply), reply_bytes * pipeline)
    started = clients
    while len(latencies) < total:
        for fd, mask in poll.poll():
            client = by_fd[fd]
            if mask & select.EPOLLOUT and client.unsent:
                client.push()
            while mask & select.EPOLLIN and client.missing:
                try:
                    complete = client.pull()
                except BlockingIOError:
                    break
                if complete:
                    latencies.append(time.perf_counter() - client.sent_at)
                    if started < total:
                        started += 1
                        client.begin(next(supply), reply_bytes * pipeline)
                        break
    seconds = time.perf_counter() - begun
    for client in by_fd.values():
        client.socket.close()
    if subscriber is not None:
        subscriber.shutdown(socket.SHUT_RDWR)
    return seconds, latencies


def main() -> int:
    """Run one test and print one row."""
    parser = argparse.ArgumentParser(prog="python -m bench.client", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--test", choices=sorted(TESTS), required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--pipeline", type=int, default=1)
    args = parser.parse_args()
    seconds, latencies = run(args.port, args.test, args.requests, args.clients, args.pipeline)
    latencies.sort()
    middle, high = (latencies[int(share * (len(latencies) - 1))] * 1000 for share in (0.5, 0.99))
    print('"test","rps","p50_latency_ms","p99_latency_ms"')
    print(f'"{args.test}","{len(latencies) * args.pipeline / seconds:.2f}","{middle:.3f}","{high:.3f}"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
