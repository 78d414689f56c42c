cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.commands.strings cimport in_place, read
from nogil_df.shard._registers cimport add_to_dense, cached, is_value
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.memory cimport value_size

cdef int DENSE

@cython.locals(before=int64_t, changed=bint, key=bytes)
cpdef int op_pfadd(Keyspace db, list args, uint64_t h) except -1

@cython.locals(key=bytes)
cpdef op_pfcount(Keyspace db, list args, uint64_t h)
