# The C types of the intents of a shard.

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class IntentLocks:
    cdef public dict table

    @cython.locals(table=dict, held=int64_t, everything=int64_t, granted=bint)
    cpdef bint acquire(self, shared, exclusive) except -1
    @cython.locals(table=dict, held=int64_t)
    cpdef bint conflicts(self, fingerprint, bint exclusive) except -1
    @cython.locals(table=dict, everything=int64_t)
    cpdef bint is_free(self, shared, exclusive) except -1
    cpdef bint is_wanted(self, fingerprint) except -1
    @cython.locals(table=dict, held=int64_t, reads=set, writes=set)
    cpdef tuple contested(self, shared, exclusive)
    @cython.locals(table=dict, left=int64_t)
    cpdef release(self, shared, exclusive)
