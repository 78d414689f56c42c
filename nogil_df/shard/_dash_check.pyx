# cython: cdivision=True
"""What must be true of a compiled Dash table, checked: its segments, heaps, counts, and the account of its memory."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from nogil_df.shard._directory cimport PREFIXES, STAMP_SHIFT, Directory, end_of
from nogil_df.shard._record cimport Record, key_object, read_record
from nogil_df.shard._segment cimport (
    BLOCK_OVERHEAD,
    BUCKET_SLOTS,
    DUE_SECONDS,
    DUE_SHIFT,
    FAR,
    FINGERPRINTS,
    GHOST_BYTES,
    HOME_BUCKETS,
    NEAR_SLOTS,
    NEVER,
    NO_PLACE,
    REMAINDERS,
    SEGMENT_SLOTS,
    SLOT_BYTES,
    STASH_START,
    Segment,
    Totals,
    count_objects,
    heap_overhead,
    record_at,
)


def layout(Directory table not None):
    """For tests: of each segment prefix, depth, records, slots, spilled records, and the bytes of its
    heap that are used, garbage, and allocated. O(segments)."""
    cdef uint64_t position = 0
    cdef Segment *segment
    found = []
    while position < PREFIXES:
        segment = table.segment_at(position)
        position = end_of(segment)
        spilled = 0 if segment.spill is NULL else len(<dict> segment.spill)
        found.append(
            (segment.prefix, segment.depth, segment.count, segment.slots, spilled,
             segment.used, segment.garbage, segment.capacity)
        )
    return found


def verify(Directory table not None):
    """Check every invariant of the table. Raises AssertionError with what is wrong. O(n)."""
    cdef Totals sums
    cdef int64_t depths[43]
    cdef int64_t index = 0, span, other
    cdef int64_t records = 0, expiring = 0, segments = 0
    cdef Segment *segment
    memset(&sums, 0, sizeof(sums))
    memset(depths, 0, sizeof(depths))
    while index < <int64_t> 1 << table.bits:
        segment = table.directory[index]
        assert 0 <= segment.depth <= table.bits, f"entry {index} names a segment {segment.depth} bits deep"
        span = <int64_t> 1 << table.bits - segment.depth
        assert segment.prefix * span == index, f"entry {index} names {segment.prefix:b}/{segment.depth}"
        for other in range(index, index + span):
            assert table.directory[other] is segment, f"entries from {index} on should name one segment"
        depths[segment.depth] += 1
        segments += 1
        verify_segment(table, segment, &sums)
        records += segment.count
        expiring += segment.expiring
        index += span
    assert depths[table.bits] or not table.bits, "the directory should have halved"
    for bits in range(43):
        assert depths[bits] == table.depths[bits], f"{depths[bits]} segments are {bits} bits deep"
    assert segments == table.segments, f"there are {segments} segments, not {table.segments}"
    assert records == table.count, f"there are {records} records, not {table.count}"
    assert expiring == table.expiring, f"there are {expiring} deadlines, not {table.expiring}"
    for counted, sum_ in (
        (table.totals.allocated, sums.allocated), (table.totals.live, sums.live),
        (table.totals.garbage, sums.garbage), (table.totals.outside, sums.outside),
    ):
        assert counted == sum_, f"accounted {counted} bytes, found {sum_}"
    newest = table.cuts[-1][0] if table.cuts else 0
    assert table.cut_version == newest, f"cut_version is {table.cut_version}, the newest cut {newest}"


cdef bint is_noted(Segment *segment, Py_ssize_t slot, int64_t deadline) noexcept:
    """Whether the byte of a slot tells when its record expires, or that it has to be looked at in time."""
    cdef int64_t second = max(deadline >> DUE_SHIFT, segment.due_from)
    if segment.dues is NULL:
        return False
    if segment.dues[slot] == FAR:
        return segment.far <= deadline
    return second - segment.due_from < DUE_SECONDS and segment.dues[slot] == second & DUE_SECONDS - 1


cdef int verify_segment(Directory table, Segment *segment, Totals *sums) except -1:
    """Check one segment; add what it takes to the sums."""
    name = f"segment {segment.prefix:b}/{segment.depth}"
    cdef Segment counted
    cdef Record record
    cdef Py_ssize_t slot, bucket
    cdef uint64_t h
    cdef uint32_t size = 0, hole
    memset(&counted, 0, sizeof(counted))
    assert segment.slots == 0 or segment.slots >= SEGMENT_SLOTS, f"{name}: {segment.slots} slots"
    assert segment.slots % BUCKET_SLOTS == 0, f"{name}: {segment.slots} slots are not whole buckets"
    spill = {} if segment.spill is NULL else dict(<dict> segment.spill)
    assert segment.slots <= SEGMENT_SLOTS or spill, f"{name}: empty spill buckets"
    assert segment.stamped <= segment.slots // BUCKET_SLOTS, f"{name}: stamps of buckets that are not there"
    for bucket in range(segment.stamped):
        assert segment.stamps[bucket] >> STAMP_SHIFT <= table.last_cut, f"{name}: a stamp of the future"
    assert segment.garbage <= segment.used <= segment.capacity, f"{name}: heap {segment.used}"
    seen = set()
    taken = []
    for slot in range(segment.slots):
        if not segment.fingerprints[slot]:
            if segment.places[slot] != NO_PLACE:
                memcpy(&hole, segment.heap + segment.places[slot], 4)
                taken.append((segment.places[slot], hole))
            continue
        assert segment.places[slot] < segment.used, f"{name}: slot {slot} points past the heap"
        read_record(record_at(segment, slot), &record)
        size += record.size
        taken.append((segment.places[slot], record.size))
        count_objects(&counted, &record, 1, sums)
        key = key_object(&record)
        assert key not in seen, f"{name}: {key!r} is there twice"
        seen.add(key)
        h = table.hash_key(key)
        assert h == table.hash_of(record.key, record.key_size), f"{name}: {key!r} has two hashes"
        assert h >> 1 >> 63 - segment.depth == segment.prefix, f"{name}: {key!r} belongs elsewhere"
        home, fingerprint = divmod(h % REMAINDERS, FINGERPRINTS)
        assert segment.fingerprints[slot] == fingerprint + 1, f"{name}: {key!r} has a wrong fingerprint"
        near = 0 <= slot - home * BUCKET_SLOTS < NEAR_SLOTS
        assert near or slot >= STASH_START, f"{name}: {key!r} of home {home} lies in slot {slot}"
        if slot - home * BUCKET_SLOTS >= NEAR_SLOTS:
            counted.overflow[<Py_ssize_t> home] += 1
        assert (slot >= SEGMENT_SLOTS) == (key in spill), f"{name}: {key!r} and the spill index"
        if slot >= SEGMENT_SLOTS:
            assert spill.pop(key) == slot, f"{name}: {key!r} is indexed elsewhere"
        if record.deadline:
            assert record.deadline > 0, f"{name}: {key!r} has deadline {record.deadline}"
            assert segment.soonest <= record.deadline, f"{name}: {key!r} expires before `soonest`"
            assert is_noted(segment, slot, record.deadline), f"{name}: the second of {key!r} is wrong"
    taken.sort()
    taken.append((segment.used, 0))
    for (place, length), (following, _) in zip(taken, taken[1:]):
        assert place + length <= following, f"{name}: {length} bytes at {place} reach into those at {following}"
    if segment.dues is not NULL:
        noted = sum([segment.dues[slot] != NEVER for slot in range(segment.slots)])
        assert noted == segment.expiring, f"{name}: {noted} seconds of {segment.expiring} deadlines"
    assert not spill, f"{name}: the spill index names keys that are not there"
    assert segment.count == len(seen), f"{name}: count is {segment.count}, records are {len(seen)}"
    assert segment.expiring == counted.expiring, f"{name}: {segment.expiring} deadlines, found {counted.expiring}"
    assert segment.objects == counted.objects, f"{name}: {segment.objects} objects, found {counted.objects}"
    assert segment.used - segment.garbage == size, f"{name}: {segment.used - segment.garbage} bytes, found {size}"
    for bucket in range(HOME_BUCKETS):
        assert segment.overflow[bucket] == counted.overflow[bucket], f"{name}: overflow count of home {bucket}"
    sums.live += size
    sums.allocated += sizeof(Segment) + BLOCK_OVERHEAD
    if segment.slots:
        sums.allocated += SLOT_BYTES * <int64_t> segment.slots + BLOCK_OVERHEAD
    if segment.heap is not NULL:
        sums.allocated += heap_overhead(segment.capacity)
    if segment.ghosts is not NULL:
        sums.allocated += GHOST_BYTES + BLOCK_OVERHEAD
    if segment.dues is not NULL:
        sums.allocated += <int64_t> segment.slots + BLOCK_OVERHEAD
    sums.garbage += segment.garbage
    return 0
