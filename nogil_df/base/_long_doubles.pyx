"""Sums of decimals in the processor's own long doubles: what INCRBYFLOAT does nearly always.

`nogil_df.base.numbers` has the same by integers of any size, which is right everywhere. Here it needs a long double of
64 bits of mantissa; where that is another one, this module refuses to be imported.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

cdef extern from *:
    """
    #include <float.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <math.h>

    #define DF_MANTISSA LDBL_MANT_DIG

    static inline int df_sum(const char *one, const char *other, char *text, size_t size) {
        long double sum = strtold(one, NULL) + strtold(other, NULL);
        return isfinite(sum) ? snprintf(text, size, "%.17Lf", sum) : -1;
    }
    """
    int DF_MANTISSA
    int df_sum(const char *one, const char *other, char *text, size_t size) noexcept

cdef enum:
    SHORT = 40              # characters of a decimal that is added here

if DF_MANTISSA != 64:
    raise ImportError("long doubles are others here")


cdef bint is_plain(bytes text) noexcept:
    """Whether it is a short decimal: a sign perhaps, digits, perhaps a point and digits."""
    cdef const char *at = PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text), i = 0, digits = 0, points = 0
    if size > SHORT:
        return False
    if size and at[0] == b"-":
        i = 1
    while i < size:
        if b"0" <= at[i] <= b"9":
            digits += 1
        elif at[i] == b"." and points == 0 and digits:
            points = 1
        else:
            return False
        i += 1
    return digits > 0 and at[size - 1] != b"."


def sum_of_decimals(bytes one, bytes other):
    """The text of the sum of two short decimals; None if they are not such. O(1)."""
    cdef char text[128]
    cdef int size
    if not (is_plain(one) and is_plain(other)):
        return None
    size = df_sum(PyBytes_AS_STRING(one), PyBytes_AS_STRING(other), text, sizeof(text))
    if size < 0 or size >= <int>sizeof(text):
        return None
    while text[size - 1] == b"0":
        size -= 1
    if text[size - 1] == b".":
        size -= 1
    if size == 2 and text[0] == b"-" and text[1] == b"0":
        return b"0"
    return PyBytes_FromStringAndSize(text, size)
