"""The buffer that a thread writes its replies into, one behind the other, before it sends them."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_CheckExact
from cpython.object cimport PyObject
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from nogil_df.base._words cimport format_integer
from nogil_df.base.numbers cimport format_double
from nogil_df.net._plans cimport ARRAY, MAP, OTHER
from nogil_df.net._slots cimport offset_of, slot

from nogil_df.commands.session import Session
from nogil_df.wire.values import CONSTANTS, Rows

cdef extern from "Python.h":
    # Of lists and of tuples.
    Py_ssize_t PySequence_Fast_GET_SIZE(object values)
    PyObject *PySequence_Fast_GET_ITEM(object values, Py_ssize_t at)
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1

cdef enum:
    FIRST = 65536           # bytes of the buffer at first
    LARGE = 1048576         # bytes of it that are given back after use
    DEEPEST = 8             # lists within lists that are written here

cdef double WHOLE = 1e15     # doubles below it are whole numbers to the digit


cdef class Replies:
    """Replies that are written and not yet sent: those to one client at a time.

    Args:
        capacity: bytes that there is room for at first; a power of two.
    """

    def __cinit__(self, Py_ssize_t capacity=FIRST):
        self.used = self.gone = 0
        self.capacity = capacity
        self.out = <char *>malloc(self.capacity)
        if self.out == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.out)

    def __init__(self, Py_ssize_t capacity=FIRST):
        self.sink = offset_of(Session, "sink")
        # Copies of this thread's own.
        self.statuses = {
            constant: (bytes(bytearray(constant.resp2)), bytes(bytearray(constant.resp3))) for constant in CONSTANTS
        }

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
        cdef char text[26]
        cdef Py_ssize_t size = 0
        cdef char *digits = format_integer(number, text, &size)
        digits[-1] = mark
        text[24] = 13
        text[25] = 10
        self.write(digits - 1, size + 3)

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

    cdef int write_opening(self, int calls) except -1:
        """The replies of a transaction's MULTI and queued commands, and the beginning of its EXEC's. O(calls)."""
        cdef int i
        self.reserve(9 * calls + 40)
        self.write(b"+OK\r\n", 5)
        for i in range(calls):
            self.write(b"+QUEUED\r\n", 9)
        self.write_number(b"*", calls)
        return 0

    cdef int write_pong(self) except -1:
        self.reserve(8)
        self.write(b"+PONG\r\n", 7)
        return 0

    cdef int write_integer(self, long long number) except -1:
        self.reserve(32)
        self.write_number(b":", number)
        return 0

    cdef int emit(self, session, Plan plan, value, int proto) except -1:
        """Write the reply of a command."""
        cdef Py_ssize_t before
        if PyBytes_CheckExact(value):
            if PyBytes_GET_SIZE(value) <= COPIED:
                return self.write_bulk(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
            self.spill(session)
            self.gone += PyBytes_GET_SIZE(value)
            slot(session, self.sink).extend((b"$%d\r\n" % len(value), value, b"\r\n"))
            return 0
        if value is None:
            return self.write_null(proto)
        if value is True and plan.plain_ok:
            return self.write_ok()
        if plan.form != OTHER and type(value) is list and self.emit_list(plan.form, value, proto):
            return 0
        before = self.used
        if self.put(value, proto, 0):
            return 0
        self.used = before
        return self.emit_any(plan.encode, value, proto)

    cdef bint put(self, value, int proto, int depth) except -1:
        """Write a value as `ReplyEncoder.encode` does; False, and no more than a part, if it is none of the usual.

        Complexity: O(size of the value).
        """
        cdef int overflow = 0
        cdef long long number
        if PyBytes_CheckExact(value):
            self.write_bulk(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
            return True
        if PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if overflow:
                return False
            self.write_integer(number)
            return True
        if value is None:
            self.write_null(proto)
            return True
        if PyFloat_CheckExact(value):
            self.write_double(value, proto)
            return True
        if depth == DEEPEST:
            return False
        if type(value) is list or type(value) is tuple:
            return self.put_items(value, proto, depth + 1)
        if type(value) is Rows:
            return self.put_rows(value.items, proto)
        if type(value) is dict:
            return self.put_map(value, proto, depth + 1)
        return self.put_status(value, proto)

    cdef bint put_items(self, values, int proto, int depth) except -1:
        """Write an array: the items of a list or a tuple."""
        cdef Py_ssize_t i, size = PySequence_Fast_GET_SIZE(values)
        self.reserve(32)
        self.write_number(b"*", size)
        for i in range(size):
            if not self.put(<object>PySequence_Fast_GET_ITEM(values, i), proto, depth):
                return False
        return True

    cdef bint put_map(self, dict pairs, int proto, int depth) except -1:
        """Write keys with their values: a map in RESP3, in RESP2 an array of them, one after the other."""
        self.reserve(32)
        if proto == 2:
            self.write_number(b"*", 2 * len(pairs))
        else:
            self.write_number(b"%", len(pairs))
        for key, value in pairs.items():
            if not (self.put(key, proto, depth) and self.put(value, proto, depth)):
                return False
        return True

    cdef bint put_rows(self, rows, int proto) except -1:
        """Write the items of `Rows`: pairs in RESP3, in RESP2 one after the other."""
        cdef tuple row
        if type(rows) is not list:
            return False
        self.reserve(32)
        self.write_number(b"*", len(<list>rows) * (2 if proto == 2 else 1))
        for row in <list>rows:
            if proto != 2:
                self.reserve(8)
                self.write(b"*2\r\n", 4)
            if not (self.put(row[0], proto, DEEPEST) and self.put(row[1], proto, DEEPEST)):
                return False
        return True

    cdef bint put_status(self, value, int proto) except -1:
        """Write one of `CONSTANTS`."""
        cdef tuple forms
        cdef bytes form
        try:
            forms = self.statuses.get(value)
        except TypeError:
            # What cannot be hashed is none.
            return False
        if forms is None:
            return False
        form = forms[proto - 2]
        self.reserve(PyBytes_GET_SIZE(form))
        self.write(PyBytes_AS_STRING(form), PyBytes_GET_SIZE(form))
        return True

    cdef int write_double(self, value, int proto) except -1:
        """Write a double; a whole number without making a text of it first."""
        cdef double number = PyFloat_AS_DOUBLE(value)
        cdef long long whole
        cdef bytes text
        cdef char scratch[24]
        cdef char *digits
        cdef Py_ssize_t size = 0
        if -WHOLE < number < WHOLE:
            whole = <long long>number
            if <double>whole == number and whole:
                if proto == 2:
                    digits = format_integer(whole, scratch, &size)
                    return self.write_bulk(digits, size)
                self.reserve(32)
                self.write_number(b",", whole)
                return 0
        text = format_double(value)
        if proto == 2:
            return self.write_bulk(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        self.reserve(PyBytes_GET_SIZE(text) + 8)
        self.write(b",", 1)
        self.write(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        self.write(b"\r\n", 2)
        return 0

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
            self.gone += self.used
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
