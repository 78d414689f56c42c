"""One client that pipelines thousands of commands over several threads: parts of it follow each other.

While others run their shares of one part the next is read and its commands taken; so it has to come in order
all the same, to be given back when somebody comes in between, and to stop when the client reads no replies.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.net.test_answers import request
from tests.patience import PATIENCE
from tests.resp import Connection
from tests.servers import NogilServer, Server

LENGTH = 12_000


@pytest.fixture(scope="module", params=[2, 3])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Two shard threads, and three."""
    with NogilServer(threads=request.param) as started:
        yield started


def receive(sock: socket.socket, size: int) -> bytes:
    """So many bytes."""
    found = bytearray()
    while len(found) < size:
        more = sock.recv(size - len(found))
        assert more, "the server closes"
        found += more
    return bytes(found)


def bulk(value: bytes | None) -> bytes:
    """A string as it is answered."""
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


def command(rng: random.Random, model: dict[bytes, bytes], longest: int) -> tuple[bytes, bytes]:
    """A command as it travels, and its reply; seldom one that is not for the short way over threads."""
    key = b"key:%d" % rng.randrange(2000)
    if rng.randrange(2000) == 0:
        return request(b"DEL", key), b":%d\r\n" % (model.pop(key, None) is not None)
    if rng.randrange(2000) == 0:
        return request(b"PING"), b"+PONG\r\n"
    kind = rng.randrange(100)
    if kind < 40:
        return request(b"GET", key), bulk(model.get(key))
    if kind < 80:
        model[key] = value = rng.randbytes(rng.randrange(longest))
        return request(b"SET", key, value), b"+OK\r\n"
    if kind < 90:
        name = b"counter:%d" % rng.randrange(20)
        model[name] = b"%d" % (int(model.get(name, b"0")) + 1)
        return request(b"INCR", name), b":%s\r\n" % model[name]
    if kind < 94:
        keys = [b"key:%d" % rng.randrange(2000) for _ in range(5)]
        return request(b"MGET", *keys), b"*5\r\n" + b"".join(bulk(model.get(one)) for one in keys)
    model[key] = model[b"two"] = b"both"
    inside = request(b"SET", key, b"both") + request(b"SET", b"two", b"both")
    return (
        request(b"MULTI") + inside + request(b"EXEC"),
        b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n",
    )


def pipeline(
    rng: random.Random, model: dict[bytes, bytes], longest: int, length: int = LENGTH
) -> tuple[bytes, bytes]:
    """So many commands and their replies."""
    pairs = [command(rng, model, longest) for _ in range(length)]
    return b"".join(sent for sent, _ in pairs), b"".join(reply for _, reply in pairs)


@contextlib.contextmanager
def sending(server: Server, data: bytes) -> Iterator[socket.socket]:
    """A connection that a thread of its own sends all that on."""
    with socket.create_connection((server.host, server.port), PATIENCE) as sock:
        thread = threading.Thread(target=sock.sendall, args=(data,))
        thread.start()
        yield sock
        thread.join()


@pytest.mark.parametrize("longest", [4, 300, 3000])
def test_replies_come_in_order(server: Server, longest: int) -> None:
    server.flush()
    rng = random.Random(longest)
    model: dict[bytes, bytes] = {}
    for _ in range(3):
        data, expected = pipeline(rng, model, longest)
        with sending(server, data) as sock:
            assert receive(sock, len(expected)) == expected
    with server.connect() as client:
        assert client.execute(b"DEBUG", b"VERIFY").value == b"OK"


def test_replies_come_in_order_however_the_pipeline_arrives(server: Server) -> None:
    server.flush()
    rng = random.Random(5)
    data, expected = pipeline(rng, {}, 100)
    with socket.create_connection((server.host, server.port), PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send() -> None:
            rest = memoryview(data)
            while rest:
                size = rng.choice((1, 100, 5000, 65_536, 200_000))
                sock.sendall(rest[:size])
                rest = rest[size:]

        thread = threading.Thread(target=send)
        thread.start()
        assert receive(sock, len(expected)) == expected
        thread.join()


def test_nobody_sees_a_later_write_without_an_earlier_one(server: Server) -> None:
    """Both ends pipeline: the writer sets the keys in turn, the reader gets them in the other order."""
    keys = [b"order:%d" % number for number in range(8)]
    rounds, looks = 4000, 6000
    writes = b"".join(request(b"SET", key, b"%06d" % turn) for turn in range(rounds) for key in keys)
    reads = b"".join(request(b"GET", key) for _ in range(looks) for key in reversed(keys))
    with server.connect() as client:
        client.pipeline([(b"SET", key, b"%06d" % 0) for key in keys])

    def look() -> int:
        size = len(bulk(b"000000"))
        with sending(server, reads) as sock:
            replies = receive(sock, looks * len(keys) * size)
        assert len(replies) == looks * len(keys) * size
        seen = [int(replies[at + 4 : at + 10]) for at in range(0, len(replies), size)]
        for number in range(len(keys)):
            assert seen[number :: len(keys)] == sorted(seen[number :: len(keys)])
        for at in range(0, len(seen), len(keys)):
            # Who reads a key after one that is written later sees that turn, or a newer one.
            assert seen[at : at + len(keys)] == sorted(seen[at : at + len(keys)])
        return len({*seen})

    with ThreadPoolExecutor(3) as pool, sending(server, writes) as writer:
        looking = [pool.submit(look) for _ in range(3)]
        assert receive(writer, 5 * rounds * len(keys)) == b"+OK\r\n" * rounds * len(keys)
        assert all(found.result() for found in looking)


def test_many_pipeline_at_once(server: Server) -> None:
    server.flush()

    def play(who: int) -> None:
        rng = random.Random(who)
        with server.connect() as client:
            client.execute(b"SELECT", b"%d" % who)
        data, expected = pipeline(rng, {}, 200)
        data = request(b"SELECT", b"%d" % who) + data
        expected = b"+OK\r\n" + expected
        with sending(server, data) as sock:
            assert receive(sock, len(expected)) == expected

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(play, range(6)))


def test_a_client_that_reads_late_gets_all_replies(server: Server) -> None:
    """Replies that nobody takes stop the pipeline; what was taken of it already comes later, in order."""
    server.flush()
    rng = random.Random(3)
    model: dict[bytes, bytes] = {}
    data, expected = pipeline(rng, model, 3000)
    with server.connect() as control, sending(server, data) as sock:
        behind = 0
        while not behind:
            listed = control.execute(b"CLIENT", b"LIST").value.decode()
            behind = max(int(line.split("omem=")[1].split()[0]) for line in listed.splitlines())
        assert receive(sock, len(expected)) == expected


def test_a_pipeline_goes_on_when_monitors_come_and_go(server: Server) -> None:
    server.flush()
    data, expected = pipeline(random.Random(11), {}, 2000, 4000)
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            with server.connect() as monitor:
                assert monitor.execute(b"MONITOR").value == b"OK"
                monitor.receive()

    with ThreadPoolExecutor(1) as pool, server.connect() as keep:
        watching = pool.submit(watch)
        with sending(server, data) as sock:
            assert receive(sock, len(expected)) == expected
        over.set()
        while not watching.done():
            keep.execute(b"PING")
        watching.result()


def paused_at(control: Connection, names: list[bytes]) -> list[bytes]:
    """The counters."""
    return [value.value for value in control.execute(b"MGET", *names).value]


def test_nothing_is_written_while_clients_are_paused(server: Server) -> None:
    server.flush()
    names = [b"n:%d" % number for number in range(8)]
    turns = 6000
    data = b"".join(request(b"INCR", name) for _ in range(turns) for name in names)
    expected = b"".join(b":%d\r\n" % (turn + 1) for turn in range(turns) for _ in names)
    with server.connect() as control:
        with sending(server, data) as sock:
            for _ in range(5):
                assert control.execute(b"CLIENT", b"PAUSE", b"100000", b"WRITE").value == b"OK"
                # What was under way when they were told may come to its end.
                first = [paused_at(control, names) for _ in range(3)][-1]
                for _ in range(20):
                    assert paused_at(control, names) == first
                assert control.execute(b"CLIENT", b"UNPAUSE").value == b"OK"
            assert receive(sock, len(expected)) == expected
        assert paused_at(control, names) == [b"%d" % turns] * len(names)


def test_clients_that_go_in_the_middle_leave_nothing_behind(server: Server) -> None:
    server.flush()
    data, expected = pipeline(random.Random(9), {}, 300)
    for share in (1, 3, 10):
        with socket.create_connection((server.host, server.port), PATIENCE) as sock:
            sock.settimeout(PATIENCE)

            def send(sock: socket.socket = sock) -> None:
                with contextlib.suppress(OSError):
                    sock.sendall(data)

            thread = threading.Thread(target=send)
            thread.start()
            assert expected.startswith(receive(sock, len(expected) // (share * 10)))
            sock.shutdown(socket.SHUT_RDWR)
            thread.join()
        server.flush()
    with server.connect() as client:
        assert client.execute(b"DEBUG", b"VERIFY").value == b"OK"
        text = client.execute(b"INFO", b"transaction").value.decode()
        assert "tx_queue_len:0" in text
