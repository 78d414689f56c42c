cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.shard._dash cimport DashTable
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.sets cimport SetValue

cdef Py_ssize_t BYTES_OVERHEAD

cpdef SetValue read_set(Keyspace db, bytes key, uint64_t h)

@cython.locals(table=DashTable)
cpdef SetValue set_to_change(Keyspace db, bytes key, uint64_t h)

@cython.locals(
    before=int64_t, key=bytes, member=bytes, members=set, size=Py_ssize_t, table=DashTable, value=SetValue
)
cpdef Py_ssize_t op_sadd(Keyspace db, list args, uint64_t h) except -1

@cython.locals(members=set, value=SetValue)
cpdef Py_ssize_t _begin_set(Keyspace db, bytes key, uint64_t h, list given) except -1

@cython.locals(added=Py_ssize_t, before=int64_t, members=set, size=Py_ssize_t, value=SetValue)
cpdef Py_ssize_t add_members(Keyspace db, bytes key, uint64_t h, list given) except -1

@cython.locals(before=int64_t, key=bytes, member=bytes, removed=Py_ssize_t, value=SetValue)
cpdef Py_ssize_t op_srem(Keyspace db, list args, uint64_t h) except -1

cpdef erase_if_empty(Keyspace db, bytes key, uint64_t h, value)

@cython.locals(value=SetValue)
cpdef Py_ssize_t op_sismember(Keyspace db, list args, uint64_t h) except -1

@cython.locals(value=SetValue)
cpdef Py_ssize_t op_scard(Keyspace db, list args, uint64_t h) except -1

@cython.locals(before=int64_t, value=SetValue)
cpdef op_spop(Keyspace db, tuple payload, uint64_t h)
