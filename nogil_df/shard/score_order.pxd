cimport cython

from nogil_df.shard._bisection cimport bisect_left, bisect_right, insert

cdef Py_ssize_t FAN, GROUP, MASK


@cython.final
cdef class ScoreOrder:
    cdef public list last_members, last_scores, members, scores, sums

    @cython.locals(at=Py_ssize_t, buckets=list, level=list, members=list, place=Py_ssize_t, scores=list, size=Py_ssize_t)
    cpdef insert(self, score, bytes member)
    @cython.locals(at=Py_ssize_t, buckets=list, members=list, place=Py_ssize_t, scores=list, stored=bytes)
    cpdef bytes remove(self, score, bytes member)
    @cython.locals(at=Py_ssize_t, buckets=list, members=list, place=Py_ssize_t, scores=list, stored=bytes)
    cpdef bytes move(self, old, new, bytes member)
    @cython.locals(at=Py_ssize_t, ends=list)
    cpdef Py_ssize_t _bucket(self, score, bytes member) except -1
    @cython.locals(level=list, members=list, scores=list, size=Py_ssize_t)
    cpdef _delete(self, Py_ssize_t at, Py_ssize_t place)
    @cython.locals(bucket=list, level=list, size=Py_ssize_t, total=Py_ssize_t)
    cpdef Py_ssize_t _before(self, Py_ssize_t at) except -1
    @cython.locals(at=Py_ssize_t, members=list, place=Py_ssize_t, scores=list)
    cpdef Py_ssize_t rank(self, score, bytes member) except -1
    @cython.locals(first=list)
    @cython.locals(at=Py_ssize_t)
    cpdef Py_ssize_t below(self, score) except -1
    @cython.locals(at=Py_ssize_t)
    cpdef Py_ssize_t up_to(self, score) except -1
    @cython.locals(at=Py_ssize_t, bucket=list, level=list, size=Py_ssize_t)
    cpdef tuple locate(self, Py_ssize_t rank)
    @cython.locals(bucket=Py_ssize_t, found=list, place=Py_ssize_t, scores=list)
    cpdef tuple at(self, Py_ssize_t rank)
    @cython.locals(
        at=Py_ssize_t, bucket=list, end=Py_ssize_t, first=Py_ssize_t, left=Py_ssize_t, lost=list, members=list,
        place=Py_ssize_t, scores=list, values=list,
    )
    cpdef tuple take(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef _shrunk(self, Py_ssize_t at, Py_ssize_t lost)
    cpdef list span(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef list scores_of(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(at=Py_ssize_t, found=list, left=Py_ssize_t, place=Py_ssize_t)
    cpdef list _span(self, list buckets, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(at=Py_ssize_t, ends=list, scores=list)
    cpdef tuple seek(self, score, bint after)
    @cython.locals(at=Py_ssize_t, bucket=list, high=Py_ssize_t, last=Py_ssize_t, low=Py_ssize_t, members=list, scores=list)
    cpdef tuple between(self, tuple begin, tuple end, Py_ssize_t offset, Py_ssize_t limit, bint reverse)
