"""Connection commands: AUTH, ECHO, HELLO, PING, QUIT, RESET, SELECT.

Users and their passwords are those of `nogil_df.acl`; as long as the default user needs no password,
everybody is logged in as that from the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.base.version import REDIS_VERSION
from nogil_df.commands import tracking
from nogil_df.commands.access import log_failed_login
from nogil_df.commands.cluster import is_cluster, refuse_in_cluster
from nogil_df.commands.session import REPLY_OFF, REPLY_ON
from nogil_df.commands.spec import NOTHING, Row, local, multi
from nogil_df.commands.subscriptions import announce
from nogil_df.wire.values import OK, PONG, Simple

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session

Args = list[bytes]

DEFAULT_USER = b"default"
INT32 = 1 << 31


def log_in(session: Session, word: bytes, user: bytes, password: bytes) -> None:
    """Log a session in by a command that was written as ``word``.

    Raises:
        ReplyError: WRONGPASS; the session stays what it was.
    """
    account = session.dispatcher.state.users.log_in(user, password)
    if account is None:
        log_failed_login(session, word, user)
        raise ReplyError("WRONGPASS")
    session.account = account
    session.set_authenticated(True)


def is_plain(text: bytes) -> bool:
    """Whether a text is all printable ASCII without blanks, and so can't break CLIENT LIST apart."""
    return _PLAIN.issuperset(text)


def check_name(name: bytes) -> bytes:
    """A name for a client.

    Raises:
        ReplyError: it is not `is_plain`.
    """
    if not is_plain(name):
        raise ReplyError("CLIENT_NAME")
    return name


def run_auth(session: Session, args: Args) -> Any:
    """AUTH [username] password."""
    if len(args) > 3:
        raise ReplyError("SYNTAX")
    if len(args) == 2:
        if session.dispatcher.state.users.default.no_password:
            raise ReplyError("AUTH_NO_PASSWORD")
        log_in(session, args[0], DEFAULT_USER, args[1])
    else:
        log_in(session, args[0], args[1], args[2])
    return OK


def run_hello(session: Session, args: Args) -> Any:
    """HELLO: log in, name the client, choose the protocol, in this order."""
    proto = _asked_protocol(args) if len(args) > 1 else session.proto
    position = 2
    while position < len(args):
        option = args[position].upper()
        more = len(args) - position - 1
        if option == b"AUTH" and more >= 2:
            log_in(session, args[0], args[position + 1], args[position + 2])
            position += 3
        elif option == b"SETNAME" and more >= 1:
            session.name = check_name(args[position + 1])
            position += 2
        else:
            raise ReplyError("HELLO_SYNTAX", args[position])
    if not session.authenticated:
        raise ReplyError("NOAUTH_HELLO")
    session.proto = proto
    session.refresh_special()
    return {
        "server": "redis",
        "version": REDIS_VERSION,
        "proto": proto,
        "id": session.id,
        "mode": "cluster" if is_cluster(session.dispatcher.config) else "standalone",
        "role": "master",
        "modules": [],
    }


def _asked_protocol(args: Args) -> int:
    proto = parse_int(args[1])
    if proto is None:
        raise ReplyError("HELLO_PROTOCOL")
    if proto not in (2, 3):
        raise ReplyError("NOPROTO")
    return proto


def run_ping(session: Session, args: Args) -> Any:
    """PING: RESP2 clients that are subscribed get it in the form of a message."""
    if len(args) > 2:
        raise ReplyError("WRONG_ARITY", "ping")
    if session.proto == 2 and session.subscriptions:
        return [b"pong", args[1] if len(args) > 1 else b""]
    return args[1] if len(args) > 1 else PONG


def run_echo(session: Session, args: Args) -> bytes:
    """ECHO message."""
    return args[1]


def run_quit(session: Session, args: Args) -> Any:
    """QUIT: the connection is closed once the reply is sent; what was pipelined behind it is dropped."""
    session.closing = True
    return OK


def cmd_reset(context: Context, args: Args) -> Steps:
    """RESET: the session as it was when the client came. O(what it subscribed to and watches)."""
    session = context.session
    state = session.dispatcher.state
    session.end_multi()
    state.monitors.remove(session)
    for kind, names in enumerate(session.subscribed):
        if names:
            left = tuple(names)
            for name in left:
                state.subscriptions.remove(session, kind, name)
            yield from context.everywhere(announce, (context.proactor.index, (kind, left, -1)))
    yield from tracking.stop(context)
    session.db = 0
    session.proto = 2
    session.name = b""
    session.no_touch = False
    session.no_evict = False
    if session.reply_mode == REPLY_OFF:
        session.reply_mode = REPLY_ON
        session.unmute()
    session.account = state.users.default
    session.set_authenticated(session.account.enabled and session.account.no_password)
    return Simple(b"RESET")


def run_select(session: Session, args: Args) -> Any:
    """SELECT index."""
    index = parse_int(args[1])
    if index is None:
        raise ReplyError("NOT_INTEGER")
    if not -INT32 <= index < INT32:
        raise ReplyError("NOT_IN_RANGE", -INT32, INT32 - 1)
    if not 0 <= index < session.dispatcher.config.databases:
        raise ReplyError("DB_INDEX")
    if index:
        refuse_in_cluster(session, "SELECT")
    session.db = index
    return OK


_PLAIN = frozenset(range(0x21, 0x7F))

TABLE: tuple[Row, ...] = (
    local(
        "AUTH",
        -2,
        "noscript loading stale fast no_auth allow_busy",
        run=run_auth,
        acl="@fast @connection",
        since="1.0.0",
        group="connection",
        syntax="[username] password",
        summary="Logs the client in.",
    ),
    local(
        "ECHO",
        2,
        "loading stale fast",
        run=run_echo,
        encode="bulk_or_null",
        acl="@fast @connection",
        since="1.0.0",
        group="connection",
        syntax="message",
        summary="Gives the message back.",
    ),
    local(
        "HELLO",
        -1,
        "noscript loading stale fast no_auth allow_busy",
        run=run_hello,
        acl="@fast @connection",
        since="6.0.0",
        group="connection",
        syntax="[protover [AUTH username password] [SETNAME clientname]]",
        summary="Tells about the server; chooses the protocol, logs in and names the client.",
    ),
    local(
        "PING",
        -1,
        "fast",
        run=run_ping,
        acl="@fast @connection",
        since="1.0.0",
        group="connection",
        syntax="[message]",
        summary="Answers, so that the client knows the server is there.",
        tips="request_policy:all_shards response_policy:all_succeeded",
    ),
    local(
        "QUIT",
        -1,
        "noscript loading stale fast no_auth allow_busy",
        run=run_quit,
        acl="@fast @connection",
        since="1.0.0",
        group="connection",
        summary="Closes the connection.",
    ),
    multi(
        "RESET",
        1,
        "noscript loading stale fast no_auth allow_busy",
        run=cmd_reset,
        scope=NOTHING,
        acl="@fast @connection",
        since="6.2.0",
        group="connection",
        summary="Puts the connection back into the state it began in.",
    ),
    local(
        "SELECT",
        2,
        "loading stale fast",
        run=run_select,
        acl="@fast @connection",
        since="1.0.0",
        group="connection",
        syntax="index",
        summary="Chooses the database of the connection.",
    ),
)
