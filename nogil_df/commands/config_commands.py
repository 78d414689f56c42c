"""CONFIG: read and change the parameters of the running server.

Every thread has a view of its own (`nogil_df.base.config`), so a change visits all of them. Two CONFIG SETs
that come at the same time must end with the same values everywhere: CONFIG SET is a global transaction, whose
first, empty hop gives it its place among the others. Only then are its arguments checked, against values that
nobody else is changing; then every thread takes them over.

What a parameter steers mostly reads it from the view whenever it needs it. The few that keep a copy take it
again in `apply_change`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nogil_df.base import log
from nogil_df.base.config_rewrite import rewrite_file
from nogil_df.base.errors import ReplyError
from nogil_df.commands.acl import user_lines
from nogil_df.commands.help import help_row
from nogil_df.commands.spec import ALL_EXCLUSIVE, NOTHING, Row, container, local, multi
from nogil_df.commands.statistics import reset_statistics
from nogil_df.wire.values import OK

if TYPE_CHECKING:
    from nogil_df.base.config import ConfigChange
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Proactor

Args = list[bytes]

TLS_FAILED = "Unable to update TLS configuration. Check server logs."
_LOOPBACK = ("127.", "[::1]:", "[::ffff:127.")


def run_get(session: Session, args: Args) -> dict[bytes, bytes]:
    """CONFIG GET pattern [pattern...]."""
    return session.dispatcher.config.get(args[2:])


def cmd_set(context: Context, args: Args) -> Steps:
    """CONFIG SET parameter value [parameter value...]: all of them or none."""
    yield from context.all_shards(take_place, None)
    view = context.dispatcher.config
    change = view.prepare_set(args[2:], local=_is_local(context.session))
    if isinstance(change, ReplyError):
        raise change
    _change_process(context, change)
    yield from context.everywhere(apply_change, change)
    yield from context.conclude()
    return OK


def take_place(shard: Shard, argument: None) -> None:
    """The hop that orders changes of the configuration: it only has to be there."""


def _is_local(session: Session) -> bool:
    return session.unix_socket or session.address.startswith(_LOOPBACK)


def _change_process(context: Context, change: ConfigChange) -> None:
    """Change what belongs to the process and not to a thread.

    Raises:
        ReplyError: the certificates can't be used, or the new working directory can't be entered; nothing has
            changed then.
    """
    if any(name.startswith("tls-") for name in change.names):
        # Also for the names that were there before: the files may be new.
        settings = {**context.dispatcher.config.texts, **dict(change.pairs)}
        reason = context.dispatcher.state.server.renew_tls(settings)
        if reason:
            log.warning(f"TLS is as it was: {reason}")
            raise ReplyError("CONFIG_SET_FAILED", change.pairs[0][0], TLS_FAILED)
    for name, text in change.pairs:
        if name == "dir":
            try:
                os.chdir(text)
            except OSError as error:
                raise ReplyError("CONFIG_SET_FAILED", name, error.strerror or str(error)) from None
    for name, text in change.pairs:
        if name == "loglevel":
            log.set_level(text)


def apply_change(proactor: Proactor, change: ConfigChange) -> None:
    """On every thread: take a change over."""
    state = proactor.service
    config = state.config
    config.apply(change)
    state.reconfigure()
    for dispatcher in state.dispatchers:
        dispatcher.reconfigure()
    engine = state.extra.get("engine")
    if engine is not None:
        engine.limit(config.proto_max_bulk_len, config.max_multi_bulk_len)
    engine = state.extra.get("memcached_engine")
    if engine is not None:
        engine.max_item = config.memcached_max_item_size
    state.kick()


def cmd_resetstat(context: Context, args: Args) -> Steps:
    """CONFIG RESETSTAT."""
    yield from context.everywhere(reset_statistics, None)
    context.dispatcher.state.server.connections_rejected = 0
    return OK


def cmd_rewrite(context: Context, args: Args) -> Steps:
    """CONFIG REWRITE: bring the flag file, or redis.conf, up to date."""
    yield from context.all_shards(take_place, None)
    view = context.dispatcher.config
    users = context.dispatcher.state.users
    # As in Redis they are in the file of users, if there is one.
    lines = [] if view.aclfile else [line.decode("utf-8", "surrogateescape") for line in user_lines(users)]
    error = rewrite_file(view, lines)
    if error is not None:
        raise error
    log.notice("CONFIG REWRITE executed with success.")
    yield from context.conclude()
    return OK


def _row(kind: Any, name: str, arity: int, **rest: Any) -> Row:
    return kind(  # type: ignore[no-any-return]
        f"CONFIG {name}",
        arity,
        "admin noscript loading stale",
        acl="@admin @slow @dangerous",
        group="server",
        **rest,
    )


TABLE: tuple[Row, ...] = (
    container(
        "CONFIG",
        -2,
        "",
        _row(
            local,
            "GET",
            -3,
            run=run_get,
            since="2.0.0",
            syntax="parameter [parameter ...]",
            summary="Gives the values of all parameters that match a pattern.",
            complexity="O(N) where N is the number of parameters",
        ),
        help_row("CONFIG"),
        _row(
            multi,
            "RESETSTAT",
            2,
            run=cmd_resetstat,
            scope=NOTHING,
            since="2.0.0",
            summary="Sets the counters that INFO shows back to zero.",
        ),
        _row(
            multi,
            "REWRITE",
            2,
            run=cmd_rewrite,
            scope=ALL_EXCLUSIVE,
            since="2.8.0",
            summary="Writes the parameters as they are now to the file that the server was started with.",
        ),
        _row(
            multi,
            "SET",
            -4,
            run=cmd_set,
            scope=ALL_EXCLUSIVE,
            since="2.0.0",
            syntax="parameter value [parameter value ...]",
            summary="Changes parameters, all of them or none.",
            tips="request_policy:all_nodes response_policy:all_succeeded",
        ),
        acl="@slow",
        since="2.0.0",
        group="server",
        summary="Reads and changes the server's parameters.",
    ),
)
