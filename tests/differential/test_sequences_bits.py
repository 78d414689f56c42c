"""Random sequences of commands on bitmaps and HyperLogLogs, beside those on strings and on any key; see
`test_sequences`.

Keys of both kinds are the same, so that bits are set in HyperLogLogs and bitmaps are merged with them.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.differential.test_sequences import (
    GENERIC,
    SETTINGS,
    STRINGS,
    TRANSACTIONS,
    Command,
    Play,
    canonical,
    command,
    disagreement,
    joined,
    key,
    options,
    run_pipelined,
    run_single,
)
from tests.resp import Reply
from tests.servers import Server

OFFSETS = [b"0", b"1", b"7", b"8", b"63", b"100", b"127", b"-1", b"x"]
BOUNDS = [b"0", b"1", b"3", b"9", b"40", b"-1", b"-2", b"-9", b"-40"]
NUMBERS = [b"0", b"1", b"-1", b"100", b"-129", b"255", b"9223372036854775807", b"-9223372036854775808", b"x"]

offset = st.sampled_from(OFFSETS)
bound = st.sampled_from(BOUNDS)
bit = st.sampled_from([b"0", b"1"])
sources = st.lists(key, min_size=1, max_size=4).map(tuple)
number = st.sampled_from(NUMBERS)
field = st.sampled_from([b"u1", b"u8", b"i8", b"u7", b"i13", b"u63", b"i64", b"u64"])
place = st.one_of(offset, st.sampled_from([b"#0", b"#1", b"#5"]))
step = st.one_of(
    st.tuples(st.just(b"GET"), field, place),
    st.tuples(st.just(b"SET"), field, place, number),
    st.tuples(st.just(b"INCRBY"), field, place, number),
    options("OVERFLOW WRAP", "OVERFLOW SAT", "OVERFLOW FAIL", "overflow sat"),
)
steps = st.lists(step, min_size=1, max_size=4).map(
    lambda drawn: tuple(word for part in drawn for word in part)
)

BITMAPS = st.one_of(
    *[command("SETBIT", key, offset, bit) for _ in range(3)],
    command("GETBIT", key, offset),
    # What redis-server 7.0 answers for a missing key does not depend on the rest being right; here it is.
    joined(command("BITCOUNT", key, bound, bound), options("", "BIT", "byte")),
    command("BITCOUNT", key),
    command("BITPOS", key, bit),
    command("BITPOS", key, bit, bound),
    joined(command("BITPOS", key, bit, bound, bound), options("", "BIT", "BYTE")),
    *[joined(command("BITOP", st.sampled_from([b"AND", b"OR", b"XOR"]), key), sources) for _ in range(2)],
    command("BITOP", st.just(b"NOT"), key, key),
    *[joined(command("BITFIELD", key), steps) for _ in range(3)],
    joined(command("BITFIELD_RO", key), steps),
)
elements = st.lists(st.integers(0, 400).map(lambda n: b"%d" % n), max_size=5).map(tuple)
# Past the size from which a value is dense.
many = st.integers(0, 3).map(lambda n: tuple(b"%d" % (n * 1000 + m) for m in range(1500)))
LOGS = st.one_of(
    *[joined(command("PFADD", key), elements) for _ in range(4)],
    joined(command("PFADD", key), many),
    *[joined(st.just((b"PFCOUNT",)), sources) for _ in range(2)],
    *[joined(command("PFMERGE", key), sources) for _ in range(2)],
    command("PFDEBUG", st.sampled_from([b"ENCODING", b"TODENSE", b"DECODE"]), key),
)
COMMANDS = st.one_of(BITMAPS, BITMAPS, BITMAPS, STRINGS, GENERIC, TRANSACTIONS)
LOG_COMMANDS = st.one_of(LOGS, LOGS, LOGS, LOGS, BITMAPS, GENERIC, TRANSACTIONS)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("play", [run_single, run_pipelined], ids=["single", "pipelined"])
@pytest.mark.parametrize("drawn", [COMMANDS, LOG_COMMANDS], ids=["bitmaps", "logs"])
def test_sequences_of_bits(
    drawn: st.SearchStrategy[Command], play: Play, protocol: int, reference: Server, subject: Server
) -> None:
    @SETTINGS
    @given(st.lists(drawn, min_size=5, max_size=40))
    def check(commands: list[Command]) -> None:
        replies: list[list[Reply]] = []
        states: list[list[Reply]] = []
        for server in (reference, subject):
            server.flush()
            with server.connect(protocol) as connection:
                replies.append(play(connection, commands))
            states.append(canonical(server))
        assert not disagreement(commands, *replies, commands)
        assert len(states[0]) == len(states[1])
        assert not disagreement([], *states, commands)

    check()
