"""The servers that are compared: ours with several numbers of threads, and those of others that are
installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.servers import OURS, REDIS, START_SECONDS, Server, ServerError, Session
from stress.scaling.profiles import cores
from stress.scaling.traffic import MEMCACHED, RESP

VALKEY = REDIS.replace("redis-server", "valkey-server", 1)
MEMCACHED_COMMAND = "memcached -p {port} -l 127.0.0.1 -t {threads} -c 4096 -m 1024 -U 0" + " -u root" * (
    os.geteuid() == 0
)
"""It wants to be told that it may run as root."""
DEBUG = " --enable-debug-command local"
"""For DEBUG POPULATE on Redis and its kin."""
OVERSUBSCRIBED = 4
"""Ours is also run with this many threads for each core, for what messages to many others cost."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A server program. `command` is as in `bench.servers`; `populates` tells whether it knows DEBUG
    POPULATE."""

    name: str
    program: str
    protocol: str
    command: str
    populates: bool


OURS_KIND = Kind("nogil-df", "", RESP, OURS, True)
KINDS = (
    OURS_KIND,
    Kind("redis-server", "redis-server", RESP, REDIS + DEBUG, True),
    Kind("valkey-server", "valkey-server", RESP, VALKEY + DEBUG, True),
    Kind("memcached", "memcached", MEMCACHED, MEMCACHED_COMMAND, False),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server to measure: a program, and its number of threads."""

    kind: Kind
    threads: int

    @property
    def ours(self) -> bool:
        """Whether it is a nogil-df."""
        return self.kind is OURS_KIND

    @property
    def label(self) -> str:
        """The name in tables and plots."""
        return f"{self.kind.name}, {self.threads} thread{'s'[: self.threads > 1]}"

    def start(self) -> Server:
        """A server, to be entered."""
        made = MemcachedServer if self.kind.protocol == MEMCACHED else Server
        return made(self.label, self.kind.command, self.threads)


class MemcachedServer(Server):
    """A server that answers Memcached's protocol and no PING."""

    __slots__ = ()

    def _await_ping(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.cpu_time()
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    probe.sendall(b"version\r\n")
                    if probe.recv(100).startswith(b"VERSION"):
                        return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} does not answer\n{self.log_tail()}")
            time.sleep(0.02)


def installed(kind: Kind) -> bool:
    """Whether the program is there; ours is."""
    return not kind.program or shutil.which(kind.program) is not None


def candidates(threads: Sequence[int]) -> list[Candidate]:
    """Ours with these numbers of threads, and everything else that is installed: with one thread, and
    memcached with one for each core as well."""
    found = [Candidate(OURS_KIND, count) for count in threads]
    for kind in KINDS[1:]:
        if installed(kind):
            several = {1, cores()} if kind.protocol == MEMCACHED else {1}
            found += [Candidate(kind, count) for count in sorted(several)]
    return found


def default_threads() -> list[int]:
    """1, 2, 4, ... to OVERSUBSCRIBED threads a core: a machine of two cores runs 1, 2, 4 and 8."""
    most, counts = OVERSUBSCRIBED * cores(), [1]
    while counts[-1] * 2 <= most:
        counts.append(counts[-1] * 2)
    return counts


def versions() -> dict[str, str]:
    """What the programs that are installed say they are; `not installed` of the others. Ours tells when it
    runs."""
    lines: dict[str, str] = {}
    for kind in KINDS[1:]:
        if not installed(kind):
            lines[kind.name] = "not installed"
            continue
        done = subprocess.run([kind.program, "--version"], capture_output=True, text=True, check=False)
        lines[kind.name] = (done.stdout + done.stderr).strip().splitlines()[0]
    return lines


def describe(server: Server) -> str:
    """What a nogil-df says of itself: version, interpreter, whether it is compiled, the GIL."""
    with Session(server.port) as session:
        text = session.call("INFO", "server").decode(errors="replace")
    pairs = dict(line.partition(":")[::2] for line in text.splitlines())
    names = ("redis_version", "python_version", "compiled", "gil", "gil_enabled")
    return ", ".join(f"{name} {pairs[name]}" for name in names if name in pairs)
