cimport cython

cpdef bytes bulk(bytes text)


@cython.final
cdef class Listeners:
    cdef public dict threads
    cdef public object matches
    cdef public bytes head
    cdef public Py_ssize_t total


@cython.final
cdef class Subscriptions:
    cdef public tuple audience, subscribers
    cdef public object mail, proactor
    cdef public int me

    @cython.locals(audience=dict, listeners=Listeners, thread=int)
    cpdef Py_ssize_t publish(self, bytes channel, bytes message, int kind=*) except -1
    cpdef Py_ssize_t _publish_widely(self, bytes channel, bytes message, Listeners listeners) except -1
    cpdef _send(self, int thread, int kind, bytes channel, bytes message)
    @cython.locals(audience=dict, listeners=Listeners, table=dict)
    cpdef deliver(self, int kind, bytes channel, bytes message)


@cython.locals(array=bytes, push=bytes)
cpdef _push_all(dict sessions, bytes head, bytes message, int items)
cpdef bytes _packed(bytes begin, bytes head, bytes message)
