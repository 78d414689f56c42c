"""Amounts of memory as people write them: "512mb", "12gb", "1.5g".

The units are those of Redis, for flags and CONFIG SET alike, so that one text never means two amounts: `k`,
`m`, `g`, `t` are powers of 1000, `kb`, `mb`, `gb`, `tb` are powers of 1024, `b` and nothing mean bytes; case
does not matter. Source: the head of Redis's redis.conf. Terabytes are an addition, and so are fractions,
which only flags take.
"""

from __future__ import annotations

MAX_DIGITS = 100

UNITS = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1 << 10,
    "m": 1000**2,
    "mb": 1 << 20,
    "g": 1000**3,
    "gb": 1 << 30,
    "t": 1000**4,
    "tb": 1 << 40,
}
"""Unit, in lower case -> bytes. Constant."""


def split_unit(text: str) -> tuple[str, int] | None:
    """Split `text` into its number (still a text) and the bytes of its unit; None for an unknown unit."""
    end = len(text)
    while end and not ("0" <= text[end - 1] <= "9" or text[end - 1] == "."):
        end -= 1
    factor = UNITS.get(text[end:].lower())
    return None if factor is None else (text[:end], factor)


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS


def parse_size(text: str) -> int | None:
    """Bytes that a whole amount such as "100", "64kb" or "2G" stands for; None when it is not one."""
    parts = split_unit(text)
    if parts is None or not _is_number(parts[0]):
        return None
    return int(parts[0]) * parts[1]


def parse_fractional_size(text: str) -> int | None:
    """As `parse_size`, but "1.5gb" is understood as well; the result is rounded down to whole bytes."""
    whole = parse_size(text)
    parts = split_unit(text)
    if whole is not None or parts is None:
        return whole
    number, factor = parts
    before, dot, after = number.partition(".")
    digits = before + after
    if not dot or not _is_number(digits):
        return None
    scale: int = 10 ** len(after)
    return int(digits) * factor // scale
