# The compiled Dash table as other compiled modules see it. What the functions do is told in `_dash.pyx`.
#
# `h` is what the table's `hash_key` gives for the key. Bytes given are copied; bytes handed out are valid until the
# next call of the table. Only the thread that owns the table may call any of this.

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from nogil_df.shard._directory cimport Directory
from nogil_df.shard._record cimport Record, Value
from nogil_df.shard._segment cimport Segment, approach


cdef enum:
    LARGE = 10000  # records from which on caches do not hold what leads to all of them


@cython.final
cdef class DashTable(Directory):
    cdef char scratch[24]  # of a number handed out

    # -- for other compiled modules
    # Whether looking for keys mostly waits for memory.
    cdef inline bint is_large(self) noexcept:
        return self.count >= LARGE

    # Have the cache get what one look-up reads after the other for one key, for all of these at the same time.
    cdef inline void approach(self, const uint64_t *hashes, int count) noexcept:
        cdef int step, i
        for step in range(4):
            for i in range(count):
                approach(self.segment_of(hashes[i]), hashes[i], step)

    cdef int find_string(
        self, const char *key, Py_ssize_t size, uint64_t h, const char **data, Py_ssize_t *length
    ) except -1
    cdef int put_string(
        self, const char *key, Py_ssize_t size, uint64_t h, const char *data, Py_ssize_t length, int64_t deadline
    ) except -1
    cdef int add_integer(
        self, const char *key, Py_ssize_t size, uint64_t h, int64_t delta, int64_t *result
    ) except -1

    cpdef get(self, bytes key, uint64_t h)
    cpdef put(self, bytes key, uint64_t h, value, int64_t deadline=*)
    cpdef erase(self, bytes key, uint64_t h)
    cpdef peek(self, bytes key, uint64_t h)
    cpdef look(self, bytes key, uint64_t h)
    cpdef before_change(self, bytes key, uint64_t h)
    cpdef int64_t payload(self)

    # -- of the table itself
    cpdef int64_t memory_usage(self) noexcept
    cdef int write(
        self, const char *key, Py_ssize_t size, uint64_t h, Value *value, int64_t deadline, PyObject **old
    ) except -1
    cdef int insert(
        self, const char *key, Py_ssize_t size, uint64_t h, Value *value, int64_t deadline
    ) except -1
    cdef int rewrite(self, Segment *segment, Py_ssize_t slot, Record *record, Value *value, int64_t deadline) except -1
    cdef int change_deadline(self, Segment *segment, Py_ssize_t slot, int64_t deadline) except -1
    cdef Py_ssize_t locate(self, bytes key, uint64_t h, Segment **segment) except -2
    cdef Py_ssize_t locate_live(self, bytes key, uint64_t h, Segment **segment) except -2
    cdef Py_ssize_t live(self, Segment *segment, const char *key, Py_ssize_t size, uint64_t h) except -2
    cdef void use(self, Segment *segment, Py_ssize_t slot) noexcept
    cdef object random_key_of(self, Segment *segment, object rng)
