"""The value of a hash: a Python dict from field to value, and what Redis would say of it.

Fields and values are `bytes` that the shard's thread made, in the order in which the fields came.
``encoding`` follows Redis 7.4 and later: "listpack" while fields are few and all is short, "listpackex" once
one of them was given a deadline, "hashtable" when it has grown, and never back.

Setting one field is the hot path of HSET, so it must not have to ask much. ``room`` and ``longest`` say
when nothing needs to be looked at: with fewer than ``room`` fields before it, a new one changes neither the
encoding nor the size of Python's dict, if field and value have at most ``longest`` bytes. All else goes
through `set`. As a consequence a changed `hash-max-listpack-*` may reach a hash some fields late.

Deadlines of fields stand beside (`nogil_df.shard.field_deadlines`), for hashes that ever had one. An
index (`nogil_df.shard.member_index`) is made for a hash of more than `INDEXED_FROM` fields when a command
asks for a random one or for a traversal, and lives as long as the hash.
"""

from __future__ import annotations

from bisect import bisect_left
from random import Random
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final

from nogil_df.shard import digest
from nogil_df.shard.field_deadlines import BYTES_PER_DEADLINE, OVERHEAD, FieldDeadlines
from nogil_df.shard.member_index import BYTES_PER_MEMBER, MemberIndex
from nogil_df.shard.memory import BYTES_OVERHEAD, ROUNDING

if TYPE_CHECKING:
    from nogil_df.shard.limits import EncodingLimits

LISTPACK: Final = b"listpack"
LISTPACK_WITH_DEADLINES: Final = b"listpackex"
HASHTABLE: Final = b"hashtable"

INDEXED_FROM: Final = 64
"""Fields up to which a copy of them is quicker than an index: about 0.5 us."""

ANY_LENGTH: Final = 1 << 62

SLICE: Final = 1000
"""Fields that are freed at a time: about 0.1 ms."""

GROWTH: Final = tuple((2 << power) // 3 for power in range(3, 48))
"""Entries that CPython's dicts of 8, 16, 32... slots have room for (Objects/dictobject.c)."""

FITS_SMALLEST: Final = GROWTH[0]


class Fields(dict[bytes, bytes]):
    """Fields by name: ``fields[name]`` is None for one that is not there.

    One look-up for both questions, and no ``dict.get``, which is slow on 3.13t for keys that are not str.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __getitem__(self, field: bytes) -> Any: ...

    def __missing__(self, field: bytes) -> None:
        return None


class HashValue:
    """A hash. The caller accounts for what it changes: `Keyspace.resized` with ``memory`` before and after.

    Attributes:
        fields: field -> value; never empty while it is stored.
        memory: bytes it takes, its fields and values included.
        room, longest: see the module's text; ``room`` is 0 when every new field must go through `set`.
        fits: fields that Python's dict has places for.
        index: the index, if one was asked for.
        deadlines: deadlines of fields, if there ever were any.
    """

    __slots__ = (
        "deadlines",
        "encoding",
        "fields",
        "fits",
        "index",
        "longest",
        "memory",
        "room",
        "table_size",
    )

    type_name = b"hash"
    type_number = 4

    def __init__(self, limits: EncodingLimits) -> None:
        self.fields = Fields()
        self.encoding = LISTPACK
        self.index: MemberIndex | None = None
        self.deadlines: FieldDeadlines | None = None
        self.table_size = SMALLEST
        self.memory = SMALLEST_VALUE
        self.fits = FITS_SMALLEST
        self.room = min(FITS_SMALLEST, limits.hash_max_listpack_entries)
        self.longest = limits.hash_max_listpack_value

    def __len__(self) -> int:
        return len(self.fields)

    def expect(self, more: int, limits: EncodingLimits) -> None:
        """Let go of the compact encoding ahead of so many new fields, as Redis does."""
        if more > limits.hash_max_listpack_entries and self.encoding is not HASHTABLE:
            self._to_hashtable()

    def set(self, field: bytes, value: bytes, limits: EncodingLimits) -> bool:
        """Set a field, whose deadline stays; True if it is new. O(1)."""
        fields = self.fields
        if self.encoding is not HASHTABLE:
            longest = limits.hash_max_listpack_value
            if len(field) > longest or len(value) > longest:
                self._to_hashtable()
        old = fields[field]
        fields[field] = value
        if old is not None:
            self.memory += len(value) - len(old)
            return False
        self.memory += 2 * BYTES_OVERHEAD + len(field) + len(value)
        if self.encoding is not HASHTABLE and len(fields) > limits.hash_max_listpack_entries:
            self._to_hashtable()
        if self.index is not None:
            self.index.add(field)
            self.memory += BYTES_PER_MEMBER
        if len(fields) > self.fits:
            self._measure(limits)
        return True

    def _to_hashtable(self) -> None:
        self.encoding = HASHTABLE
        self.longest = ANY_LENGTH
        self.room = 0 if self.index is not None else self.fits

    def _measure(self, limits: EncodingLimits) -> None:
        """Account for Python's dict, and find out how long nothing needs to be looked at."""
        size = getsizeof(self.fields)
        self.memory += size - self.table_size
        self.table_size = size
        self.fits = GROWTH[bisect_left(GROWTH, len(self.fields))]
        if self.index is not None:
            self.room = 0
            return
        self.room = self.fits
        if self.encoding is not HASHTABLE:
            self.room = min(self.room, limits.hash_max_listpack_entries)
            self.longest = limits.hash_max_listpack_value

    def remove(self, field: bytes) -> bool:
        """Remove a field; False if it is not there. O(1)."""
        if self.fields[field] is None:
            return False
        self.persist(field)
        self._take(field)
        return True

    def _take(self, field: bytes) -> None:
        value = self.fields.pop(field)
        self.memory -= 2 * BYTES_OVERHEAD + len(field) + len(value)
        # The place in Python's dict stays taken until the dict is made anew.
        self.room -= 1
        self.fits -= 1
        if self.index is not None:
            self.index.remove(field)
            self.memory -= BYTES_PER_MEMBER

    # Deadlines.

    def deadline(self, field: bytes) -> int:
        """The deadline of a field, unix ms; 0 for none. O(1)."""
        deadlines = self.deadlines
        return 0 if deadlines is None else deadlines.of(field)

    def expire(self, field: bytes, deadline: int) -> None:
        """Give a field that is there a deadline. O(log n).

        Args:
            field: an object that the shard's thread made.
            deadline: unix ms.
        """
        deadlines = self.deadlines
        if deadlines is None:
            deadlines = self.deadlines = FieldDeadlines()
            self.memory += OVERHEAD
            if self.encoding is LISTPACK:
                self.encoding = LISTPACK_WITH_DEADLINES
        if field not in deadlines.by_field:
            self.memory += BYTES_PER_DEADLINE
        deadlines.set(field, deadline)

    def persist(self, field: bytes) -> bool:
        """Take the deadline of a field away; False if it had none. O(1)."""
        deadlines = self.deadlines
        if deadlines is None or not deadlines.clear(field):
            return False
        self.memory -= BYTES_PER_DEADLINE
        return True

    def remove_expired(self, now: int, most: int) -> int:
        """Remove fields whose deadline is before ``now``, at most so many; how many. O(log n) each."""
        assert self.deadlines is not None
        count = 0
        for field in self.deadlines.expired(now, most):
            self.memory -= BYTES_PER_DEADLINE
            self._take(field)
            count += 1
        return count

    # Fields at random, traversal.

    def indexed(self) -> MemberIndex | None:
        """The index, made now if need be; None for a hash too small to have one."""
        index = self.index
        if index is None and len(self.fields) > INDEXED_FROM:
            index = self.index = MemberIndex(self.fields)
            self.memory += BYTES_PER_MEMBER * len(self.fields)
            self.room = 0
        return index

    def random(self, source: Random) -> bytes:
        """A field, each as likely as any other. O(1), amortised over the additions."""
        index = self.indexed()
        if index is not None:
            return index.random(source)
        return source.choice(tuple(self.fields))

    def sample(self, count: int, source: Random) -> list[bytes]:
        """So many different fields, fewer than there are. O(count), O(fields) for a good part of them."""
        index = self.indexed()
        if index is None or count * 3 > len(self.fields):
            return source.sample(tuple(self.fields), count)
        found: dict[bytes, None] = {}
        while len(found) < count:
            found[index.random(source)] = None
        return list(found)

    def scan(self, cursor: int) -> tuple[int, list[bytes]]:
        """One step of a traversal: see `MemberIndex.scan`; a compact hash comes in one step."""
        index = self.indexed() if self.encoding is HASHTABLE else None
        return (0, list(self.fields)) if index is None else index.scan(cursor)

    # What any value has.

    def copy(self) -> HashValue:
        """A copy that shares nothing with this one. O(fields)."""
        fields = Fields()
        for field, value in self.fields.items():
            fields[b"%b" % field] = b"%b" % value
        return self.around(fields)

    def around(self, fields: Fields) -> HashValue:
        """A copy of all but the fields, around such as were copied already. O(1), O(deadlines)."""
        copied = HashValue.__new__(HashValue)
        copied.fields = fields
        copied.encoding = self.encoding
        copied.index = None
        copied.fits = copied.room = 0
        copied.longest = self.longest
        copied.table_size = getsizeof(copied.fields)
        index = BYTES_PER_MEMBER * len(self.fields) if self.index is not None else 0
        copied.memory = self.memory - index + copied.table_size - self.table_size
        copied.deadlines = None if self.deadlines is None else self.deadlines.copy(copied.fields)
        return copied

    def digest(self, begun: bytes) -> bytes:
        """The digest of fields and values, for DEBUG DIGEST. O(fields)."""
        for field, value in self.fields.items():
            element = digest.chain(digest.chain(digest.ZEROS, field), value)
            if self.deadline(field):
                element = digest.blend(element, b"!!hexpire!!")
            begun = digest.blend(begun, element)
        return begun

    def free_step(self, budget: int) -> int:
        """Let go of up to ``budget`` times `SLICE` fields of a hash that was erased; how many times it was.

        See `Shard.dispose`.
        """
        used = 0
        while self.fields and used < budget:
            used += 1
            if self.index is not None:
                if not self.index.drop(SLICE):
                    self.index = None
                continue
            for _ in range(min(SLICE, len(self.fields))):
                self.fields.popitem()
        return used

    @property
    def serialized_length(self) -> int:
        """Bytes in an RDB file, more or less: every field and value with its length. O(fields)."""
        return 1 + sum(len(field) + len(value) + 2 for field, value in self.fields.items())

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError. O(n log n)."""
        fields = self.fields
        assert fields
        payload = sum(2 * BYTES_OVERHEAD + len(field) + len(value) for field, value in fields.items())
        index = BYTES_PER_MEMBER * len(fields) if self.index is not None else 0
        deadlines = 0 if self.deadlines is None else OVERHEAD + BYTES_PER_DEADLINE * len(self.deadlines)
        assert self.memory == VALUE_OVERHEAD + self.table_size + payload + index + deadlines
        if self.index is not None:
            self.index.verify(fields)
        if self.deadlines is not None:
            self.deadlines.verify(fields)


SMALLEST: Final = getsizeof(Fields({b"": b""}))
"""A dict of up to `GROWTH[0]` fields; a stored hash is never empty."""

VALUE_OVERHEAD: Final = getsizeof(HashValue.__new__(HashValue)) + 2 * ROUNDING
"""The value object and what the allocator adds to it and to Python's dict."""

SMALLEST_VALUE: Final = VALUE_OVERHEAD + SMALLEST
