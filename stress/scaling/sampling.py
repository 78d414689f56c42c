"""Rounds: every server gets every load once in a round, by turns, so that what slows the machine hits all."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.measure import Spread
from bench.servers import Server
from stress.scaling import tools
from stress.scaling.outcome import Outcome
from stress.scaling.profiles import Load
from stress.scaling.servers import Candidate
from stress.scaling.traffic import Placement

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one load on one server: what clients saw, and the server's CPU time (microseconds a
    request)."""

    outcome: Outcome
    cpu_us: float
    user_us: float
    system_us: float


@dataclass(slots=True)
class Series:
    """All rounds of one load on one server. `foreign` is the share of keys of other threads where it was
    set, and
    None where keys were any."""

    server: str
    kind: str
    threads: int
    load: str
    pipeline: int
    connections: int
    foreign: float | None
    command: str
    tool: str
    processes: int
    """Of the generator, or its threads."""
    server_command: str
    samples: list[Sample] = field(default_factory=list)

    @property
    def ours(self) -> bool:
        """Whether it is of a nogil-df."""
        return self.kind == "nogil-df"

    def spread(self, of: Callable[[Sample], float]) -> Spread:
        """Median, lowest and highest of a figure."""
        return Spread.of([of(sample) for sample in self.samples])

    @property
    def cpu(self) -> Spread:
        """CPU microseconds a request."""
        return self.spread(lambda sample: sample.cpu_us)

    @property
    def rps(self) -> Spread:
        """Requests a second."""
        return self.spread(lambda sample: sample.outcome.rps)

    @property
    def p999(self) -> Spread | None:
        """Milliseconds, where the tool tells."""
        values = [sample.outcome.p999_ms for sample in self.samples]
        known = [value for value in values if value is not None]
        return Spread.of(known) if known else None

    @property
    def client_us(self) -> Spread | None:
        """CPU microseconds that a request cost the generator."""
        values = [sample.outcome.client_us for sample in self.samples]
        known = [value for value in values if value is not None]
        return Spread.of(known) if known else None

    @property
    def limited(self) -> bool:
        """Whether the generator was the limit in most rounds."""
        return 2 * sum(sample.outcome.limited for sample in self.samples) > len(self.samples)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Series:
        """The inverse of `as_dict`."""
        samples = [
            Sample(outcome=Outcome(**one.pop("outcome")), **one) for one in map(dict, plain.pop("samples"))
        ]
        return cls(samples=samples, **plain)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: a load on a candidate, the keys where they are placed, and the tool that sends it."""

    candidate: Candidate
    load: Load
    placement: Placement | None
    tool: tools.Own | tools.Memtier | tools.RedisBenchmark

    def series(self, server: Server, seconds: float) -> Series:
        """Where its rounds are kept."""
        kind, load = self.candidate.kind, self.load
        return Series(
            server=self.candidate.label,
            kind=kind.name,
            threads=self.candidate.threads,
            load=load.label,
            pipeline=load.pipeline,
            connections=load.connections,
            foreign=None if self.placement is None else self.placement.foreign,
            command=self.tool.command(server.port, load, seconds, kind.protocol),
            tool=self.tool.name,
            processes=self.tool.processes(load),
            server_command=shlex.join([os.path.basename(server.argv[0]), *server.argv[1:]]),
        )

    def open(self, stack: ExitStack, port: int, seconds: float) -> tools.Round:
        """Connect, until the stack is closed."""
        protocol = self.candidate.kind.protocol
        if isinstance(self.tool, tools.Own):
            return stack.enter_context(self.tool.open(port, self.load, seconds, protocol, self.placement))
        return stack.enter_context(self.tool.open(port, self.load, seconds, protocol))


def measure(
    plans: Sequence[Plan], running: dict[str, Server], rounds: int, seconds: float, step: Step
) -> list[Series]:
    """Play all plans of one load. O(plans * rounds * seconds)."""
    with ExitStack() as stack:
        series = [plan.series(running[plan.candidate.label], seconds) for plan in plans]
        players = [plan.open(stack, running[plan.candidate.label].port, seconds) for plan in plans]
        for number in range(rounds):
            for turn in range(len(plans)):
                place = (number + turn) % len(plans)
                step(f"{plans[place].load.label}, round {number + 1} of {rounds}, {series[place].server}")
                server = running[plans[place].candidate.label]
                series[place].samples.append(sample(server, players[place]))
    return series


def sample(server: Server, play: tools.Round) -> Sample:
    """Play a round."""
    outcome, used = play(server.cpu_time)
    micros = 1e6 / outcome.requests
    scale = used.total / max(1e-9, used.user + used.system)
    return Sample(outcome, used.total * micros, used.user * scale * micros, used.system * scale * micros)
