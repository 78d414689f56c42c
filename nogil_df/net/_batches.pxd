from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from nogil_df.net._express cimport Express, Onward, Reader
from nogil_df.net._parse cimport Argument
from nogil_df.net._plans cimport Plan
from nogil_df.net._shares cimport Share
from nogil_df.vll.part cimport Part


cdef class Flight


cdef class Squasher(Onward):
    # Flights that are not under way.
    cdef list spare
    # Flights of more than a few commands that are under way.
    cdef int flying

    cdef Flight take(self, Express express)
    cdef bint may_follow(self, Express express) except -1
    cdef Flight look_further(self, Reader reader)
    cdef int take_off(self, Flight flight, Py_ssize_t pos, Py_ssize_t following, Py_ssize_t end) except -1
    cdef int put_by(self, Reader reader, Py_ssize_t pos, Py_ssize_t end) except -1


cdef class InFlight:
    cdef Reader reader
    cdef object tx
    cdef int64_t began

    cdef int finish(self, dict results) except -1
    cdef bint land(self) except -1
    cdef int come_down(self) except -1
    cdef int measure(self, list args, int64_t nanoseconds, Py_ssize_t written) except -1
    cdef int write_answer(self, Plan plan, Share share, int at, result, int proto) except -1
    cdef int write(self, Plan plan, value, int proto) except -1


cdef struct Step:
    # A command of the client's, or one of its transactions.
    PyObject *plan     # of a transaction: that of its MULTI
    int calls


cdef class Flight(InFlight):
    cdef Squasher home
    cdef Express express
    # What each shard has to do, which of them have anything, and what they answered.
    cdef list shares, flown, answers
    # The shards of the calls, in program order, and the steps that they make up.
    cdef short *owners
    cdef int size, room
    cdef Step *steps
    cdef int count, places
    cdef Py_ssize_t commands
    # Of a flight over our own shard and one more, as long as that is granted at once.
    cdef Part here, there
    # Our share has run, though the other has not answered.
    cdef bint has_run
    # The flight that is to follow; of one that has not begun, the commands as they came.
    cdef Flight following
    cdef bytes source

    cdef void whet(self, Py_ssize_t size) noexcept
    cdef Py_ssize_t gather(self, Reader reader, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t limit) except -1
    cdef int add_call(self, Plan plan, const Argument *key, const Argument *value, int64_t deadline) except -1
    cdef int end_step(self, Plan plan, int calls) except -1
    cdef int start(self) except -1
    cdef bint is_alone(self) except -1
    cdef int send_shares(self) except -1
    cdef int use_the_while(self) except -1
    cdef int run_share_here(self) except -1
    cdef int put_back(self) except -1
    cdef bint combine(self) except -1
    cdef int run_here(self) except -1
    cdef object transaction(self)
    cdef int leave(self) except -1
    cdef int answered(self, int shard, result) except -1
    cdef int complete(self) except -1
    cdef int write_call(self, Plan plan, int call, int proto, bint slow, int64_t each) except -1
    cdef int write_keys(self, Plan plan, int call, int calls, int proto) except -1
    cdef object error_of(self, int call, int calls)
    cdef list arguments(self, Plan plan, int call, int calls)
