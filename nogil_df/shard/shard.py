"""One thread's slice of the data: its databases, its clock tick, its counters.

A shard knows nothing of connections or of other shards. What it has to tell the world (keyspace events) it
leaves in ``outgoing``; the layer above collects it when the command is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from nogil_df.base import keyspace_events as events
from nogil_df.base.hashing import hash_key
from nogil_df.shard.eviction import Evictor, Frequencies
from nogil_df.shard.keyspace import Keyspace, held_by
from nogil_df.shard.memory import BIG_VALUE, value_size
from nogil_df.shard.shard_state import ShardState
from nogil_df.shard.tracking import KeyTracking

EXPIRE_FIELDS = 200
"""Fields of hashes that one step of active expiry takes out of a database at most: about 0.3 ms."""

SLICE = 4096
"""Elements of a slice unless the configuration says otherwise: 0.2 to 1 ms."""

RESTS = 2
"""Sweeps that still begin once nothing happens any more: the first one sees that nothing has changed, the
second one tidies up (`nogil_df/shard/_segment.pxd`)."""


class Shard(ShardState):
    """Databases of shard ``index`` of ``count``.

    Attributes:
        outgoing: keyspace events not yet collected: (class, event, key, database); and what clients that
            track keys are to be told: (INVALIDATED, clients, key, writer), (FLUSHED, None, None, 0).
        limits: up to what size collections count as small.
        notify_mask: event classes that anybody wants, 0 when notifications are off.
        ready: keys (database, key) that somebody waits for and that changed; served when the command or the
            transaction is over, so it is empty between two of them.
        tracking: which clients may hold copies of keys.
        writer: id of the client whose command runs, if it is not to be told of its own writes; else 0.
        blocking: what serves them, hung here by the layer above.
        cas: the last cas unique given to a string for Memcached's clients.
        dirty: writes since start; hits, misses, expired, expired_fields: counters as INFO shows them.
        garbage: tables taken out of service by a flush, and big values, freed in slices. They have a length
            and `free_step(budget)`.
        pinned: values that work in slices reads (`nogil_df.shard.lengthy`): not freed until that is over.
        slice: elements that such work goes through before others have their turn.
        discarded: records that were in such tables, and members of such values, since start.
        stopwatch: nanoseconds, to time work with; the simulation puts its own clock's here.
        quick: what runs commands that come as bytes, hung here by the layer of sockets; None without it.
        random: source of choices that concern this shard (RANDOMKEY, eviction).
        uses: what a use makes of the byte that every record has, see `nogil_df.shard.eviction`; all tables of
            the shard share it.
        frequencies: what changes `uses` every turn, where uses are counted.
        evictor: takes records out when memory runs out.
        look_at, ceiling: memory is to be looked at again when `dirty` has come to the one, or what database 0
            holds to the other.
    """

    __slots__ = (
        "dbs",
        "hash_key",
        "stopwatch",
        "evictor",
        "frequencies",
        "garbage",
        "pinned",
        "slice",
        "discarded",
        "quick",
        "expire_enabled",
        "_age_activity",
        "_age_db",
        "_age_position",
        "_age_rests",
        "_age_second",
        "_expire_db",
        "_expire_positions",
    )

    def __init__(
        self,
        index: int,
        count: int,
        databases: int,
        now_ms: int,
        hash_key: Callable[[bytes], int] = hash_key,
    ) -> None:
        super().__init__(index, count, now_ms)
        self.hash_key = hash_key
        self.stopwatch: Callable[[], int] = perf_counter_ns
        self.tracking = KeyTracking(self)
        self.garbage: deque[Any] = deque()
        self.pinned: list[Any] = []
        self.slice = SLICE
        self.discarded = 0
        self.quick: Any = None
        self.frequencies: Frequencies | None = None
        self.evictor = Evictor(self)
        self.expire_enabled = True
        # The sweep that ages records: where it is, and what was the state of affairs when it began.
        self._age_db = databases
        self._age_position = 0
        self._age_activity = 0
        self._age_second = 0
        self._age_rests = 0
        self._expire_db = 0
        self._expire_positions = [0] * databases
        self.dbs = [Keyspace(self, index) for index in range(databases)]

    @property
    def used(self) -> int:
        """Bytes held by records and tables of all databases. O(databases)."""
        return held_by(self.dbs)

    def next_cas(self) -> int:
        """A cas unique that no string of this shard has had. O(1)."""
        self.cas += 1
        return self.cas

    @property
    def needs_look(self) -> bool:
        """Whether it is time to look at memory, see `look_at`. (The loop has this inlined.) O(1)."""
        return self.dirty >= self.look_at or self.dbs[0].stored() >= self.ceiling

    def notify(self, kind: int, event: bytes, key: bytes, db: int) -> None:
        """Leave a keyspace event for the layer above. O(1)."""
        self.outgoing.append((kind, event, key, db))

    def set_notify_mask(self, mask: int) -> None:
        """Switch event classes on or off for all databases; a mask without K and E delivers nothing."""
        self.notify_mask = mask if mask & (events.KEYSPACE | events.KEYEVENT) else 0
        for db in self.dbs:
            db.refresh_observed()

    def discard(self, table: Any) -> None:
        """Take over a table that a flush put out of service. O(1)."""
        if len(table):
            self.garbage.append(table)
            self.discarded += len(table)

    def dispose(self, value: Any) -> None:
        """Take over a value that was erased; a big one that can is freed in slices. O(1)."""
        if value.__class__ is not bytes and value_size(value) > BIG_VALUE and hasattr(value, "free_step"):
            self.discard(value)

    def free_garbage(self, budget: int) -> bool:
        """Free up to ``budget`` segments of discarded tables, or slices of big values.

        Returns:
            True if there is more to free. Without slices a flush of millions of keys would hold the thread
            for as long as it takes to free them (measured: about 0.1 us a key).
        """
        garbage = self.garbage
        while garbage and budget > 0:
            if self.pinned and any(garbage[0] is value for value in self.pinned):
                garbage.rotate(-1)
                budget -= 1
                continue
            budget -= garbage[0].free_step(budget)
            if not len(garbage[0]):
                garbage.popleft()
        return bool(garbage)

    def expire_step(self, segments: int) -> int:
        """Active expiry over all databases in turn, at most ``segments`` segments of one of them.

        Returns:
            How many records and fields of hashes expired.
        """
        dbs = self.dbs
        fields = sum(
            db.field_expiry.step(db, self.tick.ms, EXPIRE_FIELDS) for db in dbs if db.field_expiry.heap
        )
        for _ in range(len(dbs)):
            at = self._expire_db
            db = dbs[at]
            if db.table.expiring:
                position, collected = db.expire_step(segments, self._expire_positions[at])
                self._expire_positions[at] = position
                if position == 0 or collected == 0:
                    self._expire_db = (at + 1) % len(dbs)
                return collected + fields
            self._expire_db = (at + 1) % len(dbs)
        return fields

    def age_step(self, budget: int, activity: int) -> None:
        """A slice of the sweep that notes for all records how long they have not been used.

        Args:
            budget: segments to pass at most.
            activity: any figure that grows when commands run here; where it stands still, no sweep begins
                but two more, which tidy up, so an idle server does nothing. A sweep begins once a second at
                most.
        """
        dbs = self.dbs
        at = self._age_db
        if at == len(dbs):
            second = self.tick.ms // 1000
            if second == self._age_second:
                return
            if activity != self._age_activity:
                self._age_rests = RESTS
            elif not self._age_rests:
                return
            else:
                self._age_rests -= 1
            self._age_activity = activity
            self._age_second = second
            at = 0
        while at < len(dbs) and budget > 0:
            table = dbs[at].table
            if len(table):
                self._age_position, passed = table.age_step(budget, self._age_position)
                budget -= passed
            else:
                self._age_position = 0
            if not self._age_position:
                at += 1
        self._age_db = at

    @property
    def has_deadlines(self) -> bool:
        """Whether any record, or field of a hash, can expire. O(databases)."""
        return any(db.table.expiring or db.field_expiry.heap for db in self.dbs)

    def verify(self) -> None:
        """Check every database. Raises AssertionError. O(n)."""
        self.tracking.verify()
        for db in self.dbs:
            db.verify()
