"""What one shard has to run of a pipeline, without an object for anything in it.

The coordinator copies the arguments into a block of memory, and the shard writes the replies into another, as they
go to the client. Only the `Share` itself crosses threads: to the shard in a message, as the work of a hop or on a lane
(`nogil_df.net._lanes`), and back with the answer; never do two threads look at it at the same time. Its memory is used again for later batches.

**The answer of a single command** its shard may send to the client itself (see `nogil_df.net._single`). That takes half the
messages and a fifth of the wake-ups out of what a client that does not pipeline costs; the coordinator learns of it when
it next has something to do. Both may want the socket, so `state` tells whose it is. It only changes by these steps, each one atomic:

- ALLOWED: the coordinator has nothing to send, and sends nothing and keeps the descriptor open until it has changed this.
- ALLOWED -> SENDING by the shard, which alone may send now: one `send` that does not wait, and no call of Python.
- SENDING -> SENT by the shard, which touches neither share nor socket any more. Whoever reads SENT also sees what
  the shard wrote before. The coordinator is the one to go on, without a message.
- ALLOWED -> BY_MESSAGE by either: the shard does not send, and answers by a message, as for all other shares.
- SENDING -> WANTED by the coordinator, which has more to read from this client and can't wait; WANTED or SENDING ->
  BY_MESSAGE by the shard, after its `send`: a message comes, and `sent` tells how much the client has already.

A client that got its answer may have its next request at the coordinator while the shard is between `send` and SENT:
hence WANTED. Who closes the socket waits for the end of that one `send` (`recall`, patiently), so the descriptor can't be
another client's by then. A shard sends nothing that it would have to tell something before, or that has to be noted:
events and notices that are under way, waiters to be served, slow commands and errors all go by a message.

What can't run like that (see `nogil_df.net._quick`) runs as it does everywhere, through its ``op``, and leaves a value
instead of the bytes of a reply.
"""

import sys

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from nogil_df.net._plans cimport GET, INCR, df_nanoseconds
from nogil_df.net._quick cimport AHEAD, Quick
from nogil_df.shard._dash cimport DashTable
from nogil_df.vll._intents cimport Keys
from nogil_df.vll.part cimport Part

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.commands.string_options import ALWAYS
from nogil_df.vll.engine import deliver
from nogil_df.vll.handlers import begins_work

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "Python.h":
    Py_ssize_t PyDict_Size(object mapping) except -1

cdef enum:
    FEW = 16                # calls there is room for at first
    LITTLE = 4096           # bytes of arguments there is room for at first, and of replies

# Found without a look into the module's dict.
cdef object DELIVER = deliver


cdef class Share:
    """The commands of a batch whose keys one shard owns, in program order, and later their replies."""

    def __cinit__(self):
        self.room = FEW
        self.calls = <Call *>malloc(FEW * sizeof(Call))
        self.space = LITTLE
        self.data = <char *>malloc(LITTLE)
        if self.calls == NULL or self.data == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.calls)
        free(self.data)

    def __init__(self):
        self.replies = Replies(LITTLE)
        self.reads = Keys()
        self.writes = Keys()
        self.size = 0
        self.single = NULL

    cdef int begin(self, int origin, int database, int proto) except -1:
        """Make ready for commands to come."""
        self.origin = origin
        self.database = database
        self.proto = proto
        self.size = self.read = 0
        self.used = self.sent = 0
        self.taken = 0
        self.state = BY_MESSAGE
        self.values = None
        return 0

    cdef int add(
        self, Plan plan, int step, const char *data, const Argument *key, const Argument *value, uint64_t h,
        int64_t deadline
    ) except -1:
        """Add a call with a key and, of a SET, a value, which are copied. O(size)."""
        cdef Call *call
        cdef Py_ssize_t length = value.size if plan.is_write and plan.here != INCR else 0
        cdef Py_ssize_t wanted = self.used + key.size + length, space = self.space
        if self.size == self.room:
            call = <Call *>realloc(self.calls, 2 * self.room * sizeof(Call))
            if call == NULL:
                raise MemoryError
            self.calls = call
            self.room *= 2
        if wanted > space:
            while wanted > space:
                space *= 2
            grown = <char *>realloc(self.data, space)
            if grown == NULL:
                raise MemoryError
            self.data = grown
            self.space = space
        call = &self.calls[self.size]
        call.plan = <PyObject *>plan
        call.h = h
        call.at = self.used
        call.key = key.size
        call.value = length
        call.deadline = deadline
        call.what = plan.here
        call.step = step
        call.is_write = plan.is_write
        memcpy(self.data + self.used, data + key.at, call.key)
        if length:
            memcpy(self.data + self.used + call.key, data + value.at, length)
        self.used = wanted
        self.size += 1
        return 0

    cdef bint recall(self, bint patient) noexcept:
        """Have the answer come by a message; False if the client has it already, and no message comes.

        Args:
            patient: come back only when the owner has let go of the socket, which is at most one `send` away.
        """
        cdef int state
        while True:
            state = df_state(&self.state)
            if state == SENT:
                return False
            if state == BY_MESSAGE or (state == WANTED and not patient):
                return True
            if state == ALLOWED:
                if df_change_state(&self.state, ALLOWED, BY_MESSAGE):
                    return True
            elif patient:
                sched_yield()
            elif df_change_state(&self.state, SENDING, WANTED):
                return True

    cdef void approach(self, DashTable table, int first) noexcept:
        """Have the cache get what the next calls read, from the `first` on."""
        cdef uint64_t hashes[AHEAD]
        cdef int i, count = min(self.size - first, AHEAD)
        if count > 1:
            for i in range(count):
                hashes[i] = self.calls[first + i].h
            table.approach(hashes, count)

    cdef int name_keys(self) except -1:
        """Write down the fingerprints, read and written, for intents. O(commands)."""
        cdef Keys reads = self.reads, writes = self.writes
        cdef int i
        reads.clear()
        writes.clear()
        for i in range(self.size):
            if self.calls[i].is_write:
                writes.add(self.calls[i].h)
            else:
                reads.add(self.calls[i].h)
        return 0

    cdef object payload(self, int at):
        """What the `op` of a call takes, as its `cmd` would make it."""
        cdef Call *call = &self.calls[at]
        key = PyBytes_FromStringAndSize(self.data + call.at, call.key)
        if call.what == GET or call.what == INCR:
            return [b"", key]
        value = PyBytes_FromStringAndSize(self.data + call.at + call.key, call.value)
        if call.deadline:
            return key, value, ALWAYS, b"", False, call.deadline
        return [b"", key, value]

    cdef list arguments(self, int at):
        """The key of a call, and its value if it has one, for the slow log."""
        return [word for word in self.payload(at)[0 if self.calls[at].deadline else 1:3] if type(word) is bytes]

    cdef int clear(self, Py_ssize_t most) except -1:
        """Give back blocks of more than `most` bytes, once the replies are read."""
        self.values = None
        self.replies.used = 0
        if self.replies.capacity > most:
            self.replies = Replies(LITTLE)
        if self.space > most:
            free(self.data)
            self.space = LITTLE
            self.data = <char *>malloc(LITTLE)
            if self.data == NULL:
                raise MemoryError
        return 0


cdef int run(Quick quick, Share share) except -1:
    cdef int64_t started = df_nanoseconds()
    cdef object db = quick.dbs[share.database]
    cdef DashTable table = quick.table_of(db)
    cdef Replies replies = share.replies
    cdef Call *call
    cdef const char *key
    cdef Plan plan
    cdef int i
    replies.used = 0
    for i in range(share.size):
        if i % AHEAD == 0 and table is not None and table.is_large():
            share.approach(table, i)
        call = &share.calls[i]
        key = share.data + call.at
        if table is not None and quick.run(
            call.what, table, key, call.key, key + call.key, call.value, call.h, call.deadline, share.proto, replies
        ):
            call.end = replies.used
            continue
        call.end = -1
        if share.values is None:
            share.values = {}
        plan = <Plan>call.plan
        try:
            share.values[i] = plan.op(db, share.payload(i), call.h)
        except ReplyError as error:
            share.values[i] = error.bare()
        except Exception:
            share.values[i] = log_crash(plan.name, sys.exc_info())
        if PyDict_Size(quick.ready) and (i + 1 == share.size or share.calls[i + 1].step != call.step):
            quick.blocking.serve_between()
        # Who was served may observe no more, or somebody begins to.
        table = quick.table_of(db)
    quick.count()
    share.taken = df_nanoseconds() - started
    return 0


def run_share(shard, Share share):
    """A hop's work: the commands of a share, in order; each of them, as a whole, may serve waiters.

    Returns:
        The share, which has the replies now.
    """
    run(shard.quick, share)
    return share


def _asked_by(message):
    return (<Share>message[2]).origin, message[1]


cdef int serve_alone(Quick quick, tuple message) except -1:
    """Run commands that all live here; no transaction needed. See `run_share_alone`."""
    cdef Share share = message[2]
    cdef int i
    for i in range(share.size):
        if quick.is_held(share.calls[i].h):
            share.name_keys()
            quick.engine.schedule_run(Part(share.origin, message[1], share.reads, share.writes), (run_share, share))
            return 0
    cdef object result = share
    try:
        run(quick, share)
    except Exception:
        result = log_crash("run_share_alone", sys.exc_info())
    (<list>(<list>quick.outboxes)[share.origin]).append((DELIVER, message[1], quick.index, result))
    if PyDict_Size(quick.ready):
        quick.blocking.serve(quick.ready)
    return 0


cdef bint serve_part(Quick quick, tuple message) except -1:
    """Run the share that is one of two parts of a flight, if nobody here wants its keys: `Engine.schedule_run` then.

    Args:
        message: ``(_schedule_run, part, work)``.

    Returns:
        False, and nothing has happened, if it is no such part or has to queue: that is for the engine.
    """
    cdef Part part = message[1]
    cdef Share share
    if type(part.exclusive) is not Keys or not quick.locks.is_free(part.shared, part.exclusive):
        return False
    quick.engine.proactor.observe_tx_id(part.tx_id)
    share = message[2][1]
    cdef object result = share
    try:
        run(quick, share)
    except Exception:
        result = log_crash("run_share", sys.exc_info())
    (<list>(<list>quick.outboxes)[part.origin]).append((DELIVER, part.token, quick.index, result))
    if PyDict_Size(quick.ready):
        quick.blocking.serve(quick.ready)
    return True


def run_share_alone(proactor, message):
    """Message handler on the owner's thread: commands that all live here; no transaction needed.

    ``(run_share_alone, token, share)``. Without a conflict they run at once, hold nothing and the answer goes
    back; else they take their place in the queue. (`nogil_df.net._turn` calls `serve_alone` instead.)
    """
    serve_alone(proactor.shard.quick, message)


begins_work(_asked_by)(run_share_alone)
