"""Values that go from one server to the other and back, by DUMP and RESTORE: what arrives is what was sent.

Values of every type and many sizes, with elements in every encoding that Redis's format has. Equal are the
signatures of DEBUG DIGEST-VALUE, and for streams what XINFO STREAM FULL tells, as groups are in no signature.
redis-server checks what it is given in full.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.resp import Connection, Reply
from tests.servers import Server

OK = Reply("+", b"OK")
WITHIN = (b"radix-tree-keys", b"radix-tree-nodes", b"seen-time", b"active-time")
"""Fields of XINFO that tell of the structures inside, and of times that one of the servers does not keep."""

SIZES = (1, 20, 129, 700)
LENGTHS = (0, 1, 62, 63, 64, 124, 125, 126, 127, 128, 4094, 4095, 4096, 8000, *range(16374, 16386), 70000)
Command = list[bytes | str | int | float]


def _element(random: Random, number: int) -> bytes:
    kind = random.randrange(4)
    if kind == 0:
        return b"%d" % random.randrange(-(2 ** random.randrange(1, 64)), 2 ** random.randrange(1, 64))
    if kind == 1:
        return random.randbytes(random.randrange(90))
    if kind == 2:
        return b"%c" % random.randrange(65, 91) * random.randrange(100)
    return b"element:%d" % number


def _stream(random: Random, size: int) -> list[Command]:
    commands: list[Command] = []
    for number in range(1, size + 1):
        pairs = [b"name", _element(random, number), b"at", b"%d" % number]
        if number % 13 == 0:
            pairs = [b"other", _element(random, number)]
        commands.append(["XADD", "k", f"{number}-{random.randrange(5)}", *pairs])
    commands.append(["XADD", "k", f"{size + 1}-18446744073709551615", "a", ""])
    commands.append(["XDEL", "k", f"{size + 1}-18446744073709551615"])
    commands += [["XGROUP", "CREATE", "k", name, start] for name, start in (("g", "0"), ("h", "$"))]
    commands += [["XREADGROUP", "GROUP", "g", who, "COUNT", 5, "STREAMS", "k", ">"] for who in ("one", "two")]
    commands += [
        ["XGROUP", "CREATECONSUMER", "k", "g", "idle"],
        ["XTRIM", "k", "MAXLEN", "=", size - size // 5],
    ]
    return commands


def _values() -> dict[str, list[Command]]:
    random = Random(5)
    texts: list[bytes] = [b"", b"hello", b"-12345", b"9" * 18, b"ab" * 900, random.randbytes(100_000)]
    values: dict[str, list[Command]] = {f"string {at}": [["SET", "k", text]] for at, text in enumerate(texts)}
    values["string that was changed in place"] = [["SET", "k", "1"], ["APPEND", "k", "0"]]
    values["bitmap"] = [["SETBIT", "k", 100_000, 1]]
    values["hyperloglog"] = [["PFADD", "k", *range(300)]]
    values["list of long strings"] = [["RPUSH", "k", *(random.randbytes(size) for size in LENGTHS)]]
    values["list of long runs"] = [["RPUSH", "k", *(b"x" * size for size in LENGTHS)]]
    for size in SIZES:
        elements = [_element(random, number) for number in range(size)]
        scores = [random.choice([random.random(), number, -number, 1e300, 2**60]) for number in range(size)]
        values[f"list {size}"] = [["RPUSH", "k", *elements]]
        values[f"set {size}"] = [["SADD", "k", *elements]]
        values[f"integers {size}"] = [["SADD", "k", *(number * 7**20 for number in range(size))]]
        pairs = ((b"f%d" % number, element) for number, element in enumerate(elements))
        values[f"hash {size}"] = [["HSET", "k", *(text for pair in pairs for text in pair)]]
        ranked = (
            (score, b"%d:" % at + one) for at, (score, one) in enumerate(zip(scores, elements, strict=True))
        )
        values[f"sorted set {size}"] = [["ZADD", "k", *(part for pair in ranked for part in pair)]]
        values[f"stream {size}"] = _stream(random, size)
    values["infinite scores"] = [["ZADD", "k", "inf", "a", "-inf", "b", "-0", "c"]]
    values["stream without entries"] = [["XADD", "k", "7-7", "a", "b"], ["XDEL", "k", "7-7"]]
    return values


VALUES = _values()


def _without(value: object) -> object:
    """XINFO's reply without the fields `WITHIN`."""
    if isinstance(value, Reply):
        return _without(value.value)
    if isinstance(value, dict):
        return {name: _without(one) for name, one in value.items() if name not in WITHIN}
    if not isinstance(value, list | tuple):
        return value
    items = [_without(one) for one in value]
    hidden = {at for at, one in enumerate(items) if one in WITHIN}
    return [one for at, one in enumerate(items) if at not in hidden and at - 1 not in hidden]


def told(connection: Connection) -> list[object]:
    """What tells the value of k from others."""
    found: list[object] = [connection.execute("TYPE", "k"), connection.execute("DEBUG", "DIGEST-VALUE", "k")]
    if found[0] == Reply("+", b"stream"):
        found.append(_without(connection.execute("XINFO", "STREAM", "k", "FULL", "COUNT", "0")))
    return found


def send(source: Connection, target: Connection) -> list[object]:
    """Send k over; what it is there."""
    payload = source.execute("DUMP", "k").value
    assert target.execute("RESTORE", "k", "0", payload, "REPLACE") == OK
    return told(target)


@pytest.mark.parametrize("compressed", ["yes", "no"])
@pytest.mark.parametrize("name", VALUES)
def test_there_and_back(name: str, compressed: str, reference: Server, subject: Server) -> None:
    with reference.connect() as redis, subject.connect() as ours:
        for connection in (redis, ours):
            connection.execute("FLUSHALL")
            assert connection.execute("CONFIG", "SET", "rdbcompression", compressed) == OK
        assert redis.execute("CONFIG", "SET", "sanitize-dump-payload", "yes") == OK
        try:
            for command in VALUES[name]:
                redis.execute(*[word if isinstance(word, bytes) else str(word) for word in command])
            before = told(redis)
            assert send(redis, ours) == before
            assert send(ours, redis) == before
            assert send(redis, ours) == before
        finally:
            for connection in (redis, ours):
                connection.execute("CONFIG", "SET", "rdbcompression", "yes")
            redis.execute("CONFIG", "SET", "sanitize-dump-payload", "no")
