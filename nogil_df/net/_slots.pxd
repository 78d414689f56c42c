# Attributes of objects that belong to this thread, read by their offset, where their class has slots: what takes
# Python 25 ns takes 1 that way, and the classes stay Python. An attribute that is no slot any more is an error when
# the thread starts (`offset_of`). Only for objects that no other thread writes to.

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF

cdef extern from *:
    """
    /* Where in an object a slot lies; -1 if the attribute is none. */
    static inline Py_ssize_t df_slot_offset(PyObject *descriptor) {
        if (Py_TYPE(descriptor) != &PyMemberDescr_Type)
            return -1;
        return ((PyMemberDescrObject *)descriptor)->d_member->offset;
    }

    #define DF_SLOT(owner, offset) (*(PyObject **)((char *)(owner) + (offset)))
    #define DF_LENGTH(object) Py_SIZE(object)
    """
    Py_ssize_t df_slot_offset(PyObject *descriptor) noexcept
    PyObject *DF_SLOT(PyObject *owner, Py_ssize_t offset) noexcept
    Py_ssize_t DF_LENGTH(PyObject *object) noexcept

cdef extern from "Python.h":
    PyObject *Py_True


cdef inline Py_ssize_t offset_of(type owner, str name) except -1:
    cdef object descriptor = None
    for base in owner.__mro__:
        if name in base.__dict__:
            descriptor = base.__dict__[name]
            break
    cdef inline Py_ssize_t offset = df_slot_offset(<PyObject *>descriptor)
    if offset < 0:
        raise TypeError(f"{owner.__name__}.{name} is no slot")
    return offset


cdef inline bint is_true(object owner, Py_ssize_t offset) noexcept:
    return DF_SLOT(<PyObject *>owner, offset) == Py_True


cdef inline object slot(object owner, Py_ssize_t offset):
    return <object>DF_SLOT(<PyObject *>owner, offset)


cdef inline void drop(PyObject *value):
    Py_DECREF(<object>value)


cdef inline int put_slot(object owner, Py_ssize_t offset, object value) except -1:
    cdef PyObject **place = <PyObject **>(<char *><PyObject *>owner + offset)
    cdef PyObject *old = place[0]
    Py_INCREF(value)
    place[0] = <PyObject *>value
    # Dropped last: what freeing runs finds the new value in place.
    if old != NULL:
        drop(old)
    return 0
