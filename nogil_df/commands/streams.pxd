cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.base._numbers cimport parse_int
from nogil_df.commands.arguments cimport integer
from nogil_df.commands.streams_ids cimport id_of, show, written
from nogil_df.shard._dash cimport DashTable
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.shard_state cimport ShardState
from nogil_df.shard.streams cimport Block, StreamValue

cpdef StreamValue read(Keyspace db, bytes key, uint64_t h)

@cython.locals(table=DashTable)
cpdef StreamValue held(Keyspace db, bytes key, uint64_t h)


@cython.final
cdef class Trim:
    cdef public bint by_length, approximate
    cdef public object threshold, limit
    cdef public bytes references

    cpdef apply(self, StreamValue value, limits)


@cython.final
cdef class _Options:
    cdef public bint adding, make
    cdef public Py_ssize_t at
    cdef public int64_t limit
    cdef public bytes references
    cdef public Trim trim

    @cython.locals(approximate=bint, at=Py_ssize_t)
    cpdef _threshold(self, list args, bint by_length)
    cpdef check(self)


@cython.locals(value=StreamValue)
cpdef Py_ssize_t op_xtrim(Keyspace db, tuple payload, uint64_t h) except -1

@cython.locals(before=int64_t, removed=Py_ssize_t)
cpdef Py_ssize_t trim_at(Keyspace db, bytes key, StreamValue value, Trim trim) except -1

@cython.locals(
    approximate=bint, args=list, at=Py_ssize_t, before=int64_t, block=Block, first=Block, key=bytes, most=int64_t,
    ms=int64_t, over=int64_t, sequence=int64_t, shard=ShardState, size=Py_ssize_t, table=DashTable, text=bytes,
    value=StreamValue,
)
cpdef op_xadd(Keyspace db, payload, uint64_t h)

@cython.locals(before=int64_t, value=StreamValue)
cpdef _add_with_options(Keyspace db, tuple payload, uint64_t h)

cpdef StreamValue _made(Keyspace db, bytes key, uint64_t h, found)
cpdef next_id(Keyspace db, last, wanted, bint is_whole)
cpdef list shown(list entries)
