"""A publication on its short way: from the bytes of a PUBLISH to the replies of those who listen on this thread.

It is `Subscriptions.publish` where that is simplest, and nearly always it is: nobody listens to patterns or on other
threads, and no mail waits to be read first. A publisher mostly repeats the channel it published to before, so that one
is kept as an object; the message is made once for each protocol, in one piece.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_Size
from cpython.object cimport PyObject
from libc.string cimport memcmp, memcpy

from nogil_df.base._words cimport format_integer
from nogil_df.commands.subscriptions cimport Listeners
from nogil_df.net._slots cimport is_true, offset_of, slot

from nogil_df.commands.session import Session
from nogil_df.commands.subscriptions import CHANNEL, PATTERN

cdef extern from "Python.h":
    int PyList_Append(object items, object item) except -1

cdef int OF_PATTERN = PATTERN
cdef int OF_CHANNEL = CHANNEL


cdef inline bytes packed(char mark, bytes head, const char *message, Py_ssize_t length):
    """A message of three items."""
    cdef char text[24]
    cdef Py_ssize_t size = 0
    cdef char *digits = format_integer(length, text, &size)
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(head) + 9 + size + length)
    cdef char *out = PyBytes_AS_STRING(whole)
    out[0] = mark
    memcpy(out + 1, b"3\r\n", 3)
    out += 4
    memcpy(out, PyBytes_AS_STRING(head), PyBytes_GET_SIZE(head))
    out += PyBytes_GET_SIZE(head)
    out[0] = b"$"
    memcpy(out + 1, digits, size)
    out += 1 + size
    memcpy(out, b"\r\n", 2)
    memcpy(out + 2, message, length)
    memcpy(out + 2 + length, b"\r\n", 2)
    return whole


cdef class Fanout:
    """The short way of publications of one thread.

    Args:
        subscriptions: the thread's.
        connection_class: what its clients' connections are, nearly all.
    """

    def __init__(self, subscriptions, type connection_class):
        self.subscriptions = subscriptions
        self.connection_class = connection_class
        self.channel = b""
        self.closed = offset_of(Session, "closed")
        self.proto = offset_of(Session, "proto")
        self.sink = offset_of(Session, "sink")
        self.transport = offset_of(Session, "transport")
        self.dirty = offset_of(connection_class, "dirty")

    cdef Py_ssize_t publish(
        self, int kind, const char *name, Py_ssize_t size, const char *message, Py_ssize_t length
    ) except -1:
        """See `Subscriptions.publish`."""
        cdef Subscriptions all_of_them = self.subscriptions
        cdef bytes channel = self.channel
        cdef PyObject *found
        cdef PyObject *here
        cdef Listeners listeners
        if size != PyBytes_GET_SIZE(channel) or memcmp(name, PyBytes_AS_STRING(channel), size) != 0:
            channel = self.channel = PyBytes_FromStringAndSize(name, size)
        found = PyDict_GetItem(all_of_them.audience[kind], channel)
        if kind != OF_CHANNEL or PyDict_Size(all_of_them.audience[OF_PATTERN]) == 0:
            if found == NULL:
                return 0
            listeners = <Listeners>found
            here = PyDict_GetItem(all_of_them.subscribers[kind], channel)
            if here != NULL and PyDict_Size(listeners.threads) == 1 and not all_of_them.mail:
                self.give(<dict>here, listeners.head, message, length)
                return listeners.total
        return all_of_them.publish(channel, PyBytes_FromStringAndSize(message, length), kind)

    cdef int give(self, dict sessions, bytes head, const char *message, Py_ssize_t length) except -1:
        """Append a message to what sessions are sent. O(sessions)."""
        cdef bytes array = None
        cdef bytes push = None
        cdef object session, transport
        for session in sessions:
            if is_true(session, self.closed):
                continue
            if slot(session, self.proto) == 2:
                if array is None:
                    array = packed(b"*", head, message, length)
                PyList_Append(slot(session, self.sink), array)
            else:
                if push is None:
                    push = packed(b">", head, message, length)
                PyList_Append(slot(session, self.sink), push)
            transport = slot(session, self.transport)
            if type(transport) is not self.connection_class or not is_true(transport, self.dirty):
                transport.send_soon()
        return 0
