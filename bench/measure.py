"""Samples, rounds and their summary.

One sample is one redis-benchmark run against one server. A round takes a sample of every server for one
workload, one right after the other, beginning with another server each time. Ratios are taken within a
round, so that drift of the machine (clock speed, neighbours) hits both sides; the summary holds medians
and the whole spread.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bench.servers import Server, ServerError
from bench.workloads import ClientSide, Workload, parse_csv

REFERENCE = "redis"
WARM_UP_SHARE = 10
SAMPLE_TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: CPU microseconds per request (total, user, kernel) and what the client saw."""

    cpu_us: float
    user_us: float
    system_us: float
    client: ClientSide


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, lowest and highest of a figure over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Row:
    """One server at one workload, summarised; `ratio` and `target` are None for redis-server itself."""

    workload: str
    command: str
    pipeline: int
    server: str
    threads: int
    cpu_us: Spread
    user_us: Spread
    system_us: Spread
    rps: Spread
    p50_ms: Spread
    p99_ms: Spread
    ratio: Spread | None
    target: float | None

    @property
    def met(self) -> bool | None:
        """Whether the median ratio is within the target; None where there is no target."""
        if self.ratio is None or self.target is None:
            return None
        return self.ratio.median <= self.target

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, object]) -> Row:
        """The inverse of `as_dict`."""
        values = {name: Spread(**v) if isinstance(v, dict) else v for name, v in plain.items()}
        return cls(**values)  # type: ignore[arg-type]


def take_sample(server: Server, workload: Workload, requests: int) -> Sample:
    """Run the workload once and charge the server's CPU time of that while to its requests."""
    before = server.cpu_time()
    done = subprocess.run(
        workload.argv(server.port, requests),
        capture_output=True,
        text=True,
        timeout=SAMPLE_TIMEOUT_SECONDS,
        check=False,
    )
    used = server.cpu_time() - before
    if done.returncode != 0:
        raise ServerError(f"{workload.label} against {server.name} failed: {done.stdout}{done.stderr}")
    micros = 1e6 / requests
    return Sample(used.total * micros, used.user * micros, used.system * micros, parse_csv(done.stdout))


def run_workload(
    servers: Sequence[Server], workload: Workload, rounds: int, scale: float, step: Callable[[str], None]
) -> list[Row]:
    """Measure one workload on all servers, interleaved, `rounds` times after a short warm-up.

    `scale` multiplies the number of requests; `step` is told what comes next. The first server whose name is
    REFERENCE is what the others are compared with.
    """
    requests = max(1000, workload.pipeline, round(workload.requests * scale))
    samples: list[list[Sample]] = [[] for _ in servers]
    for server in servers:
        take_sample(server, workload, max(1000, workload.pipeline, requests // WARM_UP_SHARE))
    for number in range(rounds):
        for turn in range(len(servers)):
            place = (number + turn) % len(servers)
            step(f"{workload.label}, round {number + 1}, {servers[place].name}")
            samples[place].append(take_sample(servers[place], workload, requests))
    names = [server.name for server in servers]
    reference = samples[names.index(REFERENCE)]
    return [
        summarise(server, workload, taken, reference) for server, taken in zip(servers, samples, strict=True)
    ]


def summarise(server: Server, workload: Workload, taken: list[Sample], reference: list[Sample]) -> Row:
    """Reduce the samples of one server to medians and spreads; ratios pair the samples of each round."""
    is_reference = taken is reference
    ratios = [mine.cpu_us / other.cpu_us for mine, other in zip(taken, reference, strict=True)]
    return Row(
        workload=workload.label,
        command=workload.command,
        pipeline=workload.pipeline,
        server=server.name,
        threads=server.threads,
        cpu_us=Spread.of([s.cpu_us for s in taken]),
        user_us=Spread.of([s.user_us for s in taken]),
        system_us=Spread.of([s.system_us for s in taken]),
        rps=Spread.of([s.client.rps for s in taken]),
        p50_ms=Spread.of([s.client.p50_ms for s in taken]),
        p99_ms=Spread.of([s.client.p99_ms for s in taken]),
        ratio=None if is_reference else Spread.of(ratios),
        target=None if is_reference else workload.target(server.threads),
    )
