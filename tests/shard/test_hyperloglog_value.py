"""HyperLogLog values: registers against a plain list, encodings, estimates, values that are damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.base.errors import ReplyError
from nogil_df.shard import hyperloglog as hll

LIMIT = 3000
INDEXES = st.one_of(
    st.integers(0, hll.REGISTERS - 1),
    st.integers(0, 12),
    st.integers(hll.REGISTERS - 9, hll.REGISTERS - 1),
)
RAISES = st.lists(st.tuples(INDEXES, st.integers(1, 32)), max_size=60)


def raised(raises: Iterable[tuple[int, int]]) -> bytes:
    """The registers, one byte each, that some raises come to."""
    registers = bytearray(hll.REGISTERS)
    for index, number in raises:
        registers[index] = max(registers[index], number)
    return bytes(registers)


def shortest(registers: bytes) -> int:
    """Bytes of the shortest opcodes for runs of zeros; values are counted one by one."""
    size, run = 0, 0
    for number in registers:
        if number:
            size += 1 + bool(run) + (run > hll.LONGEST_ZERO)
            run = 0
        else:
            run += 1
    return size + bool(run) + (run > hll.LONGEST_ZERO)


def noise(seed: int) -> bytes:
    return bytes(Random(seed).choices(range(52), k=hll.REGISTERS))


# Published test vectors of MurmurHash64A do not have this seed; these are what redis-server makes of them.
@pytest.mark.parametrize(
    ("element", "registers"),
    [(b"", (5938, 2)), (b"foo", (7348, 5)), (b"12345678", (10579, 3)), (b"x" * 21, (16105, 3))],
)
def test_register_of(element: bytes, registers: tuple[int, int]) -> None:
    assert hll.register_of(element) == registers


@given(RAISES)
def test_sparse_values_hold_what_they_were_raised_to(raises: list[tuple[int, int]]) -> None:
    buffer = hll.new()
    expected = bytearray(hll.REGISTERS)
    for index, number in raises:
        changed = hll.SparseWriter(buffer, LIMIT).set(index, number)
        assert changed == (number > expected[index])
        expected[index] = max(expected[index], number)
        hll.check(buffer)
    assert hll.plain(buffer) == expected
    assert hll.is_sparse(buffer)
    assert len(buffer) - hll.HEADER <= shortest(expected)


@given(RAISES, RAISES)
def test_raising_in_order_is_the_same_from_where_the_last_was(
    before: list[tuple[int, int]], raises: list[tuple[int, int]]
) -> None:
    one, other = hll.new(), hll.new()
    for index, number in before:
        for buffer in (one, other):
            hll.SparseWriter(buffer, LIMIT).set(index, number)
    writer = hll.SparseWriter(one, LIMIT)
    for index, number in sorted(raises):
        assert writer.set(index, number) == hll.SparseWriter(other, LIMIT).set(index, number)
        assert one == other


@given(RAISES, st.integers(16, 120))
def test_a_value_turns_dense_when_it_would_grow_past_the_limit(
    raises: list[tuple[int, int]], limit: int
) -> None:
    buffer = hll.new()
    for index, number in raises:
        if hll.is_sparse(buffer):
            hll.SparseWriter(buffer, limit).set(index, number)
            assert not hll.is_sparse(buffer) or len(buffer) <= max(limit, hll.HEADER + 2)
    if hll.is_sparse(buffer):
        assert hll.plain(buffer) == raised(raises)
    else:
        assert len(buffer) == hll.DENSE_SIZE


OPCODES = st.one_of(
    st.integers(0, 63).map(lambda code: (bytes((code,)), bytes(code + 1))),
    st.integers(0, 700).map(lambda low: (bytes((0x40 | low >> 8, low & 0xFF)), bytes(low + 1))),
    st.integers(0, 3).map(
        lambda high: (bytes((0x40 | high, 0x40 | high)), bytes((high << 8 | 0x40 | high) + 1))
    ),
    st.integers(0x80, 0xFF).map(
        lambda code: (bytes((code,)), bytes(((code >> 2 & 31) + 1,)) * ((code & 3) + 1))
    ),
)
"""Opcodes, not always the shortest, and what they stand for; second bytes that look like first ones."""


@given(st.lists(OPCODES, min_size=1, max_size=120), st.lists(st.integers(0, hll.REGISTERS - 1), max_size=30))
def test_registers_are_found_among_opcodes_of_any_kind(
    opcodes: list[tuple[bytes, bytes]], indexes: list[int]
) -> None:
    buffer, registers = hll.new()[: hll.HEADER], bytearray()
    for code, stands_for in opcodes:
        if len(registers) + len(stands_for) < hll.REGISTERS - 1:
            buffer += code
            registers += stands_for
    rest = hll.REGISTERS - len(registers) - 1
    buffer += bytes((0x40 | rest >> 8, rest & 0xFF))
    registers += bytes(rest + 1)
    assert hll.plain(buffer) == registers
    inside = [index * (len(registers) - rest) // hll.REGISTERS for index in indexes]
    for index in indexes + inside:
        hll.SparseWriter(buffer, LIMIT).set(index, 30)
        registers[index] = max(registers[index], 30)
        assert hll.plain(buffer) == registers
    writer = hll.SparseWriter(buffer, LIMIT)
    for index in sorted(indexes + inside):
        writer.set(index, 32)
        registers[index] = 32
        assert hll.plain(buffer) == registers


def test_a_number_that_is_too_high_for_sparse_opcodes_makes_a_value_dense() -> None:
    buffer = hll.new()
    hll.SparseWriter(buffer, LIMIT).set(7, 3)
    assert hll.SparseWriter(buffer, LIMIT).set(9, 33)
    assert not hll.is_sparse(buffer)
    assert hll.plain(buffer) == raised([(7, 3), (9, 33)])


@settings(max_examples=20)
@given(st.integers(0, 1000), RAISES, st.booleans())
def test_absorbing(seed: int, raises: list[tuple[int, int]], dense: bool) -> None:
    buffer = hll.new()
    for index, number in raises:
        hll.SparseWriter(buffer, LIMIT).set(index, number)
    other = noise(seed) if dense else raised([(index ^ 5, 33 - number) for index, number in raises])
    expected = bytes(map(max, hll.plain(buffer), other))
    assert hll.merged(hll.plain(buffer), other) == expected
    hll.absorb(buffer, expected, LIMIT, dense=dense)
    assert hll.plain(buffer) == expected
    assert hll.cached(buffer) is None
    assert hll.is_sparse(buffer) != dense


@pytest.mark.parametrize("seed", range(5))
def test_dense_values_hold_what_they_were_raised_to(seed: int) -> None:
    random = Random(seed)
    buffer = hll.new()
    assert hll.to_dense(buffer)
    assert not hll.to_dense(buffer)
    registers = noise(seed)
    hll.absorb(buffer, registers, LIMIT, dense=True)
    expected = bytearray(registers)
    assert hll.plain(buffer) == expected
    for _ in range(2000):
        element = random.randbytes(random.randrange(20))
        index, number = hll.register_of(element)
        assert hll.add(buffer, [element], LIMIT) == (number > expected[index])
        expected[index] = max(expected[index], number)
    assert hll.plain(buffer) == expected
    packed = int.from_bytes(buffer[hll.HEADER :], "little")
    assert expected == bytes(packed >> 6 * index & 63 for index in range(hll.REGISTERS))


def test_the_cardinality_in_the_header() -> None:
    buffer = hll.new()
    assert hll.cached(buffer) == 0
    hll.remember(buffer, 123_456_789_012)
    assert hll.cached(buffer) == 123_456_789_012
    hll.add(buffer, [b"a"], LIMIT)
    assert hll.cached(buffer) is None


@pytest.mark.parametrize("size", [0, 1, 2, 100, 2000, 20_000])
def test_estimates_are_near(size: int) -> None:
    buffer = hll.new()
    hll.add(buffer, [b"element:%d" % number for number in range(size)], LIMIT)
    assert abs(hll.estimate(hll.plain(buffer)) - size) <= 0.03 * size


def test_registers_that_no_elements_make() -> None:
    assert hll.estimate(bytes((51,)) * hll.REGISTERS) == 1 << 63
    assert hll.estimate(bytes((63,)) * hll.REGISTERS) >= 0


def outcome(use: Callable[..., Any], *args: Any) -> Any:
    """What a function returns, or the code of the error that it raises."""
    try:
        return use(*args)
    except ReplyError as error:
        return error.code


@settings(max_examples=300)
@given(st.binary(max_size=60), st.lists(st.binary(max_size=4), max_size=4))
def test_damaged_values_are_refused_and_nothing_worse(opcodes: bytes, elements: list[bytes]) -> None:
    buffer = bytearray(hll.new()[: hll.HEADER] + opcodes)
    hll.check(buffer)
    registers = outcome(hll.plain, buffer)
    assert registers == "HLL_CORRUPT" or len(registers) == hll.REGISTERS
    assert outcome(hll.add, buffer, elements, LIMIT) in (True, False, "HLL_CORRUPT")


@pytest.mark.parametrize("opcode", [b"\x3f", b"\x7f\xff", b"\x83", b"\x80", b"\x7f"])
def test_very_long_damaged_values_are_refused_at_once(opcode: bytes) -> None:
    buffer = bytearray(hll.new()[: hll.HEADER] + opcode * 1_000_000)
    for use in (lambda: hll.plain(buffer), lambda: hll.add(buffer, [b"a"], LIMIT)):
        with pytest.raises(ReplyError, match="INVALIDOBJ"):
            use()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"HYLL",
        b"hyll" + bytes(hll.DENSE_SIZE - 4),
        b"HYLL\x02" + bytes(hll.DENSE_SIZE - 5),
        b"HYLL" + bytes(hll.DENSE_SIZE - 3),
    ],
)
def test_other_strings_are_refused(value: bytes) -> None:
    with pytest.raises(ReplyError, match="not a valid HyperLogLog"):
        hll.check(value)


@given(st.binary(max_size=70))
def test_hashes_in_c_are_what_they_were_made_from(element: bytes) -> None:
    assert hll.murmur64(element) == hll.murmur64_slowly(element)


@given(RAISES, RAISES, st.lists(st.binary(max_size=9), max_size=8), st.integers(0, 8))
@settings(max_examples=50)
def test_registers_in_c_are_what_they_were_made_from(
    raises: list[tuple[int, int]], others: list[tuple[int, int]], elements: list[bytes], begin: int
) -> None:
    registers, more = raised(raises), raised(others)
    dense = hll.packed(registers)
    assert dense == hll.packed_slowly(registers)
    value = bytearray(b"HYLL" + bytes(12) + dense)
    assert hll.unpacked(value) == hll.unpacked_slowly(value) == registers
    assert hll.merged(registers, more) == hll.merged_slowly(registers, more)
    assert hll.histogram(registers) == hll.histogram_slowly(registers)
    copy = bytearray(value)
    changed = hll.add_to_dense(value, elements, begin)
    assert changed == hll.add_to_dense_slowly(copy, elements, begin)
    assert value == copy


@given(
    st.one_of(
        st.binary(max_size=20),
        st.binary(max_size=20).map(b"HYLL\x01".__add__),
        st.just(b"HYLL\x01" + bytes(10)),
        st.just(b"HYLL" + bytes(hll.DENSE_SIZE - 4)),
        st.just(b"HYLL" + bytes(hll.DENSE_SIZE - 5)),
    )
)
def test_headers_in_c_are_read_as_before(value: bytes) -> None:
    assert hll.is_value(value) == hll.is_value_slowly(value)
    if hll.is_value(value):
        assert hll.cached(value) == hll.cached_slowly(value)
