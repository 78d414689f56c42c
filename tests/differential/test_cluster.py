"""CLUSTER beside a redis-server that is the only node of its cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.differential.compare import exact, shape
from tests.resp import Reply
from tests.servers import NogilServer, RedisServer, Server, free_port

Pair = tuple[Server, Server]

SAME = """
CLUSTER KEYSLOT {a}b | CLUSTER KEYSLOT a{}b{c} | CLUSTER KEYSLOT | CLUSTER COUNTKEYSINSLOT 16384
CLUSTER COUNTKEYSINSLOT x | CLUSTER GETKEYSINSLOT 1 -1 | CLUSTER GETKEYSINSLOT 16384 1
CLUSTER GETKEYSINSLOT x 1 | CLUSTER GETKEYSINSLOT 15495 10 | CLUSTER COUNTKEYSINSLOT 15495
CLUSTER ADDSLOTS 1 | CLUSTER ADDSLOTS x | CLUSTER ADDSLOTS 1 99999 | CLUSTER ADDSLOTS
CLUSTER ADDSLOTSRANGE 1 2 | CLUSTER ADDSLOTSRANGE 1 2 3 | CLUSTER ADDSLOTSRANGE 5 3
CLUSTER DELSLOTS 99999 | CLUSTER DELSLOTSRANGE 5 3 | CLUSTER DELSLOTSRANGE 1 2 3
CLUSTER SETSLOT 1 STABLE | CLUSTER SETSLOT 1 NODE abc | CLUSTER SETSLOT 1 NODE
CLUSTER SETSLOT 1 IMPORTING abc | CLUSTER SETSLOT 1 MIGRATING abc | CLUSTER SETSLOT 1 WHAT
CLUSTER SETSLOT 99999 STABLE | CLUSTER FORGET abc | CLUSTER REPLICATE abc | CLUSTER REPLICAS abc
CLUSTER SLAVES abc | CLUSTER COUNT-FAILURE-REPORTS abc | CLUSTER FAILOVER
CLUSTER FAILOVER TAKEOVER | CLUSTER FAILOVER WHAT | CLUSTER NOPE | CLUSTER FORGET MYSELF
CLUSTER REPLICATE MYSELF | CLUSTER REPLICAS MYSELF | CLUSTER COUNT-FAILURE-REPORTS MYSELF
CLUSTER SETSLOT 1 NODE MYSELF | CLUSTER SETSLOT 1 IMPORTING MYSELF | CLUSTER RESET WHAT
CLUSTER RESET | CLUSTER SAVECONFIG | CLUSTER SET-CONFIG-EPOCH 5 | CLUSTER SET-CONFIG-EPOCH x
CLUSTER SET-CONFIG-EPOCH -1 | CLUSTER INFO WHAT | CLUSTER | CLUSTER LINKS | SELECT 0 | SELECT 1
SELECT x | SWAPDB 0 1 | SWAPDB x 1 | MOVE {a}b 1 | MOVE {a}b x | COPY {a}b {a}c DB 1
COPY {a}b {a}c DB 99 | COPY {a}b {a}c DB 0 | READONLY | READWRITE | ASKING | READONLY x
CONFIG GET cluster-enabled | INFO cluster | CLUSTER MEET x
CLUSTER FAILOVER FORCE | CLUSTER RESET HARD | CLUSTER RESET SOFT
"""

SAME_SHAPE = [
    "CLUSTER SLOTS",
    "CLUSTER SHARDS",
    "CLUSTER MYID",
    "CLUSTER NODES",
    "CLUSTER BUMPEPOCH",
    "HELLO",
]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A node of Redis with all slots, and ours."""
    with (
        RedisServer("--cluster-enabled", "yes", "--cluster-port", str(free_port())) as redis,
        NogilServer("--cluster_mode=emulated", threads=2) as ours,
    ):
        with redis.connect() as setup:
            assert setup.execute("CLUSTER", "ADDSLOTSRANGE", "0", "16383") == Reply("+", b"OK")
            assert setup.execute("CLUSTER", "BUMPEPOCH") == Reply("+", b"BUMPED 1")
            # A node takes a while to trust its own slots.
            while setup.execute("SET", "{a}b", "1") != Reply("+", b"OK"):
                pass
        with ours.connect() as setup:
            assert setup.execute("SET", "{a}b", "1") == Reply("+", b"OK")
        yield redis, ours


def ask(server: Server, protocol: int, line: str) -> Reply:
    """The reply to one command; MYSELF stands for the id of the node."""
    with server.connect(protocol) as connection:
        myself = connection.execute("CLUSTER", "MYID").value
        reply = connection.execute(*line.replace("MYSELF", myself.decode()).split())
        if reply.kind == "-":
            return Reply("-", reply.value.replace(myself, b"MYSELF"))
        return reply


def check(pair: Pair, protocol: int, lines: list[str], same: Callable[[Reply, Reply], bool]) -> None:
    """Ask both servers, and show every difference."""
    redis, ours = pair
    different = []
    for line in lines:
        expected, actual = ask(redis, protocol, line), ask(ours, protocol, line)
        if not same(expected, actual):
            different.append((line, expected, actual))
    assert not different


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_same_replies(pair: Pair, protocol: int) -> None:
    check(pair, protocol, [line.strip() for line in SAME.strip().replace("\n", "|").split("|")], exact)


@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_of_the_same_shape(pair: Pair, protocol: int) -> None:
    check(pair, protocol, SAME_SHAPE, shape)
