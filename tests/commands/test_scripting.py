"""Scripts on a simulated server of several threads: one cache, atomicity across shards, users' rights."""

from __future__ import annotations

import pytest

from nogil_df.commands.script_cache import MOST_EVALS, sha1
from nogil_df.commands.scripting import Scripting
from nogil_df.simulation import Simulation
from tests.commands.console import Console
from tests.resp import Decoder

ADD = b"local n = redis.call('get', KEYS[1]) redis.call('set', KEYS[1], n + 1) redis.call('incr', KEYS[2])"
ADD_UNDECLARED = (
    b"local a = 'a' local n = redis.call('get', a) redis.call('set', a, n + 1) redis.call('incr', 'b')"
)


def test_a_script_is_known_to_every_thread() -> None:
    console = Console(shards=3, thread=0)
    name = sha1(b"return 5")
    assert console.run(b"EVALSHA", name, b"0").value.startswith(b"NOSCRIPT")
    assert console.run(b"EVAL", b"return 5", b"0").value == 5
    for thread in range(3):
        other = console.another(thread)
        assert other.run(b"SCRIPT", b"EXISTS", name, b"x").value[0].value == 1
        assert other.run(b"EVALSHA", name, b"0").value == 5
    assert console.another(2)("SCRIPT FLUSH").value == b"OK"
    for thread in range(3):
        assert console.another(thread).run(b"EVALSHA", name, b"0").value.startswith(b"NOSCRIPT")


def test_evals_are_forgotten_and_loaded_scripts_are_not() -> None:
    console = Console(shards=2, thread=0)
    loaded = console.run(b"SCRIPT", b"LOAD", b"return 'kept'").value
    for number in range(MOST_EVALS + 20):
        assert console.run(b"EVAL", b"return %d" % number, b"0").value == number
    for thread in console.simulation.threads:
        assert len(Scripting.of(thread.state).cache) == MOST_EVALS + 1
    assert console.another(1).run(b"EVALSHA", loaded, b"0").value == b"kept"
    assert console.run(b"EVALSHA", sha1(b"return 0"), b"0").value.startswith(b"NOSCRIPT")
    assert console.run(b"EVALSHA", sha1(b"return 519"), b"0").value == 519


def test_a_script_that_is_loaded_after_it_was_run_stays() -> None:
    console = Console(shards=2, thread=0)
    assert console.run(b"EVAL", b"return 'kept'", b"0").value == b"kept"
    name = console.run(b"SCRIPT", b"LOAD", b"return 'kept'").value
    for number in range(MOST_EVALS + 20):
        console.run(b"EVAL", b"return %d" % number, b"0")
    assert console.run(b"EVALSHA", name, b"0").value == b"kept"
    assert console.another(1).run(b"EVALSHA", name, b"0").value == b"kept"


@pytest.mark.parametrize("seed", range(25))
def test_a_script_that_becomes_known_while_its_exec_waits_has_its_locks(seed: int) -> None:
    simulation = Simulation(seed, shards=3)
    Console(simulation=simulation)("MSET a 0 b 0")
    script = b"local a = 'a' redis.call('incr', a) redis.call('incr', 'b') return redis.call('get', a)"
    callers = [simulation.client() for _ in range(3)]
    loader = simulation.client()
    for caller in callers:
        for _ in range(4):
            caller.send([b"MULTI"], [b"INCR", b"x"], [b"EVALSHA", sha1(script), b"0"], [b"EXEC"])
    for _ in range(3):
        loader.send([b"SCRIPT", b"LOAD", script], [b"INCR", b"y"], [b"SCRIPT", b"FLUSH"])
    simulation.run()
    for caller in callers:
        decoder = Decoder()
        decoder.feed(bytes(caller.output))
        outcomes = [reply.value[1] for reply in iter(decoder.next, None) if reply.kind == "*"]
        assert len(outcomes) == 4
        for outcome in outcomes:
            assert outcome.kind == "$" or outcome.value.startswith(b"NOSCRIPT")


@pytest.mark.parametrize("seed", range(25))
def test_scripts_are_atomic(seed: int) -> None:
    """Two keys that every script and every transaction moves together are equal whenever anybody looks."""
    simulation = Simulation(seed, shards=3)
    writers = [simulation.client() for _ in range(4)]
    readers = [simulation.client() for _ in range(2)]
    setup = Console(simulation=simulation)
    setup("MSET a 0 b 0")
    for number in range(6):
        for index, writer in enumerate(writers):
            if (index + number) % 3 == 0:
                writer.send([b"EVAL", ADD_UNDECLARED, b"0"])
            elif (index + number) % 3 == 1:
                writer.send([b"EVAL", ADD, b"2", b"a", b"b"])
            else:
                writer.send(
                    [b"MULTI"], [b"INCR", b"a"], [b"EVAL", b"redis.call('incr', 'b')", b"0"], [b"EXEC"]
                )
        for reader in readers:
            reader.send([b"EVAL_RO", b"return redis.call('mget', 'b', 'a')", b"0"])
            reader.send(
                [
                    b"EVAL",
                    b"return {redis.call('get', KEYS[1]), redis.call('get', KEYS[2])}",
                    b"2",
                    b"a",
                    b"b",
                ]
            )
    simulation.run()
    simulation.verify()
    for reader in readers:
        lines = bytes(reader.output).split(b"\r\n")
        values = [line for line in lines if line.isdigit()]
        assert len(values) == 24
        assert values[::2] == values[1::2], f"seed {seed}"
    assert [reply.value for reply in setup("MGET a b").value] == [b"24", b"24"]


def test_a_script_does_no_more_than_its_user_may() -> None:
    console = Console(shards=2)
    assert console("ACL SETUSER bob on nopass ~k* +@all -get").value == b"OK"
    assert console("AUTH bob x").value == b"OK"
    for script, problem in (
        (b"return redis.call('get', 'k1')", b"can't run this command"),
        (b"return redis.call('set', 'x', 1)", b"can't access at least one of the keys"),
    ):
        assert problem in console.run(b"EVAL", script, b"0").value
    assert console.run(b"EVAL", b"return redis.call('set', KEYS[1], 1)", b"1", b"k").value == b"OK"
    assert console.run(b"EVAL", b"return redis.acl_check_cmd('get', 'k')", b"0").value is None


def test_the_database_of_a_script_is_its_own() -> None:
    console = Console(shards=3)
    console("SELECT 2")
    assert console.run(b"EVAL", b"redis.call('set', 'a', 'two') redis.call('select', 3)", b"0").value is None
    assert console("GET a").value == b"two"
    assert console.run(b"EVAL", b"return redis.call('get', KEYS[1])", b"1", b"a").value == b"two"


def test_blocking_commands_do_not_block() -> None:
    console = Console(shards=3)
    assert console.run(b"EVAL", b"return redis.call('blpop', KEYS[1], 0)", b"1", b"l").value is None


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("keys", [b"0", b"1 a", b"5 a b c d e"])
def test_a_script_may_ask_all_threads(shards: int, keys: bytes) -> None:
    """Also several at once, on several threads, which then answer each other while they wait."""
    text = (
        b"redis.call('set', KEYS[1] or 'a', 1) redis.call('memory', 'stats') return #redis.call('info') > 100"
    )
    for seed in range(20):
        simulation = Simulation(seed, shards)
        consoles = [Console(simulation=simulation) for _ in range(4)]
        for console in consoles:
            console.client.send([b"EVAL", text, *keys.split()])
            console.client.send([b"EVAL", b"return redis.call('slowlog', 'len')", b"0"])
            console.client.send([b"SET", b"b", b"1"])
        simulation.run()
        for console in consoles:
            assert [reply.value for reply in console.replies()] == [1, 0, b"OK"], f"seed {seed}"
        simulation.verify()
