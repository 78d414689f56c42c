"""The turn of a thread's loop in C: the twin of `Loop.turn`, for the compiled poller and the clock of the machine.

Clients that do not pipeline come one to six in a turn, so what a turn costs itself counts: as a method of Python on
objects of Python it took 13,000 instructions, three times what GET needs. Here it looks at everything that `Loop.turn`
looks at, by offset (`_slots`), and calls Python only for what there is to do.
"""

from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from nogil_df.net._express cimport Express
from nogil_df.net._plans cimport df_nanoseconds
from nogil_df.net._poller cimport EpollPoller
from nogil_df.net._slots cimport DF_LENGTH, is_true, offset_of, put_slot, slot
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.shard_state cimport ShardState

from nogil_df.base.clock import Clock
from nogil_df.net.loop import Loop
from nogil_df.shard.shard import Shard

cdef extern from *:
    """
    static inline int64_t df_unix_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    }

    /* What else this thread reads comes after it, also on another core's watch. */
    static inline void df_put_fenced(PyObject *owner, Py_ssize_t offset, PyObject *immortal) {
        __atomic_store_n((PyObject **)((char *)owner + offset), immortal, __ATOMIC_SEQ_CST);
    }
    """
    int64_t df_unix_ms() noexcept
    void df_put_fenced(PyObject *owner, Py_ssize_t offset, PyObject *immortal) noexcept

cdef extern from "Python.h":
    PyObject *Py_True
    PyObject *Py_False


cdef class Turns:
    """Turns one loop.

    Args:
        loop: the thread's; its poller is an `EpollPoller`.
        express: the thread's.
    """

    cdef object loop, proactor, state, timers, inbox, mail, runnable
    cdef ShardState shard
    cdef Express express
    cdef EpollPoller poller
    cdef dict handlers
    cdef list outboxes, dbs
    # Offsets of slots.
    cdef Py_ssize_t stopping, dirty, now, sleeping, has_notices, has_more_work, next_beat, first, frequencies

    def __init__(self, loop, Express express):
        self.loop = loop
        self.express = express
        self.proactor = loop.proactor
        self.state = loop.state
        self.timers = loop.state.timers
        self.poller = loop.poller
        self.handlers = loop.handlers
        self.inbox = loop.inbox
        self.mail = loop.mail
        self.runnable = loop.runnable
        self.shard = loop.proactor.shard
        self.dbs = loop.proactor.shard.dbs
        self.outboxes = loop.proactor.outboxes
        self.stopping = offset_of(type(loop), "stopping")
        self.dirty = offset_of(type(loop), "dirty")
        self.now = offset_of(type(loop), "now")
        self.sleeping = offset_of(type(self.proactor), "sleeping")
        self.has_notices = offset_of(type(self.proactor), "has_notices")
        self.has_more_work = offset_of(type(self.state), "has_more_work")
        self.next_beat = offset_of(type(self.state), "next_beat")
        self.first = offset_of(type(self.timers), "first")
        self.frequencies = offset_of(Shard, "frequencies")

    def run(self):
        """Turn until the loop is `stopping`."""
        while not is_true(self.loop, self.stopping):
            self.turn()

    cdef int turn(self) except -1:
        """One turn; see the text of `nogil_df.net.loop`."""
        cdef object proactor = self.proactor, state = self.state
        cdef ShardState shard = self.shard
        cdef list outbox
        cdef double now
        df_put_fenced(<PyObject *>proactor, self.sleeping, Py_True)
        self.poller.wait(self.patience())
        df_put_fenced(<PyObject *>proactor, self.sleeping, Py_False)
        if DF_LENGTH(<PyObject *>self.mail):
            proactor.read_mail()
        now = df_nanoseconds() * 1e-9
        put_slot(self.loop, self.now, now)
        if self.poller.count:
            self.tick()
            self.express.serve_ready(self.poller, self.handlers)
        if DF_LENGTH(<PyObject *>self.inbox):
            proactor.drain()
        if DF_LENGTH(<PyObject *>self.runnable):
            self.loop.serve_runnable()
        if now >= <double>slot(state, self.next_beat):
            self.tick()
            state.beat(now)
        if now >= <double>slot(self.timers, self.first):
            state.timers.run_due(now)
        if shard.dirty >= shard.look_at or (<Keyspace>self.dbs[0]).stored() >= shard.ceiling:
            state.memory.look()
        if PyList_GET_SIZE(shard.outgoing):
            state.publish_events()
        if is_true(proactor, self.has_notices):
            proactor.finish_turn()
        else:
            for outbox in self.outboxes:
                if outbox:
                    proactor.finish_turn()
                    break
        if PyList_GET_SIZE(slot(self.loop, self.dirty)):
            self.loop.send_pushes()
        return 0

    cdef double patience(self) except -1:
        """Seconds to wait for sockets: none if there is work."""
        cdef double until, first
        if (
            DF_LENGTH(<PyObject *>self.inbox)
            or DF_LENGTH(<PyObject *>self.mail)
            or DF_LENGTH(<PyObject *>self.runnable)
            or PyList_GET_SIZE(slot(self.loop, self.dirty))
            or is_true(self.state, self.has_more_work)
        ):
            return 0.0
        until = slot(self.state, self.next_beat)
        first = slot(self.timers, self.first)
        return max(0.0, min(until, first) - df_nanoseconds() * 1e-9)

    cdef int tick(self) except -1:
        """`Proactor.tick`, which draws for the counters of uses where those are kept."""
        if slot(self.shard, self.frequencies) is None:
            self.shard.tick.ms = df_unix_ms()
        else:
            self.proactor.tick()
        return 0


def turns_of(loop, Express express):
    """What turns the loop in place of `Loop.turn`; None if that knows more: another poller, an injected clock. O(1)."""
    if type(loop) is not Loop or not isinstance(loop.poller, EpollPoller) or type(loop.proactor.clock) is not Clock:
        return None
    return Turns(loop, express)
