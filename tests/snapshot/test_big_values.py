"""Big values are written in slices: each is short, and whatever changes meanwhile, they are as they were."""

from __future__ import annotations

import pytest

from nogil_df.base.hashing import hash_key
from nogil_df.shard import digest
from nogil_df.shard.shard import Shard
from nogil_df.snapshot import records
from nogil_df.snapshot.channel import Channel
from nogil_df.snapshot.cut import DONE, ShardCut
from nogil_df.snapshot.records import BIG, Loaded, Style, load_blob
from tests.commands.console import Console

COUNT = BIG + 1_000


def made(kind: str) -> Console:
    """A server of one shard with a big value under the key `big`."""
    console = Console(shards=1)
    numbers = range(COUNT)
    if kind == "stream":
        for at in numbers:
            console(f"XADD big {at + 1}-1 field {at} other {at % 7}")
        console("XDEL big 5-1 6-1 700-1")
        console("XGROUP CREATE big group 0")
        console("XREADGROUP GROUP group one COUNT 700 STREAMS big >")
        console("XREADGROUP GROUP group two COUNT 1500 STREAMS big >")
        console("XACK big group 3-1")
        console("XGROUP CREATE big other $")
    elif kind == "vectors":
        for at in numbers:
            console(
                f"VADD big VALUES 3 {at} {at * at % 97} 1 element{at}" + (" SETATTR {}" if at % 5 else "")
            )
    elif kind == "set":
        console("SADD big " + " ".join(f"m{at}" for at in numbers))
    elif kind == "hash":
        console("HSET big " + " ".join(f"f{at} {at}" for at in numbers))
    elif kind == "timed hash":
        console("HSET big " + " ".join(f"f{at} {at}" for at in numbers))
        console("HPEXPIREAT big 4000000000000 FIELDS 2 f1 f2")
    elif kind == "list":
        console("RPUSH big " + " ".join(f"e{at}" for at in numbers))
    else:
        console("ZADD big " + " ".join(f"{at}.5 m{at}" for at in numbers))
    return console


CHANGES = {
    "stream": ("XTRIM big MAXLEN 3", "XADD big * f v", "XGROUP DESTROY big group"),
    "vectors": ("VREM big element7", "VSETATTR big element9 x"),
    "set": ("SREM big m1 m2", "SADD big new"),
    "hash": ("HSET big f1 new", "HDEL big f2"),
    "timed hash": ("HPERSIST big FIELDS 1 f1", "HDEL big f2"),
    "list": ("LPOP big 100", "RPUSH big new"),
    "sorted set": ("ZADD big 7 m1", "ZREM big m2"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_it_is_written_as_it_was(kind: str) -> None:
    console = made(kind)
    shard: Shard = console.simulation.threads[0].proactor.shard
    table = shard.dbs[0].table
    h = hash_key(b"big")
    expected = digest.of_value(table.get(b"big", h), 0)
    version = 12 if kind == "timed hash" else 10
    channel = Channel()
    part = ShardCut(shard, 1, Style(version, True, client_flags=False), channel)
    changes = list(CHANGES[kind])
    steps = 0
    while part.step(0, lambda: 0) != DONE:
        steps += 1
        if changes and steps % 3 == 1:
            assert console(changes.pop(0)).kind != "-"
    assert not changes
    assert digest.of_value(table.get(b"big", h), 0) != expected
    blob = b"".join(bytes(blob) for blob, _ in iter(channel.take, None))
    read = Shard(0, 1, 1, shard.tick.ms)
    load_blob(read, blob, Loaded(), override=False, use_ages=records.NO_AGES)
    assert digest.of_value(read.dbs[0].table.get(b"big", h), 0) == expected
    # No step is more than a small part of it.
    assert steps > 10
