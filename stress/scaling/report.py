"""The report in Markdown: what was measured, where the time goes, what is projected, memory, and how it was
done.

No sentence depends on how the figures came out: what they say is computed. Whatever is not measured is marked
`projected`, in headings, captions and cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bench import snapshot
from bench.measure import Spread
from stress.scaling.check import Check, Pair
from stress.scaling.model import PACE, Model, Range
from stress.scaling.profiles import CONNECTIONS_A_VCPU, MACHINES, cores
from stress.scaling.projection import Projection, Split, splits
from stress.scaling.published import FIGURES, PEAK_P99, README, REDIS_RANGE
from stress.scaling.result import Result
from stress.scaling.sampling import Series
from stress.scaling.usl import TERMS

HEADLINE = "GET P1"
NO_PLOTS = "(The plots need matplotlib: the extra `bench`.)"
Images = dict[str, str]
"""Name of a plot -> its address relative to the page."""


def thousands(value: float) -> str:
    """Requests a second, to three digits."""
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.0f} K"


def spread(value: Spread, digits: int = 2) -> str:
    """`median (lowest-highest)`."""
    return f"{value.median:,.{digits}f} ({value.low:,.{digits}f}-{value.high:,.{digits}f})"


def between(value: Range, show: object = thousands) -> str:
    """`value (low to high)`."""
    text = thousands if show is thousands else lambda number: f"{number:.2f}"
    return f"{text(value.value)} ({text(value.low)} to {text(value.high)})"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; all columns but the first to the right."""
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "--:|" * (len(headings) - 1)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]


def image(images: Images, name: str, text: str) -> list[str]:
    """A plot, if there is one."""
    return ["", f"![{text}]({images[name]})"] if name in images else []


def report(result: Result, images: Images) -> str:
    """The whole page."""
    parts = [
        ["# Scaling", "", *introduction(result, images)],
        ["## In short", "", *headlines(result)],
        ["## Measured", "", *measured(result, images)],
        ["## Where the time of a request goes", "", *where(result)],
        ["## Projected: bigger machines", "", *projected(result, images)],
        ["## Memory", "", *memory(result, images)],
        ["## The model", "", *model(result)],
        ["## The model beside what was measured", "", *held(result, images)],
        ["## Published figures", "", *published()],
        ["## How it was run", "", *how(result)],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def introduction(result: Result, images: Images) -> list[str]:
    """What this page is, and what to keep in mind."""
    env = result.environment
    lines = [
        "How throughput, latency and memory grow with threads and data, beside other servers. `make "
        "scaling` measures it all and writes this page and its plots; `make scaling ARGS=--help` lists "
        "what can be chosen.",
        "",
        f"- Taken on {env.date[:10]}: {env.cpu}, {env.cpus} CPUs, Linux {env.kernel}; load average "
        f"{env.load_before:.1f} before and {env.load_after:.1f} after.",
        f"- Python {env.python} ({env.build}; {env.compiler}).",
        *(f"- {name}: {said}" for name, said in result.versions.items()),
        f"- Load by {result.tool}, on the same machine as the servers; {result.rounds} rounds of "
        f"{result.seconds:g} s, in which all servers take turns. Tables show medians, in brackets the "
        "lowest and highest round.",
        "",
        f"**Measured** is what {env.cpus} CPUs can hold. For machines with more the figures are "
        "**projected** by a model that these measurements calibrate, and are marked so: nobody has run "
        "them there.",
    ]
    return lines if images else [*lines, "", NO_PLOTS]


def headlines(result: Result) -> list[str]:
    """A line for each load: what a core does, beside redis-server's, and what 64 would."""
    lines = []
    for load in dict.fromkeys(one.load for one in result.series):
        mine = pick(result.series, load, "nogil-df", 1)
        theirs = pick(result.series, load, "redis-server", 1)
        if mine is None:
            continue
        text = (
            f"- **{load}**: a thread that is always busy serves {thousands(1e6 / mine.cpu.median)} requests/s"
        )
        if theirs is not None:
            text += f", redis-server {thousands(1e6 / theirs.cpu.median)}"
        biggest = [one for one in result.projections if one.load == load and not one.measured]
        if biggest:
            last = max(biggest, key=lambda one: one.vcpus)
            text += f"; {last.vcpus} vCPUs {between(last.rps)} (projected)"
        lines.append(text + ".")
    return lines


def pick(series: Sequence[Series], load: str, kind: str, threads: int) -> Series | None:
    """The series of any keys."""
    found = [
        one for one in series if (one.load, one.kind, one.threads, one.foreign) == (load, kind, threads, None)
    ]
    return found[0] if found else None


def measured(result: Result, images: Images) -> list[str]:
    """Throughput and latency of every server."""
    lines = [
        "Server and load generator share the cores here, so requests/s is what both get together, and "
        "latencies have the generator's in them. **Busy core** is what a core of its own would serve, 1 / "
        f"CPU time a request. Servers with more threads than the {result.environment.cpus} CPUs are there "
        "for the model. `*`: the generator computed or waited for a core more than 90 % of the time; it "
        "could hardly have sent more.",
    ]
    for load in dict.fromkeys(one.load for one in result.series):
        rows = [row(one) for one in result.series if one.load == load and one.foreign is None]
        heads = ("server", "CPU µs a request", "busy core/s", "requests/s", "p50 ms", "p99 ms", "p99.9 ms")
        connections = next(one.connections for one in result.series if one.load == load)
        lines += ["", f"**{load}**, {connections} connections:", "", *table(heads, rows)]
    lines += image(images, "throughput", "Requests a second over threads: measured, projected, published")
    return lines + image(images, "latency", "Latencies by load and server, measured")


def row(one: Series) -> list[str]:
    """One server at one load."""
    p99 = one.spread(lambda sample: sample.outcome.p99_ms)
    return [
        one.server,
        spread(one.cpu),
        thousands(1e6 / one.cpu.median),
        f"{one.rps.median:,.0f} ({one.rps.low:,.0f}-{one.rps.high:,.0f})" + "*" * one.limited,
        f"{one.spread(lambda sample: sample.outcome.p50_ms).median:.2f}",
        spread(p99),
        "" if one.p999 is None else spread(one.p999),
    ]


def where(result: Result) -> list[str]:
    """The split of CPU time."""
    heads = (
        *("load", "1 thread: user", "kernel", "2 threads: own keys", "the other's keys", "any keys"),
        *("contention", "hop"),
    )
    lines = [
        "CPU time of nogil-df, µs a request, when connections ask for keys of their own thread only, of "
        "the other thread only, or for any. *Contention* is what a second thread adds where neither asks "
        "the other for anything, *hop* what a key of the other thread adds, in both threads together.",
        "",
    ]
    return lines + table(heads, [split_row(one) for one in splits(result.series)])


def split_row(one: Split) -> list[str]:
    """One load."""
    values = (one.user, one.kernel, one.own_keys, one.foreign_keys, one.any_keys, one.contention, one.hop)
    return [one.load, *("" if value is None else f"{value:.2f}" for value in values)]


def projected(result: Result, images: Images) -> list[str]:
    """What the model says of the profiles, beside what is published."""
    lines = [
        f"A shard thread for each vCPU, all busy, {CONNECTIONS_A_VCPU} connections a vCPU from another "
        "machine. In brackets is the interval: 90 % of what other rounds might have told, widened by how "
        "far the model is off here (see [below](#the-model-beside-what-was-measured)), and by a core that is "
        f"{1 - PACE[0]:.0%} slower or {PACE[1] - 1:.0%} faster than one here, as nobody has compared them. "
        "Network cards and their interrupts are not in the model; a vCPU of the m5 is one "
        "of two hyperthreads of a core. *Plain law* takes all growth of cost for contention (see [the "
        "model](#the-model)): a pessimist's figure.",
    ]
    for load in dict.fromkeys(one.load for one in result.projections):
        rows = [
            profile_row(machine.name, one) for machine in MACHINES for one in of(result, load, machine.vcpus)
        ]
        heads = ("machine", "", "requests/s", "plain law", "p50 ms", "p99 ms", "p99.9 ms", "published")
        lines += ["", f"**{load}**, projected:", "", *table(heads, rows)]
    lines += [
        "",
        f"Redis without pipelines, on any of them: {redis_range()} published, as one thread does the work.",
    ]
    return lines + image(images, "projected-latency", "p99 over vCPUs, projected, beside published figures")


def redis_range() -> str:
    """The published range of Redis."""
    return f"{thousands(REDIS_RANGE[0])} to {thousands(REDIS_RANGE[1])} requests/s"


def of(result: Result, load: str, vcpus: int) -> list[Projection]:
    """The projections of a load on so many vCPUs."""
    return [one for one in result.projections if (one.load, one.vcpus) == (load, vcpus)]


def profile_row(machine: str, one: Projection) -> list[str]:
    """One machine."""
    others = [
        f"{figure.server} {thousands(figure.rps)}" + (f", p99 {figure.p99_ms:g} ms" if figure.p99_ms else "")
        for figure in FIGURES
        if figure.machine == machine and figure.load == one.load
    ]
    return [
        f"{machine}, {one.vcpus} vCPUs",
        "from measured costs" if one.measured else "projected",
        between(one.rps),
        thousands(one.plain_rps),
        f"{one.p50_ms:.2f}",
        between(one.p99_ms, "ms"),
        f"{one.p999_ms:.2f}",
        "; ".join(others),
    ]


def memory(result: Result, images: Images) -> list[str]:
    """Bytes a key, and memory over time."""
    servers = list(dict.fromkeys(one.server for one in result.footprints))
    rows = []
    for size in dict.fromkeys(one.value_bytes for one in result.footprints):
        here = {one.server: one for one in result.footprints if one.value_bytes == size}
        keys = next(iter(here.values())).keys
        cells = [f"{here[name].bytes_a_key:.0f}" if name in here else "" for name in servers]
        rows.append([f"{size}", f"{keys:,}", *cells])
    lines = [
        "Resident bytes a key that a server has grown by, all told: keys `key:N` and values of one size, "
        "filled by `DEBUG POPULATE`, memcached by `set`.",
        "",
        *table(("value bytes", "keys", *servers), rows),
        *image(images, "bytes", "Resident bytes a key by size of value"),
    ]
    if result.fillings:
        first = result.fillings[0]
        heads = ("`DEBUG POPULATE`", "threads", "seconds", "CPU seconds")
        filled = [
            [one.server, f"{one.threads}", f"{one.seconds:.1f}", f"{one.cpu_seconds:.1f}"]
            for one in result.fillings
        ]
        lines += [
            "",
            f"{first.keys:,} keys with values of {first.value_bytes} bytes:",
            "",
            *table(heads, filled),
        ]
    if result.snapshots:
        lines += [
            "",
            f"`BGSAVE` of {result.snapshot_keys:,} keys of {snapshot.VALUE_BYTES:,} bytes under `SET`s "
            "without a pause: what the process, and whatever it forked, holds over time.",
            "",
            snapshot.table(result.snapshots, result.snapshot_keys),
            *image(images, "bgsave", "Memory over time around a BGSAVE"),
        ]
    return lines


def model(result: Result) -> list[str]:
    """The law, and what was found."""
    heads = (
        *("load", "local a", "hop h", "message w", "turns o", "contention s", "coherency k"),
        *("worst error", "foretold"),
    )
    return [
        "CPU time a request with N threads, of which f = 1 - 1/N do not own its key:",
        "",
        "    c(N) = a + h*f + w*M + s*(N - 1) + k*N*(N - 1) + o*(N > cores)          throughput = N / c(N)",
        "",
        "That is the Universal Scalability Law (sigma = s/a, kappa = k/a) with a term for hops: *h* for "
        "each request that makes one, *w* for each message between threads, of which M carry a request. "
        "Requests for one thread that are ready at once, or in one pipeline, travel as one message; the "
        "more threads, the fewer find company, until each travels alone: M grows, and then no more. Runs "
        "with connections that ask for keys of their own thread alone tell contention from hops, and, with "
        "more threads than there are cores, what it costs that threads take turns (*o*), which the "
        "projections leave out. Contention is that between the cores there are: with two, it cannot be "
        "told from coherency.",
        "",
        *table(heads, [model_row(one) for one in result.models]),
        "",
        "Microseconds of CPU time. The worst error is that of the fit at what was measured; *foretold* is "
        "that of a fit which has not seen the runs with the most threads, at those. Latencies come "
        "from a discrete-event simulation of connections, threads, turns and messages with these costs and "
        "a network of 0.1 ms there and back, all connections sending as fast as they are answered.",
    ]


def model_row(one: Model) -> list[str]:
    """One load."""
    terms = one.fitted.terms
    values = [f"{terms[name]:.2f}" if name in terms else "" for name in TERMS]
    foretold = "" if one.foretold is None else f"{one.foretold:.0%}"
    return [one.load, *values, f"{one.worst_error:.0%}", foretold]


def held(result: Result, images: Images) -> list[str]:
    """The simulation of this machine, beside what it did."""
    heads = ("load", "threads", "CPU µs a request", "requests/s", "p50 ms", "p99 ms")
    cpus = result.environment.cpus
    lines = [
        f"The same simulation with {cpus} cores, which the processes of the load generator share with the "
        "server's threads as they did here (they cost what they cost here): measured, then as the model has "
        "it. What was measured had the rest of the machine beside it, and a scheduler that takes cores away "
        "in ways which are not simulated: it is the tails where that shows. The bounds of projected p99 are "
        "multiplied by the largest and the smallest of what the one is to the other here, with no more "
        "threads than cores.",
        "",
    ]
    if not result.checks:
        return [*lines, "(The load generator did not tell what it cost.)"]
    rows = [held_row(one) for one in result.checks]
    picture = image(images, "held", "Latencies on this machine, measured and simulated")
    return [*lines, *table(heads, rows), "", *summary(result.checks, cpus), *picture]


def held_row(one: Check) -> list[str]:
    """One load with so many threads."""
    return [
        one.load,
        f"{one.threads}",
        beside(one.cpu_us, "{:.2f}"),
        beside(one.rps, "{:,.0f}"),
        beside(one.p50_ms, "{:.2f}"),
        beside(one.p99_ms, "{:.2f}"),
    ]


def beside(pair: Pair, form: str) -> str:
    """`measured / modelled (by how much)`."""
    return f"{form.format(pair.measured)} / {form.format(pair.modelled)} ({pair.ratio - 1:+.0%})"


def summary(found: Sequence[Check], cpus: int) -> list[str]:
    """How far off in the middle, and at worst."""
    lines = []
    for name, of in (
        ("requests/s", lambda one: one.rps),
        ("p50", lambda one: one.p50_ms),
        ("p99", lambda one: one.p99_ms),
    ):
        ratios = sorted(of(one).ratio for one in found if not one.oversubscribed)
        if ratios:
            middle = ratios[len(ratios) // 2]
            lines.append(
                f"- {name}, up to {cpus} threads: what was measured is {middle:.2f} of what is modelled, the "
                f"median, and {ratios[0]:.2f} to {ratios[-1]:.2f}."
            )
    return lines


def published() -> list[str]:
    """The figures of others, with sources."""
    heads = ("server", "on", "load", "requests/s", "p99 ms", "p99.9 ms", "source")
    rows = [
        [
            *(one.server, one.machine, one.what, thousands(one.rps)),
            *("" if value is None else f"{value:g}" for value in (one.p99_ms, one.p999_ms)),
            f"[{one.source.split('/')[2]}]({one.source})",
        ]
        for one in FIGURES
    ]
    peaks = [[load, *(f"{value:g}" for value in values)] for load, *values in PEAK_P99]
    return [
        "As their authors give them: other machines, clients on a machine of their own, C++ and C.",
        "",
        *table(heads, rows),
        "",
        f"Dragonfly's p99 in ms at its peak throughput, by processor ([source]({README})):",
        "",
        *table(("load", "r6g", "c6gn", "c7g"), peaks),
    ]


def how(result: Result) -> list[str]:
    """Command lines."""
    seen: dict[str, str] = {}
    for one in result.series:
        if one.foreign is None:
            # Some tools have the value of a SET on their command line.
            line = re.sub("x{20,}", lambda found: f"[{len(found[0])} times x]", one.command)
            seen.setdefault(f"{one.load}, {one.kind}", line)
    servers = dict.fromkeys(f"{one.server}: {one.server_command}" for one in result.series)
    profiles = ", ".join(f"{machine.name} ({machine.vcpus})" for machine in MACHINES)
    runnable = [machine.name for machine in MACHINES if machine.vcpus <= cores()]
    return [
        f"Profiles, with their vCPUs: {profiles}. This machine has the cores of "
        f"{', '.join(runnable) or 'none of them'}; server and load generator share them.",
        "",
        "Servers, and loads, as memtier_benchmark's arguments where our own generator sent them:",
        "",
        "```",
        *servers,
        "",
        *(f"{name}: {line}" for name, line in seen.items()),
        "```",
    ]
