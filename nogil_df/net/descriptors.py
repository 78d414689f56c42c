"""File descriptors: as many as `maxclients` needs, or as many clients as there are descriptors for.

The soft limit of a process is often 1024 where the hard limit is far above; whoever wants to serve more
clients raises it, as redis-server does at its start.
"""

from __future__ import annotations

from nogil_df.base.system import allow_open_files

RESERVED = 32
"""Descriptors kept for everything that is no client: listeners, wake-ups, files, the log. Redis's figure."""

PER_THREAD = 4
"""Descriptors of a thread: its poller, its waker (two where there is no eventfd), one to spare."""


def allow_clients(wanted: int, threads: int) -> int:
    """Raise this process's soft limit so that ``wanted`` clients have descriptors, as far as it may.

    Returns:
        How many clients there are descriptors for, at most ``wanted``.
    """
    beside = RESERVED + PER_THREAD * threads
    limit = allow_open_files(wanted + beside)
    return wanted if limit is None else max(1, min(wanted, limit - beside))
