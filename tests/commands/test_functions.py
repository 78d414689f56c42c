"""FUNCTION and FCALL on several shards: every thread has what was loaded, or none has; locks; races."""

from __future__ import annotations

import pytest

from nogil_df.commands.functions import libraries_of
from nogil_df.simulation import Simulation
from tests.commands.console import Console
from tests.resp import Decoder, Reply

OK = Reply("+", b"OK")
NOT_FOUND = Reply("-", b"ERR Function not found")
KEYS = [b"key:%d" % number for number in range(8)]

LIBRARY = b"""#!lua name=lib
redis.register_function('set', function(keys, args) return redis.call('SET', keys[1], args[1]) end)
redis.register_function('get', function(keys) return redis.call('GET', keys[1]) end)
redis.register_function('move', function(keys, args)
  local amount = redis.call('GET', keys[1])
  redis.call('SET', keys[2], amount)
  redis.call('DEL', keys[1])
  return amount
end)
redis.register_function('any', function(keys, args) return redis.call('SET', args[1], args[2]) end)
redis.register_function('nothing', function() return 'nothing' end)
"""


def version(number: int) -> bytes:
    """A library whose functions return a number."""
    return b"""#!lua name=lib
    redis.register_function('alone', function() return %d end)
    redis.register_function('keyed', function(keys) redis.call('GET', keys[1]) return %d end)
    redis.register_function('any', function(keys, args) redis.call('GET', args[1]) return %d end)
    """ % (number, number, number)


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console()


def epochs(simulation: Simulation) -> list[int]:
    """How many changes each thread has made."""
    return [libraries_of(thread.state).epoch for thread in simulation.threads]


def codes(simulation: Simulation) -> list[list[bytes]]:
    """What each thread has."""
    return [
        [library.code for library in libraries_of(thread.state).by_name.values()]
        for thread in simulation.threads
    ]


def test_every_thread_has_what_was_loaded(redis: Console) -> None:
    assert redis.run(b"FUNCTION", b"LOAD", LIBRARY) == Reply("$", b"lib")
    assert codes(redis.simulation) == [[LIBRARY]] * 3
    for thread in range(3):
        other = redis.another(thread)
        for key in KEYS:
            assert other.run(b"FCALL", b"set", b"1", key, b"v") == OK
            assert other.run(b"FCALL", b"get", b"1", key) == Reply("$", b"v")
        assert other("FCALL nothing 0") == Reply("$", b"nothing")
        assert other("FUNCTION STATS").value[3].value[1].value[1] == Reply(":", 1)
    assert redis("FUNCTION DELETE lib") == OK
    assert codes(redis.simulation) == [[]] * 3
    assert [redis.another(thread)("FCALL nothing 0") for thread in range(3)] == [NOT_FOUND] * 3


def test_reading_tells_which_functions_keep_to_their_keys(redis: Console) -> None:
    redis.run(b"FUNCTION", b"LOAD", LIBRARY)
    functions = libraries_of(redis.simulation.threads[2].state).functions
    assert {name for name, function in functions.items() if function.declared} == {
        b"set",
        b"get",
        b"move",
        b"nothing",
    }
    assert {name for name, function in functions.items() if function.writes} == {b"set", b"move", b"any"}


@pytest.mark.parametrize("source", KEYS[:4])
@pytest.mark.parametrize("target", KEYS[4:])
def test_keys_on_any_shards(redis: Console, source: bytes, target: bytes) -> None:
    redis.run(b"FUNCTION", b"LOAD", LIBRARY)
    redis.run(b"SET", source, b"v")
    assert redis.run(b"FCALL", b"move", b"2", source, target) == Reply("$", b"v")
    assert redis.run(b"GET", target) == Reply("$", b"v")
    assert redis.run(b"EXISTS", source) == Reply(":", 0)
    assert redis.run(b"FCALL", b"any", b"0", source, b"w") == OK
    assert redis.run(b"GET", source) == Reply("$", b"w")


def test_in_exec(redis: Console) -> None:
    redis("MULTI")
    redis.run(b"FUNCTION", b"LOAD", LIBRARY)
    for key in KEYS:
        redis.run(b"FCALL", b"set", b"1", key, b"v")
    redis("FCALL move 2 key:0 other")
    redis("FUNCTION DELETE lib")
    redis("FCALL nothing 0")
    replies = redis("EXEC").value
    assert replies == (Reply("$", b"lib"), *[OK] * 8, Reply("$", b"v"), OK, NOT_FOUND)
    assert redis("GET other") == Reply("$", b"v")
    assert codes(redis.simulation) == [[]] * 3


def test_a_thread_that_cannot_load_stops_all(redis: Console) -> None:
    redis.run(b"FUNCTION", b"LOAD", version(1))
    # One thread has a library that the others have not: what they load collides there.
    odd = libraries_of(redis.simulation.threads[1].state)
    odd.prepare_load(b"#!lua name=odd\nredis.register_function('extra', function() return 1 end)", False)
    odd.commit()
    before = codes(redis.simulation)
    new = b"#!lua name=lib\nredis.register_function('extra', function() return 1 end)"
    for thread in (0, 2):
        reply = redis.another(thread).run(b"FUNCTION", b"LOAD", b"REPLACE", new)
        assert reply == Reply("-", b"ERR Function extra already exists")
        assert codes(redis.simulation) == before
    assert [redis.another(thread)("FCALL alone 0").value for thread in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("seed", range(60))
def test_a_new_version_is_seen_by_all_or_none(seed: int) -> None:
    """Clients call functions while somebody replaces the library: for each client the version only grows, and
    what begins after a reply of the new version never runs the old one.
    """
    simulation = Simulation(seed=seed, shards=3)
    first = Console(simulation=simulation, thread=seed % 3)
    first.run(b"FUNCTION", b"LOAD", version(0))
    latest = 0
    late: list[tuple[int, int]] = []

    def watch(client: object) -> None:
        nonlocal latest
        replies = read(client)
        for reply in replies:
            assert reply.kind == ":", reply
            if reply.value < begun[client]:
                late.append((begun[client], reply.value))
            latest = max(latest, reply.value)

    decoders: dict[object, Decoder] = {}
    begun: dict[object, int] = {}

    def read(client: object) -> list[Reply]:
        decoder = decoders.setdefault(client, Decoder())
        decoder.feed(bytes(client.output))  # type: ignore[attr-defined]
        client.output.clear()  # type: ignore[attr-defined]
        return list(iter(decoder.next, None))

    def begin(client: object) -> None:
        begun[client] = latest

    callers = [simulation.client(number % 3) for number in range(6)]
    for number, caller in enumerate(callers):
        caller.on_hand_over = begin
        caller.on_reply = watch
        for turn in range(12):
            key = KEYS[(number + turn) % len(KEYS)]
            kind = (seed + number + turn) % 4
            if kind == 0:
                caller.send([b"FCALL", b"alone", b"0"])
            elif kind == 1:
                caller.send([b"FCALL", b"keyed", b"1", key])
            elif kind == 2:
                caller.send([b"FCALL", b"keyed", b"3", *KEYS[:3]])
            else:
                caller.send([b"FCALL", b"any", b"0", key])
    loaders = [simulation.client(number) for number in range(3)]
    for turn in range(1, 5):
        loaders[0].send([b"FUNCTION", b"LOAD", b"REPLACE", version(turn)])
    for loader in loaders[1:]:
        loader.send([b"FUNCTION", b"LOAD", b"REPLACE", b"#!lua name=lib\nerror()"])
        loader.send([b"FUNCTION", b"LIST"])
    simulation.run()
    assert not late
    assert codes(simulation) == [[version(4)]] * 3
    assert epochs(simulation) == [5] * 3


@pytest.mark.parametrize("seed", range(20))
def test_competing_loads_leave_all_threads_alike(seed: int) -> None:
    simulation = Simulation(seed=seed, shards=3)
    clients = [simulation.client(number % 3) for number in range(6)]
    for number, client in enumerate(clients):
        client.send([b"FUNCTION", b"LOAD", version(number)])
        client.send([b"FUNCTION", b"LOAD", b"REPLACE", version(number + 10)])
        if number == 3:
            client.send([b"FUNCTION", b"FLUSH"])
    simulation.run()
    (one, *others) = codes(simulation)
    assert others == [one, one]
    assert len(set(epochs(simulation))) == 1
    for thread in simulation.threads:
        assert not thread.proactor.engine.locks


def test_info_tells_what_there_is(redis: Console) -> None:
    redis.run(b"FUNCTION", b"LOAD", LIBRARY)
    memory = dict(
        line.split(":") for line in redis.value("INFO memory").decode().split("\r\n") if ":" in line
    )
    assert memory["number_of_libraries"] == "1"
    assert memory["number_of_functions"] == "5"
    assert int(memory["used_memory_functions"]) > 3 * len(LIBRARY)


def test_the_whole_payload_comes_back(redis: Console) -> None:
    redis.run(b"FUNCTION", b"LOAD", LIBRARY)
    payload = redis("FUNCTION DUMP").value
    redis("FUNCTION FLUSH")
    assert redis.run(b"FUNCTION", b"RESTORE", payload) == OK
    assert codes(redis.simulation) == [[LIBRARY]] * 3
