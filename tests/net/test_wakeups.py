"""No wake-up gets lost: threads that sleep until a message comes, for good if nobody woke them.

The heartbeats are an hour away, so a message that did not wake its thread stays where it is, and the test
does not end. One ball makes both threads sleep between any two throws; of many, messages come while a thread
is about to sleep, asleep, waking up or busy.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from nogil_df.base.clock import Clock
from nogil_df.base.flags import Options
from nogil_df.commands.registry import all_rows
from nogil_df.net.express import make_quickest_poller, make_short_cut
from nogil_df.net.loop import Loop
from nogil_df.net.poller import Waker
from nogil_df.runtime import Thread, make_thread
from nogil_df.simulation import Simulation
from nogil_df.vll.proactor import Proactor

HOUR = 3600.0


class Players:
    """Threads, each with a loop, that throw balls to each other."""

    def __init__(self, count: int, compiled: bool) -> None:
        self.count = count
        self.compiled = compiled
        self.threads: list[Thread | None] = [None] * count
        self.loops: list[Loop | None] = [None] * count
        self.together = threading.Barrier(count)
        self.caught = [0] * count
        # Balls that fly no more, as each thread has heard.
        self.landed = [0] * count
        self.balls = 0
        self.server = Simulation(0, shards=count, rows=[])

    def play(self, balls: int, throws: int) -> None:
        """Throw so many balls at once, each so often, from a thread to the next."""
        self.balls = balls
        bodies = [
            threading.Thread(target=self.body, args=(index, balls, throws)) for index in range(self.count)
        ]
        for body in bodies:
            body.start()
        for body in bodies:
            body.join()

    def body(self, index: int, balls: int, throws: int) -> None:
        """A thread with its loop, made where it is used."""
        thread = make_thread(index, self.count, Options(), Clock(), self.server, all_rows())
        loop = Loop(thread.proactor, thread.state, make_quickest_poller(), Waker())
        make_short_cut(thread.dispatcher, None, loop)
        if not self.compiled:
            loop.turns = None
        thread.state.next_beat = thread.proactor.clock.monotonic() + HOUR
        thread.proactor.shard.look_at = thread.proactor.shard.ceiling = 1 << 62
        self.threads[index], self.loops[index] = thread, loop
        self.together.wait()
        thread.proactor.connect([other.proactor for other in self.threads if other is not None])
        self.together.wait()
        if index == 0:
            for _ in range(balls):
                thread.proactor.post(0, (throw, self, throws))
            thread.proactor.finish_turn()
        loop.run()
        assert thread.state.next_beat > thread.proactor.clock.monotonic(), "it took an hour"
        self.together.wait()
        loop.close()


def throw(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """``(throw, players, left)``."""
    _, players, left = message
    players.caught[proactor.index] += 1
    if left:
        proactor.post((proactor.index + 1) % players.count, (throw, players, left - 1))
    else:
        proactor.broadcast((land, players))


def land(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """``(land, players)``: a ball that has been thrown often enough; with the last of them all stop."""
    players = message[1]
    players.landed[proactor.index] += 1
    if players.landed[proactor.index] == players.balls:
        players.loops[proactor.index].stopping = True


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "python"])
@pytest.mark.parametrize(("threads", "balls", "throws"), [(2, 1, 4000), (2, 7, 2000), (3, 20, 500)])
def test_every_message_wakes_the_thread_it_is_for(
    compiled: bool, threads: int, balls: int, throws: int
) -> None:
    players = Players(threads, compiled)
    players.play(balls, throws)
    assert sum(players.caught) == balls * (throws + 1)
