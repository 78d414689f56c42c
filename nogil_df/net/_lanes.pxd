from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from nogil_df.net._quick cimport Quick
from nogil_df.net._replies cimport Replies
from nogil_df.net._shares cimport Share

cdef enum:
    ROOM = 256              # shares on one lane at a time; what finds no room goes by a message


# What one thread has for another one; each half in cache lines of its own.
cdef struct Lane:
    # Written by the one that fills it, up to where the other one may read.
    uint64_t filled
    char apart[56]
    # Written by the one that empties it.
    uint64_t emptied
    char apart_too[56]
    PyObject *shares[ROOM]  # borrowed: their singles hold on to them until they are answered


cdef class Lanes:
    cdef object proactor, inbox, mail, outboxes
    cdef Quick quick
    cdef Replies replies
    cdef int count, me
    # From each thread to this one.
    cdef Lane *arriving
    # From this one to each; theirs. And how far those are filled, though that may not be told yet.
    cdef Lane **leaving
    cdef uint64_t *staged
    cdef uint64_t *room_until
    cdef bint has_staged

    cdef bint put(self, int dest, Share share) noexcept
    cdef Py_ssize_t let_go(self, int dest) noexcept
    cdef bint is_waiting(self) noexcept
    cdef int serve(self) except -1
    cdef int serve_lane(self, Lane *lane, uint64_t until) except -1
    cdef int serve_one(self, PyObject *item, int64_t *now) except -1
    cdef bint answer(self, PyObject *item, int64_t taken) except -1
    cdef int answer_by_message(self, Share share) except -1
    cdef int approach(self, Lane *lane, uint64_t until) except -1
