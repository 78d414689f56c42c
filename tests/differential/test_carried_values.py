"""HyperLogLogs that GET and SET carry between redis-server and the subject: they count the same in both, stay
the same while both go on with them, and merge alike.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.resp import Connection, Reply
from tests.servers import Server

SIZES = [0, 1, 10, 150, 1000, 2500, 30_000]


def elements(seed: int, count: int) -> list[bytes]:
    """Elements of many lengths."""
    random = Random(seed)
    return [random.randbytes(random.randrange(1, 24)) for _ in range(count)]


def fill(connection: Connection, key: str, added: list[bytes]) -> None:
    connection.execute("PFADD", key)
    connection.pipeline([(b"PFADD", key.encode(), *added[at : at + 500]) for at in range(0, len(added), 500)])


def carry(origin: Connection, target: Connection, key: str, name: str) -> None:
    assert target.execute("SET", name, origin.execute("GET", key).value) == Reply("+", b"OK")


@pytest.mark.parametrize("size", SIZES)
def test_carried_both_ways(size: int, reference: Server, subject: Server) -> None:
    for server in (reference, subject):
        server.flush()
    with reference.connect() as redis, subject.connect() as ours:
        for origin, target in ((redis, ours), (ours, redis)):
            fill(origin, "made", elements(size, size))
            carry(origin, target, "made", "uncounted")
            assert target.execute("PFCOUNT", "uncounted") == origin.execute("PFCOUNT", "made")
            assert target.execute("GET", "uncounted") == origin.execute("GET", "made")
            carry(origin, target, "made", "counted")
            assert target.execute("PFCOUNT", "counted") == origin.execute("PFCOUNT", "made")
            for connection, key in ((origin, "made"), (target, "counted")):
                fill(connection, key, elements(size + 1, size // 3 + 5))
            assert target.execute("GET", "counted") == origin.execute("GET", "made")
            assert target.execute("PFCOUNT", "counted") == origin.execute("PFCOUNT", "made")
            origin.execute("DEL", "made")


@pytest.mark.parametrize("other", SIZES)
@pytest.mark.parametrize("size", [3, 400, 5000])
def test_merged_in_both(size: int, other: int, reference: Server, subject: Server) -> None:
    for server in (reference, subject):
        server.flush()
    with reference.connect() as redis, subject.connect() as ours:
        fill(redis, "one", elements(1, size))
        fill(ours, "two", elements(2, other))
        carry(redis, ours, "one", "one")
        carry(ours, redis, "two", "two")
        for command in (
            ("PFCOUNT", "one", "two"),
            ("PFMERGE", "both", "one", "two"),
            ("PFMERGE", "one", "two"),
        ):
            assert ours.execute(*command) == redis.execute(*command)
        for key in ("one", "two", "both"):
            assert ours.execute("GET", key) == redis.execute("GET", key)
            assert ours.execute("PFCOUNT", key) == redis.execute("PFCOUNT", key)


def test_bitmaps_carried(reference: Server, subject: Server) -> None:
    for server in (reference, subject):
        server.flush()
    with reference.connect() as redis, subject.connect() as ours:
        for origin, target in ((redis, ours), (ours, redis)):
            random = Random(7)
            for _ in range(300):
                origin.execute("SETBIT", "bits", random.randrange(20_000), random.randrange(2))
            carry(origin, target, "bits", "copy")
            for command in (("BITCOUNT",), ("BITPOS", 1, 100), ("BITFIELD", "GET", "i64", 1234)):
                name, *arguments = command
                assert origin.execute(name, "bits", *arguments) == target.execute(name, "copy", *arguments)
