from libc.stdint cimport int64_t

cdef class Tick:
    cdef public int64_t ms


cdef class ShardState:
    cdef public int64_t cas, dirty, evicted, expired, ceiling, expired_fields, hits, look_at, misses, notify_mask, writer
    cdef public Py_ssize_t count, index
    cdef public object blocking, limits, random, tracking
    cdef public list outgoing
    cdef public dict ready
    cdef public Tick tick
    cdef public bytearray uses
