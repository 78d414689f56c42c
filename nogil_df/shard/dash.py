"""The Dash table: one database of one shard. The pure-Python reference implementation.

Extendible hashing. The directory is a list of 2**depth entries, indexed by the top bits of the key's hash;
each names a segment (`nogil_df.shard.dash_segment`), and a segment that is `d` bits deep fills
2**(depth - d) entries in a row. When a segment is full only that segment splits; the directory doubles when
the segment was as deep as the directory. When two buddies hold little they merge again. So the table grows
and shrinks in steps of one segment, never all at once.

What the rest of the server may rely on is this class alone: it never sees slots. Keys are `bytes`, hashes
what `hash_key` gives for the key (64 bits; the caller has it already), values any object but None, deadlines
unix milliseconds, 0 for none. A record has expired once its deadline lies in the past (deadline < now, as in
Redis); it then counts as absent, and whoever comes across it takes it out and reports it to `on_expired`.
Callbacks must not use the table.

The owner thread alone uses a table. `get`, `put` and `replace` have the search inlined (`Segment.find`), and
they, `_insert` and `_remove` use literal numbers, because without a specialising interpreter (3.13t) each
call costs 30 ns and each attribute or global 25 to 40 ns:

    14280 = REMAINDERS, 255 = FINGERPRINTS, 14 = BUCKET_SLOTS, 28 = NEAR_SLOTS, 784 = STASH_START,
    840 = SEGMENT_SLOTS, 1 << 63 = NEVER

Keys made to collide (the hash has a fixed seed) cannot hurt: the directory never has more than 16 entries a
segment (`_may_split`); a segment that is full and may not split puts further keys into a dict (see "spill"
in dash_segment).

Snapshots: `cut` begins a point-in-time view; records written from then on are first handed to the cut's
callback, `cut_step` hands out the others, bucket by bucket. Each record of that moment is handed out exactly
once, as it was. A write pays for its own record alone, not for the 14 of its bucket, which at 1 KB each made
writes bring more than a disk takes. A bucket's stamp tells what it has handed out: the number of the newest
cut that got it; and if that cut has got some of its slots only, which ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from nogil_df.base.hashing import hash_key as xxh3
from nogil_df.shard.ages import moved, seconds, translation
from nogil_df.shard.dash_segment import (
    BUCKET_SLOTS,
    HOME_BUCKETS,
    NEVER,
    SEGMENT_SLOTS,
    AgedRecord,
    Entry,
    HashKey,
    Record,
    Segment,
)

__all__ = ["DashTable", "Tick"]

PREFIX_BITS = 42  # of the hash, as far as cursors tell segments apart; also the deepest segment
PREFIXES = 1 << PREFIX_BITS
MERGE_BELOW = SEGMENT_SLOTS // 4  # two buddies with fewer records merge
MERGE_CHECK_EVERY = 16  # erasures in a segment; a power of two
ENTRIES_PER_SEGMENT = 16  # evenly spread hashes need 2 to 4
SKIP_FACTOR = 64  # segments without deadlines that active expiry passes for each one that has some
RANDOM_TRIES = 32
# A bucket's stamp: the slots that were handed out, this bit if those are not all, and the cut's number.
PARTLY = 1 << BUCKET_SLOTS
SLOTS_GIVEN = PARTLY - 1
STAMP_SHIFT = BUCKET_SLOTS + 1

SEGMENT_BYTES = 16_500  # of one laid out: twice 840 bytes, two lists of 840 pointers, the small parts
DIRECTORY_ENTRY_BYTES = 8
SLOT_OVERHEAD = 28  # a record's share of its segment (840 slots in 16,500 bytes) at the usual load, 70 %
DEADLINE_BYTES = 140  # an int and its share of a dict, which leaves as much behind when it grows

OnExpired = Callable[[bytes, int, Any], object]
Aging = Callable[[int, int], bytes]
OnChange = Callable[[list[AgedRecord]], object]


class Tick(Protocol):
    """The time as the loop reads it once a turn."""

    ms: int
    """Unix milliseconds."""


class SegmentView(Protocol):
    """What may be seen of a segment: its slots by number, with sequences of one byte for each of them.

    `ages` may be changed, and must be assigned afterwards, as it can be a copy. Nothing else may be.
    """

    count: int
    """How many records there are."""
    fingerprints: bytearray
    """0 for a free slot."""
    ages: bytearray
    ghosts: list[int]

    def slots(self) -> list[int]:
        """The occupied slots."""

    def expiring_slots(self) -> list[int]:
        """Those whose records have a deadline."""

    def key(self, slot: int) -> bytes:
        """The key in an occupied slot."""

    def deadline(self, slot: int) -> int:
        """Unix ms, 0 if there is none."""

    def remember(self, h: int) -> None:
        """Leave a ghost of the key with this hash, which is to be evicted."""


class Random(Protocol):
    """What `random_key` needs of `random.Random`."""

    def randrange(self, stop: int, /) -> int: ...


class DashTable:
    """Keys to values, with deadlines.

    `tick.ms` is the time, `hash_key` the function that the hashes given to the methods come from; it is
    called again for each key of a segment that splits, merges or is scanned.
    """

    deadline_bytes = DEADLINE_BYTES
    """What a deadline adds to `memory_usage`."""
    expired_quietly = 0
    """Records that were taken out without a report, see `collect_expired`."""

    __slots__ = (
        "_aging",
        "_count",
        "_cuts",
        "_depths",
        "_directory",
        "_freed",
        "_hash_key",
        "_last_cut",
        "_shift",
        "_tick",
        "aging",
        "cut_version",
        "expiring",
        "fresh",
        "known",
        "on_expired",
        "uses",
    )

    def __init__(
        self,
        tick: Tick,
        on_expired: OnExpired | None = None,
        *,
        hash_key: HashKey = xxh3,
        uses: bytearray | None = None,
    ) -> None:
        self._tick = tick
        self.on_expired = on_expired
        """`on_expired(key, h, value)`, called after an expired record has been taken out."""
        self._hash_key = hash_key
        self._cuts: list[tuple[int, OnChange]] = []
        self._last_cut = 0
        self.cut_version = 0
        """Version of the newest cut that is under way, 0 when there is none."""
        self.aging: Aging = translation
        """`aging(since, now)`, unix seconds: what the sweep makes of each level of `ages`."""
        self.uses = bytearray(256) if uses is None else uses
        """What a use makes of each level, 256 bytes that others may share and are only changed in place: all
        become 0, unless the eviction policy says otherwise."""
        self.fresh = 0
        """The level of a new record."""
        self.known = 0
        """The level of a new record whose key was evicted not long ago."""
        self._reset()

    def _reset(self) -> None:
        self._directory: list[Entry] = [Segment(0, 0).entry(self.uses)]
        self._shift = 64  # minus the depth of the directory
        self._depths = [1]  # how many segments are 0, 1, ... bits deep
        self._count = 0
        self._aging = (0, 0, b"")  # the last translation made: from when, to when
        self._freed = 0  # the prefix up to which `free_step` has come
        self.expiring = 0
        """How many records have a deadline."""

    @property
    def directory(self) -> tuple[list[Entry], int]:
        """The directory and its shift, for `dash_many`; stale after any call that may insert or remove."""
        return self._directory, self._shift

    # -- one record ----------------------------------------------------------------------------------------

    def get(self, key: bytes, h: int) -> Any:
        """The value, or None if `key` is absent. O(1)."""
        find, keys, values, deadlines, segment, ages, uses = self._directory[h >> self._shift]
        remainder = h % 14280
        fingerprint = remainder % 255 + 1
        start = remainder // 255 * 14
        slot = find(fingerprint, start, start + 28)
        while slot >= 0:
            if keys[slot] == key:
                break
            slot = find(fingerprint, slot + 1, start + 28)
        else:
            if not segment.overflow[start // 14]:
                return None
            slot = segment.find_overflown(key, fingerprint)
            if slot < 0:
                return None
        if deadlines and deadlines.get(slot, 1 << 63) < self._tick.ms:
            self._expire(segment, slot, h)
            return None
        ages[slot] = uses[ages[slot]]
        return values[slot]

    def put(self, key: bytes, h: int, value: Any, deadline: int = 0) -> Any:
        """Insert or overwrite; the old value, or None if `key` was absent. O(1), amortised.

        `deadline` > 0 sets, 0 clears, -1 keeps it. An insert stores the very object `key`, so it must be one
        that the owner thread made; an overwrite keeps the key object that is there.
        """
        find, keys, values, deadlines, segment, ages, uses = self._directory[h >> self._shift]
        remainder = h % 14280
        fingerprint = remainder % 255 + 1
        start = remainder // 255 * 14
        slot = find(fingerprint, start, start + 28)
        while slot >= 0:
            if keys[slot] == key:
                break
            slot = find(fingerprint, slot + 1, start + 28)
        else:
            if segment.overflow[start // 14]:
                slot = segment.find_overflown(key, fingerprint)
            if slot < 0:
                self._insert(segment, start, fingerprint, key, h, value, deadline)
                return None
        if deadlines or deadline > 0:
            return self._put_expiring(segment, slot, key, h, value, deadline)
        if self.cut_version:
            self._before_write(segment, slot)
        ages[slot] = uses[ages[slot]]
        old = values[slot]
        values[slot] = value
        return old

    def replace(self, key: bytes, h: int, value: Any) -> bool:
        """Overwrite the value of a record that is there, expired or not; its deadline stays. False if absent.

        For a caller that has just read the record. O(1).
        """
        find, keys, values, _, segment, ages, uses = self._directory[h >> self._shift]
        remainder = h % 14280
        fingerprint = remainder % 255 + 1
        start = remainder // 255 * 14
        slot = find(fingerprint, start, start + 28)
        while slot >= 0:
            if keys[slot] == key:
                break
            slot = find(fingerprint, slot + 1, start + 28)
        else:
            if segment.overflow[start // 14]:
                slot = segment.find_overflown(key, fingerprint)
            if slot < 0:
                return False
        if self.cut_version:
            self._before_write(segment, slot)
        ages[slot] = uses[ages[slot]]
        values[slot] = value
        return True

    def erase(self, key: bytes, h: int) -> Any:
        """Take the record out; its value, or None if `key` was absent. O(1), amortised."""
        segment: Segment = self._directory[h >> self._shift][4]
        slot = segment.find(key, h)
        if slot < 0:
            return None
        if segment.deadlines and segment.deadlines.get(slot, NEVER) < self._tick.ms:
            self._expire(segment, slot, h)
            return None
        value = segment.values[slot]
        self._remove(segment, slot, h)
        if segment.count % MERGE_CHECK_EVERY == 0:
            self._shrink(segment)
        return value

    def evict_strings(
        self, chosen: list[tuple[bytes, int]], goal: int, in_use: Callable[[int], bool] | None = None
    ) -> tuple[int, int]:
        """Take records out that were chosen to go: (key, level), from the end of the list on. O(records).

        For tables that count strings themselves. This one does not, and leaves all to the caller.

        Returns:
            How many bytes are free now that were not, and how many records went.
        """
        return 0, 0

    def peek(self, key: bytes, h: int) -> Any:
        """The value even if it has expired, which is not acted upon; None if `key` is absent. O(1)."""
        segment: Segment = self._directory[h >> self._shift][4]
        slot = segment.find(key, h)
        return None if slot < 0 else segment.values[slot]

    def look(self, key: bytes, h: int) -> Any:
        """As `get`, but does not count as a use of the record. O(1)."""
        segment, slot = self._live(key, h)
        return None if slot < 0 else segment.values[slot]

    def level(self, key: bytes, h: int) -> int:
        """The byte that tells how a record was used, as it stands; -1 if absent. O(1)."""
        segment, slot = self._live(key, h)
        return -1 if slot < 0 else segment.ages[slot]

    def age(self, key: bytes, h: int) -> int:
        """How long the record has not been used, as a level of `nogil_df.shard.ages`, or what else the
        eviction policy keeps of its uses, as of now; -1 if absent. O(1)."""
        segment, slot = self._live(key, h)
        if slot < 0:
            return -1
        level = segment.ages[slot]
        now = self._tick.ms // 1000
        if now <= segment.aged_at:
            return level
        if self.aging is not translation:
            return self.aging(segment.aged_at, now)[level]
        return moved(level, segment.aged_at, now) if level else 0

    def idle_seconds(self, key: bytes, h: int) -> int:
        """Seconds since the record was used, in `age`'s resolution; -1 if absent. O(1)."""
        segment, slot = self._live(key, h)
        if slot < 0:
            return -1
        level = segment.ages[slot]
        if level == 0:
            return 0
        return seconds(level) + max(0, self._tick.ms // 1000 - segment.aged_at)

    def set_age(self, key: bytes, h: int, level: int) -> None:
        """Let a record that is there have an age, a level of `nogil_df.shard.ages`. O(1)."""
        segment, slot = self._live(key, h)
        # A level counts from the last sweep of its segment.
        self._age(segment)
        segment.ages[slot] = level

    def deadline(self, key: bytes, h: int) -> int:
        """The deadline of `key`: unix ms, 0 if it has none, -1 if the key is absent. O(1)."""
        segment, slot = self._live(key, h)
        return -1 if slot < 0 else segment.deadlines.get(slot, 0)

    def set_deadline(self, key: bytes, h: int, ms: int) -> bool:
        """Set (`ms` > 0, may lie in the past) or clear (0) the deadline of `key`. False if absent. O(1)."""
        segment, slot = self._live(key, h)
        if slot < 0:
            return False
        if self.cut_version:
            self._before_write(segment, slot)
        self._change_deadline(segment, slot, ms)
        return True

    def before_change(self, key: bytes, h: int) -> None:
        """Tell the table that the value of `key` is about to be changed in place, so that a cut in progress
        hands it out as it is now. O(1)."""
        if self.cut_version:
            segment: Segment = self._directory[h >> self._shift][4]
            slot = segment.find(key, h)
            if slot >= 0:
                self._before_write(segment, slot)

    # -- the whole table -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many records there are, expired ones that nobody came across included. O(1)."""
        return self._count

    @property
    def capacity(self) -> int:
        """How many slots the segments have. O(depth)."""
        return sum(self._depths) * SEGMENT_SLOTS

    @property
    def entries(self) -> int:
        """How many entries the directory has. O(1)."""
        return len(self._directory)

    def layout(self) -> list[tuple[int, ...]]:
        """Prefix, depth, records, slots and spilled records of each segment, for tests. O(segments)."""
        return [
            (segment.prefix, segment.depth, segment.count, len(segment.fingerprints), len(segment.spill))
            for segment in self._segments()
        ]

    def memory_usage(self) -> int:
        """Bytes that the structure takes, without keys and values; an estimate. O(depth)."""
        if not self._count:
            return 0
        return (
            sum(self._depths) * SEGMENT_BYTES
            + len(self._directory) * DIRECTORY_ENTRY_BYTES
            + self.expiring * DEADLINE_BYTES
        )

    def payload(self) -> int:
        """Bytes of `memory_usage` that are records: none, as keys and values are objects."""
        return 0

    def record_bytes(self, key: bytes, h: int) -> int:
        """A record's share of the structure, 0 if absent. O(1)."""
        deadline = self.deadline(key, h)
        return 0 if deadline < 0 else SLOT_OVERHEAD + (DEADLINE_BYTES if deadline else 0)

    def clear(self) -> None:
        """Drop every record, unreported.

        Cuts under way get all they have not got yet, at once; an owner who wants that in small slices leaves
        this table to its cuts and goes on with a new one. O(n).
        """
        if self.cut_version:
            for segment in self._segments():
                self._hand_out_segment(segment)
        self._reset()

    def free_step(self, budget: int) -> int:
        """Drop the records of up to `budget` segments, unreported; how many segments that were.

        Called again until `len(table)` is 0 it is `clear` in slices, for a table that is out of service.
        """
        freed = 0
        while self._count and freed < budget:
            segment = self._segment_at(self._freed)
            if self.cut_version:
                self._hand_out_segment(segment)
            self._count -= segment.count
            self.expiring -= len(segment.deadlines)
            empty = Segment(segment.depth, segment.prefix)
            self._point_to(empty, empty.entry(self.uses))
            self._freed = self._end_of(segment) % PREFIXES
            freed += 1
        if not self._count:
            self._reset()
        return freed

    def items(self) -> Iterator[Record]:
        """Every record (key, value, deadline), also expired ones. The table must not change meanwhile."""
        for segment in self._segments():
            for slot in segment.slots():
                yield segment.record(slot)

    def scan(self, cursor: int) -> tuple[int, list[bytes]]:
        """One step of a traversal: the next cursor, and the unexpired keys of one home bucket.

        Begin with 0; a returned 0 ends it. A cursor is below 2**48: home bucket, then hash prefix, in which
        order the traversal goes; neither changes for a key, whatever splits or merges. So a key that is there
        from begin to end is given at least once (twice if segments merge meanwhile). A cursor that was never
        given out is safe. O(1).
        """
        home, prefix = cursor >> PREFIX_BITS, cursor & (PREFIXES - 1)
        if not self._count or home >= HOME_BUCKETS:
            return 0, []
        segment = self._segment_at(prefix)
        slots = segment.slots_of_home(home, self._hash_key)
        if segment.deadlines:
            now = self._tick.ms
            deadlines = segment.deadlines
            slots = [slot for slot in slots if deadlines.get(slot, NEVER) >= now]
        found: list[Any] = [segment.keys[slot] for slot in slots]
        following = self._end_of(segment)
        if following < PREFIXES:
            return home << PREFIX_BITS | following, found
        return (home + 1) % HOME_BUCKETS << PREFIX_BITS, found

    def random_key(self, rng: Random) -> bytes | None:
        """An unexpired key, each about as likely as any other; None if there is none.

        A random place in the directory, then a random record of that segment: O(1) as long as the table is
        normally filled. After many misses it walks on from a random segment, and takes out expired records
        it meets, so that repeated calls don't pay for them again.
        """
        for _ in range(RANDOM_TRIES):
            if not self._count:
                return None
            segment = self._directory[rng.randrange(len(self._directory))][4]
            key = self._random_key_of(segment, rng)
            if key is not None:
                return key
        start = self._end_of(self._directory[rng.randrange(len(self._directory))][4]) % PREFIXES
        position = start
        while self._count:
            segment = self._segment_at(position)
            position = self._end_of(segment) % PREFIXES
            self._collect(segment, self._tick.ms)
            key = self._random_key_of(segment, rng)
            if key is not None:
                return key
        return None

    def _random_key_of(self, segment: Segment, rng: Random) -> bytes | None:
        if not segment.count:
            return None
        fingerprints = segment.fingerprints
        for _ in range(RANDOM_TRIES):
            slot = rng.randrange(len(fingerprints))
            if fingerprints[slot]:
                break
        else:
            slots = segment.slots()
            slot = slots[rng.randrange(len(slots))]
        if segment.deadlines.get(slot, NEVER) < self._tick.ms:
            return None
        return segment.keys[slot]

    # -- expiry --------------------------------------------------------------------------------------------

    def collect_expired(self, budget: int, position: int = 0, quietly: bool = False) -> tuple[int, int]:
        """Active expiry, one slice: take expired records out of up to `budget` segments where any may be due.

        `position` says where to begin: 0, then what the last call returned; a returned 0 means that the end
        of the table is reached. Also returns how many were taken out. A segment in which nothing can have
        expired costs one comparison; at most 64 * `budget` segments are passed. With `quietly` a table that
        accounts for strings itself does not report them to `on_expired`; this one does not, and reports all.
        """
        if not self.expiring:
            return 0, 0
        now = self._tick.ms
        collected = 0
        passes = budget * SKIP_FACTOR
        while budget > 0 and passes > 0:
            passes -= 1
            segment = self._segment_at(position)
            position = self._end_of(segment)
            if segment.deadlines and segment.soonest < now:
                budget -= 1
                collected += self._collect(segment, now)
                self._shrink(segment)
            if position == PREFIXES:
                return 0, collected
        return position, collected

    def _collect(self, segment: Segment, now: int) -> int:
        """Take the expired records out of a segment; how many."""
        if segment.soonest >= now:
            return 0
        due = segment.due(now)
        hash_key, on_expired = self._hash_key, self.on_expired
        for slot in due:
            key, value, _ = segment.record(slot)
            h = hash_key(key)
            self._remove(segment, slot, h)
            if on_expired is not None:
                on_expired(key, h, value)
        return len(due)

    def _expire(self, segment: Segment, slot: int, h: int) -> None:
        """Take out a record that was found to be expired."""
        key, value, _ = segment.record(slot)
        self._remove(segment, slot, h)
        if segment.count % MERGE_CHECK_EVERY == 0:
            self._shrink(segment)
        if self.on_expired is not None:
            self.on_expired(key, h, value)

    def _change_deadline(self, segment: Segment, slot: int, ms: int) -> None:
        deadlines = segment.deadlines
        if ms > 0:
            if slot not in deadlines:
                self.expiring += 1
            segment.set_deadline(slot, ms)
        elif deadlines.pop(slot, 0):
            self.expiring -= 1

    # -- ages ----------------------------------------------------------------------------------------------

    def age_step(self, budget: int, position: int = 0) -> tuple[int, int]:
        """One slice of the sweep that moves the ages on; about 1 us a segment.

        `position` says where to begin: 0, then what the last call returned; a returned 0 means that the end
        of the table is reached. Also returns how many segments were passed, at most `budget`.
        """
        passed = 0
        while passed < budget:
            segment = self._segment_at(position)
            self._age(segment)
            passed += 1
            position = self._end_of(segment)
            if position == PREFIXES:
                return 0, passed
        return position, passed

    def _age(self, segment: Segment) -> None:
        """Move the ages of a segment on to the present second."""
        now = self._tick.ms // 1000
        since = segment.aged_at
        if since >= now or not segment.count:
            segment.aged_at = now
            return
        if (since, now) != self._aging[:2]:
            self._aging = (since, now, self.aging(since, now))
        segment.ages[:] = segment.ages.translate(self._aging[2])
        segment.aged_at = now

    def reset_levels(self, level: int) -> None:
        """Give all records one level and forget the ghosts: the levels mean something else now. O(n)."""
        self._aging = (0, 0, b"")
        now = self._tick.ms // 1000
        for segment in self._segments():
            segment.ages[:] = bytes((level,)) * len(segment.ages)
            segment.aged_at = now
            segment.ghosts.clear()

    def segment(self, position: int) -> tuple[SegmentView, int]:
        """The segment at a position, and the position of the next one, 0 after the last.

        For those who choose what to evict (`nogil_df.shard.eviction`). Begin with position 0. Any other call
        of the table may make the view stale. O(1).
        """
        segment = self._segment_at(position)
        return segment, self._end_of(segment) % PREFIXES

    # -- inserting and removing ----------------------------------------------------------------------------

    def _live(self, key: bytes, h: int) -> tuple[Segment, int]:
        """The segment and slot of an unexpired record; slot -1 if absent."""
        segment: Segment = self._directory[h >> self._shift][4]
        slot = segment.find(key, h)
        if slot >= 0 and segment.deadlines and segment.deadlines.get(slot, NEVER) < self._tick.ms:
            self._expire(segment, slot, h)
            return segment, -1
        return segment, slot

    def _insert(
        self, segment: Segment, start: int, fingerprint: int, key: bytes, h: int, value: Any, deadline: int
    ) -> None:
        """Insert a key that is known to be absent; `start` is the first slot of its home bucket."""
        slot = segment.fingerprints.rfind(0, start, start + 14)
        if slot < 0:
            slot = segment.free_slot(start // 14)
            while slot < 0:
                segment = self._make_room(segment, h)
                slot = segment.free_slot(start // 14)
        if self.cut_version:
            self._before_write(segment, slot)
        if slot < 784:
            segment.fingerprints[slot] = fingerprint
            segment.keys[slot] = key
            segment.values[slot] = value
            segment.count += 1
        else:
            segment.fill(slot, start // 14, fingerprint, key, value)
        known = segment.ghosts and segment.lay_ghost(h)
        segment.ages[slot] = self.known if known else self.fresh
        self._count += 1
        if deadline > 0:
            segment.set_deadline(slot, deadline)
            self.expiring += 1

    def _put_expiring(
        self, segment: Segment, slot: int, key: bytes, h: int, value: Any, deadline: int
    ) -> Any:
        """Overwrite where deadlines are about."""
        if segment.deadlines.get(slot, NEVER) < self._tick.ms:
            self._expire(segment, slot, h)
            return self.put(key, h, value, max(deadline, 0))
        if self.cut_version:
            self._before_write(segment, slot)
        old = segment.values[slot]
        segment.values[slot] = value
        segment.ages[slot] = self.uses[segment.ages[slot]]
        if deadline >= 0:
            self._change_deadline(segment, slot, deadline)
        return old

    def _remove(self, segment: Segment, slot: int, h: int) -> None:
        if self.cut_version:
            self._before_write(segment, slot)
        if segment.deadlines and segment.deadlines.pop(slot, 0):
            self.expiring -= 1
        segment.vacate(slot, h % 14280 // 255)
        if slot >= 840:
            segment.trim()
        self._count -= 1

    # -- growing and shrinking -----------------------------------------------------------------------------

    def _segment_at(self, prefix: int) -> Segment:
        """The segment that hashes beginning with these PREFIX_BITS bits belong to."""
        return self._directory[prefix << (64 - PREFIX_BITS) >> self._shift][4]

    def _end_of(self, segment: Segment) -> int:
        """The first prefix after a segment, PREFIXES after the last one."""
        return segment.prefix + 1 << PREFIX_BITS - segment.depth

    def _segments(self) -> Iterator[Segment]:
        position = 0
        while position < PREFIXES:
            segment = self._segment_at(position)
            position = self._end_of(segment)
            yield segment

    def _make_room(self, segment: Segment, h: int) -> Segment:
        """Make a place for a key with hash `h` in its full segment; the segment to try next."""
        if self._collect(segment, self._tick.ms):
            return segment
        if self._may_split(segment):
            self._split(segment)
            return self._directory[h >> self._shift][4]
        segment.add_spill_bucket()
        return segment

    def _may_split(self, segment: Segment) -> bool:
        """Whether it fits the directory, or the directory may double: it must not outgrow its segments."""
        if 1 << segment.depth < len(self._directory):
            return True
        segments = sum(self._depths)
        return segment.depth < PREFIX_BITS and 2 * len(self._directory) <= ENTRIES_PER_SEGMENT * segments

    def _split(self, segment: Segment) -> None:
        """Split one segment in two."""
        if self.cut_version:
            self._hand_out_segment(segment)
        depth = segment.depth
        if 1 << depth == len(self._directory):
            self._directory = [entry for entry in self._directory for _ in range(2)]
            self._shift -= 1
            self._depths.append(0)
        sibling = segment.split(self._hash_key)
        if self.cut_version:  # its records have been handed out as part of `segment`
            stamp = self.cut_version << STAMP_SHIFT
            sibling.stamps = [stamp] * (len(sibling.fingerprints) // BUCKET_SLOTS)
        self._depths[depth] -= 1
        self._depths[depth + 1] += 2
        self._point_to(sibling, sibling.entry(self.uses))

    def _shrink(self, segment: Segment) -> None:
        """Merge a segment with its buddy if both together hold little, and the result again, and so on.

        Not while a cut is under way, which relies on buckets being stamped one by one. At most MERGE_BELOW
        records move in each of at most depth steps.
        """
        while segment.count < MERGE_BELOW and segment.depth and not self.cut_version:
            shift = 64 - segment.depth - self._shift  # from this depth to that of the directory
            buddy: Segment = self._directory[(segment.prefix ^ 1) << shift][4]
            if buddy.depth != segment.depth or segment.count + buddy.count >= MERGE_BELOW:
                return
            if buddy.count > segment.count:
                segment, buddy = buddy, segment
            entry = self._directory[segment.prefix << shift]
            self._age(segment)
            self._age(buddy)
            self._depths[segment.depth] -= 2
            self._depths[segment.depth - 1] += 1
            segment.absorb(buddy, self._hash_key)
            self._point_to(segment, entry)
            while not self._depths[-1]:
                self._depths.pop()
                self._directory = self._directory[::2]
                self._shift += 1

    def _point_to(self, segment: Segment, entry: Entry) -> None:
        """Let the directory name this segment wherever its prefix says so."""
        shift = 64 - segment.depth - self._shift
        first = segment.prefix << shift
        self._directory[first : first + (1 << shift)] = [entry] * (1 << shift)

    # -- cuts ----------------------------------------------------------------------------------------------

    def cut(self, version: int, on_change: OnChange) -> None:
        """Begin a point-in-time view of the table as it is now. O(1).

        From now on every record is handed to `on_change`, in a list of records (key, value, deadline, age),
        before the first write to it or, bucket by bucket, by `cut_step`, whichever comes first. Expired
        records that are still there are among them. The age is a level of `nogil_df.shard.ages`. Several
        cuts may be under way; each `version` must be greater than the ones before, else ValueError.
        """
        if version <= self._last_cut:
            raise ValueError(f"cut {version} is not newer than {self._last_cut}")
        self._last_cut = self.cut_version = version
        self._cuts.append((version, on_change))

    def cut_step(self, version: int, position: int) -> int:
        """Hand out the next bucket of a cut that has not been yet.

        Begin with position 0 and go on with what is returned, until that is -1: then this cut has got
        everything, and `end_cut` is due. O(buckets of a segment).
        """
        while position >> 64 < PREFIXES:
            segment = self._segment_at(position >> 64)
            bucket = position & 0xFFFF_FFFF_FFFF_FFFF
            buckets = len(segment.fingerprints) // BUCKET_SLOTS
            while bucket < buckets:
                handed_out = self._hand_out(segment, bucket, version)
                bucket += 1
                if handed_out:
                    return position >> 64 << 64 | bucket
            position = self._end_of(segment) << 64
        return -1

    def hold_back(self, version: int, key: bytes, h: int) -> bool:
        """Let a record that `cut_step` has just handed out count as not handed out, and pass over it.

        So it will be handed out once more before the first write to it: for a cut that has not read all of a
        value yet, until it says `let_go`. False, and nothing is done, if a newer cut is under way. O(1).
        """
        segment: Segment = self._directory[h >> self._shift][4]
        slot = segment.find(key, h)
        if slot < 0 or len(self._cuts) > 1 or self.cut_version != version:
            return False
        bucket, place = divmod(slot, BUCKET_SLOTS)
        stamps = stamps_for(segment, bucket)
        stamp = stamps[bucket]
        if not stamp & PARTLY:
            stamp |= PARTLY | SLOTS_GIVEN
        stamps[bucket] = stamp & ~(1 << place)
        return True

    def let_go(self, version: int, key: bytes, h: int) -> None:
        """Let a record that was held back, and has not been handed out since, count as handed out. O(1)."""
        segment: Segment = self._directory[h >> self._shift][4]
        bucket, place = divmod(segment.find(key, h), BUCKET_SLOTS)
        segment.stamps[bucket] |= 1 << place

    def end_cut(self, version: int) -> None:
        """End a cut, finished or given up. ValueError if there is no such cut."""
        cuts = [cut for cut in self._cuts if cut[0] != version]
        if len(cuts) == len(self._cuts):
            raise ValueError(f"there is no cut {version}")
        self._cuts = cuts
        self.cut_version = cuts[-1][0] if cuts else 0

    def _before_write(self, segment: Segment, slot: int) -> None:
        """Hand out what is in a slot that is about to change, to every cut that has not got it."""
        bucket, place = divmod(slot, BUCKET_SLOTS)
        version = self.cut_version
        if len(self._cuts) > 1:
            self._hand_out(segment, bucket, version)
            return
        stamps = stamps_for(segment, bucket)
        stamp = stamps[bucket]
        seen = stamp >> STAMP_SHIFT
        if seen < version:
            stamp = version << STAMP_SHIFT | PARTLY
        elif not stamp & PARTLY:
            return
        if not stamp >> place & 1:
            stamps[bucket] = stamp | 1 << place
            records = segment.records(bucket, ~(1 << place))
            if records:
                self._cuts[0][1](records)

    def _hand_out_segment(self, segment: Segment) -> None:
        """Hand out all buckets of a segment to every cut, so that its records may move."""
        for bucket in range(len(segment.fingerprints) // BUCKET_SLOTS):
            self._hand_out(segment, bucket, self.cut_version)

    def _hand_out(self, segment: Segment, bucket: int, version: int) -> bool:
        """Stamp a bucket with `version`; give its records to the cuts up to that which have not got them.

        Whether any records were given.
        """
        stamps = stamps_for(segment, bucket)
        stamp = stamps[bucket]
        seen = stamp >> STAMP_SHIFT
        if seen >= version and not stamp & PARTLY:
            return False
        stamps[bucket] = version << STAMP_SHIFT
        records = segment.records(bucket)
        if not records:
            return False
        # The cut that has got some of them was alone when it did: none that is older goes on.
        rest = segment.records(bucket, stamp & SLOTS_GIVEN) if stamp & PARTLY else []
        given = False
        for cut_version, on_change in self._cuts:
            if seen < cut_version <= version:
                on_change(records)
                given = True
            elif cut_version == seen and rest:
                on_change(rest)
                given = True
        return given

    # -- invariants ----------------------------------------------------------------------------------------

    def verify(self) -> None:
        """Check every invariant of the table. Raises AssertionError with what is wrong. O(n)."""
        size = len(self._directory)
        assert size == 1 << 64 - self._shift, f"a directory of {size} entries, but shift {self._shift}"
        assert size == 1 << len(self._depths) - 1, f"a directory of {size} entries, depths {self._depths}"
        assert self._depths[-1], f"the directory should have halved: {self._depths}"
        depths = [0] * len(self._depths)
        records = expiring = index = 0
        while index < size:
            segment: Segment = self._directory[index][4]
            depths[segment.depth] += 1
            span = size >> segment.depth
            assert segment.prefix * span == index, f"entry {index} names {segment.prefix:b}/{segment.depth}"
            for find, keys, values, deadlines, other, ages, uses in self._directory[index : index + span]:
                assert other is segment, f"entries from {index} on should name one segment"
                assert find.__self__ is segment.fingerprints  # type: ignore[attr-defined]
                assert keys is segment.keys, f"entry {index} is stale"
                assert values is segment.values, f"entry {index} is stale"
                assert deadlines is segment.deadlines, f"entry {index} has stale deadlines"
                assert ages is segment.ages, f"entry {index} has stale ages"
                assert uses is self.uses, f"entry {index} has other uses"
            segment.verify(self._hash_key)
            newest = max(segment.stamps, default=0) >> STAMP_SHIFT
            assert newest <= self._last_cut, "a stamp of the future"
            records += segment.count
            expiring += len(segment.deadlines)
            index += span
        assert depths == self._depths, f"segments by depth are {depths}, not {self._depths}"
        assert records == self._count, f"there are {records} records, not {self._count}"
        assert expiring == self.expiring, f"there are {expiring} deadlines, not {self.expiring}"
        newest = self._cuts[-1][0] if self._cuts else 0
        assert self.cut_version == newest, f"cut_version is {self.cut_version}, the newest cut {newest}"


def stamps_for(segment: Segment, bucket: int) -> list[int]:
    """The stamps of a segment's buckets, that one included; new ones are 0."""
    stamps = segment.stamps
    missing = bucket + 1 - len(stamps)
    if missing > 0:
        stamps.extend([0] * missing)
    return stamps
