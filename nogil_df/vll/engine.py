"""The shard's side of transactions: schedule, run, conclude.

Runs on the thread that owns the shard and nowhere else. The rule that everything follows from:

    A transaction runs nowhere before it is granted everywhere.

``schedule``      take intents and a place in the queue. The answer is GRANTED (nobody ahead wants its keys),
                  WAITING (somebody with a smaller id does; it is granted when it becomes the head of the
                  queue) or REFUSED
``run``           a hop of a granted part
``schedule_run``  both at once, for the last shard that a single-hop transaction needs: the coordinator holds
                  grants everywhere else already. If nobody holds anything it takes no intent at all
``conclude``      give the intents back, leave the queue, grant the next one

A schedule is refused if a *granted* part with a greater id conflicts: a grant is a promise, it can't be
taken back. A part that waits has been promised nothing, so a smaller id may come in before it. A refused
coordinator cancels everywhere and comes again with a greater id, and then waits instead.

Why this is strictly serialisable: conflicting parts run in the order of their ids on each shard where both
are queued. A transaction that arrives at a shard after a greater id has concluded there can't be in conflict
with that order: whoever had to run after it somewhere else would still be waiting there, and so would run
nowhere. (Letting each shard run its part as soon as *its* queue allows looks cheaper and is wrong: with
three shards, T before Y on one, Y before U on the second, U before T on the third makes a circle.)

Why nothing waits for ever: waiting is always for a smaller id; a refusal means that a greater one holds a
grant, and that one waits only for smaller ids itself.

A single-shard command takes its id when it arrives here, if it needs one at all; it is the greatest this
shard has seen, so such a command is never refused.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.vll.locks import IntentLocks
from nogil_df.vll.part import GLOBAL_EXCLUSIVE, NOT_GLOBAL, Part, Work, conflict
from nogil_df.vll.txqueue import TxQueue

if TYPE_CHECKING:
    from nogil_df.vll.proactor import Proactor

REFUSED, WAITING, GRANTED = 0, 1, 2


class Engine:
    """Intent locks, queue and counters of one shard. See the module's text for the protocol."""

    __slots__ = (
        "proactor",
        "locks",
        "queue",
        "scheduled_total",
        "refused_total",
        "waited_total",
        "out_of_order_total",
    )

    def __init__(self, proactor: Proactor) -> None:
        self.proactor = proactor
        self.locks = IntentLocks()
        self.queue = TxQueue()
        self.scheduled_total = 0
        self.refused_total = 0
        self.waited_total = 0
        self.out_of_order_total = 0

    def is_free(self, part: Part) -> bool:
        """Whether nothing scheduled here wants a key of ``part`` in a conflicting way. O(keys)."""
        table = self.locks.table
        if not table:
            return True
        if part.scope != NOT_GLOBAL:
            return False
        conflicts = self.locks.conflicts
        return not (
            any(conflicts(fingerprint, True) for fingerprint in part.exclusive)
            or any(conflicts(fingerprint, False) for fingerprint in part.shared)
        )

    def schedule(self, part: Part) -> int:
        """Take intents for ``part`` and queue it.

        Returns:
            GRANTED, WAITING or REFUSED; nothing is held if it is refused.
        Complexity: O(keys), and O(parts with greater ids * keys) if there is a conflict.
        """
        proactor = self.proactor
        if part.tx_id == 0:
            part.tx_id = proactor.next_tx_id()
        else:
            proactor.observe_tx_id(part.tx_id)
        granted = self._acquire(part)
        if not granted and self._too_late(part):
            self._release(part)
            self.refused_total += 1
            return REFUSED
        queue = self.queue
        queue.insert(part)
        part.locked = True
        self.scheduled_total += 1
        if granted or queue.parts[0] is part:
            part.granted = True
            if queue.parts[0] is not part:
                self.out_of_order_total += 1
            return GRANTED
        self.waited_total += 1
        return WAITING

    def run(self, part: Part, work: Work, last: bool) -> Any:
        """Run one hop of a granted part. Returns the result, a ReplyError among others."""
        assert part.granted
        result = call(work, self.proactor.shard)
        if last:
            self.conclude(part)
        return result

    def schedule_run(self, part: Part, work: Work) -> bool:
        """Schedule and run the only hop; the answer is posted to the coordinator. False if refused."""
        if part.tx_id:
            self.proactor.observe_tx_id(part.tx_id)
        if self.is_free(part):
            self._answer(part, call(work, self.proactor.shard))
            return True
        state = self.schedule(part)
        if state == GRANTED:
            self._answer(part, self.run(part, work, True))
        elif state == WAITING:
            part.work = work
        return state != REFUSED

    def conclude(self, part: Part) -> None:
        """Take a part that ran its hops, or was cancelled, out; grant whoever is the head now."""
        if not part.locked:
            return
        self._leave(part)
        queue = self.queue
        while queue.parts:
            head = queue.parts[0]
            if head.granted:
                return
            head.granted = True
            work = head.work
            if work is None:
                self.proactor.outboxes[head.origin].append((tell_granted, head.token, head.tx_id))
                return
            head.work = None
            result = call(work, self.proactor.shard)
            self._leave(head)
            self._answer(head, result)

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
        assert expected.table == self.locks.table, "intents held by nobody"
        granted = [part for part in self.queue.parts if part.granted]
        for index, part in enumerate(granted):
            assert not any(conflict(part, other) for other in granted[:index]), "two grants in conflict"
        assert not self.queue.parts or self.queue.parts[0].granted, "the head is not granted"

    def _too_late(self, part: Part) -> bool:
        """Whether a granted part with a greater id stands in the way."""
        for other in reversed(self.queue.parts):
            if other.tx_id < part.tx_id:
                return False
            if other.granted and conflict(part, other):
                return True
        return False

    def _answer(self, part: Part, result: Any) -> None:
        self.proactor.outboxes[part.origin].append((deliver, part.token, self.proactor.index, result))

    def _leave(self, part: Part) -> None:
        self.queue.remove(part)
        self._release(part)
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
        The function's result, or the ReplyError it raised; a crash is logged with its traceback and becomes
        a ReplyError too, so that neither connection nor server goes down with a bug in one command.
    """
    try:
        return work[0](shard, work[1])
    except ReplyError as error:
        return error.with_traceback(None)
    except Exception:
        return log_crash(work[0].__qualname__, sys.exc_info())


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
