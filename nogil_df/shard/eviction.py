"""Which records go when memory runs out: Redis's policies and the cache mode, over one byte a record.

Every slot of a table has a byte that says how its record was used (``ages`` of
`nogil_df.shard.dash_segment`), and a use is one look-up in a map of bytes. So a policy is data for the hot
path: that map, and the byte of a new record. What it costs beyond that is paid when something is evicted.

Eviction visits one segment after the other, like the hand of a clock. At each visit it picks the few records
of the segment that are worth least. A segment is a sample of the keys, drawn by their hash, of up to 840
records. To take the worst twentieth of that is a better choice than to take the worst of the five that Redis
draws for each eviction, and looking at 840 bytes in one go costs less than five draws.

``lru``     the byte is an age (`nogil_df.shard.ages`): the greatest go.
``lfu``     the byte is Redis's logarithmic counter c. A use adds one with a probability of
            1 / (lfu-log-factor * (c - 5) + 1): the map of uses is drawn anew for each turn of the loop
            (`Frequencies`). The sweep that moves ages on takes off one for each ``lfu-decay-time``.
``random``  any.
``ttl``     those that expire first.
``cache``   cache mode, after S3-FIFO (Yang et al., SOSP 2023): two queues, of which the order is kept in the
            byte (`nogil_df.shard.choice`): probation, uses, visits since it entered its queue. New
            records are on probation, which holds a twentieth of the segment: used less than twice
            there, they go; else they move over. The oldest of the others go as well, unless they were used:
            then they stay, with one use less. A key that went not long ago has left a ghost, 16 bits of
            its hash, in its bucket; when it comes back it needs no probation.

Dragonfly orders the slots of a bucket by rank, and moves a record up when it is used. Moving costs more than
counting, and what a bucket of 14 knows of the popularity of keys is little: see docs/cache-mode.md for
figures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nogil_df.shard.ages import translation
from nogil_df.shard.choice import CACHE_KIND, CACHE_USES, LFU, LRU, PROBATION, RANDOM, TTL, Chosen
from nogil_df.shard.dash_segment import SEGMENT_SLOTS
from nogil_df.shard.table import visit

if TYPE_CHECKING:
    from nogil_df.shard.shard import Shard

NO_EVICTION: Final = "noeviction"
CACHE: Final = "cache"
"""The policy of cache mode; not one of Redis's."""

LFU_INITIAL: Final = 5
"""The counter of a new record, as in Redis: or it would go before it can be used."""

SHARE_PER_SAMPLE: Final = 4
"""One record in four times `maxmemory-samples` goes at each visit: one in 20 by default. The worst twentieth
of a segment are all worse than the median of what "the worst of five drawn at random" gives."""

CACHE_SHARE: Final = 100
"""In cache mode one record in 100 goes at each visit, see `nogil_df.shard.choice`."""

PASSES: Final = 8
"""Passes of the hand that make a record in the main queue of the cache mode one visit older."""

SHIFT: Final = 347
"""Slots by which the order of choice is moved on with each pass: a prime, 0.41 of a segment. Else the
same slots would always be those whose records live long. In cache mode they may: a loop that is longer than
the cache wants that (47.9 hits in 100, moved on 47.1); the other mixes of `bench.hitrate` are as well off.
"""

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

    __slots__ = ("factor", "random", "upto", "uses")

    def __init__(self, shard: Shard, factor: int) -> None:
        self.factor = factor
        self.random = shard.random.random
        self.uses = shard.uses
        self.upto = -1
        self.step()

    def step(self) -> None:
        """Draw for the next turn. O(1)."""
        upto = 255
        if self.factor:
            drawn = max(self.random(), 1e-9)
            upto = min(255, LFU_INITIAL + 1 + int((1 / drawn - 1) / self.factor))
        if upto != self.upto:
            self.upto = upto
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


class Evictor:
    """Takes records out of one shard.

    Attributes:
        policy: how it chooses.
        pending: (key, level) of records that were chosen at the last visit and did not have to go yet, the
            first last. A record that was used since stays.

    The hand, ``_db`` and ``_position``, goes through all segments of all databases; ``_pending_db`` is where
    it was when it chose.
    """

    __slots__ = (
        "_aging",
        "_db",
        "_first",
        "_fresh",
        "_passes",
        "_pending_db",
        "_position",
        "_share",
        "_way",
        "pending",
        "policy",
        "shard",
    )

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.policy = policy_named(NO_EVICTION)
        self.pending: Chosen = []
        self._way = LRU
        self._fresh = 0
        self._aging: Callable[[int, int], bytes] = translation
        self._db = 0
        self._pending_db = 0
        self._position = 0
        self._passes = 0
        # The slot at which the order of choice begins.
        self._first = 0
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
        self._way = {"lfu": LFU, "ttl": TTL, "random": RANDOM, CACHE: CACHE_KIND}.get(kind, LRU)
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
            most_visits: segments to visit at most: 3 to 5 us each, 50 to 100 in pure Python.
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
                freed += self._take(goal - freed, in_use)
            elif most_visits <= 0:
                return freed, True
            else:
                visits, gone = self._visit_next(goal - freed, most_visits, in_use)
                if not visits:
                    return freed, False
                most_visits -= visits
                freed += gone
        return freed, True

    def _take(self, goal: int, in_use: Callable[[int], bool] | None) -> int:
        """Evict some of those that were chosen, unless they were used since; the bytes that this freed."""
        shard = self.shard
        db = shard.dbs[self._pending_db]
        table = db.table
        pending = self.pending
        freed = 0
        if not db.observed:
            # Nobody has to be told of any of them.
            freed, evicted = table.evict_strings(pending, goal, in_use)
            shard.evicted += evicted
            if freed >= goal or not pending:
                return freed
        key, level = pending.pop()
        h = shard.hash_key(key)
        if (in_use is not None and in_use(h)) or table.level(key, h) != level:
            return freed
        before = db.used + table.memory_usage()
        db.evict(key, h)
        return freed + before - db.used - int(table.memory_usage())

    def _visit_next(self, goal: int, most: int, in_use: Callable[[int], bool] | None) -> tuple[int, int]:
        """Choose at the next segments that have anything to choose from.

        A table that can evicts what it chooses itself, as long as nobody has to be told; the rest is pending.

        Returns:
            (segments visited, bytes freed); no segments: there is nothing to take at all.
        """
        shard = self.shard
        dbs = shard.dbs
        volatile = self.policy.volatile
        for _ in range(len(dbs) + 1):
            db = dbs[self._db]
            table = db.table
            self._pending_db = self._db
            visits = freed = 0
            if table.expiring if volatile else len(table):
                while True:
                    self._position, self.pending, freed, evicted, visits = visit(
                        table,
                        self._position,
                        self._way,
                        volatile,
                        self._share,
                        self._passes % PASSES == 0,
                        self._first,
                        shard.hash_key,
                        shard.random.sample,
                        0 if db.observed else goal,
                        most,
                        in_use,
                    )
                    shard.evicted += evicted
                    if not self._position:
                        break
                    if visits:
                        return visits, freed
            self._db = (self._db + 1) % len(dbs)
            self._position = 0
            if self._db == 0:
                self._passes += 1
                self._first = 0 if self._way == CACHE_KIND else self._passes * SHIFT % SEGMENT_SLOTS
            if visits:
                return visits, freed
        return 0, 0
