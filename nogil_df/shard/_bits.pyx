"""Bits of byte strings in C: the same as in `nogil_df.shard.bits`, which says what each function does."""

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.long cimport PyLong_AsUnsignedLongLongMask
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from nogil_df.base._buffers cimport see

cdef extern from *:
    """
    static inline int df_ones(uint64_t word) { return __builtin_popcountll(word); }
    """
    int df_ones(uint64_t word) noexcept


cdef const unsigned char *bytes_of(data, Py_ssize_t *size) except NULL:
    cdef const char *text = NULL
    if not see(data, &text, size):
        raise TypeError("neither bytes nor a bytearray")
    return <const unsigned char *>text


cpdef int get_bit(value, Py_ssize_t position) except -1:
    """The bit at a position, 0 behind the end. O(1)."""
    cdef Py_ssize_t size = 0, at = position >> 3
    cdef const unsigned char *data = bytes_of(value, &size)
    return data[at] >> (7 - (position & 7)) & 1 if at < size else 0


cpdef Py_ssize_t count_ones(value, Py_ssize_t first, Py_ssize_t end) except -1:
    """How many bits of a range are set. O(length of range)."""
    cdef Py_ssize_t size = 0
    cdef const unsigned char *data = bytes_of(value, &size)
    cdef Py_ssize_t at = first >> 3, stop = (end + 7) >> 3, total = 0
    cdef uint64_t word
    if first & 7:
        total -= df_ones(data[at] >> (8 - (first & 7)))
    if end & 7:
        total -= df_ones(data[stop - 1] & (0xFF >> (end & 7)))
    while at + 8 <= stop:
        memcpy(&word, &data[at], 8)
        total += df_ones(word)
        at += 8
    while at < stop:
        total += df_ones(data[at])
        at += 1
    return total


cpdef Py_ssize_t find_bit(value, int bit, Py_ssize_t first, Py_ssize_t end) except -2:
    """The position of the first bit of a range that is `bit`, -1 if there is none. O(length of range)."""
    cdef Py_ssize_t size = 0
    cdef const unsigned char *data = bytes_of(value, &size)
    cdef Py_ssize_t at = first >> 3, stop = (end + 7) >> 3
    cdef unsigned char dull = 0 if bit else 0xFF
    cdef unsigned char found = (data[at] ^ dull) & (0xFF >> (first & 7))
    cdef uint64_t word, dull_word = 0 if bit else 0xFFFFFFFFFFFFFFFFULL
    if not found:
        at += 1
        while at + 8 <= stop:
            memcpy(&word, &data[at], 8)
            if word != dull_word:
                break
            at += 8
        while at < stop and data[at] == dull:
            at += 1
        if at >= stop:
            return -1
        found = data[at] ^ dull
    at <<= 3
    while not found & 0x80:
        found <<= 1
        at += 1
    return at if at < end else -1


cpdef bytes combined(str operation, list values):
    """AND, OR, XOR or NOT of strings. O(bytes of all)."""
    cdef const unsigned char *value
    cdef Py_ssize_t length = 0, size = 0, i, at
    cdef unsigned char *result
    cdef bint is_and = operation == "AND", is_or = operation == "OR"
    cdef bytes found
    for one in values:
        bytes_of(one, &size)
        length = max(length, size)
    found = PyBytes_FromStringAndSize(NULL, length)
    if not length:
        return found
    result = <unsigned char *>PyBytes_AS_STRING(found)
    value = bytes_of(values[0], &size)
    memcpy(result, value, size)
    memset(result + size, 0, length - size)
    if operation == "NOT":
        for i in range(length):
            result[i] = ~result[i]
        return found
    for at in range(1, len(values)):
        value = bytes_of(values[at], &size)
        if is_and:
            for i in range(size):
                result[i] &= value[i]
            memset(result + size, 0, length - size)
        elif is_or:
            for i in range(size):
                result[i] |= value[i]
        else:
            for i in range(size):
                result[i] ^= value[i]
    return found


cpdef uint64_t read_field(value, Py_ssize_t position, int width) except? 0xFFFFFFFF:
    """The unsigned integer of up to 64 bits at a position; zeros behind the end. O(width)."""
    cdef Py_ssize_t size = 0, at = position >> 3
    cdef const unsigned char *data = bytes_of(value, &size)
    cdef uint64_t number = 0
    cdef int left = width, here = 8 - (position & 7), taken, byte
    while left:
        taken = min(here, left)
        byte = data[at] if at < size else 0
        number = number << taken | (byte >> (here - taken) & ((1 << taken) - 1))
        left -= taken
        here = 8
        at += 1
    return number


cpdef int write_field(buffer, Py_ssize_t position, int width, number) except -1:
    """Store the lowest `width` bits, up to 64, of a number, for which there is room. O(width)."""
    cdef uint64_t bits = PyLong_AsUnsignedLongLongMask(number)
    cdef unsigned char *data = <unsigned char *>PyByteArray_AS_STRING(buffer)
    cdef Py_ssize_t at = position >> 3
    cdef int left = width, here = 8 - (position & 7), taken, shift, mask
    while left:
        taken = min(here, left)
        shift = here - taken
        mask = ((1 << taken) - 1) << shift
        left -= taken
        data[at] = data[at] & ~mask | <int>(bits >> left << shift) & mask
        here = 8
        at += 1
    return 0


cpdef int64_t as_signed(uint64_t number, int width) noexcept:
    """The two's complement reading of an unsigned integer. O(1)."""
    return <int64_t>(number << (64 - width)) >> (64 - width)
