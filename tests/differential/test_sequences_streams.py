"""Random sequences of commands on streams and their groups, and on any key; see `test_sequences`.

Ids are given, times are long or short: no outcome depends on a clock. Groups and consumers are made at the
beginning, because a command that makes a consumer in passing does so earlier than in redis-server 7.0.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.differential.cases_streams_groups import timed
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

KEYS = [b"a", b"b", b"{t}1"]
GROUPS = [b"g", b"h"]
CONSUMERS = [b"one", b"two"]

key = st.sampled_from(KEYS)
group = st.sampled_from(GROUPS)
consumer = st.sampled_from(CONSUMERS)
entry_id = st.sampled_from([b"%d-%d" % (ms, sequence) for ms in range(1, 12) for sequence in (0, 1)])
ids = st.lists(entry_id, min_size=1, max_size=4).map(tuple)
odd_id = st.sampled_from([b"0", b"5", b"(3", b"(3-1", b"-", b"+", b"$", b"x"])
bound = st.one_of(entry_id, odd_id)
# What XREAD knows as + since 7.4.
after = bound.filter(lambda one: one != b"+")
count = st.sampled_from([b"0", b"1", b"2", b"5", b"100"])
body = options("f v", "f v", "f 1 g 2", "g x", "f " + "w" * 300)

_ADD = options("", "", "", "NOMKSTREAM", "MAXLEN 4", "MAXLEN ~ 2", "MINID 3", "MINID ~ 3 LIMIT 5", "LIMIT 1")
_CLAIM = options("", "JUSTID", "FORCE", "IDLE 500000", "RETRYCOUNT 5", "LASTID 5-0", "FORCE JUSTID")
_TRIM = options("MAXLEN 3", "MAXLEN ~ 3", "MINID 4", "MINID ~ 4", "MAXLEN = 0", "MAXLEN ~ 0 LIMIT 1")
_NEW = st.just((b">",))
_FROM = st.one_of(_NEW, _NEW, _NEW, after.map(lambda one: (one,)))

STREAMS = st.one_of(
    *[joined(command("XADD", key), _ADD, entry_id.map(lambda one: (one,)), body) for _ in range(6)],
    joined(command("XADD", key), st.sampled_from([(b"%d-*" % ms,) for ms in range(1, 12)]), body),
    joined(command("XRANGE", key, bound, bound), options("", "COUNT 2")),
    joined(command("XREVRANGE", key, bound, bound), options("", "COUNT 2")),
    command("XLEN", key),
    joined(command("XDEL", key), ids),
    joined(command("XTRIM", key), _TRIM),
    joined(
        st.just((b"XREAD", b"COUNT")),
        count.map(lambda one: (one,)),
        st.just((b"STREAMS",)),
        st.tuples(key, after),
    ),
    joined(st.just((b"XREAD", b"STREAMS")), st.tuples(key, key, after, after)),
    joined(command("XSETID", key, entry_id), options("", "ENTRIESADDED 30")),
    command("XINFO", st.just(b"GROUPS"), key),
    command("XINFO", st.just(b"STREAM"), key),
)
MEMBERS = st.one_of(
    *[
        joined(
            st.just((b"XREADGROUP", b"GROUP")),
            st.tuples(group, consumer),
            options("", "COUNT 1", "COUNT 2", "NOACK"),
            st.just((b"STREAMS",)),
            key.map(lambda one: (one,)),
            _FROM,
        )
        for _ in range(4)
    ],
    *[joined(command("XACK", key, group), ids) for _ in range(2)],
    command("XPENDING", key, group),
    joined(command("XCLAIM", key, group, consumer, st.sampled_from([b"0", b"100000"])), ids, _CLAIM),
    joined(
        command("XAUTOCLAIM", key, group, consumer, st.sampled_from([b"0", b"100000"]), bound),
        options("", "COUNT 1", "COUNT 2 JUSTID"),
    ),
    joined(command("XGROUP", st.just(b"SETID"), key, group, bound), options("", "", "ENTRIESREAD 3")),
    command("XGROUP", st.just(b"DESTROY"), key, group),
)
COMMANDS = st.one_of(STREAMS, STREAMS, MEMBERS, MEMBERS, MEMBERS, GENERIC, TRANSACTIONS)
BEGIN: list[Command] = [
    *[(b"XADD", name, b"%d-0" % number, b"f", b"v%d" % number) for name in KEYS for number in range(1, 6)],
    *[(b"XGROUP", b"CREATE", name, one, b"0") for name in KEYS for one in GROUPS],
    *[
        (b"XGROUP", b"CREATECONSUMER", name, one, member)
        for name in KEYS
        for one in GROUPS
        for member in CONSUMERS
    ],
]
"""What every sequence begins with."""


def contents(server: Server) -> list[Reply]:
    """What `test_sequences` compares, and the streams with all that is pending."""
    state = canonical(server)
    with server.connect() as connection:
        for database in range(3):
            connection.execute("SELECT", database)
            names = sorted(reply.value for reply in connection.execute("KEYS", "*").value)
            state += [connection.execute("XINFO", "STREAM", name, "FULL", "COUNT", 0) for name in names]
    return state


def difference(commands: list[Command], expected: list[Reply], actual: list[Reply]) -> str:
    """The first reply that differs, or an empty text."""
    tolerance = timed("PING").tolerance
    for number, (want, got) in enumerate(zip(expected, actual, strict=True)):
        if not alike(want, got) and not tolerance(want, got):
            what = commands[number] if number < len(commands) else "what is stored"
            return f"{number}: {what}\n  redis-server: {want!r}\n  subject:      {got!r}"
    return ""


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("play", [run_single, run_pipelined], ids=["single", "pipelined"])
def test_sequences_of_streams(play: Play, protocol: int, reference: Server, subject: Server) -> None:
    @SETTINGS
    @given(st.lists(COMMANDS, min_size=5, max_size=40))
    def check(drawn: list[Command]) -> None:
        commands = [*BEGIN, *drawn]
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
