"""MONITOR of one thread: its monitoring clients, and which threads have some.

A command is shown once it has run, as Redis does it: by the thread it ran on, to every thread that has
monitors. While nobody monitors, on any thread, none of this is ever reached (`ThreadState.refresh_gated`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogil_df.commands.secrets import without_secrets
from nogil_df.wire.values import Simple

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.vll.proactor import Message, Proactor

_ESCAPES = {10: b"\\n", 13: b"\\r", 9: b"\\t", 7: b"\\a", 8: b"\\b", 34: b'\\"', 92: b"\\\\"}
_ESCAPED = tuple(
    _ESCAPES.get(byte) or (bytes((byte,)) if 32 <= byte < 127 else b"\\x%02x" % byte) for byte in range(256)
)
# Redis shows what a script does, not that it was called.
_NOT_SHOWN = frozenset("EVAL EVAL_RO EVALSHA EVALSHA_RO FCALL FCALL_RO".split())


class Monitors:
    """Monitoring clients of one thread.

    Attributes:
        sessions: those of this thread.
        threads: how many there are, or are about to be, by thread; empty while nobody monitors.
    """

    __slots__ = ("proactor", "sessions", "threads")

    def __init__(self, proactor: Proactor) -> None:
        self.proactor = proactor
        self.sessions: dict[Session, None] = {}
        self.threads: dict[int, int] = {}

    def remove(self, session: Session) -> None:
        """A client does not monitor any more; the others need not know at once."""
        if session.monitor:
            session.monitor = False
            self.sessions.pop(session, None)
            self.proactor.broadcast((note_monitors, self.proactor.index, -1))

    def change(self, thread: int, difference: int) -> None:
        """Take note that a client of a thread started or stopped to monitor. O(1)."""
        count = self.threads.get(thread, 0) + difference
        if count:
            self.threads[thread] = count
        else:
            self.threads.pop(thread, None)

    def shows(self, command: Command) -> bool:
        """Whether monitors see a command at all. O(1)."""
        return "admin" not in command.flags and command.name not in _NOT_SHOWN

    def feed(self, session: Session, args: list[bytes]) -> None:
        """Show a command of a session to everybody who monitors. O(size of the command)."""
        now = self.proactor.clock.unix_us()
        where = f"unix:{session.local_address.removesuffix(':0')}" if session.unix_socket else session.address
        line = b"%d.%06d [%d %b] %b" % (
            now // 1_000_000,
            now % 1_000_000,
            session.db,
            where.encode("utf-8", "surrogateescape"),
            b" ".join(map(quoted, without_secrets(args))),
        )
        for thread in self.threads:
            self.proactor.tell(thread, (show_line, line))

    def show(self, line: bytes) -> None:
        """Pass a line on to this thread's monitors. O(monitors)."""
        status = Simple(line)
        for session in self.sessions:
            session.push(status)


def quoted(word: bytes) -> bytes:
    """A word as MONITOR prints it: in double quotes, what is not printable escaped. O(its length)."""
    if word.isascii() and word.isalnum():
        return b'"%b"' % word
    return b'"%b"' % b"".join([_ESCAPED[byte] for byte in word])


# Message handlers.


def note_monitors(proactor: Proactor, message: Message) -> None:
    """On every thread: ``(note_monitors, thread, difference)``."""
    announce_monitor(proactor, (message[1], message[2]))


def announce_monitor(proactor: Proactor, argument: tuple[int, int]) -> None:
    """On every thread, for `Context.everywhere`: a thread has a monitor more, or less."""
    state = proactor.service
    state.monitors.change(*argument)
    state.refresh_gated()


def show_line(proactor: Proactor, message: Message) -> None:
    """On a thread with monitors: ``(show_line, line)``."""
    proactor.service.monitors.show(message[1])
