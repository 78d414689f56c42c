"""Ids of stream entries as clients write them, ``milliseconds-sequence``, and as replies show them.

Here an id is one int, see `nogil_df.shard.streams`. What counts as a number is what Redis's parser takes: a
number in its usual form, or else whatever C's ``strtoull`` reads to the end, so white space before it, a
sign and leading zeros pass.
"""

from __future__ import annotations

import re
from typing import Final

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import dashed, dashed_halves, dashed_pair
from nogil_df.shard.streams import LAST_ID, SEQUENCE

LONGEST: Final = 127
"""Bytes of an id at most."""

NO_SEQUENCE: Final = -1
"""In place of a sequence: ``ms-*`` asks for the next."""

_USUAL: Final = re.compile(rb"([0-9]{1,19})(?:-([0-9]{1,19}))?")
_UNUSUAL: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)")
_NEGATIVE: Final = re.compile(rb"-[1-9][0-9]*")


def id_of(ms: int, sequence: int) -> int:
    """The id of these two numbers. O(1)."""
    return ms << 64 | sequence


def written(ms: int, sequence: int) -> bytes:
    """The id of these two numbers as replies have it. O(1)."""
    return dashed(ms, sequence)


def show(entry_id: int) -> bytes:
    """An id as replies have it. O(1)."""
    return dashed_halves(entry_id)


def parse_id(text: bytes, missing: int = 0) -> int:
    """An id: ``ms-seq``, or ``ms`` with the sequence ``missing``. O(1).

    Raises:
        ReplyError STREAM_ID.
    """
    pair = dashed_pair(text)
    if pair is not None:
        return pair
    usual = _USUAL.fullmatch(text)
    if usual is not None:
        ms, sequence = usual.groups()
        return int(ms) << 64 | (missing if sequence is None else int(sequence))
    ms_number, sequence_number = _parts(text)
    if sequence_number is None:
        raise ReplyError("STREAM_ID")
    return ms_number << 64 | (missing if sequence_number == NO_SEQUENCE else sequence_number)


def parse_new_id(text: bytes) -> tuple[int, bool]:
    """An id for a new entry: ``ms-seq``, ``ms``, or ``ms-*``. O(1).

    Returns:
        (the id, False if its sequence is to be chosen).

    Raises:
        ReplyError STREAM_ID.
    """
    if text.endswith(b"-*") and len(text) <= LONGEST:
        ms = _number(text[:-2])
        if ms is None:
            raise ReplyError("STREAM_ID")
        return ms << 64, False
    return parse_id(text), True


def parse_bound(text: bytes, missing: int = 0) -> int:
    """As `parse_id`, or ``-`` and ``+`` for the least and the greatest id. O(1)."""
    if text == b"-":
        return 0
    if text == b"+":
        return LAST_ID
    return parse_id(text, missing)


def parse_start(text: bytes) -> int:
    """The lower end of a range; behind ``(`` an id that is not part of it. O(1).

    Raises:
        ReplyError: it is no id, or nothing can follow it.
    """
    if text.startswith(b"(") and len(text) > 1:
        start = parse_id(text[1:]) + 1
        if start > LAST_ID:
            raise ReplyError("STREAM_START_ID")
        return start
    return parse_bound(text)


def parse_end(text: bytes) -> int:
    """The upper end of a range; behind ``(`` an id that is not part of it. O(1).

    Raises:
        ReplyError: it is no id, or nothing can come before it.
    """
    if text.startswith(b"(") and len(text) > 1:
        end = parse_id(text[1:], SEQUENCE) - 1
        if end < 0:
            raise ReplyError("STREAM_END_ID")
        return end
    return parse_bound(text, SEQUENCE)


def _parts(text: bytes) -> tuple[int, int | None]:
    """The two numbers of an id; `NO_SEQUENCE` for a sequence that is not there, None for anything wrong."""
    if len(text) > LONGEST:
        return 0, None
    head, dash, tail = text.partition(b"\0")[0].partition(b"-")
    ms = _number(head)
    if ms is None:
        return 0, None
    return ms, _number(tail) if dash else NO_SEQUENCE


def _number(text: bytes) -> int | None:
    """An unsigned 64-bit number as ``strtoull`` reads it, None if it is none."""
    match = _UNUSUAL.fullmatch(text)
    if match is None or _NEGATIVE.fullmatch(text):
        return None
    number = int(match[2])
    if number > SEQUENCE:
        return None
    return -number & SEQUENCE if match[1] == b"-" else number
