"""The servers under test: started on a free port, filled, asked for their CPU time, stopped.

CPU time is that of the whole process, ended threads included. The total comes from the process's CPU
clock (nanoseconds; clock_getcpuclockid(3) tells how a pid makes a clock id), the split into user and
kernel time from /proc/PID/stat, whose unit is the clock tick (10 ms).
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench.workloads import KEYSPACE, VALUE_BYTES

OURS = "{python} -X gil=0 -m nogil_df --port {port} --proactor_threads {threads} --dbfilename ''"
# The name keeps it from loading a snapshot that happens to lie in the working directory.
REDIS = (
    "redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no --dbfilename nogil-df-bench.rdb"
)

START_SECONDS = 20.0
STOP_SECONDS = 10.0
FILL_BATCH = 500
CPUCLOCK_SCHED = 2


class ServerError(RuntimeError):
    """A server did not start, died, or did not answer as it should."""


@dataclass(frozen=True, slots=True)
class CpuTime:
    """CPU seconds a process has used: in all, and split into user and kernel time."""

    total: float
    user: float
    system: float

    def __sub__(self, before: CpuTime) -> CpuTime:
        return CpuTime(self.total - before.total, self.user - before.user, self.system - before.system)


def cpu_time(pid: int) -> CpuTime:
    """The CPU time of all threads of `pid` so far; OSError when there is no such process."""
    with open(f"/proc/{pid}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    user, system = int(fields[11]) / tick, int(fields[12]) / tick
    try:
        total = time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
    except OSError:
        total = user + system
    return CpuTime(total, user, system)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server process, made from a command line with {port}, {threads} and {python} to fill in.

    A context manager: started and answering PING on entry, stopped on exit.
    """

    __slots__ = ("_log", "argv", "name", "port", "process", "threads")

    def __init__(self, name: str, command: str, threads: int) -> None:
        self.name = name
        self.threads = threads
        self.port = free_port()
        filled = command.format(port=self.port, threads=threads, python=shlex.quote(sys.executable))
        self.argv = shlex.split(filled)
        self.process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - read after the process has died, closed with self

    @property
    def pid(self) -> int:
        """Process id; ServerError before the start."""
        if self.process is None:
            raise ServerError(f"{self.name} was not started")
        return self.process.pid

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        try:
            self._await_ping()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    def cpu_time(self) -> CpuTime:
        """CPU time of the process so far; ServerError with the end of its log when it has died."""
        process = self.process
        if process is None or process.poll() is not None:
            raise ServerError(f"{self.name} is not running: {shlex.join(self.argv)}\n{self.log_tail()}")
        return cpu_time(process.pid)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not end it in time."""
        process = self.process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.process = None

    def log_tail(self, limit: int = 2000) -> str:
        """The last `limit` bytes of what the server wrote to its standard output and error."""
        self._log.seek(0)
        return self._log.read()[-limit:].decode(errors="replace")

    def _await_ping(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.cpu_time()
            try:
                with Session(self.port) as session:
                    if session.call("PING") == b"+PONG":
                        return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} does not answer PING\n{self.log_tail()}")
            time.sleep(0.02)


class Session:
    """The least of a Redis client that filling and identifying a server takes; a context manager."""

    __slots__ = ("_file", "_socket")

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def call(self, *words: str) -> bytes:
        """Send one command and return its reply: a bulk's text, else the line with its type byte."""
        self.send([words])
        return self.reply()

    def send(self, commands: Sequence[tuple[str, ...]]) -> None:
        """Send a batch of commands; the replies are read with `reply`, one a command."""
        lines: list[str] = []
        for words in commands:
            lines.append(f"*{len(words)}")
            for word in words:
                lines += (f"${len(word.encode())}", word)
        self._socket.sendall("\r\n".join([*lines, ""]).encode())

    def reply(self) -> bytes:
        """Read one reply; ConnectionError when the server hung up."""
        line = self._file.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        if line[:1] == b"$" and line != b"$-1\r\n":
            return self._file.read(int(line[1:]) + 2)[:-2]
        return line.rstrip()


def fill(port: int) -> None:
    """Make every key the workloads read: key:N with 256 bytes, counter:N with 0, a list and a hash of 100.

    O(KEYSPACE) requests, in batches; ServerError on a wrong reply.
    """
    value = "x" * VALUE_BYTES
    with Session(port) as session:
        for first in range(0, KEYSPACE, FILL_BATCH):
            numbers = range(first, min(first + FILL_BATCH, KEYSPACE))
            batch = [("SET", f"key:{n:012d}", value) for n in numbers]
            batch += [("SET", f"counter:{n:012d}", "0") for n in numbers]
            session.send(batch)
            for _ in batch:
                answer = session.reply()
                if answer != b"+OK":
                    raise ServerError(f"SET was answered with {answer!r}")
        if session.call("DBSIZE") != b":%d" % (2 * KEYSPACE):
            raise ServerError("DBSIZE does not tell the number of keys that were set")
        if session.call("GET", f"key:{KEYSPACE - 1:012d}") != value.encode():
            raise ServerError("GET does not give back what was set")
        hundred = [f"element:{n:03d}" for n in range(100)]
        session.call("RPUSH", "bench:list", *hundred)
        session.call("HSET", "bench:hash", *[word for name in hundred for word in (name, "value")])
        session.call("DEL", "bench:queue")
        for n in range(0, KEYSPACE, FILL_BATCH):
            # So that a run of HGET alone, or of ZSCORE, finds something.
            numbers = range(n, n + FILL_BATCH, 100)
            session.send([("HSET", "bench:fields", f"field:{i:012d}", "value") for i in numbers])
            session.send([("ZADD", "bench:scores", str(i), f"member:{i:012d}") for i in numbers])
            for _ in range(2 * len(numbers)):
                session.reply()


def identify(port: int) -> dict[str, str]:
    """The fields of the server's own INFO SERVER."""
    with Session(port) as session:
        text = session.call("INFO", "server").decode(errors="replace")
    pairs = (line.partition(":")[::2] for line in text.splitlines() if ":" in line and line[0] != "#")
    return dict(pairs)
