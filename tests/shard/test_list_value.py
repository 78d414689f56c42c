"""The value of a list against a plain Python list, whatever is done to it and however long it is."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.shard import digest
from nogil_df.shard.lists import (
    DEQUE_OVERHEAD,
    FAR,
    LIST_OVERHEAD,
    SHORT,
    ListValue,
    listpack_size,
    size_of,
)

ELEMENTS = st.sampled_from([b"", b"a", b"b", b"12", b"long" * 30])
LENGTHS = st.sampled_from([0, 1, 2, 5, SHORT - 1, SHORT, SHORT + 1, 200, 3 * FAR])


def check(value: ListValue, model: list[bytes]) -> None:
    """The same elements, and the account of memory that they should have."""
    assert list(value.items) == model
    assert len(value) == len(model)
    assert value.memory == LIST_OVERHEAD + size_of(model) + DEQUE_OVERHEAD * isinstance(value.items, deque)
    if len(model) > SHORT:
        assert isinstance(value.items, deque)


@st.composite
def lists(draw: st.DrawFn) -> list[bytes]:
    """Elements: a drawn beginning, repeated up to one of the interesting lengths."""
    length = draw(LENGTHS)
    some = draw(st.lists(ELEMENTS, min_size=1, max_size=5))
    return (some * (length // len(some) + 1))[:length]


def _push(value: ListValue, model: list[bytes], draw: st.DrawFn) -> None:
    added, left = draw(lists()), draw(st.booleans())
    value.push(added, left)
    model[:] = [*reversed(added), *model] if left else [*model, *added]


def _pop(value: ListValue, model: list[bytes], draw: st.DrawFn) -> None:
    count, left = draw(LENGTHS), draw(st.booleans())
    expected = model[:count] if left else model[::-1][:count]
    assert value.pop(count, left) == expected
    model[:] = model[count:] if left else model[: max(0, len(model) - count)]


def _set(value: ListValue, model: list[bytes], draw: st.DrawFn) -> None:
    if model:
        at, element = draw(st.integers(-len(model), len(model) - 1)), draw(ELEMENTS)
        value.set(at, element)
        model[at] = element


def _insert(value: ListValue, model: list[bytes], draw: st.DrawFn) -> None:
    pivot, element, after = draw(ELEMENTS), draw(ELEMENTS), draw(st.booleans())
    assert value.insert(pivot, element, after) == (pivot in model)
    if pivot in model:
        model.insert(model.index(pivot) + after, element)


def _remove(value: ListValue, model: list[bytes], draw: st.DrawFn) -> None:
    element, count = draw(ELEMENTS), draw(st.integers(-4, 4))
    places = [at for at, one in enumerate(model) if one == element]
    gone = places[count:] if count < 0 else places[:count] if count else places
    assert value.remove(element, count) == len(gone)
    model[:] = [one for at, one in enumerate(model) if at not in gone]


def _trim(value: ListValue, model: list[bytes], draw: st.DrawFn) -> None:
    start = draw(st.integers(0, len(model) + 2))
    stop = draw(st.integers(0, len(model)))
    value.trim(start, stop)
    model[:] = model[start:stop]


@settings(max_examples=150, deadline=None)
@given(st.data(), lists())
def test_everything_is_as_in_a_plain_list(data: st.DataObject, begun: list[bytes]) -> None:
    value, model = ListValue(list(begun)), list(begun)
    check(value, model)
    steps = data.draw(
        st.lists(st.sampled_from([_push, _pop, _set, _insert, _remove, _trim]), min_size=1, max_size=8)
    )
    for each in steps:
        each(value, model, data.draw)
        check(value, model)


@settings(max_examples=150, deadline=None)
@given(lists(), st.data())
def test_a_span_is_a_slice(elements: list[bytes], data: st.DataObject) -> None:
    value = ListValue(list(elements))
    start = data.draw(st.integers(0, len(elements)))
    stop = data.draw(st.integers(start, len(elements)))
    assert value.span(start, stop) == elements[start:stop]
    assert list(value.items) == elements


@pytest.mark.parametrize("start", [0, FAR - 1, FAR, FAR + 1, 2 * FAR, 3 * FAR])
def test_spans_of_a_long_list(start: int) -> None:
    elements = [b"%d" % number for number in range(4 * FAR)]
    value = ListValue(list(elements))
    for stop in (start, start + 1, start + FAR, 4 * FAR - 1, 4 * FAR):
        assert value.span(start, max(start, stop)) == elements[start : max(start, stop)]
    assert list(value.items) == elements


@settings(max_examples=150, deadline=None)
@given(lists(), ELEMENTS, st.integers(0, 3), st.integers(0, 3), LENGTHS, st.booleans())
def test_positions_are_those_of_a_walk(
    elements: list[bytes], wanted: bytes, skip: int, count: int, longest: int, backwards: bool
) -> None:
    order = list(enumerate(elements))
    if backwards:
        order.reverse()
    found = [at for at, one in (order[:longest] if longest else order) if one == wanted][skip:]
    value = ListValue(list(elements))
    assert value.positions(wanted, skip, count, longest, backwards) == (found[:count] if count else found)


@pytest.mark.parametrize("length", [3, 200])
def test_a_copy_shares_nothing(length: int) -> None:
    value = ListValue([b"element %d" % number for number in range(length)])
    other = value.copy()
    assert list(other.items) == list(value.items)
    assert all(one is not two for one, two in zip(other.items, value.items, strict=True))
    other.push([b"x"], False)
    assert len(value) == length
    check(value, list(value.items))


def test_the_order_counts_in_the_digest() -> None:
    one, two = ListValue([b"a", b"b"]), ListValue([b"b", b"a"])
    assert one.digest(digest.ZEROS) != two.digest(digest.ZEROS)
    assert one.digest(digest.ZEROS) == one.copy().digest(digest.ZEROS)


# Encodings. Figures are those of the listpack specification; 8192 bytes is what redis-server allows.


@pytest.mark.parametrize(
    ("element", "size"),
    [
        (b"0", 2),
        (b"127", 2),
        (b"128", 3),
        (b"-1", 3),
        (b"4095", 3),
        (b"-4096", 3),
        (b"4096", 4),
        (b"-32768", 4),
        (b"32768", 5),
        (b"8388608", 6),
        (b"2147483648", 10),
        (b"-9223372036854775808", 10),
        (b"01", 4),
        (b"", 2),
        (b"x" * 63, 65),
        (b"x" * 64, 67),
        (b"x" * 4095, 4099),
        (b"x" * 4096, 4103),
    ],
)
def test_sizes_of_elements_in_a_listpack(element: bytes, size: int) -> None:
    assert listpack_size([element]) - listpack_size([]) == size


@pytest.mark.parametrize(
    ("length", "limit", "encoding"),
    [
        (0, -2, b"listpack"),
        (100, -2, b"listpack"),
        (8000, -2, b"quicklist"),
        (1400, -1, b"quicklist"),
        (1400, -2, b"listpack"),
        (8000, -5, b"listpack"),
        (5, 4, b"quicklist"),
        (5, 5, b"listpack"),
        (2, 0, b"quicklist"),
        (1, 0, b"listpack"),
        (1, -100, b"listpack"),
    ],
)
def test_encodings_by_length(length: int, limit: int, encoding: bytes) -> None:
    value = ListValue([b"abc"] * length)
    assert value.encoding_within(limit) == encoding


def test_encodings_by_size() -> None:
    assert ListValue([b"x" * 8170]).encoding_within(-2) == b"listpack"
    assert ListValue([b"x" * 8190]).encoding_within(-2) == b"quicklist"
    assert ListValue([b"x" * 8190]).encoding_within(100) == b"quicklist"


def test_the_length_in_a_file_grows_with_the_elements() -> None:
    short, long = ListValue([b"a"]), ListValue([b"a" * 100] * 200)
    assert short.serialized_length < 20
    assert 20_000 < long.serialized_length < 22_000
