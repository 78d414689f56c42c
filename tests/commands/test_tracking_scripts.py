"""Client-side caching and scripts: a client is told of what the commands of its scripts read."""

from __future__ import annotations

import pytest

from tests.commands.console import Console
from tests.commands.test_tracking import OK, told


@pytest.fixture(params=[1, 3])
def reader(request: pytest.FixtureRequest) -> Console:
    console = Console(shards=request.param, protocol=3)
    assert console("CLIENT TRACKING ON") == OK
    return console


READS = "return redis.call('MGET', 'a', 'b', 'c', 'd', 'e')"


def test_keys_that_a_script_does_not_name_are_tracked(reader: Console) -> None:
    writer = reader.another()
    reader(f'EVAL "{READS}" 1 other')
    writer("MSET a 1 b 1 c 1 d 1 e 1 other 1")
    assert sorted(told(reader)) == [b"a", b"b", b"c", b"d", b"e"]
    writer("SET a 2")
    assert told(reader) == []


def test_keys_that_it_names_are_tracked_when_they_are_read(reader: Console) -> None:
    writer = reader.another()
    script = "redis.call('SET', KEYS[1], 1) return redis.call('GET', KEYS[2])"
    for first, second in ("ab", "cd", "ef"):
        reader(f'EVAL "{script}" 2 {first} {second}')
    writer("MSET a 2 b 2 c 2 d 2 e 2 f 2")
    assert sorted(told(reader)) == [b"b", b"d", b"f"]


def test_what_a_script_reads_and_then_writes_is_told_to_its_own_client(reader: Console) -> None:
    script = b"redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], 1)"
    reader.client.send([b"EVAL", script, b"1", b"a"])
    reader.simulation.run()
    reply, push = reader.replies()
    assert reply.value is None
    assert push.value[0].value == b"invalidate"


def test_scripts_inside_exec(reader: Console) -> None:
    writer = reader.another()
    reader("MULTI")
    reader(f'EVAL "{READS}" 0')
    reader("GET x")
    reader("EXEC")
    writer("MSET a 1 e 1 x 1")
    assert sorted(told(reader)) == [b"a", b"e", b"x"]


def test_functions(reader: Console) -> None:
    writer = reader.another()
    function = f"redis.register_function('read', function() {READS} end)"
    assert reader.run(b"FUNCTION", b"LOAD", b"#!lua name=readers\n" + function.encode()).kind == "$"
    reader("FCALL read 0")
    writer("MSET a 1 e 1")
    assert sorted(told(reader)) == [b"a", b"e"]


def test_opt_in_is_asked_for_scripts_as_well(reader: Console) -> None:
    writer = reader.another()
    reader("CLIENT TRACKING ON OPTIN")
    reader(f'EVAL "{READS}" 0')
    writer("SET a 1")
    assert told(reader) == []
    reader("CLIENT CACHING YES")
    reader(f'EVAL "{READS}" 0')
    writer("SET a 2")
    assert told(reader) == [b"a"]


def test_another_clients_script_is_not_noted_for_this_one(reader: Console) -> None:
    writer = reader.another()
    reader(f'EVAL "{READS}" 0')
    writer("SET a 1")
    assert told(reader) == [b"a"]
    writer(f'EVAL "{READS}" 0')
    writer("SET a 2")
    assert told(reader) == []


@pytest.mark.parametrize("shards", [1, 3])
def test_no_loop_spares_what_own_scripts_write_and_nothing_else(shards: int) -> None:
    """Shipped to a shard, suspended, locking everything on the coordinator, by EXEC, by a function."""
    write = "for i = 1, #KEYS do redis.call('SET', KEYS[i], 1) end"
    library = b"#!lua name=l\nredis.register_function('write', function(keys) for i = 1, #keys do "
    library += b"redis.call('SET', keys[i], 1) end end)"
    keys = "a b c d e"
    for seed in range(10):
        console = Console(shards=shards, protocol=3, seed=seed)
        writer = console.another()
        assert writer.run(b"FUNCTION", b"LOAD", library).value == b"l"
        console("CLIENT TRACKING ON NOLOOP")
        for line in (
            f'EVAL "{write}" 5 {keys}',
            "EVAL \"redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[2], 2)\" 2 a b",
            "EVAL \"local k = 'a' redis.call('SET', k, 1) redis.call('MSET', 'b', 1, 'c', 2, 'd', 3)\" 0",
            f'EVAL "{write}" 1 a',
            f"FCALL write 5 {keys}",
            "FCALL write 1 b",
        ):
            console(f"MGET {keys}")
            console(line)
            assert told(console) == [], f"seed {seed}: {line}"
            console(f"MGET {keys}")
            for queued in ("MULTI", line, "EXEC"):
                console(queued)
            assert told(console) == [], f"seed {seed}: {line} in EXEC"
        console(f"MGET {keys}")
        console.client.send([b"EVAL", write.encode(), b"2", b"a", b"b"])
        writer.client.send([b"MSET", b"c", b"theirs", b"d", b"theirs"])
        console.simulation.run()
        pushes = [reply.value[1].value[0].value for reply in console.replies() if reply.kind == ">"]
        assert sorted(pushes) == [b"c", b"d"], f"seed {seed}"
        assert all(thread.proactor.shard.writer == 0 for thread in console.simulation.threads)
