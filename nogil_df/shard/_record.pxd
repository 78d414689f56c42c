# cython: cdivision=True
# One record of the compiled Dash table: how a key, its value and its deadline stand in the heap of their segment.
#
#     flags        1 byte: kind of the value, widths of the fields that follow
#     deadline     8 bytes, only if there is one: unix ms
#     key length   1 or 2 bytes; or, for a key of OUTSIDE bytes and more, the key as a bytes object, 8 bytes
#     value length 1 or 2 bytes, only of a string
#     key
#     value        STRING: its bytes. INTEGER, a string that is a decimal number of 64 bits and written as Redis
#                  writes it: 1, 2, 4 or 8 bytes. OBJECT, anything else, and strings of OUTSIDE bytes and more: a
#                  reference that the segment owns, 8 bytes
#
# A string of 16 bytes under a key of 10 takes 29 bytes here and 6 for its slot, where two bytes objects take 115
# and the slot 20. Nothing is aligned; words are copied out.
#
# What is to be stored comes as a `Value`, what is stored is taken apart into a `Record`. The functions are inline, so
# that each becomes part of the modules that use it; none of them runs Python code.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy

from nogil_df.base._words cimport (
    format_integer, load16, load64, load_integer, parse_integer, store_integer, width_of,
)

cdef extern from "Python.h":
    void Py_INCREF(PyObject *) noexcept
    bint PyBytes_CheckExact(PyObject *) noexcept
    char *PyBytes_AS_STRING(PyObject *) noexcept
    Py_ssize_t PyBytes_GET_SIZE(PyObject *) noexcept

cdef enum:
    OUTSIDE = 16384  # bytes of a key or a string that is kept as an object, outside the heap
    # Flags of a record.
    STRING = 0
    INTEGER = 1
    OBJECT = 2
    KIND = 3
    WIDTH = 12  # two bits: log 2 of the bytes of an integer, or of those of a string's length
    WIDTH_SHIFT = 2
    HAS_DEADLINE = 16
    LONG_KEY = 32  # its length takes two bytes
    KEY_OBJECT = 64

# What is to be stored. A string's bytes are not copied until they are.
cdef struct Value:
    int kind
    const char *data
    Py_ssize_t size  # of a string
    int64_t number
    int width  # log 2, as in the flags
    PyObject *object  # borrowed

# A record taken apart.
cdef struct Record:
    int flags
    int64_t deadline  # 0 for none
    const char *key
    Py_ssize_t key_size
    PyObject *key_object
    char *value
    uint32_t value_size  # bytes in the heap
    uint32_t size  # of all of it

ctypedef const char *Bytes


cdef inline PyObject *load_object(const char *at) noexcept:
    cdef PyObject *reference
    memcpy(&reference, at, sizeof(PyObject *))
    return reference


cdef inline void string_value(Value *value, const char *data, Py_ssize_t size) noexcept:
    if parse_integer(data, size, &value.number):
        value.kind = INTEGER
        value.width = width_of(value.number)
    else:
        value.kind = STRING
        value.width = size > 255
    value.data = data
    value.size = size
    value.object = NULL


cdef inline void number_value(Value *value, int64_t number) noexcept:
    value.kind = INTEGER
    value.width = width_of(number)
    value.number = number
    value.object = NULL


# A value given as an object, which must outlive `value`.
cdef inline void any_value(Value *value, PyObject *given) noexcept:
    if PyBytes_CheckExact(given) and PyBytes_GET_SIZE(given) < OUTSIDE:
        string_value(value, PyBytes_AS_STRING(given), PyBytes_GET_SIZE(given))
    else:
        value.kind = OBJECT
        value.width = 0
        value.object = given


cdef inline uint32_t bytes_of_value(const Value *value) noexcept:
    if value.kind == STRING:
        return <uint32_t> value.size
    return 1 << value.width if value.kind == INTEGER else sizeof(PyObject *)


# Bytes before the key, or before the value if the key is an object.
cdef inline uint32_t head_size(Py_ssize_t key_size, bint key_object, const Value *value, bint deadline) noexcept:
    cdef uint32_t size = 1 + 8 * deadline
    size += sizeof(PyObject *) if key_object else 1 + (key_size > 255)
    if value.kind == STRING:
        size += 1 + (value.size > 255)
    return size


cdef inline void read_record(char *at, Record *record) noexcept:
    cdef char *start = at
    cdef int flags = <uint8_t> at[0]
    cdef uint32_t key_bytes
    record.flags = flags
    at += 1
    record.deadline = 0
    if flags & HAS_DEADLINE:
        record.deadline = load64(at)
        at += 8
    record.key_object = NULL
    if flags & KEY_OBJECT:
        record.key_object = load_object(at)
        at += sizeof(PyObject *)
        key_bytes = 0
    elif flags & LONG_KEY:
        key_bytes = load16(at)
        at += 2
    else:
        key_bytes = <uint8_t> at[0]
        at += 1
    if flags & KIND == STRING:
        if flags & WIDTH:
            record.value_size = load16(at)
            at += 2
        else:
            record.value_size = <uint8_t> at[0]
            at += 1
    elif flags & KIND == INTEGER:
        record.value_size = 1 << ((flags & WIDTH) >> WIDTH_SHIFT)
    else:
        record.value_size = sizeof(PyObject *)
    record.key = at
    record.key_size = key_bytes
    record.value = at + key_bytes
    record.size = <uint32_t> (record.value + record.value_size - start)
    if record.key_object is not NULL:
        record.key = PyBytes_AS_STRING(record.key_object)
        record.key_size = PyBytes_GET_SIZE(record.key_object)


# Where the key of a record begins and how long it is; all that a search needs of it.
cdef inline bint key_equals(char *at, const char *key, Py_ssize_t size) noexcept:
    cdef int flags = <uint8_t> at[0]
    cdef PyObject *stored
    cdef char *start = at + (9 if flags & HAS_DEADLINE else 1)
    if flags & (LONG_KEY | KEY_OBJECT) == 0:
        if <uint8_t> start[0] != size:
            return False
        start += 1
    elif flags & LONG_KEY:
        if <Py_ssize_t> load16(start) != size:
            return False
        start += 2
    else:
        stored = load_object(start)
        return PyBytes_GET_SIZE(stored) == size and memcmp(PyBytes_AS_STRING(stored), key, size) == 0
    if flags & KIND == STRING:
        start += 2 if flags & WIDTH else 1
    return memcmp(start, key, size) == 0


cdef inline int64_t deadline_at(const char *at) noexcept:
    return load64(at + 1) if at[0] & HAS_DEADLINE else 0


# Write everything of a record but its key; the place of the key.
cdef inline char *write_head(
    char *at, Py_ssize_t key_size, PyObject *key_object, const Value *value, int64_t deadline
) noexcept:
    cdef int flags = value.kind
    cdef char *start = at
    cdef uint16_t word
    flags |= value.width << WIDTH_SHIFT
    at += 1
    if deadline:
        flags |= HAS_DEADLINE
        memcpy(at, &deadline, 8)
        at += 8
    if key_object is not NULL:
        flags |= KEY_OBJECT
        memcpy(at, &key_object, sizeof(PyObject *))
        at += sizeof(PyObject *)
    elif key_size > 255:
        flags |= LONG_KEY
        word = <uint16_t> key_size
        memcpy(at, &word, 2)
        at += 2
    else:
        at[0] = <char> key_size
        at += 1
    if value.kind == STRING:
        word = <uint16_t> value.size
        if value.width:
            memcpy(at, &word, 2)
            at += 2
        else:
            at[0] = <char> word
            at += 1
    start[0] = <char> flags
    return at


# Write a value to its place; the segment gets a reference of its own to an object.
cdef inline void write_value(char *at, const Value *value) noexcept:
    cdef PyObject *reference = value.object
    if value.kind == STRING:
        memcpy(at, value.data, value.size)
    elif value.kind == INTEGER:
        store_integer(at, value.width, value.number)
    else:
        Py_INCREF(reference)
        memcpy(at, &reference, sizeof(PyObject *))


# The key of a record as an object.
cdef inline object key_object(const Record *record):
    if record.key_object is not NULL:
        return <object> record.key_object
    return record.key[:record.key_size]


# The value of a record as an object: strings are made anew.
cdef inline object value_object(const Record *record):
    cdef char scratch[24]
    cdef Py_ssize_t size
    cdef char *digits
    cdef int kind = record.flags & KIND
    if kind == STRING:
        return record.value[:record.value_size]
    if kind == INTEGER:
        digits = format_integer(
            load_integer(record.value, (record.flags & WIDTH) >> WIDTH_SHIFT), scratch, &size
        )
        return digits[:size]
    return <object> load_object(record.value)
