"""Single-key commands that can't run here and now: on their way to the threads of their keys, and back.

A key that belongs to another thread, or that a transaction holds an intent on, ends the short way of a connection
(see `nogil_df.net._express`). From there on the single-key commands of the read become one implicit transaction, as
the dispatcher would make it (see `nogil_df.vll.squash`); so program order holds. What comes back is written into the
buffer of replies in program order.

A `Flight` takes commands that need no call of Python, as bytes (`nogil_df.net._shares`), a `Batch` all others. (One such
command that is all a client has sent goes its own way: `nogil_df.net._single`.)

Of a long pipeline one flight follows the other. While others run their shares of one, the next is read (more than 64 KB
at once, if its commands are large) and gathered: `Squasher.look_further`. It starts when the one before is over on all
shards; so program order holds, and what is refused is refused before anything of a later flight has left.
"""

import sys

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_Size
from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc, realloc

from nogil_df.net._express cimport CHUNK, LONG_READ, Express, Onward, Reader
from nogil_df.net._parse cimport Argument, parse
from nogil_df.net._plans cimport MULTI, NOTHING, Plan, df_nanoseconds
from nogil_df.net._replies cimport Replies
from nogil_df.net._quick cimport Quick
from nogil_df.net._shares cimport Share, run, serve_alone
from nogil_df.net._slots cimport is_true, put_slot, slot
from nogil_df.vll.part cimport Part

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.commands.hotkeys import request_bytes
from nogil_df.commands.long_reply import LongReply
from nogil_df.net._shares import run_share, run_share_alone
from nogil_df.vll.squash import fingerprints, run_alone, run_batch, run_one
from nogil_df.vll.engine import GRANTED
from nogil_df.vll.transaction import Transaction, schedule_run
from nogil_df.wire.values import Chunks

cdef enum:
    FEW = 4                 # commands from which on a flight is worth that other commands follow on their own
    MOST = 1024             # commands of a flight: a round trip each is what they cost a lone connection
    PLACES = 32             # commands of a flight there is room for at first
    SPARE = 64              # flights kept for later
    LARGE = 65536           # bytes of a block for one shard of a flight from which on it is given back after use
    LARGEST = 1048576       # bytes that two flights may keep all the same, for all shards together


# Found without a look into the module's dict.
cdef object RUN_SHARE_ALONE = run_share_alone
cdef object SCHEDULE_RUN = schedule_run


cdef class Squasher(Onward):
    """Makes batches of what readers can't run."""

    def __init__(self):
        self.spare = []
        self.flying = 0

    cdef Flight take(self, Express express):
        """A flight that is not under way."""
        return self.spare.pop() if PyList_GET_SIZE(self.spare) else Flight(self, express)

    cdef int send_off(self, Reader reader, Py_ssize_t pos, Py_ssize_t end) except -1:
        """The first command from `pos` on can't run here and now: make a batch of those that are like it."""
        cdef Express express = reader.express
        cdef Batch batch
        cdef Flight flight
        cdef Py_ssize_t following
        cdef Py_ssize_t limit = slot(express.dispatcher, express.squash_limit)
        if not express.may_squash():
            return reader.hand_over(pos, end)
        flight = self.take(express)
        following = flight.gather(reader, pos, end, MOST if limit > 1 else limit)
        if following:
            return self.take_off(flight, pos, following, end)
        flight.leave()
        batch = Batch(reader)
        pos = batch.gather(pos, end, limit)
        self.put_by(reader, pos, end)
        return batch.start()

    cdef bint follow(self, Reader reader, Py_ssize_t end) except -1:
        """See `Onward`."""
        cdef Express express = reader.express
        cdef Flight flight
        cdef Py_ssize_t following
        if not self.may_follow(express):
            return False
        flight = self.take(express)
        following = flight.gather(reader, 0, end, MOST)
        if following == 0:
            flight.leave()
            return False
        self.take_off(flight, 0, following, end)
        return True

    cdef bint may_follow(self, Express express) except -1:
        """Whether one flight after the other may take all that comes."""
        return <Py_ssize_t>slot(express.dispatcher, express.squash_limit) > 1 and express.may_squash()

    cdef Flight look_further(self, Reader reader):
        """Gather the next flight of a connection while one is under way; None if nothing is there that is for one."""
        cdef Express express = reader.express
        cdef Py_ssize_t following, end
        cdef Flight flight
        if type(reader) is not Reader or not self.may_follow(express) or not reader.is_usual():
            return None
        end = reader.read_on()
        if end == 0:
            return None
        flight = self.take(express)
        following = flight.gather(reader, 0, end, MOST)
        if flight.size < FEW:
            following = 0
        if following:
            flight.whet(following)
            flight.source = PyBytes_FromStringAndSize(express.data, following)
        else:
            flight.leave()
            flight = None
        if following < end:
            reader.leave_for_later(following, end)
        else:
            reader.connection.more = False
        return flight

    cdef int take_off(self, Flight flight, Py_ssize_t pos, Py_ssize_t following, Py_ssize_t end) except -1:
        """Start a flight that has taken what lies from `pos` to `following`; what is behind it waits."""
        cdef Reader reader = flight.reader
        if flight.size >= FEW:
            flight.whet(following - pos)
        self.put_by(reader, following, end)
        flight.start()
        return flight.use_the_while()

    cdef int put_by(self, Reader reader, Py_ssize_t pos, Py_ssize_t end) except -1:
        """What lies from `pos` on waits for the commands before it."""
        cdef Express express = reader.express
        if pos < end:
            reader.leave_for_later(pos, end)
        if PyList_GET_SIZE(express.shard.outgoing):
            express.state.publish_events()
        express.replies.spill(reader.session)
        return 0


cdef class InFlight:
    """Commands of one connection that wait for the answers of shards."""

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
        self.come_down()
        if tx is not None:
            # The two refer to each other, and nothing collects cycles here.
            self.tx = None
            tx.release()
        put_slot(session, self.reader.express.busy, False)
        self.reader.express.find_measured()
        return not is_true(session, self.reader.express.closed)

    cdef int come_down(self) except -1:
        """Nobody but this thread may send to the client from now on."""
        return 0

    cdef int measure(self, list args, int64_t nanoseconds, Py_ssize_t written) except -1:
        """Let HOTKEYS count a command on one key."""
        self.reader.express.measuring.note([args[1]], nanoseconds, request_bytes(args) + written)
        return 0

    cdef int write_answer(self, Plan plan, Share share, int at, result, int proto) except -1:
        """Write the reply of a call of a share, what the client has of it already left out.

        Args:
            result: what came back for the share: itself, or one error for all if the work broke as a whole.
        """
        cdef Replies replies = self.reader.express.replies
        cdef Py_ssize_t end = share.calls[at].end
        if result is not share:
            return self.write(plan, result, proto)
        if end < 0:
            return self.write(plan, share.values[at], proto)
        replies.reserve(end - share.sent)
        replies.write(share.replies.out + share.sent, end - share.sent)
        share.sent = end
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

    A step of it is a command on one key, which is one call; an MGET or MSET, which is a call for each of its keys; or
    a whole transaction of simple commands. A shard runs nothing between the calls of a step, and all of a flight is
    one implicit transaction, so each of its steps is atomic, too.

    A flight is used again and again: by one connection at a time, as none has more than one batch under way.
    """

    def __cinit__(self):
        self.room = self.places = PLACES
        self.owners = <short *>malloc(PLACES * sizeof(short))
        self.steps = <Step *>malloc(PLACES * sizeof(Step))
        if self.owners == NULL or self.steps == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.owners)
        free(self.steps)

    def __init__(self, Squasher home, Express express):
        self.home = home
        self.express = express
        self.shares = [Share() for _ in range(express.count)]
        self.answers = [None] * express.count
        self.flown = []
        self.tx = self.here = self.there = None
        self.following = self.source = None
        self.has_run = False
        self.size = self.count = 0

    cdef void whet(self, Py_ssize_t size) noexcept:
        """Have as much read next as a full flight takes, if its commands are like these, of `size` bytes."""
        self.reader.appetite = min(max(size * MOST // self.size, CHUNK), LONG_READ)

    cdef Py_ssize_t gather(self, Reader reader, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t limit) except -1:
        """Take commands of up to `limit` calls; where the rest begins, 0 if a `Batch` does better."""
        cdef Express express = self.express
        cdef object session = reader.session
        cdef Py_ssize_t following, last
        cdef int argc = 0, owner, calls = 0, i
        cdef int database = slot(session, express.database), proto = slot(session, express.proto)
        cdef const Argument *value
        cdef int64_t deadline
        cdef PyObject *found
        cdef Plan plan
        cdef Share share
        cdef bint several = False
        self.reader = reader
        self.size = self.count = 0
        self.commands = 0
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
            if express.measuring is not None and (plan.step or plan.here == MULTI):
                break
            if plan.step:
                calls = (argc - 1) // plan.step
                if calls == 0 or (argc - 1) % plan.step or (self.size and self.size + calls > limit):
                    break
                for i in range(1, argc, plan.step):
                    self.add_call(plan, &express.args[i], &express.args[i + 1], 0)
                several = True
                self.commands += 1
            elif plan.here == MULTI:
                if argc != 1:
                    break
                last = express.end_of_transaction(session, following, end, &calls)
                if last == 0 or (self.size and self.size + calls > limit):
                    break
                for i in range(calls):
                    following = parse(express.data, following, end, express.args, &argc)
                    found = express.plans.find(express.data + express.args[0].at, express.args[0].size)
                    express.quick.is_plain(<Plan>found, express.data, express.args, argc, &value, &deadline)
                    self.add_call(<Plan>found, &express.args[1], value, deadline)
                following = last
                several = True
                self.commands += calls + 2
            elif plan.here == NOTHING or plan.is_local or not (
                plan.least <= argc <= plan.most
            ) or not express.quick.is_plain(plan, express.data, express.args, argc, &value, &deadline):
                if not several and self.size < FEW and plan.least <= argc <= plan.most:
                    return 0
                break
            else:
                calls = 1
                self.add_call(plan, &express.args[1], value, deadline)
                self.commands += 1
            self.end_step(plan, calls)
            pos = following
        return pos if self.size else 0

    cdef int add_call(self, Plan plan, const Argument *key, const Argument *value, int64_t deadline) except -1:
        """Add a call of the step that comes next."""
        cdef Express express = self.express
        cdef uint64_t h = express.hashed(express.data + key.at, key.size)
        cdef int owner = express.owner_of(h)
        cdef short *grown
        if self.size == self.room:
            grown = <short *>realloc(self.owners, 2 * self.room * sizeof(short))
            if grown == NULL:
                raise MemoryError
            self.owners = grown
            self.room *= 2
        self.owners[self.size] = owner
        self.size += 1
        return (<Share>self.shares[owner]).add(plan, self.count, express.data, key, value, h, deadline)

    cdef int end_step(self, Plan plan, int calls) except -1:
        cdef Step *grown
        if self.count == self.places:
            grown = <Step *>realloc(self.steps, 2 * self.places * sizeof(Step))
            if grown == NULL:
                raise MemoryError
            self.steps = grown
            self.places *= 2
        # Plans live as long as the thread.
        self.steps[self.count].plan = <PyObject *>plan
        self.steps[self.count].calls = calls
        self.count += 1
        return 0

    cdef int start(self) except -1:
        """Send the shares off; those of the only long pipeline at once, as others are to begin while we go on."""
        if self.size >= FEW:
            self.home.flying += 1
        self.send_shares()
        if self.is_alone():
            self.express.proactor.finish_turn()
        return 0

    cdef bint is_alone(self) except -1:
        """Whether it is a part of a long pipeline, and nothing else keeps the other threads busy."""
        return self.size >= FEW and self.home.flying == 1 and self.reader.goes_on()

    cdef int use_the_while(self) except -1:
        """While others run their shares: run ours if it only reads, and gather the commands that come next.

        Our part is granted: what it reads nobody writes before it concludes, so it has read that at any time until then.
        """
        cdef Express express = self.express
        if self.reader is None or is_true(self.reader.session, express.closed) or not self.is_alone():
            return 0
        if self.here is not None and (<Share>self.shares[express.me]).writes.size == 0:
            self.run_share_here()
        self.following = self.home.look_further(self.reader)
        return 0

    cdef int send_shares(self) except -1:
        cdef Reader reader = self.reader
        cdef Express express = self.express
        cdef Share share
        cdef Plan last
        cdef int shard
        cdef list flown = self.flown
        for shard in range(express.count):
            share = self.shares[shard]
            if share.size:
                flown.append(shard)
        last = <Plan>self.steps[self.count - 1].plan
        reader.note_run(express.plans.exec_plan if last.here == MULTI else last, self.commands)
        put_slot(reader.session, express.busy, True)
        if self.size > 1:
            self.began = df_nanoseconds()
            express.squashed_hops += PyList_GET_SIZE(flown)
            express.squashed_commands += self.size
        if PyList_GET_SIZE(flown) == 1:
            shard = flown[0]
            message = (RUN_SHARE_ALONE, self, self.shares[shard])
            if shard == express.me:
                serve_alone(express.quick, message)
                return 0
            (<list>(<list>express.outboxes)[shard]).append(message)
            return 0
        if PyList_GET_SIZE(flown) == 2 and self.combine():
            return 0
        tx = self.tx = Transaction(express.proactor, self)
        works = {}
        for index in flown:
            share = self.shares[<int>index]
            share.name_keys()
            tx.lock_part(index, share.reads, share.writes)
            works[index] = (run_share, share)
        results = tx.hop(works, True)
        if results is not None:
            self.finish(results)
        return 0

    cdef bint combine(self) except -1:
        """Fly as a transaction over our shard and one more, with all that may be unusual about one left out.

        It is what `Transaction` calls COMBINED: our part is granted, as nobody here wants its keys; the other shard
        takes its part and runs it in one go; when it has answered, our part runs and concludes. Should anything else
        come of it (the other shard refuses, somebody more urgent comes), `transaction` makes one that goes on.

        Returns:
            False, and nothing has happened, if that is not how it is.
        """
        cdef Express express = self.express
        cdef Quick quick = express.quick
        cdef int me = express.me, first = self.flown[0], second = self.flown[1]
        cdef Share mine, theirs
        if first != me and second != me:
            return False
        mine = self.shares[me]
        mine.name_keys()
        if not quick.locks.is_free(mine.reads, mine.writes):
            return False
        theirs = self.shares[second if first == me else first]
        theirs.name_keys()
        self.here = Part(me, self, mine.reads, mine.writes)
        self.there = Part(me, self, theirs.reads, theirs.writes)
        self.here.tx_id = self.there.tx_id = express.proactor.next_tx_id()
        state = quick.engine.schedule(self.here)
        assert state == GRANTED, "nobody wants its keys, and its id is the greatest"
        (<list>(<list>express.outboxes)[second if first == me else first]).append(
            (SCHEDULE_RUN, self.there, (run_share, theirs))
        )
        return True

    cdef int run_here(self) except -1:
        """The other shard has run its part: run ours, and conclude."""
        cdef Quick quick = self.express.quick
        cdef Part part = self.here
        if not self.has_run:
            self.run_share_here()
        self.here = self.there = None
        if PyDict_Size(quick.ready):
            part.hold(quick.ready)
        quick.engine.conclude(part)
        return self.complete()

    cdef int run_share_here(self) except -1:
        cdef Share share = self.shares[self.express.me]
        cdef object result = share
        try:
            run(self.express.quick, share)
        except Exception:
            result = log_crash("run_share", sys.exc_info())
        self.answers[self.express.me] = result
        self.has_run = True
        return 0

    cdef object transaction(self):
        """The transaction that goes on with this flight."""
        cdef Express express = self.express
        if self.tx is None:
            self.tx = Transaction(express.proactor, self)
            parts = {}
            works = {}
            for index in self.flown:
                parts[index] = self.here if <int>index == express.me else self.there
                works[index] = (run_share, self.shares[<int>index])
            self.tx.take_up(parts, works)
        return self.tx

    def on_scheduled(self, shard, state, seen_id):
        """The other shard refused its part."""
        self.transaction().on_scheduled(shard, state, seen_id)

    def on_granted(self, tx_id):
        """A part that had to wait may run now. Those of a `combine` alone never do; it may be one of an earlier flight."""
        if self.tx is not None:
            self.tx.on_granted(tx_id)

    def on_asked_to_give_way(self, tx_id):
        """Somebody more urgent wants a key of ours; it may be too late for that."""
        if self.here is not None and (self.tx is not None or self.here.tx_id == tx_id):
            self.transaction().on_asked_to_give_way(tx_id)

    cdef int leave(self) except -1:
        """Be ready for other commands."""
        cdef Share share
        cdef int owner
        # A long pipeline takes two flights in turn, and would have to get its blocks anew each time.
        cdef Py_ssize_t most = max(LARGE, LARGEST // self.express.count) if PyList_GET_SIZE(self.home.spare) < 2 else LARGE
        for owner in range(self.express.count):
            share = self.shares[owner]
            share.clear(most)
            self.answers[owner] = None
        self.flown.clear()
        self.here = self.there = None
        self.following = self.source = None
        self.has_run = False
        self.reader = None
        self.size = self.count = 0
        if PyList_GET_SIZE(self.home.spare) < SPARE:
            self.home.spare.append(self)
        return 0

    cdef int put_back(self) except -1:
        """Give up a flight that has not begun: its commands go back to where they came from, in front of the others."""
        cdef Reader reader = self.reader
        cdef bytes rest = reader.parser.take_back(LONG_READ + CHUNK)
        reader.parser.feed(self.source if rest is None else self.source + rest)
        reader.connection.more = True
        return self.leave()

    def on_answer(self, shard, result):
        """See `InFlight`."""
        self.answered(shard, result)

    cdef int answered(self, int shard, result) except -1:
        """A shard has run its share: the only one that there is, or the other one than ours."""
        if self.tx is not None:
            self.tx.on_answer(shard, result)
            return 0
        self.answers[shard] = result
        if self.here is not None:
            return self.run_here()
        return self.complete()

    cdef int finish(self, dict results) except -1:
        """See `InFlight`."""
        for shard, result in results.items():
            self.answers[<int>shard] = result
        return self.complete()

    cdef int complete(self) except -1:
        """Every shard has answered: write the replies, in program order, and send them."""
        cdef Reader reader = self.reader
        cdef Express express = self.express
        cdef Replies replies = express.replies
        cdef Share share
        cdef Plan plan, counted = None
        cdef int64_t taken = 0, each, slow_ns
        cdef int i, call = 0, calls, proto, run = 0
        cdef bint slow, lone
        cdef Flight following = self.following
        self.following = None
        lone = self.size < FEW
        if not lone:
            self.home.flying -= 1
        if not self.land():
            if following is not None:
                following.leave()
            return self.leave()
        if following is not None:
            if reader.is_usual() and self.home.may_follow(express):
                # Others run their shares of it while we answer the client.
                following.source = None
                following.start()
            else:
                following.put_back()
                following = None
        for index in self.flown:
            share = self.shares[<int>index]
            taken += share.taken
        if self.size > 1:
            express.note_pipeline(self.commands, self.began)
            express.squashed_ns += taken
        each = taken // self.size
        slow_ns = slot(express.state, express.slow_ns)
        slow = each >= slow_ns
        proto = slot(reader.session, express.proto)
        for i in range(self.count):
            plan = <Plan>self.steps[i].plan
            calls = self.steps[i].calls
            if plan is not counted or calls > 1:
                if run:
                    express.plans.count_calls(counted, run, run * each)
                run = 0
                counted = plan
            if plan.step:
                express.plans.count_calls(plan, 1, calls * each)
                if calls * each >= slow_ns:
                    express.state.note_slow(reader.session, plan.command, self.arguments(plan, call, calls), calls * each)
                self.write_keys(plan, call, calls, proto)
            elif plan.here == MULTI:
                express.plans.count_calls(plan, 1, 0)
                express.plans.count_calls(express.plans.exec_plan, 1, calls * each)
                replies.write_opening(calls)
                for at in range(call, call + calls):
                    share = self.shares[self.owners[at]]
                    plan = <Plan>share.calls[share.read].plan
                    express.plans.count_calls(plan, 1, each)
                    self.write_call(plan, at, proto, slow, each)
            else:
                run += 1
                self.write_call(plan, call, proto, slow, each)
            call += calls
        if run:
            express.plans.count_calls(counted, run, run * each)
        self.leave()
        if following is not None:
            reader.reply()
            return following.use_the_while()
        return reader.finish() if lone else reader.go_on()

    cdef int write_call(self, Plan plan, int call, int proto, bint slow, int64_t each) except -1:
        """Write the reply of the call that comes next of its share."""
        cdef Express express = self.express
        cdef Share share = self.shares[self.owners[call]]
        cdef int at = share.read
        cdef Py_ssize_t before = express.replies.total()
        cdef list measured = None
        if express.measuring is not None and express.measuring.wants():
            measured = self.arguments(plan, call, 1)
        if slow:
            express.state.note_slow(self.reader.session, plan.command, self.arguments(plan, call, 1), each)
        share.read += 1
        self.write_answer(plan, share, at, self.answers[self.owners[call]], proto)
        if measured is not None:
            self.measure(measured, each, express.replies.total() - before)
        return 0

    cdef int write_keys(self, Plan plan, int call, int calls, int proto) except -1:
        """Write the reply of a command of many keys: the values of its calls, or one for all."""
        cdef Express express = self.express
        cdef Share share
        cdef int i
        cdef object error = self.error_of(call, calls)
        if error is not None:
            self.write(plan, error, proto)
        elif plan.is_write:
            express.replies.write_ok()
        else:
            express.replies.reserve(32)
            express.replies.write_number(b"*", calls)
            for i in range(call, call + calls):
                self.write_call(plan, i, proto, False, 0)
            return 0
        for i in range(call, call + calls):
            share = self.shares[self.owners[i]]
            if share.calls[share.read].end >= 0:
                share.sent = share.calls[share.read].end
            share.read += 1
        return 0

    cdef object error_of(self, int call, int calls):
        """The first error of a command of many keys; None if there is none."""
        cdef Share share
        cdef int i, at
        cdef bint usual = True
        for shard in self.flown:
            share = self.shares[<int>shard]
            usual = usual and self.answers[<int>shard] is share and share.values is None
        if usual:
            return None
        read = {shard: (<Share>self.shares[<int>shard]).read for shard in self.flown}
        for i in range(call, call + calls):
            shard = self.owners[i]
            share = self.shares[<int>shard]
            at = read[shard]
            read[shard] = at + 1
            if self.answers[<int>shard] is not share:
                return self.answers[<int>shard]
            if share.calls[at].end < 0 and type(share.values[at]) is ReplyError:
                return share.values[at]
        return None

    cdef list arguments(self, Plan plan, int call, int calls):
        """The arguments of a command whose calls come next of their shares, as far as they travelled."""
        cdef list found = [plan.name.upper().encode()]
        cdef Share share
        cdef int i
        read = {shard: (<Share>self.shares[<int>shard]).read for shard in self.flown}
        for i in range(call, call + calls):
            shard = self.owners[i]
            share = self.shares[<int>shard]
            found += share.arguments(read[shard])
            read[shard] += 1
        return found


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
            owner = express.owner_of(h)
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
