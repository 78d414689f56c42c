"""LZF: the compiled twin of `nogil_df.base.lzf`."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc

cdef enum:
    SAVED = 5  # bytes that a block must be shorter: Redis asks for 4, and its compressor keeps one to spare


def compress(bytes data not None):
    """An LZF block; None if the data does not shrink. O(size)."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t made
    cdef unsigned char *out
    if size <= SAVED:
        return None
    out = <unsigned char *> malloc(size)
    if out is NULL:
        raise MemoryError
    try:
        made = deflate(<const unsigned char *> PyBytes_AS_STRING(data), size, out, size - SAVED)
        return PyBytes_FromStringAndSize(<char *> out, made) if made else None
    finally:
        free(out)


def decompress(bytes data not None, Py_ssize_t size):
    """Undo LZF; None if `data` is no block that makes `size` bytes. O(size)."""
    if size < 0:
        return None
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
    if inflate(
        <const unsigned char *> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data),
        <unsigned char *> PyBytes_AS_STRING(out), size,
    ):
        return out
    return None
