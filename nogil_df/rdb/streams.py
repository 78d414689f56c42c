"""Streams in the RDB format: versions 1 (Redis 5), 2 (7.0) and 3 (7.2 and later).

A stream is a number of nodes, each an id (16 bytes, big-endian) and a listpack; then figures, then the
groups. The listpack of a node begins with a master entry: how many entries it has, how many more are marked
as deleted, how many fields, their names, and a 0. An entry is its flags, the difference between its id and
the node's (milliseconds and sequence apart), its fields and values (only the values if the fields are the
master's), and how many elements these were.

Version 2 adds to the figures the first id, the greatest deleted one and how many entries were ever added, and
to a group how many it has read; version 3 adds to a consumer when it was last given anything. What an older
version does not tell is worked out as Redis does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.rdb_strings import RdbError, Reader
from nogil_df.rdb.forms import STREAMS_3_SINCE
from nogil_df.rdb.listpack import Packer, integer, unpack_raw
from nogil_df.rdb.live import Live, Made
from nogil_df.shard.stream_groups import NEVER, UNKNOWN, Consumer, Delivery, Group, Pending
from nogil_df.shard.streams import ANY_ROOM, SEQUENCE, Block, Body, StreamValue, block_size, entry_size

if TYPE_CHECKING:
    from nogil_df.rdb.writer import Writer
    from nogil_df.shard.limits import EncodingLimits

    Step = Callable[[Writer], object]

_ID_SIZE: Final = 16
_TIME_SIZE: Final = 8
_DELETED: Final = 1
_SAME_FIELDS: Final = 2
_BESIDE: Final = 3
"""Elements of an entry beside its fields and values: flags, and the two parts of its id."""

_PENDING: Final = 512
"""Pending entries of a step: about 0.2 ms."""

_SIGN: Final = 1 << 63
_ALL: Final = 1 << 128


# Writing.


def write_stream(writer: Writer, value: StreamValue, version: int) -> None:
    """Append the body of a stream, in version 3 if the version of the format has it, or else 2. O(bytes)."""
    for step in stream_steps(value, version):
        step(writer)


def stream_steps(value: StreamValue, version: int) -> Made[Step]:
    """The body of a stream in steps, each of which appends some of it.

    The stream is read as the steps go on, and must not change between them before it is settled.

    Complexity: O(groups + consumers) at the call; O(bytes of a node), or some hundred pending entries, for
    each step; `settle` takes about 0.2 us for each entry and each pending one.
    """
    blocks = Live(_copied(value))
    groups = [_group_steps(group, version) for group in value.groups.values()]
    parts: list[Live[Any]] = [blocks]
    for _, read in groups:
        parts += read
    figures = (value.last_id, value.first_id, value.max_deleted)
    counts = (len(value.blocks), value.length, value.added, len(groups))
    return Made(_steps(blocks, counts, figures, [steps for steps, _ in groups]), *parts)


def _copied(value: StreamValue) -> Iterator[tuple[int, list[bytes], list[int], list[Body]]]:
    """What is needed of each block."""
    for start, block in zip(value.starts, value.blocks, strict=True):
        yield start, block.fields, block.ids[:], block.bodies[:]


def _steps(
    blocks: Iterator[tuple[int, list[bytes], list[int], list[Body]]],
    counts: tuple[int, int, int, int],
    figures: tuple[int, int, int],
    groups: list[Iterator[Step]],
) -> Iterator[Step]:
    size, length, added, group_count = counts

    def go_on(writer: Writer) -> None:
        writer.length(length)
        for entry_id in figures:
            _write_id(writer, entry_id)
        writer.length(added)
        writer.length(group_count)

    yield lambda writer: writer.length(size)
    for block in blocks:
        yield partial(_write_block, block)
    yield go_on
    for steps in groups:
        yield from steps


def _write_block(block: tuple[int, list[bytes], list[int], list[Body]], writer: Writer) -> None:
    start, fields, ids, bodies = block
    writer.string(start.to_bytes(_ID_SIZE))
    writer.string(_node(start, fields, ids, bodies))


def _write_id(writer: Writer, entry_id: int) -> None:
    writer.length(entry_id >> 64)
    writer.length(entry_id & SEQUENCE)


def _node(start: int, fields: list[bytes], ids: list[int], bodies: list[Body]) -> bytes:
    """The listpack of a block."""
    packer = Packer()
    packer.add_integer(len(ids))
    packer.add_integer(0)
    packer.add_integer(len(fields))
    for field in fields:
        packer.add(field)
    packer.add_integer(0)
    ms, seq = start >> 64, start & SEQUENCE
    for entry_id, body in zip(ids, bodies, strict=True):
        is_same = list(body[::2]) == fields
        packer.add_integer(_SAME_FIELDS if is_same else 0)
        packer.add_integer(_signed((entry_id >> 64) - ms))
        packer.add_integer(_signed((entry_id & SEQUENCE) - seq))
        if not is_same:
            packer.add_integer(len(body) // 2)
        for item in body[1::2] if is_same else body:
            packer.add(item)
        packer.add_integer(_BESIDE + (len(body) // 2 if is_same else 1 + len(body)))
    return packer.done()


def _signed(difference: int) -> int:
    """A difference of two unsigned numbers of 64 bits as a signed one, modulo 2**64."""
    return (difference + _SIGN & SEQUENCE) - _SIGN


def _group_steps(group: Group, version: int) -> tuple[Iterator[Step], list[Live[Any]]]:
    """What appends a group, some hundred pending entries a step; and what is read for that."""
    deliveries = Live(_deliveries(group.pending))
    consumers = [
        ((one.name, one.seen, one.active, len(one.pending)), Live(_ids(one.pending)))
        for one in group.consumers.values()
    ]
    head = (group.name, group.last_id, group.entries_read, len(group.pending))
    steps = _steps_of_group(head, deliveries, consumers, version)
    return steps, [deliveries, *(ids for _, ids in consumers)]


def _steps_of_group(
    head: tuple[bytes, int, int, int],
    deliveries: Iterator[list[tuple[int, int, int]]],
    consumers: list[tuple[tuple[bytes, int, int, int], Live[list[int]]]],
    version: int,
) -> Iterator[Step]:
    name, last_id, entries_read, pending = head

    def begin(writer: Writer) -> None:
        writer.string(name)
        _write_id(writer, last_id)
        writer.length(entries_read & SEQUENCE)
        writer.length(pending)

    yield begin
    for given in deliveries:
        yield partial(_write_deliveries, given)
    yield lambda writer: writer.length(len(consumers))
    for consumer, portions in consumers:
        yield partial(_write_consumer, *consumer, version)
        for ids in portions:
            yield partial(_write_ids, ids)


def _ids(pending: Pending) -> Iterator[list[int]]:
    """What is pending, some hundred ids at a time."""
    low = 0
    while ids := pending.span(low, _ALL, _PENDING):
        yield ids
        low = ids[-1] + 1


def _deliveries(pending: Pending) -> Iterator[list[tuple[int, int, int]]]:
    """Id, time and count of what is pending, some hundred at a time."""
    for ids in _ids(pending):
        entries = pending.entries
        yield [(entry_id, (delivery := entries[entry_id]).at, delivery.times) for entry_id in ids]


def _write_deliveries(given: list[tuple[int, int, int]], writer: Writer) -> None:
    out = writer.out
    for entry_id, at, times in given:
        out += entry_id.to_bytes(_ID_SIZE)
        out += at.to_bytes(_TIME_SIZE, "little", signed=True)
        writer.length(times)


def _write_consumer(name: bytes, seen: int, active: int, pending: int, version: int, writer: Writer) -> None:
    writer.string(name)
    writer.out += seen.to_bytes(_TIME_SIZE, "little", signed=True)
    if version >= STREAMS_3_SINCE:
        writer.out += active.to_bytes(_TIME_SIZE, "little", signed=True)
    writer.length(pending)


def _write_ids(ids: list[int], writer: Writer) -> None:
    for entry_id in ids:
        writer.out += entry_id.to_bytes(_ID_SIZE)


# Reading.


def read_stream(reader: Reader, form: int, limits: EncodingLimits) -> StreamValue:
    """A stream.

    Args:
        form: 1, 2 or 3.

    Raises:
        RdbError: it is damaged.

    Complexity: O(bytes).
    """
    value = StreamValue()
    deleted = 0
    for _ in range(reader.length()):
        start = int.from_bytes(_exactly(reader.string(), _ID_SIZE))
        deleted = max(deleted, _read_node(value, start, reader.string(), limits))
    value.tail = value.blocks[-1] if value.blocks else None
    entries = value.added
    if reader.length() != entries:
        raise RdbError("stream: another number of entries")
    value.last_id = _read_id(reader)
    if form > 1:
        _read_id(reader)
        value.max_deleted = _read_id(reader)
        added = _read_count(reader)
        if added < entries:
            raise RdbError("stream: fewer entries were added than there are")
        value.set_added(added)
    if value.last_entry_id > value.last_id or max(value.max_deleted, deleted) > value.last_id:
        raise RdbError("stream: an id behind the last one")
    for _ in range(reader.length()):
        _read_group(reader, value, form)
    return value


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise RdbError("stream: an id of another size")
    return data


def _read_id(reader: Reader) -> int:
    ms = reader.length()
    return ms << 64 | reader.length()


def _read_count(reader: Reader) -> int:
    """A number that replies will have to show, so one of 63 bits."""
    count = reader.length()
    if count >= _SIGN:
        raise RdbError("stream: an impossible number")
    return count


def _read_time(reader: Reader) -> int:
    return int.from_bytes(reader.take(_TIME_SIZE), "little", signed=True)


class _Elements:
    """The elements of a node, one after the other."""

    __slots__ = ("at", "elements")

    def __init__(self, elements: list[bytes | int]) -> None:
        self.elements = elements
        self.at = 0

    def number(self) -> int:
        """The next one, which has to be an integer."""
        at = self.at
        if at >= len(self.elements):
            raise RdbError("stream: a node that ends too early")
        self.at = at + 1
        number = self.elements[at]
        return number if number.__class__ is int else integer(number)  # type: ignore[arg-type]

    def count(self) -> int:
        """The next one, which has to be a number of elements."""
        number = self.number()
        if not 0 <= number <= len(self.elements):
            raise RdbError("stream: an impossible number of elements")
        return number

    def take(self, count: int) -> list[bytes]:
        """The next ``count`` ones, as strings."""
        taken = self.elements[self.at : self.at + count]
        if len(taken) != count:
            raise RdbError("stream: a node that ends too early")
        self.at += count
        return [b"%d" % one if one.__class__ is int else one for one in taken]  # type: ignore[misc]


def _read_node(value: StreamValue, start: int, data: bytes, limits: EncodingLimits) -> int:
    """Add a node to a stream; returns the greatest id in it that is marked as deleted, 0 for none.

    A node all of whose entries are marked as deleted adds nothing.
    """
    elements = _Elements(unpack_raw(data))
    living, gone = elements.count(), elements.count()
    fields = elements.take(elements.count())
    if not fields or elements.number() != 0:
        raise RdbError("stream: wrong fields of a node")
    block = Block(fields, limits.stream_node_max_entries or -1, 0)
    block.room = (limits.stream_node_max_bytes or ANY_ROOM) - len(data)
    if value.blocks and start <= value.last_entry_id:
        raise RdbError("stream: nodes that are not in order")
    total, least, deleted = living + gone, max(start, 1), 0
    memory = 0
    for _ in range(total):
        flags = elements.number()
        entry_id = _id_of(start, elements)
        flat = _read_flat(elements, fields, flags)
        if entry_id < least:
            raise RdbError("stream: ids that are not in order")
        least = entry_id + 1
        if flags & _DELETED:
            deleted = entry_id
            gone -= 1
        else:
            block.ids.append(entry_id)
            block.bodies.append(flat)
            if flags & _SAME_FIELDS:
                memory += block.usual + sum(map(len, flat)) - block.names_size
            else:
                memory += entry_size(block, flat)
    if gone or elements.at != len(elements.elements):
        raise RdbError("stream: another number of entries in a node")
    if block.left > 0:
        block.left = max(0, block.left - total)
    if block.ids:
        if deleted > block.ids[-1]:
            block.ended = deleted
        value.blocks.append(block)
        value.starts.append(start)
        value.added += living
        value.memory += block_size(block) + memory
    return deleted


def _id_of(start: int, elements: _Elements) -> int:
    """The id of an entry, by its differences from the node's."""
    ms = (start >> 64) + elements.number() & SEQUENCE
    return ms << 64 | (start & SEQUENCE) + elements.number() & SEQUENCE


def _read_flat(elements: _Elements, fields: list[bytes], flags: int) -> Body:
    """Fields and values of an entry; checks what it says how many elements it has."""
    if flags & ~(_DELETED | _SAME_FIELDS):
        raise RdbError("stream: unknown flags of an entry")
    if flags & _SAME_FIELDS:
        flat = fields * 2
        flat[::2] = fields
        flat[1::2] = elements.take(len(fields))
        size = len(fields)
    else:
        count = elements.count()
        flat = elements.take(2 * count)
        size = 1 + 2 * count
        if flat[::2] == fields:
            flat[::2] = fields
    if elements.number() != size + _BESIDE or not flat:
        raise RdbError("stream: an entry of another size")
    return tuple(flat)


def _read_group(reader: Reader, value: StreamValue, form: int) -> None:
    name = reader.string()
    last_id = _read_id(reader)
    if form > 1:
        entries_read = _signed(reader.length())
        if entries_read < 0:
            entries_read = UNKNOWN
    else:
        entries_read = value.entries_until(last_id)
    if name in value.groups:
        raise RdbError("stream: two groups of one name")
    group = Group(name, last_id, entries_read)
    pending: dict[int, tuple[int, int]] = {}
    for _ in range(reader.length()):
        entry_id = int.from_bytes(reader.take(_ID_SIZE))
        if entry_id in pending:
            raise RdbError("stream: an entry that is pending twice")
        at = _read_time(reader)
        pending[entry_id] = at, _read_count(reader)
    owners: dict[int, Consumer] = {}
    for _ in range(reader.length()):
        _read_consumer(reader, group, owners, form)
    if owners.keys() != pending.keys():
        raise RdbError("stream: what is pending for a group is not what is for its consumers")
    for entry_id in sorted(pending):
        at, times = pending[entry_id]
        group.add(Delivery(owners[entry_id].name, at, times), entry_id)
    value.groups[name] = group
    value.memory += group.memory


def _read_consumer(reader: Reader, group: Group, owners: dict[int, Consumer], form: int) -> None:
    """A consumer; what is pending for it is added to ``owners``."""
    name = reader.string()
    if name in group.consumers:
        raise RdbError("stream: two consumers of one name")
    seen = _read_time(reader)
    consumer = group.add_consumer(name, seen)
    active = _read_time(reader) if form > 2 else seen
    consumer.active = active if active >= 0 else NEVER
    for _ in range(reader.length()):
        entry_id = int.from_bytes(reader.take(_ID_SIZE))
        if entry_id in owners:
            raise RdbError("stream: an entry that is pending for two consumers")
        owners[entry_id] = consumer
