"""The set-up tells what it is at, as those who wait for it want to know."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from tests.servers import PATIENCE
from tools import lua, steps

# Numbers what it does, and goes on until somebody has heard of it.
COUNTING = """
import pathlib, sys, time
print("[ 2/75] Compiled b")
print("[ 3/75] Compiled c")
print("a line of the compiler", flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
"""


def test_a_step_that_numbers_what_it_does_is_told_by_its_last_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    heard = tmp_path / "heard"

    def hear(text: str) -> None:
        told.append(text)
        if text.endswith("[ 3/75] Compiled c"):
            heard.touch()

    monkeypatch.setattr(steps, "say", hear)
    monkeypatch.setattr(steps, "HEARTBEAT", 0.0)
    command = [sys.executable, "-c", COUNTING, str(heard)]
    steps.run_step("compiling", command, tmp_path / "log", PATIENCE, counts=True)
    assert told[0] == "compiling"
    assert heard.exists()
    assert not any("[ 2/75]" in text for text in told)


def test_a_step_that_fails_shows_the_end_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "say", lambda text: None)
    command = [sys.executable, "-c", "print('no headers'); raise SystemExit(3)"]
    with pytest.raises(steps.StepFailed, match=r"(?s)ended with status 3.*no headers"):
        steps.run_step("compiling", command, tmp_path / "log", PATIENCE)


def test_what_runs_side_by_side_comes_to_its_end_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "say", lambda text: None)
    failed = threading.Event()
    ended: list[str] = []

    def fail() -> None:
        failed.set()
        raise steps.Lacking("no network")

    def go_on() -> None:
        assert failed.wait(PATIENCE)
        steps.run_step("compiling", [sys.executable, "-c", ""], tmp_path / "log", PATIENCE)
        ended.append("compiled")

    with pytest.raises(steps.Lacking, match="no network"):
        steps.side_by_side(fail, go_on)
    with pytest.raises(steps.Lacking, match="no network"):
        steps.side_by_side(go_on, fail)
    steps.side_by_side(go_on, go_on)
    assert ended == ["compiled"] * 4


def test_an_interrupt_ends_what_runs_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "say", lambda text: None)
    running = tmp_path / "running"
    endless = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(1000)"

    def run() -> None:
        command = [sys.executable, "-c", endless, str(running)]
        steps.run_step("compiling", command, tmp_path / "log", PATIENCE)

    def interrupt() -> None:
        while not running.exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    for here, aside in ((interrupt, run), (run, interrupt)):
        running.unlink(missing_ok=True)
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            steps.side_by_side(here, aside)
        assert time.monotonic() - begun < PATIENCE / 2


def test_of_the_luas_that_lupa_brings_one_is_built(tmp_path: Path) -> None:
    for name in ("lua51", "lua54", "luajit21", "other"):
        (tmp_path / name / "src").mkdir(parents=True)
    lua.keep_one_lua(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lua51", "other"]


def test_all_luas_are_built_where_the_wanted_one_is_not_there(tmp_path: Path) -> None:
    for name in ("lua53", "lua54"):
        (tmp_path / name).mkdir()
    lua.keep_one_lua(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lua53", "lua54"]
