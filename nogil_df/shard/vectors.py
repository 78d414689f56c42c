"""The value of a vector set: names with a vector each, found by the direction that their vectors have.

Vectors are normalised and stand in one buffer, a row each, quantised as the set was made: floats of 32 bits,
integers of 8 bits with the range of each row (`Q8`), or one bit for each component (`BIN`). The length that a
vector had is kept beside.

A search is **exact**: it looks at every row. Redis keeps a graph (HNSW) and looks at some hundreds of rows,
which finds most of what is nearest. Exact search needs no graph: adding an element costs O(dimensions), where
a graph in Python costs tens of milliseconds, and the answer is always complete. What it costs is O(rows), in
numpy, where that is installed, 0.4 ms for a thousand rows of 300 components; without it about twenty times as
much (`math.sumprod`). So this is for sets of up to some ten thousand elements.

The order of rows means nothing: the last one takes the place of one that is removed.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Iterator, Sequence
from math import sqrt, sumprod
from random import Random
from typing import Any, Final

from nogil_df.base.interpreter import may_import
from nogil_df.shard import digest
from nogil_df.shard.memory import BYTES_OVERHEAD, own

FLOATS: Final = "fp32"
BYTES: Final = "int8"
BITS: Final = "bin"
"""How components are kept, as VINFO names it."""

USUAL_LINKS: Final = 16
"""M of a set that was made without: how many neighbours VLINKS shows is twice that."""

Q8_STEPS: Final = 127

VALUE_OVERHEAD: Final = 760
"""Bytes of an empty set: the object, its lists, dicts and arrays."""

NAME_OVERHEAD: Final = BYTES_OVERHEAD + 8 + 90 + 8
"""Bytes that an element takes beside its name and its components: places in list, dict and arrays."""

FREED_ROWS: Final = 1000
"""Elements that are let go of at a time."""

_ROWS_AT_ONCE: Final = 4096
"""Rows that numpy is given at a time where they have to be made floats first."""


class Projection:
    """A random projection to fewer dimensions, the same for the same sizes on every server of ours.

    Distances between vectors are about what they were (Johnson and Lindenstrauss).
    """

    __slots__ = ("inputs", "outputs", "rows")

    def __init__(self, inputs: int, outputs: int) -> None:
        source = Random(inputs << 32 | outputs)
        scale = 1 / sqrt(outputs)
        self.inputs = inputs
        self.outputs = outputs
        self.rows = [[source.gauss(0, scale) for _ in range(inputs)] for _ in range(outputs)]

    def __call__(self, vector: Sequence[float]) -> array[float]:
        """The vector in fewer dimensions. O(inputs * outputs)."""
        given = list(vector)
        return array("f", [sumprod(row, given) for row in self.rows])


class VectorSetValue:
    """A vector set. The caller accounts for what it changes: `Keyspace.resized` with ``memory``.

    Attributes:
        dimensions: components of a row.
        quantisation: `FLOATS`, `BYTES` or `BITS`.
        links: M.
        projection: what vectors go through first, None for nothing.
        names, rows: the element of each row, and the row of each element; never empty while it is stored.
        buffer: the rows.
        lengths, ranges: of each row: the length the vector had, and what its integers are shares of.
        attributes: JSON texts of those elements that have one.
        number, added: an id of the set, and how many elements were ever added.
    """

    __slots__ = (
        "_text_bytes",
        "added",
        "attributes",
        "buffer",
        "dimensions",
        "lengths",
        "links",
        "names",
        "number",
        "projection",
        "quantisation",
        "ranges",
        "rows",
        "width",
    )

    type_name = b"vectorset"
    type_number = 5
    encoding = b"raw"

    def __init__(
        self, dimensions: int, quantisation: str, links: int, projection: Projection | None, number: int
    ) -> None:
        self.dimensions = dimensions
        self.quantisation = quantisation
        self.links = links
        self.projection = projection
        self.number = number
        self.added = 0
        self.names: list[bytes] = []
        self.rows: dict[bytes, int] = {}
        self.buffer = bytearray()
        self.lengths = array("f")
        self.ranges = array("f")
        self.attributes: dict[bytes, bytes] = {}
        self.width = {FLOATS: 4 * dimensions, BYTES: dimensions, BITS: (dimensions + 7) // 8}[quantisation]
        self._text_bytes = 0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def memory(self) -> int:
        """Bytes it takes. O(1)."""
        return VALUE_OVERHEAD + self._text_bytes + len(self.names) * (NAME_OVERHEAD + self.width)

    # Changing.

    def put(self, name: bytes, vector: Sequence[float]) -> bool:
        """Add an element, or give it another vector; True if it is new. O(dimensions)."""
        row, length, reach = self._packed(vector)
        at = self.rows.get(name)
        if at is not None:
            self.buffer[at * self.width : (at + 1) * self.width] = row
            self.lengths[at], self.ranges[at] = length, reach
            return False
        self.rows[name] = len(self.names)
        self.names.append(name)
        self.buffer += row
        self.lengths.append(length)
        self.ranges.append(reach)
        self.added += 1
        self._text_bytes += len(name)
        return True

    def remove(self, name: bytes) -> bool:
        """Remove an element; False if it is not there. O(dimensions)."""
        at = self.rows.pop(name, None)
        if at is None:
            return False
        self.set_attribute(name, b"")
        width = self.width
        last = len(self.names) - 1
        if at != last:
            moved = self.names[at] = self.names[last]
            self.rows[moved] = at
            self.buffer[at * width : (at + 1) * width] = self.buffer[last * width :]
            self.lengths[at], self.ranges[at] = self.lengths[last], self.ranges[last]
        self.names.pop()
        self.lengths.pop()
        self.ranges.pop()
        del self.buffer[last * width :]
        self._text_bytes -= len(name)
        return True

    def set_attribute(self, name: bytes, text: bytes) -> None:
        """Give an element an attribute; an empty one takes it away. O(1)."""
        old = self.attributes.pop(name, None)
        if old is not None:
            self._text_bytes -= len(old) + BYTES_OVERHEAD
        if text:
            self.attributes[name] = text
            self._text_bytes += len(text) + BYTES_OVERHEAD

    def _packed(self, vector: Sequence[float]) -> tuple[bytes, float, float]:
        """A vector as a row, its length, and the range of its components."""
        given = list(vector)
        length = sqrt(sumprod(given, given))
        unit = [component / length for component in given] if length else given
        if self.quantisation == FLOATS:
            return array("f", unit).tobytes(), length, 0.0
        if self.quantisation == BITS:
            bits = sum(1 << at for at, component in enumerate(unit) if component > 0)
            return bits.to_bytes(self.width, "little"), length, 0.0
        reach = max(map(abs, unit), default=0.0)
        scale = Q8_STEPS / reach if reach else 0.0
        return array("b", [round(component * scale) for component in unit]).tobytes(), length, reach

    def note(self, name: bytes, attribute: bytes) -> None:
        """Name the next row of a set that is being loaded. O(1)."""
        self.rows[name] = len(self.names)
        self.names.append(name)
        self._text_bytes += len(name)
        self.set_attribute(name, attribute)

    # Reading.

    def row(self, at: int) -> bytes:
        """The bytes of a row. O(dimensions)."""
        return bytes(self.buffer[at * self.width : (at + 1) * self.width])

    def vector(self, at: int) -> list[float]:
        """The vector of a row, as long as it was; of bits only the signs are left. O(dimensions)."""
        if self.quantisation == BITS:
            bits = int.from_bytes(self.row(at), "little")
            return [1.0 if bits >> place & 1 else -1.0 for place in range(self.dimensions)]
        length = self.lengths[at]
        if self.quantisation == FLOATS:
            return [component * length for component in array("f", self.row(at))]
        scale = self.ranges[at] / Q8_STEPS * length
        return [step * scale for step in array("b", self.row(at))]

    def similarities(self, vector: Sequence[float]) -> list[float]:
        """How similar each row is to a vector, from 0 to 1. O(rows * dimensions)."""
        row, _, reach = self._packed(vector)
        kernel = _kernel()
        if self.quantisation == BITS:
            differing = (_bits_numpy if kernel else _bits)(kernel, self, row)
            return [1 - count / self.dimensions for count in differing]
        if self.quantisation == FLOATS:
            query = array("f", row).tolist()
        else:
            query = [step * reach / Q8_STEPS for step in array("b", row)]
        products = (_products_numpy if kernel else _products)(kernel, self, query)
        return [(1 + product) / 2 for product in products]

    def nearest(
        self, vector: Sequence[float], count: int, wanted: Callable[[bytes], bool] | None
    ) -> list[tuple[bytes, float]]:
        """The most similar elements, most similar first: (name, similarity). O(rows * dimensions).

        Args:
            count: so many at most.
            wanted: whether the attribute of an element will do; those without one never do. None: any.
        """
        found = self.similarities(vector)
        names = self.names
        if wanted is None:
            best = heapq.nlargest(count, range(len(found)), key=found.__getitem__)
            return [(names[at], found[at]) for at in best]
        result: list[tuple[bytes, float]] = []
        attributes = self.attributes
        for at in sorted(range(len(found)), key=found.__getitem__, reverse=True):
            text = attributes.get(names[at])
            if text is not None and wanted(text):
                result.append((names[at], found[at]))
                if len(result) == count:
                    break
        return result

    def sample(self, count: int, source: Random) -> list[bytes]:
        """So many different elements at random, all if there are fewer. O(count)."""
        return source.sample(self.names, min(count, len(self.names)))

    def choices(self, count: int, source: Random) -> Iterator[bytes]:
        """So many elements at random, repeated or not. O(count)."""
        return (source.choice(self.names) for _ in range(count))

    # What any value has.

    def copy(self) -> VectorSetValue:
        """A copy that shares nothing with this one. O(n)."""
        copied = VectorSetValue(self.dimensions, self.quantisation, self.links, self.projection, self.number)
        copied.names = own(self.names)
        copied.rows = {name: at for at, name in enumerate(copied.names)}
        copied.buffer = bytearray(self.buffer)
        copied.lengths = self.lengths[:]
        copied.ranges = self.ranges[:]
        copied.attributes = {copied.names[self.rows[n]]: b"%b" % text for n, text in self.attributes.items()}
        copied.added = self.added
        copied._text_bytes = self._text_bytes
        return copied

    def digest(self, begun: bytes) -> bytes:
        """The digest of elements, rows and attributes, for DEBUG DIGEST. O(n)."""
        for at, name in enumerate(self.names):
            element = digest.chain(digest.chain(digest.ZEROS, name), self.row(at))
            begun = digest.blend(begun, digest.chain(element, self.attributes.get(name, b"")))
        return begun

    def free_step(self, budget: int) -> int:
        """Let go of elements of a set that was erased, a slice at a time: see `Shard.dispose`."""
        used = 0
        while self.names and used < budget:
            used += 1
            for name in self.names[-FREED_ROWS:]:
                self.rows.pop(name, None)
                self.attributes.pop(name, None)
            del self.names[-FREED_ROWS:]
        if not self.names:
            self.buffer = bytearray()
        return used

    @property
    def serialized_length(self) -> int:
        """Bytes in an RDB file, more or less. O(1)."""
        return self._text_bytes + len(self.buffer) + 8 * len(self.names)

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError. O(n)."""
        assert self.names
        assert {name: at for at, name in enumerate(self.names)} == self.rows
        assert len(self.buffer) == self.width * len(self.names)
        assert len(self.lengths) == len(self.ranges) == len(self.names)
        assert self.attributes.keys() <= self.rows.keys()
        texts = sum(map(len, self.names))
        texts += sum(len(text) + BYTES_OVERHEAD for text in self.attributes.values())
        assert texts == self._text_bytes


# Going through all rows.


class _Kernel:
    """numpy, if it is there; looked for when the first search asks."""

    __slots__ = ("known", "module")

    def __init__(self) -> None:
        self.known = False
        self.module: Any = None


_KERNEL = _Kernel()


def _kernel() -> Any:
    """numpy, None if it is not installed or would turn the GIL on. O(1) but for the first time."""
    if not _KERNEL.known:
        if may_import("numpy"):
            try:
                import numpy  # type: ignore[import-not-found,unused-ignore]

                _KERNEL.module = numpy
            except ImportError:
                _KERNEL.module = None
        _KERNEL.known = True
    return _KERNEL.module


def _products(kernel: Any, value: VectorSetValue, query: list[float]) -> list[float]:
    """The inner product of a query with each row."""
    size = value.dimensions
    rows = memoryview(value.buffer).cast("f" if value.quantisation == FLOATS else "b")
    places = range(0, len(value) * size, size)
    found = [sumprod(query, rows[at : at + size]) for at in places]
    rows.release()
    if value.quantisation == FLOATS:
        return found
    return [product * reach / Q8_STEPS for product, reach in zip(found, value.ranges, strict=True)]


def _products_numpy(kernel: Any, value: VectorSetValue, query: list[float]) -> list[float]:
    given = kernel.array(query, dtype=kernel.float32)
    shape = (len(value), value.dimensions)
    if value.quantisation == FLOATS:
        rows = kernel.frombuffer(value.buffer, dtype=kernel.float32).reshape(shape)
        return (rows @ given).tolist()  # type: ignore[no-any-return]
    rows = kernel.frombuffer(value.buffer, dtype=kernel.int8).reshape(shape)
    found = kernel.empty(len(value), dtype=kernel.float32)
    for begin in range(0, len(value), _ROWS_AT_ONCE):
        part = rows[begin : begin + _ROWS_AT_ONCE].astype(kernel.float32)
        found[begin : begin + _ROWS_AT_ONCE] = part @ given
    found *= kernel.frombuffer(value.ranges, dtype=kernel.float32)
    return (found / Q8_STEPS).tolist()  # type: ignore[no-any-return]


def _bits(kernel: Any, value: VectorSetValue, row: bytes) -> list[int]:
    """In how many bits each row differs."""
    query = int.from_bytes(row, "little")
    width = value.width
    rows = bytes(value.buffer)
    places = range(0, len(rows), width)
    return [(int.from_bytes(rows[at : at + width], "little") ^ query).bit_count() for at in places]


def _bits_numpy(kernel: Any, value: VectorSetValue, row: bytes) -> list[int]:
    rows = kernel.frombuffer(value.buffer, dtype=kernel.uint8).reshape(len(value), value.width)
    query = kernel.frombuffer(row, dtype=kernel.uint8)
    return kernel.bitwise_count(rows ^ query).sum(axis=1, dtype=kernel.int64).tolist()  # type: ignore[no-any-return]
