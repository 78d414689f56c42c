cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.commands.streams cimport held, read
from nogil_df.commands.streams_ids cimport parse_id, show
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.stream_groups cimport Consumer, Group
from nogil_df.shard.streams cimport StreamValue

cpdef resize(Keyspace db, StreamValue value, int64_t change)
@cython.locals(before=int64_t, consumer=Consumer)
cpdef Consumer consumer_of(Keyspace db, bytes key, StreamValue value, Group group, bytes name)
cpdef Group group_of(StreamValue value, bytes name)

@cython.locals(before=int64_t, group=Group, settled=int64_t, value=StreamValue)
cpdef op_xack(Keyspace db, list args, uint64_t h)
