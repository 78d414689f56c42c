cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.base._hashing cimport plain_hash
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.shard_state cimport ShardState
from nogil_df.vll._intents cimport IntentLocks


@cython.final
cdef class Here:
    cdef public ShardState shard
    cdef public object hash_key
    cdef public bint is_plain
    cdef public IntentLocks locks
    cdef public uint64_t count, index

    cpdef bint has_everything(self) except -1
    @cython.locals(h=uint64_t)
    cpdef find(self, bytes key)
    @cython.locals(found=list)
    cpdef list find_all(self, list keys)
    @cython.locals(found=list)
    cpdef list group(self, list keys)


cpdef on_key(Here here, Keyspace db, op, bytes key, payload)
@cython.locals(hits=int64_t, misses=int64_t, shard=ShardState)
cpdef run(run_at_once, Here here, session, Keyspace db, list args)
