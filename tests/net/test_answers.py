"""Answers that the thread of a key sends to the client of another: each to its client, whole, once, in order.

With two shard threads and three, every second key or more belongs to another thread than the client. The
thread of a connection may want its socket back at any moment: as the client sends more, goes, is killed, or
has to be told something else. A new connection then gets the same descriptor at once.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.patience import PATIENCE
from tests.resp import Connection
from tests.servers import NogilServer, Server

PLAYERS = 8
LIVES = 60
REQUESTS = 30


@pytest.fixture(scope="module", params=[2, 3])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Two shard threads, and three."""
    with NogilServer(threads=request.param) as started:
        yield started


def request(*words: bytes) -> bytes:
    """A command as it travels."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def receive(sock: socket.socket, size: int) -> bytes:
    """So many bytes, fewer if the server closes before."""
    data = b""
    while len(data) < size:
        with contextlib.suppress(ConnectionError):
            if more := sock.recv(size - len(data)):
                data += more
                continue
        break
    return data


def live(sock: socket.socket, who: bytes, rng: random.Random) -> bool:
    """Requests of one connection, alone and overlapping, every reply looked at; whether all came."""
    for number in range(rng.randrange(1, REQUESTS)):
        key, value = b"%s:%d" % (who, number), b"%s=%d" % (who, rng.getrandbits(40))
        commands = [
            (request(b"SET", key, value), b"+OK\r\n"),
            (request(b"GET", key), b"$%d\r\n%s\r\n" % (len(value), value)),
            (request(b"INCR", b"n:" + key), b":1\r\n"),
            (request(b"DEL", key, b"n:" + key), b":2\r\n"),
        ]
        if rng.random() < 0.3:
            # No wait between them: the next one comes while the last is under way, or answered.
            expected = b"".join(reply for _, reply in commands)
            with contextlib.suppress(ConnectionError):
                for sent, _ in commands:
                    sock.sendall(sent)
            found = receive(sock, len(expected))
        else:
            expected = found = b""
            for sent, reply in commands:
                with contextlib.suppress(ConnectionError):
                    sock.sendall(sent)
                expected += reply
                found += receive(sock, len(reply))
                if found != expected:
                    break
        assert expected.startswith(found), (who, found, expected)
        if found != expected:
            return False
    return True


def address(sock: socket.socket) -> bytes:
    """As CLIENT KILL has it."""
    host, port = sock.getsockname()
    return b"%s:%d" % (host.encode(), port)


def play(server: Server, who: int) -> int:
    """Connections of one client, one after the other; how many of them were killed."""
    rng = random.Random(who)
    killed = 0
    with server.connect() as control:
        for life in range(LIVES):
            with socket.create_connection((server.host, server.port), PATIENCE) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                name = b"%d.%d" % (who, life)
                end = rng.random()
                if end < 0.3:
                    # Gone with a request under way.
                    sock.sendall(request(b"SET", name, name))
                    continue
                if end < 0.6:
                    sock.sendall(request(b"GET", b"nothing:" + name))
                    while control.execute(b"CLIENT", b"KILL", b"ADDR", address(sock)).value == 0:
                        # Its thread does not know it yet.
                        pass
                    assert receive(sock, 100) in (b"", b"$-1\r\n")
                    killed += 1
                    continue
                assert live(sock, name, rng)
    return killed


def calls(control: Connection, command: str) -> int:
    """How often a command was called, by INFO."""
    text = control.execute(b"INFO", b"commandstats").value.decode()
    found = [line for line in text.splitlines() if line.startswith(f"cmdstat_{command}:")]
    return int(found[0].split("calls=")[1].split(",")[0]) if found else 0


def test_every_client_gets_its_own_answers(server: Server) -> None:
    server.flush()
    with ThreadPoolExecutor(PLAYERS) as pool:
        killed = sum(pool.map(lambda who: play(server, who), range(PLAYERS)))
    assert killed
    with server.connect() as client:
        assert client.execute(b"DEBUG", b"VERIFY").value == b"OK"


def test_what_was_answered_is_counted(server: Server) -> None:
    with server.connect() as client, server.connect() as control:
        control.execute(b"CONFIG", b"RESETSTAT")
        for number in range(1, 201):
            assert client.execute(b"SET", b"key%d" % number, b"value").value == b"OK"
            assert calls(control, "set") == number
        session = client.execute(b"CLIENT", b"ID").value
        listed = control.execute(b"CLIENT", b"LIST", b"ID", b"%d" % session).value.decode()
        figures = dict(pair.split("=", 1) for pair in listed.split())
        assert int(figures["tot-cmds"]) == 201
        # 200 times +OK, and the id.
        assert int(figures["tot-net-out"]) == 200 * 5 + len(b":%d\r\n" % session)


def test_silent_clients_are_disconnected(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(4)]
        for number, client in enumerate(clients):
            for key in range(8):
                client.execute(b"SET", b"silent:%d:%d" % (number, key), b"value")
        with server.connect() as control:
            control.execute(b"CONFIG", b"SET", b"timeout", b"1")
        try:
            for client in clients:
                assert client.receive().kind == "eof"
        finally:
            with server.connect() as control:
                control.execute(b"CONFIG", b"SET", b"timeout", b"0")


def test_slow_commands_are_told_of_wherever_their_key_is() -> None:
    with NogilServer("--slowlog-log-slower-than", "0", threads=3) as server, server.connect() as client:
        for number in range(20):
            client.execute(b"GET", b"slow%d" % number)
        logged = client.execute(b"SLOWLOG", b"GET", b"-1").value
        words = [tuple(word.value for word in entry.value[3].value) for entry in logged]
        assert [name for name in words if name[0] == b"GET"] == [
            (b"GET", b"slow%d" % number) for number in reversed(range(20))
        ]


def test_a_client_that_does_not_read_gets_all_of_it_later(server: Server) -> None:
    values = [b"%d" % number * 12_000 for number in range(10)]
    with server.connect() as control, socket.socket() as sock:
        for number, value in enumerate(values):
            control.execute(b"SET", b"big%d" % number, value)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(PATIENCE)
        sock.connect((server.host, server.port))
        before = calls(control, "get")
        for number in range(800):
            # Each one is read alone.
            sock.sendall(request(b"GET", b"big%d" % (number % 10)))
            while calls(control, "get") != before + number + 1:
                pass
        listed = control.execute(b"CLIENT", b"LIST").value.decode()
        assert any(int(line.split("omem=")[1].split()[0]) for line in listed.splitlines()), listed
        for number in range(800):
            value = values[number % 10]
            expected = b"$%d\r\n%s\r\n" % (len(value), value)
            assert receive(sock, len(expected)) == expected
