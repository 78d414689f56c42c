"""The shard's side of transactions: schedule, run, conclude.

Runs on the thread that owns the shard and nowhere else. Four requests come from coordinators, by message
or by a direct call when coordinator and shard share a thread:

``schedule``      take intents and a place in the queue; refuse if the order can't be kept
``run``           a hop: now if it may, else when the part becomes the head of the queue
``schedule_run``  both at once, for the last shard of a single-hop transaction
``conclude``      give the intents back, leave the queue, let the next one run

When may a part run? If its intents were granted (nobody scheduled earlier wants its keys), at any time;
else when it is the head of the queue. When must a schedule be refused?

1. The intents are not granted and a greater id is queued already: that one may have run out of order on
   the strength of its own grant, so nobody can be put before it any more.
2. A greater id that was *contended* (refused an intent on some shard) has run here. Its place relative to
   us may already be decided the other way round on the shard that refused it. Ids of transactions that were
   granted everywhere need no such mark: they were serialised at the moment they were scheduled.

A refused coordinator cancels everywhere and comes back with a greater id; so nobody waits in a cycle:
waiting is always for a smaller id.

A single-shard command takes its id, if it needs one at all, when it arrives here; that id is the greatest
this shard has seen, so it is never refused.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.crash import log_crash
from nogil_df.vll.locks import IntentLocks
from nogil_df.vll.part import GLOBAL_EXCLUSIVE, NOT_GLOBAL, Part, Work
from nogil_df.vll.txqueue import TxQueue

if TYPE_CHECKING:
    from nogil_df.vll.proactor import Proactor


class Engine:
    """Intent locks, queue and counters of one shard. See the module's text for the protocol."""

    __slots__ = (
        "proactor",
        "locks",
        "queue",
        "committed_id",
        "scheduled_total",
        "refused_total",
        "out_of_order_total",
    )

    def __init__(self, proactor: Proactor) -> None:
        self.proactor = proactor
        self.locks = IntentLocks()
        self.queue = TxQueue()
        # The greatest id of a contended transaction that has run here.
        self.committed_id = 0
        self.scheduled_total = 0
        self.refused_total = 0
        self.out_of_order_total = 0

    def schedule(self, part: Part) -> bool:
        """Take intents for ``part`` and queue it.

        Returns:
            False if the order can't be kept: nothing is held then, and the coordinator must take a new id.
            ``part.granted`` tells whether it may run out of order.
        Complexity: O(keys).
        """
        proactor = self.proactor
        if part.tx_id == 0:
            part.tx_id = proactor.next_tx_id()
        else:
            proactor.observe_tx_id(part.tx_id)
            if part.tx_id < self.committed_id:
                self.refused_total += 1
                return False
        part.granted = self._acquire(part)
        if not part.granted and part.tx_id < self.queue.tail_id():
            self._release(part)
            self.refused_total += 1
            return False
        self.queue.insert(part)
        part.locked = True
        self.scheduled_total += 1
        return True

    def run(self, part: Part, work: Work, last: bool, contended: bool) -> None:
        """Run one hop of a scheduled part, at once or at its turn; the answer is posted to its coordinator."""
        part.contended = part.contended or contended
        part.work = work
        part.last = last
        if part.granted or self.queue.head() is part:
            if part.granted and self.queue.head() is not part:
                self.out_of_order_total += 1
            self._execute(part)
            if last:
                self.poll()

    def try_run(self, part: Part, work: Work, last: bool, contended: bool) -> tuple[bool, Any]:
        """`run` for a coordinator on this very thread: spares the answer a turn of the loop.

        Returns:
            (True, result) if the part could run now; (False, None) if the answer will be posted at its turn.
        """
        if not part.granted and self.queue.head() is not part:
            self.run(part, work, last, contended)
            return False, None
        if (part.contended or contended) and part.tx_id > self.committed_id:
            self.committed_id = part.tx_id
        result = call(work, self.proactor.shard)
        if last:
            self._leave(part)
            self.poll()
        return True, result

    def schedule_run(self, part: Part, work: Work, contended: bool) -> bool:
        """Schedule and run a single concluding hop; False if the schedule was refused.

        The common case holds no lock and enters no queue: no conflict, so the hop runs at once and the
        transaction is over on this shard.
        """
        if part.tx_id:
            self.proactor.observe_tx_id(part.tx_id)
            if part.tx_id < self.committed_id:
                self.refused_total += 1
                return False
        if self.is_free(part):
            part.work = work
            part.last = True
            part.contended = contended
            self._execute(part)
            return True
        if not self.schedule(part):
            return False
        self.run(part, work, True, contended or not part.granted)
        return True

    def conclude(self, part: Part) -> None:
        """Release a part that ran its hops, or was cancelled, and let the next ones run."""
        if part.locked:
            self._leave(part)
            self.poll()

    def poll(self) -> None:
        """Run every head of the queue that has work waiting."""
        queue = self.queue
        while (head := queue.head()) is not None and head.work is not None:
            self._execute(head)

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

    def _execute(self, part: Part) -> None:
        work = part.work
        assert work is not None
        part.work = None
        if part.contended and part.tx_id > self.committed_id:
            self.committed_id = part.tx_id
        result = call(work, self.proactor.shard)
        if part.last and part.locked:
            self._leave(part)
        self.proactor.outboxes[part.origin].append((deliver, part.token, self.proactor.index, result))

    def _leave(self, part: Part) -> None:
        self.queue.remove(part)
        self._release(part)
        part.locked = False

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
    proactor.engine.schedule_run(message[1], message[2], False)


def deliver(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """Message handler on the coordinator: a shard answers a hop."""
    message[1].on_answer(message[2], message[3])
