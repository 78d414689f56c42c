"""The value of a sorted set against a dict, whatever is done to it and however big it is."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.shard import digest
from nogil_df.shard.limits import EncodingLimits
from nogil_df.shard.score_order import LIMIT
from nogil_df.shard.sorted_sets import FREED_BUCKETS, MemberBounds, SortedSetValue

LIMITS = EncodingLimits()
MEMBERS = st.one_of(
    st.sampled_from([b"", b"a", b"b", b"ab", b"\x00\xff", b"x" * 64, b"x" * 65]),
    st.integers(0, 400).map(lambda number: b"m%d" % number),
)
SCORES = st.sampled_from([0.0, 1.0, -1.0, 0.1, 1e300, math.inf, -math.inf, 7.0])
Model = dict[bytes, float]


def made(model: Model) -> SortedSetValue:
    """A value with these members, added one by one."""
    value = SortedSetValue(LIMITS)
    for member, score in model.items():
        value.add(member, score, LIMITS)
    return value


def numbered(count: int) -> Model:
    """So many members."""
    return {b"member %d" % number: float(number * 7919 % count) for number in range(count)}


def ordered(model: Model) -> list[bytes]:
    """The members in order."""
    return [member for _, member in sorted((score, member) for member, score in model.items())]


def check(value: SortedSetValue, model: Model) -> None:
    """The same members, and an account of memory that is exact."""
    assert value.scores == model
    if model:
        value.verify()


def _set(value: SortedSetValue, model: Model, draw: st.DrawFn) -> None:
    for member, score in draw(st.dictionaries(MEMBERS, SCORES, max_size=20)).items():
        if member in model:
            value.move(member, model[member], score)
        else:
            value.add(member, score, LIMITS)
        model[member] = score


def _many(value: SortedSetValue, model: Model, draw: st.DrawFn) -> None:
    for number in range(draw(st.sampled_from([10, 130, 700]))):
        member = b"m%d" % number
        if member not in model:
            model[member] = draw(SCORES) if number % 100 == 0 else float(number % 13)
            value.add(member, model[member], LIMITS)


def _remove(value: SortedSetValue, model: Model, draw: st.DrawFn) -> None:
    for member in draw(st.lists(MEMBERS, max_size=20)):
        assert value.remove(member) == (member in model)
        model.pop(member, None)


def _take(value: SortedSetValue, model: Model, draw: st.DrawFn) -> None:
    start, stop = sorted((draw(st.integers(0, len(model))), draw(st.integers(0, len(model)))))
    gone = ordered(model)[start:stop]
    assert value.take(start, stop) == (gone, [model.pop(member) for member in gone])


def _scan(value: SortedSetValue, model: Model, draw: st.DrawFn) -> None:
    cursor, found = value.scan(0)
    while cursor:
        cursor, more = value.scan(cursor)
        found = found + more
    assert sorted(found) == sorted(model)


def _rank(value: SortedSetValue, model: Model, draw: st.DrawFn) -> None:
    for rank, member in enumerate(ordered(model)):
        if rank % 10 == 0:
            assert value.rank(member, model[member]) == rank


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_everything_is_as_in_a_dict(data: st.DataObject) -> None:
    value, model = SortedSetValue(LIMITS), Model()
    steps = [_set, _set, _many, _remove, _take, _scan, _rank]
    for step in data.draw(st.lists(st.sampled_from(steps), min_size=1, max_size=10)):
        if model or step in (_set, _many):
            step(value, model, data.draw)
            check(value, model)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(MEMBERS, SCORES, min_size=1, max_size=200),
    st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 7.0, math.inf]),
    st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 7.0, math.inf]),
    st.booleans(),
    st.booleans(),
)
def test_bounds_on_scores(model: Model, low: float, high: float, above: bool, below: bool) -> None:
    value = made(model)
    start, stop = value.by_score((low, high, above, below))
    wanted = [
        member
        for member in ordered(model)
        if (model[member] > low if above else model[member] >= low)
        and (model[member] < high if below else model[member] <= high)
    ]
    assert value.order.span(start, stop) == wanted


@settings(max_examples=100, deadline=None)
@given(
    st.sets(MEMBERS, min_size=1, max_size=300),
    st.one_of(st.none(), MEMBERS),
    st.one_of(st.none(), MEMBERS),
    st.booleans(),
    st.booleans(),
)
def test_bounds_on_members(
    members: set[bytes], low: bytes | None, high: bytes | None, above: bool, below: bool
) -> None:
    value = made(dict.fromkeys(members, 1.0))
    bounds = MemberBounds(low, above, high, below)
    wanted = sorted(member for member in members if bounds.not_below(member) and bounds.not_above(member))
    assert value.order.span(*value.by_member(bounds)) == wanted


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("start", "stop"), [(0, -1), (0, 0), (-3, -1), (2, 1), (-2000, 3), (3, 5000), (9, 9)]
)
def test_ranks_count_from_both_ends(size: int, start: int, stop: int) -> None:
    model = numbered(size)
    begin, end = made(model).by_rank(start, stop)
    wanted = ordered(model)
    first = max(0, start + size) if start < 0 else start
    last = stop + size if stop < 0 else stop
    assert wanted[begin:end] == wanted[first : last + 1]


@pytest.mark.parametrize("size", [3, 128, 129, 2000])
def test_one_made_at_once_is_as_one_made_step_by_step(size: int) -> None:
    model = numbered(size)
    one, other = made(model), SortedSetValue.of(dict(model), LIMITS)
    check(other, model)
    assert other.encoding == one.encoding
    assert other.memory == one.memory
    assert other.digest(digest.ZEROS) == one.digest(digest.ZEROS)


@pytest.mark.parametrize("size", [3, 129, 2000])
def test_a_copy_shares_nothing(size: int) -> None:
    model = numbered(size)
    value = made(model)
    value.scan(0)
    other = value.copy()
    check(other, model)
    assert other.encoding == value.encoding
    originals = {id(thing) for pair in value.scores.items() for thing in pair}
    assert not any(id(thing) in originals for pair in other.scores.items() for thing in pair)
    other.remove(b"member 1")
    check(value, model)


def test_a_compact_set_has_no_negative_zero() -> None:
    value = made({b"a": -0.0, b"b": 1.0})
    value.move(b"b", 1.0, -0.0)
    stored = SortedSetValue.of({b"c": -0.0}, LIMITS)
    for score in (*value.scores.values(), *stored.scores.values()):
        assert math.copysign(1.0, score) == 1.0
    big = made(numbered(200))
    big.add(b"a", -0.0, LIMITS)
    assert math.copysign(1.0, big.scores[b"a"]) == -1.0
    check(big, {**numbered(200), b"a": -0.0})


def test_random_members_are_all_drawn() -> None:
    source = Random(3)
    for size in (1, 7, 1000):
        value = made(numbered(size))
        assert {value.random(source) for _ in range(20 * size)} == set(value.scores)
        for count in {0, size // 4, size - 1}:
            sample = value.sample(count, source)
            assert len(set(sample)) == len(sample) == count


@pytest.mark.parametrize("indexed", [False, True])
def test_a_big_one_is_freed_in_slices(indexed: bool) -> None:
    value = made(numbered(3 * FREED_BUCKETS * LIMIT))
    if indexed:
        value.scan(0)
    steps = 0
    while len(value):
        assert value.free_step(2) <= 2
        steps += 1
    assert 2 <= steps <= 8
    assert value.free_step(5) == 0
