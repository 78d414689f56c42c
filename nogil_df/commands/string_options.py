"""The options that the commands of the string family share: expiry times and conditions.

SET, GETEX, SETEX, MSETEX and GAT all end in a deadline, "absolute unix ms", made on the coordinator from the
time of its turn, so that the shard has nothing left to parse.

A condition is a small integer (`NX`, `XX`, `IFEQ`...) and its operand; `holds` judges it on the shard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from xxhash import xxh3_64_hexdigest

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import INT64_MAX, parse_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nogil_df.commands.session import Session

ALWAYS, NX, XX, IFEQ, IFNE, IFDEQ, IFDNE = range(7)
"""Conditions: none, only a new key, only an existing one, by the value, by its digest."""

NO_DEADLINE: Final = 0
KEEP_DEADLINE: Final = -1
"""What `Keyspace.put` takes for "none" and "the one there is"."""

COMPARISONS: Final = {b"IFEQ": IFEQ, b"IFNE": IFNE, b"IFDEQ": IFDEQ, b"IFDNE": IFDNE}
EXISTENCE: Final = {b"NX": NX, b"XX": XX}

EXPIRIES: Final = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}
"""Option -> (milliseconds of its unit, whether it counts from now)."""

DIGEST_LENGTH: Final = 16

_SET_ONLY: Final = frozenset([b"NX", b"XX", b"GET", b"KEEPTTL"])
_MSETEX_ONLY: Final = frozenset([b"NX", b"XX", b"KEEPTTL"])
_GETEX_ONLY: Final = frozenset([b"PERSIST"])


class Options(NamedTuple):
    """What the options of one command came to.

    Attributes:
        condition, operand: see the module's text.
        get: SET is to answer the old value.
        keep: the deadline stays (KEEPTTL).
        persist: the deadline goes (GETEX's PERSIST).
        expiry: the option that names a time, b"" for none, and ``time`` its text.
    """

    condition: int = ALWAYS
    operand: bytes = b""
    get: bool = False
    keep: bool = False
    persist: bool = False
    expiry: bytes = b""
    time: bytes = b""


def parse_set(words: Sequence[bytes]) -> Options:
    """The options of SET. Raises ReplyError SYNTAX for unknown ones and conflicts. O(words)."""
    return _parse(words, _SET_ONLY, comparisons=True)


def parse_msetex(words: Sequence[bytes]) -> Options:
    """The options of MSETEX; as `parse_set`."""
    return _parse(words, _MSETEX_ONLY, comparisons=False)


def parse_getex(words: Sequence[bytes]) -> Options:
    """The options of GETEX; as `parse_set`."""
    return _parse(words, _GETEX_ONLY, comparisons=False)


def _parse(words: Sequence[bytes], plain: frozenset[bytes], *, comparisons: bool) -> Options:
    condition = ALWAYS
    operand = expiry = time = b""
    seen: set[bytes] = set()
    at = 0
    while at < len(words):
        word = words[at].upper()
        at += 1
        if word in plain:
            seen.add(word)
            if word in EXISTENCE:
                condition = _only(condition, EXISTENCE[word])
        elif at == len(words):
            raise ReplyError("SYNTAX")
        elif word in EXPIRIES and expiry in (b"", word):
            expiry, time = word, words[at]
            at += 1
        elif comparisons and word in COMPARISONS and condition == ALWAYS:
            condition, operand = COMPARISONS[word], words[at]
            at += 1
        else:
            raise ReplyError("SYNTAX")
    keep = b"KEEPTTL" in seen
    persist = b"PERSIST" in seen
    if expiry and (keep or persist):
        raise ReplyError("SYNTAX")
    return Options(condition, operand, b"GET" in seen, keep, persist, expiry, time)


def _only(condition: int, wanted: int) -> int:
    """NX and XX may be repeated, but not combined with each other or with a comparison."""
    if condition not in (ALWAYS, wanted):
        raise ReplyError("SYNTAX")
    return wanted


def deadline_of(session: Session, options: Options, command: str) -> int:
    """The deadline that options ask for, `KEEP_DEADLINE` and `NO_DEADLINE` included.

    Args:
        command: the name that an error repeats, lower case.

    Raises:
        ReplyError: NOT_INTEGER, INVALID_EXPIRE.
    """
    if options.expiry:
        unit, relative = EXPIRIES[options.expiry]
        return deadline(session, options.time, unit, relative, command)
    return KEEP_DEADLINE if options.keep else NO_DEADLINE


def deadline(session: Session, text: bytes, unit: int, relative: bool, command: str) -> int:
    """An expiry time as absolute unix ms; always positive.

    Args:
        unit: milliseconds of its unit.
        relative: it counts from now.

    Raises:
        ReplyError: NOT_INTEGER, INVALID_EXPIRE (zero, negative, or past what 64 bits of ms can hold).
    """
    number = parse_int(text)
    if number is None:
        raise ReplyError("NOT_INTEGER")
    ms = number * unit
    if relative:
        ms += session.dispatcher.proactor.shard.tick.ms
    if number <= 0 or ms > INT64_MAX:
        raise ReplyError("INVALID_EXPIRE", command)
    return ms


def digest(value: bytes | bytearray) -> bytes:
    """The digest of a string: XXH3 of 64 bits as 16 hexadecimal digits. O(length)."""
    digits: str = xxh3_64_hexdigest(value)
    return digits.encode()


def check_digest(condition: int, operand: bytes) -> bytes:
    """An operand as `holds` wants it; a digest in lower case.

    Raises:
        ReplyError: BAD_DIGEST.
    """
    if condition not in (IFDEQ, IFDNE):
        return operand
    if len(operand) != DIGEST_LENGTH or operand.strip(b"0123456789abcdefABCDEF"):
        raise ReplyError("BAD_DIGEST")
    return operand.lower()


def holds(condition: int, operand: bytes, value: bytes | bytearray | None) -> bool:
    """Whether a comparison holds for a string; with no key, only those that ask for a difference do."""
    if value is None:
        return condition in (IFNE, IFDNE)
    if condition == IFEQ:
        return value == operand
    if condition == IFNE:
        return value != operand
    return (digest(value) == operand) == (condition == IFDEQ)
