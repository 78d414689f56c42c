"""Runs of equal commands, MGET, MSET, EXEC by columns: the same replies, data and counters as one by one."""

from __future__ import annotations

import random

import pytest

from nogil_df.simulation import SimulatedClient, Simulation

Commands = list[list[bytes]]

KEYS = [b"key:%d" % number for number in range(30)]


def some_run(rng: random.Random) -> Commands:
    """A few to many calls of one command, now and then one with options or a wrong number of arguments."""
    name = rng.choice([b"GET", b"SET", b"INCR", b"set"])
    size = rng.choice([1, 3, 4, 5, 20, 120])
    calls = []
    for _ in range(size):
        key = rng.choice(KEYS)
        value = rng.choice([b"1", b"999", b"007", b"word", b"9223372036854775807", b"v" * 5000])
        calls.append([name, key, value] if name.upper() == b"SET" else [name, key])
        if rng.random() < 0.01:
            calls.append([name])
    return calls


def some_commands(rng: random.Random) -> Commands:
    """Runs, and what else goes by columns, over keys of several kinds."""
    commands: Commands = []
    for _ in range(12):
        kind = rng.randrange(7)
        keys = rng.choices(KEYS, k=rng.randrange(1, 12))
        if kind < 3:
            commands += some_run(rng)
        elif kind == 3:
            commands.append([b"MGET", *keys])
        elif kind == 4:
            commands.append([b"MSET", *(word for key in keys for word in (key, b"%d" % rng.randrange(2000)))])
        elif kind == 5:
            commands += [[b"MULTI"], *some_run(rng), [b"EXEC"]]
        else:
            commands += [[b"DEL", keys[0]], [b"RPUSH", keys[0], b"x"], [b"APPEND", keys[-1], b"1"]]
    return commands


def state(simulation: Simulation) -> tuple[object, ...]:
    """Data, hits, misses, changes and memory of the whole server."""
    shards = [thread.proactor.shard for thread in simulation.threads]
    records = sorted(
        (key, repr(value) if value.__class__ in (bytes, bytearray) else value.type_name)
        for shard in shards
        for key, value, _ in shard.dbs[0].table.items()
    )
    counters = [(shard.hits, shard.misses, shard.dirty, shard.dbs[0].used) for shard in shards]
    return records, counters


def run(client: SimulatedClient, simulation: Simulation, *commands: list[bytes]) -> None:
    client.send(*commands)
    simulation.run()


@pytest.mark.parametrize("shards", [1, 2, 3])
@pytest.mark.parametrize("observed", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_by_columns_as_one_by_one(shards: int, observed: bool, seed: int) -> None:
    commands = some_commands(random.Random(seed))
    pipelined, single = (Simulation(seed, shards) for _ in range(2))
    clients = [simulation.client(0) for simulation in (pipelined, single)]
    for client, simulation in zip(clients, (pipelined, single), strict=True):
        if observed:
            run(client, simulation, [b"CONFIG", b"SET", b"notify-keyspace-events", b"KEA"])
    run(clients[0], pipelined, *commands)
    for command in commands:
        run(clients[1], single, command)
    assert bytes(clients[0].output) == bytes(clients[1].output)
    assert state(pipelined) == state(single)
    calls = [
        {
            name: (command.calls, command.failed)
            for thread in simulation.threads[:1]
            for name, command in thread.dispatcher.table.items()
            if command.calls
        }
        for simulation in (pipelined, single)
    ]
    assert calls[0] == calls[1]
    for simulation in (pipelined, single):
        simulation.verify()


def test_watchers_notice_what_goes_by_columns() -> None:
    simulation = Simulation(1, 2)
    watcher, writer = simulation.client(0), simulation.client(1)
    for write in (
        [[b"SET", key, b"1"] for key in KEYS],
        [[b"MSET", *(word for key in KEYS for word in (key, b"1"))]],
        [[b"INCR", key] for key in KEYS],
    ):
        run(watcher, simulation, [b"WATCH", KEYS[3]], [b"MULTI"], [b"PING"])
        run(writer, simulation, *write)
        watcher.output.clear()
        run(watcher, simulation, [b"EXEC"])
        assert bytes(watcher.output) == b"*-1\r\n"


def test_commands_run_are_counted_once() -> None:
    simulation = Simulation(1, 2)
    client = simulation.client(0)
    run(client, simulation, *[[b"SET", key, b"1"] for key in KEYS])
    assert client.session.commands_run == len(KEYS)
    mixed = [
        [b"PING"],
        *[[b"GET", key] for key in KEYS],
        [b"STRLEN", KEYS[0]],
        [b"NO-SUCH-COMMAND"],
        [b"GET"],
        *[[name, key] for key in KEYS for name in (b"GET", b"STRLEN")],
        [b"MGET", *KEYS],
        [b"INCRBY", KEYS[1], b"x"],
        [b"EXISTS", *KEYS],
        [b"PING"],
        *[[b"GET", key] for key in KEYS[:2]],
    ]
    run(client, simulation, *mixed)
    assert client.session.commands_run == len(KEYS) + len(mixed)
