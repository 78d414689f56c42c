"""Appending strings as RDB files have them: as an integer, compressed or as they are, whatever is shortest.

`append_string` and `append_strings` are the compiled twins (`_texts.pyx`) where there are such.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from nogil_df.base.lzf import compress as lzf
from nogil_df.base.numbers import parse_int
from nogil_df.base.rdb_strings import write_length

COMPRESSED_FROM: Final = 21
"""Bytes of the shortest string that is worth compressing."""

_INTEGER_DIGITS: Final = 11
"""Bytes of the longest integer of 32 bits."""

_MAYBE_INTEGER: Final = frozenset(b"0123456789-")
_INTEGERS: Final = ((8, b"\xc0"), (16, b"\xc1"), (32, b"\xc2"))


def append_string_in_python(out: bytearray, text: bytes, compress: bool) -> None:
    """Append a string. O(text)."""
    size = len(text)
    if size <= _INTEGER_DIGITS and size and text[0] in _MAYBE_INTEGER:
        number = parse_int(text)
        if number is not None and -(1 << 31) <= number < 1 << 31:
            _append_integer(out, number)
            return
    if size >= COMPRESSED_FROM and compress:
        packed = lzf(text)
        if packed is not None:
            out += b"\xc3" + write_length(len(packed)) + write_length(size) + packed
            return
    out += write_length(size)
    out += text


def append_strings_in_python(out: bytearray, texts: Iterable[bytes], compress: bool) -> None:
    """Append strings one after the other. O(bytes)."""
    for text in texts:
        append_string_in_python(out, text, compress)


def _append_integer(out: bytearray, number: int) -> None:
    for bits, tag in _INTEGERS:
        if -(1 << bits - 1) <= number < 1 << bits - 1:
            out += tag + number.to_bytes(bits // 8, "little", signed=True)
            return


try:
    from nogil_df.rdb._texts import append_string as append_string
    from nogil_df.rdb._texts import append_strings as append_strings
except ImportError:
    append_string = append_string_in_python
    append_strings = append_strings_in_python
