"""Vector sets in RDB files and DUMP payloads: as the value of a module's type, whose name is ours.

Redis writes its vector sets with the graph in them, which we have not; and it can't load a set without one.
So a vector set goes from one of our servers to another, by file or by MIGRATE, and not to redis-server, which
says that it has no such module. The frame is Redis's (RDB_TYPE_MODULE_2: fields with opcodes, an end), so
tools that know the format can pass over it.

Numbers in the rows are little-endian.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from nogil_df.base.rdb_strings import RdbError
from nogil_df.shard.vectors import BITS, BYTES, FLOATS, Projection, VectorSetValue

if TYPE_CHECKING:
    from nogil_df.base.rdb_strings import Reader
    from nogil_df.rdb.writer import Writer

    Step = Callable[[Writer], object]

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_NAME: Final = "nogilvset"
_VERSION: Final = 1

_END, _UNSIGNED, _STRING = 0, 2, 5
"""Opcodes of fields."""

_QUANTISATIONS: Final = (FLOATS, BYTES, BITS)
_ELEMENTS: Final = 128
"""Elements of a step: about 0.1 ms."""

_MOST_DIMENSIONS: Final = 32_768


def _number_of(name: str, version: int) -> int:
    number = 0
    for letter in name:
        number = number << 6 | _ALPHABET.index(letter)
    return number << 10 | version


NUMBER: Final = _number_of(_NAME, _VERSION)
"""How the type is named in the file."""


def write_vectors(writer: Writer, value: VectorSetValue) -> None:
    """Append the body of a vector set. O(bytes)."""
    for step in vector_steps(value):
        step(writer)


def vector_steps(value: VectorSetValue) -> Iterator[Step]:
    """The body of a vector set in steps, each of which appends some of it.

    What is needed of the set is taken at once, so it may change between the steps.

    Complexity: O(elements + bytes of the rows) at the call, which copies; O(elements of a step) for each.
    """
    projected = value.projection.inputs if value.projection is not None else 0
    figures = (
        value.dimensions,
        _QUANTISATIONS.index(value.quantisation),
        value.links,
        projected,
        value.number,
        value.added,
        len(value),
    )
    rows = _turned(array("f", bytes(value.buffer))) if value.quantisation == FLOATS else bytes(value.buffer)
    texts = (rows, _turned(value.lengths), _turned(value.ranges))
    return _steps(figures, texts, list(value.names), value.attributes.copy())


def _steps(
    figures: tuple[int, ...], texts: tuple[bytes, ...], names: list[bytes], attributes: dict[bytes, bytes]
) -> Iterator[Step]:
    def begin(writer: Writer) -> None:
        writer.length(NUMBER)
        for number in figures:
            writer.length(_UNSIGNED)
            writer.length(number)

    yield begin
    for text in texts:
        yield partial(_write_texts, [text])
    for at in range(0, len(names), _ELEMENTS):
        some = names[at : at + _ELEMENTS]
        yield partial(_write_texts, [text for name in some for text in (name, attributes.get(name, b""))])
    yield lambda writer: writer.length(_END)


def _write_texts(texts: list[bytes], writer: Writer) -> None:
    for text in texts:
        writer.length(_STRING)
        writer.string(text)


def _turned(numbers: array[float]) -> bytes:
    """Floats in the order of bytes that files have."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _floats(text: bytes) -> array[float]:
    if len(text) % 4:
        raise RdbError("vector set: half a number")
    numbers = array("f", text)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def read_vectors(reader: Reader) -> VectorSetValue:
    """The vector set whose body comes next, behind the type's name. O(bytes).

    Raises:
        RdbError: it is damaged.
    """
    dimensions, kind, links, projected, number, added, count = (_unsigned(reader) for _ in range(7))
    if not 0 < dimensions <= _MOST_DIMENSIONS or kind >= len(_QUANTISATIONS) or not count:
        raise RdbError("vector set: bad sizes")
    if projected and not dimensions <= projected <= _MOST_DIMENSIONS:
        raise RdbError("vector set: bad projection")
    projection = Projection(projected, dimensions) if projected else None
    value = VectorSetValue(dimensions, _QUANTISATIONS[kind], links, projection, number)
    rows = _string(reader)
    value.buffer = bytearray(_floats(rows).tobytes() if value.quantisation == FLOATS else rows)
    value.lengths, value.ranges = _floats(_string(reader)), _floats(_string(reader))
    if not len(value.lengths) == len(value.ranges) == count or len(value.buffer) != count * value.width:
        raise RdbError("vector set: rows are missing")
    for _ in range(count):
        value.note(_string(reader), _string(reader))
    if len(value.rows) != count or reader.length() != _END:
        raise RdbError("vector set: an element twice, or no end")
    value.added = added
    return value


def _unsigned(reader: Reader) -> int:
    if reader.length() != _UNSIGNED:
        raise RdbError("vector set: no number where one has to be")
    number: int = reader.length()
    return number


def _string(reader: Reader) -> bytes:
    if reader.length() != _STRING:
        raise RdbError("vector set: no string where one has to be")
    text: bytes = reader.string()
    return text
