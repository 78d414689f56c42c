"""Values at random, written and read again; payloads at random, and good ones that were damaged."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nogil_df.base import lzf
from nogil_df.base.rdb_strings import RdbError, Reader
from nogil_df.rdb import listpack, ziplist
from nogil_df.rdb.payload import FOOTER, dump, is_sound, load
from nogil_df.rdb.reader import READERS, read_object
from nogil_df.rdb.writer import needed_version, write_object
from nogil_df.shard import digest
from nogil_df.shard.hashes import HashValue
from nogil_df.shard.limits import EncodingLimits
from nogil_df.shard.lists import ListValue
from nogil_df.shard.sets import SetValue
from nogil_df.shard.sorted_sets import SortedSetValue
from nogil_df.shard.stream_groups import UNKNOWN, Delivery, Group
from nogil_df.shard.streams import StreamValue
from tests.rdb import building
from tests.rdb.captured import CAPTURED
from tests.rdb.other_forms import NEWER, OLDER

LIMITS = EncodingLimits()
SMALL = EncodingLimits()
for _name in SMALL.__slots__:
    setattr(SMALL, _name, 3)

ROUNDS = settings(max_examples=60, deadline=None)
TEXTS = st.one_of(
    st.binary(max_size=70),
    st.integers(-(1 << 65), 1 << 65).map(lambda number: b"%d" % number),
    st.integers(-5000, 5000).map(lambda number: b"%d" % number),
    st.tuples(st.binary(min_size=1, max_size=3), st.integers(0, 2000)).map(lambda pair: pair[0] * pair[1]),
)
SCORES = st.floats(allow_nan=False)
IDS = st.integers(1, (1 << 128) - 1)
BOUNDS = st.sampled_from([LIMITS, SMALL])

GOOD = [
    *(bytes.fromhex(captured.payload) for captured in CAPTURED.values()),
    *(given_ for given_, _ in (OLDER | NEWER).values()),
]


def again(value: Any, limits: EncodingLimits) -> Any:
    """The value, written and read; in all versions that can hold it."""
    for version in range(needed_version(value), 13):
        for compress in (True, False):
            out = bytearray()
            form = write_object(out, value, limits, version=version, compress=compress)
            reader = Reader(bytes(out))
            found = read_object(reader, form, limits)
            assert reader.at == len(out)
            assert digest.of_value(found, 0) == digest.of_value(value, 0)
    written = dump(value, limits)
    assert is_sound(written)
    return load(written, limits)


@ROUNDS
@given(TEXTS)
def test_strings(text: bytes) -> None:
    assert again(text, LIMITS) == text
    assert again(bytearray(text), LIMITS) == text


@ROUNDS
@given(st.lists(TEXTS, min_size=1, max_size=60), BOUNDS)
def test_lists(elements: list[bytes], limits: EncodingLimits) -> None:
    assert list(again(ListValue(elements), limits).items) == elements


@ROUNDS
@given(st.sets(TEXTS, min_size=1, max_size=30), BOUNDS)
def test_sets(members: set[bytes], limits: EncodingLimits) -> None:
    value = again(SetValue.of(set(members), limits), limits)
    assert value.members == members
    assert value.encoding == SetValue.of(set(members), limits).encoding
    value.verify()


@ROUNDS
@given(st.dictionaries(TEXTS, st.tuples(TEXTS, st.integers(-1000, 1 << 45)), min_size=1, max_size=20), BOUNDS)
def test_hashes(fields: dict[bytes, tuple[bytes, int]], limits: EncodingLimits) -> None:
    value = HashValue(limits)
    for field, (text, deadline) in fields.items():
        value.set(field, text, limits)
        if deadline > 0:
            value.expire(field, deadline)
    found = again(value, limits)
    assert found.fields == value.fields
    assert {field: found.deadline(field) for field in fields} == {
        field: max(deadline, 0) for field, (_, deadline) in fields.items()
    }
    found.verify()


@ROUNDS
@given(st.dictionaries(TEXTS, SCORES, min_size=1, max_size=20), BOUNDS)
def test_sorted_sets(scores: dict[bytes, float], limits: EncodingLimits) -> None:
    value = SortedSetValue.of(dict(scores), limits)
    found = again(value, limits)
    assert {member: repr(score) for member, score in found.scores.items()} == {
        member: repr(score) for member, score in value.scores.items()
    }
    assert found.encoding == value.encoding
    found.verify()


@ROUNDS
@given(
    st.dictionaries(IDS, st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3), max_size=12),
    st.sets(st.integers(0, 11)),
    st.dictionaries(TEXTS, st.dictionaries(TEXTS, st.sets(IDS, max_size=5), max_size=3), max_size=3),
    BOUNDS,
)
def test_streams(
    entries: dict[int, list[tuple[bytes, bytes]]],
    deleted: set[int],
    groups: dict[bytes, dict[bytes, set[int]]],
    limits: EncodingLimits,
) -> None:
    value = StreamValue()
    for entry_id in sorted(entries):
        flat = [text for pair in entries[entry_id] for text in pair]
        value.append(entry_id, flat, limits.stream_node_max_entries, limits.stream_node_max_bytes)
    for at, entry_id in enumerate(sorted(entries)):
        if at in deleted:
            value.remove(entry_id)
            value.max_deleted = entry_id
    for name, consumers in groups.items():
        group = value.groups[name] = Group(name, value.last_id, UNKNOWN)
        for owner, pending in consumers.items():
            group.add_consumer(owner, 1234)
            for entry_id in pending - group.pending.entries.keys():
                group.add(Delivery(owner, 99, 3), entry_id)
        value.memory += group.memory
    found = again(value, limits)
    found.verify()
    assert list(found) == list(value)
    for name in ("added", "gone", "last_id", "max_deleted", "starts"):
        assert getattr(found, name) == getattr(value, name)
    assert {name: _plain(group) for name, group in found.groups.items()} == {
        name: _plain(group) for name, group in value.groups.items()
    }


def _plain(group: Group) -> object:
    pending = {
        entry_id: (one.owner, one.at, one.times) for entry_id, one in sorted(group.pending.entries.items())
    }
    consumers = {name: (one.seen, sorted(one.pending.entries)) for name, one in group.consumers.items()}
    return group.last_id, group.entries_read, pending, consumers


# Structures by themselves.


@ROUNDS
@given(st.lists(st.one_of(TEXTS, st.integers(0, 70000).map(bytes)), max_size=30))
@example([b"x" * size for size in (16376, 16377, 16378, 16379, 16380)])
def test_listpacks_and_ziplists(elements: list[bytes]) -> None:
    assert listpack.unpack(listpack.pack(elements)) == elements
    assert ziplist.unpack_ziplist(building.ziplist(*elements)) == elements


@ROUNDS
@given(st.sets(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1))
def test_intsets(numbers: set[int]) -> None:
    assert ziplist.unpack_intset(ziplist.pack_intset(sorted(numbers))) == sorted(numbers)


@ROUNDS
@given(st.lists(st.one_of(TEXTS, st.integers(0, 9000).map(bytes)), max_size=8).map(b"".join))
@example(b"a" * 100_000)
@example(bytes(range(256)) * 40)
@example(b"abcdefgh" * 1100)
def test_compressing(data: bytes) -> None:
    for block in filter(None, (lzf.compress(data), lzf.compress_in_python(data))):
        assert len(block) + 4 <= len(data)
        assert lzf.decompress(block, len(data)) == data
        assert lzf.decompress_in_python(block, len(data)) == data


def test_what_is_compressed() -> None:
    for compress in (lzf.compress, lzf.compress_in_python):
        assert compress(b"a" * 1000) is not None
        assert compress(b"hello world " * 20) is not None
        assert compress(bytes(range(256))) is None
        assert compress(b"ab") is None


# Hostile payloads: an error or a value in order, and soon.


def survives(form: int, body: bytes) -> None:
    """A body is read or refused, and a value that is read keeps its invariants."""
    began = time.process_time()
    try:
        value = read_object(Reader(body), form, LIMITS)
    except RdbError:
        value = None
    assert time.process_time() - began < 2.0
    if value is not None and hasattr(value, "verify"):
        value.verify()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 26), st.binary(max_size=300))
def test_random_bytes(form: int, body: bytes) -> None:
    survives(form, body)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bodies(data: st.DataObject) -> None:
    """With a checksum that would be right, as somebody hostile can make it."""
    good = data.draw(st.sampled_from(GOOD))
    body = bytearray(good[1:-FOOTER])
    for _ in range(data.draw(st.integers(1, 4))):
        if not body:
            break
        at = data.draw(st.integers(0, len(body) - 1))
        how = data.draw(st.sampled_from(["flip", "set", "cut", "insert", "remove", "double"]))
        if how == "flip":
            body[at] ^= 1 << data.draw(st.integers(0, 7))
        elif how == "set":
            body[at] = data.draw(
                st.sampled_from([0, 1, 0x3F, 0x40, 0x7F, 0x80, 0x81, 0xC0, 0xC3, 0xFE, 0xFF])
            )
        elif how == "cut":
            del body[at:]
        elif how == "insert":
            body[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        elif how == "remove":
            del body[at : at + data.draw(st.integers(1, 9))]
        else:
            body[at:at] = body[at : at + 40]
    survives(good[0], bytes(body))
    survives(data.draw(st.sampled_from(sorted(READERS))), bytes(body))


@pytest.mark.parametrize("good", GOOD, ids=[*CAPTURED, *OLDER, *NEWER])
def test_every_truncation_and_every_flipped_bit(good: bytes) -> None:
    body = good[1:-FOOTER]
    places = range(0, len(body), max(1, len(body) // 60))
    for at in places:
        with pytest.raises(RdbError):
            read_object(Reader(body[:at]), good[0], LIMITS)
        for bit in range(8):
            survives(good[0], body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :])


@pytest.mark.parametrize("form", sorted(READERS))
def test_promises_cost_nothing(form: int) -> None:
    """Lengths of all sizes with nothing behind them allocate nothing to speak of."""
    tracemalloc.start()
    try:
        for width in (b"\x80\xff\xff\xff\xff", b"\x81\x7f" + b"\xff" * 7, b"\x81" + b"\xff" * 8, b"\x7f\xff"):
            for prefix in (b"", bytes(8), b"\x01", b"\x01\x02", b"\xc3", b"\xc3\x05"):
                with suppress(RdbError):
                    read_object(Reader(prefix + width + b"abc"), form, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
