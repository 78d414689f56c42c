"""Commands and transactions over many keys are seen whole or not at all, whatever runs beside them."""

from __future__ import annotations

import itertools
import random

import pytest

from stress.clients import Turn, run_clients
from tests.resp import Connection, Reply
from tests.servers import Server

OK = Reply("+", b"OK")
QUEUED = Reply("+", b"QUEUED")
# Enough keys to lie on every shard.
KEYS = [b"key:%d" % number for number in range(12)]
ACCOUNTS = [b"account:%d" % number for number in range(16)]
BALANCE = 1000


def _values(reply: Reply) -> list[bytes | None]:
    assert reply.kind == "*", reply
    return [item.value for item in reply.value]


def _read_all(client: Connection, number: int) -> None:
    """One MGET sees one writer's values, also when the keys come in another order."""
    keys = random.sample(KEYS, len(KEYS))
    seen = _values(client.execute("MGET", *keys))
    assert len(set(seen)) == 1, (
        f"client {number} saw parts of several writes: {dict(zip(keys, seen, strict=True))}"
    )


def _mset(client: Connection, number: int) -> None:
    token = b"%d-%d" % (number, random.getrandbits(48))
    pairs = [part for key in random.sample(KEYS, len(KEYS)) for part in (key, token)]
    assert client.execute("MSET", *pairs) == OK


def _multi_set(client: Connection, number: int) -> None:
    token = b"%d-%d" % (number, random.getrandbits(48))
    keys = random.sample(KEYS, len(KEYS))
    assert client.execute("MULTI") == OK
    for key in keys:
        assert client.execute("SET", key, token) == QUEUED
    assert client.execute("EXEC") == Reply("*", (OK,) * len(keys))


def _delete_all(client: Connection, number: int) -> None:
    removed = client.execute("DEL", *random.sample(KEYS, len(KEYS))).value
    assert removed in (0, len(KEYS)), f"client {number} deleted {removed} of {len(KEYS)} keys"


def _transfer(client: Connection, number: int) -> None:
    """Move money between two accounts in a transaction; no order of clients makes or loses any."""
    source, target = random.sample(ACCOUNTS, 2)
    amount = str(random.randint(1, 10))
    assert client.execute("MULTI") == OK
    assert client.execute("DECRBY", source, amount) == QUEUED
    assert client.execute("INCRBY", target, amount) == QUEUED
    assert client.execute("EXEC").kind == "*"


def _guarded_transfer(client: Connection, number: int) -> None:
    """The same by WATCH, read, compute, SET: a change by anybody else in between must void it."""
    source, target = random.sample(ACCOUNTS, 2)
    assert client.execute("WATCH", source, target) == OK
    had, has = (int(value or 0) for value in _values(client.execute("MGET", source, target)))
    assert client.execute("MULTI") == OK
    assert client.execute("SET", source, str(had - 1)) == QUEUED
    assert client.execute("SET", target, str(has + 1)) == QUEUED
    assert client.execute("EXEC").kind == "*"


def _audit(client: Connection, number: int) -> None:
    total = sum(int(value or 0) for value in _values(client.execute("MGET", *ACCOUNTS)))
    assert total == BALANCE * len(ACCOUNTS), f"client {number} counts {total}"


@pytest.mark.parametrize(
    "writers",
    [[_mset], [_multi_set], [_mset, _multi_set], [_mset, _multi_set, _delete_all]],
    ids=["mset", "exec", "mset+exec", "mset+exec+del"],
)
def test_writes_of_many_keys_are_seen_whole(server: Server, seconds: float, writers: list[Turn]) -> None:
    """MSET, EXEC and DEL over all keys, and MGETs that never see a mixture."""
    assert run_clients(server, seconds, [*writers, *writers, _read_all, _read_all, _read_all]) > 0


def test_transfers_keep_the_total(server: Server, seconds: float) -> None:
    """EXEC and optimistic locking by WATCH conserve a sum that others read at any moment."""
    with server.connect() as client:
        opening = [part for account in ACCOUNTS for part in (account, str(BALANCE))]
        assert client.execute("MSET", *opening) == OK
    turns = [_transfer, _transfer, _guarded_transfer, _guarded_transfer, _audit, _audit]
    assert run_clients(server, seconds, turns) > 0
    with server.connect() as client:
        _audit(client, len(turns))


def test_a_pipeline_is_seen_in_its_order(server: Server, seconds: float) -> None:
    """Who sees a write of a pipeline sees all before it: here, no counter lags behind the next one."""
    rounds = 500
    reached = 0

    def publish(client: Connection, number: int) -> None:
        nonlocal reached
        counts = range(reached + 1, reached + rounds + 1)
        replies = client.pipeline([(b"SET", key, b"%d" % count) for count in counts for key in KEYS])
        assert replies == [OK] * (rounds * len(KEYS))
        reached += rounds

    def follow(client: Connection, number: int) -> None:
        seen = [int(value or 0) for value in _values(client.execute("MGET", *KEYS))]
        steps = [earlier - later for earlier, later in itertools.pairwise(seen)]
        assert set(steps) <= {0, 1}, f"client {number} saw later writes without earlier ones: {seen}"
        assert sum(steps) <= 1, f"client {number} saw a round begin before the last one ended: {seen}"

    assert run_clients(server, seconds, [publish, follow, follow, follow]) > 0
