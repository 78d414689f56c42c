"""Glob patterns over bytes, as KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET know them.

``*`` any bytes, ``?`` one byte, ``[a-c]`` one of a class, ``[^a-c]`` one that is not, a backslash takes the
next byte as it is.  There are no malformed patterns: a class that is not closed ends with the pattern, a
range may be written backwards, an empty class matches nothing.  Bytes of a range are compared as signed, as
Redis does.

A pattern is compiled once and then costs one call a string: string methods for the common shapes
(``user:*``), a regular expression for the others.  Every stretch between two stars is tried at its first
fit only, which is enough for globs: no pattern takes more than O(pattern * string), whatever a client
sends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

Matcher = Callable[[bytes], bool]

_STAR: Final = 0x2A
_QUESTION: Final = 0x3F
_OPEN: Final = 0x5B
_CLOSE: Final = 0x5D
_BACKSLASH: Final = 0x5C
_CARET: Final = 0x5E
_DASH: Final = 0x2D
_SPECIAL: Final = re.compile(rb"[*?\[\\]")
_ALL: Final = frozenset(range(256))

# What one byte of a string may be.
_Places = list[frozenset[int]]


def glob_match(pattern: bytes, string: bytes, nocase: bool = False) -> bool:
    """Whether the whole string matches.  For many strings, compile the pattern once."""
    return compile_glob(pattern, nocase)(string)


def compile_glob(pattern: bytes, nocase: bool = False) -> Matcher:
    """A function that tells whether a string matches ``pattern``.

    Args:
        pattern: any bytes.
        nocase: whether ASCII letters match in either case.

    As in Redis only ``*`` itself and the empty pattern match the empty string.
    """
    if pattern == b"*":
        return _match_all
    if not nocase:
        matcher = _simple_matcher(pattern)
        if matcher is not None:
            return matcher
    expression = re.compile(_expression(_stretches(pattern, nocase)), re.DOTALL).fullmatch

    def match(string: bytes) -> bool:
        return expression(string) is not None and len(string) > 0

    return match


def _match_all(string: bytes) -> bool:
    return True


def _simple_matcher(pattern: bytes) -> Matcher | None:
    """A matcher for ``text``, ``text*``, ``*text`` and ``*text*``; None for other shapes."""
    if _SPECIAL.search(pattern) is None:
        return lambda string: string == pattern
    text = pattern.strip(b"*")
    if not text or _SPECIAL.search(text) is not None or pattern.endswith(b"\\*"):
        return None
    starts, ends = pattern[0] == _STAR, pattern[-1] == _STAR
    if not starts:
        return lambda string: string.startswith(text)
    if not ends:
        return lambda string: string.endswith(text)
    return lambda string: string.find(text) >= 0


def _stretches(pattern: bytes, nocase: bool) -> list[_Places]:
    """What lies between the stars, each byte as the set of what it matches."""
    stretches: list[_Places] = [[]]
    pos, end = 0, len(pattern)
    while pos < end:
        byte = pattern[pos]
        pos += 1
        if byte == _STAR:
            stretches.append([])
        elif byte == _QUESTION:
            stretches[-1].append(_ALL)
        elif byte == _OPEN:
            places, pos = _read_class(pattern, pos, nocase)
            stretches[-1].append(places)
        else:
            if byte == _BACKSLASH and pos < end:
                byte = pattern[pos]
                pos += 1
            stretches[-1].append(_either_case(byte) if nocase else frozenset((byte,)))
    # Two stars are one.
    return [s for i, s in enumerate(stretches) if s or i == 0 or i == len(stretches) - 1]


def _read_class(pattern: bytes, pos: int, nocase: bool) -> tuple[frozenset[int], int]:
    """The bytes that a class matches, and the position after it; ``pos`` is after its bracket."""
    end = len(pattern)
    negated = pos < end and pattern[pos] == _CARET
    if negated:
        pos += 1
    members: set[int] = set()
    while pos < end:
        byte = pattern[pos]
        if byte == _BACKSLASH and pos + 1 < end:
            members.add(pattern[pos + 1])  # in this case alone Redis minds the case
            pos += 2
        elif byte == _CLOSE:
            pos += 1
            break
        elif pos + 2 < end and pattern[pos + 1] == _DASH:
            members |= _range(byte, pattern[pos + 2], nocase)
            pos += 3
        else:
            members |= _either_case(byte) if nocase else {byte}
            pos += 1
    return (_ALL - members if negated else frozenset(members)), pos


def _range(first: int, last: int, nocase: bool) -> set[int]:
    """The bytes of a range; both ends belong to it."""
    low, high = sorted((_signed(first), _signed(last)))
    if not nocase:
        return {byte for byte in range(256) if low <= _signed(byte) <= high}
    low, high = _lower(low), _lower(high)
    return {byte for byte in range(256) if low <= _lower(_signed(byte)) <= high}


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _lower(byte: int) -> int:
    return byte + 32 if 65 <= byte <= 90 else byte


def _either_case(byte: int) -> frozenset[int]:
    letter = bytes((byte,))
    return frozenset((letter.lower()[0], letter.upper()[0]))


def _expression(stretches: list[_Places]) -> bytes:
    """A regular expression for stretches with stars between them.

    The stretches in the middle are atomic groups: once one has been found nothing is tried again before it.
    """
    parts = [b"".join(map(_place, stretch)) for stretch in stretches]
    if len(parts) == 1:
        return parts[0]
    middle = b"".join(b"(?>.*?%b)" % part for part in parts[1:-1])
    return b"%b%b.*%b" % (parts[0], middle, parts[-1])


def _place(members: frozenset[int]) -> bytes:
    if len(members) == 256:
        return b"."
    if not members:
        return b"(?!)"
    if len(members) == 1:
        return re.escape(bytes(members))
    return b"[%b]" % b"".join(b"\\x%02x" % byte for byte in sorted(members))
