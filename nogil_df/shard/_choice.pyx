# cython: cdivision=True
"""Which records of a segment are worth least, compiled: the twin of `nogil_df.shard.choice`, which says what it does.

The same slots in the same order. Here strings go at once, as far as that is asked for: a full server evicts one for
each that it stores, and to make an object of each key and look it up again cost more than the rest of it.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memmove, memset

from nogil_df.shard._dash cimport DashTable
from nogil_df.shard._directory cimport MERGE_EMPTIED_BELOW, PREFIXES, end_of
from nogil_df.shard._record cimport (
    KIND, OBJECT, PyBytes_CheckExact, Record, deadline_at, key_object, load_object, read_record,
)
from nogil_df.shard._segment cimport DUE_SECONDS, DUE_SHIFT, FAR, NEVER, STASH_START, Segment, leave_ghost, record_at

from nogil_df.shard.choice import (
    ALL_OLDER as _ALL_OLDER,
    CACHE_KIND as _CACHE_KIND,
    LRU as _LRU,
    MAIN_ORDER as _MAIN_ORDER,
    PROBATION_OLDER as _PROBATION_OLDER,
    PROBATION_SHARE as _PROBATION_SHARE,
    PROVEN as _PROVEN,
    RANDOM as _RANDOM,
    STRIDE as _STRIDE,
    TTL as _TTL,
    USE as _USE,
    USES as _USES,
)

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define DF_EXPECT(at) __builtin_prefetch(at)
    #else
    #define DF_EXPECT(at) ((void)(at))
    #endif
    """
    void expect "DF_EXPECT" (const void *at) noexcept

cdef enum:
    PROBATION = 128
    LINE = 64  # bytes that the processor fetches at once

cdef int CACHE_KIND = _CACHE_KIND, LRU = _LRU, RANDOM = _RANDOM, TTL = _TTL
cdef uint32_t STRIDE = _STRIDE
cdef int PROBATION_SHARE = _PROBATION_SHARE, PROVEN = _PROVEN, USE = _USE, USES = _USES
cdef uint8_t MAIN_ORDER[128]
cdef uint8_t OLDER[2][256]

cdef int index
for index in range(128):
    MAIN_ORDER[index] = _MAIN_ORDER[index]
for index in range(256):
    OLDER[0][index] = _PROBATION_OLDER[index]
    OLDER[1][index] = _ALL_OLDER[index]


# The slots of a segment, each a stride after the one before.
cdef struct Order:
    uint32_t first
    uint32_t stride
    uint32_t slots


cdef struct Soonest:
    int64_t deadline
    uint32_t slot


# The levels of a segment in the order in which slots are chosen, and which of them are there.
cdef struct Levels:
    Segment *segment
    Order order
    uint8_t *levels
    uint8_t present[512]  # the second half is of free slots
    Py_ssize_t on_probation


# Where a search through the levels has come to.
cdef struct Cursor:
    uint8_t queue  # PROBATION or 0
    int level  # index of MAIN_ORDER
    uint32_t step


cdef inline void expect_slots(const Segment *segment) noexcept:
    """Have the bytes of a segment's slots fetched, while the one before it is visited."""
    cdef uint32_t slot
    for slot in range(0, segment.slots, LINE):
        expect(segment.fingerprints + slot)
        expect(segment.ages + slot)


cdef inline Order order_of(const Segment *segment, uint32_t first) noexcept:
    cdef Order order
    order.slots = segment.slots
    order.first = first % segment.slots
    order.stride = STRIDE if segment.slots % STRIDE else 1
    return order


cdef inline uint32_t slot_of(const Order *order, uint32_t step) noexcept:
    return (order.first + step * order.stride) % order.slots


cdef inline uint32_t next_of(const Order *order, uint32_t slot) noexcept:
    slot += order.stride
    return slot - order.slots if slot >= order.slots else slot


def visit(
    DashTable table not None, position, int kind, bint volatile, Py_ssize_t share, bint all_older, uint32_t first,
    hash_key, sample, int64_t goal=0, Py_ssize_t most=1, in_use=None,
):
    """See `nogil_df.shard.choice.visit`. O(slots of the segments that are visited)."""
    cdef uint64_t at = position % PREFIXES
    cdef int64_t before = table.memory_usage(), freed = 0
    cdef int64_t until = before - goal if goal > 0 else INT64_MAX
    cdef Py_ssize_t visits = 0, evicted = 0
    cdef Segment *segment
    cdef list left = []
    while True:
        segment = table.segment_at(at)
        at = end_of(segment) % PREFIXES
        expect_slots(table.segment_at(at))
        if segment.expiring if volatile and kind != CACHE_KIND else segment.count:
            visits += 1
            evicted += take_worst(table, segment, kind, volatile, share, all_older, first, sample, until, in_use, left)
            freed = before - table.memory_usage()
        if not at or left or freed >= goal or visits >= most:
            return at, left, freed, evicted, visits


cdef Py_ssize_t take_worst(
    DashTable table, Segment *segment, int kind, bint volatile, Py_ssize_t share, bint all_older, uint32_t first,
    sample, int64_t until, in_use, list left
) except -1:
    """Choose at one segment. Strings go until the table takes no more than `until`; what is left is put on a list."""
    cdef Order order = order_of(segment, first)
    cdef Py_ssize_t most = max(1, (segment.expiring if volatile and kind != CACHE_KIND else segment.count) // share)
    cdef Py_ssize_t found, index, gone = 0, evicted = 0
    cdef uint32_t *chosen = <uint32_t *> malloc(most * sizeof(uint32_t))
    cdef Record record
    try:
        if chosen is NULL:
            raise MemoryError
        found = choose(segment, &order, kind, volatile, most, all_older, sample, chosen)
        if kind == CACHE_KIND:
            # In the order in which they were chosen, which says which ghosts of a bucket are forgotten.
            for index in range(found):
                leave_ghost(segment, table.hash_at(segment, chosen[index]), &table.totals)
        for index in range(found):
            expect(record_at(segment, chosen[index]))
        while gone < found and table.memory_usage() > until and is_string(segment, chosen[gone]):
            evicted += evict(table, segment, chosen[gone], in_use)
            gone += 1
        for index in range(found - 1, gone - 1, -1):
            read_record(record_at(segment, chosen[index]), &record)
            left.append((key_object(&record), segment.ages[chosen[index]]))
    finally:
        free(chosen)
    if gone:
        table.tidy_up(segment)
        table.shrink(segment, MERGE_EMPTIED_BELOW)
    return evicted


cdef inline bint is_string(Segment *segment, uint32_t slot) noexcept:
    cdef Record record
    read_record(record_at(segment, slot), &record)
    return record.flags & KIND != OBJECT or PyBytes_CheckExact(load_object(record.value))


cdef Py_ssize_t evict(DashTable table, Segment *segment, uint32_t slot, in_use) except -1:
    """Take a string out of a slot, unless a transaction wants it, or it had expired: whether it was evicted."""
    cdef uint64_t h = 0
    cdef int64_t deadline = deadline_at(record_at(segment, slot))
    if deadline and deadline < table.now():
        table.report_expired(segment, slot, False)
        return 0
    if in_use is not None or slot >= STASH_START:
        h = table.hash_at(segment, slot)
        if in_use is not None and in_use(h):
            return 0
    table.take_out(segment, slot, h)
    return 1


cdef Py_ssize_t choose(
    Segment *segment, const Order *order, int kind, bint volatile, Py_ssize_t most, bint all_older, sample,
    uint32_t *chosen
) except -1:
    """The slots of the records that are to go, the first one first. How many."""
    cdef Py_ssize_t found = 0
    if kind == CACHE_KIND:
        return worth_least_to_cache(segment, order, most, OLDER[all_older], chosen)
    if kind == TTL:
        return soonest_to_expire(segment, order, most, chosen)
    if kind == RANDOM:
        for slot in sample(candidates(segment, order, volatile), most):
            chosen[found] = slot
            found += 1
        return found
    return by_level(segment, order, volatile, most, 255 if kind == LRU else 0, chosen)


cdef inline bint may_go(const Segment *segment, uint32_t slot, bint volatile) noexcept:
    return segment.dues[slot] != NEVER if volatile else segment.fingerprints[slot] != 0


cdef list candidates(const Segment *segment, const Order *order, bint volatile):
    cdef list found = []
    cdef uint32_t slot = order.first
    for _ in range(order.slots):
        if may_go(segment, slot, volatile):
            found.append(slot)
        slot = next_of(order, slot)
    return found


cdef Py_ssize_t by_level(
    const Segment *segment, const Order *order, bint volatile, Py_ssize_t most, uint8_t flip, uint32_t *chosen
) noexcept:
    """The slots with the smallest levels, or with the greatest if `flip` is 255; the first ones of equals. How many."""
    cdef uint32_t counts[256]
    cdef Py_ssize_t places[256]
    cdef uint32_t slot
    cdef Py_ssize_t found = 0
    cdef int level = 0, last
    memset(counts, 0, sizeof(counts))
    for slot in range(order.slots):
        if may_go(segment, slot, volatile):
            counts[segment.ages[slot] ^ flip] += 1
    while level < 256 and found < most:
        places[level] = found
        found += counts[level]
        level += 1
    last = level - 1
    slot = order.first
    for _ in range(order.slots):
        if may_go(segment, slot, volatile):
            level = segment.ages[slot] ^ flip
            if level <= last and places[level] < most:
                chosen[places[level]] = slot
                places[level] += 1
        slot = next_of(order, slot)
    return min(found, most)


cdef inline int64_t earliest(const Segment *segment, uint32_t slot) noexcept:
    """What a slot's deadline is at least, as far as its byte tells."""
    cdef uint8_t ahead
    if segment.dues[slot] == FAR:
        return segment.far
    ahead = segment.dues[slot] - <uint8_t> (segment.due_from & DUE_SECONDS - 1) & DUE_SECONDS - 1
    return segment.due_from + ahead << DUE_SHIFT if ahead else 0


cdef Py_ssize_t soonest_to_expire(
    Segment *segment, const Order *order, Py_ssize_t most, uint32_t *chosen
) except -1:
    """The slots with the nearest deadlines; the first ones of equals. How many."""
    cdef Soonest *best = <Soonest *> malloc((most + 1) * sizeof(Soonest))
    cdef Py_ssize_t found = 0, at
    cdef uint32_t slot = order.first
    cdef int64_t deadline
    if best is NULL:
        raise MemoryError
    for _ in range(order.slots):
        # Most records need not be read.
        if segment.dues[slot] != NEVER and (found < most or earliest(segment, slot) < best[found - 1].deadline):
            deadline = deadline_at(record_at(segment, slot))
            at = found
            while at and best[at - 1].deadline > deadline:
                at -= 1
            if at < most:
                memmove(best + at + 1, best + at, (found - at) * sizeof(Soonest))
                best[at].deadline = deadline
                best[at].slot = slot
                found = min(found + 1, most)
        slot = next_of(order, slot)
    for at in range(found):
        chosen[at] = best[at].slot
    free(best)
    return found


cdef void put_in_order(Levels *levels) noexcept:
    cdef uint32_t step, slot = levels.order.first
    cdef uint8_t level
    cdef bint is_free
    memset(levels.present, 0, sizeof(levels.present))
    levels.on_probation = 0
    # Without a branch, as which slots are free can't be foretold.
    for step in range(levels.order.slots):
        level = levels.segment.ages[slot]
        is_free = levels.segment.fingerprints[slot] == 0
        levels.levels[step] = level
        levels.present[<int> is_free << 8 | level] = 1
        levels.on_probation += level >> 7 & ~<int> is_free
        slot = next_of(&levels.order, slot)


cdef void move(Levels *levels, uint32_t step, uint8_t level) noexcept:
    levels.present[level] = 1
    levels.levels[step] = level
    levels.segment.ages[slot_of(&levels.order, step)] = level


cdef int64_t next_step(Levels *levels, Cursor *cursor) noexcept:
    """The next one in the order of a queue; -1 at its end. `memchr` goes through the levels one by one."""
    cdef const uint8_t *hit
    cdef uint8_t level
    while cursor.level < 128:
        level = MAIN_ORDER[cursor.level] | cursor.queue
        while levels.present[level] and cursor.step < levels.order.slots:
            hit = <const uint8_t *> memchr(
                levels.levels + cursor.step, level, levels.order.slots - cursor.step
            )
            if hit is NULL:
                break
            cursor.step = <uint32_t> (hit - levels.levels) + 1
            if levels.segment.fingerprints[slot_of(&levels.order, cursor.step - 1)]:
                return cursor.step - 1
        cursor.level += 1
        cursor.step = 0
    return -1


cdef Py_ssize_t worth_least_to_cache(
    Segment *segment, const Order *order, Py_ssize_t most, const uint8_t *older, uint32_t *chosen
) except -1:
    """A visit in cache mode: records move between the queues, and all become older. How many are to go."""
    cdef Levels levels
    cdef Cursor probation, main
    cdef Py_ssize_t found = 0, on_probation, keep = segment.count // PROBATION_SHARE
    cdef Py_ssize_t looks = 8 * <Py_ssize_t> segment.count + most, at
    cdef int64_t step
    cdef uint32_t slot
    cdef uint8_t level
    levels.segment = segment
    levels.order = order[0]
    levels.levels = <uint8_t *> malloc(segment.slots)
    if levels.levels is NULL:
        raise MemoryError
    put_in_order(&levels)
    on_probation = levels.on_probation
    probation.queue, probation.level, probation.step = PROBATION, 0, 0
    main.queue, main.level, main.step = 0, 0, 0
    while found < most and looks > 0:
        looks -= 1
        step = next_step(&levels, &probation) if on_probation > keep else -1
        if step >= 0:
            on_probation -= 1
            level = levels.levels[step]
            if level & USES >= PROVEN:
                move(&levels, <uint32_t> step, 0)
            else:
                chosen[found] = slot_of(order, <uint32_t> step)
                found += 1
            continue
        step = next_step(&levels, &main)
        if step < 0:
            if on_probation <= 0:
                break
            keep = 0
            main.level, main.step = 0, 0
            continue
        level = levels.levels[step]
        if level & USES:
            move(&levels, <uint32_t> step, (level & USES) - USE)
            continue
        slot = slot_of(order, <uint32_t> step)
        for at in range(found):
            if chosen[at] == slot:
                break
        else:
            chosen[found] = slot
            found += 1
    free(levels.levels)
    for slot in range(segment.slots):
        segment.ages[slot] = older[segment.ages[slot]]
    return found
