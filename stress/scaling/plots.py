"""The plots. The only module that needs matplotlib, imported when they are drawn.

Filled marks and solid lines are measured; hollow marks, dashed lines and shades are projected; crosses are
others' published figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from stress.scaling.footprint import draw_snapshots
from stress.scaling.model import Range
from stress.scaling.published import FIGURES, REDIS_RANGE
from stress.scaling.report import Images
from stress.scaling.result import Result
from stress.scaling.sampling import Series

COLOURS = {
    "nogil-df": "#1f77b4",
    "redis-server": "#c0392b",
    "valkey-server": "#8e44ad",
    "memcached": "#2a9d6f",
}
OTHER = "#8a8f98"
Painter = Callable[[Any, Result, str], None]
"""Draws what a result has of one load."""
PUBLISHED = {"Dragonfly": "#e07b39", "Redis": "#c0392b", "Memcached": "#2a9d6f"}


def draw(result: Result, directory: Path, prefix: str, address: str) -> Images:
    """Write the PNGs `<prefix><name>.png` into `directory`; their addresses below `address`. None without
    matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return {}
    matplotlib.use("Agg")
    directory.mkdir(parents=True, exist_ok=True)
    painters: dict[str, tuple[bool, Callable[[Result, Path], None]]] = {
        "throughput": (bool(result.series), throughput),
        "latency": (bool(result.series), latency),
        "held": (bool(result.checks), held_latency),
        "projected-latency": (bool(result.projections), projected_latency),
        "bytes": (bool(result.footprints), bytes_a_key),
        "bgsave": (bool(result.snapshots), lambda found, path: draw_snapshots(found.snapshots, path)),
    }
    images: Images = {}
    for name, (wanted, paint) in painters.items():
        if wanted:
            file = f"{prefix}{name}.png"
            paint(result, directory / file)
            images[name] = f"{address}{file}"
    return images


def finish(figure: Any, result: Result, path: Path, note: str) -> None:
    """Caption and file."""
    from matplotlib import pyplot

    env = result.environment
    machine = f"{env.date[:10]}, {env.cpu}, {env.cpus} CPUs, Python {env.python} ({env.build})"
    text = f"{note}\n{machine}, {result.rounds} rounds"
    figure.text(0.01, 0.005, text, fontsize=7, color="#333333")
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def each_load(
    loads: Iterable[str], result: Result, path: Path, height: float, paint: Painter, note: str
) -> None:
    """A figure with a plot for each load, in two columns; `paint` draws what is in one."""
    from matplotlib import pyplot

    names = list(dict.fromkeys(loads))
    rows = (len(names) + 1) // 2
    figure, axes = pyplot.subplots(rows, 2, figsize=(11, height * rows), squeeze=False)
    flat = [one for line in axes for one in line]
    for spare in flat[len(names) :]:
        spare.set_visible(False)
    for plot, load in zip(flat, names, strict=False):
        paint(plot, result, load)
        plot.set_title(load, loc="left", fontsize=10)
        plot.grid(alpha=0.3)
    finish(figure, result, path, note)


def throughput(result: Result, path: Path) -> None:
    """Requests a second with all threads busy, over threads; both axes logarithmic."""
    each_load(
        (one.load for one in result.series),
        result,
        path,
        3.6,
        paint_throughput,
        "Solid: threads / measured CPU time a request; triangles: of more threads than cores. Dashed, "
        "shaded: projected, with interval. Crosses: published by others.",
    )


def paint_throughput(plot: Any, result: Result, load: str) -> None:
    """Every server at one load."""
    for kind in dict.fromkeys(one.kind for one in result.series):
        mine = [one for one in result.series if (one.load, one.kind, one.foreign) == (load, kind, None)]
        cpus, colour = result.environment.cpus, COLOURS.get(kind, OTHER)
        whiskers(plot, [one for one in mine if one.threads <= cpus], fmt="-o", color=colour, label=kind)
        taking_turns = [one for one in mine if one.threads > cpus]
        if taking_turns:
            whiskers(plot, taking_turns, fmt="^", color=colour, label=f"{kind}, measured on {cpus} cores")
    far = [one for one in result.projections if one.load == load]
    if far:
        xs = [one.vcpus for one in far]
        projected(plot, xs, [one.rps for one in far], "nogil-df, projected")
        plot.plot(xs, [one.plain_rps for one in far], ":", color=OTHER, label="plain law, projected")
    crosses(plot, load, lambda one: one.rps)
    if load.endswith(" P1"):
        plot.axhspan(*REDIS_RANGE, color=PUBLISHED["Redis"], alpha=0.08, label="Redis, published")
    plot.set_xscale("log", base=2)
    plot.set_yscale("log")
    plot.set_xlabel("threads = cores")
    plot.set_ylabel("requests/s")
    if load == result.series[0].load:
        plot.legend(fontsize=7)


def whiskers(plot: Any, mine: list[Series], **look: str) -> None:
    """Threads by CPU time a request: what they serve when all are busy, with the spread of the rounds."""
    xs = [one.threads for one in mine]
    ys = [1e6 * one.threads / one.cpu.median for one in mine]
    below = [y - 1e6 * one.threads / one.cpu.high for y, one in zip(ys, mine, strict=True)]
    above = [1e6 * one.threads / one.cpu.low - y for y, one in zip(ys, mine, strict=True)]
    plot.errorbar(xs, ys, [below, above], markersize=5, capsize=2, **look)


def projected(plot: Any, xs: list[int], ys: list[Range], label: str) -> None:
    """A dashed line with hollow marks, and its interval as a shade."""
    colour = COLOURS["nogil-df"]
    look = {"marker": "o", "markerfacecolor": "white", "color": colour, "label": label}
    plot.plot(xs, [one.value for one in ys], "--", **look)
    plot.fill_between(xs, [one.low for one in ys], [one.high for one in ys], alpha=0.15, color=colour)


def crosses(plot: Any, load: str, of: Callable[[Any], float | None]) -> None:
    """The published figures that stand beside a load."""
    named: set[str] = set()
    for one in FIGURES:
        value = of(one)
        if one.load != load or value is None:
            continue
        label = None if one.server in named else f"{one.server}, published"
        named.add(one.server)
        plot.plot(one.vcpus, value, "x", markersize=8, color=PUBLISHED.get(one.server, OTHER), label=label)


def latency(result: Result, path: Path) -> None:
    """p50, p99 and p99.9 of every server, as marks on a line of its own."""
    note = "Measured. Dot: p50, bar: p99, diamond: p99.9; lines: all rounds."
    each_load((one.load for one in result.series), result, path, 3.2, paint_latency, note)


def paint_latency(plot: Any, result: Result, load: str) -> None:
    """Every server at one load."""
    from matplotlib.ticker import NullFormatter

    mine = [one for one in result.series if one.load == load and one.foreign is None]
    for place, one in enumerate(mine):
        colour = COLOURS.get(one.kind, OTHER)
        marks = [one.spread(lambda s: s.outcome.p50_ms), one.spread(lambda s: s.outcome.p99_ms), one.p999]
        for mark, shape in zip(marks, "o|D", strict=True):
            if mark is not None:
                plot.plot([mark.low, mark.high], [place, place], color=colour, linewidth=1, alpha=0.6)
                plot.plot(mark.median, place, shape, color=colour, markersize=8 if shape == "|" else 4)
    plot.set_yticks(range(len(mine)), [one.server for one in mine], fontsize=7)
    plot.invert_yaxis()
    plot.set_xscale("log")
    plot.xaxis.set_minor_formatter(NullFormatter())
    plot.set_xlabel("ms")


def projected_latency(result: Result, path: Path) -> None:
    """p99 over vCPUs."""
    note = "Projected by simulation, every core busy. Crosses: published by others."
    each_load((one.load for one in result.projections), result, path, 3.2, paint_projected_latency, note)


def paint_projected_latency(plot: Any, result: Result, load: str) -> None:
    """One load."""
    far = [one for one in result.projections if one.load == load]
    projected(plot, [one.vcpus for one in far], [one.p99_ms for one in far], "nogil-df p99, projected")
    crosses(plot, load, lambda one: one.p99_ms)
    plot.set_xscale("log", base=2)
    plot.set_ylim(bottom=0)
    plot.set_xlabel("vCPUs")
    plot.set_ylabel("p99, ms")
    plot.legend(fontsize=7)


def held_latency(result: Result, path: Path) -> None:
    """p50 and p99 as measured here and as simulated for here, over threads."""
    note = "Of this machine. Filled: measured; hollow: simulated, with the load generator on the same cores."
    each_load((one.load for one in result.checks), result, path, 3.0, paint_held, note)


def paint_held(plot: Any, result: Result, load: str) -> None:
    """One load."""
    mine = [one for one in result.checks if one.load == load]
    xs = [one.threads for one in mine]
    for name, pairs, colour in (
        ("p50", [one.p50_ms for one in mine], COLOURS["nogil-df"]),
        ("p99", [one.p99_ms for one in mine], PUBLISHED["Dragonfly"]),
    ):
        plot.plot(xs, [one.measured for one in pairs], "-o", color=colour, label=f"{name}, measured")
        look = {"marker": "o", "markerfacecolor": "white", "color": colour, "label": f"{name}, simulated"}
        plot.plot(xs, [one.modelled for one in pairs], "--", **look)
    plot.set_xscale("log", base=2)
    plot.set_xticks(xs, [str(count) for count in xs])
    plot.set_ylim(bottom=0)
    plot.set_xlabel(f"threads on {result.environment.cpus} cores")
    plot.set_ylabel("ms")
    plot.legend(fontsize=7)


def bytes_a_key(result: Result, path: Path) -> None:
    """Bars by size of value and server."""
    from matplotlib import pyplot

    sizes = list(dict.fromkeys(one.value_bytes for one in result.footprints))
    servers = list(dict.fromkeys(one.server for one in result.footprints))
    figure, plot = pyplot.subplots(figsize=(8, 4))
    width = 0.8 / len(servers)
    for one in result.footprints:
        place = servers.index(one.server)
        x = sizes.index(one.value_bytes) + (place - (len(servers) - 1) / 2) * width
        label = one.server if one.value_bytes == sizes[0] else None
        plot.bar(x, one.bytes_a_key, width * 0.92, color=COLOURS.get(one.server, OTHER), label=label)
        plot.annotate(f"{one.bytes_a_key:.0f}", (x, one.bytes_a_key), ha="center", va="bottom", fontsize=7)
    plot.set_xticks(range(len(sizes)), [f"{size} bytes" for size in sizes])
    plot.set_yscale("log")
    plot.set_ylabel("resident bytes a key")
    plot.legend(frameon=False)
    plot.grid(axis="y", alpha=0.3)
    finish(figure, result, path, "Measured: what a server has grown by, divided by the keys.")
