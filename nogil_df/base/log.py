"""The log of the process: lines to stderr, to a file in `log_dir`, or both.

Four levels, debug < verbose < notice < warning, and lines as Redis writes them, so that what reads Redis's
logs reads these: `1234:M 23 Nov 2026 00:01:42.229 * message`, the mark being `.`, `-`, `*` or `#`.

There is one log a process, as there is one stderr; it starts out on stderr at level notice, and `open_log`
moves it to where the flags say. Any thread may log, and so may a signal handler: a lock keeps lines whole,
and lets its holder in again. It is the only lock a shard thread may ever wait for, so hot paths do not log;
code that would have to build a costly message asks `enabled` first. A log that cannot be written to (disk
full, closed pipe) loses lines and stops nothing.

Messages hold what clients sent. Whatever that is, it begins no line of the log and commands no terminal:
control characters are written as escapes, and further lines of a message, as tracebacks have them, are
indented.
"""

from __future__ import annotations

import os
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from nogil_df.base.flags import Options

DEBUG, VERBOSE, NOTICE, WARNING = range(4)
LEVELS = {"debug": DEBUG, "verbose": VERBOSE, "notice": NOTICE, "warning": WARNING}
MARKS = ".-*#"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

FILE_NAME = "nogil-df.log"
OLD_FILES = 5
"""How many rotated files are kept, as `nogil-df.log.1` (the youngest) and so on."""


_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_ESCAPES[ord("\n")] = "\n    "


def format_line(level: int, message: str, now: float) -> str:
    """One line of the log without its end; `now` is in seconds since 1970. O(message)."""
    if not message.isprintable():
        message = message.rstrip("\n").translate(_ESCAPES)
    at = time.localtime(now)
    stamp = (
        f"{at.tm_mday:02} {MONTHS[at.tm_mon - 1]} {at.tm_year} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    )
    return f"{os.getpid()}:M {stamp}.{int(now * 1000) % 1000:03} {MARKS[level]} {message}"


class RotatingFile:
    """A log file that is renamed when it has grown to `limit` bytes; the oldest of the renamed ones goes."""

    __slots__ = ("_file", "_limit", "_path", "_size")

    def __init__(self, path: str, limit: int) -> None:
        """Raises OSError if the file cannot be opened."""
        self._path = path
        self._limit = limit
        self._open()

    def _open(self) -> None:
        self._file = open(self._path, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        self._size = self._file.tell()

    def write(self, line: str) -> None:
        """Append a line; raises OSError or ValueError (closed)."""
        size = len(line.encode("utf-8", "backslashreplace"))
        if self._size and self._size + size > self._limit:
            self._rotate()
        self._file.write(line)
        self._file.flush()
        self._size += size

    def _rotate(self) -> None:
        self._file.close()
        for number in range(OLD_FILES - 1, 0, -1):
            if os.path.exists(f"{self._path}.{number}"):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")
        self._open()

    def close(self) -> None:
        """Close the file; the log must not be written to afterwards."""
        self._file.close()


class ReopenedFile:
    """A log file that is opened for each line, as redis-server does: whoever rotates logs may rename it."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        """Raises OSError if the file cannot be opened."""
        self._path = os.path.abspath(path)
        self.write("")

    def write(self, text: str) -> None:
        """Append whole lines. Raises OSError."""
        with open(self._path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)

    def close(self) -> None:
        """Nothing is open."""


class Log:
    """Where lines go and which do. `level` may be changed at any time; the rest by `open` and `close`."""

    __slots__ = ("_file", "_lock", "_now", "_stderr", "level")

    def __init__(self, stderr: IO[str] | None = None, now: Callable[[], float] = time.time) -> None:
        """`stderr`: a stream instead of whatever `sys.stderr` is when a line is written; `now`: the time."""
        self.level = NOTICE
        self._stderr: IO[str] | bool | None = True if stderr is None else stderr
        self._file: RotatingFile | ReopenedFile | None = None
        self._lock = threading.RLock()
        self._now = now

    def open(self, options: Options) -> None:
        """Log where and what the flags say. Raises OSError if the file cannot be opened."""
        self.level = level_of(options)
        file: RotatingFile | ReopenedFile | None = None
        if options.logfile and not options.logtostderr:
            file = ReopenedFile(options.logfile)
        elif options.log_dir and not options.logtostderr:
            os.makedirs(options.log_dir, exist_ok=True)
            file = RotatingFile(os.path.join(options.log_dir, FILE_NAME), options.max_log_size << 20)
        with self._lock:
            old, self._file = self._file, file
            if file is not None and not options.alsologtostderr:
                self._stderr = None
            elif self._stderr is None:
                self._stderr = True
        if old is not None:
            old.close()

    def close(self) -> None:
        """Close the log file, if there is one, and go back to stderr."""
        with self._lock:
            old, self._file = self._file, None
            if self._stderr is None:
                self._stderr = True
        if old is not None:
            old.close()

    def write(self, level: int, message: str) -> None:
        """Write one message at `level`, if that is not below the level of the log."""
        if level < self.level:
            return
        line = format_line(level, message, self._now()) + "\n"
        with self._lock:
            stderr = sys.stderr if self._stderr is True else self._stderr
            if stderr:
                _try_to_write(stderr, line)
            if self._file is not None:
                _try_to_write(self._file, line)


def _try_to_write(target: IO[str] | RotatingFile | ReopenedFile, line: str) -> None:
    try:
        target.write(line)
        if not isinstance(target, RotatingFile | ReopenedFile):
            target.flush()
    except (
        OSError,
        ValueError,
        RuntimeError,
    ):  # RuntimeError: a signal handler logs into a half written line
        return


def level_of(options: Options) -> int:
    """The level that the flags ask for: loglevel, or else v; minloglevel silences all but warnings."""
    level = LEVELS[options.loglevel]
    if "loglevel" not in options.given and options.v > 0:
        level = VERBOSE if options.v == 1 else DEBUG
    return WARNING if options.minloglevel > 0 else level


LOG = Log()
"""The log of this process."""


def open_log(options: Options) -> None:
    """Send the log of this process where the flags say. Raises OSError if its file cannot be opened."""
    LOG.open(options)


def close_log() -> None:
    """Close the log file of this process; what is logged afterwards goes to stderr."""
    LOG.close()


def set_level(name: str) -> None:
    """Change what is logged, by the name of a level; for CONFIG SET loglevel."""
    LOG.level = LEVELS[name]


def enabled(level: int) -> bool:
    """True if a message of this level would be written."""
    return level >= LOG.level


def debug(message: str) -> None:
    """What only helps whoever works on the server."""
    LOG.write(DEBUG, message)


def verbose(message: str) -> None:
    """What is rarely useful, and there may be a lot of it: clients that come and go."""
    LOG.write(VERBOSE, message)


def notice(message: str) -> None:
    """What an operator wants to know: start, stop, saves."""
    LOG.write(NOTICE, message)


def warning(message: str) -> None:
    """What an operator has to know: failures, unsafe settings."""
    LOG.write(WARNING, message)


def banner(addresses: list[str], threads: int, shards: int) -> None:
    """Log what has started: version, process id, interpreter and GIL, threads, where it listens."""
    from nogil_df import __version__
    from nogil_df.base.interpreter import describe

    notice(f"nogil-df {__version__} started, pid {os.getpid()}")
    notice(f"{describe()}; {_count(threads, 'thread')}, {_count(shards, 'shard')}")
    notice("listening on " + (", ".join(addresses) or "nothing"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
