# The compiled Dash table as other compiled modules see it. What the functions do is told in `_dash.pyx`.
#
# `h` is what the table's `hash_key` gives for the key. Bytes given are copied; bytes handed out are valid until the
# next call of the table. Only the thread that owns the table may call any of this.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from nogil_df.shard._segment cimport Record, Segment, Totals, Value

cdef struct Moved:
    uint64_t h
    uint32_t place
    uint8_t age


cdef class DashTable:
    cdef object tick
    cdef public object on_expired
    cdef object hash_key
    cdef bint plain_hash  # `hash_key` is XXH3
    cdef list cuts
    cdef uint64_t last_cut
    cdef readonly uint64_t cut_version
    cdef readonly object uses
    cdef public object aging
    cdef public uint8_t fresh
    cdef public uint8_t known
    cdef Segment **directory
    cdef int bits  # depth of the directory
    cdef int64_t depths[43]  # how many segments are 0, 1, ... bits deep
    cdef int64_t segments
    cdef Totals totals
    cdef Py_ssize_t count
    cdef readonly Py_ssize_t expiring
    cdef uint64_t freed  # the prefix up to which `free_step` has come
    cdef int64_t aging_from
    cdef int64_t aging_to
    cdef uint8_t older[256]  # the last translation of ages made
    cdef char scratch[24]  # of a number handed out

    # -- for other compiled modules
    cdef int find_string(
        self, const char *key, Py_ssize_t size, uint64_t h, const char **data, Py_ssize_t *length
    ) except -1
    cdef int put_string(
        self, const char *key, Py_ssize_t size, uint64_t h, const char *data, Py_ssize_t length, int64_t deadline
    ) except -1
    cdef int add_integer(
        self, const char *key, Py_ssize_t size, uint64_t h, int64_t delta, int64_t *result
    ) except -1
    cdef uint64_t hash_of(self, const char *key, Py_ssize_t size) except? 0

    # -- of the table itself
    cdef int begin(self) except -1
    cdef void end(self) noexcept
    cdef int64_t now(self) except? -1
    cdef Segment *segment_of(self, uint64_t h) noexcept
    cdef Segment *segment_at(self, uint64_t prefix) noexcept
    cdef int write(
        self, const char *key, Py_ssize_t size, uint64_t h, Value *value, int64_t deadline, PyObject **old
    ) except -1
    cdef int insert(
        self, const char *key, Py_ssize_t size, uint64_t h, Value *value, int64_t deadline
    ) except -1
    cdef int rewrite(self, Segment *segment, Py_ssize_t slot, Record *record, Value *value, int64_t deadline) except -1
    cdef int change_deadline(self, Segment *segment, Py_ssize_t slot, int64_t deadline) except -1
    cdef int remove(self, Segment *segment, Py_ssize_t slot, uint64_t h) except -1
    cdef int expire(self, Segment *segment, Py_ssize_t slot, uint64_t h) except -1
    cdef Py_ssize_t live(self, Segment *segment, const char *key, Py_ssize_t size, uint64_t h) except -2
    cdef Py_ssize_t collect(self, Segment *segment, int64_t now) except -1
    cdef Segment *make_room(self, Segment *segment, uint64_t h) except NULL
    cdef bint may_split(self, Segment *segment) noexcept
    cdef int split(self, Segment *segment) except -1
    cdef int divide(self, Segment *segment, Segment *sibling, uint64_t bit, Moved *hashed) except -1
    cdef uint32_t carry(self, Segment *segment, Segment *other, uint32_t place) noexcept
    cdef int place(self, Segment *segment, uint64_t h, uint32_t at, uint8_t age) except -1
    cdef int shrink(self, Segment *segment) except -1
    cdef int absorb(self, Segment *segment, Segment *buddy) except -1
    cdef int set_bits(self, int bits) except -1
    cdef void point_to(self, Segment *segment) noexcept
    cdef int make_older(self, Segment *segment) except -1
    cdef void use(self, Segment *segment, Py_ssize_t slot) noexcept
    cdef uint64_t hash_at(self, Segment *segment, Py_ssize_t slot) except? 0
    cdef int before_write(self, Segment *segment, Py_ssize_t slot) except -1
    cdef int hand_out_segment(self, Segment *segment) except -1
    cdef bint hand_out(self, Segment *segment, uint32_t bucket, uint64_t version) except -1
    cdef list records(self, Segment *segment, Py_ssize_t start, Py_ssize_t end, bint aged)
    cdef object random_key_of(self, Segment *segment, object rng)
    cdef int verify_segment(self, Segment *segment, Totals *sums) except -1
