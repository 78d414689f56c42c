"""What a client has the answer to, every other client sees: changed settings, slow commands, a pause.

Three shard threads, and connections on all of them: one changes a setting or sends a command, and as soon as
it has its answer another one looks, on a thread that may not have heard of it yet.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.resp import Connection, Reply
from tests.servers import NogilServer, Server

ROUNDS = 60
PAUSES = 1000
WRITERS = 5
Turns = Iterator[tuple[Connection, Connection, Connection]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Three shard threads."""
    with NogilServer(threads=3) as started:
        yield started


@pytest.fixture
def turns(server: Server) -> Iterator[Turns]:
    """Three connections at a time of six, `ROUNDS` times: any thread with any other."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(6)]
        orders = itertools.cycle(itertools.permutations(clients, 3))
        yield itertools.islice(orders, 0, 7 * ROUNDS, 7)


def run(client: Connection, line: str) -> Reply:
    """A command, given as one types it."""
    return client.execute(*line.split())


def change(client: Connection, settings: str) -> None:
    """CONFIG SET."""
    assert run(client, f"CONFIG SET {settings}").value == b"OK"


def test_a_slow_command_is_in_the_log_before_its_client_has_the_answer(turns: Turns) -> None:
    for number, (first, second, third) in enumerate(turns):
        change(first, "slowlog-log-slower-than 0 slowlog-max-len 128")
        run(second, f"GET slow:{number}")
        logged = run(third, "SLOWLOG GET -1").value
        words = [[word.value for word in entry.value[3].value] for entry in logged]
        assert [b"GET", b"slow:%d" % number] in words
        change(third, "slowlog-log-slower-than -1")
        run(second, f"APPEND slow:{number} x")
        logged = run(first, "SLOWLOG GET -1").value
        assert b"APPEND" not in [entry.value[3].value[0].value for entry in logged]
        run(first, "SLOWLOG RESET")


def test_an_event_is_with_the_latency_monitor_before_its_client_has_the_answer(turns: Turns) -> None:
    for first, second, third in turns:
        change(first, "latency-monitor-threshold 1")
        run(first, "LATENCY RESET")
        run(second, "DEBUG SLEEP 0.002")
        assert [event.value[0].value for event in run(third, "LATENCY LATEST").value] == [b"command"]
        change(third, "latency-monitor-threshold 0")


def test_a_setting_holds_on_every_thread_when_it_is_answered(server: Server, turns: Turns) -> None:
    for number, (first, second, third) in enumerate(turns):
        key = f"key:{number}"
        run(first, f"SET {key} value")
        change(first, "maxmemory 1")
        assert run(second, f"SET {key} value").value.startswith(b"OOM")
        change(third, "maxmemory 0")
        assert run(second, f"SET {key} value").value == b"OK"
        change(first, "maxmemory-policy allkeys-lfu")
        assert run(second, f"OBJECT FREQ {key}").kind == ":"
        change(third, "maxmemory-policy noeviction")
        assert run(second, f"OBJECT FREQ {key}").kind == "-"
        change(first, "hash-max-listpack-entries 1")
        run(second, f"HSET hash:{number} a 1 b 2")
        assert run(third, f"OBJECT ENCODING hash:{number}").value == b"hashtable"
        change(third, "hash-max-listpack-entries 128")
        change(first, "acl-pubsub-default allchannels")
        run(second, f"ACL SETUSER user:{number}")
        assert b"&*" in [word.value for word in run(third, f"ACL GETUSER user:{number}").value]
        change(third, "acl-pubsub-default resetchannels")
        change(first, "latency-tracking no")
        assert not run(second, "LATENCY HISTOGRAM set").value
        change(third, "latency-tracking yes")
        assert run(second, "LATENCY HISTOGRAM set").value


def test_who_comes_after_the_answer_meets_the_new_settings(server: Server, turns: Turns) -> None:
    for first, second, third in turns:
        change(first, "requirepass secret")
        with server.connect() as client:
            assert run(client, "GET key").value.startswith(b"NOAUTH")
            change(second, "maxclients 7")
            with server.connect() as refused:
                assert refused.receive().value.startswith(b"ERR max number of clients")
        third.execute("CONFIG", "SET", "requirepass", "", "maxclients", "1000")
        with server.connect() as client:
            assert run(client, "GET key").kind == "$"


def test_events_are_heard_from_the_first_command_on_and_from_none_that_is_later(
    server: Server, turns: Turns
) -> None:
    with server.connect() as listener:
        run(listener, "PSUBSCRIBE __keyspace@0__:*")
        for number, (first, second, third) in enumerate(turns):
            change(first, "notify-keyspace-events KEA")
            run(second, f"SET heard:{number} value")
            third.execute("CONFIG", "SET", "notify-keyspace-events", "")
            run(second, f"SET unheard:{number} value")
            run(first, f"APPEND unheard:{number} value")
            assert listener.receive().value[2].value == b"__keyspace@0__:heard:%d" % number


def count_up(server: Server, who: int, over: threading.Event) -> None:
    """Write to keys of all threads until it is over."""
    with server.connect() as client:
        for number in itertools.cycle(range(5)):
            if over.is_set():
                break
            run(client, f"INCR counted:{who}:{number}")


def test_nothing_is_written_once_a_pause_of_writes_is_answered(server: Server) -> None:
    counted = "MGET " + " ".join(f"counted:{who}:{number}" for who in range(WRITERS) for number in range(5))
    over = threading.Event()
    with ThreadPoolExecutor(WRITERS) as pool, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(6)]
        writers = [pool.submit(count_up, server, who, over) for who in range(WRITERS)]
        try:
            for number in range(PAUSES):
                first, second = clients[number % 6], clients[(number + 1) % 6]
                assert run(first, "CLIENT PAUSE 100000 WRITE").value == b"OK"
                found = run(second, counted).value
                for client in clients:
                    assert run(client, counted).value == found
                run(first, "CLIENT UNPAUSE")
        finally:
            over.set()
            run(clients[0], "CLIENT UNPAUSE")
        for writer in writers:
            writer.result()
