"""Redis's number syntax; the expected results were taken from redis-server 7.0.15."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nogil_df.base.numbers import (
    INT64_MAX,
    INT64_MIN,
    LongDouble,
    add_long_doubles,
    format_double,
    format_long_double,
    format_memory,
    parse_bound,
    parse_bound_slowly,
    parse_float,
    parse_float_slowly,
    parse_int,
    parse_int_slowly,
    parse_long_double,
    sum_of_decimals,
    sum_of_decimals_slowly,
)


@given(st.integers(INT64_MIN, INT64_MAX))
@example(INT64_MIN)
@example(INT64_MAX)
@example(0)
def test_integers_come_back(number: int) -> None:
    assert parse_int(b"%d" % number) == number
    assert parse_int(bytearray(b"%d" % number)) == number


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"-",
            b"+1",
            b"01",
            b"-0",
            b" 1",
            b"1 ",
            b"1\n",
            b"1_0",
            b"0x1",
            b"1e3",
            b"1.0",
            b"--1",
            b"1\0",
        ),
        *(b"9223372036854775808", b"-9223372036854775809", b"1" * 21, b"1" * 5000, b"\xd9\xa1"),
    ],
)
def test_no_integers(data: bytes) -> None:
    assert parse_int(data) is None


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"1.5", 1.5),
        (b"+1", 1.0),
        (b"1.", 1.0),
        (b".5", 0.5),
        (b"1e3", 1000.0),
        (b"1E+3", 1000.0),
        (b"0x10", 16.0),
        (b"0x1p-2", 0.25),
        (b"0X1.8P1", 3.0),
        (b"0x.8", 0.5),
        (b"0x1.", 1.0),
        (b"INF", math.inf),
        (b"-inf", -math.inf),
        (b"+infinity", math.inf),
        (b"0e999999", 0.0),
        (b"00012", 12.0),
        (b"1e-310", 1e-310),
    ],
)
def test_floats(data: bytes, value: float) -> None:
    assert parse_float(data) == value


NO_FLOATS = [
    *(
        b"",
        b" 1.5",
        b"1.5 ",
        b"\t1",
        b"1\n",
        b".",
        b"1e",
        b"e1",
        b"0x",
        b"0x1p",
        b"infinit",
        b"nan",
        b"-nan",
        b"nan(1)",
    ),
    *(b"1_0", b"1\0", b"--1", b"1d", b"1f", b"\xd9\xa1", b"1e5000", b"1e-5000", b"0x1p20000", b"0x1p-20000"),
    *(b"1e99999999999999999999", b"-1e-99999999999999999999"),
]


@pytest.mark.parametrize("data", [*NO_FLOATS, b"1e400", b"1e-400", b"0x1p1024", b"1" * 400])
def test_no_floats(data: bytes) -> None:
    assert parse_float(data) is None


@pytest.mark.parametrize("data", [*NO_FLOATS, b"1" * 5120])
def test_no_long_doubles(data: bytes) -> None:
    assert parse_long_double(data) is None


@given(st.floats(allow_nan=False))
def test_doubles_come_back(value: float) -> None:
    assert parse_float(format_double(value)) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, b"0.1"),
        (3.0, b"3"),
        (0.0, b"0"),
        (-0.0, b"-0"),
        (-17.5, b"-17.5"),
        (1e17, b"100000000000000000"),
        (2.0**62, b"4611686018427387904"),
        (-(2.0**62), b"-4611686018427387904"),
        (2.0**63, b"9223372036854776000"),
        (1e19, b"1e+19"),
        (1.5e300, b"1.5e+300"),
        (-1.5e300, b"-1.5e+300"),
        (0.000001, b"0.000001"),
        (0.0000123, b"1.23e-5"),
        (1.5e-7, b"1.5e-7"),
        (0.12345678, b"0.12345678"),
        (1234.12345678, b"1234.12345678"),
        (12345.12345678, b"1.234512345678e+4"),
        (5e-324, b"5e-324"),
        (math.inf, b"inf"),
        (-math.inf, b"-inf"),
        (math.nan, b"nan"),
    ],
)
def test_format_double(value: float, expected: bytes) -> None:
    assert format_double(value) == expected


def incremented(value: bytes, increment: bytes) -> bytes | None:
    a, b = parse_long_double(value), parse_long_double(increment)
    assert a is not None
    assert b is not None
    total = add_long_doubles(a, b)
    return None if total is None else format_long_double(total)


@pytest.mark.parametrize(
    ("value", "increment", "expected"),
    [
        (b"0", b"0.1", b"0.1"),
        (b"0.1", b"0.2", b"0.3"),
        (b"1", b"1e-17", b"1.00000000000000001"),
        (b"1", b"1e-18", b"1"),
        (b"5e3", b"200", b"5200"),
        (b"10.5", b"0.1", b"10.6"),
        (b"3", b"-3", b"0"),
        (b"-0", b"0", b"0"),
        (b"1e20", b"1", b"100000000000000000000"),
        (b"1e30", b"1", b"1000000000000000000024696061952"),
        (b"0", b"1e-5", b"0.00001"),
        (b"1.23456789012345678", b"0", b"1.23456789012345678"),
        (b"9007199254740993", b"0", b"9007199254740993"),
        (b"18446744073709551616", b"1", b"18446744073709551616"),
        (b"0", b"3.14159265358979323846", b"3.14159265358979324"),
        (b"0.30000000000000004", b"1", b"1.30000000000000004"),
        (b"100", b"-99.9", b"0.1"),
        (b"-1.1", b"-2.2", b"-3.3"),
        (b"0", b"-1e-20", b"0"),
        (b"1e-17", b"0", b"0.00000000000000001"),
        (b"5e-18", b"0", b"0"),
        (b"1.5e-17", b"0", b"0.00000000000000002"),
        (b"0", b"0x1p-60", b"0"),
        (b"0", b"1e-4940", b"0"),
        (b"0", b"0x10", b"16"),
        (b"inf", b"1", None),
        (b"1", b"-inf", None),
        (b"inf", b"-inf", None),
        (b"1e4932", b"1e4932", None),
    ],
)
def test_long_doubles(value: bytes, increment: bytes, expected: bytes | None) -> None:
    assert incremented(value, increment) == expected


def test_long_doubles_of_thousands_of_digits() -> None:
    total = incremented(b"1e4900", b"1e4900")
    assert total is not None
    assert len(total) == 4901
    assert total.startswith(b"2000000000000000000054166244613806996664481050081576686930058602239180570")
    many = incremented(b"1" * 400, b"0")
    assert many is not None
    assert many.startswith(b"1111111111111111111089493706460225139319800637553272328334455526")


@given(st.integers(-(2**70), 2**70), st.integers(-16500, 16300))
def test_rounding_is_to_the_nearest_of_64_bits(number: int, power: int) -> None:
    exact = Fraction(number) * Fraction(2) ** power
    rounded = add_long_doubles(LongDouble(number, power), LongDouble(0, 0))
    if rounded is None:
        assert abs(exact) > Fraction(2) ** 16383
        return
    assert abs(rounded.mantissa) <= 2**64
    error = abs(Fraction(rounded.mantissa) * Fraction(2) ** rounded.exponent - exact)
    assert error <= max(abs(exact) / 2**64, Fraction(2) ** -16446)


@given(st.decimals(-100, 100, places=4))
def test_short_decimals_are_printed_as_they_were_written(number: object) -> None:
    plain = f"{number:f}".rstrip("0").rstrip(".")
    expected = b"0" if plain in ("-0", "0") else plain.encode()
    assert incremented(f"{number:f}".encode(), b"0") == expected


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1.00K"),
        (1536, "1.50K"),
        (5 << 20, "5.00M"),
        (3 << 30, "3.00G"),
        (1 << 40, "1.00T"),
        (1 << 50, "1.00P"),
        (1 << 60, "1152921504606846976B"),
    ],
)
def test_format_memory(size: int, text: str) -> None:
    assert format_memory(size) == text


DECIMALS = st.from_regex(rb"-?[0-9]{1,25}(\.[0-9]{1,20})?", fullmatch=True)
ODD_DECIMALS = (
    b"",
    b"-",
    b".5",
    b"5.",
    b"+1",
    b"1e3",
    b" 1",
    b"1 ",
    b"inf",
    b"nan",
    b"1.2.3",
    b"--1",
    b"0x1",
    b"1\0",
)


@given(DECIMALS, DECIMALS)
@example(b"0.1", b"0.2")
@example(b"-0", b"-0.0")
@example(b"3.0", b"-3")
@example(b"10.5", b"0.1")
@example(b"99999999999999999999.9", b"0.1")
def test_sums_of_decimals(one: bytes, other: bytes) -> None:
    found = sum_of_decimals(one, other)
    assert found == sum_of_decimals_slowly(one, other)
    if max(len(one), len(other)) <= 40:
        first, second = parse_long_double(one), parse_long_double(other)
        assert first is not None
        assert second is not None
        total = add_long_doubles(first, second)
        assert total is not None
        assert found == format_long_double(total)


@pytest.mark.parametrize("odd", ODD_DECIMALS)
def test_what_is_no_plain_decimal_is_not_added(odd: bytes) -> None:
    for added in (sum_of_decimals, sum_of_decimals_slowly):
        assert added(odd, b"1") is None
        assert added(b"1", odd) is None
        assert added(b"1" * 41, b"1") is None
        assert added(b"1" * 40, b"1") is not None


NUMBERLIKE = st.one_of(
    st.text("0123456789.-", max_size=18).map(str.encode),
    st.text("0123456789.-+eExX() \t\0infaNINF", max_size=12).map(str.encode),
    st.floats().map(lambda number: repr(number).encode()),
    st.integers(-(10**20), 10**20).map(lambda number: b"%d" % number),
    st.decimals(allow_nan=False, allow_infinity=False, places=7).map(lambda number: str(number).encode()),
    st.binary(max_size=6),
)


@given(NUMBERLIKE)
@example(b"")
@example(b"-")
@example(b".")
@example(b"-.")
@example(b"5.")
@example(b"-.5")
@example(b"-0")
@example(b"-0.0")
@example(b"1.2.3")
@example(b"0.123456789012345")
@example(b"999999999999999")
@example(b"+inf")
@example(b"-inf")
@example(b"-INF")
def test_numbers_in_c_are_those_they_were_made_from(text: bytes) -> None:
    assert parse_int(text) == parse_int_slowly(text)
    assert parse_int(bytearray(text)) == parse_int_slowly(text)
    # Their texts tell 0 from -0.
    assert repr(parse_float(text)) == repr(parse_float_slowly(text))
    assert repr(parse_float(bytearray(text))) == repr(parse_float_slowly(text))
    assert repr(parse_bound(text)) == repr(parse_bound_slowly(text))
