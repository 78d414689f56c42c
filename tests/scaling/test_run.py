"""One tiny run: our server with one and two threads beside others; the report, and the way back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stress.scaling.__main__ import main, parse_arguments
from stress.scaling.generator import Running, fill, tasks_for
from stress.scaling.outcome import GeneratorError
from stress.scaling.profiles import MACHINES, Load, cores
from stress.scaling.result import Result
from stress.scaling.traffic import RESP
from tests.servers import NogilServer

pytestmark = pytest.mark.timeout(900)

HEADINGS = (
    *("# Scaling", "## In short", "## Measured", "## Where the time of a request goes"),
    *(
        "## Projected: bigger machines",
        "## Memory",
        "## The model",
        "## The model beside what was measured",
        "## Published figures",
        "## How it was run",
    ),
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run has left its result."""
    out = tmp_path_factory.mktemp("scaling")
    arguments = [
        *("--rounds", "2", "--seconds", "0.1", "--threads", "1,2", "--loads", "GET P1"),
        *(
            "--generator",
            "own",
            "--keys",
            "20000",
            "--populate",
            "20000",
            "--sizes",
            "256",
            "--simulated",
            "900",
        ),
        *("--machines", "m5.large,m5.xlarge", "--no-snapshots", "--no-plots", "--out", str(out)),
    ]
    assert main(arguments) == 0
    return out


def test_every_section_is_there_and_what_is_projected_is_called_so(directory: Path) -> None:
    text = (directory / "scaling.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("#")] == list(HEADINGS)
    section = text.partition("## Projected")[2].partition("## Memory")[0]
    for machine in MACHINES[:2]:
        rows = re.findall(
            rf"^\| {re.escape(machine.name)}, {machine.vcpus} vCPUs \| ([^|]*) \|", section, re.M
        )
        assert len(rows) == 1
        assert set(rows) == {"from measured costs" if machine.vcpus <= cores() else "projected"}
    for line in text.partition("## In short")[2].partition("##")[0].splitlines():
        assert "vCPUs" not in line or "(projected)" in line
    for name in (
        "nogil-df, 1 thread",
        "nogil-df, 2 threads",
        "redis-server, 1 thread",
        "memcached, 1 thread",
    ):
        assert f"| {name} |" in text


def test_the_figures_are_those_of_the_rounds(directory: Path) -> None:
    result = Result.from_json((directory / "result.json").read_text())
    assert result.rounds == 2
    placed = {(one.threads, one.foreign) for one in result.series if one.ours}
    assert placed == {(1, None), (2, None), (2, 0.0), (2, 1.0)}
    for one in result.series:
        assert len(one.samples) == 2
        for sample in one.samples:
            seen = sample.outcome
            assert seen.requests > 0
            assert seen.p999_ms is not None
            assert 0 < seen.p50_ms <= seen.p99_ms <= seen.p999_ms
            assert 0 < sample.cpu_us < 100_000
            assert seen.client_us is not None
            assert 0 < seen.client_us < 100_000
    assert [(one.load, one.threads) for one in result.checks] == [("GET P1", 1), ("GET P1", 2)]
    for held in result.checks:
        for pair in (held.cpu_us, held.rps, held.p50_ms, held.p99_ms):
            assert pair.measured > 0
            assert pair.modelled > 0
        assert not held.oversubscribed
    for one in result.projections:
        assert one.rps.low <= one.rps.value * 1.001
        assert one.p99_ms.low <= one.p99_ms.value <= one.p99_ms.high
    assert {one.server for one in result.fillings} >= {"nogil-df", "redis-server"}
    assert all(one.seconds > 0 and one.cpu_seconds > 0 for one in result.fillings)
    for footprint in result.footprints:
        assert footprint.bytes_a_key > footprint.value_bytes / 2


def test_a_report_is_written_anew_from_the_result(directory: Path, tmp_path: Path) -> None:
    assert main(["--from", str(directory / "result.json"), "--no-plots", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "scaling.md").read_text() == (directory / "scaling.md").read_text()


def test_only_a_whole_run_touches_the_docs() -> None:
    assert parse_arguments([]).docs
    assert not parse_arguments(["--quick"]).docs
    assert not parse_arguments(["--loads", "GET P1"]).docs
    assert parse_arguments(["--quick", "--docs"]).docs


def test_wrong_replies_end_a_run() -> None:
    load = Load("GET", 0, 1, threads=1, clients=2)
    with NogilServer(threads=1) as server:
        with (
            Running(tasks_for(server.port, load, 0.1)) as running,
            pytest.raises(GeneratorError, match="replies"),
        ):
            running.run()
        fill(server.port, RESP, load.value_bytes)
        with Running(tasks_for(server.port, load, 0.1)) as running:
            assert running.run().requests > 0
