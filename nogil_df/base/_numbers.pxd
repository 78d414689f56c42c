from libc.stdint cimport uint64_t

cpdef parse_int(data)
cpdef parse_float(data)
cpdef parse_bound(bytes data)
cdef bint read_plain(const char *text, Py_ssize_t size, double *number) noexcept
cpdef bytes dashed(uint64_t first, uint64_t second)
cpdef bytes dashed_halves(whole)
cpdef dashed_pair(bytes text)
