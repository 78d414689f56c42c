"""HOTKEYS: what is counted, on every way that a command can take; options and errors; bounded memory."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from nogil_df.base.top_keys import TopKeys, heaviest
from nogil_df.simulation import Simulation
from tests.resp import Connection, Reply, encode
from tests.servers import NogilServer


def plain(reply: Any) -> Any:
    """A reply without its types."""
    if isinstance(reply, Reply):
        return plain(reply.value)
    if isinstance(reply, list | tuple):
        return [plain(item) for item in reply]
    return reply


def pairs(flat: list[Any]) -> dict[Any, Any]:
    """A flat list of names and values."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def found(client: Connection) -> dict[bytes, Any]:
    """What HOTKEYS GET tells."""
    reply = client.execute("HOTKEYS", "GET")
    (fields,) = plain(reply)
    # A map comes as pairs.
    return dict(fields) if isinstance(fields[0], list) else pairs(fields)


@pytest.fixture(scope="module", params=[1, 2], ids=["threads1", "threads2"])
def server(request: pytest.FixtureRequest) -> Iterator[NogilServer]:
    """A server for the module."""
    with NogilServer(threads=request.param) as it:
        yield it


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(server: NogilServer, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A client; afterwards nothing is counted any more."""
    server.flush()
    with server.connect(protocol=request.param) as it:
        yield it
        it.execute("HOTKEYS", "STOP")
        it.execute("HOTKEYS", "RESET")


def test_nothing_is_counted_before_the_start_and_after_a_reset(client: Connection) -> None:
    """Null, as Redis answers it."""
    assert client.execute("HOTKEYS", "GET").value is None
    assert client.execute("HOTKEYS", "STOP").value is None
    assert client.execute("HOTKEYS", "START", "METRICS", "1", "CPU").value == b"OK"
    client.execute("SET", "k", "v")
    assert client.execute("HOTKEYS", "RESET").value == (
        b"ERR hotkey tracking session in progress, stop tracking first"
    )
    assert client.execute("HOTKEYS", "STOP").value == b"OK"
    assert found(client)[b"tracking-active"] == 0
    assert client.execute("HOTKEYS", "RESET").value == b"OK"
    assert client.execute("HOTKEYS", "GET").value is None


def test_a_pipeline_is_counted_to_the_byte(client: Connection) -> None:
    """Commands on one key, here and on other threads: a big value, a null, others; PING is nobody's."""
    client.execute("SET", "big", b"x" * 100_000)
    client.execute("HOTKEYS", "START", "METRICS", "2", "CPU", "NET")
    lines = [(b"SET", b"key:%d" % n, b"v" * 100) for n in range(4)]
    lines += [(b"GET", b"big"), (b"PING",), (b"RPUSH", b"list", b"a"), (b"GET", b"key:1"), (b"GET", b"none")]
    client.socket.sendall(b"".join(encode(line) for line in lines))
    for _ in lines:
        client.receive()
    fields = found(client)
    net = pairs(fields[b"by-net-bytes"])
    sizes = Counter[bytes]()
    for line in lines:
        if len(line) > 1:
            sizes[line[1]] += len(encode(line))
    replies = {b"key:1": 5 + 108, b"big": 100_011, b"list": 4, b"none": 5}
    for key, size in sizes.items():
        expected = size + replies.get(key, 5)
        # On other threads a big reply is one of several pieces, and requests are reckoned.
        assert net[key] == pytest.approx(expected, abs=16), key
    assert next(iter(net)) == b"big"
    assert set(pairs(fields[b"by-cpu-time-us"])) <= set(net)
    assert fields[b"total-net-bytes"] >= sum(net.values())


def test_what_takes_other_ways_is_counted_too(client: Connection) -> None:
    """Several keys, EXEC, scripts, blocking commands, other databases."""
    client.execute("HOTKEYS", "START", "METRICS", "1", "NET", "COUNT", "20")
    client.execute("MSET", "m1", "x" * 50, "m2", "x" * 50)
    client.execute("MGET", "m1", "m2", "m3")
    client.execute("MULTI")
    client.execute("SET", "e1", "v")
    client.execute("SET", "e2", "v")
    client.execute("EXEC")
    client.execute("EVAL", "return redis.call('set', KEYS[1], ARGV[1])", "1", "s1", "v")
    client.execute("LPUSH", "q", "a")
    client.execute("BLPOP", "q", "1")
    client.execute("SELECT", "1")
    client.execute("SET", "d1", "v")
    client.execute("SELECT", "0")
    net = pairs(found(client)[b"by-net-bytes"])
    assert set(net) == {b"m1", b"m2", b"m3", b"e1", b"e2", b"s1", b"q", b"d1"}
    assert net[b"m1"] > net[b"m3"]


@pytest.mark.parametrize("ratio", [1, 20])
def test_hot_keys_are_found(client: Connection, ratio: int) -> None:
    """Of 2,000 keys the ten that have most of the commands; with a sample in the order of their shares."""
    rng = random.Random(ratio)
    client.execute("HOTKEYS", "START", "METRICS", "2", "CPU", "NET", "SAMPLE", ratio)
    for _ in range(40):
        lines = []
        for _ in range(250):
            hot = rng.random() < 0.7
            key = b"hot:%d" % rng.randrange(10) if hot else b"cold:%d" % rng.randrange(2000)
            lines.append((b"SET", key, b"value"))
        client.socket.sendall(b"".join(encode(line) for line in lines))
        for _ in lines:
            client.receive()
    assert client.execute("HOTKEYS", "STOP").value == b"OK"
    fields = found(client)
    assert fields[b"sample-ratio"] == ratio
    net = pairs(fields[b"by-net-bytes"])
    assert set(net) == {b"hot:%d" % n for n in range(10)}
    assert sum(key.startswith(b"hot") for key in pairs(fields[b"by-cpu-time-us"])) >= 8
    share = sum(net.values()) * ratio / fields[b"total-net-bytes"]
    assert 0.4 < share < 0.9


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("", b"METRICS parameter is required"),
        ("METRICS", b"METRICS parameter is required"),
        ("COUNT 1", b"METRICS parameter is required"),
        ("METRICS 0", b"METRICS count must be > 0 and <= 2"),
        ("METRICS -1 CPU", b"METRICS count must be > 0 and <= 2"),
        ("METRICS 3 CPU NET", b"METRICS count must be > 0 and <= 2"),
        ("METRICS x CPU", b"METRICS count must be > 0 and <= 2"),
        ("METRICS 2 CPU", b"METRICS count does not match number of metric types provided"),
        ("METRICS 1 CPU NET", b"syntax error"),
        ("METRICS 1 GPU", b"METRICS no valid metrics passed. Supported: CPU|NET"),
        ("METRICS 2 CPU CPU", b"METRICS CPU defined more than once!"),
        ("METRICS 2 NET NET", b"METRICS NET defined more than once!"),
        ("METRICS 1 CPU COUNT", b"syntax error"),
        ("METRICS 1 CPU COUNT 0", b"COUNT must be between 1 and 64"),
        ("METRICS 1 CPU COUNT 65", b"COUNT must be between 1 and 64"),
        ("METRICS 1 CPU DURATION 0", b"DURATION must be between 1 and 1000000"),
        ("METRICS 1 CPU SAMPLE 0", b"SAMPLE ratio must be positive"),
        ("METRICS 1 CPU SLOTS 1 0", b"SLOTS parameter cannot be used in non-cluster mode"),
        ("METRICS 1 CPU FOO 1", b"syntax error"),
    ],
)
def test_options_that_are_wrong(client: Connection, options: str, error: bytes) -> None:
    """Nothing begins then."""
    assert client.execute("HOTKEYS", "START", *options.split()).value == b"ERR " + error
    assert client.execute("HOTKEYS", "GET").value is None


def test_an_unknown_metric_beside_a_known_one_is_passed_over(client: Connection) -> None:
    """So that clients of later versions are served; and only what was asked for is told."""
    assert client.execute("HOTKEYS", "START", "METRICS", "2", "GPU", "CPU").value == b"OK"
    assert client.execute("HOTKEYS", "START", "METRICS", "1", "NET").value == (
        b"ERR hotkey tracking session already in progress"
    )
    fields = found(client)
    assert {b"by-cpu-time-us", b"total-cpu-time-user-ms"} <= fields.keys()
    assert not {b"by-net-bytes", b"total-net-bytes"} & fields.keys()
    assert fields[b"selected-slots"] == [[0, 16383]]


def test_slots_of_a_cluster() -> None:
    """Only keys of those slots are counted; what the slots took in all is told."""
    with NogilServer("--cluster_mode=emulated", threads=2) as server, server.connect() as client:
        slot = client.execute("CLUSTER", "KEYSLOT", "{a}").value
        start = ("HOTKEYS", "START", "METRICS", "2", "CPU", "NET")
        for options, error in {
            "SLOTS 2 0": b"not enough slot numbers provided",
            "SLOTS 2 0 0": b"duplicate slot number",
            "SLOTS 1 0 SLOTS 1 5": b"SLOTS parameter already specified",
            "SLOTS 1 16384": b"Invalid or out of range slot",
            "SLOTS 1 x": b"Invalid or out of range slot",
            "SLOTS 0": b"SLOTS count must be between 1 and 16384",
        }.items():
            assert client.execute(*start, *options.split()).value == b"ERR " + error
        assert client.execute(*start, "SAMPLE", "2", "SLOTS", "2", slot, (slot + 1) % 16384).value == b"OK"
        for number in range(200):
            client.execute("SET", f"{{a}}{number}", "v")
            client.execute("SET", f"{{zzz}}{number}", "v")
        fields = found(client)
        assert all(key.startswith(b"{a}") for key in fields[b"by-net-bytes"][::2])
        sampled = fields[b"net-bytes-sampled-commands-selected-slots"]
        assert 0 < sampled < fields[b"net-bytes-all-commands-selected-slots"]
        assert fields[b"selected-slots"] == [[slot, slot + 1]]


@pytest.mark.parametrize("threads", [1, 3])
def test_it_ends_by_itself_when_its_time_is_up(threads: int) -> None:
    """On every thread, by the clock."""
    simulation = Simulation(1, shards=threads)
    client = simulation.client()
    client.send([b"HOTKEYS", b"START", b"METRICS", b"1", b"NET", b"DURATION", b"5"])
    client.send(*([b"SET", b"key:%d" % number, b"v"] for number in range(20)))
    simulation.run()
    hot = [thread.proactor.service.hot_keys for thread in simulation.threads]
    assert all(one.active for one in hot)
    assert sum(len(one.net.weights) for one in hot) == 20
    simulation.advance(6000)
    simulation.run()
    assert not any(one.active for one in hot)
    assert not any(thread.dispatcher.gated for thread in simulation.threads)


def test_counters_are_bounded_and_never_say_too_much() -> None:
    """Space-Saving: what is heavier than the total over the number of counters is there."""
    rng = random.Random(7)
    top = TopKeys(50)
    exact = Counter[bytes]()
    for _ in range(20_000):
        key = b"%d" % int(rng.paretovariate(0.8))
        weight = rng.randrange(1, 100)
        exact[key] += weight
        top.add(key, weight)
        if rng.random() < 0.01:
            top.verify()
    total = sum(exact.values())
    certain = top.certain()
    assert len(certain) == 50
    assert all(weight <= exact[key] for key, weight in certain.items())
    assert {key for key, weight in exact.items() if weight > total / 50} <= set(certain)
    assert heaviest([{b"a": 1, b"b": 2}, {b"a": 4, b"c": 0}], 3) == [(b"a", 5), (b"b", 2)]
