"""Arguments that many families take: integers, and time-outs in milliseconds."""

from __future__ import annotations

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int


def integer(text: bytes) -> int:
    """An argument that must be a 64-bit integer.

    Raises:
        ReplyError NOT_INTEGER.
    """
    number = parse_int(text)
    if number is None:
        raise ReplyError("NOT_INTEGER")
    return number


def milliseconds(text: bytes) -> int:
    """A time-out in milliseconds.

    Raises:
        ReplyError: not an integer, or negative.
    """
    number = parse_int(text)
    if number is None:
        raise ReplyError("TIMEOUT_NOT_INTEGER")
    if number < 0:
        raise ReplyError("TIMEOUT_NEGATIVE")
    return number
