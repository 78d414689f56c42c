"""The value of a list: elements in order, both ends O(1).

The elements are `bytes` that the shard's thread made. Up to `SHORT` of them stand in a Python list, which
takes 64 to 1100 bytes; a longer list moves into a deque, whose both ends are O(1) whatever its length, but
which takes 760 bytes when it holds nothing (measured on 3.13t). The two share ``append``, ``pop``,
``insert(0, x)``, ``x[0]`` and ``del x[0]``, so whoever works at the ends need not ask which one it is.

The middle of a deque is reached block by block (64 elements each) from the nearer end. A stretch of it is
read by turning the deque until the stretch begins at the left (`rotate` moves a pointer in about 1 ns) and
back again. ``deque.copy`` is a trap on 3.13t: it takes milliseconds (measured: 3 to 6 for 200 elements), as
it seems to enter its own critical section twice.

``memory`` is kept by adding and subtracting: a constant for the list, one for each element, and the payload.
Invariant: it is `size_of` of the elements, plus `DEQUE_OVERHEAD` if they are in a deque.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from sys import getsizeof
from typing import Final

from nogil_df.base.numbers import parse_int
from nogil_df.shard import digest
from nogil_df.shard.memory import BYTES_OVERHEAD, ROUNDING

Items = list[bytes] | deque[bytes]

SHORT: Final = 128
"""Longest list whose elements stand in a Python list: moving them on takes about 40 ns.

It takes in the lists of the newest 100 that LPUSH and LTRIM keep: 100 elements are read in 0.3 us, of a
deque in 4 us."""

ELEMENT_OVERHEAD: Final = BYTES_OVERHEAD + 9
"""An element beside its payload: its object and its place, with the places a list has in reserve."""

LIST_OVERHEAD: Final = 48 + getsizeof([]) + 2 * ROUNDING + 24
"""The value object, its Python list, and room for the first elements."""

DEQUE_OVERHEAD: Final = getsizeof(deque()) + 264 - getsizeof([])
"""What a deque takes beyond a Python list: itself, and the half-empty blocks at its ends."""

FAR: Final = 512
"""Elements away from both ends from which turning a deque is quicker than walking along it."""

SLICE: Final = 840
"""Elements that are freed at a time, as many as a segment of a table has records."""

NODE_BYTES: Final = (4096, 8192, 16384, 32768, 65536)
"""Bytes of a listpack by `list-max-listpack-size` -1, -2... (Redis documentation, redis.conf)."""

SAFE_BYTES: Final = 8192
"""Bytes of a listpack at most where its elements are counted instead."""

LISTPACK_FRAME: Final = 7
"""Header and end mark of a listpack."""


class ListValue:
    """A list. The caller accounts for what it changes: `Keyspace.resized` with ``memory`` before and after.

    Args:
        elements: the elements, which the list takes over as its own.
        size: `size_of` of at most `SHORT` elements, from a caller that knows it.

    Attributes:
        items: the elements, in a Python list or a deque; see the module's text.
        memory: bytes it holds, as `nogil_df.shard.memory` counts.
    """

    __slots__ = ("items", "memory")

    type_name = b"list"
    type_number = 1
    """The number of the type in signatures and RDB files."""

    def __init__(self, elements: list[bytes], size: int = 0) -> None:
        self.items: Items = elements
        self.memory = LIST_OVERHEAD + size
        if not size:
            self.replace(elements)

    def replace(self, elements: list[bytes]) -> None:
        """Let these be all elements. O(n)."""
        self.memory = LIST_OVERHEAD + size_of(elements)
        self.items = elements
        if len(elements) > SHORT:
            self.lengthen()

    def lengthen(self) -> None:
        """Move the elements from a Python list to a deque. O(n)."""
        self.items = deque(self.items)
        self.memory += DEQUE_OVERHEAD

    def __len__(self) -> int:
        return len(self.items)

    def encoding_within(self, limit: int) -> bytes:
        """What Redis's OBJECT ENCODING says under a `list-max-listpack-size`. O(min(n, listpack entries)).

        Args:
            limit: -1 to -5 for a number of bytes, 0 or more for a number of elements.
        """
        items = self.items
        room = NODE_BYTES[min(-limit, 5) - 1] if limit < 0 else SAFE_BYTES
        if len(items) * 2 > room or (limit >= 0 and len(items) > max(limit, 1)):
            return b"quicklist"
        return b"listpack" if listpack_size(items) <= room else b"quicklist"

    def copy(self) -> ListValue:
        """A copy with bytes of this thread's own. O(n)."""
        return ListValue([b"%b" % element for element in self.items])

    def digest(self, begun: bytes) -> bytes:
        """Go on with a digest of `nogil_df.shard.digest`. O(bytes)."""
        for element in self.items:
            begun = digest.chain(begun, element)
        return begun

    def span(self, start: int, stop: int) -> list[bytes]:
        """Elements ``start`` to ``stop`` - 1, which must lie within. O(stop - start), and the way there."""
        items = self.items
        if type(items) is list:
            return items[start:stop]
        assert isinstance(items, deque)
        behind = len(items) - stop
        if start <= FAR:
            return list(islice(items, start, stop))
        if behind <= FAR:
            found = list(islice(reversed(items), behind, behind + stop - start))
            found.reverse()
            return found
        items.rotate(-start)
        found = list(islice(items, stop - start))
        items.rotate(start)
        return found

    def push(self, elements: list[bytes], left: bool) -> None:
        """Add elements one after the other at an end. O(elements added)."""
        items = self.items
        if not left:
            items.extend(elements)
        elif isinstance(items, deque):
            items.extendleft(elements)
        else:
            items[:0] = elements[::-1]
        self.memory += size_of(elements)
        if len(items) > SHORT and type(items) is list:
            self.lengthen()

    def pop(self, count: int, left: bool) -> list[bytes]:
        """Take up to ``count`` elements from an end, in the order in which they come. O(count)."""
        items = self.items
        if count == 1 and items:
            if left:
                element = items[0]
                del items[0]
            else:
                element = items.pop()
            self.memory -= len(element) + ELEMENT_OVERHEAD
            return [element]
        count = min(count, len(items))
        if isinstance(items, deque):
            take = items.popleft if left else items.pop
            taken = [take() for _ in range(count)]
        elif left:
            taken = items[:count]
            del items[:count]
        else:
            rest = len(items) - count
            taken = items[rest:]
            taken.reverse()
            del items[rest:]
        self.memory -= size_of(taken)
        return taken

    def set(self, index: int, element: bytes) -> None:
        """Replace the element at an index that is there, negative from the end. O(1) near the ends."""
        items = self.items
        self.memory += len(element) - len(items[index])
        items[index] = element

    def insert(self, pivot: bytes, element: bytes, after: bool) -> bool:
        """Insert beside the first element that equals ``pivot``; False if there is none. O(n)."""
        items = self.items
        if pivot not in items:
            return False
        items.insert(items.index(pivot) + after, element)
        self.memory += len(element) + ELEMENT_OVERHEAD
        if len(items) > SHORT and type(items) is list:
            self.lengthen()
        return True

    def remove(self, element: bytes, count: int) -> int:
        """Remove elements that equal ``element``: the first ``count``, the last if negative, all if 0. O(n).

        Returns:
            How many were removed.
        """
        found = self.items.count(element)
        if not found:
            return 0
        removed = min(found, abs(count)) if count else found
        self._remove(element, found - removed if count < 0 else 0, removed)
        return removed

    def _remove(self, element: bytes, skip: int, count: int) -> None:
        """Rebuild the list without ``count`` elements equal to ``element``, the first ``skip`` kept. O(n)."""
        kept: list[bytes] = []
        keep = kept.append
        end = skip + count
        seen = 0
        for one in self.items:
            if one == element:
                seen += 1
                if skip < seen <= end:
                    continue
            keep(one)
        self.replace(kept)

    def trim(self, start: int, stop: int) -> None:
        """Keep only elements ``start`` to ``stop`` - 1. O(elements removed)."""
        length = len(self.items)
        if start >= stop:
            self.replace([])
            return
        if start:
            self.pop(start, True)
        if stop < length:
            self.pop(length - stop, False)

    def positions(self, element: bytes, skip: int, count: int, longest: int, backwards: bool) -> list[int]:
        """Where elements equal ``element``, in the order in which they are met. O(n).

        Args:
            skip: how many of them to pass over.
            count: how many to find, 0 for all.
            longest: how many elements to compare, 0 for all.
            backwards: from the end.
        """
        items = self.items
        length = len(items)
        order = reversed(items) if backwards else iter(items)
        found: list[int] = []
        for at, one in enumerate(islice(order, longest) if longest else order):
            if one == element:
                if skip:
                    skip -= 1
                    continue
                found.append(length - 1 - at if backwards else at)
                if len(found) == count:
                    break
        return found

    def free_step(self, budget: int) -> int:
        """Let go of up to ``budget`` times `SLICE` elements of a list that was erased; how many times it was.

        See `Shard.dispose`.
        """
        used = 0
        while self.items and used < budget:
            self.pop(SLICE, False)
            used += 1
        return used

    @property
    def serialized_length(self) -> int:
        """Bytes in an RDB file, not compressed; exact for a list that fits one node. O(n)."""
        size = listpack_size(self.items)
        return 2 + (1 if size < 1 << 6 else 2 if size < 1 << 14 else 5) + size


def size_of(elements: Items) -> int:
    """Bytes held by elements and their places. O(n)."""
    return sum(map(len, elements)) + len(elements) * ELEMENT_OVERHEAD


def listpack_size(elements: Items) -> int:
    """Bytes of a listpack of these elements. O(n). Source: the listpack specification."""
    return LISTPACK_FRAME + sum(map(_entry_size, elements))


def _entry_size(element: bytes) -> int:
    """An element in a listpack: type and length, data, and its own size once more for the way back."""
    size = len(element)
    number = parse_int(element) if size <= 20 else None
    if number is None:
        body = size + (1 if size < 1 << 6 else 2 if size < 1 << 12 else 5)
    elif 0 <= number < 1 << 7:
        body = 1
    else:
        bits = (number if number >= 0 else ~number).bit_length() + 1
        body = 2 if bits <= 13 else 1 + next(width for width in (2, 3, 4, 8) if bits <= 8 * width)
    return body + 1 + sum(body >= bound for bound in (1 << 7, 1 << 14, 1 << 21, 1 << 28))
