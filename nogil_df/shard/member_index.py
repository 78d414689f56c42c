"""An index over the members of a big collection: a random one in O(1), a traversal that survives changes.

Python's set and dict offer neither. The index is made when it is first asked for (SPOP, SRANDMEMBER, SSCAN
and their kin on more than some dozens of members), and kept up to date from then on; a collection that is
never asked pays nothing.

It is a table of short lists, grown and shrunk by linear hashing (Litwin, "Linear hashing: a new tool for file
and table addressing", VLDB 1980): one list at a time is split or merged, so no single command pays for moving
all of them. Lists before ``split`` are addressed by one bit of the hash more than those behind it.

A traversal visits hashes in the order of their reversed bits. A list holds all hashes that end in the same
bits, which is one stretch of that order, and so is what it is split into or merged to. The cursor is the
first hash not visited yet: whatever the table did meanwhile, all members before it have been given, and all
that are there from it on will be.

The hash is Python's own for bytes (SipHash with a secret of this process), so nobody can make one list long.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

GROW: Final = 24
"""Members a list on average, above which a list is split."""

SHRINK: Final = 8
"""Members a list on average, below which two lists are merged."""

BYTES_PER_MEMBER: Final = 14
"""What the index takes: a place in a list, the room lists have in reserve, and the lists themselves."""

BITS: Final = 32
_ALL: Final = (1 << BITS) - 1


class MemberIndex:
    """An index of ``members``, which are all different. O(members) to make.

    Attributes:
        buckets: the lists; list ``i`` has the members whose hash ends in the bits of ``i``.
        low: mask of the bits that address a list from ``split`` on; those before it take one bit more.
        widest: no list is longer than this.

    Invariants: ``len(buckets) == low + 1 + split`` and ``split <= low``.
    """

    __slots__ = ("buckets", "count", "low", "split", "widest")

    def __init__(self, members: Iterable[bytes] = ()) -> None:
        known = list(members)
        size = 1
        while size * GROW < len(known):
            size *= 2
        self.count = len(known)
        self.low = size - 1
        self.split = 0
        buckets: list[list[bytes]] = [[] for _ in range(size)]
        mask = self.low
        for member in known:
            buckets[hash(member) & mask].append(member)
        self.buckets = buckets
        self.widest = max(map(len, buckets))

    def __len__(self) -> int:
        return self.count

    def add(self, member: bytes) -> None:
        """Add a member that is not there. O(1)."""
        h = hash(member)
        at = h & self.low
        if at < self.split:
            at = h & (2 * self.low + 1)
        bucket = self.buckets[at]
        bucket.append(member)
        if len(bucket) > self.widest:
            self.widest = len(bucket)
        self.count += 1
        if self.count > GROW * len(self.buckets):
            self._split()

    def remove(self, member: bytes) -> None:
        """Remove a member that is there. O(1)."""
        h = hash(member)
        at = h & self.low
        if at < self.split:
            at = h & (2 * self.low + 1)
        bucket = self.buckets[at]
        place = bucket.index(member)
        bucket[place] = bucket[-1]
        bucket.pop()
        self.count -= 1
        if self.count < SHRINK * len(self.buckets) and len(self.buckets) > 1:
            self._merge()

    def _split(self) -> None:
        """Share the members of the next list out over it and a new one."""
        buckets = self.buckets
        bit = self.low + 1
        stay: list[bytes] = []
        go: list[bytes] = []
        for member in buckets[self.split]:
            (go if hash(member) & bit else stay).append(member)
        buckets[self.split] = stay
        buckets.append(go)
        self.split += 1
        if self.split > self.low:
            self.low = 2 * self.low + 1
            self.split = 0

    def _merge(self) -> None:
        """Undo the last split."""
        if not self.split:
            self.low >>= 1
            self.split = self.low + 1
        self.split -= 1
        joined = self.buckets[self.split]
        joined += self.buckets.pop()
        self.widest = max(self.widest, len(joined))

    def random(self, source: Random) -> bytes:
        """A member, each as likely as any other; there must be one. O(1) expected."""
        buckets = self.buckets
        widest = self.widest
        places = len(buckets) * widest
        choose = source.random
        while True:
            at, place = divmod(int(choose() * places), widest)
            bucket = buckets[at]
            if place < len(bucket):
                return bucket[place]

    def scan(self, cursor: int) -> tuple[int, list[bytes]]:
        """One step of a traversal. O(members of a list).

        Args:
            cursor: 0 to begin, else what the last call gave.

        Returns:
            (the next cursor, 0 at the end; the members of one list, which may be none).
        """
        cursor &= _ALL
        h = _reversed(cursor)
        mask = self.low
        at = h & mask
        if at < self.split:
            mask = 2 * mask + 1
            at = h & mask
        bits = BITS - mask.bit_length()
        after = ((cursor >> bits) + 1) << bits
        return (0 if after > _ALL else after), self.buckets[at]

    def drop(self, most: int) -> bool:
        """Let go of about so many members of an index that is out of use; False if none are left. O(most)."""
        del self.buckets[-(most // GROW + 1) :]
        return bool(self.buckets)

    def verify(self, members: Iterable[bytes]) -> None:
        """Check the invariants, and that these are the members. Raises AssertionError. O(n)."""
        assert len(self.buckets) == self.low + 1 + self.split
        assert self.split <= self.low or not self.low
        found = [member for bucket in self.buckets for member in bucket]
        assert len(found) == self.count
        assert set(found) == set(members)
        assert max(map(len, self.buckets)) <= self.widest
        for at, bucket in enumerate(self.buckets):
            for member in bucket:
                h = hash(member)
                place = h & self.low
                assert at == (h & (2 * self.low + 1) if place < self.split else place)


def _reversed(number: int) -> int:
    """The 32 bits of a number in reverse order."""
    return int(f"{number:032b}"[::-1], 2)
