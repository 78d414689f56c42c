"""Records as they stand in a snapshot: written by the shard that owns them, and read by one.

A blob is a run of records in the RDB format, on its own: it begins by naming its database, and whatever
stands between records (opcodes) is in it. So blobs of all shards may follow each other in one RDB file in any
order, and the native files hold the same blobs.

**Big values** are not written in one go. Of a collection of more than `BIG` elements a list of the elements
is taken, which costs 35 to 100 ns for each (the elements are shared and never change); its bytes are made of
that list, a slice at a time, in forms whose length stands at the front and whose elements simply follow. A
long string is not copied at all: it goes out as it is, between two blobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.rdb_strings import RdbError, Reader, write_length
from nogil_df.rdb import forms
from nogil_df.rdb.reader import read_object
from nogil_df.rdb.streams import stream_steps
from nogil_df.rdb.vectors import vector_steps
from nogil_df.rdb.writer import Writer, needed_version, stream_form, write_object
from nogil_df.shard.ages import level_of, seconds
from nogil_df.shard.dash_segment import AgedRecord
from nogil_df.shard.flagged import Flagged, flags_of
from nogil_df.shard.hashes import HashValue
from nogil_df.shard.lists import ListValue
from nogil_df.shard.sets import SetValue
from nogil_df.shard.sorted_sets import SortedSetValue
from nogil_df.shard.streams import StreamValue
from nogil_df.shard.table import PACKED
from nogil_df.shard.vectors import VectorSetValue
from nogil_df.snapshot import opcodes

try:
    from nogil_df.snapshot._strings import load_strings
except ImportError:
    load_strings = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from nogil_df.shard.limits import EncodingLimits
    from nogil_df.shard.shard import Shard

BIG: Final = 2048
"""Elements above which a collection is written in slices."""

LONG: Final = 64 << 10
"""Bytes from which a string is not copied, and not compressed."""

MOST_FLAGS: Final = (1 << 32) - 1

NO_AGES, IDLE_TIMES, FREQUENCIES = range(3)
"""What is written of how much a record is used."""

_DEADLINE: Final = bytes((opcodes.DEADLINE_MS,))
_IDLE: Final = bytes((opcodes.IDLE,))
_FLAGS: Final = bytes((opcodes.CLIENT_FLAGS,))
_DATABASE: Final = bytes((opcodes.DATABASE,))
_DOUBLE: Final = Struct("<d").pack
_TIME_SIZE: Final = 8
_SECOND_SIZE: Final = 4


class Style:
    """How the records of a snapshot are written.

    Attributes:
        version: of the RDB format.
        compress: let strings that shrink by it be compressed.
        ages: NO_AGES, IDLE_TIMES or FREQUENCIES.
        client_flags: write what Memcached's clients gave with a string; only this server reads that.
    """

    __slots__ = ("ages", "client_flags", "compress", "version")

    def __init__(
        self, version: int, compress: bool, ages: int = NO_AGES, *, client_flags: bool = False
    ) -> None:
        self.version = version
        self.compress = compress
        self.ages = ages
        self.client_flags = client_flags


def ages_of(policy: str) -> int:
    """What a `maxmemory-policy` lets be written of how much records are used, as Redis does."""
    return FREQUENCIES if policy.endswith("-lfu") else IDLE_TIMES if policy.endswith("-lru") else NO_AGES


# Writing.


def write_database(index: int) -> bytes:
    """What begins a run of records of one database."""
    return _DATABASE + write_length(index)


def write_head(out: bytearray, record: AgedRecord, style: Style) -> None:
    """What stands before form and key of a record: deadline and age. O(1)."""
    _, value, deadline, age = record
    if deadline:
        out += _DEADLINE + deadline.to_bytes(_TIME_SIZE, "little")
    if style.ages:
        out += write_age(style, age)
    if style.client_flags and flags_of(value):
        out += _FLAGS + write_length(flags_of(value))


def write_age(style: Style, age: int) -> bytes:
    """How much a record is used, as the style has it. O(1)."""
    if style.ages == IDLE_TIMES:
        return _IDLE + write_length(seconds(age))
    return bytes((opcodes.FREQUENCY, age))


def every_age(style: Style) -> list[bytes] | None:
    """What is written of each age that a record can have; None for nothing. For a `StringTaker`."""
    return [write_age(style, age) for age in range(256)] if style.ages else None


def write_record(out: bytearray, record: AgedRecord, limits: EncodingLimits, style: Style) -> None:
    """Append a record whose value is not big, as a whole. O(bytes)."""
    key, deadline = record[0], record[2]
    value: Any = record[1]
    if deadline or style.ages or value.__class__ is Flagged:
        write_head(out, record, style)
    at = len(out)
    out.append(forms.STRING)
    out += write_length(len(key))
    out += key
    if value.__class__ is bytes:
        Writer(out, style.compress).string(value)
    else:
        # What the oldest readers understand, unless the whole file is in a newer version anyway.
        out[at] = write_object(out, value, limits, version=style.version, compress=style.compress)


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


def slices(value: Any, style: Style) -> Iterator[bytes | bytearray]:
    """The body of a big value in pieces of some kilobytes. What it needs of the value is taken at once.

    Complexity: O(elements) at the call, 35 to 100 ns for each; O(bytes of a piece) for each piece.
    """
    if value.__class__ is bytes:
        return iter((write_length(len(value)), value))
    if isinstance(value, bytearray):
        return iter((write_length(len(value)), bytes(value)))
    if _has_deadlines(value):
        return _hash_with_deadlines(value)
    if value.__class__ is StreamValue:
        return _stepwise(stream_steps(value, style.version), style)
    if value.__class__ is VectorSetValue:
        return _stepwise(vector_steps(value), style)
    slicer: Callable[[Any], Iterator[bytearray]] = _SLICERS[value.__class__][1]
    return slicer(value)


def _has_deadlines(value: Any) -> bool:
    return needed_version(value) > forms.WIDELY_READ


_SLICE: Final = 256
"""Elements of a piece: about 0.1 ms."""


def _stepwise(steps: Iterable[Callable[[Writer], object]], style: Style) -> Iterator[bytearray]:
    for step in steps:
        out = bytearray()
        step(Writer(out, style.compress))
        yield out


def _strings(texts: list[bytes], count: int) -> Iterator[bytearray]:
    """A count, and strings."""
    for at in range(0, len(texts), _SLICE):
        out = bytearray() if at else bytearray(write_length(count))
        Writer(out, False).strings(texts[at : at + _SLICE])
        yield out


def _list(value: ListValue) -> Iterator[bytearray]:
    return _strings(list(value.items), len(value))


def _set(value: SetValue) -> Iterator[bytearray]:
    return _strings(list(value.members), len(value))


def _hash(value: HashValue) -> Iterator[bytearray]:
    return _strings(list(chain.from_iterable(value.fields.items())), len(value))


def _sorted_set(value: SortedSetValue) -> Iterator[bytearray]:
    members = value.order.span(0, len(value))
    scores = list(value.order.scores_of(0, len(value)))
    return _scored(members, scores)


def _scored(members: list[bytes], scores: list[float]) -> Iterator[bytearray]:
    count = len(members)
    # From behind, so that a skip list is filled at its head.
    for stop in range(count, 0, -_SLICE):
        out = bytearray(write_length(count)) if stop == count else bytearray()
        writer = Writer(out, False)
        for at in range(stop - 1, max(stop - _SLICE, 0) - 1, -1):
            writer.string(members[at])
            out += _DOUBLE(scores[at])
        yield out


def _hash_with_deadlines(value: HashValue) -> Iterator[bytearray]:
    deadlines = value.deadlines
    assert deadlines is not None
    items = list(value.fields.items())
    return _timed(items, [deadlines.of(field) for field, _ in items], deadlines.soonest())


def _timed(items: list[tuple[bytes, bytes]], times: list[int], soonest: int) -> Iterator[bytearray]:
    for at in range(0, len(items), _SLICE):
        out = bytearray()
        if not at:
            out += soonest.to_bytes(_TIME_SIZE, "little") + write_length(len(items))
        writer = Writer(out, False)
        for (field, text), time in zip(items[at : at + _SLICE], times[at : at + _SLICE], strict=True):
            writer.length(time - soonest + 1 if time else 0)
            writer.string(field)
            writer.string(text)
        yield out


_SLICERS: Final[dict[type, tuple[int, Callable[[Any], Iterator[bytearray]]]]] = {
    ListValue: (forms.LIST, _list),
    SetValue: (forms.SET, _set),
    HashValue: (forms.HASH, _hash),
    SortedSetValue: (forms.SORTED_SET_2, _sorted_set),
}


# Reading.


class Loaded:
    """What became of records: how many were stored, and how many had expired or were already there."""

    __slots__ = ("expired", "keys", "replaced")

    def __init__(self) -> None:
        self.keys = 0
        self.expired = 0
        self.replaced = 0


def load_blob(shard: Shard, blob: bytes, loaded: Loaded, *, override: bool, use_ages: int) -> None:
    """Store the records of a blob, all of which belong to this shard. To be called by its thread.

    Args:
        override: a record may take the place of one that is there; else that is an error.
        use_ages: which of idle times and frequencies are taken over.

    Raises:
        RdbError: it is damaged, or a key is in it twice.

    Complexity: O(bytes).
    """
    reader = Reader(blob)
    end = len(blob)
    limits = shard.limits
    hash_key = shard.hash_key
    now = shard.tick.ms
    db = shard.dbs[0]
    deadline = flags = 0
    age = -1
    begins = True
    while reader.at < end:
        if begins and PACKED and not db.observed:
            begins = False
            _take_strings(db.table, reader, now, loaded, override)
            continue
        form = reader.byte()
        if form >= opcodes.CLIENT_FLAGS:
            if form == opcodes.DATABASE:
                db = shard.dbs[_database(reader.length(), len(shard.dbs))]
                begins = not deadline and not flags and age < 0
            elif form == opcodes.DEADLINE_MS:
                deadline = int.from_bytes(reader.take(_TIME_SIZE), "little", signed=True)
            elif form == opcodes.DEADLINE:
                deadline = int.from_bytes(reader.take(_SECOND_SIZE), "little", signed=True) * 1000
            elif form == opcodes.IDLE:
                idle = reader.length()
                age = level_of(idle) if use_ages == IDLE_TIMES else age
            elif form == opcodes.CLIENT_FLAGS:
                flags = reader.length()
            elif form == opcodes.FREQUENCY:
                frequency = reader.byte()
                age = frequency if use_ages == FREQUENCIES else age
            else:
                raise RdbError(f"opcode {form} among records")
            continue
        key = reader.string()
        value = read_object(reader, form, limits)
        if flags and form == forms.STRING:
            value = Flagged(value, flags & MOST_FLAGS)
        if deadline and deadline < now:
            loaded.expired += 1
        else:
            h = hash_key(key)
            if db.put(key, h, value, deadline) is not None:
                if not override:
                    raise RdbError(f"the key {_shown(key)} is there twice")
                loaded.replaced += 1
            if age >= 0:
                db.table.set_age(key, h, age)
            loaded.keys += 1
        deadline = flags = 0
        age = -1
        begins = True


def _take_strings(table: Any, reader: Reader, now: int, loaded: Loaded, override: bool) -> None:
    """Store strings without anything unusual as long as they follow each other, about 1 us each."""
    reader.at, keys, expired, replaced = load_strings(table, reader.data, reader.at, now, override)
    loaded.keys += keys
    loaded.expired += expired
    loaded.replaced += replaced


def _database(index: int, databases: int) -> int:
    if index >= databases:
        raise RdbError(f"it has a database {index}, and this server only {databases} (--dbnum)")
    return index


def _shown(key: bytes) -> str:
    text = key[:64].decode("utf-8", "backslashreplace")
    return repr(text)
