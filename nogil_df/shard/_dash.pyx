# cython: cdivision=True
"""The Dash table, compiled: the twin of `nogil_df.shard.dash`, which says what it is and what each method does.

Contents, order of a traversal, cuts, expiry, ages and ranks are those of the reference; a test drives both side by
side. What differs is where records lie: keys and strings are packed into one block of memory a segment
(`_segment.pxd`), so strings are copied in and out, and the key that comes out is not the object that went in. Any
other value is kept as the object it is.

The table counts the memory of its keys and strings itself: `memory_usage` holds all of them, and
`nogil_df.shard.memory` adds what other values take.

The owner thread alone uses a table, as with the reference; nothing here takes a lock, and only the functions that
say so run Python code (callbacks, the clock, a hash function other than XXH3).
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_CheckExact, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from nogil_df.base._words cimport format_integer, load_integer, store_integer, width_of
from nogil_df.shard._directory cimport MERGE_CHECK_EVERY, MERGE_EMPTIED_BELOW, PREFIX_BITS, PREFIXES, Directory, end_of
from nogil_df.shard._record cimport (
    HAS_DEADLINE,
    INTEGER,
    KIND,
    OBJECT,
    OUTSIDE,
    PyBytes_CheckExact,
    PyObject,
    Py_INCREF,
    Record,
    STRING,
    Value,
    WIDTH,
    WIDTH_SHIFT,
    any_value,
    bytes_of_value,
    deadline_at,
    head_size,
    key_object,
    load_object,
    number_value,
    read_record,
    string_value,
    value_object,
    write_head,
    write_value,
)
from nogil_df.shard._segment cimport (
    BLOCK_OVERHEAD,
    BUCKET_SLOTS,
    HEAP_MOST,
    HOME_BUCKETS,
    NEAR_SLOTS,
    Py_DECREF,
    SEGMENT_SLOTS,
    SLOT_BYTES,
    SPARSE,
    STASH_START,
    Segment,
    Totals,
    append_record,
    count_objects,
    drop_ghosts,
    empty_segment,
    fill_hole,
    find_slot,
    free_slot,
    give_back,
    has_hole,
    heap_overhead,
    home_of,
    lay_ghost,
    live_bytes,
    note_due,
    record_at,
    reserve,
    rest,
    settle,
    tidy,
    waste,
)

from nogil_df.shard._dash_check import layout, verify
from nogil_df.shard._segment_view import SegmentView
from nogil_df.shard.ages import moved, seconds, translation

__all__ = ["DashTable"]

cdef enum:
    RANDOM_TRIES = 32
    SKIP_FACTOR = 64
    TABLE_OVERHEAD = 800  # of the object itself
    MANY = 200  # segments, some MB, from which on it is worth asking malloc for what they leave behind


@cython.final
cdef class DashTable(Directory):
    """Keys to values, with deadlines; see `nogil_df.shard.dash.DashTable`."""

    deadline_bytes = 8

    # -- for other compiled modules ------------------------------------------------------------------------

    cdef int find_string(
        self, const char *key, Py_ssize_t size, uint64_t h, const char **data, Py_ssize_t *length
    ) except -1:
        """Read a string, as `get`. 0: absent, 1: `data` and `length` are its bytes, 2: another type. O(1)."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = find_slot(segment, key, size, h)
        cdef Record record
        cdef PyObject *value
        cdef int kind
        if slot < 0:
            return 0
        read_record(record_at(segment, slot), &record)
        if record.deadline and record.deadline < self.now():
            self.expire(segment, slot, h)
            return 0
        kind = record.flags & KIND
        if kind == STRING:
            data[0] = record.value
            length[0] = record.value_size
        elif kind == INTEGER:
            data[0] = format_integer(
                load_integer(record.value, (record.flags & WIDTH) >> WIDTH_SHIFT), self.scratch, length
            )
        else:
            value = load_object(record.value)
            if PyBytes_CheckExact(value):
                data[0] = PyBytes_AS_STRING(<object> value)
                length[0] = PyBytes_GET_SIZE(<object> value)
            elif PyByteArray_CheckExact(<object> value):
                # A string that was changed in place; one with Memcached's flags is of another class.
                data[0] = PyByteArray_AS_STRING(<object> value)
                length[0] = PyByteArray_GET_SIZE(<object> value)
            else:
                return 2
        self.use(segment, slot)
        return 1

    cdef int put_string(
        self, const char *key, Py_ssize_t size, uint64_t h, const char *data, Py_ssize_t length, int64_t deadline
    ) except -1:
        """Insert or overwrite a string, as `put`. 0: the key is new, 1: a string was replaced, 2: nothing was done
        because there is a value of another type, which somebody may have to be told of. O(1), amortised.
        """
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = find_slot(segment, key, size, h)
        cdef Record record
        cdef Value value
        cdef bytes outside
        if slot >= 0:
            read_record(record_at(segment, slot), &record)
            if record.flags & KIND == OBJECT and not PyBytes_CheckExact(load_object(record.value)):
                return 2
        if length >= OUTSIDE:
            outside = data[:length]
            any_value(&value, <PyObject *> outside)
        else:
            string_value(&value, data, length)
        return self.write(key, size, h, &value, deadline, NULL)

    cdef int add_integer(
        self, const char *key, Py_ssize_t size, uint64_t h, int64_t delta, int64_t *result
    ) except -1:
        """Add to a string that is an integer. 0: absent, 1: `result` is the sum, 2: it is none, 3: the sum would not
        fit 64 bits. The deadline stays. O(1).
        """
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = find_slot(segment, key, size, h)
        cdef Record record
        cdef Value value
        cdef int64_t number
        cdef int width
        if slot < 0:
            return 0
        read_record(record_at(segment, slot), &record)
        if record.deadline and record.deadline < self.now():
            self.expire(segment, slot, h)
            return 0
        if record.flags & KIND != INTEGER:
            return 2
        width = (record.flags & WIDTH) >> WIDTH_SHIFT
        number = load_integer(record.value, width)
        if (delta > 0 and number > INT64_MAX - delta) or (delta < 0 and number < -INT64_MAX - 1 - delta):
            return 3
        number += delta
        if self.cut_version:
            self.before_write(segment, slot)
        self.use(segment, slot)
        if width_of(number) <= width:
            store_integer(record.value, width, number)
        else:
            number_value(&value, number)
            self.rewrite(segment, slot, &record, &value, record.deadline)
        result[0] = number
        return 1

    # -- one record ----------------------------------------------------------------------------------------

    cpdef get(self, bytes key, uint64_t h):
        """The value, or None if `key` is absent. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate_live(key, h, &segment)
        cdef Record record
        if slot < 0:
            return None
        read_record(record_at(segment, slot), &record)
        self.use(segment, slot)
        return value_object(&record)

    cpdef put(self, bytes key, uint64_t h, value, int64_t deadline=0):
        """Insert or overwrite; the old value, or None if `key` was absent. `deadline` > 0 sets, 0 clears, -1 keeps it.

        O(1), amortised.
        """
        cdef Value packed
        cdef PyObject *old = NULL
        if key is None or value is None:
            raise TypeError("a key is bytes, and a value is not None")
        any_value(&packed, <PyObject *> value)
        self.write(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h, &packed, deadline, &old)
        if old is NULL:
            return None
        replaced = <object> old
        Py_DECREF(old)
        return replaced

    def replace(self, bytes key not None, uint64_t h, value not None):
        """Overwrite the value of a record that is there, expired or not; its deadline stays. False if absent. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate(key, h, &segment)
        cdef Record record
        cdef Value packed
        if slot < 0:
            return False
        if self.cut_version:
            self.before_write(segment, slot)
        any_value(&packed, <PyObject *> value)
        read_record(record_at(segment, slot), &record)
        self.use(segment, slot)
        self.rewrite(segment, slot, &record, &packed, record.deadline)
        return True

    cpdef erase(self, bytes key, uint64_t h):
        """Take the record out; its value, or None if `key` was absent. O(1), amortised."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate_live(key, h, &segment)
        cdef Record record
        if slot < 0:
            return None
        read_record(record_at(segment, slot), &record)
        value = value_object(&record)
        self.remove(segment, slot, h)
        if segment.count % MERGE_CHECK_EVERY == 0:
            self.shrink(segment)
        return value

    def evict_strings(self, list chosen not None, int64_t goal, in_use=None):
        """Take records out that were chosen to go: (key, level), from the end of the list on. O(records).

        Those that are not on that level any more stay, and those of which `in_use(h)` says that they must. Ends when so many bytes are free, or at a value that is not
        a string, which is left on the list, as others have to account for it.

        Returns:
            How many bytes are free now that were not, and how many records went.
        """
        cdef Segment *segment
        cdef Py_ssize_t slot
        cdef Py_ssize_t evicted = 0
        cdef Record record
        cdef int64_t before = self.memory_usage()
        cdef int64_t freed = 0
        cdef bytes key
        cdef uint64_t h
        cdef int level
        while chosen and freed < goal:
            key, level = chosen[-1]
            h = self.hash_of(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
            slot = self.locate_live(key, h, &segment)
            if slot >= 0 and segment.ages[slot] == level and (in_use is None or not in_use(h)):
                read_record(record_at(segment, slot), &record)
                if record.flags & KIND == OBJECT and not PyBytes_CheckExact(load_object(record.value)):
                    break
                self.remove(segment, slot, h)
                if segment.count % MERGE_CHECK_EVERY == 0:
                    self.shrink(segment, MERGE_EMPTIED_BELOW)
                evicted += 1
                freed = before - self.memory_usage()
            chosen.pop()
        return freed, evicted

    cpdef peek(self, bytes key, uint64_t h):
        """The value even if it has expired, which is not acted upon; None if `key` is absent. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate(key, h, &segment)
        cdef Record record
        if slot < 0:
            return None
        read_record(record_at(segment, slot), &record)
        return value_object(&record)

    cpdef look(self, bytes key, uint64_t h):
        """As `get`, but does not count as a use of the record. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate_live(key, h, &segment)
        cdef Record record
        if slot < 0:
            return None
        read_record(record_at(segment, slot), &record)
        return value_object(&record)

    def level(self, bytes key not None, uint64_t h):
        """The byte that tells how a record was used, as it stands; -1 if absent. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate_live(key, h, &segment)
        return -1 if slot < 0 else segment.ages[slot]

    def age(self, bytes key not None, uint64_t h):
        """How long the record has not been used, or what else the eviction policy keeps; -1 if absent. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate_live(key, h, &segment)
        if slot < 0:
            return -1
        level = segment.ages[slot]
        now = self.now() // 1000
        if now <= segment.aged_at:
            return level
        if self.aging is not translation:
            return self.aging(segment.aged_at, now)[level]
        return moved(level, segment.aged_at, now) if level else 0

    def idle_seconds(self, bytes key not None, uint64_t h):
        """Seconds since the record was used, in `age`'s resolution; -1 if absent. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate_live(key, h, &segment)
        if slot < 0:
            return -1
        level = segment.ages[slot]
        if level == 0:
            return 0
        return seconds(level) + max(0, self.now() // 1000 - segment.aged_at)

    def set_age(self, bytes key not None, uint64_t h, uint8_t level):
        """Let a record that is there have an age, a level of `nogil_df.shard.ages`. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate_live(key, h, &segment)
        self.make_older(segment)
        if slot >= 0:
            segment.ages[slot] = level

    def deadline(self, bytes key not None, uint64_t h):
        """The deadline of `key`: unix ms, 0 if it has none, -1 if the key is absent. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate_live(key, h, &segment)
        return -1 if slot < 0 else deadline_at(record_at(segment, slot))

    def set_deadline(self, bytes key not None, uint64_t h, int64_t ms):
        """Set (`ms` > 0, may lie in the past) or clear (0) the deadline of `key`. False if absent. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate_live(key, h, &segment)
        if slot < 0:
            return False
        if self.cut_version:
            self.before_write(segment, slot)
        self.change_deadline(segment, slot, ms)
        return True

    cpdef before_change(self, bytes key, uint64_t h):
        """Tell the table that the value of `key` is about to be changed in place. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot
        if self.cut_version:
            slot = self.locate(key, h, &segment)
            if slot >= 0:
                self.before_write(segment, slot)

    def hold_back(self, uint64_t version, bytes key not None, uint64_t h):
        """Let a record that `cut_step` has just handed out count as not handed out, and pass over it. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate(key, h, &segment)
        return slot >= 0 and self.hold(version, segment, slot)

    def let_go(self, uint64_t version, bytes key not None, uint64_t h):
        """Let a record that was held back, and has not been handed out since, count as handed out. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate(key, h, &segment)
        segment.stamps[slot // BUCKET_SLOTS] |= <uint64_t> 1 << slot % BUCKET_SLOTS

    def record_bytes(self, bytes key not None, uint64_t h):
        """Bytes that a record takes in the table, its slot and what it keeps outside the heap included; 0 if absent.

        What the segment takes beside its records counts in equal shares, as if it were half full at least. O(1).
        """
        cdef Segment *segment
        cdef Py_ssize_t slot = self.locate_live(key, h, &segment)
        cdef Record record
        cdef Segment counted
        cdef Totals sums
        if slot < 0:
            return 0
        memset(&sums, 0, sizeof(sums))
        memset(&counted, 0, sizeof(counted))
        read_record(record_at(segment, slot), &record)
        count_objects(&counted, &record, 1, &sums)
        shared = (
            sizeof(Segment) + segment.slots * (SLOT_BYTES + (segment.dues is not NULL)) + segment.garbage
            + heap_overhead(segment.capacity) + 2 * BLOCK_OVERHEAD
        )
        return record.size + sums.outside + shared // max(segment.count, <uint32_t> SEGMENT_SLOTS // 2)

    # -- the whole table -----------------------------------------------------------------------------------

    def __len__(self):
        """How many records there are, expired ones that nobody came across included. O(1)."""
        return self.count

    @property
    def capacity(self):
        """How many slots the segments have. O(1)."""
        return self.segments * SEGMENT_SLOTS

    cpdef int64_t memory_usage(self) noexcept:
        """Bytes that the table takes, keys and strings included; without garbage, as that gives way to new records and
        whoever takes records out must see the figure fall. O(1)."""
        if not self.count:
            return 0
        return (
            self.totals.allocated + self.totals.live + self.totals.outside
            + (sizeof(Segment *) << self.bits) + TABLE_OVERHEAD
        )

    cpdef int64_t payload(self):
        """Bytes of `memory_usage` that are records. O(1)."""
        return self.totals.live + self.totals.outside

    def clear(self):
        """Drop every record, unreported; cuts under way get all they have not got yet. O(n)."""
        cdef uint64_t position = 0
        cdef Segment *segment
        while self.cut_version and position < PREFIXES:
            segment = self.segment_at(position)
            self.hand_out_segment(segment)
            position = end_of(segment)
        self.end()
        self.begin()

    def free_step(self, Py_ssize_t budget):
        """Drop the records of up to `budget` segments, unreported; how many segments that were."""
        cdef Py_ssize_t freed = 0
        cdef Segment *segment
        while self.count and freed < budget:
            segment = self.segment_at(self.freed)
            if self.cut_version:
                self.hand_out_segment(segment)
            self.count -= segment.count
            self.expiring -= segment.expiring
            self.freed = end_of(segment) % PREFIXES
            empty_segment(segment, &self.totals)
            freed += 1
        if not self.count:
            many = self.segments > MANY
            self.end()
            self.begin()
            if many:
                give_back()
        return freed

    def items(self):
        """Every record (key, value, deadline), also expired ones. The table must not change meanwhile."""
        cdef uint64_t position = 0
        cdef Segment *segment
        while position < PREFIXES:
            segment = self.segment_at(position)
            position = end_of(segment)
            yield from self.records(segment, 0, segment.slots, False)

    def scan(self, uint64_t cursor):
        """One step of a traversal: the next cursor, and the unexpired keys of one home bucket. O(1)."""
        cdef uint64_t home = cursor >> PREFIX_BITS
        cdef uint64_t following
        cdef Segment *segment
        cdef Py_ssize_t slot, near
        cdef int64_t now = -1
        cdef Record record
        if not self.count or home >= HOME_BUCKETS:
            return 0, []
        segment = self.segment_at(cursor & PREFIXES - 1)
        found = []
        slot = home * BUCKET_SLOTS
        near = slot + NEAR_SLOTS
        while slot < segment.slots:
            if slot == near:
                # What does not lie near lies in the stash, if anything does.
                if not segment.overflow[home]:
                    break
                slot = max(slot, STASH_START)
                if slot >= segment.slots:
                    break
            if segment.fingerprints[slot]:
                read_record(record_at(segment, slot), &record)
                if home_of(self.hash_of(record.key, record.key_size)) == home:
                    if record.deadline and now < 0:
                        now = self.now()
                    if not record.deadline or record.deadline >= now:
                        found.append(key_object(&record))
            slot += 1
        following = end_of(segment)
        if following < PREFIXES:
            return home << PREFIX_BITS | following, found
        return (home + 1) % HOME_BUCKETS << PREFIX_BITS, found

    def random_key(self, rng):
        """An unexpired key, each about as likely as any other; None if there is none."""
        cdef Segment *segment
        cdef uint64_t position
        for _ in range(RANDOM_TRIES):
            if not self.count:
                return None
            segment = self.directory[<Py_ssize_t> rng.randrange(<int64_t> 1 << self.bits)]
            key = self.random_key_of(segment, rng)
            if key is not None:
                return key
        position = end_of(self.directory[<Py_ssize_t> rng.randrange(<int64_t> 1 << self.bits)]) % PREFIXES
        while self.count:
            segment = self.segment_at(position)
            position = end_of(segment) % PREFIXES
            self.collect(segment, self.now())
            key = self.random_key_of(segment, rng)
            if key is not None:
                return key
        return None

    cdef object random_key_of(self, Segment *segment, object rng):
        cdef Py_ssize_t slot = -1
        cdef Py_ssize_t left
        cdef Record record
        if not segment.count:
            return None
        for _ in range(RANDOM_TRIES):
            slot = rng.randrange(segment.slots)
            if segment.fingerprints[slot]:
                break
        else:
            left = rng.randrange(segment.count)
            slot = -1
            while left >= 0:
                slot += 1
                left -= segment.fingerprints[slot] != 0
        read_record(record_at(segment, slot), &record)
        if record.deadline and record.deadline < self.now():
            return None
        return key_object(&record)

    # -- expiry ------------------------------------------------------------------------------------------

    def collect_expired(self, Py_ssize_t budget, uint64_t position=0, bint quietly=False):
        """Active expiry, one slice: take expired records out of up to `budget` segments where any may be due.

        Returns the next position, 0 at the end of the table, and how many were taken out. Strings are not reported to
        `on_expired` if they are taken out `quietly`, but counted in `expired_quietly`.
        """
        cdef Segment *segment
        cdef int64_t now
        cdef Py_ssize_t collected = 0
        cdef Py_ssize_t passes = budget * SKIP_FACTOR
        if not self.expiring:
            return 0, 0
        now = self.now()
        while budget > 0 and passes > 0:
            passes -= 1
            segment = self.segment_at(position)
            position = end_of(segment)
            if segment.expiring and segment.soonest < now:
                budget -= 1
                collected += self.collect(segment, now, quietly)
                self.shrink(segment, MERGE_EMPTIED_BELOW)
            if position == PREFIXES:
                return 0, collected
        return position, collected

    cdef int change_deadline(self, Segment *segment, Py_ssize_t slot, int64_t deadline) except -1:
        """Set or clear (0) a deadline; a record that gets its first one moves to the end of the heap."""
        cdef char *at = record_at(segment, slot)
        cdef char *target
        cdef Record record
        cdef uint32_t size
        read_record(at, &record)
        size = record.size
        if record.deadline and deadline > 0:
            memcpy(at + 1, &deadline, 8)
        elif record.deadline:
            at[0] &= ~HAS_DEADLINE
            memmove(at + 1, at + 9, size - 9)
            waste(segment, 8, &self.totals)
            segment.expiring -= 1
            self.expiring -= 1
        elif deadline > 0:
            reserve(segment, size + 8, &self.totals)
            at = record_at(segment, slot)
            target = segment.heap + segment.used
            target[0] = at[0] | HAS_DEADLINE
            memcpy(target + 1, &deadline, 8)
            memcpy(target + 9, at + 1, size - 1)
            segment.places[slot] = segment.used
            segment.used += size + 8
            self.totals.live += size + 8
            waste(segment, size, &self.totals)
            segment.expiring += 1
            self.expiring += 1
        note_due(segment, slot, max(deadline, 0), &self.totals)
        return 0

    # -- ages --------------------------------------------------------------------------------------------

    def age_step(self, Py_ssize_t budget, uint64_t position=0):
        """One slice of the sweep that moves the ages on, and takes garbage out of segments that are left alone.

        Returns the next position, and how many segments were passed.
        """
        cdef Py_ssize_t passed = 0
        cdef Segment *segment
        while passed < budget:
            segment = self.segment_at(position)
            self.make_older(segment)
            rest(segment, &self.totals)
            passed += 1
            position = end_of(segment)
            if position == PREFIXES:
                return 0, passed
        return position, passed

    cdef void use(self, Segment *segment, Py_ssize_t slot) noexcept:
        """Note a use of a record."""
        segment.ages[slot] = PyByteArray_AS_STRING(self.uses)[segment.ages[slot]]

    def reset_levels(self, uint8_t level):
        """Give all records one level and forget the ghosts: the levels mean something else now. O(n)."""
        cdef uint64_t position = 0
        cdef Segment *segment
        cdef int64_t now = self.now() // 1000
        self.aging_from = self.aging_to = 0
        while position < PREFIXES:
            segment = self.segment_at(position)
            position = end_of(segment)
            if segment.slots:
                memset(segment.ages, level, segment.slots)
            segment.aged_at = now
            drop_ghosts(segment, &self.totals)

    def segment(self, uint64_t position):
        """The segment at a position, and the position of the next one, 0 after the last; see the reference. O(1)."""
        position %= PREFIXES
        return SegmentView(self, position), end_of(self.segment_at(position)) % PREFIXES

    # -- finding, inserting, overwriting ----------------------------------------------------------------

    cdef inline Py_ssize_t locate(self, bytes key, uint64_t h, Segment **segment) except -2:
        """The segment that a key belongs to, and its slot there; -1 if absent."""
        if key is None:
            raise TypeError("a key is bytes")
        segment[0] = self.segment_of(h)
        return find_slot(segment[0], PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)

    cdef inline Py_ssize_t locate_live(self, bytes key, uint64_t h, Segment **segment) except -2:
        """As `locate`, for a record that has not expired."""
        if key is None:
            raise TypeError("a key is bytes")
        segment[0] = self.segment_of(h)
        return self.live(segment[0], PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)

    cdef Py_ssize_t live(self, Segment *segment, const char *key, Py_ssize_t size, uint64_t h) except -2:
        """The slot of an unexpired record in its segment; -1 if absent."""
        cdef Py_ssize_t slot = find_slot(segment, key, size, h)
        cdef int64_t deadline
        if slot >= 0:
            deadline = deadline_at(record_at(segment, slot))
            if deadline and deadline < self.now():
                self.expire(segment, slot, h)
                return -1
        return slot

    cdef int write(
        self, const char *key, Py_ssize_t size, uint64_t h, Value *value, int64_t deadline, PyObject **old
    ) except -1:
        """Insert (0) or overwrite (1); `old`, if it is given, gets a reference to the value that was there."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = find_slot(segment, key, size, h)
        cdef Record record
        if slot >= 0:
            read_record(record_at(segment, slot), &record)
            if record.deadline and record.deadline < self.now():
                self.expire(segment, slot, h)
                slot = -1
        if slot < 0:
            self.insert(key, size, h, value, max(deadline, 0))
            return 0
        if self.cut_version:
            self.before_write(segment, slot)
        self.use(segment, slot)
        if old is not NULL:
            replaced = value_object(&record)
            old[0] = <PyObject *> replaced
            Py_INCREF(old[0])
        self.rewrite(segment, slot, &record, value, record.deadline if deadline < 0 else deadline)
        return 1

    cdef int insert(self, const char *key, Py_ssize_t size, uint64_t h, Value *value, int64_t deadline) except -1:
        """Insert a key that is known to be absent."""
        cdef uint32_t home = home_of(h)
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = free_slot(segment, home, &self.totals)
        cdef object long_key = None
        cdef object outside = None
        cdef PyObject *kept = NULL
        cdef uint32_t needed, place
        cdef Record record
        while slot < 0 or live_bytes(segment) > HEAP_MOST and self.may_split(segment):
            segment = self.make_room(segment, h)
            slot = free_slot(segment, home, &self.totals)
        if self.cut_version:
            self.before_write(segment, slot)
        if size >= OUTSIDE:
            long_key = key[:size]
            kept = <PyObject *> long_key
        if value.kind == STRING and segment.used > SPARSE:
            outside = value.data[:value.size]
            value.kind, value.width, value.object = OBJECT, 0, <PyObject *> outside
        needed = head_size(size, kept is not NULL, value, deadline > 0) + (0 if kept else size) + bytes_of_value(value)
        if has_hole(segment, slot, needed):
            place = segment.places[slot]
            fill_hole(segment, slot, key, size, kept, value, deadline, &self.totals)
        else:
            reserve(segment, needed, &self.totals)
            place = append_record(segment, key, size, kept, value, deadline, &self.totals)
        settle(segment, slot, h, place, self.known if lay_ghost(segment, h) else self.fresh, &self.totals)
        if kept is not NULL or value.kind == OBJECT or deadline:
            read_record(record_at(segment, slot), &record)
            count_objects(segment, &record, 1, &self.totals)
            if deadline:
                self.expiring += 1
        self.count += 1
        return 0

    cdef int rewrite(
        self, Segment *segment, Py_ssize_t slot, Record *record, Value *value, int64_t deadline
    ) except -1:
        """Put another value and deadline into a record, which has been read: in its place, or at the end."""
        cdef char *at = record_at(segment, slot)
        cdef uint32_t key_bytes = 0 if record.key_object is not NULL else <uint32_t> record.key_size
        cdef uint32_t head, size, place
        cdef PyObject *dropped = NULL
        cdef object outside = None
        if (
            value.kind == STRING and record.flags & KIND == STRING and value.size == record.value_size
            and deadline == record.deadline
        ):
            memcpy(record.value, value.data, value.size)
            return 0
        if value.kind == STRING and segment.used > SPARSE and value.size > record.value_size:
            outside = value.data[:value.size]
            value.kind, value.width, value.object = OBJECT, 0, <PyObject *> outside
        head = head_size(record.key_size, record.key_object is not NULL, value, deadline > 0)
        size = head + key_bytes + bytes_of_value(value)
        if size > record.size:
            reserve(segment, size, &self.totals)
            at = record_at(segment, slot)
            read_record(at, record)
        count_objects(segment, record, -1, &self.totals)
        if record.flags & KIND == OBJECT:
            dropped = load_object(record.value)
        self.expiring += (deadline > 0) - (record.deadline > 0)
        if size > record.size:
            place = append_record(
                segment, record.key, record.key_size, record.key_object, value, deadline, &self.totals
            )
            if record.key_object is not NULL:
                Py_DECREF(record.key_object)
            segment.places[slot] = place
            waste(segment, record.size, &self.totals)
        else:
            if key_bytes and record.key != at + head:
                memmove(at + head, record.key, key_bytes)
            write_head(at, record.key_size, record.key_object, value, deadline)
            write_value(at + head + key_bytes, value)
            waste(segment, record.size - size, &self.totals)
        read_record(record_at(segment, slot), record)
        count_objects(segment, record, 1, &self.totals)
        if deadline > 0 or segment.dues is not NULL:
            note_due(segment, slot, max(deadline, 0), &self.totals)
        tidy(segment, &self.totals, False)
        if dropped is not NULL:
            Py_DECREF(dropped)
        if live_bytes(segment) > HEAP_MOST and self.may_split(segment):
            self.split(segment)
        return 0

    # -- invariants ----------------------------------------------------------------------------------------

    @property
    def entries(self):
        """How many entries the directory has. O(1)."""
        return <int64_t> 1 << self.bits

    def layout(self):
        """See `_dash_check.layout`. O(segments)."""
        return layout(self)

    def verify(self):
        """Check every invariant of the table. Raises AssertionError with what is wrong. O(n)."""
        verify(self)
