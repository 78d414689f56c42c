"""LATENCY: how long commands take, and when the server was held up.

Two things under one name, as in Redis:

- HISTOGRAM shows the latencies of every command since the start, merged from the counters that each thread
  keeps beside its commands;
- the monitor notes events that took at least `latency-monitor-threshold` milliseconds: "command" and
  "fast-command" (by the command's flag), "expire-cycle" (one slice of active expiry). Of each event it keeps
  the worst of each second, for the last 160 seconds in which there was one. Like the slow log it lives on one
  thread, to which the others send their samples as notices.

Texts of GRAPH and DOCTOR are made in `nogil_df.commands.latency_report`. Source: Redis documentation,
"Redis latency monitoring".
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.commands.help import help_row
from nogil_df.commands.latency_report import Event, diagnose, draw
from nogil_df.commands.spec import BUCKETS, NOTHING, Row, container, multi
from nogil_df.wire.values import Pairs, Verbatim

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.spec import Command
    from nogil_df.vll.proactor import Message, Proactor

Args = list[bytes]
Latencies = tuple[int, list[int]]
"""Calls, and how many of them fell into each of `BUCKETS`."""

KEEPER = 0
"""The thread that keeps the events."""

SAMPLES = 160
"""Samples kept of each event."""

COMMAND, FAST_COMMAND, EXPIRE_CYCLE = b"command", b"fast-command", b"expire-cycle"

FINEST_BUCKET = 10
"""Everything up to 2**10 - 1 ns counts as one microsecond."""

COARSEST_MICROS = 1_073_741
"""The upper bound that Redis shows for everything longer than a second."""


class LatencyMonitor:
    """The samples of all events."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events: dict[bytes, Event] = {}

    def add(self, name: bytes, when: int, millis: int) -> None:
        """Note that an event took ``millis`` at the unix second ``when``. O(1)."""
        event = self._events.get(name)
        if event is None:
            event = self._events[b"%b" % name] = Event(deque(maxlen=SAMPLES))
        event.add(when, millis)

    def event(self, name: bytes) -> Event | None:
        """The samples of one event, None if it never happened. O(samples)."""
        event = self._events.get(name)
        return None if event is None else event.copy()

    def events(self) -> dict[bytes, Event]:
        """Copies of all events, by name in alphabetical order. O(samples)."""
        return {name: event.copy() for name, event in sorted(self._events.items())}

    def reset(self, names: list[bytes]) -> int:
        """Forget the named events, or all if none is named; how many there were. O(events)."""
        if not names:
            count = len(self._events)
            self._events.clear()
            return count
        return sum(self._events.pop(name, None) is not None for name in names)


def keep(proactor: Proactor, message: Message) -> None:
    """Notice on the keeper's thread: ``(keep, event, unix second, milliseconds)``."""
    proactor.service.latency.add(*message[1:])


# HISTOGRAM.


def upper_bound(bucket: int) -> int:
    """The microseconds under which Redis shows what our bucket counts, up to 2**bucket - 1 nanoseconds.

    Redis's histograms keep two significant digits, so that a bucket of theirs reaches 1/128 past a power of
    two; and they end at one second.
    """
    bucket = max(bucket, FINEST_BUCKET)
    return min((1 << bucket) + (1 << bucket - 7) - 1, COARSEST_MICROS * 1000) // 1000


def cumulative(histogram: list[int]) -> dict[int, int]:
    """Upper bounds in microseconds -> calls that took no longer, for the buckets that count any."""
    passed = 0
    shown: dict[int, int] = {}
    for bucket, count in enumerate(histogram):
        if count:
            passed += count
            shown[upper_bound(bucket)] = passed
    return shown


def cmd_histogram(context: Context, args: Args) -> Steps:
    """LATENCY HISTOGRAM [command [command ...]]: a container stands for its subcommands."""
    merged: dict[str, Latencies] = {}
    if context.dispatcher.config.latency_tracking:
        for found in (yield from context.everywhere(collect_latencies)):
            for name, (calls, histogram) in found.items():
                before, sums = merged.get(name, (0, [0] * BUCKETS))
                merged[name] = before + calls, [a + b for a, b in zip(sums, histogram, strict=True)]
    shown = [
        (name.encode(), {b"calls": merged[name][0], b"histogram_usec": cumulative(merged[name][1])})
        for name in (_asked_for(context, args[2:]) if len(args) > 2 else sorted(merged))
        if name in merged
    ]
    return Pairs(shown)


def _asked_for(context: Context, words: Args) -> list[str]:
    """The commands that are meant, in order; those that do not exist are left out."""
    commands = {command.full_name: command for command in context.dispatcher.table.values()}
    names: list[str] = []
    for word in words:
        name = word.decode("latin-1").lower()
        command = commands.get(name.partition("|")[0])
        if command is None:
            continue
        if name == command.full_name:
            names.append(name)
            names += [child.full_name for child in command.subcommands.values()]
        elif name in {child.full_name for child in command.subcommands.values()}:
            names.append(name)
    return names


def collect_latencies(proactor: Proactor, argument: Any) -> dict[str, Latencies]:
    """On every thread: latencies of the commands that ran here. O(commands)."""
    found: dict[str, Latencies] = {}
    proactor.service.settle()
    commands: list[Command] = list(proactor.service.dispatcher.table.values())
    for command in commands:
        for one in (command, *command.subcommands.values()):
            if one.histogram is not None:
                found[one.full_name] = sum(one.histogram), list(one.histogram)
    return found


# The monitor.


def cmd_latest(context: Context, args: Args) -> Steps:
    """LATENCY LATEST: of each event its name, when it last happened, how long it took, the longest ever."""
    events = (yield from context.everywhere(read_events))[KEEPER]
    return [[name, *event.samples[-1], event.worst] for name, event in events.items()]


def cmd_history(context: Context, args: Args) -> Steps:
    """LATENCY HISTORY event: pairs of unix seconds and milliseconds."""
    event = (yield from context.everywhere(read_event, args[2]))[KEEPER]
    return [] if event is None else [list(sample) for sample in event.samples]


def cmd_graph(context: Context, args: Args) -> Steps:
    """LATENCY GRAPH event."""
    event = (yield from context.everywhere(read_event, args[2]))[KEEPER]
    if event is None:
        raise ReplyError("LATENCY_NO_SAMPLES", args[2])
    now = context.dispatcher.clock.unix_ms() // 1000
    return Verbatim(b"txt", draw(args[2], event, now))


def cmd_doctor(context: Context, args: Args) -> Steps:
    """LATENCY DOCTOR."""
    events = (yield from context.everywhere(read_events))[KEEPER]
    config = context.dispatcher.config
    text = diagnose(events, config.latency_monitor_threshold, config.slowlog_log_slower_than)
    return Verbatim(b"txt", text.encode())


def cmd_reset(context: Context, args: Args) -> Steps:
    """LATENCY RESET [event [event ...]]: how many events were forgotten."""
    return (yield from context.everywhere(forget, args[2:]))[KEEPER]


def read_events(proactor: Proactor, argument: Any) -> dict[bytes, Event]:
    """On every thread: the events; none but the keeper has any."""
    events: dict[bytes, Event] = proactor.service.latency.events()
    return events


def read_event(proactor: Proactor, name: bytes) -> Event | None:
    """On every thread: one event."""
    event: Event | None = proactor.service.latency.event(name)
    return event


def forget(proactor: Proactor, names: list[bytes]) -> int:
    """On every thread: forget events."""
    count: int = proactor.service.latency.reset(names)
    return count


_TIPS = "nondeterministic_output request_policy:all_nodes response_policy:special"
_TIPS_OF_CHANGES = "request_policy:all_nodes response_policy:all_succeeded"


def _row(name: str, arity: int, run: Any, syntax: str, summary: str, since: str = "2.8.13") -> Row:
    return multi(
        f"LATENCY {name}",
        arity,
        "admin loading noscript stale",
        run=run,
        scope=NOTHING,
        acl="@admin @dangerous @slow",
        since=since,
        group="server",
        syntax=syntax,
        summary=summary,
        tips=_TIPS_OF_CHANGES if name == "RESET" else _TIPS,
    )


TABLE: tuple[Row, ...] = (
    container(
        "LATENCY",
        -2,
        "",
        _row("DOCTOR", 2, cmd_doctor, "", "Says in words what held the server up, and what may help."),
        _row("GRAPH", 3, cmd_graph, "event", "Draws the latencies of an event."),
        _row(
            "HISTOGRAM",
            -2,
            cmd_histogram,
            "[command [command ...]]",
            "Shows how the latencies of commands are distributed.",
            "7.0.0",
        ),
        _row("HISTORY", 3, cmd_history, "event", "Lists the latencies of an event with their times."),
        _row("LATEST", 2, cmd_latest, "", "Lists the last latency of each event, and its longest."),
        _row(
            "RESET", -2, cmd_reset, "[event [event ...]]", "Forgets the latencies of events, or all of them."
        ),
        help_row("LATENCY", since="2.8.13"),
        acl="@slow",
        since="2.8.13",
        group="server",
        summary="Commands that tell about latency.",
    ),
)
