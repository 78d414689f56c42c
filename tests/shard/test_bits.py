"""Bits of byte strings against their plainest description: a string of the digits 0 and 1."""

from __future__ import annotations

from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from nogil_df.shard import bits

DATA = st.one_of(
    st.binary(min_size=1, max_size=40), st.lists(st.sampled_from([0, 255]), min_size=1).map(bytes)
)
BUFFERS = st.one_of(DATA, DATA.map(bytearray))


def digits(data: bytes | bytearray) -> str:
    return "".join(f"{byte:08b}" for byte in data)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[bytes | bytearray, int, int]:
    """A buffer and a range of its bits that is not empty."""
    data = draw(BUFFERS)
    first = draw(st.integers(0, len(data) * 8 - 1))
    return data, first, draw(st.integers(first + 1, len(data) * 8))


@given(ranges())
def test_count_ones(drawn: tuple[bytes, int, int]) -> None:
    data, first, end = drawn
    assert bits.count_ones(data, first, end) == digits(data)[first:end].count("1")


@given(ranges(), st.sampled_from([0, 1]))
def test_find_bit(drawn: tuple[bytes, int, int], bit: int) -> None:
    data, first, end = drawn
    assert bits.find_bit(data, bit, first, end) == digits(data).find(str(bit), first, end)


def test_long_ranges_are_counted_in_blocks_and_searched_in_blocks() -> None:
    data = Random(1).randbytes(2 * bits.COUNT_BLOCK + 77)
    for first, end in ((0, len(data) * 8), (13, len(data) * 8 - 3), (bits.COUNT_BLOCK * 8, len(data) * 8)):
        assert bits.count_ones(data, first, end) == digits(data)[first:end].count("1")
    for size in (bits.SEARCH_BLOCK - 1, bits.SEARCH_BLOCK, bits.SEARCH_BLOCK + 1, 3 * bits.SEARCH_BLOCK):
        for bit, dull in ((1, b"\x00"), (0, b"\xff")):
            assert bits.find_bit(dull * size, bit, 0, size * 8) == -1
            found = bits.find_bit(dull * size + b"\x18\xe7", bit, 0, (size + 2) * 8)
            assert found == size * 8 + (3 if bit else 0)
            assert bits.find_bit(dull * size + b"\x01\xfe", bit, 5, size * 8 + 7) == (-1 if bit else size * 8)


@given(BUFFERS, st.integers(0, 400))
def test_get_bit(data: bytes, position: int) -> None:
    assert bits.get_bit(data, position) == int((digits(data) + "0" * 401)[position])


@given(BUFFERS, st.integers(0, 400), st.integers(1, 64))
def test_read_field(data: bytes, position: int, width: int) -> None:
    text = digits(data) + "0" * 500
    number = int(text[position : position + width], 2)
    assert bits.read_field(data, position, width) == number
    signed = number - (1 << width) if text[position] == "1" else number
    assert bits.as_signed(number, width) == signed


@given(DATA, st.integers(0, 300), st.integers(1, 64), st.integers(0, (1 << 64) - 1))
def test_write_field(data: bytes, position: int, width: int, number: int) -> None:
    assume(position + width <= len(data) * 8)
    number &= (1 << width) - 1
    buffer = bytearray(data)
    bits.write_field(buffer, position, width, number)
    text = digits(data)
    assert digits(buffer) == text[:position] + f"{number:0{width}b}" + text[position + width :]


@given(DATA, st.integers(0, 300), st.integers(1, 64), st.integers(-(1 << 63), (1 << 64) - 1))
def test_fields_in_c_are_as_before(data: bytes, position: int, width: int, number: int) -> None:
    assert bits.read_field(data, position, width) == bits.read_field_slowly(data, position, width)
    assume(position + width <= len(data) * 8)
    one, other = bytearray(data), bytearray(data)
    bits.write_field(one, position, width, number)
    bits.write_field_slowly(other, position, width, number)
    assert one == other


@given(BUFFERS, BUFFERS)
def test_strings_as_numbers(one: bytes, other: bytes) -> None:
    length = max(len(one), len(other))
    either = bits.as_bytes(bits.as_number(one) | bits.as_number(other), length)
    padded = zip(one.ljust(length, b"\0"), other.ljust(length, b"\0"), strict=True)
    assert either == bytes(a | b for a, b in padded)


@given(ranges(), st.sampled_from([0, 1]))
def test_what_is_in_c_is_what_it_was_made_from(drawn: tuple[bytes, int, int], bit: int) -> None:
    data, first, end = drawn
    assert bits.count_ones(data, first, end) == bits.count_ones_slowly(data, first, end)
    assert bits.find_bit(data, bit, first, end) == bits.find_bit_slowly(data, bit, first, end)


@given(
    st.sampled_from(["AND", "OR", "XOR"]), st.lists(st.one_of(BUFFERS, st.just(b"")), min_size=1, max_size=4)
)
def test_logic_on_whole_strings(operation: str, values: list[bytes]) -> None:
    length = max(map(len, values))
    expected = bytearray(values[0].ljust(length, b"\0"))
    for value in values[1:]:
        for at, byte in enumerate(value.ljust(length, b"\0")):
            if operation == "AND":
                expected[at] &= byte
            elif operation == "OR":
                expected[at] |= byte
            else:
                expected[at] ^= byte
    assert bits.combined(operation, values) == expected
    assert bits.combined_slowly(operation, values) == expected


@given(BUFFERS)
def test_not(data: bytes) -> None:
    expected = bytes(0xFF ^ byte for byte in data)
    assert bits.combined("NOT", [data]) == bits.combined_slowly("NOT", [data]) == expected
