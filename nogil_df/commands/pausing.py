"""CLIENT PAUSE of one thread: which commands wait, and the clients that do.

All threads pause and go on together: CLIENT PAUSE tells every thread before it answers. A client whose
command has to wait is parked: it counts as busy, so nothing more is read from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.commands.timers import Timer

# Redis lets these wait for the end of a pause of writes, too: they reach replicas though they are no writes.
_REACH_REPLICAS = frozenset("PUBLISH SPUBLISH PFCOUNT EVAL EVALSHA FCALL".split())
# Redis lets even these wait under CLIENT PAUSE ALL, which nobody can end then.
_ADMITTED = frozenset(("CLIENT PAUSE", "CLIENT UNPAUSE"))


class Pausing:
    """The pause of one thread.

    Attributes:
        until: when it ends, monotonic seconds; 0 if there is none.
        writes_only: reads go on.
        parked: clients that wait, in the order they came.
    """

    __slots__ = ("_timer", "parked", "state", "until", "writes_only")

    def __init__(self, state: ThreadState) -> None:
        self.state = state
        self.until = 0.0
        self.writes_only = False
        self.parked: dict[Session, None] = {}
        self._timer: Timer | None = None

    def begin(self, until: float, writes_only: bool) -> None:
        """Pause; a pause that is there already is never made shorter or milder."""
        if self.until:
            until = max(until, self.until)
            writes_only = writes_only and self.writes_only
        self.until = until
        self.writes_only = writes_only
        self._cancel()
        self._timer = self.state.timers.at(until, self.end)
        self.state.refresh_gated()

    def end(self) -> None:
        """Let waiting clients go on. Idempotent."""
        self.until = 0.0
        self._cancel()
        self.state.refresh_gated()
        parked, self.parked = self.parked, {}
        for session in parked:
            if not session.closed:
                session.busy = False
                session.dispatcher.go_on(session)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def holds(self, session: Session, command: Command) -> bool:
        """Whether a command has to wait. O(1), O(queued commands) for EXEC."""
        if not self.until or session.monitor or session.admin or command.name in _ADMITTED:
            return False
        if self.state.clock.monotonic() >= self.until:
            return False
        if not self.writes_only or _reaches_replicas(command):
            return True
        queue = session.queue
        return command.name == "EXEC" and queue is not None and any(_reaches_replicas(c) for c, _ in queue)

    def park(self, session: Session) -> None:
        """Keep a session from running on until `end`."""
        session.busy = True
        self.parked[session] = None
        session.transport.watch_for_end()

    def forget(self, session: Session) -> None:
        """A client is gone."""
        self.parked.pop(session, None)


def _reaches_replicas(command: Command) -> bool:
    return command.is_write or command.name in _REACH_REPLICAS
