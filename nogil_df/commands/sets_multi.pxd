cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.base._numbers cimport parse_int
from nogil_df.commands.at_once cimport Here
from nogil_df.commands.sets cimport add_members, erase_if_empty, read_set, set_to_change
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.memory cimport own
from nogil_df.shard.sets cimport SetValue


@cython.locals(found=list, value=SetValue)
cpdef list sources(Keyspace db, list group)

cpdef _read_at_once(Here here, Keyspace db, operation, list keys)
cpdef _store_at_once(Here here, Keyspace db, operation, bytes target, list keys)
cpdef set reduced(shard, operation, index, list group)
@cython.locals(found=list, smallest=set)
cpdef set intersect(shard, tuple argument)
cpdef Py_ssize_t _count_keys(args) except -1
cpdef _limit(list words)
cpdef reduce_and_settle(shard, tuple argument)
@cython.locals(found=list)
cpdef set unite(shard, tuple argument)
@cython.locals(found=list)
cpdef set subtract(shard, tuple argument)
@cython.locals(db=Keyspace)
cpdef settle(shard, tuple target, operation, set members)
@cython.locals(db=Keyspace)
cpdef _put(shard, tuple target, operation, SetValue value)

@cython.locals(before=int64_t, db=Keyspace, value=SetValue)
cpdef take(shard, tuple argument)

@cython.locals(db=Keyspace, value=SetValue)
cpdef place(shard, tuple argument)

@cython.locals(value=SetValue)
cpdef has_member(shard, tuple argument)

@cython.locals(value=SetValue)
cpdef int move_here(shard, tuple argument) except -1

cpdef bint takes_members(shard, tuple target) except -1
