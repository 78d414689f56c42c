cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.commands.at_once cimport Here
from nogil_df.commands.lists cimport erase_if_empty, held, is_left, op_lpush, op_rpush, take
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.lists cimport ListValue

cdef Py_ssize_t ELEMENT_OVERHEAD

@cython.locals(value=ListValue)
cpdef move_at_once(Here here, Keyspace db, bytes source, bytes target, bint from_left, bint to_left)

@cython.locals(element=bytes, h=uint64_t, key=bytes, size=int64_t, source=bytes, to=uint64_t, value=ListValue)
cpdef bytes move_between(Keyspace db, tuple origin, tuple target)

@cython.locals(hashes=list, i=Py_ssize_t, key=bytes, value=ListValue)
cpdef pop_at_once(Here here, Keyspace db, list keys, bint left, Py_ssize_t count)
