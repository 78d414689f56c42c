"""Commands about replicas, on a server that has none: WAIT and WAITAOF.

Nobody will ever acknowledge, so whoever waits for more than what there is waits until the time is up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.commands.arguments import integer, milliseconds
from nogil_df.commands.blocking import sleep
from nogil_df.commands.spec import NOTHING, Row, multi

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps

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
)
