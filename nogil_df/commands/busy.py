"""Slow scripts: while one runs for too long, everybody else is told that the server is busy, and may end it.

A script can't be suspended: it is somewhere deep in the Lua interpreter, on a thread that does nothing else
until it ends. Every millisecond or so it calls `Watchdog.tick`. Past `busy-reply-threshold` the watchdog
tells all threads (a notice), and from then on commands without the flag ``allow_busy`` are refused, by
`nogil_df.commands.gate`; and with each tick it serves the sockets of its own thread
(`Loop.serve_while_busy`), so that clients there hear of it and can say SCRIPT KILL.

What the threads share is one `SlowScript` each time that happens: whoever wants the script to end sets
``kill`` in it, and the script looks at that with its next tick. A script that wrote something is not ended,
as nothing takes its writes back; only SHUTDOWN NOSAVE does that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base import log
from nogil_df.base.errors import ReplyError
from nogil_df.vll.handlers import refuse_work

if TYPE_CHECKING:
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.vll.proactor import Message, Proactor

BUSY = "busy_script"
"""Under this name a thread's ``extra`` holds the `SlowScript`, while there is one."""


class SlowScript:
    """A script that runs for too long; seen by all threads.

    Attributes:
        name: its SHA-1, or the function's name.
        is_function: it was called by FCALL.
        command: the client's command, as bytes.
        started: monotonic seconds.
        wrote: it called a command that may write.
        kill: somebody wants it to end.
        forced: even though it wrote: the server is to end.
    """

    __slots__ = ("command", "forced", "is_function", "kill", "name", "started", "wrote")

    def __init__(self, name: bytes, is_function: bool, command: list[bytes], started: float) -> None:
        self.name = name
        self.is_function = is_function
        self.command = command
        self.started = started
        self.wrote = False
        self.kill = False
        self.forced = False


class Watchdog:
    """Keeps the time of one run of a script.

    Args:
        state: of the thread it runs on.
        name, is_function, command: as in `SlowScript`.

    Attributes:
        slow: set once the script is too slow.
    """

    __slots__ = ("_command", "_is_function", "_name", "_started", "_state", "slow")

    def __init__(self, state: ThreadState, name: bytes, is_function: bool, command: list[bytes]) -> None:
        self._state = state
        self._name = name
        self._is_function = is_function
        self._command = command
        self._started = 0.0
        self.slow: SlowScript | None = None

    def tick(self, wrote: bool) -> bool:
        """Called every so many instructions; ``wrote``: the script has called a command that may write.

        Returns:
            True if the script has to end.
        """
        state = self._state
        now = state.clock.monotonic()
        if not self._started:
            # A millisecond late: a script that never gets here need not ask for the time at all.
            self._started = now
            return False
        slow = self.slow
        if slow is None:
            limit = state.config.busy_reply_threshold
            if limit <= 0 or (now - self._started) * 1000 < limit:
                return False
            slow = self._begin()
        slow.wrote = wrote
        # What was on its way here when the others did not know yet.
        refuse_work(state.proactor, _refusal(slow))
        loop = state.extra["loop"] if "loop" in state.extra else None
        if loop is not None:
            loop.serve_while_busy()
        if slow.kill and (slow.forced or not slow.wrote):
            log.notice(f"Lua script killed by user with {_kind(slow)} KILL.")
            return True
        return False

    def _begin(self) -> SlowScript:
        slow = self.slow = SlowScript(self._name, self._is_function, self._command, self._started)
        state = self._state
        millis = state.config.busy_reply_threshold
        log.warning(
            f"Slow script detected: still in execution after {millis} milliseconds. "
            f"You can try killing the script using the {_kind(slow)} KILL command. "
            f"Script name is: {slow.name.decode('latin-1')}."
        )
        _tell_all(state, (begin_busy, slow))
        return slow

    def end(self) -> None:
        """The script is over."""
        if self.slow is not None:
            _tell_all(self._state, (end_busy, self.slow))
            self.slow = None


def _kind(slow: SlowScript) -> str:
    return "FUNCTION" if slow.is_function else "SCRIPT"


def _tell_all(state: ThreadState, message: Message) -> None:
    proactor = state.proactor
    for thread in range(proactor.count):
        proactor.tell(thread, message)
    if proactor.has_notices:
        proactor.hand_over_notices()


def begin_busy(proactor: Proactor, message: Message) -> None:
    """Notice: a script is too slow."""
    state: Any = proactor.service
    state.extra[BUSY] = message[1]
    state.refresh_gated()


def end_busy(proactor: Proactor, message: Message) -> None:
    """Notice: a script that was too slow is over. Another one may be too slow as well by now."""
    state: Any = proactor.service
    if BUSY in state.extra and state.extra[BUSY] is message[1]:
        del state.extra[BUSY]
        state.refresh_gated()


def refuse_if_busy(state: ThreadState, name: str, flags: frozenset[str], args: list[bytes]) -> None:
    """Called for every command while a script is too slow.

    Raises:
        ReplyError: the command has to wait for the script's end.
    """
    slow: SlowScript = state.extra[BUSY]
    if "allow_busy" in flags:
        if name != "SHUTDOWN":
            return
        if b"NOSAVE" in [word.upper() for word in args[1:]]:
            slow.forced = slow.kill = True
            return
    raise _refusal(slow)


def _refusal(slow: SlowScript) -> ReplyError:
    return ReplyError("BUSY_FUNCTION" if slow.is_function else "BUSY_SCRIPT")


def kill(state: ThreadState, *, is_function: bool) -> None:
    """SCRIPT KILL and FUNCTION KILL.

    Raises:
        ReplyError: there is nothing to end, or it can't be ended.
    """
    if BUSY not in state.extra:
        raise ReplyError("NOTBUSY")
    slow: SlowScript = state.extra[BUSY]
    if slow.is_function != is_function:
        raise _refusal(slow)
    if slow.wrote:
        raise ReplyError("UNKILLABLE")
    slow.kill = True
