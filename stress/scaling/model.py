"""The law of one load, fitted to what was measured, with what other rounds might have told, and how far it is
off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stress.scaling.profiles import CONNECTIONS_A_VCPU
from stress.scaling.sampling import Series
from stress.scaling.usl import PLAIN, Fit, Observation, Setting, bootstrap, fit, interval, terms_for

PACE = (0.75, 1.25)
"""How fast a core of another machine may be, beside one of this: assumed, not measured. The interval is so
much wider."""


@dataclass(frozen=True, slots=True)
class Range:
    """A central value and the bounds of an interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Model:
    """The fit of one load, and what other rounds might have told.

    `worst_error` is the largest relative error at what was measured. `foretold` is the one that tells more:
    that of a fit to all runs but those with the most threads, at those; None where too few were run.
    """

    load: str
    pipeline: int
    fitted: Fit
    plain: Fit
    others: list[Fit]
    worst_error: float
    foretold: float | None

    @property
    def doubt(self) -> float:
        """The larger of both errors: how much wider an interval is than what rounds tell."""
        return max(self.worst_error, self.foretold or 0.0)

    def setting(self, vcpus: int) -> Setting:
        """How such a machine is run: a thread for each vCPU, connections in proportion, keys of all."""
        return Setting(vcpus, 1 - 1 / vcpus, CONNECTIONS_A_VCPU * vcpus, self.pipeline, vcpus)

    def throughput(self, vcpus: int) -> Range:
        """Requests a second with every thread busy."""
        setting = self.setting(vcpus)
        low, high = interval([one.throughput(setting) for one in self.others])
        wider = 1 + self.doubt
        return Range(self.fitted.throughput(setting), low * PACE[0] / wider, high * PACE[1] * wider)

    def extremes(self, vcpus: int) -> tuple[Fit, Fit]:
        """The fits at the ends of the interval, the cheaper one first."""
        setting = self.setting(vcpus)
        ordered = sorted(self.others, key=lambda one: one.cost(setting))
        return ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]


def settings_of(series: Series, cpus: int) -> Setting:
    """How a series was run; keys are any where they were not placed."""
    foreign = 1 - 1 / series.threads if series.foreign is None else series.foreign
    return Setting(series.threads, foreign, series.connections, series.pipeline, cpus)


def models(all_series: Sequence[Series], cpus: int) -> list[Model]:
    """A model for each load that ours was measured with on several numbers of threads, on so many CPUs."""
    terms = terms_for(cpus)
    found = []
    for load in dict.fromkeys(one.load for one in all_series):
        mine = [one for one in all_series if one.ours and one.load == load]
        if len({one.threads for one in mine}) < 2:
            continue
        # All keys of others is what no client does: it tells the split, not how cost grows with any keys.
        calibrating = [one for one in mine if one.foreign in (None, 0.0)]
        groups = [(settings_of(one, cpus), [sample.cpu_us for sample in one.samples]) for one in calibrating]
        medians = [(setting, one.cpu.median) for one, (setting, _) in zip(calibrating, groups, strict=True)]
        fitted = fit(medians, terms)
        anyhow = [pair for pair, one in zip(medians, calibrating, strict=True) if one.foreign is None]
        error = max(abs(fitted.cost(setting) / cost - 1) for setting, cost in medians)
        found.append(
            Model(
                load=load,
                pipeline=mine[0].pipeline,
                fitted=fitted,
                plain=fit(anyhow, PLAIN),
                others=bootstrap(groups, terms),
                worst_error=error,
                foretold=foretell(medians, terms),
            )
        )
    return found


def foretell(observed: Sequence[Observation], terms: Sequence[str]) -> float | None:
    """The largest relative error, at the runs with the most threads, of a fit to the others; None if those
    have fewer than three numbers of threads, which cannot tell a hop from a message."""
    counts = sorted({setting.threads for setting, _ in observed})
    if len(counts) < 4:
        return None
    fitted = fit([one for one in observed if one[0].threads < counts[-1]], terms)
    return max(
        abs(fitted.cost(setting) / cost - 1) for setting, cost in observed if setting.threads == counts[-1]
    )
