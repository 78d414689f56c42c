"""Files that are either there whole or not at all.

Written aside, under a name of their own in the same directory; synced; renamed over what was there; and then
the directory is synced, for a name is data of its directory. A crash at any moment leaves the old file or the
new one. What a crash left aside is swept away by the next save; a process that still lives keeps its own.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final

from nogil_df.base.system import begin_to_sync, sync_directory

SYNC_EVERY: Final = 8 << 20
"""Bytes after which the system is told to begin with them, so that the sync at the end has little left.
Nobody waits for it: a writer that did would hold up the shards."""


class AsideFile:
    """A file being written aside.

    Args:
        path: where it belongs.

    Attributes:
        size: bytes written so far.

    Raises:
        OSError: here and in all methods: the disk is full, the directory may not be written...
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.aside = f"{path}.tmp-{os.getpid()}"
        self.size = 0
        self._unsynced = 0
        self._file = open(self.aside, "wb", buffering=0)  # noqa: SIM115

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append. O(data)."""
        view = memoryview(data)
        size = len(view)
        done = 0
        while done < size:
            done += self._file.write(view[done:]) or 0
        self.size += size
        self._unsynced += size
        if self._unsynced >= SYNC_EVERY:
            begin_to_sync(self._file.fileno(), self.size - self._unsynced, self._unsynced)
            self._unsynced = 0

    def commit(self) -> None:
        """Make it safe, and put it in its place."""
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.aside, self.path)
        sync_directory(os.path.dirname(self.path))

    def abandon(self) -> None:
        """Leave no trace of it. Idempotent; does nothing once it is in its place."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.aside)


def is_left(pid: int) -> bool:
    """Whether what a process has aside was left there by a crash. Our own saves are known to be over."""
    return pid == os.getpid() or not _lives(pid)


def _lives(pid: int) -> bool:
    if os.name == "nt":
        return True  # Signal 0 is Ctrl-C there.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
