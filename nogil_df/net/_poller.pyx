"""epoll without a list: what is ready stays where the kernel wrote it, for the compiled short cut to go through."""

from libc.errno cimport EINTR, errno

from nogil_df.net._calls cimport df_epoll_wait

cdef extern from "<sys/epoll.h>" nogil:
    enum: EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, EPOLLET, EPOLLIN
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event *event)

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef extern from "Python.h":
    object raise_from_errno "PyErr_SetFromErrno" (object kind)


cdef class EpollPoller:
    """epoll, and the descriptors that the last `poll` found ready: a `Poller` that makes no list of them.

    What is ready `nogil_df.net._ready` goes through. For everybody else, `poll` gives a truthy value if there is any;
    iterated it gives pairs, as `select.epoll.poll` does.
    """

    def __init__(self):
        self.count = 0
        self.bell = -1
        self.fd = epoll_create1(EPOLL_CLOEXEC)
        if self.fd < 0:
            raise_from_errno(OSError)

    cdef int control(self, int operation, int fd, int mask) except -1:
        cdef epoll_event event
        event.events = mask
        event.data.fd = fd
        if epoll_ctl(self.fd, operation, fd, &event) < 0:
            raise_from_errno(OSError)
        return 0

    def register(self, int fd, int mask):
        """See `Poller`."""
        self.control(EPOLL_CTL_ADD, fd, mask)

    def modify(self, int fd, int mask):
        """See `Poller`."""
        self.control(EPOLL_CTL_MOD, fd, mask)

    def unregister(self, int fd):
        """See `Poller`."""
        self.control(EPOLL_CTL_DEL, fd, 0)

    cdef int wake_by(self, int bell) except -1:
        """An eventfd that is watched already ends a `wait` from now on, and is neither read nor told of.

        Edge-triggered: whoever writes to it makes it ready anew, also if nobody has read what was written before, and
        the kernel keeps that until a `wait` has returned with it. So a write is never lost: it ends the `wait` under
        way, or the next one. (The count has 64 bits: it is never full.)
        """
        self.control(EPOLL_CTL_MOD, bell, EPOLLIN | EPOLLET)
        self.bell = bell
        return 0

    cdef int wait(self, double timeout) except -1:
        """Wait up to `timeout` seconds; `count` and `events` tell for what."""
        cdef int limit = 0, found
        if timeout > 0:
            # Rounded up, as a timer that is nearly due would make turns without end.
            limit = <int>(timeout * 1000.0) + 1
        # Also where it does not wait: a thread that is always busy must let go of its objects now and then, as others
        # stop it there (and free what it may still look at).
        with nogil:
            found = df_epoll_wait(self.fd, self.events, EVENTS, limit)
        if found < 0:
            if errno != EINTR:
                raise_from_errno(OSError)
            found = 0
        self.count = found
        return 0

    def poll(self, double timeout):
        """Wait up to `timeout` seconds. See the class's text."""
        self.wait(timeout)
        return self

    def __bool__(self):
        return self.count > 0

    def __iter__(self):
        cdef int i
        return iter([(self.events[i].data.fd, self.events[i].events) for i in range(self.count)])

    def close(self):
        """See `Poller`."""
        close(self.fd)
