"""A signature of what a shard holds, that does not depend on the order of its keys.

The same signatures as Redis's DEBUG DIGEST and DEBUG DIGEST-VALUE give for the same data, so that a test
can compare one server with another. A digest is 20 bytes, begins as zeros, and takes data in by one of two
ways:

``blend``  order does not matter: the SHA-1 of the data is XORed into it;
``chain``  order matters: as blend, and then the digest becomes its own SHA-1.

(SHA-1 because that is what others compare with; nothing here is a secret.)
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nogil_df.shard.keyspace import Keyspace

SIZE = 20
ZEROS = bytes(SIZE)

STRING_TYPE = 0
"""The number of the type string."""


def xor(one: bytes, two: bytes) -> bytes:
    """Two digests XORed."""
    return (int.from_bytes(one) ^ int.from_bytes(two)).to_bytes(SIZE)


def blend(digest: bytes, data: bytes) -> bytes:
    """Take data in whose order does not matter. O(len(data))."""
    return xor(digest, sha1(data, usedforsecurity=False).digest())


def chain(digest: bytes, data: bytes) -> bytes:
    """Take data in whose order matters. O(len(data))."""
    return sha1(blend(digest, data), usedforsecurity=False).digest()


def of_value(value: Any, deadline: int, begun: bytes = ZEROS) -> bytes:
    """The digest of a value; O(size).

    Args:
        deadline: unix ms, 0 for none; only that there is one counts.
        begun: a digest to go on from.
    """
    if value.__class__ is bytes or isinstance(value, bytearray):
        digest = chain(chain(begun, STRING_TYPE.to_bytes(4)), bytes(value))
    else:
        digest = value.digest(chain(begun, value.type_number.to_bytes(4)))
    return blend(digest, b"!!expire!!") if deadline else digest


def of_database(db: Keyspace) -> bytes:
    """The digest of all records of a database on this shard: those of all shards are XORed. O(n)."""
    now = db.shard.tick.ms
    total = ZEROS
    for key, value, deadline in db.table.items():
        if not deadline or deadline >= now:
            total = blend(total, of_value(value, deadline, chain(ZEROS, key)))
    return total


def of_databases(digests: dict[int, bytes]) -> bytes:
    """The digest of everything, of the digests of the databases that have keys, by index. O(databases)."""
    total = ZEROS
    for index, digest in sorted(digests.items()):
        total = xor(chain(total, index.to_bytes(4)), digest)
    return total
