"""Clients that write much and read late, and thousands that do nothing."""

from __future__ import annotations

import resource
import select
import socket
import time

import psutil

from tests.patience import PATIENCE
from tests.resp import Connection, Reply, encode
from tests.servers import NogilServer

MB = 1 << 20
SMALL_COMMANDS = 300_000


def resident(server: NogilServer) -> int:
    """Bytes of memory that the server's process has resident."""
    return int(psutil.Process(server.pid).memory_info().rss)


def cpu_seconds(server: NogilServer) -> float:
    """CPU time of all the server's threads so far."""
    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system)


def write_until_stuck(sock: socket.socket, data: memoryview, patience: float) -> int:
    """Write without ever reading; how much was taken when nothing more was for ``patience`` seconds."""
    sock.setblocking(False)
    written = 0
    while written < len(data):
        _, writable, _ = select.select([], [sock], [], patience)
        if not writable:
            break
        written += sock.send(data[written : written + MB])
    return written


def test_a_pipeline_of_200_mb_that_is_read_late_neither_hangs_nor_fills_the_server() -> None:
    payload = b"x" * 10_000
    count = 200 * MB // len(payload)
    data = memoryview(encode((b"ECHO", payload)) * count + encode((b"PING",)))
    reply = b"$%d\r\n%b\r\n" % (len(payload), payload)
    with NogilServer(threads=2) as server, server.connect() as writer, server.connect() as other:
        before = resident(server)
        written = write_until_stuck(writer.socket, data, 0.3)
        assert written < 100 * MB, "nobody slowed the writer down"
        assert resident(server) - before < 200 * MB
        assert other.execute("PING") == Reply("+", b"PONG")
        # Nobody reads yet: the server has to give in, or both wait for ever.
        written += write_until_stuck(writer.socket, data[written:], PATIENCE)
        assert written == len(data)
        assert resident(server) - before < 700 * MB
        writer.socket.settimeout(PATIENCE)
        left = len(reply) * count + len(b"+PONG\r\n")
        end = b""
        while left:
            chunk = writer.socket.recv(min(left, MB))
            assert chunk, "closed before everything was answered"
            left -= len(chunk)
            end = (end + chunk)[-len(reply) - 7 :]
        assert end == reply + b"+PONG\r\n"
        assert other.execute("PING") == Reply("+", b"PONG")


def test_a_pipeline_of_small_commands_is_not_read_faster_than_it_runs() -> None:
    data = encode((b"SET", b"key", b"value")) * SMALL_COMMANDS
    with NogilServer(threads=2) as server, server.connect() as writer, server.connect() as other:
        before = resident(server)
        # Replies are small enough to fit the kernel's buffers and our high water: nobody is slowed down.
        assert write_until_stuck(writer.socket, memoryview(data), PATIENCE) == len(data)
        assert resident(server) - before < 32 * MB
        assert other.execute("PING") == Reply("+", b"PONG")
        writer.socket.settimeout(PATIENCE)
        left = len(b"+OK\r\n") * SMALL_COMMANDS
        while left:
            left -= len(writer.socket.recv(MB))


def test_a_client_that_closes_its_end_after_a_pipeline_gets_all_replies() -> None:
    payload = b"x" * MB
    with NogilServer(threads=2) as server, server.connect() as client:
        client.send_raw(encode((b"SET", b"k", payload)) + encode((b"GET", b"k")) * 40)
        client.socket.shutdown(socket.SHUT_WR)
        replies = client.read_until_close()
        assert len(replies) == len(b"+OK\r\n") + 40 * len(b"$1048576\r\n%b\r\n" % payload)


def test_ten_thousand_idle_connections_cost_little() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = 10_000 if hard == resource.RLIM_INFINITY else min(10_000, hard - 500)
    held: list[socket.socket] = []
    try:
        with NogilServer(threads=2) as server, server.connect() as client:
            client.execute("PING")
            before = resident(server)
            for number in range(count):
                held.append(socket.create_connection((server.host, server.port), PATIENCE))
                if number % 100 == 99:
                    # Keeps the kernel's queue of connections to be accepted short.
                    held[-1].sendall(b"PING\r\n")
                    assert held[-1].recv(100) == b"+PONG\r\n"
            assert client.execute("CLIENT", "LIST").value.count(b"\n") == count + 1
            assert (resident(server) - before) / count < 5_000, "bytes a connection"
            _idles(server)
            _answers(server, client)
            for sock in held:
                sock.close()
            deadline = time.monotonic() + PATIENCE
            while client.execute("CLIENT", "LIST").value.count(b"\n") > 1:
                assert time.monotonic() < deadline
    finally:
        for sock in held:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _idles(server: NogilServer) -> None:
    """A second in which nothing happens costs next to no CPU time.

    The least of several: the first may still see what came before, and a sleep on a busy machine is longer.
    """
    used = []
    while not used or (min(used) >= 0.15 and len(used) < 10):
        started, begun = cpu_seconds(server), time.monotonic()
        time.sleep(1.0)
        used.append((cpu_seconds(server) - started) / (time.monotonic() - begun))
    assert min(used) < 0.15, used


def _answers(server: NogilServer, client: Connection) -> None:
    """A request costs what it costs without the others: far below a millisecond of CPU time."""
    started = cpu_seconds(server)
    for _ in range(300):
        assert client.execute("PING") == Reply("+", b"PONG")
    assert cpu_seconds(server) - started < 0.3


def test_the_server_raises_its_limit_on_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        with NogilServer("--maxclients=400", threads=2) as server:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            connections = [server.connect() for _ in range(350)]
            assert all(c.execute("PING") == Reply("+", b"PONG") for c in connections)
            for connection in connections:
                connection.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
