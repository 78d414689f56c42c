"""One database of one shard: the Dash table plus what Redis makes of it.

Everything that reads or writes a key goes through here: hits and misses, lazy expiry, memory accounting,
and the coda that every write ends with, ``changed``. The coda is where WATCH, keyspace events, blocked
clients and client-side caches hang: a command can't forget one of them.

Costs on the hot path are kept to one test when nobody watches: ``observed`` is false unless this database
has a watched key or a waiter, or the shard has notifications on or clients that track keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.shard.field_deadlines import FieldExpiry
from nogil_df.shard.hashes import HashValue
from nogil_df.shard.memory import BIG_VALUE, own, record_size, value_size
from nogil_df.shard.table import PACKED, DashTable

if TYPE_CHECKING:
    from nogil_df.shard.shard import Shard


class WatchToken:
    """What a WATCH leaves on a shard: the shard sets ``dirty`` when a watched key changes.

    Written by the shard's thread, read by the coordinator's at EXEC; one attribute store, no lock.
    """

    __slots__ = ("dirty", "existed")

    def __init__(self) -> None:
        self.dirty = False
        # The key was there when the token was left; that it has expired since is a change as well.
        self.existed = False


class Keyspace:
    """Database ``index`` of ``shard``.

    Attributes:
        waiting: who waits for a key, in the order they came; what a waiter is, the layer above knows.

    Invariants: ``used`` is the sum of `record_size` over all records; `watched` and `waiting` have no empty
    lists; ``observed`` is true if a write has anybody to tell.
    """

    __slots__ = ("shard", "index", "table", "used", "field_expiry", "watched", "waiting", "observed")

    def __init__(self, shard: Shard, index: int) -> None:
        self.shard = shard
        self.index = index
        self.table = self._new_table()
        self.used = 0
        self.field_expiry = FieldExpiry()
        self.watched: dict[bytes, list[WatchToken]] = {}
        self.waiting: dict[bytes, list[Any]] = {}
        self.observed = False

    def _new_table(self) -> DashTable:
        shard = self.shard
        table = DashTable(shard.tick, self._on_expired, hash_key=shard.hash_key, uses=shard.uses)
        shard.evictor.prepare(table)
        return table

    def __len__(self) -> int:
        return len(self.table)

    def stored(self) -> int:
        """Bytes of keys and values, whoever counts them. O(1)."""
        return self.used + self.table.payload()

    def find(self, key: bytes, h: int) -> Any:
        """Read a key as a command that serves a client does: counts a hit or a miss. O(1).

        Returns:
            The stored value or None; an expired record is erased and counts as absent.
        """
        value = self.table.get(key, h)
        self.count_read(key, value)
        return value

    def look(self, key: bytes, h: int) -> Any:
        """As `find`, for commands that tell about a key (TTL, TYPE): does not count as a use of it. O(1)."""
        value = self.table.look(key, h)
        self.count_read(key, value)
        return value

    def count_read(self, key: bytes, value: Any) -> None:
        """Count a hit or a miss, as `find` does. O(1)."""
        shard = self.shard
        if value is None:
            shard.misses += 1
            if shard.notify_mask & events.KEY_MISS:
                shard.notify(events.KEY_MISS, b"keymiss", key, self.index)
        else:
            shard.hits += 1

    def peek(self, key: bytes, h: int) -> Any:
        """Look a key up without counting: for writes and introspection. Expired records are erased. O(1)."""
        return self.table.get(key, h)

    def string(self, key: bytes, h: int) -> bytes | bytearray | None:
        """`peek` for commands that change strings.

        Raises:
            ReplyError WRONGTYPE if the key holds another type.
        """
        value = self.table.get(key, h)
        if value is None or type(value) is bytes or isinstance(value, bytearray):
            return value
        raise ReplyError("WRONGTYPE")

    def put(self, key: bytes, h: int, value: Any, deadline: int = 0) -> Any:
        """Insert or overwrite; the caller owns ``key`` and ``value`` and calls `changed` afterwards.

        Args:
            deadline: unix ms; 0 for none, -1 to keep the one there is.

        Returns:
            The value that was there, None if the key is new. O(1).
        """
        old = self.table.put(key, h, value, deadline)
        if type(old) is bytes and type(value) is bytes:
            if not PACKED:
                self.used += len(value) - len(old)
        else:
            self.account_put(key, value, old)
        return old

    def account_put(self, key: bytes, value: Any, old: Any) -> None:
        """Account for ``value`` having taken the place of ``old`` (None: a new key). O(1)."""
        if old is None:
            self.used += record_size(key, value)
            if self.observed and self.shard.notify_mask & events.NEW:
                self.shard.notify(events.NEW, b"new", key, self.index)
        else:
            before = value_size(old)
            self.used += value_size(value) - before
            if before > BIG_VALUE and old is not value:
                # Overwritten: it is freed in slices.
                self.shard.dispose(old)
        if type(value) is HashValue and value.deadlines is not None:
            self.field_expiry.note(self, key, value.deadlines, moved=True)

    def erase(self, key: bytes, h: int) -> Any:
        """Remove a key. Returns its value or None. O(1), apart from freeing a big value."""
        value = self.table.erase(key, h)
        if value is not None:
            self.used -= record_size(key, value)
        return value

    def drop(self, key: bytes, h: int) -> bool:
        """Remove a key for good; False if it is not there. O(1): a big value is freed in slices later on."""
        value = self.erase(key, h)
        if value is None:
            return False
        if type(value) is not bytes:
            self.shard.dispose(value)
        return True

    def evict(self, key: bytes, h: int) -> None:
        """Take a record out to make room. O(1), apart from freeing a big value."""
        value = self.erase(key, h)
        if value is None:
            return
        shard = self.shard
        shard.evicted += 1
        shard.dispose(value)
        if self.observed:
            self.tell(key, events.EVICTED, b"evicted")

    def resized(self, before: int, after: int) -> None:
        """Account for a value that was changed in place. Arguments are `value_size` figures in bytes."""
        self.used += after - before

    def deadline(self, key: bytes, h: int) -> int:
        """Absolute unix ms at which the key expires, 0 if never, -1 if there is no such key."""
        return self.table.deadline(key, h)

    def set_deadline(self, key: bytes, h: int, deadline: int) -> bool:
        """Set (0: remove) the deadline. False if there is no such key. O(1)."""
        return self.table.set_deadline(key, h, deadline)

    def changed(self, key: bytes, kind: int, event: bytes) -> None:
        """The coda of every write: count it, tell watchers and listeners.

        Args:
            kind: event class, one of `nogil_df.base.keyspace_events`.
            event: the name Redis gives this change in keyspace notifications.
        """
        self.shard.dirty += 1
        if self.observed:
            self.tell(key, kind, event)

    def touched(self, key: bytes) -> None:
        """Mark watchers of ``key`` without an event (Redis's signalModifiedKey alone)."""
        if self.watched:
            self._spoil(key)
        if self.waiting and key in self.waiting:
            self.shard.ready[self.index, key] = None
        if self.shard.tracking:
            self.shard.tracking.changed(key)

    def tell(self, key: bytes, kind: int, event: bytes) -> None:
        """Tell watchers and listeners of a change; only worth calling while ``observed``. O(watchers)."""
        self.touched(key)
        shard = self.shard
        if shard.notify_mask & kind:
            shard.notify(kind, event, key, self.index)

    def _spoil(self, key: bytes) -> None:
        tokens = self.watched.get(key)
        if tokens is not None:
            for token in tokens:
                token.dirty = True

    def watch(self, key: bytes, token: WatchToken) -> None:
        """Let ``token`` know when ``key`` changes. O(1)."""
        self.watched.setdefault(key, []).append(token)
        self.observed = True

    def unwatch(self, key: bytes, token: WatchToken) -> None:
        """Undo `watch`. O(watchers of the key)."""
        tokens = self.watched.get(key)
        if tokens is None or token not in tokens:
            return
        tokens.remove(token)
        if not tokens:
            del self.watched[key]
            self.refresh_observed()

    def wait(self, key: bytes, waiter: Any, *, first: bool = False) -> None:
        """Put a waiter at the end of a key's line, or at its head. O(1), at the head O(waiters)."""
        line = self.waiting.setdefault(own(key), [])
        line.insert(0 if first else len(line), waiter)
        self.observed = True

    def stop_waiting(self, key: bytes, waiter: Any) -> None:
        """Undo `wait`; nothing happens if it does not wait. O(waiters of the key)."""
        line = self.waiting.get(key)
        if line is None or waiter not in line:
            return
        line.remove(waiter)
        if not line:
            del self.waiting[key]
            self.refresh_observed()

    def refresh_observed(self) -> None:
        """Recompute ``observed`` after notifications, watches, waiters or tracking changed."""
        shard = self.shard
        self.observed = (
            bool(self.watched) or bool(self.waiting) or shard.notify_mask != 0 or bool(shard.tracking)
        )

    def flush(self) -> int:
        """Drop every key; who watches or waits for one that existed is told. Returns how many there were.

        The old table is handed to the shard, which takes it apart in slices between turns.
        """
        count = len(self.table)
        for key in self.waiting:
            if self.table.peek(key, self.shard.hash_key(key)) is not None:
                self.shard.ready[self.index, key] = None
        for key, tokens in self.watched.items():
            if self.table.peek(key, self.shard.hash_key(key)) is not None:
                for token in tokens:
                    token.dirty = True
        self.shard.outgoing.append((events.FLUSHED, None, None, 0))
        self.shard.discard(self.table)
        self.table = self._new_table()
        self.used = 0
        self.field_expiry = FieldExpiry()
        return count

    def swap(self, other: Keyspace) -> None:
        """Exchange the contents of two databases (SWAPDB); watched keys that differ afterwards are marked."""
        hash_key = self.shard.hash_key
        for one, two in ((self, other), (other, self)):
            for key, tokens in one.watched.items():
                h = hash_key(key)
                if one.table.get(key, h) is not None or two.table.get(key, h) is not None:
                    for token in tokens:
                        token.dirty = True
            self.shard.ready.update(dict.fromkeys((one.index, key) for key in one.waiting))
        self.table, other.table = other.table, self.table
        self.used, other.used = other.used, self.used
        self.field_expiry, other.field_expiry = other.field_expiry, self.field_expiry
        self.table.on_expired = self._on_expired
        other.table.on_expired = other._on_expired

    def expire_step(self, segments: int, position: int) -> tuple[int, int]:
        """Active expiry: look at some segments that hold deadlines.

        Returns:
            (where to go on, records expired).
        """
        table = self.table
        before = table.expired_quietly
        found = table.collect_expired(segments, position, not self.observed)
        self.shard.expired += table.expired_quietly - before
        return found

    def _on_expired(self, key: bytes, h: int, value: Any) -> None:
        """The table took an expired record out."""
        shard = self.shard
        self.used -= record_size(key, value)
        shard.expired += 1
        if self.observed:
            self.tell(key, events.EXPIRED, b"expired")

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError. O(n)."""
        self.table.verify()
        used = sum(record_size(key, value) for key, value, _ in self.table.items())
        assert used == self.used, f"db {self.index}: accounted {self.used}, found {used}"
        for _, value, _ in self.table.items():
            check = getattr(value, "verify", None)
            if check is not None:
                check()
        assert all(self.watched.values())
        assert all(self.waiting.values())


def held_by(databases: list[Keyspace]) -> int:
    """Bytes held by records and tables of these databases. O(databases), in C a look at each."""
    held = 0
    for db in databases:
        held += db.used + db.table.memory_usage()
    return held
