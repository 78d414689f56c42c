"""Waiters: commands that wait for a key, and the shard that serves them.

BLPOP and its kin leave a `Waiter` on the shard of every key they name. A write marks such a key as ready
(`Keyspace.changed`), and when the command, EXEC or script that wrote it concludes, before anybody who
queues for the key is granted, the shard serves the line: first come, first served. So an element can't be
stolen.

A waiter may stand in lines on several shards, and each may have an element for it in the same moment; its
time may run out, or its client go away, in that moment too. Whoever takes its **ticket** decides: a list of
one element, popped. ``list.pop`` is atomic, so this arbitration needs neither a lock nor a message, and the
shard serves at once: one message to the coordinator, with the result. (Asking the coordinator first would
cost two more messages for each element, with the key locked meanwhile.)

BLMOVE writes a second key, the **target**. If that is on this shard and nobody has an intent on it, the
move is a plain call like any other. If somebody has, the move queues here as an urgent part. If the target
is on another shard, the coordinator is told that its waiter was *claimed*: it gets an urgent part of its
own here, which holds the key, and runs the move as a transaction of two shards. Should an urgent
transaction with a smaller id need that key meanwhile, the claim is given back (`rejoin`) and the waiter is
first in line again.

Rejected: waking waiters and letting them try again (others steal; Redis's first design), an intent held
while a command waits (nobody could push).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.vll.handlers import shard_side
from nogil_df.vll.part import Part

if TYPE_CHECKING:
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.engine import Engine
    from nogil_df.vll.proactor import Message, Proactor

URGENT = 1 << 62
"""Taken from an id it makes an urgent one: negative, in the order in which waiters were claimed."""


class Waiter:
    """One blocked command, as the shards see it.

    Attributes:
        origin, token: the coordinator's thread, and what it gets back with the result.
        ticket: taken by whoever ends the wait.
        db: database of its keys.
        wants: ``wants(value, payload)``: whether this stored value can serve the command now; raises
            ReplyError if it has another type.
        serve: ``serve(db, payload, key, h)``: serve it; may raise ReplyError.
        target: (shard, hash) of a second key that serving writes; None if there is none.
    """

    __slots__ = ("db", "origin", "payload", "serve", "target", "ticket", "token", "wants")

    def __init__(
        self,
        origin: int,
        token: Any,
        db: int,
        wants: Callable[[Any, Any], bool],
        serve: Callable[[Keyspace, Any, bytes, int], Any],
        payload: Any,
        target: tuple[int, int] | None,
    ) -> None:
        self.origin = origin
        self.token = token
        self.ticket = [True]
        self.db = db
        self.wants = wants
        self.serve = serve
        self.payload = payload
        self.target = target

    def can_serve(self, key: bytes, value: Any) -> bool:
        """Whether what a key holds now will do; one of another type does not, and the waiter waits on."""
        try:
            return self.wants(value, self.payload)
        except ReplyError:
            return False

    def take_ticket(self) -> bool:
        """End the wait, unless somebody has done so already. Any thread; True for exactly one caller."""
        try:
            return self.ticket.pop()
        except IndexError:
            return False


class KeyedWaiter(Waiter):
    """A waiter for something else at each key, which also wants to know when there is nothing to wait for.

    ``wants(value, payload, key)`` is asked of whatever a key holds after a change, and of None if that is
    nothing any more; ``serve`` raises the error that the command ends with then.
    """

    __slots__ = ()

    wants: Callable[..., bool]

    def can_serve(self, key: bytes, value: Any) -> bool:
        """Whether what a key holds now, or that it holds nothing, ends the wait."""
        return self.wants(value, self.payload, key)


class Blocking:
    """The waiters of one shard. They stand in ``Keyspace.waiting``; this serves them.

    Attributes:
        serving: `serve` is at work; what concludes meanwhile grants nobody a key that is not served yet.
    """

    __slots__ = ("engine", "proactor", "served_total", "serving")

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.serving = False
        self.proactor = engine.proactor
        self.served_total = 0

    def serve(self, ready: dict[tuple[int, bytes], None]) -> None:
        """Serve the lines of keys that changed, and of those that serving changes. Empties ``ready``.

        To be called when a command or transaction is over; the keys are held by nobody. O(waiters served).
        """
        shard = self.proactor.shard
        if self.serving:
            # Of a move under way: it goes on with these when it gets there.
            if ready is not shard.ready:
                shard.ready.update(ready)
                ready.clear()
            return
        self.serving = True
        try:
            while ready:
                keys = list(ready)
                ready.clear()
                for index, key in keys:
                    self._serve_line(shard.dbs[index], key)
                ready = shard.ready
        finally:
            self.serving = False
        if self.engine.queue.parts:
            self.engine.grant_next()

    def serve_between(self) -> None:
        """Serve between two commands of a squashed batch, whose part may hold the keys.

        Who needs more than the key itself has to wait for the end of the batch.
        """
        ready = self.proactor.shard.ready
        held = {
            (index, key): None
            for index, key in ready
            if any(waiter.target for waiter in self.proactor.shard.dbs[index].waiting.get(key, ()))
        }
        for entry in held:
            del ready[entry]
        self.serve(ready)
        ready.update(held)

    def _serve_line(self, db: Keyspace, key: bytes) -> None:
        h = self.proactor.shard.hash_key(key)
        line = db.waiting.get(key, [])
        if db.peek(key, h) is None:
            line = [waiter for waiter in line if waiter.__class__ is KeyedWaiter]
        for waiter in list(line):
            value = db.peek(key, h)
            if value is None and waiter.__class__ is Waiter:
                # The last of it is gone; whoever else is to know has another turn for that.
                return
            if not waiter.can_serve(key, value):
                continue
            if waiter.target is not None:
                holder = self.engine.holder(h)
                if holder is not None:
                    # An urgent part is about to write this very key; look again when it is done.
                    holder.hold({(db.index, key): None})
                    return
            if not waiter.take_ticket():
                db.stop_waiting(key, waiter)
                continue
            db.stop_waiting(key, waiter)
            if waiter.target is None or self._is_free(waiter.target):
                self._serve_here(db, waiter, key, h)
            else:
                # The key is spoken for now; the rest of the line has its turn when that part concludes.
                self._serve_later(db, waiter, key, h)
                return

    def _is_free(self, target: tuple[int, int]) -> bool:
        shard, h = target
        return shard == self.proactor.index and not self.engine.locks.conflicts(h, True)

    def _serve_here(self, db: Keyspace, waiter: Waiter, key: bytes, h: int) -> None:
        self.served_total += 1
        try:
            result = waiter.serve(db, waiter.payload, key, h)
        except ReplyError as error:
            result = error.bare()
        except Exception:
            result = log_crash(waiter.serve.__qualname__, sys.exc_info())
        self.proactor.outboxes[waiter.origin].append((served, waiter.token, key, result))

    def _serve_later(self, db: Keyspace, waiter: Waiter, key: bytes, h: int) -> None:
        """Hold the key with an urgent part until the target can be written too."""
        assert waiter.target is not None
        self.served_total += 1
        proactor = self.proactor
        shard, target = waiter.target
        is_here = shard == proactor.index
        part = Part(waiter.origin, waiter.token, frozenset(), {h, target} if is_here else {h})
        part.tx_id = proactor.next_tx_id() - URGENT
        if is_here:
            self.engine.schedule_run(part, (_serve_target, (waiter, key, h)))
        else:
            self.engine.schedule(part)
            assert part.granted, "somebody holds a key that is being served"
            # It changed; should the move fail, or leave an element, the next in line is looked at.
            part.ready = {(db.index, key): None}
            proactor.outboxes[waiter.origin].append((claimed, waiter.token, key, part))


def _serve_target(shard: Shard, argument: tuple[Waiter, bytes, int]) -> tuple[bytes, Any]:
    """An urgent part's work; the answer is (key, result), None for a result if the key holds nothing now."""
    waiter, key, _ = argument
    # The next in line is looked at even if this fails and changes nothing.
    shard.dbs[waiter.db].touched(key)
    try:
        return key, serve_if_there(shard, argument)
    except ReplyError as error:
        return key, error.bare()


# Works of hops, on the shard's thread.


def first_wanted(shard: Shard, argument: tuple[Waiter, list[tuple[int, bytes, int]]]) -> Any:
    """Which key of a command could serve it.

    Args:
        argument: the waiter, and (position among all keys, key, hash) of the keys that live here, in order.

    Returns:
        The position; None if there is none; a ReplyError at the position of a key of another type comes as
        (position, error).
    """
    waiter, entries = argument
    db = shard.dbs[waiter.db]
    for position, key, h in entries:
        value = db.peek(key, h)
        if value is None:
            continue
        try:
            if waiter.wants(value, waiter.payload):
                return position, None
        except ReplyError as error:
            return position, error.bare()
    return None


def serve_if_there(shard: Shard, argument: tuple[Waiter, bytes, int]) -> Any:
    """Serve from a key that could a moment ago; None if what it held has expired since.

    Its intent keeps everybody away from it, and time goes on.
    """
    waiter, key, h = argument
    db = shard.dbs[waiter.db]
    if not waiter.can_serve(key, db.peek(key, h)):
        return None
    return waiter.serve(db, waiter.payload, key, h)


def serve_or_wait(shard: Shard, argument: tuple[Waiter, list[tuple[int, bytes, int]], bool]) -> Any:
    """Serve a command whose keys all live here, or let it wait.

    Args:
        argument: the waiter, its keys as for `first_wanted`, and whether it waits.

    Returns:
        (key, result); None if nothing could serve it.
    """
    waiter, entries, waits = argument
    found = first_wanted(shard, (waiter, entries))
    if found is None:
        if waits:
            wait(shard, (waiter, entries))
        return None
    position, error = found
    if error is not None:
        raise error
    at = next(index for index, entry in enumerate(entries) if entry[0] == position)
    _, key, h = entries[at]
    return key, waiter.serve(shard.dbs[waiter.db], waiter.payload, key, h)


def wait(shard: Shard, argument: tuple[Waiter, list[tuple[int, bytes, int]]]) -> None:
    """Stand in the lines of the keys that live here."""
    waiter, entries = argument
    db = shard.dbs[waiter.db]
    for key in dict.fromkeys(key for _, key, _ in entries):
        db.wait(key, waiter)


# Message handlers on the shard's thread ...


@shard_side
def stop_waiting(proactor: Proactor, message: Message) -> None:
    """``(stop_waiting, waiter, keys)``: leave the lines of these keys."""
    _, waiter, keys = message
    db = proactor.shard.dbs[waiter.db]
    for key in keys:
        db.stop_waiting(key, waiter)


@shard_side
def rejoin(proactor: Proactor, message: Message) -> None:
    """``(rejoin, waiter, key, part)``: a claim is given back; the waiter is first in line again.

    Its ticket is back already: only the coordinator knows whether the wait ended while this was under way.
    """
    _, waiter, key, part = message
    proactor.shard.dbs[waiter.db].wait(key, waiter, first=True)
    # The line has its turn (`Part.ready`) before anybody is granted the key, unless an urgent part is next.
    proactor.engine.conclude(part)


# ... and on the coordinator's.


def served(proactor: Proactor, message: Message) -> None:
    """``(served, token, key, result)``: the wait is over."""
    message[1].on_served(message[2], message[3])


def claimed(proactor: Proactor, message: Message) -> None:
    """``(claimed, token, key, part)``: it is this waiter's turn, and ``part`` holds the key for it."""
    message[1].on_claimed(message[2], message[3])
