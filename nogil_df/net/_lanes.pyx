"""The short way of single commands to the thread of their key: rings of pointers, one from each thread to each other.

A command that is sent as a message (`nogil_df.vll.proactor`) makes a tuple, a batch and entries of lists and deques,
which one thread makes and another one reads, counts references to and frees: 0.7 us of the 1.3 that a GET of a key
elsewhere took more than one of a key here. A `Share` that its owner may answer to the client itself (see
`nogil_df.net._shares`) needs nothing of that: its `Single` lasts until it is answered, so a pointer
to it is all that crosses over, and the owner counts no references.

A lane has one thread that fills it and one that empties it, so a counter of each is all that they agree by. What is put
on it may be read only once it is let go, at the end of a turn: with the messages of that turn, behind its notices, and
with one look whether the other one sleeps. Shares on a lane are not in order with messages; that can't be noticed, as
a client has one command under way, and whoever must see something done has seen its answer.

Whoever looks at the inbox for another reason than to empty it (a thread that waits in the middle of something, a slow
script that refuses work) has what is on the lanes moved there before (`take_in`).

Rejected: the same ring for all messages. Those of transactions refer to objects anyway, and pipelines have few.
"""

from cpython.dict cimport PyDict_Size
from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free

from nogil_df.net._calls cimport df_send
from nogil_df.net._plans cimport df_nanoseconds
from nogil_df.net._quick cimport AHEAD
from nogil_df.net._shares cimport (
    ALLOWED,
    BY_MESSAGE,
    SENDING,
    SENT,
    Call,
    df_change_state,
    df_set_state,
    serve_alone,
)
from nogil_df.net._slots cimport DF_LENGTH, is_true
from nogil_df.shard._dash cimport DashTable

from nogil_df.net._shares import run_share_alone
from nogil_df.vll.engine import deliver

cdef extern from *:
    """
    static inline uint64_t df_load(const uint64_t *counter) {
        return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
    }

    static inline void df_store(uint64_t *counter, uint64_t value) {
        __atomic_store_n(counter, value, __ATOMIC_SEQ_CST);
    }
    """
    uint64_t df_load(const uint64_t *counter) noexcept
    void df_store(uint64_t *counter, uint64_t value) noexcept

# Found without a look into the module's dict.
cdef object RUN_SHARE_ALONE = run_share_alone
cdef object DELIVER = deliver


cdef class Lanes:
    """The lanes that lead to one thread, and its ends of those that lead from it.

    Args:
        quick: of the thread's shard.
    """

    def __cinit__(self, Quick quick):
        self.count = quick.proactor.count
        self.arriving = <Lane *>calloc(self.count, sizeof(Lane))
        self.leaving = <Lane **>calloc(self.count, sizeof(Lane *))
        self.staged = <uint64_t *>calloc(self.count, sizeof(uint64_t))
        self.room_until = <uint64_t *>calloc(self.count, sizeof(uint64_t))
        if self.arriving == NULL or self.leaving == NULL or self.staged == NULL or self.room_until == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.arriving)
        free(self.leaving)
        free(self.staged)
        free(self.room_until)

    def __init__(self, Quick quick):
        self.quick = quick
        self.me = quick.index
        self.proactor = quick.proactor
        self.inbox = quick.proactor.inbox
        self.mail = quick.proactor.mail
        self.outboxes = quick.proactor.outboxes
        self.replies = Replies()
        self.has_staged = False

    def connect(self, lanes):
        """Tell who the others are, by index; this one included. None for those that have no lanes."""
        cdef Lanes other
        cdef int dest
        for dest, other in enumerate(lanes):
            if other is not None:
                self.leaving[dest] = &other.arriving[self.me]
                self.room_until[dest] = ROOM

    # -- the end that fills

    cdef bint put(self, int dest, Share share) noexcept:
        """Leave a share for its owner; False if there is no room. Its `Single` must last until it is answered. O(1)."""
        cdef Lane *lane = self.leaving[dest]
        cdef uint64_t at = self.staged[dest]
        if lane == NULL:
            return False
        if at == self.room_until[dest]:
            self.room_until[dest] = df_load(&lane.emptied) + ROOM
            if at == self.room_until[dest]:
                return False
        lane.shares[at % ROOM] = <PyObject *>share
        self.staged[dest] = at + 1
        self.has_staged = True
        return True

    cdef Py_ssize_t let_go(self, int dest) noexcept:
        """Have a thread see what was put on its lane; how many that is. It is to be woken afterwards, if it sleeps."""
        cdef Lane *lane = self.leaving[dest]
        cdef Py_ssize_t size
        if lane == NULL:
            return 0
        size = self.staged[dest] - lane.filled
        if size:
            df_store(&lane.filled, self.staged[dest])
        return size

    def hand_over(self, wake):
        """Let everything go in the middle of a turn.

        Args:
            wake: called with the index of a thread that has got something.

        Returns:
            How many shares those are.
        """
        cdef int dest
        cdef Py_ssize_t size, total = 0
        if self.has_staged:
            self.has_staged = False
            for dest in range(self.count):
                size = self.let_go(dest)
                if size:
                    total += size
                    wake(dest)
        return total

    # -- the end that empties

    cdef bint is_waiting(self) noexcept:
        """Whether anything is there. O(threads)."""
        cdef int origin
        for origin in range(self.count):
            if df_load(&self.arriving[origin].filled) != self.arriving[origin].emptied:
                return True
        return False

    def take_in(self):
        """Move what is there to the inbox, as messages. O(shares)."""
        cdef Lane *lane
        cdef Share share
        cdef int origin
        cdef list batch
        for origin in range(self.count):
            lane = &self.arriving[origin]
            batch = []
            while lane.emptied != df_load(&lane.filled):
                share = <Share>lane.shares[lane.emptied % ROOM]
                share.recall(False)
                batch.append((RUN_SHARE_ALONE, <object>share.single, share))
                df_store(&lane.emptied, lane.emptied + 1)
            if batch:
                self.inbox.append(tuple(batch))

    cdef int serve(self) except -1:
        """Run what is there, and answer it; how many that were. What comes meanwhile waits for the next turn."""
        cdef Lane *lane
        cdef uint64_t until
        cdef int origin, served = 0
        for origin in range(self.count):
            lane = &self.arriving[origin]
            until = df_load(&lane.filled)
            if until != lane.emptied:
                # Looked at in this order, as the sender had its notices handed over before.
                if DF_LENGTH(<PyObject *>self.mail):
                    self.proactor.read_mail()
                served += <int>(until - lane.emptied)
                self.serve_lane(lane, until)
        return served

    cdef int serve_lane(self, Lane *lane, uint64_t until) except -1:
        cdef int64_t now = df_nanoseconds()
        cdef uint64_t looked = lane.emptied
        cdef PyObject *item
        # Also if what is run leads here again: then there is nothing left at the end.
        while lane.emptied < until:
            if lane.emptied == looked:
                looked = min(until, looked + AHEAD)
                self.approach(lane, looked)
            item = lane.shares[lane.emptied % ROOM]
            df_store(&lane.emptied, lane.emptied + 1)
            self.serve_one(item, &now)
        return self.quick.count()

    cdef int approach(self, Lane *lane, uint64_t until) except -1:
        """Have the cache get what the next shares read, up to AHEAD of them."""
        cdef uint64_t hashes[AHEAD]
        cdef uint64_t at = lane.emptied
        cdef int count = 0
        cdef Quick quick = self.quick
        cdef DashTable table = quick.table_of((<list>quick.dbs)[0])
        if until - at < 2 or table is None or not table.is_large():
            return 0
        while at < until:
            hashes[count] = (<Share>lane.shares[at % ROOM]).calls[0].h
            count += 1
            at += 1
        table.approach(hashes, count)
        return 0

    cdef int serve_one(self, PyObject *item, int64_t *now) except -1:
        """Run a share, which is not to become a variable: that would count a reference, across threads.

        Args:
            now: the time, which goes on.
        """
        cdef Quick quick = self.quick
        cdef Call *call = (<Share>item).calls
        cdef const char *key = (<Share>item).data + call.at
        cdef DashTable table = quick.table_of((<list>quick.dbs)[(<Share>item).database])
        cdef int64_t began = now[0]
        self.replies.used = 0
        if table is None or quick.is_held(call.h) or not quick.run(
            call.what, table, key, call.key, key + call.key, call.value, call.h, call.deadline, (<Share>item).proto,
            self.replies
        ):
            quick.count()
            (<Share>item).recall(False)
            serve_alone(quick, (RUN_SHARE_ALONE, <object>(<Share>item).single, <Share>item))
            now[0] = df_nanoseconds()
            return 0
        now[0] = df_nanoseconds()
        if self.answer(item, now[0] - began):
            return 0
        return self.answer_by_message(<Share>item)

    cdef bint answer(self, PyObject *item, int64_t taken) except -1:
        """Send the reply to the client; False if the coordinator has to be told.

        Whatever has to leave before a reply does, and whatever is to be noted about it, is left to the coordinator.
        """
        cdef Quick quick = self.quick
        cdef Py_ssize_t sent
        (<Share>item).taken = taken
        if (
            taken >= (<Share>item).slow_ns
            or PyDict_Size(quick.ready)
            or PyList_GET_SIZE(quick.shard.outgoing)
            or is_true(quick.proactor, quick.has_notices)
        ):
            (<Share>item).recall(False)
            return False
        if not df_change_state(&(<Share>item).state, ALLOWED, SENDING):
            return False
        sent = df_send((<Share>item).fd, self.replies.out, self.replies.used)
        (<Share>item).sent = max(sent, 0)
        if sent == self.replies.used and df_change_state(&(<Share>item).state, SENDING, SENT):
            return True
        df_set_state(&(<Share>item).state, BY_MESSAGE)
        return False

    cdef int answer_by_message(self, Share share) except -1:
        """Leave the reply to the coordinator, and tell it."""
        cdef Quick quick = self.quick
        share.replies.reserve(self.replies.used)
        share.replies.write(self.replies.out, self.replies.used)
        share.calls[0].end = share.replies.used
        (<list>(<list>quick.outboxes)[share.origin]).append((DELIVER, <object>share.single, quick.index, share))
        if PyDict_Size(quick.ready):
            quick.count()
            quick.blocking.serve(quick.ready)
        return 0
