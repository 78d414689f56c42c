"""What stands between an unusual session and its command: the checks Redis makes before it calls one.

The dispatcher comes here only when the session is ``special`` or the thread ``gated``: not logged in, inside
MULTI, subscribed under RESP2, replies off, MONITOR somewhere, clients paused. Then commands run one by one,
each looked at first. The order of the checks is Redis's (documentation of each command, and behaviour of
redis-server 7.0): unknown command, arity, login, subscribe mode, MULTI, pause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogil_df.base.errors import ReplyError, unknown_subcommand
from nogil_df.commands.session import REPLY_ON, REPLY_SKIP, REPLY_SKIP_NEXT
from nogil_df.commands.spec import LOCAL, Command
from nogil_df.wire.values import QUEUED

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.session import Session

# What a RESP2 client may say while it is subscribed.
_SUBSCRIBED = frozenset(
    "SUBSCRIBE SSUBSCRIBE UNSUBSCRIBE SUNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE PING QUIT RESET".split()
)
# What is carried out at once inside MULTI instead of being queued.
_NOT_QUEUED = frozenset("EXEC DISCARD MULTI WATCH QUIT RESET".split())


def subcommand(command: Command, args: list[bytes]) -> Command:
    """The subcommand that ``args`` name.

    Raises:
        ReplyError: there is none, or the number of arguments is wrong.
    """
    child = command.subcommands.get(args[1].upper())
    if child is None:
        raise unknown_subcommand(command.name, args[1])
    if not child.least <= len(args) <= child.most:
        raise ReplyError("WRONG_ARITY", child.full_name)
    return child


def run_carefully(dispatcher: Dispatcher, session: Session) -> None:
    """Run the command at ``session.position`` after looking at it.

    Raises:
        ReplyError: the command is refused; the caller answers and steps over it.
    """
    args = session.batch[session.position]
    command = dispatcher.commands.get(args[0])
    try:
        if command is None:
            command = dispatcher.resolve(args)
        if not command.least <= len(args) <= command.most:
            raise ReplyError("WRONG_ARITY", command.full_name)
        actual = subcommand(command, args) if command.subcommands else command
        _check_login(session, actual)
        _check_subscribed(session, actual)
    except ReplyError:
        if session.queue is not None:
            session.queue_broken = True
        _begin_reply(session)
        raise
    if session.queue is not None and actual.name not in _NOT_QUEUED:
        _begin_reply(session)
        _queue(session, actual, args)
        after_reply(session)
        return
    state = dispatcher.state
    if state.paused(actual) and not session.admin:
        state.wait_for_unpause(session)
        return
    if state.monitored and "admin" not in actual.flags and "skip_monitor" not in actual.flags:
        state.feed_monitors(session, args)
    session.commands_run += 1
    _begin_reply(session)
    try:
        if actual.is_single(args):
            dispatcher.squash(session, 1)
        elif actual.kind == LOCAL:
            dispatcher.run_local(session, command, args)
        else:
            dispatcher.run_multi(session, command, args)
    finally:
        if not session.busy:
            after_reply(session)


def _check_login(session: Session, command: Command) -> None:
    if not session.authenticated and "no_auth" not in command.flags:
        raise ReplyError("NOAUTH")


def _check_subscribed(session: Session, command: Command) -> None:
    if session.proto == 2 and session.subscriptions and command.name not in _SUBSCRIBED:
        raise ReplyError("SUBSCRIBED", command.full_name)


def _queue(session: Session, command: Command, args: list[bytes]) -> None:
    """MULTI: keep the command for EXEC. The raise in case of a refusal is what breaks the transaction."""
    if "no_multi" in command.flags:
        session.queue_broken = True
        raise ReplyError("NOT_IN_MULTI")
    assert session.queue is not None
    session.queue.append((command, args))
    session.position += 1
    session.dispatcher.encoder.encode(QUEUED, session.proto, session.out)


# CLIENT REPLY: a muted session writes its replies to a list that is thrown away.


def _begin_reply(session: Session) -> None:
    mode = session.reply_mode
    if mode == REPLY_ON:
        return
    if mode == REPLY_SKIP_NEXT:
        session.reply_mode = REPLY_SKIP
    if session.out is not session.skipped:
        session.kept = session.out
        session.out = session.skipped


def after_reply(session: Session) -> None:
    """Undo what muted the reply of one command; called when the command is over."""
    if session.out is session.skipped:
        session.out = session.kept
        session.skipped = []
    if session.reply_mode == REPLY_SKIP:
        session.reply_mode = REPLY_ON
        session.refresh_special()



