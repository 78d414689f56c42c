"""A shard's transaction queue: the parts of scheduled transactions, ordered by transaction id.

The head may always run: everything it conflicts with has concluded. The others run when their intents were
granted, or when they become the head. Almost every insertion is at the tail (ids grow), so a sorted list
with binary insertion is as quick as anything: the queue is a few entries long on a healthy server and its
length is shown in INFO (`tx_queue_len`).
"""

from __future__ import annotations

from bisect import insort
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nogil_df.vll.part import Part

_by_id = attrgetter("tx_id")


class TxQueue:
    """Parts ordered by ``tx_id``. Invariant: ids are distinct and ascending."""

    __slots__ = ("parts", "longest")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.longest = 0

    def __len__(self) -> int:
        return len(self.parts)

    def tail_id(self) -> int:
        """The greatest id queued, 0 if the queue is empty. O(1)."""
        return self.parts[-1].tx_id if self.parts else 0

    def head(self) -> Part | None:
        """The part whose turn it is. O(1)."""
        return self.parts[0] if self.parts else None

    def insert(self, part: Part) -> None:
        """Add a part at the place its id gives it. O(1) at the tail, else O(length)."""
        parts = self.parts
        if parts:
            last = parts[-1]
            if last.tx_id < part.tx_id:
                parts.append(part)
            else:
                insort(parts, part, key=_by_id)
        else:
            parts.append(part)
        if len(parts) > self.longest:
            self.longest = len(parts)

    def remove(self, part: Part) -> int:
        """Take a part out; where it was. O(length), quickly: it is mostly near the head."""
        parts = self.parts
        for at in range(len(parts)):
            if parts[at] is part:
                del parts[at]
                return at
        raise AssertionError("a part that is not in the queue")

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError."""
        ids = [part.tx_id for part in self.parts]
        assert ids == sorted(set(ids)), f"tx-queue out of order: {ids}"
