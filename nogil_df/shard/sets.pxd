cimport cython
from libc.stdint cimport int64_t

@cython.final
cdef class SetValue:
    cdef public bytes encoding
    cdef public object index
    cdef public set members
    cdef public int64_t fits, longest, memory, room, table_size

    @cython.locals(members=set)
    cpdef bint discard(self, bytes member) except -1
    cpdef indexed(self)
    cpdef bytes random(self, source)


@cython.locals(longest=Py_ssize_t, member=bytes, size=Py_ssize_t, total=Py_ssize_t)
cpdef tuple lengths(set members)
