"""Globs against a plain reference that tries everything."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.base.glob import compile_glob, glob_match


def signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def lower(byte: int) -> int:
    return byte + 32 if 65 <= byte <= 90 else byte


def class_matches(pattern: bytes, char: int, nocase: bool) -> tuple[bool, bytes]:
    """Match one byte with the class whose inside ``pattern`` begins with; also what follows the class."""
    negated = pattern.startswith(b"^")
    rest = pattern[1:] if negated else pattern
    found = False
    while rest and not rest.startswith(b"]"):
        if rest[0:1] == b"\\" and len(rest) > 1:
            found |= rest[1] == char
            rest = rest[2:]
        elif len(rest) > 2 and rest[1:2] == b"-":
            low, high = sorted((signed(rest[0]), signed(rest[2])))
            this = signed(char)
            if nocase:
                low, high, this = lower(low), lower(high), lower(this)
            found |= low <= this <= high
            rest = rest[3:]
        else:
            found |= rest[0] == char or (nocase and lower(rest[0]) == lower(char))
            rest = rest[1:]
    return found != negated, rest[1:]


def reference(pattern: bytes, string: bytes, nocase: bool) -> bool:
    if not pattern:
        return not string
    head, rest = pattern[0:1], pattern[1:]
    if head == b"*":
        return any(reference(rest, string[i:], nocase) for i in range(len(string) + 1))
    if not string:
        return False
    if head == b"?":
        return reference(rest, string[1:], nocase)
    if head == b"[":
        found, rest = class_matches(rest, string[0], nocase)
        return found and reference(rest, string[1:], nocase)
    if head == b"\\" and rest:
        head, rest = rest[0:1], rest[1:]
    same = head[0] == string[0] or (nocase and lower(head[0]) == lower(string[0]))
    return same and reference(rest, string[1:], nocase)


PIECES = st.sampled_from([bytes((c,)) for c in b"*?[]^-\\abcABC\x80\xff\n\0"])


@settings(max_examples=500)
@given(
    st.lists(PIECES, max_size=10).map(b"".join),
    st.lists(
        st.sampled_from([bytes((c,)) for c in b"abcABC*?[]^-\\\x80\xff\n\0"]), min_size=1, max_size=8
    ).map(b"".join),
    st.booleans(),
)
def test_agrees_with_the_reference(pattern: bytes, string: bytes, nocase: bool) -> None:
    assert glob_match(pattern, string, nocase) == reference(pattern, string, nocase)


@given(st.binary(min_size=1, max_size=20), st.binary(max_size=5), st.binary(max_size=5))
def test_simple_shapes(text: bytes, before: bytes, after: bytes) -> None:
    escaped = b"".join(b"\\%c" % byte for byte in text)
    for pattern in (escaped, text.translate(None, b"*?[\\")):
        literal = text if pattern is escaped else pattern
        if not literal:
            continue
        assert glob_match(pattern, literal)
        assert glob_match(pattern + b"*", literal + after)
        assert glob_match(b"*" + pattern, before + literal)
        assert glob_match(b"*" + pattern + b"*", before + literal + after)


@pytest.mark.parametrize(
    ("pattern", "string", "expected"),
    [
        (b"*", b"", True),
        (b"", b"", True),
        (b"**", b"", False),
        (b"", b"a", False),
        (b"h[^e]llo", b"hallo", True),
        (b"h[^e]llo", b"hello", False),
        (b"h[a-b]llo", b"hbllo", True),
        (b"h[b-a]llo", b"hbllo", True),
        (b"a\\*", b"a*", True),
        (b"a\\*", b"ab", False),
        (b"a\\", b"a\\", True),
        (b"a\\\\*", b"a\\bc", True),
        (b"[]a", b"a", False),
        (b"[^]", b"a", True),
        (b"[", b"[", False),
        (b"[abc", b"b", True),
        (b"[a-]", b"b", False),
        (b"user:*", b"user:1\n", True),
        (b"a?c", b"a\nc", True),
    ],
)
def test_cases(pattern: bytes, string: bytes, expected: bool) -> None:
    assert glob_match(pattern, string) is expected


def test_no_pattern_explodes() -> None:
    string = b"a" * 5000
    before = time.process_time()
    assert not compile_glob(b"a*" * 40 + b"b")(string)
    assert not compile_glob(b"*a" * 40 + b"*b*")(string)
    assert not compile_glob(b"*?a" * 30 + b"[^a]*")(string)
    assert time.process_time() - before < 5  # an exponential one would not end
