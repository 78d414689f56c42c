"""Big values are written in slices: each is short, and whatever happens meanwhile, they are as they were."""

from __future__ import annotations

import pytest

from nogil_df.rdb.live import Made
from nogil_df.shard.shard import Shard
from nogil_df.snapshot import records
from nogil_df.snapshot.big_values import BIG
from nogil_df.snapshot.channel import WHOLE, Channel
from nogil_df.snapshot.cut import DONE, ShardCut
from nogil_df.snapshot.records import Loaded, Style, load_blob
from tests.commands.console import Console
from tests.snapshot.state import State, state_of

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
    elif kind == "string":
        console("SETRANGE big 1500000 abc")
        console("SETRANGE big 90000 def")
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
    "string": ("SETRANGE big 70000 x", "APPEND big y"),
}

MOMENTS = {"before": 0, "early": 2, "in the midst": 6, "late": 12}
"""Steps of the cut before which the value is changed. The first finds it, each other one is a piece of it."""

FATES = ("changed", "deleted", "renamed", "replaced", "expired", "flushed", "split", "left")


class Cutting:
    """A cut of a server's only shard, in steps of one piece each."""

    def __init__(self, console: Console, version: int) -> None:
        self.console = console
        self.shard: Shard = console.simulation.threads[0].proactor.shard
        self.channel = Channel()
        self.part = ShardCut(self.shard, 1, Style(version, True, client_flags=False), self.channel)

    def step(self) -> bool:
        """One piece, or one bucket. Whether there is more."""
        return self.part.step(0, lambda: 0) != DONE

    def loaded(self) -> State:
        """What was written."""
        assert not self.channel.broken
        blob = b"".join(bytes(blob) for blob, _ in iter(self.channel.take, None))
        read = Shard(0, 1, 1, 0)
        load_blob(read, blob, Loaded(), override=False, use_ages=records.NO_AGES)
        return state_of([read])


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("kind", CHANGES)
def test_it_is_written_as_it_was(kind: str, fate: str, moment: str) -> None:
    console = made(kind)
    if fate == "expired":
        console("PEXPIRE big 1000")
    expected = state_of([console.simulation.threads[0].proactor.shard])
    cutting = Cutting(console, 12 if kind == "timed hash" else 10)
    table = cutting.shard.dbs[0].table
    steps = 0
    while steps < MOMENTS[moment]:
        assert cutting.step()
        steps += 1
    meet(fate, kind, console)
    while cutting.step():
        steps += 1
        if kind == "list":
            # Reading of its middle turns it.
            console(f"LRANGE big {COUNT // 2} {COUNT // 2 + 3}")
    assert cutting.loaded() == expected
    if fate in ("changed", "replaced"):
        assert state_of([cutting.shard]) != expected
    assert not table.cut_version
    table.verify()
    cutting.shard.verify()
    # No step is more than a small part of it.
    assert steps > 10
    assert cutting.channel.keys == 1


def meet(fate: str, kind: str, console: Console) -> None:
    """Something happens to the value."""
    if fate == "changed":
        for line in CHANGES[kind]:
            assert console(line).kind != "-", line
    elif fate == "split":
        shard: Shard = console.simulation.threads[0].proactor.shard
        at = 0
        while len(shard.dbs[0].table.layout()) < 2:
            console(f"SET k{at} x")
            at += 1
    elif fate == "expired":
        console.simulation.advance(2_000)
        assert console("EXISTS big").value == 0
    elif fate != "left":
        line = {
            "deleted": "UNLINK big",
            "renamed": "RENAME big other",
            "replaced": "SET big small",
            "flushed": "FLUSHALL",
        }
        assert console(line[fate]).kind != "-"
        if fate == "renamed":
            console("DEL other")


@pytest.mark.parametrize("kind", CHANGES)
def test_only_what_changes_is_copied(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only while it is being read: neither one that is left alone, nor one that is written already."""
    settled: list[object] = []
    settle = Made.settle

    def note(pieces: Made[object]) -> None:
        settled.append(pieces)
        settle(pieces)

    monkeypatch.setattr(Made, "settle", note)
    console = made(kind)
    for at in range(500):
        console(f"SET k{at} x")
    cutting = Cutting(console, 12 if kind == "timed hash" else 10)
    table = cutting.shard.dbs[0].table
    changed = False
    while cutting.step():
        if not changed and any(what == WHOLE for _, what in iter(cutting.channel.take, None)):
            assert table.cut_version, "the last bucket of all"
            assert console(CHANGES[kind][0]).kind != "-"
            changed = True
    assert changed
    assert not settled
    assert cutting.channel.keys == 501


def test_two_cuts_read_the_same_value() -> None:
    """The table hands a record out to either."""
    console = made("set")
    first = Cutting(console, 10)
    expected = state_of([first.shard])
    for _ in range(4):
        assert first.step()
    second = Channel()
    part = ShardCut(first.shard, 2, Style(10, True, client_flags=False), second)
    console("SADD big new")
    while first.step():
        part.step(0, lambda: 0)
    while part.step(0, lambda: 0) != DONE:
        pass
    assert first.loaded() == expected
    assert not second.broken
    assert second.keys == 1
