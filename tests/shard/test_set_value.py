"""The value of a set: against a Python set, encodings, the account of memory, random members, copies."""

from __future__ import annotations

from random import Random
from sys import getsizeof

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.shard.limits import EncodingLimits
from nogil_df.shard.memory import value_size
from nogil_df.shard.sets import SLICE, SetValue

LIMITS = EncodingLimits()
NUMBERS = st.integers(-200, 400).map(lambda number: b"%d" % number)
MEMBERS = st.one_of(
    NUMBERS, st.sampled_from([b"", b"a", b"b" * 64, b"c" * 65, b"007"]), st.binary(max_size=80)
)


def made(*members: bytes) -> SetValue:
    value = SetValue.begin(members[0], len(members), LIMITS)
    for member in members:
        if member not in value.members:
            value.add(member, LIMITS)
    return value


def numbered(count: int, prefix: bytes = b"") -> list[bytes]:
    return [b"%b%d" % (prefix, number) for number in range(count)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "add", "discard", "index"]), MEMBERS), max_size=150))
def test_it_is_a_set(changes: list[tuple[str, bytes]]) -> None:
    value = made(b"1")
    model = {b"1"}
    for what, member in changes:
        if what == "add" and member not in value.members:
            value.add(member, LIMITS)
            model.add(member)
        elif what == "discard" and len(model) > 1:
            assert value.discard(member) == (member in model)
            model.discard(member)
        elif what == "index":
            value.indexed()
    value.verify()
    assert value.members == model
    assert sorted(value.ordered()) == sorted(model)
    assert len(value) == len(model)


def test_the_encoding_is_what_redis_would_report() -> None:
    assert made(b"1", b"-5", b"9223372036854775807").encoding == b"intset"
    assert made(b"1", b"9223372036854775808").encoding == b"listpack"
    assert made(b"1", b"007").encoding == b"listpack"
    assert made(b"1", b"").encoding == b"listpack"
    assert made(*numbered(512)).encoding == b"intset"
    assert made(*numbered(513)).encoding == b"hashtable"
    assert made(*numbered(512), b"x").encoding == b"hashtable"
    assert made(*numbered(128, b"m")).encoding == b"listpack"
    assert made(*numbered(129, b"m")).encoding == b"hashtable"
    assert made(*numbered(100), b"x").encoding == b"listpack"
    assert made(b"x" * 64).encoding == b"listpack"
    assert made(b"x" * 65).encoding == b"hashtable"
    assert made(b"1", b"x" * 65).encoding == b"hashtable"


def test_the_encoding_never_goes_back() -> None:
    value = made(*numbered(129, b"m"))
    for member in numbered(129, b"m")[1:]:
        value.discard(member)
    assert value.encoding == b"hashtable"
    value = made(b"1", b"x")
    value.discard(b"x")
    assert value.encoding == b"listpack"


def test_many_members_at_once_are_a_hashtable_even_if_they_are_the_same() -> None:
    value = made(b"1")
    value.expect(600, LIMITS)
    assert value.encoding == b"hashtable"


@pytest.mark.parametrize(
    ("members", "encoding"),
    [
        (numbered(512), b"intset"),
        (numbered(513), b"hashtable"),
        (numbered(128, b"m"), b"listpack"),
        (numbered(129, b"m"), b"hashtable"),
        ([b"1", b"x"], b"listpack"),
        ([b"1", b"x" * 65], b"hashtable"),
    ],
)
def test_a_result_is_encoded_as_if_it_had_been_added(members: list[bytes], encoding: bytes) -> None:
    value = SetValue.of(set(members), LIMITS)
    assert value.encoding == encoding
    value.verify()
    if b"new member" not in value.members:
        value.add(b"new member", LIMITS)
    value.verify()


@pytest.mark.parametrize("prefix", [b"", b"member:"])
@pytest.mark.parametrize("count", [1, 4, 5, 18, 19, 76, 77, 500, 5000])
def test_the_account_knows_the_size_of_pythons_table(count: int, prefix: bytes) -> None:
    value = made(*numbered(count, prefix))
    assert value.table_size == getsizeof(value.members)
    assert value_size(value) == value.memory
    value.verify()


def test_the_account_follows_every_growth_of_pythons_table() -> None:
    value = made(b"first")
    for member in numbered(30_000, b"m"):
        value.add(member, LIMITS)
        assert value.table_size == getsizeof(value.members)


@pytest.mark.parametrize("count", [3, 10, 100, 1000])
def test_the_account_follows_a_result_whose_table_is_tight(count: int) -> None:
    """A union's table is made for what its parts hold, and smaller than one that grew."""
    parts = [set(numbered(count, prefix)) for prefix in (b"", b"a", b"b")]
    value = SetValue.of(set().union(*parts), LIMITS)
    for member in numbered(5 * count, b"m"):
        value.add(member, LIMITS)
        assert value.table_size == getsizeof(value.members)
    value.verify()


def test_integers_come_in_order() -> None:
    assert made(b"10", b"9", b"-1", b"100").ordered() == [b"-1", b"9", b"10", b"100"]


@pytest.mark.parametrize("count", [1, 10, 64, 65, 1000])
def test_samples_are_different_members(count: int) -> None:
    value = made(*numbered(count, b"m"))
    random = Random(1)
    assert value.random(random) in value.members
    for size in {1, count // 10, count // 2, count - 1} - {0}:
        if size < count:
            sample = value.sample(size, random)
            assert len(set(sample)) == len(sample) == size
            assert set(sample) <= value.members


def test_one_random_member_does_not_copy_the_set() -> None:
    value = made(*numbered(1000, b"m"))
    value.random(Random(1))
    index = value.index
    value.sample(10, Random(1))
    value.discard(b"m1")
    value.add(b"new", LIMITS)
    assert value.index is index
    value.verify()


@pytest.mark.parametrize("count", [1, 100, 1000])
def test_a_copy_shares_nothing(count: int) -> None:
    value = made(*numbered(count, b"m"))
    value.indexed()
    copy = value.copy()
    copy.verify()
    assert copy.members == value.members
    assert copy.encoding == value.encoding
    own = {id(member) for member in value.members}
    assert not any(id(member) in own for member in copy.members if len(member) > 1)
    copy.add(b"x", LIMITS)
    copy.discard(b"m0")
    copy.verify()
    value.verify()


def test_the_digest_does_not_depend_on_the_order() -> None:
    begun = bytes(20)
    assert made(b"a", b"b", b"c").digest(begun) == made(b"c", b"a", b"b").digest(begun)
    assert made(b"a").digest(begun) != made(b"b").digest(begun)


@pytest.mark.parametrize("indexed", [False, True])
def test_a_big_set_is_freed_in_slices(indexed: bool) -> None:
    value = made(*numbered(3 * SLICE, b"m"))
    if indexed:
        value.indexed()
    steps = 0
    while len(value):
        assert value.free_step(2) <= 2
        steps += 1
    assert 2 <= steps <= 4
    assert value.free_step(5) == 0


def test_configured_limits_count() -> None:
    limits = EncodingLimits()
    limits.set_max_intset_entries = 0
    limits.set_max_listpack_entries = 0
    value = SetValue.begin(b"1", 1, limits)
    assert value.encoding == b"hashtable"
