"""memtier_benchmark: its command line for a load, and its result.

The result is read from what `--json-out-file` writes (memtier_benchmark 1.3 and newer): `ALL STATS` has an
object for each kind of command and `Totals`, with `Ops/sec`, `Count`, `Percentile Latencies` in milliseconds.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from stress.scaling.outcome import GeneratorError, Outcome
from stress.scaling.profiles import FIRST_KEY, KEYSPACE, Load
from stress.scaling.traffic import MEMCACHED

PROGRAM = "memtier_benchmark"
PERCENTILES = ("p50.00", "p99.00", "p99.90")


def argv(port: int, load: Load, seconds: float, protocol: str, result: Path) -> list[str]:
    """The load as published, for so many seconds instead of a number of requests, over keys that exist."""
    return [
        *(PROGRAM, "-s", "127.0.0.1", "-p", str(port), *load.arguments),
        *("--test-time", str(max(1, math.ceil(seconds)))),
        *(
            "--key-prefix",
            "key:",
            "--key-minimum",
            str(FIRST_KEY),
            "--key-maximum",
            str(FIRST_KEY + KEYSPACE - 1),
        ),
        *("-P", "memcache_text" if protocol == MEMCACHED else "redis"),
        *("--hide-histogram", "--print-percentiles", "50,99,99.9", "--json-out-file", str(result)),
    ]


def parse(text: str) -> Outcome:
    """The result; GeneratorError if it is not one, or if keys were missing."""
    try:
        stats = json.loads(text)["ALL STATS"]
        totals = stats["Totals"]
        p50, p99, p999 = (float(totals["Percentile Latencies"][name]) for name in PERCENTILES)
        rps = float(totals["Ops/sec"])
        counts = [kind["Count"] for name, kind in stats.items() if is_command(name, kind)]
    except (ValueError, KeyError, TypeError) as err:
        raise GeneratorError(f"{PROGRAM} wrote what is not a result: {text[:200]!r}") from err
    missed = float(totals.get("Misses/sec") or 0)
    if missed > 0.01 * rps:
        raise GeneratorError(
            f"{PROGRAM} asked for keys that do not exist: {missed:.0f} of {rps:.0f} a second"
        )
    return Outcome(sum(map(int, counts)), rps, p50, p99, p999, None)


def is_command(name: str, kind: object) -> bool:
    """Whether a member of `ALL STATS` is about one kind of command."""
    return name not in ("Totals", "Waits") and isinstance(kind, dict) and "Count" in kind
