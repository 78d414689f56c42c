"""Requests: both engines, the same bytes, the same commands and errors.

The expected errors were taken from redis-server 7.0.15.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.wire.request import LEAST_MAX_ARGS, MAX_LINE, RequestEngine, make_engine
from tests.patience import PATIENCE

ENGINES = ("python", "hiredis")
Commands = list[list[bytes]]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> RequestEngine:
    return make_engine(request.param)


def packed(*args: bytes) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


def parse(
    engine: RequestEngine, pieces: Iterable[bytes], batch: int = 100, authenticated: bool = True
) -> tuple[Commands, bytes | None]:
    """Everything that comes out of a stream cut into ``pieces``."""
    parser = engine.parser(authenticated)
    out: Commands = []
    for i, piece in enumerate(pieces):
        if i % 2:
            commands = parser.read(piece, batch)
        else:
            parser.feed(piece)
            commands = parser.next_batch(batch)
        while commands:
            assert len(commands) <= batch
            out += commands
            commands = parser.next_batch(batch)
    return out, parser.error


def outcome(engine: RequestEngine, data: bytes) -> tuple[Commands, str | None]:
    commands, error = parse(engine, [data])
    if error is None:
        return commands, None
    assert error.startswith(b"ERR Protocol error: ")
    return commands, error.removeprefix(b"ERR Protocol error: ").decode("latin-1")


ECHO = packed(b"ECHO", b"hi")
ECHOED = [[b"ECHO", b"hi"]]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*1\r\n+PING\r\n", "expected '$', got '+'"),
        (b"*1\r\n:5\r\n", "expected '$', got ':'"),
        (b"*1\r\n=8\r\ntxt:PING\r\n", "expected '$', got '='"),
        (b"*1\r\n(12\r\n", "expected '$', got '('"),
        (b"*1\r\n_\r\n", "expected '$', got '_'"),
        (b"*1\r\n-x\r\n", "expected '$', got '-'"),
        (b"*1\r\n~1\r\n$1\r\na\r\n", "expected '$', got '~'"),
        (b"*1\r\n%1\r\n$1\r\na\r\n$1\r\na\r\n", "expected '$', got '%'"),
        (b"*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'"),
        (b"*2\r\n$3\r\nGET\r\n*1\r\n$1\r\na\r\n", "expected '$', got '*'"),
        (b"*2\r\n$3\r\nGETxx+a\r\n", "expected '$', got '+'"),
        (b"*2\r\n$3\r\nGETxx:1\r\n", "expected '$', got ':'"),
        (b"*2\r\n$3\r\nGETxx~4000000000\r\n", "expected '$', got '~'"),
        (b"*2\r\n$3\r\nGETxx*1\r\n$1\r\na\r\n", "expected '$', got '*'"),
        (b"*1\r\n\rPING\r\n", "expected '$', got ' '"),
        (b"*1\r\n\nPING\r\n", "expected '$', got ' '"),
        (b"*1\r\n\xffPING\r\n", "expected '$', got '\xff'"),
        (b"*1\r\nX\r\n", "expected '$', got 'X'"),
        *(
            (b"*%b\r\n" % n, "invalid multibulk length")
            for n in (b"a", b"", b"-", b"+1", b"01", b" 1", b"1 ", b"-0")
        ),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*-99999999999999999999\r\n", "invalid multibulk length"),
        *(
            (b"*1\r\n$%b\r\n" % n, "invalid bulk length")
            for n in (b"-1", b"", b"004", b"4 ", b"-0", b"x", b"536870913")
        ),
        (b'"\r\n', "unbalanced quotes in request"),
        (b'ping "a"b\r\n', "unbalanced quotes in request"),
        (b"x" * (MAX_LINE + 1), "too big inline request"),
        (b"*" + b"1" * MAX_LINE, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * MAX_LINE, "too big bulk count string"),
    ],
)
def test_errors(engine: RequestEngine, data: bytes, error: str) -> None:
    assert outcome(engine, data) == ([], error)
    assert outcome(engine, ECHO + data + ECHO) == (ECHOED, error)
    assert outcome(engine, ECHO * 3 + data + ECHO * 3) == (ECHOED * 3, error)


@pytest.mark.parametrize(
    ("data", "commands"),
    [
        (b"*-1\r\n" + ECHO, ECHOED),
        (b"*0\r\n" + ECHO, ECHOED),
        (b"*-99\r\n" + ECHO, ECHOED),
        (b"\r\n" + ECHO, ECHOED),
        (b"\n   \r\n\r\r\n" + ECHO, ECHOED),
        (ECHO + b"*0\r\n" + ECHO, ECHOED * 2),
        (ECHO + b"\r\n" + ECHO, ECHOED * 2),
        (b"*1\rX$4\rXPINGxx" + ECHO, [[b"PING"], *ECHOED]),
        (b"*1\r\n$4\r\nPINGxx" + ECHO * 2, [[b"PING"], *ECHOED * 2]),
        (b"*1\r\n$0\r\n\r\n" + ECHO, [[b""], *ECHOED]),
        (b"ping\n" + ECHO, [[b"ping"], *ECHOED]),
        (ECHO + b"ping a \r\n" + ECHO, [*ECHOED, [b"ping", b"a"], *ECHOED]),
        (b"$4\r\nPING\r\n", [[b"$4"], [b"PING"]]),
        (ECHO + b"$0\r\n\r\n" + ECHO, [*ECHOED, [b"$0"], *ECHOED]),
        (ECHO + b":5\r\n" + ECHO, [*ECHOED, [b":5"], *ECHOED]),
        (b"x" * MAX_LINE + b"\r\n", None),
        (b"x" * (MAX_LINE - 1) + b"\r\n" + ECHO, [[b"x" * (MAX_LINE - 1)], *ECHOED]),
        (b"*1\r\n", []),
        (b"*2147483647\r\n", []),
        (b"*1\n$4\nPING\n", []),
        (b"*1\r\nX\r", []),
        (b"*1\0\r\n$4\r\nPING\r\n", []),
        (b"*1\r\n$4\0\r\nPING\r\n", []),
        (b"*1\r\n\0PING\r\n", []),
        (b"pi\0ng\r\n" + ECHO, []),
    ],
)
def test_what_redis_accepts(engine: RequestEngine, data: bytes, commands: Commands | None) -> None:
    if commands is None:  # the CR counts, too
        assert outcome(engine, data) == ([], "too big inline request")
    else:
        assert outcome(engine, data) == (commands, None)


ARGUMENTS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"GET", b"\r\n*1\r\n", b"\r\n$3\r\n", b"+a", b":1", b"*", b"~99999", b"x" * 5000, b"user:1_2-3"]
    ),
)
COMMANDS = st.lists(ARGUMENTS, min_size=1, max_size=5).map(lambda args: (packed(*args), [args]))
INLINE = st.sampled_from(
    [(b"ping\r\n", [[b"ping"]]), (b"get 'a b'\n", [[b"get", b"a b"]]), (b"\r\n", []), (b"*0\r\n", [])]
)
WRONG = st.sampled_from(
    [
        b"*1\r\n+PING\r\n",
        b"*x\r\n",
        b"*1\r\n$-1\r\n",
        b'"\r\n',
        b"*1\r\n$1\r\naXX",
        b"*3\r\n$3\r\nGET\r\n:1\r\n_\r\n",
    ]
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, Commands]:
    parts = draw(st.lists(st.one_of(COMMANDS, COMMANDS, INLINE), max_size=12))
    return b"".join(data for data, _ in parts), [command for _, commands in parts for command in commands]


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({c % (len(data) + 1) for c in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@settings(max_examples=300)
@given(streams(), st.lists(st.integers(0, 10**6), max_size=8), st.integers(1, 5))
def test_any_split_gives_the_same_commands(
    stream: tuple[bytes, Commands], cuts: list[int], batch: int
) -> None:
    data, commands = stream
    for kind in ENGINES:
        engine = make_engine(kind)
        assert parse(engine, cut(data, cuts), batch) == (commands, None)
        assert parse(engine, cut(data, cuts), batch, authenticated=True) == (commands, None)


@settings(max_examples=300)
@given(streams(), WRONG, streams(), st.lists(st.integers(0, 10**6), max_size=8), st.integers(1, 5))
def test_any_split_gives_the_same_errors(
    before: tuple[bytes, Commands], wrong: bytes, after: tuple[bytes, Commands], cuts: list[int], batch: int
) -> None:
    data = before[0] + wrong + after[0]
    expected = parse(make_engine("python"), [data])
    for kind in ENGINES:
        assert parse(make_engine(kind), cut(data, cuts), batch) == expected


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from([b"*", b"$", b"1", b"2", b"\r\n", b"\r", b"a", b":", b"+", b"-", b"~", b"\0"]),
        max_size=30,
    )
)
def test_engines_agree_on_garbage(tokens: list[bytes]) -> None:
    data = packed(b"A") + b"".join(tokens)
    expected = parse(make_engine("python"), [data])
    assert parse(make_engine("hiredis"), [data]) == expected
    for kind in ENGINES:
        assert parse(make_engine(kind), [data[i : i + 1] for i in range(len(data))]) == expected


def test_connections_of_a_thread_do_not_mix(engine: RequestEngine) -> None:
    data = b"".join(packed(b"SET", b"key:%d" % i, b"v" * (i % 40)) for i in range(200))
    expected = [[b"SET", b"key:%d" % i, b"v" * (i % 40)] for i in range(200)]
    parsers = [engine.parser() for _ in range(5)]
    outs: list[Commands] = [[] for _ in parsers]
    places = [0] * len(parsers)
    chance = random.Random(7)
    while any(place < len(data) for place in places):
        i = chance.randrange(len(parsers))
        size = chance.choice((1, 30, 41, 1000))
        outs[i] += parsers[i].read(data[places[i] : places[i] + size], 10_000)
        places[i] += size
    assert all(out == expected for out in outs)


def test_strangers_have_limits(engine: RequestEngine) -> None:
    def refused(data: bytes) -> bytes | None:
        return parse(engine, [data], authenticated=False)[1]

    assert refused(b"*11\r\n") == b"ERR Protocol error: unauthenticated multibulk length"
    assert refused(b"*1\r\n$16385\r\n") == b"ERR Protocol error: unauthenticated bulk length"
    assert refused(b"*1\r\n$536870913\r\n") == b"ERR Protocol error: invalid bulk length"
    assert parse(engine, [packed(*[b"x"] * 10), packed(b"x" * 16384)], authenticated=False)[1] is None


def test_the_command_after_auth_has_no_limits(engine: RequestEngine) -> None:
    parser = engine.parser(authenticated=False)
    many = [b"MGET", *[b"k"] * 20]
    parser.feed(packed(b"AUTH", b"pw") + packed(*many))
    assert parser.next_batch(10) == [[b"AUTH", b"pw"]]
    parser.authenticated = True
    assert parser.next_batch(10) == [many]


def test_the_longest_argument_is_configurable(engine: RequestEngine) -> None:
    engine.max_bulk = 1 << 20
    assert parse(engine, [b"*1\r\n$1048576\r\n"])[1] is None
    assert parse(engine, [b"*1\r\n$1048577\r\n"])[1] == b"ERR Protocol error: invalid bulk length"


def test_pending_counts_what_was_not_handed_out(engine: RequestEngine) -> None:
    parser = engine.parser()
    assert parser.pending == 0
    parser.feed(ECHO * 3)
    assert parser.pending == 3 * len(ECHO)
    assert parser.next_batch(1) == ECHOED
    assert parser.pending >= 2 * len(ECHO)
    assert parser.next_batch(9) == ECHOED * 2
    assert parser.pending == 0
    whole = packed(b"SET", b"k", b"v" * 100_000)
    fed = 0
    for start in range(0, len(whole), 30_000):
        piece = whole[start : start + 30_000]
        fed += len(piece)
        commands = parser.read(piece, 10)
        assert parser.pending == (0 if commands else fed)
    assert parser.pending == 0


def test_read_keeps_the_order_of_what_was_fed_before(engine: RequestEngine) -> None:
    parser = engine.parser()
    parser.feed(packed(b"FIRST"))
    assert parser.read(packed(b"SECOND") * 2, 2) == [[b"FIRST"], [b"SECOND"]]
    assert parser.read(packed(b"THIRD"), 1) == [[b"SECOND"]]
    assert parser.read(packed(b"FOURTH"), 9) == [[b"THIRD"], [b"FOURTH"]]


def test_big_arguments_stream(engine: RequestEngine) -> None:
    value = random.Random(3).randbytes(8 << 20)
    data = packed(b"SET", b"k", value) + ECHO
    commands, error = parse(engine, [data[i : i + 65536] for i in range(0, len(data), 65536)])
    assert error is None
    assert commands == [[b"SET", b"k", value], *ECHOED]


def test_long_pipelines(engine: RequestEngine) -> None:
    commands = [[b"SET", b"key:%d" % i, b"value"] for i in range(20_000)]
    data = b"".join(packed(*command) for command in commands)
    assert parse(engine, [data[i : i + 16384] for i in range(0, len(data), 16384)], 64) == (commands, None)
    assert parse(engine, [data], 64) == (commands, None)


def test_counts_that_promise_too_much_take_no_memory() -> None:
    """hiredis would make room for four thousand million elements; it must not see such a count."""
    script = """
import resource, sys
from nogil_df.wire.request import make_engine
engine = make_engine("hiredis")
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
ping = b"*1\\r\\n$4\\r\\nPING\\r\\n"
for kind in (b"*", b"~", b">", b"|", b"%"):
    for before in (b"", b"*1\\r\\n", b"*2\\r\\n$1\\r\\na\\r\\n", b"*2\\r\\n$1\\r\\naXX"):
        for after in (b"", ping, ping * 3):
            for prefix in (b"", ping, ping * 3):
                parser = engine.parser()
                parser.read(prefix + before + kind + b"2000000000\\r\\n" + after, 100)
"""
    done = subprocess.run(
        [sys.executable, "-X", "gil=0", "-c", script], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr


def test_the_python_engine_does_not_import_hiredis() -> None:
    script = """
import sys
from nogil_df.wire.request import make_engine
make_engine()
assert 'hiredis' not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


def test_unknown_engine() -> None:
    with pytest.raises(ValueError, match="unknown request engine"):
        make_engine("regex")


def test_the_limit_on_arguments(engine: RequestEngine) -> None:
    most = LEAST_MAX_ARGS
    engine.limit(engine.max_bulk, 1)
    whole = [b"a"] * most
    assert outcome(engine, b"*%d\r\n" % most + b"$1\r\na\r\n" * most) == ([whole], None)
    more = b"*%d\r\n" % (most + 1) + b"$1\r\na\r\n" * (most + 1)
    assert outcome(engine, ECHO + more) == (ECHOED, "invalid multibulk length")
    engine.limit(engine.max_bulk, most + 1)
    assert outcome(engine, more) == ([[*whole, b"a"]], None)
