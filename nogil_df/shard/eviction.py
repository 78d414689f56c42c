"""Which records go when memory runs out: Redis's policies and the cache mode, over one byte a record.

Every slot of a table has a byte that says how its record was used (``ages`` of
`nogil_df.shard.dash_segment`), and a use is one look-up in a map of bytes. So a policy is data for the hot
path: that map, and the byte of a new record. What it costs beyond that is paid when something is evicted.

Eviction visits one segment after the other, like the hand of a clock. At each visit it picks the few records
of the segment that are worth least. A segment is a sample of the keys, drawn by their hash, of up to 840
records. To take the worst twentieth of that is a better choice than to take the worst of the five that Redis
draws for each eviction, and looking at 840 bytes in one go costs less than five draws: 1 us a record.

``lru``     the byte is an age (`nogil_df.shard.ages`): the greatest go.
``lfu``     the byte is Redis's logarithmic counter c. A use adds one with a probability of
            1 / (lfu-log-factor * (c - 5) + 1): the map of uses is drawn anew for each turn of the loop
            (`Frequencies`). The sweep that moves ages on takes off one for each ``lfu-decay-time``.
``random``  any.
``ttl``     those that expire first.
``cache``   cache mode, after S3-FIFO (Yang et al., SOSP 2023): two queues, of which the order is kept in the
            byte: bit 7 probation, three bits of uses, four of visits since it entered its queue. New
            records are on probation, which holds a twentieth of the segment: used less than twice
            there, they go; else they move over. The oldest of the others go as well, unless they were used:
            then they stay, with one use less. A key that went not long ago has left a ghost, its fingerprint,
            in its bucket; when it comes back it needs no probation.

Dragonfly orders the slots of a bucket by rank, and moves a record up when it is used. Moving costs more than
counting, and what a bucket of 14 knows of the popularity of keys is little: see docs/cache-mode.md for
figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import compress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nogil_df.shard.ages import translation

if TYPE_CHECKING:
    from nogil_df.shard.dash import SegmentView
    from nogil_df.shard.shard import Shard

NO_EVICTION: Final = "noeviction"
CACHE: Final = "cache"
"""The policy of cache mode; not one of Redis's."""

LFU_INITIAL: Final = 5
"""The counter of a new record, as in Redis: or it would go before it can be used."""

SHARE_PER_SAMPLE: Final = 4
"""One record in four times `maxmemory-samples` goes at each visit: one in 20 by default. The worst twentieth
of a segment are all worse than the median of what "the worst of five drawn at random" gives."""

CACHE_SHARE: Final = 50
"""In cache mode one record in 50 goes at each visit."""

PROBATION: Final = 128
USE: Final = 16
USES: Final = 7 * USE
OLDEST_VISIT: Final = 15
PASSES: Final = 4
"""Passes of the hand that make a record in the main queue one visit older: 15 of that outlast a turnover."""
PROBATION_SHARE: Final = 20
"""One record in twenty is on probation."""
PROVEN: Final = 2 * USE
"""Uses from which a record on probation moves over."""

type Slots = list[int]


def _uses_of_cache() -> bytes:
    return bytes(level + USE if level & USES < USES else level for level in range(256))


def _older_in_cache(least: int) -> bytes:
    """What a visit makes of the levels from ``least`` on; the others stay."""
    return bytes(
        level + 1 if level >= least and level & OLDEST_VISIT < OLDEST_VISIT else level for level in range(256)
    )


CACHE_USES: Final = _uses_of_cache()
ALL_OLDER: Final = _older_in_cache(0)
PROBATION_OLDER: Final = _older_in_cache(PROBATION)
IN_MAIN: Final = bytes(range(128))
MAIN_ORDER: Final = bytes(
    uses | visit for visit in range(OLDEST_VISIT, -1, -1) for uses in range(0, 128, USE)
)
PROBATION_ORDER: Final = bytes(PROBATION | level for level in MAIN_ORDER)
"""Levels of each queue, the oldest first."""

UNCHANGED: Final = bytes(range(256))
INCREMENTED: Final = bytes([*range(1, 256), 255])


class Policy(NamedTuple):
    """One way to choose.

    Attributes:
        name: as `maxmemory-policy` has it, or CACHE.
        volatile: only records with a deadline go.
        kind: "lru", "lfu", "random", "ttl", "cache", or "" for none.
    """

    name: str
    volatile: bool
    kind: str


def policy_named(name: str) -> Policy:
    """The policy that the configuration names."""
    if name == CACHE:
        return Policy(name, False, CACHE)
    if name == NO_EVICTION:
        return Policy(name, False, "")
    scope, _, kind = name.partition("-")
    return Policy(name, scope == "volatile", kind)


class Frequencies:
    """Redis's counters of uses, for one shard.

    A use of a record whose counter is c adds one with probability p(c), which falls with c. So one number
    drawn at random decides for all c at once: up to some counter a use adds one, beyond it none. It is drawn
    once a turn of the loop, in which a key counts as used once.
    """

    __slots__ = ("factor", "random", "uses")

    def __init__(self, shard: Shard, factor: int) -> None:
        self.factor = factor
        self.random = shard.random.random
        self.uses = shard.uses
        self.step()

    def step(self) -> None:
        """Draw for the next turn. O(1)."""
        upto = 255
        if self.factor:
            drawn = max(self.random(), 1e-9)
            upto = min(255, LFU_INITIAL + 1 + int((1 / drawn - 1) / self.factor))
        self.uses[:] = INCREMENTED[:upto] + UNCHANGED[upto:]


def decay(minutes: int) -> Callable[[int, int], bytes]:
    """What the sweep makes of counters: one less for every so many minutes; 0: they stay."""
    period = minutes * 60

    def aging(since: int, now: int) -> bytes:
        periods = min(255, now // period - since // period) if period else 0
        return bytes(max(0, counter - periods) for counter in range(256))

    return aging


def unchanging(since: int, now: int) -> bytes:
    """In cache mode visits count, not seconds."""
    return UNCHANGED


# Which slots of a segment go, the first first. ``slots`` may go, at most ``most`` of them.


def least_recently_used(segment: SegmentView, slots: Slots, most: int) -> Slots:
    """The greatest ages. O(slots)."""
    return sorted(slots, key=segment.ages.__getitem__, reverse=True)[:most]


def least_frequently_used(segment: SegmentView, slots: Slots, most: int) -> Slots:
    """The smallest counters. O(slots)."""
    return sorted(slots, key=segment.ages.__getitem__)[:most]


def soonest_to_expire(segment: SegmentView, slots: Slots, most: int) -> Slots:
    """The nearest deadlines. O(slots log slots)."""
    return sorted(slots, key=segment.deadline)[:most]


def worth_least_to_cache(segment: SegmentView, most: int, older: bytes) -> Slots:
    """A visit in cache mode: records move between the queues, and all become ``older``. O(slots)."""
    ages, fingerprints = segment.ages, segment.fingerprints
    levels = bytes(compress(ages, fingerprints))
    on_probation = len(levels.translate(None, IN_MAIN))
    keep = len(levels) // PROBATION_SHARE
    probation = _in_order(ages, fingerprints, PROBATION_ORDER)
    main = _in_order(ages, fingerprints, MAIN_ORDER)
    going: dict[int, None] = {}
    # Each look takes a use from a record, or a record off.
    looks = 8 * len(levels) + most
    while len(going) < most and looks > 0:
        looks -= 1
        slot = next(probation, -1) if on_probation > keep else -1
        if slot >= 0:
            on_probation -= 1
            if ages[slot] & USES >= PROVEN:
                ages[slot] = 0
            else:
                going[slot] = None
            continue
        slot = next(main, -1)
        if slot < 0:
            if on_probation <= 0:
                break
            keep = 0
            main = _in_order(ages, fingerprints, MAIN_ORDER)
        elif ages[slot] >= USE:
            ages[slot] = (ages[slot] & USES) - USE
        else:
            going[slot] = None
    ages[:] = ages.translate(older)
    segment.ages = ages
    return list(going)


def _in_order(ages: bytearray, fingerprints: bytearray, order: bytes) -> Iterator[int]:
    """The slots on these levels, level by level, with those that come to a later level meanwhile."""
    find = ages.find
    for level in order:
        slot = find(level)
        while slot >= 0:
            if fingerprints[slot]:
                yield slot
            slot = find(level, slot + 1)


class Evictor:
    """Takes records out of one shard.

    Attributes:
        policy: how it chooses.
        pending: (database, key, level) of records that were chosen at the last visit and did not have to go
            yet, the first last. A record that was used since stays.

    The hand, ``_db`` and ``_position``, goes through all segments of all databases.
    """

    __slots__ = (
        "_aging",
        "_choose",
        "_db",
        "_fresh",
        "_passes",
        "_position",
        "_share",
        "pending",
        "policy",
        "shard",
    )

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.policy = policy_named(NO_EVICTION)
        self.pending: list[tuple[int, bytes, int]] = []
        self._choose: Callable[[SegmentView, Slots, int], Slots] = least_recently_used
        self._fresh = 0
        self._aging: Callable[[int, int], bytes] = translation
        self._db = 0
        self._position = 0
        self._passes = 0
        self._share = CACHE_SHARE

    def follow(self, name: str, samples: int, log_factor: int, decay_time: int) -> None:
        """Take over what the configuration says; where the bytes mean something else now they begin anew.

        Args:
            name: of the policy.
            samples, log_factor, decay_time: Redis's `maxmemory-samples`, `lfu-log-factor`, `lfu-decay-time`.

        O(1); O(segments) if the bytes change.
        """
        shard = self.shard
        before, self.policy = self.policy.kind, policy_named(name)
        kind = self.policy.kind
        self._share = CACHE_SHARE if kind == CACHE else SHARE_PER_SAMPLE * samples
        self._choose = {
            "lfu": least_frequently_used,
            "ttl": soonest_to_expire,
            "random": self._any,
            CACHE: self._for_cache,
        }.get(kind, least_recently_used)
        self._fresh = {"lfu": LFU_INITIAL, CACHE: PROBATION}.get(kind, 0)
        self._aging = {"lfu": decay(decay_time), CACHE: unchanging}.get(kind, translation)
        shard.frequencies = Frequencies(shard, log_factor) if kind == "lfu" else None
        if kind != "lfu":
            shard.uses[:] = CACHE_USES if kind == CACHE else bytes(256)
        begin_anew = kind != before and bool({kind, before} & {"lfu", CACHE})
        if begin_anew:
            self.pending.clear()
        for db in shard.dbs:
            self.prepare(db.table)
            if begin_anew:
                db.table.reset_levels(0 if kind == CACHE else self._fresh)

    def prepare(self, table: Any) -> None:
        """Let a table keep its bytes as the policy wants them. O(1)."""
        table.fresh = self._fresh
        table.known = 0 if self.policy.kind == CACHE else self._fresh
        table.aging = self._aging

    def evict(self, goal: int, most_visits: int, in_use: Callable[[int], bool] | None) -> tuple[int, bool]:
        """Take records out until so many bytes are free.

        Args:
            goal: bytes, of the shard's own account.
            most_visits: segments to visit at most: 20 to 50 us each.
            in_use: whether a transaction wants the key with this hash; such a record stays. None: none does.

        Returns:
            (bytes freed, whether there may be more to take).
        """
        if not self.policy.kind:
            return 0, False
        # Added up record by record: to ask the account of all databases each time took longer than to evict.
        freed = 0
        while freed < goal:
            if self.pending:
                freed += self._take(in_use)
            elif most_visits <= 0:
                return freed, True
            else:
                most_visits -= 1
                if not self._visit_next():
                    return freed, False
        return freed, True

    def _take(self, in_use: Callable[[int], bool] | None) -> int:
        """Evict the next of those that were chosen, unless it was used since; the bytes that this freed."""
        index, key, level = self.pending.pop()
        shard = self.shard
        h = shard.hash_key(key)
        db = shard.dbs[index]
        if in_use is not None and in_use(h):
            return 0
        table = db.table
        if table.level(key, h) != level:
            return 0
        before = db.used + table.memory_usage()
        db.evict(key, h)
        return before - db.used - int(table.memory_usage())

    def _visit_next(self) -> bool:
        """Choose at the next segment that has anything to choose from. False: there is none at all."""
        dbs = self.shard.dbs
        volatile = self.policy.volatile
        for _ in range(len(dbs) + 1):
            table = dbs[self._db].table
            if table.expiring if volatile else len(table):
                while True:
                    segment, self._position = table.segment(self._position)
                    self._choose_from(segment)
                    if not self._position:
                        break
                    if self.pending:
                        return True
            self._db = (self._db + 1) % len(dbs)
            self._position = 0
            self._passes += self._db == 0
            if self.pending:
                return True
        return False

    def _choose_from(self, segment: SegmentView) -> None:
        slots: Slots = []
        if self.policy.kind == CACHE:
            # Which goes by levels, and needs no list of the slots.
            count = segment.count
        else:
            slots = segment.expiring_slots() if self.policy.volatile else segment.slots()
            count = len(slots)
        if not count:
            return
        most = max(1, count // self._share)
        chosen = self._choose(segment, slots, most)
        key, ages = segment.key, segment.ages
        if self.policy.kind == CACHE:
            hash_key = self.shard.hash_key
            for slot in chosen:
                segment.remember(slot, hash_key(key(slot)))
        db = self._db
        self.pending = [(db, key(slot), ages[slot]) for slot in reversed(chosen)]

    def _for_cache(self, segment: SegmentView, slots: Slots, most: int) -> Slots:
        older = PROBATION_OLDER if self._passes % PASSES else ALL_OLDER
        return worth_least_to_cache(segment, most, older)

    def _any(self, segment: SegmentView, slots: Slots, most: int) -> Slots:
        return self.shard.random.sample(slots, most)
