"""MONITOR. What is shown, and how it gets there, is the matter of `nogil_df.commands.monitors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogil_df.base.errors import ReplyError
from nogil_df.commands.monitors import announce_monitor, note_monitors
from nogil_df.commands.spec import NOTHING, Row, multi
from nogil_df.wire.values import NO_REPLY, OK

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps


def cmd_monitor(context: Context, args: list[bytes]) -> Steps:
    """MONITOR: every thread shows its commands before this one is answered."""
    session = context.session
    if context.nested:
        raise ReplyError("MONITOR_DENY_BLOCKING")
    if session.monitor:
        return NO_REPLY
    proactor = context.proactor
    yield from context.everywhere(announce_monitor, (proactor.index, 1))
    if session.closed:
        proactor.broadcast((note_monitors, proactor.index, -1))
        return NO_REPLY
    session.monitor = True
    session.refresh_special()
    session.dispatcher.state.monitors.sessions[session] = None
    return OK


TABLE: tuple[Row, ...] = (
    multi(
        "MONITOR",
        1,
        "admin noscript loading stale",
        run=cmd_monitor,
        scope=NOTHING,
        acl="@admin @slow @dangerous",
        since="1.0.0",
        group="server",
        summary="Shows every command that the server runs.",
    ),
)
