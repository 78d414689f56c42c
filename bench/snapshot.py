"""`python -X gil=0 -m bench.snapshot`: memory and latency while a snapshot is taken under writes.

redis-server and this server, by turns, are filled with 500,000 keys of 1,024 bytes; redis-benchmark
overwrites random ones all the time, and a probe sends one GET after the other. Each of several saves is
compared with the seconds right before it: one save of a second has so few GETs that its p99 is the fifth
longest, and says little. Memory is looked at during one further save, without the probe, for a look holds the
process up: it is what the server and whatever it forked hold together (proportional set sizes: a page that
two share counts once). Then the server is started again, to see how long loading takes.

Prints a table, and writes build/bench/snapshot.json and, with --image, a plot.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from bench.servers import free_port

ROOT = Path(__file__).resolve().parent.parent
KEYS = 500_000
VALUE_BYTES = 1_024
SAVES = 5
WARM_UP = 3.0
"""Seconds of load before anything counts."""
CALM = 4.0
"""Seconds before each save, from which the figures without one come."""
SETTLE = 1.0
"""Seconds after a save that count for nothing."""
CLIENTS = 20
EVERY = 0.05
"""Seconds between two looks at the memory."""

COMMANDS = {
    "redis-server": "redis-server --port {port} --bind 127.0.0.1 --save '' --dir {dir} --dbfilename dump.rdb"
    " --enable-debug-command yes",
    "nogil-df, RDB": "{python} -X gil=0 -m nogil_df --port {port} --bind 127.0.0.1 --dir {dir}"
    " --dbfilename dump.rdb --proactor_threads {threads}",
    "nogil-df, native": "{python} -X gil=0 -m nogil_df --port {port} --bind 127.0.0.1 --dir {dir}"
    " --dbfilename dump --proactor_threads {threads}",
}


@dataclass
class Pair:
    """A save, and the seconds before it: what GETs took (microseconds), and commands a second."""

    seconds: float
    before: list[float]
    during: list[float]
    rate_before: float
    rate_during: float

    def ratio(self) -> float:
        """The p99 during the save by the one before it."""
        return percentile(self.during, 99) / percentile(self.before, 99)


@dataclass
class Run:
    """What was seen of one server."""

    name: str
    pairs: list[Pair] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """(seconds, MB), around a save of its own."""
    begun: float = 0.0
    ended: float = 0.0
    """Of that save."""
    file_bytes: int = 0
    load_seconds: float = 0.0

    def memory_before(self) -> float:
        """MB, the most of the seconds before and after the save: a busy machine may allow few looks."""
        return max(size for at, size in self.memory if not self.begun <= at <= self.ended)

    def memory_ratio(self) -> float:
        """The most during the save by the most before it."""
        # A save that is over before the next look is told by that look.
        until = max(self.ended, min((at for at, _ in self.memory if at >= self.begun), default=0.0))
        during = [size for at, size in self.memory if self.begun <= at <= until]
        return max(during, default=self.memory_before()) / self.memory_before()

    def before(self, percent: float) -> float:
        """A percentile of all GETs before saves, microseconds."""
        return percentile([one for pair in self.pairs for one in pair.before], percent)

    def during(self, percent: float) -> float:
        """A percentile of all GETs during saves, microseconds."""
        return percentile([one for pair in self.pairs for one in pair.during], percent)


def percentile(values: list[float], percent: float) -> float:
    """Of values in any order; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")


class Client:
    """A socket that says one command after the other."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, *words: str) -> bytes:
        """Send a command; the first piece of the reply."""
        packed = b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode()) for word in words
        )
        self._socket.sendall(packed)
        return self._socket.recv(1 << 16)

    def commands(self) -> int:
        """How many the server has run."""
        return int(self.call("INFO", "stats").split(b"total_commands_processed:")[1].split(b"\r")[0])

    def save(self) -> None:
        """BGSAVE, until it is done."""
        assert self.call("BGSAVE").startswith(b"+Background")
        while b"rdb_bgsave_in_progress:1" in self.call("INFO", "persistence"):
            time.sleep(0.02)


def memory_of(pid: int) -> float:
    """MB of a process and its children, pages that they share counted once."""
    total = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for process in processes:
        try:
            with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:
            continue
    return total / 1024


def fill(port: int, keys: int) -> None:
    """Set all keys that redis-benchmark will overwrite, so that the data set does not grow under its load."""
    value = os.urandom(VALUE_BYTES)
    client = socket.create_connection(("127.0.0.1", port), 60)
    for begin in range(0, keys, 500):
        stop = min(keys, begin + 500)
        client.sendall(
            b"".join(
                b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%b\r\n" % (at, VALUE_BYTES, value)
                for at in range(begin, stop)
            )
        )
        missing = 5 * (stop - begin)
        while missing:
            missing -= len(client.recv(missing))
    client.close()


def wait_for(port: int, seconds: float = 120.0) -> float:
    """Until a server answers PING with PONG; how long that took."""
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        try:
            if Client(port).call("PING").startswith(b"+PONG"):
                return time.monotonic() - begun
        except OSError:
            pass
        time.sleep(0.02)
    raise RuntimeError("the server does not answer")


def start(command: str, port: int, directory: str, threads: int) -> subprocess.Popen[bytes]:
    """Start a server."""
    filled = command.format(port=port, dir=directory, threads=threads, python=shlex.quote(sys.executable))
    return subprocess.Popen(
        shlex.split(filled), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )


def measure(name: str, keys: int, threads: int, saves: int = 1) -> Run:
    """All figures of one server; latencies of so many saves."""
    run = Run(name)
    directory = tempfile.mkdtemp(prefix="nogil-df-bench-")
    port = free_port()
    process = start(COMMANDS[name], port, directory, threads)
    load = None
    try:
        wait_for(port)
        control = Client(port)
        fill(port, keys)
        load = subprocess.Popen(
            [
                *("redis-benchmark", "-p", str(port), "-t", "set", "-r", str(keys), "-d", str(VALUE_BYTES)),
                *("-n", "1000000000", "-c", str(CLIENTS), "-P", "1", "-q"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(WARM_UP)
        run.pairs = [probed(port, control) for _ in range(saves)]
        watch(run, process.pid, control)
        run.file_bytes = sum(file.stat().st_size for file in Path(directory).iterdir())
        load.kill()
        load.wait()
        load = None
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = start(COMMANDS[name], port, directory, threads)
        run.load_seconds = wait_for(port)
    finally:
        if load is not None:
            load.kill()
            load.wait()
        process.kill()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)
    return run


def probed(port: int, control: Client) -> Pair:
    """A save, and the seconds before it, with a client that sends one GET after the other."""
    over = threading.Event()
    taken: list[tuple[float, float]] = []

    def probe() -> None:
        client = Client(port)
        while not over.is_set():
            begun = time.perf_counter()
            client.call("GET", "key:000000000001")
            taken.append((begun, (time.perf_counter() - begun) * 1e6))
            time.sleep(0.001)

    thread = threading.Thread(target=probe)
    thread.start()
    commands = [control.commands()]
    times = [time.perf_counter()]
    time.sleep(CALM)
    commands.append(control.commands())
    times.append(time.perf_counter())
    control.save()
    times.append(time.perf_counter())
    commands.append(control.commands())
    over.set()
    thread.join()
    time.sleep(SETTLE)
    calm, begun, ended = times
    return Pair(
        ended - begun,
        [took for at, took in taken if calm <= at < begun],
        [took for at, took in taken if begun <= at <= ended],
        (commands[1] - commands[0]) / (begun - calm),
        (commands[2] - commands[1]) / (ended - begun),
    )


def watch(run: Run, pid: int, control: Client) -> None:
    """Look at the memory before, during and after a save."""
    over = threading.Event()
    epoch = time.monotonic()

    def look() -> None:
        while not over.wait(EVERY):
            run.memory.append((time.monotonic() - epoch, memory_of(pid)))

    thread = threading.Thread(target=look)
    thread.start()
    time.sleep(CALM)
    run.begun = time.monotonic() - epoch
    control.save()
    run.ended = time.monotonic() - epoch
    time.sleep(SETTLE)
    over.set()
    thread.join()


def table(runs: list[Run], keys: int) -> str:
    """The figures as Markdown."""
    size = keys * VALUE_BYTES / (1 << 20)
    lines = [
        "| | memory before | most during the save | GET p99 before | during | each save | SET/s before"
        " | during | save | MB/s | load | MB/s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        pairs = run.pairs
        took = sum(pair.seconds for pair in pairs) / len(pairs)
        lines.append(
            f"| {run.name} | {run.memory_before():.0f} MB | x {run.memory_ratio():.2f}"
            f" | {run.before(99) / 1000:.1f} ms | {run.during(99) / 1000:.1f} ms"
            f" | x {' '.join(f'{pair.ratio():.1f}' for pair in pairs)}"
            f" | {sum(pair.rate_before for pair in pairs) / len(pairs):.0f}"
            f" | {sum(pair.rate_during for pair in pairs) / len(pairs):.0f}"
            f" | {took:.1f} s | {size / took:.0f} | {run.load_seconds:.1f} s"
            f" | {size / run.load_seconds:.0f} |"
        )
    return "\n".join(lines)


def draw(runs: list[Run], path: Path) -> None:
    """Memory over time, the beginning of the save at 0."""
    import matplotlib

    matplotlib.use("svg" if path.suffix == ".svg" else "agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4))
    for run in runs:
        before = run.memory_before()
        (line,) = axes.plot(
            [at - run.begun for at, _ in run.memory],
            [size / before for _, size in run.memory],
            label=run.name,
        )
        axes.axvspan(0, run.ended - run.begun, alpha=0.08, color=line.get_color())
    axes.set_xlabel("seconds since BGSAVE (shaded: until it is done)")
    axes.set_ylabel("memory, before the save = 1")
    axes.set_ylim(bottom=0.8)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -X gil=0 -m bench.snapshot", description=__doc__)
    parser.add_argument("--keys", type=int, default=KEYS)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--saves", type=int, default=SAVES, help="for the latencies of each server")
    parser.add_argument("--only", default="", help="only the servers whose name has this in it")
    parser.add_argument("--image", type=Path, help="write the plot there")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench" / "snapshot.json")
    arguments = parser.parse_args()
    runs = [
        measure(name, arguments.keys, arguments.threads, arguments.saves)
        for name in COMMANDS
        if arguments.only in name
    ]
    print(table(runs, arguments.keys))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps([asdict(run) for run in runs]))
    if arguments.image is not None:
        draw(runs, arguments.image)
    return 0


if __name__ == "__main__":
    sys.exit(main())
