"""The set-up tells what it is at, as those who wait for it want to know."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.servers import PATIENCE
from tools import steps

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
