"""A claim that is given back: the waiter keeps its place, and its wait can end at any moment of that."""

from __future__ import annotations

from typing import Any

import pytest

from nogil_df.base.flags import Options
from nogil_df.commands.registry import all_rows
from nogil_df.shard.shard import Shard
from nogil_df.simulation import SimulatedClient, Simulation
from nogil_df.vll.blocking import rejoin, serve_if_there
from nogil_df.vll.engine import GRANTED, WAITING, ask_to_give_way
from nogil_df.vll.part import Part

_NAMES = frozenset("RPUSH LPOP LLEN BLPOP BLMOVE PEXPIRE MULTI EXEC".split())
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


def under_way(simulation: Simulation, handler: str) -> list[tuple[Any, ...]]:
    """The messages of a kind that are in an inbox."""
    return [
        message
        for thread in simulation.threads
        for batch in thread.proactor.inbox
        for message in batch
        if message[0].__name__ == handler
    ]


def play(seed: int, mover_timeout: bytes) -> tuple[Simulation, list[SimulatedClient], bool]:
    """Two that want each other's keys, until one of them is about to give its claim back, if it has to."""
    simulation, one, two = server(seed)
    movers = [simulation.client(), simulation.client()]
    movers[0].send([b"BLMOVE", one, two, b"LEFT", b"RIGHT", mover_timeout])
    movers[1].send([b"BLMOVE", two, one, b"LEFT", b"RIGHT", mover_timeout])
    simulation.run()
    producer = simulation.client()
    producer.send([b"MULTI"], [b"RPUSH", one, b"x"], [b"RPUSH", two, b"y"], [b"EXEC"])
    while not under_way(simulation, "rejoin"):
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


def push_for_a_moment(simulation: Simulation, key: bytes) -> None:
    """Push to a key of the first shard, which expires before anybody can look at it in another turn."""
    producer = simulation.client(0)
    producer.send([b"MULTI"], [b"RPUSH", key, b"x"], [b"PEXPIRE", key, b"5"], [b"EXEC"])
    producer.hand_over()
    producer.thread.proactor.finish_turn()
    simulation.clock.advance(10)


def test_who_is_claimed_for_what_expires_waits_on() -> None:
    simulation, source, target = server(1)
    mover = simulation.client(1)
    mover.send([b"BLMOVE", source, target, b"LEFT", b"RIGHT", b"1"])
    simulation.run()
    push_for_a_moment(simulation, source)
    simulation.run()
    assert not mover.output
    assert simulation.threads[0].proactor.shard.dbs[0].waiting[source]
    simulation.advance(2000)
    settled(simulation)
    assert mover.output == b"*-1\r\n"


def test_a_move_within_a_shard_for_what_expires_waits_on() -> None:
    """The target is locked, so the move queues; when its turn comes the source has gone."""
    simulation, source, _ = server(1)
    proactor = simulation.threads[0].proactor
    hash_key = proactor.shard.hash_key
    target = next(key for key in (b"t%d" % number for number in range(20)) if (hash_key(key) >> 32) % 2 == 0)
    mover = simulation.client(1)
    mover.send([b"BLMOVE", source, target, b"LEFT", b"RIGHT", b"0"])
    simulation.run()
    other = Part(0, None, frozenset(), {hash_key(target)})
    assert proactor.engine.schedule(other) == GRANTED
    push_for_a_moment(simulation, source)
    # The other one runs already, and need not be asked to give way.
    proactor.inbox.clear()
    proactor.tick()
    proactor.engine.conclude(other)
    proactor.finish_turn()
    simulation.run()
    assert not mover.output
    late = simulation.client(0)
    late.send([b"RPUSH", source, b"y"])
    settled(simulation)
    assert mover.output == b"$1\r\ny\r\n"


def test_a_pop_over_shards_of_what_expires_between_its_hops_waits() -> None:
    simulation, here, there = server(1)
    producer = simulation.client(0)
    producer.send([b"MULTI"], [b"RPUSH", here, b"x"], [b"PEXPIRE", here, b"5"], [b"EXEC"])
    simulation.run()
    popper = simulation.client(1)
    popper.send([b"BLPOP", here, there, b"0"])
    while not any(message[2][:1] == (serve_if_there,) for message in under_way(simulation, "_run")):
        assert simulation.step()
    simulation.clock.advance(10)
    simulation.run()
    assert not popper.output
    producer.send([b"RPUSH", there, b"y"])
    settled(simulation)
    assert popper.output == b"*2\r\n$%d\r\n%b\r\n$1\r\ny\r\n" % (len(there), there)


@pytest.mark.parametrize("steps", range(12))
def test_the_time_may_be_up_while_a_wait_starts_over(steps: int) -> None:
    simulation, source, target = server(1)
    mover = simulation.client(1)
    mover.send([b"BLMOVE", source, target, b"LEFT", b"RIGHT", b"1"])
    simulation.run()
    push_for_a_moment(simulation, source)
    for _ in range(steps):
        simulation.step()
    simulation.advance(2000)
    settled(simulation)
    assert mover.output in (b"*-1\r\n", b"$1\r\nx\r\n")


def test_a_line_that_is_left_to_a_waiting_move_has_its_turn_when_that_is_over() -> None:
    """Keys of two databases share their intents: a move within one keeps the other's line waiting."""
    simulation = Simulation(
        1, 1, Options(dbnum=2), [*ROWS, *[row for row in all_rows() if row.name == "SELECT"]]
    )
    proactor = simulation.threads[0].proactor
    hash_key = proactor.shard.hash_key
    movers = [simulation.client(), simulation.client()]
    movers[0].send([b"BLMOVE", b"s", b"t", b"LEFT", b"RIGHT", b"0"])
    movers[1].send([b"SELECT", b"1"], [b"BLMOVE", b"t", b"x", b"LEFT", b"RIGHT", b"0"])
    simulation.run()
    other = Part(0, None, frozenset(), {hash_key(b"t")})
    assert proactor.engine.schedule(other) == GRANTED
    producer = simulation.client()
    producer.send([b"RPUSH", b"s", b"e"])
    producer.hand_over()
    assert proactor.engine.queue.parts[0].tx_id < 0
    proactor.outboxes[0].clear()
    row = next(row for row in ROWS if row.name == "RPUSH")
    assert row.op is not None
    op = row.op

    def push(shard: Shard, argument: None) -> None:
        op(shard.dbs[1], [b"", b"t", b"f"], hash_key(b"t"))

    proactor.engine.run(other, (push, None), True)
    proactor.finish_turn()
    simulation.run()
    simulation.verify()
    assert movers[0].output.endswith(b"$1\r\ne\r\n")
    assert movers[1].output.endswith(b"$1\r\nf\r\n")


def test_an_early_claim_that_is_asked_to_give_way_does() -> None:
    """A shard may claim a waiter before its coordinator knows that it waits; what is asked then counts."""
    simulation, source, target = server(1)
    mover = simulation.client(1)
    mover.send([b"BLMOVE", source, target, b"LEFT", b"RIGHT", b"0"])
    proactor = simulation.threads[0].proactor
    while not proactor.shard.dbs[0].waiting:
        assert simulation.step()
    # The answer of the shard that let it wait stays where it is until the claim has overtaken it.
    coordinator = simulation.threads[1].proactor
    (answer,) = coordinator.inbox
    coordinator.inbox.clear()
    simulation.client(0).send([b"RPUSH", source, b"e"])
    simulation.step()
    coordinator.drain()
    (claim,) = proactor.engine.queue.parts
    coordinator.inbox.append(((ask_to_give_way, claim.token, claim.tx_id),))
    coordinator.drain()
    coordinator.inbox.append(answer)
    coordinator.drain()
    coordinator.finish_turn()
    assert under_way(simulation, "rejoin")
    settled(simulation)
    assert mover.output == b"$1\r\ne\r\n"
