# The C types of a queue's fields.

cdef class TxQueue:
    cdef public list parts
    cdef public Py_ssize_t longest
