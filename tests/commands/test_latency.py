"""LATENCY: histograms merged over threads, the monitor's samples, the texts made of them."""

from __future__ import annotations

from collections import deque

import pytest

from nogil_df.commands.latency import LatencyMonitor, cumulative, upper_bound
from nogil_df.commands.latency_report import Event, diagnose, draw
from nogil_df.commands.spec import BUCKETS
from tests.commands.console import Console
from tests.resp import Reply


def event(*samples: tuple[int, int]) -> Event:
    """An event of these (second, milliseconds)."""
    made = Event(deque(maxlen=160))
    for when, millis in samples:
        made.add(when, millis)
    return made


def note(console: Console, thread: int, name: bytes, millis: int) -> None:
    """As if something had taken so long on a thread."""
    console.simulation.threads[thread].state.note_latency(name, millis * 1_000_000)
    console.simulation.threads[thread].proactor.finish_turn()
    console.simulation.run()


@pytest.fixture
def redis() -> Console:
    """A console of thread 1 of three, with the monitor on."""
    console = Console(thread=1, protocol=3)
    console("CONFIG SET latency-monitor-threshold 5")
    return console


def histogram(console: Console, line: str) -> dict[bytes, tuple[int, dict[int, int]]]:
    """What LATENCY HISTOGRAM tells: calls and counts by bound."""
    found = {}
    for name, fields in console(line).value:
        calls, counts = (value for _, value in fields.value)
        found[name.value] = calls.value, {bound.value: count.value for bound, count in counts.value}
    return found


def test_histograms_are_merged_over_threads(redis: Console) -> None:
    """Calls are counted on the client's thread; the counts of the last bound are all of them."""
    for thread in (0, 1, 2):
        for _ in range(thread + 1):
            redis.another(thread)("ECHO x")
    calls, counts = histogram(redis, "LATENCY HISTOGRAM echo")[b"echo"]
    assert calls == 6
    assert list(counts) == sorted(counts)
    assert list(counts.values()) == sorted(counts.values())
    assert max(counts.values()) == 6


def test_a_container_stands_for_its_subcommands(redis: Console) -> None:
    """A subcommand may be named itself; unknown names and commands that never ran are left out."""
    redis("CLIENT ID")
    redis("CLIENT GETNAME")
    assert set(histogram(redis, "LATENCY HISTOGRAM client nosuch lcs")) == {b"client|id", b"client|getname"}
    assert set(histogram(redis, "LATENCY HISTOGRAM client|ID")) == {b"client|id"}
    assert set(histogram(redis, "LATENCY HISTOGRAM")) == {
        b"config|set",
        b"client|id",
        b"client|getname",
        b"latency|histogram",
    }


def test_resetstat_clears_histograms(redis: Console) -> None:
    """On every thread."""
    redis.another(0)("ECHO x")
    redis("CONFIG RESETSTAT")
    assert histogram(redis, "LATENCY HISTOGRAM echo") == {}


def test_no_histograms_while_tracking_is_off(redis: Console) -> None:
    """`latency-tracking no`."""
    redis("PING")
    redis("CONFIG SET latency-tracking no")
    assert histogram(redis, "LATENCY HISTOGRAM ping") == {}


def test_bounds_are_those_of_redis() -> None:
    """As redis-server 7.0.15 shows them, from a microsecond to a second."""
    bounds = sorted({upper_bound(bucket) for bucket in range(BUCKETS)})
    assert bounds[:16] == [1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908, 33816]
    assert bounds[-1] == 1073741
    counts = [0] * BUCKETS
    counts[5], counts[10], counts[12], counts[63] = 1, 2, 3, 4
    assert cumulative(counts) == {1: 3, 4: 6, 1073741: 10}


def test_events_of_all_threads_are_in_one_place(redis: Console) -> None:
    """LATEST: name, second, milliseconds, the worst ever."""
    note(redis, 0, b"command", 7)
    redis.simulation.advance(2000)
    note(redis, 2, b"command", 6)
    note(redis, 1, b"expire-cycle", 9)
    now = redis.simulation.clock.unix_ms() // 1000
    latest = [[item.value for item in row.value] for row in redis("LATENCY LATEST").value]
    assert latest == [[b"command", now, 6, 7], [b"expire-cycle", now, 9, 9]]
    history = [[item.value for item in row.value] for row in redis("LATENCY HISTORY command").value]
    assert history == [[now - 2, 7], [now, 6]]


def test_only_what_reaches_the_threshold_is_noted(redis: Console) -> None:
    """In whole milliseconds; nothing while it is 0."""
    note(redis, 0, b"command", 4)
    assert redis("LATENCY LATEST").value == ()
    redis("CONFIG SET latency-monitor-threshold 0")
    note(redis, 0, b"command", 4000)
    assert redis("LATENCY LATEST").value == ()


def test_slow_commands_are_events_by_their_flag(redis: Console) -> None:
    """`command`, or `fast-command` for those with the flag fast."""
    state = redis.client.session.dispatcher.state
    table = redis.client.session.dispatcher.table
    state.note_slow(redis.client.session, table["KEYS"], [b"KEYS", b"*"], 6_000_000)
    state.note_slow(redis.client.session, table["GET"], [b"GET", b"k"], 8_000_000)
    rows = [row.value[0].value for row in redis("LATENCY LATEST").value]
    assert rows == [b"command", b"fast-command"]


def test_the_monitor_sees_what_the_slow_log_does_not(redis: Console) -> None:
    """Dispatch looks at a command once it reaches the lower of the two thresholds."""
    state = redis.client.session.dispatcher.state
    for slowlog, monitor, wanted in (
        (-1, 1, 1_000_000),
        (300, 1, 300_000),
        (300, 0, 300_000),
        (-1, 0, 1 << 62),
    ):
        redis(f"CONFIG SET latency-monitor-threshold {monitor} slowlog-log-slower-than {slowlog}")
        assert state.slow_ns == wanted
    redis("CONFIG SET latency-monitor-threshold 1")
    state.note_slow(redis.client.session, redis.client.session.dispatcher.table["KEYS"], [b"KEYS"], 3_000_000)
    assert redis("LATENCY LATEST").value[0].value[2].value == 3
    assert redis.value("SLOWLOG LEN") == 0


def test_of_one_second_the_worst_is_kept_and_160_at_most() -> None:
    """As in Redis."""
    made = event((10, 5), (10, 9), (10, 7))
    assert list(made.samples) == [(10, 9)]
    made = event(*((second, second) for second in range(200)))
    assert len(made.samples) == 160
    assert made.samples[0] == (40, 40)


def test_reset(redis: Console) -> None:
    """Of events that there are; the number of them comes back."""
    for name in (b"command", b"fast-command", b"expire-cycle"):
        note(redis, 0, name, 10)
    assert redis.value("LATENCY RESET command nosuch command") == 1
    assert redis("LATENCY HISTORY command").value == ()
    assert redis.value("LATENCY RESET") == 2
    assert redis.value("LATENCY RESET") == 0


def test_a_copy_is_read_and_not_the_samples() -> None:
    """What crosses to another thread stays as it was."""
    monitor = LatencyMonitor()
    monitor.add(b"command", 1, 5)
    copy = monitor.event(b"command")
    monitor.add(b"command", 2, 6)
    assert copy is not None
    assert list(copy.samples) == [(1, 5)]
    assert monitor.event(b"nosuch") is None


def test_graph() -> None:
    """Bars between the least and the greatest, and how long ago under them."""
    text = draw(b"command", event((0, 100), (86400 * 2, 210), (86400 * 2 + 60, 320)), 86400 * 2 + 60 + 59)
    assert text.decode().split("\n") == [
        "command - high 320 ms, low 100 ms (all time high 320 ms)",
        "-" * 80,
        "  #",
        "  |",
        " #|",
        "_||",
        "   ",
        "215",
        "dm9",
        "  s",
        "",
    ]


def test_graph_of_one_sample_and_of_equal_ones() -> None:
    """No division by zero; 80 columns at most."""
    assert b"\n_\n \n0\ns\n" in draw(b"command", event((100, 23)), 100)
    lines = draw(b"command", event(*((second, 7) for second in range(150))), 150).split(b"\n")
    assert max(map(len, lines)) == 80
    assert lines[5] == b"_" * 80


def test_graph_of_nothing(redis: Console) -> None:
    """An error."""
    assert redis("LATENCY GRAPH x") == Reply("-", b"ERR No samples available for event 'x'")


def test_doctor_says_what_is_the_matter(redis: Console) -> None:
    """Off, nothing to tell, and a report with figures and advice."""
    assert "is off" in diagnose({}, 0, 10_000)
    assert "Nothing took 5" in diagnose({}, 5, 10_000)
    report = diagnose({b"command": event((10, 5), (20, 15)), b"expire-cycle": event((7, 9))}, 5, 10_000)
    assert "1. command: 2 times, every 10.0 s on average; mean 10 ms, mean deviation 5 ms, worst" in report
    assert "2. expire-cycle: once; mean 9 ms" in report
    assert "slowlog-log-slower-than 5000" in report
    assert "slowlog-log-slower-than" not in diagnose({b"command": event((10, 5))}, 5, 5_000)
    assert redis("LATENCY DOCTOR").kind == "="
