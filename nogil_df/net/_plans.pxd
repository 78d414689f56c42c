from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    #include <time.h>

    static inline int64_t df_nanoseconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }
    """
    int64_t df_nanoseconds() noexcept nogil

cdef enum:
    NAME = 16               # bytes of the longest name looked up here
    NAMES = 1024            # places of the table of names; a power of two, a few times the commands
    HISTOGRAM = 64

# What runs without a call of Python.
cdef enum:
    NOTHING, GET, SET_PLAIN, INCR, SETEX, PUBLISH, SPUBLISH, PING, MULTI, EXEC, SELECT

# How a list becomes a reply.
cdef enum:
    OTHER, ARRAY, MAP, SET


cdef class Plan:
    cdef object command, cmd, op, encode
    cdef str name
    cdef int least, most, plain_with, form, here, here_with
    cdef bint plain_ok, is_write
    # Of a SETEX: milliseconds of its unit of time. Of a command that does the same with each of many keys: arguments
    # from one key to the next; 0 of all others.
    cdef int unit, step
    # Whether it is about no key, `op(session, args)`, and how many arguments it then has.
    cdef bint is_local
    cdef int local_least, local_most
    # Of what is done at once if all its data is here: `Row.at_once`, and how many arguments it then has.
    cdef object at_once
    cdef int once_least, once_most
    # Those of its subcommands that are done at once, by their names.
    cdef dict children
    cdef long long calls, nanoseconds
    cdef long long histogram[HISTOGRAM]
    cdef bint counted

    cdef object run(self, session, db, list args, int argc, uint64_t h)
    cdef Plan child(self, bytes name)
    cdef int count(self, long long calls, int64_t nanoseconds) except -1
    cdef int settle(self) except -1


cdef class Plans:
    # The table of names: open addressing, two words a name.
    cdef uint64_t low[NAMES]
    cdef uint64_t high[NAMES]
    cdef PyObject *plans[NAMES]
    # The last name looked up.
    cdef char last_name[NAME]
    cdef int last_size
    cdef PyObject *last_plan
    cdef list kept, counted
    cdef Plan exec_plan

    cdef int add(self, bytes name, Plan plan) except -1
    cdef PyObject *find(self, const char *name, Py_ssize_t size) noexcept
    cdef int count_calls(self, Plan plan, long long calls, int64_t nanoseconds) except -1
    cdef int settle(self) except -1
