"""Replies: what a client's parser reads is what the command returned."""

from __future__ import annotations

import enum
import math

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import format_double
from nogil_df.wire.reply import ReplyEncoder
from nogil_df.wire.values import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    PONG,
    QUEUED,
    BigNumber,
    Pairs,
    Push,
    Raw,
    Rows,
    Simple,
    Verbatim,
)

ENCODER = ReplyEncoder()


def encoded(value: object, proto: int) -> bytes:
    out: list[bytes] = []
    ENCODER.encode(value, proto, out)
    return b"".join(out)


def decoded(data: bytes) -> object:
    """The one reply that ``data`` is, as a client reads it."""
    reader = hiredis.Reader()
    reader.feed(data + b":424242\r\n")
    value = reader.gets()
    assert reader.gets() == 424242
    return value


@pytest.mark.parametrize(
    ("value", "resp2", "resp3"),
    [
        (0, b":0\r\n", None),
        (1023, b":1023\r\n", None),
        (1024, b":1024\r\n", None),
        (-1, b":-1\r\n", None),
        (2**63 - 1, b":9223372036854775807\r\n", None),
        (b"", b"$0\r\n\r\n", None),
        (b"a\r\nb", b"$4\r\na\r\nb\r\n", None),
        (bytearray(b"ab"), b"$2\r\nab\r\n", None),
        ("é", b"$2\r\n\xc3\xa9\r\n", None),
        (None, b"$-1\r\n", b"_\r\n"),
        (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
        (3.0, b"$1\r\n3\r\n", b",3\r\n"),
        (math.inf, b"$3\r\ninf\r\n", b",inf\r\n"),
        (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
        (math.nan, b"$3\r\nnan\r\n", b",nan\r\n"),
        (True, b":1\r\n", b"#t\r\n"),
        (False, b":0\r\n", b"#f\r\n"),
        ([], b"*0\r\n", None),
        ((1, None, [b"a"]), b"*3\r\n:1\r\n$-1\r\n*1\r\n$1\r\na\r\n", b"*3\r\n:1\r\n_\r\n*1\r\n$1\r\na\r\n"),
        ({b"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        ({7}, b"*1\r\n:7\r\n", b"~1\r\n:7\r\n"),
        (frozenset((b"a",)), b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
        (Simple(b"a\r\nb"), b"+a  b\r\n", None),
        (OK, b"+OK\r\n", None),
        (PONG, b"+PONG\r\n", None),
        (QUEUED, b"+QUEUED\r\n", None),
        (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
        (NO_REPLY, b"", None),
        (Verbatim(b"txt", b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
        (BigNumber(2**64), b"$20\r\n18446744073709551616\r\n", b"(18446744073709551616\r\n"),
        (Push([b"m", 1]), b"*2\r\n$1\r\nm\r\n:1\r\n", b">2\r\n$1\r\nm\r\n:1\r\n"),
        (Pairs([([1], 2)]), b"*2\r\n*1\r\n:1\r\n:2\r\n", b"%1\r\n*1\r\n:1\r\n:2\r\n"),
        (Raw(b"+x\r\n"), b"+x\r\n", None),
        (ReplyError("SYNTAX"), b"-ERR syntax error\r\n", None),
        (ReplyError("RAW", b"ERR a\r\n+b"), b"-ERR a  +b\r\n", None),
        ([OK, ReplyError("WRONGTYPE")], None, None),
    ],
)
def test_encoding(value: object, resp2: bytes | None, resp3: bytes | None) -> None:
    if resp2 is None:
        wrong = b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        resp2 = b"*2\r\n+OK\r\n" + wrong
    assert encoded(value, 2) == resp2
    assert encoded(value, 3) == (resp2 if resp3 is None else resp3)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=30),
    st.floats(allow_nan=False),
)
HASHABLE = st.one_of(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=10))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(HASHABLE, inner, max_size=4)),
    max_leaves=30,
)


def as_resp2(value: object) -> object:
    """What a RESP2 client makes of a value."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return format_double(value)
    if isinstance(value, list):
        return [as_resp2(item) for item in value]
    if isinstance(value, dict):
        return [as_resp2(part) for pair in value.items() for part in pair]
    return value


@given(VALUES)
def test_values_come_back(value: object) -> None:
    assert decoded(encoded(value, 3)) == value
    assert decoded(encoded(value, 2)) == as_resp2(value)


@given(st.binary(max_size=60))
def test_one_line_replies_stay_on_one_line(raw: bytes) -> None:
    for proto in (2, 3):
        status = decoded(encoded(Simple(raw), proto))
        assert status == raw.replace(b"\r", b" ").replace(b"\n", b" ")
        error = decoded(encoded(ReplyError("ERR", raw), proto))
        assert isinstance(error, hiredis.ReplyError)


@pytest.mark.parametrize("length", [4095, 4096, 4097, 1 << 20])
def test_long_bulks(length: int) -> None:
    value = b"x" * length
    assert decoded(encoded(value, 2)) == value
    assert decoded(encoded([value, value], 3)) == [value, value]


@pytest.mark.parametrize("length", [255, 256, 257, 5000])
def test_long_arrays(length: int) -> None:
    values = [b"%d" % i if i % 3 else None for i in range(length)]
    for proto in (2, 3):
        out: list[bytes] = []
        ENCODER.array_of_bulks(values, proto, out)
        assert b"".join(out) == encoded(values, proto)
        assert decoded(b"".join(out)) == values


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 300])
@pytest.mark.parametrize(
    "lengths", [[5], [0], [256], [257], [0, 1, 2], [10, 300, 4095], [10, 4096], [None, 7]]
)
def test_arrays_of_any_strings(count: int, lengths: list[int | None]) -> None:
    some = [None if length is None else b"x" * length for length in lengths]
    values = (some * count)[:count]
    for proto in (2, 3):
        out: list[bytes] = []
        ENCODER.array_of_bulks(values, proto, out)
        assert b"".join(out) == encoded(values, proto)


def test_hot_methods_write_what_encode_writes() -> None:
    out: list[bytes] = []
    ENCODER.bulk(b"abc", out)
    ENCODER.integer(7, out)
    ENCODER.integer(-70000, out)
    ENCODER.ok(out)
    ENCODER.null(2, out)
    ENCODER.null(3, out)
    expected = [encoded(v, 2) for v in (b"abc", 7, -70000, OK, None)] + [encoded(None, 3)]
    assert b"".join(out) == b"".join(expected)


@pytest.mark.parametrize("proto", [2, 3])
@pytest.mark.parametrize(
    "value", [b"a", b"x" * 5000, None, 5, -5, 1024, ReplyError("SYNTAX"), OK, [b"a"], 1.5]
)
def test_methods_for_the_usual_reply_take_any(value: object, proto: int) -> None:
    for method in (ENCODER.bulk_or_null, ENCODER.number):
        out: list[bytes] = []
        method(value, proto, out)
        assert b"".join(out) == encoded(value, proto)


def test_ok_or_null() -> None:
    for value, expected in ((True, OK), (None, None), (b"old", b"old"), (ReplyError("SYNTAX"),) * 2):
        out: list[bytes] = []
        ENCODER.ok_or_null(value, 3, out)
        assert b"".join(out) == encoded(expected, 3)


def test_a_changed_bytearray_does_not_change_the_reply() -> None:
    value = bytearray(b"before")
    out: list[bytes] = []
    ENCODER.encode(value, 2, out)
    value[:] = b"after!"
    assert b"".join(out) == b"$6\r\nbefore\r\n"


def test_subclasses_are_written_as_their_base() -> None:
    class Colour(enum.IntEnum):
        RED = 3

    class Named(dict[bytes, int]):
        pass

    assert encoded(Colour.RED, 3) == b":3\r\n"
    assert encoded(Named({b"a": 1}), 3) == b"%1\r\n$1\r\na\r\n:1\r\n"


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="returned a object"):
        encoded(object(), 2)


@pytest.mark.parametrize("proto", [2, 3])
@pytest.mark.parametrize(
    "value",
    [[], [b"a", b"x" * 5000], Rows([]), Rows([(b"a", 0.1), (b"x" * 5000, math.inf), (b"", -0.0)]), None, 5],
)
def test_the_encoder_of_scores_writes_what_the_general_one_does(value: object, proto: int) -> None:
    out: list[bytes] = []
    ENCODER.scored_bulks(value, proto, out)
    assert b"".join(out) == encoded(value, proto)


@pytest.mark.parametrize("proto", [2, 3])
@pytest.mark.parametrize("value", [0.1, 3.0, -math.inf, 1e300, None, 7, b"x"])
def test_the_encoder_of_doubles_writes_what_the_general_one_does(value: object, proto: int) -> None:
    out: list[bytes] = []
    ENCODER.double_or_null(value, proto, out)
    assert b"".join(out) == encoded(value, proto)
