"""`bisect` for lists of doubles and of bytes: the same results, without a call of Python for each comparison.

An order of scores (`nogil_df.shard.score_order`) bisects two to four lists for each change, which is most of what
ZADD does. What is compared is looked at as C does it; lists of anything else take Python's comparison.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_GET_SIZE, PyList_Insert
from cpython.object cimport PyObject
from libc.string cimport memcmp

cdef extern from "Python.h":
    PyObject *borrowed "PyList_GET_ITEM" (list items, Py_ssize_t at)


cdef inline bint is_less(PyObject *one, PyObject *two) except -1:
    """Whether one comes before the other."""
    cdef Py_ssize_t size, other
    cdef int found
    if PyFloat_CheckExact(<object>one) and PyFloat_CheckExact(<object>two):
        return PyFloat_AS_DOUBLE(<object>one) < PyFloat_AS_DOUBLE(<object>two)
    if PyBytes_CheckExact(<object>one) and PyBytes_CheckExact(<object>two):
        size, other = PyBytes_GET_SIZE(<object>one), PyBytes_GET_SIZE(<object>two)
        found = memcmp(PyBytes_AS_STRING(<object>one), PyBytes_AS_STRING(<object>two), min(size, other))
        return found < 0 or (found == 0 and size < other)
    return <object>one < <object>two


cpdef Py_ssize_t bisect_left(list items, item, Py_ssize_t low=0, Py_ssize_t high=-1) except -1:
    """How many items come before ``item``. O(log n)."""
    cdef Py_ssize_t middle
    if high < 0:
        high = PyList_GET_SIZE(items)
    while low < high:
        middle = (low + high) >> 1
        if is_less(borrowed(items, middle), <PyObject *>item):
            low = middle + 1
        else:
            high = middle
    return low


cpdef Py_ssize_t bisect_right(list items, item, Py_ssize_t low=0, Py_ssize_t high=-1) except -1:
    """How many items come before ``item``, or equal it. O(log n)."""
    cdef Py_ssize_t middle
    if high < 0:
        high = PyList_GET_SIZE(items)
    while low < high:
        middle = (low + high) >> 1
        if is_less(<PyObject *>item, borrowed(items, middle)):
            high = middle
        else:
            low = middle + 1
    return low


cpdef int insert(list items, Py_ssize_t place, item) except -1:
    """`list.insert`. O(n)."""
    return PyList_Insert(items, place, item)
