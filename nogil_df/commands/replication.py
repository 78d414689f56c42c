"""Commands about replicas and modules, on a server that has none of either.

What a lone master of Redis answers, this one does, word for word: REPLICAOF NO ONE changes nothing, FAILOVER
finds nobody to fail over to, and whoever waits for replicas to acknowledge waits until the time is up. What
would make it a replica, or a replica's master, is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.arguments import integer, milliseconds
from nogil_df.commands.blocking import sleep
from nogil_df.commands.help import help_row
from nogil_df.commands.spec import NOTHING, Row, container, local, multi
from nogil_df.wire.values import OK, Raw

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session

Args = list[bytes]


def cmd_wait(context: Context, args: Args) -> Steps:
    """WAIT numreplicas timeout: how many replicas have what this client wrote."""
    wanted = integer(args[1])
    timeout = milliseconds(args[2])
    if wanted > 0 and not context.nested:
        yield from sleep(context, timeout / 1000)
    return 0


def cmd_waitaof(context: Context, args: Args) -> Steps:
    """WAITAOF numlocal numreplicas timeout: [here, replicas] that have it in a file; there is none."""
    local = integer(args[1])
    replicas = integer(args[2])
    timeout = milliseconds(args[3])
    if not 0 <= local <= 1:
        raise ReplyError("NOT_IN_RANGE", 0, 1)
    if replicas < 0:
        raise ReplyError("NOT_POSITIVE")
    if local:
        raise ReplyError("WAITAOF_WITHOUT_AOF")
    if replicas and not context.nested:
        yield from sleep(context, timeout / 1000)
    return [0, 0]


def run_replicaof(session: Session, args: Args) -> Any:
    """REPLICAOF NO ONE, which it is; REPLICAOF host port, which it can't be.

    Raises:
        ReplyError.
    """
    if (args[1].upper(), args[2].upper()) == (b"NO", b"ONE"):
        return OK
    port = parse_int(args[2])
    if port is None or not 0 <= port <= 65535:
        raise ReplyError("REPLICAOF_PORT")
    raise ReplyError("NO_REPLICATION", "be a replica")


def run_failover(session: Session, args: Args) -> Any:
    """FAILOVER: the errors of a master without replicas.

    Raises:
        ReplyError: always.
    """
    if len(args) == 2 and args[1].upper() == b"ABORT":
        raise ReplyError("FAILOVER_NOT_UNDER_WAY")
    at = 1
    while at < len(args):
        word = args[at].upper()
        more = len(args) - at - 1
        if word == b"TIMEOUT" and more:
            if integer(args[at + 1]) <= 0:
                raise ReplyError("FAILOVER_TIMEOUT")
            at += 2
        elif word == b"TO" and more >= 2:
            integer(args[at + 2])
            at += 3
        elif word == b"FORCE":
            at += 1
        else:
            raise ReplyError("SYNTAX")
    raise ReplyError("FAILOVER_NO_REPLICAS")


NO_REPLY = Raw(b"")


def run_replconf(session: Session, args: Args) -> Any:
    """REPLCONF option value...: what a replica tells of itself; ACK and GETACK are not answered.

    Raises:
        ReplyError.
    """
    if len(args) % 2 == 0:
        raise ReplyError("SYNTAX")
    for at in range(1, len(args), 2):
        word, value = args[at].upper(), args[at + 1]
        if word == b"LISTENING-PORT":
            integer(value)
        elif word == b"RDB-ONLY":
            if not 0 <= integer(value) <= 1:
                raise ReplyError("NOT_IN_RANGE", 0, 1)
        elif word == b"RDB-FILTER-ONLY":
            for part in value.split():
                if part != b"functions":
                    raise ReplyError("REPLCONF_FILTER", part)
        elif word in (b"ACK", b"GETACK"):
            return NO_REPLY
        elif word not in (b"IP-ADDRESS", b"CAPA"):
            raise ReplyError("REPLCONF_OPTION", args[at])
    return OK


def run_sync(session: Session, args: Args) -> Any:
    """SYNC, PSYNC: refused.

    Raises:
        ReplyError: always.
    """
    if len(args) > 2:
        integer(args[2])
    raise ReplyError("NO_REPLICATION", "have replicas")


def run_module(session: Session, args: Args) -> Any:
    """MODULE LOAD, LOADEX, UNLOAD: refused, as by a Redis that was not told to allow them.

    Raises:
        ReplyError: always.
    """
    raise ReplyError("COMMAND_DISABLED", "MODULE", "enable-module-command")


def run_module_list(session: Session, args: Args) -> list[Any]:
    """MODULE LIST: none are loaded."""
    return []


def _admin(name: str, arity: int, flags: str, run: Any, since: str, syntax: str, summary: str) -> Row:
    """The row of a command that administers replicas or modules."""
    return local(
        name,
        arity,
        f"admin noscript {flags}".rstrip(),
        run=run,
        acl="@admin @dangerous @slow",
        since=since,
        group="server",
        syntax=syntax,
        summary=summary,
    )


def _row(name: str, arity: int, run: Any, **rest: Any) -> Row:
    return multi(
        name,
        arity,
        "blocking",
        run=run,
        scope=NOTHING,
        acl="@slow @blocking @connection",
        group="generic",
        tips="request_policy:all_shards response_policy:agg_min",
        **rest,
    )


TABLE: tuple[Row, ...] = (
    _row(
        "WAIT",
        3,
        cmd_wait,
        since="3.0.0",
        syntax="numreplicas timeout",
        summary="Waits until so many replicas have what this client wrote.",
    ),
    _row(
        "WAITAOF",
        4,
        cmd_waitaof,
        since="7.2.0",
        syntax="numlocal numreplicas timeout",
        summary="Waits until what this client wrote is in append-only files.",
    ),
    _admin(
        "REPLICAOF",
        3,
        "no_async_loading stale",
        run_replicaof,
        "5.0.0",
        "<host port|NO ONE>",
        "Makes the server a replica of another one, or a master.",
    ),
    _admin(
        "SLAVEOF",
        3,
        "no_async_loading stale",
        run_replicaof,
        "1.0.0",
        "<host port|NO ONE>",
        "An older name of REPLICAOF.",
    ),
    _admin(
        "FAILOVER",
        -1,
        "stale",
        run_failover,
        "6.2.0",
        "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]",
        "Hands the part of the master over to a replica.",
    ),
    _admin(
        "REPLCONF",
        -1,
        "allow_busy loading stale",
        run_replconf,
        "3.0.0",
        "",
        "What replicas and masters tell each other about themselves.",
    ),
    _admin("SYNC", 1, "no_async_loading no_multi", run_sync, "1.0.0", "", "Asks for all data and changes."),
    _admin(
        "PSYNC",
        -3,
        "no_async_loading no_multi",
        run_sync,
        "2.8.0",
        "replicationid offset",
        "Asks for all changes since a moment.",
    ),
    container(
        "MODULE",
        -2,
        "",
        _admin("MODULE LIST", 2, "", run_module_list, "4.0.0", "", "Lists the modules that are loaded."),
        _admin(
            "MODULE LOAD",
            -3,
            "no_async_loading",
            run_module,
            "4.0.0",
            "path [arg [arg ...]]",
            "Loads a module; never allowed.",
        ),
        _admin(
            "MODULE LOADEX",
            -3,
            "no_async_loading",
            run_module,
            "7.0.0",
            "path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]",
            "Loads a module with parameters; never allowed.",
        ),
        _admin(
            "MODULE UNLOAD",
            3,
            "no_async_loading",
            run_module,
            "4.0.0",
            "name",
            "Unloads a module; never allowed.",
        ),
        help_row("MODULE"),
        acl="@slow",
        since="4.0.0",
        group="server",
        summary="Commands about modules.",
    ),
)
