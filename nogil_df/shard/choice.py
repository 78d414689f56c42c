"""Which records of a segment are worth least: one visit of an eviction policy.

`visit` goes to the segment at a position of a table and chooses the few records that are to go. What the
policies mean and why a segment is a good sample is told by `nogil_df.shard.eviction`. This is the
specification, and what the reference table uses; the compiled table has a twin that does the same in C
(`_choice.pyx`), and a test drives both.

Many records of a segment are worth the same: never used since they came, or used in the same second. Of these
go first those that come first in an order in which neighbours are in different buckets, and which begins at
another slot in each pass. When it was the order of the slots, the first buckets were always empty, the last
ones were full, and segments split with room to spare.

In cache mode the byte of a record is: bit 7 probation, bits 4 and 5 uses, bits 0 to 3 visits since it entered
its queue. The figures were chosen with `bench.hitrate`. Records in the main queue age by one in eight passes,
so that 15 visits outlast a turnover or two. A visit takes one record in a hundred: the fewer go at once, the
better is each compared with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from nogil_df.shard.dash_segment import SEGMENT_SLOTS

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

STRIDE: Final = 521
"""Slots from one to the next in the order of choice: a prime, 37 of 60 buckets and three slots. With this a
segment under turnover takes more records before it splits than where victims are drawn at random."""

LRU: Final = 0
LFU: Final = 1
TTL: Final = 2
RANDOM: Final = 3
CACHE_KIND: Final = 4
"""Ways to choose, as `visit` takes them."""

type Slots = list[int]
type Chosen = list[tuple[bytes, int]]
type Sample = Callable[[Slots, int], Slots]
type Visit = tuple[int, Chosen, int, int, int]


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
    first: int,
    hash_key: HashKey,
    sample: Sample,
    goal: int = 0,
    most: int = 1,
    in_use: Callable[[int], bool] | None = None,
) -> Visit:
    """Choose what goes from the segment at a position. O(slots).

    Args:
        table, position: as for `DashTable.segment`.
        kind: one of the ways above.
        volatile: only records with a deadline go; not for CACHE_KIND.
        share: one record in so many goes, one at least.
        all_older: in cache mode, whether records in the main queue become a visit older, too.
        first: the slot at which the order of choice begins.
        hash_key: of the shard, for ghosts.
        sample: draws so many of a list.
        goal, most, in_use: a table that counts the bytes of strings itself takes out itself what it chooses
            as long as it is strings, and goes on to the segments that follow, until so many bytes are free,
            or it has visited so many segments. Those stay of which ``in_use(h)`` says that they must. This
            one leaves all to the caller.

    Returns:
        The next position, 0 at the end of the table; (key, level) of what has been chosen and is still there,
        the first last; bytes that are free now; records evicted; segments in which any were chosen. In cache
        mode each of the chosen has left a ghost already.
    """
    segment, following = table.segment(position)
    count = segment.count
    if not count:
        # It may not even have slots.
        return following, [], 0, 0, 0
    order = slots_from(first, len(segment.fingerprints))
    slots: Slots = []
    if kind != CACHE_KIND:
        if volatile:
            expiring = set(segment.expiring_slots())
            slots = [slot for slot in order if slot in expiring]
        else:
            slots = list(compress(order, itemgetter(*order)(segment.fingerprints)))
        count = len(slots)
    if not count:
        return following, [], 0, 0, 0
    wanted = max(1, count // share)
    if kind == CACHE_KIND:
        chosen = worth_least_to_cache(segment, order, wanted, ALL_OLDER if all_older else PROBATION_OLDER)
        for slot in chosen:
            segment.remember(hash_key(segment.key(slot)))
    elif kind == RANDOM:
        chosen = sample(slots, wanted)
    elif kind == TTL:
        chosen = sorted(slots, key=segment.deadline)[:wanted]
    else:
        # Ages: the greatest go. Counters of uses: the smallest.
        chosen = sorted(slots, key=segment.ages.__getitem__, reverse=kind == LRU)[:wanted]
    return following, [(segment.key(slot), segment.ages[slot]) for slot in reversed(chosen)], 0, 0, 1


def _strides(slots: int) -> Slots:
    stride = STRIDE if slots % STRIDE else 1
    return [step * stride % slots for step in range(slots)]


USUAL_ORDER: Final = _strides(SEGMENT_SLOTS)


def slots_from(first: int, slots: int) -> Slots:
    """Every slot once, in the order in which they are chosen. O(slots)."""
    order = USUAL_ORDER if slots == SEGMENT_SLOTS else _strides(slots)
    begin = order.index(first % slots)
    return order[begin:] + order[:begin]


def worth_least_to_cache(segment: SegmentView, order: Slots, most: int, older: bytes) -> Slots:
    """A visit in cache mode: records move between the queues, and all become ``older``. O(slots)."""
    ages = segment.ages
    # Both in the order of choice: a step is a place there.
    in_order = itemgetter(*order)
    levels, there = bytearray(in_order(ages)), bytes(in_order(segment.fingerprints))
    on_probation = len(bytes(compress(levels, there)).translate(None, IN_MAIN))
    keep = segment.count // PROBATION_SHARE
    probation = _in_order(levels, there, PROBATION_ORDER)
    main = _in_order(levels, there, MAIN_ORDER)
    going: dict[int, None] = {}
    # Each look takes a use from a record, or a record off.
    looks = 8 * segment.count + most
    while len(going) < most and looks > 0:
        looks -= 1
        step = next(probation, -1) if on_probation > keep else -1
        if step >= 0:
            on_probation -= 1
            if levels[step] & USES >= PROVEN:
                levels[step] = ages[order[step]] = 0
            else:
                going[order[step]] = None
            continue
        step = next(main, -1)
        if step < 0:
            if on_probation <= 0:
                break
            keep = 0
            main = _in_order(levels, there, MAIN_ORDER)
        elif levels[step] & USES:
            levels[step] = ages[order[step]] = (levels[step] & USES) - USE
        else:
            going[order[step]] = None
    ages[:] = ages.translate(older)
    segment.ages = ages
    return list(going)


def _in_order(levels: bytearray, there: bytes, order: bytes) -> Iterator[int]:
    """The steps on these levels, level by level, with those that come to a later level meanwhile."""
    find = levels.find
    for level in order:
        step = find(level)
        while step >= 0:
            if there[step]:
                yield step
            step = find(level, step + 1)
