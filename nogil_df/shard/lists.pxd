cimport cython
from libc.stdint cimport int64_t

@cython.final
cdef class ListValue:
    cdef public object items
    cdef public int64_t memory

    cpdef lengthen(self)
    cpdef push(self, list elements, bint left)
    cpdef trim(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef set(self, Py_ssize_t index, bytes element)
    cpdef bint insert(self, bytes pivot, bytes element, bint after) except -1
    cpdef list pop(self, Py_ssize_t count, bint left)
