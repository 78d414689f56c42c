# cython: cdivision=True
"""Which records of a segment are worth least, compiled: the twin of `nogil_df.shard.choice`, which says what it does.

The same slots in the same order, found by going through the levels one by one: `memchr` finds the next slot on a
level, and a count of each level tells which are empty.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memmove, memset

from nogil_df.shard._directory cimport PREFIXES, Directory, end_of
from nogil_df.shard._record cimport HAS_DEADLINE, Record, deadline_at, key_object, read_record
from nogil_df.shard._segment cimport Segment, leave_ghost, record_at

from nogil_df.shard.choice import (
    ALL_OLDER as _ALL_OLDER,
    CACHE_KIND as _CACHE_KIND,
    LRU as _LRU,
    MAIN_ORDER as _MAIN_ORDER,
    PROBATION_OLDER as _PROBATION_OLDER,
    PROBATION_SHARE as _PROBATION_SHARE,
    PROVEN as _PROVEN,
    RANDOM as _RANDOM,
    TTL as _TTL,
    USE as _USE,
    USES as _USES,
)

cdef enum:
    PROBATION = 128

cdef int CACHE_KIND = _CACHE_KIND, LRU = _LRU, RANDOM = _RANDOM, TTL = _TTL
cdef int PROBATION_SHARE = _PROBATION_SHARE, PROVEN = _PROVEN, USE = _USE, USES = _USES
cdef uint8_t MAIN_ORDER[128]
cdef uint8_t OLDER[2][256]

cdef int index
for index in range(128):
    MAIN_ORDER[index] = _MAIN_ORDER[index]
for index in range(256):
    OLDER[0][index] = _PROBATION_OLDER[index]
    OLDER[1][index] = _ALL_OLDER[index]


# Where a search through the levels has come to.
cdef struct Cursor:
    uint8_t queue  # PROBATION or 0
    int level  # index of MAIN_ORDER
    uint32_t slot


cdef struct Soonest:
    int64_t deadline
    uint32_t slot


cdef class Levels:
    """The levels of a segment, and how many records are on each."""

    cdef Segment *segment
    cdef uint32_t counts[256]

    cdef void begin(self, Segment *segment) noexcept:
        cdef uint32_t slot
        self.segment = segment
        memset(self.counts, 0, sizeof(self.counts))
        for slot in range(segment.slots):
            if segment.fingerprints[slot]:
                self.counts[segment.ages[slot]] += 1

    cdef void move(self, uint32_t slot, uint8_t level) noexcept:
        self.counts[self.segment.ages[slot]] -= 1
        self.counts[level] += 1
        self.segment.ages[slot] = level

    cdef int64_t next_slot(self, Cursor *cursor) noexcept:
        """The next slot in the order of a queue; -1 at its end."""
        cdef const uint8_t *hit
        cdef uint8_t level
        while cursor.level < 128:
            level = MAIN_ORDER[cursor.level] | cursor.queue
            while self.counts[level] and cursor.slot < self.segment.slots:
                hit = <const uint8_t *> memchr(
                    self.segment.ages + cursor.slot, level, self.segment.slots - cursor.slot
                )
                if hit is NULL:
                    break
                cursor.slot = <uint32_t> (hit - self.segment.ages) + 1
                if self.segment.fingerprints[cursor.slot - 1]:
                    return cursor.slot - 1
            cursor.level += 1
            cursor.slot = 0
        return -1


def visit(
    Directory table not None, position, int kind, bint volatile, Py_ssize_t share, bint all_older, hash_key, sample
):
    """See `nogil_df.shard.choice.visit`. O(slots)."""
    cdef Segment *segment = table.segment_at(position % PREFIXES)
    cdef Py_ssize_t count, most, at, found = 0
    cdef uint32_t *chosen
    cdef Record record
    cdef list result = []
    following = end_of(segment) % PREFIXES
    count = segment.expiring if volatile and kind != CACHE_KIND else segment.count
    if not count:
        return following, result
    most = max(1, count // share)
    chosen = <uint32_t *> malloc(most * sizeof(uint32_t))
    try:
        if chosen is NULL:
            raise MemoryError
        if kind == CACHE_KIND:
            found = worth_least_to_cache(segment, most, OLDER[all_older], chosen)
        elif kind == RANDOM:
            for slot in sample(candidates(segment, volatile), most):
                chosen[found] = slot
                found += 1
        elif kind == TTL:
            found = soonest_to_expire(segment, most, chosen)
        else:
            found = by_level(segment, volatile, most, kind == LRU, chosen)
        for at in range(found - 1, -1, -1):
            read_record(record_at(segment, chosen[at]), &record)
            result.append((key_object(&record), segment.ages[chosen[at]]))
        if kind == CACHE_KIND:
            # In the order in which they were chosen, which says which ghosts of a bucket are forgotten.
            for at in range(found):
                leave_ghost(segment, table.hash_at(segment, chosen[at]), &table.totals)
        return following, result
    finally:
        free(chosen)


cdef inline bint may_go(Segment *segment, uint32_t slot, bint volatile) noexcept:
    return segment.fingerprints[slot] and (not volatile or record_at(segment, slot)[0] & HAS_DEADLINE)


cdef list candidates(Segment *segment, bint volatile):
    cdef uint32_t slot
    return [slot for slot in range(segment.slots) if may_go(segment, slot, volatile)]


cdef Py_ssize_t by_level(
    Segment *segment, bint volatile, Py_ssize_t most, bint greatest, uint32_t *chosen
) noexcept:
    """The slots with the greatest levels, or with the smallest; the first ones of equals. How many."""
    cdef uint32_t counts[256]
    cdef uint32_t slot
    cdef Py_ssize_t found = 0
    cdef int step
    cdef uint8_t level
    memset(counts, 0, sizeof(counts))
    for slot in range(segment.slots):
        if may_go(segment, slot, volatile):
            counts[segment.ages[slot]] += 1
    for step in range(256):
        level = 255 - step if greatest else step
        slot = 0
        while counts[level]:
            if segment.ages[slot] == level and may_go(segment, slot, volatile):
                counts[level] -= 1
                chosen[found] = slot
                found += 1
                if found == most:
                    return found
            slot += 1
    return found


cdef Py_ssize_t soonest_to_expire(Segment *segment, Py_ssize_t most, uint32_t *chosen) except -1:
    """The slots with the nearest deadlines (none counts as the nearest); the first ones of equals. How many."""
    cdef Soonest *best = <Soonest *> malloc((most + 1) * sizeof(Soonest))
    cdef Py_ssize_t found = 0, at
    cdef uint32_t slot
    cdef int64_t deadline
    if best is NULL:
        raise MemoryError
    for slot in range(segment.slots):
        if not may_go(segment, slot, True):
            continue
        deadline = deadline_at(record_at(segment, slot))
        if found == most and deadline >= best[found - 1].deadline:
            continue
        at = found
        while at and best[at - 1].deadline > deadline:
            at -= 1
        memmove(best + at + 1, best + at, (found - at) * sizeof(Soonest))
        best[at].deadline = deadline
        best[at].slot = slot
        if found < most:
            found += 1
    for at in range(found):
        chosen[at] = best[at].slot
    free(best)
    return found


cdef Py_ssize_t worth_least_to_cache(
    Segment *segment, Py_ssize_t most, const uint8_t *older, uint32_t *chosen
) except -1:
    """A visit in cache mode: records move between the queues, and all become older. How many are to go."""
    cdef Levels levels = Levels.__new__(Levels)
    cdef Cursor probation, main
    cdef Py_ssize_t found = 0, on_probation = 0, keep = segment.count // PROBATION_SHARE
    cdef Py_ssize_t looks = 8 * <Py_ssize_t> segment.count + most, at
    cdef int64_t slot
    cdef uint8_t level
    levels.begin(segment)
    for at in range(PROBATION, 256):
        on_probation += levels.counts[at]
    probation.queue, probation.level, probation.slot = PROBATION, 0, 0
    main.queue, main.level, main.slot = 0, 0, 0
    while found < most and looks > 0:
        looks -= 1
        slot = levels.next_slot(&probation) if on_probation > keep else -1
        if slot >= 0:
            on_probation -= 1
            level = segment.ages[slot]
            if level & USES >= PROVEN:
                levels.move(<uint32_t> slot, 0)
            else:
                chosen[found] = <uint32_t> slot
                found += 1
            continue
        slot = levels.next_slot(&main)
        if slot < 0:
            if on_probation <= 0:
                break
            keep = 0
            main.level, main.slot = 0, 0
            continue
        level = segment.ages[slot]
        if level & USES:
            levels.move(<uint32_t> slot, (level & USES) - USE)
            continue
        for at in range(found):
            if chosen[at] == slot:
                break
        else:
            chosen[found] = <uint32_t> slot
            found += 1
    for slot in range(segment.slots):
        segment.ages[slot] = older[segment.ages[slot]]
    return found
