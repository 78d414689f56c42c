"""What people see of a loading: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from nogil_df.base import log
from nogil_df.base.clock import FakeClock
from nogil_df.commands.progress import EVERY, REDRAWN, Progress

HALF: Any = SimpleNamespace(fraction=0.5, records=1000)


class Gone(io.StringIO):
    """A terminal whose window was closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(log, "notice", lines.append)
    return lines


def test_a_bar_is_drawn_at_its_rate_and_taken_away(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    clock = FakeClock()
    progress = Progress(clock, is_terminal=True)
    progress(HALF)
    assert screen.getvalue() == ""
    clock.sleep(REDRAWN)
    progress(HALF)
    progress(HALF)
    assert screen.getvalue() == f"\r[{'#' * 20}{' ' * 20}] 50 %, 1000 keys\x1b[K"
    progress.end()
    assert screen.getvalue().endswith("\r\x1b[K")
    assert not said


def test_the_log_has_a_line_now_and_then(said: list[str]) -> None:
    clock = FakeClock()
    progress = Progress(clock, is_terminal=False)
    clock.sleep(EVERY)
    progress(HALF)
    progress(HALF)
    progress.end()
    assert said == ["Loading: 50 %, 1000 keys, 200 a second"]


def test_a_terminal_that_goes_away_does_not_end_the_loading(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Gone())
    clock = FakeClock()
    progress = Progress(clock, is_terminal=True)
    clock.sleep(REDRAWN)
    progress(HALF)
    clock.sleep(EVERY)
    progress(HALF)
    progress.end()
    assert said == ["Loading: 50 %, 1000 keys, 196 a second"]


def test_without_any_stderr_there_is_no_bar(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    clock = FakeClock()
    progress = Progress(clock)
    clock.sleep(EVERY)
    progress(HALF)
    assert said == ["Loading: 50 %, 1000 keys, 200 a second"]
