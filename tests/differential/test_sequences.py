"""Random sequences of commands over a few keys: replies and what is left are those of redis-server.

Tables test what somebody thought of; these find what nobody did: a TTL that survives where it should not,
an encoding that changes one command late, a transaction that sees too much. Runs are derandomised: the same
examples every time. Times are chosen so that no outcome depends on a clock: relative TTLs are far from
absolute ones, GT and LT are only used with absolute times, and what lies in the past lies far in the past.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.differential import compare
from tests.resp import Connection, Reply
from tests.servers import Server

Command = tuple[bytes, ...]
Play = Callable[[Connection, list[Command]], list[Reply]]

KEYS = [b"a", b"b", b"c", b"{t}1", b"{t}2", b"", b"\x00\xff"]
SMALL = [b"%d" % number for number in range(8)]
VALUES = [b"", b"1", b"-5", b"9223372036854775807", b"1.5", b"hello", b"x" * 50, b" 1", b"1e3", b"\x00\r\n"]
INTEGERS = [b"0", b"1", b"-1", b"10", b"9223372036854775807", b"-9223372036854775808", b"x", b"1.0"]
FLOATS = [b"0", b"0.1", b"-1.5", b"1e3", b"3.0", b"nan", b"x", b"1e17"]
OFFSETS = [b"0", b"1", b"3", b"-1", b"-3", b"100", b"x"]
DATABASES = [b"0", b"1", b"2", b"16"]
LATE = [b"4102444800", b"4102444900", b"4102445000"]
PAST = [b"1", b"-1", b"0"]

# Seconds that only EXPIRETIME can have answered, by a relative TTL.
UNIX_TIMES = range(1_700_000_000, 4_000_000_000)

# Milliseconds that two servers may differ by in what is left of a TTL.
TTL_TOLERANCE = compare.Near(5000)

key = st.sampled_from(KEYS)
value = st.sampled_from(VALUES)
keys = st.lists(key, min_size=1, max_size=4).map(tuple)
moment = st.sampled_from([*LATE, *PAST])


def command(name: str, *parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[Command]:
    """A command of a name and drawn arguments."""
    return st.tuples(st.just(name.encode()), *parts)


def options(*choices: str) -> st.SearchStrategy[tuple[bytes, ...]]:
    """Words added behind a command, drawn from phrases."""
    return st.sampled_from([tuple(choice.encode().split()) for choice in choices])


def joined(*parts: st.SearchStrategy[tuple[bytes, ...]]) -> st.SearchStrategy[Command]:
    """Tuples, one behind the other."""
    return st.tuples(*parts).map(lambda drawn: tuple(word for part in drawn for word in part))


_SET_CONDITIONS = options("", "NX", "XX", "GET", "XX GET", "NX GET", "BOGUS")
_SET_TIMES = options(
    "", "KEEPTTL", "EX 1000", "PX 2000000", "EXAT 4102444800", "PXAT 1", "EX 0", "EX 10 KEEPTTL"
)
_GETEX_TIMES = options("", "PERSIST", "EX 1000", "PXAT 4102444800123", "EXAT 1", "EX x")
_CONDITIONS = options("", "NX", "XX", "GT", "LT", "XX GT", "NX GT")
_PAIRS = st.lists(st.tuples(key, value), min_size=1, max_size=4).map(
    lambda ps: tuple(w for p in ps for w in p)
)

STRINGS = st.one_of(
    joined(command("SET", key, value), _SET_CONDITIONS, _SET_TIMES),
    command("GET", key),
    command("GETSET", key, value),
    command("GETDEL", key),
    joined(command("GETEX", key), _GETEX_TIMES),
    command("SETNX", key, value),
    command("SETEX", key, st.sampled_from([b"1000", b"0"]), value),
    command("APPEND", key, value),
    command("STRLEN", key),
    command("SETRANGE", key, st.sampled_from(OFFSETS), value),
    command("GETRANGE", key, st.sampled_from(OFFSETS), st.sampled_from(OFFSETS)),
    *[command(name, key) for name in ("INCR", "DECR")],
    *[command(name, key, st.sampled_from(INTEGERS)) for name in ("INCRBY", "DECRBY")],
    command("INCRBYFLOAT", key, st.sampled_from(FLOATS)),
    *[joined(st.just((name,)), _PAIRS) for name in (b"MSET", b"MSETNX")],
    joined(st.just((b"MGET",)), keys),
    joined(command("LCS", key, key), options("", "LEN", "IDX")),
)
_INDEXES = st.sampled_from([b"0", b"1", b"2", b"-1", b"-2", b"5", b"-70", b"150", b"x"])
_COUNTS = st.sampled_from([b"0", b"1", b"2", b"-1", b"-2", b"50", b"x"])
_SIDES = st.sampled_from([b"LEFT", b"RIGHT", b"LEFT", b"right", b"UP"])
_SOME = st.lists(value, min_size=1, max_size=4).map(tuple)
# Past the length from which a list is stored otherwise.
_MANY = value.map(lambda one: (one, b"pivot") * 70)
_ELEMENTS = st.one_of(_SOME, _SOME, _SOME, _MANY)
LISTS = st.one_of(
    *[joined(command(name, key), _ELEMENTS) for name in ("LPUSH", "RPUSH", "LPUSH", "RPUSH")],
    *[joined(command(name, key), _SOME) for name in ("LPUSHX", "RPUSHX")],
    *[joined(command(name, key), options("", "", "1", "3", "100", "-1")) for name in ("LPOP", "RPOP")],
    command("LLEN", key),
    *[command(name, key, _INDEXES, _INDEXES) for name in ("LRANGE", "LTRIM")],
    command("LINDEX", key, _INDEXES),
    command("LSET", key, _INDEXES, value),
    command("LINSERT", key, st.sampled_from([b"BEFORE", b"after", b"BESIDE"]), value, value),
    command("LREM", key, _COUNTS, value),
    joined(
        command("LPOS", key, value), options("", "RANK 2", "RANK -1", "COUNT 0", "RANK -2 COUNT 3 MAXLEN 9")
    ),
    command("LMOVE", key, key, _SIDES, _SIDES),
    command("RPOPLPUSH", key, key),
    joined(
        st.just((b"LMPOP",)),
        st.sampled_from([b"1", b"2", b"2", b"3", b"0"]).map(lambda number: (number,)),
        st.tuples(key, key),
        _SIDES.map(lambda side: (side,)),
        options("", "COUNT 2", "COUNT 100", "COUNT 0"),
    ),
)
_ALGEBRA = ("SINTER", "SUNION", "SDIFF")
SETS = st.one_of(
    *[joined(command(name, key), _SOME) for name in ("SADD", "SADD", "SADD", "SREM", "SMISMEMBER")],
    joined(command("SADD", key), st.lists(st.sampled_from(SMALL), min_size=1, max_size=6).map(tuple)),
    command("SISMEMBER", key, value),
    *[command(name, key) for name in ("SCARD", "SMEMBERS")],
    *[command("SMOVE", key, key, one) for one in (value, st.sampled_from(SMALL))],
    *[joined(st.just((name.encode(),)), keys) for name in _ALGEBRA],
    *[joined(command(f"{name}STORE", key), keys) for name in _ALGEBRA],
    joined(
        st.just((b"SINTERCARD",)),
        st.sampled_from([b"1", b"2", b"2", b"0"]).map(lambda number: (number,)),
        st.tuples(key, key),
        options("", "LIMIT 1", "LIMIT -1"),
    ),
    joined(command("SPOP", key), options("0", "100", "-1", "1 1")),
    joined(command("SRANDMEMBER", key), options("0", "100", "x")),
    command("SSCAN", key, st.just(b"0"), st.just(b"COUNT"), st.just(b"100")),
)
_FIELDS = st.lists(st.tuples(value, value), min_size=1, max_size=4).map(
    lambda pairs: tuple(word for pair in pairs for word in pair)
)
HASHES = st.one_of(
    *[joined(command(name, key), _FIELDS) for name in ("HSET", "HSET", "HSET", "HMSET")],
    command("HSETNX", key, value, value),
    *[joined(command(name, key), _SOME) for name in ("HDEL", "HDEL", "HMGET")],
    *[command(name, key, value) for name in ("HGET", "HEXISTS", "HSTRLEN")],
    *[command(name, key) for name in ("HGETALL", "HKEYS", "HVALS", "HLEN")],
    command("HINCRBY", key, value, st.sampled_from(INTEGERS)),
    command("HINCRBYFLOAT", key, value, st.sampled_from(FLOATS)),
    joined(command("HRANDFIELD", key), options("0", "x", "1 BOGUS")),
    command("HSCAN", key, st.just(b"0")),
)
GENERIC = st.one_of(
    *[joined(st.just((name,)), keys) for name in (b"DEL", b"UNLINK", b"EXISTS", b"TOUCH")],
    *[command(name, key, key) for name in ("RENAME", "RENAMENX")],
    joined(command("COPY", key, key), options("", "REPLACE", "DB 1", "DB 1 REPLACE", "DB 16")),
    command("MOVE", key, st.sampled_from(DATABASES)),
    command("PERSIST", key),
    *[command(name, key) for name in ("TYPE", "EXPIRETIME")],
    command("OBJECT", st.just(b"ENCODING"), key),
    joined(command("EXPIREAT", key, moment), _CONDITIONS),
    command("EXPIRE", key, st.sampled_from([b"1000", b"-1", b"x"])),
    st.just((b"DBSIZE",)),
    command("SELECT", st.sampled_from(DATABASES)),
    st.sampled_from([(b"SWAPDB", b"0", b"1"), (b"SWAPDB", b"1", b"2"), (b"FLUSHDB",)]),
)
TRANSACTIONS = st.one_of(
    st.sampled_from(
        [(b"MULTI",), (b"EXEC",), (b"EXEC",), (b"DISCARD",), (b"UNWATCH",), (b"NOSUCH", b"x"), (b"GET",)]
    ),
    joined(st.just((b"WATCH",)), keys),
)
# One half on everything, one on few types, so that commands meet keys of their own.
COMMANDS = st.one_of(STRINGS, STRINGS, LISTS, LISTS, SETS, HASHES, GENERIC, TRANSACTIONS)
MEMBERS = st.one_of(SETS, SETS, SETS, HASHES, HASHES, GENERIC, TRANSACTIONS)

# Commands that answer arrays in no order of their own, at least in RESP2.
UNORDERED = frozenset([b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"SPOP", b"SRANDMEMBER", b"SSCAN"])

SETTINGS = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def canonical(server: Server) -> list[Reply]:
    """What is in the databases: each with its keys, sorted, and their type, encoding, value and deadline."""
    state = []
    with server.connect() as connection:
        for database in range(3):
            connection.execute("SELECT", database)
            names = sorted(reply.value for reply in connection.execute("KEYS", "*").value)
            for name in names:
                state.append(Reply("key", (database, name)))
                state += [connection.execute(what, name) for what in ("TYPE", "GET")]
                state.append(connection.execute("LRANGE", name, 0, -1))
                state.append(connection.execute("HGETALL", name))
                state.append(compare.canonical(connection.execute("SMEMBERS", name)))
                state.append(connection.execute("OBJECT", "ENCODING", name))
                state.append(Reply("pttl", connection.execute("PTTL", name).value))
    return state


def alike(expected: Reply, actual: Reply) -> bool:
    """Equal, but for the running of the clock: Unix times and what is left of a TTL may differ a little."""
    if expected.kind == "pttl" == actual.kind:
        return TTL_TOLERANCE(Reply(":", expected.value), Reply(":", actual.value))
    if expected.kind == ":" == actual.kind and min(expected.value, actual.value) in UNIX_TIMES:
        return abs(expected.value - actual.value) <= TTL_TOLERANCE.distance // 1000
    if expected.kind == "*" == actual.kind and expected.value and actual.value:
        return len(expected.value) == len(actual.value) and all(map(alike, expected.value, actual.value))
    if expected == Reply("$", b"hashtable"):
        # The same with sets.
        return actual in (expected, Reply("$", b"listpack"))
    if expected == Reply("$", b"quicklist"):
        # Redis 7.0 knows no other encoding of lists; later ones have a compact one, and so have we.
        return actual in (expected, Reply("$", b"listpack"))
    return expected == actual


def whole_sum(expected: Reply, actual: Reply) -> bool:
    """Whether they are the encodings of a whole number that INCRBYFLOAT left: see docs/differences.md."""
    if expected.kind == "*" == actual.kind and expected.value and actual.value:
        return len(expected.value) == len(actual.value) and all(
            alike(want, got) or whole_sum(want, got)
            for want, got in zip(expected.value, actual.value, strict=True)
        )
    return expected == Reply("$", b"embstr") and actual == Reply("$", b"int")


def disagreement(
    commands: list[Command], expected: list[Reply], actual: list[Reply], ran: list[Command]
) -> str:
    """The first reply that differs, or an empty text; ``ran`` is what has been run up to the last of them."""
    sums = any(command[0] == b"INCRBYFLOAT" for command in ran)
    names = {command[0] for command in ran}
    for number, (want, got) in enumerate(zip(expected, actual, strict=True)):
        if number < len(commands) and commands[number][0] in (UNORDERED | {b"EXEC"}) and names & UNORDERED:
            want, got = compare.canonical(want), compare.canonical(got)
        if not alike(want, got) and not (sums and whole_sum(want, got)):
            what = commands[number] if number < len(commands) else "a later reply"
            return f"{number}: {what}\n  redis-server: {want!r}\n  subject:      {got!r}"
    return ""


def run_single(connection: Connection, commands: list[Command]) -> list[Reply]:
    """One command after the other, each awaited."""
    return [connection.execute(*command) for command in commands]


def run_pipelined(connection: Connection, commands: list[Command]) -> list[Reply]:
    """All commands in one write."""
    return connection.pipeline(commands)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("play", [run_single, run_pipelined], ids=["single", "pipelined"])
def test_sequences_of_one_client(play: Play, protocol: int, reference: Server, subject: Server) -> None:
    @SETTINGS
    @given(st.one_of(st.lists(COMMANDS, min_size=5, max_size=40), st.lists(MEMBERS, min_size=5, max_size=40)))
    def check(commands: list[Command]) -> None:
        replies, states = [], []
        for server in (reference, subject):
            server.flush()
            with server.connect(protocol) as connection:
                replies.append(play(connection, commands))
            states.append(canonical(server))
        assert not disagreement(commands, *replies, commands)
        assert len(states[0]) == len(states[1])
        assert not disagreement([], *states, commands)

    check()


@pytest.mark.parametrize("protocol", [2, 3])
def test_sequences_of_two_clients(protocol: int, reference: Server, subject: Server) -> None:
    @SETTINGS
    @given(st.lists(st.tuples(st.integers(0, 1), COMMANDS), min_size=5, max_size=40))
    def check(turns: list[tuple[int, Command]]) -> None:
        replies, states = [], []
        for server in (reference, subject):
            server.flush()
            with server.connect(protocol) as first, server.connect(protocol) as second:
                clients = (first, second)
                replies.append([clients[who].execute(*command) for who, command in turns])
            states.append(canonical(server))
        commands = [command for _, command in turns]
        assert not disagreement(commands, *replies, commands)
        assert len(states[0]) == len(states[1])
        assert not disagreement([], *states, commands)

    check()
