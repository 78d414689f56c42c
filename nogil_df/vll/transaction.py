"""The coordinator's side of a transaction: take an id, schedule on every shard, run hops, conclude.

One object a transaction, living on the thread that owns the client's connection. It offers one call,
``hop(works, last)``: run a function on each of some shards. What that takes depends on where the keys are:

``INLINE``     every key is on this thread's shard and nobody scheduled before wants one: each hop is a
               plain function call. No id, no queue, no lock: nothing else runs on this thread in between,
               because the caller does not return to the loop before its last hop.
``COMBINED``   one hop only, at most one shard is remote: the local intents are taken first, then the remote
               shard schedules and runs in ONE message, then the local work runs. One round trip. While the
               remote work runs the local intents are held, which is all that being scheduled everywhere
               means.
otherwise      a round to schedule everywhere, then a round for each hop. The last hop concludes.

A shard refuses when it can't keep the order (see `nogil_df.vll.engine`); then everything is taken back and
tried again under a new, greater id. Work that ran is never taken back: only scheduling is refused.

The answers of a hop come together as ``{shard: result}``; results may be ReplyError values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from nogil_df.vll.engine import call
from nogil_df.vll.part import Part, Work

if TYPE_CHECKING:
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Message, Proactor

NEW, INLINE, COMBINED, SCHEDULING, RUNNING, READY, DONE = range(7)


class HopOwner(Protocol):
    """Who is told when a hop's answers are complete."""

    def on_hop(self, results: dict[int, Any]) -> None:
        """``results``: what each shard's work returned."""


class Transaction:
    """One transaction as its coordinator sees it.

    Args:
        proactor: the coordinator's thread.
        owner: gets `on_hop` for every hop that could not be answered on the spot.

    Invariants: at most one hop is under way; after the last hop, or `abort`, no shard holds an intent for it.
    """

    __slots__ = (
        "proactor",
        "owner",
        "parts",
        "state",
        "tx_id",
        "waiting",
        "results",
        "works",
        "last",
        "contended",
        "refused",
        "attempts",
    )

    def __init__(self, proactor: Proactor, owner: HopOwner) -> None:
        self.proactor = proactor
        self.owner = owner
        self.parts: dict[int, Part] = {}
        self.state = NEW
        self.tx_id = 0
        self.waiting = 0
        self.results: dict[int, Any] = {}
        self.works: dict[int, Work] = {}
        self.last = False
        self.contended = False
        self.refused = False
        self.attempts = 0

    def lock_keys(self, shared: dict[int, set[int]], exclusive: dict[int, set[int]]) -> None:
        """Name the keys, as fingerprints by shard, before the first hop. O(shards)."""
        origin = self.proactor.index
        for shard in shared.keys() | exclusive.keys():
            writes = exclusive.get(shard, _NOTHING)
            reads = shared.get(shard, _NOTHING)
            self.parts[shard] = Part(origin, self, tuple(reads - writes), tuple(writes))

    def lock_everything(self, scope: int) -> None:
        """Make this a global transaction. O(shards)."""
        origin = self.proactor.index
        for shard in range(self.proactor.count):
            self.parts[shard] = Part(origin, self, (), (), scope)

    def hop(self, works: dict[int, Work], last: bool) -> dict[int, Any] | None:
        """Run work on shards that this transaction has keys on.

        Args:
            works: what to run where.
            last: no hop follows; the transaction concludes with this one.

        Returns:
            The results, if they are known at once; None if `owner.on_hop` will bring them.
        """
        state = self.state
        if state == NEW and self._may_run_inline():
            state = self.state = INLINE
        if state == INLINE:
            shard = self.proactor.shard
            if last:
                self.state = DONE
            return {index: call(work, shard) for index, work in works.items()}
        self.works = works
        self.last = last
        self.results = {}
        if state == NEW:
            return self._begin()
        return self._run_everywhere()

    def abort(self) -> None:
        """End a transaction whose coordinator gives up between hops. Idempotent."""
        if self.state == READY:
            for shard, part in self.parts.items():
                self._post(shard, (_conclude, part))
        self.state = DONE

    def release(self) -> None:
        """Forget parts and owner once all is over: they refer back to us, and nothing collects cycles here."""
        self.parts = {}
        self.works = {}
        self.results = {}
        self.owner = _NOBODY

    def _may_run_inline(self) -> bool:
        parts = self.parts
        if len(parts) > 1:
            return False
        part = parts.get(self.proactor.index)
        if part is None:
            return not parts
        return self.proactor.engine.is_free(part)

    def _begin(self) -> dict[int, Any] | None:
        proactor = self.proactor
        me = proactor.index
        parts = self.parts
        self.attempts += 1
        self.refused = self.contended = False
        self.tx_id = proactor.next_tx_id()
        for part in parts.values():
            part.tx_id = self.tx_id
        local = parts.get(me)
        if local is not None:
            # Never refused: the id was taken just now and is greater than any that this thread has seen.
            scheduled = proactor.engine.schedule(local)
            assert scheduled
            self.contended = not local.granted
        remote = [shard for shard in parts if shard != me]
        self.waiting = len(remote)
        if self.last and len(remote) == 1:
            self.state = COMBINED
            shard = remote[0]
            work = self.works.get(shard, NO_WORK)
            self._post(shard, (_schedule_run, parts[shard], work, self.contended))
            return None
        self.state = SCHEDULING
        if not remote:
            return self._run_everywhere()
        for shard in remote:
            self._post(shard, (_schedule, parts[shard]))
        return None

    def _run_everywhere(self) -> dict[int, Any] | None:
        """Send this hop to the shards it concerns: all of them if it is the last."""
        self.state = RUNNING
        me = self.proactor.index
        works = self.works
        last = self.last
        targets = self.parts if last else works
        self.waiting = len(targets)
        for shard in targets:
            if shard != me:
                work = works.get(shard, NO_WORK)
                self._post(shard, (_run, self.parts[shard], work, last, self.contended))
        if me in targets:
            return self._run_local()
        return None

    def _run_local(self) -> dict[int, Any] | None:
        me = self.proactor.index
        part = self.parts[me]
        ran, result = self.proactor.engine.try_run(
            part, self.works.get(me, NO_WORK), self.last, self.contended
        )
        if not ran:
            return None
        return self._collect(me, result)

    def _collect(self, shard: int, result: Any) -> dict[int, Any] | None:
        if shard in self.works:
            self.results[shard] = result
        self.waiting -= 1
        if self.waiting:
            return None
        self.state = DONE if self.last else READY
        return self.results

    def on_answer(self, shard: int, result: Any) -> None:
        """A shard ran its work of the current hop."""
        if self.state == COMBINED:
            self.state = RUNNING
            if shard in self.works:
                self.results[shard] = result
            if self.proactor.index in self.parts:
                self.waiting = 1
                results = self._run_local()
            else:
                self.state = DONE
                results = self.results
        else:
            results = self._collect(shard, result)
        if results is not None:
            self.owner.on_hop(results)

    def on_scheduled(self, shard: int, scheduled: bool, granted: bool, seen_id: int) -> None:
        """A shard took, or refused, a place in its queue."""
        self.proactor.observe_tx_id(seen_id)
        self.waiting -= 1
        if not scheduled:
            self.refused = True
            self.parts[shard] = _fresh(self.parts[shard])
        elif not granted:
            self.contended = True
        if self.waiting:
            return
        if self.refused:
            self._try_again()
            return
        results = self._run_everywhere()
        if results is not None:
            self.owner.on_hop(results)

    def _try_again(self) -> None:
        """Take everything back and come again with a new id."""
        for shard, part in self.parts.items():
            if part.tx_id:
                self._post(shard, (_conclude, part))
                # The shard may read the old part until it has handled the message: never reuse it.
                self.parts[shard] = _fresh(part)
        results = self._begin()
        if results is not None:
            self.owner.on_hop(results)

    def _post(self, shard: int, message: Message) -> None:
        proactor = self.proactor
        if shard == proactor.index:
            message[0](proactor, message)
        else:
            proactor.outboxes[shard].append(message)


class _Nobody:
    """Owner of a transaction that is over."""

    __slots__ = ()

    def on_hop(self, results: dict[int, Any]) -> None:
        raise AssertionError("an answer to a transaction that is over")


_NOBODY = _Nobody()
_NOTHING: frozenset[int] = frozenset()


def _fresh(part: Part) -> Part:
    return Part(part.origin, part.token, part.shared, part.exclusive, part.scope)


def _no_work(shard: Shard, argument: Any) -> None:
    """A shard that only holds intents has nothing to run in the last hop."""


NO_WORK: Work = (_no_work, None)


# Message handlers on the shard's thread ...


def _schedule(proactor: Proactor, message: Message) -> None:
    part = message[1]
    scheduled = proactor.engine.schedule(part)
    answer = (_scheduled, part.token, proactor.index, scheduled, part.granted, proactor.seen_tx_id())
    proactor.outboxes[part.origin].append(answer)


def _schedule_run(proactor: Proactor, message: Message) -> None:
    _, part, work, contended = message
    if not proactor.engine.schedule_run(part, work, contended):
        answer = (_scheduled, part.token, proactor.index, False, False, proactor.seen_tx_id())
        proactor.outboxes[part.origin].append(answer)


def _run(proactor: Proactor, message: Message) -> None:
    _, part, work, last, contended = message
    proactor.engine.run(part, work, last, contended)


def _conclude(proactor: Proactor, message: Message) -> None:
    proactor.engine.conclude(message[1])


# ... and on the coordinator's.


def _scheduled(proactor: Proactor, message: Message) -> None:
    message[1].on_scheduled(*message[2:])

