"""Many commands in one write are answered as Redis does: by the compiled way, by the others, by both in turn.

MGET, MSET and whole transactions of simple commands travel as bytes, as GET and SET do. A key of another
type, an option, a wrong number of arguments ends that, in the middle of a pipeline or of a transaction.
"""

from __future__ import annotations

import random
import threading

import pytest

from tests.resp import as_bytes, encode
from tests.servers import Server


def packed(*words: bytes | str) -> bytes:
    """A command as a client sends it."""
    return encode(tuple(map(as_bytes, words)))


MARK = packed("ECHO", "the end")
MARK_REPLY = b"$7\r\nthe end\r\n"
KEYS = [b"key:%d" % number for number in range(30)]
NAMES_OF_ERRORS = [
    (b"SET", b"key"),
    (b"MGET",),
    (b"MSET", b"key"),
    (b"SETEX", b"key:1", b"-1", b"x"),
    (b"NO",),
]
ROUNDS = 40
COPIES = [b"copy:%d" % number for number in range(8)]


def command(rng: random.Random) -> bytes:
    """A command that is no transaction."""
    key = rng.choice(KEYS)
    number = b"%d" % rng.randrange(1000)
    several = rng.choices(KEYS, k=rng.randrange(1, 12))
    kinds: list[tuple[float, tuple[bytes, ...]]] = [
        (20, (b"GET", key)),
        (15, (b"SET", key, number)),
        (5, (b"set", key, b"word" * rng.randrange(3000))),
        (10, (b"INCR", key)),
        (4, (b"SETEX", key, b"100", number)),
        (4, (b"PSETEX", key, b"100000", number)),
        (4, (b"SET", key, number, b"px", b"100000")),
        (2, (b"SET", key, number, b"NX")),
        (2, (b"LPUSH", key, number)),
        (2, (b"DEL", key)),
        (1, (b"APPEND", key, number)),
        (3, rng.choice(NAMES_OF_ERRORS)),
        (12, (b"MGET", *several)),
        (12, (b"MSET", *(word for one in several for word in (one, b"%d" % rng.randrange(1000))))),
    ]
    return packed(*rng.choices([words for _, words in kinds], [weight for weight, _ in kinds])[0])


def step(rng: random.Random) -> bytes:
    """A command, or a transaction of up to eight."""
    if rng.random() < 0.8:
        return command(rng)
    inside = b"".join(command(rng) for _ in range(rng.randrange(9)))
    return packed("MULTI") + inside + packed("EXEC")


def answers(server: Server, data: bytes) -> bytes:
    """What a client gets that writes all of it at once."""
    received = bytearray()
    with server.connect() as connection:
        connection.send_raw(data + MARK)
        while not received.endswith(MARK_REPLY):
            chunk = connection.socket.recv(1 << 16)
            assert chunk, "the server closed the connection"
            received += chunk
    return bytes(received)


@pytest.mark.parametrize("seed", range(3))
def test_pipelines_are_answered_as_redis_does(seed: int, reference: Server, subject: Server) -> None:
    rng = random.Random(seed)
    reference.flush()
    subject.flush()
    for _ in range(ROUNDS):
        data = b"".join(step(rng) for _ in range(rng.randrange(1, 40)))
        assert answers(subject, data) == answers(reference, data)


def test_nobody_sees_half_of_a_step(subject: Server) -> None:
    """Writers make all copies alike, by MSET or in a transaction; readers never see two values."""
    subject.flush()
    reads = packed("MGET", *COPIES)
    gets = b"".join(packed("GET", key) for key in COPIES)
    transaction = packed("MULTI") + gets + packed("EXEC")
    with subject.connect() as connection:
        assert connection.execute("MSET", *(word for key in COPIES for word in (key, "0"))) == ("+", b"OK")
    failures: list[object] = []

    def write(name: int) -> None:
        with subject.connect() as connection:
            for number in range(30):
                value = b"%d:%d" % (name, number)
                sets = [packed("SET", key, value) for key in COPIES]
                whole = packed("MSET", *(word for key in COPIES for word in (key, value)))
                connection.send_raw((whole + packed("MULTI") + b"".join(sets) + packed("EXEC")) * 4)
                for _ in range(4 * (len(COPIES) + 3)):
                    connection.receive()

    def read() -> None:
        with subject.connect() as connection:
            for _ in range(60):
                connection.send_raw(reads + transaction)
                replies = [connection.receive() for _ in range(len(COPIES) + 3)]
                for _, values in (replies[0], replies[-1]):
                    if len({value for _, value in values}) != 1:
                        failures.append(values)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(3)]
    threads += [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
