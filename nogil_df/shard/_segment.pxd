# cython: cdivision=True
# One packed segment of the compiled Dash table: what `nogil_df.shard.dash_segment` is to the reference.
#
# Slots, buckets, fingerprints, stash, overflow counts and spill are those of the reference, which explains them.
# What differs is where records lie: here a slot holds the place of its record in the `heap` of the segment, one
# block of memory in which keys and values stand end to end:
#
#     flags        1 byte: kind of the value, widths of the fields that follow
#     deadline     8 bytes, only if there is one: unix ms
#     key length   1 or 2 bytes; or, for a key of OUTSIDE bytes and more, the key as a bytes object, 8 bytes
#     value length 1 or 2 bytes, only of a string
#     key
#     value        STRING: its bytes. INTEGER, a string that is a decimal number of 64 bits and written as Redis
#                  writes it: 1, 2, 4 or 8 bytes. OBJECT, anything else, and strings of OUTSIDE bytes and more: a
#                  reference that the segment owns, 8 bytes
#
# A string of 16 bytes under a key of 10 takes 29 bytes here and 6 for its slot, where two bytes objects take 115
# and the slot 20. Nothing is aligned; words are copied out.
#
# New records go to the end. A value that is replaced stays in its place if the new one is not longer; otherwise the
# record moves to the end. What is left behind is counted in `garbage`, and taken out by copying all live records to
# a new heap, slot by slot, once it is an eighth of the heap, or a quarter of a big one: mostly 20 KB. What it may be at
# most is HEAP_MOST, as a segment whose heap gets there splits, however few records that are.
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
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

from nogil_df.base._words cimport (
    format_integer, load16, load64, load_integer, parse_integer, store_integer, width_of,
)
from nogil_df.shard._pages cimport PAGE, Pages, give_heap, take_heap

cdef extern from "Python.h":
    void Py_INCREF(PyObject *) noexcept
    void Py_DECREF(PyObject *) noexcept
    bint PyBytes_CheckExact(PyObject *) noexcept
    char *PyBytes_AS_STRING(PyObject *) noexcept
    Py_ssize_t PyBytes_GET_SIZE(PyObject *) noexcept
    PyObject *PyBytes_FromStringAndSize(const char *, Py_ssize_t) except NULL
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

    OUTSIDE = 16384  # bytes of a key or a string that is kept as an object, outside the heap
    HEAP_MOST = 1 << 20  # bytes of a heap from which on its segment splits: what copying them costs is a stall
    SPARSE = 1 << 30  # bytes of a heap from which on strings stay outside: only floods of colliding keys get there
    OBJECT_OVERHEAD = 48  # of a bytes object: header and what the allocator rounds up
    BLOCK_OVERHEAD = 16  # of what malloc gives: its own header, and rounding
    SLOT_BYTES = 6
    TELLING = 64  # records from which on their average size tells how much a full segment will hold
    SMALL_HEAP = 512  # bytes below which garbage is left alone
    BIG_HEAP = 1 << 18  # bytes from which it may be a quarter, not an eighth

cdef enum:
    # Flags of a record.
    STRING = 0
    INTEGER = 1
    OBJECT = 2
    KIND = 3
    WIDTH = 12  # two bits: log 2 of the bytes of an integer, or of those of a string's length
    WIDTH_SHIFT = 2
    HAS_DEADLINE = 16
    LONG_KEY = 32  # its length takes two bytes
    KEY_OBJECT = 64

cdef struct Totals:
    int64_t allocated  # bytes of all but the heaps' contents, with what malloc and pages add
    int64_t live  # bytes of heaps that are records
    int64_t garbage  # bytes of heaps that were records
    int64_t outside  # bytes of keys and strings kept as objects
    Pages pages  # where heaps come from

cdef struct Segment:
    # What every access needs lies in the first 64 bytes.
    uint32_t *places  # of the records in the heap; the block that also holds fingerprints and ages
    uint8_t *fingerprints
    uint8_t *ages
    char *heap
    uint32_t slots  # 0 until the first record, then SEGMENT_SLOTS and more
    uint32_t count
    uint32_t used  # bytes of the heap
    uint32_t capacity
    uint16_t *ghosts  # GHOSTS marks of keys that were evicted lately, or NULL
    uint32_t garbage
    uint32_t expiring  # records with a deadline
    uint32_t objects  # references in the heap
    int32_t depth
    int64_t soonest  # a lower bound of the deadlines
    int64_t aged_at
    uint64_t prefix
    uint64_t *stamps  # of the buckets: what cuts have got of them; NULL until a cut wants them
    uint32_t stamped  # buckets that have one
    PyObject *spill  # dict of keys to slots, or NULL
    uint32_t overflow[56]

# What is to be stored. A string's bytes are not copied until they are.
cdef struct Value:
    int kind
    const char *data
    Py_ssize_t size  # of a string
    int64_t number
    int width  # log 2, as in the flags
    PyObject *object  # borrowed

# A record taken apart.
cdef struct Record:
    int flags
    int64_t deadline  # 0 for none
    const char *key
    Py_ssize_t key_size
    PyObject *key_object
    char *value
    uint32_t value_size  # bytes in the heap
    uint32_t size  # of all of it

ctypedef const char *Bytes

# -- records ----------------------------------------------------------------------------------------------------


cdef inline PyObject *load_object(const char *at) noexcept:
    cdef PyObject *reference
    memcpy(&reference, at, sizeof(PyObject *))
    return reference


cdef inline void string_value(Value *value, const char *data, Py_ssize_t size) noexcept:
    if parse_integer(data, size, &value.number):
        value.kind = INTEGER
        value.width = width_of(value.number)
    else:
        value.kind = STRING
        value.width = size > 255
    value.data = data
    value.size = size
    value.object = NULL


cdef inline void number_value(Value *value, int64_t number) noexcept:
    value.kind = INTEGER
    value.width = width_of(number)
    value.number = number
    value.object = NULL


# A value given as an object, which must outlive `value`.
cdef inline void any_value(Value *value, PyObject *given) noexcept:
    if PyBytes_CheckExact(given) and PyBytes_GET_SIZE(given) < OUTSIDE:
        string_value(value, PyBytes_AS_STRING(given), PyBytes_GET_SIZE(given))
    else:
        value.kind = OBJECT
        value.width = 0
        value.object = given


cdef inline uint32_t bytes_of_value(const Value *value) noexcept:
    if value.kind == STRING:
        return <uint32_t> value.size
    return 1 << value.width if value.kind == INTEGER else sizeof(PyObject *)


# Bytes before the key, or before the value if the key is an object.
cdef inline uint32_t head_size(Py_ssize_t key_size, bint key_object, const Value *value, bint deadline) noexcept:
    cdef uint32_t size = 1 + 8 * deadline
    size += sizeof(PyObject *) if key_object else 1 + (key_size > 255)
    if value.kind == STRING:
        size += 1 + (value.size > 255)
    return size


cdef inline void read_record(char *at, Record *record) noexcept:
    cdef char *start = at
    cdef int flags = <uint8_t> at[0]
    cdef uint32_t key_bytes
    record.flags = flags
    at += 1
    record.deadline = 0
    if flags & HAS_DEADLINE:
        record.deadline = load64(at)
        at += 8
    record.key_object = NULL
    if flags & KEY_OBJECT:
        record.key_object = load_object(at)
        at += sizeof(PyObject *)
        key_bytes = 0
    elif flags & LONG_KEY:
        key_bytes = load16(at)
        at += 2
    else:
        key_bytes = <uint8_t> at[0]
        at += 1
    if flags & KIND == STRING:
        if flags & WIDTH:
            record.value_size = load16(at)
            at += 2
        else:
            record.value_size = <uint8_t> at[0]
            at += 1
    elif flags & KIND == INTEGER:
        record.value_size = 1 << ((flags & WIDTH) >> WIDTH_SHIFT)
    else:
        record.value_size = sizeof(PyObject *)
    record.key = at
    record.key_size = key_bytes
    record.value = at + key_bytes
    record.size = <uint32_t> (record.value + record.value_size - start)
    if record.key_object is not NULL:
        record.key = PyBytes_AS_STRING(record.key_object)
        record.key_size = PyBytes_GET_SIZE(record.key_object)


# Where the key of a record begins and how long it is; all that a search needs of it.
cdef inline bint key_equals(char *at, const char *key, Py_ssize_t size) noexcept:
    cdef int flags = <uint8_t> at[0]
    cdef PyObject *stored
    cdef char *start = at + (9 if flags & HAS_DEADLINE else 1)
    if flags & (LONG_KEY | KEY_OBJECT) == 0:
        if <uint8_t> start[0] != size:
            return False
        start += 1
    elif flags & LONG_KEY:
        if <Py_ssize_t> load16(start) != size:
            return False
        start += 2
    else:
        stored = load_object(start)
        return PyBytes_GET_SIZE(stored) == size and memcmp(PyBytes_AS_STRING(stored), key, size) == 0
    if flags & KIND == STRING:
        start += 2 if flags & WIDTH else 1
    return memcmp(start, key, size) == 0


cdef inline int64_t deadline_at(const char *at) noexcept:
    return load64(at + 1) if at[0] & HAS_DEADLINE else 0


# Write everything of a record but its key; the place of the key.
cdef inline char *write_head(
    char *at, Py_ssize_t key_size, PyObject *key_object, const Value *value, int64_t deadline
) noexcept:
    cdef int flags = value.kind
    cdef char *start = at
    cdef uint16_t word
    flags |= value.width << WIDTH_SHIFT
    at += 1
    if deadline:
        flags |= HAS_DEADLINE
        memcpy(at, &deadline, 8)
        at += 8
    if key_object is not NULL:
        flags |= KEY_OBJECT
        memcpy(at, &key_object, sizeof(PyObject *))
        at += sizeof(PyObject *)
    elif key_size > 255:
        flags |= LONG_KEY
        word = <uint16_t> key_size
        memcpy(at, &word, 2)
        at += 2
    else:
        at[0] = <char> key_size
        at += 1
    if value.kind == STRING:
        word = <uint16_t> value.size
        if value.width:
            memcpy(at, &word, 2)
            at += 2
        else:
            at[0] = <char> word
            at += 1
    start[0] = <char> flags
    return at


# Write a value to its place; the segment gets a reference of its own to an object.
cdef inline void write_value(char *at, const Value *value) noexcept:
    cdef PyObject *reference = value.object
    if value.kind == STRING:
        memcpy(at, value.data, value.size)
    elif value.kind == INTEGER:
        store_integer(at, value.width, value.number)
    else:
        Py_INCREF(reference)
        memcpy(at, &reference, sizeof(PyObject *))


# The key of a record as an object.
cdef inline object key_object(const Record *record):
    if record.key_object is not NULL:
        return <object> record.key_object
    return record.key[:record.key_size]


# The value of a record as an object: strings are made anew.
cdef inline object value_object(const Record *record):
    cdef char scratch[24]
    cdef Py_ssize_t size
    cdef char *digits
    cdef int kind = record.flags & KIND
    if kind == STRING:
        return record.value[:record.value_size]
    if kind == INTEGER:
        digits = format_integer(
            load_integer(record.value, (record.flags & WIDTH) >> WIDTH_SHIFT), scratch, &size
        )
        return digits[:size]
    return <object> load_object(record.value)


# -- the heap ---------------------------------------------------------------------------------------------------


cdef inline Segment *new_segment(int depth, uint64_t prefix, Totals *totals) except NULL:
    cdef Segment *segment = <Segment *> calloc(1, sizeof(Segment))
    if segment is NULL:
        raise MemoryError
    segment.depth = depth
    segment.prefix = prefix
    segment.soonest = INT64_MAX
    totals.allocated += sizeof(Segment) + BLOCK_OVERHEAD
    return segment


# Let the slots be so many, those there are included.
cdef inline int set_slots(Segment *segment, uint32_t slots, Totals *totals) except -1:
    cdef char *block = <char *> malloc(slots * SLOT_BYTES)
    cdef uint32_t kept = min(slots, segment.slots)
    if block is NULL:
        raise MemoryError
    if kept:
        memcpy(block, segment.places, 4 * kept)
        memcpy(block + 4 * slots, segment.fingerprints, kept)
        memcpy(block + 5 * slots, segment.ages, kept)
        free(segment.places)
    else:
        totals.allocated += BLOCK_OVERHEAD
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


cdef inline void drop_heap(Segment *segment, Totals *totals, bint give_back) noexcept:
    if segment.heap is not NULL:
        totals.allocated -= heap_overhead(segment.capacity)
        totals.garbage -= segment.garbage
        give_heap(&totals.pages, segment.heap, segment.capacity, not give_back)
    segment.heap = NULL
    segment.capacity = segment.used = segment.garbage = 0


# How big to make a heap that must hold so much in so many records: for all that the segment will hold when it is
# full, as pages not yet used cost nothing; twice as big as long as there are too few records to tell. Beyond HEAP_MOST
# there is room for as much garbage as may be.
cdef inline uint64_t roomy(uint64_t size, uint32_t count) noexcept:
    cdef uint64_t wanted = size * 2
    if count >= TELLING:
        wanted = size * SEGMENT_SLOTS // count
    wanted = min(wanted, <uint64_t> HEAP_MOST + (HEAP_MOST >> 1))
    return max(wanted, size + (size >> 3)) + 48


# Copy all live records to a new heap with room for so many bytes more. O(bytes).
cdef inline int compact(Segment *segment, uint32_t extra, Totals *totals, bint give_back) except -1:
    cdef uint64_t wanted = <uint64_t> (segment.used - segment.garbage) + extra
    cdef uint64_t capacity = roomy(wanted, segment.count)
    cdef uint32_t slot, used = 0
    cdef Record record
    cdef char *heap
    if not wanted:
        drop_heap(segment, totals, give_back)
        return 0
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
    drop_heap(segment, totals, give_back)
    segment.heap = heap
    segment.capacity = <uint32_t> capacity
    segment.used = used
    totals.allocated += heap_overhead(capacity)
    return 0


# Make sure that so many bytes fit at the end of the heap. Records may move. Amortised O(extra).
cdef inline int reserve(Segment *segment, uint32_t extra, Totals *totals) except -1:
    if <uint64_t> segment.used + extra > segment.capacity:
        compact(segment, extra, totals, True)
    return 0


# Count bytes of the heap that a record has left.
cdef inline void waste(Segment *segment, uint32_t size, Totals *totals) noexcept:
    segment.garbage += size
    totals.garbage += size
    totals.live -= size


# Give unused memory back after records were taken out, if that is worth the copying.
cdef inline int tidy(Segment *segment, Totals *totals, bint give_back) except -1:
    if not segment.count:
        if segment.capacity > SMALL_HEAP:
            drop_heap(segment, totals, give_back)
        totals.garbage -= segment.garbage
        segment.used = segment.garbage = 0
    elif segment.garbage > SMALL_HEAP and segment.garbage > segment.used >> (3 if segment.used < BIG_HEAP else 2):
        compact(segment, 0, totals, give_back)
    return 0


# Append a record; its place. Room must have been made. The segment owns a new reference to a key or value object.
cdef inline uint32_t append_record(
    Segment *segment, const char *key, Py_ssize_t key_size, PyObject *key_object, const Value *value,
    int64_t deadline, Totals *totals
) noexcept:
    cdef uint32_t place = segment.used
    cdef char *start = segment.heap + place
    cdef char *at = write_head(start, key_size, key_object, value, deadline)
    if key_object is NULL:
        memcpy(at, key, key_size)
        at += key_size
    else:
        Py_INCREF(key_object)
    write_value(at, value)
    at += bytes_of_value(value)
    segment.used += <uint32_t> (at - start)
    totals.live += at - start
    return place


# -- slots ------------------------------------------------------------------------------------------------------


cdef inline uint32_t home_of(uint64_t h) noexcept:
    return h % REMAINDERS // FINGERPRINTS


cdef inline char *record_at(Segment *segment, Py_ssize_t slot) noexcept:
    return segment.heap + segment.places[slot]


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
cdef inline int settle(Segment *segment, Py_ssize_t slot, uint64_t h, uint32_t place, uint8_t age) except -1:
    cdef uint32_t remainder = h % REMAINDERS
    cdef uint32_t home = remainder // FINGERPRINTS
    if slot >= SEGMENT_SLOTS:
        note_spilled(segment, slot, place)
    segment.fingerprints[slot] = <uint8_t> (remainder % FINGERPRINTS + 1)
    segment.places[slot] = place
    segment.ages[slot] = age
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
cdef inline void empty_segment(Segment *segment, Totals *totals, bint give_back) noexcept:
    cdef uint32_t slot
    cdef Record record
    if segment.objects:
        for slot in range(segment.slots):
            if segment.fingerprints[slot]:
                read_record(record_at(segment, slot), &record)
                count_objects(segment, &record, -1, totals)
                drop_objects(&record)
    totals.live -= segment.used - segment.garbage
    drop_heap(segment, totals, give_back)
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
    segment.soonest = INT64_MAX


cdef inline void free_segment(Segment *segment, Totals *totals, bint give_back) noexcept:
    empty_segment(segment, totals, give_back)
    totals.allocated -= sizeof(Segment) + BLOCK_OVERHEAD
    free(segment)
