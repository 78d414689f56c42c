cimport cython
from libc.stdint cimport int64_t

@cython.final
cdef class HashValue:
    cdef public object deadlines, fields, index
    cdef public bytes encoding
    cdef public int64_t fits, longest, memory, room, table_size

    cpdef bint set(self, bytes field, bytes value, limits) except -1
    cpdef bint remove(self, bytes field) except -1
    cpdef _take(self, bytes field)
    cpdef bint persist(self, bytes field) except -1
