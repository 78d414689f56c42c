"""The turn of a thread's loop in C: the twin of `Loop.turn`, for the compiled poller and the clock of the machine.

Clients that do not pipeline come one to six in a turn, so what a turn costs itself counts: as a method of Python on
objects of Python it took 13,000 instructions, three times what GET needs. Here it looks at everything that `Loop.turn`
looks at, by offset (`_slots`), and calls Python only for what there is to do. What flights (`_batches`) send to other
threads and get back from them is handled without a call of Python, too.
"""

from cpython.list cimport PyList_AsTuple, PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from nogil_df.net._batches cimport Flight
from nogil_df.net._express cimport Express
from nogil_df.net._lanes cimport Lanes
from nogil_df.net._plans cimport df_nanoseconds
from nogil_df.net._poller cimport EpollPoller
from nogil_df.net._ready cimport Ready
from nogil_df.net._shares cimport serve_alone, serve_part
from nogil_df.net._single cimport Singles
from nogil_df.net._slots cimport DF_LENGTH, is_true, offset_of, put_slot, slot
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.shard_state cimport ShardState

from nogil_df.base.clock import Clock
from nogil_df.net._shares import run_share_alone
from nogil_df.net.loop import Loop
from nogil_df.shard.shard import Shard
from nogil_df.vll.engine import deliver
from nogil_df.vll.transaction import schedule_run

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

    /* Comes after what this thread has written before it. */
    static inline int df_is_true_fenced(PyObject *owner, Py_ssize_t offset) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return __atomic_load_n((PyObject **)((char *)owner + offset), __ATOMIC_SEQ_CST) == Py_True;
    }
    """
    int64_t df_unix_ms() noexcept
    void df_put_fenced(PyObject *owner, Py_ssize_t offset, PyObject *immortal) noexcept
    bint df_is_true_fenced(PyObject *owner, Py_ssize_t offset) noexcept

cdef extern from "<unistd.h>":
    ssize_t write(int fd, const void *data, size_t size)

cdef extern from "Python.h":
    PyObject *Py_True
    PyObject *Py_False

# Found without a look into the module's dict.
cdef object RUN_SHARE_ALONE = run_share_alone
cdef object DELIVER = deliver
cdef object SCHEDULE_RUN = schedule_run


cdef inline int ring(int bell) noexcept:
    """Add 1 to an eventfd; negative if that failed, as there is none."""
    cdef int64_t once = 1
    return -1 if bell < 0 else <int>write(bell, &once, sizeof(once))


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
    cdef Ready sockets
    cdef Lanes lanes
    cdef Singles singles
    cdef list outboxes, dbs, peers
    cdef int me
    # Offsets of slots.
    cdef Py_ssize_t stopping, dirty, now, sleeping, has_notices, has_more_work, next_beat, first, frequencies
    cdef Py_ssize_t batch, messages_handled, hops_sent, wakeups_sent, wake, bell, its_inbox

    def __init__(self, loop, Express express):
        self.loop = loop
        self.express = express
        self.proactor = loop.proactor
        self.lanes = loop.proactor.lanes = Lanes(express.quick)
        self.singles = express.singles = Singles(express, self.lanes)
        self.state = loop.state
        self.timers = loop.state.timers
        self.poller = loop.poller
        self.sockets = express.waiting = Ready(express, loop.handlers)
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
        self.batch = offset_of(type(self.proactor), "batch")
        self.messages_handled = offset_of(type(self.proactor), "messages_handled")
        self.hops_sent = offset_of(type(self.proactor), "hops_sent")
        self.wakeups_sent = offset_of(type(self.proactor), "wakeups_sent")
        self.wake = offset_of(type(self.proactor), "wake")
        self.bell = offset_of(type(self.proactor), "bell")
        self.its_inbox = offset_of(type(self.proactor), "inbox")
        self.me = loop.proactor.index
        self.next_beat = offset_of(type(self.state), "next_beat")
        self.first = offset_of(type(self.timers), "first")
        self.frequencies = offset_of(Shard, "frequencies")
        if self.proactor.bell >= 0:
            self.poller.wake_by(self.proactor.bell)

    def run(self):
        """Turn until the loop is `stopping`."""
        self.peers = self.proactor.peers
        self.lanes.connect([peer.lanes for peer in self.peers])
        while not is_true(self.loop, self.stopping):
            self.turn()

    cdef int turn(self) except -1:
        """One turn; see the text of `nogil_df.net.loop`."""
        cdef object proactor = self.proactor, state = self.state
        cdef ShardState shard = self.shard
        cdef double now
        cdef double patience
        df_put_fenced(<PyObject *>proactor, self.sleeping, Py_True)
        patience = self.patience()
        if patience == 0.0:
            # Nobody needs to wake a thread that only looks.
            df_put_fenced(<PyObject *>proactor, self.sleeping, Py_False)
        self.poller.wait(patience)
        df_put_fenced(<PyObject *>proactor, self.sleeping, Py_False)
        if DF_LENGTH(<PyObject *>self.mail):
            proactor.read_mail()
        now = df_nanoseconds() * 1e-9
        put_slot(self.loop, self.now, now)
        self.singles.collect(False)
        if self.poller.count:
            self.tick()
            self.sockets.serve(self.poller)
        if self.lanes.is_waiting():
            self.serve_lanes()
        if DF_LENGTH(<PyObject *>self.inbox):
            self.drain()
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
        self.finish_turn()
        if PyList_GET_SIZE(slot(self.loop, self.dirty)):
            self.loop.send_pushes()
        return 0

    cdef int serve_lanes(self) except -1:
        """Run the single commands that other threads have for this one."""
        cdef object proactor = self.proactor
        self.tick()
        put_slot(proactor, self.messages_handled, slot(proactor, self.messages_handled) + self.lanes.serve())
        return 0

    cdef int drain(self) except -1:
        """`Proactor.drain`."""
        cdef object proactor = self.proactor, rest, handler
        cdef tuple message
        cdef Py_ssize_t waiting = DF_LENGTH(<PyObject *>self.inbox), handled = 0
        self.tick()
        for _ in range(waiting):
            if not DF_LENGTH(<PyObject *>self.inbox):
                # A handler that waited on the spot went on with them.
                break
            batch = self.inbox.popleft()
            if DF_LENGTH(<PyObject *>self.mail):
                proactor.read_mail()
            handled += len(batch)
            rest = iter(batch)
            put_slot(proactor, self.batch, rest)
            for message in rest:
                handler = message[0]
                if handler is RUN_SHARE_ALONE:
                    serve_alone(self.express.quick, message)
                elif handler is SCHEDULE_RUN and serve_part(self.express.quick, message):
                    pass
                elif handler is DELIVER and type(message[1]) is Flight:
                    (<Flight>message[1]).answered(message[2], message[3])
                else:
                    handler(proactor, message)
        put_slot(proactor, self.messages_handled, slot(proactor, self.messages_handled) + handled)
        return 0

    cdef int finish_turn(self) except -1:
        """`Proactor.finish_turn`. O(threads)."""
        cdef object proactor = self.proactor, peer
        cdef list outbox
        cdef Py_ssize_t size
        cdef int dest
        if is_true(proactor, self.has_notices):
            proactor.hand_over_notices()
        for dest in range(<int>PyList_GET_SIZE(self.outboxes)):
            outbox = self.outboxes[dest]
            size = PyList_GET_SIZE(outbox)
            if size:
                self.outboxes[dest] = []
                slot(self.peers[dest], self.its_inbox).append(PyList_AsTuple(outbox))
            if self.lanes.has_staged:
                size += self.lanes.let_go(dest)
            if size and dest != self.me:
                peer = self.peers[dest]
                put_slot(proactor, self.hops_sent, slot(proactor, self.hops_sent) + size)
                if df_is_true_fenced(<PyObject *>peer, self.sleeping):
                    df_put_fenced(<PyObject *>peer, self.sleeping, Py_False)
                    put_slot(proactor, self.wakeups_sent, slot(proactor, self.wakeups_sent) + 1)
                    if ring(slot(peer, self.bell)) < 0:
                        slot(peer, self.wake)()
        self.lanes.has_staged = False
        return 0

    cdef double patience(self) except -1:
        """Seconds to wait for sockets: none if there is work."""
        cdef double until, first
        if (
            DF_LENGTH(<PyObject *>self.inbox)
            or DF_LENGTH(<PyObject *>self.mail)
            or self.lanes.is_waiting()
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
