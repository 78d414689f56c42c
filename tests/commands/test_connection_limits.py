"""Limits on connections of a real server: how many, how idle, how local, how much unread."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nogil_df import Server
from tests.patience import PATIENCE
from tests.resp import EOF_REPLY, Connection, Decoder, Reply, encode
from tests.servers import HOST, NogilServer

OK = Reply("+", b"OK")
PONG = Reply("+", b"PONG")


@pytest.fixture(scope="module")
def server() -> Iterator[NogilServer]:
    """A server of two threads with small limits."""
    limits = "pubsub 33554432 1048576 1"
    with NogilServer(
        "--client-output-buffer-limit", limits, "--client-query-buffer-limit=2mb", threads=2
    ) as it:
        yield it


def until(what: object, found: object, wanted: object) -> None:
    """Ask until the answer is what is wanted."""
    deadline = time.monotonic() + PATIENCE
    while (got := found()) != wanted:  # type: ignore[operator]
        assert time.monotonic() < deadline, f"{what}: {got!r}, not {wanted!r}"


def small_receiver(server: NogilServer) -> Connection:
    """A connection whose kernel takes little that it does not read."""
    connection = Connection.__new__(Connection)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    sock.settimeout(PATIENCE)
    sock.connect((server.host, server.port))
    connection.socket = sock
    connection.decoder = Decoder()
    connection.protocol = 2
    connection.timeout = PATIENCE
    return connection


def test_maxclients_refuses_whoever_is_one_too_many() -> None:
    with NogilServer("--maxclients=3", threads=2) as server:
        # The connection that saw the server start may still be there for a moment.
        first = server.connect()
        until("nobody else is there", lambda: _clients(first), 1)
        held = [first, server.connect(), server.connect()]
        assert [connection.execute("PING") for connection in held] == [PONG] * 3
        with server.connect() as refused:
            assert refused.receive() == Reply("-", b"ERR max number of clients reached")
            assert refused.receive() == EOF_REPLY
        held.pop().close()

        def try_again() -> Reply:
            with server.connect() as late:
                return late.execute("PING")

        until("a place is free", try_again, PONG)
        for connection in held:
            connection.close()


def _clients(asker: Connection) -> int:
    """How many clients the server has, the asking one included; asked on a connection that stays."""
    return asker.execute("CLIENT", "LIST").value.count(b"\n")


def test_timeout_closes_idle_clients_but_not_subscribers() -> None:
    with NogilServer(threads=2) as server:
        idle, subscriber, monitor = (server.connect() for _ in range(3))
        subscriber.execute("SUBSCRIBE", "x")
        monitor.execute("MONITOR")
        assert idle.execute("PING") == PONG
        assert monitor.receive().kind == "+"
        # Not before all are what they are: a busy machine may take a second for that.
        assert idle.execute("CONFIG", "SET", "timeout", "1") == OK
        assert idle.receive() == EOF_REPLY
        assert subscriber.execute("PING").value[0].value == b"pong"
        # The subscriber's PING is shown, too, and may come first.
        monitor.send("PING")
        assert PONG in (monitor.receive(), monitor.receive())


def test_unix_socket_and_several_addresses(tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    with NogilServer(
        "--bind", "127.0.0.1,127.0.0.2", f"--unixsocket={path}", "--unixsocketperm=700"
    ) as server:
        assert path.stat().st_mode & 0o777 == 0o700
        with socket.create_connection(("127.0.0.2", server.port), PATIENCE) as other:
            other.sendall(b"PING\r\n")
            assert other.recv(100) == b"+PONG\r\n"
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(PATIENCE)
            local.connect(str(path))
            local.sendall(encode((b"CLIENT", b"INFO")))
            line = local.recv(4096)
            assert f"addr={path}:0 laddr={path}:0".encode() in line
            assert b"flags=U" in line
    assert not path.exists()


def test_protected_mode_lets_other_machines_in_with_a_password_only() -> None:
    address = _own_address()
    with (
        NogilServer("--bind", "0.0.0.0") as server,
        socket.create_connection((address, server.port)) as client,
    ):
        client.settimeout(PATIENCE)
        reply = client.recv(4096)
        assert reply.startswith(b"-DENIED Redis is running in protected mode") != address.startswith("127.")


def _own_address() -> str:
    """This machine's address for others; a loopback one if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            return "127.0.0.1"
        host: str = probe.getsockname()[0]
        return host


def test_unauthenticated_clients_may_not_send_much() -> None:
    with Server(threads=1, requirepass="secret") as server:
        for start in (b"*11\r\n", b"*1\r\n$16385\r\n"):
            with socket.create_connection((HOST, server.port), PATIENCE) as client:
                client.sendall(start)
                reply = client.recv(1000)
                assert reply.startswith(b"-ERR Protocol error: unauthenticated")
                assert client.recv(1000) == b""
        with Connection(HOST, server.port) as client:
            big = b"x" * 20_000
            client.send_raw(encode((b"AUTH", b"secret")) + encode((b"ECHO", big)))
            assert [client.receive(), client.receive()] == [Reply("+", b"OK"), Reply("$", big)]


def test_keepalive_is_set_on_the_sockets_of_clients(server: NogilServer) -> None:
    with server.connect() as client:
        client.execute("PING")
        port = client.socket.getsockname()[1]
        # It is another one for as long as the kernel waits for PONG's acknowledgement.
        until("2 is the keep-alive timer", lambda: _timer_of(server.port, port), 2)


def _timer_of(local: int, remote: int) -> int:
    """The kind of timer that the kernel runs for a connection."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{local:04X}") and fields[2].endswith(f":{remote:04X}"):
            return int(fields[5].split(":")[0], 16)
    raise AssertionError("no such connection")


def test_a_query_buffer_that_grows_too_long_ends_the_connection(server: NogilServer) -> None:
    with server.connect() as client:
        client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n" + b"x" * 6_000_000)
        assert client.receive() == EOF_REPLY
    with server.connect() as client:
        assert client.execute("PING") == PONG


def test_a_slow_subscriber_is_cut_off_at_the_hard_limit(server: NogilServer) -> None:
    with small_receiver(server) as slow, server.connect() as publisher:
        slow.execute("SUBSCRIBE", "firehose")
        message = b"x" * (1 << 20)
        published = 0
        while publisher.execute("PUBLISH", "firehose", message).value:
            published += 1
            # The subscriber's thread may come to it late.
            assert published < 1000, "32 MB is the limit"
        assert published >= 30
        assert publisher.execute("PUBSUB", "NUMSUB", "firehose").value[1] == Reply(":", 0)


def test_a_slow_subscriber_is_cut_off_by_and_by_at_the_soft_limit(server: NogilServer) -> None:
    with small_receiver(server) as slow, server.connect() as publisher:
        slow.execute("SUBSCRIBE", "stream")
        setting = ("CONFIG", "SET", "client-output-buffer-limit")
        assert publisher.execute(*setting, "pubsub 33554432 1048576 3600") == OK
        for _ in range(12):
            publisher.execute("PUBLISH", "stream", b"x" * (1 << 20))
        assert publisher.execute("PUBSUB", "NUMSUB", "stream").value[1] == Reply(":", 1)
        assert publisher.execute(*setting, "pubsub 33554432 1048576 1") == OK
        until("listeners", lambda: publisher.execute("PUBSUB", "NUMSUB", "stream").value[1], Reply(":", 0))


def test_client_kill_closes_connections_of_every_thread(server: NogilServer) -> None:
    with server.connect() as killer:
        victims = [server.connect() for _ in range(4)]
        for victim in victims:
            victim.execute("CLIENT", "SETNAME", "victim")
            assert killer.execute("CLIENT", "KILL", "ADDR", victim.local_address()) == Reply(":", 1)
            assert victim.receive() == EOF_REPLY
            victim.close()
        assert b"victim" not in killer.execute("CLIENT", "LIST").value


def test_limits_of_strangers_hold_again_from_a_reset_on() -> None:
    """RESET alone in its chunk logs out, and so the next chunk may hold no long arguments."""
    with NogilServer(threads=2) as server, server.connect() as admin, server.connect() as client:
        admin.execute("CONFIG", "SET", "requirepass", "secret")
        assert client.execute("AUTH", "secret") == Reply("+", b"OK")
        assert client.execute("ECHO", "x" * 20_000).kind == "$"
        assert client.execute("RESET") == Reply("+", b"RESET")
        client.send_raw(encode((b"ECHO", b"x" * 20_000)))
        assert client.receive().value == b"ERR Protocol error: unauthenticated bulk length"
        assert client.receive() == EOF_REPLY
        admin.execute("CONFIG", "SET", "requirepass", "")


def test_a_client_that_leaves_during_a_pause_is_gone_at_once(server: NogilServer) -> None:
    with server.connect() as admin:
        parked = server.connect()
        number = str(parked.execute("CLIENT", "ID").value)
        admin.execute("CLIENT", "PAUSE", "60000", "WRITE")
        parked.send("SET", "paused", "1")
        parked.close()
        until("the client is gone", lambda: admin.execute("CLIENT", "LIST", "ID", number).value, b"")
        assert admin.execute("CLIENT", "UNPAUSE") == Reply("+", b"OK")
        assert admin.execute("EXISTS", "paused") == Reply(":", 0)
