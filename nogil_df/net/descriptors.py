"""File descriptors: as many as `maxclients` needs, or as many clients as there are descriptors for.

The soft limit of a process is often 1024 where the hard limit is far above; whoever wants to serve more
clients raises it, as redis-server does at its start.
"""

from __future__ import annotations

import resource

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
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + beside
    if soft != resource.RLIM_INFINITY and soft < needed:
        better = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (better, hard))
            soft = better
        except (OSError, ValueError):
            # macOS has a bound of its own below a hard limit of "infinity".
            soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - beside))
