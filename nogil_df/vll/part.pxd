# The C types of a part's fields.

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Part:
    cdef public int64_t tx_id
    cdef public int origin, scope
    cdef public object token, shared, exclusive, work
    cdef public set blockers
    cdef public bint granted, locked
    cdef public dict ready


cpdef bint conflict(Part one, Part two) except -1
cdef bint _writes(Part part) except -1
