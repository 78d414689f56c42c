"""What the main thread sleeps on, and what wakes it: other threads, and signals.

A signal that arrives just before the main thread waits for a lock or an event is noted, but does not end the
wait: a server that is asked to stop while it starts would go on for ever. A descriptor has no such gap: the
interpreter writes a byte to `bell` in the signal's handler proper, and the byte is there whenever the main
thread comes to look.
"""

from __future__ import annotations

import contextlib
import socket


class Alarm:
    """A pair of sockets: one to ring, one to sleep on.

    Attributes:
        bell: the descriptor that `signal.set_wakeup_fd` wants.
    """

    __slots__ = ("_here", "_there", "bell")

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        self._there.setblocking(False)
        self.bell = self._there.fileno()

    def wake(self) -> None:
        """Let `sleep` return, now or when it is next called. Any thread may call it."""
        # Full: it has been rung often enough. Closed: nobody sleeps any more.
        with contextlib.suppress(OSError):
            self._there.send(b"\0")

    def sleep(self) -> None:
        """Wait until somebody rings. For one thread."""
        self._here.recv(4096)

    def close(self) -> None:
        """Close the sockets."""
        self._here.close()
        self._there.close()
