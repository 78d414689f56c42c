"""A run's result and its three written forms: JSON, a table in the terminal, Markdown."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.contention import Contention, describe
from bench.environment import Environment
from bench.measure import REFERENCE, Row, Spread
from bench.workloads import LONG_PIPELINE, THROUGHPUT_TARGET

BEGIN = "<!-- figures: begin -->"
END = "<!-- figures: end -->"
HEADINGS = ("workload", "server", "CPU us/request", "ratio", "target", "", "requests/s", "p50 ms", "p99 ms")


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one run of the benchmark found out.

    `commands` maps the name of a server or workload to its command line, `servers` that of a server to its
    INFO SERVER.
    """

    environment: Environment
    rounds: int
    scale: float
    commands: dict[str, list[str]]
    servers: dict[str, dict[str, str]]
    rows: list[Row]
    contention: Contention | None

    def throughputs(self) -> list[tuple[Row, float]]:
        """Rows of one long pipeline on several threads, and their share of the requests/s of one thread."""
        rows = [row for row in self.rows if row.pipeline == LONG_PIPELINE and row.server != REFERENCE]
        alone = {row.workload: row.rps.median for row in rows if row.threads == 1}
        return [
            (row, row.rps.median / alone[row.workload])
            for row in rows
            if row.threads > 1 and row.workload in alone
        ]

    def missed(self) -> list[str]:
        """One line for every target that was not met."""
        lines = [
            f"{row.workload}, {row.server}: {row.ratio.median:.2f}, target {row.target:.2f}"
            for row in self.rows
            if row.met is False and row.ratio is not None
        ]
        lines += [
            f"{row.workload}, {row.server}: {share:.2f} of one thread's rate, target {THROUGHPUT_TARGET}"
            for row, share in self.throughputs()
            if share < THROUGHPUT_TARGET
        ]
        if self.contention is not None and not self.contention.met:
            lines.append(
                f"contention: {self.contention.thread_ratio.median:.2f}, target {self.contention.target:.2f}"
            )
        return lines

    def targets(self) -> int:
        """How many targets this run was held to."""
        held = sum(row.met is not None for row in self.rows) + len(self.throughputs())
        return held + (self.contention is not None)

    def to_json(self) -> str:
        """The whole result; `from_json` reads it back."""
        plain = {
            "environment": self.environment.as_dict(),
            "rounds": self.rounds,
            "scale": self.scale,
            "commands": self.commands,
            "servers": self.servers,
            "rows": [row.as_dict() for row in self.rows],
            "contention": None if self.contention is None else self.contention.as_dict(),
        }
        return json.dumps(plain, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The inverse of `to_json`."""
        plain = json.loads(text)
        plain["environment"] = Environment(**plain["environment"])
        plain["rows"] = [Row.from_dict(row) for row in plain["rows"]]
        if plain["contention"] is not None:
            plain["contention"] = Contention.from_dict(plain["contention"])
        return cls(**plain)


def spread(value: Spread, digits: int) -> str:
    """`median (low-high)`."""
    return f"{value.median:,.{digits}f} ({value.low:,.{digits}f}-{value.high:,.{digits}f})"


def cells(row: Row) -> tuple[str, ...]:
    """The texts of one row, in the order of HEADINGS."""
    verdict = {True: "met", False: "missed", None: ""}[row.met]
    return (
        row.workload,
        row.server,
        spread(row.cpu_us, 2),
        "" if row.ratio is None else spread(row.ratio, 2),
        "" if row.target is None else f"<= {row.target:.2f}",
        verdict,
        f"{row.rps.median:,.0f}",
        f"{row.p50_ms.median:.2f}",
        f"{row.p99_ms.median:.2f}",
    )


def summary(report: Report) -> list[str]:
    """The circumstances, a line each."""
    env = report.environment
    load = f"load average {env.load_before:.1f} before and {env.load_after:.1f} after"
    lines = [
        f"{env.date}, {report.rounds} rounds, medians (lowest-highest)",
        f"{env.cpu}, {env.cpus} CPUs, Linux {env.kernel}, {load}",
        f"Python {env.python} ({env.build}; {env.compiler}), redis-server {env.redis}",
    ]
    if not env.pgo:
        lines.append("This interpreter was built without PGO: the targets hold for one with it.")
    return lines


def verdict(report: Report) -> list[str]:
    """How many targets were met, which were not, and what one connection gets of several threads."""
    missed = report.missed()
    count = report.targets()
    lines = [f"{count - len(missed)} of {count} targets met.", *(f"Missed: {line}" for line in missed)]
    lines += [
        f"{row.workload}, one connection, {row.threads} threads: {share:.2f} of one thread's rate"
        for row, share in report.throughputs()
    ]
    return lines


def command_line(argv: list[str]) -> str:
    """The command as one types it, without the directory of the program."""
    return shlex.join([os.path.basename(argv[0]), *argv[1:]])


def print_report(report: Report, console: Console) -> None:
    """The table for the terminal."""
    table = Table(title="CPU time per request beside redis-server", title_justify="left")
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="left" if number in (0, 1, 5) else "right", no_wrap=True)
    previous = ""
    for row in report.rows:
        if previous not in ("", row.workload):
            table.add_section()
        texts = cells(row)
        style = {True: "green", False: "red", None: None}[row.met]
        table.add_row("" if row.workload == previous else texts[0], *texts[1:], style=style)
        previous = row.workload
    for line in summary(report):
        console.print(line, highlight=False)
    for name, argv in report.commands.items():
        console.print(f"{name}: {command_line(argv)}", highlight=False, style="dim", soft_wrap=True)
    console.print(table)
    for line in [*([] if report.contention is None else describe(report.contention)), *verdict(report)]:
        console.print(line, highlight=False, soft_wrap=True)


def markdown(report: Report, image: str | None) -> str:
    """The result for the docs; `image` is the plot's address relative to the page."""
    lines = [f"- {line}" for line in summary(report)]
    if image is not None:
        lines += ["", f"![CPU time per request, and its ratio to redis-server]({image})"]
    lines += ["", "| " + " | ".join(HEADINGS) + " |", "|---|---|--:|--:|--:|---|--:|--:|--:|"]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in report.rows]
    lines += ["", *verdict(report)[:1]]
    lines += [f"- {line}" for line in verdict(report)[1:]]
    if report.contention is not None:
        lines += ["", "Contention:", "", *(f"- {line}" for line in describe(report.contention))]
    lines += ["", "Command lines:", "", "```"]
    lines += [f"{name}: {command_line(argv)}" for name, argv in report.commands.items()]
    return "\n".join([*lines, "```", ""])


def put_into_page(page: Path, figures: str) -> None:
    """Replace what stands between the markers of `page`; ValueError when they are not there."""
    text = page.read_text(encoding="utf-8")
    head, found_begin, rest = text.partition(BEGIN)
    _, found_end, tail = rest.partition(END)
    if not (found_begin and found_end):
        raise ValueError(f"{page} lacks the markers {BEGIN} and {END}")
    page.write_text(f"{head}{BEGIN}\n\n{figures}\n{END}{tail}", encoding="utf-8")
