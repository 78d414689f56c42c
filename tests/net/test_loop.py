"""A turn of the loop does all there is to do, in Python and in C alike."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nogil_df.base import compiled
from nogil_df.base.clock import Clock
from nogil_df.base.flags import Options
from nogil_df.commands.registry import all_rows
from nogil_df.net.express import make_quickest_poller, make_short_cut
from nogil_df.net.loop import Loop
from nogil_df.net.poller import READ, Waker
from nogil_df.runtime import Thread, make_thread
from nogil_df.simulation import Simulation
from nogil_df.vll.proactor import Proactor

Log = list[Any]


@pytest.fixture
def thread() -> Thread:
    made = make_thread(0, 1, Options(), Clock(), Simulation(0, shards=1, rows=[]), all_rows())
    made.proactor.connect([made.proactor])
    # No heartbeat comes in between.
    made.state.next_beat = made.proactor.clock.monotonic() + 3600.0
    made.proactor.shard.look_at = made.proactor.shard.ceiling = 1 << 62
    return made


@pytest.fixture(params=["compiled", "python"])
def loop(thread: Thread, request: pytest.FixtureRequest) -> Iterator[Loop]:
    made = Loop(thread.proactor, thread.state, make_quickest_poller(), Waker())
    short_cut = make_short_cut(thread.dispatcher, None, made)
    # Only where the modules are compiled is there another way to turn.
    assert (made.turns is not None) == (short_cut is not None) == bool(compiled.in_use())
    if request.param == "python":
        made.turns = None
    yield made
    made.close()


def note(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """``(note, log, what)``."""
    message[1].append(message[2])


def stop(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """``(stop, loop)``."""
    message[1].stopping = True


class Client:
    """What the loop knows of a connection with something to do."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def go_on(self) -> None:
        self.log.append("went on")

    def flush(self) -> None:
        self.log.append("flushed")


def test_all_that_is_there_is_done_in_one_turn(
    loop: Loop, thread: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: Log = []
    proactor = thread.proactor
    here, there = socket.socketpair()
    with here, there:
        there.send(b"x")
        loop.watch(here.fileno(), READ, lambda mask: log.append(("ready", mask, here.recv(9))))
        proactor.mail.append([(note, log, "notice")])
        proactor.inbox.append(((note, log, "message"), (stop, loop)))
        loop.runnable.append(Client(log))  # type: ignore[arg-type]
        thread.state.timers.at(0.0, lambda: log.append("timer"))
        thread.state.next_beat = 0.0
        monkeypatch.setattr(type(thread.state), "beat", lambda state, now: log.append("beat"))
        loop.dirty.append(Client(log))  # type: ignore[arg-type]
        loop.run()
        loop.unwatch(here.fileno())
    assert log == ["notice", ("ready", READ, b"x"), "message", "went on", "beat", "timer", "flushed"]
    assert not proactor.sleeping


def test_a_message_to_oneself_is_handled_in_the_next_turn(loop: Loop, thread: Thread) -> None:
    log: Log = []
    proactor = thread.proactor
    thread.state.timers.at(0.0, lambda: proactor.post(0, (note, log, "posted")))
    thread.state.timers.at(0.0, lambda: proactor.post(0, (stop, loop)))
    loop.run()
    assert log == ["posted"]


def test_a_notice_that_is_left_is_handed_over(loop: Loop, thread: Thread) -> None:
    log: Log = []
    proactor = thread.proactor
    thread.state.timers.at(0.0, lambda: proactor.notify(0, (note, log, "noticed")))
    thread.state.timers.at(0.0, lambda: proactor.notify(0, (stop, loop)))
    loop.run()
    assert log == ["noticed"]


@pytest.mark.parametrize("why", ["writes", "bytes"])
def test_memory_is_looked_at_when_it_is_time(loop: Loop, thread: Thread, why: str) -> None:
    shard = thread.proactor.shard
    if why == "writes":
        shard.look_at = 0
    else:
        shard.ceiling = 0
    looks: Log = []
    thread.state.memory = Looked(looks, loop)  # type: ignore[assignment]
    thread.state.next_beat = 0.0
    loop.run()
    assert looks == ["looked"]


class Looked:
    """In place of the guard of memory."""

    def __init__(self, looks: Log, loop: Loop) -> None:
        self.looks = looks
        self.loop = loop

    def beat(self, now: float) -> None:
        """The heartbeat that is due does nothing here."""

    def look(self) -> None:
        self.looks.append("looked")
        self.loop.stopping = True


def test_the_time_of_a_turn_is_the_clock_s(loop: Loop, thread: Thread) -> None:
    clock = thread.proactor.clock
    thread.proactor.shard.tick.ms = 0
    before, wall = clock.monotonic(), clock.unix_ms()
    seen: Log = []
    here, there = socket.socketpair()
    with here, there:
        there.send(b"x")
        loop.watch(here.fileno(), READ, looking(seen, loop))
        loop.run()
        loop.unwatch(here.fileno())
    (now, ms) = seen
    assert before - 0.001 <= now <= clock.monotonic()
    assert wall <= ms <= clock.unix_ms()


def looking(seen: Log, loop: Loop) -> Callable[[int], None]:
    """A handler that notes the times of the turn, and ends it."""

    def look(mask: int) -> None:
        seen.extend((loop.now, loop.proactor.shard.tick.ms))
        loop.stopping = True

    return look
