cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.shard._ordering cimport by_number
from nogil_df.commands.arguments cimport integer
from nogil_df.commands.at_once cimport Here
from nogil_df.shard.keyspace cimport Keyspace


@cython.final
cdef class Request:
    cdef public bytes by, target
    cdef public bint alpha, descending, unsorted
    cdef public int64_t count, offset
    cdef public list patterns

    cpdef bint looks_up(self) except -1


@cython.locals(at=Py_ssize_t, end=Py_ssize_t, left=Py_ssize_t, request=Request, word=bytes)
cpdef Request parse(list args, bint stores)

@cython.locals(elements=list, has_order=bint, request=Request, target=bytes)
cpdef _sort_at_once(Here here, session, Keyspace db, list args, bint stores)

cpdef bint _comes_reversed(Request request) except -1
@cython.locals(size=int64_t, start=int64_t)
cpdef list _within_limit(list elements, Request request)
cpdef list _in_own_order(list elements, Request request)
cpdef tuple op_elements(Keyspace db, tuple payload, uint64_t h)
