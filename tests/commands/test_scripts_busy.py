"""Scripts that run for too long, on a real server: who is told what, and what ends them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.resp import EOF_REPLY, Connection
from tests.servers import NogilServer

LOOPS = (
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local f = coroutine.wrap(function() while true do end end) f()",
    "while true do redis.call('get', KEYS[1]) end",
)


@pytest.fixture(params=[1, 3])
def server(request: pytest.FixtureRequest) -> Iterator[NogilServer]:
    """A server that finds scripts slow after 50 ms."""
    with NogilServer("--lua-time-limit", "50", threads=request.param) as running:
        yield running


@pytest.fixture
def clients(server: NogilServer) -> Iterator[list[Connection]]:
    """So many clients that each thread has one at least."""
    found = [server.connect() for _ in range(5)]
    yield found
    for client in found:
        client.close()


def is_busy(client: Connection) -> bool:
    """Whether this client is told that the server is busy; asked for nothing that could wait for a shard."""
    reply = client.execute("PING")
    return reply.kind == "-" and reply.value.startswith(b"BUSY")


def wait_until_busy(clients: list[Connection]) -> None:
    """Ask until everybody is refused; on the thread of the script itself there is no answer before that."""
    for client in clients:
        while not is_busy(client):
            pass


@pytest.mark.parametrize("script", LOOPS)
def test_a_slow_script_is_killed(server: NogilServer, clients: list[Connection], script: str) -> None:
    runner, *others = clients
    assert others[0].execute("SCRIPT", "KILL").value.startswith(b"NOTBUSY")
    runner.send("EVAL", script, 1, "k")
    wait_until_busy(others)
    with server.connect() as late:
        assert late.execute("PING").value.startswith(b"BUSY")
    assert others[0].execute("MULTI").value == b"OK"
    assert others[0].execute("SET", "x", 1).value.startswith(b"BUSY")
    assert others[0].execute("EXEC").value.startswith(b"EXECABORT")
    assert others[1].execute("FUNCTION", "KILL").value.startswith(b"BUSY")
    assert others[1].execute("SHUTDOWN").value.startswith(b"BUSY")
    assert others[2].execute("SCRIPT", "KILL").value == b"OK"
    assert b"Script killed by user with SCRIPT KILL" in runner.receive().value
    assert runner.execute("SET", "x", 1).value == b"OK"
    while is_busy(others[3]):
        # Another thread hears of the end with its next turn.
        pass


def test_a_script_that_wrote_is_not_killed(server: NogilServer, clients: list[Connection]) -> None:
    runner, *others = clients
    runner.send("EVAL", "redis.call('set', KEYS[1], 1) while true do end", 1, "k")
    wait_until_busy(others)
    assert others[0].execute("SCRIPT", "KILL").value.startswith(b"UNKILLABLE")
    assert is_busy(others[1])
    others[2].send("SHUTDOWN", "NOSAVE")
    assert others[2].receive() == EOF_REPLY
    assert server.wait() == 0


@pytest.mark.parametrize("threads", [2, 3])
def test_a_command_on_its_way_to_the_shard_of_a_slow_script_is_told_so(threads: int) -> None:
    """Sent before anybody knew that the script is slow, by clients of every thread.

    The script itself says in the log that it runs: from then on its shard answers nobody.
    """
    limit = "2000"
    script = "redis.log(redis.LOG_WARNING, 'the loop begins') while true do redis.call('get', KEYS[1]) end"
    with NogilServer("--lua-time-limit", limit, threads=threads) as server, server.connect() as runner:
        clients = [server.connect() for _ in range(6)]
        runner.send("EVAL", script, 1, "k")
        while "the loop begins" not in server.log_tail():
            pass
        for client in clients:
            client.send("GET", "k")
        for client in clients:
            assert client.receive().value.startswith(b"BUSY")
        assert clients[0].execute("SCRIPT", "KILL").value == b"OK"
        assert b"killed" in runner.receive().value
        for client in clients:
            while is_busy(client):
                pass
            assert client.execute("GET", "k").value is None
            client.close()
