"""What the operating system tells and does, and what stands in for it where it does not.

The reference is Linux. macOS has no /proc, no eventfd and no CPU times by thread; Windows has no `resource`,
no unix sockets, no `sysconf`, and can't open directories. All that differs is asked here, or in
`nogil_df.net` where it is about sockets: nothing else of the package imports a module or calls a function
that only some systems have.
"""

from __future__ import annotations

import contextlib
import os
import platform
import struct
import sys
import threading
import time
from typing import Any, Final

resource: Any
try:
    import resource
except ImportError:  # Windows
    resource = None


def peak_bytes() -> int:
    """The most bytes of this process that were ever in memory; 0 where the system does not tell."""
    if resource is None:
        return 0
    # Kilobytes, but bytes on macOS.
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def page_bytes() -> int:
    """Bytes of a page of memory."""
    return os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def machine_bytes() -> int:
    """Bytes of memory that the machine has; 0 if the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * page_bytes()
    except (AttributeError, OSError, ValueError):
        return 0


def cpu_seconds() -> tuple[float, float]:
    """Seconds that this process has spent in its own code and in the system's."""
    times = os.times()
    return times.user, times.system


def cpu_seconds_of_children() -> tuple[float, float]:
    """The same of child processes that have ended."""
    times = os.times()
    return times.children_user, times.children_system


def cpu_seconds_of_thread() -> tuple[float, float]:
    """The same of the calling thread; where only their sum is known, as its own code's."""
    if resource is not None and hasattr(resource, "RUSAGE_THREAD"):
        usage = resource.getrusage(resource.RUSAGE_THREAD)
        return usage.ru_utime, usage.ru_stime
    return time.thread_time() if hasattr(time, "thread_time") else time.process_time(), 0.0


def allow_open_files(needed: int) -> int | None:
    """Raise this process's limit on open files to ``needed``, as far as it may.

    Returns:
        The limit now; None if there is none, or the system does not tell.
    """
    if resource is None:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        better = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (better, hard))
            soft = better
        except (OSError, ValueError):
            # macOS has a bound of its own below a hard limit of "infinity".
            soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else int(soft)


def system_name() -> str:
    """The system, as INFO shows it: ``Linux 6.1.0 x86_64``."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def host_name() -> str:
    """What this machine calls itself."""
    return platform.node()


SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274}
"""Numbers of the system call; older C libraries have no function for it."""

SCHED_ATTR: Final = struct.Struct("IIQiIQQQII")
"""Its size, policy, flags, nice value, priority; nanoseconds of a time slice, two more times; two clamps."""


def step_back(steps: int, slice_ns: int) -> None:
    """Let the calling thread get less of a busy CPU than the others, and in short slices; it can't be undone.

    Only on Linux, where threads have priorities of their own.

    Args:
        steps: each is worth about a fifth of the time.
        slice_ns: nanoseconds that it may run at a stretch while others want the CPU: who wakes up there waits
            that long. Linux allows 0.1 ms and more from 6.12 on, and takes no notice before.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        own = threading.get_native_id()
        nice = os.getpriority(os.PRIO_PROCESS, own) + steps
        os.setpriority(os.PRIO_PROCESS, own, nice)
        _set_slice(min(nice, 19), slice_ns)


def _set_slice(nice: int, slice_ns: int) -> None:
    number = SCHED_SETATTR.get(platform.machine())
    if number is None:
        return
    # A thread that saves is the only one that needs it, and not every system has it.
    try:
        import ctypes

        call = ctypes.CDLL(None).syscall
    except (ImportError, OSError, AttributeError):
        return
    attributes = SCHED_ATTR.pack(SCHED_ATTR.size, 0, 0, nice, 0, slice_ns, 0, 0, 0, 0)
    # What it returns does not matter: where it is refused the thread has its priority alone.
    call(ctypes.c_long(number), ctypes.c_long(0), ctypes.c_char_p(attributes), ctypes.c_long(0))


def begin_to_sync(descriptor: int, start: int, size: int) -> None:
    """Have a part of a file written to the disk that nobody will read soon, without waiting for it.

    Where the system has no such call, it waits.
    """
    if hasattr(os, "posix_fadvise"):
        # Linux begins to write what has changed, and forgets what has not.
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)
    else:
        sync_data(descriptor)


def sync_data(descriptor: int) -> None:
    """Make what was written to a file safe. Raises OSError."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def sync_directory(path: str) -> None:
    """Make the names in a directory safe, where directories can be opened. Raises OSError."""
    if os.name == "nt":
        return
    descriptor = os.open(path or ".", os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
