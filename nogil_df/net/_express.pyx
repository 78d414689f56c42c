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
- commands of other kinds than "one key", but for a few that concern no key (PING, PUBLISH) and those that can be done
  at once (`nogil_df.commands.at_once`): they, and what follows them in the same read, go to the dispatcher;
- what is not complete, or not RESP: the bytes go to the connection's parser, which judges. If they turn out to be
  the beginning of a command that is just not there yet, the next read takes them back.

A key that belongs to another thread, or that a transaction holds an intent on, ends the short way as well: from
there on the single-key commands of the read become one implicit transaction (`_batches`), as the dispatcher would
make it (see `nogil_df.vll.squash`); so program order holds.

GET, SET (also with EX or PX), SETEX and INCR are not even calls of Python: they go straight to the compiled table
(`_quick`). MGET and MSET are many of those, and so are transactions: if a read brings one from MULTI to EXEC, with
nothing else in it, the session is never inside of it, as far as anybody can tell.

What must hold, for every command that runs here: it is counted, timed and if need be put into the slow log; waiters
it made ready are served before the next one; keyspace events and invalidations leave before its reply; notices are
handed over before a reply leaves. Calls and times are gathered in C and settled when somebody asks
(`Express.settle`).

The pieces: `_parse` finds the commands in the buffer, `_plans` knows the commands, `_quick` runs some, `_replies` is
the second buffer, `_batches`, `_single`, `_shares` and `_lanes` are what goes to other threads, `_ready` serves many clients
at a time, `_poller` is the loop's means of waiting.
Attributes of the Python objects of this thread are read by their offset (`_slots`).
"""

import sys

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Size
from cpython.list cimport PyList_GET_SIZE, PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_INCREF
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from nogil_df.base._xxh3 cimport LONGEST, xxh3
from nogil_df.commands.at_once cimport run as run_at_once
from nogil_df.commands.subscriptions cimport Subscriptions
from nogil_df.net._calls cimport df_recv, df_send
from nogil_df.net._fanout cimport Fanout
from nogil_df.net._parse cimport parse
from nogil_df.net._plans cimport EXEC, GET, MULTI, NOTHING, PING, PUBLISH, SELECT, SPUBLISH, df_nanoseconds
from nogil_df.net._quick cimport AHEAD, Quick
from nogil_df.net._slots cimport DF_LENGTH, DF_SLOT, is_true, offset_of, put_slot, slot
from nogil_df.shard.keyspace cimport Keyspace

from nogil_df.base import hashing
from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.shard.lengthy import Lengthy
from nogil_df.commands import gate
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.session import Session
from nogil_df.commands.subscriptions import CHANNEL as TO_CHANNEL, SHARD_CHANNEL as TO_SHARD_CHANNEL

cdef int CHANNEL = TO_CHANNEL
cdef int SHARD_CHANNEL = TO_SHARD_CHANNEL

cdef enum:
    KEPT = 32768            # bytes of a command that is not complete that are taken back from the parser
    BUFFER = LONG_READ + KEPT
    RUN = 256               # commands that go to the dispatcher in one turn, as in `nogil_df.net.connection`
    DONE, AWAY, UNUSUAL     # what came of a command of many keys, or a transaction
    SAMPLED = 15            # one send, and one pipeline, of so many and one is timed, as in `nogil_df.net.connection`


cdef class Onward:
    """Where a reader leaves the commands that can't run here and now, as a key of theirs is elsewhere or held."""

    cdef int send_off(self, Reader reader, Py_ssize_t pos, Py_ssize_t end) except -1:
        """Take the first command from `pos` on and those that are like it; the rest stays with the parser."""
        raise NotImplementedError

    cdef bint follow(self, Reader reader, Py_ssize_t end) except -1:
        """What is in the buffer came behind commands that went to other threads: send it after them.

        False, and nothing has happened, if it is not to go as those did.
        """
        raise NotImplementedError


cdef class Aloft:
    """Single commands of clients that do not pipeline, whose owners answer the clients."""

    cdef bint send(
        self, Reader reader, Plan plan, int owner, const Argument *key, const Argument *value, uint64_t h,
        int64_t deadline
    ) except -1:
        """Leave a command on one key, which lies in the buffer, to another thread, its owner; False, and nothing, if that can't be."""
        raise NotImplementedError

    cdef int collect(self, bint patient) except -1:
        """Be done with commands that others have answered to the client.

        Args:
            patient: wait for those that are just being answered.
        """
        raise NotImplementedError

    cdef bint bring_down(self, single) except -1:
        """A connection is readable while another thread may answer its client: whether that has been done."""
        raise NotImplementedError


cdef class Waiting:
    """What was read of several clients in one turn, and is served one after the other."""

    cdef int put_back(self) except -1:
        """Leave what is not served yet to the parsers of its connections. See `nogil_df.net._ready`."""
        raise NotImplementedError


cdef class Express:
    """The short way of one thread, for all its plain connections.

    Args:
        dispatcher: the thread's, whose table, statistics and engine these are.
        loop: the thread's.
        connection_class, parser_class: what its connections and their parsers are.
        onward: takes what has to go to other threads.
    """

    def __cinit__(self):
        self.data = <char *>malloc(BUFFER)
        if self.data == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.data)

    def __init__(self, dispatcher, loop, connection_class, parser_class, Onward onward):
        self.dispatcher = dispatcher
        self.loop = loop
        self.onward = onward
        self.waiting = None
        self.here = dispatcher.here
        self.singles = None
        self.state = dispatcher.state
        self.subscriptions = dispatcher.state.subscriptions
        self.proactor = dispatcher.proactor
        self.shard = self.proactor.shard
        self.ready = self.shard.ready
        self.outboxes = self.proactor.outboxes
        self.dbs = self.proactor.shard.dbs
        self.hash_key = self.proactor.shard.hash_key
        self.hash_here = self.hash_key is hashing.hash_key
        self.me = self.proactor.index
        self.count = self.proactor.count
        self.readers = []
        self.plans = Plans(dispatcher.table)
        self.replies = Replies()
        self.quick = self.proactor.shard.quick = Quick(self.proactor)
        self.fanout = Fanout(self.subscriptions, connection_class)
        self.find_slots(connection_class, parser_class)

    cdef int find_slots(self, connection, parser) except -1:
        self.gated = offset_of(type(self.dispatcher), "gated")
        self.only_measured = offset_of(type(self.dispatcher), "only_measured")
        self.squash_limit = offset_of(type(self.dispatcher), "squash_limit")
        self.squash_from = offset_of(type(self.dispatcher), "squash_from")
        self.movers = offset_of(type(self.dispatcher), "movers")
        self.hot_keys = offset_of(type(self.state), "hot_keys")
        self.has_notices = offset_of(type(self.proactor), "has_notices")
        self.now = offset_of(type(self.loop), "now")
        self.slow_ns = offset_of(type(self.state), "slow_ns")
        self.queued = offset_of(connection, "queued")
        self.paused = offset_of(connection, "paused")
        self.unsent = offset_of(connection, "unsent")
        self.aloft = offset_of(connection, "aloft")
        self.busy = offset_of(Session, "busy")
        self.special = offset_of(Session, "special")
        self.closing = offset_of(Session, "closing")
        self.closed = offset_of(Session, "closed")
        self.shown = offset_of(Session, "shown")
        self.out = offset_of(Session, "out")
        self.sink = offset_of(Session, "sink")
        self.database = offset_of(Session, "db")
        self.proto = offset_of(Session, "proto")
        self.last_command = offset_of(Session, "last_command")
        self.last_active = offset_of(Session, "last_active")
        self.watching = offset_of(Session, "watching")
        self.idle = offset_of(parser, "idle")
        return 0

    def reader(self, connection):
        """What is to stand in the loop for a connection on a plain socket."""
        return Reader(self, connection)

    # -- counting ------------------------------------------------------------------------------------------

    cpdef settle(self):
        """Add what was counted here to where it is shown. O(commands, clients seen since)."""
        cdef Reader reader
        if self.singles is not None:
            self.singles.collect(True)
        self.plans.settle()
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
        dispatcher = self.dispatcher
        dispatcher.squashed_ns += self.squashed_ns
        dispatcher.squashed_hops += self.squashed_hops
        dispatcher.squashed_commands += self.squashed_commands
        self.bytes_in = self.bytes_out = self.reads = self.writes = self.pipelined = 0
        self.pipelines = self.send_ns = self.squashed_ns = self.squashed_hops = self.squashed_commands = 0

    cdef int note_pipeline(self, Py_ssize_t size, int64_t began) except -1:
        """Commands that came together have run; one time of so many it is told how long that took."""
        self.pipelined += size
        self.pipelines += 1
        if not self.pipelines & SAMPLED:
            self.state.note_pipeline(size, df_nanoseconds() - began, SAMPLED + 1)
        return 0

    cdef int find_measured(self) except -1:
        """Learn whether HOTKEYS counts, before commands run; each of them is accounted for alone then."""
        self.measuring = slot(self.state, self.hot_keys) if is_true(self.dispatcher, self.only_measured) else None
        self.written = self.replies.total()
        return 0

    cdef int measure(self, Plan plan, int64_t nanoseconds, Py_ssize_t begin, Py_ssize_t end) except -1:
        """Let HOTKEYS count the command that lies in the buffer from `begin` to `end`."""
        cdef Argument args[MOST_ARGUMENTS]
        cdef int argc = 0
        cdef Py_ssize_t written = self.written
        self.written = self.replies.total()
        if not plan.is_local and self.measuring.wants() and parse(self.data, begin, end, args, &argc) > 0:
            key = PyBytes_FromStringAndSize(self.data + args[1].at, args[1].size)
            self.measuring.note([key], nanoseconds, end - begin + self.written - written)
        return 0

    cdef int account(self, session, Plan plan, long long calls, int64_t nanoseconds, Py_ssize_t begin,
                     Py_ssize_t end) except -1:
        """Account for equal commands in a row, which lie in the buffer from `begin` to `end`."""
        cdef Py_ssize_t pos = begin
        cdef Argument args[MOST_ARGUMENTS]
        cdef int argc = 0
        cdef int64_t slow_ns = slot(self.state, self.slow_ns)
        self.plans.count_calls(plan, calls, nanoseconds)
        if self.measuring is not None:
            self.measure(plan, nanoseconds, begin, end)
        if nanoseconds // calls >= slow_ns:
            while pos < end:
                pos = parse(self.data, pos, end, args, &argc)
                if pos <= 0:
                    break
                self.state.note_slow(session, plan.command, self.listed(args, argc), nanoseconds // calls)
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

    cdef Py_ssize_t look_ahead(self, DashTable table, Py_ssize_t pos, Py_ssize_t end) except -1:
        """Have the cache get what the next commands read, as far as their keys are here; how far it has looked."""
        cdef uint64_t hashes[AHEAD]
        cdef uint64_t h
        cdef int count = 0, argc = 0
        cdef Py_ssize_t following
        while pos < end and count < AHEAD:
            following = parse(self.data, pos, end, self.later, &argc)
            if following <= 0 or argc < 2:
                pos = end
                break
            h = self.hashed(self.data + self.later[1].at, self.later[1].size)
            if self.owner_of(h) != self.me:
                # From here on shards do that for themselves.
                pos = end
                break
            hashes[count] = h
            count += 1
            pos = following
        table.approach(hashes, count)
        return pos

    cdef uint64_t hashed(self, const char *key, Py_ssize_t size) except? 0:
        if self.hash_here and size <= LONGEST:
            return xxh3(key, size)
        return self.hash_key(PyBytes_FromStringAndSize(key, size))

    cdef PyObject *find_at_once(self, Plan plan, int argc) except? NULL:
        """The plan of the parsed command, or of its subcommand, if that can be done at once; NULL if not."""
        if self.measuring is not None:
            # Of these the dispatcher knows how to tell.
            return NULL
        if argc > 1 and plan.children:
            plan = plan.child(PyBytes_FromStringAndSize(self.data + self.args[1].at, self.args[1].size))
        if plan is None or not plan.once_least <= argc <= plan.once_most:
            return NULL
        # Plans live as long as the thread.
        return <PyObject *>plan

    cdef bint is_here(self, const Argument *key, uint64_t *h) except -1:
        """Whether a key in the buffer is this thread's, and nobody has an intent on it; its hash."""
        h[0] = self.hashed(self.data + key.at, key.size)
        return self.owner_of(h[0]) == self.me and not self.quick.is_held(h[0])

    cdef Py_ssize_t end_of_transaction(self, session, Py_ssize_t pos, Py_ssize_t end, int *calls) except -1:
        """Where the EXEC ends that belongs to a MULTI which ends at `pos`, and how many calls are in between.

        0 if they are not all in the buffer, are more than simple calls, or anything else about it is unusual.
        """
        cdef Py_ssize_t following
        cdef const Argument *value
        cdef int64_t deadline
        cdef int argc = 0
        cdef PyObject *found
        calls[0] = 0
        if PyDict_Size(slot(session, self.watching)) or not self.dispatcher.config.multi_exec_squash:
            return 0
        while pos < end:
            following = parse(self.data, pos, end, self.args, &argc)
            if following <= 0:
                return 0
            found = self.plans.find(self.data + self.args[0].at, self.args[0].size)
            if found == NULL:
                return 0
            if (<Plan>found).here == EXEC and argc == 1:
                return following if calls[0] else 0
            if (<Plan>found).here == NOTHING or (<Plan>found).step or not (
                (<Plan>found).least <= argc <= (<Plan>found).most
            ) or not self.quick.is_plain(<Plan>found, self.data, self.args, argc, &value, &deadline):
                return 0
            calls[0] += 1
            pos = following
        return 0

    cdef Py_ssize_t publish(self, Plan plan) except -1:
        """Run the parsed PUBLISH or SPUBLISH; how many clients get the message."""
        return self.fanout.publish(
            CHANNEL if plan.here == PUBLISH else SHARD_CHANNEL,
            self.data + self.args[1].at, self.args[1].size, self.data + self.args[2].at, self.args[2].size,
        )

    cdef int failed(self, session, list args, error) except -1:
        """Account for a command that ended in an error, and write that."""
        cdef bytes reply = self.dispatcher.lone.failed(session, args, error)
        self.replies.reserve(PyBytes_GET_SIZE(reply))
        self.replies.write(PyBytes_AS_STRING(reply), PyBytes_GET_SIZE(reply))
        return 0


cdef class Reader:
    """What the loop calls when the socket of a connection is ready, in place of `Connection.on_ready`."""

    def __init__(self, Express express, connection):
        self.bytes_in = self.bytes_out = self.commands = 0
        self.appetite = CHUNK
        self.is_full = False
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
        connection = self.connection
        if slot(connection, express.aloft) is not None:
            express.singles.bring_down(slot(connection, express.aloft))
        if self.can_read(mask):
            return self.read()
        connection.on_ready(mask)
        return 0

    cdef bint can_read(self, int mask) except -1:
        """Whether the client sends, and nothing else is to be done for it before that is read."""
        cdef Express express = self.express
        cdef object session = self.session, connection = self.connection
        return not (
            mask != READ
            or is_true(connection, express.queued)
            or is_true(connection, express.paused)
            or is_true(session, express.busy)
            or DF_LENGTH(DF_SLOT(<PyObject *>connection, express.unsent))
            or PyList_GET_SIZE(slot(session, express.sink))
        )

    cdef int read(self) except -1:
        cdef Express express = self.express
        cdef Py_ssize_t kept = 0, size
        if not is_true(self.parser, express.idle):
            kept = self.take_back()
            if kept < 0:
                self.connection.on_ready(READ)
                return 0
        size = self.receive(express.data + kept)
        if size <= 0:
            if kept:
                self.parser.feed(PyBytes_FromStringAndSize(express.data, kept))
            return self.nothing_came(size)
        self.count_received(size)
        self.is_full = size == CHUNK
        if is_true(self.session, express.special) or express.is_gated():
            if not self.session.authenticated:
                data = PyBytes_FromStringAndSize(express.data, kept + size)
                self.connection._execute(self.parser.read(data, RUN))
                return 0
            return self.hand_over(0, kept + size)
        return self.serve(0, kept + size)

    cdef Py_ssize_t receive(self, char *into) except -3:
        """Read up to CHUNK bytes; how many came. 0 and less: see `nothing_came`."""
        return df_recv(self.fd, into, CHUNK)

    cdef int nothing_came(self, Py_ssize_t why) except -1:
        """`receive` brought nothing."""
        # It comes to the same result, and knows what to do about that.
        self.connection.on_ready(READ)
        return 0

    cdef Py_ssize_t transmit(self, const char *data, Py_ssize_t size) except -3:
        """Send as much as the kernel takes; how many bytes that was. -1 if none."""
        return df_send(self.fd, data, size)

    cdef int count_received(self, Py_ssize_t size) except -1:
        cdef Express express = self.express
        express.bytes_in += size
        express.reads += 1
        self.bytes_in += size
        if not self.counted:
            self.counted = True
            express.readers.append(self)
        return 0

    cdef Py_ssize_t take_back(self) except -2:
        """Move what the parser keeps of a command to the buffer; how much that is. -1 if it has to stay there."""
        cdef bytes data = self.parser.take_back(KEPT)
        if data is None:
            return -1
        memcpy(self.express.data, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        return PyBytes_GET_SIZE(data)

    def resume(self):
        """Go on with what was read before and left for the next turn. False if that is for the parser."""
        cdef Express express = self.express
        cdef bytes data
        if is_true(self.session, express.special) or express.is_gated():
            return False
        data = self.parser.take_back(BUFFER)
        if not data:
            return False
        memcpy(express.data, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        self.connection.more = False
        self.serve(0, PyBytes_GET_SIZE(data))
        return True

    cdef int serve(self, Py_ssize_t pos, Py_ssize_t end) except -1:
        """Run the commands that lie in the buffer from `pos` to `end`, up to where it takes more than this."""
        cdef Express express = self.express
        cdef object session = self.session, args, value
        cdef Keyspace db = express.dbs[slot(session, express.database)]
        cdef Py_ssize_t following = 0, begin = pos, looked = 0
        cdef int proto = slot(session, express.proto), argc = 0
        cdef long long calls = 0, ran = 0
        cdef int64_t started = df_nanoseconds(), now
        cdef int64_t began = started, deadline
        cdef int state, owner
        cdef PyObject *found
        cdef Plan plan = None
        cdef Argument *key = &express.args[1]
        cdef const Argument *stored
        cdef uint64_t h
        cdef bint usual = True, once
        cdef Quick quick = express.quick
        express.find_measured()
        while pos < end:
            following = parse(express.data, pos, end, express.args, &argc)
            if following <= 0:
                break
            if pos >= looked and following < end and db.table.is_large():
                looked = express.look_ahead(db.table, following, end)
            found = express.plans.find(express.data + express.args[0].at, express.args[0].size)
            once = False
            if found == NULL:
                usual = False
                break
            if not (
                (<Plan>found).least <= argc <= (<Plan>found).most
                or (<Plan>found).local_least <= argc <= (<Plan>found).local_most
            ):
                found = express.find_at_once(<Plan>found, argc)
                once = found != NULL
            if found == NULL:
                found = express.plans.find(express.data + express.args[0].at, express.args[0].size)
                if (<Plan>found).step == 0 and (<Plan>found).here != MULTI:
                    usual = False
                    break
                if calls:
                    express.account(session, plan, calls, df_nanoseconds() - started, begin, pos)
                    calls = 0
                plan = <Plan>found
                state = self.serve_several(plan, argc, pos, end, &following, &ran)
                if state == AWAY:
                    self.note_run(plan, ran)
                    quick.count()
                    return express.onward.send_off(self, pos, end)
                if state == UNUSUAL:
                    usual = False
                    break
                if plan.here == MULTI:
                    plan = express.plans.exec_plan
                pos = begin = following
                started = df_nanoseconds()
                continue
            if found != <PyObject *>plan or express.measuring is not None:
                if calls:
                    now = df_nanoseconds()
                    express.account(session, plan, calls, now - started, begin, pos)
                    started = now
                    calls = 0
                begin = pos
                plan = <Plan>found
            if once:
                h = 0
            elif plan.is_local:
                h = 0
                if PyList_GET_SIZE(express.shard.outgoing):
                    # What was changed before is told before.
                    express.state.publish_events()
                if plan.here == PING and argc == 1:
                    # Who is subscribed, and gets it as a message, does not come here.
                    express.replies.write_pong()
                    calls += 1
                    ran += 1
                    pos = following
                    continue
            else:
                h = express.hashed(express.data + key.at, key.size)
                owner = express.owner_of(h)
                if owner != express.me or quick.is_held(h):
                    if calls:
                        express.account(session, plan, calls, df_nanoseconds() - started, begin, pos)
                    self.note_run(plan, ran)
                    quick.count()
                    if (
                        ran == 0 and following == end and express.singles is not None and owner != express.me
                        and quick.is_plain(plan, express.data, express.args, argc, &stored, &deadline)
                        and express.may_squash() and express.singles.send(self, plan, owner, key, stored, h, deadline)
                    ):
                        return 0
                    return express.onward.send_off(self, pos, end)
                if quick.is_plain(plan, express.data, express.args, argc, &stored, &deadline) and not db.observed and quick.run(
                    plan.here, db.table, express.data + key.at, key.size, express.data + stored.at, stored.size, h,
                    deadline, proto, express.replies
                ):
                    calls += 1
                    ran += 1
                    pos = following
                    if PyDict_Size(express.ready):
                        express.shard.blocking.serve(express.ready)
                    continue
            args = None
            try:
                if plan.here == PUBLISH or plan.here == SPUBLISH:
                    value = express.publish(plan)
                else:
                    args = express.listed(express.args, argc)
                    if once:
                        value = run_at_once(plan.at_once, express.here, session, db, args)
                        if value is ELSEWHERE:
                            usual = False
                            break
                    else:
                        value = plan.run(session, db, args, argc, h)
                        if plan.here == SELECT:
                            db = express.dbs[slot(session, express.database)]
            except Lengthy:
                # The dispatcher calls it again, and then it is counted.
                express.shard.hits -= 1
                usual = False
                break
            except ReplyError as error:
                if calls:
                    express.account(session, plan, calls, df_nanoseconds() - started, begin, pos)
                    calls = 0
                self.note_run(plan, ran)
                ran = -1
                express.failed(session, args or express.listed(express.args, argc), error.bare())
                started = df_nanoseconds()
                begin = following
            except Exception:
                if calls:
                    express.account(session, plan, calls, df_nanoseconds() - started, begin, pos)
                    calls = 0
                self.note_run(plan, ran)
                ran = -1
                express.failed(session, args or express.listed(express.args, argc), log_crash(plan.name, sys.exc_info()))
                started = df_nanoseconds()
                begin = following
            else:
                calls += 1
                express.replies.emit(session, plan, value, proto)
            ran += 1
            pos = following
            if PyDict_Size(express.ready):
                express.shard.blocking.serve(express.ready)
        quick.count()
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

    cdef int serve_several(
        self, Plan plan, int argc, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t *following, long long *ran
    ) except -1:
        """Run a command of many keys, or the transaction that begins at `pos`, if all its keys are here.

        Args:
            following: the end of the command; of a transaction, that of its EXEC afterwards.
            ran: the commands that ran are added.

        Returns:
            DONE, AWAY if keys are elsewhere or held, UNUSUAL if that is for the dispatcher.
        """
        cdef Express express = self.express
        cdef object session = self.session
        cdef Keyspace db = express.dbs[slot(session, express.database)]
        cdef Py_ssize_t last
        cdef int calls = 0, state
        if express.measuring is not None:
            # Of these the dispatcher knows how to tell.
            return UNUSUAL
        if plan.step:
            if argc == 1 or (argc - 1) % plan.step:
                return UNUSUAL
            state = self.serve_keys(plan, db, argc, pos, following[0])
            if state == DONE:
                ran[0] += 1
        elif argc != 1:
            return UNUSUAL
        else:
            last = express.end_of_transaction(session, following[0], end, &calls)
            if last == 0:
                return UNUSUAL
            state = self.serve_transaction(plan, db, following[0], last, calls)
            if state == DONE:
                following[0] = last
                ran[0] += calls + 2
        if state == DONE and PyDict_Size(express.ready):
            express.shard.blocking.serve(express.ready)
        return state

    cdef int serve_keys(self, Plan plan, Keyspace db, int argc, Py_ssize_t begin, Py_ssize_t end) except -1:
        """Run the parsed command of many keys. See `serve_several`."""
        cdef Express express = self.express
        cdef Quick quick = express.quick
        cdef Replies replies = express.replies
        cdef Py_ssize_t before = replies.used, written
        cdef long long hit = quick.hit, missed = quick.missed, changed = quick.changed
        cdef uint64_t h[MOST_ARGUMENTS]
        cdef int64_t started = df_nanoseconds()
        cdef int i = 1, at = 0, keys = (argc - 1) // plan.step, proto = slot(self.session, express.proto)
        cdef Argument *key
        while i < argc:
            if not express.is_here(&express.args[i], &h[at]):
                return AWAY
            i += plan.step
            at += 1
        if db.observed:
            return UNUSUAL
        if plan.here == GET:
            replies.reserve(32)
            replies.write_number(b"*", argc - 1)
        i = 1
        at = 0
        while i < argc:
            if at % AHEAD == 0 and keys > 1 and db.table.is_large():
                db.table.approach(&h[at], min(keys - at, AHEAD))
            key = &express.args[i]
            written = replies.used
            if not quick.run(
                plan.here, db.table, express.data + key.at, key.size, express.data + key[1].at, key[1].size, h[at], 0,
                proto, replies
            ):
                # Other types, and values too big to copy: from the beginning, and nobody has seen anything yet.
                replies.used = before
                quick.hit, quick.missed, quick.changed = hit, missed, changed
                return UNUSUAL
            if plan.is_write:
                # One reply is for all.
                replies.used = written
            i += plan.step
            at += 1
        if plan.is_write:
            replies.write_ok()
        express.account(self.session, plan, 1, df_nanoseconds() - started, begin, end)
        return DONE

    cdef int serve_transaction(self, Plan multi, Keyspace db, Py_ssize_t pos, Py_ssize_t end, int calls) except -1:
        """Run the transaction of so many calls that lies in the buffer, from behind its MULTI to its EXEC."""
        cdef Express express = self.express
        cdef Quick quick = express.quick
        cdef Replies replies = express.replies
        cdef object session = self.session
        cdef Py_ssize_t at = pos, following
        cdef int64_t started = df_nanoseconds(), began = started, now, deadline
        cdef int argc = 0, i, proto = slot(session, express.proto)
        cdef const Argument *value
        cdef Plan plan
        cdef uint64_t h
        for i in range(calls):
            at = parse(express.data, at, end, express.args, &argc)
            if not express.is_here(&express.args[1], &h):
                return AWAY
        if db.observed:
            return UNUSUAL
        replies.write_opening(calls)
        for i in range(calls):
            following = parse(express.data, pos, end, express.args, &argc)
            plan = <Plan>express.plans.find(express.data + express.args[0].at, express.args[0].size)
            quick.is_plain(plan, express.data, express.args, argc, &value, &deadline)
            express.is_here(&express.args[1], &h)
            if quick.run(
                plan.here, db.table, express.data + express.args[1].at, express.args[1].size,
                express.data + value.at, value.size, h, deadline, proto, replies
            ):
                now = df_nanoseconds()
                express.account(session, plan, 1, now - started, pos, following)
            else:
                self.run_inside(plan, db, argc, h, proto, started)
                now = df_nanoseconds()
            started = now
            pos = following
        express.plans.count_calls(multi, 1, 0)
        express.plans.count_calls(express.plans.exec_plan, 1, now - began)
        return DONE

    cdef int run_inside(self, Plan plan, Keyspace db, int argc, uint64_t h, int proto, int64_t started) except -1:
        """Run the parsed command of a transaction by its `op`, and account for it."""
        cdef Express express = self.express
        cdef list args = express.listed(express.args, argc)
        try:
            value = plan.run(self.session, db, args, argc, h)
        except ReplyError as error:
            failure = error.bare()
        except Exception:
            failure = log_crash(plan.name, sys.exc_info())
        else:
            express.plans.count_calls(plan, 1, df_nanoseconds() - started)
            express.replies.emit(self.session, plan, value, proto)
            return 0
        express.failed(self.session, args, failure)
        # It was counted twice.
        self.commands -= 1
        return 0

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
        if PyList_GET_SIZE(express.shard.outgoing):
            express.state.publish_events()
        if is_true(express.proactor, express.has_notices):
            express.proactor.hand_over_notices()
        if (
            PyList_GET_SIZE(slot(session, express.sink))
            or DF_LENGTH(DF_SLOT(<PyObject *>self.connection, express.unsent))
            or is_true(session, express.closing)
        ):
            # Something comes before them, or after: commands that were left for this turn (`resume`) may find that the
            # kernel did not take all of the replies of the last one.
            express.replies.spill(session)
            self.connection.ready()
            return 0
        put_slot(session, express.last_active, slot(express.loop, express.now))
        if not express.replies.used:
            return 0
        if express.writes & SAMPLED:
            sent = self.transmit(express.replies.out, express.replies.used)
        else:
            began = df_nanoseconds()
            sent = self.transmit(express.replies.out, express.replies.used)
            express.send_ns += (SAMPLED + 1) * (df_nanoseconds() - began)
        express.writes += 1
        if sent > 0:
            express.bytes_out += sent
            self.bytes_out += sent
        if sent == express.replies.used:
            return express.replies.clear()
        if sent > 0:
            memmove(express.replies.out, express.replies.out + sent, express.replies.used - sent)
            express.replies.used -= sent
        # Whatever it is, it will be so again, and the connection knows what to do.
        express.replies.spill(session)
        self.connection.ready()
        return 0

    cdef int hand_over(self, Py_ssize_t pos, Py_ssize_t end) except -1:
        """Leave the commands from `pos` on to the dispatcher."""
        cdef Express express = self.express
        cdef list batch = []
        cdef Py_ssize_t following = pos
        express.put_back()
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
        express.replies.spill(self.session)
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
        express.put_back()
        self.parser.feed(PyBytes_FromStringAndSize(express.data + pos, end - pos))
        if PyList_GET_SIZE(express.shard.outgoing):
            express.state.publish_events()
        express.replies.spill(self.session)
        express.settle()
        if unusual:
            self.connection._execute(self.parser.next_batch(RUN))
        else:
            self.connection.more = False
            self.connection.ready()
        return 0

    cdef int leave_for_later(self, Py_ssize_t pos, Py_ssize_t end) except -1:
        """Have the parser keep what lies in the buffer, to be run when the connection goes on."""
        self.parser.feed(PyBytes_FromStringAndSize(self.express.data + pos, end - pos))
        self.connection.more = True
        return 0

    cdef int finish(self) except -1:
        """Replies of commands that were in flight are written: send them, and go on."""
        cdef Express express = self.express
        cdef object session = self.session, out = slot(session, express.out)
        if is_true(session, express.special) or slot(session, express.shown) is not None or (
            out is not slot(session, express.sink)
        ):
            # Replies may be muted by now, or monitors want to see the commands.
            out.append(PyBytes_FromStringAndSize(express.replies.out, express.replies.used))
            express.replies.clear()
            gate.after_reply(session)
            self.connection.ready()
            return 0
        if is_true(self.parser, express.idle) and not DF_LENGTH(
            DF_SLOT(<PyObject *>self.connection, express.unsent)
        ) and not is_true(self.connection, express.paused):
            return self.reply()
        if PyList_GET_SIZE(express.shard.outgoing):
            express.state.publish_events()
        express.replies.spill(session)
        self.connection.ready()
        return 0

    cdef bint is_usual(self) except -1:
        """Whether what comes may run the short way, and the client takes its replies."""
        cdef Express express = self.express
        cdef object session = self.session
        return not (
            is_true(session, express.special)
            or is_true(session, express.closing)
            or slot(session, express.shown) is not None
            or slot(session, express.out) is not slot(session, express.sink)
            or DF_LENGTH(DF_SLOT(<PyObject *>self.connection, express.unsent))
            or express.is_gated()
        )

    cdef bint goes_on(self) except -1:
        """Whether there is probably more to come of a pipeline than has been run, or is under way."""
        return self.is_full or is_true(self.connection, self.express.paused) or self.connection.more

    cdef Py_ssize_t read_on(self) except -1:
        """Have in the buffer what is left over of a pipeline, and what more has come; how much that is.

        0 if there is no more than a part of a command, or what was left over is for the parser.
        """
        cdef Express express = self.express
        cdef object connection = self.connection
        cdef Py_ssize_t end, size = 0
        cdef bytes left
        express.put_back()
        left = self.parser.take_back(BUFFER)
        if left is None:
            return 0
        end = PyBytes_GET_SIZE(left)
        memcpy(express.data, PyBytes_AS_STRING(left), end)
        if (self.is_full or is_true(connection, express.paused)) and end < self.appetite:
            size = df_recv(self.fd, express.data + end, self.appetite - end)
            self.is_full = size == self.appetite - end
            if size > 0:
                self.count_received(size)
                return end + size
        if connection.more:
            return end
        if end:
            self.parser.feed(left)
        return 0

    cdef int go_on(self) except -1:
        """Replies of a part of a pipeline are written: send them, and run what has come behind it, without a turn between.

        While the pipeline lasts the connection stays paused, as it is since more came than could be run: the poller need
        not be told twice for each part.
        """
        cdef Express express = self.express
        cdef object session = self.session, connection = self.connection
        cdef Py_ssize_t end
        if type(self) is not Reader or not self.is_usual():
            return self.finish()
        self.reply()
        if (
            is_true(session, express.closed)
            or is_true(connection, express.queued)
            or DF_LENGTH(DF_SLOT(<PyObject *>connection, express.unsent))
            or is_true(self.parser, express.idle) and not is_true(connection, express.paused)
        ):
            return 0
        end = self.read_on()
        if end == 0:
            connection.ready()
            return 0
        connection.more = False
        if not express.onward.follow(self, end):
            self.serve(0, end)
        if is_true(connection, express.paused) and not is_true(session, express.busy):
            connection.ready()
        return 0
