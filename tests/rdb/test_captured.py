"""What redis-server made: read, held against its digest, and written again."""

from __future__ import annotations

import pytest

from nogil_df.base.rdb_strings import Reader
from nogil_df.rdb import forms
from nogil_df.rdb.payload import FOOTER, dump, is_sound, load
from nogil_df.rdb.reader import read_object
from nogil_df.rdb.writer import needed_version, write_object
from nogil_df.shard import digest
from nogil_df.shard.limits import EncodingLimits
from tests.rdb.captured import CAPTURED

LIMITS = EncodingLimits()
AS_REDIS_HAD_IT = {
    "list of many nodes": ("list_max_listpack_size", 3),
    "list of compressed nodes": ("list_max_listpack_size", 16),
    "set of integers in a table": ("set_max_intset_entries", 0),
    "hash in a listpack": ("hash_max_listpack_value", 1000),
    "sorted set in a skip list": ("zset_max_listpack_entries", 0),
    "stream of many nodes": ("stream_node_max_entries", 4),
    "stream with deleted entries": ("stream_node_max_entries", 4),
}
WRITTEN_OTHERWISE = {
    "compressed string": "there are many ways to compress",
    "list of compressed nodes": "the same",
    "list with a string of 4096 bytes": "the same",
    "hash in a compressed listpack": "the same",
    "sorted set in a compressed listpack": "the same",
    "list with plain nodes": "only listpacks are written",
    "sorted set in a listpack": "later servers print scores with the fewest digits, as is done here",
    "set": "the order of a set is chance",
    "set of integers in a table": "so it is here; as small as it is, it is a listpack or intset",
    "stream with deleted entries": "what was deleted is not kept",
}


def limits_of(name: str) -> EncodingLimits:
    limits = EncodingLimits()
    if name in AS_REDIS_HAD_IT:
        setattr(limits, *AS_REDIS_HAD_IT[name])
    return limits


@pytest.mark.parametrize("name", CAPTURED)
def test_it_is_the_value_that_redis_had(name: str) -> None:
    captured = CAPTURED[name]
    payload = bytes.fromhex(captured.payload)
    assert is_sound(payload)
    value = load(payload, limits_of(name))
    assert digest.of_value(value, 0).hex() == captured.digest
    if value.__class__ is not bytes and hasattr(value, "verify"):
        value.verify()


@pytest.mark.parametrize("name", [name for name in CAPTURED if name not in WRITTEN_OTHERWISE])
def test_it_is_written_as_redis_wrote_it(name: str) -> None:
    """Byte by byte."""
    payload = bytes.fromhex(CAPTURED[name].payload)
    limits = limits_of(name)
    assert dump(load(payload, limits), limits, compress=False) == payload


@pytest.mark.parametrize("name", CAPTURED)
@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("version", [10, 11, 12])
def test_what_is_written_is_read_again(name: str, compress: bool, version: int) -> None:
    limits = limits_of(name)
    value = load(bytes.fromhex(CAPTURED[name].payload), limits)
    assert needed_version(value) == forms.WIDELY_READ
    out = bytearray(b"before")
    form = write_object(out, value, limits, version=version, compress=compress)
    reader = Reader(bytes(out) + b"behind")
    reader.at = len(b"before")
    again = read_object(reader, form, limits)
    assert reader.take(6) == b"behind"
    assert digest.of_value(again, 0).hex() == CAPTURED[name].digest


def test_every_form_that_redis_7_0_writes_is_there() -> None:
    written = {captured.form for captured in CAPTURED.values()}
    assert written == {
        forms.STRING,
        forms.SET,
        forms.HASH,
        forms.SORTED_SET_2,
        forms.SET_INTSET,
        forms.HASH_LISTPACK,
        forms.SORTED_SET_LISTPACK,
        forms.LIST_QUICKLIST_2,
        forms.STREAM_2,
    }


def test_a_stream_keeps_its_blocks_and_groups() -> None:
    value = load(bytes.fromhex(CAPTURED["stream of many nodes"].payload), limits_of("stream of many nodes"))
    assert [len(block.ids) for block in value.blocks] == [4, 4, 3]
    assert [block.left for block in value.blocks] == [0, 0, 1]
    value = load(bytes.fromhex(CAPTURED["stream with groups"].payload), LIMITS)
    assert list(value.groups) == [b"g", b"other", b"third"]
    group = value.groups[b"g"]
    assert {name: len(consumer.pending) for name, consumer in group.consumers.items()} == {
        b"one": 2,
        b"two": 2,
        b"idle": 0,
    }
    assert (group.entries_read, value.groups[b"other"].entries_read) == (5, -1)


@pytest.mark.parametrize("name", CAPTURED)
def test_damage_is_noticed(name: str) -> None:
    payload = bytes.fromhex(CAPTURED[name].payload)
    for at in range(0, len(payload), 7):
        assert not is_sound(payload[:at])
        damaged = bytearray(payload)
        damaged[at] ^= 0x10
        assert not is_sound(bytes(damaged))
    assert not is_sound(payload[:-FOOTER])
