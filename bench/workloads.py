"""The workloads, the redis-benchmark command line each one stands for, and the targets they are held to.

Every workload is one run of redis-benchmark with 50 clients over 100,000 random keys that are all there
before (see `servers.fill`), so GET always hits and SET and INCR always overwrite. The number of requests
is such that a sample takes about a second on either server: short enough to interleave, long enough for a
stable CPU figure.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass

CLIENTS = 50
KEYSPACE = 100_000
VALUE_BYTES = 256

TARGETS: dict[tuple[int, int], float] = {
    (1, 1): 1.15,
    (1, 30): 1.7,
    (2, 1): 1.4,
    (2, 30): 2.3,
}
"""(shard threads, pipeline) -> highest CPU per request, as a multiple of what redis-server needs."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One command at one pipeline depth.

    `test` is redis-benchmark's name for the command, `requests` the number sent for one sample.
    """

    command: str
    test: str
    pipeline: int
    requests: int

    @property
    def label(self) -> str:
        """The name in tables and plots, e.g. `GET P16`."""
        return f"{self.command} P{self.pipeline}"

    def argv(self, port: int, requests: int) -> list[str]:
        """The redis-benchmark command line for `requests` requests to 127.0.0.1:`port`."""
        line = (
            f"redis-benchmark -p {port} -t {self.test} -n {requests} -c {CLIENTS} "
            f"-r {KEYSPACE} -d {VALUE_BYTES} -P {self.pipeline} --csv"
        )
        return line.split()


WORKLOADS: tuple[Workload, ...] = (
    Workload("GET", "get", 1, 100_000),
    Workload("GET", "get", 16, 400_000),
    Workload("GET", "get", 30, 600_000),
    Workload("SET", "set", 1, 100_000),
    Workload("SET", "set", 16, 320_000),
    Workload("SET", "set", 30, 480_000),
    Workload("INCR", "incr", 1, 100_000),
    Workload("INCR", "incr", 30, 480_000),
    Workload("MSET 10", "mset", 1, 40_000),
    Workload("MSET 10", "mset", 30, 90_000),
)


@dataclass(frozen=True, slots=True)
class ClientSide:
    """What redis-benchmark saw: requests a second and latencies in milliseconds."""

    rps: float
    p50_ms: float
    p99_ms: float


def target(threads: int, pipeline: int) -> float | None:
    """The highest allowed ratio to redis-server for that many shard threads, None where none is set."""
    return TARGETS.get((threads, pipeline))


def select(commands: Iterable[str], pipelines: Iterable[int]) -> list[Workload]:
    """The workloads of these commands (redis-benchmark's names) and depths; an empty filter takes all."""
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
