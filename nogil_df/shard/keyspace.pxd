# The C types of a database's fields; what runs often is a C function for other compiled modules.

cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.shard._dash cimport DashTable as CompiledTable
from nogil_df.shard.memory cimport own, record_size, value_size
from nogil_df.shard.shard_state cimport ShardState

cdef int64_t BIG_VALUE


@cython.final
cdef class WatchToken:
    cdef public bint dirty, existed


@cython.final
cdef class Keyspace:
    cdef public ShardState shard
    cdef public int64_t index
    cdef public CompiledTable table
    cdef public int64_t used
    cdef public object field_expiry
    cdef public dict watched, waiting
    cdef public bint observed

    cpdef int64_t stored(self)
    cpdef find(self, bytes key, uint64_t h)
    cpdef count_read(self, bytes key, value)
    cpdef look(self, bytes key, uint64_t h)
    cpdef bint drop(self, bytes key, uint64_t h) except -1
    cpdef string(self, bytes key, uint64_t h)
    cpdef resized(self, int64_t before, int64_t after)
    cpdef peek(self, bytes key, uint64_t h)
    cpdef put(self, bytes key, uint64_t h, value, int64_t deadline=*)
    @cython.locals(before=int64_t)
    cpdef account_put(self, bytes key, value, old)
    cpdef erase(self, bytes key, uint64_t h)
    cpdef changed(self, bytes key, int64_t kind, bytes event)
    cpdef touched(self, bytes key)
    cpdef tell(self, bytes key, int64_t kind, bytes event)


@cython.locals(db=Keyspace, held=int64_t)
cpdef int64_t held_by(list databases)
