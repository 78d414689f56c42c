"""Strings at many keys at once: what pipelines, MGET, MSET and EXEC run on a shard for equal commands.

Each function is the twin of an ``op`` of `strings` or `strings_numeric` and gives the same results; for what
`many` means see `nogil_df.vll.columns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.errors import ReplyError
from nogil_df.shard.table import PACKED, get_many, put_many

if TYPE_CHECKING:
    from nogil_df.shard.keyspace import Keyspace

Hashes = Sequence[int]
Keys = Sequence[bytes]

_BYTES: Final = {bytes}


def many_get(db: Keyspace, hashes: Hashes, keys: Keys, values: None, foreign: bool) -> list[Any]:
    """GET. O(keys)."""
    found = get_many(db.table, keys, hashes)
    if {*map(type, found)} == _BYTES:
        db.shard.hits += len(found)
        return found
    return [
        value if value is None or value.__class__ is bytes else _string(value)
        for value in _counted(db, keys, found)
    ]


def many_value_or_none(db: Keyspace, hashes: Hashes, keys: Keys, values: None, foreign: bool) -> list[Any]:
    """MGET: as GET, but None where a key holds another type. O(keys)."""
    found = get_many(db.table, keys, hashes)
    if {*map(type, found)} == _BYTES:
        db.shard.hits += len(found)
        return found
    return [value if value.__class__ is bytes else _readable(value) for value in _counted(db, keys, found)]


def _readable(value: Any) -> bytes | None:
    """A value that is not bytes as it may leave the shard; None unless it is a string changed in place."""
    return bytes(value) if isinstance(value, bytearray) else None


def _string(value: Any) -> bytes | ReplyError:
    return bytes(value) if isinstance(value, bytearray) else ReplyError("WRONGTYPE")


def _counted(db: Keyspace, keys: Keys, found: list[Any]) -> list[Any]:
    for key, value in zip(keys, found, strict=True):
        db.count_read(key, value)
    return found


def many_set(db: Keyspace, hashes: Hashes, keys: Keys, values: Sequence[bytes], foreign: bool) -> list[Any]:
    """SET without options. O(keys). True for each."""
    if foreign:
        values = [b"%b" % value for value in values]
    replaced = put_many(db.table, keys, hashes, values, foreign)
    if {*map(type, replaced)} == _BYTES:
        if not PACKED:
            db.used += sum(map(len, values)) - sum(map(len, replaced))
    else:
        for key, value, old in zip(keys, values, replaced, strict=True):
            db.account_put(key, value, old)
    db.shard.dirty += len(keys)
    return [True] * len(keys)
