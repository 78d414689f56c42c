from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from nogil_df.commands.at_once cimport Here
from nogil_df.commands.subscriptions cimport Subscriptions
from nogil_df.net._fanout cimport Fanout
from nogil_df.net._parse cimport MOST_ARGUMENTS, Argument
from nogil_df.net._plans cimport Plan, Plans
from nogil_df.net._quick cimport Quick
from nogil_df.net._replies cimport Replies
from nogil_df.net._slots cimport is_true, slot
from nogil_df.shard._dash cimport DashTable
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.shard_state cimport ShardState


cdef enum:
    CHUNK = 65536           # bytes asked for in one recv, as in `nogil_df.net.connection`
    READ = 1                # EPOLLIN
    LONG_READ = 262144      # bytes asked for at most where a long pipeline goes on


cdef class Reader


cdef class Onward:
    cdef int send_off(self, Reader reader, Py_ssize_t pos, Py_ssize_t end) except -1
    cdef bint follow(self, Reader reader, Py_ssize_t end) except -1


cdef class Aloft:
    cdef bint send(
        self, Reader reader, Plan plan, int owner, const Argument *key, const Argument *value, uint64_t h,
        int64_t deadline
    ) except -1
    cdef int collect(self, bint patient) except -1
    cdef bint bring_down(self, single) except -1


cdef class Waiting:
    cdef int put_back(self) except -1


cdef class Express:
    cdef object dispatcher, state, proactor, loop, hash_key, outboxes, ready
    cdef Here here
    cdef ShardState shard
    cdef Subscriptions subscriptions
    cdef Fanout fanout
    cdef list dbs, readers
    cdef int me, count
    cdef Plans plans
    cdef Replies replies
    cdef Quick quick
    cdef Onward onward
    # What was read in this turn and is not served yet; None if nothing is ever.
    cdef Waiting waiting
    # Single commands that others answer; None where nobody looks in every turn what came of them.
    cdef Aloft singles
    cdef bint hash_here
    # What was read.
    cdef char *data
    cdef Argument args[MOST_ARGUMENTS]
    # Of a command that comes later.
    cdef Argument later[MOST_ARGUMENTS]
    # Counted, and not yet settled.
    cdef long long bytes_in, bytes_out, reads, writes, pipelined, pipelines, send_ns
    cdef long long squashed_ns, squashed_hops, squashed_commands
    # What HOTKEYS counts, None if it does not; and the bytes of replies before the command that runs.
    cdef object measuring
    cdef Py_ssize_t written
    # Offsets of slots.
    cdef Py_ssize_t hot_keys, only_measured
    cdef Py_ssize_t gated, has_notices, now, slow_ns
    cdef Py_ssize_t queued, paused, unsent, aloft
    cdef Py_ssize_t busy, special, closing, closed, shown, out, sink, database, proto, last_command, last_active, watching
    cdef Py_ssize_t squash_limit, squash_from, movers
    cdef Py_ssize_t idle

    cdef int find_slots(self, connection, parser) except -1
    cpdef settle(self)
    cdef inline bint is_gated(self) noexcept:
        """Whether commands have to be looked at one by one, for any reason but that HOTKEYS counts."""
        return is_true(self.dispatcher, self.gated) and not is_true(self.dispatcher, self.only_measured)

    cdef inline int owner_of(self, uint64_t h) noexcept:
        """The shard of a key's hash, as `nogil_df.base.hashing.shard_of` has it."""
        return <int>((h >> 32) % <uint64_t>self.count) if self.count > 1 else self.me

    cdef inline int put_back(self) except -1:
        """To be called before anything but the commands of plain clients happens, and before more is read."""
        return 0 if self.waiting is None else self.waiting.put_back()

    cdef inline bint may_squash(self) except -1:
        """Whether commands may leave without the dispatcher."""
        return not <Py_ssize_t>slot(self.dispatcher, self.movers) and <Py_ssize_t>slot(self.dispatcher, self.squash_from) <= 1

    cdef int find_measured(self) except -1
    cdef int measure(self, Plan plan, int64_t nanoseconds, Py_ssize_t begin, Py_ssize_t end) except -1
    cdef int note_pipeline(self, Py_ssize_t size, int64_t began) except -1
    cdef int account(self, session, Plan plan, long long calls, int64_t nanoseconds, Py_ssize_t begin,
                     Py_ssize_t end) except -1
    cdef Py_ssize_t look_ahead(self, DashTable table, Py_ssize_t pos, Py_ssize_t end) except -1
    cdef list listed(self, Argument *args, int argc)
    cdef uint64_t hashed(self, const char *key, Py_ssize_t size) except? 0
    cdef PyObject *find_at_once(self, Plan plan, int argc) except? NULL
    cdef bint is_here(self, const Argument *key, uint64_t *h) except -1
    cdef Py_ssize_t end_of_transaction(self, session, Py_ssize_t pos, Py_ssize_t end, int *calls) except -1
    cdef Py_ssize_t publish(self, Plan plan) except -1
    cdef int failed(self, session, list args, error) except -1


cdef class Reader:
    cdef Express express
    cdef object connection, session, parser
    cdef int fd
    # Bytes to be asked for where a pipeline goes on.
    cdef Py_ssize_t appetite
    # The last read brought all that was asked for.
    cdef bint is_full
    # Counted, and not yet settled.
    cdef long long bytes_in, bytes_out, commands
    cdef bint counted

    cdef int settle(self) except -1
    cdef int on_ready(self, int mask) except -1
    cdef bint can_read(self, int mask) except -1
    cdef int read(self) except -1
    cdef Py_ssize_t receive(self, char *into) except -3
    cdef int nothing_came(self, Py_ssize_t why) except -1
    cdef Py_ssize_t transmit(self, const char *data, Py_ssize_t size) except -3
    cdef int count_received(self, Py_ssize_t size) except -1
    cdef Py_ssize_t take_back(self) except -2
    cdef int serve(self, Py_ssize_t pos, Py_ssize_t end) except -1
    cdef int serve_several(
        self, Plan plan, int argc, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t *following, long long *ran
    ) except -1
    cdef int serve_keys(self, Plan plan, Keyspace db, int argc, Py_ssize_t begin, Py_ssize_t end) except -1
    cdef int serve_transaction(self, Plan multi, Keyspace db, Py_ssize_t pos, Py_ssize_t end, int calls) except -1
    cdef int run_inside(self, Plan plan, Keyspace db, int argc, uint64_t h, int proto, int64_t started) except -1
    cdef int note_run(self, Plan plan, long long ran) except -1
    cdef int reply(self) except -1
    cdef int hand_over(self, Py_ssize_t pos, Py_ssize_t end) except -1
    cdef int leave_to_parser(self, Py_ssize_t pos, Py_ssize_t end, bint unusual) except -1
    cdef int leave_for_later(self, Py_ssize_t pos, Py_ssize_t end) except -1
    cdef int finish(self) except -1
    cdef int go_on(self) except -1
    cdef bint is_usual(self) except -1
    cdef Py_ssize_t read_on(self) except -1
    cdef bint goes_on(self) except -1
