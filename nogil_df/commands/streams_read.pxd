cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.base._numbers cimport parse_int
from nogil_df.commands.at_once cimport Here
from nogil_df.commands.streams cimport held, read, shown
from nogil_df.commands.streams_groups cimport consumer_of, group_of, resize
from nogil_df.commands.streams_ids cimport show
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.stream_groups cimport Consumer, Group
from nogil_df.shard.streams cimport StreamValue


@cython.final
cdef class Reading:
    cdef public list after, keys
    cdef public bytes consumer, group
    cdef public object wait
    cdef public int64_t claim, count
    cdef public bint keep


@cython.final
cdef class _Parser:
    cdef public list args
    cdef public bint in_group
    cdef public Reading reading

    @cython.locals(args=list, at=Py_ssize_t, more=Py_ssize_t, reading=Reading, word=bytes)
    cpdef Reading parse(self)
    @cython.locals(args=list, reading=Reading)
    cpdef Py_ssize_t _option(self, bytes word, Py_ssize_t at, Py_ssize_t more) except -1
    @cython.locals(half=Py_ssize_t, rest=list)
    cpdef _streams(self, Py_ssize_t first)
    cpdef _after(self, bytes text)


@cython.locals(hashes=list, keys=list, places=list, reading=Reading)
cpdef read_at_once(Here here, session, Keyspace db, list args)

@cython.locals(db=Keyspace, reading=Reading, value=StreamValue)
cpdef look(shard, tuple argument)

@cython.locals(db=Keyspace, reading=Reading, value=StreamValue)
cpdef check_groups(shard, tuple argument)

@cython.locals(consumer=Consumer, db=Keyspace, group=Group, reading=Reading, value=StreamValue)
cpdef deliver(shard, tuple argument)

@cython.locals(before=int64_t, entries=list)
cpdef list give(Keyspace db, StreamValue value, Group group, Consumer consumer, int64_t count, bint keep)
