"""The part of a transaction that one shard sees.

The coordinator makes one part for each shard that its keys live on and hands it over with the schedule
message; from then on only the shard's thread changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        tx_id: order in the queue; 0 until the transaction had to take one.
        origin: index of the coordinator's thread.
        token: what the coordinator gets back with each answer; opaque to the shard.
        shared, exclusive: fingerprints of the keys read only, and of those that may be written.
        scope: NOT_GLOBAL, or how a global transaction locks the whole shard.
        granted: no earlier transaction conflicts here, so order in the queue does not matter.
        locked: the intents are held and the part is in the queue.
        work: the hop that waits for its turn, None if there is none yet.
        last: the waiting hop concludes the part.
        contended: an intent was refused on some shard, see `Engine.run`.
    """

    __slots__ = (
        "tx_id",
        "origin",
        "token",
        "shared",
        "exclusive",
        "scope",
        "granted",
        "locked",
        "work",
        "last",
        "contended",
    )

    def __init__(
        self,
        origin: int,
        token: Any,
        shared: Sequence[int],
        exclusive: Sequence[int],
        scope: int = NOT_GLOBAL,
    ) -> None:
        self.tx_id = 0
        self.origin = origin
        self.token = token
        self.shared = shared
        self.exclusive = exclusive
        self.scope = scope
        self.granted = False
        self.locked = False
        self.work: Work | None = None
        self.last = False
        self.contended = False
