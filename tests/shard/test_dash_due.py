"""What has expired is found in time, however far ahead deadlines lie and whatever the clock does."""

from __future__ import annotations

import random

import pytest

from nogil_df.base.hashing import hash_key
from nogil_df.shard.dash import DashTable
from nogil_df.shard.keyspace import Keyspace
from nogil_df.shard.shard import Shard
from nogil_df.shard.table import PACKED
from tests.shard.dash_support import TABLES, Tick, key_of

HORIZONS = (5, 900, 3_000, 60_000, 140_000, 3_600_000, 40_000_000_000)
"""Milliseconds ahead: within the second, within what is told apart by seconds, and beyond."""


def collect_all(table: DashTable, quietly: bool = False) -> int:
    """One whole pass of active expiry; how many records it took out."""
    position, total = table.collect_expired(3, 0, quietly)
    while position:
        position, collected = table.collect_expired(3, position, quietly)
        total += collected
    return total


@pytest.mark.parametrize("kind", sorted(TABLES))
@pytest.mark.parametrize("seed", range(4))
def test_a_pass_finds_exactly_what_has_expired(kind: str, seed: int) -> None:
    """Records come, go, and change deadlines; segments split and merge; the clock leaps, and goes back."""
    chance = random.Random(seed)
    tick = Tick()
    expired: list[bytes] = []
    table = TABLES[kind](tick, lambda key, h, value: expired.append(key))
    model: dict[bytes, int] = {}
    for step in range(60):
        most = chance.choice((100, 3_000))
        for _ in range(chance.randrange(400)):
            key = key_of(chance.randrange(most))
            h = hash_key(key)
            if 0 < model.get(key, 0) < tick.ms:
                continue
            deadline = tick.ms + chance.randrange(chance.choice(HORIZONS)) if chance.random() < 0.8 else 0
            action = chance.random()
            if action < 0.6:
                table.put(key, h, b"v" * chance.randrange(50), deadline)
                model[key] = deadline
            elif action < 0.8:
                if table.set_deadline(key, h, deadline):
                    model[key] = deadline
            elif table.erase(key, h) is not None:
                del model[key]
        tick.ms += chance.choice((1, 300, 1_500, 70_000, 150_000, 4_000_000, -2_000))
        due = {key for key, deadline in model.items() if 0 < deadline < tick.ms}
        expired.clear()
        assert collect_all(table) == len(due), step
        assert set(expired) == due
        for key in due:
            del model[key]
        assert {key: deadline for key, _, deadline in table.items()} == model
        table.verify()


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_a_pass_of_a_second_later_finds_the_next_ones(kind: str) -> None:
    """Again and again, at an even rate, as under load."""
    tick = Tick()
    table = TABLES[kind](tick)
    start = tick.ms
    for number in range(20_000):
        key = key_of(number)
        table.put(key, hash_key(key), number, start + 1_000 + number * 10)
    taken = 0
    for second in range(1, 202):
        tick.ms = start + second * 1_000
        taken += collect_all(table)
        # Those whose deadline is before now.
        assert taken == min(20_000, max(0, (second - 1) * 100)), second
    assert table.expiring == 0
    table.verify()


def test_strings_go_quietly_where_nobody_listens() -> None:
    """They are counted either way, and a value of another type is accounted for."""
    shard = Shard(0, 1, 1, 1_700_000_000_000)
    db: Keyspace = shard.dbs[0]
    for number in range(1_000):
        key = b"key:%d" % number
        db.put(
            key, shard.hash_key(key), bytearray(b"x" * 30) if number % 3 == 0 else b"y", shard.tick.ms + 10
        )
    shard.tick.ms += 11
    position, collected = db.expire_step(5, 0)
    while position:
        position, more = db.expire_step(5, position)
        collected += more
    assert collected == shard.expired == 1_000
    assert db.used == 0
    assert db.table.expired_quietly == (666 if PACKED else 0)
    shard.verify()
