"""What a thread reads first: notices come before every message that was sent after them."""

from __future__ import annotations

from typing import Any

from nogil_df.base.clock import FakeClock
from nogil_df.shard.shard import Shard
from nogil_df.vll.proactor import Proactor


def trace(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """``(trace, where, what)``."""
    message[1].append(message[2])


def wait_on_the_spot(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """As a script does that waits for another shard: the next batch is handled, and more arrives."""
    _, where, notice, last = message
    for waiting in proactor.inbox.popleft():
        waiting[0](proactor, waiting)
    proactor.mail.append([(trace, where, notice)])
    proactor.inbox.append(((trace, where, last),))


def test_notices_are_read_before_what_arrives_in_the_middle_of_a_turn() -> None:
    clock = FakeClock()
    proactor = Proactor(0, 1, Shard(0, 1, 1, clock.unix_ms()), clock)
    where: list[str] = []
    proactor.inbox.append(((wait_on_the_spot, where, "notice", "sent after it"),))
    proactor.inbox.append(((trace, where, "first"),))
    proactor.drain()
    assert where == ["first", "notice", "sent after it"]
