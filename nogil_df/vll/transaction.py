"""The coordinator's side of a transaction: take an id, schedule on every shard, run hops, conclude.

One object a transaction, living on the thread that owns the client's connection. It offers one call,
``hop(works, last)``: run a function on each of some shards. What that takes depends on where the keys are:

``INLINE``      every key is on this thread's shard and nobody scheduled before wants one: each hop is a
                plain function call. No id, no queue, no lock: nothing else runs on this thread in between,
                because the caller does not return to the loop before its last hop.
``COMBINED``    one hop only, at most one shard is remote, and the local part was granted at once: the remote
                shard schedules and runs in ONE message, then the local work runs. One round trip.
otherwise       a round to be granted everywhere, then a round for each hop. The last hop concludes.

An **urgent** transaction takes over a part that a shard made for it (see `nogil_df.vll.blocking`). It is
never refused; while it is not granted everywhere a more urgent one may ask it to give way, and its owner is
told.

A shard refuses when it can't keep the order (see `nogil_df.vll.engine`); then everything is taken back and
tried again under a new, greater id. Work that ran is never taken back: only scheduling is refused.

The answers of a hop come together as ``{shard: result}``; results may be ReplyError values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from nogil_df.shard.lengthy import Lengthy
from nogil_df.vll.engine import GRANTED, REFUSED, call, deliver
from nogil_df.vll.handlers import SHARD_SIDE, shard_side
from nogil_df.vll.part import Part, Work
from nogil_df.vll.slices import in_one_go

if TYPE_CHECKING:
    from collections.abc import Set

    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Message, Proactor

SCATTER = 0x9E3779B1
"""An odd number whose products look random: 2**32 by the golden ratio."""

MOST_DOUBLINGS = 10
"""Of how far ahead a refused transaction comes again: at most 8,192 ids a time, of which there are 2**63."""

NEW, INLINE, COMBINED, SCHEDULING, RUNNING, READY, TAKEN_OVER, DONE = range(8)


class HopOwner(Protocol):
    """Who is told when a hop's answers are complete."""

    def on_hop(self, results: dict[int, Any]) -> None:
        """``results``: what each shard's work returned."""


class NamingOwner(HopOwner, Protocol):
    """Who owns a transaction that was `run_inline`."""

    def name_keys(self, tx: Transaction) -> None:
        """Name its keys after all: `Transaction.lock_keys`."""


class UrgentOwner(HopOwner, Protocol):
    """Who owns an urgent transaction."""

    def on_gave_way(self) -> None:
        """It was asked to give way before it had begun, and did."""


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
        "ungranted",
        "results",
        "works",
        "last",
        "refusals",
        "refused",
        "may_be_inline",
    )

    def __init__(self, proactor: Proactor, owner: HopOwner) -> None:
        self.proactor = proactor
        self.owner = owner
        self.parts: dict[int, Part] = {}
        self.state = NEW
        self.tx_id = 0
        # Answers that the current round still misses; parts scheduled that wait for their grant.
        self.waiting = 0
        self.ungranted = 0
        self.results: dict[int, Any] = {}
        self.works: dict[int, Work] = {}
        self.last = False
        self.refusals = 0
        self.refused = False
        self.may_be_inline = True

    def keep_intents(self) -> None:
        """Take intents even if all keys are here: its coordinator waits for something between two hops."""
        self.may_be_inline = False

    def lock_keys(self, shared: dict[int, set[int]], exclusive: dict[int, set[int]]) -> None:
        """Name the keys, as fingerprints by shard, before the first hop. O(shards)."""
        origin = self.proactor.index
        for shard in shared.keys() | exclusive.keys():
            writes = exclusive.get(shard, _NOTHING)
            reads = shared.get(shard, _NOTHING)
            self.parts[shard] = Part(origin, self, reads - writes, writes)

    def lock_part(self, shard: int, reads: Set[int], writes: Set[int]) -> None:
        """Name the keys on one shard; the sets are disjoint. O(1)."""
        self.parts[shard] = Part(self.proactor.index, self, reads, writes)

    def take_up(self, parts: dict[int, Part], works: dict[int, Work]) -> None:
        """Go on with what its owner has begun: COMBINED, under the id of the parts. O(1).

        The owner is the token of those parts, and hands on to us what shards answer.
        """
        self.parts = parts
        self.works = works
        self.last = True
        self.waiting = 1
        self.tx_id = parts[self.proactor.index].tx_id
        self.state = COMBINED

    def run_inline(self) -> None:
        """Declare that this thread's shard holds every key and no intent, instead of naming the keys."""
        self.state = INLINE

    def lock_everything(self, scope: int) -> None:
        """Make this a global transaction. O(shards)."""
        origin = self.proactor.index
        for shard in range(self.proactor.count):
            self.parts[shard] = Part(origin, self, _NOTHING, _NOTHING, scope)

    def take_over(self, home: int, part: Part, shard: int, keys: Set[int]) -> None:
        """Make this an urgent transaction: ``part`` holds a key on ``home``, ``keys`` on ``shard`` are
        needed.

        The part stays `home`'s: should this transaction give way, whoever owns it gives that part back.
        """
        self.tx_id = part.tx_id
        self.parts[home] = part
        urgent = self.parts[shard] = Part(self.proactor.index, self, _NOTHING, keys)
        urgent.tx_id = part.tx_id
        self.state = TAKEN_OVER

    def hop_now(self, works: dict[int, Work]) -> dict[int, Any]:
        """A hop, not the last, that is waited for on the spot; for code that can't be suspended.

        Meanwhile the thread serves what other threads ask of its shard (two that wait for each other would
        never end otherwise); everything else waits for the next turn. Nothing that we hold can be touched by
        that: others who want it queue. Only for a transaction that is inline or has its grants already.
        """
        results = self.hop({shard: (in_one_go, work) for shard, work in works.items()}, False)
        if results is not None:
            return results
        self.hold_ready()
        owner, latch = self.owner, Latch()
        self.owner = latch
        proactor = self.proactor
        # What others want meanwhile is not written by the client whose script waits.
        writer, proactor.shard.writer = proactor.shard.writer, 0
        proactor.wait_on_spot(latch.is_done, self._may_handle)
        proactor.shard.writer = writer
        self.owner = owner
        return latch.results

    def _may_handle(self, message: Message) -> bool:
        """Whether a thread that waits on the spot for our hop handles a message now."""
        handler = message[0]
        return handler in SHARD_SIDE or (handler is deliver and message[1] is self)

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
            results = {index: call(work, shard) for index, work in works.items()}
            for result in results.values():
                if result.__class__ is Lengthy:
                    self._begin_slices(works, result, last)
                    return None
            return results
        self.works = works
        self.last = last
        self.results = {}
        if state == NEW:
            return self._begin()
        if state == TAKEN_OVER:
            return self._begin_urgent()
        return self._run_everywhere()

    def _begin_slices(self, works: dict[int, Work], lengthy: Lengthy, last: bool) -> None:
        """The hop of an inline transaction takes long: it takes intents after all, and others go on."""
        me = self.proactor.index
        if me not in self.parts:
            cast("NamingOwner", self.owner).name_keys(self)
        part = self.parts[me]
        self.works = works
        self.last = last
        self.results = {}
        self.waiting = 1
        self.state = RUNNING
        self.proactor.engine.begin_free(part, lengthy, last)
        self.tx_id = part.tx_id

    def hold_ready(self) -> None:
        """What a script changed on our shard by plain calls waits for the end of the transaction, too."""
        proactor = self.proactor
        part = self.parts.get(proactor.index)
        if proactor.shard.ready and part is not None and part.locked:
            part.hold(proactor.shard.ready)

    def abort(self) -> None:
        """End a transaction whose coordinator gives up between hops. Idempotent."""
        self.hold_ready()
        if self.state == READY:
            for shard, part in self.parts.items():
                self.proactor.send(shard, (conclude_part, part))
        self.state = DONE

    def release(self) -> None:
        """Forget parts and owner once all is over: they refer to us, and nothing collects cycles here."""
        self.parts = {}
        self.works = {}
        self.results = {}
        self.owner = NOBODY

    def _may_run_inline(self) -> bool:
        parts = self.parts
        if len(parts) > 1:
            return False
        part = parts.get(self.proactor.index)
        if part is None:
            return not parts
        return self.may_be_inline and self.proactor.engine.is_free(part)

    def _begin(self) -> dict[int, Any] | None:
        proactor = self.proactor
        me = proactor.index
        parts = self.parts
        self.refused = False
        self.ungranted = 0
        self.tx_id = proactor.next_tx_id()
        for part in parts.values():
            part.tx_id = self.tx_id
        local = parts.get(me)
        # Never refused here: the id was taken just now and is greater than any that this thread has seen.
        if local is not None and proactor.engine.schedule(local) != GRANTED:
            self.ungranted = 1
        remote = [shard for shard in parts if shard != me]
        self.waiting = len(remote)
        if self.last and len(remote) == 1 and not self.ungranted:
            self.state = COMBINED
            shard = remote[0]
            self.proactor.send(shard, (schedule_run, parts[shard], self.works.get(shard, NO_WORK)))
            return None
        self.state = SCHEDULING
        for shard in remote:
            self.proactor.send(shard, (_schedule, parts[shard]))
        return self._run_if_granted()

    def _begin_urgent(self) -> dict[int, Any] | None:
        """Schedule what is not granted yet, under the id there is."""
        self.state = SCHEDULING
        me = self.proactor.index
        new = [(shard, part) for shard, part in self.parts.items() if not part.granted]
        self.ungranted = 0
        self.waiting = len(new)
        for shard, part in new:
            if shard == me:
                self.waiting -= 1
                self.ungranted += self.proactor.engine.schedule(part) != GRANTED
            else:
                self.proactor.send(shard, (_schedule, part))
        return self._run_if_granted()

    def _run_if_granted(self) -> dict[int, Any] | None:
        if self.waiting or self.ungranted:
            return None
        return self._run_everywhere()

    def _run_everywhere(self) -> dict[int, Any] | None:
        """Send this hop to the shards it concerns: all of them if it is the last."""
        self.state = RUNNING
        me = self.proactor.index
        works = self.works
        targets = self.parts if self.last else works
        if not targets:
            # A hop for the sake of the grants.
            self.state = DONE if self.last else READY
            return self.results
        self.waiting = len(targets)
        for shard in targets:
            if shard != me:
                self.proactor.send(shard, (_run, self.parts[shard], works.get(shard, NO_WORK), self.last))
        return self._run_local() if me in targets else None

    def _run_local(self) -> dict[int, Any] | None:
        me = self.proactor.index
        work = self.works.get(me, NO_WORK)
        result = self.proactor.engine.run(self.parts[me], work, self.last)
        # The answer of work that takes long comes as a message, as that of another shard.
        return None if result.__class__ is Lengthy else self._collect(me, result)

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
            if self.proactor.index in self.parts:
                self.waiting += 1
                self._collect(shard, result)
                self._tell(self._run_local())
                return
        self._tell(self._collect(shard, result))

    def on_scheduled(self, shard: int, state: int, seen_id: int) -> None:
        """A shard took, or refused, a place in its queue."""
        self.proactor.observe_tx_id(seen_id)
        self.waiting -= 1
        if state == REFUSED:
            self.refused = True
            self.parts[shard] = self.parts[shard].fresh()
        elif state != GRANTED:
            self.ungranted += 1
        if self.waiting:
            return
        self._tell(self._take_back() if self.refused else self._run_if_granted())

    def on_granted(self, tx_id: int) -> None:
        """A part that had to wait may run now; one of an earlier, cancelled attempt does not count."""
        if tx_id != self.tx_id or self.state != SCHEDULING:
            return
        self.ungranted -= 1
        if not self.refused:
            self._tell(self._run_if_granted())

    def on_asked_to_give_way(self, tx_id: int) -> None:
        """An urgent transaction needs a key of ours; whoever has begun to run goes on, and ends soon."""
        if tx_id != self.tx_id:
            return
        if self.state == COMBINED:
            for shard, part in self.parts.items():
                if shard != self.proactor.index:
                    self.proactor.send(shard, (_recall, part))
        elif self.state == SCHEDULING and not self.refused:
            # Answers to come first: what is not there yet can't be taken back.
            self.refused = True
            if not self.waiting:
                self._tell(self._take_back())

    def _take_back(self) -> dict[int, Any] | None:
        if self.tx_id > 0:
            return self._try_again()
        self._give_way(cast("UrgentOwner", self.owner))
        return None

    def _give_way(self, owner: UrgentOwner) -> None:
        """Leave the shards but home, and tell the owner, who gives the home part back."""
        for shard, part in self.parts.items():
            if part.token is self:
                self.proactor.send(shard, (conclude_part, part))
        self.parts = {}
        self.state = DONE
        owner.on_gave_way()

    def _try_again(self) -> dict[int, Any] | None:
        """Take everything back and come again with a new id, some way ahead of all that were seen.

        With the next id, transactions of two threads that each grant their own part first can refuse each
        other for ever: by the time one comes to the other shard again, somebody there has a greater id and a
        grant. Who is ahead of those waits for them instead. How far ahead is as good as random, and further
        with each refusal, so that not all are ahead alike.
        """
        self.refusals += 1
        self.proactor.skip_tx_ids(self.tx_id * SCATTER >> 8 & (8 << min(self.refusals, MOST_DOUBLINGS)) - 1)
        for shard, part in self.parts.items():
            if part.tx_id:
                self.proactor.send(shard, (conclude_part, part))
                self.parts[shard] = part.fresh()
        return self._begin()

    def _tell(self, results: dict[int, Any] | None) -> None:
        if results is not None:
            self.owner.on_hop(results)


class Latch:
    """Keeps the answers of a hop that somebody waits for on the spot."""

    __slots__ = ("done", "results")

    def __init__(self) -> None:
        self.done = False
        self.results: dict[int, Any] = {}

    def on_hop(self, results: dict[int, Any]) -> None:
        """The answers are complete."""
        self.results = results
        self.done = True

    def is_done(self) -> bool:
        """Whether they are."""
        return self.done


class _Nobody:
    """Owner of a transaction that is over."""

    __slots__ = ()

    def on_hop(self, results: dict[int, Any]) -> None:
        raise AssertionError("an answer to a transaction that is over")


NOBODY = _Nobody()
_NOTHING: frozenset[int] = frozenset()


def _no_work(shard: Shard, argument: Any) -> None:
    """A shard that only holds intents has nothing to run in the last hop."""


NO_WORK: Work = (_no_work, None)


# Message handlers on the shard's thread ...


@shard_side
def _schedule(proactor: Proactor, message: Message) -> None:
    part = message[1]
    state = proactor.engine.schedule(part)
    proactor.outboxes[part.origin].append(
        (_scheduled, part.token, proactor.index, state, proactor.seen_tx_id())
    )


@shard_side
def schedule_run(proactor: Proactor, message: Message) -> None:
    """``(schedule_run, part, work)``: take a part and run its only hop. (`nogil_df.net._turn` may do it.)"""
    _, part, work = message
    if not proactor.engine.schedule_run(part, work):
        answer = (_scheduled, part.token, proactor.index, REFUSED, proactor.seen_tx_id())
        proactor.outboxes[part.origin].append(answer)


@shard_side
def _run(proactor: Proactor, message: Message) -> None:
    _, part, work, last = message
    result = proactor.engine.run(part, work, last)
    if result.__class__ is Lengthy:
        return
    proactor.outboxes[part.origin].append((deliver, part.token, proactor.index, result))


@shard_side
def conclude_part(proactor: Proactor, message: Message) -> None:
    """``(conclude_part, part)``: a part is over, or taken back."""
    proactor.engine.conclude(message[1])


@shard_side
def _recall(proactor: Proactor, message: Message) -> None:
    """A combined schedule and run is wanted back; too late if it ran, and then its answer is on the way."""
    part = message[1]
    if part.locked and not part.granted:
        part.work = None
        proactor.engine.conclude(part)
        answer = (_scheduled, part.token, proactor.index, REFUSED, proactor.seen_tx_id())
        proactor.outboxes[part.origin].append(answer)


# ... and on the coordinator's.


def _scheduled(proactor: Proactor, message: Message) -> None:
    message[1].on_scheduled(*message[2:])
