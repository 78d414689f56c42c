"""Numbers as texts, without the objects of Python in between: arguments of commands, and ids of stream entries.

What is not written as numbers mostly are is left to the functions of the same names in `nogil_df.base.numbers`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.string cimport memcmp

from nogil_df.base._buffers cimport see
from nogil_df.base._words cimport parse_integer, write_digits

cdef extern from "Python.h":
    # Of CPython 3.13. The flags say little-endian, and that the number is not negative.
    Py_ssize_t PyLong_AsNativeBytes(object number, void *buffer, Py_ssize_t size, int flags) except -1
    object PyLong_FromUnsignedNativeBytes(const void *buffer, size_t size, int flags)
    enum: Py_ASNATIVEBYTES_LITTLE_ENDIAN
    enum: Py_ASNATIVEBYTES_UNSIGNED_BUFFER

cdef double POWERS[16]
cdef int exponent
for exponent in range(16):
    POWERS[exponent] = 10.0**exponent

INFINITY_ABOVE = float("inf")
INFINITY_BELOW = float("-inf")


cpdef parse_int(data):
    """A 64-bit integer in canonical form, or None. O(length)."""
    cdef const char *text = NULL
    cdef Py_ssize_t size = 0
    cdef int64_t number = 0
    if not see(data, &text, &size):
        return slowly("parse_int", data)
    return number if parse_integer(text, size, &number) else None


cdef bint read_plain(const char *text, Py_ssize_t size, double *number) noexcept:
    """Read a decimal of up to 15 digits, with a point or without; False if it is none. O(1).

    Digits and power of ten are exact then, so that their ratio is the double that is nearest.
    """
    cdef Py_ssize_t at = 0, digits = 0, behind = 0
    cdef int64_t mantissa = 0
    cdef bint negative = size > 0 and text[0] == b"-", pointed = False
    if negative:
        at = 1
    if size - at > 16:
        return False
    while at < size:
        if b"0" <= text[at] <= b"9":
            mantissa = mantissa * 10 + (text[at] - 48)
            digits += 1
            behind += pointed
        elif text[at] == b"." and not pointed:
            pointed = True
        else:
            return False
        at += 1
    if not 0 < digits <= 15:
        return False
    number[0] = <double>mantissa / POWERS[behind]
    if negative:
        number[0] = -number[0]
    return True


cpdef parse_float(data):
    """A double, or None. O(length)."""
    cdef const char *text = NULL
    cdef Py_ssize_t size = 0
    cdef double number = 0
    if see(data, &text, &size) and read_plain(text, size, &number):
        return number
    return slowly("parse_float", data)


cpdef parse_bound(bytes data):
    """A bound on scores, or None. O(length)."""
    cdef const char *text = PyBytes_AS_STRING(data)
    cdef double number = 0
    if read_plain(text, PyBytes_GET_SIZE(data), &number):
        return number
    if PyBytes_GET_SIZE(data) == 4 and memcmp(text + 1, b"inf", 3) == 0:
        if text[0] == b"+":
            return INFINITY_ABOVE
        if text[0] == b"-":
            return INFINITY_BELOW
    return slowly("parse_bound", data)


cdef slowly(str name, data):
    # Where it is looked for only now, as that module has these functions from here.
    from nogil_df.base import numbers

    return getattr(numbers, name + "_slowly")(data)


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
