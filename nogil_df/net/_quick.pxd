from libc.stdint cimport int64_t, uint64_t

from nogil_df.net._parse cimport Argument
from nogil_df.net._plans cimport Plan
from nogil_df.net._replies cimport Replies
from nogil_df.shard._dash cimport DashTable
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.shard_state cimport ShardState
from nogil_df.vll._intents cimport IntentLocks


cdef enum:
    AHEAD = 32              # keys that are looked for in memory together


cdef class Quick:
    cdef ShardState shard
    cdef object engine, blocking
    cdef IntentLocks locks
    cdef object ready, dbs, outboxes, proactor
    # The offset of the proactor's slot.
    cdef Py_ssize_t has_notices
    cdef readonly int index
    # Of the commands that ran, since `count`.
    cdef long long hit, missed, changed

    cdef DashTable table_of(self, Keyspace db)
    cdef bint run(
        self, int what, DashTable table, const char *key, Py_ssize_t size, const char *value, Py_ssize_t length,
        uint64_t h, int64_t deadline, int proto, Replies replies
    ) except -1
    cdef bint is_plain(
        self, Plan plan, const char *data, const Argument *args, int argc, const Argument **value, int64_t *deadline
    ) noexcept
    cdef int64_t deadline_of(self, const char *data, const Argument *time, int64_t unit) noexcept
    cdef int count(self) except -1

    cdef inline bint is_held(self, uint64_t h) noexcept:
        """Whether a transaction has an intent that may concern a key of this shard. O(1)."""
        return self.locks.concerns(h)
