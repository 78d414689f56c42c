"""Steps of the set-up: commands that may take long, told to the user while they run.

Everything in `tools/` runs on whatever Python 3.8 or newer the machine has, before there is an environment,
so it uses the standard library alone. What is told goes to stderr, one line a piece; the output of a
command goes to a log, and its end is shown when the command fails. What a step lacks is raised as
`Lacking`, one sentence that says what to do, and ends the program with status 1.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Seconds between two lines about a step that is still running.
HEARTBEAT = 20.0
_POLL = 0.1
_LOG_TAIL = 12
# Bytes at the end of a log in which a line with a count is looked for.
_COUNTED_TAIL = 20_000
# Set when whoever waits has had enough: all that runs ends.
_interrupted = threading.Event()
_COUNT = re.compile(r"\[ *\d+/\d+\] ")


class Lacking(Exception):
    """Something the set-up needs is not there; the text names it and the remedy."""


class StepFailed(Lacking):
    """A command failed, took longer than its limit or stopped making progress."""


def say(text: str) -> None:
    """Tell the user one line."""
    print(f"nogil-df: {text}", file=sys.stderr, flush=True)


def cache_dir() -> Path:
    """Where interpreters are kept for all checkouts of this user, made if need be."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(root) / "nogil-df"
    path.mkdir(parents=True, exist_ok=True)
    return path


def cpus() -> int:
    """The CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def run_step(
    what: str,
    command: Sequence[str],
    log: Path,
    limit: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    quiet_limit: float | None = None,
    progress: Callable[[], int] | None = None,
    counts: bool = False,
) -> None:
    """Run `command`; tell that it started, that it goes on, and the end of its log when it fails.

    With `counts` the command numbers what it does, in lines like `[ 3/75] ...`; the last one is told, too.
    `limit` bounds it in seconds. With `quiet_limit`, in seconds too, it also ends once `progress()` has not
    changed for that long. Raises `StepFailed`.
    """
    say(what)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(os.environ, **(env or {})),
            start_new_session=True,
        )
        try:
            reason = _watch(process, what, limit, quiet_limit, progress, log if counts else None)
        except BaseException:
            _end(process)
            raise
    if reason or process.returncode:
        reason = reason or f"{command[0]} ended with status {process.returncode}"
        raise StepFailed(f"{what}: {reason}; the end of {log}:\n{_tail(log)}")


def _watch(
    process: subprocess.Popen[bytes],
    what: str,
    limit: float,
    quiet_limit: float | None,
    progress: Callable[[], int] | None,
    counted: Path | None,
) -> str:
    """Wait for the end of `process`; the reason for which it was ended before, or an empty text."""
    started = told = changed = time.monotonic()
    seen = progress() if progress else 0
    while process.poll() is None:
        time.sleep(_POLL)
        if _interrupted.is_set():
            raise KeyboardInterrupt
        now = time.monotonic()
        if progress and (measure := progress()) != seen:
            seen, changed = measure, now
        if now - started > limit:
            _end(process)
            return f"not done in {limit:.0f} s"
        if quiet_limit is not None and now - changed > quiet_limit:
            _end(process)
            return f"nothing came for {quiet_limit:.0f} s"
        if now - told > HEARTBEAT:
            told = now
            say(f"  still at it after {now - started:.0f} s: {_last_count(counted) if counted else what}")
    return ""


def side_by_side(here: Callable[[], None], aside: Callable[[], None]) -> None:
    """Run two tasks at the same time, one of them on a thread of its own.

    What becomes of one is nothing to the other: both come to their ends, and then what failed is raised. An
    interrupt ends what both of them run.
    """
    failures: list[BaseException] = []

    def carry_out(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as failure:
            failures.append(failure)
            if not isinstance(failure, Exception):
                _interrupted.set()

    thread = threading.Thread(target=carry_out, args=(aside,))
    thread.start()
    try:
        carry_out(here)
        thread.join()
    except KeyboardInterrupt:
        _interrupted.set()
        thread.join()
        raise
    finally:
        _interrupted.clear()
    if failures:
        raise failures[0]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and all it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_count(log: Path) -> str:
    """The last line of a log that numbers what is done, of those at its end."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _COUNTED_TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line for line in reversed(lines) if _COUNT.match(line)), "at the beginning")


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join("    " + line for line in lines[-_LOG_TAIL:])


def exit_code(main: Callable[[], None]) -> int:
    """Run a program of this directory: 0, or 1 after telling what is lacking, or 130 when interrupted."""
    try:
        main()
    except Lacking as lacking:
        say(str(lacking))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
