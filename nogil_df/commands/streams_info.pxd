cimport cython
from libc.stdint cimport uint64_t

from nogil_df.commands.arguments cimport integer
from nogil_df.commands.streams cimport read, shown
from nogil_df.commands.streams_ids cimport show
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.streams cimport StreamValue

cpdef StreamValue stream_at(Keyspace db, bytes key, uint64_t h)

@cython.locals(first=list, keys=Py_ssize_t, last=list, value=StreamValue)
cpdef dict op_stream(Keyspace db, list args, uint64_t h)

cpdef _full_count(list args)
