"""The whole command table: the rows of all families, after the flags that rename or alias commands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nogil_df.base.errors import ReplyError
from nogil_df.base.flags import FlagError
from nogil_df.commands import (
    acl,
    bitfield,
    bitmaps,
    client,
    cluster,
    command,
    config_commands,
    connection,
    databases,
    debug,
    dump,
    expiry_commands,
    functions,
    generic,
    geo,
    hashes,
    hashes_expiry,
    hotkeys,
    hyperloglog,
    info,
    latency,
    lcs,
    lists,
    lists_blocking,
    lists_multi,
    memory_commands,
    migrate,
    monitor,
    object,
    persistence,
    pubsub,
    replication,
    scan,
    scripting,
    server_commands,
    sets,
    sets_multi,
    slowlog,
    sort,
    sorted_sets,
    sorted_sets_blocking,
    sorted_sets_multi,
    sorted_sets_ranges,
    streams,
    streams_claim,
    streams_groups,
    streams_info,
    streams_read,
    streams_references,
    strings,
    strings_multi,
    strings_numeric,
    throttle,
    transactions,
    vectors,
)
from nogil_df.commands.spec import Row

if TYPE_CHECKING:
    from nogil_df.base.flags import Options
    from nogil_df.commands.session import Session

FAMILIES = (
    strings,
    strings_numeric,
    strings_multi,
    throttle,
    lcs,
    bitmaps,
    bitfield,
    hyperloglog,
    lists,
    lists_multi,
    lists_blocking,
    sets,
    sets_multi,
    hashes,
    hashes_expiry,
    sorted_sets,
    sorted_sets_ranges,
    sorted_sets_multi,
    sorted_sets_blocking,
    streams,
    streams_read,
    streams_references,
    streams_groups,
    streams_claim,
    streams_info,
    geo,
    vectors,
    generic,
    dump,
    migrate,
    sort,
    expiry_commands,
    scan,
    databases,
    object,
    transactions,
    scripting,
    functions,
    connection,
    acl,
    client,
    monitor,
    pubsub,
    command,
    config_commands,
    info,
    server_commands,
    persistence,
    replication,
    cluster,
    hotkeys,
    slowlog,
    latency,
    memory_commands,
    debug,
)
"""Modules with a ``TABLE`` of rows."""


def all_rows() -> tuple[Row, ...]:
    """Every command of every family. O(commands)."""
    return tuple(row for family in FAMILIES for row in family.TABLE)


def rows_for(options: Options) -> tuple[Row, ...]:
    """The table of a server: `all_rows` after `rename_command` and `command_alias`.

    Raises:
        FlagError: a flag names a command that does not exist.
    """
    rows = {row.name: row for row in all_rows()}
    for old, new in options.rename_command:
        row = rows.pop(old.upper(), None)
        if row is None:
            raise FlagError(f"--rename_command: no such command {old!r}")
        if new.upper() in rows:
            raise FlagError(f"--rename_command: there is a command {new!r} already")
        if new:
            rows[new.upper()] = replace(row, name=new.upper())
    for alias, name in options.command_alias:
        target = rows.get(name.upper())
        if target is None:
            raise FlagError(f"--command_alias: no such command {name!r}")
        rows[alias.upper()] = replace(target, name=alias.upper())
    for name in options.restricted_commands:
        row = rows.get(name)
        if row is None:
            raise FlagError(f"--restricted_commands: no such command {name!r}")
        rows[name] = restricted(row)
    return tuple(rows.values())


def restricted(row: Row) -> Row:
    """A row as clients of an ordinary port see it who may not use the command. O(1)."""
    return Row(
        row.name,
        -1,
        row.flags,
        acl=row.acl,
        since=row.since,
        group=row.group,
        syntax=row.syntax,
        summary=row.summary,
        run=refuse,
    )


def is_refused(row: Row) -> bool:
    """Whether a row is one that `restricted` made. O(1)."""
    return row.run is refuse


def refuse(session: Session, args: list[bytes]) -> ReplyError:
    """What a restricted command answers."""
    return ReplyError("RESTRICTED")
