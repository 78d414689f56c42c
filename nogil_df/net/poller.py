"""Waiting for sockets: epoll where there is one, the standard library's selectors elsewhere.

epoll is used directly: ``selectors`` wraps every event into two objects and a look-up, about 1 us an event,
which is a tenth of what a request may cost. Level triggered on purpose: a connection reads once a turn, and
what is left in the kernel shows up again in the next one, so that one client can't hold the thread.
"""

from __future__ import annotations

import os
import select
import selectors
import socket
from typing import Protocol

READ, WRITE = 1, 4  # the values of EPOLLIN and EPOLLOUT


class Poller(Protocol):
    """Readiness of file descriptors. Masks are combinations of READ and WRITE; any other bit is an error."""

    def register(self, fd: int, mask: int) -> None:
        """Start watching ``fd``."""

    def modify(self, fd: int, mask: int) -> None:
        """Watch ``fd`` for something else; mask 0 keeps only errors."""

    def unregister(self, fd: int) -> None:
        """Stop watching ``fd``, which is still open."""

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """Wait up to ``timeout`` seconds. Returns (fd, mask) pairs."""

    def close(self) -> None:
        """Free what the poller holds."""


class SelectorPoller:
    """Any platform that has ``selectors``."""

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self._selector = selector or selectors.DefaultSelector()
        self._idle: set[int] = set()

    def register(self, fd: int, mask: int) -> None:
        """See `Poller`."""
        self._selector.register(fd, _to_selector(mask))

    def modify(self, fd: int, mask: int) -> None:
        """See `Poller`. Selectors refuse an empty mask, so a paused descriptor is taken out meanwhile."""
        if mask == 0:
            if fd not in self._idle:
                self._selector.unregister(fd)
                self._idle.add(fd)
        elif fd in self._idle:
            self._idle.discard(fd)
            self._selector.register(fd, _to_selector(mask))
        else:
            self._selector.modify(fd, _to_selector(mask))

    def unregister(self, fd: int) -> None:
        """See `Poller`."""
        if fd in self._idle:
            self._idle.discard(fd)
        else:
            self._selector.unregister(fd)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """See `Poller`."""
        return [
            (
                key.fd,
                (READ if mask & selectors.EVENT_READ else 0) | (WRITE if mask & selectors.EVENT_WRITE else 0),
            )
            for key, mask in self._selector.select(timeout)
        ]

    def close(self) -> None:
        """See `Poller`."""
        self._selector.close()


def _to_selector(mask: int) -> int:
    return (selectors.EVENT_READ if mask & READ else 0) | (selectors.EVENT_WRITE if mask & WRITE else 0)


def is_portable() -> bool:
    """Whether only what every platform has is to be used; for tests of that on Linux."""
    return os.environ.get("NOGIL_DF_PORTABLE", "") not in ("", "0")


def make_poller(*, fallback: bool | None = None) -> Poller:
    """The best poller there is; ``fallback`` forces what even Windows has; None: see `is_portable`."""
    if is_portable() if fallback is None else fallback:
        return SelectorPoller(selectors.SelectSelector())
    if hasattr(select, "epoll"):
        return select.epoll()
    return SelectorPoller()


class Waker:
    """What a peer pokes to end another thread's ``poll``: an eventfd, or a socket pair where there is none.

    ``wake`` may be called from any thread; ``clear`` by the owner.

    Attributes:
        fd: readable once somebody has poked it.
        bell: the eventfd, which compiled peers write to themselves; -1 if there is none.
    """

    __slots__ = ("_alone", "_pair", "bell", "fd")

    def __init__(self, *, fallback: bool | None = None) -> None:
        portable = is_portable() if fallback is None else fallback
        self._pair: tuple[socket.socket, socket.socket] | None = None
        self._alone: Poller | None = None
        if not portable and hasattr(os, "eventfd"):
            self.fd = self.bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self.bell = -1
            self._pair = socket.socketpair()
            for end in self._pair:
                end.setblocking(False)
            self.fd = self._pair[0].fileno()

    def wake(self) -> None:
        """Make ``fd`` readable. A full pipe or a closed one needs no wake-up."""
        try:
            if self._pair is None:
                os.eventfd_write(self.fd, 1)
            else:
                self._pair[1].send(b"\0")
        except (BlockingIOError, OSError):
            return

    def clear(self) -> None:
        """Make ``fd`` unreadable again."""
        try:
            if self._pair is None:
                os.eventfd_read(self.fd)
            else:
                while self._pair[0].recv(4096):
                    pass
        except (BlockingIOError, OSError):
            return

    def wait(self, timeout: float) -> None:
        """Sleep until it is readable, at most ``timeout`` seconds, and make it unreadable."""
        if self._alone is None:
            self._alone = make_poller()
            self._alone.register(self.fd, READ)
        if self._alone.poll(timeout):
            self.clear()

    def close(self) -> None:
        """Close the descriptors."""
        if self._alone is not None:
            self._alone.close()
        if self._pair is None:
            os.close(self.fd)
        else:
            for end in self._pair:
                end.close()
