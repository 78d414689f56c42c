"""Single-key commands that can't run here and now: on their way to the threads of their keys, and back.

A key that belongs to another thread, or that a transaction holds an intent on, ends the short way of a connection
(see `nogil_df.net._express`). From there on the single-key commands of the read become one implicit transaction, as
the dispatcher would make it (see `nogil_df.vll.squash`); so program order holds. What comes back is written into the
buffer of replies in program order.

A `Flight` takes commands that need no call of Python, as bytes (`nogil_df.net._shares`), a `Batch` all others.
"""

import sys

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from nogil_df.net._express cimport Express, Onward, Reader
from nogil_df.net._parse cimport parse
from nogil_df.net._plans cimport NOTHING, Plan, df_nanoseconds
from nogil_df.net._shares cimport Share
from nogil_df.net._slots cimport put_slot, slot

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.commands.hotkeys import request_bytes
from nogil_df.commands.long_reply import LongReply
from nogil_df.net._shares import run_share, run_share_alone
from nogil_df.vll.squash import fingerprints, run_alone, run_batch, run_one
from nogil_df.vll.transaction import Transaction
from nogil_df.wire.values import Chunks

cdef enum:
    FEW = 4                 # commands from which on a flight is worth that other commands follow on their own
    MOST = 512              # commands of a flight: a round trip each is what they cost a lone connection
    PLACES = 32             # commands of a flight there is room for at first
    SPARE = 64              # flights kept for later


cdef class Squasher(Onward):
    """Makes batches of what readers can't run."""

    # Flights that are not under way.
    cdef list spare

    def __init__(self):
        self.spare = []

    cdef int send_off(self, Reader reader, Py_ssize_t pos, Py_ssize_t end) except -1:
        """The first command from `pos` on can't run here and now: make a batch of those that are like it."""
        cdef Express express = reader.express
        cdef Batch batch = None
        cdef Flight flight
        cdef Py_ssize_t following
        cdef object dispatcher = express.dispatcher
        cdef Py_ssize_t limit = dispatcher.squash_limit
        if dispatcher.movers or dispatcher.squash_from > 1:
            return reader.hand_over(pos, end)
        flight = self.spare.pop() if PyList_GET_SIZE(self.spare) else Flight(self, express)
        following = flight.gather(reader, pos, end, MOST if limit > 1 else limit)
        if following:
            pos = following
        else:
            flight.leave()
            batch = Batch(reader)
            pos = batch.gather(pos, end, limit)
        if pos < end:
            reader.parser.feed(PyBytes_FromStringAndSize(express.data + pos, end - pos))
            reader.connection.more = True
        if PyList_GET_SIZE(express.shard.outgoing):
            express.state.publish_events()
        express.replies.spill(reader.session)
        return flight.start() if batch is None else batch.start()


cdef class InFlight:
    """Commands of one connection that wait for the answers of shards."""

    cdef Reader reader
    cdef object tx
    cdef int64_t began

    cdef int finish(self, dict results) except -1:
        """Write the replies, in program order, and send them."""
        raise NotImplementedError

    def on_hop(self, results):
        """The transaction brings the results of all shards."""
        self.finish(results)

    def on_answer(self, shard, result):
        """One shard had everything and ran it without a transaction."""
        self.finish({shard: result})

    cdef bint land(self) except -1:
        """The answers are there; False if nobody waits for them any more."""
        tx = self.tx
        session = self.reader.session
        if tx is not None:
            # The two refer to each other, and nothing collects cycles here.
            self.tx = None
            tx.release()
        put_slot(session, self.reader.express.busy, False)
        self.reader.express.find_measured()
        return not session.closed

    cdef int measure(self, list args, int64_t nanoseconds, Py_ssize_t written) except -1:
        """Let HOTKEYS count a command on one key."""
        self.reader.express.measuring.note([args[1]], nanoseconds, request_bytes(args) + written)
        return 0

    cdef int write(self, Plan plan, value, int proto) except -1:
        """Write the reply of one command."""
        cdef Express express = self.reader.express
        if type(value) is ReplyError:
            plan.command.failed += 1
            express.state.count_error(value)
            return express.replies.emit_any(express.dispatcher.encoder.encode, value, proto)
        return express.replies.emit(self.reader.session, plan, value, proto)


cdef class Flight(InFlight):
    """Commands that run straight on the tables of their shards: a `Share` for each shard.

    A flight is used again and again: by one connection at a time, as none has more than one batch under way.
    """

    cdef Squasher home
    cdef Express express
    cdef list shares, flown
    cdef short *owners
    cdef int size, room

    def __cinit__(self):
        self.room = PLACES
        self.owners = <short *>malloc(PLACES * sizeof(short))
        if self.owners == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.owners)

    def __init__(self, Squasher home, Express express):
        self.home = home
        self.express = express
        self.shares = [Share() for _ in range(express.count)]
        self.flown = []
        self.tx = None
        self.size = 0

    cdef Py_ssize_t gather(self, Reader reader, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t limit) except -1:
        """Take up to `limit` such commands; where the rest begins, 0 if a `Batch` does better."""
        cdef Express express = self.express
        cdef object session = reader.session
        cdef Py_ssize_t following
        cdef int argc = 0, owner
        cdef int database = slot(session, express.database), proto = slot(session, express.proto)
        cdef PyObject *found
        cdef Plan plan
        cdef Share share
        cdef uint64_t h
        self.reader = reader
        self.size = 0
        for owner in range(express.count):
            share = self.shares[owner]
            share.begin(express.me, database, proto)
        while pos < end and self.size < limit:
            following = parse(express.data, pos, end, express.args, &argc)
            if following <= 0:
                break
            found = express.plans.find(express.data + express.args[0].at, express.args[0].size)
            if found == NULL:
                break
            plan = <Plan>found
            if plan.here == NOTHING or plan.is_local or argc != plan.here_with:
                if self.size < FEW and plan.least <= argc <= plan.most:
                    return 0
                break
            pos = following
            h = express.hashed(express.data + express.args[1].at, express.args[1].size)
            owner = <int>((h >> 32) % <uint64_t>express.count) if express.count > 1 else express.me
            self.note_owner(owner)
            share = self.shares[owner]
            share.add(plan, express.data, express.args, argc, h)
        return pos if self.size else 0

    cdef int note_owner(self, int owner) except -1:
        cdef short *grown
        if self.size == self.room:
            grown = <short *>realloc(self.owners, 2 * self.room * sizeof(short))
            if grown == NULL:
                raise MemoryError
            self.owners = grown
            self.room *= 2
        self.owners[self.size] = owner
        self.size += 1
        return 0

    cdef int start(self) except -1:
        """Send the shares off; run what can run at once."""
        cdef Reader reader = self.reader
        cdef Express express = self.express
        cdef Share share
        cdef int shard
        cdef list flown = self.flown
        for shard in range(express.count):
            share = self.shares[shard]
            if share.size:
                flown.append(shard)
        share = self.shares[<int>flown[0]]
        reader.note_run(share.plans[share.size - 1], self.size)
        put_slot(reader.session, express.busy, True)
        if self.size > 1:
            self.began = df_nanoseconds()
            express.squashed_hops += PyList_GET_SIZE(flown)
            express.squashed_commands += self.size
        if PyList_GET_SIZE(flown) == 1:
            shard = flown[0]
            message = (run_share_alone, self, share)
            if shard == express.me:
                run_share_alone(express.proactor, message)
            else:
                (<list>(<list>express.outboxes)[shard]).append(message)
            return 0
        tx = self.tx = Transaction(express.proactor, self)
        works = {}
        for index in flown:
            share = self.shares[<int>index]
            tx.lock_part(index, *share.locks())
            works[index] = (run_share, share)
        results = tx.hop(works, True)
        if results is not None:
            self.finish(results)
        return 0

    cdef int leave(self) except -1:
        """Be ready for other commands."""
        cdef Share share
        for share in self.shares:
            share.clear()
        self.flown.clear()
        self.reader = None
        self.size = 0
        if PyList_GET_SIZE(self.home.spare) < SPARE:
            self.home.spare.append(self)
        return 0

    cdef int finish(self, dict results) except -1:
        """See `InFlight`."""
        cdef Reader reader = self.reader
        cdef Express express = self.express
        cdef Share share
        cdef Plan plan = None
        cdef int64_t taken = 0, each
        cdef Py_ssize_t before
        cdef int i, at, proto, run = 0
        cdef object broken, slow_ns
        if not self.land():
            return self.leave()
        for index in self.flown:
            share = self.shares[<int>index]
            taken += share.taken
        if self.size > 1:
            express.note_pipeline(self.size, self.began)
            express.squashed_ns += taken
        each = taken // self.size
        slow_ns = slot(express.state, express.slow_ns)
        proto = slot(reader.session, express.proto)
        for i in range(self.size):
            share = self.shares[self.owners[i]]
            at = share.read
            share.read += 1
            before = express.replies.total()
            if <Plan>share.plans[at] is not plan:
                if run:
                    express.plans.count_calls(plan, run, run * each)
                run = 0
                plan = share.plans[at]
            run += 1
            if each >= slow_ns:
                express.state.note_slow(reader.session, plan.command, share.args(at, plan.name.encode()), each)
            broken = results[self.owners[i]]
            if broken is not share:
                # The work broke as a whole: one error for all.
                self.write(plan, broken, proto)
            elif share.calls[at].end < 0:
                self.write(plan, share.values[at], proto)
            else:
                express.replies.reserve(share.calls[at].end - share.sent)
                express.replies.write(share.replies.out + share.sent, share.calls[at].end - share.sent)
                share.sent = share.calls[at].end
            if express.measuring is not None and express.measuring.wants():
                self.measure(share.args(at, plan.name.encode()), each, express.replies.total() - before)
        express.plans.count_calls(plan, run, run * each)
        self.leave()
        return reader.finish()


cdef class Batch(InFlight):
    """Single-key commands of one connection in flight, as `nogil_df.commands.dispatch.SquashedBatch`.

    Invariant: `owners` has an entry for each command of `plans`: its shard, -1 where it failed before it got there.
    """

    cdef list plans, calls, owners, failed
    cdef dict groups

    def __init__(self, Reader reader):
        self.reader = reader
        self.plans = []
        self.calls = []
        self.owners = []
        self.failed = []
        self.groups = {}
        self.tx = None

    cdef Py_ssize_t gather(self, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t limit) except -1:
        """Take up to `limit` commands from the buffer; where the rest begins."""
        cdef Reader reader = self.reader
        cdef Express express = reader.express
        cdef object session = reader.session, args, payload
        cdef Py_ssize_t following
        cdef int argc = 0
        cdef PyObject *found
        cdef Plan plan = None
        cdef uint64_t h
        cdef int owner
        while pos < end and PyList_GET_SIZE(self.plans) < limit:
            following = parse(express.data, pos, end, express.args, &argc)
            if following <= 0:
                break
            found = express.plans.find(express.data + express.args[0].at, express.args[0].size)
            if found == NULL or argc < (<Plan>found).least or argc > (<Plan>found).most:
                break
            plan = <Plan>found
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
                    continue
                except Exception:
                    self.owners.append(-1)
                    self.failed.append(log_crash(plan.name, sys.exc_info()))
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
            works[shard] = (run_batch, (express.me, db, items))
        results = self.tx.hop(works, True)
        if results is not None:
            self.finish(results)
        return 0

    cdef int _send_alone(self, int shard, list items) except -1:
        cdef Express express = self.reader.express
        db = self.reader.session.db
        if len(items) == 1 and len(self.plans) == 1:
            op, payload, h, is_write = items[0]
            message = (run_one, express.me, self, op, db, payload, h, is_write)
        else:
            message = (run_alone, express.me, self, db, items)
        if shard == express.me:
            message[0](express.proactor, message)
        else:
            (<list>(<list>express.outboxes)[shard]).append(message)
        return 0

    cdef int finish(self, dict results) except -1:
        """See `InFlight`."""
        cdef Reader reader = self.reader
        cdef Express express = reader.express
        cdef object session = reader.session, found, value
        cdef Py_ssize_t size = PyList_GET_SIZE(self.plans), i, before
        cdef int64_t share = 0
        cdef int proto
        cdef Plan plan
        cdef dict at = {-1: 0}
        if not self.land():
            return 0
        answers = {-1: self.failed}
        for shard, found in results.items():
            if type(found) is list:
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
        if size == 1 and self.owners[0] >= 0:
            # Only lone commands are done in slices.
            value = answers[self.owners[0]][0]
            if type(value) is Chunks:
                session.batch = self.calls
                session.position = 1
                plan = self.plans[0]
                LongReply(express.dispatcher, session, plan.command, value, share, self.calls[0]).start()
                return 0
        slow_ns = slot(express.state, express.slow_ns)
        if share >= slow_ns:
            for plan, args in zip(self.plans, self.calls):
                express.state.note_slow(session, plan.command, args, share)
        proto = session.proto
        for i in range(size):
            plan = self.plans[i]
            owner = self.owners[i]
            value = answers[owner][at[owner]]
            express.plans.count_calls(plan, 1, share)
            at[owner] += 1
            before = express.replies.total()
            self.write(plan, value, proto)
            if express.measuring is not None and express.measuring.wants():
                self.measure(self.calls[i], share, express.replies.total() - before)
        return reader.finish()
