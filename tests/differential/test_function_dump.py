"""FUNCTION DUMP's payload, taken from one server and restored in the other."""

from __future__ import annotations

import pytest

from tests.resp import Connection, Reply
from tests.servers import Server

OK = Reply("+", b"OK")
LIBRARIES = {
    "short": b"#!lua name=short\nredis.register_function('one', function() return 1 end)",
    "long": b"#!lua name=long\n--"
    + b"repeated and so compressed " * 300
    + b"\nredis.register_function('two', function(keys, args) return {2, #keys, args[1]} end)",
    "bytes": b"#!lua name=bytes\nlocal s = '"
    + bytes(byte for byte in range(256) if byte not in b"'\\\r\n\0")
    + b"'\nredis.register_function{function_name='three', description='3', flags={'no-writes'}, "
    b"callback=function() return s end}",
}
CALLS = (("one", "0"), ("two", "1", "k", "a"), ("three", "0"))


def listed(connection: Connection) -> list[Reply]:
    """All libraries with their code, in an order that does not matter."""
    return sorted(connection.execute("FUNCTION", "LIST", "WITHCODE").value, key=repr)


@pytest.mark.parametrize("direction", ["from redis-server", "to redis-server", "there and back"])
def test_payloads_are_understood(direction: str, reference: Server, subject: Server) -> None:
    with reference.connect() as redis, subject.connect() as ours:
        source, target = (redis, ours) if direction == "from redis-server" else (ours, redis)
        for connection in (redis, ours):
            assert connection.execute("FUNCTION", "FLUSH") == OK
        for code in LIBRARIES.values():
            assert source.execute("FUNCTION", "LOAD", code).kind == "$"
        payload = source.execute("FUNCTION", "DUMP").value
        assert target.execute("FUNCTION", "RESTORE", payload) == OK
        if direction == "there and back":
            assert source.execute("FUNCTION", "FLUSH") == OK
            payload = target.execute("FUNCTION", "DUMP").value
            assert source.execute("FUNCTION", "RESTORE", payload, "REPLACE") == OK
        assert listed(source) == listed(target)
        assert len(listed(target)) == len(LIBRARIES)
        for call in CALLS:
            assert source.execute("FCALL", *call) == target.execute("FCALL", *call)
        for connection in (redis, ours):
            assert connection.execute("FUNCTION", "FLUSH") == OK
