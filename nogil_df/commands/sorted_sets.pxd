cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.base._numbers cimport parse_float, parse_int
from nogil_df.shard._dash cimport DashTable
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.sorted_sets cimport SortedSetValue

cdef Py_ssize_t ENTRY_OVERHEAD

cpdef SortedSetValue read_sorted_set(Keyspace db, bytes key, uint64_t h)

@cython.locals(table=DashTable)
cpdef SortedSetValue sorted_set_to_change(Keyspace db, bytes key, uint64_t h)

cpdef op_zadd(Keyspace db, list args, uint64_t h)

@cython.locals(before=int64_t, scores=dict, size=Py_ssize_t, table=DashTable, value=SortedSetValue)
cpdef int add_one(Keyspace db, bytes key, uint64_t h, bytes member, score) except -1

cpdef add_pairs(Keyspace db, bytes key, uint64_t h, list pairs, options)

@cython.locals(before=int64_t, key=bytes, member=bytes, scores=dict, table=DashTable, value=SortedSetValue)
cpdef op_zincrby(Keyspace db, list args, uint64_t h)

@cython.locals(before=int64_t, key=bytes, member=bytes, removed=Py_ssize_t, value=SortedSetValue)
cpdef Py_ssize_t op_zrem(Keyspace db, list args, uint64_t h) except -1

@cython.locals(member=bytes, scores=dict, value=SortedSetValue)
cpdef op_zscore(Keyspace db, list args, uint64_t h)

@cython.locals(value=SortedSetValue)
cpdef Py_ssize_t op_zcard(Keyspace db, list args, uint64_t h) except -1

@cython.locals(value=SortedSetValue)
cpdef pop(Keyspace db, tuple payload, uint64_t h, bint highest)

@cython.locals(before=int64_t, members=list, pairs=list, size=Py_ssize_t, start=Py_ssize_t)
cpdef list take(Keyspace db, bytes key, uint64_t h, SortedSetValue value, Py_ssize_t count, bint highest)

@cython.locals(value=SortedSetValue)
cpdef op_zrandmember(Keyspace db, tuple payload, uint64_t h)
