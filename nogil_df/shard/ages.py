"""How long ago records were used, in one byte each: seconds at first, then coarser and coarser.

Reading a record stores a constant, 0, in its byte, which is all that may be spent there (15 to 20 ns); the
time is put to it afterwards. About once a second a sweep passes every segment and moves all of its bytes on
with one `bytes.translate`:

    0            used since the last sweep
    1            used in the second before the sweep
    2 ... 64     1 to 63 seconds before it
    65 ... 255   sixteen steps of 2 s, sixteen of 4 s, ... of 4096 s; 255 stands for 34 hours and more

A step of 2**g seconds is taken whenever the unix time passes a multiple of 2**g, so sweeps may come at any
time and be any time apart. What is reported is off by at most one step and the time between two sweeps.
"""

from __future__ import annotations

from typing import Final

FINE: Final = 64
"""Levels of one second."""

COARSE: Final = 16
"""Levels of each coarser step."""

OLDEST: Final = 255


def step_bits(level: int) -> int:
    """Log 2 of the seconds that a record stays on a level >= 1."""
    return 0 if level <= FINE else (level - 1 - FINE) // COARSE + 1


def seconds(level: int) -> int:
    """Seconds between the use of a record on a level and the sweep, at least."""
    if level <= FINE:
        return max(0, level - 1)
    bits = step_bits(level)
    return FINE + COARSE * ((1 << bits) - 2) + ((level - 1 - FINE) % COARSE << bits)


def level_of(idle: int) -> int:
    """The level of a record that was used so many seconds ago. O(levels)."""
    if idle <= 0:
        return 0
    level = 1
    while level < OLDEST and seconds(level + 1) <= idle:
        level += 1
    return level


def moved(level: int, since: int, now: int) -> int:
    """The level after a sweep at ``now`` of what was on ``level`` after that at ``since``, unix seconds."""
    if level == 0:
        return 1
    while level < OLDEST:
        bits = step_bits(level)
        last = FINE if bits == 0 else min(OLDEST - 1, FINE + COARSE * bits)
        steps = (now >> bits) - (since >> bits)
        room = last + 1 - level
        if steps < room:
            return level + steps
        level += room
        since = (since >> bits) + room << bits
    return OLDEST


def translation(since: int, now: int) -> bytes:
    """For `bytes.translate`: every level after a sweep at ``now``, the last one having been at ``since``."""
    return bytes(moved(level, since, now) for level in range(256))
