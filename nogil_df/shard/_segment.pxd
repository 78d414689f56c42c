# cython: cdivision=True
# One packed segment of the compiled Dash table: what `nogil_df.shard.dash_segment` is to the reference.
#
# Slots, buckets, fingerprints, stash, overflow counts and spill are those of the reference, which explains them.
# What differs is where records lie: here a slot holds the place of its record in the `heap` of the segment, one
# block of memory in which keys and values stand end to end (`_record.pxd`).
#
# A slot whose record was taken out remembers the hole that it left, and the next record in that slot goes there if it
# fits (`leave_hole`), so a full server that evicts one record for each new one hardly ever has to move any. Other new
# records go to the end. A value that is replaced stays in its place if the new one is not longer; otherwise the record
# moves to the end. What is left behind, holes included, is counted in `garbage`. Once that is an eighth of the heap, or a quarter
# of a big one (mostly 20 KB), the records behind it move up (`slide`): in the order in which they lie, so that nothing
# is written to pages that are not there yet. (Copying them to a new heap slot by slot cost the system a fault for each
# page of it, more than all the rest of an eviction.) A heap may have HEAP_MOST bytes, as a segment whose heap gets there
# splits, however few records that are. A segment that is left alone for a second or two is rid of all its garbage.
#
# Memory comes from the system (`_pages.pxd`) and from malloc, not from the interpreter's allocator: only the thread
# that owns the table ever allocates or frees it, and nothing of it is an object. A heap is made as big as it will be
# when the segment is full, since pages that nobody has written to take no memory. (With heaps that grew by an eighth
# at a time, gaps took 40 % of the memory, and half of the keys gone freed none of it.) Where the system makes huge
# pages of all memory this must be switched off for the process, as for Redis. `Totals` keeps the account.
#
# The functions are inline, so that each becomes part of the modules that use it; none of them runs Python code except
# for the dict of spilled keys, and for references. Invariants: `_dash_check.verify`.

from cpython.object cimport PyObject
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcpy, memmove, memset

from nogil_df.shard._pages cimport LEAST, MOST, PAGE, Pages, df_forget, give_heap, take_heap
from nogil_df.shard._record cimport (
    HAS_DEADLINE,
    KIND,
    OBJECT,
    PyBytes_CheckExact,
    PyBytes_GET_SIZE,
    Py_INCREF,
    Record,
    Value,
    bytes_of_value,
    deadline_at,
    key_equals,
    load_object,
    read_record,
    write_head,
    write_value,
)

cdef extern from "Python.h":
    void Py_DECREF(PyObject *) noexcept
    PyObject *PyDict_New() except NULL

cdef extern from *:
    """
    #ifndef NOGIL_DF_RELEASE
    #define NOGIL_DF_RELEASE
    #include <stdint.h>
    #include <stdlib.h>
    #if defined(__linux__)
    #include <malloc.h>
    #include <sys/mman.h>
    #include <sys/prctl.h>
    #endif

    /* Read, and do nothing with it. */
    static inline void df_touch(const void *place) {
        (void)*(const volatile char *)place;
    }

    /* Give the whole pages inside a block back to the system, then the block to malloc. */
    static void df_release(void *block, size_t size) {
    #if defined(__linux__) && defined(MADV_DONTNEED)
        uintptr_t first = ((uintptr_t)block + 4095) & ~(uintptr_t)4095;
        uintptr_t last = ((uintptr_t)block + size) & ~(uintptr_t)4095;
        if (last > first)
            (void)madvise((void *)first, last - first, MADV_DONTNEED);
    #endif
        free(block);
    }

    /* Have malloc give back what it has to spare. */
    static void df_give_back(void) {
    #if defined(__GLIBC__)
        (void)malloc_trim(0);
    #endif
    }

    /* Keep huge pages off this process, where they are made unasked: a heap would take all that it may grow to. */
    static int df_no_huge_pages(void) {
    #if defined(__linux__) && defined(PR_SET_THP_DISABLE)
        return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    #else
        return 0;
    #endif
    }
    #endif
    """
    void touch "df_touch" (const void *place) noexcept
    void give_back "df_give_back" () noexcept
    int no_huge_pages "df_no_huge_pages" () noexcept
    void release "df_release" (void *block, size_t size) noexcept

cdef enum:
    BUCKET_SLOTS = 14
    HOME_BUCKETS = 56
    FINGERPRINTS = 255
    REMAINDERS = 14280  # HOME_BUCKETS * FINGERPRINTS
    NEAR_SLOTS = 28  # home and neighbour
    STASH_START = 784
    SEGMENT_SLOTS = 840
    GHOST_WAYS = 22  # of a home bucket, at most
    GHOSTS = 1232  # HOME_BUCKETS * GHOST_WAYS
    GHOST_BYTES = 2464

    HEAP_MOST = 1 << 20  # bytes of a heap from which on its segment splits: what copying them costs is a stall
    SPARSE = 1 << 30  # bytes of a heap from which on strings stay outside: only floods of colliding keys get there
    OBJECT_OVERHEAD = 48  # of a bytes object: header and what the allocator rounds up
    BLOCK_OVERHEAD = 16  # of what malloc gives: its own header, and rounding
    SLOT_BYTES = 6
    TELLING = 64  # records from which on their average size tells how much a full segment will hold
    NO_PLACE = 0xFFFFFFFF  # in a free slot that knows of no hole
    LEAST_HOLE = 4  # bytes: its size is written down there
    SMALL_HEAP = 512  # bytes below which garbage is left alone
    BIG_HEAP = 1 << 18  # bytes from which it may be a quarter, not an eighth
    CACHE_LINE = 64
    SLOT_BITS = 10  # of a place and its slot in one word: `slide` sorts those of no more slots

cdef enum:
    # What `dues` knows of a deadline: its second, for those that come soon.
    DUE_SHIFT = 10  # from milliseconds to "seconds" of 1,024 of them
    DUE_SECONDS = 128  # that are told apart
    FAR = 128  # later than that
    NEVER = 255  # no deadline, or no record

cdef struct Totals:
    int64_t allocated  # bytes of all but the heaps' contents, with what malloc and pages add
    int64_t live  # bytes of heaps that are records
    int64_t garbage  # bytes of heaps that were records
    int64_t outside  # bytes of keys and strings kept as objects
    Pages pages  # where heaps come from

cdef struct Segment:
    # What every access needs lies in the first 64 bytes.
    uint32_t *places  # of the records in the heap, and of holes; the block that also holds fingerprints and ages
    uint8_t *fingerprints
    uint8_t *ages
    char *heap
    uint32_t slots  # 0 until the first record, then SEGMENT_SLOTS and more
    uint32_t count
    uint32_t used  # bytes of the heap
    uint32_t capacity
    uint32_t touched  # bytes of the heap in whose pages something has been written, `used` left aside
    uint16_t *ghosts  # GHOSTS marks of keys that were evicted lately, or NULL
    uint32_t garbage
    bint changed  # garbage was left since a sweep last came by
    uint32_t expiring  # records with a deadline
    uint32_t objects  # references in the heap
    int32_t depth
    int64_t soonest  # a lower bound of the deadlines
    uint8_t *dues  # of the slots: the second of the deadline, in the circle that begins at `due_from`; or NULL
    int64_t due_from
    int64_t far  # a lower bound of the deadlines that are FAR
    int64_t aged_at
    uint64_t prefix
    uint64_t *stamps  # of the buckets: what cuts have got of them; NULL until a cut wants them
    uint32_t stamped  # buckets that have one
    PyObject *spill  # dict of keys to slots, or NULL
    uint32_t overflow[56]

# -- the heap ---------------------------------------------------------------------------------------------------


cdef inline Segment *new_segment(int depth, uint64_t prefix, Totals *totals) except NULL:
    cdef Segment *segment = <Segment *> calloc(1, sizeof(Segment))
    if segment is NULL:
        raise MemoryError
    segment.depth = depth
    segment.prefix = prefix
    segment.soonest = segment.far = INT64_MAX
    totals.allocated += sizeof(Segment) + BLOCK_OVERHEAD
    return segment


# Let the slots be so many, those there are included.
cdef inline int set_slots(Segment *segment, uint32_t slots, Totals *totals) except -1:
    cdef char *block = <char *> malloc(slots * SLOT_BYTES)
    cdef uint32_t kept = min(slots, segment.slots)
    if block is NULL:
        raise MemoryError
    if segment.dues is not NULL:
        fit_dues(segment, slots, totals)
    if kept:
        memcpy(block, segment.places, 4 * kept)
        memcpy(block + 4 * slots, segment.fingerprints, kept)
        memcpy(block + 5 * slots, segment.ages, kept)
        free(segment.places)
    else:
        totals.allocated += BLOCK_OVERHEAD
    memset(block + 4 * kept, 0xFF, 4 * (slots - kept))
    memset(block + 4 * slots + kept, 0, slots - kept)
    memset(block + 5 * slots + kept, 0, slots - kept)
    totals.allocated += SLOT_BYTES * (<int64_t> slots - segment.slots)
    segment.places = <uint32_t *> block
    segment.fingerprints = <uint8_t *> block + 4 * slots
    segment.ages = <uint8_t *> block + 5 * slots
    segment.slots = slots
    return 0


# Bytes of a heap that are records.
cdef inline uint32_t live_bytes(const Segment *segment) noexcept:
    return segment.used - segment.garbage


# Bytes that a heap takes beside those in use: half of the page at its end, and what malloc adds.
cdef inline int64_t heap_overhead(uint64_t capacity) noexcept:
    return min(<int64_t> (capacity >> 1), PAGE >> 1) + BLOCK_OVERHEAD


cdef inline void drop_heap(Segment *segment, Totals *totals) noexcept:
    if segment.heap is not NULL:
        totals.allocated -= heap_overhead(segment.capacity)
        totals.garbage -= segment.garbage
        give_heap(&totals.pages, segment.heap, segment.capacity)
    segment.heap = NULL
    segment.capacity = segment.used = segment.garbage = segment.touched = 0


# How big to make a heap that must hold so much in so many records: for all that the segment will hold when it is
# full, as pages not yet used cost nothing; twice as big as long as there are too few records to tell. Beyond HEAP_MOST
# there is room for as much garbage as may be.
cdef inline uint64_t roomy(uint64_t size, uint32_t count) noexcept:
    cdef uint64_t wanted = size * 2
    if count >= TELLING:
        wanted = size * SEGMENT_SLOTS // count
    wanted = min(wanted, <uint64_t> HEAP_MOST + (HEAP_MOST >> 1))
    return max(wanted, size + (size >> 3)) + 48


# Take garbage out, and make room for so many bytes more. O(bytes).
cdef inline int compact(Segment *segment, uint32_t extra, Totals *totals, bint give_back) except -1:
    cdef uint64_t wanted = <uint64_t> (segment.used - segment.garbage) + extra
    cdef uint64_t capacity = roomy(wanted, segment.count)
    cdef uint32_t slot, used = 0
    cdef Record record
    cdef char *heap
    if not wanted:
        drop_heap(segment, totals)
        forget_all_holes(segment)
        return 0
    if may_slide(segment, wanted, capacity):
        return slide(segment, totals, give_back)
    if capacity > 0xFFFFF000:
        capacity = 0xFFFFF000
        if wanted > capacity:
            raise MemoryError
    heap = take_heap(&totals.pages, &capacity)
    if heap is NULL:
        raise MemoryError
    for slot in range(segment.slots):
        if segment.fingerprints[slot]:
            read_record(segment.heap + segment.places[slot], &record)
            memcpy(heap + used, segment.heap + segment.places[slot], record.size)
            segment.places[slot] = used
            used += record.size
        else:
            segment.places[slot] = NO_PLACE
    drop_heap(segment, totals)
    segment.heap = heap
    segment.capacity = <uint32_t> capacity
    segment.used = used
    totals.allocated += heap_overhead(capacity)
    return 0


# Whether what is wanted fits the heap with an eighth to spare, so that this will not be asked again soon; and whether it
# is a run of pages that is worth keeping.
cdef inline bint may_slide(const Segment *segment, uint64_t wanted, uint64_t capacity) noexcept:
    return (
        wanted + (wanted >> 3) <= segment.capacity
        and LEAST * PAGE <= segment.capacity <= MOST * PAGE
        and capacity >= LEAST * PAGE
        and segment.slots <= 1 << SLOT_BITS
    )


# Move all live records to the beginning of their heap, in the order in which they lie. O(records + bytes).
cdef inline int slide(Segment *segment, Totals *totals, bint give_back) except -1:
    cdef uint32_t *order = <uint32_t *> malloc(2 * segment.count * sizeof(uint32_t))
    cdef uint32_t *sorted_places
    cdef char *heap = segment.heap
    cdef uint32_t index, at, end = 0, start = 0, target = 0, slot
    cdef Record record
    if order is NULL:
        raise MemoryError
    sorted_places = in_order(segment, order)
    for index in range(segment.count):
        at = sorted_places[index] >> SLOT_BITS
        slot = sorted_places[index] & (1 << SLOT_BITS) - 1
        if at != end:
            # There is a gap: what lies before it moves as one piece.
            if target != start:
                memmove(heap + target, heap + start, end - start)
            target += end - start
            start = at
        read_record(heap + at, &record)
        end = at + record.size
        segment.places[slot] = target + at - start
    if target != start:
        memmove(heap + target, heap + start, end - start)
    free(order)
    segment.touched = max(segment.touched, segment.used)
    segment.used = target + end - start
    totals.garbage -= segment.garbage
    segment.garbage = 0
    if give_back:
        forget_from(segment, segment.used)
    return 0


# Give the pages of a heap's end back, as far as it is a run of pages.
cdef inline void forget_from(Segment *segment, uint32_t place) noexcept:
    cdef uint32_t first = (place + PAGE - 1) & ~(<uint32_t> PAGE - 1)
    cdef uint32_t last = (max(segment.touched, segment.used) + PAGE - 1) & ~(<uint32_t> PAGE - 1)
    if first < last and segment.capacity >= LEAST * PAGE:
        df_forget(segment.heap + first, last - first)
        segment.touched = first


# The places of all records with their slots in the low bits, in the order of the places: in one half of `order`, which
# has room for twice as many. A radix sort, 4 us for a full segment. Holes are forgotten.
cdef inline uint32_t *in_order(const Segment *segment, uint32_t *order) noexcept:
    cdef uint32_t counts[256]
    cdef uint32_t *source = order
    cdef uint32_t *sink = order + segment.count
    cdef uint32_t slot, found = 0, index, before, sum_
    cdef int shift = SLOT_BITS
    for slot in range(segment.slots):
        if segment.fingerprints[slot]:
            source[found] = segment.places[slot] << SLOT_BITS | slot
            found += 1
        else:
            segment.places[slot] = NO_PLACE
    while shift < 32 and segment.used >> shift - SLOT_BITS:
        memset(counts, 0, sizeof(counts))
        for index in range(found):
            counts[source[index] >> shift & 255] += 1
        sum_ = 0
        for index in range(256):
            before = counts[index]
            counts[index] = sum_
            sum_ += before
        for index in range(found):
            before = counts[source[index] >> shift & 255]
            counts[source[index] >> shift & 255] = before + 1
            sink[before] = source[index]
        source, sink = sink, source
        shift += 8
    return source


# Make sure that so many bytes fit at the end of the heap. Records may move. Amortised O(extra).
cdef inline int reserve(Segment *segment, uint32_t extra, Totals *totals) except -1:
    if <uint64_t> segment.used + extra > segment.capacity:
        compact(segment, extra, totals, True)
    return 0


# Count bytes of the heap that a record has left.
cdef inline void waste(Segment *segment, uint32_t size, Totals *totals) noexcept:
    segment.garbage += size
    segment.changed = True
    totals.garbage += size
    totals.live -= size


# Take out what garbage there is, if nothing has changed since this was called last: nobody else will. O(1), or O(bytes).
cdef inline int rest(Segment *segment, Totals *totals) except -1:
    if not segment.changed and segment.garbage > SMALL_HEAP:
        compact(segment, 0, totals, True)
    segment.changed = False
    return 0


# Take garbage out after records were taken out or replaced, if that is worth the copying; `give_back` as well what is
# free then at the end of the heap, but for what will soon be used again.
cdef inline int tidy(Segment *segment, Totals *totals, bint give_back) except -1:
    if not segment.expiring:
        drop_dues(segment, totals)
    if not segment.count:
        if segment.capacity > SMALL_HEAP:
            drop_heap(segment, totals)
        totals.garbage -= segment.garbage
        segment.used = segment.garbage = 0
        forget_all_holes(segment)
    elif segment.garbage > SMALL_HEAP and segment.garbage > segment.used >> (3 if segment.used < BIG_HEAP else 2):
        compact(segment, 0, totals, give_back)
    return 0


# What a slot's record leaves in the heap as it is taken out: the slot will know where there is room for another one.
cdef inline void leave_hole(Segment *segment, Py_ssize_t slot, uint32_t size) noexcept:
    if size < LEAST_HOLE:
        segment.places[slot] = NO_PLACE
    else:
        memcpy(segment.heap + segment.places[slot], &size, 4)


cdef inline bint has_hole(const Segment *segment, Py_ssize_t slot, uint32_t size) noexcept:
    cdef uint32_t hole
    if segment.places[slot] == NO_PLACE:
        return False
    memcpy(&hole, segment.heap + segment.places[slot], 4)
    return size <= hole


# For a segment without records.
cdef inline void forget_all_holes(Segment *segment) noexcept:
    memset(segment.places, 0xFF, 4 * <size_t> segment.slots)


# Append a record; its place. Room must have been made. The segment owns a new reference to a key or value object.
cdef inline uint32_t append_record(
    Segment *segment, const char *key, Py_ssize_t key_size, PyObject *key_object, const Value *value,
    int64_t deadline, Totals *totals
) noexcept:
    cdef uint32_t place = segment.used
    cdef uint32_t size = write_record(segment, place, key, key_size, key_object, value, deadline)
    segment.used += size
    totals.live += size
    return place


# Put a record into the hole that a slot remembers, which has room for it. The segment owns references as above.
cdef inline void fill_hole(
    Segment *segment, Py_ssize_t slot, const char *key, Py_ssize_t key_size, PyObject *key_object, const Value *value,
    int64_t deadline, Totals *totals
) noexcept:
    cdef uint32_t size = write_record(segment, segment.places[slot], key, key_size, key_object, value, deadline)
    segment.garbage -= size
    totals.garbage -= size
    totals.live += size


# Write a record to a place of the heap; its size.
cdef inline uint32_t write_record(
    Segment *segment, uint32_t place, const char *key, Py_ssize_t key_size, PyObject *key_object, const Value *value,
    int64_t deadline
) noexcept:
    cdef char *start = segment.heap + place
    cdef char *at = write_head(start, key_size, key_object, value, deadline)
    if key_object is NULL:
        memcpy(at, key, key_size)
        at += key_size
    else:
        Py_INCREF(key_object)
    write_value(at, value)
    at += bytes_of_value(value)
    return <uint32_t> (at - start)


# -- slots ------------------------------------------------------------------------------------------------------


cdef inline uint32_t home_of(uint64_t h) noexcept:
    return h % REMAINDERS // FINGERPRINTS


cdef inline char *record_at(Segment *segment, Py_ssize_t slot) noexcept:
    return segment.heap + segment.places[slot]


# Read one more of the things that looking for a key reads one after the other, each at a place that the one before
# tells. Called with the steps 0 to 3, each for many keys before the next, it waits for memory once where they would wait
# one by one: reads that don't depend on each other are under way at the same time. (An instruction to prefetch does
# nothing where the address has to be looked up in page tables, which is where the time goes: 400 ns of a key among
# 200,000 are 160 that way.) O(1).
cdef inline void approach(const Segment *segment, uint64_t h, int step) noexcept:
    cdef uint32_t remainder, start, place
    cdef const uint8_t *hit
    if not segment.count:
        # That was step 0.
        return
    remainder = h % REMAINDERS
    start = remainder // FINGERPRINTS * BUCKET_SLOTS
    if step == 1:
        touch(segment.fingerprints + start)
        touch(segment.fingerprints + start + NEAR_SLOTS - 1)
    elif step > 1:
        hit = <const uint8_t *> memchr(segment.fingerprints + start, remainder % FINGERPRINTS + 1, NEAR_SLOTS)
        if hit is NULL:
            return
        if step == 2:
            touch(segment.places + (hit - segment.fingerprints))
            touch(segment.ages + (hit - segment.fingerprints))
            return
        place = segment.places[hit - segment.fingerprints]
        touch(segment.heap + place)
        if place + CACHE_LINE < segment.used:
            touch(segment.heap + place + CACHE_LINE)


# The slot of a key between two slots, or -1. O(1).
cdef inline Py_ssize_t find_between(
    Segment *segment, Py_ssize_t slot, Py_ssize_t end, int fingerprint, const char *key, Py_ssize_t size
) noexcept:
    cdef const uint8_t *hit
    while True:
        hit = <const uint8_t *> memchr(segment.fingerprints + slot, fingerprint, end - slot)
        if hit is NULL:
            return -1
        slot = hit - segment.fingerprints
        if key_equals(record_at(segment, slot), key, size):
            return slot
        slot += 1


# The slot of a key, or -1; -2 with an exception. O(1).
cdef inline Py_ssize_t find_slot(Segment *segment, const char *key, Py_ssize_t size, uint64_t h) except -2:
    cdef uint32_t remainder = h % REMAINDERS
    cdef uint32_t home = remainder // FINGERPRINTS
    cdef int fingerprint = remainder % FINGERPRINTS + 1
    cdef Py_ssize_t slot
    if not segment.count:
        return -1
    slot = find_between(segment, home * BUCKET_SLOTS, home * BUCKET_SLOTS + NEAR_SLOTS, fingerprint, key, size)
    if slot >= 0 or not segment.overflow[home]:
        return slot
    slot = find_between(segment, STASH_START, SEGMENT_SLOTS, fingerprint, key, size)
    if slot >= 0 or segment.spill is NULL:
        return slot
    return find_spilled(segment, key, size)


cdef inline Py_ssize_t find_spilled(Segment *segment, const char *key, Py_ssize_t size) except -2:
    found = (<dict> segment.spill).get(key[:size])
    return -1 if found is None else <Py_ssize_t> found


cdef inline Py_ssize_t last_free(Segment *segment, Py_ssize_t start, Py_ssize_t end) noexcept:
    while end > start:
        end -= 1
        if not segment.fingerprints[end]:
            return end
    return -1


# Whether any of the slots of a bucket holds a record.
cdef inline bint any_used(Segment *segment, Py_ssize_t start) noexcept:
    cdef Py_ssize_t slot
    for slot in range(start, start + BUCKET_SLOTS):
        if segment.fingerprints[slot]:
            return True
    return False


# The slot that a new key with this home bucket should take, or -1 if there is none.
cdef inline Py_ssize_t free_slot(Segment *segment, uint32_t home, Totals *totals) except -2:
    cdef Py_ssize_t start = home * BUCKET_SLOTS
    cdef Py_ssize_t slot
    if not segment.slots:
        set_slots(segment, SEGMENT_SLOTS, totals)
    slot = last_free(segment, start, start + BUCKET_SLOTS)
    if slot < 0:
        slot = last_free(segment, start + BUCKET_SLOTS, start + NEAR_SLOTS)
        if slot < 0:
            slot = last_free(segment, STASH_START, segment.slots)
    return slot


# Let a slot name a record of the heap.
cdef inline int settle(
    Segment *segment, Py_ssize_t slot, uint64_t h, uint32_t place, uint8_t age, Totals *totals
) except -1:
    cdef uint32_t remainder = h % REMAINDERS
    cdef uint32_t home = remainder // FINGERPRINTS
    if slot >= SEGMENT_SLOTS:
        note_spilled(segment, slot, place)
    segment.fingerprints[slot] = <uint8_t> (remainder % FINGERPRINTS + 1)
    segment.places[slot] = place
    segment.ages[slot] = age
    if segment.heap[place] & HAS_DEADLINE:
        note_due(segment, slot, deadline_at(segment.heap + place), totals)
    segment.count += 1
    if slot >= STASH_START and slot - home * BUCKET_SLOTS >= NEAR_SLOTS:
        segment.overflow[home] += 1
    return 0


cdef inline int note_spilled(Segment *segment, Py_ssize_t slot, uint32_t place) except -1:
    cdef Record record
    if segment.spill is NULL:
        segment.spill = PyDict_New()
    read_record(segment.heap + place, &record)
    (<dict> segment.spill)[record.key[:record.key_size]] = slot
    return 0


# Take the record out of a slot; what it holds must have been accounted for. `h` matters from the stash on.
cdef inline int vacate(Segment *segment, Py_ssize_t slot, uint64_t h, const Record *record) except -1:
    cdef uint32_t home
    if slot >= STASH_START:
        home = h % REMAINDERS // FINGERPRINTS
        if slot >= SEGMENT_SLOTS:
            del (<dict> segment.spill)[record.key[:record.key_size]]
        if slot - home * BUCKET_SLOTS >= NEAR_SLOTS:
            segment.overflow[home] -= 1
    segment.fingerprints[slot] = 0
    if segment.dues is not NULL:
        segment.dues[slot] = NEVER
    segment.count -= 1
    return 0


# Give the spill buckets back, once they are empty.
cdef inline int trim(Segment *segment, Totals *totals) except -1:
    if segment.slots > SEGMENT_SLOTS and (segment.spill is NULL or not (<dict> segment.spill)):
        set_slots(segment, SEGMENT_SLOTS, totals)
        if segment.stamped > SEGMENT_SLOTS // BUCKET_SLOTS:
            segment.stamped = SEGMENT_SLOTS // BUCKET_SLOTS
        if segment.spill is not NULL:
            Py_DECREF(segment.spill)
            segment.spill = NULL
    return 0


# -- deadlines --------------------------------------------------------------------------------------------------
#
# What has expired is looked for again and again, and reading every record for that costs a miss of the cache for each.
# So the slots of a segment in which anything expires have one byte more: the second in which its deadline lies, modulo
# 128, if it is one of the 128 seconds from `due_from` on, FAR if it is later. Only records of the seconds that have
# passed since the last look are read; those that are FAR are read when the first of them may be due, and sorted anew.


cdef inline int fit_dues(Segment *segment, uint32_t slots, Totals *totals) except -1:
    cdef uint32_t kept = 0 if segment.dues is NULL else min(slots, segment.slots)
    cdef uint8_t *dues = <uint8_t *> realloc(segment.dues, slots)
    if dues is NULL:
        raise MemoryError
    totals.allocated += <int64_t> slots + BLOCK_OVERHEAD
    if segment.dues is not NULL:
        totals.allocated -= <int64_t> segment.slots + BLOCK_OVERHEAD
    memset(dues + kept, NEVER, slots - kept)
    segment.dues = dues
    return 0


cdef inline void drop_dues(Segment *segment, Totals *totals) noexcept:
    if segment.dues is not NULL:
        free(segment.dues)
        segment.dues = NULL
        segment.due_from = 0
        totals.allocated -= <int64_t> segment.slots + BLOCK_OVERHEAD
    segment.soonest = segment.far = INT64_MAX


# Note the deadline of the record in a slot; 0: it has none. O(1).
cdef inline int note_due(Segment *segment, Py_ssize_t slot, int64_t deadline, Totals *totals) except -1:
    cdef int64_t second = max(deadline >> DUE_SHIFT, segment.due_from)
    if not deadline:
        if segment.dues is not NULL:
            segment.dues[slot] = NEVER
        return 0
    if segment.dues is NULL:
        fit_dues(segment, segment.slots, totals)
    if second - segment.due_from < DUE_SECONDS:
        segment.dues[slot] = <uint8_t> (second & DUE_SECONDS - 1)
    else:
        segment.dues[slot] = FAR
        segment.far = min(segment.far, deadline)
    segment.soonest = min(segment.soonest, deadline)
    return 0


# Find the slots of the records that have expired, `due` has room for all; how many. What is left is noted as of now.
# O(slots), mostly a look at their bytes.
cdef inline uint32_t find_due(Segment *segment, int64_t now, uint32_t *due) noexcept:
    cdef int64_t second = max(now >> DUE_SHIFT, segment.due_from)
    cdef uint8_t base = <uint8_t> (segment.due_from & DUE_SECONDS - 1)
    cdef uint8_t passed = <uint8_t> min(second - segment.due_from, DUE_SECONDS - 1)
    cdef uint8_t ahead, next_ahead = DUE_SECONDS
    cdef bint look_far = segment.far < now
    cdef int64_t soonest = INT64_MAX, far = INT64_MAX, deadline
    cdef uint32_t slot, found = 0
    for slot in range(segment.slots):
        if segment.dues[slot] < DUE_SECONDS:
            ahead = segment.dues[slot] - base & DUE_SECONDS - 1
            if ahead > passed:
                next_ahead = min(next_ahead, ahead)
                continue
        elif segment.dues[slot] == NEVER or not look_far:
            continue
        deadline = deadline_at(record_at(segment, slot))
        if deadline < now:
            due[found] = slot
            found += 1
            continue
        soonest = min(soonest, deadline)
        if (deadline >> DUE_SHIFT) - second < DUE_SECONDS:
            segment.dues[slot] = <uint8_t> (max(deadline >> DUE_SHIFT, second) & DUE_SECONDS - 1)
        else:
            segment.dues[slot] = FAR
            far = min(far, deadline)
    if next_ahead < DUE_SECONDS:
        soonest = min(soonest, segment.due_from + next_ahead << DUE_SHIFT)
    if look_far:
        segment.far = far
    segment.due_from = second
    segment.soonest = min(soonest, segment.far)
    return found


# -- ghosts -----------------------------------------------------------------------------------------------------


cdef inline int need_ghosts(Segment *segment, Totals *totals) except -1:
    if segment.ghosts is NULL:
        segment.ghosts = <uint16_t *> calloc(GHOSTS, sizeof(uint16_t))
        if segment.ghosts is NULL:
            raise MemoryError
        totals.allocated += GHOST_BYTES + BLOCK_OVERHEAD
    return 0


cdef inline void drop_ghosts(Segment *segment, Totals *totals) noexcept:
    if segment.ghosts is not NULL:
        free(segment.ghosts)
        segment.ghosts = NULL
        totals.allocated -= GHOST_BYTES + BLOCK_OVERHEAD


# How many ghosts of a bucket count: three for two records.
cdef inline uint32_t ghost_ways(const Segment *segment) noexcept:
    cdef uint32_t ways = (3 * segment.count // 2 + HOME_BUCKETS // 2) // HOME_BUCKETS
    return max(1, min(GHOST_WAYS, ways))


cdef inline uint16_t ghost_of(uint64_t h) noexcept:
    cdef uint16_t mark = <uint16_t> (h >> 16)
    return mark if mark else 1


# Leave a ghost of a key that is to be evicted; the oldest of its bucket is forgotten.
cdef inline int leave_ghost(Segment *segment, uint64_t h, Totals *totals) except -1:
    cdef uint16_t *ghosts
    need_ghosts(segment, totals)
    ghosts = segment.ghosts + home_of(h) * GHOST_WAYS
    memmove(ghosts + 1, ghosts, (ghost_ways(segment) - 1) * sizeof(uint16_t))
    ghosts[0] = ghost_of(h)
    return 0


# Whether a key that comes was evicted not long ago. Its ghost is gone afterwards. O(1).
cdef inline bint lay_ghost(Segment *segment, uint64_t h) noexcept:
    cdef uint16_t *ghosts
    cdef uint16_t mark
    cdef uint32_t way
    if segment.ghosts is NULL:
        return False
    ghosts = segment.ghosts + home_of(h) * GHOST_WAYS
    mark = ghost_of(h)
    for way in range(ghost_ways(segment)):
        if ghosts[way] == mark:
            ghosts[way] = 0
            return True
    return False


# -- ownership --------------------------------------------------------------------------------------------------


# Count the objects that a record holds, into (sign 1) or out of (-1) the account.
cdef inline void count_objects(Segment *segment, const Record *record, int sign, Totals *totals) noexcept:
    cdef PyObject *value
    if record.deadline:
        segment.expiring += sign
    if record.key_object is not NULL:
        segment.objects += sign
        totals.outside += sign * (record.key_size + OBJECT_OVERHEAD)
    if record.flags & KIND == OBJECT:
        segment.objects += sign
        value = load_object(record.value)
        if PyBytes_CheckExact(value):
            totals.outside += sign * (PyBytes_GET_SIZE(value) + OBJECT_OVERHEAD)


cdef inline void drop_objects(const Record *record) noexcept:
    if record.key_object is not NULL:
        Py_DECREF(record.key_object)
    if record.flags & KIND == OBJECT:
        Py_DECREF(load_object(record.value))


# Empty a segment: all memory goes but the struct. O(records that hold objects), else O(1).
cdef inline void empty_segment(Segment *segment, Totals *totals) noexcept:
    cdef uint32_t slot
    cdef Record record
    if segment.objects:
        for slot in range(segment.slots):
            if segment.fingerprints[slot]:
                read_record(record_at(segment, slot), &record)
                count_objects(segment, &record, -1, totals)
                drop_objects(&record)
    totals.live -= segment.used - segment.garbage
    drop_heap(segment, totals)
    drop_dues(segment, totals)
    if segment.slots:
        release(segment.places, SLOT_BYTES * segment.slots)
        totals.allocated -= SLOT_BYTES * <int64_t> segment.slots + BLOCK_OVERHEAD
    if segment.stamps is not NULL:
        free(segment.stamps)
        segment.stamps = NULL
    drop_ghosts(segment, totals)
    if segment.spill is not NULL:
        Py_DECREF(segment.spill)
        segment.spill = NULL
    memset(segment.overflow, 0, sizeof(segment.overflow))
    segment.places = NULL
    segment.fingerprints = segment.ages = NULL
    segment.slots = segment.count = segment.expiring = segment.objects = segment.stamped = 0


cdef inline void free_segment(Segment *segment, Totals *totals) noexcept:
    empty_segment(segment, totals)
    totals.allocated -= sizeof(Segment) + BLOCK_OVERHEAD
    free(segment)
