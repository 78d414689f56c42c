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
        blocker: while it waits, the last part ahead of it in the queue that it conflicts with.
        followers: those whose blocker this is; None if there never were any.
        locked: the intents are held and the part is in the queue.
        work: the only hop, if it came with the schedule and has to wait.
        ready: (database, key) of keys with waiters that its hops changed so far; None if there are none.
    """

    __slots__ = (
        "blocker",
        "exclusive",
        "followers",
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
        self.blocker: Part | None = None
        self.followers: list[Part] | None = None
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


# Walks over the queue of a shard, which is as long as there are clients that want the same keys: here, where
# parts are C structs. A part that waits knows one other, the last one ahead that it conflicts with, and looks
# for the one before when that has left: of a thousand that want the same key each waits for one, not for all.


def find_blocker(part: Part, queue: list[Part], at: int) -> Part | None:
    """Have ``part`` wait for the last of the first ``at`` parts that conflicts with it. O(those seen)."""
    other = None
    for index in range(at - 1, -1, -1):
        other = queue[index]
        if conflict(part, other):
            if other.followers is None:
                other.followers = []
            other.followers.append(part)
            part.blocker = other
            return other
    part.blocker = None
    return None


def find_place(part: Part, wanted: Part, queue: list[Part]) -> Part | None:
    """Whom a part waits for that was just queued; those behind it may have to wait for it.

    O(parts behind it * keys wanted), and what `find_blocker` takes.

    Args:
        wanted: has those keys of ``part`` that anybody else wants, and its id.
    """
    at = len(queue) - 1
    while queue[at] is not part:
        other = queue[at]
        nearer = other.blocker is None or other.blocker.tx_id < part.tx_id
        if nearer and not other.granted and conflict(wanted, other):
            _let_go(other)
            if part.followers is None:
                part.followers = []
            part.followers.append(other)
            other.blocker = part
        at -= 1
    return find_blocker(part, queue, at)


def _let_go(part: Part) -> None:
    """It does not wait for its blocker any more. O(who else does)."""
    blocker = part.blocker
    if blocker is not None and blocker.followers is not None:
        blocker.followers.remove(part)
    part.blocker = None


def leave(part: Part, queue: list[Part], at: int) -> list[Part]:
    """A part has left the queue, where its index was ``at``: who waits for nobody now.

    Between a part and its blocker nothing conflicts with it, so it looks on from where that was.
    """
    _let_go(part)
    followers, part.followers = part.followers, None
    if followers is None:
        return []
    return [other for other in followers if find_blocker(other, queue, at) is None]


def any_granted_later(wanted: Part, queue: list[Part]) -> bool:
    """Whether a granted part with a greater id conflicts. O(parts with greater ids * keys wanted)."""
    for other in reversed(queue):
        if other.tx_id < wanted.tx_id:
            return False
        if other.granted and conflict(wanted, other):
            return True
    return False
