"""Which clients may hold copies of which keys of this shard: the data behind CLIENT TRACKING.

A client that reads a key is noted under it, and told when the key changes, once: it has to read again to be
noted again. The read and the note must not let a write slip in between, and the key may live on another
    thread than the client. So a note is **pinned** before the read is sent and settled when its reply is
    written: while it is pinned a write tells the client and leaves the note there. At worst a client is told
    once too often.

Clients in broadcast mode are told of every key with one of their prefixes; those are kept here as well.

What is to be told is left in ``Shard.outgoing``, like keyspace events. Keys of all databases are one name
space, as in Redis.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from nogil_df.base.keyspace_events import INVALIDATED
from nogil_df.shard.memory import own

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nogil_df.shard.shard import Shard

Client = tuple[int, int]
"""(thread, id of the client)."""


class KeyTracking:
    """The notes of one shard.

    Attributes:
        keys: by key, the clients that may hold it.
        prefixes: by prefix, the clients that want to be told of every key with it.
        limit: at most so many keys; past it some are forgotten, and their clients told.

    Invariants: no key and no prefix without a client; what is pinned is noted.
    """

    __slots__ = ("keys", "limit", "pins", "prefixes", "shard")

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.keys: dict[bytes, dict[Client, None]] = {}
        self.pins: dict[tuple[bytes, Client], int] = {}
        self.prefixes: dict[bytes, dict[Client, None]] = {}
        self.limit = 1_000_000

    def __bool__(self) -> bool:
        return bool(self.keys) or bool(self.prefixes)

    def note(self, client: Client, keys: Iterable[bytes]) -> None:
        """Note a client under keys that a script reads for it now, while nobody can change them. O(keys)."""
        for key in keys:
            if key not in self.keys:
                self.keys[own(key)] = {}
            self.keys[key][client] = None
        self._refresh()

    def pin(self, client: Client, keys: Iterable[bytes]) -> None:
        """Note a client under keys it is about to read. O(keys)."""
        pins = self.pins
        for key in keys:
            noted = self.keys.get(key)
            if noted is None:
                key = own(key)
                noted = self.keys[key] = {}
            noted[client] = None
            pins[key, client] = pins.get((key, client), 0) + 1
        self._refresh()

    def settle(self, client: Client, keys: Iterable[bytes]) -> None:
        """The read is answered: from now on one change ends the note. O(keys)."""
        pins = self.pins
        for key in keys:
            left = pins.pop((key, client), 1) - 1
            if left:
                pins[key, client] = left
        if 0 < self.limit < len(self.keys):
            # One look at each: what is pinned stays, and is forgotten another time if need be.
            for key in list(islice(self.keys, len(self.keys) - self.limit)):
                self.changed(key)

    def changed(self, key: bytes) -> None:
        """Tell who may hold a key. O(clients + prefixes)."""
        told: dict[Client, None] = {}
        noted = self.keys.pop(key, None)
        if noted is not None:
            told.update(noted)
            kept = {client: None for client in noted if (key, client) in self.pins}
            if kept:
                self.keys[key] = kept
            elif not self:
                self._refresh()
        for prefix, clients in self.prefixes.items():
            if key.startswith(prefix):
                told.update(clients)
        if told:
            self.shard.outgoing.append((INVALIDATED, tuple(told), key, self.shard.writer))

    def forget_all_keys(self) -> None:
        """Everything was flushed: clients are told of that otherwise. What is pinned stays. O(keys)."""
        self.keys = {}
        for key, client in self.pins:
            self.keys.setdefault(key, {})[client] = None
        self._refresh()

    def add_prefixes(self, client: Client, prefixes: Iterable[bytes]) -> None:
        """Tell a client of every key with one of these prefixes. O(prefixes)."""
        for prefix in prefixes:
            self.prefixes.setdefault(own(prefix), {})[client] = None
        self._refresh()

    def forget(self, client: Client, prefixes: Iterable[bytes]) -> None:
        """A client stops tracking, or is gone. Its notes stay until the keys change. O(prefixes)."""
        for prefix in prefixes:
            clients = self.prefixes.get(prefix)
            if clients is not None:
                clients.pop(client, None)
                if not clients:
                    del self.prefixes[prefix]
        self._refresh()

    def _refresh(self) -> None:
        for db in self.shard.dbs:
            db.refresh_observed()

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError."""
        assert all(self.keys.values())
        assert all(self.prefixes.values())
        assert all(client in self.keys[key] for key, client in self.pins)
