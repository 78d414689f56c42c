"""The command table of Memcached clients, and the dispatcher of one thread that runs it.

For access rules a command counts as the command of Redis that does the same: a user who may not ``SET`` may
not ``add`` either. And what was taken away from clients of Redis's ports, by ``restricted_commands`` or
``rename_command``, can't be had here by another name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nogil_df.commands.dispatch import Dispatcher
from nogil_df.commands.registry import is_refused, restricted
from nogil_df.memcached import administration, meta, statistics, storage
from nogil_df.memcached.replies import MemcachedEncoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nogil_df.commands.spec import Command, Row
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.vll.proactor import Proactor

ROWS: Final[tuple[Row, ...]] = (*storage.TABLE, *meta.TABLE, *administration.TABLE, *statistics.TABLE)

COUNTS_AS: Final = {
    "GETS": "get",
    "ADD": "set",
    "REPLACE": "set",
    "CAS": "set",
    "TOO-LARGE": "set",
    "GATS": "gat",
    "INCR": "incrby",
    "DECR": "decrby",
    "DELETE": "del",
    "TOUCH": "expire",
    "MG": "gat",
    "MS": "set",
    "MD": "del",
    "MA": "incrby",
    "ME": "object|idletime",
    "MN": "ping",
    "FLUSH_ALL": "flushdb",
    "STATS": "info",
    "VERBOSITY": "config|set",
    "CACHE_MEMLIMIT": "config|set",
    "LRU_CRAWLER": "scan",
    "VERSION": "ping",
    "REFUSE": "ping",
}
"""Command -> the command of Redis that access rules know it as, where the names differ."""


ALWAYS: Final = frozenset(("MN", "VERSION", "REFUSE", "LOG-IN", "QUIT"))
"""Commands that can't be taken away: they touch nothing, or are part of the protocol."""

ALSO: Final = {"FLUSH_ALL": "FLUSHALL", "MG": "GET"}
"""Further commands of Redis without which one of Memcached's is not there."""


def make_dispatcher(proactor: Proactor, state: ThreadState) -> Dispatcher:
    """A thread's dispatcher of Memcached's commands, made after that of Redis's. O(commands)."""
    redis = state.dispatcher.table
    rows = tuple(restricted(row) if is_taken_away(row.name, redis) else row for row in ROWS)
    dispatcher = Dispatcher(proactor, rows, MemcachedEncoder(), state)  # type: ignore[arg-type]
    for command in dispatcher.table.values():
        command.full_name = COUNTS_AS.get(command.name, command.full_name)
    return dispatcher


def is_taken_away(name: str, redis: Mapping[str, Command]) -> bool:
    """Whether clients of Redis's ports may not do what a command of Memcached does. O(1).

    Args:
        redis: their commands, by name.
    """
    if name in ALWAYS:
        return False
    twins = [COUNTS_AS.get(name, name).partition("|")[0].upper(), *([ALSO[name]] if name in ALSO else ())]
    return any(twin not in redis or is_refused(redis[twin].row) for twin in twins)
