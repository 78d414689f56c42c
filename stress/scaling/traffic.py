"""What clients send, made ahead: pipelines of requests as bytes, and how many bytes answer them.

All keys exist and all values are of one length, so replies are known to the byte, and a client only counts.
What is sent is drawn from a seed of the client's own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.client import packed
from nogil_df.base.hashing import hash_key, shard_of
from stress.scaling.profiles import FIRST_KEY, KEYSPACE, Load

RESP, MEMCACHED = "resp", "memcached"
UNIT_BYTES = 2 << 20
"""About how many bytes are made ahead for each set of keys, and UNITS at most."""
UNITS = 4096

Draw = Callable[[], bytes]
Unit = tuple[bytes, int]
"""A pipeline of requests, and the bytes of its replies."""


def key(number: int) -> bytes:
    """The key of that number, 0 <= number < KEYSPACE."""
    return b"key:%d" % (FIRST_KEY + number)


@dataclass(frozen=True, slots=True)
class Placement:
    """Which keys a connection asks for: the share of `foreign` ones, which belong to another thread of a
    nogil-df
    with `threads` shard threads than the connection does."""

    threads: int
    foreign: float


def choose(rng: random.Random, placement: Placement | None, own: int) -> Draw:
    """Draws keys; of `own` and the other shards in the shares of the placement, of all without one."""
    if placement is None:
        return lambda: key(rng.randrange(KEYSPACE))
    here: list[bytes] = []
    there: list[bytes] = []
    for number in range(KEYSPACE):
        name = key(number)
        (here if shard_of(hash_key(name), placement.threads) == own else there).append(name)
    share = placement.foreign
    return lambda: rng.choice(there if there and rng.random() < share else here)


def units(load: Load, protocol: str, rng: random.Random, draw: Draw) -> list[Unit]:
    """Pipelines of a load, some thousand of them."""
    read, write = MAKERS[protocol](load)
    kinds = [write] * load.sets + [read] * load.gets
    made: list[Unit] = []
    size = turn = 0
    while len(made) < UNITS and size < UNIT_BYTES:
        pieces: list[bytes] = []
        replies = 0
        for _ in range(load.pipeline):
            request, length = kinds[turn % len(kinds)](draw())
            turn += 1
            pieces.append(request)
            replies += length
        made.append((b"".join(pieces), replies))
        size += len(made[-1][0])
    rng.shuffle(made)
    return made


Maker = Callable[[bytes], tuple[bytes, int]]


def _resp(load: Load) -> tuple[Maker, Maker]:
    value = b"x" * load.value_bytes
    hit = len(b"$%d\r\n" % load.value_bytes) + load.value_bytes + 2
    done = len(b"+OK\r\n")
    expiry = b"%d" % load.expiry
    if load.expiry:
        return (lambda k: (packed(b"GET", k), hit)), (lambda k: (packed(b"SETEX", k, expiry, value), done))
    return (lambda k: (packed(b"GET", k), hit)), (lambda k: (packed(b"SET", k, value), done))


def _memcached(load: Load) -> tuple[Maker, Maker]:
    value = b"x" * load.value_bytes
    hit = len(b"VALUE %b 0 %d\r\n" % (key(0), load.value_bytes)) + load.value_bytes + len(b"\r\nEND\r\n")
    done = len(b"STORED\r\n")
    tail = b" 0 %d %d\r\n%b\r\n" % (load.expiry, load.value_bytes, value)
    return (lambda k: (b"get %b\r\n" % k, hit)), (lambda k: (b"set %b%b" % (k, tail), done))


MAKERS: dict[str, Callable[[Load], tuple[Maker, Maker]]] = {RESP: _resp, MEMCACHED: _memcached}


def filling(protocol: str, value_bytes: int, numbers: Sequence[int]) -> Unit:
    """Requests that make all of these keys, and the bytes that answer them."""
    _, write = MAKERS[protocol](Load("fill", 1, 0, 1, 1, value_bytes=value_bytes))
    made = [write(key(number)) for number in numbers]
    return b"".join(request for request, _ in made), sum(length for _, length in made)
