"""Registers of HyperLogLogs in C: the same as in `nogil_df.shard.hyperloglog`, which says what each function does."""

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from nogil_df.base._buffers cimport see

cdef extern from *:
    """
    static inline int df_zeros(uint64_t word) { return __builtin_ctzll(word); }
    """
    int df_zeros(uint64_t word) noexcept

cdef enum:
    INDEX_BITS = 14
    REGISTERS = 1 << INDEX_BITS
    HASH_BITS = 64 - INDEX_BITS
    HEADER = 16
    DENSE_SIZE = HEADER + (REGISTERS * 6 >> 3)

cdef uint64_t MULTIPLIER = 0xC6A4A7935BD1E995ULL
cdef uint64_t SEED = 0xADC83B19ULL


cpdef uint64_t murmur64(bytes data) noexcept:
    """The hash, with the seed that Redis gives it. O(length)."""
    cdef const char *at = PyBytes_AS_STRING(data)
    cdef Py_ssize_t left = PyBytes_GET_SIZE(data)
    cdef uint64_t h = SEED ^ (<uint64_t>left * MULTIPLIER)
    cdef uint64_t block
    while left >= 8:
        memcpy(&block, at, 8)
        block *= MULTIPLIER
        block ^= block >> 47
        block *= MULTIPLIER
        h = (h ^ block) * MULTIPLIER
        at += 8
        left -= 8
    if left:
        block = 0
        memcpy(&block, at, left)
        h = (h ^ block) * MULTIPLIER
    h = (h ^ (h >> 47)) * MULTIPLIER
    return h ^ (h >> 47)


cpdef bint is_value(value) except -1:
    """Whether a string is a HyperLogLog. O(1)."""
    cdef const char *text = NULL
    cdef Py_ssize_t size = 0
    if not see(value, &text, &size) or size < HEADER or text[0] != b"H" or text[1] != b"Y" or text[2] != b"L" or (
        text[3] != b"L"
    ):
        return False
    return size == DENSE_SIZE if text[4] == 0 else text[4] == 1


cpdef cached(value):
    """The cardinality that the header knows; None if it is out of date. O(1)."""
    cdef const char *text = NULL
    cdef Py_ssize_t size = 0
    cdef uint64_t number
    if not see(value, &text, &size) or size < HEADER or text[15] & 0x80:
        return None
    memcpy(&number, text + 8, 8)
    return number


cpdef bint add_to_dense(buffer, list elements, Py_ssize_t begin) except -1:
    """Add the elements from one on to a dense value; whether any register changed. O(1) each."""
    cdef unsigned char *text = <unsigned char *>PyByteArray_AS_STRING(buffer)
    cdef unsigned char *at
    cdef Py_ssize_t i
    cdef uint64_t h
    cdef int index, number, shift, old
    cdef bint changed = False
    for i in range(begin, len(elements)):
        h = murmur64(elements[i])
        index = h & (REGISTERS - 1)
        number = df_zeros(h >> INDEX_BITS | <uint64_t>1 << HASH_BITS) + 1
        at = text + HEADER + (index * 6 >> 3)
        shift = index * 6 & 7
        old = at[0] >> shift
        if shift > 2:
            old |= at[1] << (8 - shift)
        old &= 63
        if old >= number:
            continue
        at[0] ^= (old ^ number) << shift & 0xFF
        if shift > 2:
            at[1] ^= (old ^ number) >> (8 - shift)
        changed = True
    if changed:
        text[15] |= 0x80
    return changed


cpdef bytes unpacked(value):
    """The registers of a dense value, one byte each. O(registers)."""
    cdef const char *text = NULL
    cdef Py_ssize_t size = 0
    cdef const unsigned char *at
    cdef unsigned char *into
    cdef bytes registers = PyBytes_FromStringAndSize(NULL, REGISTERS)
    cdef int i
    if not see(value, &text, &size) or size != DENSE_SIZE:
        raise ValueError("no dense value")
    at = <const unsigned char *>text + HEADER
    into = <unsigned char *>PyBytes_AS_STRING(registers)
    for i in range(REGISTERS >> 2):
        into[0] = at[0] & 63
        into[1] = (at[0] >> 6 | at[1] << 2) & 63
        into[2] = (at[1] >> 4 | at[2] << 4) & 63
        into[3] = at[2] >> 2
        at += 3
        into += 4
    return registers


cpdef bytes packed(bytes registers):
    """Plain registers as those of a dense value. O(registers)."""
    cdef bytes dense = PyBytes_FromStringAndSize(NULL, DENSE_SIZE - HEADER)
    cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(registers)
    cdef unsigned char *into = <unsigned char *>PyBytes_AS_STRING(dense)
    cdef int i
    if PyBytes_GET_SIZE(registers) != REGISTERS:
        raise ValueError("not as many registers")
    for i in range(REGISTERS >> 2):
        into[0] = (at[0] | at[1] << 6) & 0xFF
        into[1] = (at[1] >> 2 | at[2] << 4) & 0xFF
        into[2] = (at[2] >> 4 | at[3] << 2) & 0xFF
        at += 4
        into += 3
    return dense


cpdef bytes merged(bytes one, bytes other):
    """The greater of every two plain registers. O(registers)."""
    cdef bytes greater = PyBytes_FromStringAndSize(NULL, REGISTERS)
    cdef const unsigned char *a = <const unsigned char *>PyBytes_AS_STRING(one)
    cdef const unsigned char *b = <const unsigned char *>PyBytes_AS_STRING(other)
    cdef unsigned char *into = <unsigned char *>PyBytes_AS_STRING(greater)
    cdef int i
    if PyBytes_GET_SIZE(one) != REGISTERS or PyBytes_GET_SIZE(other) != REGISTERS:
        raise ValueError("not as many registers")
    for i in range(REGISTERS):
        into[i] = a[i] if a[i] > b[i] else b[i]
    return greater


cpdef list histogram(bytes registers):
    """How many registers hold 0, 1, ... 63. O(registers)."""
    cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(registers)
    cdef Py_ssize_t counts[64]
    cdef Py_ssize_t i
    memset(counts, 0, sizeof(counts))
    for i in range(PyBytes_GET_SIZE(registers)):
        counts[at[i] & 63] += 1
    return [counts[i] for i in range(64)]
