"""Strings as RDB files have them: the compiled twin of `nogil_df.rdb.texts`."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdlib cimport free


def append_string(bytearray out not None, bytes text not None, bint compress):
    """Append a string: as an integer, compressed or as it is, whatever is shortest. O(text)."""
    cdef Space space
    space.data = NULL
    space.size = 0
    try:
        append_text(out, <const uint8_t *> PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), compress, &space)
    finally:
        free(space.data)


def append_strings(bytearray out not None, texts, bint compress):
    """Append strings one after the other. O(bytes)."""
    cdef Space space
    cdef bytes text
    space.data = NULL
    space.size = 0
    try:
        for text in texts:
            append_text(out, <const uint8_t *> PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), compress, &space)
    finally:
        free(space.data)
