"""Records as they stand in a snapshot: written by the shard that owns them, and read by one.

A blob is a run of records in the RDB format, on its own: it begins by naming its database, and whatever
stands between records (opcodes) is in it. So blobs of all shards may follow each other in one RDB file in any
order, and the native files hold the same blobs.

Big values are not written in one go: see `nogil_df.snapshot.big_values`.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.rdb_strings import RdbError, Reader, write_length
from nogil_df.rdb import forms
from nogil_df.rdb.reader import read_object
from nogil_df.rdb.writer import Writer, write_object
from nogil_df.shard.ages import level_of, seconds
from nogil_df.shard.dash_segment import AgedRecord
from nogil_df.shard.flagged import Flagged, flags_of
from nogil_df.shard.table import PACKED
from nogil_df.snapshot import opcodes

try:
    from nogil_df.snapshot._strings import load_strings
except ImportError:
    load_strings = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from nogil_df.shard.limits import EncodingLimits
    from nogil_df.shard.shard import Shard

MOST_FLAGS: Final = (1 << 32) - 1

NO_AGES, IDLE_TIMES, FREQUENCIES = range(3)
"""What is written of how much a record is used."""

_DEADLINE: Final = bytes((opcodes.DEADLINE_MS,))
_IDLE: Final = bytes((opcodes.IDLE,))
_FLAGS: Final = bytes((opcodes.CLIENT_FLAGS,))
_DATABASE: Final = bytes((opcodes.DATABASE,))
_DOUBLE: Final = Struct("<d").pack
_TIME_SIZE: Final = 8
_SECOND_SIZE: Final = 4


class Style:
    """How the records of a snapshot are written.

    Attributes:
        version: of the RDB format.
        compress: let strings that shrink by it be compressed.
        ages: NO_AGES, IDLE_TIMES or FREQUENCIES.
        client_flags: write what Memcached's clients gave with a string; only this server reads that.
    """

    __slots__ = ("ages", "client_flags", "compress", "version")

    def __init__(
        self, version: int, compress: bool, ages: int = NO_AGES, *, client_flags: bool = False
    ) -> None:
        self.version = version
        self.compress = compress
        self.ages = ages
        self.client_flags = client_flags


def ages_of(policy: str) -> int:
    """What a `maxmemory-policy` lets be written of how much records are used, as Redis does."""
    return FREQUENCIES if policy.endswith("-lfu") else IDLE_TIMES if policy.endswith("-lru") else NO_AGES


# Writing.


def write_database(index: int) -> bytes:
    """What begins a run of records of one database."""
    return _DATABASE + write_length(index)


def write_head(out: bytearray, record: AgedRecord, style: Style) -> None:
    """What stands before form and key of a record: deadline and age. O(1)."""
    _, value, deadline, age = record
    if deadline:
        out += _DEADLINE + deadline.to_bytes(_TIME_SIZE, "little")
    if style.ages:
        out += write_age(style, age)
    if style.client_flags and flags_of(value):
        out += _FLAGS + write_length(flags_of(value))


def write_age(style: Style, age: int) -> bytes:
    """How much a record is used, as the style has it. O(1)."""
    if style.ages == IDLE_TIMES:
        return _IDLE + write_length(seconds(age))
    return bytes((opcodes.FREQUENCY, age))


def every_age(style: Style) -> list[bytes] | None:
    """What is written of each age that a record can have; None for nothing. For a `StringTaker`."""
    return [write_age(style, age) for age in range(256)] if style.ages else None


def write_record(out: bytearray, record: AgedRecord, limits: EncodingLimits, style: Style) -> None:
    """Append a record whose value is not big, as a whole. O(bytes)."""
    key, deadline = record[0], record[2]
    value: Any = record[1]
    if deadline or style.ages or value.__class__ is Flagged:
        write_head(out, record, style)
    at = len(out)
    out.append(forms.STRING)
    out += write_length(len(key))
    out += key
    if value.__class__ is bytes:
        Writer(out, style.compress).string(value)
    else:
        # What the oldest readers understand, unless the whole file is in a newer version anyway.
        out[at] = write_object(out, value, limits, version=style.version, compress=style.compress)


# Reading.


class Loaded:
    """What became of records: how many were stored, and how many had expired or were already there."""

    __slots__ = ("expired", "keys", "replaced")

    def __init__(self) -> None:
        self.keys = 0
        self.expired = 0
        self.replaced = 0


def load_blob(shard: Shard, blob: bytes, loaded: Loaded, *, override: bool, use_ages: int) -> None:
    """Store the records of a blob, all of which belong to this shard. To be called by its thread.

    Args:
        override: a record may take the place of one that is there; else that is an error.
        use_ages: which of idle times and frequencies are taken over.

    Raises:
        RdbError: it is damaged, or a key is in it twice.

    Complexity: O(bytes).
    """
    reader = Reader(blob)
    end = len(blob)
    limits = shard.limits
    hash_key = shard.hash_key
    now = shard.tick.ms
    db = shard.dbs[0]
    deadline = flags = 0
    age = -1
    begins = True
    while reader.at < end:
        if begins and PACKED and not db.observed:
            begins = False
            _take_strings(db.table, reader, now, loaded, override)
            continue
        form = reader.byte()
        if form >= opcodes.CLIENT_FLAGS:
            if form == opcodes.DATABASE:
                db = shard.dbs[_database(reader.length(), len(shard.dbs))]
                begins = not deadline and not flags and age < 0
            elif form == opcodes.DEADLINE_MS:
                deadline = int.from_bytes(reader.take(_TIME_SIZE), "little", signed=True)
            elif form == opcodes.DEADLINE:
                deadline = int.from_bytes(reader.take(_SECOND_SIZE), "little", signed=True) * 1000
            elif form == opcodes.IDLE:
                idle = reader.length()
                age = level_of(idle) if use_ages == IDLE_TIMES else age
            elif form == opcodes.CLIENT_FLAGS:
                flags = reader.length()
            elif form == opcodes.FREQUENCY:
                frequency = reader.byte()
                age = frequency if use_ages == FREQUENCIES else age
            else:
                raise RdbError(f"opcode {form} among records")
            continue
        key = reader.string()
        value = read_object(reader, form, limits)
        if flags and form == forms.STRING:
            value = Flagged(value, flags & MOST_FLAGS)
        if deadline and deadline < now:
            loaded.expired += 1
        else:
            h = hash_key(key)
            if db.put(key, h, value, deadline) is not None:
                if not override:
                    raise RdbError(f"the key {_shown(key)} is there twice")
                loaded.replaced += 1
            if age >= 0:
                db.table.set_age(key, h, age)
            loaded.keys += 1
        deadline = flags = 0
        age = -1
        begins = True


def _take_strings(table: Any, reader: Reader, now: int, loaded: Loaded, override: bool) -> None:
    """Store strings without anything unusual as long as they follow each other, about 1 us each."""
    reader.at, keys, expired, replaced = load_strings(table, reader.data, reader.at, now, override)
    loaded.keys += keys
    loaded.expired += expired
    loaded.replaced += replaced


def _database(index: int, databases: int) -> int:
    if index >= databases:
        raise RdbError(f"it has a database {index}, and this server only {databases} (--dbnum)")
    return index


def _shown(key: bytes) -> str:
    text = key[:64].decode("utf-8", "backslashreplace")
    return repr(text)
