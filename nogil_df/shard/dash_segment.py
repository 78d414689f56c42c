"""One segment of the Dash table: 56 home buckets and 4 stash buckets of 14 slots.

A slot is an index into three parallel sequences: `fingerprints` (one byte each, 0 = free slot), `keys` and
`values`. Bucket b owns the slots [14*b, 14*b + 14). The key with remainder r = h % REMAINDERS has the
fingerprint r % 255 + 1 and the home bucket r // 255, and lives in one of, in this order:

* its home bucket or the neighbour, the bucket after it: together 28 slots in a row, which one
  `bytearray.find` searches (that is why the fingerprints are one bytearray). The neighbour of the last home
  bucket is the first stash bucket, so no search wraps around;
* a stash bucket. `overflow[home]` counts the keys of a home bucket that live outside their 28 slots, so that
  a search goes on to the stash only when it must;
* a spill bucket: a stash bucket beyond the 60, added only when the segment is full and may not be split,
  which takes keys made to collide. Spilled keys are found through the dict `spill`, so that a flood of equal
  hashes costs no more than a dict does.

`ages` holds a byte for each slot that tells how its record was used: how long ago (`nogil_df.shard.ages`), as
of the time `aged_at`, or what else the eviction policy makes of it (`nogil_df.shard.eviction`); those of free
slots mean nothing. A use is one look-up in `uses`, a map of bytes that belongs to the table.

`ghosts`, empty unless the policy wants them, are 16 bits each of the hashes of keys that were evicted lately,
the last ones of each home bucket, the newest first, zeros where there are fewer. As many count as make three
for two records: more would let keys in that come too rarely, fewer would forget keys that come back.

A segment costs nearly nothing until its first record arrives (`allocate`). The sequences of a segment
are only ever changed in place, because the directory of the table holds them directly (`entry`).

Deadlines stand aside, in a dict slot -> unix ms, because most records have none. `soonest` is a lower bound
of them: when it has not passed, nothing in the segment has expired.

Hot methods use literal numbers, because looking a global up costs as much as a multiplication: 14280 =
REMAINDERS, 255 = FINGERPRINTS, 14 = BUCKET_SLOTS, 28 = NEAR_SLOTS, 784 = STASH_START, 840 = SEGMENT_SLOTS.

Invariants: `Segment.verify`. Source of the structure: Lu et al., "Dash: Scalable Hashing on Persistent
Memory", VLDB 2020.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any

HashKey = Callable[[bytes], int]
"""The hash of a key: 64 bits."""

Entry = tuple[
    Callable[[int, int, int], int],
    list[bytes | None],
    list[Any],
    dict[int, int],
    "Segment",
    bytearray,
    bytearray,
]
"""What the directory holds of a segment: `fingerprints.find`, keys, values, deadlines, the segment, ages; and
`uses` of its table.

Unpacking this is several times cheaper than four attribute look-ups, on the hottest path there is.
"""

Record = tuple[bytes, Any, int]
"""Key, value, deadline (unix ms, 0 = none)."""

AgedRecord = tuple[bytes, Any, int, int]
"""A record with its age, a level of `nogil_df.shard.ages`."""

BUCKET_SLOTS = 14
HOME_BUCKETS = 56
STASH_BUCKETS = 4
FINGERPRINTS = 255
REMAINDERS = HOME_BUCKETS * FINGERPRINTS  # 14280
NEAR_SLOTS = 2 * BUCKET_SLOTS  # home and neighbour
STASH_START = HOME_BUCKETS * BUCKET_SLOTS  # 784
SEGMENT_SLOTS = (HOME_BUCKETS + STASH_BUCKETS) * BUCKET_SLOTS  # 840
GHOST_WAYS = 22  # of a home bucket at most: three for two of 840 records
NEVER = 1 << 63  # later than any deadline


class Segment:
    """The records whose hashes begin with the `depth` bits of `prefix`."""

    __slots__ = (
        "aged_at",
        "ages",
        "count",
        "deadlines",
        "depth",
        "fingerprints",
        "ghosts",
        "keys",
        "overflow",
        "prefix",
        "soonest",
        "spill",
        "values",
        "stamps",
    )

    def __init__(self, depth: int, prefix: int) -> None:
        self.depth = depth
        self.prefix = prefix
        self.count = 0
        self.soonest = NEVER
        self.fingerprints = bytearray()
        self.keys: list[bytes | None] = []
        self.values: list[Any] = []
        self.deadlines: dict[int, int] = {}
        self.overflow = [0] * HOME_BUCKETS
        self.spill: dict[bytes, int] = {}
        self.stamps: list[int] = []
        self.ages = bytearray()
        self.aged_at = 0
        self.ghosts: list[int] = []

    def entry(self, uses: bytearray) -> Entry:
        """A new directory entry of this segment (never kept here: that would be a reference cycle)."""
        return self.fingerprints.find, self.keys, self.values, self.deadlines, self, self.ages, uses

    def allocate(self) -> None:
        """Lay out the 840 slots, in place."""
        self.fingerprints.extend(bytes(SEGMENT_SLOTS))
        self.keys.extend([None] * SEGMENT_SLOTS)
        self.values.extend([None] * SEGMENT_SLOTS)
        self.ages.extend(bytes(SEGMENT_SLOTS))

    # -- slots ---------------------------------------------------------------------------------------------

    def find(self, key: bytes, h: int) -> int:
        """The slot of `key`, or -1. (The hottest methods of the table have this inlined.)"""
        keys = self.keys
        find = self.fingerprints.find
        remainder = h % 14280
        fingerprint = remainder % 255 + 1
        start = remainder // 255 * 14
        slot = find(fingerprint, start, start + 28)
        while slot >= 0:
            if keys[slot] == key:
                return slot
            slot = find(fingerprint, slot + 1, start + 28)
        if self.overflow[start // 14]:
            return self.find_overflown(key, fingerprint)
        return -1

    def find_overflown(self, key: bytes, fingerprint: int) -> int:
        """The slot of `key` if it is in the stash or spilled, or -1."""
        keys = self.keys
        find = self.fingerprints.find
        slot = find(fingerprint, STASH_START, SEGMENT_SLOTS)
        while slot >= 0:
            if keys[slot] == key:
                return slot
            slot = find(fingerprint, slot + 1, SEGMENT_SLOTS)
        return self.spill.get(key, -1) if self.spill else -1

    def free_slot(self, home: int) -> int:
        """The slot a new key with this home bucket should take, or -1 if the segment has none for it.

        The home bucket, then the neighbour, then the stash from the end, so that the first stash bucket stays
        open for the home bucket whose neighbour it is. (To choose the emptier of home and neighbour would
        fill segments to 96 % instead of 94 % before they split, and make each insert 160 ns slower.)
        """
        fingerprints = self.fingerprints
        if not fingerprints:
            self.allocate()
        start = home * 14
        slot = fingerprints.rfind(0, start, start + 14)
        if slot < 0:
            slot = fingerprints.rfind(0, start + 14, start + 28)
            if slot < 0:
                slot = fingerprints.rfind(0, STASH_START)
        return slot

    def add_spill_bucket(self) -> None:
        """Make room in a full segment that may not be split."""
        self.fingerprints.extend(bytes(BUCKET_SLOTS))
        self.keys.extend([None] * BUCKET_SLOTS)
        self.values.extend([None] * BUCKET_SLOTS)
        self.ages.extend(bytes(BUCKET_SLOTS))

    def fill(self, slot: int, home: int, fingerprint: int, key: bytes, value: Any) -> None:
        """Put a record without a deadline into a free slot."""
        self.fingerprints[slot] = fingerprint
        self.keys[slot] = key
        self.values[slot] = value
        self.ages[slot] = 0
        self.count += 1
        if slot >= STASH_START:
            if slot - home * BUCKET_SLOTS >= NEAR_SLOTS:
                self.overflow[home] += 1
            if slot >= SEGMENT_SLOTS:
                self.spill[key] = slot

    def ghost_ways(self) -> int:
        """How many ghosts of a bucket count: three for two records. O(1)."""
        return max(1, min(GHOST_WAYS, (3 * self.count // 2 + HOME_BUCKETS // 2) // HOME_BUCKETS))

    def lay_ghost(self, h: int) -> bool:
        """Whether a key with this hash was evicted not long ago.

        Its ghost is gone afterwards. May be wrong for 22 keys in 65,535. O(1).
        """
        start = h % REMAINDERS // FINGERPRINTS * GHOST_WAYS
        mark = h >> 16 & 0xFFFF or 1
        bucket = self.ghosts[start : start + self.ghost_ways()]
        if mark not in bucket:
            return False
        self.ghosts[start + bucket.index(mark)] = 0
        return True

    def remember(self, h: int) -> None:
        """Leave a ghost of a key that is to be evicted; the oldest of its bucket is forgotten. O(1)."""
        ghosts = self.ghosts
        if not ghosts:
            ghosts.extend([0] * (HOME_BUCKETS * GHOST_WAYS))
        start = h % REMAINDERS // FINGERPRINTS * GHOST_WAYS
        end = start + self.ghost_ways()
        ghosts[start + 1 : end] = ghosts[start : end - 1]
        ghosts[start] = h >> 16 & 0xFFFF or 1

    def vacate(self, slot: int, home: int) -> None:
        """Take the record out of a slot; its deadline must be gone already."""
        if slot >= 784:
            if slot - home * 14 >= 28:
                self.overflow[home] -= 1
            if slot >= 840:
                key = self.keys[slot]
                assert key is not None
                del self.spill[key]
        self.fingerprints[slot] = 0
        self.keys[slot] = None
        self.values[slot] = None
        self.count -= 1

    def trim(self) -> None:
        """Give the spill buckets back, once they are empty."""
        if not self.spill and len(self.fingerprints) > SEGMENT_SLOTS:
            del self.fingerprints[SEGMENT_SLOTS:]
            del self.keys[SEGMENT_SLOTS:]
            del self.values[SEGMENT_SLOTS:]
            del self.ages[SEGMENT_SLOTS:]
            del self.stamps[SEGMENT_SLOTS // BUCKET_SLOTS :]

    def place(self, h: int, key: bytes, value: Any, deadline: int, age: int) -> None:
        """Insert a record that is known to be absent, into a spill bucket if need be."""
        remainder = h % REMAINDERS
        home = remainder // FINGERPRINTS
        slot = self.free_slot(home)
        if slot < 0:
            self.add_spill_bucket()
            slot = self.free_slot(home)
        self.fill(slot, home, remainder % FINGERPRINTS + 1, key, value)
        self.ages[slot] = age
        if deadline:
            self.set_deadline(slot, deadline)

    def set_deadline(self, slot: int, ms: int) -> None:
        """Set a deadline (ms > 0)."""
        self.deadlines[slot] = ms
        if ms < self.soonest:
            self.soonest = ms

    # -- views ---------------------------------------------------------------------------------------------

    def record(self, slot: int) -> Record:
        """The record of an occupied slot."""
        key = self.keys[slot]
        assert key is not None
        return key, self.values[slot], self.deadlines.get(slot, 0)

    def records(self, bucket: int, but: int = 0) -> list[AgedRecord]:
        """The records that lie in a bucket (home, stash or spill); no slots whose bits are set in `but`."""
        start = bucket * BUCKET_SLOTS
        taken: Sequence[bool | int] = self.fingerprints[start : start + BUCKET_SLOTS]
        if but:
            taken = [used and not but >> place & 1 for place, used in enumerate(taken)]
        keys: list[Any] = self.keys
        values, ages, deadlines = self.values, self.ages, self.deadlines
        if not deadlines:
            return [
                (keys[slot], values[slot], 0, ages[slot]) for slot, used in enumerate(taken, start) if used
            ]
        return [
            (keys[slot], values[slot], deadlines.get(slot, 0), ages[slot])
            for slot, used in enumerate(taken, start)
            if used
        ]

    def key(self, slot: int) -> bytes:
        """The key in an occupied slot."""
        key = self.keys[slot]
        assert key is not None
        return key

    def deadline(self, slot: int) -> int:
        """The deadline of a slot's record, unix ms; 0 if it has none."""
        return self.deadlines.get(slot, 0)

    def expiring_slots(self) -> list[int]:
        """The slots whose records have a deadline."""
        return list(self.deadlines)

    def slots(self) -> list[int]:
        """The occupied slots."""
        return list(compress(range(len(self.fingerprints)), self.fingerprints))

    def slots_of_home(self, home: int, hash_key: HashKey) -> list[int]:
        """The slots of the keys whose home bucket this is, wherever they lie."""
        start = home * BUCKET_SLOTS
        near = start + NEAR_SLOTS
        slots = self._slots_of_home_in(start, near, home, hash_key)
        if self.overflow[home]:
            slots += self._slots_of_home_in(max(near, STASH_START), len(self.keys), home, hash_key)
        return slots

    def _slots_of_home_in(self, begin: int, end: int, home: int, hash_key: HashKey) -> list[int]:
        occupied = self.fingerprints[begin:end]
        slots = compress(range(begin, end), occupied)
        hashes = map(hash_key, compress(self.keys[begin:end], occupied))  # type: ignore[arg-type]  # no None
        return [slot for slot, h in zip(slots, hashes, strict=True) if h % 14280 // 255 == home]

    def due(self, now: int) -> list[int]:
        """The slots of the records that have expired; makes `soonest` exact. O(deadlines)."""
        deadlines = self.deadlines
        self.soonest = min(deadlines.values(), default=NEVER)
        if self.soonest >= now:
            return []
        due = [slot for slot, ms in deadlines.items() if ms < now]
        self.soonest = min((ms for ms in deadlines.values() if ms >= now), default=NEVER)
        return due

    # -- splitting and merging -----------------------------------------------------------------------------

    def split(self, hash_key: HashKey) -> Segment:
        """Go one bit deeper; the records whose next bit is one move to the sibling that is returned.

        A record of a home bucket keeps its slot number; those of the stash are placed anew,
        which brings them home. O(slots).
        """
        self.depth += 1
        self.prefix <<= 1
        sibling = Segment(self.depth, self.prefix | 1)
        sibling.aged_at = self.aged_at
        sibling.ghosts = list(self.ghosts)
        bit = 1 << (64 - self.depth)
        occupied = self.fingerprints[:STASH_START]
        slots = compress(range(STASH_START), occupied)
        hashes = map(hash_key, compress(self.keys, occupied))  # type: ignore[arg-type]  # no None
        moving = [slot for slot, h in zip(slots, hashes, strict=True) if h & bit]
        if moving:
            sibling.allocate()
            sibling._receive(self, moving)
        for slot in self._occupied_stash():
            age = self.ages[slot]
            key, value, deadline = self._take(slot, hash_key)
            h = hash_key(key)
            (sibling if h & bit else self).place(h, key, value, deadline, age)
        self.trim()
        return sibling

    def absorb(self, buddy: Segment, hash_key: HashKey) -> None:
        """Take in every record of `buddy`, the segment that differs in the last bit of the prefix; go one bit
        up. `buddy` is left in no state to be used. Both must have been aged at the same time. O(slots).
        """
        self.depth -= 1
        self.prefix >>= 1
        fingerprints = self.fingerprints
        if not fingerprints:
            self.allocate()
        slots = buddy.slots()
        self._receive(buddy, [slot for slot in slots if slot < STASH_START and not fingerprints[slot]])
        for slot in slots:
            if (key := buddy.keys[slot]) is not None:
                self.place(hash_key(key), *buddy.record(slot), buddy.ages[slot])

    def _receive(self, other: Segment, slots: list[int]) -> None:
        """Move the records in these home slots of `other` to the same slots here, which are free."""
        fingerprints, keys, values = self.fingerprints, self.keys, self.values
        their_fingerprints, their_keys, their_values = other.fingerprints, other.keys, other.values
        ages, their_ages = self.ages, other.ages
        for slot in slots:
            fingerprints[slot] = their_fingerprints[slot]
            keys[slot] = their_keys[slot]
            values[slot] = their_values[slot]
            ages[slot] = their_ages[slot]
            their_fingerprints[slot] = 0
            their_keys[slot] = None
            their_values[slot] = None
        self.count += len(slots)
        other.count -= len(slots)
        if other.deadlines:
            self.soonest = min(self.soonest, other.soonest)
            for slot in slots:
                if ms := other.deadlines.pop(slot, 0):
                    self.deadlines[slot] = ms

    def _occupied_stash(self) -> list[int]:
        fingerprints = self.fingerprints
        return [slot for slot in range(STASH_START, len(fingerprints)) if fingerprints[slot]]

    def _take(self, slot: int, hash_key: HashKey) -> Record:
        """Take a record out and return it."""
        record = self.record(slot)
        self.deadlines.pop(slot, 0)
        self.vacate(slot, hash_key(record[0]) % REMAINDERS // FINGERPRINTS)
        return record

    # -- invariants ----------------------------------------------------------------------------------------

    def verify(self, hash_key: HashKey) -> None:
        """Check every invariant of this segment. Raises AssertionError with what is wrong and where."""
        name = f"segment {self.prefix:b}/{self.depth}"
        size = len(self.fingerprints)
        assert size == len(self.keys) == len(self.values), f"{name}: its sequences differ in length"
        assert size == len(self.ages), f"{name}: {len(self.ages)} ages for {size} slots"
        assert size == 0 or size >= SEGMENT_SLOTS, f"{name}: {size} slots"
        assert size % BUCKET_SLOTS == 0, f"{name}: {size} slots are not whole buckets"
        assert size <= SEGMENT_SLOTS or self.spill, f"{name}: empty spill buckets"
        assert len(self.ghosts) in (0, HOME_BUCKETS * GHOST_WAYS), f"{name}: {len(self.ghosts)} ghosts"
        assert len(self.stamps) <= size // BUCKET_SLOTS, f"{name}: stamps of buckets that are not there"
        overflow = [0] * HOME_BUCKETS
        spill: dict[bytes, int] = {}
        seen: set[bytes] = set()
        for slot in range(size):
            key = self.keys[slot]
            if key is None:
                self._verify_free(slot, name)
                continue
            assert key not in seen, f"{name}: {key!r} is there twice"
            seen.add(key)
            home = self._verify_occupied(slot, key, hash_key(key), name)
            overflow[home] += slot >= home * BUCKET_SLOTS + NEAR_SLOTS
            if slot >= SEGMENT_SLOTS:
                spill[key] = slot
        assert self.count == len(seen), f"{name}: count is {self.count}, records are {len(seen)}"
        assert self.overflow == overflow, f"{name}: overflow counts {self.overflow}, should be {overflow}"
        assert self.spill == spill, f"{name}: spill index {self.spill}, should be {spill}"

    def _verify_free(self, slot: int, name: str) -> None:
        assert self.values[slot] is None, f"{name}: free slot {slot} holds a value"
        assert not self.fingerprints[slot], f"{name}: free slot {slot} has a fingerprint"
        assert slot not in self.deadlines, f"{name}: free slot {slot} has a deadline"

    def _verify_occupied(self, slot: int, key: bytes, h: int, name: str) -> int:
        """Check one record; return its home bucket."""
        assert self.values[slot] is not None, f"{name}: {key!r} has no value"
        assert h >> (64 - self.depth) == self.prefix, f"{name}: {key!r} belongs elsewhere"
        home, fingerprint = divmod(h % REMAINDERS, FINGERPRINTS)
        found = self.fingerprints[slot]
        assert found == fingerprint + 1, f"{name}: {key!r} has fingerprint {found}"
        near = 0 <= slot - home * BUCKET_SLOTS < NEAR_SLOTS
        assert near or slot >= STASH_START, f"{name}: {key!r} of home {home} lies in slot {slot}"
        deadline = self.deadlines.get(slot, NEVER)
        assert deadline > 0, f"{name}: {key!r} has deadline {deadline}"
        assert self.soonest <= deadline, f"{name}: {key!r} expires before `soonest`"
        return home

    def memory_usage(self) -> int:
        """Bytes of this segment's structure, without keys and values. O(1)."""
        parts = (
            self.fingerprints,
            self.keys,
            self.values,
            self.deadlines,
            self.overflow,
            self.spill,
            self.ages,
            self.ghosts,
        )
        return sys.getsizeof(self) + sys.getsizeof(self.stamps) + sum(map(sys.getsizeof, parts))
