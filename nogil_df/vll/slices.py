"""Work that takes long, run slice by slice between other work while its part holds its intents.

An op says that it is such work by raising `Lengthy` (`nogil_df.shard.lengthy` tells why). Its part is granted
and stays in the queue. Each slice is a message that the thread posts to itself: so between two of them a turn
of the loop serves sockets and other threads, which is all the fairness there is to it. The answer goes to the
coordinator when the last slice is done, as an ordinary one.

Rejected: a thread for such work. Whatever reads the shard's objects beside its owner pays for each reference
it counts, and has to be kept from what the owner writes; and every core has its shard thread already.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.shard.lengthy import Lengthy
from nogil_df.vll.handlers import shard_side

if TYPE_CHECKING:
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.engine import Engine
    from nogil_df.vll.part import Part, Work
    from nogil_df.vll.proactor import Message, Proactor


class UnderWay:
    """Work under way.

    Attributes:
        last: the part concludes with it.
        spent: nanoseconds that its slices have taken.
    """

    __slots__ = ("engine", "last", "lengthy", "part", "spent")

    def __init__(self, engine: Engine, part: Part, lengthy: Lengthy, last: bool) -> None:
        self.engine = engine
        self.part = part
        self.lengthy = lengthy
        self.last = last
        self.spent = 0


def begin(engine: Engine, part: Part, lengthy: Lengthy, last: bool) -> None:
    """Begin the work of a granted part; its first slice comes with the next turn."""
    assert part.granted
    part.work = IN_SLICES
    engine.proactor.shard.pinned += lengthy.pinned
    proactor = engine.proactor
    proactor.outboxes[proactor.index].append((_go_on, UnderWay(engine, part, lengthy, last)))


@shard_side
def _go_on(proactor: Proactor, message: Message) -> None:
    """Run one slice."""
    under_way: UnderWay = message[1]
    shard = proactor.shard
    started = shard.stopwatch()
    try:
        next(under_way.lengthy.steps)
    except StopIteration as stop:
        result = stop.value
    except ReplyError as error:
        result = error.bare()
    except Exception:
        result = log_crash("slices", sys.exc_info())
    else:
        under_way.spent += shard.stopwatch() - started
        proactor.outboxes[proactor.index].append(message)
        return
    under_way.spent += shard.stopwatch() - started
    _end(under_way, shard, result)


def _end(under_way: UnderWay, shard: Shard, result: Any) -> None:
    """Unpin, conclude, answer."""
    from nogil_df.vll.engine import deliver

    part, engine, lengthy = under_way.part, under_way.engine, under_way.lengthy
    for value in lengthy.pinned:
        # Others may have pinned it, too.
        for at, other in enumerate(shard.pinned):
            if other is value:
                del shard.pinned[at]
                break
    part.work = None
    if shard.ready:
        part.hold(shard.ready)
    if under_way.last:
        engine.conclude(part)
    proactor = engine.proactor
    answer = [result, under_way.spent] if lengthy.timed else result
    proactor.outboxes[part.origin].append((deliver, part.token, proactor.index, answer))


def _in_slices(shard: Shard, argument: Any) -> None:
    raise AssertionError("the work of a granted part is not run anew")


IN_SLICES: Final = (_in_slices, None)
"""What a part has as its work while that runs in slices."""


def in_one_go(shard: Shard, work: Work) -> Any:
    """A hop's work for a coordinator that can't let others go on: nothing is left for later."""
    try:
        return work[0](shard, work[1])
    except Lengthy as lengthy:
        return lengthy.finish()
