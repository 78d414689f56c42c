"""Hashes of keys: hash tags, and how keys spread over shards."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

import pytest

from nogil_df.base.hashing import (
    hash_key,
    hash_key_by_tag,
    hash_tag,
    lock_tag,
    plain_hash,
    probe,
    shard_of,
    slot_of,
)


@pytest.mark.parametrize(
    ("key", "tag"),
    [
        (b"user", b"user"),
        (b"", b""),
        (b"{user1000}.following", b"user1000"),
        (b"foo{}{bar}", b"foo{}{bar}"),
        (b"foo{{bar}}zap", b"{bar"),
        (b"foo{bar}{zap}", b"bar"),
        (b"foo}bar{", b"foo}bar{"),
        (b"}{a}", b"a"),
        (b"foo{bar", b"foo{bar"),
    ],
)
def test_hash_tag(key: bytes, tag: bytes) -> None:
    assert hash_tag(key) == tag


def test_compiled_callers_get_the_same_hashes() -> None:
    callers = [plain_hash]
    with suppress(ImportError):
        callers.append(import_module("nogil_df.base._hashing").plain_hash)
    for key in (b"key:%d" % 7 + b"x" * length for length in range(300)):
        for hashed in callers:
            assert hashed(key) == hash_key(key)


def test_the_hash_is_xxh3_with_seed_zero() -> None:
    assert hash_key(b"") == 0x2D06800538D394C2  # from the test vectors of xxHash


@pytest.mark.parametrize("shards", [1, 2, 3, 8, 64])
def test_keys_spread_evenly_over_shards(shards: int) -> None:
    counts = [0] * shards
    for i in range(64_000):
        counts[shard_of(hash_key(b"key:%d" % i), shards)] += 1
    assert min(counts) > 0.8 * 64_000 / shards


def test_slots_are_those_of_the_cluster_specification() -> None:
    assert slot_of(b"123456789") == 0x31C3
    assert slot_of(b"{user1000}.following") == slot_of(b"{user1000}.followers") == slot_of(b"user1000")


@pytest.mark.parametrize("shards", [2, 3, 64, 1024])
def test_a_tag_decides_the_shard_and_nothing_else(shards: int) -> None:
    tagged = hash_key_by_tag(shards)
    for key in (b"", b"a", b"{}a", b"a}{b"):
        assert tagged(key) == hash_key(key)
    for tag in range(200):
        keys = [b"{%d}:%d" % (tag, n) for n in range(20)]
        hashes = [tagged(key) for key in keys]
        assert {shard_of(h, shards) for h in hashes} == {shard_of(hash_key(b"%d" % tag), shards)}
        assert len(set(hashes)) == len(keys)
        # The bits that a table looks at are those of the key.
        for key, h in zip(keys, hashes, strict=True):
            plain = hash_key(key)
            assert 0 <= h < 1 << 64
            assert h & 0xFFFFFFFF == plain & 0xFFFFFFFF
            assert abs((h >> 32) - (plain >> 32)) < shards


def test_the_upper_half_of_a_hash_does_not_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = {b"{t}": (1 << 64) - 1, b"t": 2 << 32}
    monkeypatch.setattr("nogil_df.base.hashing.hash_key", hashes.__getitem__)
    tagged = hash_key_by_tag(3)
    # 2**32 - 1 is a multiple of 3: two more would be too much.
    assert tagged(b"{t}") == ((1 << 32) - 1 + 2 - 3) << 32 | 0xFFFFFFFF


def test_one_shard_needs_no_tags() -> None:
    assert hash_key_by_tag(1) is hash_key


@pytest.mark.parametrize(
    ("prefix", "delimiter", "skipped", "key", "tag"),
    [
        (b"", b"", 0, b"{a}b", b"a"),
        (b"", b":", 0, b"x:a:b", b"a"),
        (b"", b":", 0, b":a:b:c", b"a"),
        (b"", b":", 1, b":a:b:c", b"a:b"),
        (b"", b":", 2, b":a:b:c", b":a:b:c"),
        (b"", b":", 0, b"x::b", b"x::b"),
        (b"", b":", 0, b"xyz", b"xyz"),
        (b"bull", b":", 0, b"bull:queue:1", b"queue"),
        (b"bull", b":", 0, b"cow:queue:1", b"cow:queue:1"),
        (b"p", b"", 0, b"p{a}", b"a"),
    ],
)
def test_tags_between_other_delimiters(
    prefix: bytes, delimiter: bytes, skipped: int, key: bytes, tag: bytes
) -> None:
    assert lock_tag(prefix, delimiter, skipped)(key) == tag


def test_a_probe_tells_rules_of_tags_apart() -> None:
    rules = [(b"", b"", 0), (b"", b":", 0), (b"bull", b":", 0), (b"", b":", 1), (b"", b"", 1)]
    hashers = [hash_key, *(hash_key_by_tag(3, lock_tag(*rule)) for rule in rules)]
    assert len({probe(hasher, b"x") for hasher in hashers}) == len(hashers)
    assert probe(hash_key, b"x") == hash_key(b"x")
    assert probe(hash_key_by_tag(3), b"x") == probe(hash_key_by_tag(3), b"x")
