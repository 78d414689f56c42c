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
@cython.locals(other=Part, tx_id=int64_t)
cpdef set find_blockers(Part part, Part wanted, list queue)
@cython.locals(other=Part)
cpdef wait_no_more_for(Part part, list queue)
@cython.locals(other=Part, index=Py_ssize_t)
cpdef Py_ssize_t next_unblocked(list queue, Py_ssize_t at) except -2
@cython.locals(other=Part)
cpdef bint any_granted_later(Part wanted, list queue) except -1
