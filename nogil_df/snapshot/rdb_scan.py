"""Splitting an RDB file into blobs for the shards that own its records. Bytes in, blobs out, no files.

The scanner finds out where each record ends, without making its value, and copies it into the blob of its
owner. Bytes come in pieces of any size; a record that is not there as a whole waits for more. What the file
says of itself (version, databases, libraries, checksum) is checked on the way; the values are checked by
those who make them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nogil_df.base.crc64 import crc64
from nogil_df.base.rdb_strings import RdbError, Reader
from nogil_df.rdb import forms
from nogil_df.snapshot import opcodes
from nogil_df.snapshot.records import write_database

try:
    from nogil_df.snapshot._strings import scan_strings
except ImportError:
    scan_strings = None  # type: ignore[assignment]

BLOB: Final = 64 << 10
"""Bytes from which a blob is given out."""

_WIDTHS: Final = {0: 2, 1: 3, 2: 5}
"""Bytes of a string that is an integer, by its kind."""


# Stepping over values. All take the data and a position, and return the position behind; what lies behind the
# end of the data raises IndexError or is found out at the end of the record.


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A length, and the position behind it."""
    first = data[at]
    kind = first >> 6
    if kind == 0:
        return first, at + 1
    if kind == 1:
        return (first & 0x3F) << 8 | data[at + 1], at + 2
    if first == 0x80:
        return int.from_bytes(data[at + 1 : at + 5]), at + 5
    if first == 0x81:
        return int.from_bytes(data[at + 1 : at + 9]), at + 9
    raise RdbError("a string where a length belongs" if kind == 3 else "a length of an unknown kind")


def _string(data: bytes, at: int) -> int:
    first = data[at]
    if first < 0x40:
        return at + 1 + first
    if first < 0xC0:
        size, at = _length(data, at)
        return at + size
    kind = first & 0x3F
    if kind in _WIDTHS:
        return at + _WIDTHS[kind]
    if kind != 3:
        raise RdbError("a string of an unknown kind")
    size, at = _length(data, at + 1)
    return _length(data, at)[1] + size


def _strings(data: bytes, at: int, count: int) -> int:
    end = len(data)
    for _ in range(count):
        if at >= end:
            raise IndexError
        at = _string(data, at)
    return at


def _counted(data: bytes, at: int) -> int:
    count, at = _length(data, at)
    return _strings(data, at, count)


def _pairs(data: bytes, at: int) -> int:
    count, at = _length(data, at)
    return _strings(data, at, 2 * count)


def _sorted_set(data: bytes, at: int) -> int:
    count, at = _length(data, at)
    for _ in range(count):
        at = _string(data, at)
        # The length of the score's digits; 253 and more stand for scores without any.
        at += 1 + (data[at] if data[at] < 253 else 0)
    return at


def _sorted_set_2(data: bytes, at: int) -> int:
    count, at = _length(data, at)
    for _ in range(count):
        at = _string(data, at) + 8
    return at


def _quicklist_2(data: bytes, at: int) -> int:
    count, at = _length(data, at)
    for _ in range(count):
        at = _string(data, _length(data, at)[1])
    return at


def _timed_hash(data: bytes, at: int) -> int:
    return _timed_hash_draft(data, at + 8)


def _timed_hash_draft(data: bytes, at: int) -> int:
    count, at = _length(data, at)
    for _ in range(count):
        at = _strings(data, _length(data, at)[1], 2)
    return at


def _hash_of_valkey(data: bytes, at: int) -> int:
    count, at = _length(data, at)
    for _ in range(count):
        at = _strings(data, at, 2) + 8
    return at


def _timed_listpack(data: bytes, at: int) -> int:
    return _string(data, at + 8)


def _lengths(data: bytes, at: int, count: int) -> int:
    for _ in range(count):
        at = _length(data, at)[1]
    return at


def _stream(form: int) -> Callable[[bytes, int], int]:
    newer = form != forms.STREAM_1
    times = 16 if form == forms.STREAM_3 else 8

    def step(data: bytes, at: int) -> int:
        at = _pairs(data, at)
        # Entries and the last id; the first id, the greatest deleted one, entries ever added.
        at = _lengths(data, at, 8 if newer else 3)
        groups, at = _length(data, at)
        for _ in range(groups):
            at = _lengths(data, _string(data, at), 3 if newer else 2)
            pending, at = _length(data, at)
            for _ in range(pending):
                # Id, time, deliveries.
                at = _length(data, at + 24)[1]
            consumers, at = _length(data, at)
            for _ in range(consumers):
                pending, at = _length(data, _string(data, at) + times)
                at += 16 * pending
        return at

    return step


STEPS: Final[dict[int, Callable[[bytes, int], int]]] = {
    forms.STRING: _string,
    forms.LIST: _counted,
    forms.SET: _counted,
    forms.SORTED_SET: _sorted_set,
    forms.HASH: _pairs,
    forms.SORTED_SET_2: _sorted_set_2,
    forms.HASH_ZIPMAP: _string,
    forms.LIST_ZIPLIST: _string,
    forms.SET_INTSET: _string,
    forms.SORTED_SET_ZIPLIST: _string,
    forms.HASH_ZIPLIST: _string,
    forms.LIST_QUICKLIST: _counted,
    forms.STREAM_1: _stream(forms.STREAM_1),
    forms.HASH_LISTPACK: _string,
    forms.SORTED_SET_LISTPACK: _string,
    forms.LIST_QUICKLIST_2: _quicklist_2,
    forms.STREAM_2: _stream(forms.STREAM_2),
    forms.SET_LISTPACK: _string,
    forms.STREAM_3: _stream(forms.STREAM_3),
    forms.HASH_DEADLINES_DRAFT: _timed_hash_draft,
    forms.HASH_LISTPACK_DEADLINES_DRAFT: _string,
    forms.HASH_DEADLINES: _timed_hash,
    forms.HASH_LISTPACK_DEADLINES: _timed_listpack,
}
"""Form -> what steps over a body."""


class RecordScanner:
    """Splits runs of records by owner.

    Args:
        hash_key: of the shards.
        count: how many shards there are.
        give: called with (owner, blob).

    Attributes:
        records: found so far.
        of_valkey: the forms are those of Valkey 9.
    """

    def __init__(
        self, hash_key: Callable[[bytes], int], count: int, give: Callable[[int, bytes], None]
    ) -> None:
        self._hash_key = hash_key
        self._count = count
        self._give = give
        self._blobs = [bytearray() for _ in range(count)]
        self._named = [-1] * count
        self._database = 0
        self.records = 0
        self.of_valkey = False

    def step(self, data: bytes, at: int) -> int:
        """Take one record, or what stands between two, or a run of strings; the position behind it.

        Raises:
            IndexError: more data is needed, and nothing was taken.
            RdbError: it is damaged, or of a kind that is not known.
        """
        start = at
        if scan_strings is not None:
            at, taken, full = scan_strings(
                data, at, self._hash_key, self._count, self._blobs, self._named, self._database, BLOB
            )
            if taken:
                self.records += taken
                if full >= 0:
                    self._give_out(full)
                return at
        form = data[at]
        while form >= opcodes.CLIENT_FLAGS:
            if form == opcodes.DATABASE:
                index, at = _length(data, at + 1)
                if at > len(data):
                    raise IndexError
                self._database = index
                return at
            if form == opcodes.DEADLINE_MS:
                at += 9
            elif form == opcodes.DEADLINE:
                at += 5
            elif form in (opcodes.IDLE, opcodes.CLIENT_FLAGS):
                at = _length(data, at + 1)[1]
            elif form == opcodes.FREQUENCY:
                at += 2
            else:
                raise RdbError(f"opcode {form} among records")
            form = data[at]
        at_form = at
        step = STEPS[form] if form in STEPS else None
        if self.of_valkey and form >= forms.HASH_VALKEY_THERE:
            step = _hash_of_valkey if form == forms.HASH_VALKEY_THERE else None
            form = forms.HASH_VALKEY
        if step is None:
            raise RdbError(unknown_form(form))
        first = data[at + 1]
        if first < 0x40:
            behind = at + 2 + first
            key = data[at + 2 : behind]
        else:
            behind = _string(data, at + 1)
            if behind > len(data):
                raise IndexError
            key = Reader(data[at + 1 : behind]).string()
        behind = step(data, behind)
        if behind > len(data):
            raise IndexError
        owner = (self._hash_key(key) >> 32) % self._count
        blob = self._blobs[owner]
        if self._named[owner] != self._database:
            self._named[owner] = self._database
            blob += write_database(self._database)
        blob += data[start:behind]
        if self.of_valkey:
            blob[at_form - behind] = form
        self.records += 1
        if len(blob) >= BLOB:
            self._give_out(owner)
        return behind

    def flush(self) -> None:
        """Give out what there is."""
        for owner in range(self._count):
            self._give_out(owner)

    def _give_out(self, owner: int) -> None:
        blob = self._blobs[owner]
        if blob:
            self._give(owner, bytes(blob))
            self._blobs[owner] = bytearray()
            self._named[owner] = -1


def unknown_form(form: int) -> str:
    """What is said of a form that can't be read."""
    if form in (forms.MODULE_1, forms.MODULE_2):
        return "it has values of a Redis module, which this server cannot have"
    return f"unknown type of value {form}"


class RdbScanner:
    """Reads a whole RDB file, fed in pieces.

    Args:
        records: what takes the records.
        databases: how many there are here.
        check: whether to hold the checksum against the bytes.

    Attributes:
        version: of the format; 0 until that was read.
        facts: what the file says of itself.
        libraries: codes of functions.
        keys: how many the file says that there are.
        done: the end was read.
    """

    def __init__(self, records: RecordScanner, databases: int, *, check: bool = True) -> None:
        self._records = records
        self._databases = databases
        self._check = check
        self._data = b""
        self._checksum = 0
        self.version = 0
        self.facts: dict[bytes, bytes] = {}
        self.libraries: list[bytes] = []
        self.keys = 0
        self.done = False

    def feed(self, data: bytes) -> None:
        """Take some more of the file.

        Raises:
            RdbError: it is damaged, or not to be read here.

        Complexity: O(bytes), apart from a record longer than the pieces, which is looked at anew with each.
        """
        if self.done:
            raise RdbError("there is something behind its end")
        data = self._data + data if self._data else data
        at = 0
        try:
            if not self.version:
                at = self._read_head(data)
            while not self.done:
                at = self._step(data, at)
        except IndexError:
            pass
        self._data = data[at:]
        if not self._is_over():
            if self._check and self.version >= opcodes.CHECKSUMS_SINCE:
                self._checksum = crc64(memoryview(data)[:at], self._checksum)
        elif self._data:
            raise RdbError("there is something behind its end")

    def _is_over(self) -> bool:
        return self.done

    def end(self) -> None:
        """There is no more. Raises RdbError if something is missing."""
        if not self.done:
            raise RdbError("it ends too early")
        self._records.flush()

    @property
    def waiting(self) -> int:
        """Bytes that wait for more."""
        return len(self._data)

    def _read_head(self, data: bytes) -> int:
        head = data[: opcodes.HEAD]
        magic, newest = opcodes.MAGIC, forms.NEWEST
        if head.startswith(opcodes.MAGIC_OF_VALKEY[:1]):
            magic, newest = opcodes.MAGIC_OF_VALKEY, forms.VALKEY
            self._records.of_valkey = True
        if not head.startswith(magic[: len(head)]):
            raise RdbError("it is no RDB file")
        if len(head) < opcodes.HEAD:
            raise IndexError
        digits = head[len(magic) :]
        if not digits.isdigit() or not int(digits):
            raise RdbError("it is no RDB file")
        if int(digits) > newest:
            raise RdbError(f"it has RDB version {int(digits)}, and {newest} is the newest that is known")
        self.version = int(digits)
        return opcodes.HEAD

    def _step(self, data: bytes, at: int) -> int:
        code = data[at]
        if code < opcodes.CLIENT_FLAGS:
            return self._records.step(data, at)
        if code == opcodes.DATABASE:
            index, behind = _length(data, at + 1)
            if behind <= len(data) and index >= self._databases:
                raise RdbError(f"it has a database {index}, and this server only {self._databases} (--dbnum)")
            return self._records.step(data, at)
        if code in (opcodes.DEADLINE, opcodes.DEADLINE_MS, opcodes.IDLE, opcodes.FREQUENCY):
            return self._records.step(data, at)
        if code == opcodes.END:
            return self._read_end(data, at + 1)
        if code == opcodes.AUX:
            return self._read_fact(data, at + 1)
        if code == opcodes.SIZES:
            keys, at = _length(data, at + 1)
            at = _length(data, at)[1]
            if at > len(data):
                raise IndexError
            self.keys += keys
            return at
        if code == opcodes.SLOT:
            at = _lengths(data, at + 1, 3)
            if at > len(data):
                raise IndexError
            return at
        if code == opcodes.FUNCTION:
            behind = _whole(data, _string(data, at + 1))
            self.libraries.append(Reader(data[at + 1 : behind]).string())
            return behind
        if code == opcodes.MODULE_AUX:
            raise RdbError("it has data of a Redis module, which this server cannot have")
        if code == opcodes.FUNCTION_DRAFT:
            raise RdbError("it has functions as release candidates of Redis 7.0 wrote them")
        raise RdbError(f"unknown opcode {code}")

    def _read_fact(self, data: bytes, at: int) -> int:
        middle = _whole(data, _string(data, at))
        behind = _whole(data, _string(data, middle))
        name = Reader(data[at:middle]).string()
        self.facts[name] = Reader(data[middle:behind]).string()
        return behind

    def _read_end(self, data: bytes, at: int) -> int:
        if self.version < opcodes.CHECKSUMS_SINCE:
            self.done = True
            return at
        behind = _whole(data, at + opcodes.CHECKSUM)
        told = int.from_bytes(data[at:behind], "little")
        if told and self._check and told != crc64(memoryview(data)[:at], self._checksum):
            raise RdbError("its checksum is wrong")
        self.done = True
        return behind


def _whole(data: bytes, at: int) -> int:
    if at > len(data):
        raise IndexError
    return at
