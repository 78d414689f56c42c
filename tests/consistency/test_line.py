"""Waiters are served in the order of their coming: on simulated servers over many seeds, and on real
threads.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache

import pytest

from nogil_df.commands.registry import all_rows
from nogil_df.commands.spec import Row
from nogil_df.simulation import SimulatedClient, Simulation
from stress.play import command
from tests.consistency import bugs
from tests.consistency.line import Waiting, check_line
from tests.resp import Connection, Decoder, Reply
from tests.servers import NogilServer, Server
from tests.vll.scenario import seeds

KEYS = tuple(b"line:%d" % number for number in range(4))
SCRIPT = b"for at, key in ipairs(KEYS) do redis.call('RPUSH', key, ARGV[at]) end"


@cache
def rows() -> Sequence[Row]:
    """A server of a few commands is made more quickly."""
    return tuple(row for row in all_rows() if row.name in _NAMES)


_NAMES = frozenset("BLPOP BLMPOP RPUSH LMOVE EVAL MULTI EXEC".split())


def lines(choices: random.Random) -> list[Waiting]:
    """A few who wait for one to four keys each."""
    return [
        Waiting(choices.sample(KEYS, choices.randint(1, len(KEYS)))) for _ in range(choices.randint(3, 9))
    ]


def demand(choices: random.Random, waiting: Waiting) -> tuple[bytes, ...]:
    """A command that waits for the keys and takes the first element, for a time or for ever."""
    patience = choices.choice((b"0", b"100"))
    if choices.random() < 0.3:
        return command("BLMPOP", patience, len(waiting.keys), *waiting.keys, "LEFT", "COUNT", 1)
    return command("BLPOP", *waiting.keys, patience)


def gift(choices: random.Random, pushed: dict[bytes, list[bytes]]) -> list[tuple[bytes, ...]]:
    """A pipeline that pushes a few elements, of one producer; told to `pushed`."""

    def element(key: bytes) -> bytes:
        values = pushed.setdefault(key, [])
        values.append(b"%b=%d" % (key, len(values)))
        return values[-1]

    keys = choices.sample(KEYS, choices.randint(1, 3))
    kind = choices.randrange(4)
    if kind == 0:
        return [command("RPUSH", key, element(key), element(key)) for key in keys]
    if kind == 1:
        pushes = [command("RPUSH", key, element(key)) for key in keys]
        return [(b"MULTI",), *pushes, (b"EXEC",)]
    if kind == 2:
        return [command("EVAL", SCRIPT, len(keys), *keys, *[element(key) for key in keys])]
    staging = b"staging:" + keys[0]
    made = command("RPUSH", staging, element(keys[0]))
    return [
        made,
        command("EVAL", b"redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')", 2, staging, keys[0]),
    ]


def understand(reply: Reply | None) -> tuple[bytes, bytes] | None:
    """(key, element), from BLPOP or BLMPOP."""
    if reply is None or reply.value is None:
        return None
    key, element = reply.value
    return key.value, element.value[0].value if element.kind == "*" else element.value


def simulated_line(seed: int) -> None:
    """Clients begin to wait one after the other; then one producer pushes a pipeline at a time, on any
    thread.
    """
    choices = random.Random(f"line {seed}")
    simulation = Simulation(seed, 2 + seed % 3, rows=rows())
    line = lines(choices)
    clients: list[SimulatedClient] = []
    for waiting in line:
        client = simulation.client()
        client.send(list(demand(choices, waiting)))
        clients.append(client)
        simulation.run()
    pushed: dict[bytes, list[bytes]] = {}
    # One producer: the order of pushes is that of its pipelines. What they mean for several keys is not
    # waited for.
    producer = simulation.client()
    for _ in range(choices.randint(1, 5)):
        producer.send(*map(list, gift(choices, pushed)))
    simulation.run()
    for waiting, client in zip(line, clients, strict=True):
        decoder = Decoder()
        decoder.feed(bytes(client.output))
        waiting.got = understand(decoder.next())
        assert decoder.next() is None, f"seed {seed}: served twice"
    check_line(line, pushed)
    for client in clients:
        client.close(after_replies=False)
    simulation.run()
    simulation.verify()


def simulated_lines(chunk: range) -> None:
    """Play seeds until one fails."""
    for seed in chunk:
        try:
            simulated_line(seed)
        except AssertionError as problem:
            raise AssertionError(f"seed {seed}: {problem}") from problem


@pytest.mark.parametrize("chunk", seeds(150, 1), ids="seeds{0.start}".format)
def test_simulated_lines(chunk: range) -> None:
    """Hundreds of lines, on two to four shards."""
    simulated_lines(chunk)


def test_a_wrong_line_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: who comes last is served first."""
    bugs.wrong_end_of_the_line(monkeypatch)
    with pytest.raises(AssertionError, match="line:"):
        simulated_lines(range(20))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Three shard threads."""
    with NogilServer(threads=3) as started:
        yield started


def test_lines_on_real_threads(server: Server) -> None:
    """The same over sockets, until INFO says that everybody waits."""
    for seed in range(12):
        choices = random.Random(f"real line {seed}")
        server.flush()
        with server.connect() as observer, server.connect() as producer:
            line = lines(choices)
            connections, ids = [], []
            for number, waiting in enumerate(line, 1):
                connections.append(server.connect())
                ids.append(connections[-1].execute("CLIENT", "ID").value)
                connections[-1].send(*demand(choices, waiting))
                while blocked_clients(observer) < number:
                    pass
            pushed: dict[bytes, list[bytes]] = {}
            for _ in range(choices.randint(1, 5)):
                producer.pipeline(gift(choices, pushed))
            # Whoever was served was so when the producer had its reply; all others are sent home.
            sent_home = [observer.execute("CLIENT", "UNBLOCK", number).value for number in ids]
            for waiting, connection, home in zip(line, connections, sent_home, strict=True):
                reply = connection.receive()
                waiting.got = understand(reply)
                assert bool(home) == (waiting.got is None), f"CLIENT UNBLOCK: {home}, and it got {reply}"
                connection.close()
        check_line(line, pushed)


def blocked_clients(observer: Connection) -> int:
    """As INFO counts them."""
    text: bytes = observer.execute("INFO", "clients").value
    return int(text.split(b"blocked_clients:")[1].split()[0])
