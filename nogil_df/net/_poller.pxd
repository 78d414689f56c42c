from libc.stdint cimport uint32_t

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        uint32_t events
        epoll_data_t data

cdef enum:
    EVENTS = 512            # descriptors that one turn serves at most


cdef class EpollPoller:
    cdef epoll_event events[EVENTS]
    cdef int count, fd, bell

    cdef int control(self, int operation, int fd, int mask) except -1
    cdef int wait(self, double timeout) except -1
    cdef int wake_by(self, int bell) except -1
