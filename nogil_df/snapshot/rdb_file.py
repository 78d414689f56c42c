"""The frame of an RDB file: what stands before the records and behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from nogil_df.base.rdb_strings import write_length, write_string
from nogil_df.base.version import REDIS_VERSION
from nogil_df.snapshot import opcodes
from nogil_df.snapshot.records import write_database

CHECKSUM_SIZE: Final = 8


def write_beginning(
    version: int,
    facts: Mapping[str, str],
    libraries: Iterable[bytes],
    sizes: Mapping[int, tuple[int, int]],
) -> bytes:
    """What stands before the first record.

    Args:
        version: of the format.
        facts: about the file, beside the version of Redis and the width of a pointer.
        libraries: codes of functions.
        sizes: database -> keys, and those that expire; Redis makes room for so many.
    """
    out = bytearray(b"%b%04d" % (opcodes.MAGIC, version))
    for name, text in {"redis-ver": REDIS_VERSION, "redis-bits": "64", **facts}.items():
        out.append(opcodes.AUX)
        out += write_string(name.encode()) + write_string(text.encode())
    for code in libraries:
        out.append(opcodes.FUNCTION)
        out += write_string(code)
    for index, (keys, expiring) in sorted(sizes.items()):
        out += write_database(index)
        out.append(opcodes.SIZES)
        out += write_length(keys) + write_length(expiring)
    return bytes(out)


def write_end() -> bytes:
    """What stands behind the last record, before the checksum of everything."""
    return bytes((opcodes.END,))
