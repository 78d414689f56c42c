cimport cython
from libc.stdint cimport int64_t

from nogil_df.shard.score_order cimport ScoreOrder

@cython.final
cdef class SortedSetValue:
    cdef public bytes encoding
    cdef public object index
    cdef public int64_t longest, memory, room, table_size
    cdef public ScoreOrder order
    cdef public dict scores

    cpdef add(self, bytes member, score, limits)
    cpdef move(self, bytes member, old, new)
    @cython.locals(stored=bytes)
    cpdef bint remove(self, bytes member) except -1
    @cython.locals(size=int64_t)
    cpdef tuple by_rank(self, int64_t start, int64_t stop)
    @cython.locals(order=ScoreOrder)
    cpdef tuple between(self, tuple bounds, Py_ssize_t offset, Py_ssize_t limit, bint reverse)
    @cython.locals(order=ScoreOrder, start=Py_ssize_t, stop=Py_ssize_t)
    cpdef tuple by_score(self, tuple bounds)
    @cython.locals(members=list, scores=dict, values=list)
    cpdef tuple take(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(order=ScoreOrder)
    cpdef bytes random(self, source)
    cpdef Py_ssize_t rank(self, bytes member, score) except -1
