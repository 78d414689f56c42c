"""The shard's side of transactions: schedule, run, conclude.

Runs on the thread that owns the shard and nowhere else. The rule that everything follows from:

    A transaction runs nowhere before it is granted everywhere.

``schedule``      take intents and a place in the queue. The answer is GRANTED (nobody ahead wants its keys),
                  WAITING (somebody with a smaller id does; it is granted when all of those have left) or
                  REFUSED
``run``           a hop of a granted part
``schedule_run``  both at once, for the last shard that a single-hop transaction needs: the coordinator holds
                  grants everywhere else already. If nobody holds anything it takes no intent at all
``conclude``      give the intents back, leave the queue, grant those that waited for nobody else

A schedule is refused if a *granted* part with a greater id conflicts: a grant is a promise, it can't be
taken back. A part that waits has been promised nothing, so a smaller id may come in before it. A refused
coordinator cancels everywhere and comes again with a greater id, and then waits instead.

Why this is strictly serialisable: conflicting parts run in the order of their ids on each shard where both
are queued. A transaction that arrives at a shard after a greater id has concluded there can't be in conflict
with that order: whoever had to run after it somewhere else would still be waiting there, and so would run
nowhere. (Letting each shard run its part as soon as *its* queue allows looks cheaper and is wrong: with
three shards, T before Y on one, Y before U on the second, U before T on the third makes a circle.)

A part that waits keeps whom it waits for, its *blocker*: the last one ahead that it conflicts with. It would
do to grant the head of the queue and nobody else; but then one conflict among many transactions makes all
that wait a procession, each with a round trip of its own, and with fifty pipelines of thirty SETs over
100,000 keys every fourth meets a conflict.

Why nothing waits for ever: waiting is always for a smaller id; a refusal means that a greater one holds a
grant, and that one waits only for smaller ids itself.

A single-shard command takes its id when it arrives here, if it needs one at all; it is the greatest this
shard has seen, so such a command is never refused.

**Urgent** parts are those of a blocked BLMOVE that is being served (`nogil_df.vll.blocking`): it holds the
element's key, so nobody can steal it, and now needs the target too. Its id is negative, smaller than every
ordinary one, so that it goes ahead of all who wait. It is never refused: whoever stands in its way with a
grant is asked to give way, takes everything back if it has not begun to run, and comes again. That keeps the
argument above: waiting is for smaller ids, for transactions that run and will end, or for some that give way.
"""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.shard.lengthy import Lengthy
from nogil_df.vll.blocking import Blocking
from nogil_df.vll.handlers import begins_work
from nogil_df.vll.intents import IntentLocks
from nogil_df.vll.part import (
    GLOBAL_EXCLUSIVE,
    NOT_GLOBAL,
    Part,
    Work,
    any_granted_later,
    conflict,
    find_place,
    leave,
)
from nogil_df.vll.slices import IN_SLICES, begin
from nogil_df.vll.txqueue import TxQueue

if TYPE_CHECKING:
    from nogil_df.vll.proactor import Proactor

REFUSED, WAITING, GRANTED = 0, 1, 2
BY_ID = attrgetter("tx_id")


class Engine:
    """Intent locks, queue and counters of one shard. See the module's text for the protocol."""

    __slots__ = (
        "proactor",
        "locks",
        "queue",
        "scheduled_total",
        "refused_total",
        "out_of_order_total",
        "blocking",
        "waiting",
        "unblocked",
    )

    def __init__(self, proactor: Proactor) -> None:
        self.proactor = proactor
        self.locks = IntentLocks()
        self.queue = TxQueue()
        self.scheduled_total = 0
        self.refused_total = 0
        self.out_of_order_total = 0
        # Parts in the queue that are not granted.
        self.waiting = 0
        # Of these, those that wait for nobody any more, to be granted in this order.
        self.unblocked: list[Part] = []
        self.blocking = proactor.shard.blocking = Blocking(self)

    def is_free(self, part: Part) -> bool:
        """Whether nothing scheduled here wants a key of ``part`` in a conflicting way. O(keys)."""
        if part.scope != NOT_GLOBAL:
            return not self.locks
        return self.locks.is_free(part.shared, part.exclusive)

    def schedule(self, part: Part) -> int:
        """Take intents for ``part`` and queue it.

        Returns:
            GRANTED, WAITING or REFUSED; nothing is held if it is refused.
        Complexity: O(keys); if there is a conflict, also for each part up to the last one that is in the way.
        """
        proactor = self.proactor
        if part.tx_id == 0:
            part.tx_id = proactor.next_tx_id()
        else:
            proactor.observe_tx_id(part.tx_id)
        granted = self._acquire(part)
        urgent = part.tx_id < 0
        wanted = part if granted else self._contested(part)
        if not granted and not urgent and self._too_late(wanted):
            self._release(part)
            self.refused_total += 1
            return REFUSED
        queue = self.queue
        queue.insert(part)
        part.locked = True
        self.scheduled_total += 1
        if not granted:
            blocker = find_place(part, wanted, queue.parts)
            granted = self._make_way(part) if urgent else blocker is None
        if granted:
            part.granted = True
            if queue.parts[0] is not part:
                self.out_of_order_total += 1
            return GRANTED
        self.waiting += 1
        return WAITING

    def run(self, part: Part, work: Work, last: bool) -> Any:
        """Run one hop of a granted part. Returns the result, a ReplyError among others.

        If it is a `Lengthy`, the work has only begun: the answer is posted when it is done.
        """
        assert part.granted
        shard = self.proactor.shard
        result = call(work, shard)
        if result.__class__ is Lengthy:
            begin(self, part, result, last)
            return result
        if shard.ready:
            # Waiters are served when the transaction concludes, not between its hops.
            part.hold(shard.ready)
        if last:
            self.conclude(part)
        return result

    def schedule_run(self, part: Part, work: Work) -> bool:
        """Schedule and run the only hop; the answer is posted to the coordinator. False if refused."""
        if part.tx_id:
            self.proactor.observe_tx_id(part.tx_id)
        if self.is_free(part):
            shard = self.proactor.shard
            result = call(work, shard)
            if result.__class__ is Lengthy:
                self.begin_free(part, result, True)
                return True
            self._answer(part, result)
            if shard.ready:
                self.blocking.serve(shard.ready)
            return True
        state = self.schedule(part)
        if state == GRANTED:
            result = self.run(part, work, True)
            if result.__class__ is not Lengthy:
                self._answer(part, result)
        elif state == WAITING:
            part.work = work
        return state != REFUSED

    def begin_free(self, part: Part, lengthy: Lengthy, last: bool) -> None:
        """Begin work in slices that was found out about at once, without intents: it takes them now."""
        state = self.schedule(part)
        assert state == GRANTED, "it ran just now, so nothing stands in its way"
        begin(self, part, lengthy, last)

    def conclude(self, part: Part) -> None:
        """Take a part that ran its hops, or was cancelled, out; grant who waited for it alone."""
        if not part.locked:
            return
        self._leave(part)
        if part.ready:
            # Before anybody who queues for these keys: an element belongs to who waited for it.
            self.blocking.serve(part.ready)
        self.grant_next()

    def grant_next(self) -> None:
        """Grant every part that nothing stands in the way of any more. O(parts granted)."""
        if self.blocking.serving:
            # More keys are to be served, and who queues comes after that; `Blocking.serve` calls again.
            return
        while self.waiting:
            part = self._next_unblocked()
            if part is None:
                break
            part.granted = True
            self.waiting -= 1
            work = part.work
            if work is None:
                self.proactor.outboxes[part.origin].append((tell_granted, part.token, part.tx_id))
            else:
                part.work = None
                self._run_waiting(part, work)

    def _next_unblocked(self) -> Part | None:
        """A part that waits and that nothing stands in the way of; urgent ones first, then by their ids."""
        for part in self.queue.parts:
            if part.tx_id > 0:
                break
            if not part.granted and part.blocker is None and self._is_clear(part):
                return part
        while self.unblocked:
            part = self.unblocked.pop(0)
            # It may have left meanwhile, or somebody has come in ahead of it.
            if part.locked and not part.granted and part.blocker is None:
                return part
        return None

    def _run_waiting(self, part: Part, work: Work) -> None:
        """Run the only hop of a part that had to wait for its grant."""
        shard = self.proactor.shard
        result = call(work, shard)
        if result.__class__ is Lengthy:
            begin(self, part, result, True)
            return
        self._leave(part)
        self._answer(part, result)
        if part.ready:
            # While it waited, lines that it stood in the way of were left to it.
            shard.ready.update(part.ready)
        if shard.ready:
            self.blocking.serve(shard.ready)

    def holder(self, fingerprint: int) -> Part | None:
        """The part that writes a key now, or an urgent one that is next; None if there is none. O(queue)."""
        for part in self.queue.parts:
            if (part.granted or part.tx_id < 0) and (
                part.scope == GLOBAL_EXCLUSIVE or fingerprint in part.exclusive
            ):
                return part
        return None

    def _contested(self, part: Part) -> Part:
        """A part like this one, which has its intents, that wants no more than what others want. O(keys)."""
        if part.scope != NOT_GLOBAL:
            return part
        wanted = Part(part.origin, None, *self.locks.contested(part.shared, part.exclusive))
        wanted.tx_id = part.tx_id
        return wanted

    def _is_clear(self, part: Part) -> bool:
        """Whether an urgent part conflicts with nothing ahead of it and nothing granted. O(queue * keys)."""
        for other in self.queue.parts:
            if other is not part and (other.granted or other.tx_id < part.tx_id) and conflict(part, other):
                return False
        return True

    def _make_way(self, part: Part) -> bool:
        """Whether an urgent part may be granted at once; whoever stands in its way is asked to give way."""
        if self._is_clear(part):
            return True
        outboxes = self.proactor.outboxes
        for other in self.queue.parts:
            if (
                other.granted
                and other.tx_id > part.tx_id
                and other.work is not IN_SLICES
                and conflict(part, other)
            ):
                outboxes[other.origin].append((ask_to_give_way, other.token, other.tx_id))
        return False

    def verify(self) -> None:
        """Check that intents and queue agree. Raises AssertionError. O(queue * keys)."""
        self.locks.verify()
        self.queue.verify()
        expected = IntentLocks()
        for part in self.queue.parts:
            assert part.locked
            if part.scope == NOT_GLOBAL:
                expected.acquire(part.shared, part.exclusive)
            else:
                expected.acquire_everything(part.scope == GLOBAL_EXCLUSIVE)
        assert expected.counts() == self.locks.counts(), "intents held by nobody"
        granted = [part for part in self.queue.parts if part.granted]
        for index, part in enumerate(granted):
            assert not any(conflict(part, other) for other in granted[:index]), "two grants in conflict"
        assert self.waiting == len(self.queue.parts) - len(granted)
        for index, part in enumerate(self.queue.parts):
            ahead = [other for other in self.queue.parts[:index] if conflict(part, other)]
            last = ahead[-1] if ahead else None
            assert part.granted or part.blocker is last, "waits for another than the last it conflicts with"
            assert part.blocker is None or part in (part.blocker.followers or ()), "nobody tells it to go on"
        ordinary = [part for part in self.queue.parts if part.tx_id > 0]
        if len(ordinary) == len(self.queue.parts):
            assert not ordinary or ordinary[0].granted, "the head is not granted"

    def _too_late(self, part: Part) -> bool:
        """Whether a granted part with a greater id stands in the way."""
        return any_granted_later(part, self.queue.parts)

    def _answer(self, part: Part, result: Any) -> None:
        self.proactor.outboxes[part.origin].append((deliver, part.token, self.proactor.index, result))

    def _leave(self, part: Part) -> None:
        queue = self.queue
        at = queue.remove(part)
        if not part.granted:
            self.waiting -= 1
        self._release(part)
        free = [other for other in leave(part, queue.parts, at) if other.tx_id > 0]
        if free:
            self.unblocked += free
            self.unblocked.sort(key=BY_ID)
        part.locked = False

    def _acquire(self, part: Part) -> bool:
        if part.scope == NOT_GLOBAL:
            return self.locks.acquire(part.shared, part.exclusive)
        return self.locks.acquire_everything(part.scope == GLOBAL_EXCLUSIVE)

    def _release(self, part: Part) -> None:
        if part.scope == NOT_GLOBAL:
            self.locks.release(part.shared, part.exclusive)
        else:
            self.locks.release_everything(part.scope == GLOBAL_EXCLUSIVE)


def call(work: Work, shard: Any) -> Any:
    """Run a hop's function on the shard; an exception becomes a value that can cross threads.

    Returns:
        The function's result, or the ReplyError or Lengthy it raised; a crash is logged with its traceback
        and becomes a ReplyError too, so that neither connection nor server goes down with a bug in a command.
    """
    try:
        return work[0](shard, work[1])
    except ReplyError as error:
        return error.bare()
    except Lengthy as lengthy:
        return lengthy.bare()
    except Exception:
        return log_crash(work[0].__qualname__, sys.exc_info())


@begins_work(lambda message: (message[1].origin, message[1].token))
def run_part(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """Message handler on a shard's thread: a transaction of this shard alone, of one hop.

    ``(run_part, part, work)``; the part has no id yet, so it is never refused.
    """
    proactor.engine.schedule_run(message[1], message[2])


def deliver(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """Message handler on the coordinator: a shard answers a hop."""
    message[1].on_answer(message[2], message[3])


def tell_granted(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """Message handler on the coordinator: a part that had to wait may run now."""
    message[1].on_granted(message[2])


def ask_to_give_way(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """Message handler on the coordinator: an urgent transaction needs a key that this one was granted."""
    message[1].on_asked_to_give_way(message[2])
