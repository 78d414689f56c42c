"""Hashes of keys: which shard owns a key, and where the Dash table puts it.

One 64-bit hash serves everything, so it is computed once a command: the shard index comes from its upper
half (`shard_of`), the directory index of the Dash table from its top bits, the home bucket and the
fingerprint from its remainder (see `nogil_df.shard.dash`).

The seed is fixed: the same keys land in the same places in every run, which is what makes a run under the
seeded scheduler reproducible. It also means that a client can craft keys that collide; the Dash table bounds
what such keys can do (see "spill" there).
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable

from xxhash import xxh3_64_intdigest

__all__ = [
    "SLOTS",
    "hash_key",
    "hash_key_by_tag",
    "hash_tag",
    "lock_tag",
    "plain_hash",
    "probe",
    "shard_of",
    "slot_of",
]

SLOTS = 16384
"""Slots of a Redis cluster."""

hash_key = xxh3_64_intdigest
"""`hash_key(key: bytes) -> int`: XXH3 of the key, 0 <= h < 2**64, about 40 ns for a short key.

It is the C function itself under our name: a wrapper would cost as much as the hash.
"""


def plain_hash(key: bytes) -> int:
    """`hash_key` as compiled callers have it from `_hashing`."""
    h: int = hash_key(key)
    return h


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


def slot_of(key: bytes) -> int:
    """The slot of `key` in a Redis cluster: CRC-16 (XMODEM) of its tag. O(len(key))."""
    return crc_hqx(hash_tag(key), 0) % SLOTS


def lock_tag(prefix: bytes, delimiter: bytes, skipped: int) -> Callable[[bytes], bytes]:
    """What finds the tag of a key by Dragonfly's `locktag` flags.

    Args:
        prefix: keys that do not begin with it have no tag.
        delimiter: one character, on both sides of the tag; empty for `{` and `}`.
        skipped: how many closing delimiters belong to the tag themselves.

    Returns:
        A function that gives the tag of a key, or the whole key if there is none or it is empty.
    """
    if not (prefix or delimiter or skipped):
        return hash_tag
    opening, closing = (delimiter, delimiter) if delimiter else (b"{", b"}")

    def tag_of(key: bytes) -> bytes:
        start = key.find(opening) if key.startswith(prefix) else -1
        end = start
        for _ in range(skipped + 1):
            before = end
            end = key.find(closing, before + 1) if before >= 0 else -1
            if end < 0 or end == before + 1:
                return key
        return key[start + 1 : end]

    tag_of.rule = b"%b %b %d" % (prefix, delimiter, skipped)  # type: ignore[attr-defined]
    return tag_of


def hash_key_by_tag(shards: int, tag_of: Callable[[bytes], bytes] = hash_tag) -> Callable[[bytes], int]:
    """What takes the place of `hash_key` where all keys of a tag have to live on one of `shards` shards.

    A key without a tag hashes as ever. The hash of another one keeps the bits that a table looks at, so that
    the keys of a tag spread over their shard's table, and has its upper half moved by less than `shards`, to
    where the tag's own hash would go. Costs about 0.5 us for a key with a tag.
    """
    hashed: Callable[[bytes], int] = hash_key
    if shards == 1:
        return hashed

    def hash_tagged(key: bytes) -> int:
        h = hashed(key)
        tag = tag_of(key)
        if tag is key:
            return h
        upper = h >> 32
        upper += (hashed(tag) >> 32) % shards - upper % shards
        if upper >= 1 << 32:
            upper -= shards
        return upper << 32 | h & 0xFFFFFFFF

    hash_tagged.rule = b"tags " + getattr(tag_of, "rule", b"")  # type: ignore[attr-defined]
    return hash_tagged


def probe(hasher: Callable[[bytes], int], key: bytes) -> int:
    """A number that is the same where keys are divided among shards in the same way, as `hash_key(key)` is.

    Rules of tags count as well, whatever ``key`` is; `hash_key_by_tag` leaves its rule on what it makes.
    """
    h = hasher(key)
    rule: bytes = getattr(hasher, "rule", b"")
    return h ^ xxh3_64_intdigest(rule) if rule else h


def shard_of(h: int, shards: int) -> int:
    """Index of the shard, out of `shards`, that owns a key whose hash is `h`.

    Uses the upper 32 bits, of which a table looks only at the top few (its directory index), so that the keys
    of one shard still spread evenly over that shard's table.
    """
    return (h >> 32) % shards
