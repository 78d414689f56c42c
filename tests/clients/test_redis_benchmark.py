"""redis-benchmark: its tests of what there is run through, without a warning, pipelined or not."""

from __future__ import annotations

import re

import pytest

from tests.clients.terminal import run
from tests.servers import NogilServer

TESTS = {"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"}


@pytest.mark.parametrize("pipeline", ["1", "16"])
@pytest.mark.parametrize("keys", [[], ["-r", "10000"]], ids=["one key", "random keys"])
def test_all_requests_are_answered(server: NogilServer, pipeline: str, keys: list[str]) -> None:
    output = run(
        "redis-benchmark",
        server,
        *[
            "-t",
            "ping,set,get,incr,mset",
            "-n",
            "1000",
            "-c",
            "20",
            "-d",
            "256",
            "-P",
            pipeline,
            "--csv",
            *keys,
        ],
    )
    rows = re.findall(r'^"([^"]+)","([0-9.]+)"', output, re.MULTILINE)
    assert {name for name, _ in rows} == TESTS
    assert all(float(rate) > 0 for _, rate in rows)
    assert "WARN" not in output.upper()
    assert "ERR" not in output.upper()


def test_its_report_can_read_the_configuration(server: NogilServer) -> None:
    report = run("redis-benchmark", server, "-t", "get", "-n", "500", "--threads", "2", "--precision", "3")
    assert "Could not fetch server CONFIG" not in report
    assert re.search(r"host configuration \"save\":", report)
    assert re.search(r"host configuration \"appendonly\": no", report)
    assert "throughput summary" in report


EVERYTHING = TESTS | {
    "LPUSH",
    "RPUSH",
    "LPOP",
    "RPOP",
    "SADD",
    "HSET",
    "SPOP",
    "ZADD",
    "ZPOPMIN",
    "LPUSH (needed to benchmark LRANGE)",
    "LRANGE_100 (first 100 elements)",
    "LRANGE_300 (first 300 elements)",
    "LRANGE_500 (first 500 elements)",
    "LRANGE_600 (first 600 elements)",
}


def test_what_it_tests_by_default_runs_through(server: NogilServer) -> None:
    output = run("redis-benchmark", server, "-n", "300", "-c", "10", "-P", "4", "--csv")
    rows = re.findall(r'^"([^"]+)","([0-9.]+)"', output, re.MULTILINE)
    assert {name for name, _ in rows} == EVERYTHING
    assert "WARN" not in output.upper()
    assert "ERR" not in output.upper()
