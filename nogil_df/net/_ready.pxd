from cpython.object cimport PyObject

from nogil_df.net._express cimport Express, Reader, Waiting
from nogil_df.net._poller cimport EpollPoller
from nogil_df.net._quick cimport AHEAD
from nogil_df.shard.keyspace cimport Keyspace


cdef class Ready(Waiting):
    cdef Express express
    cdef dict known
    # Whose requests were read, and where those lie in the buffer.
    cdef PyObject *readers[AHEAD]
    cdef int count
    cdef Py_ssize_t ends[AHEAD + 1]
    # How many of them have been served, the one that is served now included; 0 if nothing was read ahead.
    cdef int at
    cdef int hold_off

    cdef int serve(self, EpollPoller found) except -1
    cdef int gather(self, EpollPoller found, int first) except -1
    cdef bint is_simple(self, Reader reader, int mask) except -1
    cdef int look_ahead(self, Keyspace db) except -1
    cdef int serve_gathered(self) except -1
    cdef int let_go(self, int first) except -1
