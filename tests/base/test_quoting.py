"""Splitting inline commands; the expected results were taken from redis-server 7.0.15."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.base.quoting import split_line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b"  \t ", []),
        (b"ping a b", [b"ping", b"a", b"b"]),
        (b"ping\ta  b ", [b"ping", b"a", b"b"]),
        (b"ping\x0ba\x0c", [b"ping\x0ba\x0c"]),
        (b"\x0bping \x0c a", [b"ping", b"a"]),
        (b'ping "a b"', [b"ping", b"a b"]),
        (b'ping "a"\x0b', [b"ping", b"a"]),
        (b'ping "\\x41\\x4g\\n\\a\\b\\q\\\\\\"\\r\\t"', [b"ping", b'Ax4g\n\x07\x08q\\"\r\t']),
        (b'ping "\\x4" "\\xzz"', [b"ping", b"x4", b"xzz"]),
        (b"ping 'a\\'b\\x41\\n'", [b"ping", b"a'b\\x41\\n"]),
        (b"ping \"\" ''", [b"ping", b"", b""]),
        (b"ping a\"b\" a'b'", [b"ping", b"ab", b"ab"]),
        (b"ping \x80\xa0b a\x85b a\x1cb", [b"ping", b"\x80\xa0b", b"a\x85b", b"a\x1cb"]),
        (b"ping a\rb", [b"ping", b"a", b"b"]),
        *(
            (line, None)
            for line in (b'"', b"'", b'ping "a', b'ping "a"b', b'a"b', b'ping "\\', b"ping '\\'", b"'a'b")
        ),
    ],
)
def test_split(line: bytes, words: list[bytes] | None) -> None:
    assert split_line(line) == words


@given(st.lists(st.binary(max_size=8), max_size=5))
def test_quoted_words_come_back(words: list[bytes]) -> None:
    line = b" ".join(b'"%b"' % b"".join(b"\\x%02x" % byte for byte in word) for word in words)
    assert split_line(line) == words
