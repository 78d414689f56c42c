from libc.stdint cimport int64_t, uint64_t

cpdef int get_bit(value, Py_ssize_t position) except -1
cpdef Py_ssize_t count_ones(value, Py_ssize_t first, Py_ssize_t end) except -1
cpdef Py_ssize_t find_bit(value, int bit, Py_ssize_t first, Py_ssize_t end) except -2
cpdef bytes combined(str operation, list values)
cpdef uint64_t read_field(value, Py_ssize_t position, int width) except? 0xFFFFFFFF
cpdef int write_field(buffer, Py_ssize_t position, int width, number) except -1
cpdef int64_t as_signed(uint64_t number, int width) noexcept
