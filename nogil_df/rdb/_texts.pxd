# Strings as RDB files have them: `nogil_df.rdb.texts` for compiled modules.

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

from nogil_df.base._lzf cimport deflate

cdef enum:
    COMPRESSED_FROM = 21  # bytes of the shortest string that is worth compressing
    SAVED = 5  # bytes that a block must be shorter: Redis asks for 4, and its compressor keeps one to spare
    INTEGER_DIGITS = 11  # of the longest integer of 32 bits


# Space for a block on its way, to be freed by whoever made it.
cdef struct Space:
    uint8_t *data
    Py_ssize_t size


# Make room for so many bytes at the end of a bytearray; where they begin.
cdef inline uint8_t *grow(bytearray out, Py_ssize_t count) except NULL:
    cdef Py_ssize_t size = PyByteArray_GET_SIZE(out)
    PyByteArray_Resize(out, size + count)
    return <uint8_t *> PyByteArray_AS_STRING(out) + size


# Write a length of up to 32 bits; the place behind it.
cdef inline uint8_t *put_length(uint8_t *at, uint32_t length) noexcept nogil:
    if length < 1 << 6:
        at[0] = <uint8_t> length
        return at + 1
    if length < 1 << 14:
        at[0] = <uint8_t> (length >> 8 | 1 << 6)
        at[1] = <uint8_t> length
        return at + 2
    at[0] = 0x80
    at[1] = <uint8_t> (length >> 24)
    at[2] = <uint8_t> (length >> 16)
    at[3] = <uint8_t> (length >> 8)
    at[4] = <uint8_t> length
    return at + 5


cdef inline Py_ssize_t bytes_of_length(Py_ssize_t length) noexcept nogil:
    return 1 if length < 1 << 6 else 2 if length < 1 << 14 else 5


# Whether a string is an integer of 32 bits, written as Redis writes it.
cdef inline bint is_integer(const uint8_t *text, Py_ssize_t size, int64_t *number) noexcept nogil:
    cdef bint negative = size > 0 and text[0] == 45
    cdef Py_ssize_t at = negative
    cdef int64_t found = 0
    if size > INTEGER_DIGITS or at == size:
        return False
    if text[at] == 48 and size > 1:
        return False
    while at < size:
        if text[at] < 48 or text[at] > 57:
            return False
        found = found * 10 + (text[at] - 48)
        at += 1
    number[0] = -found if negative else found
    return -2147483648 <= number[0] <= 2147483647


# Write an integer of 32 bits, in up to 5 bytes; the place behind it.
cdef inline uint8_t *put_integer(uint8_t *at, int64_t number) noexcept nogil:
    at[1] = <uint8_t> number
    if -128 <= number <= 127:
        at[0] = 0xC0
        return at + 2
    at[2] = <uint8_t> (number >> 8)
    if -32768 <= number <= 32767:
        at[0] = 0xC1
        return at + 3
    at[0] = 0xC2
    at[3] = <uint8_t> (number >> 16)
    at[4] = <uint8_t> (number >> 24)
    return at + 5


# A string as it is.
cdef inline int append_plain(bytearray out, const uint8_t *text, Py_ssize_t size) except -1:
    cdef uint8_t *at = grow(out, bytes_of_length(size) + size)
    at = put_length(at, <uint32_t> size)
    memcpy(at, text, size)
    return 0


# A string of less than 4 GB as an integer, compressed or as it is, whatever is shortest. O(size).
cdef inline int append_text(
    bytearray out, const uint8_t *text, Py_ssize_t size, bint compress, Space *space
) except -1:
    cdef int64_t number
    cdef Py_ssize_t made
    cdef uint8_t digits[5]
    cdef uint8_t *at
    if size <= INTEGER_DIGITS:
        if is_integer(text, size, &number):
            made = put_integer(digits, number) - digits
            memcpy(grow(out, made), digits, made)
            return 0
    elif compress and size >= COMPRESSED_FROM:
        if space.size < size:
            at = <uint8_t *> realloc(space.data, size)
            if at is NULL:
                raise MemoryError
            space.data = at
            space.size = size
        made = deflate(text, size, space.data, size - SAVED)
        if made:
            at = grow(out, 1 + bytes_of_length(made) + bytes_of_length(size) + made)
            at[0] = 0xC3
            at = put_length(put_length(at + 1, <uint32_t> made), <uint32_t> size)
            memcpy(at, space.data, made)
            return 0
    return append_plain(out, text, size)
