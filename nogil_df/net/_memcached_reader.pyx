"""The compiled short cut for clients of Memcached: ``get`` of one key and ``set``, from the socket to the table.

These two, without flags and expiry, are nearly all that most clients send. They are run here as `op_get` and
`op_store` of `nogil_df.memcached.storage` do it, on a key of this thread that nobody holds, while nobody observes
the database. Whatever else comes, and all that follows it in the same read, goes to the connection's parser, which
judges: so this knows the two lines as they should be, and nothing of what may be wrong with them.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_Size
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp

from nogil_df.net._express cimport CHUNK, Express, Reader
from nogil_df.net._parse cimport Argument
from nogil_df.net._plans cimport Plan, df_nanoseconds
from nogil_df.net._replies cimport COPIED, Replies
from nogil_df.net._slots cimport is_true, offset_of, slot
from nogil_df.shard._dash cimport DashTable
from nogil_df.shard.keyspace cimport Keyspace

from nogil_df.wire.memcached import ITEM_OVERHEAD, MAX_KEY, MemcachedParser

cdef enum:
    READ = 1                # EPOLLIN
    TURN = 256              # commands between two looks at the clock, and as many a turn for what goes to the parser
    LONGEST_NUMBER = 9      # digits of a length that is read here

cdef Py_ssize_t OVERHEAD = ITEM_OVERHEAD
cdef Py_ssize_t LONGEST_KEY = MAX_KEY


cdef Py_ssize_t key_end(const char *data, Py_ssize_t pos, Py_ssize_t end) noexcept nogil:
    """Where the word ends that begins at `pos`; -1 if it is no key, or not all there."""
    cdef Py_ssize_t p = pos
    if end - pos > LONGEST_KEY + 1:
        end = pos + LONGEST_KEY + 1
    while p < end:
        if data[p] <= 32 and data[p] >= 0:
            if data[p] == b" " or data[p] == b"\r":
                return p if p > pos else -1
            if data[p] == 0 or data[p] == b"\n":
                return -1
        p += 1
    return -1


cdef class MemcachedReader(Reader):
    """What the loop calls when the socket of a client of Memcached is ready."""

    cdef object dispatcher, encoder, engine
    cdef Plan get_plan, set_plan
    cdef Py_ssize_t idle  # the offset of the parser's

    def __init__(self, Express express, connection, Plan get_plan, Plan set_plan):
        Reader.__init__(self, express, connection)
        self.dispatcher = connection.dispatcher
        self.encoder = self.dispatcher.encoder
        self.engine = self.parser.engine
        self.idle = offset_of(MemcachedParser, "idle")
        self.get_plan = get_plan
        self.set_plan = set_plan

    cdef int read(self) except -1:
        cdef Express express = self.express
        cdef Py_ssize_t size
        if not is_true(self.parser, self.idle):
            self.connection.on_ready(READ)
            return 0
        size = self.receive(express.data)
        if size <= 0:
            return self.nothing_came(size)
        self.count_received(size)
        if is_true(self.session, express.special) or is_true(self.dispatcher, express.gated):
            return self.leave(0, size)
        return self.serve(0, size)

    def resume(self):
        """See `Reader`: its parser has looked at what it keeps."""
        return False

    cdef int leave(self, Py_ssize_t pos, Py_ssize_t end) except -1:
        """Leave what begins at `pos` to the parser and the dispatcher."""
        cdef Express express = self.express
        # It may be one that shows figures.
        express.settle()
        express.replies.spill(self.session)
        batch = self.parser.read(PyBytes_FromStringAndSize(express.data + pos, end - pos), TURN)
        self.connection._execute(batch)
        return 0

    cdef int serve(self, Py_ssize_t pos, Py_ssize_t end) except -1:
        """Run the commands that lie in the buffer from `pos` to `end`, up to where it takes more than this."""
        cdef Express express = self.express
        cdef Keyspace db = express.dbs[0]
        cdef const char *data = express.data
        cdef DashTable table
        cdef Py_ssize_t begin = pos
        cdef long long gets = 0, sets = 0, hits = express.quick.hit
        cdef int64_t started = df_nanoseconds()
        cdef bint storing
        if db.observed:
            return self.leave(pos, end)
        table = db.table
        while pos < end:
            storing = data[pos] == b"s"
            begin = self.run_store(table, pos, end) if storing else self.run_get(table, pos, end)
            if begin <= 0:
                break
            pos = begin
            if storing:
                sets += 1
            else:
                gets += 1
            if PyDict_Size(express.ready):
                express.shard.blocking.serve(express.ready)
        if gets or sets:
            self.count(gets, sets, express.quick.hit - hits, df_nanoseconds() - started, pos)
        if pos == end:
            return self.reply()
        return self.leave(pos, end)

    cdef int count(self, long long gets, long long sets, long long hits, int64_t nanoseconds, Py_ssize_t end) except -1:
        """Account for what ran; the commands lie in the buffer up to `end`."""
        cdef Express express = self.express
        cdef int64_t each = nanoseconds // (gets + sets)
        cdef Plan last = self.get_plan if gets else self.set_plan
        express.quick.count()
        counters = self.encoder.counters
        if gets:
            express.plans.count_calls(self.get_plan, gets, each * gets)
            if hits:
                counters["get_hits"] += hits
            if gets != hits:
                counters["get_misses"] += gets - hits
        if sets:
            express.plans.count_calls(self.set_plan, sets, each * sets)
            counters["cmd_set"] += sets
        self.note_run(last, gets + sets)
        if gets + sets > 1:
            express.note_pipeline(gets + sets, df_nanoseconds() - nanoseconds)
        if each >= slot(express.state, express.slow_ns):
            self.note_slow(end, each)
        return 0

    cdef int note_slow(self, Py_ssize_t end, int64_t each) except -1:
        """Tell the slow log of the commands that lie in the buffer up to `end`."""
        parser = self.engine.parser()
        for args in parser.read(PyBytes_FromStringAndSize(self.express.data, end), CHUNK):
            plan = self.get_plan if args[0] == b"get" else self.set_plan
            self.express.state.note_slow(self.session, plan.command, args, each)
        return 0

    cdef bint is_here(self, uint64_t h) except -1:
        """Whether a key is this thread's, and nobody holds it."""
        cdef Express express = self.express
        if express.owner_of(h) != express.me:
            return False
        return not express.quick.is_held(h)

    cdef Py_ssize_t run_get(self, DashTable table, Py_ssize_t pos, Py_ssize_t end) except -2:
        """Run a get of one key that begins at `pos`; where the next command does, 0 if somebody else has to look."""
        cdef Express express = self.express
        cdef Replies replies = express.replies
        cdef const char *data = express.data
        cdef const char *key
        cdef const char *found = NULL
        cdef Py_ssize_t stop, size, length = 0
        cdef uint64_t h
        cdef int state
        if end - pos < 7 or memcmp(data + pos, b"get ", 4) != 0:
            return 0
        stop = key_end(data, pos + 4, end)
        if stop < 0 or stop + 1 >= end or data[stop] != b"\r" or data[stop + 1] != b"\n":
            return 0
        key = data + pos + 4
        size = stop - pos - 4
        h = express.hashed(key, size)
        if not self.is_here(h):
            return 0
        state = table.find_string(key, size, h, &found, &length)
        if state == 1 and length <= COPIED:
            express.quick.hit += 1
            replies.reserve(size + length + 64)
            replies.write(b"VALUE ", 6)
            replies.write(key, size)
            replies.write(b" 0", 2)
            replies.write_number(b" ", length)
            replies.write(found, length)
            replies.write(b"\r\nEND\r\n", 7)
            return stop + 2
        if state == 0 and express.shard.notify_mask == 0:
            express.quick.missed += 1
            replies.reserve(8)
            replies.write(b"END\r\n", 5)
            return stop + 2
        return 0

    cdef Py_ssize_t run_store(self, DashTable table, Py_ssize_t pos, Py_ssize_t end) except -2:
        """Run a set without flags and expiry; as `run_get`."""
        cdef Express express = self.express
        cdef const char *data = express.data
        cdef Py_ssize_t stop, size, p, digits, length = 0, begin
        cdef uint64_t h
        if end - pos < 15 or memcmp(data + pos, b"set ", 4) != 0:
            return 0
        stop = key_end(data, pos + 4, end)
        if stop < 0 or end - stop < 8 or memcmp(data + stop, b" 0 0 ", 5) != 0:
            return 0
        size = stop - pos - 4
        p = digits = stop + 5
        while p < end and b"0" <= data[p] <= b"9" and p - digits < LONGEST_NUMBER:
            length = length * 10 + (data[p] - 48)
            p += 1
        if p == digits or end - p < length + 4 or data[p] != b"\r" or data[p + 1] != b"\n":
            return 0
        begin = p + 2
        if data[begin + length] != b"\r" or data[begin + length + 1] != b"\n":
            return 0
        if OVERHEAD + size + length > <Py_ssize_t>self.engine.max_item:
            return 0
        h = express.hashed(data + pos + 4, size)
        if not self.is_here(h) or table.put_string(data + pos + 4, size, h, data + begin, length, 0) == 2:
            return 0
        express.quick.changed += 1
        express.replies.reserve(16)
        express.replies.write(b"STORED\r\n", 8)
        return begin + length + 2


cdef class MemcachedReaders:
    """Makes the readers of one thread's clients of Memcached.

    Args:
        express: the thread's.
        dispatcher: of Memcached's commands.
    """

    cdef Express express
    cdef Plan get_plan, set_plan

    def __init__(self, Express express, dispatcher):
        self.express = express
        self.get_plan = Plan(dispatcher.table["GET"])
        self.set_plan = Plan(dispatcher.table["SET"])

    def reader(self, connection):
        """What is to stand in the loop for a connection on a plain socket."""
        return MemcachedReader(self.express, connection, self.get_plan, self.set_plan)
