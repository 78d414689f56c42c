"""Bits of byte strings in C: the same as in `nogil_df.shard.bits`, which says what each function does."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    static inline int df_ones(uint64_t word) { return __builtin_popcountll(word); }
    """
    int df_ones(uint64_t word) noexcept


def count_ones(const unsigned char[::1] data, Py_ssize_t first, Py_ssize_t end):
    """How many bits of a range are set. O(length of range)."""
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


def find_bit(const unsigned char[::1] data, int bit, Py_ssize_t first, Py_ssize_t end):
    """The position of the first bit of a range that is `bit`, -1 if there is none. O(length of range)."""
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


def combined(str operation, list values):
    """AND, OR, XOR or NOT of strings. O(bytes of all)."""
    cdef const unsigned char[::1] value
    cdef Py_ssize_t length = 0, size, i
    cdef unsigned char *result
    cdef bint is_and = operation == "AND", is_or = operation == "OR"
    for one in values:
        length = max(length, len(one))
    found = PyBytes_FromStringAndSize(NULL, length)
    if not length:
        return found
    result = <unsigned char *>PyBytes_AS_STRING(found)
    memset(result, 0, length)
    value = values[0]
    size = value.shape[0]
    if size:
        memcpy(result, &value[0], size)
    if operation == "NOT":
        for i in range(length):
            result[i] = ~result[i]
        return found
    for one in values[1:]:
        value = one
        size = value.shape[0]
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
