cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.base._numbers cimport parse_bound
from nogil_df.commands.arguments cimport integer
from nogil_df.commands.sorted_sets cimport read_sorted_set, sorted_set_to_change
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.sorted_sets cimport SortedSetValue


@cython.final
cdef class Range:
    cdef public bytes key
    cdef public str by
    cdef public object bounds
    cdef public bint reverse, with_scores
    cdef public int64_t offset, limit


cpdef parse_bounds(str by, bytes low, bytes high)
cpdef tuple score_bounds(bytes low, bytes high)

@cython.locals(rest=Py_ssize_t, word=bytes)
cpdef Range parse_range(list args, Py_ssize_t at, str by=*, reverse=*, bint stored=*)

cpdef tuple ranks(SortedSetValue value, Range wanted)
cpdef tuple bounded(SortedSetValue value, str by, bounds)
cpdef _rows(SortedSetValue value, Py_ssize_t start, Py_ssize_t stop, Range wanted)

@cython.locals(members=list, scores=list)
cpdef read_range(SortedSetValue value, Range wanted)

@cython.locals(start=Py_ssize_t, stop=Py_ssize_t, value=SortedSetValue)
cpdef op_range(Keyspace db, Range wanted, uint64_t h)

@cython.locals(start=Py_ssize_t, stop=Py_ssize_t, value=SortedSetValue)
cpdef Py_ssize_t op_count(Keyspace db, Range wanted, uint64_t h) except -1

@cython.locals(before=int64_t, start=Py_ssize_t, stop=Py_ssize_t, value=SortedSetValue)
cpdef Py_ssize_t op_remove_range(Keyspace db, Range wanted, uint64_t h) except -1
