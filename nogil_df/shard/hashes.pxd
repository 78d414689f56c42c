cimport cython
from libc.stdint cimport int64_t

@cython.final
cdef class HashValue:
    cdef public object deadlines, fields, index
    cdef public bytes encoding
    cdef public int64_t fits, longest, memory, room, table_size
