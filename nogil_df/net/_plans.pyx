"""What the compiled short cut knows of the commands: their names as they are spelled, how they run, what they count.

Calls and times are gathered here and settled when somebody asks: the commands of the thread's table, which are
Python, are where they are shown.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcmp, memcpy, memset

from nogil_df.net._parse cimport MOST_ARGUMENTS

from nogil_df.commands.spec import BUCKETS, LOCAL, SINGLE

cdef extern from *:
    """
    static inline int df_bucket(int64_t nanoseconds) {
        return nanoseconds > 0 ? 64 - __builtin_clzll((unsigned long long)nanoseconds) : 0;
    }
    """
    int df_bucket(int64_t nanoseconds) noexcept

assert BUCKETS == HISTOGRAM


LOCALS = frozenset({"ECHO", "PING", "PUBLISH", "SELECT", "SPUBLISH", "TIME"})
"""Commands about no key that run here: what they do ends with their reply, and leaves the session as it was but for
its database."""

SEVERAL = frozenset({"MGET", "MSET", "MULTI", "EXEC"})
"""Commands that run here as so many GETs and SETs, and what makes one step of some of those."""


cdef class Plan:
    """What there is to know of a command to run it here, and what there is to count."""

    def __init__(self, command):
        self.command = command
        self.name = command.full_name
        self.is_local = command.name in LOCALS
        self.local_least = self.local_most = 0
        if self.is_local:
            # Nothing that asks for commands on one key finds it has so many arguments.
            self.least = self.most = MOST_ARGUMENTS + 1
            self.local_least = command.least
            self.local_most = min(command.most, MOST_ARGUMENTS)
        elif command.name in SEVERAL:
            self.least = self.most = MOST_ARGUMENTS + 1
        elif command.kind == SINGLE:
            self.least = command.least
            self.most = min(command.most, MOST_ARGUMENTS)
        else:
            self.least = self.most = command.single_with
        self.at_once = command.at_once
        self.once_least, self.once_most = MOST_ARGUMENTS + 1, 0
        if self.at_once is not None:
            self.once_least, self.once_most = command.least, min(command.most, MOST_ARGUMENTS)
        self.children = {
            name: Plan(child) for name, child in command.subcommands.items() if child.at_once is not None
        }
        self.plain_with = command.plain_with
        self.cmd = command.cmd
        self.op = command.run if self.is_local else command.op
        self.encode = command.encode
        self.plain_ok = command.plain_ok
        self.is_write = command.is_write
        forms = {"bulks": ARRAY, "map_of_bulks": MAP, "set_of_bulks": SET}
        self.form = forms.get(command.row.encode, OTHER)
        here = {"GET": (GET, 2), "SET": (SET_PLAIN, 3), "INCR": (INCR, 2)}
        here |= {"SETEX": (SETEX, 4), "PSETEX": (SETEX, 4), "MGET": (GET, 2), "MSET": (SET_PLAIN, 3)}
        here |= {"PUBLISH": (PUBLISH, 3), "SPUBLISH": (SPUBLISH, 3), "MULTI": (MULTI, 1), "EXEC": (EXEC, 1)}
        here |= {"PING": (PING, 1), "SELECT": (SELECT, 2)}
        self.here, self.here_with = here.get(command.name, (NOTHING, 0))
        self.unit = 1 if command.name == "PSETEX" else 1000
        self.step = command.key_step if command.name in ("MGET", "MSET") else 0
        self.calls = self.nanoseconds = 0
        self.counted = False
        memset(self.histogram, 0, sizeof(self.histogram))

    cdef object run(self, session, db, list args, int argc, uint64_t h):
        """Run the command; what it answers."""
        if self.is_local:
            return self.op(session, args)
        return self.op(db, args if self.cmd is None or argc == self.plain_with else self.cmd(session, args), h)

    cdef Plan child(self, bytes name):
        """The plan of a subcommand as it is spelled; None if it has none. O(1)."""
        cdef bytes upper = name.upper()
        return self.children[upper] if upper in self.children else None

    cdef int count(self, long long calls, int64_t nanoseconds) except -1:
        """Count calls that took so long together."""
        self.calls += calls
        self.nanoseconds += nanoseconds
        self.histogram[df_bucket(nanoseconds // calls)] += calls
        return 0

    cdef int settle(self) except -1:
        cdef int i
        command = self.command
        command.calls += self.calls
        command.nanoseconds += self.nanoseconds
        if command.histogram is None:
            command.histogram = [0] * BUCKETS
        for i in range(HISTOGRAM):
            if self.histogram[i]:
                command.histogram[i] += self.histogram[i]
        self.calls = self.nanoseconds = 0
        self.counted = False
        memset(self.histogram, 0, sizeof(self.histogram))
        return 0


cdef bint is_planned(command) except -1:
    """Whether a command, or a subcommand of it, runs by its ``op`` or at once."""
    if command.op is not None and (command.kind == SINGLE or command.single_with):
        return True
    return command.at_once is not None or any(child.at_once is not None for child in command.subcommands.values())


cdef class Plans:
    """The commands of one thread's table that run here: those about one key, those whose row says how they are done at
    once, `LOCALS` and `SEVERAL`; by their names.

    Args:
        table: the dispatcher's.
    """

    def __init__(self, dict table):
        self.kept = []
        self.counted = []
        self.last_size = -1
        self.last_plan = NULL
        self.exec_plan = None
        memset(self.low, 0, sizeof(self.low))
        memset(self.high, 0, sizeof(self.high))
        memset(self.plans, 0, sizeof(self.plans))
        for name, command in table.items():
            if name in LOCALS or name in SEVERAL:
                plan = Plan(command)
                self.add(name.encode(), plan)
                if name == "EXEC":
                    self.exec_plan = plan
            elif len(name) <= NAME and is_planned(command):
                self.add(name.encode(), Plan(command))

    cdef int add(self, bytes name, Plan plan) except -1:
        cdef uint64_t word[2]
        cdef int at
        memset(word, 0, NAME)
        memcpy(word, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        at = place(word[0], word[1])
        while self.plans[at] != NULL:
            at = (at + 1) & (NAMES - 1)
        self.low[at] = word[0]
        self.high[at] = word[1]
        self.plans[at] = <PyObject *>plan
        self.kept.append(plan)
        return 0

    cdef PyObject *find(self, const char *name, Py_ssize_t size) noexcept:
        """The plan of a command as it is spelled; NULL if it has none. O(1)."""
        cdef uint64_t word[2]
        cdef char *upper = <char *>word
        cdef Py_ssize_t i
        cdef int at
        if size == self.last_size and memcmp(name, self.last_name, size) == 0:
            return self.last_plan
        if size > NAME or size == 0:
            return NULL
        word[0] = word[1] = 0
        for i in range(size):
            upper[i] = name[i] - 32 if b"a" <= name[i] <= b"z" else name[i]
        at = place(word[0], word[1])
        while self.plans[at] != NULL:
            if self.low[at] == word[0] and self.high[at] == word[1]:
                memcpy(self.last_name, name, size)
                self.last_size = <int>size
                self.last_plan = self.plans[at]
                return self.last_plan
            at = (at + 1) & (NAMES - 1)
        return NULL

    cdef int count_calls(self, Plan plan, long long calls, int64_t nanoseconds) except -1:
        """Count calls of one command that took so long together."""
        if not plan.counted:
            plan.counted = True
            self.counted.append(plan)
        return plan.count(calls, nanoseconds)

    cdef int settle(self) except -1:
        """Add what was counted to where it is shown. O(commands called since)."""
        cdef Plan plan
        for plan in self.counted:
            plan.settle()
        self.counted.clear()
        return 0


cdef inline int place(uint64_t low, uint64_t high) noexcept:
    return <int>(((low ^ (high * 0x9E3779B97F4A7C15ULL)) * 0x9FB21C651E98DF25ULL) >> 54)
