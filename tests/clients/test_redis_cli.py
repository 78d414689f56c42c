"""redis-cli: its reports over the keyspace, its mass insertion, and a person at its prompt."""

from __future__ import annotations

import pytest

from tests.clients.terminal import Terminal, run
from tests.resp import encode
from tests.servers import NogilServer

PIPED = 100_000


@pytest.fixture
def filled(server: NogilServer) -> NogilServer:
    """A server with 500 strings of 20 bytes and a big one."""
    assert run("redis-cli", server, "debug", "populate", "500", "key", "20") == "OK\n"
    assert run("redis-cli", server, "-x", "set", "big", given=b"x" * 3000) == "OK\n"
    return server


def test_bigkeys_samples_every_key(filled: NogilServer) -> None:
    report = run("redis-cli", filled, "--bigkeys")
    assert "Sampled 501 keys in the keyspace!" in report
    assert "Biggest string found '\"big\"' has 3000 bytes" in report
    assert "501 strings with 13000 bytes (100.00% of keys, avg size 25.95)" in report


@pytest.mark.parametrize("option", [["--memkeys"], ["--memkeys-samples", "5"]])
def test_memkeys_samples_every_key(filled: NogilServer, option: list[str]) -> None:
    report = run("redis-cli", filled, *option)
    assert "Sampled 501 keys in the keyspace!" in report
    assert "Biggest string found '\"big\"'" in report


def test_scan_lists_every_key_once(filled: NogilServer) -> None:
    keys = run("redis-cli", filled, "--scan").split()
    assert sorted(keys) == sorted(["big", *(f"key:{number}" for number in range(500))])
    some = run("redis-cli", filled, "--scan", "--pattern", "key:1?").split()
    assert sorted(some) == [f"key:1{digit}" for digit in range(10)]


def test_pipe_of_many_commands_is_answered_in_full(server: NogilServer) -> None:
    commands = b"".join(encode([b"SET", b"pipe:%d" % n, b"value %d" % n]) for n in range(PIPED))
    report = run("redis-cli", server, "--pipe", given=commands)
    assert f"errors: 0, replies: {PIPED}" in report
    assert run("redis-cli", server, "dbsize") == f"{PIPED}\n"
    assert run("redis-cli", server, "get", f"pipe:{PIPED - 1}") == f"value {PIPED - 1}\n"


def test_pipe_reports_errors_and_goes_on(server: NogilServer) -> None:
    commands = b"SET a x\nNOSUCH\nINCR a\nSET b 2\nGET b\n"
    report = run("redis-cli", server, "--pipe", given=commands, status=1)
    assert "unknown command 'NOSUCH'" in report
    assert "value is not an integer or out of range" in report
    assert "errors: 2, replies: 5" in report


def test_resp3_shows_the_types_of_resp3(server: NogilServer) -> None:
    assert "proto 3" in run("redis-cli", server, "-3", "hello", "3")
    assert run("redis-cli", server, "-3", "--json", "config", "get", "hz") == '{"hz":"100"}\n'
    with Terminal(server, "-3") as terminal:
        terminal.ask("config get hz", r'1# "hz" => "100"')
        terminal.ask("debug protocol true", r"\(true\)")
        terminal.ask("get nothing", r"\(nil\)")


def test_a_transaction_at_the_prompt(server: NogilServer) -> None:
    with Terminal(server) as terminal:
        terminal.ask("multi", "OK")
        terminal.expect(r"\(TX\)(?=> $)")
        terminal.ask("set a 1", "QUEUED")
        terminal.ask("incr a", "QUEUED")
        terminal.ask("mget a b c", "QUEUED")
        terminal.ask("exec", r'1\) OK\n2\) \(integer\) 2\n3\) 1\) "2"\n   2\) \(nil\)\n   3\) \(nil\)')
        terminal.ask("multi", "OK")
        terminal.ask("nosuch", r"\(error\) ERR unknown command 'nosuch', with args beginning with: ")
        terminal.ask("exec", r"\(error\) EXECABORT Transaction discarded because of previous errors\.")
        terminal.ask("get a", '"2"')
        terminal.ask("select 3", "OK")
        terminal.expect(r"\[3\](?=> $)")


def test_help_comes_from_the_server_or_the_client(server: NogilServer) -> None:
    with Terminal(server) as terminal:
        terminal.expect(r"> $")
        terminal.type("help getdel")
        terminal.expect("GETDEL key")
        terminal.expect("group: string")


@pytest.mark.parametrize("protocol", ["-2", "-3"])
def test_subscribe_shows_what_is_published(server: NogilServer, protocol: str) -> None:
    with Terminal(server, protocol, "subscribe", "news") as terminal:
        terminal.expect(r'1\) "subscribe"\n2\) "news"\n3\) \(integer\) 1\n')
        assert run("redis-cli", server, "publish", "news", "hello") == "1\n"
        terminal.expect(r'1\) "message"\n2\) "news"\n3\) "hello"\n')


def test_ctrl_c_leads_from_a_subscription_back_to_the_prompt(server: NogilServer) -> None:
    with Terminal(server) as terminal:
        terminal.ask("subscribe news", r'1\) "subscribe"\n2\) "news"\n3\) \(integer\) 1')
        terminal.interrupt()
        terminal.ask("set a 1", "OK")


def test_monitor_shows_commands_of_all_threads(server: NogilServer) -> None:
    with Terminal(server, "monitor") as terminal:
        terminal.expect("OK\n")
        for number in range(4):
            # Connections are dealt out to the threads in turn.
            run("redis-cli", server, "set", f"key{number}", 'a "b"\n')
            terminal.expect(rf'\d+\.\d{{6}} \[0 127\.0\.0\.1:\d+\] "set" "key{number}" "a \\"b\\"\\n"\n')


def test_stat_prints_a_line_each_interval(filled: NogilServer) -> None:
    with Terminal(filled, "--stat", "-i", "0.1") as terminal:
        terminal.expect(r"keys +mem +clients +blocked +requests +connections")
        for _ in range(3):
            terminal.expect(r"\n501 +\d+\.\d+[KM] +\d+ +0 +\d+ \(\+\d+\) +\d+ +")


def test_latency_is_sampled(server: NogilServer) -> None:
    least, most, mean, samples = run("redis-cli", server, "--latency", "--raw", "-i", "0.3").split()[:4]
    assert 0 <= int(least) <= float(mean) <= int(most)
    assert int(samples) > 0
    with Terminal(server, "--latency-history", "-i", "0.1") as terminal:
        terminal.expect(r"min: \d+, max: \d+, avg: \d+\.\d+ \(\d+ samples\) -- \d+\.\d+ seconds range")
    with Terminal(server, "--latency-dist", "-i", "0.1") as terminal:
        terminal.expect(r"milliseconds")
