"""A claim that is given back: the waiter keeps its place, and its wait can end at any moment of that."""

from __future__ import annotations

import pytest

from nogil_df.base.flags import Options
from nogil_df.commands.registry import all_rows
from nogil_df.simulation import SimulatedClient, Simulation
from nogil_df.vll.blocking import rejoin
from nogil_df.vll.engine import WAITING
from nogil_df.vll.part import Part

_NAMES = frozenset("RPUSH LPOP LLEN BLMOVE MULTI EXEC".split())
ROWS = tuple(row for row in all_rows() if row.name in _NAMES)


def server(seed: int) -> tuple[Simulation, bytes, bytes]:
    """Two shards, and a key on each."""
    simulation = Simulation(seed, 2, Options(dbnum=1), ROWS)
    hash_key = simulation.threads[0].proactor.shard.hash_key
    keys: dict[int, bytes] = {}
    for number in range(20):
        key = b"key:%d" % number
        keys.setdefault((hash_key(key) >> 32) % 2, key)
    return simulation, keys[0], keys[1]


def test_the_waiter_comes_before_whoever_queues_for_the_key() -> None:
    simulation, source, target = server(1)
    mover, producer = simulation.client(0), simulation.client(0)
    mover.send([b"BLMOVE", source, target, b"LEFT", b"RIGHT", b"0"])
    simulation.run()
    proactor = simulation.threads[0].proactor
    (waiter,) = proactor.shard.dbs[0].waiting[source]
    producer.send([b"RPUSH", source, b"x"])
    producer.hand_over()
    proactor.outboxes[0].clear()
    (claim,) = proactor.engine.queue.parts
    reader = Part(0, None, {proactor.shard.hash_key(source)}, frozenset())
    assert proactor.engine.schedule(reader) == WAITING
    waiter.ticket.append(True)
    rejoin(proactor, (rejoin, waiter, source, claim))
    proactor.engine.verify()
    again = proactor.engine.queue.parts[0]
    assert again.tx_id < 0
    assert again.granted
    assert not reader.granted


def gives_way(simulation: Simulation) -> bool:
    """Whether a claim is on its way back."""
    return any(
        message[0] is rejoin
        for thread in simulation.threads
        for batch in thread.proactor.inbox
        for message in batch
    )


def play(seed: int, mover_timeout: bytes) -> tuple[Simulation, list[SimulatedClient], bool]:
    """Two that want each other's keys, until one of them is about to give its claim back, if it has to."""
    simulation, one, two = server(seed)
    movers = [simulation.client(), simulation.client()]
    movers[0].send([b"BLMOVE", one, two, b"LEFT", b"RIGHT", mover_timeout])
    movers[1].send([b"BLMOVE", two, one, b"LEFT", b"RIGHT", mover_timeout])
    simulation.run()
    producer = simulation.client()
    producer.send([b"MULTI"], [b"RPUSH", one, b"x"], [b"RPUSH", two, b"y"], [b"EXEC"])
    while not gives_way(simulation):
        if not simulation.step():
            return simulation, movers, False
    return simulation, movers, True


def settled(simulation: Simulation) -> None:
    simulation.run()
    simulation.verify()
    for thread in simulation.threads:
        assert not thread.proactor.shard.dbs[0].waiting
        assert thread.state.timers.next_time() is None


@pytest.mark.parametrize("how", ["time", "leave", "unblock"])
def test_a_wait_may_end_while_a_claim_is_given_back(how: str) -> None:
    """The one who gave way must not stand in a line for ever after."""
    hit = 0
    for seed in range(60):
        simulation, movers, found = play(seed, b"1")
        hit += found
        if found and how == "leave":
            for mover in movers:
                mover.close(after_replies=False)
                mover.thread.proactor.finish_turn()
        elif found and how == "unblock":
            assert any(mover.session.unblock(None) for mover in movers)
            for thread in simulation.threads:
                thread.proactor.finish_turn()
        else:
            simulation.advance(2000)
        settled(simulation)
        for mover in movers:
            assert mover.closed or mover.output, f"seed {seed}: it waits for ever"
    assert hit > 5
