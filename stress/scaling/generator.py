"""Our own load generator: processes with an epoll loop each, for where memtier_benchmark is not installed.

Each process has its share of the connections. A connection sends its next pipeline when the last one is
answered; the latency of a request is that of its pipeline. Pipelines are made ahead and replies counted in
bytes (`traffic`), so that a request costs a process two system calls and a few lines, and latencies go into
an array that is turned into a histogram after the run. Processes say when they are connected, begin together,
and end by the clock; what is on the way then is waited for, so that no request is half counted. They stay for
further rounds, as making pipelines takes as long as sending them.

`python -m stress.scaling.generator` is such a process: its task comes as JSON on its standard input, and then
a line for each round.
"""

from __future__ import annotations

import json
import random
import re
import select
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import chain, cycle, islice, pairwise
from pathlib import Path
from typing import Self

from bench.client import packed
from stress.scaling.histogram import Histogram
from stress.scaling.outcome import GeneratorError, Outcome
from stress.scaling.profiles import KEYSPACE, Load, cores
from stress.scaling.traffic import RESP, Placement, Unit, choose, filling, units

NAME = "stress.scaling.generator"
ROOT = Path(__file__).resolve().parent.parent.parent
WARM_UP_SECONDS = 0.15
PATIENCE_SECONDS = 20.0
"""After this long without a reply, a run has failed."""
FILL_BATCH = 500
RECEIVE_BYTES = 1 << 18
REFUSALS = (b"-", b"$-1")
"""How replies begin that are shorter than those waited for; no piece of those begins so."""
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Task:
    """What one process does. `clients` are its connections, whose first has the number `first`."""

    port: int
    protocol: str
    load: Load
    clients: int
    first: int
    seconds: float
    placement: Placement | None

    def to_json(self) -> str:
        """For the process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """The inverse of `to_json`."""
        plain = json.loads(text)
        placed = plain.pop("placement")
        load = Load(**plain.pop("load"))
        return cls(load=load, placement=None if placed is None else Placement(**placed), **plain)


def connect(port: int) -> socket.socket:
    """A connection to the server."""
    made = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def exchange(made: socket.socket, unit: Unit) -> None:
    """Send requests and wait until as many bytes have answered as should; GeneratorError if they are too
    many."""
    request, missing = unit
    made.sendall(request)
    while missing > 0:
        data = made.recv(RECEIVE_BYTES)
        missing -= len(data)
        if not data or missing < 0:
            raise wrong(data)


def fill(port: int, protocol: str, value_bytes: int) -> None:
    """Make all keys that are asked for. O(KEYSPACE)."""
    with connect(port) as made:
        for begin in range(0, KEYSPACE, FILL_BATCH):
            numbers = range(begin, min(KEYSPACE, begin + FILL_BATCH))
            exchange(made, filling(protocol, value_bytes, numbers))


def thread_of(made: socket.socket) -> int:
    """The thread of a nogil-df that a connection belongs to."""
    made.sendall(packed(b"CLIENT", b"INFO"))
    found = re.search(rb"io-thread=(\d+)", made.recv(RECEIVE_BYTES))
    if found is None:
        raise GeneratorError("CLIENT INFO names no io-thread")
    return int(found[1])


class Client:
    """A connection, the pipelines that it sends over and over, and what it waits for."""

    __slots__ = ("missing", "sent_at", "socket", "supply")

    def __init__(self, made: socket.socket, supply: Iterator[Unit]) -> None:
        made.setblocking(False)
        self.socket = made
        self.supply = supply
        self.missing = 0
        self.sent_at = 0

    def begin(self, now: int) -> None:
        """Send the next pipeline. It fits into the buffers of the socket, as nothing else is on the way;
        should it
        not, this waits."""
        request, self.missing = next(self.supply)
        self.sent_at = now
        sent = self.socket.send(request)
        while sent < len(request):
            select.select([], [self.socket], [], PATIENCE_SECONDS)
            sent += self.socket.send(request[sent:])


def clients_of(task: Task) -> list[Client]:
    """Connect all clients of a task. Those with the same keys to ask for share the pipelines made, and
    begin at
    different ones."""
    made: list[Client] = []
    supplies: dict[int, list[Unit]] = {}
    for number in range(task.first, task.first + task.clients):
        connection = connect(task.port)
        own = thread_of(connection) if task.placement is not None else -1
        rng = random.Random(number)
        if own not in supplies:
            supplies[own] = units(task.load, task.protocol, rng, choose(rng, task.placement, own))
        ring = supplies[own]
        start = rng.randrange(len(ring))
        made.append(Client(connection, cycle(chain(islice(ring, start, None), islice(ring, start)))))
    return made


class Loop:
    """The epoll loop of a process."""

    __slots__ = ("answered", "by_fd", "latencies", "poll")

    def __init__(self, clients: list[Client]) -> None:
        self.poll = select.epoll()
        self.by_fd = {client.socket.fileno(): client for client in clients}
        self.latencies = array("q")
        self.answered = 0
        """Pipelines answered of which no latency was kept."""
        for fd in self.by_fd:
            self.poll.register(fd, select.EPOLLIN)

    def start(self) -> None:
        """Send the first pipeline of every client; nothing of an earlier round counts any more."""
        self.latencies = array("q")
        self.answered = 0
        for client in self.by_fd.values():
            client.begin(time.perf_counter_ns())

    def run(self, until: int) -> None:
        """Answer replies with the next pipelines until that time (perf_counter_ns)."""
        poll, by_fd, clock = self.poll.poll, self.by_fd, time.perf_counter_ns
        record = self.latencies.append
        buffer = bytearray(RECEIVE_BYTES)
        now = clock()
        while now < until:
            ready = poll(PATIENCE_SECONDS)
            if not ready:
                raise GeneratorError(f"no reply within {PATIENCE_SECONDS:.0f} seconds")
            for fd, _ in ready:
                client = by_fd[fd]
                got = client.socket.recv_into(buffer)
                client.missing -= got
                if client.missing > 0 and got and not buffer.startswith(REFUSALS):
                    continue
                if client.missing or not got:
                    raise wrong(bytes(buffer[:got]))
                now = clock()
                record(now - client.sent_at)
                client.begin(now)
            now = clock()

    def finish(self) -> None:
        """Wait for what is on the way, without measuring it."""
        waiting = {fd for fd, client in self.by_fd.items() if client.missing}
        while waiting:
            ready = self.poll.poll(PATIENCE_SECONDS)
            if not ready:
                raise GeneratorError("the last replies did not come")
            for fd, _ in ready:
                client = self.by_fd[fd]
                data = client.socket.recv(RECEIVE_BYTES)
                client.missing -= len(data)
                if client.missing < 0 or not data:
                    raise wrong(data)
                if not client.missing:
                    self.answered += 1
                    waiting.discard(fd)


def wrong(data: bytes) -> GeneratorError:
    """What is raised where other bytes came than had to."""
    return GeneratorError(f"not the replies that were to come: {data[:100]!r}")


def wanted_ns() -> int:
    """Nanoseconds that this process has computed or waited for a core; where the kernel does not tell the
    latter,
    computed."""
    try:
        with open("/proc/self/schedstat", encoding="ascii") as file:
            computed, waited = map(int, file.read().split()[:2])
    except OSError:
        return time.process_time_ns()
    return computed + waited


def one_round(loop: Loop, task: Task) -> dict[str, object]:
    """The figures of one round."""
    begun, wanted, computed = time.perf_counter_ns(), wanted_ns(), time.process_time_ns()
    loop.start()
    loop.run(begun + round(WARM_UP_SECONDS * NS))
    unmeasured, from_ns = len(loop.latencies), time.perf_counter_ns()
    loop.run(from_ns + round(task.seconds * NS))
    until_ns = time.perf_counter_ns()
    busy = (wanted_ns() - wanted) / (until_ns - begun)
    loop.finish()
    computed = time.process_time_ns() - computed
    measured = loop.latencies[unmeasured:]
    histogram = Histogram()
    histogram.record(measured)
    return {
        "requests": (len(loop.latencies) + loop.answered) * task.load.pipeline,
        "rps": len(measured) * task.load.pipeline * NS / (until_ns - from_ns),
        "counts": histogram.counts,
        "busy": min(1.0, busy),
        "cpu_us": computed / 1000,
    }


def work(task: Task) -> None:
    """Connect, and play a round whenever a line comes from standard input, until it ends."""
    loop = Loop(clients_of(task))
    print("ready", flush=True)
    while sys.stdin.readline():
        print(json.dumps(one_round(loop, task)), flush=True)


def processes_for(load: Load) -> int:
    """As many as the load has threads, but no more than there are cores: they would be in each other's
    way."""
    return max(1, min(load.threads, cores()))


def tasks_for(
    port: int, load: Load, seconds: float, protocol: str = RESP, placement: Placement | None = None
) -> list[Task]:
    """A load divided among processes."""
    count = processes_for(load)
    firsts = [load.connections * number // count for number in range(count + 1)]
    return [
        Task(port, protocol, load, until - first, first, seconds, placement)
        for first, until in pairwise(firsts)
        if until > first
    ]


class Running:
    """The processes of a load, connected and waiting for rounds; a context manager."""

    __slots__ = ("_processes", "_stack", "_tasks")

    def __init__(self, tasks: list[Task]) -> None:
        self._tasks = tasks
        self._processes: list[subprocess.Popen[str]] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            for task in self._tasks:
                process = subprocess.Popen(
                    [sys.executable, "-m", NAME],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
                self._stack.callback(process.communicate)
                self._stack.callback(process.kill)
                self._processes.append(process)
                say(process, task.to_json())
            for process in self._processes:
                if hear(process) != "ready\n":
                    raise GeneratorError("a process of the generator did not connect")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def run(self) -> Outcome:
        """Play a round; the figures of all processes together."""
        for process in self._processes:
            say(process, "begin")
        total = Histogram()
        requests, rps, busy, cpu_us = 0, 0.0, 0.0, 0.0
        for process in self._processes:
            plain = json.loads(hear(process))
            total.merge(Histogram({int(bucket): count for bucket, count in plain["counts"].items()}))
            requests += plain["requests"]
            rps += plain["rps"]
            busy = max(busy, plain["busy"])
            cpu_us += plain["cpu_us"]
        p50, p99, p999 = (total.quantile(share) / 1e6 for share in (0.5, 0.99, 0.999))
        return Outcome(requests, rps, p50, p99, p999, busy, cpu_us / requests)


def say(process: subprocess.Popen[str], line: str) -> None:
    """A line to a process."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    """A line of a process; GeneratorError with its last words if it has failed."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        assert process.stderr is not None
        said = process.stderr.read().strip().splitlines()
        raise GeneratorError(said[-1] if said else "a process of the generator has ended")
    return line


def main() -> int:
    """One process."""
    try:
        work(Task.from_json(sys.stdin.readline()))
    except (GeneratorError, OSError) as err:
        print(err, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
