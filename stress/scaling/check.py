"""The model, held to what was measured: the same simulation for this machine, with the load generator on it.

Projections are for machines that nobody has here, so what they are worth can only be seen where there are
both: on this machine, with each number of threads that was run. The generator's processes and the server's
threads share the cores in the simulation as they did in fact. How far it is off widens the intervals of what
is projected (see `projection`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from stress.scaling.model import Model, settings_of
from stress.scaling.profiles import cores
from stress.scaling.queueing import Clients, Simulation
from stress.scaling.sampling import Series


@dataclass(frozen=True, slots=True)
class Pair:
    """A figure as it was measured, and as the model has it."""

    measured: float
    modelled: float

    @property
    def ratio(self) -> float:
        """Measured by modelled: above 1, and the model promised too little."""
        return self.measured / self.modelled


@dataclass(frozen=True, slots=True)
class Check:
    """One load with one number of threads, on this machine. `cpu_us` is a request's."""

    load: str
    threads: int
    oversubscribed: bool
    cpu_us: Pair
    rps: Pair
    p50_ms: Pair
    p99_ms: Pair

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Check:
        """The inverse of `as_dict`."""
        values = {name: Pair(**value) if isinstance(value, dict) else value for name, value in plain.items()}
        return cls(**values)  # type: ignore[arg-type]


def checks(found: Sequence[Model], all_series: Sequence[Series], cpus: int, pipelines: int) -> list[Check]:
    """Every load and number of threads of ours, with keys of all; those of a generator that does not tell
    what it costs are left out. Simulated by as many threads as there are cores."""
    by_load = {model.load: model for model in found}
    jobs = [
        (by_load[one.load], one)
        for one in all_series
        if one.ours and one.foreign is None and one.load in by_load and one.client_us is not None
    ]
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(lambda job: check(*job, cpus, pipelines), jobs))


def check(model: Model, series: Series, cpus: int, pipelines: int) -> Check:
    """Simulate what was run."""
    setting = settings_of(series, cpus)
    assert series.client_us is not None
    clients = Clients(series.processes, series.client_us.median)
    count = max(pipelines if model.pipeline == 1 else pipelines // 3, 3 * setting.connections)
    seen = Simulation(model.fitted, setting, clients=clients).run(count)
    p50 = series.spread(lambda sample: sample.outcome.p50_ms)
    p99 = series.spread(lambda sample: sample.outcome.p99_ms)
    return Check(
        load=model.load,
        threads=series.threads,
        oversubscribed=series.threads > cpus,
        cpu_us=Pair(series.cpu.median, model.fitted.cost(setting)),
        rps=Pair(series.rps.median, seen.rps),
        p50_ms=Pair(p50.median, seen.p50_ms),
        p99_ms=Pair(p99.median, seen.p99_ms),
    )


def tail_of(held: Iterable[Check], load: str) -> tuple[float, float]:
    """By what a simulated p99 of a load may have to be multiplied, at least and at most: what was measured
    by what was simulated, with as many threads as cores or fewer. Both are 1 where nothing was held to it."""
    ratios = [one.p99_ms.ratio for one in held if one.load == load and not one.oversubscribed]
    return min(1.0, *ratios, 1.0), max(1.0, *ratios, 1.0)
