"""The machines that published figures are from, and the loads, as memtier_benchmark's arguments."""

from __future__ import annotations

import os
from dataclasses import dataclass

KEYSPACE = 100_000
FIRST_KEY = 1_000_000_000_000
"""Keys are `key:` and a number of thirteen digits from here on: all of the same length, whether
memtier_benchmark makes them, which does not pad, or redis-benchmark, which pads to twelve."""

CONNECTIONS_A_VCPU = 30
"""`-c 30` with one thread of memtier_benchmark for each vCPU of the server, about what the published runs
used."""


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance type. `whole_cores` tells whether a vCPU is a core of its own or one of two
    hyperthreads."""

    name: str
    vcpus: int
    processor: str
    whole_cores: bool

    @property
    def measurable(self) -> bool:
        """Whether this machine has as many cores."""
        return self.vcpus <= cores()


def cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


XEON, GRAVITON2, GRAVITON3 = "Intel Xeon Platinum 8000", "AWS Graviton2", "AWS Graviton3"

MACHINES: tuple[Machine, ...] = (
    Machine("m5.large", 2, XEON, False),
    Machine("m5.xlarge", 4, XEON, False),
    Machine("r6g.2xlarge", 8, GRAVITON2, True),
    Machine("c7g.4xlarge", 16, GRAVITON3, True),
    Machine("c6gn.12xlarge", 48, GRAVITON2, True),
    Machine("r6g.16xlarge", 64, GRAVITON2, True),
    Machine("c7g.16xlarge", 64, GRAVITON3, True),
    Machine("c6gn.16xlarge", 64, GRAVITON2, True),
)
"""Source: https://aws.amazon.com/ec2/instance-types/"""


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of request, from `threads` times `clients` connections that each keep `pipeline` on the way.

    `sets` of `sets + gets` requests write; with `expiry` (seconds) by SETEX. `requests` is
    memtier_benchmark's -n, for each connection, where the published run counted requests and not seconds.
    """

    name: str
    sets: int
    gets: int
    threads: int
    clients: int
    pipeline: int = 1
    value_bytes: int = 256
    expiry: int = 0
    requests: int = 0

    @property
    def label(self) -> str:
        """The name in tables and plots, e.g. `GET P30`."""
        return f"{self.name} P{self.pipeline}"

    @property
    def connections(self) -> int:
        """All of them."""
        return self.threads * self.clients

    @property
    def arguments(self) -> list[str]:
        """What the published runs gave memtier_benchmark, but for the length of the run and the server's
        address."""
        words = [
            *("-t", str(self.threads), "-c", str(self.clients), "-d", str(self.value_bytes)),
            *("--distinct-client-seed", "--ratio", f"{self.sets}:{self.gets}"),
        ]
        if self.pipeline > 1:
            words += ["--pipeline", str(self.pipeline)]
        if self.expiry:
            words += ["--expiry-range", f"{self.expiry}-{self.expiry}"]
        return words


LOADS: tuple[Load, ...] = (
    Load("SET", 1, 0, threads=4, clients=20),
    Load("GET", 0, 1, threads=4, clients=20),
    Load("SETEX", 1, 0, threads=4, clients=20, expiry=500),
    Load("1 SET : 10 GET", 1, 10, threads=4, clients=20),
    Load("SET", 1, 0, threads=2, clients=30, pipeline=30, requests=200_000),
    Load("GET", 0, 1, threads=2, clients=30, pipeline=30, requests=200_000),
)
"""`-c 20 -t 4 -d 256 --distinct-client-seed` as in Dragonfly's first comparisons, memtier_benchmark's own
ratio among them; `-c 30 -n 200000 -d 256 --distinct-client-seed --pipeline 30`, whose -t was chosen for each
machine."""
