"""The buffer that a thread writes its replies into, one behind the other, before it sends them."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_CheckExact
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from nogil_df.net._plans cimport ARRAY, MAP, OTHER
from nogil_df.net._slots cimport offset_of, slot

from nogil_df.commands.session import Session

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1

cdef enum:
    FIRST = 65536           # bytes of the buffer at first
    LARGE = 1048576         # bytes of it that are given back after use


cdef class Replies:
    """Replies that are written and not yet sent: those to one client at a time.

    Args:
        capacity: bytes that there is room for at first; a power of two.
    """

    def __cinit__(self, Py_ssize_t capacity=FIRST):
        self.used = 0
        self.capacity = capacity
        self.out = <char *>malloc(self.capacity)
        if self.out == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.out)

    def __init__(self, Py_ssize_t capacity=FIRST):
        self.sink = offset_of(Session, "sink")

    cdef int reserve(self, Py_ssize_t size) except -1:
        cdef char *grown
        cdef Py_ssize_t capacity = self.capacity
        if self.used + size <= capacity:
            return 0
        while self.used + size > capacity:
            capacity *= 2
        grown = <char *>realloc(self.out, capacity)
        if grown == NULL:
            raise MemoryError
        self.out = grown
        self.capacity = capacity
        return 0

    cdef void write(self, const char *text, Py_ssize_t size) noexcept:
        memcpy(self.out + self.used, text, size)
        self.used += size

    cdef void write_number(self, char mark, long long number) noexcept:
        """A mark, a number and an end of line; there is room for 24 bytes."""
        cdef char digits[24]
        cdef int at = 24
        cdef unsigned long long left = <unsigned long long>number
        cdef bint negative = number < 0
        if negative:
            left = 0 - left
        digits[23] = 10
        digits[22] = 13
        at = 22
        while True:
            at -= 1
            digits[at] = 48 + <char>(left % 10)
            left //= 10
            if left == 0:
                break
        if negative:
            at -= 1
            digits[at] = 45
        at -= 1
        digits[at] = mark
        self.write(digits + at, 24 - at)

    cdef int write_bulk(self, const char *text, Py_ssize_t size) except -1:
        self.reserve(size + 32)
        self.write_number(b"$", size)
        self.write(text, size)
        self.write(b"\r\n", 2)
        return 0

    cdef int write_null(self, int proto) except -1:
        self.reserve(8)
        if proto == 2:
            self.write(b"$-1\r\n", 5)
        else:
            self.write(b"_\r\n", 3)
        return 0

    cdef int write_ok(self) except -1:
        self.reserve(8)
        self.write(b"+OK\r\n", 5)
        return 0

    cdef int write_integer(self, long long number) except -1:
        self.reserve(32)
        self.write_number(b":", number)
        return 0

    cdef int emit(self, session, Plan plan, value, int proto) except -1:
        """Write the reply of a command."""
        cdef int overflow = 0
        cdef long long number
        if PyBytes_CheckExact(value):
            if PyBytes_GET_SIZE(value) <= COPIED:
                return self.write_bulk(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
            self.spill(session)
            slot(session, self.sink).extend((b"$%d\r\n" % len(value), value, b"\r\n"))
            return 0
        if value is None:
            return self.write_null(proto)
        if value is True and plan.plain_ok:
            return self.write_ok()
        if PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if not overflow:
                return self.write_integer(number)
        elif plan.form != OTHER and type(value) is list and self.emit_list(plan.form, value, proto):
            return 0
        return self.emit_any(plan.encode, value, proto)

    cdef int emit_any(self, encode, value, int proto) except -1:
        cdef list pieces = []
        cdef bytes piece
        encode(value, proto, pieces)
        for piece in pieces:
            self.reserve(PyBytes_GET_SIZE(piece))
            self.write(PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece))
        return 0

    cdef bint emit_list(self, int form, list values, int proto) except -1:
        """Write a list of bytes and nulls; False, and nothing, if there is anything else or much in it."""
        cdef Py_ssize_t size = 0, before = self.used
        for value in values:
            if PyBytes_CheckExact(value):
                size += PyBytes_GET_SIZE(value) + 32
            elif value is not None:
                return False
            else:
                size += 8
        if size > LARGE:
            return False
        self.reserve(size + 32)
        if proto == 2 or form == ARRAY:
            self.write_number(b"*", len(values))
        elif form == MAP:
            self.write_number(b"%", len(values) // 2)
        else:
            self.write_number(b"~", len(values))
        for value in values:
            if value is None:
                self.write_null(proto)
            else:
                self.write_number(b"$", PyBytes_GET_SIZE(value))
                self.write(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
                self.write(b"\r\n", 2)
        return True

    cdef int spill(self, session) except -1:
        """Move what was written to the session's list of replies."""
        if self.used:
            slot(session, self.sink).append(PyBytes_FromStringAndSize(self.out, self.used))
            self.clear()
        return 0

    cdef int clear(self) except -1:
        self.used = 0
        if self.capacity > LARGE:
            free(self.out)
            self.capacity = FIRST
            self.out = <char *>malloc(self.capacity)
            if self.out == NULL:
                raise MemoryError
        return 0
