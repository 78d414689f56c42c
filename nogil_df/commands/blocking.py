"""Commands that wait: the coordinator's side of blocking.

A blocking command describes what it wants as a `Demand` and does ``yield from block(context, demand,
seconds)``. The first try is one transaction over all its keys; if no key can serve it, that same
transaction leaves a `Waiter` in the line of every key, so that nothing is missed in between. From then on
the shards decide (`nogil_df.vll.blocking`), and the command sleeps until the first of these:

- a shard served it: here is the result;
- a shard claimed it for a move to another shard: it runs that move as an urgent transaction, and goes back to
  the head of the line if it has to give way;
- its time is up, CLIENT UNBLOCK, or the client has gone. Whoever of all these takes the waiter's ticket wins.

Inside EXEC and scripts nothing waits: the answer is the one of a wait whose time is up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_float
from nogil_df.commands.context import Context, GaveWay, Steps
from nogil_df.commands.tracking import send_held
from nogil_df.vll.blocking import (
    KeyedWaiter,
    Waiter,
    first_wanted,
    rejoin,
    serve_if_there,
    serve_or_wait,
    stop_waiting,
    wait,
)
from nogil_df.vll.part import Part, Work
from nogil_df.vll.transaction import Transaction, conclude_part

if TYPE_CHECKING:
    from nogil_df.commands.timers import Timer
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.vll.proactor import Message, Proactor

LONGEST_WAIT_MS = (1 << 63) - 1
"""Redis's limit on a time-out: it must fit a signed 64-bit number of milliseconds."""


@dataclass(slots=True)
class Demand:
    """What a blocking command waits for.

    Attributes:
        keys: in the order in which they are tried.
        wants: ``wants(value, payload)``: whether a stored value can serve it; raises WRONGTYPE.
        serve: ``serve(db, payload, key, h)`` on the shard; what it returns is the command's result, not None.
        payload: handed to both; it crosses threads, so no object that anybody changes.
        target: a second key that serving writes, if there is one.
        across: ``across(context, key)``: `serve` as a generator of hops, for a target on another shard; None
            if the key holds nothing any more. Until its first hop it has no effect, and may be started again.
        keyed: ``wants`` takes the key as well, see `KeyedWaiter`; for `wait_for`.
    """

    keys: Sequence[bytes]
    wants: Callable[..., bool]
    serve: Callable[[Keyspace, Any, bytes, int], Any]
    payload: Any = None
    target: bytes | None = None
    across: Callable[[Context, bytes], Steps] | None = None
    keyed: bool = False


class Wait:
    """A command asleep: what its generator yields, and the token that shards answer to.

    Attributes:
        waiter: what stands in the lines.
        tx: the urgent transaction, once a shard has claimed the waiter.
        early: the answer of a shard that served before the others had the waiter in their lines.
        late: the time was up while it was claimed.
        asked: it is to give an early claim back.
    """

    __slots__ = ("asked", "context", "early", "late", "timer", "tx", "waiter")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.waiter: Waiter | None = None
        self.timer: Timer | None = None
        self.tx: Transaction | None = None
        self.early: tuple[bytes, Any] | None = None
        self.late = False
        self.asked = False

    def begin(self, seconds: float) -> None:
        """The command goes to sleep, for at most so long; 0 for ever."""
        context = self.context
        session = context.session
        session.blocked = self
        if session.tracking is not None:
            send_held(session)
        session.transport.watch_for_end()
        if session.sink:
            # What the client asked before this command has its replies now.
            session.transport.send_soon()
        context.slept_at = context.dispatcher.stopwatch()
        if seconds and self.timer is None:
            state = context.dispatcher.state
            self.timer = state.timers.at(state.clock.monotonic() + seconds, self.time_up)

    def end(self) -> None:
        """It is over, whatever the reason: no time-out to come, and nothing that refers to itself is left."""
        self.waiter = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _wake(self, answer: Any) -> None:
        context = self.context
        if context.session.blocked is None:
            self.early = answer
            return
        context.session.blocked = None
        context.slept += context.dispatcher.stopwatch() - context.slept_at
        context.dispatcher.resume(context, answer)

    def on_served(self, key: bytes, result: Any) -> None:
        """A shard served it."""
        self._wake((key, result))

    def on_answer(self, shard: int, result: Any) -> None:
        """The answer of an urgent part: of a move within one shard, or of a hop of the urgent transaction."""
        if self.tx is not None:
            self.tx.on_answer(shard, result)
        elif result.__class__ is ReplyError:
            self._wake((b"", result))
        else:
            self._wake(result)

    def on_claimed(self, key: bytes, part: Part) -> None:
        """It is our turn, and ``part`` holds the key."""
        self._wake((key, part))

    def on_granted(self, tx_id: int) -> None:
        """A part of an urgent transaction may run."""
        if self.tx is not None:
            self.tx.on_granted(tx_id)

    def on_asked_to_give_way(self, tx_id: int) -> None:
        """Another urgent transaction needs the key that is held for us."""
        if self.tx is not None:
            self.tx.on_asked_to_give_way(tx_id)
        elif self.early is not None:
            self.asked = True

    def time_up(self) -> None:
        """The time-out."""
        self.timer = None
        self.late = True
        self.unblock(None)

    def unblock(self, error: ReplyError | None) -> bool:
        """End the wait with an error, or as if its time were up. False if it is being served already."""
        if self.waiter is None or not self.waiter.take_ticket():
            return False
        self._wake(error)
        return True


def parse_timeout(arg: bytes) -> float:
    """Seconds to wait from an argument; 0 is for ever.

    Raises:
        ReplyError: not a float, out of range, or negative.
    """
    seconds = parse_float(arg)
    if seconds is None or seconds != seconds:
        raise ReplyError("TIMEOUT_NOT_FLOAT")
    if seconds * 1000 > LONGEST_WAIT_MS:
        raise ReplyError("TIMEOUT_OUT_OF_RANGE")
    if seconds < 0:
        raise ReplyError("TIMEOUT_NEGATIVE")
    return seconds


def block(context: Context, demand: Demand, seconds: float) -> Steps:
    """Serve a command from the first of its keys that can, or wait until one can.

    Returns:
        (key, what `Demand.serve` returned); None if the time is up.

    Raises:
        ReplyError: a key holds another type, `Demand.serve` raised it, or CLIENT UNBLOCK did.
    """
    token = Wait(context)
    waiter = _make_waiter(context, demand, token)
    places = context.by_shard(demand.keys)
    waits = not context.nested
    movers = waits and waiter.target is not None and context.proactor.count > 1
    if movers:
        yield from context.everywhere(count_mover)
    try:
        while True:
            found = yield from _first_try(context, demand, waiter, places, waits)
            if found is None and waits:
                found = yield from _sleep(context, demand, token, waiter, places, seconds)
            if found is not GONE:
                return found
            if not waits or token.late or context.session.closed:
                return None
            token.waiter = None
            waiter.ticket[:] = [True]
            start_over(context, demand.keys if demand.target is None else [*demand.keys, demand.target])
    finally:
        token.end()
        if movers:
            context.proactor.broadcast((uncount_mover,))


GONE = object()
"""What was there to serve a command has expired between two hops: another try, or another wait."""


TIME_UP = object()
"""A wait ended because its time was up, and not by CLIENT UNBLOCK."""


def start_over(context: Context, keys: Sequence[bytes]) -> None:
    """Take a new transaction that writes these keys; the last one is over. O(keys)."""
    assert context.tx is not None
    context.tx.release()
    context.tx = tx = Transaction(context.proactor, context)
    tx.lock_keys({}, {shard: {h for _, _, h in group} for shard, group in context.by_shard(keys).items()})


def wait_for(context: Context, demand: Demand, seconds: float) -> Steps:
    """`block` for a command without a target that has made its own first try, in this same transaction.

    Returns:
        What `block` does, and `TIME_UP` if that is why there is nothing.
    """
    token = Wait(context)
    waiter = _make_waiter(context, demand, token)
    places = context.by_shard(demand.keys)
    try:
        yield from context.hop({s: (wait, (waiter, entries)) for s, entries in places.items()}, last=True)
        found = yield from _sleep(context, demand, token, waiter, places, seconds)
        return TIME_UP if found is None and token.late else found
    finally:
        token.end()


def count_mover(proactor: Proactor, argument: None) -> None:
    """On every thread: one more command may have to be served between two commands of a pipeline."""
    for dispatcher in proactor.service.dispatchers:
        dispatcher.movers += 1


def uncount_mover(proactor: Proactor, message: Message) -> None:
    """Message handler on every thread: undo `count_mover`."""
    for dispatcher in proactor.service.dispatchers:
        dispatcher.movers -= 1


def _make_waiter(context: Context, demand: Demand, token: Wait) -> Waiter:
    target = None
    if demand.target is not None:
        h = context.proactor.shard.hash_key(demand.target)
        target = (context.shard_of(h), h)
    kind = KeyedWaiter if demand.keyed else Waiter
    return kind(context.proactor.index, token, context.db, demand.wants, demand.serve, demand.payload, target)


def sleep(context: Context, seconds: float) -> Steps:
    """Wait for nothing in particular: until the time is up, or CLIENT UNBLOCK. ``seconds``: 0 is for ever.

    Raises:
        ReplyError: CLIENT UNBLOCK ends the wait with an error.
    """
    token = Wait(context)
    token.waiter = Waiter(
        context.proactor.index, token, context.db, _nothing_will_do, _serve_nothing, None, None
    )
    token.begin(seconds)
    try:
        answer = yield token
    finally:
        token.end()
    if answer is not None:
        raise answer


def _nothing_will_do(value: Any, payload: Any) -> bool:
    return False


def _serve_nothing(db: Keyspace, payload: Any, key: bytes, h: int) -> None:
    """Stands in no line, so nobody calls it."""


def _first_try(context: Context, demand: Demand, waiter: Waiter, places: _Places, waits: bool) -> Steps:
    """One transaction: serve, or stand in line everywhere. Returns what `block` does, or GONE."""
    if len(places) == 1:
        ((shard, entries),) = places.items()
        if waiter.target is None or waiter.target[0] == shard:
            work: Work = (serve_or_wait, (waiter, entries, waits))
            return (yield from context.hop({shard: work}, last=True))[shard]
    found = yield from context.hop(
        {shard: (first_wanted, (waiter, entries)) for shard, entries in places.items()}
    )
    candidates = [answer for answer in found.values() if answer is not None]
    if not candidates:
        if waits:
            yield from context.hop({s: (wait, (waiter, entries)) for s, entries in places.items()}, last=True)
        else:
            yield from context.conclude()
        return None
    position, error = min(candidates, key=_position)
    if error is not None:
        raise error
    return (yield from _serve(context, demand, waiter, demand.keys[position]))


def _position(candidate: tuple[int, ReplyError | None]) -> int:
    return candidate[0]


def _serve(context: Context, demand: Demand, waiter: Waiter, key: bytes) -> Steps:
    """Serve from a key that was there a hop ago, within this transaction, or GONE."""
    h = context.proactor.shard.hash_key(key)
    shard = context.shard_of(h)
    if waiter.target is not None and waiter.target[0] != shard:
        assert demand.across is not None
        result = yield from demand.across(context, key)
    else:
        result = (yield from context.hop({shard: (serve_if_there, (waiter, key, h))}, last=True))[shard]
    return GONE if result is None else (key, result)


def _sleep(
    context: Context, demand: Demand, token: Wait, waiter: Waiter, places: _Places, seconds: float
) -> Steps:
    """Wait; the waiter stands in its lines already. Returns what `block` does, or GONE."""
    token.waiter = waiter
    try:
        while True:
            if token.early is None:
                if (context.session.closed or token.late) and waiter.take_ticket():
                    return None
                token.begin(seconds)
                answer = yield token
            else:
                # Whoever served it wrote first; what that write made void is told first.
                if context.session.tracking is not None:
                    send_held(context.session)
                answer, token.early = token.early, None
            if answer is None:
                return None
            if answer.__class__ is ReplyError:
                raise answer
            key, result = answer
            if result.__class__ is not Part:
                if result.__class__ is ReplyError:
                    raise result
                return GONE if result is None and waiter.target is not None else (key, result)
            try:
                element = yield from _move(context, demand, token, key, result)
                return GONE if element is None else (key, element)
            except GaveWay:  # nothing has happened yet
                if not _rejoin(context, token, waiter, key, result):
                    return None
    finally:
        _leave_lines(context, waiter, places)


def _move(context: Context, demand: Demand, token: Wait, key: bytes, part: Part) -> Steps:
    """Serve a move to another shard; the key is held for us."""
    waiter = token.waiter
    assert waiter is not None
    assert waiter.target is not None
    assert demand.across is not None
    assert context.tx is not None
    if token.asked:
        token.asked = False
        raise GaveWay
    context.tx.release()
    context.tx = token.tx = Transaction(context.proactor, context)
    home = context.shard_of(context.proactor.shard.hash_key(key))
    context.tx.take_over(home, part, waiter.target[0], {waiter.target[1]})
    try:
        return (yield from demand.across(context, key))
    finally:
        token.tx = None


def _rejoin(context: Context, token: Wait, waiter: Waiter, key: bytes, part: Part) -> bool:
    """Give the held key back and wait on, first in line. False if there is no more waiting to do."""
    proactor = context.proactor
    shard = context.shard_of(proactor.shard.hash_key(key))
    if context.session.closed or token.late:
        proactor.post(shard, (conclude_part, part))
        return False
    # From here on the wait can end again, even before the shard has the waiter in its line.
    waiter.ticket.append(True)
    proactor.post(shard, (rejoin, waiter, key, part))
    return True


def _leave_lines(context: Context, waiter: Waiter, places: _Places) -> None:
    """Leave all lines; the shard that served has taken the waiter out of one already, which does no harm."""
    proactor = context.proactor
    for shard, entries in places.items():
        message = (stop_waiting, waiter, [key for _, key, _ in entries])
        proactor.send(shard, message)


_Places = dict[int, list[tuple[int, bytes, int]]]
