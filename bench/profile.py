"""Where the time of a request goes: `python -X gil=0 -m bench.profile MODE`.

    python     our Python functions and lines (a sampler in the server's process, see `bench.sampler`)
    perf       C functions and kernel, by perf record, attached while the load runs
    stat       counters per request (perf stat): CPU time, context switches, cycles where the machine has them
    syscalls   system calls per request (strace -c); a traced server is slow and gathers more in one turn

The server is started, filled and warmed up first; only the load is profiled. With `--redis` it is
redis-server, to compare with.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.measure import take_sample
from bench.servers import OURS, REDIS, Server, ServerError, fill
from bench.workloads import WORKLOADS, Workload

SAMPLED = OURS.replace("-m nogil_df", "-m bench.sampler {flag} {output} nogil_df")
COUNTERS = "task-clock,context-switches,cpu-migrations,page-faults,cycles,instructions,cache-misses"
ATTACH_SECONDS = 1.0
ENOUGH_SECONDS = 10.0
STRACE_SHARE = 10


def load(server: Server, workload: Workload, requests: int) -> None:
    """Send the requests and tell what they cost."""
    sample = take_sample(server, workload, requests)
    print(
        f"{server.name}, {workload.label}, {requests} requests: {sample.cpu_us:.2f} us CPU a request "
        f"({sample.user_us:.2f} user, {sample.system_us:.2f} kernel), {sample.client.rps:,.0f} requests/s\n"
    )


def attached(tool: list[str], server: Server, workload: Workload, requests: int) -> str:
    """Run the load with `tool` attached to the server; what the tool wrote to its standard error."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(tool, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            time.sleep(ATTACH_SECONDS)
            load(server, workload, requests)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(ENOUGH_SECONDS)
        errors.seek(0)
        return errors.read()


def profile_perf(server: Server, workload: Workload, requests: int, top: int) -> None:
    """perf record, reported by library and by function."""
    with tempfile.TemporaryDirectory() as directory:
        data = f"{directory}/perf.data"
        told = attached(
            ["perf", "record", "-F", "1999", "-o", data, "-p", str(server.pid)], server, workload, requests
        )
        for keys in ("dso", "dso,symbol"):
            command = ["perf", "report", "-i", data, "--stdio", "--sort", keys, "--percent-limit", "0.3"]
            report = subprocess.run(command, capture_output=True, text=True, check=False)
            if report.returncode != 0:
                raise ServerError(f"perf report failed: {told}{report.stderr}")
            lines = [line for line in report.stdout.splitlines() if line.strip() and not line.startswith("#")]
            print("\n".join(lines[:top]), end="\n\n")


def profile_stat(server: Server, workload: Workload, requests: int, top: int) -> None:
    """perf stat, divided by the requests."""
    text = attached(
        ["perf", "stat", "-x", ",", "-e", COUNTERS, "-p", str(server.pid)], server, workload, requests
    )
    for fields in [line.split(",") for line in text.splitlines()][:top]:
        if len(fields) > 2 and re.fullmatch(r"[\d.]+", fields[0]):
            print(f"{float(fields[0]) / requests:14.4f} {fields[1]} {fields[2]} a request")
        elif len(fields) > 2:
            print(f"{fields[0]:>14} {fields[2]}")


def profile_syscalls(server: Server, workload: Workload, requests: int, top: int) -> None:
    """strace -c, divided by the requests."""
    with tempfile.NamedTemporaryFile("r") as summary:
        requests = max(1000, requests // STRACE_SHARE)
        attached(
            ["strace", "-c", "-f", "-o", summary.name, "-p", str(server.pid)], server, workload, requests
        )
        print("  calls a request  system call")
        for line in summary.read().splitlines()[2 : top + 2]:
            words = line.split()
            if len(words) > 4 and words[3].isdigit():
                print(f"{int(words[3]) / requests:17.3f}  {words[-1]}")


def profile_python(
    server: Server, workload: Workload, requests: int, top: int, flag: Path, output: Path
) -> None:
    """Our own sampler: functions by own time and by total time, then lines."""
    flag.touch()
    try:
        load(server, workload, requests)
    finally:
        flag.unlink()
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not output.exists():
        if time.monotonic() > deadline:
            raise ServerError(f"the sampler wrote nothing\n{server.log_tail()}")
        time.sleep(0.05)
    found = json.loads(output.read_text(encoding="utf-8"))
    for heading, part in (("own time", "own"), ("with what it calls", "total"), ("lines, own time", "lines")):
        print(f"{heading} ({found['count']} samples, all threads, waiting included)")
        for name, count in sorted(found[part].items(), key=lambda item: -item[1])[:top]:
            print(f"{count / found['count']:8.1%}  {name}")
        print()


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -X gil=0 -m bench.profile", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("mode", choices=("python", "perf", "stat", "syscalls"))
    parser.add_argument("--test", default="get", choices=sorted({w.test for w in WORKLOADS}))
    parser.add_argument("--pipeline", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="shard threads")
    parser.add_argument("--requests", type=int, help="default: those of the benchmark, strace takes a tenth")
    parser.add_argument("--redis", action="store_true", help="profile redis-server (not with python)")
    parser.add_argument("--ours-cmd", help=f"default: {OURS}; with python: {SAMPLED}")
    parser.add_argument("--top", type=int, default=30, help="lines of each list")
    args = parser.parse_args()
    if args.redis and args.mode == "python":
        parser.error("redis-server has no Python in it")
    return args


def main() -> int:
    """Start, fill, warm up, profile."""
    args = parse_arguments()
    default = next(w for w in WORKLOADS if w.test == args.test)
    known = {w.pipeline: w.requests for w in WORKLOADS if w.test == args.test}
    requests = args.requests or known.get(args.pipeline, default.requests)
    workload = replace(default, pipeline=args.pipeline, requests=requests)
    with tempfile.TemporaryDirectory() as directory:
        flag, output = Path(directory) / "on", Path(directory) / "samples.json"
        template = args.ours_cmd or (SAMPLED if args.mode == "python" else OURS)
        template = template.replace("{flag}", str(flag)).replace("{output}", str(output))
        name = "redis" if args.redis else "ours"
        try:
            with Server(name, REDIS if args.redis else template, args.threads) as server:
                fill(server.port)
                take_sample(server, workload, max(1000, requests // 10))
                if args.mode == "python":
                    profile_python(server, workload, requests, args.top, flag, output)
                else:
                    run = {"perf": profile_perf, "stat": profile_stat, "syscalls": profile_syscalls}[
                        args.mode
                    ]
                    run(server, workload, requests, args.top)
        except (ServerError, FileNotFoundError) as err:
            print(f"bench.profile: {err}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
