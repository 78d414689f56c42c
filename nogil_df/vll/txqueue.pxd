# The C types of a queue's fields.

cimport cython

from nogil_df.vll.part cimport Part


cdef class TxQueue:
    cdef public list parts
    cdef public Py_ssize_t longest

    @cython.locals(parts=list, last=Part)
    cpdef insert(self, Part part)
    @cython.locals(parts=list, at=Py_ssize_t)
    cpdef Py_ssize_t remove(self, Part part) except -1
