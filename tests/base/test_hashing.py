"""Hashes of keys: hash tags, and how keys spread over shards."""

from __future__ import annotations

import pytest

from nogil_df.base.hashing import hash_key, hash_tag, shard_of


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


def test_the_hash_is_xxh3_with_seed_zero() -> None:
    assert hash_key(b"") == 0x2D06800538D394C2  # from the test vectors of xxHash


@pytest.mark.parametrize("shards", [1, 2, 3, 8, 64])
def test_keys_spread_evenly_over_shards(shards: int) -> None:
    counts = [0] * shards
    for i in range(64_000):
        counts[shard_of(hash_key(b"key:%d" % i), shards)] += 1
    assert min(counts) > 0.8 * 64_000 / shards
