"""The same conversations with a real memcached and with nogil-df, on one thread and on three."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.memcached.cases import CASES
from tests.memcached.servers import MemcachedServer, NogilMemcached, exchange

THREADS = (1, 3)
ROUNDS = 25
LENGTH = 60


@pytest.fixture(scope="module")
def reference() -> Iterator[MemcachedServer]:
    """The real memcached."""
    with MemcachedServer() as it:
        assert isinstance(it, MemcachedServer)
        yield it


@pytest.fixture(scope="module", params=THREADS)
def subject(request: pytest.FixtureRequest) -> Iterator[NogilMemcached]:
    """nogil-df."""
    with NogilMemcached(threads=request.param) as it:
        assert isinstance(it, NogilMemcached)
        yield it


def both(reference: MemcachedServer, subject: NogilMemcached, lines: list[str]) -> tuple[bytes, bytes]:
    """What each answers to the lines, beginning with nothing stored."""
    request = b"".join([line.encode("latin-1") + b"\r\n" for line in lines])
    reference.flush()
    subject.flush()
    return exchange(reference.memcached_port, request), exchange(subject.memcached_port, request)


@pytest.mark.parametrize("name", CASES)
def test_conversation(reference: MemcachedServer, subject: NogilMemcached, name: str) -> None:
    wanted, found = both(reference, subject, CASES[name])
    assert found == wanted


def random_lines(rng: random.Random) -> list[str]:
    """A conversation about a few keys; of what is deliberately different nothing (see the documentation)."""
    lines: list[str] = []
    for _ in range(LENGTH):
        key = rng.choice("abcd")
        quiet = rng.choice(("", "", "", " noreply"))
        value = rng.choice(("", "7", "12", "x" * 10, "4096", "hello"))
        flags = rng.choice((0, 0, 3, 1 << 31))
        time = rng.choice((0, 0, 100, -1))
        name = rng.choice("set add replace append prepend get incr delete touch gat mg ms md ma".split())
        if name in ("append", "prepend"):
            # Of digits it would make numbers with zeros in front, which memcached keeps as wide as they were.
            value = "x"
        if name in ("set", "add", "replace", "append", "prepend"):
            lines += [f"{name} {key} {flags} {time} {len(value)}{quiet}", value]
        elif name == "get":
            lines.append(f"get {' '.join(rng.choices('abcdef', k=rng.randint(1, 4)))}")
        elif name == "incr":
            lines.append(f"incr {key} {rng.randint(0, 1000)}{quiet}")
        elif name == "delete":
            lines.append(f"delete {key}{quiet}")
        elif name in ("touch", "gat"):
            lines.append(f"touch {key} {time}{quiet}" if name == "touch" else f"gat {time} {key} f")
        elif name == "mg":
            words = rng.sample(["v", "s", "t", "f", "k", "q", "Ox1", "T100", "N50"], rng.randint(0, 4))
            lines.append(" ".join(["mg", key, *words]))
        elif name == "ms":
            mode = rng.choice(("", "ME", "MA", "MP", "MR", "MS"))
            words = rng.sample(["k", "q", "Ox2", "F9", "T100"], rng.randint(0, 3))
            value = "x" if mode in ("MA", "MP") else value
            lines += [" ".join(filter(None, ["ms", key, str(len(value)), *words, mode])), value]
        elif name == "md":
            lines.append(" ".join(["md", key, *rng.sample(["k", "q", "I", "T60"], rng.randint(0, 3))]))
        else:
            words = rng.sample(["v", "t", "k", "q", "D7", "N0", "J40"], rng.randint(0, 4))
            lines.append(" ".join(["ma", key, *words]))
    return lines


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_random_conversation(reference: MemcachedServer, subject: NogilMemcached, seed: int) -> None:
    lines = random_lines(random.Random(seed))
    wanted, found = both(reference, subject, lines)
    assert found == wanted, lines


CUT = (
    b"set k 0 0 5\r\nhello\r\nget k\r\nset k 0 0 2\r\n\r\n\r\nget k\r\nget k nothing\r\nget nothing\n"
    b"set k 1 0 1\r\nx\r\nget k\r\n"
    b"set k 0 0 3\r\nabcd\r\nget k\r\nset k 0 0 3 noreply\r\nabc\r\nget  k\r\nget a\x00b\r\nset "
    + b"k"
    * 250
    + b" 0 0 1\r\nx\r\n"
    b"get " + b"k" * 250 + b"\r\nget " + b"k" * 251 + b"\r\nget k\r\n"
)
"""What runs by the compiled short cut, and what looks like it and does not."""


def test_it_does_not_matter_how_a_conversation_is_cut(
    reference: MemcachedServer, subject: NogilMemcached
) -> None:
    reference.flush()
    wanted = exchange(reference.memcached_port, CUT)
    for at in range(1, len(CUT), 1 if subject.threads == 1 else 7):
        subject.flush()
        assert exchange(subject.memcached_port, CUT[:at], CUT[at:]) == wanted, f"cut at {at}"
