# cython: cdivision=True
"""The segments of a compiled Dash table: where a hash belongs, and how segments grow, split, merge, and are cut.

The lower half of the compiled table. `_dash.pyx` derives the table from it and adds what is done to records by their
keys; here is what is done to segments, and what that needs: taking records out, since a segment that is full first
collects what has expired in it, and cuts, since records that are to move have to be handed out first.

Why so is told by the reference, `nogil_df.shard.dash`; where records lie by `_segment.pxd`.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from nogil_df.base._xxh3 cimport LONGEST, xxh3
from nogil_df.shard._pages cimport drop_pages
from nogil_df.shard._record cimport (
    KIND, OBJECT, PyBytes_CheckExact, PyObject, Record, key_object, load_object, read_record, value_object,
)
from nogil_df.shard._segment cimport (
    BUCKET_SLOTS,
    GHOST_BYTES,
    HEAP_MOST,
    NEVER,
    Py_DECREF,
    SEGMENT_SLOTS,
    STASH_START,
    Segment,
    any_used,
    compact,
    count_objects,
    find_due,
    free_segment,
    free_slot,
    home_of,
    leave_hole,
    live_bytes,
    need_ghosts,
    new_segment,
    record_at,
    reserve,
    set_slots,
    settle,
    tidy,
    trim,
    vacate,
    waste,
)

from nogil_df.base.hashing import hash_key as python_xxh3
from nogil_df.shard.ages import translation

cdef enum:
    ENTRIES_PER_SEGMENT = 16


cdef class BucketTaker:
    """What a cut may hand its buckets to instead of a Python callable. Without a `take` of its own it does nothing."""

    cdef int take(self, Segment *segment, Py_ssize_t start, uint32_t but) except -1:
        return 0


cdef class Directory:
    """The segments of a table, and what keeps them the right ones: see the head of this file."""

    def __cinit__(self):
        self.directory = NULL
        memset(&self.totals, 0, sizeof(self.totals))

    def __init__(self, tick, on_expired=None, *, hash_key=python_xxh3, bytearray uses=None):
        self.tick = tick
        self.on_expired = on_expired
        self.hash_key = hash_key
        self.plain_hash = hash_key is python_xxh3
        self.cuts = []
        self.last_cut = self.cut_version = 0
        self.aging = translation
        self.uses = bytearray(256) if uses is None else uses
        if len(self.uses) != 256:
            raise ValueError("256 levels are needed")
        self.fresh = self.known = 0
        self.expired_quietly = 0
        self.end()
        self.begin()

    def __dealloc__(self):
        self.end()

    cdef int begin(self) except -1:
        """Begin with one segment without memory."""
        memset(self.depths, 0, sizeof(self.depths))
        self.bits = 0
        self.count = self.expiring = 0
        self.freed = 0
        self.aging_from = self.aging_to = 0
        self.segments = 0
        self.directory = <Segment **> calloc(1, sizeof(Segment *))
        if self.directory is NULL:
            raise MemoryError
        self.directory[0] = new_segment(0, 0, &self.totals)
        self.segments = self.depths[0] = 1
        return 0

    cdef void end(self) noexcept:
        """Free everything."""
        cdef uint64_t position = 0
        cdef Segment *segment
        if self.directory is NULL:
            return
        # Heaps need not be given back one by one.
        self.totals.pages.closing = True
        while position < PREFIXES and self.segments:
            segment = self.segment_at(position)
            position = end_of(segment)
            free_segment(segment, &self.totals)
        drop_pages(&self.totals.pages)
        free(self.directory)
        self.directory = NULL

    cdef int64_t now(self) except? -1:
        return self.tick.ms

    cdef uint64_t hash_of(self, const char *key, Py_ssize_t size) except? 0:
        """The hash of a key. Runs Python code if it is not XXH3, or the key long."""
        if self.plain_hash and size <= LONGEST:
            return xxh3(key, size)
        return self.hash_key(key[:size])

    cdef uint64_t hash_at(self, Segment *segment, Py_ssize_t slot) except? 0:
        cdef Record record
        read_record(record_at(segment, slot), &record)
        return self.hash_of(record.key, record.key_size)

    # -- removing ----------------------------------------------------------------------------------------

    cdef int take_out(self, Segment *segment, Py_ssize_t slot, uint64_t h) except -1:
        """Take a record out and leave its bytes as garbage; `tidy_up` is due afterwards."""
        cdef Record record
        cdef PyObject *dropped = NULL
        if self.cut_version:
            self.before_write(segment, slot)
        read_record(record_at(segment, slot), &record)
        if record.flags & KIND == OBJECT:
            dropped = load_object(record.value)
        vacate(segment, slot, h, &record)
        count_objects(segment, &record, -1, &self.totals)
        self.expiring -= record.deadline > 0
        waste(segment, record.size, &self.totals)
        leave_hole(segment, slot, record.size)
        self.count -= 1
        if record.key_object is not NULL:
            Py_DECREF(record.key_object)
        if dropped is not NULL:
            Py_DECREF(dropped)
        return 0

    cdef int remove(self, Segment *segment, Py_ssize_t slot, uint64_t h) except -1:
        """Take a record out, and garbage if there is enough of it."""
        self.take_out(segment, slot, h)
        self.tidy_up(segment)
        return 0

    cdef int tidy_up(self, Segment *segment) except -1:
        """What is due when records have been taken out."""
        if segment.slots > SEGMENT_SLOTS:
            trim(segment, &self.totals)
        tidy(segment, &self.totals, True)
        return 0

    cdef Py_ssize_t collect(self, Segment *segment, int64_t now, bint quietly=False) except -1:
        """Take the expired records out of a segment; how many.

        Runs `on_expired` for each; or, if that is to be done `quietly`, for those that are not strings, and adds the
        others to `expired_quietly`. O(slots), mostly O(1).
        """
        cdef uint32_t *due
        cdef uint32_t found, index
        if not segment.expiring or segment.soonest >= now:
            return 0
        due = <uint32_t *> malloc(segment.slots * sizeof(uint32_t))
        try:
            if due is NULL:
                raise MemoryError
            found = find_due(segment, now, due)
            for index in range(found):
                self.report_expired(segment, due[index], quietly)
        finally:
            free(due)
        if found:
            self.tidy_up(segment)
        return found

    cdef int report_expired(self, Segment *segment, Py_ssize_t slot, bint quietly) except -1:
        """Take a record out that has expired, and say so."""
        cdef Record record
        cdef uint64_t h
        read_record(record_at(segment, slot), &record)
        h = self.hash_of(record.key, record.key_size)
        if quietly and (record.flags & KIND != OBJECT or PyBytes_CheckExact(load_object(record.value))):
            self.take_out(segment, slot, h)
            self.expired_quietly += 1
            return 0
        key, value = key_object(&record), value_object(&record)
        self.take_out(segment, slot, h)
        if self.on_expired is not None:
            self.on_expired(key, h, value)
        return 0

    cdef int expire(self, Segment *segment, Py_ssize_t slot, uint64_t h) except -1:
        """Take out a record that was found to be expired. Runs `on_expired`."""
        cdef Record record
        read_record(record_at(segment, slot), &record)
        key, value = key_object(&record), value_object(&record)
        self.remove(segment, slot, h)
        if segment.count % MERGE_CHECK_EVERY == 0:
            self.shrink(segment, MERGE_EMPTIED_BELOW)
        if self.on_expired is not None:
            self.on_expired(key, h, value)
        return 0

    # -- ages --------------------------------------------------------------------------------------------

    cdef int make_older(self, Segment *segment) except -1:
        """Move the ages of a segment on to the present second."""
        cdef int64_t now = self.now() // 1000
        cdef uint32_t slot
        cdef bytes made
        if segment.aged_at < now and segment.count:
            if self.aging_from != segment.aged_at or self.aging_to != now:
                made = self.aging(segment.aged_at, now)
                memcpy(self.older, PyBytes_AS_STRING(made), 256)
                self.aging_from, self.aging_to = segment.aged_at, now
            for slot in range(segment.slots):
                segment.ages[slot] = self.older[segment.ages[slot]]
        segment.aged_at = now
        return 0

    # -- growing and shrinking -----------------------------------------------------------------------------

    cdef Segment *make_room(self, Segment *segment, uint64_t h) except NULL:
        """Make a place for a key with hash `h` in its full segment; the segment to try next."""
        if self.collect(segment, self.now()):
            return segment
        if self.may_split(segment):
            self.split(segment)
            return self.segment_of(h)
        set_slots(segment, segment.slots + BUCKET_SLOTS, &self.totals)
        return segment

    cdef bint may_split(self, Segment *segment) noexcept:
        """Whether it fits the directory, or the directory may double: it must not outgrow its segments."""
        if segment.depth < self.bits:
            return True
        return segment.depth < PREFIX_BITS and (<int64_t> 2 << self.bits) <= ENTRIES_PER_SEGMENT * self.segments

    cdef int set_bits(self, int bits) except -1:
        """Let the directory have that depth, one more or one less than now. O(entries)."""
        cdef int64_t entries = <int64_t> 1 << bits
        cdef int64_t index
        cdef Segment **directory = <Segment **> malloc(entries * sizeof(Segment *))
        if directory is NULL:
            raise MemoryError
        for index in range(entries):
            directory[index] = self.directory[index >> 1 if bits > self.bits else index << 1]
        free(self.directory)
        self.directory = directory
        self.bits = bits
        return 0

    cdef void point_to(self, Segment *segment) noexcept:
        """Let the directory name this segment wherever its prefix says so."""
        cdef int shift = self.bits - segment.depth
        cdef int64_t first = segment.prefix << shift
        cdef int64_t index
        for index in range(first, first + (<int64_t> 1 << shift)):
            self.directory[index] = segment

    cdef int split(self, Segment *segment) except -1:
        """Split one segment in two. O(slots + bytes of the heap)."""
        cdef int depth = segment.depth + 1
        cdef uint64_t bit = <uint64_t> 1 << 64 - depth
        cdef Moved *moved_ones
        cdef Segment *sibling
        if self.cut_version:
            self.hand_out_segment(segment)
        if depth > self.bits:
            self.set_bits(depth)
        sibling = new_segment(depth, segment.prefix << 1 | 1, &self.totals)
        moved_ones = <Moved *> malloc(segment.slots * sizeof(Moved))
        try:
            if moved_ones is NULL:
                raise MemoryError
            self.divide(segment, sibling, bit, moved_ones)
            if self.cut_version:  # all these records have been handed out, wherever they are now
                stamp_all(segment, self.cut_version)
                stamp_all(sibling, self.cut_version)
        finally:
            free(moved_ones)
            self.depths[depth - 1] -= 1
            self.depths[depth] += 2
            self.segments += 1
            segment.depth = depth
            segment.prefix <<= 1
            self.point_to(sibling)
        compact(segment, 0, &self.totals, True)
        return 0

    cdef int divide(self, Segment *segment, Segment *sibling, uint64_t bit, Moved *hashed) except -1:
        """Move the records whose hashes have a bit set to the sibling, and place those of the stash anew."""
        cdef uint32_t slot, leaving = 0, at
        cdef uint32_t slots = segment.slots
        cdef Record record
        cdef Segment *target
        for slot in range(slots):
            if segment.fingerprints[slot]:
                read_record(record_at(segment, slot), &record)
                hashed[slot].h = self.hash_of(record.key, record.key_size)
                hashed[slot].place = segment.places[slot]
                hashed[slot].age = segment.ages[slot]
                if hashed[slot].h & bit:
                    leaving += record.size
            else:
                hashed[slot].h = 0
                hashed[slot].place = <uint32_t> -1
        sibling.aged_at = segment.aged_at
        sibling.due_from = segment.due_from
        if segment.ghosts is not NULL:
            need_ghosts(sibling, &self.totals)
            memcpy(sibling.ghosts, segment.ghosts, GHOST_BYTES)
        if leaving:
            set_slots(sibling, SEGMENT_SLOTS, &self.totals)
            reserve(sibling, leaving, &self.totals)
        for slot in range(STASH_START):
            if hashed[slot].h & bit and segment.fingerprints[slot]:
                at = self.carry(segment, sibling, hashed[slot].place)
                settle(sibling, slot, hashed[slot].h, at, hashed[slot].age, &self.totals)
                vacate(segment, slot, hashed[slot].h, NULL)
        for slot in range(STASH_START, slots):
            if segment.fingerprints[slot]:
                segment.fingerprints[slot] = 0
                segment.count -= 1
        if segment.dues is not NULL:
            memset(segment.dues + STASH_START, NEVER, slots - STASH_START)
        memset(segment.overflow, 0, sizeof(segment.overflow))
        if segment.spill is not NULL:
            (<dict> segment.spill).clear()
        trim(segment, &self.totals)
        for slot in range(STASH_START, slots):
            if hashed[slot].place == <uint32_t> -1:
                continue
            target, at = segment, hashed[slot].place
            if hashed[slot].h & bit:
                target = sibling
                at = self.carry(segment, sibling, at)
            self.place(target, hashed[slot].h, at, hashed[slot].age)
        return 0

    cdef uint32_t carry(self, Segment *segment, Segment *other, uint32_t place) noexcept:
        """Copy a record, and what it owns, to the heap of another segment that has room; its place there."""
        cdef Record record
        cdef uint32_t target = other.used
        read_record(segment.heap + place, &record)
        memcpy(other.heap + target, segment.heap + place, record.size)
        other.used += record.size
        self.totals.live += record.size
        waste(segment, record.size, &self.totals)
        count_objects(segment, &record, -1, &self.totals)
        count_objects(other, &record, 1, &self.totals)
        return target

    cdef int place(self, Segment *segment, uint64_t h, uint32_t at, uint8_t age) except -1:
        """Find a slot for a record in the heap, in a spill bucket if need be."""
        cdef uint32_t home = home_of(h)
        cdef Py_ssize_t slot = free_slot(segment, home, &self.totals)
        if slot < 0:
            set_slots(segment, segment.slots + BUCKET_SLOTS, &self.totals)
            slot = free_slot(segment, home, &self.totals)
        settle(segment, slot, h, at, age, &self.totals)
        return 0

    cdef int shrink(self, Segment *segment, uint32_t below=MERGE_BELOW) except -1:
        """Merge a segment with its buddy if both together hold less, and the result again, and so on."""
        cdef Segment *buddy
        while segment.count < below and segment.depth and not self.cut_version:
            buddy = self.directory[(segment.prefix ^ 1) << self.bits - segment.depth]
            if (
                buddy.depth != segment.depth
                or segment.count + buddy.count >= below
                or live_bytes(segment) + live_bytes(buddy) > HEAP_MOST - (HEAP_MOST >> 3)
            ):
                return 0
            if buddy.count > segment.count:
                segment, buddy = buddy, segment
            self.make_older(segment)
            self.make_older(buddy)
            self.absorb(segment, buddy)
            self.depths[segment.depth] -= 2
            segment.depth -= 1
            segment.prefix >>= 1
            self.depths[segment.depth] += 1
            self.segments -= 1
            self.point_to(segment)
            free_segment(buddy, &self.totals)
            while not self.depths[self.bits]:
                self.set_bits(self.bits - 1)
        return 0

    cdef int absorb(self, Segment *segment, Segment *buddy) except -1:
        """Take in every record of `buddy`, which has none afterwards. O(slots)."""
        cdef uint32_t slot, at
        cdef uint64_t h
        cdef uint8_t age
        reserve(segment, buddy.used - buddy.garbage, &self.totals)
        if not segment.slots:
            set_slots(segment, SEGMENT_SLOTS, &self.totals)
        if segment.dues is NULL:
            segment.due_from = buddy.due_from
        for slot in range(buddy.slots):
            if not buddy.fingerprints[slot]:
                continue
            h, age = self.hash_at(buddy, slot), buddy.ages[slot]
            at = self.carry(buddy, segment, buddy.places[slot])
            buddy.fingerprints[slot] = 0
            buddy.count -= 1
            if slot < STASH_START and not segment.fingerprints[slot]:
                settle(segment, slot, h, at, age, &self.totals)
            else:
                self.place(segment, h, at, age)
        return 0

    # -- cuts ----------------------------------------------------------------------------------------------

    def cut(self, uint64_t version, on_change):
        """Begin a point-in-time view of the table as it is now. ValueError if `version` is not the newest. O(1)."""
        if version <= self.last_cut:
            raise ValueError(f"cut {version} is not newer than {self.last_cut}")
        self.last_cut = self.cut_version = version
        self.cuts.append((version, on_change))

    def cut_step(self, uint64_t version, position):
        """Hand out the next bucket of a cut that has not been yet; where to go on, -1 at the end."""
        cdef uint64_t prefix = position >> 64
        cdef uint32_t bucket = position & 0xFFFF_FFFF
        cdef Segment *segment
        while prefix < PREFIXES:
            segment = self.segment_at(prefix)
            while bucket < segment.slots // BUCKET_SLOTS:
                handed_out = self.hand_out(segment, bucket, version)
                bucket += 1
                if handed_out:
                    return <object> prefix << 64 | bucket
            prefix = end_of(segment)
            bucket = 0
        return -1

    cdef bint hold(self, uint64_t version, Segment *segment, Py_ssize_t slot) except -1:
        """Let a record that `cut_step` has just handed out count as not handed out. False if a newer cut is there."""
        cdef uint64_t *stamp
        if len(self.cuts) > 1 or self.cut_version != version:
            return False
        need_stamps(segment, slot // BUCKET_SLOTS + 1)
        stamp = &segment.stamps[slot // BUCKET_SLOTS]
        if not stamp[0] & PARTLY:
            stamp[0] |= PARTLY | SLOTS_GIVEN
        stamp[0] &= ~(<uint64_t> 1 << slot % BUCKET_SLOTS)
        return True

    def end_cut(self, uint64_t version):
        """End a cut, finished or given up. ValueError if there is no such cut."""
        cuts = [cut for cut in self.cuts if cut[0] != version]
        if len(cuts) == len(self.cuts):
            raise ValueError(f"there is no cut {version}")
        self.cuts = cuts
        self.cut_version = cuts[-1][0] if cuts else 0

    cdef int before_write(self, Segment *segment, Py_ssize_t slot) except -1:
        """Hand out what is in a slot that is about to change, to every cut that has not got it."""
        cdef uint32_t bucket = slot // BUCKET_SLOTS
        cdef uint32_t bit = 1 << slot % BUCKET_SLOTS
        cdef uint64_t version = self.cut_version
        cdef uint64_t stamp
        if len(self.cuts) > 1:
            self.hand_out(segment, bucket, version)
            return 0
        need_stamps(segment, bucket + 1)
        stamp = segment.stamps[bucket]
        if stamp >> STAMP_SHIFT < version:
            stamp = version << STAMP_SHIFT | PARTLY
        elif not stamp & PARTLY:
            return 0
        if not stamp & bit:
            segment.stamps[bucket] = stamp | bit
            if segment.fingerprints[slot]:
                self.give(self.cuts[0][1], segment, bucket * BUCKET_SLOTS, ~bit)
        return 0

    cdef int give(self, on_change, Segment *segment, Py_ssize_t start, uint32_t but) except -1:
        """Hand records of a bucket to a cut, except those in the slots whose bits are set in `but`."""
        cdef list records
        if isinstance(on_change, BucketTaker):
            (<BucketTaker> on_change).take(segment, start, but)
            return 0
        records = self.records(segment, start, start + BUCKET_SLOTS, True, but)
        if records:
            on_change(records)
        return 0

    cdef int hand_out_segment(self, Segment *segment) except -1:
        """Hand out all buckets of a segment to every cut, so that its records may move."""
        cdef uint32_t bucket
        for bucket in range(segment.slots // BUCKET_SLOTS):
            self.hand_out(segment, bucket, self.cut_version)
        return 0

    cdef bint hand_out(self, Segment *segment, uint32_t bucket, uint64_t version) except -1:
        """Stamp a bucket with `version`; give its records to the cuts up to that which have not got them.

        Whether any records were given. Runs the callbacks of cuts.
        """
        cdef uint64_t stamp, seen
        cdef uint32_t got
        cdef Py_ssize_t start = bucket * BUCKET_SLOTS
        cdef bint given = False
        need_stamps(segment, bucket + 1)
        stamp = segment.stamps[bucket]
        seen = stamp >> STAMP_SHIFT
        got = stamp & SLOTS_GIVEN if stamp & PARTLY else SLOTS_GIVEN
        if seen >= version and got == SLOTS_GIVEN:
            return False
        segment.stamps[bucket] = version << STAMP_SHIFT
        if not any_used(segment, start):
            return False
        # The cut that has got some of them was alone when it did: none that is older goes on.
        for cut_version, on_change in self.cuts:
            if seen < cut_version <= version:
                self.give(on_change, segment, start, 0)
                given = True
            elif cut_version == seen and any_other(segment, start, got):
                self.give(on_change, segment, start, got)
                given = True
        return given

    cdef list records(self, Segment *segment, Py_ssize_t start, Py_ssize_t end, bint aged, uint32_t but=0):
        """The records in a range of slots, with their ages if that is wanted.

        Not those in the slots whose bits are set in `but`, the lowest one for the first slot of 14.
        """
        cdef list found = []
        cdef Record record
        cdef Py_ssize_t slot
        for slot in range(start, end):
            if segment.fingerprints[slot] and not (but and but >> slot - start & 1):
                read_record(record_at(segment, slot), &record)
                key, value = key_object(&record), value_object(&record)
                if aged:
                    found.append((key, value, record.deadline, segment.ages[slot]))
                else:
                    found.append((key, value, record.deadline))
        return found


cdef int need_stamps(Segment *segment, uint32_t buckets) except -1:
    """Make sure that so many buckets have a stamp; new ones are 0."""
    cdef uint64_t *stamps
    if segment.stamped >= buckets:
        return 0
    buckets = max(buckets, segment.slots // BUCKET_SLOTS)
    stamps = <uint64_t *> realloc(segment.stamps, buckets * sizeof(uint64_t))
    if stamps is NULL:
        raise MemoryError
    memset(stamps + segment.stamped, 0, (buckets - segment.stamped) * sizeof(uint64_t))
    segment.stamps = stamps
    segment.stamped = buckets
    return 0


cdef bint any_other(Segment *segment, Py_ssize_t start, uint32_t but) noexcept:
    """Whether a bucket holds a record in a slot whose bit is not set in `but`."""
    cdef uint32_t place
    for place in range(BUCKET_SLOTS):
        if segment.fingerprints[start + place] and not but >> place & 1:
            return True
    return False


cdef int stamp_all(Segment *segment, uint64_t version) except -1:
    """Let every bucket have been handed out."""
    cdef uint32_t bucket
    if segment.slots:
        need_stamps(segment, segment.slots // BUCKET_SLOTS)
        for bucket in range(segment.stamped):
            segment.stamps[bucket] = version << STAMP_SHIFT
    return 0
