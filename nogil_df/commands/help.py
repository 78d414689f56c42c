"""HELP subcommands: the lines are made of the rows, so they can't disagree with what there is.

Redis's form: a first line that names the command, then for each subcommand its syntax and, indented, what it
does; all of them statuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.commands.spec import Row, local
from nogil_df.wire.values import Simple

if TYPE_CHECKING:
    from nogil_df.commands.session import Session


def run_help(session: Session, args: list[bytes]) -> Any:
    """The help of the container command that ``args[0]`` names. O(subcommands)."""
    command = session.dispatcher.commands[args[0]]
    lines = [f"{command.name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for child in sorted(command.subcommands.values(), key=_order):
        word = child.name.split(" ", 1)[1]
        lines += [f"{word} {child.row.syntax}".rstrip(), f"    {child.row.summary}"]
    return [Simple(line.encode()) for line in lines]


def _order(command: Any) -> tuple[bool, str]:
    return command.name.endswith(" HELP"), command.name


def help_row(parent: str, *, acl: str = "@slow", since: str = "5.0.0", group: str = "server") -> Row:
    """The row of a container's HELP."""
    return local(
        f"{parent} HELP",
        2,
        "loading stale",
        run=run_help,
        acl=acl,
        since=since,
        group=group,
        summary="Lists the subcommands.",
    )
