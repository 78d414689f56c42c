"""`python -X gil=0 -m bench.expiry`: memory and latency while keys expire as fast as others are written.

redis-server and this server, by turns, get new keys at an even rate, each with a time to live drawn
between one second and `--longest`. The writer knows every deadline, so it knows at any time how many keys
live: what a server holds beyond that has expired and was not collected. A probe sends one GET after the
other, of keys that live, that have expired, and that come later. When the last key is written the servers
are watched until all must be gone.

Prints a table in Markdown, writes all that was seen to build/bench/expiry.json and, with --image, draws
memory and keys over time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.limit import figure, resident
from bench.servers import OURS, REDIS, Server, Session

ROOT = Path(__file__).resolve().parent.parent
BATCH = 50
"""Commands of one write of the writer."""
EVERY = 0.25
"""Seconds between two looks at the memory."""
SHORTEST = 1.0
GRACE = 3.0
"""Seconds to watch after the last deadline."""
KIND = {"redis-server": REDIS, "nogil-df": OURS}


@dataclass
class Look:
    """What was seen at one time."""

    at: float
    live: int
    """Keys that must be there."""
    held: int
    """Keys that the server counts, expired ones that it has not collected included."""
    used: int
    resident: int


@dataclass
class Run:
    """One server. Times are seconds since the first write; sizes bytes; latencies microseconds."""

    name: str
    used_at_start: int = 0
    resident_at_start: int = 0
    looks: list[Look] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    late: float = 0.0
    """Seconds that the writer was behind its plan at most."""
    cpu_seconds: float = 0.0


class Load:
    """The plan: when each key is written, and when it goes."""

    def __init__(self, keys: int, seconds: float, longest: float, value_bytes: int) -> None:
        chance = random.Random(7)
        self.keys = keys
        self.rate = keys / seconds
        self.ttls = [int(chance.uniform(SHORTEST, longest) * 1000) for _ in range(keys)]
        self.longest = longest
        self.value = "x" * value_bytes
        self.written = 0
        self.deadlines: list[float] = sorted(
            number / self.rate + ttl / 1000 for number, ttl in enumerate(self.ttls)
        )

    def write(self, port: int, epoch: float, run: Run) -> None:
        """Write all of them, evenly."""
        with Session(port) as session:
            for first in range(0, self.keys, BATCH):
                ahead = epoch + first / self.rate - time.monotonic()
                if ahead > 0:
                    time.sleep(ahead)
                run.late = max(run.late, -ahead)
                batch = range(first, min(first + BATCH, self.keys))
                session.send([("SET", f"key:{n}", self.value, "PX", str(self.ttls[n])) for n in batch])
                for _ in batch:
                    if session.reply() != b"+OK":
                        raise RuntimeError("SET was refused")
                self.written = batch.stop

    def live(self, at: float) -> int:
        """Keys that are there at a time. O(log keys)."""
        return self.written - bisect_right(self.deadlines, at)


def probe(port: int, keys: int, over: threading.Event, run: Run) -> None:
    """One GET after the other."""
    chance = random.Random(1)
    with Session(port) as session:
        while not over.is_set():
            key = f"key:{chance.randrange(keys)}"
            begun = time.perf_counter()
            session.call("GET", key)
            run.latencies.append((time.perf_counter() - begun) * 1e6)
            time.sleep(0.001)


def measure(name: str, threads: int, load: Load) -> Run:
    """All figures of one server."""
    run = Run(name)
    with Server(name, KIND[name], threads) as server, Session(server.port) as session:
        over = threading.Event()
        run.used_at_start = figure(session, "memory", "used_memory")
        run.resident_at_start = resident(server.pid)
        load.written = 0
        before = server.cpu_time()
        epoch = time.monotonic()
        workers = [
            threading.Thread(target=load.write, args=(server.port, epoch, run)),
            threading.Thread(target=probe, args=(server.port, load.keys, over, run)),
        ]
        for worker in workers:
            worker.start()
        end = load.deadlines[-1] + GRACE
        while (at := time.monotonic() - epoch) < end:
            used = figure(session, "memory", "used_memory")
            held = int(session.call("DBSIZE")[1:])
            run.looks.append(Look(at, load.live(at), held, used, resident(server.pid)))
            time.sleep(EVERY)
        over.set()
        for worker in workers:
            worker.join()
        run.cpu_seconds = (server.cpu_time() - before).total
    return run


def percentile(values: Sequence[float], percent: float) -> float:
    """Of a list that is not empty."""
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def table(runs: list[Run]) -> str:
    """The figures as Markdown."""
    lines = [
        "| | live at most | held beyond the live, at most | used_memory at most | at the end"
        " | resident at most | at the end | GET p50 | p99 | p99.9 | worst | CPU |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for run in runs:
        live = max(look.live for look in run.looks)
        beyond = max(look.held - look.live for look in run.looks)
        used = max(look.used for look in run.looks) - run.used_at_start
        most = max(look.resident for look in run.looks) - run.resident_at_start
        last = run.looks[-1]
        times = " | ".join(f"{percentile(run.latencies, at) / 1000:.2f} ms" for at in (50, 99, 99.9, 100))
        lines.append(
            f"| {run.name} | {live:,} | {beyond:,} ({100 * beyond / live:.1f} %) | {used / 1e6:.0f} MB"
            f" | {(last.used - run.used_at_start) / 1e6:.0f} MB | {most / 1e6:.0f} MB"
            f" | {(last.resident - run.resident_at_start) / 1e6:.0f} MB | {times} | {run.cpu_seconds:.1f} s |"
        )
    return "\n".join(lines)


def draw(runs: list[Run], path: Path) -> None:
    """Memory over time, and the keys that it is for."""
    import matplotlib

    matplotlib.use("svg" if path.suffix == ".svg" else "agg")
    from matplotlib import pyplot

    figure, (memory, keys) = pyplot.subplots(2, 1, figsize=(8, 6), sharex=True)
    for run in runs:
        times = [look.at for look in run.looks]
        memory.plot(
            times, [(look.resident - run.resident_at_start) / 1e6 for look in run.looks], label=run.name
        )
        keys.plot(times, [look.held / 1e3 for look in run.looks], label=f"{run.name} holds")
    keys.plot(
        [look.at for look in runs[0].looks],
        [look.live / 1e3 for look in runs[0].looks],
        "k:",
        label="have not expired",
    )
    memory.set_ylabel("resident memory, MB more than at the start")
    keys.set_ylabel("thousand keys")
    keys.set_xlabel("seconds")
    for axes in (memory, keys):
        axes.legend()
        axes.grid(alpha=0.3)
        axes.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -X gil=0 -m bench.expiry", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="in which they are written")
    parser.add_argument(
        "--longest", type=float, default=60.0, help="time to live, seconds; the shortest is 1"
    )
    parser.add_argument("--value", type=int, default=256, help="bytes")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of ours")
    parser.add_argument("--servers", default=",".join(KIND), help="default: both")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench" / "expiry.json")
    parser.add_argument("--image", type=Path, help="write the plot there")
    options = parser.parse_args()
    load = Load(options.keys, options.seconds, options.longest, options.value)
    runs = [measure(name, options.threads, load) for name in options.servers.split(",")]
    print(shlex.join(sys.argv[1:]))
    print(table(runs))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps([asdict(run) for run in runs]))
    if options.image is not None:
        draw(runs, options.image)
    return 0


if __name__ == "__main__":
    sys.exit(main())
