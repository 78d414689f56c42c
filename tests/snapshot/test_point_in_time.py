"""A snapshot taken while commands run tells of one moment, on all shards.

On the simulated server: a shard's slice is one bucket, and the scheduler lets commands on every type of
value, FLUSHALL, SWAPDB, MOVE, expiry and the splitting of segments come between any two. The expected state
is seen by a transaction over everything that runs in the place of the cut.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from nogil_df.base.flags import Options
from nogil_df.commands import saver
from nogil_df.shard import digest
from nogil_df.shard.shard import Shard
from nogil_df.simulation import SimulatedClient, Simulation
from tests.commands.console import Console

ACCOUNTS = 40
TOTAL = 1_000 * ACCOUNTS

type State = dict[int, dict[bytes, tuple[bytes, int]]]
"""Database -> key -> digest of the value, deadline."""


def state_of(shards: list[Shard]) -> State:
    """What the databases hold, expired records left out."""
    found: State = {}
    for shard in shards:
        for db in shard.dbs:
            for key, value, deadline in db.table.items():
                if not deadline or deadline >= shard.tick.ms:
                    found.setdefault(db.index, {})[key] = digest.of_value(value, 0), deadline
    return found


class Witness:
    """Notes the state at the moment of a cut, from within the transaction that takes it."""

    def __init__(self, simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.states: list[State] = []
        self.parts = 0
        self.simulation = simulation
        taken = saver.begin_cut

        def begin_cut(shard: Shard, argument: Any) -> None:
            if self.parts == 0:
                self.states.append({})
            for index, records in state_of([shard]).items():
                self.states[-1].setdefault(index, {}).update(records)
            self.parts = (self.parts + 1) % len(simulation.threads)
            taken(shard, argument)

        monkeypatch.setattr(saver, "begin_cut", begin_cut)


def write(rng: random.Random, client: SimulatedClient, *, flushes: bool = False) -> None:
    """A random write, or several as one transaction."""
    key = b"k%d" % rng.randrange(300)
    n = b"%d" % rng.randrange(1_000)
    other = b"k%d" % rng.randrange(300)
    word = b"w" * rng.randrange(1, 70) + n
    single: list[list[bytes]] = [
        [b"SET", key, word],
        [b"SET", key, word, b"PX", b"%d" % rng.randrange(1, 400)],
        [b"APPEND", b"s" + key, word],
        [b"SETRANGE", b"s" + key, b"3", n],
        [b"SETBIT", b"s" + key, n, b"1"],
        [b"INCR", b"i" + key],
        [b"DEL", key, other],
        [b"PEXPIRE", b"h" + key, b"300"],
        [b"PERSIST", key],
        [b"RPUSH", b"l" + key, word, n],
        [b"LPOP", b"l" + key],
        [b"LSET", b"l" + key, b"0", word],
        [b"LINSERT", b"l" + key, b"BEFORE", word, n],
        [b"LMOVE", b"l" + key, b"l" + other, b"LEFT", b"RIGHT"],
        [b"SADD", b"S" + key, word, n],
        [b"SPOP", b"S" + key],
        [b"SMOVE", b"S" + key, b"S" + other, n],
        [b"HSET", b"h" + key, n, word],
        [b"HDEL", b"h" + key, n],
        [b"HINCRBY", b"H" + key, n, b"7"],
        [b"HPEXPIRE", b"h" + key, b"200", b"FIELDS", b"1", n],
        [b"ZADD", b"z" + key, n, word],
        [b"ZINCRBY", b"z" + key, n, word],
        [b"ZPOPMIN", b"z" + key],
        [b"ZREMRANGEBYRANK", b"z" + key, b"0", b"1"],
        [b"XADD", b"x" + key, b"*", b"f", word],
        [b"XTRIM", b"x" + key, b"MAXLEN", b"3"],
        [b"XGROUP", b"CREATE", b"x" + key, b"g", b"$", b"MKSTREAM"],
        [b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", b"x" + key, b">"],
        [b"PFADD", b"p" + key, n, word],
        [b"RENAME", key, other],
        [b"COPY", key, other, b"REPLACE"],
        [b"MSET", key, word, other, n],
        [b"GEOADD", b"g" + key, b"13.4", b"52.5", n],
        [b"BITFIELD", b"s" + key, b"INCRBY", b"u8", b"8", b"3"],
        [b"MOVE", key, b"1"],
    ]
    if rng.random() < 0.3:
        a, b = rng.sample(range(ACCOUNTS), 2)
        amount = b"%d" % rng.randrange(100)
        client.send(
            [b"MULTI"],
            [b"DECRBY", b"account:%d" % a, amount],
            [b"HINCRBY", b"safe:%d" % b, b"money", amount],
            [b"EXEC"],
        )
    elif rng.random() < 0.02:
        client.send([b"FLUSHDB"] if flushes else [b"SWAPDB", b"2", b"3"])
    else:
        client.send(*[rng.choice(single) for _ in range(rng.randrange(1, 4))])


def money(state: State) -> int:
    """How many records of the bank there are; the sum is checked on the loaded server."""
    return sum(key.startswith((b"account:", b"safe:")) for key in state.get(5, {}))


def fill(rng: random.Random, client: SimulatedClient) -> None:
    """What there is when the save begins."""
    client.send([b"SELECT", b"5"])
    client.send(*[[b"SET", b"account:%d" % i, b"1000"] for i in range(ACCOUNTS)])
    client.send(*[[b"HSET", b"safe:%d" % i, b"money", b"0"] for i in range(ACCOUNTS)])
    client.send([b"RPUSH", b"biglist", *[b"element %d" % i for i in range(4_000)]])
    client.send([b"HSET", b"bighash", *[b"%d" % (i // 2) for i in range(8_000)]])
    client.send([b"ZADD", b"bigset", *[b"%d" % (i // 2) for i in range(8_000)]])
    client.send([b"SADD", b"bigmembers", *[b"m%d" % i for i in range(4_000)]])
    client.send([b"SET", b"long", rng.randbytes(100_000)])
    client.send([b"SELECT", b"2"], [b"SET", b"swapped", b"2"], [b"SELECT", b"0"])
    for _ in range(500):
        write(rng, client)


@pytest.mark.parametrize("name", ["dump", "dump.rdb"])
@pytest.mark.parametrize("seed", range(4))
def test_a_snapshot_is_the_state_at_its_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, name: str
) -> None:
    options = Options(dir=str(tmp_path), dbfilename=name, compression_mode="none")
    simulation = Simulation(seed, 3, options)
    witness = Witness(simulation, monkeypatch)
    rng = random.Random(seed)
    first = simulation.client()
    fill(rng, first)
    simulation.run()
    clients = [simulation.client() for _ in range(5)]
    for client in clients[:3]:
        client.send([b"SELECT", b"5"])
    keeper = simulation.client()
    keeper.send([b"SAVE"])
    # Writes on big values while their slices are on the way.
    clients[4].send([b"SELECT", b"5"], [b"RPUSH", b"biglist", b"late"], [b"HSET", b"bighash", b"0", b"late"])
    clients[4].send(
        [b"ZADD", b"bigset", b"5", b"17"], [b"SREM", b"bigmembers", b"m17"], [b"APPEND", b"long", b"x"]
    )
    steps = 0
    while simulation.step():
        steps += 1
        if steps % 97 == 0:
            simulation.advance(1)
        if not keeper.output:
            for at, client in enumerate(clients):
                if not client.waiting:
                    write(rng, client, flushes=at == 3)
    assert bytes(keeper.output) == b"+OK\r\n"
    assert steps > 400
    simulation.verify()
    (expected,) = witness.states
    assert money(expected) == 2 * ACCOUNTS

    # With other shards than it was written with.
    loaded = Simulation(1, 2, options)
    loaded.clock.set_unix_ms(simulation.started_unix_ms)
    console = Console(simulation=loaded, thread=0)
    file = "dump.rdb" if name == "dump.rdb" else "dump-summary.dfs"
    assert console(f"DFLY LOAD {file}").value == b"OK"
    loaded.verify()
    assert state_of([thread.proactor.shard for thread in loaded.threads]) == expected
    console("SELECT 5")
    accounts = sum(int(console.value(f"GET account:{i}")) for i in range(ACCOUNTS))
    safes = sum(int(console.value(f"HGET safe:{i} money")) for i in range(ACCOUNTS))
    assert accounts + safes == TOTAL


def test_what_is_written_during_a_save_is_in_the_next_one(tmp_path: Path) -> None:
    options = Options(dir=str(tmp_path), dbfilename="dump.rdb")
    console = Console(options=options)
    console("SET a 1")
    console("SAVE")
    console("SET b 2")
    assert b"rdb_changes_since_last_save:1\r\n" in console("INFO persistence").value
    console("SAVE")
    other = Console(options=options)
    other("DFLY LOAD dump.rdb")
    assert other.value("MGET a b") == [b"1", b"2"]
