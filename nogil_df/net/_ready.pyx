"""Serve the sockets that are ready in one turn: the twin of `nogil_df.net.loop.dispatch`.

A client that does not pipeline brings one key a turn, and looking for a key among many is mostly waiting for memory:
of the 1.3 us that a GET takes here beside the kernel's part, half. So the requests of several clients are read first,
one behind the other into the buffer of the thread; then their keys are looked for together, which waits once for all
of them (see `approach` in `nogil_df.shard._segment`); then each is run and answered as ever.

Between its read and its turn the bytes of a client are only here, and the buffer is everybody's. So that is done only
while nothing can get in between: for readers that have nothing else to do or to look at, and until one of them leaves
the short way (`Express.waiting.put_back`). What the others have sent then goes to their parsers, from where they go on
later in this turn, as connections do that had more than one turn may run. As that is slower than to read each client
when it is served, it is not tried again for some turns.
"""

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint64_t

from nogil_df.net._express cimport CHUNK, Express, Reader, Waiting
from nogil_df.net._parse cimport parse
from nogil_df.net._poller cimport EpollPoller
from nogil_df.net._quick cimport AHEAD
from nogil_df.net._slots cimport DF_LENGTH, DF_SLOT, is_true, put_slot, slot
from nogil_df.shard.keyspace cimport Keyspace

cdef enum:
    FEW = 2                 # readers from which on it pays
    LITTLE = 1024           # bytes of a read past which it is a pipeline, which looks ahead for itself
    HOLD_OFF = 64           # turns without it after one that it was in vain


cdef class Ready(Waiting):
    """The ready sockets of one thread.

    Args:
        express: the thread's.
        known: handlers by descriptor, the loop's own dict.
    """

    def __init__(self, Express express, dict known):
        self.express = express
        self.known = known
        self.count = self.at = self.hold_off = 0

    cdef int serve(self, EpollPoller found) except -1:
        """Call the handler of each ready descriptor. O(ready)."""
        cdef int i = 0, fd, taken
        if self.hold_off:
            self.hold_off -= 1
        while i < found.count:
            taken = self.gather(found, i)
            if taken:
                self.serve_gathered()
                i += taken
                continue
            fd = found.events[i].data.fd
            if fd != found.bell:
                handler = self.known.get(fd)
                if isinstance(handler, Reader):
                    (<Reader>handler).on_ready(found.events[i].events)
                elif handler is not None:
                    # An earlier one of this turn may have closed it otherwise.
                    handler(<int>found.events[i].events)
            i += 1
        return 0

    cdef int gather(self, EpollPoller found, int first) except -1:
        """Read from clients that can be served together, from the `first` event on; how many events that are."""
        cdef Express express = self.express
        cdef Keyspace db = express.dbs[0]
        cdef int i, last, size
        cdef Reader reader
        if found.count - first < FEW or self.hold_off or not db.table.is_large() or express.is_gated():
            return 0
        last = min(found.count, first + AHEAD)
        i = first
        while i < last:
            handler = self.known.get(found.events[i].data.fd)
            if type(handler) is not Reader or not self.is_simple(<Reader>handler, found.events[i].events):
                break
            Py_INCREF(handler)
            self.readers[self.count] = <PyObject *>handler
            self.count += 1
            i += 1
        if self.count < FEW:
            self.let_go(0)
            return 0
        self.ends[0] = 0
        for i in range(self.count):
            reader = <Reader>self.readers[i]
            size = <int>reader.receive(express.data + self.ends[i])
            if size <= 0:
                # Why, its handler finds out for itself.
                self.let_go(i)
                break
            reader.count_received(size)
            reader.is_full = size == CHUNK
            self.ends[i + 1] = self.ends[i] + size
            if size > LITTLE:
                self.let_go(i + 1)
                break
        self.look_ahead(db)
        return self.count

    cdef int let_go(self, int first) except -1:
        """Forget readers, from the `first` on."""
        while self.count > first:
            self.count -= 1
            Py_DECREF(<object>self.readers[self.count])
        return 0

    cdef bint is_simple(self, Reader reader, int mask) except -1:
        """Whether all that there is to do for a client is to read and to run what it sends."""
        cdef Express express = self.express
        cdef object session = reader.session, connection = reader.connection
        if slot(connection, express.aloft) is not None:
            express.singles.bring_down(slot(connection, express.aloft))
        return (
            reader.can_read(mask)
            and is_true(reader.parser, express.idle)
            and not is_true(session, express.special)
            and <int>slot(session, express.database) == 0
        )

    cdef int look_ahead(self, Keyspace db) except -1:
        """Have the cache get what the first command of each client reads."""
        cdef Express express = self.express
        cdef uint64_t hashes[AHEAD]
        cdef uint64_t h
        cdef int i, count = 0, argc = 0
        for i in range(self.count):
            if parse(express.data, self.ends[i], self.ends[i + 1], express.later, &argc) > 0 and argc > 1:
                h = express.hashed(express.data + express.later[1].at, express.later[1].size)
                if express.owner_of(h) == express.me:
                    hashes[count] = h
                    count += 1
        if count > 1:
            db.table.approach(hashes, count)
        return 0

    cdef int serve_gathered(self) except -1:
        """Run and answer what was read."""
        cdef int i = 0
        # The others may be put back meanwhile.
        while i < self.count:
            self.at = i + 1
            (<Reader>self.readers[i]).serve(self.ends[i], self.ends[i + 1])
            i += 1
        self.at = 0
        return self.let_go(0)

    cdef int put_back(self) except -1:
        """See `Waiting`. O(bytes)."""
        cdef Express express = self.express
        cdef Reader reader
        cdef int i
        if not self.at:
            return 0
        for i in range(self.at, self.count):
            reader = <Reader>self.readers[i]
            reader.leave_for_later(self.ends[i], self.ends[i + 1])
            put_slot(reader.connection, express.queued, True)
            express.loop.runnable.append(reader.connection)
            self.hold_off = HOLD_OFF
        self.let_go(self.at)
        self.at = 0
        return 0
