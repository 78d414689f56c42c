"""The members of a sorted set in their order: by score, and where scores are equal by the members' bytes.

Two lists go side by side, one of scores and one of members, cut into buckets of at most `LIMIT`. Two lists
of plain floats and bytes rather than one of pairs: `bisect` compares floats several times as fast as tuples,
there is no tuple to make and to keep, and a slice of a range is what a reply is made of.

A place in the order is a rank. The rank of a bucket is a sum over all buckets before it; beside the buckets
stand the sums of each 32 of them, the sums of each 32 of these, and so on, so that ranks and what has them
are found in logarithmic time. These sums are made when they are first asked for, kept while members come
and go, and dropped when the number of buckets changes: making them anew takes some microseconds for a
million members.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import Any, Final

LIMIT: Final = 256
"""Most members of a bucket. Measured: fewer make more buckets, more take longer to insert into."""

SPARSE: Final = LIMIT // 4
"""A bucket with fewer is joined to a neighbour, if the two leave room."""

ROOMY: Final = LIMIT * 3 // 4
"""Most members of a bucket that was joined of two."""

FAN: Final = 5
"""Bits of the number of entries that are summed up together."""

GROUP: Final = 1 << FAN
MASK: Final = -GROUP

insert = list.insert

Members = list[bytes]
Scores = list[float]


def cut(members: list[bytes], scores: dict[bytes, float]) -> tuple[list[list[bytes]], list[list[float]]]:
    """Buckets of members that are in order, and of their scores. O(members)."""
    values = [scores[member] for member in members]
    size = LIMIT if len(members) <= LIMIT else ROOMY
    cuts = range(0, len(members), size)
    return [members[at : at + size] for at in cuts], [values[at : at + size] for at in cuts]


def by_score(scores: dict[bytes, float]) -> list[bytes]:
    """Members in the order of their scores, equal ones by their bytes. O(n log n)."""
    members = sorted(scores)
    members.sort(key=scores.__getitem__)
    return members


by_score_slowly = by_score
try:
    from nogil_df.shard._ordering import by_score as by_score
except ImportError:
    by_score = by_score_slowly


class ScoreOrder:
    """Members by score.

    Attributes:
        members, scores: the buckets, side by side.
        last_members, last_scores: the last entry of each bucket; only kept while there are several buckets.
        sums: numbers of members of each 32 buckets, of each 32 of these and so on, down to less than 32
            numbers; None if they have to be made.

    Invariants: no bucket is empty, unless it is the only one; (score, member) ascends, no two are the same.
    """

    __slots__ = ("last_members", "last_scores", "members", "scores", "sums")

    def __init__(self) -> None:
        self.members: list[Members] = [[]]
        self.scores: list[Scores] = [[]]
        self.last_members: Members = []
        self.last_scores: Scores = []
        self.sums: list[list[int]] | None = None

    @classmethod
    def of(cls, scores: dict[bytes, float]) -> ScoreOrder:
        """The order of these members. O(n log n)."""
        order = cls()
        members = by_score(scores)
        if not members:
            return order
        order.take_over(*cut(members, scores))
        return order

    def take_over(self, members: list[list[bytes]], scores: list[list[float]]) -> None:
        """Take buckets in, which are in order, where there was nothing. O(buckets)."""
        self.members = members
        self.scores = scores
        self._note_ends()

    def copy(self) -> tuple[ScoreOrder, dict[bytes, float]]:
        """A copy whose members and scores this thread made, and the scores by member. O(n)."""
        copied = ScoreOrder()
        copied.members = [[b"%b" % member for member in bucket] for bucket in self.members]
        copied.scores = [[score * 1.0 for score in bucket] for bucket in self.scores]
        if len(copied.members) > 1:
            copied._note_ends()
        scores: dict[bytes, float] = {}
        for members, values in zip(copied.members, copied.scores, strict=True):
            scores.update(zip(members, values, strict=True))
        return copied, scores

    def _note_ends(self) -> None:
        self.last_members = [bucket[-1] for bucket in self.members]
        self.last_scores = [bucket[-1] for bucket in self.scores]

    # Adding and removing.

    def insert(self, score: float, member: bytes) -> None:
        """Add a member that is not there. O(log n)."""
        buckets = self.members
        at = self._bucket(score, member) if len(buckets) > 1 else 0
        members = buckets[at]
        scores = self.scores[at]
        size = len(scores)
        place = bisect_left(scores, score)
        if place < size and scores[place] == score:
            place = bisect_left(members, member, place, bisect_right(scores, score, place))
        insert(scores, place, score)
        insert(members, place, member)
        if size >= LIMIT:
            self._split(at, place == size)
        elif len(buckets) > 1:
            if place == size:
                self.last_members[at] = member
                self.last_scores[at] = score
            if self.sums:
                for level in self.sums:
                    at >>= FAN
                    level[at] += 1

    def remove(self, score: float, member: bytes) -> bytes:
        """Remove a member that is there. O(log n).

        Returns:
            The member, as the object that was stored.
        """
        buckets = self.members
        at = self._bucket(score, member) if len(buckets) > 1 else 0
        members = buckets[at]
        scores = self.scores[at]
        place = bisect_left(scores, score)
        stored = members[place]
        if stored != member:
            place = bisect_left(members, member, place, bisect_right(scores, score, place))
            stored = members[place]
        self._delete(at, place)
        return stored

    def _delete(self, at: int, place: int) -> None:
        """Remove the entry at a place of a bucket. O(log n)."""
        members = self.members[at]
        scores = self.scores[at]
        del members[place], scores[place]
        if len(self.members) == 1:
            return
        size = len(members)
        if size < SPARSE:
            self._shrunk(at, 1)
            return
        if place == size:
            self.last_members[at] = members[-1]
            self.last_scores[at] = scores[-1]
        if self.sums:
            for level in self.sums:
                at >>= FAN
                level[at] -= 1

    def move(self, old: float, new: float, member: bytes) -> bytes:
        """Give a member that is there another score. O(log n).

        Most moves are short: within a bucket neither its end nor the sums change.

        Returns:
            The member, as the object that was stored.
        """
        buckets = self.members
        at = self._bucket(old, member) if len(buckets) > 1 else 0
        members = buckets[at]
        scores = self.scores[at]
        place = bisect_left(scores, old)
        stored = members[place]
        if stored != member:
            place = bisect_left(members, member, place, bisect_right(scores, old, place))
            stored = members[place]
        if place + 1 < len(scores) and scores[0] < new < scores[-1]:
            del members[place], scores[place]
            place = bisect_left(scores, new)
            if scores[place] == new:
                place = bisect_left(members, stored, place, bisect_right(scores, new, place))
            insert(scores, place, new)
            insert(members, place, stored)
        else:
            self._delete(at, place)
            self.insert(new, stored)
        return stored

    def _bucket(self, score: float, member: bytes) -> int:
        """The bucket that has, or gets, an entry; there are several. O(log n)."""
        ends = self.last_scores
        at = bisect_left(ends, score)
        if at == len(ends):
            return at - 1
        if ends[at] == score:
            at = bisect_left(self.last_members, member, at, bisect_right(ends, score, at))
            if at == len(ends):
                return at - 1
        return at

    def _split(self, at: int, appended: bool) -> None:
        """Make two buckets of one that is too full.

        What grows at its end goes on growing there: such a bucket stays full, and the new one gets one entry.
        """
        members, scores = self.members[at], self.scores[at]
        half = LIMIT if appended and at == len(self.members) - 1 else LIMIT // 2
        self.members.insert(at + 1, members[half:])
        self.scores.insert(at + 1, scores[half:])
        del members[half:], scores[half:]
        self.sums = None
        if len(self.members) == 2:
            self._note_ends()
            return
        self.last_members.insert(at, members[-1])
        self.last_scores.insert(at, scores[-1])
        self.last_members[at + 1] = self.members[at + 1][-1]
        self.last_scores[at + 1] = self.scores[at + 1][-1]

    def _shrunk(self, at: int, lost: int) -> None:
        """Put right what stands beside a bucket that lost entries; join it to a neighbour if it fits."""
        buckets, scores = self.members, self.scores
        if not buckets[at]:
            self.sums = None
            if len(buckets) > 1:
                del buckets[at], scores[at], self.last_members[at], self.last_scores[at]
            return
        if len(buckets) == 1:
            return
        self.last_members[at] = buckets[at][-1]
        self.last_scores[at] = scores[at][-1]
        if len(buckets[at]) < SPARSE:
            first = at - 1 if at + 1 == len(buckets) else at
            if len(buckets[first]) + len(buckets[first + 1]) <= ROOMY:
                buckets[first] += buckets.pop(first + 1)
                scores[first] += scores.pop(first + 1)
                del self.last_members[first], self.last_scores[first]
                self.sums = None
        if self.sums:
            for level in self.sums:
                at >>= FAN
                level[at] -= lost

    def take(self, start: int, stop: int) -> tuple[Members, Scores]:
        """Remove the entries of ranks from ``start`` up to ``stop``, which are there. O(log n + entries)."""
        members: Members = []
        scores: Scores = []
        left = stop - start
        if not left:
            return members, scores
        first, place = self.locate(start)
        at = first
        lost: list[int] = []
        while left:
            bucket, values = self.members[at], self.scores[at]
            end = min(len(bucket), place + left)
            members += bucket[place:end]
            scores += values[place:end]
            del bucket[place:end], values[place:end]
            lost.append(end - place)
            left -= lost[-1]
            place = 0
            at += 1
        # Of the buckets that lost entries only the first and the last can have some left.
        if at - first > 2:
            whole = slice(first + 1, at - 1)
            del self.members[whole], self.scores[whole], self.last_members[whole], self.last_scores[whole]
            self.sums = None
        if at - first > 1:
            self._shrunk(first + 1, lost[-1])
        self._shrunk(first, lost[0])
        return members, scores

    def drop(self, buckets: int) -> Members:
        """Let go of some buckets of an order that is out of use; the members they had. O(members)."""
        gone = self.members[-buckets:]
        del self.members[-buckets:], self.scores[-buckets:]
        return [member for bucket in gone for member in bucket]

    # Ranks.

    def _summed(self) -> list[list[int]]:
        """The sums, made anew if need be. O(buckets) then."""
        sums = self.sums
        if sums is None:
            sums = self.sums = []
            level = list(map(len, self.members))
            while len(level) >= GROUP:
                level = [sum(level[at : at + GROUP]) for at in range(0, len(level), GROUP)]
                sums.append(level)
        return sums

    def _before(self, at: int) -> int:
        """The number of entries in the buckets before one. O(log n)."""
        if not at:
            return 0
        total = 0
        for bucket in self.members[at & MASK : at]:
            total += len(bucket)
        if at < GROUP:
            return total
        for level in self._summed():
            at >>= FAN
            for size in level[at & MASK : at]:
                total += size
        return total

    def locate(self, rank: int) -> tuple[int, int]:
        """Where the entry of a rank is: bucket, place in it. O(log n)."""
        if rank < len(self.members[0]):
            return 0, rank
        at = 0
        for level in reversed(self._summed()):
            at *= GROUP
            for size in level[at : at + GROUP]:
                if rank < size:
                    break
                rank -= size
                at += 1
        at *= GROUP
        for bucket in self.members[at : at + GROUP]:
            if rank < len(bucket):
                break
            rank -= len(bucket)
            at += 1
        return at, rank

    def rank(self, score: float, member: bytes) -> int:
        """The rank of a member that is there, from 0. O(log n)."""
        at = self._bucket(score, member) if len(self.members) > 1 else 0
        scores = self.scores[at]
        members = self.members[at]
        place = bisect_left(scores, score)
        if members[place] != member:
            place = bisect_left(members, member, place, bisect_right(scores, score, place))
        return self._before(at) + place

    def below(self, score: float) -> int:
        """How many scores are less than this one. O(log n)."""
        if len(self.members) == 1:
            return bisect_left(self.scores[0], score)
        at = bisect_left(self.last_scores, score)
        if at == len(self.members):
            return self._before(at)
        return self._before(at) + bisect_left(self.scores[at], score)

    def up_to(self, score: float) -> int:
        """How many scores are at most this one. O(log n)."""
        if len(self.members) == 1:
            return bisect_right(self.scores[0], score)
        at = bisect_right(self.last_scores, score)
        if at == len(self.members):
            return self._before(at)
        return self._before(at) + bisect_right(self.scores[at], score)

    def members_below(self, member: bytes, *, included: bool) -> int:
        """How many members come before this one, or up to it; all scores are the same. O(log n)."""
        at = 0
        if len(self.members) > 1:
            ends = self.last_members
            at = bisect_right(ends, member) if included else bisect_left(ends, member)
            if at == len(ends):
                return self._before(at)
        bucket = self.members[at]
        return self._before(at) + (bisect_right(bucket, member) if included else bisect_left(bucket, member))

    # Reading.

    def at(self, rank: int) -> tuple[bytes, float]:
        """The entry of a rank. O(log n)."""
        bucket, place = self.locate(rank)
        return self.members[bucket][place], self.scores[bucket][place]

    def span(self, start: int, stop: int) -> Members:
        """The members of ranks from ``start`` up to ``stop``, which are there. O(log n + members)."""
        first = self.members[0]
        if stop <= len(first):
            return first[start:stop]
        return self._span(self.members, start, stop)

    def seek(self, score: float, after: bool) -> tuple[int, int]:
        """Where the first entry is whose score is at least this one, or more: bucket, place. O(log n).

        Behind the last entry it is (the number of buckets, 0), or the length of the only bucket.
        """
        at = 0
        if len(self.scores) > 1:
            ends = self.last_scores
            at = bisect_right(ends, score) if after else bisect_left(ends, score)
            if at == len(ends):
                return at, 0
        scores = self.scores[at]
        return at, bisect_right(scores, score) if after else bisect_left(scores, score)

    def between(
        self, begin: tuple[int, int], end: tuple[int, int], offset: int, limit: int, reverse: bool
    ) -> tuple[Members, Scores]:
        """Entries from one place up to another one, no rank needed. O(entries + entries passed over / 256).

        Args:
            begin, end: bucket and place, as of `seek`.
            offset, limit: entries to pass over, and the most wanted; counted from the end if ``reverse``.

        Returns:
            Members and their scores, highest first if ``reverse``.
        """
        members: Members = []
        scores: Scores = []
        last = min(end[0], len(self.members) - 1)
        for at in range(last, begin[0] - 1, -1) if reverse else range(begin[0], last + 1):
            bucket = self.members[at]
            low = begin[1] if at == begin[0] else 0
            high = end[1] if at == end[0] else len(bucket)
            if offset >= high - low:
                offset -= max(high - low, 0)
                continue
            if reverse:
                high -= offset
                low = max(low, high - limit)
                members += bucket[low:high][::-1]
                scores += self.scores[at][low:high][::-1]
            else:
                low += offset
                high = min(high, low + limit)
                members += bucket[low:high]
                scores += self.scores[at][low:high]
            offset = 0
            limit -= high - low
            if not limit:
                break
        return members, scores

    def scores_of(self, start: int, stop: int) -> Scores:
        """The scores of the same. O(log n + members)."""
        return self._span(self.scores, start, stop)

    def _span(self, buckets: list[list[Any]], start: int, stop: int) -> list[Any]:
        if start >= stop:
            return []
        if len(buckets) == 1:
            return buckets[0][start:stop]
        at, place = self.locate(start)
        left = stop - start
        found = buckets[at][place : place + left]
        while len(found) < left:
            at += 1
            found += buckets[at][: left - len(found)]
        return found

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError. O(n)."""
        assert len(self.members) == len(self.scores)
        assert [len(bucket) for bucket in self.members] == [len(bucket) for bucket in self.scores]
        entries = [
            pair
            for bucket, scores in zip(self.members, self.scores, strict=True)
            for pair in zip(scores, bucket, strict=True)
        ]
        assert all(one < two for one, two in pairwise(entries))
        if len(self.members) > 1:
            assert all(0 < len(bucket) <= LIMIT for bucket in self.members)
            assert self.last_members == [bucket[-1] for bucket in self.members]
            assert self.last_scores == [bucket[-1] for bucket in self.scores]
        kept = self.sums
        if kept is not None:
            self.sums = None
            assert self._summed() == kept
