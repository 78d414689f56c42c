cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Delivery:
    cdef public bytes owner
    cdef public int64_t at, times


@cython.final
cdef class Pending:
    cdef public dict entries
    cdef public list order

    cpdef add(self, entry_id, Delivery delivery)
    cpdef remove(self, entry_id)


@cython.final
cdef class Consumer:
    cdef public bytes name
    cdef public Pending pending
    cdef public object active, seen


@cython.final
cdef class Group:
    cdef public bytes name
    cdef public dict consumers
    cdef public Pending pending
    cdef public object entries_read, last_id
    cdef public int64_t memory

    @cython.locals(delivery=Delivery, pending=dict)
    cpdef give(self, Consumer consumer, entry_id, now)
    @cython.locals(owner=Consumer)
    cpdef add(self, Delivery delivery, entry_id)
    cpdef hand_over(self, Delivery delivery, entry_id, Consumer consumer)
    @cython.locals(delivery=Delivery, entries=dict, owner=Consumer)
    cpdef bint settle(self, entry_id) except -1
