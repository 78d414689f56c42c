"""Error values and their texts."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.base.errors import (
    CATALOGUE,
    ReplyError,
    prefix,
    text,
    unknown_command,
    unknown_subcommand,
    wrong_arity,
)


@pytest.mark.parametrize(
    ("err", "expected"),
    [
        (ReplyError("SYNTAX"), b"ERR syntax error"),
        (wrong_arity("client|id"), b"ERR wrong number of arguments for 'client|id' command"),
        (unknown_command([b"foo"]), b"ERR unknown command 'foo', with args beginning with: "),
        (
            unknown_command([b"foo", b"a", b"b c"]),
            b"ERR unknown command 'foo', with args beginning with: 'a' 'b c' ",
        ),
        (
            unknown_command([b"fo\0o", b"x\0y", b"z"]),
            b"ERR unknown command 'fo', with args beginning with: 'x' 'z' ",
        ),
        (
            unknown_command([b"f", b"a" * 124, b"bbb", b"c"]),
            b"ERR unknown command 'f', with args beginning with: '" + b"a" * 124 + b"' 'b' ",
        ),
        (
            unknown_command([b"f\noo", b"a\r\nb"]),
            b"ERR unknown command 'f oo', with args beginning with: 'a  b' ",
        ),
        (unknown_subcommand("client", b"FoO"), b"ERR unknown subcommand 'FoO'. Try CLIENT HELP."),
        (ReplyError("CONFIG_SET_FAILED", "port", b"\xff{0}"), None),
    ],
)
def test_text(err: ReplyError, expected: bytes | None) -> None:
    if expected is None:
        expected = b"ERR CONFIG SET failed (possibly related to argument 'port') - \xff{0}"
    assert text(err) == expected


def test_every_text_is_one_line_with_a_prefix_in_capitals() -> None:
    for code, template in CATALOGUE.items():
        assert "\n" not in template, code
        assert "\r" not in template, code
        if code != "RAW":
            word = prefix(ReplyError(code, *[b"x"] * template.count("{")))
            assert word.isupper(), code
            assert " " not in word, code


@given(st.binary(max_size=300), st.text(max_size=50))
def test_arguments_never_break_the_line(raw: bytes, word: str) -> None:
    line = text(ReplyError("CONFIG_SET_FAILED", raw, word))
    assert b"\r" not in line
    assert b"\n" not in line


def test_values_compare_and_survive_copies() -> None:
    err = ReplyError("UNSUPPORTED_OPTION", b"zz")
    assert err == copy.copy(err) == pickle.loads(pickle.dumps(err))
    assert hash(err) == hash(copy.copy(err))
    assert err != ReplyError("UNSUPPORTED_OPTION", b"z")
    assert str(err) == "ERR Unsupported option zz"


def test_prefix_of_a_raw_text() -> None:
    assert prefix(ReplyError("RAW", b"MYCODE something")) == "MYCODE"
    assert prefix(ReplyError("WRONGTYPE")) == "WRONGTYPE"


def test_unknown_code_is_refused() -> None:
    with pytest.raises(KeyError):
        text(ReplyError("NO_SUCH_CODE"))
