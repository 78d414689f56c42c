# Words and decimal numbers in memory that nobody has aligned: what records of the table and strings of snapshots
# are made of. Functions are inline, and each module that uses one has it as its own.

from libc.stdint cimport INT64_MAX, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef inline int64_t load64(const char *at) noexcept nogil:
    cdef int64_t word
    memcpy(&word, at, 8)
    return word


cdef inline uint32_t load16(const char *at) noexcept nogil:
    cdef uint16_t word
    memcpy(&word, at, 2)
    return word


cdef inline int64_t load_integer(const char *at, int width) noexcept nogil:
    cdef int32_t four
    cdef int16_t two
    if width == 3:
        return load64(at)
    if width == 2:
        memcpy(&four, at, 4)
        return four
    if width == 1:
        memcpy(&two, at, 2)
        return two
    return (<const int8_t *> at)[0]


cdef inline void store_integer(char *at, int width, int64_t number) noexcept nogil:
    cdef int32_t four = <int32_t> number
    cdef int16_t two = <int16_t> number
    if width == 3:
        memcpy(at, &number, 8)
    elif width == 2:
        memcpy(at, &four, 4)
    elif width == 1:
        memcpy(at, &two, 2)
    else:
        (<int8_t *> at)[0] = <int8_t> number


cdef inline int width_of(int64_t number) noexcept nogil:
    if -128 <= number <= 127:
        return 0
    if -32768 <= number <= 32767:
        return 1
    return 2 if -2147483648 <= number <= 2147483647 else 3


# Whether a string is a number exactly as it would be written: no sign +, no zeros ahead, 64 bits. O(size).
cdef inline bint parse_integer(const char *data, Py_ssize_t size, int64_t *number) noexcept nogil:
    cdef Py_ssize_t at = 0
    cdef uint64_t sum = 0, digit
    cdef bint negative
    if size == 0 or size > 20:
        return False
    negative = data[0] == c'-'
    if negative:
        at = 1
        if size == 1:
            return False
    if data[at] == c'0':
        number[0] = 0
        return size == 1
    while at < size:
        digit = <uint8_t> data[at] - 48
        if <uint8_t> data[at] < 48 or digit > 9:
            return False
        if sum > 922337203685477580ULL:
            return False
        sum = sum * 10 + digit
        at += 1
    if negative:
        if sum > <uint64_t> 1 << 63:
            return False
        number[0] = <int64_t> (0 - sum)
        return True
    if sum > <uint64_t> INT64_MAX:
        return False
    number[0] = <int64_t> sum
    return True


# Write digits that end before a place, 20 at most; returns where they begin.
cdef inline char *write_digits(uint64_t number, char *end) noexcept nogil:
    while True:
        end -= 1
        end[0] = <char> (48 + number % 10)
        number //= 10
        if number == 0:
            return end


# Write a number into the end of 24 bytes; returns where it begins.
cdef inline char *format_integer(int64_t number, char *scratch, Py_ssize_t *size) noexcept nogil:
    cdef uint64_t rest = <uint64_t> number
    cdef char *at = write_digits(0 - rest if number < 0 else rest, scratch + 24)
    if number < 0:
        at -= 1
        at[0] = c'-'
    size[0] = scratch + 24 - at
    return at
