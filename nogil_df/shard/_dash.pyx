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
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcpy, memmove, memset

from nogil_df.base._xxh3 cimport LONGEST, xxh3
from nogil_df.shard cimport _segment
from nogil_df.shard._segment cimport (
    BLOCK_OVERHEAD,
    BUCKET_SLOTS,
    FINGERPRINTS,
    HAS_DEADLINE,
    HOME_BUCKETS,
    INTEGER,
    KEY_OBJECT,
    KIND,
    NEAR_SLOTS,
    OBJECT,
    OUTSIDE,
    Py_DECREF,
    Py_INCREF,
    PyBytes_CheckExact,
    PyObject,
    REMAINDERS,
    Record,
    SEGMENT_SLOTS,
    SLOT_BYTES,
    SPARSE,
    STASH_START,
    STRING,
    Segment,
    Totals,
    Value,
    WIDTH,
    WIDTH_SHIFT,
    any_value,
    append_record,
    bytes_of_value,
    compact,
    count_objects,
    deadline_at,
    drop_objects,
    empty_segment,
    find_slot,
    format_integer,
    free_segment,
    drop_ghosts,
    free_slot,
    give_back,
    head_size,
    heap_overhead,
    lay_ghost,
    load_integer,
    load_object,
    need_ghosts,
    no_huge_pages,
    new_segment,
    number_value,
    parse_integer,
    read_record,
    record_at,
    reserve,
    set_slots,
    settle,
    store_integer,
    string_value,
    tidy,
    trim,
    vacate,
    waste,
    width_of,
    write_head,
    write_value,
)

from nogil_df.base.hashing import hash_key as python_xxh3
from nogil_df.shard.ages import moved, seconds, translation

__all__ = ["DashTable", "fill_numbered", "get_many", "put_many", "revise_many"]

cdef enum:
    PREFIX_BITS = 42
    RANDOM_TRIES = 32
    MERGE_BELOW = 600  # the reference's 210 would leave twice the memory that half of the keys need
    MERGE_CHECK_EVERY = 16
    ENTRIES_PER_SEGMENT = 16
    SKIP_FACTOR = 64
    TABLE_OVERHEAD = 800  # of the object itself
    MANY = 200  # segments, some MB, from which on it is worth asking malloc for what they leave behind

cdef uint64_t PREFIXES = <uint64_t> 1 << PREFIX_BITS


cdef inline uint64_t end_of(const Segment *segment) noexcept:
    """The first prefix after a segment, PREFIXES after the last one."""
    return segment.prefix + 1 << PREFIX_BITS - segment.depth


cdef inline uint32_t home_of(uint64_t h) noexcept:
    return h % REMAINDERS // FINGERPRINTS


cdef object key_object(const Record *record):
    """The key of a record as an object."""
    if record.key_object is not NULL:
        return <object> record.key_object
    return record.key[:record.key_size]


cdef object value_object(const Record *record):
    """The value of a record as an object: strings are made anew."""
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


cdef class SegmentView


cdef class DashTable:
    """Keys to values, with deadlines; see `nogil_df.shard.dash.DashTable`."""

    deadline_bytes = 8

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
        while position < PREFIXES and self.segments:
            segment = self.segment_at(position)
            position = end_of(segment)
            free_segment(segment, &self.totals)
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

    cdef Segment *segment_of(self, uint64_t h) noexcept:
        """The segment of a hash."""
        # In two steps, as a shift by 64 means nothing in C.
        return self.directory[h >> 1 >> 63 - self.bits]

    cdef Segment *segment_at(self, uint64_t prefix) noexcept:
        """The segment that hashes beginning with these PREFIX_BITS bits belong to."""
        return self.directory[prefix >> PREFIX_BITS - self.bits]

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
            if not PyBytes_CheckExact(value):
                return 2
            data[0] = PyBytes_AS_STRING(<object> value)
            length[0] = PyBytes_GET_SIZE(<object> value)
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

    def get(self, bytes key not None, uint64_t h):
        """The value, or None if `key` is absent. O(1)."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = find_slot(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
        cdef Record record
        if slot < 0:
            return None
        read_record(record_at(segment, slot), &record)
        if record.deadline and record.deadline < self.now():
            self.expire(segment, slot, h)
            return None
        self.use(segment, slot)
        return value_object(&record)

    def put(self, bytes key not None, uint64_t h, value not None, int64_t deadline=0):
        """Insert or overwrite; the old value, or None if `key` was absent. `deadline` > 0 sets, 0 clears, -1 keeps it.

        O(1), amortised.
        """
        cdef Value packed
        cdef PyObject *old = NULL
        any_value(&packed, <PyObject *> value)
        self.write(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h, &packed, deadline, &old)
        if old is NULL:
            return None
        replaced = <object> old
        Py_DECREF(old)
        return replaced

    def replace(self, bytes key not None, uint64_t h, value not None):
        """Overwrite the value of a record that is there, expired or not; its deadline stays. False if absent. O(1)."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = find_slot(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
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

    def erase(self, bytes key not None, uint64_t h):
        """Take the record out; its value, or None if `key` was absent. O(1), amortised."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = find_slot(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
        cdef Record record
        if slot < 0:
            return None
        read_record(record_at(segment, slot), &record)
        if record.deadline and record.deadline < self.now():
            self.expire(segment, slot, h)
            return None
        value = value_object(&record)
        self.remove(segment, slot, h)
        if segment.count % MERGE_CHECK_EVERY == 0:
            self.shrink(segment)
        return value

    def peek(self, bytes key not None, uint64_t h):
        """The value even if it has expired, which is not acted upon; None if `key` is absent. O(1)."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = find_slot(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
        cdef Record record
        if slot < 0:
            return None
        read_record(record_at(segment, slot), &record)
        return value_object(&record)

    def look(self, bytes key not None, uint64_t h):
        """As `get`, but does not count as a use of the record. O(1)."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = self.live(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
        cdef Record record
        if slot < 0:
            return None
        read_record(record_at(segment, slot), &record)
        return value_object(&record)

    def level(self, bytes key not None, uint64_t h):
        """The byte that tells how a record was used, as it stands; -1 if absent. O(1)."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = self.live(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
        return -1 if slot < 0 else segment.ages[slot]

    def age(self, bytes key not None, uint64_t h):
        """How long the record has not been used, or what else the eviction policy keeps; -1 if absent. O(1)."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = self.live(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
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
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = self.live(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
        if slot < 0:
            return -1
        level = segment.ages[slot]
        if level == 0:
            return 0
        return seconds(level) + max(0, self.now() // 1000 - segment.aged_at)

    def set_age(self, bytes key not None, uint64_t h, uint8_t level):
        """Let a record that is there have an age, a level of `nogil_df.shard.ages`. O(1)."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = self.live(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
        self.make_older(segment)
        if slot >= 0:
            segment.ages[slot] = level

    def deadline(self, bytes key not None, uint64_t h):
        """The deadline of `key`: unix ms, 0 if it has none, -1 if the key is absent. O(1)."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = self.live(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
        return -1 if slot < 0 else deadline_at(record_at(segment, slot))

    def set_deadline(self, bytes key not None, uint64_t h, int64_t ms):
        """Set (`ms` > 0, may lie in the past) or clear (0) the deadline of `key`. False if absent. O(1)."""
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = self.live(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
        if slot < 0:
            return False
        if self.cut_version:
            self.before_write(segment, slot)
        self.change_deadline(segment, slot, ms)
        return True

    def before_change(self, bytes key not None, uint64_t h):
        """Tell the table that the value of `key` is about to be changed in place. O(1)."""
        cdef Segment *segment
        cdef Py_ssize_t slot
        if self.cut_version:
            segment = self.segment_of(h)
            slot = find_slot(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
            if slot >= 0:
                self.before_write(segment, slot)

    def record_bytes(self, bytes key not None, uint64_t h):
        """Bytes that a record takes in the table, its slot and what it keeps outside the heap included; 0 if absent.

        Unused memory of the segment counts in equal shares. O(1).
        """
        cdef Segment *segment = self.segment_of(h)
        cdef Py_ssize_t slot = self.live(segment, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), h)
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
            sizeof(Segment) + segment.slots * SLOT_BYTES + segment.garbage + heap_overhead(segment.capacity)
            + 2 * BLOCK_OVERHEAD
        )
        return record.size + sums.outside + shared // segment.count

    # -- the whole table -----------------------------------------------------------------------------------

    def __len__(self):
        """How many records there are, expired ones that nobody came across included. O(1)."""
        return self.count

    @property
    def capacity(self):
        """How many slots the segments have. O(1)."""
        return self.segments * SEGMENT_SLOTS

    def memory_usage(self):
        """Bytes that the table takes, keys and strings included; without garbage, as that gives way to new records and
        whoever takes records out must see the figure fall. O(1)."""
        if not self.count:
            return 0
        return (
            self.totals.allocated + self.totals.live + self.totals.outside
            + (sizeof(Segment *) << self.bits) + TABLE_OVERHEAD
        )

    def payload(self):
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
            empty_segment(segment, &self.totals, True)
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

    cdef list records(self, Segment *segment, Py_ssize_t start, Py_ssize_t end, bint aged):
        """The records in a range of slots, with their ages if that is wanted."""
        cdef list found = []
        cdef Record record
        cdef Py_ssize_t slot
        for slot in range(start, end):
            if segment.fingerprints[slot]:
                read_record(record_at(segment, slot), &record)
                key, value = key_object(&record), value_object(&record)
                if aged:
                    found.append((key, value, record.deadline, segment.ages[slot]))
                else:
                    found.append((key, value, record.deadline))
        return found

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

    # -- expiry --------------------------------------------------------------------------------------------

    def collect_expired(self, Py_ssize_t budget, uint64_t position=0):
        """Active expiry, one slice: take expired records out of up to `budget` segments that hold deadlines.

        Returns the next position, 0 at the end of the table, and how many were taken out.
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
            if segment.expiring:
                budget -= 1
                if segment.soonest < now:
                    collected += self.collect(segment, now)
                    self.shrink(segment)
            if position == PREFIXES:
                return 0, collected
        return position, collected

    cdef Py_ssize_t collect(self, Segment *segment, int64_t now) except -1:
        """Take the expired records out of a segment; how many. Runs `on_expired`. O(slots), mostly O(1)."""
        cdef Record record
        cdef Py_ssize_t slot
        cdef int64_t soonest = INT64_MAX
        cdef Py_ssize_t collected = 0
        cdef uint64_t h
        if not segment.expiring or segment.soonest >= now:
            return 0
        for slot in range(segment.slots):
            if not segment.fingerprints[slot] or not record_at(segment, slot)[0] & HAS_DEADLINE:
                continue
            read_record(record_at(segment, slot), &record)
            if record.deadline >= now:
                soonest = min(soonest, record.deadline)
                continue
            h = self.hash_of(record.key, record.key_size)
            key, value = key_object(&record), value_object(&record)
            self.remove(segment, slot, h)
            collected += 1
            if self.on_expired is not None:
                self.on_expired(key, h, value)
        segment.soonest = soonest
        return collected

    cdef int expire(self, Segment *segment, Py_ssize_t slot, uint64_t h) except -1:
        """Take out a record that was found to be expired. Runs `on_expired`."""
        cdef Record record
        read_record(record_at(segment, slot), &record)
        key, value = key_object(&record), value_object(&record)
        self.remove(segment, slot, h)
        if segment.count % MERGE_CHECK_EVERY == 0:
            self.shrink(segment)
        if self.on_expired is not None:
            self.on_expired(key, h, value)
        return 0

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
        if 0 < deadline < segment.soonest:
            segment.soonest = deadline
        return 0

    # -- ages ----------------------------------------------------------------------------------------------

    def age_step(self, Py_ssize_t budget, uint64_t position=0):
        """One slice of the sweep that moves the ages on: the next position, and how many segments were passed."""
        cdef Py_ssize_t passed = 0
        cdef Segment *segment
        while passed < budget:
            segment = self.segment_at(position)
            self.make_older(segment)
            passed += 1
            position = end_of(segment)
            if position == PREFIXES:
                return 0, passed
        return position, passed

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
        cdef SegmentView view = SegmentView.__new__(SegmentView)
        view.table = self
        view.position = position % PREFIXES
        return view, end_of(self.segment_at(view.position)) % PREFIXES

    # -- inserting and removing ----------------------------------------------------------------------------

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
        cdef uint32_t place
        cdef Record record
        while slot < 0:
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
        reserve(
            segment,
            head_size(size, kept is not NULL, value, deadline > 0) + (0 if kept else size) + bytes_of_value(value),
            &self.totals,
        )
        place = append_record(segment, key, size, kept, value, deadline, &self.totals)
        settle(segment, slot, h, place, self.known if lay_ghost(segment, h) else self.fresh)
        if kept is not NULL or value.kind == OBJECT or deadline:
            read_record(record_at(segment, slot), &record)
            count_objects(segment, &record, 1, &self.totals)
            if deadline:
                self.expiring += 1
                segment.soonest = min(segment.soonest, deadline)
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
        if 0 < deadline < segment.soonest:
            segment.soonest = deadline
        tidy(segment, &self.totals, False)
        if dropped is not NULL:
            Py_DECREF(dropped)
        return 0

    cdef int remove(self, Segment *segment, Py_ssize_t slot, uint64_t h) except -1:
        """Take a record out."""
        cdef Record record
        if self.cut_version:
            self.before_write(segment, slot)
        read_record(record_at(segment, slot), &record)
        vacate(segment, slot, h, &record)
        count_objects(segment, &record, -1, &self.totals)
        self.expiring -= record.deadline > 0
        waste(segment, record.size, &self.totals)
        self.count -= 1
        drop_objects(&record)
        if slot >= SEGMENT_SLOTS:
            trim(segment, &self.totals)
        tidy(segment, &self.totals, True)
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
        sibling.soonest = segment.soonest
        if segment.ghosts is not NULL:
            need_ghosts(sibling, &self.totals)
            memcpy(sibling.ghosts, segment.ghosts, STASH_START)
        if leaving:
            set_slots(sibling, SEGMENT_SLOTS, &self.totals)
            reserve(sibling, leaving, &self.totals)
        for slot in range(STASH_START):
            if hashed[slot].h & bit and segment.fingerprints[slot]:
                at = self.carry(segment, sibling, hashed[slot].place)
                settle(sibling, slot, hashed[slot].h, at, hashed[slot].age)
                segment.fingerprints[slot] = 0
                segment.count -= 1
        for slot in range(STASH_START, slots):
            if segment.fingerprints[slot]:
                segment.fingerprints[slot] = 0
                segment.count -= 1
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
        settle(segment, slot, h, at, age)
        return 0

    cdef int shrink(self, Segment *segment) except -1:
        """Merge a segment with its buddy if both together hold little, and the result again, and so on."""
        cdef Segment *buddy
        while segment.count < MERGE_BELOW and segment.depth and not self.cut_version:
            buddy = self.directory[(segment.prefix ^ 1) << self.bits - segment.depth]
            if buddy.depth != segment.depth or segment.count + buddy.count >= MERGE_BELOW:
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
        segment.soonest = min(segment.soonest, buddy.soonest)
        for slot in range(buddy.slots):
            if not buddy.fingerprints[slot]:
                continue
            h, age = self.hash_at(buddy, slot), buddy.ages[slot]
            at = self.carry(buddy, segment, buddy.places[slot])
            buddy.fingerprints[slot] = 0
            buddy.count -= 1
            if slot < STASH_START and not segment.fingerprints[slot]:
                settle(segment, slot, h, at, age)
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

    def end_cut(self, uint64_t version):
        """End a cut, finished or given up. ValueError if there is no such cut."""
        cuts = [cut for cut in self.cuts if cut[0] != version]
        if len(cuts) == len(self.cuts):
            raise ValueError(f"there is no cut {version}")
        self.cuts = cuts
        self.cut_version = cuts[-1][0] if cuts else 0

    cdef int before_write(self, Segment *segment, Py_ssize_t slot) except -1:
        """Hand out the bucket of a slot that is about to change, to every cut that has not got it."""
        self.hand_out(segment, slot // BUCKET_SLOTS, self.cut_version)
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
        cdef uint64_t seen
        cdef list records
        need_versions(segment, bucket + 1)
        seen = segment.versions[bucket]
        if seen >= version:
            return False
        segment.versions[bucket] = version
        records = self.records(segment, bucket * BUCKET_SLOTS, (bucket + 1) * BUCKET_SLOTS, True)
        if not records:
            return False
        for cut_version, on_change in self.cuts:
            if seen < cut_version <= version:
                on_change(records)
        return True

    # -- invariants ----------------------------------------------------------------------------------------

    def layout(self):
        """For tests: of each segment prefix, depth, records, slots, spilled records, and the bytes of its
        heap that are used, garbage, and allocated. O(segments)."""
        cdef uint64_t position = 0
        cdef Segment *segment
        found = []
        while position < PREFIXES:
            segment = self.segment_at(position)
            position = end_of(segment)
            spilled = 0 if segment.spill is NULL else len(<dict> segment.spill)
            found.append(
                (segment.prefix, segment.depth, segment.count, segment.slots, spilled,
                 segment.used, segment.garbage, segment.capacity)
            )
        return found

    @property
    def entries(self):
        """How many entries the directory has. O(1)."""
        return <int64_t> 1 << self.bits

    def verify(self):
        """Check every invariant of the table. Raises AssertionError with what is wrong. O(n)."""
        cdef Totals sums
        cdef int64_t depths[43]
        cdef int64_t index = 0, span, other
        cdef int64_t records = 0, expiring = 0, segments = 0
        cdef Segment *segment
        memset(&sums, 0, sizeof(sums))
        memset(depths, 0, sizeof(depths))
        while index < <int64_t> 1 << self.bits:
            segment = self.directory[index]
            assert 0 <= segment.depth <= self.bits, f"entry {index} names a segment {segment.depth} bits deep"
            span = <int64_t> 1 << self.bits - segment.depth
            assert segment.prefix * span == index, f"entry {index} names {segment.prefix:b}/{segment.depth}"
            for other in range(index, index + span):
                assert self.directory[other] is segment, f"entries from {index} on should name one segment"
            depths[segment.depth] += 1
            segments += 1
            self.verify_segment(segment, &sums)
            records += segment.count
            expiring += segment.expiring
            index += span
        assert depths[self.bits] or not self.bits, "the directory should have halved"
        for bits in range(43):
            assert depths[bits] == self.depths[bits], f"{depths[bits]} segments are {bits} bits deep"
        assert segments == self.segments, f"there are {segments} segments, not {self.segments}"
        assert records == self.count, f"there are {records} records, not {self.count}"
        assert expiring == self.expiring, f"there are {expiring} deadlines, not {self.expiring}"
        for counted, sum_ in (
            (self.totals.allocated, sums.allocated), (self.totals.live, sums.live),
            (self.totals.garbage, sums.garbage), (self.totals.outside, sums.outside),
        ):
            assert counted == sum_, f"accounted {counted} bytes, found {sum_}"
        newest = self.cuts[-1][0] if self.cuts else 0
        assert self.cut_version == newest, f"cut_version is {self.cut_version}, the newest cut {newest}"

    cdef int verify_segment(self, Segment *segment, Totals *sums) except -1:
        """Check one segment; add what it takes to the sums."""
        name = f"segment {segment.prefix:b}/{segment.depth}"
        cdef Segment counted
        cdef Record record
        cdef Py_ssize_t slot, bucket
        cdef uint64_t h
        cdef uint32_t size = 0
        memset(&counted, 0, sizeof(counted))
        assert segment.slots == 0 or segment.slots >= SEGMENT_SLOTS, f"{name}: {segment.slots} slots"
        assert segment.slots % BUCKET_SLOTS == 0, f"{name}: {segment.slots} slots are not whole buckets"
        spill = {} if segment.spill is NULL else dict(<dict> segment.spill)
        assert segment.slots <= SEGMENT_SLOTS or spill, f"{name}: empty spill buckets"
        assert segment.versioned <= segment.slots // BUCKET_SLOTS, f"{name}: versions of buckets that are not there"
        for bucket in range(segment.versioned):
            assert segment.versions[bucket] <= self.last_cut, f"{name}: a version of the future"
        assert segment.garbage <= segment.used <= segment.capacity, f"{name}: heap {segment.used}"
        seen = set()
        for slot in range(segment.slots):
            if not segment.fingerprints[slot]:
                continue
            assert segment.places[slot] < segment.used, f"{name}: slot {slot} points past the heap"
            read_record(record_at(segment, slot), &record)
            size += record.size
            assert segment.places[slot] + record.size <= segment.used, f"{name}: slot {slot} ends past the heap"
            count_objects(&counted, &record, 1, sums)
            key = key_object(&record)
            assert key not in seen, f"{name}: {key!r} is there twice"
            seen.add(key)
            h = self.hash_key(key)
            assert h == self.hash_of(record.key, record.key_size), f"{name}: {key!r} has two hashes"
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
            sums.allocated += STASH_START + BLOCK_OVERHEAD
        sums.garbage += segment.garbage
        return 0


cdef int need_versions(Segment *segment, uint32_t buckets) except -1:
    """Make sure that so many buckets have a version; new ones are 0."""
    cdef uint64_t *versions
    if segment.versioned >= buckets:
        return 0
    buckets = max(buckets, segment.slots // BUCKET_SLOTS)
    versions = <uint64_t *> realloc(segment.versions, buckets * sizeof(uint64_t))
    if versions is NULL:
        raise MemoryError
    memset(versions + segment.versioned, 0, (buckets - segment.versioned) * sizeof(uint64_t))
    segment.versions = versions
    segment.versioned = buckets
    return 0


cdef int stamp_all(Segment *segment, uint64_t version) except -1:
    """Let every bucket have been handed out."""
    cdef uint32_t bucket
    if segment.slots:
        need_versions(segment, segment.slots // BUCKET_SLOTS)
        for bucket in range(segment.versioned):
            segment.versions[bucket] = version
    return 0


@cython.final
cdef class SegmentView:
    """What may be seen of a segment: `nogil_df.shard.dash.SegmentView`.

    `ages` is a copy, which counts once it is assigned.
    """

    cdef DashTable table
    cdef uint64_t position
    cdef bytearray copied

    cdef Segment *seen(self) noexcept:
        return self.table.segment_at(self.position)

    @property
    def count(self):
        return self.seen().count

    @property
    def fingerprints(self):
        cdef Segment *segment = self.seen()
        return bytearray((<char *> segment.fingerprints)[:segment.slots]) if segment.slots else bytearray()

    @property
    def ages(self):
        cdef Segment *segment = self.seen()
        if self.copied is None:
            self.copied = bytearray((<char *> segment.ages)[:segment.slots]) if segment.slots else bytearray()
        return self.copied

    @ages.setter
    def ages(self, bytearray ages not None):
        cdef Segment *segment = self.seen()
        if len(ages) != segment.slots:
            raise ValueError("not as many ages as slots")
        memcpy(segment.ages, PyByteArray_AS_STRING(ages), segment.slots)

    @property
    def ghosts(self):
        cdef Segment *segment = self.seen()
        return bytearray() if segment.ghosts is NULL else bytearray((<char *> segment.ghosts)[:STASH_START])

    def slots(self):
        """The occupied slots."""
        cdef Segment *segment = self.seen()
        cdef uint32_t slot
        return [slot for slot in range(segment.slots) if segment.fingerprints[slot]]

    def expiring_slots(self):
        """The slots whose records have a deadline."""
        cdef Segment *segment = self.seen()
        cdef uint32_t slot
        if not segment.expiring:
            return []
        return [
            slot for slot in range(segment.slots)
            if segment.fingerprints[slot] and deadline_at(record_at(segment, slot))
        ]

    cdef int check(self, Segment *segment, Py_ssize_t slot) except -1:
        if not 0 <= slot < segment.slots or not segment.fingerprints[slot]:
            raise IndexError(f"slot {slot} is free")
        return 0

    def key(self, Py_ssize_t slot):
        """The key in an occupied slot."""
        cdef Segment *segment = self.seen()
        cdef Record record
        self.check(segment, slot)
        read_record(record_at(segment, slot), &record)
        return key_object(&record)

    def deadline(self, Py_ssize_t slot):
        """The deadline of a slot's record, unix ms; 0 if it has none."""
        cdef Segment *segment = self.seen()
        self.check(segment, slot)
        return deadline_at(record_at(segment, slot))

    def remember(self, Py_ssize_t slot, uint64_t h):
        """Leave a ghost of the record in a slot; the oldest of 14 is forgotten."""
        cdef Segment *segment = self.seen()
        cdef uint32_t start = home_of(h) * BUCKET_SLOTS
        self.check(segment, slot)
        need_ghosts(segment, &self.table.totals)
        memmove(segment.ghosts + start + 1, segment.ghosts + start, BUCKET_SLOTS - 1)
        segment.ghosts[start] = segment.fingerprints[slot]


# -- many records ----------------------------------------------------------------------------------------------


def prepare_process():
    """Keep the system from making huge pages of heaps that are meant to have pages nobody has touched. O(1)."""
    no_huge_pages()


def give_memory_back():
    """Return to the system what malloc has to spare. O(free blocks), with malloc locked."""
    give_back()


def fill_numbered(
    DashTable table not None, bytes prefix not None, uint64_t number, uint64_t left, Py_ssize_t size,
    uint64_t shard, uint64_t shards, int64_t budget,
):
    """Make keys `prefix:N` with values `value:N` for DEBUG POPULATE, as `nogil_df.commands.populate` describes.

    Of the numbers from `number` on, `left` at most, those whose keys belong to the shard get a record, unless they
    have one. A value is cut or filled up with zeros to `size` bytes, if that is not 0. Only for tables whose hash is
    XXH3, and sizes below 16 KB. O(budget).

    Returns:
        The number to go on with, and how many records were made. Work beyond the budget is not begun: a key costs 1,
        about 25 ns, making it 8 more.
    """
    cdef Py_ssize_t start = PyBytes_GET_SIZE(prefix) + 1
    cdef Py_ssize_t length, digits_size
    cdef char scratch[24]
    cdef char *digits
    cdef char *key
    cdef char *text
    cdef uint64_t h
    cdef int64_t made = 0
    cdef Value value
    if not table.plain_hash or not 0 <= size < OUTSIDE or start + 20 > LONGEST:
        raise ValueError("not these keys")
    key = <char *> malloc(start + 24)
    text = <char *> calloc(max(size, 32), 1)
    try:
        if key is NULL or text is NULL:
            raise MemoryError
        memcpy(key, PyBytes_AS_STRING(prefix), start - 1)
        key[start - 1] = c':'
        memcpy(text, b"value:", 6)
        while left and budget > 0:
            digits = format_integer(<int64_t> number, scratch, &digits_size)
            memcpy(key + start, digits, digits_size)
            length = start + digits_size
            h = xxh3(key, length)
            budget -= 1
            if (h >> 32) % shards == shard:
                if table.live(table.segment_of(h), key, length, h) < 0:
                    if size:
                        memset(text + 6, 0, max(size, 32) - 6)
                    memcpy(text + 6, digits, digits_size)
                    string_value(&value, text, size or 6 + digits_size)
                    table.insert(key, length, h, &value, 0)
                    made += 1
                    budget -= 8 + (size >> 6)
            number += 1
            left -= 1
        return number, made
    finally:
        free(key)
        free(text)


def get_many(DashTable table not None, keys, hashes):
    """What `table.get` answers for each key, in order. O(keys)."""
    return [table.get(key, h) for key, h in zip(keys, hashes, strict=True)]


def put_many(DashTable table not None, keys, hashes, values, copy_keys):
    """Do what `table.put` does for each pair, in order, without deadlines; the old values. O(keys).

    Whose objects keys and values are does not matter: they are copied.
    """
    return [table.put(key, h, value) for key, h, value in zip(keys, hashes, values, strict=True)]


def revise_many(DashTable table not None, keys, hashes, revise, otherwise):
    """Put `revise(value)` in the place of each value, in order; see `nogil_df.shard.dash_many`. O(keys)."""
    results = []
    grown = 0
    for key, h in zip(keys, hashes, strict=True):
        value = table.get(key, h)
        revised = None if value is None else revise(value)
        if revised is None:
            results.append(otherwise(key, h))
            continue
        table.put(key, h, revised, -1)
        grown += len(revised) - len(value)
        results.append(revised)
    return results, grown
