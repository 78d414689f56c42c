"""Command lines for load generators, and what they print, read back."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from nogil_df.base.hashing import hash_key, shard_of
from stress.scaling import memtier, redis_benchmark, tools
from stress.scaling.outcome import GeneratorError
from stress.scaling.profiles import LOADS, Load
from stress.scaling.traffic import MEMCACHED, RESP, Placement, choose, units

PIPELINED = Load("SETEX", 1, 0, threads=2, clients=30, pipeline=30, expiry=500)


def kind(count: int, rps: float, misses: float = 0.0) -> dict[str, object]:
    """What memtier_benchmark writes for one kind of command."""
    return {
        "Count": count,
        "Ops/sec": rps,
        "Hits/sec": rps - misses,
        "Misses/sec": misses,
        "Average Latency": 0.4,
        "Min Latency": 0.1,
        "Max Latency": 9.0,
        "Percentile Latencies": {"p50.00": 0.375, "p99.00": 0.687, "p99.90": 2.543},
        "KB/sec": 1234.5,
    }


def written(misses: float = 0.0) -> str:
    """A result file of memtier_benchmark."""
    stats = {
        "Runtime": {"Start time": 1, "Finish time": 2, "Total duration": 1000, "Time unit": "MILLISECONDS"},
        "Sets": kind(9_000, 9_000.0),
        "Gets": kind(90_000, 90_000.0, misses),
        "Waits": kind(0, 0.0),
        "Totals": kind(99_000, 99_000.5, misses),
    }
    return json.dumps({"configuration": {"server": "127.0.0.1"}, "run information": {}, "ALL STATS": stats})


def test_memtier_gets_the_published_arguments() -> None:
    line = " ".join(memtier.argv(6400, PIPELINED, 0.5, RESP, Path("out.json")))
    for words in (
        *("-p 6400", "-t 2 -c 30 -d 256 --distinct-client-seed", "--ratio 1:0", "--pipeline 30"),
        *("--expiry-range 500-500", "--test-time 1", "-P redis", "--print-percentiles 50,99,99.9"),
    ):
        assert words in line
    assert "-P memcache_text" in " ".join(memtier.argv(6400, LOADS[0], 2, MEMCACHED, Path("out.json")))


def test_memtiers_result_is_read() -> None:
    outcome = memtier.parse(written())
    assert outcome.requests == 99_000
    assert outcome.rps == 99_000.5
    assert (outcome.p50_ms, outcome.p99_ms, outcome.p999_ms) == (0.375, 0.687, 2.543)


@pytest.mark.parametrize("text", ["", "{}", '{"ALL STATS": {"Totals": {}}}', '{"ALL STATS": 1}'])
def test_what_is_no_result_of_memtier_is_refused(text: str) -> None:
    with pytest.raises(GeneratorError, match="not a result"):
        memtier.parse(text)


def test_missing_keys_are_no_result() -> None:
    with pytest.raises(GeneratorError, match="do not exist"):
        memtier.parse(written(misses=50_000.0))


def test_redis_benchmark_gets_the_load_and_its_result_is_read() -> None:
    line = redis_benchmark.argv(6400, PIPELINED, 0.5)
    assert line[-4:-1] == ["SETEX", "key:1__rand_int__", "500"]
    assert "-P 30" in " ".join(line)
    assert redis_benchmark.argv(6400, LOADS[1], 0.5)[-2:] == ["GET", "key:1__rand_int__"]
    header = (
        '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms",'
        '"p95_latency_ms","p99_latency_ms","max_latency_ms"'
    )
    row = '"SETEX key:1__rand_int__ 500","512345.10","1.1","0.2","1.015","2.9","4.103","7.0"'
    outcome = redis_benchmark.parse(f"WARNING: something\n{header}\n{row}\n", line)
    assert outcome.requests == 250_000
    assert (outcome.rps, outcome.p50_ms, outcome.p99_ms) == (512_345.1, 1.015, 4.103)
    assert outcome.p999_ms is None
    with pytest.raises(GeneratorError, match="not a result"):
        redis_benchmark.parse("Could not connect", line)


def test_tools_take_what_they_can_express() -> None:
    mixed = next(load for load in LOADS if load.sets and load.gets)
    assert not tools.RedisBenchmark().takes(mixed, RESP)
    assert not tools.RedisBenchmark().takes(LOADS[0], MEMCACHED)
    assert tools.RedisBenchmark().takes(LOADS[0], RESP)
    assert tools.Memtier().takes(mixed, MEMCACHED)


def test_a_tool_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(GeneratorError, match="memtier_benchmark is not installed"):
        tools.find("memtier")
    assert isinstance(tools.find("auto"), tools.Own)


def test_a_mix_has_its_ratio_and_replies_are_counted() -> None:
    load = Load("mix", 1, 10, 1, 1, pipeline=11, value_bytes=3)
    rng = random.Random(5)
    for request, replies in units(load, RESP, rng, choose(rng, None, -1))[:20]:
        assert (request.count(b"\r\nSET\r\n"), request.count(b"\r\nGET\r\n")) == (1, 10)
        assert replies == len(b"+OK\r\n") + 10 * len(b"$3\r\nxxx\r\n")


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_keys_are_of_the_threads_that_a_placement_wants(share: float) -> None:
    draw = choose(random.Random(3), Placement(4, share), 2)
    foreign = sum(shard_of(hash_key(draw()), 4) != 2 for _ in range(2000)) / 2000
    assert foreign == pytest.approx(share, abs=0.05)
