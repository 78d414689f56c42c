"""Random sequences of commands on sorted sets, beside sets and the commands on any key; see `test_sequences`.

Doubles are compared as numbers, for redis-server 7.0 prints more digits of them.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.differential import compare
from tests.differential.test_sequences import (
    GENERIC,
    SETTINGS,
    TRANSACTIONS,
    Command,
    Play,
    alike,
    canonical,
    command,
    joined,
    options,
    run_pipelined,
    run_single,
)
from tests.resp import Reply
from tests.servers import Server

KEYS = [b"a", b"b", b"c", b"{t}1", b"\x00\xff"]
MEMBERS = [b"", b"a", b"b", b"ab", b"1", b"x" * 64, b"x" * 65, b"\x00\r\n"]
NUMBERS = [b"0", b"-0", b"1", b"-1", b"2", b"0.1", b"1e3", b"inf", b"-inf", b"1.7e308", b"x", b"nan"]

key = st.sampled_from(KEYS)
member = st.sampled_from(MEMBERS)
score = st.sampled_from(NUMBERS)
given_pairs = st.lists(st.tuples(score, member), min_size=1, max_size=5).map(
    lambda pairs: tuple(word for pair in pairs for word in pair)
)
# Past the size from which a sorted set is stored otherwise.
many = st.sampled_from([1, 7, 40]).map(
    lambda step: tuple(word for number in range(130) for word in (b"%d" % (number // step), b"m%d" % number))
)
pairs = st.one_of(given_pairs, given_pairs, given_pairs, many)
members = st.lists(member, min_size=1, max_size=3).map(tuple)
rank = st.sampled_from([b"0", b"1", b"-1", b"-2", b"3", b"100", b"x"])
score_bound = st.sampled_from([b"-inf", b"inf", b"0", b"(0", b"1", b"(1", b"100", b"(x"])
member_bound = st.sampled_from([b"-", b"+", b"[a", b"(a", b"[m5", b"(x", b"a"])
limits = options("", "", "LIMIT 0 3", "LIMIT 2 -1", "LIMIT 1 0", "LIMIT -1 1")
counted = st.lists(key, min_size=1, max_size=3).map(lambda keys: (b"%d" % len(keys), *keys))
weighted = options(
    "", "", "AGGREGATE MIN", "AGGREGATE MAX", "WEIGHTS 2", "WEIGHTS 2 -1", "WEIGHTS 0 1 0.5 AGGREGATE SUM"
)

_ADD_OPTIONS = options(
    "", "", "", "NX", "XX", "GT", "LT", "CH", "XX GT CH", "INCR", "NX INCR", "LT INCR", "NX GT"
)
SORTED_SETS = st.one_of(
    *[joined(command("ZADD", key), _ADD_OPTIONS, pairs) for _ in range(5)],
    joined(command("ZADD", key), many),
    command("ZINCRBY", key, score, member),
    *[joined(command(name, key), members) for name in ("ZREM", "ZREM", "ZMSCORE")],
    *[command(name, key, member) for name in ("ZSCORE", "ZRANK", "ZREVRANK")],
    command("ZCARD", key),
    *[
        joined(command(name, key), options("", "", "2", "100", "0", "-1"))
        for name in ("ZPOPMIN", "ZPOPMAX", "ZPOPMIN", "ZPOPMAX")
    ],
    joined(
        command("ZRANGE", key, rank, rank), options("", "REV", "WITHSCORES", "REV WITHSCORES", "LIMIT 0 1")
    ),
    joined(command("ZRANGE", key, score_bound, score_bound), options("BYSCORE", "REV BYSCORE"), limits),
    joined(command("ZRANGE", key, member_bound, member_bound), options("BYLEX", "REV BYLEX"), limits),
    joined(
        command("ZRANGESTORE", key, key, score_bound, score_bound), options("BYSCORE", "REV BYSCORE"), limits
    ),
    command("ZRANGESTORE", key, key, rank, rank),
    *[
        joined(command(name, key, score_bound, score_bound), limits)
        for name in ("ZRANGEBYSCORE", "ZREVRANGEBYSCORE")
    ],
    *[command(name, key, score_bound, score_bound) for name in ("ZCOUNT", "ZREMRANGEBYSCORE")],
    *[command(name, key, rank, rank) for name in ("ZREMRANGEBYRANK", "ZREVRANGE")],
    *[
        joined(st.just((name,)), counted, weighted, options("", "WITHSCORES"))
        for name in (b"ZUNION", b"ZINTER", b"ZDIFF")
    ],
    *[joined(command(name, key), counted, weighted) for name in ("ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE")],
    joined(st.just((b"ZINTERCARD",)), counted, options("", "LIMIT 1", "LIMIT -1")),
    joined(st.just((b"ZMPOP",)), counted, options("MIN", "MAX", "MAX COUNT 3", "UP")),
    joined(command("SADD", key), members),
    joined(command("SREM", key), members),
)
COMMANDS = st.one_of(SORTED_SETS, SORTED_SETS, SORTED_SETS, SORTED_SETS, GENERIC, TRANSACTIONS)


def contents(server: Server) -> list[Reply]:
    """What `test_sequences` compares, and the sorted sets."""
    state = canonical(server)
    with server.connect() as connection:
        for database in range(3):
            connection.execute("SELECT", database)
            names = sorted(reply.value for reply in connection.execute("KEYS", "*").value)
            state += [connection.execute("ZRANGE", name, 0, -1, "WITHSCORES") for name in names]
    return state


def difference(commands: list[Command], expected: list[Reply], actual: list[Reply]) -> str:
    """The first reply that differs, or an empty text."""
    for number, (want, got) in enumerate(zip(expected, actual, strict=True)):
        if not alike(want, got) and not compare.doubles(want, got):
            what = commands[number] if number < len(commands) else "what is stored"
            return f"{number}: {what}\n  redis-server: {want!r}\n  subject:      {got!r}"
    return ""


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("play", [run_single, run_pipelined], ids=["single", "pipelined"])
def test_sequences_of_sorted_sets(play: Play, protocol: int, reference: Server, subject: Server) -> None:
    @SETTINGS
    @given(st.lists(COMMANDS, min_size=5, max_size=40))
    def check(commands: list[Command]) -> None:
        replies, states = [], []
        for server in (reference, subject):
            server.flush()
            with server.connect(protocol) as connection:
                replies.append(play(connection, commands))
            states.append(contents(server))
        assert not difference(commands, *replies)
        assert len(states[0]) == len(states[1])
        assert not difference([], *states)

    check()
