"""The workloads, the redis-benchmark command line each one stands for, and the targets they are held to.

Every workload is one run of redis-benchmark with 50 clients over 100,000 random keys that are all there
before (see `servers.fill`), so GET always hits and SET and INCR always overwrite. The commands on collections
are held to looser targets, with one shard thread, at pipeline 16: what they cost is the collection. What
redis-benchmark can't send, `bench.client` does: transactions, one connection that pipelines 10,000 commands,
publications that somebody listens to. The number of
requests is such that a sample takes about a second on either server: short enough to interleave, long enough
for a stable CPU figure.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

CLIENTS = 50
LONG_PIPELINE = 10_000
KEYSPACE = 100_000
VALUE_BYTES = 256

TARGETS: dict[tuple[int, int], float] = {
    (1, 1): 0.95,
    (1, 30): 1.0,
    (2, 1): 1.2,
    (2, 30): 1.5,
}
"""(shard threads, pipeline) -> highest CPU per request, as a multiple of what redis-server needs."""

THROUGHPUT_TARGET = 0.7
"""Requests a second of one connection that pipelines LONG_PIPELINE commands, with several shard threads: at
least this share of what one shard thread serves."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One command at one pipeline depth.

    `test` is redis-benchmark's name for the command, `requests` the number sent for one sample. With `words`
    it is our name for that command line, in which redis-benchmark replaces `__rand_int__`. With `own` it is
    a group's name (`exec`, `pipeline`), and `bench.client` sends the test `own` from so many `clients`.
    `targets` are those that differ from TARGETS: shard threads -> ratio, None for none.
    """

    command: str
    test: str
    pipeline: int
    requests: int
    own: str = ""
    words: str = ""
    clients: int = CLIENTS
    targets: Mapping[int, float | None] = field(default=MappingProxyType({}))

    @property
    def label(self) -> str:
        """The name in tables and plots, e.g. `GET P16`."""
        return f"{self.command} P{self.pipeline}"

    def argv(self, port: int, requests: int) -> list[str]:
        """The client's command line for `requests` requests to 127.0.0.1:`port`."""
        if self.own:
            line = (
                f"{sys.executable} -m bench.client --port {port} --test {self.own} --requests {requests} "
                f"--clients {self.clients} --pipeline {self.pipeline}"
            )
            return line.split()
        test = "" if self.words else f"-t {self.test} "
        line = (
            f"redis-benchmark -p {port} {test}-n {requests} -c {self.clients} "
            f"-r {KEYSPACE} -d {VALUE_BYTES} -P {self.pipeline} --csv {self.words}"
        )
        return line.split()

    def target(self, threads: int) -> float | None:
        """The highest allowed ratio to redis-server for that many shard threads, None where none is set."""
        if threads in self.targets:
            return self.targets[threads]
        return TARGETS.get((threads, self.pipeline))


# Transactions over two shards, whether MSET or EXEC.
_TWICE = MappingProxyType({2: 2.0})
_TWICE_ONLY = MappingProxyType({1: None, 2: 2.0})
# Commands on collections, and those that answer a hundred elements.
_COLLECTION = MappingProxyType({1: 1.8})
_HUNDRED = MappingProxyType({1: 2.5})


def collection(command: str, words: str, requests: int, targets: Mapping[int, float | None]) -> Workload:
    """A command on collections at pipeline 16."""
    return Workload(command, command.split()[0].lower(), 16, requests, words=words, targets=targets)


WORKLOADS: tuple[Workload, ...] = (
    Workload("GET", "get", 1, 100_000),
    Workload("GET", "get", 16, 400_000),
    Workload("GET", "get", 30, 600_000),
    Workload("SET", "set", 1, 100_000),
    Workload("SET", "set", 16, 320_000),
    Workload("SET", "set", 30, 480_000),
    Workload("INCR", "incr", 1, 100_000),
    Workload("INCR", "incr", 30, 480_000),
    Workload("MSET 10", "mset", 1, 40_000, targets=_TWICE),
    Workload("MSET 10", "mset", 30, 90_000, targets=_TWICE),
    Workload("EXEC 10", "exec", 1, 30_000, own="exec", targets=_TWICE_ONLY),
    # RPOP takes what LPUSH has put there.
    collection("LPUSH", "LPUSH bench:queue element", 240_000, _COLLECTION),
    collection("RPOP", "RPOP bench:queue", 240_000, _COLLECTION),
    collection("HSET", "HSET bench:fields field:__rand_int__ value", 240_000, _COLLECTION),
    collection("HGET", "HGET bench:fields field:__rand_int__", 240_000, _COLLECTION),
    collection("SADD", "SADD bench:members member:__rand_int__", 240_000, _COLLECTION),
    collection("ZADD", "ZADD bench:scores __rand_int__ member:__rand_int__", 160_000, _COLLECTION),
    collection("ZSCORE", "ZSCORE bench:scores member:__rand_int__", 240_000, _COLLECTION),
    collection("XADD", "XADD bench:stream MAXLEN ~ 1000 * field value", 160_000, _COLLECTION),
    Workload("PUBLISH", "publish", 16, 160_000, own="publish", targets=_COLLECTION),
    collection("LRANGE 100", "LRANGE bench:list 0 99", 40_000, _HUNDRED),
    collection("HGETALL 100", "HGETALL bench:hash", 40_000, _HUNDRED),
    Workload("GET", "pipeline", LONG_PIPELINE, 300_000, own="get", clients=1),
    Workload("SET", "pipeline", LONG_PIPELINE, 200_000, own="set", clients=1),
)


@dataclass(frozen=True, slots=True)
class ClientSide:
    """What redis-benchmark saw: requests a second and latencies in milliseconds."""

    rps: float
    p50_ms: float
    p99_ms: float


def select(commands: Iterable[str], pipelines: Iterable[int]) -> list[Workload]:
    """The workloads of these tests and depths; an empty filter takes all."""
    tests, depths = {name.lower() for name in commands}, set(pipelines)
    return [w for w in WORKLOADS if (not tests or w.test in tests) and (not depths or w.pipeline in depths)]


def parse_csv(output: str) -> ClientSide:
    """Read the one result row of `redis-benchmark --csv`; ValueError when there is none.

    Lines before the header (warnings) are skipped.
    """
    rows = list(csv.reader(output.splitlines()))
    for number, row in enumerate(rows[:-1]):
        if row and row[0] == "test":
            found = dict(zip(row, rows[number + 1], strict=True))
            return ClientSide(
                float(found["rps"]), float(found["p50_latency_ms"]), float(found["p99_latency_ms"])
            )
    raise ValueError(f"no result in the output of redis-benchmark: {output!r}")
