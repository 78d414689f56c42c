from nogil_df.net._plans cimport Plan

cdef enum:
    COPIED = 65536          # bytes of a value that are copied into the buffer of replies


cdef class Replies:
    cdef char *out
    cdef Py_ssize_t used, capacity
    cdef Py_ssize_t gone    # bytes that were moved to sessions' lists of replies
    cdef Py_ssize_t sink  # the offset of a session's list of replies
    cdef dict statuses

    cdef inline Py_ssize_t total(self) noexcept:
        """Bytes that were ever written here, apart from those sent at once."""
        return self.gone + self.used

    cdef int reserve(self, Py_ssize_t size) except -1
    cdef void write(self, const char *text, Py_ssize_t size) noexcept
    cdef void write_number(self, char mark, long long number) noexcept
    cdef int write_bulk(self, const char *text, Py_ssize_t size) except -1
    cdef int write_null(self, int proto) except -1
    cdef int write_ok(self) except -1
    cdef int write_opening(self, int calls) except -1
    cdef int write_pong(self) except -1
    cdef int write_integer(self, long long number) except -1
    cdef int emit(self, session, Plan plan, value, int proto) except -1
    cdef bint put(self, value, int proto, int depth) except -1
    cdef bint put_items(self, values, int proto, int depth) except -1
    cdef bint put_map(self, dict pairs, int proto, int depth) except -1
    cdef bint put_rows(self, rows, int proto) except -1
    cdef bint put_status(self, value, int proto) except -1
    cdef int write_double(self, value, int proto) except -1
    cdef int emit_any(self, encode, value, int proto) except -1
    cdef bint emit_list(self, int form, list values, int proto) except -1
    cdef int spill(self, session) except -1
    cdef int clear(self) except -1
