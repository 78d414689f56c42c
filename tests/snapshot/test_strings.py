"""Runs of strings go the compiled way, where there is one; what becomes of them is the same as in Python."""

from __future__ import annotations

import random
from typing import Any

import pytest

from nogil_df.base.hashing import hash_key, hash_key_by_tag
from nogil_df.base.rdb_strings import RdbError, write_length, write_string
from nogil_df.rdb import forms
from nogil_df.rdb.writer import Writer
from nogil_df.shard.shard import Shard
from nogil_df.snapshot import cut, opcodes, rdb_scan, records, writing
from nogil_df.snapshot.channel import STRINGS, Channel
from nogil_df.snapshot.cut import DONE, MORE, ShardCut
from nogil_df.snapshot.rdb_scan import RecordScanner
from nogil_df.snapshot.records import Loaded, Style, load_blob, write_database

NOW = 1_700_000_000_000


def text(rng: random.Random) -> bytes:
    """A string of one of the encodings there are."""
    kind = rng.randrange(6)
    if kind == 0:
        return b"%d" % rng.randrange(-(1 << rng.randrange(1, 33)), 1 << rng.randrange(1, 33))
    if kind == 1:
        return bytes((rng.randrange(256),)) * rng.choice((30, 300, 5_000))
    return rng.randbytes(rng.choice((0, 1, 10, 63, 64, 300, 17_000)) if kind == 2 else rng.randrange(60))


def blob_of(rng: random.Random, count: int) -> bytes:
    """Records of all kinds, most of them strings."""
    out = bytearray(write_database(0))
    for number in range(count):
        kind = rng.randrange(12)
        if kind == 0:
            out += write_database(rng.randrange(3))
        if kind == 1:
            out += bytes((opcodes.IDLE,)) + write_length(rng.randrange(100_000))
        if kind in (1, 2, 3):
            deadline = NOW + rng.choice((-5, 5_000_000))
            out += bytes((opcodes.DEADLINE_MS,)) + deadline.to_bytes(8, "little")
        key = text(rng)[:40] + b"%d" % number if number & 3 else b"%d" % number
        if rng.randrange(20) == 0:
            key = b"k" * 300 + key
        out.append(forms.SET if kind == 4 else forms.STRING)
        Writer(out, True).string(key)
        if kind == 4:
            out += write_length(2) + write_string(b"a") + write_string(b"b")
        else:
            Writer(out, True).string(text(rng))
    return bytes(out)


def contents(shard: Shard) -> list[dict[bytes, Any]]:
    """Everything in it."""
    return [
        {
            bytes(key): (bytes(value) if isinstance(value, bytes) else sorted(value.members), deadline)
            for key, value, deadline in db.table.items()
        }
        for db in shard.dbs
    ]


def load(blob: bytes, *, override: bool = False, shard: Shard | None = None) -> tuple[Any, ...]:
    """What a shard holds of it, and what was counted; the error in place of that."""
    shard = shard or Shard(0, 1, 3, NOW)
    loaded = Loaded()
    try:
        load_blob(shard, blob, loaded, override=override, use_ages=records.IDLE_TIMES)
    except RdbError as error:
        return (str(error),)
    for db in shard.dbs:
        db.verify()
    return contents(shard), loaded.keys, loaded.expired, loaded.replaced


@pytest.mark.parametrize("seed", range(8))
def test_both_ways_load_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    blob = blob_of(rng, 300)
    damaged = [blob[: rng.randrange(len(blob))] for _ in range(20)]
    for _ in range(20):
        one = bytearray(blob)
        one[rng.randrange(len(one))] ^= 1 << rng.randrange(8)
        damaged.append(bytes(one))
    results = [load(one) for one in (blob, *damaged)]
    assert results[0][1] + results[0][2] == 300
    monkeypatch.setattr(records, "PACKED", False)
    assert [load(one) for one in (blob, *damaged)] == results


def test_a_key_that_is_there_is_refused_or_replaced() -> None:
    blob = bytes((forms.STRING,)) + write_string(b"key") + write_string(b"value")
    assert load(blob + blob) == ("the key 'key' is there twice",)
    shard = Shard(0, 1, 3, NOW)
    load(blob, shard=shard)
    newer = bytes((forms.STRING,)) + write_string(b"key") + write_string(b"newer")
    assert load(newer, override=True, shard=shard) == ([{b"key": (b"newer", 0)}, {}, {}], 1, 0, 1)
    members = write_length(1) + write_string(b"member")
    load(bytes((forms.SET,)) + write_string(b"key") + members, override=True, shard=shard)
    assert load(blob, override=True, shard=shard) == ([{b"key": (b"value", 0)}, {}, {}], 1, 0, 1)


@pytest.mark.parametrize("hashes", [hash_key, hash_key_by_tag(3)])
def test_both_ways_divide_the_same(hashes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = blob_of(random.Random(5), 2_000)

    def divided() -> tuple[list[tuple[int, bytes]], int]:
        given: list[tuple[int, bytes]] = []
        scanner = RecordScanner(hashes, 3, lambda owner, part: given.append((owner, part)))
        at = 0
        while at < len(blob):
            at = scanner.step(blob, at)
        scanner.flush()
        return given, scanner.records

    once = divided()
    assert once[1] == 2_000
    monkeypatch.setattr(rdb_scan, "scan_strings", None)
    assert divided() == once


# Writing.


def every_blob(shard: Shard, number: int, style: Style, change: Any = lambda: None) -> tuple[bytes, bytes]:
    """What a cut gives, with strings as they were copied and as they are compressed."""
    channel = Channel()
    part = ShardCut(shard, number, style, channel)
    while part.step(0, lambda: 0) == MORE:
        change()
    assert part.step(0, lambda: 0) == DONE
    assert channel.is_done is False
    plain, packed = bytearray(), bytearray()
    while piece := channel.take():
        blob, kind = piece
        plain += blob
        if kind == STRINGS:
            compressed = writing.pack_strings(blob)
            assert len(compressed) <= len(blob)
            packed += compressed
        else:
            packed += blob
    assert not channel.broken
    return bytes(plain), bytes(packed)


@pytest.mark.parametrize("ages", [records.NO_AGES, records.IDLE_TIMES, records.FREQUENCIES])
@pytest.mark.parametrize("seed", range(4))
def test_both_ways_write_the_same(seed: int, ages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    shard = Shard(0, 1, 3, NOW)
    load_blob(shard, blob_of(rng, 600), Loaded(), override=True, use_ages=records.IDLE_TIMES)
    expected = contents(shard)
    style = Style(10, True, ages)
    results = []
    for number, compiled in enumerate((True, False), 1):
        monkeypatch.setattr(cut, "PACKED", cut.PACKED and compiled)
        for blob in every_blob(shard, number, style):
            read = Shard(0, 1, 3, NOW)
            load_blob(read, blob, Loaded(), override=False, use_ages=ages)
            for db in read.dbs:
                db.verify()
            levels = [
                sorted((key, db.table.level(key, hash_key(key))) for key, *_ in db.table.items())
                for db in read.dbs
            ]
            results.append((contents(read), levels))
    assert results[0][0] == expected
    assert all(result == results[0] for result in results)


def test_what_changes_meanwhile_is_written_as_it_was() -> None:
    rng = random.Random(1)
    shard = Shard(0, 1, 3, NOW)
    load_blob(shard, blob_of(rng, 3_000), Loaded(), override=True, use_ages=records.NO_AGES)
    expected = contents(shard)
    keys = [[bytes(key) for key, *_ in db.table.items()] for db in shard.dbs]

    def change() -> None:
        index = rng.randrange(3)
        db, key = shard.dbs[index], rng.choice(keys[index])
        db.put(key, hash_key(key), rng.randbytes(rng.randrange(3_000)), 0)
        db.table.erase(rng.choice(keys[index]), hash_key(key))
        new = b"new %d" % rng.randrange(1_000_000)
        db.put(new, hash_key(new), b"1", 0)

    _, blob = every_blob(shard, 1, Style(10, True), change)
    assert contents(shard) != expected
    read = Shard(0, 1, 3, NOW)
    load_blob(read, blob, Loaded(), override=False, use_ages=records.NO_AGES)
    assert contents(read) == expected


def test_a_blob_that_is_none_is_not_compressed() -> None:
    if writing.pack_strings is None:
        assert not cut.PACKED
        return
    blob = bytearray(blob_of(random.Random(3), 40))
    for stop in range(len(blob)):
        packed = writing.pack_strings(blob[:stop])
        assert packed is None or len(packed) <= stop


def test_commands_push_a_big_value_that_is_half_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other records wait for its end, but not for ever."""
    monkeypatch.setattr(cut, "HELD", 20_000)
    shard = Shard(0, 1, 3, NOW)
    db = shard.dbs[0]
    big = b"".join(write_string(b"member %d" % at) for at in range(60_000))
    record = bytes((forms.SET,)) + write_string(b"big") + write_length(60_000) + big
    load_blob(shard, record, Loaded(), override=False, use_ages=0)
    for at in range(5_000):
        key = b"key %d" % at
        db.put(key, hash_key(key), b"x" * 100, 0)
    expected = contents(shard)
    channel = Channel()
    part = ShardCut(shard, 1, Style(10, True), channel)
    db.erase(b"big", hash_key(b"big"))
    while not channel.given:
        part.step(0, lambda: 0)
    # The head of the big value is out; from here on only commands write.
    for at in range(5_000):
        key = b"key %d" % at
        db.put(key, hash_key(key), b"y", 0)
    assert channel.given > len(big)
    while part.step(1 << 60, lambda: 0) != DONE:
        pass
    read = Shard(0, 1, 3, NOW)
    blob = b"".join(bytes(blob) for blob, _ in iter(channel.take, None))
    load_blob(read, blob, Loaded(), override=False, use_ages=0)
    assert contents(read) == expected
