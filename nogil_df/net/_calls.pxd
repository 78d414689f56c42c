# System calls on sockets as glibc's own functions make them, but for one thing: those are points at which a thread can be
# cancelled, which takes two locked instructions around each call in a process with threads. Nobody cancels ours. 0.1 us
# of the 4 that a lone GET takes.

cdef extern from *:
    """
    #include <sys/epoll.h>
    #include <sys/socket.h>
    #include <sys/syscall.h>
    #include <unistd.h>

    static inline ssize_t df_recv(int fd, void *buffer, size_t size) {
        return syscall(SYS_recvfrom, fd, buffer, size, 0, NULL, NULL);
    }

    static inline ssize_t df_send(int fd, const void *data, size_t size) {
        return syscall(SYS_sendto, fd, data, size, MSG_NOSIGNAL, NULL, 0);
    }

    static inline int df_epoll_wait(int epoll, struct epoll_event *events, int most, int milliseconds) {
        return (int)syscall(SYS_epoll_pwait, epoll, events, most, milliseconds, NULL, 0);
    }
    """
    ssize_t df_recv(int fd, void *buffer, size_t size) nogil
    ssize_t df_send(int fd, const void *data, size_t size) nogil
    int df_epoll_wait(int epoll, void *events, int most, int milliseconds) nogil
