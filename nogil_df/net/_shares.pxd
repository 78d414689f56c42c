from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from nogil_df.net._parse cimport Argument
from nogil_df.net._plans cimport Plan
from nogil_df.net._quick cimport Quick
from nogil_df.net._replies cimport Replies
from nogil_df.shard._dash cimport DashTable
from nogil_df.vll._intents cimport Keys

cdef struct Call:
    PyObject *plan     # lives as long as the coordinator's thread
    uint64_t h
    Py_ssize_t at      # where its key lies in `data`; the value follows
    Py_ssize_t key     # bytes of the key
    Py_ssize_t value   # bytes of the value
    Py_ssize_t end     # of its reply; -1 if that is among `values`
    int64_t deadline   # of a SET: unix ms, 0 for none
    int what
    int step           # the one of the client's that it belongs to: a command, or a transaction
    bint is_write


# How far an answer is that its owner may send to the client itself; see `nogil_df.net._shares`.
cdef enum:
    BY_MESSAGE, ALLOWED, SENDING, WANTED, SENT


cdef extern from *:
    """
    static inline int df_state(const int *state) {
        return __atomic_load_n(state, __ATOMIC_ACQUIRE);
    }

    static inline void df_set_state(int *state, int to) {
        __atomic_store_n(state, to, __ATOMIC_RELEASE);
    }

    static inline int df_change_state(int *state, int from, int to) {
        return __atomic_compare_exchange_n(state, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    }
    """
    int df_state(const int *state) noexcept nogil
    void df_set_state(int *state, int to) noexcept nogil
    bint df_change_state(int *state, int origin, int to) noexcept nogil


cdef class Share:
    cdef int origin, database, proto
    # The client's socket, while its answer's `state` is not BY_MESSAGE; what is too slow to be told of without a message.
    cdef int fd, state
    cdef int64_t slow_ns
    cdef Call *calls
    cdef int size, room
    cdef char *data
    cdef Py_ssize_t used, space
    cdef Replies replies
    cdef Keys reads, writes
    cdef dict values
    cdef int64_t taken
    # The single command that it is all of, or NULL; borrowed.
    cdef PyObject *single
    # How far the coordinator has come with the replies.
    cdef int read
    cdef Py_ssize_t sent

    cdef int begin(self, int origin, int database, int proto) except -1
    cdef int add(
        self, Plan plan, int step, const char *data, const Argument *key, const Argument *value, uint64_t h,
        int64_t deadline
    ) except -1
    cdef bint recall(self, bint patient) noexcept
    cdef void approach(self, DashTable table, int first) noexcept
    cdef int name_keys(self) except -1
    cdef object payload(self, int at)
    cdef list arguments(self, int at)
    cdef int clear(self, Py_ssize_t most) except -1


cdef int run(Quick quick, Share share) except -1
cdef int serve_alone(Quick quick, tuple message) except -1
cdef bint serve_part(Quick quick, tuple message) except -1
