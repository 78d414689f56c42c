"""MIGRATE between a real redis-server and the subject, both ways: replies, errors, and where the keys are."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.differential.case import words
from tests.resp import Connection, Reply
from tests.servers import RedisServer, Server

OK = Reply("+", b"OK")
NO_KEY = Reply("+", b"NOKEY")
VALUES = {
    "string": ("SET", "string", "value"),
    "number": ("SET", "number", "17"),
    "list": ("RPUSH", "list", *map(str, range(500))),
    "set": ("SADD", "set", *map(str, range(600))),
    "zset": ("ZADD", "zset", *[word for n in range(200) for word in (str(n / 3), f"m{n}")]),
    "hash": ("HSET", "hash", *[word for n in range(300) for word in (f"f{n}", f"v{n}")]),
    "stream": ("XADD", "stream", "1-1", "f", "v"),
}


@pytest.fixture
def target(server_named: Callable[[str], Server]) -> Server:
    """Another redis-server, which MIGRATE moves keys to."""
    server = server_named("redis")
    server.flush()
    return server


def migrate(
    origin: Connection, target: Server, key: str, *rest: str, db: str = "0", ms: str = "5000"
) -> Reply:
    return origin.execute("MIGRATE", target.host, str(target.port), key, db, ms, *rest)


def run(connection: Connection, *lines: str) -> None:
    connection.pipeline([words(line) for line in lines])


def digest(connection: Connection, key: str) -> object:
    return connection.execute("DEBUG", "DIGEST-VALUE", key).value


def test_every_type_goes_over_and_comes_back(subject: Server, target: Server) -> None:
    subject.flush()
    with subject.connect() as ours, target.connect() as theirs:
        for key, command in VALUES.items():
            ours.execute(*command)
            before = digest(ours, key)
            assert migrate(ours, target, key) == OK
            assert ours.execute("EXISTS", key).value == 0
            assert digest(theirs, key) == before
            assert migrate(theirs, subject, key) == OK
            assert theirs.execute("EXISTS", key).value == 0
            assert digest(ours, key) == before


def test_many_keys_their_time_to_live_and_another_database(subject: Server, target: Server) -> None:
    subject.flush()
    with subject.connect() as ours, target.connect() as theirs:
        for command in VALUES.values():
            ours.execute(*command)
        ours.execute("PEXPIRE", "list", "100000")
        assert migrate(ours, target, "", "KEYS", *VALUES, "none", db="5") == OK
        assert ours.execute("DBSIZE").value == 0
        assert theirs.execute("DBSIZE").value == 0
        theirs.execute("SELECT", "5")
        assert theirs.execute("DBSIZE").value == len(VALUES)
        assert 90_000 < theirs.execute("PTTL", "list").value <= 100_000
        assert theirs.execute("PTTL", "set").value == -1


def test_what_is_wrong(reference: Server, subject: Server, target: Server) -> None:
    """The same calls on redis-server and on the subject answer the same."""
    calls = [
        ("none",),
        ("", "KEYS"),
        ("", "KEYS", "none", "nothing"),
        ("a", "KEYS", "a"),
        ("a", "BOGUS"),
        ("a", "AUTH"),
        ("a", "AUTH2", "x"),
        ("a", "COPY"),
        ("a",),
        ("a", "COPY", "REPLACE"),
        ("a", "REPLACE"),
        ("", "COPY", "KEYS", "b", "c"),
        ("", "KEYS", "b", "c"),
        ("d", "AUTH", "secret"),
        ("d", "AUTH2", "nobody", "secret"),
        ("d", "AUTH2", "default", "x", "COPY"),
    ]
    answers = []
    for server in (reference, subject):
        server.flush()
        target.flush()
        with server.connect() as origin, target.connect() as theirs:
            run(origin, *(f"SET {key} v" for key in "abcd"))
            theirs.execute("SET", "b", "there")
            found = [migrate(origin, target, *call) for call in calls]
            found.append(migrate(origin, target, "d", db="99"))
            found.append(migrate(origin, target, "d", db="x"))
            found.append(migrate(origin, target, "d", ms="x"))
            found.append(migrate(origin, target, "d", ms="-1"))
            found.append(Reply("*", tuple(origin.execute("EXISTS", key) for key in "abcd")))
            found.append(Reply("*", tuple(theirs.execute("GET", key) for key in "abcd")))
            answers.append(found)
    assert answers[0] == answers[1]


def test_a_target_that_is_not_there_or_says_nothing(reference: Server, subject: Server) -> None:
    with socket.socket() as mute, socket.socket() as closed:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        closed.bind(("127.0.0.1", 0))
        answers = []
        for server in (reference, subject):
            server.flush()
            with server.connect() as origin:
                origin.execute("SET", "k", "v")
                answers.append(
                    [
                        origin.execute("MIGRATE", "127.0.0.1", str(sock.getsockname()[1]), "k", "0", "1000")
                        for sock in (mute, closed)
                    ]
                    + [origin.execute("GET", "k")]
                )
    assert answers[0] == answers[1]


def test_a_name_that_does_not_resolve(subject: Server) -> None:
    subject.flush()
    with subject.connect() as ours:
        ours.execute("SET", "k", "v")
        reply = ours.execute("MIGRATE", "no-such-host.invalid", "6379", "k", "0", "2000")
        assert reply == Reply("-", b"IOERR error or timeout connecting to the client")
        assert ours.execute("GET", "k").value == b"v"
        assert ours.execute("MIGRATE", "localhost", "1", "k", "0", "2000").kind == "-"


def test_others_go_on_and_the_key_waits(subject: Server) -> None:
    """While the target is silent, other keys are served; the key itself is when it is known where it is."""
    subject.flush()
    with (
        socket.socket() as mute,
        subject.connect() as ours,
        subject.connect() as other,
        subject.connect() as third,
    ):
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        for number in range(20):
            ours.execute("SET", f"k{number}", "v")
        ours.send("MIGRATE", "127.0.0.1", str(mute.getsockname()[1]), "k1", "0", "1500")
        while b"cmd=migrate" not in third.execute("CLIENT", "LIST").value:
            pass
        other.send("APPEND", "k1", "w")
        assert [third.execute("GET", f"k{number}").value for number in range(2, 20)] == [b"v"] * 18
        assert ours.receive() == Reply("-", b"IOERR error or timeout reading to target instance")
        assert other.receive().value == 2


def test_in_a_transaction_and_from_a_script(subject: Server, target: Server) -> None:
    subject.flush()
    with subject.connect() as ours, target.connect() as theirs:
        run(ours, "SET a 1", "MULTI", "INCR a")
        migrate(ours, target, "a")
        ours.execute("SET", "a", "new")
        assert ours.execute("EXEC").value == (Reply(":", 2), OK, OK)
        assert theirs.execute("GET", "a").value == b"2"
        assert ours.execute("GET", "a").value == b"new"


def test_with_a_password(subject: Server) -> None:
    subject.flush()
    with RedisServer() as locked, locked.connect() as theirs, subject.connect() as ours:
        theirs.execute("CONFIG", "SET", "requirepass", "secret")
        ours.execute("SET", "a", "1")
        assert migrate(ours, locked, "a").value.startswith(b"ERR Target instance replied with error: NOAUTH")
        assert migrate(ours, locked, "a", "AUTH", "wrong").value.startswith(
            b"ERR Target instance replied with error: WRONGPASS"
        )
        assert migrate(ours, locked, "a", "AUTH2", "default", "secret") == OK
        assert ours.execute("EXISTS", "a").value == 0
        theirs.execute("CONFIG", "SET", "requirepass", "")


def test_between_two_of_us(subject: Server, server_named: Callable[[str], Server]) -> None:
    target = server_named("threads2")
    target.flush()
    subject.flush()
    with subject.connect() as ours, target.connect() as theirs:
        run(ours, *(f"SET k{n} v{n}" for n in range(100)))
        ours.execute("HSET", "h", "a", "1", "b", "2")
        ours.execute("HPEXPIRE", "h", "100000", "FIELDS", "1", "a")
        assert migrate(ours, target, "", "KEYS", *[f"k{n}" for n in range(100)], "h") == OK
        assert ours.execute("DBSIZE").value == 0
        assert theirs.execute("DBSIZE").value == 101
        assert 90_000 < theirs.execute("HPTTL", "h", "FIELDS", "1", "a").value[0].value <= 100_000
