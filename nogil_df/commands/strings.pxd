cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.base._numbers cimport parse_int
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.memory cimport value_size

cpdef read(Keyspace db, bytes key, uint64_t h)
cpdef longest(session, wanted)
cpdef in_place(Keyspace db, bytes key, uint64_t h, value)
cpdef store(Keyspace db, bytes key, uint64_t h, value, int64_t when)
cpdef op_set(Keyspace db, args, uint64_t h)
cpdef _set_with_options(Keyspace db, tuple payload, uint64_t h)
cpdef set_expiry(Keyspace db, bytes key, uint64_t h, int64_t when)
cpdef op_getex(Keyspace db, tuple payload, uint64_t h)
cpdef op_strlen(Keyspace db, list args, uint64_t h)
cpdef op_getrange(Keyspace db, tuple payload, uint64_t h)

@cython.locals(before=int64_t)
cpdef op_append(Keyspace db, tuple payload, uint64_t h)

@cython.locals(
    before=int64_t, end=int64_t, key=bytes, limit=int64_t, offset=int64_t, patch=bytes,
    size=int64_t,
)
cpdef op_setrange(Keyspace db, tuple payload, uint64_t h)
