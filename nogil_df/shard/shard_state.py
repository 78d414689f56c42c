"""What the databases of a shard and the commands work with at every turn: clock, counters, bounds, and what
the shard has to tell.

It stands apart from the rest of the shard (`nogil_df.shard.shard`), whose base it is, so that modules that
are compiled reach its fields without a look-up: `shard_state.pxd` declares them. It knows no database.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from nogil_df.shard.limits import EncodingLimits

if TYPE_CHECKING:
    from nogil_df.shard.tracking import KeyTracking


class Tick:
    """The time of the current turn: unix milliseconds. One object a shard, read by its tables."""

    __slots__ = ("ms",)

    def __init__(self, ms: int) -> None:
        self.ms = ms


class ShardState:
    """The part of shard ``index`` of ``count`` that is no database; the attributes are told of by `Shard`."""

    __slots__ = (
        "blocking",
        "cas",
        "ceiling",
        "count",
        "dirty",
        "evicted",
        "expired",
        "expired_fields",
        "hits",
        "index",
        "limits",
        "look_at",
        "misses",
        "notify_mask",
        "outgoing",
        "random",
        "ready",
        "tick",
        "tracking",
        "uses",
        "writer",
    )

    if TYPE_CHECKING:
        tracking: KeyTracking

    def __init__(self, index: int, count: int, now_ms: int) -> None:
        self.index = index
        self.count = count
        self.tick = Tick(now_ms)
        self.limits = EncodingLimits()
        self.outgoing: list[tuple[int, Any, Any, int]] = []
        self.notify_mask = 0
        self.ready: dict[tuple[int, bytes], None] = {}
        self.blocking: Any = None
        self.writer = 0
        self.dirty = 0
        self.look_at = 0
        self.ceiling = 0
        self.hits = 0
        self.misses = 0
        self.expired = 0
        self.expired_fields = 0
        self.evicted = 0
        # Grows by a million a second of the clock, so that it goes on growing over a restart.
        self.cas = now_ms // 1000 << 20
        # The same numbers in every run under a clock that stands still.
        self.random = Random(now_ms * count + index)
        self.uses = bytearray(256)
