"""HOTKEYS: which keys take the time of the threads and the bytes of the network, while somebody asks.

Each thread counts for the commands of its own clients, wherever their keys are, so nobody shares a counter;
HOTKEYS GET adds up what the threads found. What a thread keeps is bounded: `COUNTERS` times as many counters
as keys are asked for (`nogil_df.base.top_keys`). So a figure is what a key took at least.

While it is off, nothing of it is reached. While it is on, `Dispatcher.gated` sends commands through
`nogil_df.commands.gate`, which measures them one by one; commands on one key still take the compiled short
cut, where each is timed for itself. Those that went to another thread in one piece share its time evenly, and
so do the keys of one command. The time of a command that had to go to other threads includes the way.

Every thread ends its counting by its own timer, if the time is limited. Source: Redis documentation of
HOTKEYS START, GET, STOP, RESET (8.6).
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.hashing import SLOTS, slot_of
from nogil_df.base.numbers import parse_int
from nogil_df.base.top_keys import TopKeys, heaviest
from nogil_df.commands.cluster import is_cluster
from nogil_df.commands.help import help_row
from nogil_df.commands.spec import NOTHING, Row, container, multi
from nogil_df.wire.values import OK, Pairs

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.commands.timers import Timer
    from nogil_df.vll.proactor import Proactor

Args = list[bytes]

COUNTERS = 10
"""Counters for each key that is asked for: a key is found if it has more than 1 / (10 K) of the whole."""

DEFAULT_COUNT = 10
MOST_KEYS = 64
LONGEST_SECONDS = 1_000_000
METRICS = (b"CPU", b"NET")


@dataclass(frozen=True, slots=True)
class Options:
    """What HOTKEYS START asks for.

    Attributes:
        cpu, net: whether time and bytes are counted.
        count: the most keys that are answered.
        duration: seconds until it ends by itself, 0 for never.
        ratio: one command of so many is counted.
        slots: the slots whose keys count, None for all.
    """

    cpu: bool
    net: bool
    count: int = DEFAULT_COUNT
    duration: int = 0
    ratio: int = 1
    slots: frozenset[int] | None = None


class HotKeys:
    """What one thread counts, or has counted.

    Attributes:
        active: whether it still counts.
        cpu, net: microseconds are counted in nanoseconds, and bytes.
        began, ended: unix ms.
        process_began: CPU seconds of the process then, in user and kernel mode.
        commands_ns, bytes: of this thread's commands then; and once it has ended, since then.
        selected, sampled: [nanoseconds, bytes] of commands in selected slots: of all, and of those counted.
    """

    __slots__ = (
        "active",
        "began",
        "bytes",
        "commands_ns",
        "cpu",
        "ended",
        "net",
        "options",
        "process",
        "process_began",
        "sampled",
        "selected",
        "state",
        "timer",
    )

    def __init__(self, state: ThreadState, options: Options) -> None:
        self.state = state
        self.options = options
        self.active = True
        self.cpu = TopKeys(COUNTERS * options.count) if options.cpu else None
        self.net = TopKeys(COUNTERS * options.count) if options.net else None
        self.began = self.ended = state.clock.unix_ms()
        self.process_began = self.process = os.times()[:2]
        self.commands_ns, self.bytes = self._so_far()
        self.selected = [0, 0]
        self.sampled = [0, 0]
        self.timer: Timer | None = None
        if options.duration:
            self.timer = state.timers.at(state.clock.monotonic() + options.duration, self.end)

    def _so_far(self) -> tuple[int, int]:
        state = self.state
        state.settle()
        spent = 0
        for dispatcher in state.dispatchers:
            for command in dispatcher.table.values():
                spent += command.nanoseconds
                spent += sum(child.nanoseconds for child in command.subcommands.values())
        return spent, state.bytes_in + state.bytes_out

    def totals(self) -> tuple[int, int]:
        """Nanoseconds and bytes of all commands of this thread since it began. O(commands)."""
        if not self.active:
            return self.commands_ns, self.bytes
        spent, moved = self._so_far()
        return spent - self.commands_ns, moved - self.bytes

    def process_time(self) -> tuple[float, float]:
        """CPU seconds of the process since it began, in user and kernel mode. O(1)."""
        user, system = os.times()[:2] if self.active else self.process
        return user - self.process_began[0], system - self.process_began[1]

    def end(self) -> None:
        """Count no more; what was counted stays. Idempotent."""
        if not self.active:
            return
        totals = self.totals()
        self.process = os.times()[:2]
        self.active = False
        self.commands_ns, self.bytes = totals
        self.ended = self.state.clock.unix_ms()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.state.refresh_gated()

    def wants(self) -> bool:
        """Whether to look at the next command at all: sampling, where nothing else counts. O(1)."""
        options = self.options
        return options.ratio == 1 or options.slots is not None or random.random() * options.ratio < 1

    def note(self, keys: list[bytes], nanoseconds: int, moved: int) -> None:
        """Count a command that `wants` was asked for. O(keys).

        Args:
            keys: that it named.
            nanoseconds: that it took.
            moved: bytes of the command and its reply.
        """
        options = self.options
        if options.slots is not None:
            keys = [key for key in keys if slot_of(key) in options.slots]
            if not keys:
                return
            self.selected[0] += nanoseconds
            self.selected[1] += moved
            if options.ratio > 1 and random.random() * options.ratio >= 1:
                return
            self.sampled[0] += nanoseconds
            self.sampled[1] += moved
        for key in keys:
            if self.cpu is not None:
                self.cpu.add(key, nanoseconds // len(keys))
            if self.net is not None:
                self.net.add(key, moved // len(keys))


# What a session's command under way is measured by (`nogil_df.commands.gate`).


@dataclass(slots=True)
class Measured:
    """A command that runs, and is counted when it is done.

    Attributes:
        keys: that it names; those of all queued commands, if it is an EXEC.
        size: bytes of the command as it was sent.
        began: on the stopwatch.
        written: pieces of reply that the session had before.
    """

    keys: list[bytes]
    size: int
    began: int
    written: int


def begin(session: Session, command: Command, args: Args) -> Measured | None:
    """Measure a command that is about to run; None if it has no keys or is not sampled. O(keys)."""
    state = session.dispatcher.state
    hot = state.hot_keys
    if hot is None or not hot.active or not hot.wants():
        return None
    run = [(command, args)]
    if command.name == "EXEC":
        run += session.queue or ()
    keys: list[bytes] = []
    size = 0
    for one, words in run:
        size += request_bytes(words)
        try:
            keys += [words[at] for at in one.key_indexes(words)]
        except (ReplyError, IndexError):
            # It will say so itself.
            continue
    if not keys:
        return None
    return Measured(keys, size, session.dispatcher.stopwatch(), len(session.out))


def conclude(session: Session, measured: Measured) -> None:
    """The command is done, and its reply written. O(pieces of the reply + keys)."""
    hot = session.dispatcher.state.hot_keys
    if hot is None or not hot.active:
        return
    out = session.out
    # What was there before may have been sent meanwhile.
    first = measured.written if len(out) >= measured.written else 0
    moved = measured.size + sum(map(len, out[first:]))
    hot.note(measured.keys, session.dispatcher.stopwatch() - measured.began, moved)


def request_bytes(args: Args) -> int:
    """Bytes of a command in RESP, give or take one for each length. O(arguments)."""
    return 5 + sum(map(len, args)) + 6 * len(args)


# The commands.


def parse_options(args: Args, in_cluster: bool) -> Options:
    """The options of HOTKEYS START.

    Raises:
        ReplyError.
    """
    if len(args) < 4 or args[2].upper() != b"METRICS":
        raise ReplyError("HOTKEYS_METRICS")
    number = _within(args[3], 1, len(METRICS), "HOTKEYS_METRICS_COUNT")
    at = 4
    chosen: list[bytes] = []
    while at < len(args) and at < 4 + number:
        word = args[at].upper()
        if word in METRICS:
            if word in chosen:
                raise ReplyError("HOTKEYS_METRIC_TWICE", word)
            chosen.append(word)
        at += 1
    if at != 4 + number:
        raise ReplyError("HOTKEYS_METRICS_MISMATCH")
    if not chosen:
        raise ReplyError("HOTKEYS_NO_METRIC")
    count, duration, ratio = DEFAULT_COUNT, 0, 1
    slots: frozenset[int] | None = None
    while at < len(args):
        word = args[at].upper()
        if at + 1 == len(args):
            raise ReplyError("SYNTAX")
        if word == b"COUNT":
            count = _within(args[at + 1], 1, MOST_KEYS, "HOTKEYS_COUNT")
        elif word == b"DURATION":
            duration = _within(args[at + 1], 1, LONGEST_SECONDS, "HOTKEYS_DURATION")
        elif word == b"SAMPLE":
            ratio = _within(args[at + 1], 1, (1 << 31) - 1, "HOTKEYS_SAMPLE")
        elif word == b"SLOTS":
            if not in_cluster:
                raise ReplyError("HOTKEYS_NO_SLOTS")
            if slots is not None:
                raise ReplyError("HOTKEYS_SLOTS_TWICE")
            slots = _slots(args, at + 1)
            at += len(slots)
        else:
            raise ReplyError("SYNTAX")
        at += 2
    return Options(b"CPU" in chosen, b"NET" in chosen, count, duration, ratio, slots)


def _within(text: bytes, low: int, high: int, error: str) -> int:
    number = parse_int(text)
    if number is None or not low <= number <= high:
        raise ReplyError(error)
    return number


def _slots(args: Args, at: int) -> frozenset[int]:
    count = _within(args[at], 1, SLOTS, "HOTKEYS_SLOTS_COUNT")
    words = args[at + 1 : at + 1 + count]
    if len(words) < count:
        raise ReplyError("HOTKEYS_SLOTS_FEW")
    slots = [_within(word, 0, SLOTS - 1, "CLUSTER_SLOT") for word in words]
    if len(set(slots)) < count:
        raise ReplyError("HOTKEYS_SLOTS_SAME")
    return frozenset(slots)


def cmd_start(context: Context, args: Args) -> Steps:
    """HOTKEYS START METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio] [SLOTS ...]."""
    hot = context.dispatcher.state.hot_keys
    if hot is not None and hot.active:
        raise ReplyError("HOTKEYS_STARTED")
    options = parse_options(args, is_cluster(context.dispatcher.config))
    yield from context.everywhere(start, options)
    return OK


def cmd_stop(context: Context, args: Args) -> Steps:
    """HOTKEYS STOP: null if nothing is counted."""
    hot = context.dispatcher.state.hot_keys
    if hot is None or not hot.active:
        return None
    yield from context.everywhere(stop)
    return OK


def cmd_reset(context: Context, args: Args) -> Steps:
    """HOTKEYS RESET."""
    hot = context.dispatcher.state.hot_keys
    if hot is not None and hot.active:
        raise ReplyError("HOTKEYS_IN_PROGRESS")
    yield from context.everywhere(reset)
    return OK


def cmd_get(context: Context, args: Args) -> Steps:
    """HOTKEYS GET: null if nothing was counted, else a list of one map, as this is one node."""
    hot = context.dispatcher.state.hot_keys
    if hot is None:
        return None
    found = [one for one in (yield from context.everywhere(collect)) if one is not None]
    options = hot.options
    ended = context.dispatcher.clock.unix_ms() if hot.active else hot.ended
    user, system = hot.process_time()
    fields: list[tuple[bytes, Any]] = [
        (b"tracking-active", int(hot.active)),
        (b"sample-ratio", options.ratio),
        (b"selected-slots", ranges(options.slots)),
    ]
    if options.slots is not None:
        if options.ratio > 1:
            sampled = sum(one.sampled[0] for one in found) // 1000
            fields.append((b"sampled-commands-selected-slots-us", sampled))
        selected = sum(one.selected[0] for one in found) // 1000
        fields.append((b"all-commands-selected-slots-us", selected))
    fields.append((b"all-commands-all-slots-us", sum(one.nanoseconds for one in found) // 1000))
    if options.slots is not None:
        if options.ratio > 1:
            sampled = sum(one.sampled[1] for one in found)
            fields.append((b"net-bytes-sampled-commands-selected-slots", sampled))
        fields.append((b"net-bytes-all-commands-selected-slots", sum(one.selected[1] for one in found)))
    moved = sum(one.bytes for one in found)
    fields += [
        (b"net-bytes-all-commands-all-slots", moved),
        (b"collection-start-time-unix-ms", hot.began),
        (b"collection-duration-ms", ended - hot.began),
    ]
    if options.cpu:
        fields += [
            (b"total-cpu-time-user-ms", round(user * 1000)),
            (b"total-cpu-time-sys-ms", round(system * 1000)),
        ]
    if options.net:
        fields.append((b"total-net-bytes", moved))
    if options.cpu:
        top = heaviest([{key: ns // 1000 for key, ns in one.cpu.items()} for one in found], options.count)
        fields.append((b"by-cpu-time-us", [item for pair in top for item in pair]))
    if options.net:
        top = heaviest([one.net for one in found], options.count)
        fields.append((b"by-net-bytes", [item for pair in top for item in pair]))
    return [Pairs(fields)]


def ranges(slots: frozenset[int] | None) -> list[list[int]]:
    """Slots as runs of neighbours, [first, last], or [slot] where one stands alone. O(n log n)."""
    if slots is None:
        return [[0, SLOTS - 1]]
    runs: list[list[int]] = []
    for slot in sorted(slots):
        if runs and runs[-1][-1] == slot - 1:
            runs[-1] = [runs[-1][0], slot]
        else:
            runs.append([slot])
    return runs


# On every thread.


@dataclass(frozen=True, slots=True)
class Found:
    """What a thread has counted: see `HotKeys`."""

    cpu: dict[bytes, int]
    net: dict[bytes, int]
    nanoseconds: int
    bytes: int
    selected: list[int]
    sampled: list[int]


def start(proactor: Proactor, options: Options) -> None:
    """Begin to count."""
    state = proactor.service
    state.hot_keys = HotKeys(state, options)
    state.refresh_gated()


def stop(proactor: Proactor, argument: Any) -> None:
    """Count no more."""
    if proactor.service.hot_keys is not None:
        proactor.service.hot_keys.end()


def reset(proactor: Proactor, argument: Any) -> None:
    """Forget what was counted."""
    stop(proactor, argument)
    proactor.service.hot_keys = None


def collect(proactor: Proactor, argument: Any) -> Found | None:
    """What was counted here, None if nothing was begun."""
    hot = proactor.service.hot_keys
    if hot is None:
        return None
    nanoseconds, moved = hot.totals()
    return Found(
        hot.cpu.certain() if hot.cpu is not None else {},
        hot.net.certain() if hot.net is not None else {},
        nanoseconds,
        moved,
        list(hot.selected),
        list(hot.sampled),
    )


def _sub(name: str, arity: int, run: Any, *, summary: str, complexity: str, syntax: str = "") -> Row:
    return multi(
        f"HOTKEYS {name}",
        arity,
        "admin noscript",
        run=run,
        scope=NOTHING,
        acl="@admin @slow @dangerous",
        since="8.6.0",
        group="server",
        syntax=syntax,
        summary=summary,
        complexity=complexity,
        tips="request_policy:special",
    )


TABLE: tuple[Row, ...] = (
    container(
        "HOTKEYS",
        -2,
        "",
        _sub(
            "START",
            -2,
            cmd_start,
            syntax=(
                "METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio] "
                "[SLOTS count slot [slot ...]]"
            ),
            summary="Begins to count what time and how many bytes keys take.",
            complexity="O(1)",
        ),
        _sub(
            "GET",
            2,
            cmd_get,
            summary="Returns the keys that took most, and what all took.",
            complexity="O(K) where K is the number of counters",
        ),
        _sub("STOP", 2, cmd_stop, summary="Ends the counting; what was counted stays.", complexity="O(1)"),
        _sub("RESET", 2, cmd_reset, summary="Forgets what was counted.", complexity="O(K)"),
        help_row("HOTKEYS", since="8.6.0", group="server"),
        acl="@slow",
        since="8.6.0",
        group="server",
        summary="Finds the keys that take most time and bytes.",
    ),
)
