"""Load generators behind one face: ours, and tools where they are installed.

A `Tool` opens a load on a server's port; what it opens plays rounds. The server's CPU time is read right
before and after a round, so that connecting belongs to the round of tools that cannot be kept waiting.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bench.servers import CpuTime
from stress.scaling import generator, memtier, redis_benchmark
from stress.scaling.outcome import GeneratorError, Outcome
from stress.scaling.profiles import Load
from stress.scaling.traffic import RESP, Placement

Clock = Callable[[], CpuTime]
Round = Callable[[Clock], tuple[Outcome, CpuTime]]
LIMIT_SECONDS = 300.0


class Tool(Protocol):
    """A load generator."""

    @property
    def name(self) -> str:
        """What it is called in the report."""

    def takes(self, load: Load, protocol: str) -> bool:
        """Whether it can send such a load."""

    def processes(self, load: Load) -> int:
        """How many processes or threads of it send a load."""

    def command(self, port: int, load: Load, seconds: float, protocol: str) -> str:
        """What it does as a command line."""

    def open(self, port: int, load: Load, seconds: float, protocol: str) -> Iterator[Round]:
        """A context manager around rounds of so many seconds."""


class Own:
    """`stress.scaling.generator`; the only one that can ask for keys of certain threads."""

    name = "our own generator"

    def takes(self, load: Load, protocol: str) -> bool:
        """Everything."""
        return True

    def processes(self, load: Load) -> int:
        """Those of its command line."""
        return generator.processes_for(load)

    def command(self, port: int, load: Load, seconds: float, protocol: str) -> str:
        """There is none to type; how many processes and connections."""
        count = generator.processes_for(load)
        return (
            f"{count} process{'es'[: 2 * (count > 1)]} of {generator.NAME}, {load.connections} connections, "
            f"{seconds:g} s: {shlex.join(load.arguments)}"
        )

    @contextmanager
    def open(
        self, port: int, load: Load, seconds: float, protocol: str, placement: Placement | None = None
    ) -> Iterator[Round]:
        """Processes that stay for all rounds."""
        with generator.Running(generator.tasks_for(port, load, seconds, protocol, placement)) as running:

            def play(clock: Clock) -> tuple[Outcome, CpuTime]:
                before = clock()
                outcome = running.run()
                return outcome, clock() - before

            yield play


class Memtier:
    """memtier_benchmark."""

    name = "memtier_benchmark"

    def takes(self, load: Load, protocol: str) -> bool:
        """Everything: the loads are its arguments."""
        return True

    def processes(self, load: Load) -> int:
        """Those of its command line."""
        return load.threads

    def command(self, port: int, load: Load, seconds: float, protocol: str) -> str:
        """As it is run."""
        return shlex.join(memtier.argv(port, load, seconds, protocol, Path("result.json")))

    @contextmanager
    def open(self, port: int, load: Load, seconds: float, protocol: str) -> Iterator[Round]:
        """A new process for each round."""
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "result.json")

            def play(clock: Clock) -> tuple[Outcome, CpuTime]:
                before = clock()
                _, spent = execute(memtier.argv(port, load, seconds, protocol, file))
                used = clock() - before
                outcome = memtier.parse(file.read_text(encoding="utf-8"))
                return replace(outcome, client_us=spent * 1e6 / outcome.requests), used

            yield play


class RedisBenchmark:
    """redis-benchmark."""

    name = "redis-benchmark"

    def takes(self, load: Load, protocol: str) -> bool:
        """One command at a time, and no Memcached."""
        return protocol == RESP and 0 in (load.sets, load.gets)

    def processes(self, load: Load) -> int:
        """Those of its command line."""
        return generator.processes_for(load)

    def command(self, port: int, load: Load, seconds: float, protocol: str) -> str:
        """As it is run."""
        return shlex.join(redis_benchmark.argv(port, load, seconds))

    @contextmanager
    def open(self, port: int, load: Load, seconds: float, protocol: str) -> Iterator[Round]:
        """A new process for each round."""

        def play(clock: Clock) -> tuple[Outcome, CpuTime]:
            line = redis_benchmark.argv(port, load, seconds)
            before = clock()
            output, spent = execute(line)
            used = clock() - before
            outcome = redis_benchmark.parse(output, line)
            return replace(outcome, client_us=spent * 1e6 / outcome.requests), used

        yield play


def execute(argv: list[str]) -> tuple[str, float]:
    """Run a tool; its output, and the CPU seconds that it used. GeneratorError if it failed."""
    before = os.times()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    if done.returncode:
        raise GeneratorError(f"{argv[0]} failed: {(done.stdout + done.stderr).strip()[-300:]}")
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return done.stdout, spent


TOOLS: dict[str, type[Own | Memtier | RedisBenchmark]] = {
    "memtier": Memtier,
    "redis-benchmark": RedisBenchmark,
    "own": Own,
}
PROGRAMS = {"memtier": memtier.PROGRAM, "redis-benchmark": redis_benchmark.PROGRAM}


def installed(name: str) -> bool:
    """Whether a tool of TOOLS can be run here."""
    return name not in PROGRAMS or shutil.which(PROGRAMS[name]) is not None


def find(wanted: str) -> Own | Memtier | RedisBenchmark:
    """The tool of that name; for `auto`, memtier_benchmark where it is installed and our own otherwise, as
    redis-benchmark tells no p99.9. GeneratorError if it is not installed."""
    if wanted == "auto":
        wanted = "memtier" if installed("memtier") else "own"
    if not installed(wanted):
        raise GeneratorError(f"{PROGRAMS[wanted]} is not installed")
    return TOOLS[wanted]()
