"""The commands that run straight on the compiled table: from the bytes of a request to those of its reply.

GET, SET, SETEX and INCR without options, and SET with EX or PX, while nobody observes the database, are no calls of
Python. They are the same to the letter as `op_get`, `op_set` and `op_incr`, which run as soon as there is anything to
tell or to refuse: a miss that is to be notified, another type.
"""

from nogil_df.net._plans cimport GET, INCR, SET_PLAIN, SETEX
from nogil_df.net._replies cimport COPIED
from nogil_df.net._slots cimport offset_of

cdef enum:
    DIGITS = 15             # of a time to live that is read here


cdef class Quick:
    """What such commands need of the shard that they run on.

    Args:
        proactor: the shard's thread.
    """

    def __init__(self, proactor):
        shard = proactor.shard
        self.proactor = proactor
        self.has_notices = offset_of(type(proactor), "has_notices")
        self.shard = shard
        self.blocking = shard.blocking
        self.index = proactor.index
        self.engine = proactor.engine
        self.locks = self.engine.locks
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
        if what == INCR:
            state = table.add_integer(key, size, h, 1, &total)
            if state == 0 and table.put_string(key, size, h, b"1", 1, 0) != 2:
                total = 1
            elif state != 1:
                return False
            self.changed += 1
            replies.write_integer(total)
            return True
        if table.put_string(key, size, h, value, length, deadline) == 2:
            return False
        self.changed += 1
        replies.write_ok()
        return True

    cdef bint is_plain(
        self, Plan plan, const char *data, const Argument *args, int argc, const Argument **value, int64_t *deadline
    ) noexcept:
        """Whether a command with these arguments is one that `run` can do; its value and deadline."""
        value[0] = &args[2]
        deadline[0] = 0
        if argc == plan.here_with:
            if plan.here != SETEX:
                return True
            value[0] = &args[3]
            deadline[0] = self.deadline_of(data, &args[2], plan.unit)
        elif plan.here == SET_PLAIN and argc == 5 and args[3].size == 2 and data[args[3].at + 1] | 32 == b"x":
            if data[args[3].at] | 32 == b"e":
                deadline[0] = self.deadline_of(data, &args[4], 1000)
            elif data[args[3].at] | 32 == b"p":
                deadline[0] = self.deadline_of(data, &args[4], 1)
        return deadline[0] != 0

    cdef int64_t deadline_of(self, const char *data, const Argument *time, int64_t unit) noexcept:
        """When a key expires that is to live for so many `unit` milliseconds, unix ms; 0 if that is not so simple."""
        cdef const char *digit = data + time.at
        cdef Py_ssize_t i
        cdef int64_t number = 0
        if time.size == 0 or time.size > DIGITS or digit[0] == b"0":
            return 0
        for i in range(time.size):
            if not b"0" <= digit[i] <= b"9":
                return 0
            number = number * 10 + (digit[i] - 48)
        return self.shard.tick.ms + number * unit

    cdef int count(self) except -1:
        """Add what was counted to the shard's figures."""
        self.shard.hits += self.hit
        self.shard.misses += self.missed
        self.shard.dirty += self.changed
        self.hit = self.missed = self.changed = 0
        return 0
