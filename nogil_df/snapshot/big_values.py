"""Big values in a snapshot: written a slice at a time, and read no sooner than that.

A collection of more than `BIG` elements is written in forms whose length stands at the front and whose
elements simply follow, `PORTION` of them at a time. Nothing of it is copied for that: each portion is taken
of the value itself when its turn comes, as long as nobody is about to change it. Before a change the rest
is taken at once, which costs 20 to 100 ns for each element (they are shared, and never change). A long string
goes out as it is, between two blobs.

Who reads a value here has to see to it that it is settled (`Live.settle`) before anything changes it: `cut`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from struct import Struct
from typing import Any, Final

from nogil_df.base.rdb_strings import write_length
from nogil_df.rdb import forms
from nogil_df.rdb.live import PORTION, Live, Made, portions_of
from nogil_df.rdb.streams import stream_steps
from nogil_df.rdb.vectors import vector_steps
from nogil_df.rdb.writer import Writer, needed_version, stream_form
from nogil_df.shard.field_deadlines import FieldDeadlines
from nogil_df.shard.hashes import HashValue
from nogil_df.shard.lists import ListValue
from nogil_df.shard.sets import SetValue
from nogil_df.shard.sorted_sets import SortedSetValue
from nogil_df.shard.streams import StreamValue
from nogil_df.shard.vectors import VectorSetValue
from nogil_df.snapshot.records import Style

BIG: Final = 2048
"""Elements above which a collection is written in slices."""

LONG: Final = 64 << 10
"""Bytes from which a string is not copied, and not compressed."""

STRETCH: Final = 8192
"""Elements of a list that are taken at a time: the way to its middle is 1 ms for a million, and a copy of so
many elements takes as long."""

_DOUBLE: Final = Struct("<d").pack
_TIME_SIZE: Final = 8

Bytes = bytes | bytearray


def is_big(value: Any) -> bool:
    """Whether a value is to be written in slices. O(1)."""
    kind = value.__class__
    if kind is bytes or isinstance(value, bytearray):
        return len(value) >= LONG
    if kind is StreamValue:
        return len(value) > BIG or any(len(group.pending) > BIG for group in value.groups.values())
    return (kind in _SLICERS or kind is VectorSetValue) and len(value) > BIG


def big_form(value: Any, style: Style) -> int:
    """The form in which a big value is written."""
    if value.__class__ is StreamValue:
        return stream_form(style.version)
    if value.__class__ is VectorSetValue:
        return forms.MODULE_2
    if value.__class__ not in _SLICERS:
        return forms.STRING
    return forms.HASH_DEADLINES if _has_deadlines(value) else _SLICERS[value.__class__][0]


def slices(value: Any, style: Style) -> Made[Bytes]:
    """The body of a big value in pieces of some kilobytes, each made when it is asked for.

    Complexity: O(1) at the call, but for vector sets, which are copied; O(bytes of a piece) for each piece.
    """
    if value.__class__ is bytes:
        return Made((write_length(len(value)), value))
    if isinstance(value, bytearray):
        parts = Live(value[at : at + LONG] for at in range(0, len(value), LONG))
        return Made(chain((write_length(len(value)),), parts), parts)
    if _has_deadlines(value):
        return _hash_with_deadlines(value)
    if value.__class__ is StreamValue:
        steps = stream_steps(value, style.version)
        return Made(_stepwise(steps, style), steps)
    if value.__class__ is VectorSetValue:
        return Made(_stepwise(vector_steps(value), style))
    slicer: Callable[[Any], Made[Bytes]] = _SLICERS[value.__class__][1]
    return slicer(value)


def _has_deadlines(value: Any) -> bool:
    return needed_version(value) > forms.WIDELY_READ


def _stepwise(steps: Iterable[Callable[[Writer], object]], style: Style) -> Iterator[bytearray]:
    for step in steps:
        out = bytearray()
        step(Writer(out, style.compress))
        yield out


def _strings(portions: Live[list[bytes]], count: int) -> Made[Bytes]:
    """A count, and strings."""
    return Made(chain((write_length(count),), map(_written, portions)), portions)


def _written(texts: list[bytes]) -> bytearray:
    out = bytearray()
    Writer(out, False).strings(texts)
    return out


def _list(value: ListValue) -> Made[Bytes]:
    elements = _Elements(value)
    return _strings(Live(elements, elements.rest), len(value))


class _Elements(Iterator[list[bytes]]):
    """Portions of a list, which others may turn meanwhile to read of its middle."""

    __slots__ = ("_at", "_ready", "_value")

    def __init__(self, value: ListValue) -> None:
        self._value = value
        self._at = 0
        self._ready: Iterator[list[bytes]] = iter(())

    def __next__(self) -> list[bytes]:
        found = next(self._ready, None)
        if found is None:
            at = self._at
            self._at = stop = min(at + STRETCH, len(self._value))
            self._ready = portions_of(self._value.span(at, stop))
            found = next(self._ready)
        return found

    def rest(self) -> Iterator[list[bytes]]:
        """What has not been read, as it is now."""
        return chain(self._ready, portions_of(self._value.span(self._at, len(self._value))))


def _set(value: SetValue) -> Made[Bytes]:
    members = iter(value.members)
    return _strings(Live(_portions(members), lambda: portions_of(list(members))), len(value))


def _portions(items: Iterator[Any]) -> Iterator[list[Any]]:
    while portion := list(islice(items, PORTION)):
        yield portion


def _hash(value: HashValue) -> Made[Bytes]:
    fields = _Fields(value.fields)
    return _strings(Live(fields, fields.rest), len(value))


class _Fields(Iterator[list[bytes]]):
    """Portions of a hash: field, value, field, value."""

    __slots__ = ("_fields", "_items", "_read")

    def __init__(self, fields: dict[bytes, bytes]) -> None:
        self._fields = fields
        self._items = iter(fields.items())
        self._read = 0

    def __next__(self) -> list[bytes]:
        portion = list(chain.from_iterable(islice(self._items, PORTION)))
        if not portion:
            raise StopIteration
        self._read += PORTION
        return portion

    def rest(self) -> Iterator[list[bytes]]:
        """What has not been read, as it is now. Two lists take a sixth of the time that pairs do."""
        fields, read = self._fields, self._read
        names = portions_of(list(islice(fields, read, None)))
        texts = portions_of(list(islice(fields.values(), read, None)))
        return (list(chain.from_iterable(zip(*both, strict=True))) for both in zip(names, texts, strict=True))


def _sorted_set(value: SortedSetValue) -> Made[Bytes]:
    portions = Live(_scored(value))
    return Made(chain((write_length(len(value)),), map(_written_scores, portions)), portions)


def _scored(value: SortedSetValue) -> Iterator[tuple[list[bytes], list[float]]]:
    """From behind, so that a skip list is filled at its head."""
    order = value.order
    for stop in range(len(value), 0, -PORTION):
        start = max(stop - PORTION, 0)
        yield order.span(start, stop), order.scores_of(start, stop)


def _written_scores(portion: tuple[list[bytes], list[float]]) -> bytearray:
    out = bytearray()
    writer = Writer(out, False)
    members, scores = portion
    for at in range(len(members) - 1, -1, -1):
        writer.string(members[at])
        out += _DOUBLE(scores[at])
    return out


def _hash_with_deadlines(value: HashValue) -> Made[Bytes]:
    deadlines = value.deadlines
    assert deadlines is not None
    soonest = deadlines.soonest()
    portions = Live(_timed(value.fields, deadlines))
    head = soonest.to_bytes(_TIME_SIZE, "little") + write_length(len(value))
    return Made(chain((head,), (_written_timed(portion, soonest) for portion in portions)), portions)


def _timed(fields: dict[bytes, bytes], deadlines: FieldDeadlines) -> Iterator[list[tuple[bytes, bytes, int]]]:
    for items in _portions(iter(fields.items())):
        yield [(field, text, deadlines.of(field)) for field, text in items]


def _written_timed(portion: list[tuple[bytes, bytes, int]], soonest: int) -> bytearray:
    out = bytearray()
    writer = Writer(out, False)
    for field, text, time in portion:
        writer.length(time - soonest + 1 if time else 0)
        writer.string(field)
        writer.string(text)
    return out


_SLICERS: Final[dict[type, tuple[int, Callable[[Any], Made[Bytes]]]]] = {
    ListValue: (forms.LIST, _list),
    SetValue: (forms.SET, _set),
    HashValue: (forms.HASH, _hash),
    SortedSetValue: (forms.SORTED_SET_2, _sorted_set),
}
