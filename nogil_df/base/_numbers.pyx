"""Numbers as texts, without the objects of Python in between: what ids of stream entries are made of."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from nogil_df.base._words cimport write_digits

cdef extern from "Python.h":
    # Of CPython 3.13. The flags say little-endian, and that the number is not negative.
    Py_ssize_t PyLong_AsNativeBytes(object number, void *buffer, Py_ssize_t size, int flags) except -1
    object PyLong_FromUnsignedNativeBytes(const void *buffer, size_t size, int flags)
    enum: Py_ASNATIVEBYTES_LITTLE_ENDIAN
    enum: Py_ASNATIVEBYTES_UNSIGNED_BUFFER


cpdef bytes dashed(uint64_t first, uint64_t second):
    """``first-second``. O(1)."""
    cdef char text[44]
    cdef char *begin = write_digits(second, text + 44) - 1
    begin[0] = b"-"
    begin = write_digits(first, begin)
    return PyBytes_FromStringAndSize(begin, text + 44 - begin)


cpdef bytes dashed_halves(whole):
    """`dashed` of the upper and lower 64 bits of a number that is not negative and has at most 128. O(1)."""
    cdef uint64_t halves[2]
    PyLong_AsNativeBytes(whole, halves, 16, Py_ASNATIVEBYTES_LITTLE_ENDIAN | Py_ASNATIVEBYTES_UNSIGNED_BUFFER)
    return dashed(halves[1], halves[0])


cpdef dashed_pair(bytes text):
    """The number whose halves stand as ``first-second``, each of up to 18 digits; None if it is no such text. O(1)."""
    cdef const char *at = PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text), i, begun = 0
    cdef uint64_t halves[2]
    cdef uint64_t number = 0
    cdef bint second = False
    if size > 37:
        return None
    for i in range(size):
        if b"0" <= at[i] <= b"9":
            number = number * 10 + <uint64_t>(at[i] - 48)
        elif at[i] == b"-" and not second and 0 < i <= 18:
            halves[1] = number
            number = 0
            second = True
            begun = i + 1
        else:
            return None
    if not second or not 0 < size - begun <= 18:
        return None
    halves[0] = number
    return PyLong_FromUnsignedNativeBytes(halves, 16, Py_ASNATIVEBYTES_LITTLE_ENDIAN)
