"""The reply of a command that answers very much, encoded in slices.

What a shard brings together in slices (`nogil_df.shard.lengthy`) is encoded in slices as well: one part of
the `Chunks` in each turn of the loop. The session stays busy meanwhile, so its next command waits, and
nothing else does. All of it is handed over at the end: a push that comes in between must not get into the
middle of the reply.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.commands import gate

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.vll.proactor import Message, Proactor
    from nogil_df.wire.values import Chunks


class LongReply:
    """A reply under way; see the module's text. The arguments are those of `Dispatcher.reply`."""

    __slots__ = ("args", "command", "count", "dispatcher", "nanoseconds", "pieces", "session", "values")

    def __init__(
        self,
        dispatcher: Dispatcher,
        session: Session,
        command: Command,
        values: Chunks,
        nanoseconds: int,
        args: list[bytes],
    ) -> None:
        self.dispatcher = dispatcher
        self.session = session
        self.command = command
        self.values = values
        self.nanoseconds = nanoseconds
        self.args = args
        self.count = 0
        self.pieces: list[bytes] = [b""]

    def start(self) -> None:
        """Begin, with the next turn."""
        self.session.busy = True
        proactor = self.dispatcher.proactor
        proactor.outboxes[proactor.index].append((_go_on, self))

    def step(self) -> bool:
        """Encode one part. False if there was none left."""
        parts = self.values.parts
        if not parts:
            return False
        data = self._encoded(parts.popleft())
        # An aggregate is one line, type and count, and then its elements.
        end = data.index(b"\r\n")
        self.count += int(data[1:end])
        self.pieces[0] = data[:1]
        self.pieces.append(data[end + 2 :])
        return True

    def _encoded(self, part: Any) -> bytes:
        out: list[bytes] = []
        self.command.encode(part, self.session.proto, out)  # type: ignore[misc]
        return b"".join(out)

    def end(self) -> None:
        """All is encoded: answer, and run what the session has left."""
        session, dispatcher = self.session, self.dispatcher
        command = self.command
        session.busy = False
        if session.closed:
            return
        command.record(1, self.nanoseconds)
        if self.nanoseconds >= dispatcher.state.slow_ns:
            dispatcher.state.note_slow(session, command, self.args, self.nanoseconds)
        if self.pieces[0]:
            self.pieces[0] += b"%d\r\n" % self.count
            session.out += self.pieces
        else:
            session.out.append(self._encoded([]))
        gate.after_reply(session)
        dispatcher.go_on(session)

    def fail(self, error: ReplyError) -> None:
        """A bug: answer that, and go on."""
        session = self.session
        session.busy = False
        if not session.closed:
            self.command.failed += 1
            self.dispatcher.reply_error(session, error)
            gate.after_reply(session)
            self.dispatcher.go_on(session)


def _go_on(proactor: Proactor, message: Message) -> None:
    reply: LongReply = message[1]
    try:
        more = not reply.session.closed and reply.step()
    except Exception:
        reply.fail(log_crash(reply.command.full_name, sys.exc_info()))
        return
    if more:
        proactor.outboxes[proactor.index].append(message)
    else:
        reply.end()
