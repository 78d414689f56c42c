"""`python -X gil=0 -m bench.protocols`: CPU time a request of Memcached's protocol, and what TLS adds.

Beside it run a memcached with one worker thread, and a redis-server with TLS. Each figure is the median of
some rounds, all servers taking turns in each; CPU time is the whole process's, so it does not depend on what
else the machine does, apart from what it does to caches. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.client import memcached_set
from bench.servers import Server, fill, free_port
from bench.workloads import KEYSPACE, VALUE_BYTES

OURS = (
    "{python} -X gil=0 -m nogil_df --port {port} --proactor_threads {threads} --dbfilename= --bind 127.0.0.1"
)
REDIS = "redis-server --port {port} --bind 127.0.0.1 --save '' --dbfilename nogil-df-bench.rdb"
MEMCACHED = "memcached -u root -U 0 -l 127.0.0.1 -m 1024 -t 1 -p {port}"
PIPELINES = (1, 16)
CLIENTS = 50


class Memcached(Server):
    """A real memcached."""

    def _await_ping(self) -> None:
        while True:
            self.cpu_time()
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as probe:
                    probe.sendall(b"version\r\n")
                    if probe.recv(100):
                        return
            except OSError:
                continue


@dataclass
class Cell:
    """What one server needed for one workload, in microseconds of CPU a request, a round each."""

    found: list[float]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.found)


def fill_memcached(port: int) -> None:
    """Store every key."""

    class Counting:
        """Stands in for a random generator: every key once."""

        def __init__(self) -> None:
            self.next = -1

        def randrange(self, stop: int) -> int:
            """The next key."""
            self.next += 1
            return self.next

    keys = Counting()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for _ in range(0, KEYSPACE, 500):
            connection.sendall(b"".join([memcached_set(keys) for _ in range(500)]))  # type: ignore[arg-type]
            missing = 500 * len(b"STORED\r\n")
            while missing:
                missing -= len(connection.recv(1 << 16))


def load(port: int, test: str, requests: int, pipeline: int) -> list[str]:
    """The command line that sends requests of Memcached's protocol."""
    words = ["--port", str(port), "--test", test, "--requests", str(requests), "--pipeline", str(pipeline)]
    return [sys.executable, "-m", "bench.client", *words, "--clients", str(CLIENTS)]


def redis_load(port: int, test: str, requests: int, pipeline: int, tls: Sequence[str]) -> list[str]:
    """The command line of redis-benchmark."""
    words = ["-p", str(port), "-t", test, "-n", str(requests), "-P", str(pipeline), "-c", str(CLIENTS)]
    return ["redis-benchmark", *words, "-d", str(VALUE_BYTES), "-r", str(KEYSPACE), "--csv", *tls]


def cost(server: Server, command: list[str], requests: int) -> float:
    """Microseconds of CPU time that the server needs for a request of this load."""
    before = server.cpu_time()
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return (server.cpu_time() - before).total * 1e6 / requests


class Certificate:
    """A certificate of its own authority, as files that go away with it."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self.cert = str(Path(self._directory.name) / "cert.pem")
        self.key = str(Path(self._directory.name) / "key.pem")

    def __enter__(self) -> Self:
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        files = ("-keyout", self.key, "-out", self.cert, "-days", "2", "-subj", "/CN=localhost")
        name = ("-addext", "subjectAltName=IP:127.0.0.1")
        subprocess.run(["openssl", "req", "-x509", *kind, *files, *name], check=True, capture_output=True)
        return self

    def __exit__(self, *exc: object) -> None:
        self._directory.cleanup()


def measure(
    rows: dict[str, tuple[Server, Callable[[int, int, str], list[str]]]], rounds: int, requests: int
) -> dict[tuple[str, str, int], Cell]:
    """(row, test, pipeline) -> figures; a row is a server and what loads it."""
    cells: dict[tuple[str, str, int], Cell] = {}
    for _ in range(rounds):
        for pipeline in PIPELINES:
            for test in ("get", "set"):
                for name, (server, command) in rows.items():
                    count = requests * (4 if pipeline > 1 else 1)
                    found = cost(server, command(count, pipeline, test), count)
                    cells.setdefault((name, test, pipeline), Cell([])).found.append(found)
                    print(f"{name:28} {test} pipeline {pipeline:2}: {found:.2f}", file=sys.stderr)
    return cells


def table(title: str, rows: Sequence[str], cells: dict[tuple[str, str, int], Cell]) -> str:
    """A table in Markdown, of microseconds a request."""
    lines = [f"| {title} | GET | SET | GET, pipeline 16 | SET, pipeline 16 |", "|---|--:|--:|--:|--:|"]
    for name in rows:
        figures = [cells[name, test, pipeline].median for pipeline in PIPELINES for test in ("get", "set")]
        lines.append(f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -X gil=0 -m bench.protocols", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=50_000)
    args = parser.parse_args()
    with ExitStack() as stack:
        certificate = stack.enter_context(Certificate())
        files = (certificate.cert, certificate.key)
        port, tls_ours, tls_redis = free_port(), free_port(), free_port()
        ours = OURS + f" --memcached_port {port} --tls_port {tls_ours}"
        ours += " --tls_cert_file {} --tls_key_file {}".format(*files)
        redis = REDIS + f" --tls-port {tls_redis} --tls-auth-clients no --tls-ca-cert-file {files[0]}"
        redis += " --tls-cert-file {} --tls-key-file {}".format(*files)
        server = stack.enter_context(Server("nogil-df", ours, 1))
        other = stack.enter_context(Server("redis-server", redis, 1))
        memcached = stack.enter_context(Memcached("memcached", MEMCACHED, 1))
        for each in (server, other):
            fill(each.port)
        fill_memcached(memcached.port)
        fill_memcached(port)
        ca = ("--tls", "--cacert", certificate.cert)

        def memcached_at(at: int) -> Callable[[int, int, str], list[str]]:
            return lambda count, pipeline, test: load(at, f"memcached-{test}", count, pipeline)

        def redis_at(at: int, *tls: str) -> Callable[[int, int, str], list[str]]:
            return lambda count, pipeline, test: redis_load(at, test, count, pipeline, tls)

        text = {
            "memcached 1.6, one thread": (memcached, memcached_at(memcached.port)),
            "nogil-df, one thread": (server, memcached_at(port)),
        }
        tls = {
            "redis-server": (other, redis_at(other.port)),
            "redis-server with TLS": (other, redis_at(tls_redis, *ca)),
            "nogil-df": (server, redis_at(server.port)),
            "nogil-df with TLS": (server, redis_at(tls_ours, *ca)),
        }
        print(table("Memcached's protocol", list(text), measure(text, args.rounds, args.requests)))
        print()
        print(table("Redis's protocol", list(tls), measure(tls, args.rounds, args.requests)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
