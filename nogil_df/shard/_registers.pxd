from libc.stdint cimport uint64_t

cpdef uint64_t murmur64(bytes data) noexcept
cpdef bint is_value(value) except -1
cpdef cached(value)
cpdef bint add_to_dense(buffer, list elements, Py_ssize_t begin) except -1
cpdef bytes unpacked(value)
cpdef bytes packed(bytes registers)
cpdef bytes merged(bytes one, bytes other)
cpdef list histogram(bytes registers)
