"""From what was measured here to machines with more cores: throughput and latencies, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from stress.scaling.check import Check, tail_of
from stress.scaling.model import PACE, Model, Range
from stress.scaling.profiles import MACHINES, Machine, cores
from stress.scaling.queueing import Latencies, Simulation
from stress.scaling.sampling import Series

SIMULATED = 20_000
"""Pipelines that a simulation answers, if they are of one request; a third of that if of several."""


@dataclass(frozen=True, slots=True)
class Split:
    """Where the CPU time of a request goes, microseconds: measured with one thread, and with two that are
    asked for their own keys only, for the other's only, for any. `kernel` is the share of the first spent in
    the kernel."""

    load: str
    user: float
    kernel: float
    own_keys: float | None
    foreign_keys: float | None
    any_keys: float | None

    @property
    def contention(self) -> float | None:
        """What a second thread adds where neither asks the other for anything."""
        return None if self.own_keys is None else self.own_keys - self.user - self.kernel

    @property
    def hop(self) -> float | None:
        """What a key of the other thread adds."""
        if self.own_keys is None or self.foreign_keys is None:
            return None
        return self.foreign_keys - self.own_keys


@dataclass(frozen=True, slots=True)
class Projection:
    """One load on one number of vCPUs. `measured` tells that this machine has as many cores."""

    load: str
    vcpus: int
    connections: int
    measured: bool
    rps: Range
    cost_us: float
    plain_rps: float
    """By the law as it stands, that takes all growth for contention."""
    p50_ms: float
    p99_ms: Range
    p999_ms: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Projection:
        """The inverse of `as_dict`."""
        values = {name: Range(**value) if isinstance(value, dict) else value for name, value in plain.items()}
        return cls(**values)  # type: ignore[arg-type]


def splits(all_series: Sequence[Series]) -> list[Split]:
    """Where the time goes, for each load."""
    found = []
    for load in dict.fromkeys(one.load for one in all_series):
        mine = {(one.threads, one.foreign): one for one in all_series if one.ours and one.load == load}
        alone = mine.get((1, None))
        if alone is None:
            continue
        own, foreign, both = (
            mine[key].cpu.median if (key := (2, share)) in mine else None for share in (0.0, 1.0, None)
        )
        user = alone.spread(lambda sample: sample.user_us).median
        kernel = alone.spread(lambda sample: sample.system_us).median
        found.append(Split(load, user, kernel, own, foreign, both))
    return found


def simulate(model: Model, vcpus: int, pipelines: int) -> list[Latencies]:
    """Latencies by the fit itself, and by those at the ends of its interval."""
    setting = model.setting(vcpus)
    count = max(pipelines if model.pipeline == 1 else pipelines // 3, 3 * setting.connections)
    return [Simulation(one, setting).run(count) for one in (model.fitted, *model.extremes(vcpus))]


def project(
    found: Sequence[Model],
    held: Sequence[Check] = (),
    machines: Sequence[Machine] = MACHINES,
    pipelines: int = SIMULATED,
) -> list[Projection]:
    """Every model on every number of vCPUs of the machines, simulated by as many threads as there
    are cores; latencies as uncertain as `held` shows."""
    jobs = [(model, vcpus) for model in found for vcpus in sorted({machine.vcpus for machine in machines})]
    with ThreadPoolExecutor(cores()) as pool:
        simulated = list(pool.map(lambda job: simulate(job[0], job[1], pipelines), jobs))
    projections = []
    for (model, vcpus), (central, low, high) in zip(jobs, simulated, strict=True):
        setting = model.setting(vcpus)
        bounds = sorted((central.p99_ms, low.p99_ms, high.p99_ms))
        shorter, longer = tail_of(held, model.load)
        wider = 1 + model.doubt
        projections.append(
            Projection(
                load=model.load,
                vcpus=vcpus,
                connections=setting.connections,
                measured=vcpus <= cores(),
                rps=model.throughput(vcpus),
                cost_us=model.fitted.cost(setting),
                plain_rps=model.plain.throughput(setting),
                p50_ms=central.p50_ms,
                p99_ms=Range(
                    central.p99_ms,
                    bounds[0] * shorter / PACE[1] / wider,
                    bounds[-1] * longer / PACE[0] * wider,
                ),
                p999_ms=central.p999_ms,
            )
        )
    return projections
