"""Forms older and newer than those of redis-server 7.0."""

from __future__ import annotations

from typing import Any

import pytest

from nogil_df.base.rdb_strings import RdbError, Reader, write_length, write_string
from nogil_df.rdb import forms
from nogil_df.rdb.payload import dump, is_sound, load
from nogil_df.rdb.reader import read_object
from nogil_df.rdb.writer import needed_version, write_object
from nogil_df.shard.hashes import HashValue
from nogil_df.shard.limits import EncodingLimits
from nogil_df.shard.lists import ListValue
from nogil_df.shard.sets import SetValue
from nogil_df.shard.sorted_sets import SortedSetValue
from tests.rdb.building import counted, lengths, listpack, payload, strings, times, ziplist, zipmap
from tests.rdb.other_forms import NEWER, OLDER

LIMITS = EncodingLimits()
FIRST = 5_000_000_000_000


def plain(value: Any) -> Any:
    """What a value holds, as `other_forms` has it."""
    if value.__class__ is ListValue:
        return list(value.items)
    if value.__class__ is SetValue:
        return value.members
    if value.__class__ is SortedSetValue:
        return value.scores
    if value.__class__ is HashValue and value.deadlines is not None:
        return {field: (text, value.deadline(field)) for field, text in value.fields.items()}
    return dict(value.fields) if value.__class__ is HashValue else value.length


@pytest.mark.parametrize("name", [*OLDER, *NEWER])
def test_it_is_read(name: str) -> None:
    given, expected = (OLDER | NEWER)[name]
    assert is_sound(given)
    value = load(given, LIMITS)
    assert plain(value) == expected
    if value.__class__ is not ListValue:
        value.verify()
    assert plain(load(dump(value, LIMITS), LIMITS)) == expected


@pytest.mark.parametrize(
    ("name", "entries_read", "active", "added"),
    [("stream of version 1", 2, 2222, 3), ("stream of version 3", 2, 3333, 5)],
)
def test_what_a_version_of_streams_tells(name: str, entries_read: int, active: int, added: int) -> None:
    value = load((OLDER | NEWER)[name][0], LIMITS)
    assert [entry_id >> 64 for entry_id, _ in value] == [1, 1, 9]
    assert value.get(1 << 64 | 1) == (b"f", b"", b"g", b"-7")
    assert (value.added, value.last_id) == (added, 9 << 64 | 3)
    group = value.groups[b"group"]
    # The first two entries are not told to be the first ones ever in version 1.
    assert group.entries_read == (entries_read if name.endswith("3") else value.entries_until(1 << 64 | 1))
    consumer = group.consumers[b"consumer"]
    assert (consumer.seen, consumer.active) == (2222, active)
    delivery = group.pending.entries[1 << 64 | 1]
    assert (delivery.owner, delivery.at, delivery.times) == (b"consumer", 1111, 2)


def with_deadlines(fields: int) -> HashValue:
    value = HashValue(LIMITS)
    for number in range(fields):
        value.set(b"f%d" % number, b"v" * number, LIMITS)
        if number % 3:
            value.expire(b"f%d" % number, FIRST - number)
    return value


@pytest.mark.parametrize(("fields", "form"), [(7, 25), (700, 24)])
def test_deadlines_of_fields_need_version_12(fields: int, form: int) -> None:
    value = with_deadlines(fields)
    assert needed_version(value) == 12
    for version in (10, 11):
        out = bytearray()
        with pytest.raises(RdbError, match="version 12"):
            write_object(out, value, LIMITS, version=version)
        assert not out
    written = dump(value, LIMITS)
    assert (written[0], written[-10]) == (form, 12)
    assert plain(load(written, LIMITS)) == plain(value)
    for number in range(fields):
        value.persist(b"f%d" % number)
    assert (needed_version(value), dump(value, LIMITS)[-10]) == (10, 10)


def test_a_listpack_of_deadlines_begins_with_the_soonest() -> None:
    out = bytearray()
    write_object(out, with_deadlines(5), LIMITS, version=12)
    reader = Reader(bytes(out))
    assert int.from_bytes(reader.take(8), "little") == FIRST - 4
    assert reader.string()[6:].split(b"\x83")[0].startswith(b"\x82f4")


def body(form: int, data: bytes) -> None:
    read_object(Reader(data), form, LIMITS)


EMPTY = {
    "list": (forms.LIST, b"\x00"),
    "set": (forms.SET, b"\x00"),
    "hash": (forms.HASH, b"\x00"),
    "sorted set": (forms.SORTED_SET_2, b"\x00"),
    "ziplist": (forms.LIST_ZIPLIST, write_string(ziplist())),
    "quicklist": (forms.LIST_QUICKLIST, b"\x00"),
    "quicklist of empty nodes": (forms.LIST_QUICKLIST, counted(ziplist(), ziplist())),
    "quicklist of an empty listpack": (forms.LIST_QUICKLIST_2, b"\x01\x02" + write_string(listpack())),
    "intset": (forms.SET_INTSET, write_string(bytes([2, 0, 0, 0, 0, 0, 0, 0]))),
    "hash listpack": (forms.HASH_LISTPACK, write_string(listpack())),
    "hash zipmap": (forms.HASH_ZIPMAP, write_string(zipmap())),
    "sorted set listpack": (forms.SORTED_SET_LISTPACK, write_string(listpack())),
    "deadlines": (forms.HASH_DEADLINES, times(1) + b"\x00"),
}
HUGE = write_length(1 << 62)
WRONG = {
    "odd hash": (forms.HASH_LISTPACK, write_string(listpack(b"a"))),
    "odd sorted set": (forms.SORTED_SET_ZIPLIST, write_string(ziplist(b"a", 1, b"b"))),
    "odd triples": (forms.HASH_LISTPACK_DEADLINES, times(1) + write_string(listpack(b"a", b"b"))),
    "a field twice": (forms.HASH, lengths(2) + strings(b"a", b"1", b"a", b"2")),
    "a member twice": (forms.SET, counted(b"a", b"a")),
    "a scored member twice": (forms.SORTED_SET_LISTPACK, write_string(listpack(b"a", 1, b"a", 2))),
    "a score of no digits": (forms.SORTED_SET_LISTPACK, write_string(listpack(b"a", b"x"))),
    "nan": (forms.SORTED_SET_LISTPACK, write_string(listpack(b"a", b"nan"))),
    "nan as a length": (forms.SORTED_SET, lengths(1) + write_string(b"a") + b"\xfd"),
    "nan in binary": (
        forms.SORTED_SET_2,
        lengths(1) + write_string(b"a") + b"\x00\x00\x00\x00\x00\x00\xf8\x7f",
    ),
    "a deadline beyond all": (forms.HASH_DEADLINES, times(1) + lengths(1, 1 << 47) + strings(b"a", b"b")),
    "a deadline of no digits": (
        forms.HASH_LISTPACK_DEADLINES,
        times(1) + write_string(listpack(b"a", b"b", b"c")),
    ),
    "a negative deadline": (forms.HASH_LISTPACK_DEADLINES, times(1) + write_string(listpack(b"a", b"b", -1))),
    "intset out of order": (forms.SET_INTSET, write_string(bytes([2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 4, 0]))),
    "intset of one number twice": (
        forms.SET_INTSET,
        write_string(bytes([2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 5, 0])),
    ),
    "intset of another width": (forms.SET_INTSET, write_string(bytes([3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 4]))),
    "a node of another kind": (forms.LIST_QUICKLIST_2, b"\x01\x03" + write_string(listpack(b"a"))),
    "a list of very many": (forms.LIST, HUGE + strings(b"a")),
    "a set of very many": (forms.SET, HUGE + strings(b"a")),
    "a hash of very many": (forms.HASH, HUGE + strings(b"a", b"b")),
    "a sorted set of very many": (forms.SORTED_SET_2, HUGE + strings(b"a")),
    "a quicklist of very many": (forms.LIST_QUICKLIST_2, HUGE + b"\x02" + write_string(listpack(b"a"))),
    "deadlines of very many": (forms.HASH_DEADLINES, times(1) + HUGE + b"\x00" + strings(b"a", b"b")),
    "a stream of very many nodes": (forms.STREAM_2, HUGE + strings(b"a")),
    "a string of very many bytes": (forms.STRING, HUGE + b"abc"),
    "a string that would be very long": (forms.STRING, b"\xc3\x03" + write_length(1 << 29) + b"\x00a\xff"),
}


@pytest.mark.parametrize("name", EMPTY)
def test_there_are_no_empty_collections(name: str) -> None:
    with pytest.raises(RdbError, match=r"empty|intset"):
        body(*EMPTY[name])


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused(name: str) -> None:
    with pytest.raises(RdbError):
        body(*WRONG[name])


@pytest.mark.parametrize("form", [forms.MODULE_1, forms.MODULE_2])
def test_values_of_modules_are_refused_by_name(form: int) -> None:
    number = 0
    for letter in "ReJSON-RL":
        number = number << 6 | "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(
            letter
        )
    with pytest.raises(RdbError, match="module, of type ReJSON-RL"):
        body(form, write_length(number << 10 | 3) + b"\x00")


@pytest.mark.parametrize("form", [8, 26, 27, 201, 255])
def test_forms_that_nobody_knows(form: int) -> None:
    with pytest.raises(RdbError, match=f"unknown form {form}"):
        body(form, b"\x01a")


def test_the_footer() -> None:
    good = payload(forms.STRING, write_string(b"abc"))
    assert is_sound(good)
    assert load(good, LIMITS) == b"abc"
    assert is_sound(payload(forms.STRING, write_string(b"abc"), version=12))
    assert not is_sound(payload(forms.STRING, write_string(b"abc"), version=13))
    assert not is_sound(good[:-8] + bytes(8))
    assert not is_sound(good[:9])
    with pytest.raises(RdbError):
        load(payload(forms.STRING, write_string(b"abc") + b"x"), LIMITS)
    with pytest.raises(RdbError):
        load(payload(forms.STRING, b""), LIMITS)
