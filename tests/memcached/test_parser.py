"""The parser of Memcached's protocol: the stream may be cut anywhere, and nothing that is too big is kept."""

from __future__ import annotations

import random

import pytest

from nogil_df.wire.memcached import (
    LOG_IN,
    MAX_GETS,
    REFUSE,
    TOO_LARGE,
    MemcachedEngine,
    MemcachedParser,
    parse_int32,
    parse_uint,
)

STREAM = (
    b"get a\r\nset k 5 60 5\r\nhello\r\nset k 0 0 2 noreply\r\n\r\n\r\ncas k 1 2 3 99\r\nabc\r\n"
    b"gets a b c\nmg k v t Oxyz\r\nms k 3 T0\r\n\0\r\n\r\nset k 0 0 1\r\ntoo long\r\nmg Zm9v b\r\n"
    b"set big 0 0 5000\r\n" + b"x" * 5000 + b"\r\nappend k 0 0 0\r\n\r\nfoo bar\r\n\r\nincr k 1 noreply\r\n"
)
COMMANDS = [
    [b"get", b"a"],
    [b"set", b"k", b"hello", b"5", b"60", b"", b""],
    [b"set", b"k", b"\r\n", b"0", b"0", b"", b"noreply"],
    [b"cas", b"k", b"abc", b"1", b"2", b"99", b""],
    [b"gets", b"a", b"b", b"c"],
    [b"mg", b"k", b"v", b"t", b"Oxyz"],
    [b"ms", b"k", b"\0\r\n", b"T0"],
    [REFUSE, b"CLIENT_ERROR bad data chunk"],
    [b"long"],
    [b"mg", b"foo", b"b"],
    [TOO_LARGE, b"big", b"set", b""],
    [b"append", b"k", b"", b"0", b"0", b"", b""],
    [b"foo", b"bar"],
    [b"?"],
    [b"incr", b"k", b"1", b"noreply"],
]


def parser(max_item: int = 4096, *, authenticated: bool = True) -> MemcachedParser:
    """A parser for items of at most so many bytes."""
    return MemcachedEngine(max_item).parser(authenticated)


@pytest.mark.parametrize("seed", range(40))
def test_the_stream_may_be_cut_anywhere(seed: int) -> None:
    rng = random.Random(seed)
    it = parser()
    found: list[list[bytes]] = []
    at = 0
    while at < len(STREAM):
        size = rng.choice((1, 2, 3, 10, 100, 6000))
        found += it.read(STREAM[at : at + size], rng.choice((1, 3, 256)))
        at += size
        while more := it.next_batch(rng.choice((1, 256))):
            found += more
    assert found == COMMANDS
    assert it.pending == 0
    assert it.idle


def test_what_is_too_big_is_not_kept() -> None:
    it = parser()
    assert it.read(b"set k 0 0 1000000000 noreply\r\n", 10) == [[TOO_LARGE, b"k", b"set", b"noreply"]]
    for _ in range(100):
        assert it.read(b"x" * 100_000, 10) == []
        assert it.pending == 0


def test_a_line_without_end_ends_the_connection() -> None:
    it = parser()
    assert it.read(b"set " + b"x" * 3000, 10) == []
    assert it.error == b""


def test_a_get_of_many_keys_may_be_long() -> None:
    it = parser()
    keys = [b"key%d" % number for number in range(5000)]
    assert it.read(b"get " + b" ".join(keys), 10) == []
    assert it.error is None
    assert it.read(b"\r\n", 10) == [[b"get", *keys]]


def test_a_get_of_too_many_keys_ends_the_connection() -> None:
    it = parser()
    it.read(b"get ", 10)
    for _ in range(MAX_GETS // 65536):
        assert it.error is None
        it.read(b"key " * 16384, 10)
    assert it.error == b""
    assert it.pending == 0


def test_of_a_stranger_no_long_line_is_kept() -> None:
    it = parser(authenticated=False)
    assert it.read(b"get " + b"key " * 600, 10) == []
    assert it.error == b""
    assert it.pending == 0


@pytest.mark.parametrize("body", [b"", b"a\nb"])
def test_the_binary_protocol_is_refused_at_once(body: bytes) -> None:
    it = parser()
    assert it.read(b"\x80\x00\x00" + b"\x00" * 21 + body, 10) == []
    assert it.error == b"ERROR the binary protocol is not spoken here"


def test_a_stranger_may_only_log_in() -> None:
    it = parser(authenticated=False)
    assert it.read(b"get a\r\nset x 0 0 13\r\ndefault secret", 10) == [
        [REFUSE, b"CLIENT_ERROR unauthenticated"]
    ]
    assert it.next_batch(10) == []
    assert it.read(b"\r\nget a\r\n", 10) == [[REFUSE, b"CLIENT_ERROR bad data chunk"]]
    it = parser(authenticated=False)
    assert it.read(b"set x 0 0 14\r\ndefault secret\r\n", 10) == [[LOG_IN, b"default secret"]]
    assert it.read(b"set x 0 0 100000\r\n", 10) == [[REFUSE, b"CLIENT_ERROR unauthenticated"]]


@pytest.mark.parametrize(
    ("word", "number"),
    [
        *(
            (b"0", 0),
            (b"18446744073709551615", (1 << 64) - 1),
            (b"18446744073709551616", None),
            (b"-1", None),
        ),
        *((b"", None), (b"1x", None), (b"+7", 7), (b" 7", None), (b"\xb2", None)),
    ],
)
def test_unsigned_numbers(word: bytes, number: int | None) -> None:
    assert parse_uint(word) == number


@pytest.mark.parametrize(
    ("word", "number"),
    [
        *(
            (b"-2147483648", -(1 << 31)),
            (b"2147483647", (1 << 31) - 1),
            (b"2147483648", None),
            (b"--1", None),
        ),
        *((b"-+1", None), (b"-2147483649", None), (b"", None), (b"-", None)),
    ],
)
def test_signed_numbers(word: bytes, number: int | None) -> None:
    assert parse_int32(word) == number
