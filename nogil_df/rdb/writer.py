"""Writing a value as the body of an RDB object.

The small forms are written where Redis would have the value in one: a listpack for hashes and sorted sets, an
intset for sets of integers; a list always consists of listpacks, of as many bytes as its nodes would have. A
listpack is one string in the body, and compressed as such. An element of any size stands in a listpack: the
plain nodes that Redis 7 can have are read, but not written.

Everything is in the forms of version 10, which Redis 7.0 and all later servers read, with one exception:
**deadlines of fields** came with version 12. A hash that has some is written in version 12 or not at all; to
leave them out would make fields live for ever that were meant to go. `needed_version` tells what a value
needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.numbers import format_double
from nogil_df.base.rdb_strings import RdbError, write_length
from nogil_df.rdb import forms
from nogil_df.rdb.listpack import Packer, pack
from nogil_df.rdb.streams import write_stream
from nogil_df.rdb.texts import append_string, append_strings
from nogil_df.rdb.vectors import write_vectors
from nogil_df.rdb.ziplist import pack_intset
from nogil_df.shard.hashes import HASHTABLE, HashValue
from nogil_df.shard.lists import NODE_BYTES, SAFE_BYTES, ListValue
from nogil_df.shard.sets import INTSET, SetValue
from nogil_df.shard.sets import LISTPACK as SET_IN_LISTPACK
from nogil_df.shard.sorted_sets import LISTPACK, SortedSetValue
from nogil_df.shard.streams import StreamValue
from nogil_df.shard.vectors import VectorSetValue

if TYPE_CHECKING:
    from nogil_df.shard.limits import EncodingLimits

_DOUBLE: Final = Struct("<d").pack
_NO_DEADLINE: Final = (1 << 48) - 1


def needed_version(value: Any) -> int:
    """The oldest version of the format, from `forms.WIDELY_READ` on, that can hold all of a value. O(1)."""
    if value.__class__ is HashValue and value.deadlines is not None and len(value.deadlines):
        return forms.FIELD_DEADLINES_SINCE
    return forms.WIDELY_READ


def write_object(
    out: bytearray,
    value: Any,
    limits: EncodingLimits,
    *,
    version: int = forms.WIDELY_READ,
    compress: bool = True,
) -> int:
    """Append the body of a value, without its form, key or deadline.

    Args:
        out: what to append to.
        value: a stored value.
        limits: bounds of the shard, for the size of a list's nodes.
        version: of the format, `forms.WIDELY_READ` to `forms.NEWEST`; what reads it must know this version.
        compress: let strings that shrink by it be compressed.

    Returns:
        The form, a number of `forms`, which belongs in front of the body (in a file: in front of the key).

    Raises:
        RdbError: the version cannot hold the value; nothing was appended.

    Complexity: O(bytes).
    """
    if needed_version(value) > version:
        raise RdbError(f"fields with deadlines need RDB version {forms.FIELD_DEADLINES_SINCE}")
    writer = Writer(out, compress)
    if value.__class__ is bytes or isinstance(value, bytearray):
        writer.string(bytes(value))
        return forms.STRING
    write = _WRITERS[value.__class__]
    return write(writer, value, limits, version)


class Writer:
    """Appends strings and lengths.

    Args:
        out: what to append to.
        compress: let strings that shrink by it be compressed.
    """

    __slots__ = ("compress", "out")

    def __init__(self, out: bytearray, compress: bool) -> None:
        self.out = out
        self.compress = compress

    def length(self, length: int) -> None:
        """Append a length of up to 64 bits. O(1)."""
        self.out += write_length(length)

    def string(self, text: bytes) -> None:
        """Append a string: as an integer, compressed or as it is, whatever is shortest. O(text)."""
        append_string(self.out, text, self.compress)

    def strings(self, texts: Iterable[bytes]) -> None:
        """Append strings one after the other. O(bytes)."""
        append_strings(self.out, texts, self.compress)


def _write_list(writer: Writer, value: ListValue, limits: EncodingLimits, version: int) -> int:
    """Nodes as long as `list-max-listpack-size` lets them be."""
    limit = limits.list_max_listpack_size
    room = NODE_BYTES[min(-limit, 5) - 1] if limit < 0 else SAFE_BYTES
    most = len(value) if limit < 0 else max(limit, 1)
    nodes: list[Packer] = []
    node = None
    for element in value.items:
        # Tag and way back of an element are at most ten bytes.
        if node is None or node.count >= most or node.size + len(element) + 10 > room:
            node = Packer()
            nodes.append(node)
        node.add(element)
    writer.length(len(nodes))
    for node in nodes:
        writer.length(forms.NODE_PACKED)
        writer.string(node.done())
    return forms.LIST_QUICKLIST_2


def _write_set(writer: Writer, value: SetValue, limits: EncodingLimits, version: int) -> int:
    if value.encoding is INTSET:
        writer.string(pack_intset(sorted(map(int, value.members))))
        return forms.SET_INTSET
    if value.encoding is SET_IN_LISTPACK and version >= forms.SET_LISTPACKS_SINCE:
        writer.string(pack(value.members))
        return forms.SET_LISTPACK
    writer.length(len(value))
    writer.strings(value.members)
    return forms.SET


def _write_hash(writer: Writer, value: HashValue, limits: EncodingLimits, version: int) -> int:
    if value.deadlines is not None and len(value.deadlines):
        return _write_hash_with_deadlines(writer, value)
    if value.encoding is not HASHTABLE:
        packer = Packer()
        for field, text in value.fields.items():
            packer.add(field)
            packer.add(text)
        writer.string(packer.done())
        return forms.HASH_LISTPACK
    writer.length(len(value))
    writer.strings(chain.from_iterable(value.fields.items()))
    return forms.HASH


def _write_hash_with_deadlines(writer: Writer, value: HashValue) -> int:
    """The first deadline, then the fields: their deadlines absolute in a listpack, else counted from it."""
    deadlines = value.deadlines
    assert deadlines is not None
    soonest = deadlines.soonest()
    writer.out += soonest.to_bytes(8, "little")
    if value.encoding is HASHTABLE:
        writer.length(len(value))
        for field, text in value.fields.items():
            deadline = deadlines.of(field)
            writer.length(deadline - soonest + 1 if deadline else 0)
            writer.string(field)
            writer.string(text)
        return forms.HASH_DEADLINES
    packer = Packer()
    # Redis goes through such a listpack from the front until a field has not expired.
    for field in sorted(value.fields, key=lambda field: deadlines.of(field) or _NO_DEADLINE):
        packer.add(field)
        packer.add(value.fields[field])
        packer.add_integer(deadlines.of(field))
    writer.string(packer.done())
    return forms.HASH_LISTPACK_DEADLINES


def _write_sorted_set(writer: Writer, value: SortedSetValue, limits: EncodingLimits, version: int) -> int:
    order = value.order
    members = order.span(0, len(value))
    scores = order.scores_of(0, len(value))
    if value.encoding is LISTPACK:
        packer = Packer()
        for member, score in zip(members, scores, strict=True):
            packer.add(member)
            packer.add(format_double(score))
        writer.string(packer.done())
        return forms.SORTED_SET_LISTPACK
    writer.length(len(members))
    # From behind, so that a skip list is filled at its head.
    for at in range(len(members) - 1, -1, -1):
        writer.string(members[at])
        writer.out += _DOUBLE(scores[at])
    return forms.SORTED_SET_2


def stream_form(version: int) -> int:
    """The form of streams in a version of the format. O(1)."""
    return forms.STREAM_3 if version >= forms.STREAMS_3_SINCE else forms.STREAM_2


def _write_stream(writer: Writer, value: StreamValue, limits: EncodingLimits, version: int) -> int:
    write_stream(writer, value, version)
    return stream_form(version)


def _write_vectors(writer: Writer, value: VectorSetValue, limits: EncodingLimits, version: int) -> int:
    write_vectors(writer, value)
    return forms.MODULE_2


_WRITERS: Final[dict[type, Callable[[Writer, Any, EncodingLimits, int], int]]] = {
    ListValue: _write_list,
    SetValue: _write_set,
    HashValue: _write_hash,
    SortedSetValue: _write_sorted_set,
    StreamValue: _write_stream,
    VectorSetValue: _write_vectors,
}
