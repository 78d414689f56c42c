"""The clock and its stand-in for tests."""

from __future__ import annotations

import time

import pytest

from nogil_df.base.clock import Clock, FakeClock


def test_clock_follows_the_machine() -> None:
    clock = Clock()
    before = time.time_ns()
    ms, us = clock.unix_ms(), clock.unix_us()
    after = time.time_ns()
    assert before // 1_000_000 <= ms <= after // 1_000_000
    assert before // 1_000 <= us <= after // 1_000
    assert clock.monotonic_us() <= clock.monotonic() * 1_000_000 + 1
    assert clock.monotonic() <= clock.monotonic()


def test_fake_clock_stands_still_until_advanced() -> None:
    clock = FakeClock(unix_ms=5_000)
    assert (clock.unix_ms(), clock.unix_us(), clock.monotonic_us()) == (5_000, 5_000_000, 0)
    clock.advance(1_500)
    clock.advance(us=999)
    assert clock.unix_ms() == 6_500
    assert clock.unix_us() == 6_500_999
    assert clock.monotonic() == pytest.approx(1.500999)
    assert clock.monotonic_us() == 1_500_999


def test_only_wall_time_can_go_back() -> None:
    clock = FakeClock()
    clock.advance(10)
    clock.set_unix_ms(1)
    assert clock.unix_ms() == 1
    assert clock.monotonic_us() == 10_000
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
