"""Hashes of keys: which shard owns a key, and where the Dash table puts it.

One 64-bit hash serves everything, so it is computed once a command: the shard index comes from its upper
half (`shard_of`), the directory index of the Dash table from its top bits, the home bucket and the
fingerprint from its remainder (see `nogil_df.shard.dash`).

The seed is fixed: the same keys land in the same places in every run, which is what makes a run under the
seeded scheduler reproducible. It also means that a client can craft keys that collide; the Dash table bounds
what such keys can do (see "spill" there).
"""

from __future__ import annotations

from xxhash import xxh3_64_intdigest

__all__ = ["hash_key", "hash_tag", "shard_of"]

hash_key = xxh3_64_intdigest
"""`hash_key(key: bytes) -> int`: XXH3 of the key, 0 <= h < 2**64, about 40 ns for a short key.

It is the C function itself under our name: a wrapper would cost as much as the hash.
"""


def hash_tag(key: bytes) -> bytes:
    """The part of `key` that decides its slot (and so its shard) in cluster mode.

    That is what stands between the first `{` and the first `}` after it, unless nothing does; then it is the
    whole key (Redis cluster specification, "Hash tags"). O(len(key)).
    """
    opening = key.find(b"{")
    if opening >= 0:
        closing = key.find(b"}", opening + 1)
        if closing > opening + 1:
            return key[opening + 1 : closing]
    return key


def shard_of(h: int, shards: int) -> int:
    """Index of the shard, out of `shards`, that owns a key whose hash is `h`.

    Uses the upper 32 bits, of which a table looks only at the top few (its directory index), so that the keys
    of one shard still spread evenly over that shard's table.
    """
    return (h >> 32) % shards
