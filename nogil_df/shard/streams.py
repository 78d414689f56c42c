"""The value of a stream: entries in the order of their ids, and the consumer groups that read them.

An id is two 64-bit numbers, milliseconds and a sequence; here it is one int, ``ms << 64 | seq``, so that
comparing two is one comparison, and the id after another is one more.

Entries stand in blocks of up to `stream-node-max-entries`, as those of Redis stand in the listpacks of its
radix tree: an entry is appended to the last block in O(1), the block of an id is found by bisection among
the ids that the blocks began with, and trimming from the front drops whole blocks. The blocks are cut where
Redis would cut them (by entries, deleted ones included, and by bytes), because a trim that is only
approximate (``~``) removes whole blocks, so the cut shows.

Most streams have entries with the same fields. A block keeps the fields of its first entry, and an entry
whose fields equal them refers to these very objects; it is a flat tuple all the same, field, value, field,
value, as replies have it.

``memory`` is kept by adding and subtracting. Invariants: blocks have entries; ids ascend strictly, within a
block and from one to the next, up to ``last_id``; ``length`` is the number of entries; ``memory`` is what
`verify` adds up.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from sys import getsizeof
from typing import Final

from nogil_df.shard import digest
from nogil_df.shard.memory import BYTES_OVERHEAD, ROUNDING
from nogil_df.shard.stream_groups import UNKNOWN, Group

Body = tuple[bytes, ...]
"""An entry without its id: field, value, field, value..."""

Entry = tuple[int, Body]

SEQUENCE: Final = (1 << 64) - 1
"""The part of an id below its milliseconds."""

LAST_ID: Final = (1 << 128) - 1
"""The greatest id there can be."""

LATEST: Final = 1 << 62
"""Greater than the milliseconds of any clock; an id of such numbers may still be given by clients."""

ID_SIZE: Final = getsizeof(1 << 100) + 8 + 2 * 9
"""The id of an entry, and its two places in the lists of a block."""

BODY_OVERHEAD: Final = getsizeof(()) + ROUNDING
PLACE: Final = 8
"""A body beside its fields and values: the tuple, and a place in it for each of them."""

STREAM_OVERHEAD: Final = 136 + 2 * getsizeof([]) + 4 * ROUNDING + getsizeof({})
"""The value object, its lists of blocks and its dict of groups."""

BLOCK_OVERHEAD: Final = 104 + 3 * getsizeof([]) + 4 * ROUNDING + getsizeof(1 << 100) + 2 * PLACE
"""A block beside its entries and the names of its fields."""

BLOCKS: Final = 8
"""Blocks that are freed together: about 800 entries."""

ANY_ROOM: Final = 1 << 30
"""Room of a block that has no bound: what a listpack can hold."""

NODE_FRAME: Final = 15
"""What a listpack holds beside entries: its header and end, counts, and the end of the master entry."""

NODE_ENTRY: Final = 10
"""What an entry takes in a listpack beside its fields and values: flags, id, and the way back."""


class Block:
    """A run of entries, as one listpack of Redis.

    Attributes:
        ids, bodies: of the entries, in order.
        fields: the names that its first entry had, and most others have.
        ended: the greatest id it had that was deleted from its end, 0 if none was.
        left: entries that it may still be given, negative for any number.
        room: bytes that it may still be given. An estimate: a listpack packs integers, and ids.
        width, names_size: number of the fields, and their bytes.
        usual: bytes that an entry with these fields holds beside its values.
    """

    __slots__ = ("bodies", "ended", "fields", "ids", "left", "names_size", "room", "usual", "width")

    def __init__(self, fields: list[bytes], left: int, room: int) -> None:
        self.ids: list[int] = []
        self.bodies: list[Body] = []
        self.fields = fields
        self.ended = 0
        self.left = left
        self.width = len(fields)
        self.names_size = sum(map(len, fields))
        self.room = room - NODE_FRAME - self.names_size - 2 * self.width
        self.usual = ID_SIZE + BODY_OVERHEAD + self.width * (2 * PLACE + BYTES_OVERHEAD)

    @property
    def last(self) -> int:
        """The greatest id it ever had."""
        return max(self.ended, self.ids[-1])


class StreamValue:
    """A stream. The caller accounts for what it changes: ``memory`` before and after.

    Attributes:
        blocks, starts: the entries, and the first id that each block was given.
        tail: the last block, None if there is none.
        last_id: the last one given to an entry, or set.
        max_deleted: the greatest that was deleted one by one (XDEL), 0 if none was.
        added: entries that were ever added.
        gone: how many of them are no more.
        groups: consumer groups by name.
        memory: bytes it holds, as `nogil_df.shard.memory` counts.
        seen, ms, sequence: an id, and the two numbers it consists of. Whoever wants those of ``last_id``
            finds them here if that is this very object.
    """

    __slots__ = (
        "added",
        "blocks",
        "gone",
        "groups",
        "last_id",
        "max_deleted",
        "memory",
        "ms",
        "seen",
        "sequence",
        "starts",
        "tail",
    )

    type_name = b"stream"
    type_number = 6
    encoding = b"stream"

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.starts: list[int] = []
        self.tail: Block | None = None
        self.gone = 0
        self.last_id = 0
        self.max_deleted = 0
        self.added = 0
        self.groups: dict[bytes, Group] = {}
        self.memory = STREAM_OVERHEAD
        self.seen = self.last_id
        self.ms = 0
        self.sequence = 0

    def __len__(self) -> int:
        return self.added - self.gone

    @property
    def length(self) -> int:
        """The number of entries; a stream without any stays. O(1)."""
        return self.added - self.gone

    def set_added(self, added: int) -> None:
        """Let another number of entries have been added ever. O(1)."""
        self.gone += added - self.added
        self.added = added

    def split_last(self) -> bool:
        """Note what numbers ``last_id`` consists of; False if one is greater than any clock's. O(1)."""
        ms, sequence = self.last_id >> 64, self.last_id & SEQUENCE
        if ms > LATEST or sequence > LATEST:
            return False
        self.seen, self.ms, self.sequence = self.last_id, ms, sequence
        return True

    @property
    def first_id(self) -> int:
        """The id of the first entry, 0 if there is none. O(1)."""
        return self.blocks[0].ids[0] if self.blocks else 0

    @property
    def last_entry_id(self) -> int:
        """The id of the last entry, 0 if there is none. O(1)."""
        return self.blocks[-1].ids[-1] if self.blocks else 0

    # Adding.

    def append(self, entry_id: int, flat: list[bytes], most: int, most_bytes: int) -> None:
        """Add an entry at the end. O(fields).

        Args:
            entry_id: greater than ``last_id``.
            flat: field, value, field, value; the stream may change the list.
            most: entries in a block, 0 for any number.
            most_bytes: bytes in a block, 0 for any number.
        """
        fields = flat[::2]
        size = sum(map(len, flat))
        block = self.tail
        if block is None or not block.left or size >= block.room:
            block = Block(fields, most or -1, most_bytes or ANY_ROOM)
            self.blocks.append(block)
            self.starts.append(entry_id)
            self.tail = block
            self.memory += block_size(block)
        if fields == block.fields:
            flat[::2] = block.fields
            size -= block.names_size
            block.room -= NODE_ENTRY + size + len(flat)
            self.memory += block.usual + size
        else:
            block.room -= NODE_ENTRY + size + 2 * len(flat)
            self.memory += ID_SIZE + BODY_OVERHEAD + size + len(flat) * (PLACE + BYTES_OVERHEAD)
        block.left -= 1
        block.ids.append(entry_id)
        block.bodies.append(tuple(flat))
        self.added += 1
        self.last_id = entry_id

    # Reading.

    def get(self, entry_id: int) -> Body | None:
        """The entry with an id, None if there is none. O(log n)."""
        at = bisect_right(self.starts, entry_id) - 1
        if at < 0:
            return None
        block = self.blocks[at]
        place = bisect_left(block.ids, entry_id)
        if place == len(block.ids) or block.ids[place] != entry_id:
            return None
        return block.bodies[place]

    def span(self, low: int, high: int, count: int) -> list[Entry]:
        """The first ``count`` entries (0: all) from ``low`` to ``high``, both included. O(log n + found)."""
        found: list[Entry] = []
        blocks = self.blocks
        at = max(bisect_right(self.starts, low) - 1, 0)
        while at < len(blocks) and low <= high:
            block = blocks[at]
            ids = block.ids
            begin = bisect_left(ids, low)
            end = bisect_right(ids, high)
            if count:
                end = min(end, begin + count - len(found))
            found += zip(ids[begin:end], block.bodies[begin:end], strict=True)
            if end < len(ids) or (count and len(found) == count):
                break
            at += 1
        return found

    def span_back(self, high: int, low: int, count: int) -> list[Entry]:
        """The last ``count`` entries (all if 0) from ``high`` down to ``low``. O(log n + found)."""
        found: list[Entry] = []
        blocks = self.blocks
        at = bisect_right(self.starts, high) - 1
        while at >= 0 and low <= high:
            block = blocks[at]
            ids = block.ids
            begin = bisect_left(ids, low)
            end = bisect_right(ids, high)
            if count:
                begin = max(begin, end - count + len(found))
            part = list(zip(ids[begin:end], block.bodies[begin:end], strict=True))
            part.reverse()
            found += part
            if begin > 0 or (count and len(found) == count):
                break
            at -= 1
        return found

    def __iter__(self) -> Iterator[Entry]:
        for block in self.blocks:
            yield from zip(block.ids, block.bodies, strict=True)

    # Removing.

    def remove(self, entry_id: int) -> bool:
        """Delete an entry; False if there is none. O(log n + entries of a block)."""
        at = bisect_right(self.starts, entry_id) - 1
        if at < 0:
            return False
        block = self.blocks[at]
        place = bisect_left(block.ids, entry_id)
        if place == len(block.ids) or block.ids[place] != entry_id:
            return False
        self.memory -= entry_size(block, block.bodies[place])
        self.gone += 1
        if place == len(block.ids) - 1:
            block.ended = max(block.ended, entry_id)
        del block.ids[place]
        del block.bodies[place]
        if not block.ids:
            self._drop_blocks(at, at + 1)
        return True

    def _drop_blocks(self, begin: int, end: int) -> None:
        for block in self.blocks[begin:end]:
            self.memory -= block_size(block)
            self.gone += len(block.ids)
            for body in block.bodies:
                self.memory -= entry_size(block, body)
        del self.blocks[begin:end]
        del self.starts[begin:end]
        self.tail = self.blocks[-1] if self.blocks else None

    def trim_to_length(
        self, most: int, approximate: bool, limit: int, removed_ids: list[int] | None = None
    ) -> int:
        """Remove entries from the front until ``most`` are left. O(removed).

        Args:
            approximate: remove whole blocks only.
            limit: entries removed at most, in whole blocks; 0 for any number, and always if not approximate.
            removed_ids: gets the ids of what is removed, if they are asked for.

        Returns:
            How many were removed.
        """
        before = left = self.length
        drop = 0
        for block in self.blocks:
            entries = len(block.ids)
            if left - entries < most or left <= most or (limit and before - left + entries > limit):
                break
            left -= entries
            drop += 1
        if drop:
            self._note_blocks(drop, removed_ids)
            self._drop_blocks(0, drop)
        if not approximate and self.length > most:
            self._trim_block(self.length - most, removed_ids)
        return before - self.length

    def trim_below(
        self, least: int, approximate: bool, limit: int, removed_ids: list[int] | None = None
    ) -> int:
        """Remove entries with ids below ``least``; the rest as for `trim_to_length`. O(removed)."""
        before = self.length
        removed = drop = 0
        for block in self.blocks:
            if block.last >= least or (limit and removed + len(block.ids) > limit):
                break
            removed += len(block.ids)
            drop += 1
        self._note_blocks(drop, removed_ids)
        self._drop_blocks(0, drop)
        if not approximate and self.blocks:
            self._trim_block(bisect_left(self.blocks[0].ids, least), removed_ids)
        return before - self.length

    def _note_blocks(self, count: int, ids: list[int] | None) -> None:
        if ids is not None:
            for block in self.blocks[:count]:
                ids += block.ids

    def _trim_block(self, count: int, removed_ids: list[int] | None) -> None:
        """Remove entries from the front of the first block, which may be all of them."""
        block = self.blocks[0]
        if removed_ids is not None:
            removed_ids += block.ids[:count]
        if count == len(block.ids):
            self._drop_blocks(0, 1)
            return
        for body in block.bodies[:count]:
            self.memory -= entry_size(block, body)
        del block.ids[:count]
        del block.bodies[:count]
        self.gone += count

    def trim_settled(self, most: int, least: int, approximate: bool, limit: int) -> int:
        """Remove entries from the front that no group has pending or ahead, and pass over the others.

        O(entries that every group was given, up to the last one removed).

        Args:
            most, least: stop where so few entries are left, or at this id; only one of them bounds.
            approximate: look at whole blocks only, those that the bounds would let go.
            limit: entries looked at at most, in whole blocks; 0 for any number.

        Returns:
            How many were removed.
        """
        known = min((group.last_id for group in self.groups.values()), default=LAST_ID)
        pending = [group.pending.entries for group in self.groups.values() if len(group.pending)]
        left = self.length
        looked_at = 0
        doomed: list[int] = []
        for block in self.blocks:
            entries = len(block.ids)
            goes_whole = left - entries >= most and block.last < least
            looked_at += entries
            if (approximate and not goes_whole) or (limit and looked_at > limit):
                break
            for entry_id in block.ids:
                if left - len(doomed) <= most or entry_id >= least or entry_id > known:
                    break
                if not any(entry_id in entries for entries in pending):
                    doomed.append(entry_id)
            else:
                continue
            break
        first = self.first_id
        for entry_id in doomed:
            if entry_id != first:
                self.max_deleted = max(self.max_deleted, entry_id)
            self.remove(entry_id)
            first = self.first_id
        return len(doomed)

    # How far groups are.

    def is_referenced(self, entry_id: int) -> bool:
        """Whether any group has an entry pending, or ahead. O(groups)."""
        return any(
            entry_id > group.last_id or entry_id in group.pending.entries for group in self.groups.values()
        )

    def settle_everywhere(self, ids: list[int]) -> None:
        """Entries are pending in no group any more. O(ids * groups)."""
        for group in self.groups.values():
            before = group.memory
            for entry_id in ids:
                group.settle(entry_id)
            self.memory += group.memory - before

    def is_fragmented_after(self, entry_id: int) -> bool:
        """Whether an entry from ``entry_id`` on was deleted, so that counting from there fails. O(1)."""
        return bool(self.length and self.max_deleted) and entry_id <= self.max_deleted

    def entries_until(self, entry_id: int) -> int:
        """How many entries were ever added up to an id; `UNKNOWN` if it cannot be told. O(1).

        It can for the last id, for an empty stream, and up to the first entry if none was deleted behind it.
        """
        if not self.added:
            return 0
        if not self.length and entry_id <= self.last_id:
            return self.added
        if entry_id >= self.last_id:
            return self.added if entry_id == self.last_id else UNKNOWN
        first = self.first_id
        if self.max_deleted < first and entry_id <= first:
            return self.added - self.length + (entry_id == first)
        return UNKNOWN

    def lag(self, group: Group) -> int:
        """How many entries a group has not read yet; `UNKNOWN` if it cannot be told. O(1)."""
        if not self.added:
            return 0
        if group.entries_read != UNKNOWN and not self.is_fragmented_after(group.last_id):
            return self.added - group.entries_read
        entries_read = self.entries_until(group.last_id)
        return UNKNOWN if entries_read == UNKNOWN else self.added - entries_read

    def advance(self, group: Group, ids: list[int]) -> None:
        """Entries with these ids are delivered to a group: move it on. O(ids)."""
        new = [entry_id for entry_id in ids if entry_id > group.last_id]
        if not new:
            return
        if group.entries_read != UNKNOWN and not self.is_fragmented_after(new[0]):
            group.entries_read += len(new)
        else:
            for entry_id in new:
                if group.entries_read != UNKNOWN and not self.is_fragmented_after(entry_id):
                    group.entries_read += 1
                elif self.added:
                    group.entries_read = self.entries_until(entry_id)
        group.last_id = new[-1]

    # What any value has.

    def copy(self) -> StreamValue:
        """A copy that shares nothing with this one, groups and their pending entries included. O(n)."""
        copied = StreamValue()
        for name in ("gone", "last_id", "max_deleted", "added", "memory"):
            setattr(copied, name, getattr(self, name))
        copied.starts = self.starts.copy()
        copied.blocks = [copy_of_block(block) for block in self.blocks]
        copied.tail = copied.blocks[-1] if copied.blocks else None
        copied.groups = {b"%b" % name: group.copy() for name, group in self.groups.items()}
        return copied

    def digest(self, begun: bytes) -> bytes:
        """Go on with a digest of `nogil_df.shard.digest`. O(bytes)."""
        for entry_id, body in self:
            begun = digest.chain(begun, b"%d.%d" % (entry_id >> 64, entry_id & SEQUENCE))
            for item in body:
                begun = digest.chain(begun, item)
        return begun

    def free_step(self, budget: int) -> int:
        """Let go of up to ``budget`` slices of a stream that was erased; how many it was.

        A slice is `BLOCKS` blocks, or what is pending for a consumer. See `Shard.dispose`.
        """
        used = 0
        while self.groups and used < budget:
            name, group = self.groups.popitem()
            if group.consumers:
                group.consumers.popitem()
                self.groups[name] = group
            used += 1
        while self.blocks and used < budget:
            for block in self.blocks[-BLOCKS:]:
                self.gone += len(block.ids)
            del self.blocks[-BLOCKS:]
            used += 1
        return used

    @property
    def serialized_length(self) -> int:
        """Bytes in an RDB file, more or less: its entries, and 24 for each pending one. O(n)."""
        pending = sum(len(group.pending) for group in self.groups.values())
        values = sum(NODE_ENTRY + sum(map(len, body[1::2])) + len(body) for _, body in self)
        return 40 + 48 * len(self.blocks) + values + 24 * pending

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError. O(n log n)."""
        ids = [entry_id for entry_id, _ in self]
        assert len(ids) == self.length
        assert all(a < b for a, b in pairwise(ids))
        assert not ids or ids[-1] <= self.last_id
        assert len(self.blocks) == len(self.starts)
        assert self.tail is (self.blocks[-1] if self.blocks else None)
        memory = STREAM_OVERHEAD + sum(group.memory for group in self.groups.values())
        for start, block in zip(self.starts, self.blocks, strict=True):
            assert block.ids
            assert start <= block.ids[0]
            assert block.usual == entry_size(block, sum(((field, b"") for field in block.fields), ()))
            memory += block_size(block) + sum(entry_size(block, body) for body in block.bodies)
        assert memory == self.memory, f"accounted {self.memory}, found {memory}"
        for name, group in self.groups.items():
            assert name == group.name
            group.verify()


def block_size(block: Block) -> int:
    """Bytes held by a block beside its entries. O(fields)."""
    fields = block.fields
    return BLOCK_OVERHEAD + sum(map(len, fields)) + len(fields) * (BYTES_OVERHEAD + PLACE)


def entry_size(block: Block, body: Body) -> int:
    """Bytes held by an entry of a block. O(fields)."""
    if block.width == 1 and len(body) == 2 and body[0] == block.fields[0]:
        return block.usual + len(body[1])
    size = ID_SIZE + BODY_OVERHEAD + len(body) * PLACE
    own = body[1::2] if list(body[::2]) == block.fields else body
    return size + sum(map(len, own)) + len(own) * BYTES_OVERHEAD


def copy_of_block(block: Block) -> Block:
    """A copy with bytes of this thread's own. O(bytes)."""
    copied = Block([b"%b" % field for field in block.fields], block.left, 0)
    copied.ids = block.ids.copy()
    copied.ended = block.ended
    copied.room = block.room
    for body in block.bodies:
        flat = [b"%b" % item for item in body]
        if flat[::2] == copied.fields:
            flat[::2] = copied.fields
        copied.bodies.append(tuple(flat))
    return copied
