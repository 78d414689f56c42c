cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.shard._dash cimport DashTable
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.lists cimport ListValue

cdef Py_ssize_t ELEMENT_OVERHEAD, SHORT

cpdef ListValue read(Keyspace db, bytes key, uint64_t h)
cpdef ListValue held(Keyspace db, bytes key, uint64_t h)
cpdef erase_if_empty(Keyspace db, bytes key, uint64_t h, ListValue value)
cpdef lengthen(Keyspace db, ListValue value)

cpdef bint is_left(bytes word) except -1
cpdef tuple bounds(int64_t start, int64_t end, int64_t length)

@cython.locals(before=int64_t)
cpdef Py_ssize_t push(Keyspace db, bytes key, uint64_t h, list elements, bint left) except -1

@cython.locals(before=int64_t)
cpdef list take(Keyspace db, bytes key, uint64_t h, ListValue value, Py_ssize_t count, bint left)

@cython.locals(value=ListValue)
cpdef Py_ssize_t begin(Keyspace db, bytes key, uint64_t h, bytes element, bint left) except -1

@cython.locals(element=bytes, key=bytes, length=Py_ssize_t, size=Py_ssize_t, table=DashTable, value=ListValue)
cpdef Py_ssize_t op_lpush(Keyspace db, list args, uint64_t h) except -1

@cython.locals(element=bytes, key=bytes, length=Py_ssize_t, size=Py_ssize_t, table=DashTable, value=ListValue)
cpdef Py_ssize_t op_rpush(Keyspace db, list args, uint64_t h) except -1

@cython.locals(element=bytes, key=bytes, size=Py_ssize_t, table=DashTable, value=ListValue)
cpdef op_lpop(Keyspace db, args, uint64_t h)

@cython.locals(element=bytes, key=bytes, size=Py_ssize_t, table=DashTable, value=ListValue)
cpdef op_rpop(Keyspace db, args, uint64_t h)

@cython.locals(before=int64_t, start=int64_t, stop=int64_t, value=ListValue)
cpdef op_ltrim(Keyspace db, tuple payload, uint64_t h)

@cython.locals(start=int64_t, stop=int64_t, length=int64_t, value=ListValue)
cpdef list op_lrange(Keyspace db, tuple payload, uint64_t h)
