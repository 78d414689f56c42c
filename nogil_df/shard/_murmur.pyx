"""MurmurHash64A in C: what `nogil_df.shard.hyperloglog` asks of every element, which has the same in Python."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cdef uint64_t MULTIPLIER = 0xC6A4A7935BD1E995ULL
cdef uint64_t SEED = 0xADC83B19ULL


def murmur64(bytes data):
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
