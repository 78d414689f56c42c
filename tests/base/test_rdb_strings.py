"""Lengths, strings and LZF blocks of the RDB format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.base.lzf import decompress
from nogil_df.base.rdb_strings import RdbError, Reader, write_length, write_string


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (0, "00"),
        (63, "3f"),
        (64, "4040"),
        (16383, "7fff"),
        (16384, "8000004000"),
        ((1 << 32) - 1, "80ffffffff"),
        (1 << 32, "810000000100000000"),
    ],
)
def test_lengths(length: int, written: str) -> None:
    assert write_length(length).hex() == written
    reader = Reader(bytes.fromhex(written) + b"x")
    assert reader.length() == length
    assert reader.byte() == ord("x")


@given(st.lists(st.binary(max_size=300)))
def test_strings_one_after_the_other(texts: list[bytes]) -> None:
    reader = Reader(b"".join(map(write_string, texts)))
    assert [reader.string() for _ in texts] == texts
    assert reader.at == len(reader.data)


@pytest.mark.parametrize(
    ("written", "text"),
    [("c0ff", b"-1"), ("c10001", b"256"), ("c2ffffff7f", b"2147483647"), ("c30507026162e00000", b"")],
)
def test_integers_are_strings(written: str, text: bytes) -> None:
    reader = Reader(bytes.fromhex(written))
    if text:
        assert reader.string() == text
    else:
        with pytest.raises(RdbError):
            reader.string()


@pytest.mark.parametrize(
    "written", ["", "05616263", "c0", "c1ff", "c4", "82", "c3", "8000", "81ffffffffffffffff"]
)
def test_broken_strings(written: str) -> None:
    with pytest.raises(RdbError):
        Reader(bytes.fromhex(written)).string()


def test_a_compressed_string() -> None:
    # 12 times "ab": two literals, then 22 bytes from two before.
    block = bytes([1]) + b"ab" + bytes([7 << 5, 22 - 2 - 7, 1])
    assert decompress(block, 24) == b"ab" * 12
    assert Reader(b"\xc3" + write_length(len(block)) + write_length(24) + block).string() == b"ab" * 12
    assert decompress(block, 23) is None
    assert decompress(block, 25) is None
    assert decompress(block[:-1], 24) is None


def test_a_bomb_is_not_set_off() -> None:
    with pytest.raises(RdbError):
        Reader(b"\xc3\x05" + write_length(1 << 29) + b"\x01abcd").string()


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=1000))
def test_anything_is_read_or_refused(data: bytes, size: int) -> None:
    assert (decompress(data, size) or b"").__class__ is bytes
    reader = Reader(data)
    try:
        while True:
            reader.string()
    except RdbError:
        assert reader.at <= len(data)
