cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.base._numbers cimport parse_int
from nogil_df.commands.arguments cimport integer
from nogil_df.commands.at_once cimport Here
from nogil_df.commands.strings cimport in_place, longest, read
from nogil_df.shard._bits cimport combined, count_ones, find_bit, get_bit
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.memory cimport own, value_size

cpdef parse_offset(session, bytes text, int width=*)

@cython.locals(
    at=int64_t, bit=bint, byte=cython.int, key=bytes, mask=cython.int, old=cython.int,
    position=int64_t, size=int64_t,
)
cpdef int op_setbit(Keyspace db, tuple payload, uint64_t h) except -1

@cython.locals(before=int64_t, missing=int64_t)
cpdef with_room(Keyspace db, bytes key, uint64_t h, value, int64_t length)

@cython.locals(position=int64_t)
cpdef int op_getbit(Keyspace db, tuple payload, uint64_t h) except -1

@cython.locals(end=int64_t, first=int64_t, last=int64_t, in_bits=bint)
cpdef op_bitcount(Keyspace db, tuple payload, uint64_t h)

@cython.locals(bit=bint, end=int64_t, first=int64_t, found=int64_t, has_end=bint, in_bits=bint, last=int64_t)
cpdef op_bitpos(Keyspace db, tuple payload, uint64_t h)

@cython.locals(end=int64_t, total=int64_t)
cpdef tuple _clamped(int64_t first, int64_t last, int64_t length, bint in_bits)

cpdef tuple _parse_bitop(list args)

@cython.locals(result=bytes)
cpdef store_combined(Keyspace db, str operation, bytes key, uint64_t h, list group)

cpdef put_result(Keyspace db, bytes key, uint64_t h, bytes result)
