"""The value of a set: a Python set of byte strings, and what Redis would say of it.

The members are `bytes` that the shard's thread made. ``encoding`` follows Redis 7.2 and later: "intset" while
all members are integers and few, "listpack" while they are few and short, "hashtable" from then on, and never
back.

Adding one member is the hot path of SADD, so it must not have to ask much. ``room`` and ``longest`` say when
nothing needs to be looked at: with fewer than ``room`` members before it, a new one of at most ``longest``
bytes changes neither the encoding nor the size of Python's table. All else goes through `add`. As a
consequence a changed `set-max-listpack-*` may reach a set some members late.

An index (`nogil_df.shard.member_index`) is made for a set of more than `INDEXED_FROM` members when a command
asks for a random member or for a traversal, and lives as long as the set.
"""

from __future__ import annotations

from itertools import islice
from random import Random
from sys import getsizeof
from typing import TYPE_CHECKING, Final

from nogil_df.base.numbers import parse_int
from nogil_df.shard import digest
from nogil_df.shard.member_index import BYTES_PER_MEMBER, MemberIndex
from nogil_df.shard.memory import BYTES_OVERHEAD, ROUNDING

if TYPE_CHECKING:
    from nogil_df.shard.lengthy import Slices
    from nogil_df.shard.limits import EncodingLimits

INTSET: Final = b"intset"
LISTPACK: Final = b"listpack"
HASHTABLE: Final = b"hashtable"

INDEXED_FROM: Final = 64
"""Members up to which a copy of them is quicker than an index: about 0.5 us."""

ANY_LENGTH: Final = 1 << 62

SLICE: Final = 2000
"""Members that are freed at a time: about 0.1 ms."""

_DIGITS: Final = 18
"""Digits of a number that surely fits 64 bits."""


EMPTY: Final = getsizeof(set())
"""A set of up to `FITS_EMPTY` members: their places are part of the object."""

FITS_EMPTY: Final = 4
BYTES_PER_PLACE: Final = 16


class SetValue:
    """A set. The caller accounts for what it changes: `Keyspace.resized` with ``memory`` before and after.

    Attributes:
        members: who belongs to it; never empty while it is stored.
        memory: bytes it takes, its members included.
        room, longest: see the module's text; ``room`` is 0 when every addition must go through `add`.
        fits: members that Python's table has places for.
        index: the index, if one was asked for.
    """

    __slots__ = ("encoding", "fits", "index", "longest", "members", "memory", "room", "table_size")

    type_name = b"set"
    type_number = 2

    def __init__(self, members: set[bytes], encoding: bytes) -> None:
        """Takes the members over as its own; who makes a value sets what follows from them."""
        self.members = members
        self.encoding = encoding
        self.index: MemberIndex | None = None
        self.table_size = EMPTY
        self.memory = EMPTY_VALUE
        self.fits = FITS_EMPTY
        self.room = 0
        self.longest = -1

    @classmethod
    def of(cls, members: set[bytes], limits: EncodingLimits) -> SetValue:
        """A value that takes a set over as its own; its encoding as if they had been added. O(members)."""
        total, longest = lengths(members)
        value = cls(members, _natural_encoding(members, longest, limits))
        value.memory += BYTES_OVERHEAD * len(members) + total
        value._measure(limits)
        return value

    @classmethod
    def of_many(cls, members: set[bytes], limits: EncodingLimits, size: int) -> Slices:
        """`of` for very many members, in slices of ``size``. O(members)."""
        if len(members) <= max(limits.set_max_intset_entries, limits.set_max_listpack_entries):
            return cls.of(members, limits)
        value = cls(members, HASHTABLE)
        following = iter(members)
        while chunk := list(islice(following, size)):
            value.memory += BYTES_OVERHEAD * len(chunk) + sum(map(len, chunk))
            yield
        value._measure(limits)
        return value

    @classmethod
    def begin(cls, first: bytes, expected: int, limits: EncodingLimits) -> SetValue:
        """A set of a first member, about to get so many in all. O(1)."""
        size = len(first)
        if expected <= limits.set_max_intset_entries and _is_integer(first):
            value = cls({first}, INTSET)
        elif expected <= limits.set_max_listpack_entries and size <= limits.set_max_listpack_value:
            value = cls({first}, LISTPACK)
            value.longest = limits.set_max_listpack_value
            value.room = min(FITS_EMPTY, limits.set_max_listpack_entries)
        else:
            value = cls({first}, HASHTABLE)
            value.longest = ANY_LENGTH
            value.room = FITS_EMPTY
        value.memory += BYTES_OVERHEAD + size
        return value

    def __len__(self) -> int:
        return len(self.members)

    def expect(self, more: int, limits: EncodingLimits) -> None:
        """Let go of the compact encoding ahead of so many additions, as Redis does."""
        encoding = self.encoding
        if (encoding is LISTPACK and more > limits.set_max_listpack_entries) or (
            encoding is INTSET and more > limits.set_max_intset_entries
        ):
            self.encoding = HASHTABLE
            self._measure(limits)

    def add(self, member: bytes, limits: EncodingLimits) -> None:
        """Add a member that is not there. O(1)."""
        members = self.members
        encoding = before = self.encoding
        if encoding is INTSET:
            if not _is_integer(member):
                encoding = self._widened(member, limits)
            elif len(members) >= limits.set_max_intset_entries:
                encoding = HASHTABLE
        elif encoding is LISTPACK and (
            len(members) >= limits.set_max_listpack_entries or len(member) > limits.set_max_listpack_value
        ):
            encoding = HASHTABLE
        members.add(member)
        self.memory += BYTES_OVERHEAD + len(member)
        if self.index is not None:
            self.index.add(member)
            self.memory += BYTES_PER_MEMBER
        if encoding is not before or len(members) > self.fits:
            self.encoding = encoding
            self._measure(limits)

    def _widened(self, member: bytes, limits: EncodingLimits) -> bytes:
        """The encoding of an intset that is about to get a member that is no integer."""
        if len(self.members) >= limits.set_max_listpack_entries:
            return HASHTABLE
        longest = max(len(member), max(map(len, self.members), default=0))
        return LISTPACK if longest <= limits.set_max_listpack_value else HASHTABLE

    def discard(self, member: bytes) -> bool:
        """Remove a member; False if it is not there. O(1)."""
        members = self.members
        if member not in members:
            return False
        members.remove(member)
        self.memory -= BYTES_OVERHEAD + len(member)
        # The place in Python's table stays taken until the table is made anew.
        self.room -= 1
        self.fits -= 1
        if self.index is not None:
            self.index.remove(member)
            self.memory -= BYTES_PER_MEMBER
        return True

    def _measure(self, limits: EncodingLimits) -> None:
        """Account for Python's table, and find out how long nothing needs to be looked at."""
        members = self.members
        size = getsizeof(members)
        self.memory += size - self.table_size
        self.table_size = size
        # CPython makes a bigger table when 3/5 of its places are taken (Objects/setobject.c).
        places = (size - EMPTY) // BYTES_PER_PLACE or 8
        self.fits = max(len(members), (3 * places + 1) // 5 - 1)
        if self.encoding is INTSET or self.index is not None:
            self.room = 0
            return
        self.room = self.fits
        self.longest = ANY_LENGTH
        if self.encoding is LISTPACK:
            self.room = min(self.room, limits.set_max_listpack_entries)
            self.longest = limits.set_max_listpack_value

    def ordered(self) -> list[bytes]:
        """The members; small integers in their order, as an intset has them. O(members)."""
        if self.encoding is INTSET:
            return sorted(self.members, key=int)
        return list(self.members)

    def indexed(self) -> MemberIndex | None:
        """The index, made now if need be; None for a set too small to have one."""
        index = self.index
        if index is None and len(self.members) > INDEXED_FROM:
            index = self.index = MemberIndex(self.members)
            self.memory += BYTES_PER_MEMBER * len(self.members)
            self.room = 0
        return index

    def random(self, source: Random) -> bytes:
        """A member, each as likely as any other. O(1), amortised over the additions."""
        index = self.indexed()
        if index is not None:
            return index.random(source)
        return source.choice(tuple(self.members))

    def sample(self, count: int, source: Random) -> list[bytes]:
        """So many different members, fewer than there are. O(count), O(members) for a good part of them."""
        members = self.members
        index = self.indexed()
        if index is None or count * 3 > len(members):
            return source.sample(tuple(members), count)
        found: dict[bytes, None] = {}
        while len(found) < count:
            found[index.random(source)] = None
        return list(found)

    def scan(self, cursor: int) -> tuple[int, list[bytes]]:
        """One step of a traversal: see `MemberIndex.scan`; a small set comes in one step."""
        index = self.indexed() if self.encoding is HASHTABLE else None
        return (0, self.ordered()) if index is None else index.scan(cursor)

    def copy(self) -> SetValue:
        """A copy that shares nothing with this one. O(members)."""
        return self.around({b"%b" % member for member in self.members})

    def around(self, members: set[bytes]) -> SetValue:
        """A copy of all but the members, around such as were copied already. O(1)."""
        copied = SetValue(members, self.encoding)
        copied.longest = self.longest
        copied.fits = 0
        table = getsizeof(copied.members)
        index = BYTES_PER_MEMBER * len(self.members) if self.index is not None else 0
        copied.memory = self.memory - index + table - self.table_size
        copied.table_size = table
        return copied

    def digest(self, begun: bytes) -> bytes:
        """The digest of the members, for DEBUG DIGEST. O(members)."""
        for member in self.members:
            begun = digest.blend(begun, member)
        return begun

    def free_step(self, budget: int) -> int:
        """Let go of up to ``budget`` times `SLICE` members of a set that was erased; how many times it was.

        See `Shard.dispose`.
        """
        used = 0
        while self.members and used < budget:
            used += 1
            if self.index is not None:
                if not self.index.drop(SLICE):
                    self.index = None
                continue
            for _ in range(min(SLICE, len(self.members))):
                self.members.pop()
        return used

    @property
    def serialized_length(self) -> int:
        """Bytes in an RDB file, more or less: every member with its length. O(members)."""
        return 1 + sum(len(member) + 1 for member in self.members)

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError. O(n)."""
        members = self.members
        assert members
        index = BYTES_PER_MEMBER * len(members) if self.index is not None else 0
        payload = BYTES_OVERHEAD * len(members) + sum(map(len, members))
        assert self.memory == VALUE_OVERHEAD + self.table_size + payload + index
        if self.index is not None:
            self.index.verify(members)
        if self.encoding is INTSET:
            assert all(parse_int(member) is not None for member in members)


VALUE_OVERHEAD: Final = getsizeof(SetValue.__new__(SetValue)) + 2 * ROUNDING
"""The value object and what the allocator adds to it and to Python's set."""

EMPTY_VALUE: Final = VALUE_OVERHEAD + EMPTY


def _is_integer(member: bytes) -> bool:
    """Whether Redis would store a member in an intset. O(1), and quick where the answer is plain."""
    if not member.isdigit():
        return member[:1] == b"-" and parse_int(member) is not None
    if len(member) <= _DIGITS and member[0] != 48:
        return True
    return parse_int(member) is not None


def lengths(members: set[bytes]) -> tuple[int, int]:
    """The bytes of all members, and of the longest one. O(members)."""
    total = longest = 0
    for member in members:
        size = len(member)
        total += size
        longest = max(longest, size)
    return total, longest


def _natural_encoding(members: set[bytes], longest: int, limits: EncodingLimits) -> bytes:
    """The encoding of a set made of these members. O(members), O(1) if they are many."""
    count = len(members)
    if count <= limits.set_max_intset_entries and all(map(_is_integer, members)):
        return INTSET
    if count <= limits.set_max_listpack_entries and longest <= limits.set_max_listpack_value:
        return LISTPACK
    return HASHTABLE
