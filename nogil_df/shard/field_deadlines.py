"""Deadlines of single fields of hashes (HEXPIRE and its kin), exact to the millisecond.

A hash with such fields has a `FieldDeadlines`: who expires when, and a heap that tells who is next. Every
command on the hash first lets `purge` take out what has expired, so nobody ever sees an expired field. For
hashes that nobody asks for, a database has a `FieldExpiry`: a heap of the hashes by their next deadline,
which the heartbeat goes by.

Entries of both heaps are never searched for: one that no longer holds is thrown away when it comes up, and a
heap in which most do not hold is made anew. So all costs are O(log n), amortised.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.shard.memory import ROUNDING

if TYPE_CHECKING:
    from nogil_df.shard.hashes import HashValue
    from nogil_df.shard.keyspace import Keyspace

BYTES_PER_DEADLINE: Final = 190
"""A deadline: its integer, its place in the dict, its entry in the heap; measured for 1 to 10,000."""

OVERHEAD: Final = 300 + 3 * ROUNDING
"""The object with an empty dict and an empty heap."""

STALE: Final = 16
"""Entries of a heap that may be stale beyond as many as there are good ones."""

STALE_HASHES: Final = 1024
"""The same of a database's heap, whose entries are dearer to check."""


class FieldDeadlines:
    """Deadlines, unix milliseconds, of some fields of one hash.

    Attributes:
        by_field: field -> deadline.
        heap: (deadline, field), at least one entry for each field in `by_field`.
        noted: the deadline under which the database's heap has this hash; 0 if it has not.
    """

    __slots__ = ("by_field", "heap", "noted")

    def __init__(self) -> None:
        self.by_field: dict[bytes, int] = {}
        self.heap: list[tuple[int, bytes]] = []
        self.noted = 0

    def __len__(self) -> int:
        return len(self.by_field)

    def of(self, field: bytes) -> int:
        """The deadline of a field, 0 for none. O(1)."""
        return self.by_field[field] if field in self.by_field else 0

    def set(self, field: bytes, deadline: int) -> None:
        """Give a field a deadline. O(log n)."""
        self.by_field[field] = deadline
        heap = self.heap
        heappush(heap, (deadline, field))
        if len(heap) > 2 * len(self.by_field) + STALE:
            heap[:] = [(deadline, field) for field, deadline in self.by_field.items()]
            heapify(heap)

    def clear(self, field: bytes) -> bool:
        """Take the deadline of a field away; False if it had none. O(1)."""
        if field not in self.by_field:
            return False
        del self.by_field[field]
        return True

    def soonest(self) -> int:
        """The next deadline, 0 if there is none. O(log n), amortised."""
        heap = self.heap
        while heap and self.of(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else 0

    def expired(self, now: int, most: int) -> Iterator[bytes]:
        """Forget deadlines before ``now``, at most so many, and give their fields. O(log n) each."""
        for _ in range(most):
            soonest = self.soonest()
            if not soonest or soonest >= now:
                return
            field = heappop(self.heap)[1]
            del self.by_field[field]
            yield field

    def copy(self, fields: dict[bytes, bytes]) -> FieldDeadlines:
        """A copy that shares nothing with this one.

        Args:
            fields: the copied hash, whose field objects are taken.
        """
        copied = FieldDeadlines()
        for field in fields:
            deadline = self.of(field)
            if deadline:
                copied.set(field, deadline)
        return copied

    def verify(self, fields: dict[bytes, bytes]) -> None:
        """Check the invariants. Raises AssertionError. O(n log n)."""
        assert set(self.by_field) <= set(fields)
        assert {(deadline, field) for field, deadline in self.by_field.items()} <= set(self.heap)
        assert all(self.heap[(at - 1) // 2] <= entry for at, entry in enumerate(self.heap) if at)


class FieldExpiry:
    """Hashes of one database by their next field deadline.

    Invariant: a hash with deadlines has an entry (deadline, key) with the deadline that it calls `noted`,
    which is not after its next one.
    """

    __slots__ = ("heap", "most")

    def __init__(self) -> None:
        self.heap: list[tuple[int, bytes]] = []
        self.most = STALE_HASHES

    def note(self, db: Keyspace, key: bytes, deadlines: FieldDeadlines, *, moved: bool = False) -> None:
        """The deadlines of the hash at a key have changed. O(log n), amortised.

        Args:
            moved: it has not been at this key until now.
        """
        soonest = deadlines.soonest()
        if moved:
            deadlines.noted = 0
        if soonest and (not deadlines.noted or soonest < deadlines.noted):
            deadlines.noted = soonest
            heappush(self.heap, (soonest, key))
            if len(self.heap) > self.most:
                self._compact(db)

    def _compact(self, db: Keyspace) -> None:
        """Throw away the entries that no longer hold."""
        holding = [entry for entry in set(self.heap) if _noted(db, entry[1]) == entry[0]]
        heapify(holding)
        self.heap = holding
        self.most = 2 * len(holding) + STALE_HASHES

    def step(self, db: Keyspace, now: int, budget: int) -> int:
        """Take expired fields out of hashes that are due, at most ``budget`` fields or stale entries.

        Returns:
            How many fields expired.
        """
        heap = self.heap
        count = 0
        while heap and heap[0][0] < now and budget > 0:
            budget -= 1
            deadline, key = heappop(heap)
            h = db.shard.hash_key(key)
            value = db.table.peek(key, h)
            deadlines = getattr(value, "deadlines", None)
            if deadlines is None or deadlines.noted != deadline:
                continue
            deadlines.noted = 0
            before = db.shard.expired_fields
            value = purge(db, key, h, value, budget)
            took = db.shard.expired_fields - before
            count += took
            budget -= took
            if value is not None and value.deadlines is not None:
                self.note(db, key, value.deadlines)
        return count


def holds_deadlines(db: Keyspace) -> bool:
    """Whether a hash of this database has a field with a deadline. O(stale entries)."""
    return any(_noted(db, key) == deadline for deadline, key in db.field_expiry.heap)


def _noted(db: Keyspace, key: bytes) -> int:
    """The deadline that the hash at a key is noted with; -1 if there is none."""
    deadlines = getattr(db.table.peek(key, db.shard.hash_key(key)), "deadlines", None)
    return -1 if deadlines is None else deadlines.noted


def purge(db: Keyspace, key: bytes, h: int, value: HashValue, most: int = 1 << 62) -> HashValue | None:
    """Take the fields out of a hash that have expired. O(log n) for each of them.

    Args:
        most: so many at most.

    Returns:
        The hash; None if nothing is left of it, and then its key is gone too.
    """
    deadlines: Any = value.deadlines
    if deadlines is None:
        return value
    now = db.shard.tick.ms
    soonest = deadlines.soonest()
    if not soonest or soonest >= now:
        return value
    db.table.before_change(key, h)
    before = value.memory
    count = value.remove_expired(now, most)
    db.resized(before, value.memory)
    db.shard.expired_fields += count
    db.changed(key, events.HASH, b"hexpired")
    if len(value):
        return value
    db.erase(key, h)
    db.changed(key, events.GENERIC, b"del")
    return None
