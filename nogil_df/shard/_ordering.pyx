"""Sorting by numbers in C: `by_number` is that of `nogil_df.commands.ordering`, `by_score` of `nogil_df.shard.score_order`."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from nogil_df.base._numbers cimport read_plain

cdef enum:
    RUN = 8                 # elements that are put in order one by one

cdef struct Ranked:
    double number
    PyObject *element


cdef inline bint is_less(const Ranked *one, const Ranked *other) noexcept:
    """By their numbers; equal ones by their bytes."""
    cdef Py_ssize_t size, other_size
    cdef int order
    if one.number != other.number:
        return one.number < other.number
    size, other_size = PyBytes_GET_SIZE(<object>one.element), PyBytes_GET_SIZE(<object>other.element)
    order = memcmp(
        PyBytes_AS_STRING(<object>one.element), PyBytes_AS_STRING(<object>other.element), min(size, other_size)
    )
    return order < 0 if order else size < other_size


cdef void sort(Ranked *items, Ranked *room, Py_ssize_t count) noexcept:
    """Merge sort, as nobody can make it slow. O(n log n)."""
    cdef Py_ssize_t half = count >> 1, i, at, left, right
    cdef Ranked item
    if count <= RUN:
        for i in range(1, count):
            item = items[i]
            at = i
            while at and is_less(&item, &items[at - 1]):
                items[at] = items[at - 1]
                at -= 1
            items[at] = item
        return
    sort(items, room, half)
    sort(items + half, room, count - half)
    memcpy(room, items, half * sizeof(Ranked))
    left, right, at = 0, half, 0
    while left < half:
        if right < count and is_less(&items[right], &room[left]):
            items[at] = items[right]
            right += 1
        else:
            items[at] = room[left]
            left += 1
        at += 1


cpdef list by_number(list elements, bint descending):
    """Elements in the order of the plain decimals that they are; None if one of them is no such. O(n log n)."""
    cdef Py_ssize_t count = len(elements), i
    cdef Ranked *items = <Ranked *>malloc((count + (count >> 1) + 1) * sizeof(Ranked))
    if items == NULL:
        raise MemoryError
    for i in range(count):
        element = elements[i]
        items[i].element = <PyObject *>element
        if not read_plain(PyBytes_AS_STRING(element), PyBytes_GET_SIZE(element), &items[i].number):
            free(items)
            return None
    return ordered(items, count, descending)


cpdef list by_score(dict scores):
    """Members in the order of their scores, equal ones by their bytes. O(n log n)."""
    cdef Py_ssize_t count = len(scores), i = 0
    cdef Ranked *items = <Ranked *>malloc((count + (count >> 1) + 1) * sizeof(Ranked))
    if items == NULL:
        raise MemoryError
    for member, score in scores.items():
        items[i].element = <PyObject *>member
        items[i].number = PyFloat_AS_DOUBLE(score)
        i += 1
    return ordered(items, count, False)


cdef list ordered(Ranked *items, Py_ssize_t count, bint descending):
    """Sort, free the items, and list their elements, which somebody holds meanwhile."""
    cdef list found
    cdef Py_ssize_t i
    sort(items, items + count, count)
    try:
        found = PyList_New(count)
        for i in range(count):
            element = <object>items[count - 1 - i if descending else i].element
            Py_INCREF(element)
            PyList_SET_ITEM(found, i, element)
        return found
    finally:
        free(items)
