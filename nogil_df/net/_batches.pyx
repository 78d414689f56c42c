"""Single-key commands that can't run here and now: on their way to the threads of their keys, and back.

A key that belongs to another thread, or that a transaction holds an intent on, ends the short way of a connection
(see `nogil_df.net._express`). From there on the single-key commands of the read become one implicit transaction, as
the dispatcher would make it (see `nogil_df.vll.squash`, `nogil_df.vll.columns`); so program order holds. What comes
back is written into the buffer of replies in program order.
"""

import sys

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.list cimport PyList_GET_SIZE
from cpython.long cimport PyLong_FromUnsignedLongLong
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from nogil_df.net._express cimport Express, Onward, Reader
from nogil_df.net._parse cimport Argument, parse
from nogil_df.net._plans cimport Plan, df_nanoseconds
from nogil_df.net._slots cimport slot

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.commands.long_reply import LongReply
from nogil_df.vll.columns import run_columns_alone, run_columns_batch
from nogil_df.vll.squash import fingerprints, run_alone, run_batch, run_one
from nogil_df.vll.transaction import Transaction
from nogil_df.wire.values import Chunks

cdef enum:
    MOST_EQUAL = 512        # equal commands that go by columns at once
    FEW_EQUAL = 4           # from which on that is worth its tuples
    MOST_SHARDS = 64

NO_KEYS = frozenset()


cdef inline int put_item(tuple into, Py_ssize_t at, object value) except -1:
    Py_INCREF(value)
    PyTuple_SET_ITEM(into, at, value)
    return 0


cdef class Squasher(Onward):
    """Makes batches of what readers can't run."""

    cdef int send_off(self, Reader reader, Py_ssize_t pos, Py_ssize_t end) except -1:
        """The first command from `pos` on can't run here and now: make a batch of those that are like it."""
        cdef Express express = reader.express
        cdef Batch batch = None
        cdef Columns columns
        cdef Py_ssize_t following
        cdef object dispatcher = express.dispatcher
        cdef Py_ssize_t limit = dispatcher.squash_limit
        if dispatcher.movers or dispatcher.squash_from > 1:
            return reader.hand_over(pos, end)
        columns = Columns(reader)
        following = columns.gather(pos, end, limit)
        if following:
            pos = following
        else:
            columns = None
            batch = Batch(reader)
            pos = batch.gather(pos, end, limit)
        if pos < end:
            reader.parser.feed(PyBytes_FromStringAndSize(express.data + pos, end - pos))
            reader.connection.more = True
        if PyList_GET_SIZE(express.shard.outgoing):
            express.state.publish_events()
        express.replies.spill(reader.session)
        return batch.start() if columns is None else columns.start()


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
            found = express.plans.find(express.data + express.args[0].at, express.args[0].size)
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
        express.plans.count_calls(plan, self.size, share * self.size)
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
                express.replies.emit_any(express.dispatcher.encoder.encode, value, proto)
            else:
                express.replies.emit(session, plan, value, proto)
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
            found = express.plans.find(express.data + express.args[0].at, express.args[0].size)
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
            if type(value) is ReplyError:
                plan.command.failed += 1
                express.state.count_error(value)
                express.replies.emit_any(express.dispatcher.encoder.encode, value, proto)
            else:
                express.replies.emit(session, plan, value, proto)
        return reader.finish()
