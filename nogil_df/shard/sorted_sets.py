"""The value of a sorted set: a Python dict from member to score, and beside it the members in order.

Members are `bytes` and scores floats that the shard's thread made; dict and order hold the same objects.
The dict answers ZSCORE in one look-up, the order (`nogil_df.shard.score_order`) everything about ranks and
ranges. There is one form for all sizes: a set of a few members has an order of one bucket, which is as lean
as it can be.

``encoding`` follows Redis 7.2 and later: "listpack" while members are few and short, "skiplist" from then
on, and never back. ``room`` and ``longest`` say when adding one member needs no second look: with fewer
than ``room`` members before it, a new one of at most ``longest`` bytes changes neither the encoding nor the
size of Python's dict. As a consequence a changed `zset-max-listpack-*` may reach a set some members late.

An index (`nogil_df.shard.member_index`) is made when a big set is first traversed by ZSCAN, whose cursor
has to survive changes of the order, and lives as long as the set.
"""

from __future__ import annotations

from bisect import bisect_left
from math import inf
from random import Random
from sys import getsizeof
from typing import TYPE_CHECKING, Final

from nogil_df.shard import digest
from nogil_df.shard.member_index import BYTES_PER_MEMBER, MemberIndex
from nogil_df.shard.memory import BYTES_OVERHEAD, ROUNDING
from nogil_df.shard.score_order import LIMIT, Members, ScoreOrder, Scores

if TYPE_CHECKING:
    from nogil_df.shard.limits import EncodingLimits

LISTPACK: Final = b"listpack"
SKIPLIST: Final = b"skiplist"

ANY_LENGTH: Final = 1 << 62

LOWEST: Final = -inf
HIGHEST: Final = inf

FREED_BUCKETS: Final = 4
"""Buckets whose members are freed at a time: about 0.1 ms."""

PLACE: Final = 24
"""Bytes an entry takes in the two lists of the order, what they have in reserve included."""

ENTRY_OVERHEAD: Final = BYTES_OVERHEAD + getsizeof(0.5) + PLACE
"""What a member takes beside its own bytes and its place in the dict."""

GROWTH: Final = tuple((2 << power) // 3 for power in range(3, 48))
"""Entries that CPython's dicts of 8, 16, 32... slots have room for (Objects/dictobject.c)."""


class SortedSetValue:
    """A sorted set. The caller accounts for what it changes: `Keyspace.resized` with ``memory``.

    Attributes:
        scores: member -> score; never empty while it is stored.
        order: the members in order.
        memory: bytes it takes, its members included.
        room, longest: see the module's text; ``room`` is 0 when every new member must go through `add`.
        index: the index, if one was asked for.
    """

    __slots__ = ("encoding", "index", "longest", "memory", "order", "room", "scores", "table_size")

    type_name = b"zset"
    type_number = 3

    def __init__(self, limits: EncodingLimits) -> None:
        self.scores: dict[bytes, float] = {}
        self.order = ScoreOrder()
        self.encoding = LISTPACK
        self.index: MemberIndex | None = None
        self.table_size = EMPTY
        self.memory = VALUE_OVERHEAD + EMPTY
        self.room = 0
        self.longest = limits.zset_max_listpack_value

    @classmethod
    def of(cls, scores: dict[bytes, float], limits: EncodingLimits) -> SortedSetValue:
        """A value that takes a dict over as its own; its encoding as if it had just been made. O(n log n)."""
        value = cls(limits)
        value.scores = scores
        value.expect(len(scores), max(map(len, scores), default=0), limits)
        if value.encoding is LISTPACK:
            for member, score in scores.items():
                if not score:
                    scores[member] = 0.0
        value.order = ScoreOrder.of(scores)
        value.memory += ENTRY_OVERHEAD * len(scores) + sum(map(len, scores))
        value._measure(limits)
        return value

    @classmethod
    def of_sorted(
        cls, scores: dict[bytes, float], order: ScoreOrder, limits: EncodingLimits
    ) -> SortedSetValue:
        """`of` for very many members whose order is made already; the caller adds what they take to
        ``memory``. O(1)."""
        value = cls(limits)
        value.scores = scores
        value.order = order
        value._to_skiplist()
        value._measure(limits)
        return value

    def __len__(self) -> int:
        return len(self.scores)

    # Changing.

    def expect(self, count: int, longest: int, limits: EncodingLimits) -> None:
        """Let go of the compact encoding ahead of so many additions, one of them so long, as Redis does."""
        if self.encoding is LISTPACK and (
            count > limits.zset_max_listpack_entries or longest > limits.zset_max_listpack_value
        ):
            self._to_skiplist()

    def _to_skiplist(self) -> None:
        self.encoding = SKIPLIST
        self.longest = ANY_LENGTH

    def add(self, member: bytes, score: float, limits: EncodingLimits) -> None:
        """Add a member that is not there. O(log n)."""
        scores = self.scores
        if len(scores) >= self.room or len(member) > self.longest:
            self.expect(len(scores) + 1, len(member), limits)
            if not score:
                score = self._zero(score)
            scores[member] = score
            if self.index is not None:
                self.index.add(member)
                self.memory += BYTES_PER_MEMBER
            self._measure(limits)
        else:
            if not score:
                score = self._zero(score)
            scores[member] = score
        self.order.insert(score, member)
        self.memory += ENTRY_OVERHEAD + len(member)

    def _zero(self, score: float) -> float:
        """How a score of 0 is stored: a listpack of Redis's has no -0."""
        return 0.0 if self.encoding is LISTPACK else score

    def move(self, member: bytes, old: float, new: float) -> None:
        """Give a member that is there another score. O(log n)."""
        if not new:
            new = self._zero(new)
        self.scores[self.order.move(old, new, member)] = new

    def remove(self, member: bytes) -> bool:
        """Remove a member; False if it is not there. O(log n)."""
        if member not in self.scores:
            return False
        self.order.remove(self.scores.pop(member), member)
        self.memory -= ENTRY_OVERHEAD + len(member)
        # The place in Python's dict stays taken until the dict is made anew.
        self.room -= 1
        if self.index is not None:
            self.index.remove(member)
            self.memory -= BYTES_PER_MEMBER
        return True

    def take(self, start: int, stop: int) -> tuple[Members, Scores]:
        """Remove the members of ranks from ``start`` up to ``stop``, which are there; these and their scores.

        O(log n + members).
        """
        members, values = self.order.take(start, stop)
        scores = self.scores
        index = self.index
        if index is not None and len(members) > len(scores) // 8:
            # Cheaper made anew, if it is asked for again.
            index = self.index = None
            self.memory -= BYTES_PER_MEMBER * len(scores)
        for member in members:
            del scores[member]
        if index is not None:
            for member in members:
                index.remove(member)
            self.memory -= BYTES_PER_MEMBER * len(members)
        self.memory -= ENTRY_OVERHEAD * len(members) + sum(map(len, members))
        self.room -= len(members)
        return members, values

    def _measure(self, limits: EncodingLimits) -> None:
        """Account for Python's dict, and find out how long nothing needs to be looked at."""
        size = getsizeof(self.scores)
        self.memory += size - self.table_size
        self.table_size = size
        if self.index is not None:
            self.room = 0
            return
        self.room = GROWTH[bisect_left(GROWTH, len(self.scores))]
        if self.encoding is LISTPACK:
            self.room = min(self.room, limits.zset_max_listpack_entries)
            self.longest = limits.zset_max_listpack_value

    # Ranks and ranges. A range is (start, stop): ranks from start up to stop.

    def rank(self, member: bytes, score: float) -> int:
        """The rank of a member that is there, from 0. O(log n)."""
        return self.order.rank(score, member)

    def by_rank(self, start: int, stop: int) -> tuple[int, int]:
        """The range from one rank to another one, that included; negative ones count from the end. O(1)."""
        size = len(self.scores)
        if start < 0:
            start = max(0, start + size)
        if stop < 0:
            stop += size
        stop = min(stop, size - 1) + 1
        return start, max(start, stop)

    def by_score(self, bounds: ScoreBounds) -> tuple[int, int]:
        """The range of members whose score is within bounds. O(log n)."""
        low, high, above, below = bounds
        order = self.order
        start, stop = 0, len(self.scores)
        if above:
            start = order.up_to(low)
        elif low != LOWEST:
            start = order.below(low)
        if below:
            stop = order.below(high)
        elif high != HIGHEST:
            stop = order.up_to(high)
        return start, max(start, stop)

    def between(self, bounds: ScoreBounds, offset: int, limit: int, reverse: bool) -> tuple[Members, Scores]:
        """The members whose score is within bounds, and their scores: see `ScoreOrder.between`."""
        low, high, above, below = bounds
        order = self.order
        begin = order.seek(low, above) if above or low != LOWEST else (0, 0)
        if below or high != HIGHEST:
            end = order.seek(high, not below)
        else:
            end = len(order.members) - 1, len(order.members[-1])
        return order.between(begin, end, offset, limit, reverse)

    def by_member(self, bounds: MemberBounds) -> tuple[int, int]:
        """The range of members within bounds.

        As in Redis this makes sense where all scores are the same: then it is O(log n). In a compact set of
        several scores it is what Redis finds in its listpack: it begins with the first member in order that
        is not below the bounds, and ends with the first one above them. O(members) of a compact set.
        """
        if bounds.is_empty:
            return 0, 0
        order = self.order
        if self.encoding is LISTPACK:
            members = order.span(0, len(self.scores))
            start = 0
            while start < len(members) and not bounds.not_below(members[start]):
                start += 1
            stop = start
            while stop < len(members) and bounds.not_above(members[stop]):
                stop += 1
            return start, stop
        start = 0 if bounds.low is None else order.members_below(bounds.low, included=bounds.above)
        if bounds.high is None:
            return start, len(self.scores)
        return start, max(start, order.members_below(bounds.high, included=not bounds.below))

    # Members at random, traversal.

    def random(self, source: Random) -> bytes:
        """A member, each as likely as any other. O(log n)."""
        return self.order.at(int(source.random() * len(self.scores)))[0]

    def sample(self, count: int, source: Random) -> Members:
        """So many different members, fewer than there are. O(count log n), O(n) for a good part of them."""
        size = len(self.scores)
        if count * 3 > size:
            return source.sample(self.order.span(0, size), count)
        at = self.order.at
        return [at(rank)[0] for rank in source.sample(range(size), count)]

    def scan(self, cursor: int) -> tuple[int, Members]:
        """One step of a traversal: see `MemberIndex.scan`; a compact set comes in one step."""
        if self.encoding is LISTPACK:
            return 0, self.order.span(0, len(self.scores))
        index = self.index
        if index is None:
            index = self.index = MemberIndex(self.scores)
            self.memory += BYTES_PER_MEMBER * len(self.scores)
            self.room = 0
        return index.scan(cursor)

    # What any value has.

    def copy(self) -> SortedSetValue:
        """A copy that shares nothing with this one. O(n)."""
        return self.around(*self.order.copy())

    def around(self, order: ScoreOrder, scores: dict[bytes, float]) -> SortedSetValue:
        """A copy of all but the members, around such as were copied already. O(1)."""
        copied = SortedSetValue.__new__(SortedSetValue)
        copied.order, copied.scores = order, scores
        copied.encoding = self.encoding
        copied.index = None
        copied.room = 0
        copied.longest = self.longest
        copied.table_size = getsizeof(copied.scores)
        index = BYTES_PER_MEMBER * len(self.scores) if self.index is not None else 0
        copied.memory = self.memory - index + copied.table_size - self.table_size
        return copied

    def digest(self, begun: bytes) -> bytes:
        """The digest of members and scores, for DEBUG DIGEST; scores in 17 digits, as Redis 7.0. O(n)."""
        for member, score in self.scores.items():
            element = digest.chain(digest.chain(digest.ZEROS, member), b"%.17g" % score)
            begun = digest.blend(begun, element)
        return begun

    def free_step(self, budget: int) -> int:
        """Let go of up to ``budget`` times `FREED_BUCKETS` buckets of a set that was erased; how many times.

        See `Shard.dispose`.
        """
        used = 0
        scores = self.scores
        while scores and used < budget:
            used += 1
            if self.index is not None:
                if not self.index.drop(FREED_BUCKETS * LIMIT):
                    self.index = None
                continue
            for member in self.order.drop(FREED_BUCKETS):
                del scores[member]
        return used

    @property
    def serialized_length(self) -> int:
        """Bytes in an RDB file, more or less: every member with its length, every score. O(n)."""
        return 1 + sum(len(member) + 9 for member in self.scores)

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError. O(n)."""
        scores = self.scores
        assert scores
        self.order.verify()
        members = self.order.span(0, len(scores))
        values = self.order.scores_of(0, len(scores))
        assert dict(zip(members, values, strict=True)) == scores
        stored = {id(member) for member in scores}
        assert all(id(member) in stored for member in members)
        index = BYTES_PER_MEMBER * len(scores) if self.index is not None else 0
        payload = ENTRY_OVERHEAD * len(scores) + sum(map(len, scores))
        assert self.memory == VALUE_OVERHEAD + self.table_size + payload + index
        if self.index is not None:
            self.index.verify(scores)


EMPTY: Final = getsizeof({})
"""A dict that never held anything."""

VALUE_OVERHEAD: Final = (
    getsizeof(SortedSetValue.__new__(SortedSetValue))
    + getsizeof(ScoreOrder.__new__(ScoreOrder))
    + 6 * getsizeof([])
    + 5 * ROUNDING
)
"""The value, its order with the lists in it, and what the allocator adds."""

ScoreBounds = tuple[float, float, bool, bool]
"""Lowest and highest score, and whether what is equal to the one and to the other is left out."""


class MemberBounds:
    """Bounds on members, compared byte by byte.

    Attributes:
        low, high: None for no bound.
        above, below: whether the bound itself is left out.
        is_empty: nothing is within them, whatever the set holds.
    """

    __slots__ = ("above", "below", "high", "is_empty", "low")

    def __init__(
        self, low: bytes | None, above: bool, high: bytes | None, below: bool, *, is_empty: bool = False
    ) -> None:
        self.low = low
        self.high = high
        self.above = above
        self.below = below
        if low is not None and high is not None:
            is_empty = is_empty or low > high or (low == high and (above or below))
        self.is_empty = is_empty

    def not_below(self, member: bytes) -> bool:
        """Whether a member keeps the lower bound. O(length)."""
        low = self.low
        return low is None or (member > low if self.above else member >= low)

    def not_above(self, member: bytes) -> bool:
        """Whether a member keeps the upper bound. O(length)."""
        high = self.high
        return high is None or (member < high if self.below else member <= high)


def own_scores(scores: dict[bytes, float]) -> dict[bytes, float]:
    """A copy of members and scores, all objects of which this thread made (see `memory.own`). O(n)."""
    return {b"%b" % member: score * 1.0 for member, score in scores.items()}
