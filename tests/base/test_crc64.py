"""The checksum of RDB files and DUMP payloads."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.base.crc64 import crc64, crc64_in_python


def bit_by_bit(data: bytes) -> int:
    """The definition, most significant bit first, reflected at the end."""
    crc = 0
    for byte in data:
        for bit in range(8):
            carry = crc >> 63 ^ byte >> bit & 1
            crc = crc << 1 & (1 << 64) - 1
            if carry:
                crc ^= 0xAD93D23594C935A9
    return int(f"{crc:064b}"[::-1], 2)


def test_check_value() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


def test_nothing() -> None:
    assert crc64(b"") == 0
    assert crc64(b"", 77) == 77


@given(st.binary(max_size=70))
def test_agrees_with_the_definition(data: bytes) -> None:
    assert crc64(data) == bit_by_bit(data)


@given(st.binary(max_size=70), st.binary(max_size=70))
def test_goes_on_from_where_it_was(first: bytes, second: bytes) -> None:
    assert crc64(second, crc64(first)) == crc64(first + second)


def test_takes_any_buffer() -> None:
    assert crc64(bytearray(b"abc")) == crc64(memoryview(b"xabcx")[1:4]) == crc64(b"abc")


@settings(max_examples=40, deadline=None)
@given(st.integers(500, 60_000), st.integers(0, (1 << 64) - 1), st.integers(0, 1 << 32))
def test_long_data_is_folded_rightly(size: int, crc: int, seed: int) -> None:
    """Against short pieces of it, which go by the table."""
    data = Random(seed).randbytes(size)
    one_by_one = crc
    for at in range(0, size, 400):
        one_by_one = crc64(data[at : at + 400], one_by_one)
    assert crc64(data, crc) == one_by_one


@pytest.mark.parametrize("size", [*range(20), 511, 512, 513, 5_000, 70_001])
def test_both_ways_agree(size: int) -> None:
    """The compiled twin, where there is one, and the one in Python."""
    data = Random(size).randbytes(size)
    assert crc64(data, 5) == crc64_in_python(data, 5)
    assert crc64_in_python(data[size // 3 :], crc64_in_python(data[: size // 3])) == crc64(data)
