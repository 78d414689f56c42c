from nogil_df.commands.subscriptions cimport Subscriptions


cdef class Fanout:
    cdef Subscriptions subscriptions
    cdef type connection_class
    # The channel of the last publication, whose hash is known.
    cdef bytes channel
    # Offsets of slots.
    cdef Py_ssize_t closed, proto, sink, transport, dirty

    cdef Py_ssize_t publish(
        self, int kind, const char *name, Py_ssize_t size, const char *message, Py_ssize_t length
    ) except -1
    cdef int give(self, dict sessions, bytes head, const char *message, Py_ssize_t length) except -1
