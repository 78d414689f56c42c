cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.shard._dash cimport DashTable
from nogil_df.shard.hashes cimport HashValue
from nogil_df.shard.keyspace cimport Keyspace

cdef Py_ssize_t BYTES_OVERHEAD

cpdef HashValue read_hash(Keyspace db, bytes key, uint64_t h)

@cython.locals(table=DashTable)
cpdef HashValue hash_to_change(Keyspace db, bytes key, uint64_t h)

@cython.locals(
    before=int64_t, created=Py_ssize_t, field=bytes, key=bytes, longest=int64_t, new=bytes, size=Py_ssize_t,
    table=DashTable, value=HashValue,
)
cpdef Py_ssize_t op_hset(Keyspace db, list args, uint64_t h) except -1

@cython.locals(value=HashValue)
cpdef Py_ssize_t _begin_hash(Keyspace db, bytes key, uint64_t h, list pairs) except -1

@cython.locals(before=int64_t, removed=Py_ssize_t, value=HashValue)
cpdef Py_ssize_t remove_fields(Keyspace db, bytes key, uint64_t h, list given) except -1

cpdef Py_ssize_t op_hdel(Keyspace db, list args, uint64_t h) except -1

@cython.locals(value=HashValue)
cpdef op_hget(Keyspace db, list args, uint64_t h)

@cython.locals(value=HashValue)
cpdef list op_hmget(Keyspace db, list args, uint64_t h)

@cython.locals(value=HashValue)
cpdef list op_hgetall(Keyspace db, list args, uint64_t h)

@cython.locals(value=HashValue)
cpdef Py_ssize_t op_hexists(Keyspace db, list args, uint64_t h) except -1

@cython.locals(value=HashValue)
cpdef Py_ssize_t op_hlen(Keyspace db, list args, uint64_t h) except -1

@cython.locals(value=HashValue)
cpdef op_hincrby(Keyspace db, payload, uint64_t h)

@cython.locals(before=int64_t)
cpdef _store_number(Keyspace db, bytes key, uint64_t h, HashValue value, bytes field, bytes text)

@cython.locals(value=HashValue)
cpdef bytes op_hincrbyfloat(Keyspace db, list args, uint64_t h)
