"""One command on its way to the thread of its key, whose owner answers the client itself.

A client that does not pipeline, and whose key is elsewhere. Its command travels as a `Share` on a lane
(`nogil_df.net._lanes`), and its owner sends the reply to the socket (the protocol is told in `nogil_df.net._shares`). Then
no message comes back: the thread looks, once a turn and before it reads more from that client, which of these are over
(`Singles.collect`, `Singles.bring_down`), and has the socket back to itself before it sends anything else, or closes it
(`Single.ground`). Where the owner had rather not answer, it comes by a message, as it does to a `Flight`.
"""

from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from nogil_df.net._shares cimport ALLOWED, BY_MESSAGE, SENDING, SENT, WANTED, df_set_state, df_state
from nogil_df.net._slots cimport DF_LENGTH, DF_SLOT, is_true, put_slot, slot

cdef enum:
    SPARE = 64              # kept for later
    LARGE = 65536           # bytes of a block from which on it is given back after use


cdef class Singles(Aloft):
    """The single commands of one thread's clients that are under way.

    Args:
        express: the thread's.
        lanes: the thread's.
    """

    def __cinit__(self, Express express, Lanes lanes):
        self.first = <PyObject **>calloc(express.count, sizeof(PyObject *))
        self.last = <PyObject **>calloc(express.count, sizeof(PyObject *))
        if self.first == NULL or self.last == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.first)
        free(self.last)

    def __init__(self, Express express, Lanes lanes):
        self.express = express
        self.lanes = lanes
        self.count = express.count
        self.spare = NULL
        self.spares = self.aloft = 0

    cdef Single take(self):
        """One that is not under way."""
        cdef PyObject *top = self.spare
        cdef Single single
        if top == NULL:
            return Single(self)
        single = <Single>top
        self.spare = single.after
        self.spares -= 1
        Py_DECREF(single)
        return single

    cdef bint send(
        self, Reader reader, Plan plan, int owner, const Argument *key, const Argument *value, uint64_t h,
        int64_t deadline
    ) except -1:
        """See `Aloft`. O(size)."""
        cdef Express express = self.express
        cdef object session = reader.session
        cdef Single single
        cdef Share share
        if not self.may_answer(reader):
            return False
        single = self.take()
        share = single.share
        share.begin(express.me, slot(session, express.database), slot(session, express.proto))
        share.add(plan, 0, express.data, key, value, h, deadline)
        share.fd = reader.fd
        share.slow_ns = slot(express.state, express.slow_ns)
        df_set_state(&share.state, ALLOWED)
        single.reader = reader
        single.plan = plan
        single.owner = owner
        if not self.lanes.put(owner, share):
            single.leave()
            return False
        # What is on a lane refers to its single without counting.
        Py_INCREF(single)
        self.append(single)
        reader.note_run(plan, 1)
        put_slot(session, express.busy, True)
        put_slot(reader.connection, express.aloft, single)
        put_slot(session, express.last_active, slot(express.loop, express.now))
        return True

    cdef bint may_answer(self, Reader reader) except -1:
        """Whether the reply is all there is to send to the client, and nothing else is to be done about it."""
        cdef Express express = self.express
        cdef object session = reader.session
        return (
            type(reader) is Reader
            and express.measuring is None
            and is_true(reader.parser, express.idle)
            and not is_true(session, express.closing)
            and not is_true(session, express.special)
            and slot(session, express.shown) is None
            and slot(session, express.out) is slot(session, express.sink)
            and PyList_GET_SIZE(slot(session, express.sink)) == 0
            and DF_LENGTH(DF_SLOT(<PyObject *>reader.connection, express.unsent)) == 0
            and not is_true(reader.connection, express.paused)
        )

    cdef int append(self, Single single) except -1:
        cdef PyObject *last = self.last[single.owner]
        single.is_listed = True
        single.before = last
        single.after = NULL
        if last == NULL:
            self.first[single.owner] = <PyObject *>single
        else:
            (<Single>last).after = <PyObject *>single
        self.last[single.owner] = <PyObject *>single
        self.aloft += 1
        return 0

    cdef int remove(self, Single single) except -1:
        if single.before == NULL:
            self.first[single.owner] = single.after
        else:
            (<Single>single.before).after = single.after
        if single.after == NULL:
            self.last[single.owner] = single.before
        else:
            (<Single>single.after).before = single.before
        single.is_listed = False
        self.aloft -= 1
        return 0

    cdef int collect(self, bint patient) except -1:
        """See `Aloft`. O(threads + those that are over): a shard runs what one thread sends it in order."""
        cdef Single single
        cdef int owner, state
        if not self.aloft:
            return 0
        for owner in range(self.count):
            while self.first[owner] != NULL:
                single = <Single>self.first[owner]
                state = df_state(&single.share.state)
                if state == SENDING and patient:
                    single.share.recall(True)
                elif state == SENT:
                    single.touch_down()
                elif state == BY_MESSAGE or state == WANTED:
                    self.remove(single)
                else:
                    break
        return 0

    cdef bint bring_down(self, single) except -1:
        """See `Aloft`."""
        cdef Single found = single
        if found.share.recall(False):
            return False
        found.touch_down()
        return True


cdef class Single(InFlight):
    """A command that is under way. It is used again and again."""

    def __init__(self, Singles home):
        self.home = home
        self.share = Share()
        self.share.single = <PyObject *>self
        self.tx = None
        self.is_listed = False
        self.before = self.after = NULL

    cdef int come_down(self) except -1:
        """See `InFlight`. What the owner has sent is accounted for."""
        cdef Express express = self.home.express
        cdef Reader reader = self.reader
        if self.is_listed:
            self.home.remove(self)
        put_slot(reader.connection, express.aloft, None)
        if self.share.sent:
            express.writes += 1
            express.bytes_out += self.share.sent
            reader.bytes_out += self.share.sent
        # Nothing on a lane refers to us any more.
        Py_DECREF(self)
        return 0

    cdef int touch_down(self) except -1:
        """The client has its answer, and no message comes: be done with it."""
        cdef Express express = self.home.express
        self.come_down()
        put_slot(self.reader.session, express.busy, False)
        express.plans.count_calls(self.plan, 1, self.share.taken)
        return self.leave()

    def ground(self):
        """Keep the owner from sending to the client from now on, whatever it has to answer."""
        if slot(self.reader.connection, self.home.express.aloft) is self and not self.share.recall(True):
            self.touch_down()

    cdef int leave(self) except -1:
        """Be ready for another command."""
        cdef Singles home = self.home
        self.share.clear(LARGE)
        self.reader = None
        self.plan = None
        if home.spares < SPARE:
            Py_INCREF(self)
            self.after = home.spare
            home.spare = <PyObject *>self
            home.spares += 1
        return 0

    cdef int finish(self, dict results) except -1:
        """See `InFlight`: the answer has come by a message."""
        cdef Reader reader = self.reader
        cdef Plan plan = self.plan
        cdef int64_t taken = self.share.taken
        if not self.land():
            return self.leave()
        if taken >= <int64_t>slot(reader.express.state, reader.express.slow_ns):
            reader.express.state.note_slow(reader.session, plan.command, self.arguments(), taken)
        reader.express.plans.count_calls(plan, 1, taken)
        self.write_reply(results[self.owner])
        self.leave()
        return reader.finish()

    cdef int write_reply(self, result) except -1:
        """Write what there is to send, without what the owner has sent."""
        cdef Express express = self.reader.express
        cdef Py_ssize_t before = express.replies.total()
        cdef int proto = slot(self.reader.session, express.proto)
        self.write_answer(self.plan, self.share, 0, result, proto)
        if express.measuring is not None and express.measuring.wants():
            self.measure(self.arguments(), self.share.taken, express.replies.total() - before)
        return 0

    cdef list arguments(self):
        return [self.plan.name.upper().encode(), *self.share.arguments(0)]
