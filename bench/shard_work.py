"""What the contention benchmark can run: a shard's GET and SET without sockets.

Every factory is called inside the thread that then does the work, so that all it makes belongs to that
thread, as everything of a shard does. Half the operations read, half overwrite with a value made on the spot,
over keys in random order. The loops touch no number above 256 and no literal of bytes but their own: such
constants of a module belong to the thread that imported it, and two threads that count references to one pay
for it. (Those of the server are immortal, see `nogil_df.base.compiled.prepare_for_threads`.)
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from nogil_df.base import keyspace_events as events
from nogil_df.base.hashing import hash_key
from nogil_df.shard.dash import DashTable
from nogil_df.shard.shard import Shard
from nogil_df.shard.shard_state import Tick

KEYS = 20_000
VALUE_BYTES = 256


def shuffled_keys() -> list[bytes]:
    """The keys, in an order that is random but the same every time."""
    keys = [b"key:%012d" % number for number in range(KEYS)]
    random.Random(KEYS).shuffle(keys)
    return keys


def table() -> Callable[[int], None]:
    """Hash, `DashTable.get`, hash, `DashTable.put`."""
    keys = shuffled_keys()
    dash = DashTable(Tick(time.time_ns() // 1_000_000))
    for key in keys:
        dash.put(key, hash_key(key), b"x" * VALUE_BYTES)
    position = 0
    size = len(keys)

    def run(count: int) -> None:
        nonlocal position
        place = position
        get, put, digest = dash.get, dash.put, hash_key
        for _ in range(count // 2):
            place = (place + 2) % size
            key = keys[place]
            if get(key, digest(key)) is None:
                raise AssertionError("a key is missing")
            key = keys[place + 1]
            put(key, digest(key), b"y" * (VALUE_BYTES - place % 16))
        position = place

    return run


def keyspace() -> Callable[[int], None]:
    """The same through `Keyspace`: with hits, memory accounting, lazy expiry, the coda of a write."""
    keys = shuffled_keys()
    db = Shard(0, 1, 16, time.time_ns() // 1_000_000).dbs[0]
    for key in keys:
        db.put(key, hash_key(key), b"x" * VALUE_BYTES)
    position = 0
    size = len(keys)
    event = bytes(bytearray(b"set"))

    def run(count: int) -> None:
        nonlocal position
        place = position
        find, put, changed, digest = db.find, db.put, db.changed, hash_key
        for _ in range(count // 2):
            place = (place + 2) % size
            key = keys[place]
            if find(key, digest(key)) is None:
                raise AssertionError("a key is missing")
            key = keys[place + 1]
            put(key, digest(key), b"y" * (VALUE_BYTES - place % 16))
            changed(key, events.STRING, event)
        position = place

    return run
