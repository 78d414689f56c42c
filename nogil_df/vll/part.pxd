# The C types of a part's fields.

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Part:
    cdef public int64_t tx_id
    cdef public int origin, scope
    cdef public object token, shared, exclusive, work
    cdef public Part blocker
    cdef public list followers
    cdef public bint granted, locked
    cdef public dict ready


cpdef bint conflict(Part one, Part two) except -1
cdef bint _writes(Part part) except -1
@cython.locals(other=Part, index=Py_ssize_t)
cpdef Part find_blocker(Part part, list queue, Py_ssize_t at)
@cython.locals(other=Part, at=Py_ssize_t, nearer=bint)
cpdef Part find_place(Part part, Part wanted, list queue)
@cython.locals(blocker=Part)
cdef _let_go(Part part)
@cython.locals(followers=list, other=Part)
cpdef list leave(Part part, list queue, Py_ssize_t at)
@cython.locals(other=Part)
cpdef bint any_granted_later(Part wanted, list queue) except -1
