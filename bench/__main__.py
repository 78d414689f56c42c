"""`python -X gil=0 -m bench`: nogil-df and redis-server side by side.

Starts redis-server and one nogil-df for each number of shard threads, fills them, runs every workload in
interleaved rounds, then the contention benchmark, and reports: a table, build/bench/result.{json,md,png}
and, after a full run, docs/benchmarks.md with its plot. `--from FILE` writes the report of an earlier
result anew.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from bench import contention, environment
from bench.measure import REFERENCE, Row, run_workload
from bench.plot import draw
from bench.report import Report, markdown, print_report, put_into_page
from bench.servers import OURS, REDIS, Server, ServerError, fill, identify
from bench.workloads import WORKLOADS, Workload, select

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
PAGE_IMAGE = "img/benchmark.png"
QUICK_ROUNDS, QUICK_SCALE = 2, 0.25


def numbers(text: str) -> list[int]:
    """`1,2` -> [1, 2]."""
    return [int(part) for part in text.split(",") if part]


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -X gil=0 -m bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    tests = sorted({workload.test for workload in WORKLOADS})
    parser.add_argument(
        "--quick", action="store_true", help="2 rounds of a quarter of the requests, docs untouched"
    )
    parser.add_argument("--rounds", type=int, help="default 5, with --quick 2")
    parser.add_argument(
        "--scale", type=float, help="multiply the number of requests; default 1, with --quick 0.25"
    )
    parser.add_argument("--threads", type=numbers, default=[1, 2], help="shard threads of ours; default 1,2")
    parser.add_argument("--only", default="", help=f"tests, from {','.join(tests)}; default all")
    parser.add_argument(
        "--pipelines", type=numbers, default=[], help="depths, from 1,16,30,10000; default all"
    )
    parser.add_argument("--ours-cmd", default=OURS, help=f"default: {OURS}")
    parser.add_argument("--redis-cmd", default=REDIS, help=f"default: {REDIS}")
    parser.add_argument("--work", default=contention.DEFAULT_WORK, help="what the contention benchmark runs")
    parser.add_argument("--no-contention", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench", help="default build/bench")
    parser.add_argument(
        "--docs", action=argparse.BooleanOptionalAction, help="write docs/benchmarks.md and its plot"
    )
    parser.add_argument("--check", action="store_true", help="exit status 1 when a target is missed")
    parser.add_argument(
        "--from", dest="source", type=Path, help="report this result file instead of measuring"
    )
    args = parser.parse_args()
    args.rounds = args.rounds or (QUICK_ROUNDS if args.quick else 5)
    args.scale = args.scale or (QUICK_SCALE if args.quick else 1.0)
    if args.docs is None:
        filtered = args.only or args.pipelines or args.ours_cmd != OURS or args.source
        args.docs = not (args.quick or filtered)
    return args


def measure(args: argparse.Namespace, step: Callable[[str], None]) -> Report:
    """Run everything the arguments ask for."""
    before = environment.observe()
    workloads = select([name for name in args.only.split(",") if name], args.pipelines)
    if not workloads:
        raise SystemExit("bench: no workload is left by --only and --pipelines")
    servers = [Server(REFERENCE, args.redis_cmd, 1)]
    servers += [
        Server(f"ours, {count} thread{'s'[: count > 1]}", args.ours_cmd, count) for count in args.threads
    ]
    rows, infos = compare(servers, workloads, args, step)
    outcome = None
    if not args.no_contention:
        outcome = contention.measure(args.work, rounds=3 * args.rounds, step=step)
    return Report(
        environment=dataclasses.replace(before, load_after=os.getloadavg()[0]),
        rounds=args.rounds,
        scale=args.scale,
        commands=command_lines(servers, workloads, args.scale),
        servers=infos,
        rows=rows,
        contention=outcome,
    )


def compare(
    servers: list[Server], workloads: list[Workload], args: argparse.Namespace, step: Callable[[str], None]
) -> tuple[list[Row], dict[str, dict[str, str]]]:
    """Start, fill, measure and stop the servers; the rows, and what each server says it is."""
    rows: list[Row] = []
    with ExitStack() as running:
        for server in servers:
            step(f"starting and filling {server.name}")
            running.enter_context(server)
            fill(server.port)
        infos = {server.name: identify(server.port) for server in servers}
        for workload in workloads:
            rows += run_workload(servers, workload, args.rounds, args.scale, step)
    return rows, infos


def command_lines(servers: list[Server], workloads: list[Workload], scale: float) -> dict[str, list[str]]:
    """Name -> command line of every server, and of every workload (as run against redis-server)."""
    lines = {server.name: server.argv for server in servers}
    for workload in workloads:
        lines[workload.label] = workload.argv(servers[0].port, max(1000, round(workload.requests * scale)))
    return lines


def write(report: Report, directory: Path, docs: bool, console: Console) -> None:
    """Write result.json, result.md and result.png into `directory`, and the docs page when asked to."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "result.json").write_text(report.to_json(), encoding="utf-8")
    image: str | None = "result.png"
    try:
        draw(report, directory / "result.png")
        if docs:
            draw(report, PAGE.parent / PAGE_IMAGE)
    except ImportError as err:
        console.print(f"no plot: {err}", highlight=False)
        image = None
    (directory / "result.md").write_text(markdown(report, image), encoding="utf-8")
    if docs:
        put_into_page(PAGE, markdown(report, image and PAGE_IMAGE))
    console.print(f"written to {directory}{' and docs/benchmarks.md' if docs else ''}", highlight=False)


def main() -> int:
    """Measure or read, report; exit status 1 on an error or, with --check, on a missed target."""
    args = parse_arguments()
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        if args.source:
            report = Report.from_json(args.source.read_text(encoding="utf-8"))
        else:
            errors = Console(stderr=True)
            with errors.status("bench") as status:
                report = measure(args, status.update)
    except (ServerError, FileNotFoundError) as err:
        print(f"bench: {err}", file=sys.stderr)
        return 1
    print_report(report, console)
    write(report, args.out, args.docs, console)
    return 1 if args.check and report.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
