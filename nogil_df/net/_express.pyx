"""From the bytes of a socket to the bytes of the replies in one piece: the compiled way through the server.

What most clients send most of the time is one command on one key, or a pipeline of those. The layers that such a
command passes (connection, parser, session, dispatcher, encoder) are each made for everything that can come, and
in Python each costs more than the command. This module is the same way, cut short: one ``recv`` into a buffer of
the thread, the commands parsed where they lie, looked up, run, their replies written one behind the other into a
second buffer, one ``send``. It decides nothing of its own: names, arities, functions and flags are those of the
thread's command table.

It is a short cut, and leaves it as soon as anything is unusual. A `Reader` stands in the loop in place of
`Connection.on_ready`; the connection stays the owner of socket, session and parser. Handed over to it are

- whatever is not readiness to read, of a connection with nothing left over from before;
- sessions that are special (no login, MULTI, subscribed, tracked...) and threads that are gated (paused clients,
  monitors...): of these the commands are parsed here and run by the dispatcher, which looks at each;
- commands of other kinds than "one key": they, and what follows them in the same read, go to the dispatcher;
- what is not complete, or not RESP: the bytes go to the connection's parser, which judges. If they turn out to be
  the beginning of a command that is just not there yet, the next read takes them back.

A key that belongs to another thread, or that a transaction holds an intent on, ends the short way as well: from
there on the single-key commands of the read become one implicit transaction (`Batch`), as the dispatcher would
make it (see `nogil_df.vll.squash`, `nogil_df.vll.columns`); so program order holds.

GET, SET and INCR without options, while nobody observes the database, are not even calls of Python: they go
straight to the compiled table (`run_here`). They are the same to the letter as `op_get`, `op_set` and `op_incr`,
which run as soon as there is anything to tell or to refuse: a miss that is to be notified, another type.

What must hold, for every command that runs here: it is counted, timed and if need be put into the slow log; waiters
it made ready are served before the next one; keyspace events and invalidations leave before its reply; notices are
handed over before a reply leaves. Calls and times are gathered in C and settled when somebody asks
(`Express.settle`).

Attributes of objects that belong to this thread are read by their offset, where their class has slots: what
takes Python 25 ns takes 1 that way, and the classes stay Python. An attribute that is no slot any more is an error
when the thread starts.
"""

import sys

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Size
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE, PyList_New, PyList_SET_ITEM
from cpython.long cimport PyLong_CheckExact, PyLong_FromLongLong, PyLong_FromUnsignedLongLong
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

from nogil_df.base._xxh3 cimport LONGEST, xxh3
from nogil_df.shard._dash cimport DashTable

from nogil_df.base import hashing
from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.commands import gate
from nogil_df.commands.session import Session
from nogil_df.commands.spec import BUCKETS, SINGLE
from nogil_df.shard.keyspace import Keyspace
from nogil_df.vll.columns import run_columns_alone, run_columns_batch
from nogil_df.vll.locks import EVERY_KEY
from nogil_df.vll.squash import fingerprints, run_alone, run_batch, run_one
from nogil_df.vll.transaction import Transaction

cdef extern from "<sys/socket.h>" nogil:
    ssize_t recv(int fd, void *buffer, size_t size, int flags)
    ssize_t send(int fd, const void *data, size_t size, int flags)
    enum: MSG_NOSIGNAL

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    enum: EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event *event)
    int epoll_wait(int epoll, epoll_event *events, int most, int milliseconds)

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef extern from "Python.h":
    object raise_from_errno "PyErr_SetFromErrno" (object kind)

cdef extern from *:
    """
    #include <time.h>

    static inline int64_t df_nanoseconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }

    /* Where in an object a slot lies; -1 if the attribute is none. */
    static Py_ssize_t df_slot_offset(PyObject *descriptor) {
        if (Py_TYPE(descriptor) != &PyMemberDescr_Type)
            return -1;
        return ((PyMemberDescrObject *)descriptor)->d_member->offset;
    }

    #define DF_SLOT(owner, offset) (*(PyObject **)((char *)(owner) + (offset)))
    #define DF_LENGTH(object) Py_SIZE(object)

    static inline int df_bucket(int64_t nanoseconds) {
        return nanoseconds > 0 ? 64 - __builtin_clzll((unsigned long long)nanoseconds) : 0;
    }
    """
    int64_t df_nanoseconds() noexcept nogil
    Py_ssize_t df_slot_offset(PyObject *descriptor) noexcept
    PyObject *DF_SLOT(PyObject *owner, Py_ssize_t offset) noexcept
    Py_ssize_t DF_LENGTH(PyObject *object) noexcept
    int df_bucket(int64_t nanoseconds) noexcept

cdef extern from "Python.h":
    int PyDict_Contains(object mapping, object key) except -1
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1
    PyObject *Py_True
    PyObject *Py_False
    PyObject *Py_None

cdef enum:
    CHUNK = 65536           # bytes asked for in one recv, as in `nogil_df.net.connection`
    KEPT = 32768            # bytes of a command that is not complete that are taken back from the parser
    MOST_ARGUMENTS = 1024   # of a command that is parsed here
    NAME = 16               # bytes of the longest name looked up here
    NAMES = 1024            # places of the table of names; a power of two, a few times the commands
    COPIED = 65536          # bytes of a value that are copied into the buffer of replies
    READ = 1                # EPOLLIN
    EVENTS = 512            # descriptors that one turn serves at most
    RUN = 256               # commands that go to the dispatcher in one turn, as in `nogil_df.net.connection`
    SAMPLED = 15            # one send, and one pipeline, of so many and one is timed, as in `nogil_df.net.connection`
    LARGE_OUTPUT = 1048576  # bytes of the buffer of replies that are given back after use
    MOST_EQUAL = 512        # equal commands that go by columns at once
    FEW_EQUAL = 4           # from which on that is worth its tuples
    MOST_SHARDS = 64
    HISTOGRAM = 64

assert BUCKETS == HISTOGRAM

NO_KEYS = frozenset()

# What runs without a call of Python.
cdef enum:
    NOTHING, GET, SET_PLAIN, INCR

# How a list becomes a reply.
cdef enum:
    OTHER, ARRAY, MAP, SET

cdef struct Argument:
    Py_ssize_t at
    Py_ssize_t size


cdef Py_ssize_t offset_of(type owner, str name) except -1:
    cdef object descriptor = None
    for base in owner.__mro__:
        if name in base.__dict__:
            descriptor = base.__dict__[name]
            break
    cdef Py_ssize_t offset = df_slot_offset(<PyObject *>descriptor)
    if offset < 0:
        raise TypeError(f"{owner.__name__}.{name} is no slot")
    return offset


cdef inline bint is_true(object owner, Py_ssize_t offset) noexcept:
    return DF_SLOT(<PyObject *>owner, offset) == Py_True


cdef inline int put_item(tuple into, Py_ssize_t at, object value) except -1:
    Py_INCREF(value)
    PyTuple_SET_ITEM(into, at, value)
    return 0


cdef inline object slot(object owner, Py_ssize_t offset):
    return <object>DF_SLOT(<PyObject *>owner, offset)


cdef inline int put_slot(object owner, Py_ssize_t offset, object value) except -1:
    cdef PyObject **place = <PyObject **>(<char *><PyObject *>owner + offset)
    cdef PyObject *old = place[0]
    Py_INCREF(value)
    place[0] = <PyObject *>value
    # Dropped last: what freeing runs finds the new value in place.
    if old != NULL:
        drop(old)
    return 0


cdef inline void drop(PyObject *value):
    Py_DECREF(<object>value)


cdef Py_ssize_t parse(const char *data, Py_ssize_t pos, Py_ssize_t end, Argument *args, int *argc) noexcept nogil:
    """Where the command that begins at `pos` ends; 0 if it is not all there, -1 if somebody else has to look."""
    cdef Py_ssize_t p = pos + 1, number, begin
    cdef int count, i
    if data[pos] != b"*":
        return -1
    begin = p
    number = 0
    while p < end and b"0" <= data[p] <= b"9":
        number = number * 10 + (data[p] - 48)
        p += 1
        if number > MOST_ARGUMENTS:
            return -1
    if p + 1 >= end:
        return 0
    if data[p] != b"\r" or data[p + 1] != b"\n" or p == begin or data[begin] == b"0":
        return -1
    p += 2
    count = <int>number
    for i in range(count):
        if p >= end:
            return 0
        if data[p] != b"$":
            return -1
        p += 1
        begin = p
        number = 0
        while p < end and b"0" <= data[p] <= b"9":
            number = number * 10 + (data[p] - 48)
            p += 1
            if number > 1 << 30:
                return -1
        if p + 1 >= end:
            return 0
        if data[p] != b"\r" or data[p + 1] != b"\n" or p == begin or (data[begin] == b"0" and p - begin > 1):
            return -1
        p += 2
        if p + number + 2 > end:
            return 0
        if data[p + number] != b"\r" or data[p + number + 1] != b"\n":
            return -1
        args[i].at = p
        args[i].size = number
        p += number + 2
    argc[0] = count
    return p


cdef class Plan:
    """What there is to know of a command to run it here, and what there is to count."""

    cdef object command, cmd, op, encode, many
    cdef str name
    cdef int least, most, plain_with, many_with, form, here, here_with
    cdef bint plain_ok, is_write
    cdef long long calls, nanoseconds
    cdef long long histogram[HISTOGRAM]
    cdef bint counted

    def __init__(self, command):
        self.command = command
        self.name = command.full_name
        if command.kind == SINGLE:
            self.least = command.least
            self.most = min(command.most, MOST_ARGUMENTS)
        else:
            self.least = self.most = command.single_with
        self.plain_with = command.plain_with
        self.cmd = command.cmd
        self.op = command.op
        self.encode = command.encode
        self.many = command.many if command.kind == SINGLE else None
        self.many_with = command.many_with if command.kind == SINGLE else 0
        self.plain_ok = command.plain_ok
        self.is_write = command.is_write
        forms = {"bulks": ARRAY, "map_of_bulks": MAP, "set_of_bulks": SET}
        self.form = forms.get(command.row.encode, OTHER)
        here = {"GET": (GET, 2), "SET": (SET_PLAIN, 3), "INCR": (INCR, 2)}
        self.here, self.here_with = here.get(command.name, (NOTHING, 0))
        self.calls = self.nanoseconds = 0
        self.counted = False
        memset(self.histogram, 0, sizeof(self.histogram))

    cdef int settle(self) except -1:
        cdef int i
        command = self.command
        command.calls += self.calls
        command.nanoseconds += self.nanoseconds
        if command.histogram is None:
            command.histogram = [0] * BUCKETS
        for i in range(HISTOGRAM):
            if self.histogram[i]:
                command.histogram[i] += self.histogram[i]
        self.calls = self.nanoseconds = 0
        self.counted = False
        memset(self.histogram, 0, sizeof(self.histogram))
        return 0


cdef class Reader
cdef class EpollPoller


cdef class Express:
    """The short way of one thread, for all its plain connections.

    Args:
        dispatcher: the thread's, whose table, statistics and engine these are.
        loop: the thread's.
    """

    cdef object dispatcher, state, proactor, loop, shard, engine, blocking, hash_key, outboxes, locks, ready
    cdef list dbs, counted, readers
    cdef int me, count
    cdef bint hash_here
    # The table of names: open addressing, two words a name.
    cdef uint64_t low[NAMES]
    cdef uint64_t high[NAMES]
    cdef PyObject *plans[NAMES]
    cdef list kept_plans
    # The last name looked up.
    cdef char last_name[NAME]
    cdef int last_size
    cdef PyObject *last_plan
    # What was read, what is to be sent.
    cdef char *data
    cdef char *out
    cdef Py_ssize_t used, capacity
    cdef Argument args[MOST_ARGUMENTS]
    cdef int argc
    # Counted, and not yet settled.
    cdef long long bytes_in, bytes_out, reads, writes, pipelined, pipelines, send_ns, squashed_ns
    # Offsets of slots.
    cdef Py_ssize_t gated, has_notices, now, slow_ns, outgoing
    cdef Py_ssize_t table, observed, notify_mask, hits, misses, dirty
    # Of the commands that `run_here` ran, since `count_here`.
    cdef long long hit, missed, changed
    cdef Py_ssize_t queued, paused, unsent
    cdef Py_ssize_t busy, special, closing, sink, database, proto, last_command, last_active
    cdef Py_ssize_t idle

    def __cinit__(self):
        self.data = <char *>malloc(CHUNK + KEPT)
        self.capacity = CHUNK
        self.out = <char *>malloc(self.capacity)
        if self.data == NULL or self.out == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.data)
        free(self.out)

    def __init__(self, dispatcher, loop, connection_class, parser_class):
        self.dispatcher = dispatcher
        self.loop = loop
        self.state = dispatcher.state
        self.proactor = dispatcher.proactor
        self.shard = self.proactor.shard
        self.engine = self.proactor.engine
        self.locks = self.engine.locks.table
        self.ready = self.shard.ready
        self.outboxes = self.proactor.outboxes
        self.dbs = self.shard.dbs
        self.hash_key = self.shard.hash_key
        self.hash_here = self.hash_key is hashing.hash_key
        self.me = self.proactor.index
        self.count = self.proactor.count
        self.counted = []
        self.readers = []
        self.kept_plans = []
        self.last_size = -1
        self.last_plan = NULL
        self._find_slots(connection_class, parser_class)
        memset(self.low, 0, sizeof(self.low))
        memset(self.high, 0, sizeof(self.high))
        memset(self.plans, 0, sizeof(self.plans))
        for name, command in dispatcher.table.items():
            if len(name) <= NAME and command.op is not None and (command.kind == SINGLE or command.single_with):
                self._add(name.encode(), Plan(command))

    cdef int _find_slots(self, connection, parser) except -1:
        self.gated = offset_of(type(self.dispatcher), "gated")
        self.has_notices = offset_of(type(self.proactor), "has_notices")
        self.now = offset_of(type(self.loop), "now")
        self.slow_ns = offset_of(type(self.state), "slow_ns")
        self.outgoing = offset_of(type(self.shard), "outgoing")
        self.notify_mask = offset_of(type(self.shard), "notify_mask")
        self.hits = offset_of(type(self.shard), "hits")
        self.misses = offset_of(type(self.shard), "misses")
        self.dirty = offset_of(type(self.shard), "dirty")
        self.table = offset_of(Keyspace, "table")
        self.observed = offset_of(Keyspace, "observed")
        self.queued = offset_of(connection, "queued")
        self.paused = offset_of(connection, "paused")
        self.unsent = offset_of(connection, "unsent")
        self.busy = offset_of(Session, "busy")
        self.special = offset_of(Session, "special")
        self.closing = offset_of(Session, "closing")
        self.sink = offset_of(Session, "sink")
        self.database = offset_of(Session, "db")
        self.proto = offset_of(Session, "proto")
        self.last_command = offset_of(Session, "last_command")
        self.last_active = offset_of(Session, "last_active")
        self.idle = offset_of(parser, "idle")
        return 0

    def dispatch(self, events, handlers):
        """Call the handler of each ready descriptor: the loop's own way, without going through Python for readers."""
        cdef EpollPoller found = events
        cdef dict known = handlers
        cdef int i
        for i in range(found.count):
            handler = known.get(found.events[i].data.fd)
            if type(handler) is Reader:
                (<Reader>handler).on_ready(found.events[i].events)
            elif handler is not None:
                # An earlier one of this turn may have closed it otherwise.
                handler(<int>found.events[i].events)

    def reader(self, connection):
        """What is to stand in the loop for a connection on a plain socket."""
        return Reader(self, connection)

    # -- names ---------------------------------------------------------------------------------------------

    cdef int _add(self, bytes name, Plan plan) except -1:
        cdef uint64_t word[2]
        cdef int at
        memset(word, 0, NAME)
        memcpy(word, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        at = place(word[0], word[1])
        while self.plans[at] != NULL:
            at = (at + 1) & (NAMES - 1)
        self.low[at] = word[0]
        self.high[at] = word[1]
        self.plans[at] = <PyObject *>plan
        self.kept_plans.append(plan)
        return 0

    cdef PyObject *plan_of(self, const char *name, Py_ssize_t size) noexcept:
        """The plan of a command as it is spelled; NULL if it has none. O(1)."""
        cdef uint64_t word[2]
        cdef char *upper = <char *>word
        cdef Py_ssize_t i
        cdef int at
        if size == self.last_size and memcmp(name, self.last_name, size) == 0:
            return self.last_plan
        if size > NAME or size == 0:
            return NULL
        word[0] = word[1] = 0
        for i in range(size):
            upper[i] = name[i] - 32 if b"a" <= name[i] <= b"z" else name[i]
        at = place(word[0], word[1])
        while self.plans[at] != NULL:
            if self.low[at] == word[0] and self.high[at] == word[1]:
                memcpy(self.last_name, name, size)
                self.last_size = <int>size
                self.last_plan = self.plans[at]
                return self.last_plan
            at = (at + 1) & (NAMES - 1)
        return NULL

    # -- counting ------------------------------------------------------------------------------------------

    cpdef settle(self):
        """Add what was counted here to where it is shown. O(commands, clients seen since)."""
        cdef Plan plan
        cdef Reader reader
        for plan in self.counted:
            plan.settle()
        self.counted.clear()
        for reader in self.readers:
            reader.settle()
        self.readers.clear()
        state = self.state
        state.bytes_in += self.bytes_in
        state.bytes_out += self.bytes_out
        state.reads += self.reads
        state.writes += self.writes
        state.pipelined += self.pipelined
        state.pipelines += self.pipelines
        state.send_ns += self.send_ns
        self.dispatcher.squashed_ns += self.squashed_ns
        self.bytes_in = self.bytes_out = self.reads = self.writes = self.pipelined = 0
        self.pipelines = self.send_ns = self.squashed_ns = 0

    cdef int note_pipeline(self, Py_ssize_t size, int64_t began) except -1:
        """Commands that came together have run; one time of so many it is told how long that took."""
        self.pipelined += size
        self.pipelines += 1
        if not self.pipelines & SAMPLED:
            self.state.note_pipeline(size, df_nanoseconds() - began, SAMPLED + 1)
        return 0

    cdef int count_calls(self, Plan plan, long long calls, int64_t nanoseconds) except -1:
        if not plan.counted:
            plan.counted = True
            self.counted.append(plan)
        plan.calls += calls
        plan.nanoseconds += nanoseconds
        plan.histogram[df_bucket(nanoseconds // calls)] += calls
        return 0

    cdef int account(self, session, Plan plan, long long calls, int64_t nanoseconds, Py_ssize_t begin,
                     Py_ssize_t end) except -1:
        """Account for equal commands in a row, which lie in the buffer from `begin` to `end`."""
        cdef Py_ssize_t pos = begin
        cdef Argument args[MOST_ARGUMENTS]
        cdef int argc = 0
        self.count_calls(plan, calls, nanoseconds)
        slow_ns = slot(self.state, self.slow_ns)
        if nanoseconds >= slow_ns * calls:
            while pos < end:
                pos = parse(self.data, pos, end, args, &argc)
                if pos <= 0:
                    break
                self.state.note_slow(session, plan.command, self.listed(args, argc), nanoseconds // calls)
        return 0

    # -- the buffer of replies -----------------------------------------------------------------------------

    cdef int reserve(self, Py_ssize_t size) except -1:
        cdef char *grown
        cdef Py_ssize_t capacity = self.capacity
        if self.used + size <= capacity:
            return 0
        while self.used + size > capacity:
            capacity *= 2
        grown = <char *>realloc(self.out, capacity)
        if grown == NULL:
            raise MemoryError
        self.out = grown
        self.capacity = capacity
        return 0

    cdef inline void write(self, const char *text, Py_ssize_t size) noexcept:
        memcpy(self.out + self.used, text, size)
        self.used += size

    cdef inline void write_number(self, char mark, long long number) noexcept:
        """A mark, a number and an end of line; there is room for 24 bytes."""
        cdef char digits[24]
        cdef int at = 24
        cdef unsigned long long left = <unsigned long long>number
        cdef bint negative = number < 0
        if negative:
            left = 0 - left
        digits[23] = 10
        digits[22] = 13
        at = 22
        while True:
            at -= 1
            digits[at] = 48 + <char>(left % 10)
            left //= 10
            if left == 0:
                break
        if negative:
            at -= 1
            digits[at] = 45
        at -= 1
        digits[at] = mark
        self.write(digits + at, 24 - at)

    cdef inline int write_bulk(self, const char *text, Py_ssize_t size) except -1:
        self.reserve(size + 32)
        self.write_number(b"$", size)
        self.write(text, size)
        self.write(b"\r\n", 2)
        return 0

    cdef inline int write_null(self, int proto) except -1:
        self.reserve(8)
        if proto == 2:
            self.write(b"$-1\r\n", 5)
        else:
            self.write(b"_\r\n", 3)
        return 0

    cdef int emit(self, session, Plan plan, value, int proto) except -1:
        """Write the reply of a command."""
        cdef int overflow = 0
        cdef long long number
        if PyBytes_CheckExact(value):
            if PyBytes_GET_SIZE(value) <= COPIED:
                return self.write_bulk(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
            self.spill(session)
            slot(session, self.sink).extend((b"$%d\r\n" % len(value), value, b"\r\n"))
            return 0
        if value is None:
            return self.write_null(proto)
        if value is True and plan.plain_ok:
            self.reserve(8)
            self.write(b"+OK\r\n", 5)
            return 0
        if PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if not overflow:
                self.reserve(32)
                self.write_number(b":", number)
                return 0
        elif plan.form != OTHER and type(value) is list and self.emit_list(plan.form, value, proto):
            return 0
        return self.emit_any(plan.encode, value, proto)

    cdef int emit_any(self, encode, value, int proto) except -1:
        cdef list pieces = []
        cdef bytes piece
        encode(value, proto, pieces)
        for piece in pieces:
            self.reserve(PyBytes_GET_SIZE(piece))
            self.write(PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece))
        return 0

    cdef bint emit_list(self, int form, list values, int proto) except -1:
        """Write a list of bytes and nulls; False, and nothing, if there is anything else or much in it."""
        cdef Py_ssize_t size = 0, before = self.used
        for value in values:
            if PyBytes_CheckExact(value):
                size += PyBytes_GET_SIZE(value) + 32
            elif value is not None:
                return False
            else:
                size += 8
        if size > LARGE_OUTPUT:
            return False
        self.reserve(size + 32)
        if proto == 2 or form == ARRAY:
            self.write_number(b"*", len(values))
        elif form == MAP:
            self.write_number(b"%", len(values) // 2)
        else:
            self.write_number(b"~", len(values))
        for value in values:
            if value is None:
                self.write_null(proto)
            else:
                self.write_number(b"$", PyBytes_GET_SIZE(value))
                self.write(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
                self.write(b"\r\n", 2)
        return True

    cdef int spill(self, session) except -1:
        """Move what was written to the session's list of replies."""
        if self.used:
            slot(session, self.sink).append(PyBytes_FromStringAndSize(self.out, self.used))
            self.clear()
        return 0

    cdef int clear(self) except -1:
        self.used = 0
        if self.capacity > LARGE_OUTPUT:
            free(self.out)
            self.capacity = CHUNK
            self.out = <char *>malloc(self.capacity)
            if self.out == NULL:
                raise MemoryError
        return 0

    # -- commands ------------------------------------------------------------------------------------------

    cdef list listed(self, Argument *args, int argc):
        cdef list found = PyList_New(argc)
        cdef int i
        for i in range(argc):
            argument = PyBytes_FromStringAndSize(self.data + args[i].at, args[i].size)
            Py_INCREF(argument)
            PyList_SET_ITEM(found, i, argument)
        return found

    cdef uint64_t hashed(self, const char *key, Py_ssize_t size) except? 0:
        if self.hash_here and size <= LONGEST:
            return xxh3(key, size)
        return self.hash_key(PyBytes_FromStringAndSize(key, size))

    cdef bint is_held(self, uint64_t h) except -1:
        """Whether a transaction has an intent that may concern a key of this shard."""
        return PyDict_Contains(self.locks, h) or PyDict_Contains(self.locks, EVERY_KEY)

    cdef bint run_here(self, Plan plan, DashTable table, object db, uint64_t h, int proto) except -1:
        """Run the parsed command on the table and write its reply; False, and nothing, if that takes more."""
        cdef const char *key = self.data + self.args[1].at
        cdef Py_ssize_t size = self.args[1].size, length = 0
        cdef const char *found = NULL
        cdef int64_t total = 0
        cdef int state
        if is_true(db, self.observed):
            return False
        if plan.here == GET:
            state = table.find_string(key, size, h, &found, &length)
            if state == 1 and length <= COPIED:
                self.hit += 1
                self.write_bulk(found, length)
                return True
            if state == 0 and slot(self.shard, self.notify_mask) == 0:
                self.missed += 1
                self.write_null(proto)
                return True
            return False
        if plan.here == SET_PLAIN:
            if table.put_string(key, size, h, self.data + self.args[2].at, self.args[2].size, 0) == 2:
                return False
            self.changed += 1
            self.reserve(8)
            self.write(b"+OK\r\n", 5)
            return True
        if table.add_integer(key, size, h, 1, &total) != 1:
            return False
        self.changed += 1
        self.reserve(32)
        self.write_number(b":", total)
        return True

    cdef int count_here(self) except -1:
        """Add what `run_here` counted to the shard's figures."""
        shard = self.shard
        if self.hit:
            put_slot(shard, self.hits, slot(shard, self.hits) + self.hit)
        if self.missed:
            put_slot(shard, self.misses, slot(shard, self.misses) + self.missed)
        if self.changed:
            put_slot(shard, self.dirty, slot(shard, self.dirty) + self.changed)
        self.hit = self.missed = self.changed = 0
        return 0

    cdef object failed(self, session, list args, error):
        """Account for a command that ended in an error, and write that."""
        cdef bytes reply = self.dispatcher.lone.failed(session, args, error)
        self.reserve(PyBytes_GET_SIZE(reply))
        self.write(PyBytes_AS_STRING(reply), PyBytes_GET_SIZE(reply))


cdef inline int place(uint64_t low, uint64_t high) noexcept:
    return <int>(((low ^ (high * 0x9E3779B97F4A7C15ULL)) * 0x9FB21C651E98DF25ULL) >> 54)


cdef class Batch
cdef class Columns


cdef class EpollPoller:
    """epoll, and the descriptors that the last `poll` found ready: a `Poller` that makes no list of them.

    `poll` gives a truthy value if there are any, to be passed to `Express.dispatch`; iterated it gives pairs, as
    `select.epoll.poll` does.
    """

    cdef epoll_event events[EVENTS]
    cdef int count, fd

    def __init__(self):
        self.count = 0
        self.fd = epoll_create1(EPOLL_CLOEXEC)
        if self.fd < 0:
            raise_from_errno(OSError)

    cdef int control(self, int operation, int fd, int mask) except -1:
        cdef epoll_event event
        event.events = mask
        event.data.fd = fd
        if epoll_ctl(self.fd, operation, fd, &event) < 0:
            raise_from_errno(OSError)
        return 0

    def register(self, int fd, int mask):
        """See `Poller`."""
        self.control(EPOLL_CTL_ADD, fd, mask)

    def modify(self, int fd, int mask):
        """See `Poller`."""
        self.control(EPOLL_CTL_MOD, fd, mask)

    def unregister(self, int fd):
        """See `Poller`."""
        self.control(EPOLL_CTL_DEL, fd, 0)

    def poll(self, double timeout):
        """Wait up to `timeout` seconds. See the class's text."""
        cdef int limit = 0, found
        if timeout > 0:
            # Rounded up, as a timer that is nearly due would make turns without end.
            limit = <int>(timeout * 1000.0) + 1
            with nogil:
                found = epoll_wait(self.fd, self.events, EVENTS, limit)
        else:
            found = epoll_wait(self.fd, self.events, EVENTS, 0)
        if found < 0:
            if errno != EINTR:
                raise_from_errno(OSError)
            found = 0
        self.count = found
        return self

    def __bool__(self):
        return self.count > 0

    def __iter__(self):
        cdef int i
        return iter([(self.events[i].data.fd, self.events[i].events) for i in range(self.count)])

    def close(self):
        """See `Poller`."""
        close(self.fd)


cdef class Reader:
    """What the loop calls when the socket of a connection is ready, in place of `Connection.on_ready`."""

    cdef Express express
    cdef object connection, session, parser
    cdef int fd
    # Counted, and not yet settled.
    cdef long long bytes_in, bytes_out, commands
    cdef bint counted

    def __init__(self, Express express, connection):
        self.bytes_in = self.bytes_out = self.commands = 0
        self.counted = False
        self.express = express
        self.connection = connection
        self.session = connection.session
        self.parser = connection.parser
        self.fd = connection.fd

    cdef int settle(self) except -1:
        """Add what was counted to where CLIENT LIST looks for it."""
        self.counted = False
        self.connection.bytes_in += self.bytes_in
        self.connection.bytes_out += self.bytes_out
        self.session.commands_run += self.commands
        self.bytes_in = self.bytes_out = self.commands = 0
        return 0

    def __call__(self, int mask):
        self.on_ready(mask)

    cdef int on_ready(self, int mask) except -1:
        cdef Express express = self.express
        session = self.session
        connection = self.connection
        if (
            mask != READ
            or is_true(connection, express.queued)
            or is_true(connection, express.paused)
            or is_true(session, express.busy)
            or DF_LENGTH(DF_SLOT(<PyObject *>connection, express.unsent))
            or PyList_GET_SIZE(slot(session, express.sink))
        ):
            connection.on_ready(mask)
            return 0
        return self.read()

    cdef int read(self) except -1:
        cdef Express express = self.express
        cdef Py_ssize_t kept = 0, size
        if not is_true(self.parser, express.idle):
            kept = self.take_back()
            if kept < 0:
                self.connection.on_ready(READ)
                return 0
        size = recv(self.fd, express.data + kept, CHUNK, 0)
        if size <= 0:
            if kept:
                self.parser.feed(PyBytes_FromStringAndSize(express.data, kept))
            # It comes to the same result, and knows what to do about that.
            self.connection.on_ready(READ)
            return 0
        express.bytes_in += size
        express.reads += 1
        self.bytes_in += size
        if not self.counted:
            self.counted = True
            express.readers.append(self)
        if is_true(self.session, express.special) or is_true(express.dispatcher, express.gated):
            if not self.session.authenticated:
                data = PyBytes_FromStringAndSize(express.data, kept + size)
                self.connection._execute(self.parser.read(data, RUN))
                return 0
            return self.hand_over(0, kept + size)
        return self.serve(kept + size)

    cdef Py_ssize_t take_back(self) except -2:
        """Move what the parser keeps of a command to the buffer; how much that is. -1 if it has to stay there."""
        cdef bytes data = self.parser.take_back(KEPT)
        if data is None:
            return -1
        memcpy(self.express.data, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        return PyBytes_GET_SIZE(data)

    cdef int serve(self, Py_ssize_t end) except -1:
        """Run the commands in the buffer, up to where it takes more than this."""
        cdef Express express = self.express
        cdef object session = self.session, db = express.dbs[slot(session, express.database)], args, value
        cdef Py_ssize_t pos = 0, following = 0, begin = 0
        cdef int proto = slot(session, express.proto), argc = 0
        cdef long long calls = 0, ran = 0
        cdef int64_t started = df_nanoseconds(), now
        cdef int64_t began = started
        cdef PyObject *found
        cdef Plan plan = None
        cdef Argument *key = &express.args[1]
        cdef uint64_t h
        cdef bint usual = True
        cdef DashTable table = None
        if type(slot(db, express.table)) is DashTable:
            table = slot(db, express.table)
        while pos < end:
            following = parse(express.data, pos, end, express.args, &argc)
            if following <= 0:
                break
            found = express.plan_of(express.data + express.args[0].at, express.args[0].size)
            if found == NULL or argc < (<Plan>found).least or argc > (<Plan>found).most:
                usual = False
                break
            if found != <PyObject *>plan:
                if calls:
                    now = df_nanoseconds()
                    express.account(session, plan, calls, now - started, begin, pos)
                    started = now
                    calls = 0
                begin = pos
                plan = <Plan>found
            h = express.hashed(express.data + key.at, key.size)
            if (express.count > 1 and <int>((h >> 32) % <uint64_t>express.count) != express.me) or (
                PyDict_Size(express.locks) and express.is_held(h)
            ):
                if calls:
                    express.account(session, plan, calls, df_nanoseconds() - started, begin, pos)
                self.note_run(plan, ran)
                express.count_here()
                return self.send_off(pos, end)
            if table is not None and argc == plan.here_with and express.run_here(plan, table, db, h, proto):
                calls += 1
                ran += 1
                pos = following
                if PyDict_Size(express.ready):
                    express.shard.blocking.serve(express.ready)
                continue
            args = express.listed(express.args, argc)
            try:
                value = (<object>plan.op)(
                    db, args if plan.cmd is None or argc == plan.plain_with else plan.cmd(session, args), h
                )
            except ReplyError as error:
                if calls:
                    express.account(session, plan, calls, df_nanoseconds() - started, begin, pos)
                    calls = 0
                self.note_run(plan, ran)
                ran = -1
                express.failed(session, args, error.bare())
                started = df_nanoseconds()
                begin = following
            except Exception:
                if calls:
                    express.account(session, plan, calls, df_nanoseconds() - started, begin, pos)
                    calls = 0
                self.note_run(plan, ran)
                ran = -1
                express.failed(session, args, log_crash(plan.name, sys.exc_info()))
                started = df_nanoseconds()
                begin = following
            else:
                calls += 1
                express.emit(session, plan, value, proto)
            ran += 1
            pos = following
            if PyDict_Size(express.ready):
                express.shard.blocking.serve(express.ready)
        if express.hit or express.missed or express.changed:
            express.count_here()
        if calls:
            express.account(session, plan, calls, df_nanoseconds() - started, begin, pos)
        if ran > 1:
            express.note_pipeline(ran, began)
        if ran > 0:
            self.note_run(plan, ran)
        if pos == end:
            return self.reply()
        if not usual:
            return self.hand_over(pos, end)
        # Not complete, or not for us to judge.
        return self.leave_to_parser(pos, end, following < 0)

    cdef int note_run(self, Plan plan, long long ran) except -1:
        if ran > 0:
            self.commands += ran
            if DF_SLOT(<PyObject *>self.session, self.express.last_command) != <PyObject *>plan.name:
                put_slot(self.session, self.express.last_command, plan.name)
        return 0

    cdef int reply(self) except -1:
        """Send the replies in the buffer; nothing is left to run."""
        cdef Express express = self.express
        cdef object session = self.session
        cdef Py_ssize_t sent
        cdef int64_t began
        if PyList_GET_SIZE(slot(express.shard, express.outgoing)):
            express.state.publish_events()
        if is_true(express.proactor, express.has_notices):
            express.proactor.hand_over_notices()
        if PyList_GET_SIZE(slot(session, express.sink)) or is_true(session, express.closing):
            express.spill(session)
            self.connection.ready()
            return 0
        put_slot(session, express.last_active, slot(express.loop, express.now))
        if not express.used:
            return 0
        if express.writes & SAMPLED:
            sent = send(self.fd, express.out, express.used, MSG_NOSIGNAL)
        else:
            began = df_nanoseconds()
            sent = send(self.fd, express.out, express.used, MSG_NOSIGNAL)
            express.send_ns += (SAMPLED + 1) * (df_nanoseconds() - began)
        express.writes += 1
        if sent > 0:
            express.bytes_out += sent
            self.bytes_out += sent
        if sent == express.used:
            return express.clear()
        if sent > 0:
            memmove(express.out, express.out + sent, express.used - sent)
            express.used -= sent
        # Whatever it is, it will be so again, and the connection knows what to do.
        express.spill(session)
        self.connection.ready()
        return 0

    cdef int hand_over(self, Py_ssize_t pos, Py_ssize_t end) except -1:
        """Leave the commands from `pos` on to the dispatcher."""
        cdef Express express = self.express
        cdef list batch = []
        cdef Py_ssize_t following = pos
        # They may be CLIENT LIST or INFO.
        express.settle()
        cdef int argc = 0
        connection = self.connection
        while pos < end and PyList_GET_SIZE(batch) < RUN:
            following = parse(express.data, pos, end, express.args, &argc)
            if following <= 0:
                break
            batch.append(express.listed(express.args, argc))
            pos = following
        express.spill(self.session)
        if pos < end:
            self.parser.feed(PyBytes_FromStringAndSize(express.data + pos, end - pos))
            if following < 0 and not batch:
                connection._execute(self.parser.next_batch(RUN))
                return 0
        connection._execute(batch, following < 0)
        return 0

    cdef int leave_to_parser(self, Py_ssize_t pos, Py_ssize_t end, bint unusual) except -1:
        """Leave the bytes from `pos` on to the connection's parser."""
        cdef Express express = self.express
        self.parser.feed(PyBytes_FromStringAndSize(express.data + pos, end - pos))
        if PyList_GET_SIZE(slot(express.shard, express.outgoing)):
            express.state.publish_events()
        express.spill(self.session)
        express.settle()
        if unusual:
            self.connection._execute(self.parser.next_batch(RUN))
        else:
            self.connection.more = False
            self.connection.ready()
        return 0

    cdef int send_off(self, Py_ssize_t pos, Py_ssize_t end) except -1:
        """The first command from `pos` on can't run here and now: make a batch of those that are like it."""
        cdef Express express = self.express
        cdef Batch batch = None
        cdef Columns columns
        cdef Py_ssize_t following
        cdef object dispatcher = express.dispatcher
        cdef Py_ssize_t limit = dispatcher.squash_limit
        if dispatcher.movers or dispatcher.squash_from > 1:
            return self.hand_over(pos, end)
        columns = Columns(self)
        following = columns.gather(pos, end, limit)
        if following:
            pos = following
        else:
            columns = None
            batch = Batch(self)
            pos = batch.gather(pos, end, limit)
        if pos < end:
            self.parser.feed(PyBytes_FromStringAndSize(express.data + pos, end - pos))
            self.connection.more = True
        if PyList_GET_SIZE(slot(express.shard, express.outgoing)):
            express.state.publish_events()
        express.spill(self.session)
        return batch.start() if columns is None else columns.start()

    cdef int finish(self) except -1:
        """Replies of commands that were in flight are written: send them, and go on."""
        cdef Express express = self.express
        cdef object session = self.session, out = session.out
        if session.special or session.shown is not None or out is not slot(session, express.sink):
            # Replies may be muted by now, or monitors want to see the commands.
            out.append(PyBytes_FromStringAndSize(express.out, express.used))
            express.clear()
            gate.after_reply(session)
            self.connection.ready()
            return 0
        if is_true(self.parser, express.idle) and not DF_LENGTH(
            DF_SLOT(<PyObject *>self.connection, express.unsent)
        ) and not is_true(self.connection, express.paused):
            return self.reply()
        if PyList_GET_SIZE(slot(express.shard, express.outgoing)):
            express.state.publish_events()
        express.spill(session)
        self.connection.ready()
        return 0


cdef struct Place:
    Argument key
    Argument value
    uint64_t h
    int owner


cdef class Columns:
    """Equal commands of one connection in flight, by columns, as `nogil_df.commands.bulk.Run` has them.

    Most pipelines are one command many times. Then there is no object for each command, only for each key, hash
    and value: a tuple of each for every shard, made in one go from where the arguments lie in the buffer.
    """

    cdef Reader reader
    cdef Plan plan
    cdef object tx
    cdef dict shares
    cdef int size
    cdef int64_t began
    cdef unsigned char owners[MOST_EQUAL]

    def __init__(self, Reader reader):
        self.reader = reader
        self.shares = {}
        self.tx = None

    cdef Py_ssize_t gather(self, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t limit) except -1:
        """Take the equal commands from `pos` on; where the rest begins, 0 if they are too few to be worth it."""
        cdef Reader reader = self.reader
        cdef Express express = reader.express
        cdef Place places[MOST_EQUAL]
        cdef int in_shard[MOST_SHARDS]
        cdef Py_ssize_t following
        cdef int argc = 0, i, shard, at, size = 0
        cdef PyObject *found
        cdef PyObject *first = NULL
        cdef Plan plan = None
        cdef tuple hashes, keys, values
        if express.count > MOST_SHARDS:
            return 0
        if limit > MOST_EQUAL:
            limit = MOST_EQUAL
        memset(in_shard, 0, sizeof(in_shard))
        while pos < end and size < limit:
            following = parse(express.data, pos, end, express.args, &argc)
            if following <= 0:
                break
            found = express.plan_of(express.data + express.args[0].at, express.args[0].size)
            if found == NULL:
                break
            if first == NULL:
                first = found
                plan = <Plan>found
                if plan.many is None:
                    return 0
            if found != first or argc != plan.many_with:
                break
            pos = following
            places[size].key = express.args[1]
            if argc == 3:
                places[size].value = express.args[2]
            places[size].h = express.hashed(express.data + express.args[1].at, express.args[1].size)
            shard = <int>((places[size].h >> 32) % <uint64_t>express.count)
            places[size].owner = shard
            self.owners[size] = <unsigned char>shard
            in_shard[shard] += 1
            size += 1
        if size < FEW_EQUAL:
            return 0
        self.plan = plan
        self.size = size
        for shard in range(express.count):
            if not in_shard[shard]:
                continue
            hashes = PyTuple_New(in_shard[shard])
            keys = PyTuple_New(in_shard[shard])
            values = PyTuple_New(in_shard[shard]) if plan.many_with == 3 else None
            at = 0
            for i in range(size):
                if places[i].owner != shard:
                    continue
                put_item(hashes, at, PyLong_FromUnsignedLongLong(places[i].h))
                put_item(keys, at, PyBytes_FromStringAndSize(express.data + places[i].key.at, places[i].key.size))
                if values is not None:
                    put_item(
                        values, at, PyBytes_FromStringAndSize(express.data + places[i].value.at, places[i].value.size)
                    )
                at += 1
            self.shares[shard] = (
                express.me, reader.session.db, plan.many, plan.op, plan.is_write, hashes, keys, values
            )
        return pos

    cdef int start(self) except -1:
        cdef Reader reader = self.reader
        cdef Express express = reader.express
        cdef object dispatcher = express.dispatcher
        reader.note_run(self.plan, self.size)
        reader.session.busy = True
        self.began = df_nanoseconds()
        dispatcher.squashed_hops += len(self.shares)
        dispatcher.squashed_commands += self.size
        if len(self.shares) == 1:
            for shard, share in self.shares.items():
                message = (run_columns_alone, self, run_columns_batch, share)
                if shard == express.me:
                    run_columns_alone(express.proactor, message)
                else:
                    (<list>(<list>express.outboxes)[shard]).append(message)
            return 0
        self.tx = Transaction(express.proactor, self)
        works = {}
        for shard, share in self.shares.items():
            held = frozenset(share[5])
            if self.plan.is_write:
                self.tx.lock_part(shard, NO_KEYS, held)
            else:
                self.tx.lock_part(shard, held, NO_KEYS)
            works[shard] = (run_columns_batch, share)
        results = self.tx.hop(works, True)
        if results is not None:
            self.finish(results)
        return 0

    def on_hop(self, results):
        """The transaction brings the results of all shards."""
        self.finish(results)

    def on_answer(self, shard, result):
        """One shard had everything and ran it without a transaction."""
        self.finish({shard: result})

    cdef list calls(self):
        """The commands as lists of arguments, in program order: for the slow log."""
        cdef list found = []
        cdef int i
        taken = {shard: 0 for shard in self.shares}
        for i in range(self.size):
            shard = self.owners[i]
            share = self.shares[shard]
            at = taken[shard]
            taken[shard] = at + 1
            args = [self.plan.name.encode(), share[6][at]]
            if share[7] is not None:
                args.append(share[7][at])
            found.append(args)
        return found

    cdef int finish(self, dict results) except -1:
        """Write the replies, in program order, and send them."""
        cdef Reader reader = self.reader
        cdef Express express = reader.express
        cdef object session = reader.session, found, value
        cdef Plan plan = self.plan
        cdef PyObject *answers[MOST_SHARDS]
        cdef int at[MOST_SHARDS]
        cdef list kept = []
        cdef int i, owner, proto
        cdef int64_t total = 0, share
        tx = self.tx
        if tx is not None:
            # The two refer to each other, and nothing collects cycles here.
            self.tx = None
            tx.release()
        session.busy = False
        if session.closed:
            return 0
        memset(at, 0, sizeof(at))
        for shard, found in results.items():
            if type(found) is tuple:
                values, taken = found
                total += taken
            else:
                # A shard whose work broke as a whole answers one error for all.
                values = (found,) * self.size
            kept.append(values)
            answers[<int>shard] = <PyObject *>values
        express.note_pipeline(self.size, self.began)
        express.squashed_ns += total
        share = total // self.size
        express.count_calls(plan, self.size, share * self.size)
        slow_ns = slot(express.state, express.slow_ns)
        if share >= slow_ns:
            for args in self.calls():
                express.state.note_slow(session, plan.command, args, share)
        proto = session.proto
        for i in range(self.size):
            owner = self.owners[i]
            value = (<tuple>answers[owner])[at[owner]]
            at[owner] += 1
            if type(value) is ReplyError:
                plan.command.failed += 1
                express.state.count_error(value)
                express.emit_any(express.dispatcher.encoder.encode, value, proto)
            else:
                express.emit(session, plan, value, proto)
        return reader.finish()


cdef class Batch:
    """Single-key commands of one connection in flight, as `nogil_df.commands.dispatch.SquashedBatch`.

    Invariant: `owners` has an entry for each command of `plans`: its shard, -1 where it failed before it got there.
    """

    cdef Reader reader
    cdef list plans, calls, owners, failed
    cdef dict groups
    cdef object tx
    cdef bint equal
    cdef int64_t began

    def __init__(self, Reader reader):
        self.reader = reader
        self.plans = []
        self.calls = []
        self.owners = []
        self.failed = []
        self.groups = {}
        self.tx = None
        self.equal = True

    cdef Py_ssize_t gather(self, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t limit) except -1:
        """Take up to `limit` commands from the buffer; where the rest begins."""
        cdef Reader reader = self.reader
        cdef Express express = reader.express
        cdef object session = reader.session, args, payload
        cdef Py_ssize_t following
        cdef int argc = 0, first_argc = 0
        cdef PyObject *found
        cdef PyObject *first = NULL
        cdef Plan plan = None
        cdef uint64_t h
        cdef int owner
        while pos < end and PyList_GET_SIZE(self.plans) < limit:
            following = parse(express.data, pos, end, express.args, &argc)
            if following <= 0:
                break
            found = express.plan_of(express.data + express.args[0].at, express.args[0].size)
            if found == NULL or argc < (<Plan>found).least or argc > (<Plan>found).most:
                break
            plan = <Plan>found
            if first == NULL:
                first = found
                first_argc = argc
                self.equal = plan.many is not None and argc == plan.many_with
            elif found != first or argc != first_argc:
                self.equal = False
            pos = following
            args = express.listed(express.args, argc)
            self.plans.append(plan)
            self.calls.append(args)
            h = express.hashed(express.data + express.args[1].at, express.args[1].size)
            owner = <int>((h >> 32) % <uint64_t>express.count)
            payload = args
            if plan.cmd is not None and argc != plan.plain_with:
                try:
                    payload = plan.cmd(session, args)
                except ReplyError as error:
                    self.owners.append(-1)
                    self.failed.append(error.bare())
                    self.equal = False
                    continue
                except Exception:
                    self.owners.append(-1)
                    self.failed.append(log_crash(plan.name, sys.exc_info()))
                    self.equal = False
                    continue
            self.owners.append(owner)
            item = (plan.op, payload, h, plan.is_write)
            if owner in self.groups:
                (<list>self.groups[owner]).append(item)
            else:
                self.groups[owner] = [item]
        return pos

    cdef int start(self) except -1:
        cdef Reader reader = self.reader
        cdef Express express = reader.express
        cdef object session = reader.session, dispatcher = express.dispatcher, proactor = express.proactor
        cdef Py_ssize_t size = PyList_GET_SIZE(self.plans)
        cdef Plan last = self.plans[size - 1]
        reader.note_run(last, size)
        session.busy = True
        if size > 1:
            self.began = df_nanoseconds()
            dispatcher.squashed_hops += len(self.groups)
            dispatcher.squashed_commands += size
        if not self.groups:
            self.finish({})
            return 0
        if len(self.groups) == 1:
            for shard, items in self.groups.items():
                self._send_alone(shard, items)
            return 0
        self.tx = Transaction(proactor, self)
        works = {}
        db = session.db
        for shard, items in self.groups.items():
            self.tx.lock_part(shard, *fingerprints(items))
            works[shard] = (run_columns_batch, self._columns(items)) if self.equal else (
                run_batch, (express.me, db, items)
            )
        results = self.tx.hop(works, True)
        if results is not None:
            self.finish(results)
        return 0

    cdef tuple _columns(self, list items):
        """The items of equal commands, as `nogil_df.vll.columns` has them."""
        cdef Plan plan = self.plans[0]
        cdef list item_list = items
        values = None if plan.many_with == 2 else tuple([item[1][2] for item in item_list])
        return (
            self.reader.express.me,
            self.reader.session.db,
            plan.many,
            plan.op,
            plan.is_write,
            tuple([item[2] for item in item_list]),
            tuple([item[1][1] for item in item_list]),
            values,
        )

    cdef int _send_alone(self, int shard, list items) except -1:
        cdef Express express = self.reader.express
        db = self.reader.session.db
        if len(items) == 1 and len(self.plans) == 1:
            op, payload, h, is_write = items[0]
            message = (run_one, express.me, self, op, db, payload, h, is_write)
        elif self.equal:
            message = (run_columns_alone, self, run_columns_batch, self._columns(items))
        else:
            message = (run_alone, express.me, self, db, items)
        if shard == express.me:
            message[0](express.proactor, message)
        else:
            (<list>(<list>express.outboxes)[shard]).append(message)
        return 0

    def on_hop(self, results):
        """The transaction brings the results of all shards."""
        self.finish(results)

    def on_answer(self, shard, result):
        """One shard had everything and ran it without a transaction."""
        self.finish({shard: result})

    cdef int finish(self, dict results) except -1:
        """Write the replies, in program order, and send them."""
        cdef Reader reader = self.reader
        cdef Express express = reader.express
        cdef object session = reader.session, found, value
        cdef Py_ssize_t size = PyList_GET_SIZE(self.plans), i
        cdef int64_t share = 0
        cdef int proto
        cdef Plan plan
        cdef dict at = {-1: 0}
        tx = self.tx
        if tx is not None:
            # The two refer to each other, and nothing collects cycles here.
            self.tx = None
            tx.release()
        session.busy = False
        if session.closed:
            return 0
        answers = {-1: self.failed}
        for shard, found in results.items():
            if type(found) is tuple:
                # Columns: the results, and how long they took.
                answers[shard], taken = found
                share += taken
            elif type(found) is list:
                answers[shard] = found
                share += found[-1]
            else:
                # A shard whose work broke as a whole answers one error for all.
                answers[shard] = [found] * size
            at[shard] = 0
        if size > 1:
            express.note_pipeline(size, self.began)
            express.squashed_ns += share
        share //= size
        slow_ns = slot(express.state, express.slow_ns)
        if share >= slow_ns:
            for plan, args in zip(self.plans, self.calls):
                express.state.note_slow(session, plan.command, args, share)
        proto = session.proto
        for i in range(size):
            plan = self.plans[i]
            owner = self.owners[i]
            express.count_calls(plan, 1, share)
            value = answers[owner][at[owner]]
            at[owner] += 1
            if type(value) is ReplyError:
                plan.command.failed += 1
                express.state.count_error(value)
                express.emit_any(express.dispatcher.encoder.encode, value, proto)
            else:
                express.emit(session, plan, value, proto)
        return reader.finish()
