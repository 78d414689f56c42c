"""What stands between an unusual session and its command: the checks Redis makes before it calls one.

The dispatcher comes here only when the session is ``special`` or the thread ``gated``: not logged in, inside
MULTI, subscribed under RESP2, replies off, MONITOR somewhere, clients paused, memory short. Then commands run
one by one, each looked at first. The order of the checks is Redis's (documentation of each command, and
behaviour of redis-server 7.0): unknown command, arity, login, not in MULTI, the user's rights, memory,
subscribe mode, pause, queueing.
"""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING, Any

from nogil_df.base import log
from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError, text, unknown_command, unknown_subcommand
from nogil_df.commands import access, hotkeys, tracking
from nogil_df.commands.busy import BUSY, refuse_if_busy
from nogil_df.commands.context import run_as_one_hop
from nogil_df.commands.session import REPLY_ON, REPLY_SKIP, REPLY_SKIP_NEXT
from nogil_df.commands.spec import LOCAL, NOT_QUEUED, Command
from nogil_df.shard.lengthy import Lengthy
from nogil_df.wire.values import QUEUED

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.session import Session

REFUSALS = frozenset(
    (
        "WRONG_ARITY NOAUTH NOT_IN_MULTI SUBSCRIBED MONITOR_KEYSPACE "
        "NOPERM_COMMAND NOPERM_KEY NOPERM_CHANNEL BUSY_SCRIPT BUSY_FUNCTION LOADING MISCONF OOM"
    ).split()
)
"""Errors of commands that were not begun: INFO commandstats counts them as rejected_calls."""

_HTTP = frozenset([b"POST", b"HOST:"])
"""What the lines of an HTTP request begin with that a web page can make a browser send here."""

# What a RESP2 client may say while it is subscribed.
_SUBSCRIBED = frozenset(
    "SUBSCRIBE SSUBSCRIBE UNSUBSCRIBE SUNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE PING QUIT RESET".split()
)


def subcommand(command: Command, args: list[bytes]) -> Command:
    """The subcommand that ``args`` name; the command itself if it stands alone, as COMMAND may.

    Raises:
        ReplyError: there is none, or the number of arguments is wrong.
    """
    if len(args) == 1:
        return command
    child = command.subcommands.get(args[1].upper())
    if child is None:
        raise unknown_subcommand(command.name, args[1])
    if not child.least <= len(args) <= child.most:
        raise ReplyError("WRONG_ARITY", child.full_name)
    return child


def run_carefully(dispatcher: Dispatcher, session: Session) -> None:
    """Run the command at ``session.position`` after looking at it; answers whatever is wrong with it."""
    if session.queue is not None and _queue_plainly(dispatcher, session):
        return
    proactor = dispatcher.proactor
    if proactor.mail:
        # Who listens hears what was published before this command was sent before its reply.
        proactor.read_mail()
    args = session.batch[session.position]
    _begin_reply(session)
    try:
        command = _admitted(dispatcher, session, args)
        if dispatcher.state.pausing.holds(session, command):
            session.unmute()
            dispatcher.state.pausing.park(session)
            return
        if session.queue is not None and command.name not in NOT_QUEUED:
            _queue(session, command, args)
        else:
            _run(dispatcher, session, command, args)
    except ReplyError as error:
        dispatcher.fail(session, error.bare())
    except Lengthy as lengthy:
        dispatcher.go_slowly(session, lengthy)
    except Exception:
        dispatcher.fail(session, log_crash(args[0].decode("latin-1"), sys.exc_info()))
    if not session.busy:
        after_reply(session)


def _admitted(dispatcher: Dispatcher, session: Session, args: list[bytes]) -> Command:
    """The command, or subcommand, that ``args`` name, if this session may run it now.

    Raises:
        ReplyError: it may not; inside MULTI that breaks the transaction.
    """
    try:
        command = dispatcher.commands[args[0]]
        if command is None:
            raise unknown_command(args)
        if not command.least <= len(args) <= command.most:
            raise ReplyError("WRONG_ARITY", command.full_name)
        if command.subcommands:
            command = subcommand(command, args)
        _check_login(session, command)
        if BUSY in dispatcher.state.extra:
            refuse_if_busy(dispatcher.state, command.name, command.flags, args)
        if session.queue is not None and "no_multi" in command.flags:
            raise ReplyError("NOT_IN_MULTI")
        if not session.account.is_unrestricted:
            access.check(session, command, args)
        if dispatcher.state.memory.short:
            dispatcher.state.memory.refuse(session, command)
        if dispatcher.state.is_disturbed:
            _check_data(dispatcher, session, command)
        _check_subscribed(session, command)
        if session.monitor and (command.is_write or "readonly" in command.flags):
            raise ReplyError("MONITOR_KEYSPACE")
    except ReplyError:
        session.queue_broken = True
        raise
    return command


def hang_up_on_http(session: Session, args: list[bytes]) -> bool:
    """Whether an unknown command is a browser's: it is led to do somebody's bidding, and gets no answer.

    The connection ends before the rest of the request, which holds the attacker's commands, is run.
    """
    if args[0].upper() not in _HTTP:
        return False
    log.warning(
        f"Possible SECURITY ATTACK: {session.address} sends HTTP to a port of Redis's protocol, as a browser"
        " does that a hostile page makes send commands. Closing the connection"
    )
    session.closing = True
    return True


def refusal(session: Session, command: Command, error: ReplyError) -> ReplyError:
    """What a client is told whose command was not even begun.

    An EXEC that is refused ends its transaction, and says so. Nothing else changes the error.
    """
    if command.name != "EXEC":
        return error
    session.end_multi()
    return ReplyError("EXECABORT_REASON", text(error).removeprefix(b"ERR "))


def _check_login(session: Session, command: Command) -> None:
    if session.authenticated or "no_auth" in command.flags:
        return
    default = session.dispatcher.state.users.default
    if not (default.no_password and default.enabled):
        raise ReplyError("NOAUTH")
    # The password has been taken away since this client came.
    session.set_authenticated(True)


def _check_data(dispatcher: Dispatcher, session: Session, command: Command) -> None:
    """A snapshot is loading, or the last one could not be saved. An EXEC counts as what it has queued."""
    queued: Any = session.queue or () if command.name == "EXEC" else ()
    state = dispatcher.state
    if "loading" in state.extra:
        if "loading" not in command.flags or any("loading" not in one.flags for one, _ in queued):
            raise ReplyError("LOADING")
    elif state.refuses_writes and (
        command.is_write or command.name == "PING" or any(one.is_write for one, _ in queued)
    ):
        raise ReplyError("MISCONF")


def _check_subscribed(session: Session, command: Command) -> None:
    if session.proto == 2 and session.subscriptions and command.name not in _SUBSCRIBED:
        raise ReplyError("SUBSCRIBED", command.full_name)


def _queue_plainly(dispatcher: Dispatcher, session: Session) -> bool:
    """MULTI: queue the commands at ``session.position`` that need no closer look. False if there is none."""
    if (
        dispatcher.gated
        or not session.authenticated
        or session.reply_mode != REPLY_ON
        or session.monitor
        or not session.account.is_unrestricted
        or (session.proto == 2 and session.subscriptions)
    ):
        return False
    queue = session.queue
    assert queue is not None
    commands = dispatcher.commands
    begin = session.position
    name: bytes | None = None
    plain: list[list[bytes]] = []
    for args in session.batch[begin:]:
        if args[0] != name:
            command: Any = commands[args[0]]
            if command is None or not command.queueable:
                break
            name = args[0]
            least = command.least
            most = command.most
        if not least <= len(args) <= most:
            break
        queue.append((command, args))
        plain.append(args)
    if not plain:
        return False
    if len(queue) == len(plain):
        session.queued_bytes = 0
    session.queued_bytes += sum(map(len, chain.from_iterable(plain)))
    session.position = begin + len(plain)
    session.out.append(b"+QUEUED\r\n" * len(plain))
    _check_queued_bytes(dispatcher, session)
    return True


def _queue(session: Session, command: Command, args: list[bytes]) -> None:
    """MULTI: keep the command for EXEC, within the limit on what a client may have waiting."""
    queue = session.queue
    assert queue is not None
    if not queue:
        session.queued_bytes = 0
    session.queued_bytes += sum(map(len, args))
    queue.append((command, args))
    session.position += 1
    if not _check_queued_bytes(session.dispatcher, session):
        session.dispatcher.encoder.encode(QUEUED, session.proto, session.out)


def _check_queued_bytes(dispatcher: Dispatcher, session: Session) -> bool:
    """Whether the client has more queued than it may, and is cut off."""
    if session.queued_bytes <= dispatcher.config.client_query_buffer_limit:
        return False
    log.warning(f"Closing client that queued too much inside MULTI: {session.address}")
    dispatcher.state.query_limit_disconnects += 1
    session.transport.close(after_replies=False)
    return True


def _run(dispatcher: Dispatcher, session: Session, command: Command, args: list[bytes]) -> None:
    monitors = dispatcher.state.monitors
    seen = args if monitors.threads and monitors.shows(command) else None
    measured = hotkeys.begin(session, command, args) if dispatcher.state.hot_keys is not None else None
    if seen is not None or measured is not None:
        session.shown = seen, measured
    session.commands_run += 1
    if session.no_touch and command.is_single(args) and command.name != "TOUCH":
        dispatcher.run_steps(session, command, args, run_as_one_hop)
        return
    if session.tracking is not None:
        tracking.begin_read(session, command, args)
        if session.tracking.no_loop and command.is_write and command.is_single(args):
            dispatcher.run_steps(session, command, args, run_as_one_hop)
            return
    if command.is_single(args):
        _run_single(dispatcher, session, command, args)
    elif command.kind == LOCAL:
        dispatcher.run_local(session, command, args)
    else:
        dispatcher.run_multi(session, command, args)


def _run_single(dispatcher: Dispatcher, session: Session, command: Command, args: list[bytes]) -> None:
    """A command on one key: here and now if its shard is this thread's and nobody has an intent."""
    payload = args if command.cmd is None else command.cmd(session, args)
    proactor = dispatcher.proactor
    shard = proactor.shard
    h = shard.hash_key(args[1])
    if proactor.engine.locks or (h >> 32) % proactor.count != proactor.index:
        dispatcher.squash(session, 1)
        return
    session.last_command = command.full_name
    started = dispatcher.stopwatch()
    value = command.op(shard.dbs[session.db], payload, h)  # type: ignore[misc]
    if shard.ready:
        proactor.engine.blocking.serve(shard.ready)
    dispatcher.reply(session, command, value, dispatcher.stopwatch() - started, args)
    session.position += 1


def _begin_reply(session: Session) -> None:
    """CLIENT REPLY: mute the session if the reply of the command to come is not wanted."""
    mode = session.reply_mode
    if mode == REPLY_ON:
        return
    if mode == REPLY_SKIP_NEXT:
        session.reply_mode = REPLY_SKIP
    session.mute()


def after_reply(session: Session) -> None:
    """A command is over, its reply written: show it to monitors, let the next reply through. O(1)."""
    if session.shown is not None:
        (args, measured), session.shown = session.shown, None
        if measured is not None:
            hotkeys.conclude(session, measured)
        if args is not None:
            session.dispatcher.state.monitors.feed(session, args)
    if session.tracking is not None:
        tracking.end_read(session)
    session.unmute()
    if session.reply_mode == REPLY_SKIP:
        session.reply_mode = REPLY_ON
        session.refresh_special()
