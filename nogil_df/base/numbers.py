from __future__ import annotations

from typing import Final

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1


def parse_int(data: bytes | bytearray) -> int | None:
    """A 64-bit integer, or None; only the canonical form is one (no ``+``, spaces, leading zeros, ``-0``)."""
    if len(data) > 20:
        return None
    try:
        number = int(data)
    except ValueError:
        return None
    if b"%d" % number != data or not INT64_MIN <= number <= INT64_MAX:
        return None
    return number


def format_double(value: float) -> bytes:
    """A double as Redis prints a score: up to 17 significant digits, ``inf``, ``-inf``, ``nan``."""
    return b"%.17g" % value
