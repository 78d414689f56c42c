# Where the bytes of a byte string lie, without a view of it: making one takes ten times what is then done with few bytes.

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_Check, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE


# False if it is neither bytes nor a bytearray. The text holds as long as nobody changes the bytearray's size.
cdef inline bint see(data, const char **text, Py_ssize_t *size) noexcept:
    if PyBytes_CheckExact(data):
        text[0] = PyBytes_AS_STRING(data)
        size[0] = PyBytes_GET_SIZE(data)
        return True
    if PyByteArray_Check(data):
        text[0] = PyByteArray_AS_STRING(data)
        size[0] = PyByteArray_GET_SIZE(data)
        return True
    return False
