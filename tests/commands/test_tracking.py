"""Client-side caching over threads: nobody keeps a copy that is out of date without having been told."""

from __future__ import annotations

import random
from typing import Any

import pytest

from nogil_df.simulation import Simulation
from tests.commands.console import Console
from tests.resp import Decoder, Reply

OK = Reply("+", b"OK")
SCRIPT = b"redis.call('INCR', KEYS[1]) redis.call('INCR', KEYS[2]) return redis.call('INCR', KEYS[2])"


def told(console: Console) -> list[Any]:
    """The keys that a console was told of since the last look; None for all of them."""
    found: list[Any] = []
    for reply in console.replies():
        kind, keys = reply.value[-2:] if reply.value[0].value == b"message" else reply.value
        assert kind.value in (b"invalidate", b"__redis__:invalidate")
        found += [None] if keys.value is None else [key.value for key in keys.value]
    return found


@pytest.fixture
def reader() -> Console:
    console = Console(shards=3, protocol=3)
    assert console("CLIENT TRACKING ON") == OK
    return console


def test_a_read_key_is_told_of_once(reader: Console) -> None:
    writer = reader.another()
    reader("MGET a b c d e")
    for key in "abcde":
        writer(f"SET {key} 1")
    assert sorted(told(reader)) == [b"a", b"b", b"c", b"d", b"e"]
    writer("SET a 2")
    assert told(reader) == []
    reader("GET a")
    writer("DEL a")
    assert told(reader) == [b"a"]


def test_what_was_not_read_is_not_told(reader: Console) -> None:
    writer = reader.another()
    reader("SET a 1")
    told(reader)
    writer("SET a 2")
    writer("SET b 2")
    assert told(reader) == []


def test_expiry_rename_and_flush_are_told(reader: Console) -> None:
    writer = reader.another()
    writer("MSET a 1 b 2")
    writer("SET c 3 PX 10")
    reader("MGET a b c")
    writer("RENAME a d")
    assert told(reader) == [b"a"]
    reader.simulation.advance(20)
    writer("EXISTS c")
    assert told(reader) == [b"c"]
    writer("FLUSHALL")
    assert set(told(reader)) == {None}
    writer("SET b 3")
    assert told(reader) == []


def test_keys_read_inside_exec_and_lists_that_are_popped(reader: Console) -> None:
    writer = reader.another()
    for line in ("MULTI", "GET a", "LRANGE l 0 -1", "EXEC"):
        reader(line)
    writer("RPUSH l x")
    writer("SET a 1")
    assert sorted(told(reader)) == [b"a", b"l"]


def test_opt_in_and_opt_out() -> None:
    console = Console(shards=2, protocol=3)
    writer = console.another()
    console("CLIENT TRACKING ON OPTIN")
    console("GET a")
    console("CLIENT CACHING YES")
    console("GET b")
    console("GET c")
    for key in "abc":
        writer(f"SET {key} 1")
    assert told(console) == [b"b"]
    assert console("CLIENT CACHING NO").kind == "-"
    assert console("CLIENT TRACKING ON OPTOUT").kind == "-"
    console("CLIENT TRACKING OFF")
    console("CLIENT TRACKING ON OPTOUT")
    console("CLIENT CACHING NO")
    console("GET a")
    console("GET b")
    writer("SET a 2")
    writer("SET b 2")
    assert told(console) == [b"b"]


def test_broadcast_tells_of_prefixes_on_every_shard() -> None:
    console = Console(shards=3, protocol=3)
    writer = console.another()
    console("CLIENT TRACKING ON BCAST PREFIX user: PREFIX job:")
    for number in range(6):
        writer(f"SET user:{number} x")
        writer(f"SET other:{number} x")
    writer("SET job:1 x")
    assert sorted(told(console)) == [b"job:1", *[b"user:%d" % number for number in range(6)]]
    assert console("CLIENT TRACKING ON BCAST PREFIX us").value.startswith(b"ERR Prefix 'us' overlaps")
    console("CLIENT TRACKING OFF")
    writer("SET user:1 y")
    assert told(console) == []
    assert not any(thread.proactor.shard.tracking for thread in console.simulation.threads)


def test_no_loop_spares_own_writes_only() -> None:
    console = Console(shards=3, protocol=3)
    writer = console.another()
    console("CLIENT TRACKING ON NOLOOP")
    keys = [f"k{number}" for number in range(6)]
    console("MGET " + " ".join(keys))
    for key in keys:
        console(f"SET {key} mine")
    console("MSET " + " ".join(f"{key} mine" for key in keys))
    assert told(console) == []
    console("MGET " + " ".join(keys))
    console("MULTI")
    console("SET k0 mine")
    console("SET k1 mine")
    console("EXEC")
    assert told(console) == []
    console("MGET k0 k1")
    writer("MSET k0 theirs k1 theirs")
    assert sorted(told(console)) == [b"k0", b"k1"]


def test_redirection_to_another_client() -> None:
    reader = Console(shards=3, protocol=2, thread=0)
    target = reader.another(thread=1)
    writer = reader.another(thread=2)
    number = target("CLIENT ID").value
    target("SUBSCRIBE __redis__:invalidate")
    assert (
        reader("CLIENT TRACKING ON REDIRECT 9999").value
        == b"ERR The client ID you want redirect to does not exist"
    )
    assert reader(f"CLIENT TRACKING ON REDIRECT {number}") == OK
    assert reader("CLIENT GETREDIR") == Reply(":", number)
    reader("MGET a b")
    writer("MSET a 1 b 2")
    assert sorted(told(target)) == [b"a", b"b"]
    reader("GET a")
    target.client.close(after_replies=False)
    target.client.thread.proactor.finish_turn()
    writer("SET a 2")
    assert b"broken_redirect" in str(reader("CLIENT TRACKINGINFO")).encode()


def test_a_client_that_left_leaves_nothing_that_grows() -> None:
    console = Console(shards=2, protocol=3)
    other = console.another()
    console("CLIENT TRACKING ON BCAST PREFIX a")
    console.client.close(after_replies=False)
    console.client.thread.proactor.finish_turn()
    other("SET abc 1")
    assert not any(thread.proactor.shard.tracking.prefixes for thread in console.simulation.threads)


@pytest.mark.parametrize("steps", range(5))
def test_a_client_that_leaves_while_it_starts_leaves_nothing(steps: int) -> None:
    console = Console(shards=3, thread=0)
    console.client.send([b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"PREFIX", b"a"])
    for _ in range(steps):
        console.simulation.step()
    console.client.close(after_replies=False)
    console.client.thread.proactor.finish_turn()
    console.simulation.run()
    assert not any(thread.proactor.shard.tracking.prefixes for thread in console.simulation.threads)


def test_what_is_pinned_may_exceed_the_limit() -> None:
    notes = Console(shards=1).simulation.threads[0].proactor.shard.tracking
    notes.limit = 1
    notes.pin((0, 1), [b"a", b"b"])
    notes.pin((0, 2), [b"c", b"d"])
    notes.settle((0, 1), [b"a", b"b"])
    assert {*notes.keys} == {b"c", b"d"}
    notes.settle((0, 2), [b"c", b"d"])
    assert len(notes.keys) == 1
    notes.verify()


class InTheMiddle:
    """A script on one of two threads that waits for the other, which asks something of the first then."""

    def __init__(self) -> None:
        self.simulation = simulation = Simulation(1, 2)
        self.script = Console(simulation=simulation, thread=0)
        self.reader, self.writer = (
            Console(simulation=simulation, thread=1),
            Console(simulation=simulation, thread=1),
        )
        self.reader.client.session.proto = 3
        hash_key = simulation.threads[0].proactor.shard.hash_key
        keys = [b"k%d" % number for number in range(20)]
        here = [key for key in keys if (hash_key(key) >> 32) % 2 == 0]
        self.key, self.locked = here[0], (here[1], next(key for key in keys if key not in here))
        assert self.reader("CLIENT TRACKING ON") == OK

    def play(self, *asked: tuple[Console, list[bytes]]) -> None:
        """Start the script, and let what is asked arrive together with the answer that it starts with."""
        self.script.client.send([b"EVAL", SCRIPT, b"2", *self.locked])
        self.script.client.hand_over()
        self.simulation.threads[0].proactor.finish_turn()
        other = self.simulation.threads[1].proactor
        other.drain()
        for console, command in asked:
            console.client.send(command)
            console.client.hand_over()
        other.finish_turn()
        self.simulation.run()
        assert self.script.replies() == [Reply(":", 2)]


def test_a_read_that_is_served_in_the_middle_of_a_script_is_noted_before() -> None:
    """A script that waits for another shard serves what others ask of its own: notes, reads and writes."""
    scene = InTheMiddle()
    scene.play((scene.reader, [b"GET", scene.key]), (scene.writer, [b"SET", scene.key, b"new"]))
    first, answer = sorted(scene.reader.replies(), key=lambda reply: reply.kind != ">")
    assert answer == Reply("_", None)
    assert [key.value for key in first.value[1].value] == [scene.key]


def test_a_write_in_the_middle_of_a_script_is_told_before_it_is_answered() -> None:
    scene = InTheMiddle()
    scene.reader.run(b"GET", scene.key)
    known: list[list[Any]] = []
    scene.writer.client.on_reply = lambda client: known.append(told(scene.reader))
    scene.play((scene.writer, [b"SET", scene.key, b"new"]))
    assert known == [[scene.key]]


@pytest.mark.parametrize("seed", range(60))
def test_no_stale_copy_survives(seed: int) -> None:
    """Readers keep what they read until they are told; when all is quiet every copy is what is stored."""
    chance = random.Random(seed)
    simulation = Simulation(seed, 1 + seed % 3)
    keys = [b"k%d" % number for number in range(4)]
    readers = [simulation.client() for _ in range(3)]
    writers = [simulation.client() for _ in range(2)]
    for client in readers:
        client.session.proto = 3
        client.send([b"CLIENT", b"TRACKING", b"ON"])
    simulation.run()
    for client in readers:
        client.output.clear()
    asked: list[list[tuple[bytes, ...]]] = [[] for _ in readers]
    for number in range(30):
        for at, client in enumerate(readers):
            if chance.random() < 0.6:
                wanted = tuple(chance.sample(keys, chance.randrange(1, 3)))
                asked[at].append(wanted)
                client.send([b"MGET", *wanted] if len(wanted) > 1 else [b"GET", *wanted])
        for client in writers:
            if chance.random() < 0.6:
                one, other = chance.sample(keys, 2)
                value = b"%d" % number
                client.send(
                    [b"MSET", one, value, other, value] if chance.random() < 0.5 else [b"SET", one, value]
                )
        for _ in range(chance.randrange(30)):
            simulation.step()
    simulation.run()
    simulation.verify()
    now = Console(simulation=simulation)
    real = {key: now.run(b"GET", key).value for key in keys}
    for client, questions in zip(readers, asked, strict=True):
        decoder = Decoder()
        decoder.feed(bytes(client.output))
        copies: dict[bytes, bytes | None] = {}
        for reply in iter(decoder.next, None):
            if reply.kind == ">":
                for key in reply.value[1].value:
                    copies.pop(key.value, None)
                continue
            wanted = questions.pop(0)
            values = [item.value for item in reply.value] if len(wanted) > 1 else [reply.value]
            copies.update(zip(wanted, values, strict=True))
        assert not questions
        stale = {key: value for key, value in copies.items() if real[key] != value}
        assert not stale, f"seed {seed}: {stale} where there is {real}"
