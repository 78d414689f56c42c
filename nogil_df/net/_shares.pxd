from libc.stdint cimport int64_t, uint64_t

from nogil_df.net._parse cimport Argument
from nogil_df.net._plans cimport Plan
from nogil_df.net._replies cimport Replies

cdef struct Call:
    uint64_t h
    Py_ssize_t at      # where its key lies in `data`; the value follows
    Py_ssize_t key     # bytes of the key
    Py_ssize_t value   # bytes of the value
    Py_ssize_t end     # of its reply; -1 if that is among `values`
    int what
    bint is_write


cdef class Share:
    cdef int origin, database, proto
    cdef Call *calls
    cdef int size, room
    cdef list plans
    cdef char *data
    cdef Py_ssize_t used, space
    cdef Replies replies
    cdef dict values
    cdef int64_t taken
    # How far the coordinator has come with the replies.
    cdef int read
    cdef Py_ssize_t sent

    cdef int begin(self, int origin, int database, int proto) except -1
    cdef int add(self, Plan plan, const char *data, Argument *args, int argc, uint64_t h) except -1
    cdef tuple locks(self)
    cdef list args(self, int at, bytes name)
    cdef int clear(self) except -1
