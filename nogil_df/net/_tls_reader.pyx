"""The compiled short cut for connections with TLS: the same `Reader`, whose bytes pass through a `TlsSocket`.

What TLS adds to a request is the library's work and two calls of Python; the commands themselves take the same way
as those of plain sockets, from the buffer of the thread to the buffer of its replies.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from nogil_df.net._express cimport CHUNK, Express, Reader

from nogil_df.net.loop import is_transient

cdef enum:
    # What `receive` answers, beside a number of bytes.
    ENDED = 0
    LATER = -1
    BROKEN = -2


cdef class TlsReader(Reader):
    """What the loop calls when the socket of a connection with TLS is ready."""

    cdef object take, give

    def __init__(self, Express express, connection):
        Reader.__init__(self, express, connection)
        self.take = connection.sock.recv
        self.give = connection.sock.send

    cdef Py_ssize_t receive(self, char *into) except -3:
        cdef bytes data
        try:
            # Not more than what it asks the socket for comes out.
            data = self.take(CHUNK)
        except OSError as error:
            return LATER if is_transient(error) else BROKEN
        memcpy(into, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        return PyBytes_GET_SIZE(data)

    cdef int nothing_came(self, Py_ssize_t why) except -1:
        if why == ENDED:
            # The client sends no more, and may still want the replies it has coming.
            self.connection.finish()
        elif why == BROKEN:
            self.connection.drop()
        return 0

    cdef Py_ssize_t transmit(self, const char *data, Py_ssize_t size) except -3:
        try:
            return self.give(PyBytes_FromStringAndSize(data, size))
        except OSError:
            # Whatever it is, it will be so again, and the connection knows what to do.
            return -1


def tls_reader(Express express, connection):
    """What is to stand in the loop for a connection with TLS that speaks RESP."""
    return TlsReader(express, connection)
