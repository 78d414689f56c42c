"""The value of a hash: against a Python dict, encodings, deadlines, the account of memory, copies."""

from __future__ import annotations

from random import Random
from sys import getsizeof

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.shard.hashes import GROWTH, SLICE, HashValue
from nogil_df.shard.limits import EncodingLimits

LIMITS = EncodingLimits()
FIELDS = st.one_of(st.integers(0, 100).map(lambda number: b"f%d" % number), st.binary(max_size=80))
VALUES = st.one_of(st.sampled_from([b"", b"1", b"v" * 64, b"w" * 65]), st.binary(max_size=80))


def made(pairs: dict[bytes, bytes]) -> HashValue:
    value = HashValue(LIMITS)
    for field, text in pairs.items():
        value.set(field, text, LIMITS)
    return value


def numbered(count: int) -> dict[bytes, bytes]:
    return {b"field:%d" % number: b"%d" % number for number in range(count)}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "set", "set", "remove", "index", "expire", "persist", "purge"]),
            FIELDS,
            VALUES,
            st.integers(1, 50),
        ),
        max_size=150,
    )
)
def test_it_is_a_dict_with_deadlines(changes: list[tuple[str, bytes, bytes, int]]) -> None:
    value = made({b"first": b"1"})
    model = {b"first": b"1"}
    deadlines: dict[bytes, int] = {}
    now = 0
    for what, field, text, number in changes:
        if what == "set":
            assert value.set(field, text, LIMITS) == (field not in model)
            model[field] = text
        elif what == "remove" and field != b"first":
            assert value.remove(field) == (field in model)
            model.pop(field, None)
            deadlines.pop(field, None)
        elif what == "index":
            value.indexed()
        elif what == "expire" and field in model and field != b"first":
            value.expire(field, now + number)
            deadlines[field] = now + number
        elif what == "persist":
            assert value.persist(field) == (field in deadlines)
            deadlines.pop(field, None)
        elif what == "purge" and value.deadlines is not None:
            now += number
            gone = [field for field, deadline in deadlines.items() if deadline < now]
            assert value.remove_expired(now, 1 << 60) == len(gone)
            for field in gone:
                del model[field], deadlines[field]
            assert value.deadlines.soonest() == min(deadlines.values(), default=0)
    value.verify()
    assert value.fields == model
    assert list(value.fields) == list(model)
    assert {field: value.deadline(field) for field in model if value.deadline(field)} == deadlines


def test_the_encoding_is_what_redis_would_report() -> None:
    assert made(numbered(512)).encoding == b"listpack"
    assert made(numbered(513)).encoding == b"hashtable"
    assert made({b"f" * 64: b"v" * 64}).encoding == b"listpack"
    assert made({b"f" * 65: b""}).encoding == b"hashtable"
    assert made({b"f": b"v" * 65}).encoding == b"hashtable"


def test_the_encoding_never_goes_back() -> None:
    value = made({b"a": b"v" * 65})
    value.set(b"a", b"1", LIMITS)
    assert value.encoding == b"hashtable"


def test_deadlines_show_in_the_encoding() -> None:
    value = made({b"a": b"1", b"b": b"2"})
    value.expire(b"a", 1000)
    assert value.encoding == b"listpackex"
    value.persist(b"a")
    assert value.encoding == b"listpackex"
    value.set(b"b", b"v" * 65, LIMITS)
    assert value.encoding == b"hashtable"
    value = made({b"a": b"v" * 65})
    value.expire(b"a", 1000)
    assert value.encoding == b"hashtable"


@pytest.mark.parametrize("count", [1, 5, 6, 10, 11, 21, 22, 500, 5000])
def test_the_account_knows_the_size_of_pythons_dict(count: int) -> None:
    value = made(numbered(count))
    assert value.table_size == getsizeof(value.fields)
    value.verify()


def test_growth_is_what_cpython_does() -> None:
    fields: dict[bytes, int] = {b"": 0}
    found = []
    size = getsizeof(fields)
    for number in range(100_000):
        fields[b"%d" % number] = number
        if getsizeof(fields) != size:
            size = getsizeof(fields)
            found.append(len(fields) - 1)
    assert found == list(GROWTH[: len(found)])


def test_the_heap_of_deadlines_does_not_grow_with_their_changes() -> None:
    value = made(numbered(10))
    for turn in range(2000):
        value.expire(b"field:%d" % (turn % 10), 1000 + turn)
    assert value.deadlines is not None
    assert len(value.deadlines.heap) < 50
    assert value.deadlines.soonest() == 1000 + 1990
    value.verify()


def test_only_so_many_fields_expire_at_once() -> None:
    value = made(numbered(10))
    for field in numbered(10):
        value.expire(field, 5)
    assert value.remove_expired(5, 100) == 0
    assert value.remove_expired(6, 4) == 4
    assert len(value) == 6
    value.verify()


@pytest.mark.parametrize("count", [1, 10, 64, 65, 1000])
def test_samples_are_different_fields(count: int) -> None:
    value = made(numbered(count))
    random = Random(1)
    assert value.random(random) in value.fields
    for size in {1, count // 10, count // 2, count - 1} - {0}:
        if size < count:
            sample = value.sample(size, random)
            assert len(set(sample)) == len(sample) == size


@pytest.mark.parametrize("indexed", [False, True])
def test_a_big_hash_is_freed_in_slices(indexed: bool) -> None:
    value = made(numbered(3 * SLICE))
    if indexed:
        value.indexed()
    steps = 0
    while len(value):
        assert value.free_step(2) <= 2
        steps += 1
    assert 2 <= steps <= 4
    assert value.free_step(5) == 0


@pytest.mark.parametrize("count", [1, 100, 1000])
def test_a_copy_shares_nothing(count: int) -> None:
    value = made(numbered(count))
    value.indexed()
    value.expire(b"field:0", 1000)
    copy = value.copy()
    copy.verify()
    assert copy.fields == value.fields
    assert list(copy.fields) == list(value.fields)
    assert copy.encoding == value.encoding
    assert copy.deadline(b"field:0") == 1000
    own = {id(field) for field in value.fields}
    assert not any(id(field) in own for field in copy.fields)
    copy.persist(b"field:0")
    copy.set(b"x", b"y", LIMITS)
    copy.verify()
    assert value.deadline(b"field:0") == 1000
    value.verify()


def test_a_copys_deadlines_name_the_copys_fields() -> None:
    value = made({b"field": b"value"})
    value.expire(b"field", 1000)
    copy = value.copy()
    assert copy.deadlines is not None
    (field,) = copy.fields
    assert all(name is field for name in copy.deadlines.by_field)
    assert all(name is field for _, name in copy.deadlines.heap)


def test_the_digest_tells_fields_with_deadlines() -> None:
    value = made({b"a": b"1"})
    before = value.digest(bytes(20))
    value.expire(b"a", 1000)
    assert value.digest(bytes(20)) != before
    value.persist(b"a")
    assert value.digest(bytes(20)) == before
