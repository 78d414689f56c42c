cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.commands.at_once cimport Here
from nogil_df.shard.keyspace cimport Keyspace

cpdef Py_ssize_t op_delete(Keyspace db, bytes key, uint64_t h) except -1
cpdef Py_ssize_t op_exists(Keyspace db, bytes key, uint64_t h) except -1
cpdef Py_ssize_t op_touch(Keyspace db, bytes key, uint64_t h) except -1

@cython.locals(hashes=list)
cpdef _each_at_once(Here here, Keyspace db, list keys, op)

@cython.locals(db=Keyspace, deadline=int64_t, h=uint64_t, to=uint64_t)
cpdef Py_ssize_t rename_here(shard, tuple argument) except -1
