cimport cython
from libc.stdint cimport int64_t

@cython.final
cdef class Block:
    cdef public list bodies, fields, ids
    cdef public object ended
    cdef public int64_t left, names_size, room, usual, width


@cython.final
cdef class StreamValue:
    cdef public list blocks, starts
    cdef public int64_t added, gone, memory
    cdef public dict groups
    cdef public object last_id, max_deleted, seen
    cdef public int64_t ms, sequence
    cdef public Block tail

    @cython.locals(block=Block, size=int64_t)
    cpdef append(self, entry_id, list flat, int64_t most, int64_t most_bytes)
    cpdef bint split_last(self) except -1
    @cython.locals(at=Py_ssize_t, begin=Py_ssize_t, block=Block, blocks=list, end=Py_ssize_t, found=list, ids=list)
    cpdef list span(self, low, high, Py_ssize_t count)
    @cython.locals(
        at=Py_ssize_t, begin=Py_ssize_t, block=Block, blocks=list, end=Py_ssize_t, found=list, ids=list, part=list
    )
    cpdef list span_back(self, high, low, Py_ssize_t count)
