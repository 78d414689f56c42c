"""Commands read as lines: only what is canonical, and then exactly what the strict parser makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.wire.request import make_engine
from nogil_df.wire.request_lines import LineReader

READER = LineReader()


def packed(*args: bytes) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


def test_reads_commands_of_one_length_and_of_any() -> None:
    sets = [[b"SET", b"k%d" % i, b"<=>~*9" * i] for i in range(40)]
    assert READER.commands(b"".join(packed(*command) for command in sets)) == sets
    mixed = [[b"MULTI"], *sets, [b"EXEC"]]
    assert READER.commands(b"".join(packed(*command) for command in mixed)) == mixed
    assert READER.command(packed(b"MSET", *[b""] * 20)) == [b"MSET", *[b""] * 20]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"*0\r\n",
        b"*1\r\n$1\r\na",
        b"*1\r\n$01\r\na\r\n",
        b"*01\r\n$1\r\na\r\n",
        b"*1\r\n+a\r\n",
        b"*1\r\n=5\r\ntxt:a\r\n",
        b"*1\r\n$3\r\n\r\na\r\n",
        b"*2\r\n$1\r\na\r\n",
        b"*1\r\n$2\r\na\r\n",
        b"*1\r\n$1\r\naXX",
        b"*1\r\n$5000\r\n" + b"x" * 5000 + b"\r\n",
        b"ping\r\n",
    ],
)
def test_leaves_the_rest_to_others(data: bytes) -> None:
    assert READER.command(data) is None
    assert READER.commands(data) is None
    assert READER.commands(packed(b"A") + data) is None or not data


@given(st.lists(st.sampled_from([b"*1", b"*2", b"$1", b"$0", b"$2", b"\r\n", b"a", b"ab", b""]), max_size=20))
def test_never_reads_what_the_strict_parser_would_not(tokens: list[bytes]) -> None:
    data = b"".join(tokens)
    commands = READER.commands(data)
    if commands is not None:
        assert b"".join(packed(*command) for command in commands) == data
        parser = make_engine("python").parser()
        parser.feed(data)
        assert parser.next_batch(1000) == commands
