cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.base._numbers cimport parse_float, parse_int
from nogil_df.commands.at_once cimport Here
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.sets cimport SetValue
from nogil_df.shard.sorted_sets cimport SortedSetValue

cdef int GREATEST, LEAST, SUM


@cython.final
cdef class Source:
    cdef public Py_ssize_t position, size
    cdef public dict scores


@cython.final
cdef class Algebra:
    cdef public str operation
    cdef public list weights
    cdef public int aggregate
    cdef public bint with_scores
    cdef public int64_t limit


cpdef Py_ssize_t _keys_behind(args, Py_ssize_t at) except -1

@cython.locals(h=object, number=Py_ssize_t, wanted=Algebra)
cpdef _store_at_once(Here here, Keyspace db, str operation, list args)

@cython.locals(scores=dict)
cpdef list sources(Keyspace db, list group)

@cython.locals(source=Source)
cpdef list _weighted(Algebra wanted, list found)

@cython.locals(score=cython.double, term=cython.double)
cpdef _unite_into(dict result, dict scores, double weight, int aggregate)

@cython.locals(scores=dict, total=cython.double, weight=cython.double)
cpdef _intersect_into(dict result, list common, list weighted, int aggregate)

@cython.locals(total=cython.double)
cpdef double _aggregated(int aggregate, double one, double two) noexcept

@cython.locals(found=dict, wanted=Algebra)
cpdef compute_and_settle(shard, tuple argument)

@cython.locals(db=Keyspace, found=list, source=Source, wanted=Algebra)
cpdef dict compute_here(shard, tuple argument)

@cython.locals(scores=dict, weight=cython.double, weighted=list)
cpdef dict compute(Algebra wanted, list found)
