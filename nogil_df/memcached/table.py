"""The command table of Memcached clients, and the dispatcher of one thread that runs it.

For access rules a command counts as the command of Redis that does the same: a user who may not ``SET`` may
not ``add`` either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nogil_df.commands.dispatch import Dispatcher
from nogil_df.memcached import administration, meta, statistics, storage
from nogil_df.memcached.replies import MemcachedEncoder

if TYPE_CHECKING:
    from nogil_df.commands.spec import Row
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


def make_dispatcher(proactor: Proactor, state: ThreadState) -> Dispatcher:
    """A thread's dispatcher of Memcached's commands."""
    dispatcher = Dispatcher(proactor, ROWS, MemcachedEncoder(), state)  # type: ignore[arg-type]
    for command in dispatcher.table.values():
        command.full_name = COUNTS_AS.get(command.name, command.full_name)
    return dispatcher
