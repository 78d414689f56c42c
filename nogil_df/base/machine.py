"""Memory as the machine tells of it: how much there is for this process, and how much it takes.

A container's limit counts for the whole group of processes that it holds; most hold one server. Both
versions of control groups are asked, from the group of this process upwards, since a limit of any group above
holds as well. Where nothing is told the machine's own memory counts. Units are bytes.
"""

from __future__ import annotations

import os

from nogil_df.base.system import machine_bytes, page_bytes, peak_bytes

UNLIMITED = 1 << 60
"""Limits from here on are none: version 1 writes a number near 2**63 for "no limit"."""


def resident() -> int:
    """Bytes of this process in memory now; the most there ever were where /proc does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * page_bytes()
    except OSError:
        return peak_bytes()


class Resident:
    """`resident` for those who ask often: it keeps the file open, which half of the cost is for.

    Any thread may `read`; not in a child process, for the file is that of the process which opened it.
    """

    __slots__ = ("_fd",)

    def __init__(self) -> None:
        try:
            self._fd = os.open("/proc/self/statm", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            self._fd = -1

    def read(self) -> int:
        """Bytes of this process in memory. 5 us."""
        fd = self._fd
        if fd < 0:
            return resident()
        return int(os.pread(fd, 100, 0).split()[1]) * page_bytes()

    def close(self) -> None:
        """Close the file; `read` goes on working, as `resident`."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def system_memory() -> int:
    """Bytes of memory that the machine has; 0 if it does not tell."""
    return machine_bytes()


def usable_memory(root: str = "/") -> int:
    """Bytes that this process may use: the machine's, or less if a control group says so; 0: nobody knows.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    limits = [limit for limit in (system_memory(), *group_limits(root)) if 0 < limit < UNLIMITED]
    return min(limits, default=0)


def group_limits(root: str = "/") -> list[int]:
    """The memory limits of the control groups that this process is in, and of those above them."""
    limits = []
    for line in _lines(os.path.join(root, "proc/self/cgroup")):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            base, name = os.path.join(root, "sys/fs/cgroup"), "memory.max"
        elif "memory" in controllers.split(","):
            base, name = os.path.join(root, "sys/fs/cgroup/memory"), "memory.limit_in_bytes"
        else:
            continue
        parts = [part for part in path.split("/") if part and part != ".."]
        # Inside of a container its own group is mounted at the top, whatever path the kernel tells.
        for depth in range(len(parts), -1, -1):
            text = "".join(_lines(os.path.join(base, *parts[:depth], name))).strip()
            if text.isdigit():
                limits.append(int(text))
    return limits


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
