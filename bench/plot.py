"""The plot: CPU time per request of every server, and below it the ratio to redis-server with its target.

The only module that needs matplotlib, imported when a plot is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.measure import REFERENCE, Row, Spread
from bench.report import Report

COLOURS = ("#8a8f98", "#1f77b4", "#e07b39", "#2a9d6f")
INK = "#333333"
A_LINE = 12
"""Workloads beside each other."""


def draw(report: Report, path: Path) -> None:
    """Write the PNG; ImportError when matplotlib is not installed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    servers = list(dict.fromkeys(row.server for row in report.rows))
    labels = list(dict.fromkeys(row.workload for row in report.rows))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(servers)}
    lines = [labels[first : first + A_LINE] for first in range(0, len(labels), A_LINE)]
    figure, axes = pyplot.subplots(2 * len(lines), 1, figsize=(1.1 * len(lines[0]) + 2, 7 * len(lines)))
    for number, line in enumerate(lines):
        rows = [row for row in report.rows if row.workload in line]
        upper, lower = axes[2 * number : 2 * number + 2]
        draw_bars(upper, rows, line, servers, colours, "cpu_us")
        upper.set_ylabel("CPU us per request")
        draw_bars(lower, rows, line, [s for s in servers if s != REFERENCE], colours, "ratio")
        lower.axhline(1.0, color=COLOURS[0], linewidth=1)
        lower.set_ylabel("ratio to redis-server")
        for one in (upper, lower):
            one.set_xticks(range(len(line)), line, fontsize=8)
    axes[0].set_title("CPU time per request (bars: medians, whiskers: all rounds)", loc="left")
    axes[1].set_title("Ratio to redis-server, with the targets (black lines)", loc="left")
    axes[0].legend(frameon=False)
    figure.text(0.01, 0.003, caption(report), fontsize=7, color=INK)
    figure.tight_layout(rect=(0, 0.01, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def draw_bars(
    axes: Any, rows: list[Row], labels: list[str], servers: list[str], colours: dict[str, str], field: str
) -> None:
    """One group of bars a workload, one bar a server, `field` naming the Spread to show."""
    width = 0.8 / max(1, len(servers))
    for row in rows:
        value: Spread | None = getattr(row, field)
        if value is None or row.server not in servers:
            continue
        place = servers.index(row.server)
        x = labels.index(row.workload) + (place - (len(servers) - 1) / 2) * width
        first = row.workload == labels[0]
        axes.bar(
            x, value.median, width * 0.92, color=colours[row.server], label=row.server if first else None
        )
        axes.vlines(x, value.low, value.high, color=INK, linewidth=1)
        inside = field == "ratio"
        axes.annotate(
            f"{value.median:.2f}",
            (x, 0 if inside else value.high),
            (0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color="white" if inside else INK,
        )
        if inside and row.target is not None:
            axes.hlines(row.target, x - width / 2, x + width / 2, color="black", linewidth=2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#dddddd")


def caption(report: Report) -> str:
    """The circumstances in one line."""
    env = report.environment
    return (
        f"{env.date[:10]}  {env.cpu}, {env.cpus} CPUs  Python {env.python} ({env.build})  "
        f"redis-server {env.redis}  {report.rounds} rounds"
    )
