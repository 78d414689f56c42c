"""CLIENT and its subcommands.

Clients live on all threads, so whatever concerns others visits every thread (`Context.everywhere`): LIST and
KILL look at them there, PAUSE and UNPAUSE answer once all threads hold still or go on. PAUSE waits for what
is under way between threads, too, so that nothing changes after its answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands import tracking
from nogil_df.commands.arguments import milliseconds
from nogil_df.commands.client_list import TYPES, ClientFilter, describe, kill_clients, list_clients
from nogil_df.commands.connection import DEFAULT_USER, check_name, is_plain
from nogil_df.commands.help import help_row
from nogil_df.commands.session import REPLY_OFF, REPLY_ON, REPLY_SKIP_NEXT
from nogil_df.commands.spec import ALL_EXCLUSIVE, NOTHING, Row, container, local, multi
from nogil_df.wire.values import NO_REPLY, OK, Verbatim

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.vll.proactor import Proactor

Args = list[bytes]


def run_id(session: Session, args: Args) -> int:
    """CLIENT ID."""
    return session.id


def run_info(session: Session, args: Args) -> Verbatim:
    """CLIENT INFO: this client's line."""
    return Verbatim(b"txt", describe(session, session.dispatcher.clock.monotonic()) + b"\n")


def cmd_list(context: Context, args: Args) -> Steps:
    """CLIENT LIST [TYPE type | ID id...]."""
    wanted = _list_filter(args)
    answers = yield from context.everywhere(list_clients, wanted)
    found = sorted(entry for answer in answers for entry in answer)
    return Verbatim(b"txt", b"".join([line + b"\n" for _, line in found]))


def _list_filter(args: Args) -> ClientFilter:
    if len(args) == 2:
        return ClientFilter()
    option = args[2].upper()
    if option == b"TYPE" and len(args) == 4:
        return ClientFilter(kind=_client_type(args[3]))
    if option == b"ID" and len(args) > 3:
        ids = [parse_int(word) for word in args[3:]]
        return ClientFilter(ids=frozenset(_valid_id(number) for number in ids))
    raise ReplyError("SYNTAX")


def _valid_id(number: int | None) -> int:
    if number is None:
        raise ReplyError("CLIENT_ID")
    return number


def _client_type(word: bytes) -> str:
    kind = TYPES.get(word.lower())
    if kind is None:
        raise ReplyError("CLIENT_TYPE", word)
    return kind


def cmd_kill(context: Context, args: Args) -> Steps:
    """CLIENT KILL addr, or CLIENT KILL filter value [filter value...]."""
    session = context.session
    old_form = len(args) == 3
    wanted = ClientFilter(address=_decode(args[2])) if old_form else _kill_filter(args, session.id)
    answers = yield from context.everywhere(kill_clients, (wanted, session.id))
    killed = sum(answers)
    if not old_form:
        return killed
    if not killed:
        raise ReplyError("NO_SUCH_CLIENT")
    return OK


def _kill_filter(args: Args, me: int) -> ClientFilter:
    chosen: dict[str, Any] = {}
    skip_me = True
    for position in range(2, len(args), 2):
        option = args[position].upper()
        if position + 1 == len(args):
            raise ReplyError("SYNTAX")
        word = args[position + 1]
        if option == b"SKIPME":
            skip_me = _choice(word, b"YES", b"NO")
        elif option in _KILL_OPTIONS:
            name, parse = _KILL_OPTIONS[option]
            chosen[name] = parse(word)
        else:
            raise ReplyError("SYNTAX")
    return ClientFilter(not_me=me if skip_me else 0, **chosen)


def _choice(word: bytes, yes: bytes, no: bytes) -> bool:
    given = word.upper()
    if given not in (yes, no):
        raise ReplyError("SYNTAX")
    return given == yes


def _killed_id(word: bytes) -> frozenset[int]:
    number = parse_int(word)
    if number is None or number < 1:
        raise ReplyError("CLIENT_KILL_ID")
    return frozenset((number,))


def _killed_age(word: bytes) -> int:
    number = parse_int(word)
    if number is None:
        raise ReplyError("MAXAGE_NOT_INTEGER")
    if number < 1:
        raise ReplyError("CLIENT_KILL_MAXAGE")
    return number


def _killed_user(word: bytes) -> bytes:
    if word != DEFAULT_USER:
        raise ReplyError("NO_SUCH_USER", word)
    return DEFAULT_USER


def _decode(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


_KILL_OPTIONS: dict[bytes, tuple[str, Callable[[bytes], Any]]] = {
    b"ID": ("ids", _killed_id),
    b"TYPE": ("kind", _client_type),
    b"ADDR": ("address", _decode),
    b"LADDR": ("local_address", _decode),
    b"USER": ("user", _killed_user),
    b"MAXAGE": ("max_age", _killed_age),
}


def cmd_pause(context: Context, args: Args) -> Steps:
    """CLIENT PAUSE timeout [WRITE|ALL]."""
    writes_only = False
    if len(args) > 4:
        raise ReplyError("SUBCOMMAND_SYNTAX", args[1], "CLIENT")
    if len(args) == 4:
        mode = args[3].upper()
        if mode not in (b"WRITE", b"ALL"):
            raise ReplyError("CLIENT_PAUSE_MODE")
        writes_only = mode == b"WRITE"
    until = context.proactor.clock.monotonic() + milliseconds(args[2]) / 1000
    yield from context.everywhere(begin_pause, (until, writes_only))
    yield from context.after_what_is_under_way()
    return OK


def begin_pause(proactor: Proactor, argument: tuple[float, bool]) -> None:
    """On every thread: hold clients back."""
    proactor.service.pausing.begin(*argument)


def cmd_unpause(context: Context, args: Args) -> Steps:
    """CLIENT UNPAUSE."""
    yield from context.everywhere(end_pause, None)
    return OK


def end_pause(proactor: Proactor, argument: None) -> None:
    """On every thread: let clients go on."""
    proactor.service.pausing.end()


def cmd_unblock(context: Context, args: Args) -> Steps:
    """CLIENT UNBLOCK client-id [TIMEOUT|ERROR]."""
    with_error = False
    if len(args) > 4:
        raise ReplyError("SUBCOMMAND_SYNTAX", args[1], "CLIENT")
    if len(args) == 4:
        reason = args[3].upper()
        if reason not in (b"TIMEOUT", b"ERROR"):
            raise ReplyError("CLIENT_UNBLOCK_REASON")
        with_error = reason == b"ERROR"
    number = parse_int(args[2])
    if number is None:
        raise ReplyError("NOT_INTEGER")
    answers = yield from context.everywhere(unblock_client, (number, with_error))
    return int(any(answers))


def unblock_client(proactor: Proactor, argument: tuple[int, bool]) -> bool:
    """On every thread: end the wait of a blocked client. Whether it was here and blocked."""
    number, with_error = argument
    session = proactor.service.sessions.get(number)
    return session is not None and session.unblock(ReplyError("UNBLOCKED") if with_error else None)


def run_reply(session: Session, args: Args) -> Any:
    """CLIENT REPLY ON|OFF|SKIP."""
    mode = args[2].upper()
    if mode == b"ON":
        session.reply_mode = REPLY_ON
        session.unmute()
    elif mode == b"OFF":
        session.reply_mode = REPLY_OFF
    elif mode == b"SKIP":
        if session.reply_mode != REPLY_OFF:
            session.reply_mode = REPLY_SKIP_NEXT
    else:
        raise ReplyError("SYNTAX")
    session.refresh_special()
    return OK if mode == b"ON" else NO_REPLY


def run_no_evict(session: Session, args: Args) -> Any:
    """CLIENT NO-EVICT ON|OFF."""
    session.no_evict = _choice(args[2], b"ON", b"OFF")
    return OK


def run_no_touch(session: Session, args: Args) -> Any:
    """CLIENT NO-TOUCH ON|OFF."""
    session.no_touch = _choice(args[2], b"ON", b"OFF")
    session.refresh_special()
    return OK


def run_setname(session: Session, args: Args) -> Any:
    """CLIENT SETNAME name; an empty one takes the name away."""
    session.name = check_name(args[2])
    return OK


def run_getname(session: Session, args: Args) -> bytes | None:
    """CLIENT GETNAME."""
    return session.name or None


def run_setinfo(session: Session, args: Args) -> Any:
    """CLIENT SETINFO LIB-NAME|LIB-VER value."""
    option = args[2].upper()
    if option not in (b"LIB-NAME", b"LIB-VER"):
        raise ReplyError("CLIENT_SETINFO_OPTION", args[2])
    if not is_plain(args[3]):
        raise ReplyError("CLIENT_ATTRIBUTE", args[2])
    if option == b"LIB-NAME":
        session.lib_name = args[3]
    else:
        session.lib_version = args[3]
    return OK


def _own(name: str, arity: int, run: Callable[..., Any], **rest: Any) -> Row:
    """A subcommand that concerns the client itself."""
    return local(
        f"CLIENT {name}",
        arity,
        "noscript loading stale",
        run=run,
        acl="@slow @connection",
        group="connection",
        **rest,
    )


def _admin(name: str, arity: int, run: Callable[..., Any], scope: str = NOTHING, **rest: Any) -> Row:
    """A subcommand that concerns other clients."""
    return multi(
        f"CLIENT {name}",
        arity,
        "admin noscript loading stale",
        run=run,
        scope=scope,
        acl="@admin @slow @dangerous @connection",
        group="connection",
        **rest,
    )


TABLE: tuple[Row, ...] = (
    container(
        "CLIENT",
        -2,
        "",
        _own("GETNAME", 2, run_getname, since="2.6.9", summary="Gives this client's name."),
        help_row("CLIENT", acl="@slow @connection", group="connection"),
        _own("ID", 2, run_id, since="5.0.0", summary="Gives this client's id."),
        _own(
            "INFO",
            2,
            run_info,
            since="6.2.0",
            summary="Describes this client.",
            tips="nondeterministic_output",
        ),
        _admin(
            "KILL",
            -3,
            cmd_kill,
            since="2.4.0",
            syntax="<ip:port|<[ID client-id]|[TYPE <NORMAL|MASTER|SLAVE|REPLICA|PUBSUB>]|[USER username]|"
            "[ADDR ip:port]|[LADDR ip:port]|[SKIPME <YES|NO>]|[MAXAGE maxage]> [<[ID client-id]|"
            "[TYPE <NORMAL|MASTER|SLAVE|REPLICA|PUBSUB>]|[USER username]|[ADDR ip:port]|[LADDR ip:port]|"
            "[SKIPME <YES|NO>]|[MAXAGE maxage]> ...]>",
            summary="Disconnects clients, chosen by address or by filters.",
            complexity="O(N) where N is the number of clients",
        ),
        _admin(
            "LIST",
            -2,
            cmd_list,
            since="2.4.0",
            syntax="[TYPE <NORMAL|MASTER|REPLICA|PUBSUB>] [ID client-id [client-id ...]]",
            summary="Describes clients, one a line.",
            complexity="O(N) where N is the number of clients",
            tips="nondeterministic_output",
        ),
        local(
            "CLIENT NO-EVICT",
            3,
            "admin noscript loading stale",
            run=run_no_evict,
            acl="@admin @slow @dangerous @connection",
            since="7.0.0",
            group="connection",
            syntax="<ON|OFF>",
            summary="Spares this client when clients are evicted.",
        ),
        _own(
            "NO-TOUCH",
            3,
            run_no_touch,
            since="7.2.0",
            syntax="<ON|OFF>",
            summary="Lets this client's reads leave no trace in the keys' idle times.",
        ),
        _admin(
            "PAUSE",
            -3,
            cmd_pause,
            scope=ALL_EXCLUSIVE,
            since="3.0.0",
            syntax="timeout [<WRITE|ALL>]",
            summary="Holds back all commands, or all writes, for so many milliseconds.",
        ),
        _own(
            "REPLY",
            3,
            run_reply,
            since="3.2.0",
            syntax="<ON|OFF|SKIP>",
            summary="Switches replies to this client off and on.",
        ),
        _own(
            "SETINFO",
            4,
            run_setinfo,
            since="7.2.0",
            syntax="<LIB-NAME libname|LIB-VER libver>",
            summary="Tells which library this client uses.",
        ),
        _own(
            "SETNAME",
            3,
            run_setname,
            since="2.6.9",
            syntax="connection-name",
            summary="Gives this client a name.",
        ),
        _admin(
            "UNBLOCK",
            -3,
            cmd_unblock,
            since="5.0.0",
            syntax="client-id [<TIMEOUT|ERROR>]",
            summary="Ends the wait of a client that blocks.",
        ),
        _admin("UNPAUSE", 2, cmd_unpause, since="6.2.0", summary="Ends CLIENT PAUSE."),
        *tracking.ROWS,
        acl="@slow",
        since="2.4.0",
        group="connection",
        summary="Asks about clients and steers them.",
    ),
)
