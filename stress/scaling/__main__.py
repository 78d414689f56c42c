"""`python -X gil=0 -m stress.scaling`: measure what this machine holds, project what it doesn't, write the
report.

make scaling                     all of it: about seven minutes on two cores; writes docs/scaling.md
make scaling ARGS=--quick        two short rounds of everything, under two minutes; docs left alone
make scaling ARGS='--loads "GET P1" --no-memory --no-docs'
make scaling ARGS='--from build/scaling/result.json --docs'      the report of an earlier run, written anew
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from bench import environment
from bench.servers import Server, ServerError
from stress.scaling import footprint, tools
from stress.scaling.check import checks
from stress.scaling.generator import ROOT, fill
from stress.scaling.model import models
from stress.scaling.outcome import GeneratorError
from stress.scaling.plots import draw
from stress.scaling.profiles import LOADS, MACHINES, Load, Machine, cores
from stress.scaling.projection import SIMULATED, project
from stress.scaling.report import report
from stress.scaling.result import Result
from stress.scaling.sampling import Plan, Series, Step, measure
from stress.scaling.servers import Candidate, candidates, default_threads, describe, versions
from stress.scaling.traffic import Placement

PAGE = ROOT / "docs" / "scaling.md"
IMAGES = ROOT / "docs" / "img"
OUT = ROOT / "build" / "scaling"


def numbers(text: str) -> list[int]:
    """`1,2` -> [1, 2]."""
    return [int(part) for part in text.split(",") if part]


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -X gil=0 -m stress.scaling", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    labels = ", ".join(load.label for load in LOADS)
    add = parser.add_argument
    add("--quick", action="store_true", help="2 rounds of 0.25 s, a tenth of the keys, docs left alone")
    add("--rounds", type=int, help="default 5, with --quick 2")
    add("--seconds", type=float, help="length of a round; default 0.4, with --quick 0.25")
    add("--threads", type=numbers, help=f"of ours; default {','.join(map(str, default_threads()))}")
    add("--loads", default="", help=f"separated by commas, from: {labels}; default all")
    add(
        "--generator",
        default="auto",
        choices=["auto", *tools.TOOLS],
        help="default: memtier where installed, or own",
    )
    add("--keys", type=int, help="for bytes a key, of small values; default 400000, with --quick 40000")
    add("--populate", type=int, help="keys to time; default 5000000, with --quick 500000")
    add("--snapshot-keys", type=int, help="for memory over time; default 200000, with --quick 20000")
    add("--sizes", type=numbers, default=footprint.SIZES, help="of values, for bytes a key")
    add("--machines", default="", help="to project, separated by commas; default all that there are")
    add("--no-plots", action="store_true", help="leave the plots out")
    add("--simulated", type=int, default=SIMULATED, help="pipelines a simulation answers; default 20000")
    add("--no-snapshots", action="store_true", help="leave memory over time out")
    add("--no-memory", action="store_true", help="leave memory out")
    add("--no-others", action="store_true", help="load no servers of others")
    add(
        "--out",
        type=Path,
        default=OUT,
        help="where result.json, the report and its plots go; default build/scaling",
    )
    add(
        "--docs",
        action=argparse.BooleanOptionalAction,
        help="write docs/scaling.md and docs/img/scaling-*.png as well",
    )
    add("--from", dest="source", type=Path, help="report this result.json instead of measuring")
    args = parser.parse_args(argv)
    left_out = args.no_memory or args.no_snapshots or args.no_others
    chosen = args.loads or args.threads or args.machines
    whole = not (args.quick or left_out or chosen or args.source)
    args.docs = whole if args.docs is None else args.docs
    args.rounds = args.rounds or (2 if args.quick else 5)
    args.seconds = args.seconds or (0.25 if args.quick else 0.4)
    args.keys = args.keys or (40_000 if args.quick else 400_000)
    args.populate = args.populate or (500_000 if args.quick else 5_000_000)
    args.snapshot_keys = args.snapshot_keys or (20_000 if args.quick else 200_000)
    args.threads = args.threads or default_threads()
    return args


def chosen_loads(text: str) -> list[Load]:
    """The loads of these labels; all without any. SystemExit for one that there is not."""
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    unknown = set(wanted) - {load.label for load in LOADS}
    if unknown:
        raise SystemExit(f"scaling: no such load: {', '.join(sorted(unknown))}")
    return [load for load in LOADS if not wanted or load.label in wanted]


def chosen_machines(text: str) -> list[Machine]:
    """The machines of these names; all without any. SystemExit for one that there is not."""
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    unknown = set(wanted) - {machine.name for machine in MACHINES}
    if unknown:
        raise SystemExit(f"scaling: no such machine: {', '.join(sorted(unknown))}")
    return [machine for machine in MACHINES if not wanted or machine.name in wanted]


def plans_for(
    load: Load, found: list[Candidate], tool: tools.Own | tools.Memtier | tools.RedisBenchmark
) -> list[Plan]:
    """A load on every server; on ours also with keys of the own thread only, and with two threads of the
    other only, which only our own generator can ask for."""
    own = tools.Own()
    plans = []
    for candidate in found:
        fits = tool.takes(load, candidate.kind.protocol)
        plans.append(Plan(candidate, load, None, tool if fits else own))
        if candidate.ours and candidate.threads > 1:
            shares = (0.0, 1.0) if candidate.threads == 2 else (0.0,)
            plans += [Plan(candidate, load, Placement(candidate.threads, share), own) for share in shares]
    return plans


def measure_all(args: argparse.Namespace, step: Step) -> tuple[list[Series], dict[str, str]]:
    """Start and fill all servers, and give them every load; the series, and what ours says of itself."""
    tool = tools.find(args.generator)
    found = candidates(args.threads)
    if args.no_others:
        found = [candidate for candidate in found if candidate.ours]
    series: list[Series] = []
    with ExitStack() as stack:
        running: dict[str, Server] = {}
        for candidate in found:
            step(f"starting and filling {candidate.label}")
            running[candidate.label] = stack.enter_context(candidate.start())
            fill(running[candidate.label].port, candidate.kind.protocol, LOADS[0].value_bytes)
        said = {"nogil-df": describe(running[found[0].label])}
        for load in chosen_loads(args.loads):
            plans = plans_for(load, found, tool)
            series += measure(plans, running, args.rounds, args.seconds, step)
    return series, {**said, **versions()}


def run(args: argparse.Namespace, step: Step) -> Result:
    """Everything that the arguments ask for."""
    before = environment.observe()
    series, said = measure_all(args, step)
    footprints = [] if args.no_memory else footprint.footprints(args.keys, args.sizes, step)
    fillings = [] if args.no_memory else footprint.fillings(args.populate, step)
    snapshots = [] if args.no_memory or args.no_snapshots else footprint.snapshots(args.snapshot_keys, step)
    step("simulating this machine, and those that are not here")
    found = models(series, before.cpus)
    held = checks(found, series, before.cpus, args.simulated)
    return Result(
        environment=dataclasses.replace(before, load_after=os.getloadavg()[0]),
        rounds=args.rounds,
        seconds=args.seconds,
        versions=said,
        tool=tools.find(args.generator).name,
        series=series,
        checks=held,
        projections=project(found, held, chosen_machines(args.machines), args.simulated),
        footprints=footprints,
        fillings=fillings,
        snapshots=snapshots,
        snapshot_keys=args.snapshot_keys,
    )


def write(result: Result, out: Path, docs: bool, plots: bool) -> None:
    """The result, the report and its plots; in docs/ as well where that is asked for."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").write_text(result.to_json(), encoding="utf-8")
    (out / "scaling.md").write_text(
        report(result, draw(result, out, "", "") if plots else {}), encoding="utf-8"
    )
    if docs:
        PAGE.write_text(report(result, draw(result, IMAGES, "scaling-", "img/")), encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Measure or read, report; exit status 1 on an error."""
    args = parse_arguments(argv)
    beyond = [machine.name for machine in MACHINES if not machine.measurable]
    try:
        if args.source:
            result = Result.from_json(args.source.read_text(encoding="utf-8"))
        else:
            print(f"{cores()} CPUs: measured; {', '.join(beyond)}: projected", file=sys.stderr)
            result = run(args, lambda text: print(f"scaling: {text}", file=sys.stderr, flush=True))
    except (GeneratorError, ServerError, OSError) as err:
        print(f"scaling: {err}", file=sys.stderr)
        return 1
    write(result, args.out, args.docs, not args.no_plots)
    print((args.out / "scaling.md").read_text(encoding="utf-8"))
    print(f"written to {args.out}{', docs/scaling.md and docs/img' if args.docs else ''}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
