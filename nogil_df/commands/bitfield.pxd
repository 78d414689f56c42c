cimport cython
from libc.stdint cimport int64_t, uint64_t

from nogil_df.base._numbers cimport parse_int
from nogil_df.commands.bitmaps cimport parse_offset, with_room
from nogil_df.commands.strings cimport read
from nogil_df.shard._bits cimport as_signed, read_field, write_field
from nogil_df.shard.keyspace cimport Keyspace

cdef int FAIL, GET, INCRBY, SAT, SET, WRAP


@cython.final
cdef class Step:
    cdef public int action, overflow, width
    cdef public bint signed
    cdef public int64_t position
    cdef public object high, low, operand


@cython.locals(action=cython.int, at=Py_ssize_t, left=Py_ssize_t, length=int64_t, overflow=cython.int, step=Step)
cpdef tuple cmd_bitfield(session, list args)

cpdef int _overflow(bytes word) except -1

@cython.locals(kind=bytes, step=Step)
cpdef Step _step(session, int action, list words, Py_ssize_t at, int overflow)

@cython.locals(
    changed=bint, grown=bint, key=bytes, length=int64_t, old=int64_t, results=list, step=Step,
    steps=list,
)
cpdef list op_bitfield(Keyspace db, tuple payload, uint64_t h)

@cython.locals(number=uint64_t)
cpdef int64_t _value(data, Step step) except? -1

cpdef _fitting(number, Step step)
