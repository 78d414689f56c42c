"""The fit finds the parameters that synthetic figures were made with; the simulation serves what it can."""

from __future__ import annotations

import random

import pytest

from stress.scaling.check import Check, Pair, checks, tail_of
from stress.scaling.model import foretell, models
from stress.scaling.outcome import Outcome
from stress.scaling.projection import project
from stress.scaling.queueing import NETWORK_US, SLICE_US, Clients, Simulation
from stress.scaling.sampling import Sample, Series
from stress.scaling.usl import PLAIN, TERMS, Fit, Setting, bootstrap, fit, interval, least_squares, terms_for

KNOWN = {
    "local": 5.0,
    "hop": 4.0,
    "message": 7.0,
    "switching": 2.0,
    "contention": 0.11,
    "coherency": 0.003,
}


def settings(cores: int) -> list[Setting]:
    """What a machine of so many cores measures: any keys and own keys, up to four threads a core."""
    counts = [1 << power for power in range(12) if 1 << power <= 4 * cores]
    return [Setting(n, share, 80, 1, cores) for n in counts for share in {0.0, 1 - 1 / n}]


def test_known_parameters_are_found() -> None:
    truth = Fit(KNOWN)
    found = fit([(setting, truth.cost(setting)) for setting in settings(16)])
    for name in TERMS:
        assert found.terms[name] == pytest.approx(KNOWN[name], rel=1e-6)
    assert found.sigma == pytest.approx(0.11 / 5)
    assert found.kappa == pytest.approx(0.003 / 5)


def test_gunthers_law_as_it_stands_is_found() -> None:
    a, sigma, kappa = 6.0, 0.05, 0.001
    observations = []
    for n in (1, 2, 4, 8, 16):
        throughput = n / (a * (1 + sigma * (n - 1) + kappa * n * (n - 1)))
        observations.append((Setting(n, 1 - 1 / n, 80, 1, n), n / throughput))
    found = fit(observations, PLAIN)
    assert found.terms["others"] / found.terms["local"] == pytest.approx(sigma)
    assert found.terms["pairs"] / found.terms["local"] == pytest.approx(kappa)


def test_noise_widens_the_interval_around_the_truth() -> None:
    truth = Fit({name: KNOWN[name] for name in terms_for(2)})
    target = Setting(64, 1 - 1 / 64, 1920, 1, 64)
    rng = random.Random(4)
    widths = []
    for noise in (0.02, 0.10):
        groups = [
            (one, [truth.cost(one) * rng.uniform(1 - noise, 1 + noise) for _ in range(7)])
            for one in settings(2)
        ]
        low, high = interval([one.throughput(target) for one in bootstrap(groups, terms_for(2))])
        assert low < truth.throughput(target) < high
        widths.append(high - low)
    assert widths[0] < widths[1]


def test_no_coefficient_is_negative() -> None:
    rows = [[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]]
    error, solved = least_squares(rows, [3.0, 2.0, 1.0])
    assert min(solved) >= 0
    assert solved == [pytest.approx(2.0), 0.0]
    assert error == pytest.approx(2.0)


def test_messages_find_company_until_there_are_too_many_threads() -> None:
    def messages(threads: int) -> float:
        return Setting(threads, 1 - 1 / threads, 30 * threads, 1, threads).messages

    grown = [messages(threads) for threads in (2, 4, 8, 16, 64, 1024)]
    assert grown == sorted(grown)
    assert grown[0] < 0.1
    assert 0.95 < grown[-1] < 1
    assert Setting(8, 0.0, 80, 1, 8).messages == 0


@pytest.mark.parametrize(("threads", "pipeline"), [(1, 1), (4, 1), (4, 10)])
def test_a_simulated_server_serves_what_its_costs_allow(threads: int, pipeline: int) -> None:
    fitted = Fit({"local": 5.0, "hop": 3.0, "message": 2.0})
    setting = Setting(threads, 1 - 1 / threads, 60 * threads, pipeline, threads)
    seen = Simulation(fitted, setting).run(6000)
    assert 0.8 * fitted.throughput(setting) < seen.rps < 1.05 * fitted.throughput(setting)
    # Little's law: connections, by the rate of their pipelines, is the time that one takes, network included.
    mean_ms = setting.connections * pipeline / seen.rps * 1000
    assert 0.5 * mean_ms < seen.p50_ms < 1.5 * mean_ms
    assert NETWORK_US / 1000 < seen.p50_ms < seen.p99_ms <= seen.p999_ms
    assert Simulation(fitted, setting).run(6000) == seen


def test_clients_on_the_same_cores_take_their_share() -> None:
    fitted = Fit({"local": 6.0})
    for cores, expected in ((2, 2 / 16e-6), (4, 1 / 6e-6)):
        # With two cores they are full; with four, the one thread is.
        seen = Simulation(fitted, Setting(1, 0.0, 80, 1, cores), clients=Clients(2, 10.0)).run(20_000)
        assert seen.rps == pytest.approx(expected, rel=0.06)


def test_who_shares_cores_waits_for_slices() -> None:
    fitted = Fit({"local": 6.0})

    def p99(cores: int) -> float:
        return Simulation(fitted, Setting(1, 0.0, 80, 1, cores), clients=Clients(2, 10.0)).run(20_000).p99_ms

    assert p99(2) > p99(3)
    assert SLICE_US / 1000 < p99(1) < 4 * SLICE_US / 1000


def test_a_server_with_little_to_do_answers_at_once() -> None:
    seen = Simulation(Fit({"local": 5.0}), Setting(2, 0.0, 2, 1, 2)).run(2000)
    assert NETWORK_US < seen.p50_ms * 1000 < NETWORK_US + 20


def series(threads: int, foreign: float | None, cost: float, latency_ms: float = 1.0) -> Series:
    """Three rounds of ours, all alike."""
    outcome = Outcome(1000, 50_000.0, latency_ms / 2, latency_ms, 2 * latency_ms, 0.9, 9.0)
    made = Series("nogil-df", "nogil-df", threads, "GET P1", 1, 80, foreign, "", "own", 2, "")
    made.samples.extend([Sample(outcome, cost, cost / 2, cost / 2)] * 3)
    return made


def measured(cores: int, counts: tuple[int, ...], latency_ms: float = 1.0) -> list[Series]:
    """What a server that obeys the law would show."""
    truth = Fit({name: KNOWN[name] for name in terms_for(cores)})

    def one(threads: int, share: float, foreign: float | None) -> Series:
        return series(threads, foreign, truth.cost(Setting(threads, share, 80, 1, cores)), latency_ms)

    everything = [one(n, 1 - 1 / n, None) for n in counts]
    return everything + [one(n, 0.0, 0.0) for n in counts if n > 1]


def test_a_fit_foretells_what_obeys_the_law_and_says_how_far_it_is_off_where_not() -> None:
    lawful = measured(2, (1, 2, 4, 8))
    (model,) = models(lawful, 2)
    assert model.foretold == pytest.approx(0, abs=1e-6)
    dear = [one if one.threads < 8 else series(8, one.foreign, 2 * one.cpu.median) for one in lawful]
    (other,) = models(dear, 2)
    assert other.foretold == pytest.approx(0.5, abs=1e-6)
    assert other.doubt == other.foretold
    assert foretell([(Setting(n, 0.0, 80, 1, 2), 5.0) for n in (1, 2, 4)], terms_for(2)) is None


def test_what_the_model_is_off_here_widens_what_it_projects() -> None:
    def p99(latency_ms: float) -> tuple[float, float, float]:
        seen = measured(2, (1, 2, 4, 8), latency_ms)
        found = models(seen, 2)
        held = checks(found, seen, 2, 900)
        assert [one.threads for one in held] == [1, 2, 4, 8]
        assert [one.oversubscribed for one in held] == [False, False, True, True]
        one = next(one for one in project(found, held, pipelines=900) if one.vcpus == 4)
        return one.p99_ms.low, one.p99_ms.value, one.p99_ms.high

    fast, slow = p99(0.1), p99(100.0)
    assert fast[1] == slow[1]
    assert fast[0] < slow[0] / 5
    assert slow[2] > 5 * fast[2]


def test_only_runs_with_a_core_for_each_thread_tell_of_the_tail() -> None:
    def held(load: str, ratio: float, oversubscribed: bool) -> Check:
        even = Pair(1.0, 1.0)
        return Check(load, 1, oversubscribed, even, even, even, Pair(ratio, 1.0))

    seen = [held("GET P1", 2.5, False), held("GET P1", 9.0, True), held("SET P1", 0.5, False)]
    assert tail_of(seen, "GET P1") == (1.0, 2.5)
    assert tail_of(seen, "SET P1") == (0.5, 1.0)
    assert tail_of(seen, "SETEX P1") == (1.0, 1.0)
