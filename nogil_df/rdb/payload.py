"""The payload of DUMP: form, body, and a footer of the format's version and a checksum of all before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.crc64 import crc64
from nogil_df.base.rdb_strings import RdbError, Reader
from nogil_df.rdb import forms
from nogil_df.rdb.reader import read_object
from nogil_df.rdb.writer import needed_version, write_object

if TYPE_CHECKING:
    from nogil_df.shard.limits import EncodingLimits

_VERSION_SIZE: Final = 2
_CHECKSUM_SIZE: Final = 8
FOOTER: Final = _VERSION_SIZE + _CHECKSUM_SIZE


def dump(value: Any, limits: EncodingLimits, *, compress: bool = True) -> bytes:
    """The payload of a value, in the oldest version from `forms.WIDELY_READ` on that holds it. O(bytes)."""
    version = needed_version(value)
    out = bytearray(1)
    out[0] = write_object(out, value, limits, version=version, compress=compress)
    out += version.to_bytes(_VERSION_SIZE, "little")
    out += crc64(out).to_bytes(_CHECKSUM_SIZE, "little")
    return bytes(out)


def is_sound(payload: bytes) -> bool:
    """Whether a payload is of a version that is known, and its checksum is right. O(bytes)."""
    if len(payload) < FOOTER:
        return False
    view = memoryview(payload)
    version = int.from_bytes(view[-FOOTER:-_CHECKSUM_SIZE], "little")
    checksum = int.from_bytes(view[-_CHECKSUM_SIZE:], "little")
    return (version <= forms.NEWEST or version == forms.VALKEY) and crc64(view[:-_CHECKSUM_SIZE]) == checksum


def load(payload: bytes, limits: EncodingLimits) -> Any:
    """The value of a payload that `is_sound`, made by this thread. O(bytes).

    Raises:
        RdbError: it is none all the same.
    """
    reader = Reader(payload[:-FOOTER])
    form = reader.byte()
    if form == forms.HASH_VALKEY_THERE and payload[-FOOTER] == forms.VALKEY:
        form = forms.HASH_VALKEY
    elif form == forms.HASH_VALKEY:
        raise RdbError("an unknown form")
    value = read_object(reader, form, limits)
    if reader.at != len(reader.data):
        raise RdbError("more than one value")
    return value
