from libc.stdint cimport uint64_t

cpdef uint64_t plain_hash(bytes key) except? 0
