"""Clients whose requests arrive at the same time are read together; each is answered as if it were alone.

With many keys a thread reads from all clients that are ready before it serves the first of them. A client
that is not served yet may meanwhile be killed, or the one before it may need something that takes longer.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.resp import EOF_REPLY, Connection, Reply, encode
from tests.servers import NogilServer, Server

KEYS = 60_000
STEP = 1000
CLIENTS = 40
ROUNDS = 60
LONG = 100_000
OK = Reply("+", b"OK")

Played = tuple[bytes, list[Reply]]


@pytest.fixture(scope="module", params=[1, 2, 3])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Enough keys for each shard that looking for one mostly waits for memory."""
    with NogilServer(threads=request.param) as started:
        with started.connect() as client:
            for first in range(0, KEYS, STEP):
                client.pipeline([(b"SET", b"filler:%d" % key, b"") for key in range(first, first + STEP)])
        yield started


@pytest.fixture
def clients(server: Server) -> Iterator[list[Connection]]:
    """Connections, dealt out over the threads."""
    opened = [server.connect() for _ in range(CLIENTS)]
    yield opened
    for client in opened:
        client.close()


class Client:
    """What one client does, with keys of its own, and what the replies must be."""

    def __init__(self, number: int) -> None:
        self.rng = random.Random(number)
        self.number = number
        self.values: dict[bytes, bytes] = {}

    def key(self) -> bytes:
        """One of a few keys of this client."""
        return b"%d:%d" % (self.number, self.rng.randrange(20))

    def one(self) -> Played:
        """A command that nearly every client sends, and its reply."""
        key = self.key()
        kind = self.rng.randrange(4)
        if kind == 0:
            size = self.rng.choice((1, 30, 300)) if self.rng.random() < 0.98 else LONG
            self.values[key] = value = b"%d" % self.rng.getrandbits(60) + b"x" * size
            return encode((b"SET", key, value)), [OK]
        if kind == 1:
            found = self.values.get(key, b"0")
            if not found.isdigit():
                return encode((b"INCR", key)), [Reply("-", b"ERR value is not an integer or out of range")]
            self.values[key] = b"%d" % (int(found) + 1)
            return encode((b"INCR", key)), [Reply(":", int(found) + 1)]
        if kind == 2:
            return encode((b"DEL", key)), [Reply(":", int(self.values.pop(key, None) is not None))]
        return encode((b"GET", key)), [Reply("$", self.values.get(key))]

    def some(self, play: int) -> Played:
        """What it sends in one round; `play` decides how unusual that may be."""
        roll = self.rng.randrange(100)
        if play == 0 or roll < 80:
            return self.one()
        key = self.key()
        value = self.values.get(key)
        if roll < 84:
            return encode((b"EVAL", b"return redis.call('GET', KEYS[1])", b"1", key)), [Reply("$", value)]
        if roll < 88:
            sent = [encode(words) for words in ((b"MULTI",), (b"GET", key), (b"ECHO", b"x"), (b"EXEC",))]
            found = Reply("*", (Reply("$", value), Reply("$", b"x")))
            return b"".join(sent), [OK, Reply("+", b"QUEUED"), Reply("+", b"QUEUED"), found]
        if roll < 92:
            return b"PING\r\n", [Reply("+", b"PONG")]
        if roll < 95:
            return encode((b"ECHO", key)), [Reply("$", key)]
        played = [self.one() for _ in range(self.rng.randrange(2, 60))]
        return b"".join(sent for sent, _ in played), [reply for _, replies in played for reply in replies]


@pytest.mark.parametrize("play", [0, 1], ids=["plain", "mixed"])
def test_many_clients_at_a_time(clients: list[Connection], play: int) -> None:
    """Every round, each sends something, some in two pieces; then all read."""
    players = [Client(1000 * play + number) for number in range(CLIENTS)]
    clients[0].execute(b"DEL", *(b"%d:%d" % (p.number, key) for p in players for key in range(20)))
    rng = random.Random(play)
    for _ in range(ROUNDS):
        expected, rest = [], []
        for client, player in zip(clients, players, strict=True):
            sent, replies = player.some(play)
            cut = rng.randrange(1, len(sent)) if rng.random() < 0.1 else len(sent)
            client.send_raw(sent[:cut])
            rest.append(sent[cut:])
            expected.append(replies)
        for client, data in zip(clients, rest, strict=True):
            if data:
                client.send_raw(data)
        for client, replies in zip(clients, expected, strict=True):
            assert [client.receive() for _ in replies] == replies


def test_those_that_are_killed_while_they_wait_to_be_served(
    server: Server, clients: list[Connection]
) -> None:
    """The thread sleeps while all arrive; then every fourth of them kills the one behind it."""
    ids = [client.execute(b"CLIENT", b"ID").value for client in clients]
    with server.connect() as sleeper:
        sleeper.send(b"DEBUG", b"SLEEP", b"0.3")
        for at, client in enumerate(clients):
            if at % 4 == 1:
                client.send(b"CLIENT", b"KILL", b"ID", ids[at + 1])
            else:
                client.send(b"INCR", b"count:%d" % at)
        assert sleeper.receive() == OK
    with server.connect() as control:
        for at, client in enumerate(clients):
            if at % 4 == 1:
                assert client.receive() == Reply(":", 1)
            elif at % 4 == 2:
                # It may have had its answer before.
                assert client.receive() in (EOF_REPLY, Reply(":", 1))
            else:
                assert client.receive() == Reply(":", 1)
            client.close()
        counts = control.execute(b"MGET", *(b"count:%d" % at for at in range(2, CLIENTS, 4))).value
        assert {count.value for count in counts} <= {None, b"1"}
        control.execute(b"DEL", *(b"count:%d" % at for at in range(CLIENTS)))
        assert control.execute(b"DBSIZE").value >= KEYS


def test_what_a_client_sent_before_it_went(server: Server, clients: list[Connection]) -> None:
    """Its command and its end arrive in the same turn, among those of others."""
    with server.connect() as sleeper:
        sleeper.send(b"DEBUG", b"SLEEP", b"0.3")
        for at, client in enumerate(clients):
            client.send(b"INCR", b"gone:%d" % at)
            if at % 3 == 0:
                client.close()
        assert sleeper.receive() == OK
        for at, client in enumerate(clients):
            if at % 3:
                assert client.receive() == Reply(":", 1)
        for at in range(CLIENTS):
            while sleeper.execute(b"GET", b"gone:%d" % at).value is None:
                # Its thread has not come to it yet.
                pass
            assert sleeper.execute(b"GETDEL", b"gone:%d" % at) == Reply("$", b"1")


def test_what_waits_while_the_client_before_it_runs_a_slow_script(
    server: Server, clients: list[Connection]
) -> None:
    """Its thread reads from others meanwhile, into the buffer that those who wait had theirs in."""
    with server.connect() as control, server.connect() as sleeper:
        before = control.execute(b"CONFIG", b"GET", b"busy-reply-threshold").value[1].value
        control.execute(b"CONFIG", b"SET", b"busy-reply-threshold", b"20")
        sleeper.send(b"DEBUG", b"SLEEP", b"0.3")
        clients[0].send(b"EVAL", b"while true do end", b"0")
        for at, client in enumerate(clients[1:]):
            client.send(b"INCR", b"waiting:%d" % at)
        while not control.execute(b"ECHO", b"x" * 20_000).value.startswith(b"BUSY"):
            pass
        assert control.execute(b"SCRIPT", b"KILL") == OK
        assert b"Script killed by user" in clients[0].receive().value
        assert sleeper.receive() == OK
        for at, client in enumerate(clients[1:]):
            answer = client.receive()
            assert answer == Reply(":", 1) or answer.value.startswith(b"BUSY"), (at, answer)
        control.execute(b"CONFIG", b"SET", b"busy-reply-threshold", before)
        control.execute(b"DEL", *(b"waiting:%d" % at for at in range(CLIENTS)))


def test_more_commands_for_a_thread_than_there_is_room_for_at_a_time(server: Server) -> None:
    """Threads sleep while 700 clients want the same key: what does not go by a lane goes by messages."""
    crowd = [server.connect() for _ in range(700)]
    try:
        with server.connect() as first, server.connect() as second, server.connect() as third:
            sleepers = (first, second, third)
            for _ in range(3):
                for sleeper in sleepers:
                    sleeper.send(b"DEBUG", b"SLEEP", b"0.2")
                for client in crowd:
                    client.send(b"INCR", b"crowd")
                assert [sleeper.receive() for sleeper in sleepers] == [OK] * 3
                answers = [client.receive() for client in crowd]
                assert sorted(answer.value for answer in answers) == list(range(1, 701))
                assert first.execute(b"GETDEL", b"crowd") == Reply("$", b"700")
    finally:
        for client in crowd:
            client.close()
