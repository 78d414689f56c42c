"""Scripts over several shards that provably touch only their KEYS: suspended at each call elsewhere."""

from __future__ import annotations

import pytest

from nogil_df.simulation import SimulatedClient, Simulation
from tests.commands.console import Console
from tests.resp import Decoder, Reply

BOTH = (
    b"redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[1]) "
    b"return redis.call('GET', KEYS[1])"
)


def keys_apart(simulation: Simulation) -> list[bytes]:
    """One key of each shard."""
    shard = simulation.threads[0].proactor.shard
    found: dict[int, bytes] = {}
    for number in range(100):
        key = b"k%d" % number
        found.setdefault((shard.hash_key(key) >> 32) % shard.count, key)
    return [found[index] for index in range(shard.count)]


@pytest.fixture
def redis() -> Console:
    return Console(shards=3, thread=0)


def test_values_errors_and_numbers_are_those_of_any_script(redis: Console) -> None:
    a, b, c = keys_apart(redis.simulation)
    for _ in range(2):
        assert redis.run(b"EVAL", BOTH, b"2", a, b, b"x") == Reply("$", b"x")
    assert redis.run(b"MGET", a, b) == Reply("*", (Reply("$", b"x"), Reply("$", b"x")))
    count = (
        b"local n = 0 for i = 1, 3 do n = n + redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2]) end "
        b"return n"
    )
    redis.run(b"DEL", a, b)
    assert redis.run(b"EVAL", count, b"2", a, b) == Reply(":", 12)
    redis.run(b"SET", b, b"text")
    error = redis.run(b"EVAL", count, b"2", a, b)
    assert error.kind == "-"
    assert error.value.startswith(b"ERR value is not an integer or out of range")
    caught = (
        b"local r = redis.pcall('INCR', KEYS[2]) "
        b"return {r.err, redis.call('GET', KEYS[1]), redis.call('GET', KEYS[3])}"
    )
    reply = redis.run(b"EVAL", caught, b"3", a, b, c)
    assert reply.value[0].value.startswith(b"ERR value is not an integer")
    assert reply.value[1:] == (Reply("$", b"4"), Reply("$", None))
    several = b"return {redis.call('MGET', KEYS[1], KEYS[2]), redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])}"
    found = redis.run(b"EVAL", several, b"3", a, b, c)
    assert found.value == (Reply("*", (Reply("$", b"4"), Reply("$", b"text"))), Reply(":", 2))


def test_a_client_that_leaves_lets_its_script_end(redis: Console) -> None:
    a, b, _ = keys_apart(redis.simulation)
    redis.run(b"EVAL", BOTH, b"2", a, b, b"x")
    leaving = redis.another(thread=1)
    for steps in range(12):
        leaving = redis.another(thread=1)
        leaving.client.send([b"EVAL", BOTH, b"2", a, b, b"%d" % steps])
        for _ in range(steps):
            redis.simulation.step()
        leaving.client.close(after_replies=False)
        leaving.client.thread.proactor.finish_turn()
        redis.simulation.run()
        one, other = redis.run(b"MGET", a, b).value
        assert one == other
    redis.simulation.verify()


@pytest.mark.parametrize("seed", range(40))
def test_nobody_sees_half_of_it(seed: int) -> None:
    simulation = Simulation(seed, 3)
    a, b, _ = keys_apart(simulation)
    writers = [simulation.client() for _ in range(3)]
    readers = [simulation.client() for _ in range(2)]
    for number, client in enumerate(writers):
        for turn in range(6):
            value = b"%d.%d" % (number, turn)
            client.send(
                [b"EVAL", BOTH, b"2", a, b, value] if turn % 2 else [b"EVAL", BOTH, b"2", b, a, value]
            )
    for client in readers:
        for _ in range(10):
            client.send(
                [b"MGET", a, b],
                [b"EVAL", b"return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}", b"2", a, b],
            )
    simulation.run()
    simulation.verify()
    for client in readers:
        for reply in replies_of(client):
            one, other = reply.value
            assert one == other, f"seed {seed}: {reply}"


def replies_of(client: SimulatedClient) -> list[Reply]:
    """Everything a client was sent."""
    decoder = Decoder()
    decoder.feed(bytes(client.output))
    return list(iter(decoder.next, None))
