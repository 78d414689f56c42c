"""Reading the body of an RDB object, in any of the forms that Redis 4 to 8 write.

A form says how the bytes are laid out; which encoding the value reports afterwards follows from its size and
the bounds in force, as if it had been made by commands, and as Redis has it.

Values are made of bytes of the thread that reads, so a payload has to be read by the shard's own thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.numbers import parse_float
from nogil_df.base.rdb_strings import RdbError, Reader
from nogil_df.rdb import forms
from nogil_df.rdb.listpack import integer, unpack
from nogil_df.rdb.streams import read_stream
from nogil_df.rdb.vectors import NUMBER, read_vectors
from nogil_df.rdb.ziplist import unpack_intset, unpack_ziplist, unpack_zipmap
from nogil_df.shard.hashes import HashValue
from nogil_df.shard.lists import ListValue
from nogil_df.shard.sets import SetValue
from nogil_df.shard.sorted_sets import SortedSetValue

if TYPE_CHECKING:
    from nogil_df.shard.limits import EncodingLimits

MOST_DEADLINE: Final = 1 << 46
"""Deadlines of fields, unix ms, are below this, as Redis has it."""

_TIME_SIZE: Final = 8
_SCORE_SIZE: Final = 8
_DOUBLE: Final = Struct("<d").unpack

_NAN, _INFINITE, _MINUS_INFINITE = 253, 254, 255
"""Lengths that stand for scores without digits."""

_MODULE_NAME: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

Read = Callable[[Reader, int, "EncodingLimits"], Any]


def read_object(reader: Reader, form: int, limits: EncodingLimits) -> Any:
    """A value whose body comes next.

    Args:
        reader: what to read from; afterwards it stands behind the body.
        form: a number of `forms`.
        limits: bounds of the shard, by which the encoding is chosen.

    Returns:
        A stored value (`nogil_df.shard.values`), made by this thread.

    Raises:
        RdbError: the form is unknown, or the body is damaged; the error says which. Nothing else is raised,
            whatever the bytes are.

    Complexity: O(bytes), O(n log n) for a sorted set.
    """
    # Not by `get`, which locks a dict that all threads use.
    if form not in READERS:
        raise RdbError(f"unknown form {form} of a value")
    return READERS[form](reader, form, limits)


def _filled(elements: list[bytes]) -> list[bytes]:
    """The elements, of which there has to be one at least: Redis has no empty collections."""
    if not elements:
        raise RdbError("an empty collection")
    return elements


def _texts(reader: Reader, count: int) -> list[bytes]:
    """So many strings; each takes a byte at least, so a count that is too great ends early."""
    if count > len(reader.data) - reader.at:
        raise RdbError("fewer elements than it says")
    string = reader.string
    return [string() for _ in range(count)]


def _read_string(reader: Reader, form: int, limits: EncodingLimits) -> bytes:
    return reader.string()


# Lists.


def _read_list(reader: Reader, form: int, limits: EncodingLimits) -> ListValue:
    return ListValue(_filled(_texts(reader, reader.length())))


def _read_list_ziplist(reader: Reader, form: int, limits: EncodingLimits) -> ListValue:
    return ListValue(_filled(unpack_ziplist(reader.string())))


def _read_quicklist(reader: Reader, form: int, limits: EncodingLimits) -> ListValue:
    elements: list[bytes] = []
    for _ in range(reader.length()):
        if form == forms.LIST_QUICKLIST:
            elements += unpack_ziplist(reader.string())
            continue
        container = reader.length()
        if container == forms.NODE_PLAIN:
            elements.append(reader.string())
        elif container == forms.NODE_PACKED:
            elements += unpack(reader.string())
        else:
            raise RdbError("list: unknown node")
    return ListValue(_filled(elements))


# Sets.


def _set_of(members: list[bytes], limits: EncodingLimits) -> SetValue:
    different = set(_filled(members))
    if len(different) != len(members):
        raise RdbError("set: a member twice")
    return SetValue.of(different, limits)


def _read_set(reader: Reader, form: int, limits: EncodingLimits) -> SetValue:
    return _set_of(_texts(reader, reader.length()), limits)


def _read_set_listpack(reader: Reader, form: int, limits: EncodingLimits) -> SetValue:
    return _set_of(unpack(reader.string()), limits)


def _read_intset(reader: Reader, form: int, limits: EncodingLimits) -> SetValue:
    return _set_of([b"%d" % number for number in unpack_intset(reader.string())], limits)


# Hashes.


def _hash_of(flat: list[bytes], limits: EncodingLimits) -> HashValue:
    """A hash of fields and values in turn."""
    if len(flat) & 1:
        raise RdbError("hash: a field without a value")
    value = HashValue(limits)
    value.expect(len(_filled(flat)) // 2, limits)
    pairs = iter(flat)
    put = value.set
    for field, text in zip(pairs, pairs, strict=True):
        if not put(field, text, limits):
            raise RdbError("hash: a field twice")
    return value


def _read_hash(reader: Reader, form: int, limits: EncodingLimits) -> HashValue:
    return _hash_of(_texts(reader, 2 * reader.length()), limits)


def _read_zipmap(reader: Reader, form: int, limits: EncodingLimits) -> HashValue:
    return _hash_of(unpack_zipmap(reader.string()), limits)


def _read_hash_ziplist(reader: Reader, form: int, limits: EncodingLimits) -> HashValue:
    return _hash_of(unpack_ziplist(reader.string()), limits)


def _read_hash_listpack(reader: Reader, form: int, limits: EncodingLimits) -> HashValue:
    return _hash_of(unpack(reader.string()), limits)


def _hash_with_deadlines(flat: list[bytes], deadlines: list[int], limits: EncodingLimits) -> HashValue:
    value = _hash_of(flat, limits)
    for field, deadline in zip(flat[::2], deadlines, strict=True):
        if not 0 <= deadline < MOST_DEADLINE:
            raise RdbError("hash: an impossible deadline")
        if deadline:
            value.expire(field, deadline)
    return value


def _read_hash_deadlines(reader: Reader, form: int, limits: EncodingLimits) -> HashValue:
    first = 1
    if form == forms.HASH_DEADLINES:
        first = int.from_bytes(reader.take(_TIME_SIZE), "little")
    count = reader.length()
    flat: list[bytes] = []
    deadlines: list[int] = []
    for _ in range(count):
        after = reader.length()
        deadlines.append(first + after - 1 if after else 0)
        flat += (reader.string(), reader.string())
    return _hash_with_deadlines(flat, deadlines, limits)


def _read_hash_of_valkey(reader: Reader, form: int, limits: EncodingLimits) -> HashValue:
    """Field, value and deadline, which is -1 for none."""
    flat: list[bytes] = []
    deadlines: list[int] = []
    for _ in range(reader.length()):
        flat += (reader.string(), reader.string())
        deadlines.append(max(int.from_bytes(reader.take(_TIME_SIZE), "little", signed=True), 0))
    return _hash_with_deadlines(flat, deadlines, limits)


def _read_hash_listpack_deadlines(reader: Reader, form: int, limits: EncodingLimits) -> HashValue:
    if form == forms.HASH_LISTPACK_DEADLINES:
        reader.take(_TIME_SIZE)
    triples = unpack(reader.string())
    if len(triples) % 3:
        raise RdbError("hash: a field without a deadline")
    flat = [item for at, item in enumerate(triples) if at % 3 != 2]
    return _hash_with_deadlines(flat, [integer(item) for item in triples[2::3]], limits)


# Sorted sets.


def _sorted_set_of(members: list[bytes], scores: list[float], limits: EncodingLimits) -> SortedSetValue:
    together = dict(zip(_filled(members), scores, strict=True))
    if len(together) != len(members):
        raise RdbError("sorted set: a member twice")
    if any(map(math.isnan, scores)):
        raise RdbError("sorted set: a score that is no number")
    return SortedSetValue.of(together, limits)


def _read_sorted_set(reader: Reader, form: int, limits: EncodingLimits) -> SortedSetValue:
    read_score = _read_double if form == forms.SORTED_SET_2 else _read_decimal
    count = reader.length()
    members: list[bytes] = []
    scores: list[float] = []
    for _ in range(count):
        members.append(reader.string())
        scores.append(read_score(reader))
    return _sorted_set_of(members, scores, limits)


def _read_double(reader: Reader) -> float:
    score: float = _DOUBLE(reader.take(_SCORE_SIZE))[0]
    return score


def _read_decimal(reader: Reader) -> float:
    size = reader.byte()
    if size == _NAN:
        return math.nan
    if size >= _INFINITE:
        return -math.inf if size == _MINUS_INFINITE else math.inf
    return _score(reader.take(size))


def _score(text: bytes) -> float:
    """A score in decimal form; one of more digits than a double has is rounded."""
    score = parse_float(text)
    if score is None:
        raise RdbError("sorted set: a score that is no number")
    return score


def _flat_sorted_set(flat: list[bytes], limits: EncodingLimits) -> SortedSetValue:
    if len(flat) & 1:
        raise RdbError("sorted set: a member without a score")
    return _sorted_set_of(flat[::2], [_score(text) for text in flat[1::2]], limits)


def _read_sorted_set_ziplist(reader: Reader, form: int, limits: EncodingLimits) -> SortedSetValue:
    return _flat_sorted_set(unpack_ziplist(reader.string()), limits)


def _read_sorted_set_listpack(reader: Reader, form: int, limits: EncodingLimits) -> SortedSetValue:
    return _flat_sorted_set(unpack(reader.string()), limits)


# Streams, modules.


def _read_stream(reader: Reader, form: int, limits: EncodingLimits) -> Any:
    versions = {forms.STREAM_1: 1, forms.STREAM_2: 2, forms.STREAM_3: 3}
    return read_stream(reader, versions[form], limits)


def _read_module(reader: Reader, form: int, limits: EncodingLimits) -> Any:
    """A vector set of ours; other values of modules are refused."""
    start = reader.at
    if form == forms.MODULE_2 and reader.length() == NUMBER:
        return read_vectors(reader)
    reader.at = start
    return _refuse_module(reader, form, limits)


def _refuse_module(reader: Reader, form: int, limits: EncodingLimits) -> Any:
    """The name of a module's type is nine characters of 6 bits each, above 10 bits of its version."""
    number = reader.length()
    name = "".join(_MODULE_NAME[number >> shift & 0x3F] for shift in range(58, 9, -6))
    raise RdbError(f"a value of a module, of type {name}, which only the module can read")


READERS: Final[dict[int, Read]] = {
    forms.STRING: _read_string,
    forms.LIST: _read_list,
    forms.LIST_ZIPLIST: _read_list_ziplist,
    forms.LIST_QUICKLIST: _read_quicklist,
    forms.LIST_QUICKLIST_2: _read_quicklist,
    forms.SET: _read_set,
    forms.SET_INTSET: _read_intset,
    forms.SET_LISTPACK: _read_set_listpack,
    forms.SORTED_SET: _read_sorted_set,
    forms.SORTED_SET_2: _read_sorted_set,
    forms.SORTED_SET_ZIPLIST: _read_sorted_set_ziplist,
    forms.SORTED_SET_LISTPACK: _read_sorted_set_listpack,
    forms.HASH: _read_hash,
    forms.HASH_ZIPMAP: _read_zipmap,
    forms.HASH_ZIPLIST: _read_hash_ziplist,
    forms.HASH_LISTPACK: _read_hash_listpack,
    forms.HASH_DEADLINES: _read_hash_deadlines,
    forms.HASH_DEADLINES_DRAFT: _read_hash_deadlines,
    forms.HASH_LISTPACK_DEADLINES: _read_hash_listpack_deadlines,
    forms.HASH_LISTPACK_DEADLINES_DRAFT: _read_hash_listpack_deadlines,
    forms.HASH_VALKEY: _read_hash_of_valkey,
    forms.STREAM_1: _read_stream,
    forms.STREAM_2: _read_stream,
    forms.STREAM_3: _read_stream,
    forms.MODULE_1: _refuse_module,
    forms.MODULE_2: _read_module,
}
