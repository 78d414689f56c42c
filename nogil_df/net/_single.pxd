from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from nogil_df.net._batches cimport InFlight
from nogil_df.net._express cimport Aloft, Express, Reader
from nogil_df.net._lanes cimport Lanes
from nogil_df.net._parse cimport Argument
from nogil_df.net._plans cimport Plan
from nogil_df.net._shares cimport Share


cdef class Single


cdef class Singles(Aloft):
    cdef Express express
    cdef Lanes lanes
    cdef int count
    # Those not under way, one behind the other; each place owns a reference.
    cdef PyObject *spare
    cdef int spares
    # Those under way to each owner, in the order in which they left: the first and the last, and how many in all.
    cdef PyObject **first
    cdef PyObject **last
    cdef int aloft

    cdef Single take(self)
    cdef bint may_answer(self, Reader reader) except -1
    cdef int append(self, Single single) except -1
    cdef int remove(self, Single single) except -1


cdef class Single(InFlight):
    cdef Singles home
    cdef Share share
    cdef Plan plan
    cdef int owner
    cdef bint is_listed
    cdef PyObject *before
    cdef PyObject *after

    cdef int touch_down(self) except -1
    cdef int leave(self) except -1
    cdef int write_reply(self, result) except -1
    cdef list arguments(self)
