"""What people read of the latency monitor: a graph of an event, and what to make of all of them.

Pure functions of samples; no clock, no server.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

COLUMNS = 80
ROWS = 4
STEPS = b"_o#"
"""How high a column reaches into its topmost row."""

UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


@dataclass(slots=True)
class Event:
    """One kind of event: (unix second, worst milliseconds in it), oldest first, and the worst ever."""

    samples: deque[tuple[int, int]]
    worst: int = 0

    def add(self, when: int, millis: int) -> None:
        """Note a sample; of one second only the worst stays. O(1)."""
        self.worst = max(self.worst, millis)
        samples = self.samples
        if samples and samples[-1][0] == when:
            millis = max(millis, samples.pop()[1])
        samples.append((when, millis))

    def copy(self) -> Event:
        """A copy that another thread may read. O(samples)."""
        return Event(self.samples.copy(), self.worst)


# The graph.


def draw(name: bytes, event: Event, now: int) -> bytes:
    """A bar for each of the last 80 samples, and under it how long ago that was. O(columns)."""
    shown = list(event.samples)[-COLUMNS:]
    values = [millis for _, millis in shown]
    low, high = min(values), max(values)
    head = b"%b - high %d ms, low %d ms (all time high %d ms)" % (name, high, low, event.worst)
    bars = [_bar(value - low, high - low) for value in values]
    labels = [_ago(now - when) for when, _ in shown]
    height = max(map(len, labels))
    columns = [label.ljust(height).encode() for label in labels]
    lines = [head, b"-" * COLUMNS, *_across(bars), b" " * len(shown), *_across(columns), b""]
    return b"\n".join(lines)


def _bar(value: int, span: int) -> bytes:
    """One column of the graph, top row first."""
    levels = ROWS * len(STEPS)
    level = value * (levels - 1) // span if span else 0
    full, step = divmod(level, len(STEPS))
    return (b"|" * full + STEPS[step : step + 1]).ljust(ROWS)[::-1]


def _across(columns: list[bytes]) -> list[bytes]:
    """Columns as lines."""
    return [bytes(row) for row in zip(*columns, strict=True)]


def _ago(seconds: int) -> str:
    """A span of time in its greatest unit: 42s, 3m, 5h, 2d."""
    size, unit = next((entry for entry in UNITS if seconds >= entry[0]), UNITS[-1])
    return f"{max(seconds, 0) // size}{unit}"


# The doctor.

_ADVICE = {
    b"command": (
        "Some commands take long by their nature: KEYS, FLUSHALL, DEBUG, and those on big collections or big "
        "values. SLOWLOG GET shows which ones were slow.",
        "Deleting or overwriting a very big value takes as long as freeing it does: several smaller values "
        "are gentler.",
    ),
    b"fast-command": (
        "Commands that take constant time were slow, so it is not what they do: look for a machine short of "
        "CPU, for swapping, and for slow commands that ran before them on the same thread.",
    ),
    b"expire-cycle": (
        "Many keys expire at the same time. Spread their times to live, for example by a random part.",
    ),
}


def diagnose(events: Mapping[bytes, Event], threshold_ms: int, slowlog_us: int) -> str:
    """The report of LATENCY DOCTOR. O(samples).

    Args:
        threshold_ms: of the monitor; 0 if it is off.
        slowlog_us: of the slow log; negative if it is off.
    """
    if not events and not threshold_ms:
        return (
            "The latency monitor is off, so there is nothing to report. "
            "Switch it on with CONFIG SET latency-monitor-threshold <milliseconds>.\n"
        )
    if not events:
        return f"Nothing took {threshold_ms} milliseconds or more since the monitor was last reset.\n"
    lines = ["These events held the server up:", ""]
    lines += [f"{at}. {_summary(name, event)}" for at, (name, event) in enumerate(events.items(), 1)]
    lines += ["", "What may help:", ""]
    if threshold_ms and not 0 <= slowlog_us <= threshold_ms * 1000:
        lines.append(
            "- The slow log does not see all that the monitor sees: "
            f"CONFIG SET slowlog-log-slower-than {threshold_ms * 1000}."
        )
    lines += [f"- {advice}" for name in events for advice in _ADVICE.get(name, ())]
    return "\n".join(lines) + "\n"


def _summary(name: bytes, event: Event) -> str:
    values = [millis for _, millis in event.samples]
    count = len(values)
    mean = sum(values) // count
    deviation = sum(abs(value - mean) for value in values) // count
    period = (event.samples[-1][0] - event.samples[0][0]) / max(1, count - 1)
    times = "once" if count == 1 else f"{count} times, every {period:.1f} s on average"
    return (
        f"{name.decode()}: {times}; mean {mean} ms, mean deviation {deviation} ms, "
        f"worst of all time {event.worst} ms."
    )
