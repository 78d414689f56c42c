"""The selector loop of one thread: sockets, inbox, timers, in bounded turns.

A turn: wait for sockets (not at all if there is work), serve each ready socket once, drain the inbox as it
was when the turn began, go on with connections that had more commands than one turn may run, run timers,
hand the outboxes over. Everything is bounded, so no client and no peer can starve the others.

Going to sleep is the one delicate step: the thread says that it sleeps *before* it looks at its inbox for
the last time; a peer appends *before* it looks whether we sleep. One of the two sees the other.

An idle thread wakes once a second, or ``hz`` times a second while it holds keys that can expire.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from nogil_df.base import log
from nogil_df.net.poller import READ, Poller, Waker

if TYPE_CHECKING:
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.net._turn import Turns
    from nogil_df.net.connection import Connection
    from nogil_df.net.http import HttpConnection
    from nogil_df.vll.proactor import Proactor

DOZE = 1.0
"""Seconds that a thread which waits for a peer's answer sleeps at a stretch, should a wake-up get lost."""


class Loop:
    """One thread's loop.

    Args:
        proactor: the core it drives.
        state: the thread's state: timers, heartbeat.
        poller, waker: the platform's means of waiting.
    """

    __slots__ = (
        "proactor",
        "state",
        "poller",
        "waker",
        "handlers",
        "runnable",
        "dirty",
        "turns",
        "stopping",
        "poll",
        "monotonic",
        "inbox",
        "mail",
        "now",
    )

    def __init__(self, proactor: Proactor, state: ThreadState, poller: Poller, waker: Waker) -> None:
        self.proactor = proactor
        self.state = state
        self.poller = poller
        self.waker = waker
        # fd -> handler(mask). Connections, listeners and the waker.
        self.handlers: dict[int, Callable[[int], None]] = {waker.fd: self._woken}
        # Connections with parsed or buffered commands left over from this turn.
        self.runnable: deque[Connection | HttpConnection] = deque()
        # Connections with replies that nobody has sent yet (pushes).
        self.dirty: list[Connection] = []
        self.stopping = False
        # What turns instead of `turn`, if there is anything compiled that does the same.
        self.turns: Turns | None = None
        # Bound once; a turn may serve no more than one request, so what it costs itself counts.
        self.poll = poller.poll
        self.monotonic = proactor.clock.monotonic
        self.inbox = proactor.inbox
        self.mail = proactor.mail
        # The time at which this turn began to serve sockets: monotonic seconds, good enough for idle times.
        self.now = proactor.clock.monotonic()
        poller.register(waker.fd, READ)
        proactor.wake = waker.wake
        proactor.bell = waker.bell
        proactor.doze = self.doze

    def watch(self, fd: int, mask: int, handler: Callable[[int], None]) -> None:
        """Call ``handler(mask)`` whenever ``fd`` is ready."""
        self.handlers[fd] = handler
        self.poller.register(fd, mask)

    def unwatch(self, fd: int) -> None:
        """Forget ``fd``, which is still open."""
        if self.handlers.pop(fd, None) is not None:
            try:
                self.poller.unregister(fd)
            except (KeyError, OSError) as error:
                log.debug(f"unregister of fd {fd}: {error}")

    def run(self) -> None:
        """Turn until `stopping`."""
        if self.turns is not None:
            self.turns.run()
        while not self.stopping:
            self.turn()

    def turn(self) -> None:
        """One turn; see the module's text. (`nogil_df.net._turn` is this in C.)"""
        proactor = self.proactor
        state = self.state
        inbox = self.inbox
        mail = self.mail
        proactor.sleeping = True
        if inbox or mail or self.runnable or self.dirty or state.has_more_work:
            timeout = 0.0
        else:
            until = state.next_beat
            first = state.timers.first
            timeout = (first if first < until else until) - self.monotonic()
            if timeout < 0:
                timeout = 0.0
        ready = self.poll(timeout)
        proactor.sleeping = False
        if mail:
            proactor.read_mail()
        now = self.now = self.monotonic()
        if ready:
            proactor.tick()
            dispatch(ready, self.handlers)
        if inbox:
            proactor.drain()
        if self.runnable:
            self.serve_runnable()
        if now >= state.next_beat:
            proactor.tick()
            state.beat(now)
        if now >= state.timers.first:
            state.timers.run_due(now)
        shard = proactor.shard
        if shard.dirty >= shard.look_at or shard.dbs[0].stored() >= shard.ceiling:
            state.memory.look()
        if shard.outgoing:
            state.publish_events()
        proactor.finish_turn()
        if self.dirty:
            self.send_pushes()

    def serve_while_busy(self) -> None:
        """A reduced turn inside of a script that runs for too long: sockets, notices and new connections.

        Messages of other threads wait: nothing may touch the shard in the middle of a script.
        """
        proactor = self.proactor
        ready = self.poll(0.0)
        if self.mail:
            proactor.read_mail()
        self.now = self.monotonic()
        handlers = self.handlers
        for fd, mask in ready:
            if fd in handlers:
                handlers[fd](mask)
        if self.inbox:
            self._adopt_connections()
        proactor.finish_turn()
        if self.dirty:
            self.send_pushes()

    def _adopt_connections(self) -> None:
        """Handle the messages that bring connections; the others stay, in their order."""
        from nogil_df.net.listener import adopt

        waiting = []
        while self.inbox:
            for message in self.inbox.popleft():
                if message[0] is adopt:
                    adopt(self.proactor, message)
                else:
                    waiting.append(message)
        if waiting:
            self.inbox.appendleft(waiting)

    def serve_runnable(self) -> None:
        """Connections that had more commands than one turn may run."""
        runnable = self.runnable
        for _ in range(len(runnable)):
            runnable.popleft().go_on()

    def send_pushes(self) -> None:
        """Send the replies that nobody has sent yet. O(connections with any)."""
        dirty, self.dirty = self.dirty, []
        for connection in dirty:
            connection.flush()
        # Those that had to be cut off may have left messages for others.
        self.proactor.finish_turn()

    def _woken(self, mask: int) -> None:
        self.waker.clear()

    def doze(self) -> None:
        """Sleep until a peer has something for this thread; sockets have to wait."""
        proactor = self.proactor
        proactor.sleeping = True
        if proactor.lanes is not None:
            proactor.lanes.take_in()
        if not self.inbox:
            self.waker.wait(DOZE)
        proactor.sleeping = False

    def close(self) -> None:
        """Free descriptors once `run` has returned."""
        self.poller.close()
        self.waker.close()


def dispatch(ready: Iterable[tuple[int, int]], handlers: dict[int, Callable[[int], None]]) -> None:
    """Call the handler of each ready descriptor. O(ready)."""
    for fd, mask in ready:
        # An earlier one of this turn may have closed it.
        if fd in handlers:
            handlers[fd](mask)


def is_transient(error: OSError) -> bool:
    """Whether a socket call that failed may simply be made again later."""
    return error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)
