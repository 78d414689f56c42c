"""redis-benchmark: its command line for a load of one command, and its result (`--csv`), which has no
p99.9."""

from __future__ import annotations

from bench.workloads import parse_csv
from stress.scaling.generator import processes_for
from stress.scaling.outcome import GeneratorError, Outcome
from stress.scaling.profiles import KEYSPACE, Load

PROGRAM = "redis-benchmark"
GUESSED_RPS = {False: 80_000, True: 500_000}
"""What it sends in a second, without and with pipelines, as it counts requests and not seconds."""


def argv(port: int, load: Load, seconds: float) -> list[str]:
    """About so many seconds of a load. Its random part of a key has twelve digits, ours begin with a one
    before."""
    requests = round(GUESSED_RPS[load.pipeline > 1] * seconds)
    line = [
        *(PROGRAM, "-p", str(port), "-c", str(load.connections), "-n", str(requests)),
        *("-P", str(load.pipeline), "-r", str(KEYSPACE), "--threads", str(processes_for(load)), "--csv"),
    ]
    key, value = "key:1__rand_int__", "x" * load.value_bytes
    if load.gets:
        return [*line, "GET", key]
    return [*line, "SETEX", key, str(load.expiry), value] if load.expiry else [*line, "SET", key, value]


def parse(output: str, line: list[str]) -> Outcome:
    """The result; GeneratorError if it is none."""
    try:
        seen = parse_csv(output)
    except (ValueError, KeyError) as err:
        raise GeneratorError(f"{PROGRAM} printed what is not a result: {output[:200]!r}") from err
    return Outcome(int(line[line.index("-n") + 1]), seen.rps, seen.p50_ms, seen.p99_ms, None, None)
