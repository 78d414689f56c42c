cimport cython
from libc.stdint cimport int64_t

@cython.locals(size=int64_t)
cpdef int64_t value_size(value) except -1
cpdef int64_t record_size(bytes key, value) except -1
cpdef own(payload)
