"""The part of a transaction that one shard sees.

The coordinator makes one part for each shard that its keys live on and hands it over with the schedule
message; from then on only the shard's thread changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nogil_df.shard.shard import Shard

# What a hop runs on a shard: `function(shard, argument)`.
Work = tuple[Callable[["Shard", Any], Any], Any]

# How wide a global part locks.
NOT_GLOBAL, GLOBAL_SHARED, GLOBAL_EXCLUSIVE = 0, 1, 2


class Part:
    """Keys, lock state and waiting work of one transaction on one shard.

    Attributes:
        tx_id: order in the queue; 0 until the transaction had to take one; negative for an urgent one, see
            `nogil_df.vll.engine`.
        origin: index of the coordinator's thread.
        token: what the coordinator gets back with each answer; opaque to the shard.
        shared, exclusive: fingerprints of the keys read only, and of those that may be written; disjoint.
        scope: NOT_GLOBAL, or how a global transaction locks the whole shard.
        granted: a promise that it may run at any time.
        blockers: the queued parts with smaller ids that it conflicts with, while it waits.
        locked: the intents are held and the part is in the queue.
        work: the only hop, if it came with the schedule and has to wait.
        ready: (database, key) of keys with waiters that its hops changed so far; None if there are none.
    """

    __slots__ = (
        "blockers",
        "exclusive",
        "granted",
        "locked",
        "origin",
        "ready",
        "scope",
        "shared",
        "token",
        "tx_id",
        "work",
    )

    def __init__(
        self, origin: int, token: Any, shared: Set[int], exclusive: Set[int], scope: int = NOT_GLOBAL
    ) -> None:
        self.tx_id = 0
        self.origin = origin
        self.token = token
        self.shared = shared
        self.exclusive = exclusive
        self.scope = scope
        self.granted = False
        self.blockers: set[Part] | None = None
        self.locked = False
        self.work: Work | None = None
        self.ready: dict[tuple[int, bytes], None] | None = None

    def hold(self, ready: dict[tuple[int, bytes], None]) -> None:
        """Keep keys whose waiters are to be served when this part concludes; empties ``ready``. O(keys)."""
        if self.ready is None:
            self.ready = dict(ready)
        else:
            self.ready.update(ready)
        ready.clear()

    def fresh(self) -> Part:
        """The same part without id or state. A part that was handed over is never used again."""
        return Part(self.origin, self.token, self.shared, self.exclusive, self.scope)


def conflict(one: Part, two: Part) -> bool:
    """Whether two parts of one shard may not run in either order. O(keys of the smaller)."""
    if one.scope or two.scope:
        return _writes(one) or _writes(two)
    return not (
        one.exclusive.isdisjoint(two.exclusive)
        and one.exclusive.isdisjoint(two.shared)
        and one.shared.isdisjoint(two.exclusive)
    )


def _writes(part: Part) -> bool:
    return part.scope == GLOBAL_EXCLUSIVE or bool(part.exclusive)


# Walks over the queue of a shard, which is 50 parts long where 50 clients pipeline over the same keys: here,
# where parts are C structs.


def find_blockers(part: Part, wanted: Part, queue: list[Part]) -> set[Part]:
    """Whom a queued part waits for; those who wait for it are told. O(queue * keys wanted).

    Args:
        wanted: has those keys of ``part`` that anybody else wants, and its id.
    """
    tx_id = wanted.tx_id
    blockers: set[Part] = set()
    for other in queue:
        if other.tx_id < tx_id:
            if conflict(wanted, other):
                blockers.add(other)
        elif other is not part and other.blockers is not None and conflict(wanted, other):
            other.blockers.add(part)
    return blockers


def wait_no_more_for(part: Part, queue: list[Part]) -> None:
    """A part has left: nobody is blocked by it any more. O(queue)."""
    for other in queue:
        if other.blockers is not None:
            other.blockers.discard(part)


def next_unblocked(queue: list[Part], at: int) -> int:
    """The next part, from index ``at`` on, that waits and has no blockers; -1 if there is none. O(queue)."""
    for index in range(at, len(queue)):
        other = queue[index]
        if not other.granted and not other.blockers:
            return index
    return -1


def any_granted_later(wanted: Part, queue: list[Part]) -> bool:
    """Whether a granted part with a greater id conflicts. O(parts with greater ids * keys wanted)."""
    for other in reversed(queue):
        if other.tx_id < wanted.tx_id:
            return False
        if other.granted and conflict(wanted, other):
            return True
    return False
