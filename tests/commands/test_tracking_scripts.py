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
