"""The commands that run straight on the compiled table: from the bytes of a request to those of its reply.

GET, SET and INCR without options, and SET with EX or PX, while nobody observes the database, are no calls of Python.
They are the same to the letter as `op_get`, `op_set` and `op_incr`, which run as soon as there is anything to tell or to refuse: a miss
that is to be notified, another type.
"""

from nogil_df.net._plans cimport GET, SET_PLAIN
from nogil_df.net._replies cimport COPIED

from nogil_df.vll.locks import EVERY_KEY

cdef extern from "Python.h":
    int PyDict_Contains(object mapping, object key) except -1
    Py_ssize_t PyDict_Size(object mapping) except -1

cdef enum:
    DIGITS = 10             # of a time to live that is read here


cdef class Quick:
    """What such commands need of the shard that they run on.

    Args:
        proactor: the shard's thread.
    """

    def __init__(self, proactor):
        shard = proactor.shard
        self.shard = shard
        self.blocking = shard.blocking
        self.index = proactor.index
        self.engine = proactor.engine
        self.locks = self.engine.locks.table
        self.outboxes = proactor.outboxes
        self.ready = shard.ready
        self.dbs = shard.dbs
        self.hit = self.missed = self.changed = 0

    cdef DashTable table_of(self, Keyspace db):
        """The table to run on; None while somebody is to be told of what happens to it."""
        return None if db.observed else db.table

    cdef bint run(
        self, int what, DashTable table, const char *key, Py_ssize_t size, const char *value, Py_ssize_t length,
        uint64_t h, int64_t deadline, int proto, Replies replies
    ) except -1:
        """Run a command and write its reply; False, and nothing, if that takes more. O(1), amortised.

        Args:
            deadline: of a SET: unix ms, 0 for none.
        """
        cdef const char *found = NULL
        cdef int64_t total = 0
        cdef int state
        if what == GET:
            state = table.find_string(key, size, h, &found, &length)
            if state == 1 and length <= COPIED:
                self.hit += 1
                replies.write_bulk(found, length)
                return True
            if state == 0 and self.shard.notify_mask == 0:
                self.missed += 1
                replies.write_null(proto)
                return True
            return False
        if what == SET_PLAIN:
            if table.put_string(key, size, h, value, length, deadline) == 2:
                return False
            self.changed += 1
            replies.write_ok()
            return True
        if table.add_integer(key, size, h, 1, &total) != 1:
            return False
        self.changed += 1
        replies.write_integer(total)
        return True

    cdef int64_t deadline_of(self, const char *data, const Argument *args) noexcept:
        """When ``SET key value EX n`` or ``PX n`` lets the key expire, unix ms; 0 if it is not as simple as that."""
        cdef const char *word = data + args[3].at
        cdef const char *digit = data + args[4].at
        cdef Py_ssize_t size = args[4].size, i
        cdef int64_t number = 0
        if args[3].size != 2 or word[1] | 32 != b"x" or size == 0 or size > DIGITS or digit[0] == b"0":
            return 0
        for i in range(size):
            if not b"0" <= digit[i] <= b"9":
                return 0
            number = number * 10 + (digit[i] - 48)
        if word[0] | 32 == b"e":
            number *= 1000
        elif word[0] | 32 != b"p":
            return 0
        return self.shard.tick.ms + number

    cdef int count(self) except -1:
        """Add what was counted to the shard's figures."""
        self.shard.hits += self.hit
        self.shard.misses += self.missed
        self.shard.dirty += self.changed
        self.hit = self.missed = self.changed = 0
        return 0

    cdef bint is_held(self, uint64_t h) except -1:
        """Whether a transaction has an intent that may concern a key of this shard."""
        return PyDict_Size(self.locks) and (PyDict_Contains(self.locks, h) or PyDict_Contains(self.locks, EVERY_KEY))
