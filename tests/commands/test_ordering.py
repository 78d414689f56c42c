"""The order that numbers give: in C where all are plain decimals, and as sorted pairs say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nogil_df.commands.ordering import by_number, by_number_slowly

PLAIN = st.one_of(
    st.integers(-30, 30).map(lambda number: b"%d" % number),
    st.decimals(-3, 3, places=1).map(lambda number: str(number).encode()),
    st.sampled_from([b"1", b"1.0", b"01", b".5", b"0.5", b"-0", b"0"]),
)


@given(st.lists(PLAIN, max_size=80), st.booleans())
def test_numbers_then_bytes(elements: list[bytes], descending: bool) -> None:
    expected = sorted(elements, key=lambda element: (float(element), element), reverse=descending)
    assert by_number(elements, descending) in (expected, None)
    assert by_number_slowly(elements, descending) in (expected, None)


@given(st.lists(st.integers(-(10**14), 10**14), unique=True), st.booleans())
def test_different_numbers_need_nothing_else(numbers: list[int], descending: bool) -> None:
    elements = [b"%d" % number for number in numbers]
    expected = [b"%d" % number for number in sorted(numbers, reverse=descending)]
    assert by_number(elements, descending) == by_number_slowly(elements, descending) == expected


def test_what_is_no_plain_decimal_is_left_to_the_slow_way() -> None:
    assert by_number([b"1", b"1e3"], False) in (None, [b"1", b"1e3"])
