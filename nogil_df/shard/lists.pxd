cimport cython
from libc.stdint cimport int64_t

@cython.final
cdef class ListValue:
    cdef public object items
    cdef public int64_t memory

    cpdef lengthen(self)
    cpdef push(self, list elements, bint left)
    cpdef list pop(self, Py_ssize_t count, bint left)
