"""Undoing LZF: the compiled twin of `nogil_df.base.lzf.decompress_in_python`."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE


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
