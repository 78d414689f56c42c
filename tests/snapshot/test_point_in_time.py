"""A snapshot taken while commands run tells of one moment, on all shards.

On the simulated server: a shard's slice is one bucket, and the scheduler lets commands on every type of
value, FLUSHALL, SWAPDB, MOVE, expiry, eviction, the splitting and the merging of segments come between any
two. The expected state is seen by a transaction over everything that runs in the place of the cut.

What the test is worth was tried with bugs planted in the table, the cut, the saver and the commands, one at a
time: each of them made it fail.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from nogil_df.base.flags import Options
from nogil_df.commands import saver
from nogil_df.shard.shard import Shard
from nogil_df.shard.table import PACKED
from nogil_df.simulation import SimulatedClient, Simulation
from tests.commands.console import Console
from tests.snapshot.state import State, state_of

ACCOUNTS = 40
TOTAL = 1_000 * ACCOUNTS
NAMES = 80
"""So few that most writes find something."""

GROWING, THIN = 6, 7
"""Databases whose segments are about to split, so that their stash is in use; and to merge."""

NEARLY_FULL = 700
"""Records of a segment that will split before long."""

MERGES_BELOW = 720 if PACKED else 210
"""Records of two segments that merge."""


class Witness:
    """Notes the state at the moment of a cut, from within the transaction that takes it."""

    def __init__(self, simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.states: list[State] = []
        self.last = 0
        """The time of the last shard's cut."""
        self.parts = 0
        self.simulation = simulation
        taken = saver.begin_cut

        def begin_cut(shard: Shard, argument: Any) -> None:
            if self.parts == 0:
                self.states.append({})
            self.last = simulation.clock.unix_ms()
            for index, records in state_of([shard]).items():
                self.states[-1].setdefault(index, {}).update(records)
            self.parts = (self.parts + 1) % len(simulation.threads)
            taken(shard, argument)

        monkeypatch.setattr(saver, "begin_cut", begin_cut)


def write(rng: random.Random, client: SimulatedClient, *, flushes: bool = False) -> None:
    """A random write, or several as one transaction."""
    key = b"k%d" % rng.randrange(NAMES)
    n = b"%d" % rng.randrange(1_000)
    other = b"k%d" % rng.randrange(NAMES)
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
    for _ in range(800):
        write(rng, client)


def segments(simulation: Simulation, database: int) -> list[list[int]]:
    """By shard: the records of each segment of a database."""
    tables = [thread.proactor.shard.dbs[database].table for thread in simulation.threads]
    return [[records for _, _, records, *_ in table.layout()] for table in tables]


def has_split(simulation: Simulation, before: list[list[int]]) -> int:
    """How many segments have split since the last look, in shards whose cut is under way."""
    after = segments(simulation, GROWING)
    cut = [thread.proactor.shard.dbs[GROWING].table.cut_version for thread in simulation.threads]
    found = sum(
        version > 0 and len(now) > len(then)
        for then, now, version in zip(before or after, after, cut, strict=True)
    )
    before[:] = after
    return found


def crowd(simulation: Simulation, client: SimulatedClient) -> int:
    """Let a database have segments that are about to split, in every shard; how many keys that takes."""
    client.send([b"SELECT", b"%d" % GROWING])
    at = 0
    while min(map(max, segments(simulation, GROWING))) < NEARLY_FULL:
        client.send(*[[b"SET", b"grown%d" % (at + one), b"%d" % at] for one in range(20)])
        at += 20
        simulation.run()
    return at


def thin_out(simulation: Simulation, client: SimulatedClient) -> list[bytes]:
    """Let a database have segments that are about to merge, in a shard; the keys that are left."""
    client.send([b"SELECT", b"%d" % THIN])
    keys = [b"thin%d" % at for at in range(3_000)]
    client.send(*[[b"SET", key, b"x"] for key in keys])
    simulation.run()
    while min(map(sum, segments(simulation, THIN))) > MERGES_BELOW + 40:
        client.send([b"DEL", *keys[:20]])
        del keys[:20]
        simulation.run()
    assert min(map(len, segments(simulation, THIN))) > 1
    return keys


def is_cut(simulation: Simulation, database: int) -> bool:
    """Whether the cut of a database is under way in every shard."""
    return all(thread.proactor.shard.dbs[database].table.cut_version for thread in simulation.threads)


def would_merge(simulation: Simulation) -> bool:
    """Whether some segments do not merge only because a cut is under way."""
    return is_cut(simulation, THIN) and any(
        len(now) > 1 and sum(now) < MERGES_BELOW for now in segments(simulation, THIN)
    )


def grow(rng: random.Random, client: SimulatedClient, keys: int, more: int) -> int:
    """Change some records of a crowded database, and add some; how many keys it has then."""
    old = [b"grown%d" % rng.randrange(keys) for _ in range(3)]
    word = b"w" * rng.randrange(1, 70)
    client.send(
        rng.choice([[b"SET", old[0], word], [b"DEL", old[0]], [b"PEXPIRE", old[0], b"100"]]),
        rng.choice([[b"INCR", old[1]], [b"APPEND", old[1], b"7"], [b"GETDEL", old[1]]]),
        rng.choice([[b"GETEX", old[2], b"PX", b"3"], [b"MSET", *old[2:], word, old[0], word]]),
        [b"MSET", *[word for at in range(more) for word in (b"grown%d" % (keys + at), b"1")]],
    )
    return keys + more


@pytest.mark.parametrize("name", ["dump", "dump.rdb"])
@pytest.mark.parametrize("seed", range(4))
def test_a_snapshot_is_the_state_at_its_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, name: str
) -> None:
    evicts = seed % 2
    options = Options(dir=str(tmp_path), dbfilename=name, compression_mode="none")
    simulation = Simulation(seed, 3, options)
    witness = Witness(simulation, monkeypatch)
    rng = random.Random(seed)
    first = simulation.client()
    fill(rng, first)
    simulation.run()
    grower, thinner = simulation.client(), simulation.client()
    grown = crowd(simulation, grower)
    thin = thin_out(simulation, thinner)
    if evicts:
        # What has a deadline goes, as far as there is anything.
        used = sum(thread.proactor.shard.used for thread in simulation.threads)
        first.send([b"CONFIG", b"SET", b"maxmemory-policy", b"volatile-random"])
        first.send([b"CONFIG", b"SET", b"maxmemory", b"%d" % used])
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
    steps = splits = 0
    thinned = False
    before: list[list[int]] = []
    while simulation.step():
        steps += 1
        splits += has_split(simulation, before)
        thinned = thinned or would_merge(simulation)
        if steps % 29 == 0:
            simulation.advance(rng.randrange(4))
        if not keeper.output:
            if not grower.waiting:
                grown = grow(rng, grower, grown, 300 if is_cut(simulation, GROWING) else 8)
            if not thinner.waiting and thin:
                many = 40 if is_cut(simulation, THIN) else 4
                thinner.send([b"DEL", *thin[:many]])
                del thin[:many]
            for at, client in enumerate(clients):
                if not client.waiting:
                    write(rng, client, flushes=at == 3)
    assert bytes(keeper.output) == b"+OK\r\n"
    assert steps > 400
    simulation.verify()
    assert evicts or splits
    assert thinned
    assert not evicts or any(thread.proactor.shard.evicted for thread in simulation.threads)
    (expected,) = witness.states
    assert money(expected) == 2 * ACCOUNTS

    # With other shards than it was written with.
    loaded = Simulation(1, 2, options)
    now = witness.last
    loaded.clock.set_unix_ms(now)
    console = Console(simulation=loaded, thread=0)
    file = "dump.rdb" if name == "dump.rdb" else "dump-summary.dfs"
    assert console(f"DFLY LOAD {file}").value == b"OK"
    loaded.verify()
    assert state_of([thread.proactor.shard for thread in loaded.threads], now) == {
        index: living
        for index, records in expected.items()
        if (living := {key: one for key, one in records.items() if not one[1] or one[1] >= now})
    }
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


@pytest.mark.parametrize("seed", range(6))
def test_all_shards_are_cut_at_the_same_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """No transaction over several shards is in one part of a cut, and not in another."""
    simulation = Simulation(seed, 3, Options(dir=str(tmp_path), dbfilename="dump", compression_mode="none"))
    found: list[int] = []
    taken = saver.begin_cut

    def begin_cut(shard: Shard, argument: Any) -> None:
        found.append(sum(int(value) for _, value, _ in shard.dbs[0].table.items()))
        taken(shard, argument)

    monkeypatch.setattr(saver, "begin_cut", begin_cut)
    rng = random.Random(seed)
    keeper, *clients = [simulation.client() for _ in range(9)]
    keeper.send(*[[b"SET", b"account:%d" % i, b"1000"] for i in range(ACCOUNTS)])
    simulation.run()
    saves = 0
    while saves < 8:
        if not keeper.waiting:
            keeper.send([b"SAVE"])
            saves += 1
        for client in clients:
            if not client.waiting:
                a, b = rng.sample(range(ACCOUNTS), 2)
                amount = b"%d" % rng.randrange(100)
                client.send(
                    [b"MULTI"],
                    [b"DECRBY", b"account:%d" % a, amount],
                    [b"INCRBY", b"account:%d" % b, amount],
                    [b"EXEC"],
                )
        simulation.step()
    simulation.run()
    assert len(found) == 24
    assert {sum(found[at : at + 3]) for at in range(0, len(found), 3)} == {TOTAL}
