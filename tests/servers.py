"""Servers as subprocesses for tests: a real redis-server, and nogil-df with a chosen number of shard threads.

Both are context managers with the same face (`host`, `port`, `connect`, `flush`, `stop`), so that a test
can be written once and run against either. Invariants: the port is free when taken (a lost race is
retried), nothing is written outside a temporary directory, readiness is seen by PING answering and not by
waiting, the process is ended by its own pid, and a server that does not exit with status 0 fails the test
that owns it, with the end of its log.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tests.patience import PATIENCE
from tests.resp import Connection, Reply

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
_ATTEMPTS = 5
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_WORKERS = 32
# How long to block in connect() retries between looks at whether the process still lives, in seconds.
_PROBE_INTERVAL = 0.02


class ServerFailure(Exception):
    """A server did not start, or did not stop with exit status 0."""


def _candidates() -> Iterator[int]:
    """Ports for servers, each once before any comes again.

    The kernel gives ports to connections from 32768 on, by the thousand in some tests; of those below, the
    processes of one test run have each their own. Browsers refuse to connect to 10080.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    ports = list(range(11_000 + worker, 32_000, _WORKERS))
    # Other runs on this machine begin elsewhere.
    random.SystemRandom().shuffle(ports)
    return itertools.cycle(ports)


_PORTS = _candidates()


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise AssertionError("unreachable")


def _end_with_parent() -> None:
    """In the child: be killed when the test process ends without stopping it (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A server process listening on loopback. Subclasses say which command line starts it.

    Args: `flags` are appended to the command line, `before` (a configuration file) goes ahead of all others.
    `env` is added to the environment.
    """

    name = "server"

    def __init__(self, *flags: str, env: dict[str, str] | None = None, before: Sequence[str] = ()) -> None:
        self.flags = flags
        self.before = before
        self.env = env or {}
        self.host = HOST
        self.port = 0
        self.directory = Path()
        self.process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._control: Connection | None = None

    def command_line(self) -> list[str]:
        """The program and its arguments for `self.port` and `self.directory`."""
        raise TypeError(f"{type(self).__name__} does not say how it is started")

    def environment(self) -> dict[str, str]:
        """The environment of the process."""
        return {**os.environ, **self.env}

    @property
    def log_path(self) -> Path:
        """What the process wrote to stdout and stderr."""
        return self.directory / "server.log"

    @property
    def pid(self) -> int:
        """The pid of the running process."""
        assert self.process is not None, "not started"
        return self.process.pid

    def log_tail(self, size: int = 4000) -> str:
        """The last `size` bytes of the log."""
        return self.log_path.read_bytes()[-size:].decode(errors="replace") if self.log_path.exists() else ""

    def start(self) -> Server:
        """Start and wait until PING is answered. Raises `ServerFailure` with the log's end."""
        for attempt in range(_ATTEMPTS):
            self.port = free_port()
            self.directory = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
            self._log = self.log_path.open("wb")
            self.process = subprocess.Popen(
                self.command_line(),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                cwd=self.directory,
                env=self.environment(),
                preexec_fn=_end_with_parent,
            )
            wrong = self._wait_until_ready()
            if not wrong:
                return self
            tail = self.log_tail()
            self._discard()
            if "in use" not in tail or attempt == _ATTEMPTS - 1:
                command = " ".join(self.command_line())
                raise ServerFailure(f"{self.name} did not start: {wrong}: {command}\n{tail}")
        raise AssertionError("unreachable")

    def _wait_until_ready(self) -> str:
        """What is wrong; "" once it answers."""
        process = self.process
        assert process is not None
        deadline = time.monotonic() + PATIENCE
        last = "nothing"
        while time.monotonic() < deadline:
            try:
                with Connection(self.host, self.port, timeout=PATIENCE) as probe:
                    reply = probe.execute("PING")
                    if reply == Reply("+", b"PONG"):
                        status = process.poll()
                        return (
                            "" if status is None else f"another server answers, this one ended with {status}"
                        )
                    last = str(reply)
            except (ConnectionError, TimeoutError) as error:
                last = str(error) or type(error).__name__
            try:
                process.wait(_PROBE_INTERVAL)
            except subprocess.TimeoutExpired:
                continue
            return f"it ended with status {process.returncode}"
        return f"no PONG after {PATIENCE:.0f} s, the last answer was {last}"

    def stop(self) -> None:
        """SIGTERM, wait, and require exit status 0. Does nothing when it is stopped already."""
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status: int | None = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = None
        tail = self.log_tail()
        self._discard()
        if status != 0:
            what = "did not stop at SIGTERM" if status is None else f"exited with status {status}"
            raise ServerFailure(f"{self.name} {what}:\n{tail}")

    def kill(self) -> None:
        """SIGKILL, for tests of crashes; no status is required."""
        if self.process is not None:
            self._discard()

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for a process that ends by itself (SHUTDOWN); returns its exit status and cleans up."""
        assert self.process is not None, "not started"
        status = self.process.wait(timeout)
        self._discard()
        return status

    def _discard(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        if self._log is not None:
            self._log.close()
            self._log = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def connect(self, protocol: int = 2, timeout: float = PATIENCE) -> Connection:
        """A new connection, speaking RESP2 or RESP3."""
        return Connection(self.host, self.port, protocol, timeout)

    def flush(self) -> None:
        """Empty every database, over a connection kept for that; a new one when a test had it killed."""
        if self._control is None:
            self._control = self.connect()
        reply = self._control.execute("FLUSHALL")
        if reply.kind == "eof":
            self._control.close()
            self._control = self.connect()
            reply = self._control.execute("FLUSHALL")
        if reply != Reply("+", b"OK"):
            raise ServerFailure(f"{self.name}: FLUSHALL answered {reply!r}")


class RedisServer(Server):
    """A real redis-server without persistence, with DEBUG allowed."""

    name = "redis-server"

    def command_line(self) -> list[str]:
        program = shutil.which("redis-server")
        if program is None:
            raise ServerFailure("redis-server is not installed (Debian: apt-get install redis-server)")
        settings = {
            "port": str(self.port),
            "bind": self.host,
            "dir": str(self.directory),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "enable-debug-command": "yes",
        }
        line = [program, *self.before]
        for name, value in settings.items():
            line += [f"--{name}", value]
        return [*line, *self.flags]


class NogilServer(Server):
    """nogil-df from this checkout, by the interpreter that runs the tests, with `threads` shard threads."""

    name = "nogil-df"

    def __init__(
        self,
        *flags: str,
        threads: int = 1,
        env: dict[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> None:
        super().__init__(*flags, env=env, before=before)
        self.threads = threads

    def command_line(self) -> list[str]:
        free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
        return [
            sys.executable,
            *(["-X", "gil=0"] if free_threaded else []),
            *["-m", "nogil_df", *self.before],
            *["--port", str(self.port), "--bind", self.host],
            *["--proactor_threads", str(self.threads)],
            *["--dir", str(self.directory), "--dbfilename="],
            *self.flags,
        ]

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        return {**super().environment(), "PYTHONPATH": path}
