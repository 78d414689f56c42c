"""Do two shards slow each other down? The same shard-local work on one thread, and on two threads at once.

Shard threads share nothing, so an operation should cost the same CPU however many of them run. What
breaks that is an object both threads touch: its atomic reference count drags one cache line to and fro.
This measures it in process: each thread builds its own state with a factory, all start together, run for
a fixed time and report CPU time per operation (`time.thread_time_ns`), so that waiting for a busy machine
costs nothing.

Two more figures tell a bad ratio apart: two *processes* at once (what the hardware itself charges for two
busy cores: caches, clock speed, hyperthreads) and how much of the while the threads were really on a CPU
(below some 90 % they hardly ran at the same time, and the ratio flatters).

`python -X gil=0 -m bench.contention [--work module:factory]`; `shared_work` is the check of the check.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from bench.measure import Spread
from nogil_df.base import compiled

Work = Callable[[int], None]
Factory = Callable[[], Work]

CHUNK = 2000
TARGET = 1.1
ROUNDS, SECONDS = 15, 0.3
DEFAULT_WORK = "bench.shard_work:keyspace"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one thread did: operations, its CPU time and the time on the clock, in nanoseconds."""

    ops: int
    cpu_ns: int
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Contention:
    """The outcome: CPU nanoseconds per operation, ratios to one thread, share of the time on a CPU."""

    work: str
    one_ns: Spread
    two_threads_ns: Spread
    two_processes_ns: Spread
    thread_ratio: Spread
    process_ratio: Spread
    on_cpu: float
    target: float = TARGET

    @property
    def met(self) -> bool:
        """Whether the median ratio of two threads to one is within the target."""
        return self.thread_ratio.median <= self.target

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, object]) -> Contention:
        """The inverse of `as_dict`."""
        values = {name: Spread(**v) if isinstance(v, dict) else v for name, v in plain.items()}
        return cls(**values)  # type: ignore[arg-type]


def run_one(factory: Factory, start: Callable[[], object], seconds: float) -> Cost:
    """Build the state in this thread, warm it up, wait for `start`, work for `seconds`."""
    work = factory()
    work(CHUNK)
    start()
    ops = 0
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    deadline = wall + int(seconds * 1e9)
    now = wall
    while now < deadline:
        work(CHUNK)
        ops += CHUNK
        now = time.perf_counter_ns()
    return Cost(ops, time.thread_time_ns() - cpu, now - wall)


def run_threads(factory: Factory, count: int, seconds: float) -> list[Cost]:
    """Run the work on `count` threads at once; an error in one of them is raised here."""
    barrier = threading.Barrier(count)
    outcomes: list[Cost | BaseException] = []

    def body() -> None:
        try:
            outcomes.append(run_one(factory, barrier.wait, seconds))
        except BaseException as err:
            barrier.abort()
            outcomes.append(err)

    threads = [threading.Thread(target=body, name=f"bench-{n}") for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    errors.sort(key=lambda err: isinstance(err, threading.BrokenBarrierError))
    if errors:
        raise errors[0]
    return [outcome for outcome in outcomes if isinstance(outcome, Cost)]


def run_processes(work: str, count: int, seconds: float) -> list[Cost]:
    """Run the work in `count` processes at once, one thread each."""
    argv = [sys.executable, "-X", "gil=0", "-m", "bench.contention", "--child"]
    argv += ["--work", work, "--seconds", str(seconds)]
    children = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    try:
        for child in children:
            if child.stdout is None or child.stdout.readline() != "ready\n":
                raise RuntimeError(f"{work} failed in a child process")
        return [Cost(**json.loads(output)) for output in release(children)]
    finally:
        for child in children:
            child.kill()
            child.wait()


def release(children: list[subprocess.Popen[str]]) -> list[str]:
    """Let the waiting children go, all before the first answer is read."""
    for child in children:
        if child.stdin is not None:
            child.stdin.write("go\n")
            child.stdin.flush()
    return [child.communicate()[0] for child in children]


def serve_as_child(factory: Factory, seconds: float) -> None:
    """The other end of `run_processes`; like there, not the main thread does the work."""

    def start() -> None:
        print("ready", flush=True)
        sys.stdin.readline()

    costs: list[Cost] = []
    thread = threading.Thread(target=lambda: costs.append(run_one(factory, start, seconds)))
    thread.start()
    thread.join()
    print(json.dumps(asdict(costs[0])), flush=True)


def load(work: str) -> Factory:
    """The factory that `module:name` means; what threads share is made ready for it, as a server does it."""
    module, _, name = work.partition(":")
    factory: Factory = getattr(importlib.import_module(module), name)
    compiled.prepare_for_threads()
    return factory


def per_op(costs: list[Cost]) -> float:
    """CPU nanoseconds per operation over all threads."""
    return sum(cost.cpu_ns for cost in costs) / sum(cost.ops for cost in costs)


def measure(
    work: str = DEFAULT_WORK,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    step: Callable[[str], None] = lambda text: None,
) -> Contention:
    """Measure one thread, two threads and two processes in turn, `rounds` times; 3 * seconds a round."""
    factory = load(work)
    one: list[float] = []
    threads: list[float] = []
    processes: list[float] = []
    busy: list[float] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            step(f"contention, round {number + 1}")
            one.append(per_op(run_threads(factory, 1, seconds)))
            both = run_threads(factory, 2, seconds)
            threads.append(per_op(both))
            busy.append(sum(cost.cpu_ns for cost in both) / sum(cost.wall_ns for cost in both))
            processes.append(per_op(run_processes(work, 2, seconds)))
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    return Contention(
        work=work,
        one_ns=Spread.of(one),
        two_threads_ns=Spread.of(threads),
        two_processes_ns=Spread.of(processes),
        thread_ratio=Spread.of([two / single for two, single in zip(threads, one, strict=True)]),
        process_ratio=Spread.of([two / single for two, single in zip(processes, one, strict=True)]),
        on_cpu=statistics.median(busy),
    )


def describe(result: Contention) -> list[str]:
    """The outcome in three lines of text."""
    one, threads, processes = result.one_ns, result.two_threads_ns, result.two_processes_ns
    ratio, control = result.thread_ratio, result.process_ratio
    verdict = "met" if result.met else "missed"
    return [
        f"{result.work}: CPU time per operation, on one thread {one.median:.0f} ns",
        f"on two threads at once {threads.median:.0f} ns: ratio {ratio.median:.2f} "
        + f"({ratio.low:.2f}-{ratio.high:.2f}), target <= {result.target:.2f}, {verdict}; "
        + f"on a CPU {result.on_cpu:.0%} of the time",
        f"in two processes at once {processes.median:.0f} ns: ratio {control.median:.2f} "
        + f"({control.low:.2f}-{control.high:.2f}), what the machine itself charges",
    ]


class SharedEntry:
    """An object that both threads look at; see `shared_work`."""

    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls = 0


SHARED_TABLE = {b"GET": SharedEntry(), b"SET": SharedEntry()}


def shared_work() -> Work:
    """What a shard must not do: look instances up in one dict that all threads share.

    It proves that the benchmark sees contention where there is some; its ratio is far above the target.
    """
    table = SHARED_TABLE

    def run(count: int) -> None:
        for _ in range(count):
            if table[b"GET"].calls:
                raise AssertionError("nobody writes here")

    return run


def main() -> int:
    """Command line; exit status 1 when the target is missed."""
    parser = argparse.ArgumentParser(prog="python -X gil=0 -m bench.contention", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--work", default=DEFAULT_WORK, help="module:factory; default %(default)s")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of one measurement")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        gc.disable()
        serve_as_child(load(args.work), args.seconds)
        return 0
    result = measure(args.work, args.rounds, args.seconds)
    print(json.dumps(result.as_dict(), indent=2) if args.json else "\n".join(describe(result)))
    return 0 if result.met else 1


if __name__ == "__main__":
    sys.exit(main())
