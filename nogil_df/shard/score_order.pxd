cimport cython

@cython.final
cdef class ScoreOrder:
    cdef public list last_members, last_scores, members, scores, sums

    cpdef insert(self, score, bytes member)
    cpdef bytes remove(self, score, bytes member)
    cpdef bytes move(self, old, new, bytes member)
    cpdef Py_ssize_t _bucket(self, score, bytes member)
    cpdef _delete(self, Py_ssize_t at, Py_ssize_t place)
