from libc.stdint cimport uint64_t

cpdef bytes dashed(uint64_t first, uint64_t second)
cpdef bytes dashed_halves(whole)
cpdef dashed_pair(bytes text)
