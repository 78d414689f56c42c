cimport cython
from libc.stdint cimport int64_t

from nogil_df.shard.score_order cimport ScoreOrder

@cython.final
cdef class SortedSetValue:
    cdef public bytes encoding
    cdef public object index
    cdef public int64_t longest, memory, room, table_size
    cdef public ScoreOrder order
    cdef public dict scores
