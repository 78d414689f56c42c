"""Which records of a segment are worth least: one visit of an eviction policy.

`visit` goes to the segment at a position of a table and chooses the few records that are to go. What the
policies mean and why a segment is a good sample is told by `nogil_df.shard.eviction`. This is the
specification, and what the reference table uses; the compiled table has a twin that does the same in C
(`_choice.pyx`), and a test drives both.

In cache mode the byte of a record is: bit 7 probation, bits 4 and 5 uses, bits 0 to 3 visits since it entered
its queue. The figures were chosen with `bench.hitrate`. Records in the main queue age by one in eight passes,
so that 15 visits outlast a turnover or two. A visit takes one record in a hundred: the fewer go at once, the
better is each compared with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import compress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nogil_df.shard.dash import DashTable, SegmentView
    from nogil_df.shard.dash_segment import HashKey

PROBATION: Final = 128
USE: Final = 16
USES: Final = 3 * USE
OLDEST_VISIT: Final = 15
PROBATION_SHARE: Final = 20
"""One record in twenty is on probation."""
PROVEN: Final = 2 * USE
"""Uses from which a record on probation moves over."""

LRU: Final = 0
LFU: Final = 1
TTL: Final = 2
RANDOM: Final = 3
CACHE_KIND: Final = 4
"""Ways to choose, as `visit` takes them."""

type Slots = list[int]
type Chosen = list[tuple[bytes, int]]
type Sample = Callable[[Slots, int], Slots]


def _uses_of_cache() -> bytes:
    return bytes(level + USE if level & USES < USES else level for level in range(256))


def _older_in_cache(least: int) -> bytes:
    """What a visit makes of the levels from ``least`` on; the others stay."""
    return bytes(
        level + 1 if level >= least and level & OLDEST_VISIT < OLDEST_VISIT else level for level in range(256)
    )


CACHE_USES: Final = _uses_of_cache()
ALL_OLDER: Final = _older_in_cache(0)
PROBATION_OLDER: Final = _older_in_cache(PROBATION)
IN_MAIN: Final = bytes(range(128))
MAIN_ORDER: Final = bytes(
    uses | visit for visit in range(OLDEST_VISIT, -1, -1) for uses in range(0, 128, USE)
)
PROBATION_ORDER: Final = bytes(PROBATION | level for level in MAIN_ORDER)
"""Levels of each queue, the oldest first."""


def visit(
    table: DashTable,
    position: int,
    kind: int,
    volatile: bool,
    share: int,
    all_older: bool,
    hash_key: HashKey,
    sample: Sample,
) -> tuple[int, Chosen]:
    """Choose what goes from the segment at a position. O(slots).

    Args:
        table, position: as for `DashTable.segment`.
        kind: one of the ways above.
        volatile: only records with a deadline go; not for CACHE_KIND.
        share: one record in so many goes, one at least.
        all_older: in cache mode, whether records in the main queue become a visit older, too.
        hash_key: of the shard, for ghosts.
        sample: draws so many of a list.

    Returns:
        The next position, 0 at the end of the table; (key, level) of what goes, the first last. In cache mode
        each of them has left a ghost already.
    """
    segment, following = table.segment(position)
    slots: Slots = []
    count = segment.count
    if kind != CACHE_KIND:
        slots = sorted(segment.expiring_slots()) if volatile else segment.slots()
        count = len(slots)
    if not count:
        return following, []
    most = max(1, count // share)
    if kind == CACHE_KIND:
        chosen = worth_least_to_cache(segment, most, ALL_OLDER if all_older else PROBATION_OLDER)
        for slot in chosen:
            segment.remember(hash_key(segment.key(slot)))
    elif kind == RANDOM:
        chosen = sample(slots, most)
    elif kind == TTL:
        chosen = sorted(slots, key=segment.deadline)[:most]
    else:
        # Ages: the greatest go. Counters of uses: the smallest.
        chosen = sorted(slots, key=segment.ages.__getitem__, reverse=kind == LRU)[:most]
    return following, [(segment.key(slot), segment.ages[slot]) for slot in reversed(chosen)]


def worth_least_to_cache(segment: SegmentView, most: int, older: bytes) -> Slots:
    """A visit in cache mode: records move between the queues, and all become ``older``. O(slots)."""
    ages, fingerprints = segment.ages, segment.fingerprints
    levels = bytes(compress(ages, fingerprints))
    on_probation = len(levels.translate(None, IN_MAIN))
    keep = len(levels) // PROBATION_SHARE
    probation = _in_order(ages, fingerprints, PROBATION_ORDER)
    main = _in_order(ages, fingerprints, MAIN_ORDER)
    going: dict[int, None] = {}
    # Each look takes a use from a record, or a record off.
    looks = 8 * len(levels) + most
    while len(going) < most and looks > 0:
        looks -= 1
        slot = next(probation, -1) if on_probation > keep else -1
        if slot >= 0:
            on_probation -= 1
            if ages[slot] & USES >= PROVEN:
                ages[slot] = 0
            else:
                going[slot] = None
            continue
        slot = next(main, -1)
        if slot < 0:
            if on_probation <= 0:
                break
            keep = 0
            main = _in_order(ages, fingerprints, MAIN_ORDER)
        elif ages[slot] & USES:
            ages[slot] = (ages[slot] & USES) - USE
        else:
            going[slot] = None
    ages[:] = ages.translate(older)
    segment.ages = ages
    return list(going)


def _in_order(ages: bytearray, fingerprints: bytearray, order: bytes) -> Iterator[int]:
    """The slots on these levels, level by level, with those that come to a later level meanwhile."""
    find = ages.find
    for level in order:
        slot = find(level)
        while slot >= 0:
            if fingerprints[slot]:
                yield slot
            slot = find(level, slot + 1)
