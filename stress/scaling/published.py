"""Figures that others have published, each with its source. They are theirs: other machines, clients,
networks."""

from __future__ import annotations

from dataclasses import dataclass

README = "https://github.com/dragonflydb/dragonfly/blob/main/README.md#benchmarks"
BENCHMARK = "https://www.dragonflydb.io/docs/getting-started/benchmark"
SITE = "https://dragonflydb.io/"
NEW_NUMBER = "https://www.dragonflydb.io/blog/2024-new-year-new-number"


@dataclass(frozen=True, slots=True)
class Published:
    """Requests a second of a server; `load` is a label of `profiles.LOADS` that it may stand beside, and
    empty
    where none fits."""

    server: str
    machine: str
    vcpus: int
    what: str
    load: str
    rps: float
    p99_ms: float | None
    p999_ms: float | None
    source: str


FIGURES: tuple[Published, ...] = (
    Published("Dragonfly", "c6gn.16xlarge", 64, "SET", "SET P1", 3_844_000, 0.9, 2.4, README),
    Published("Dragonfly", "c6gn.16xlarge", 64, "GET", "GET P1", 3_717_000, 1.0, 2.4, README),
    Published(
        "Dragonfly", "c6gn.16xlarge", 64, "SET, pipeline 30", "SET P30", 10_000_000, None, None, README
    ),
    Published(
        "Dragonfly", "c6gn.16xlarge", 64, "GET, pipeline 30", "GET P30", 15_000_000, None, None, README
    ),
    Published("Dragonfly", "r6gn.16xlarge", 64, "GET and SET", "", 3_970_000, None, None, SITE),
    Published("Dragonfly", "c6gn.12xlarge", 48, "SET", "SET P1", 4_195_628, 0.687, 2.543, BENCHMARK),
    Published("Dragonfly", "c6gn.12xlarge", 48, "GET", "GET P1", 4_109_803, 0.679, 0.903, BENCHMARK),
    Published("Dragonfly", "c7gn.16xlarge", 64, "GET", "GET P1", 6_430_000, None, None, NEW_NUMBER),
    Published("Redis", "one thread", 1, "GET and SET", "", 148_000, None, None, SITE),
    Published("Redis", "one thread, c6gn.16xlarge", 1, "a 25th of 3.8 M", "", 152_000, None, None, README),
    Published("Memcached", "c6gn.16xlarge", 64, "SET", "SET P1", 806_000, 1.6, 3.2, README),
    Published("Memcached", "c6gn.16xlarge", 64, "GET", "GET P1", 2_100_000, 0.34, 0.6, README),
)

PEAK_P99: tuple[tuple[str, float, float, float], ...] = (
    ("SET P1", 0.8, 1.0, 1.0),
    ("GET P1", 0.9, 0.9, 0.8),
    ("SETEX P1", 0.9, 1.1, 1.3),
)
"""Dragonfly's p99 (ms) at its peak throughput on r6g, c6gn and c7g; source: README."""

REDIS_RANGE = (148_000, 220_000)
"""Requests a second that comparisons give a Redis without pipelines, whatever the machine: one thread does
the work."""
