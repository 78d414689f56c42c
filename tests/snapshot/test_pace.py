"""A shard rests between its slices while it has other work, and the writer between blobs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from nogil_df.snapshot import writing
from nogil_df.snapshot.channel import ROOM, Channel
from nogil_df.snapshot.pace import LONGEST_NAP, TURN, WINDOW, Pace, nap
from tests.snapshot.test_turns import made


def test_it_goes_on_at_once_where_nothing_is_served() -> None:
    pace = Pace()
    now = 10 * WINDOW
    pace.end(now)
    for _ in range(100):
        now += TURN
        assert not pace.must_rest(now)
        assert not pace.is_busy
        pace.end(now)


def test_it_rests_once_before_each_slice_for_a_while_after_something_was_served() -> None:
    pace = Pace()
    now = 10 * WINDOW
    pace.end(now)
    now += TURN + 1
    seen = now
    slices = 0
    while now < seen + WINDOW:
        assert pace.must_rest(now)
        assert pace.is_busy
        # The time of the rest itself is no work of others.
        now += WINDOW // 5
        assert not pace.must_rest(now)
        pace.end(now)
        slices += 1
    assert slices == 5
    assert not pace.must_rest(now)
    assert not pace.is_busy


@pytest.mark.parametrize(("busy", "waiting", "sleeps"), [(True, 0, 3), (False, 0, 0), (True, 2 * ROOM, 1)])
def test_the_writer_sleeps_unless_it_is_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: bool, waiting: int, sleeps: int
) -> None:
    """The last case: three blobs, of which the first two leave more than may wait behind them."""
    slept: list[float] = []
    monkeypatch.setattr(writing, "sleep", slept.append)
    save = made(1, tmp_path)
    (channel,) = save.channels
    channel.is_busy = busy
    for _ in range(3):
        channel.give(bytes(1 + waiting))
    channel.close()
    assert sum(1 for _ in writing.pieces(save, save.channels)) == 3
    assert len(slept) == sleeps
    assert all(0 <= one <= LONGEST_NAP for one in slept)


def test_a_nap_is_as_long_as_the_work_was() -> None:
    assert nap(0.0001) == 0.0001
    assert nap(5.0) == LONGEST_NAP
    assert not Channel(threading.Event()).is_busy
