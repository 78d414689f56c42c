"""Commands of several keys whose data is all on the client's own thread: one call, without a transaction.

As generators they are written for the general case (`nogil_df.commands.context`): a transaction, an object
for its coordinator, hops. Where every key is on this thread's shard, and nobody holds an intent on one,
nothing of that is needed, and it costs ten times what the command does. So a row may say how the command is
done then: ``at_once(here, session, db, args)`` does it all and returns the reply's value, as an ``op`` does,
or does nothing and returns `ELSEWHERE`. What is wrong with the arguments it may raise, or leave to the
generator.

It must not give way: no other work gets between its first look at the data and its last change. A read that
is `Lengthy` goes the long way, too. Of several threads only those commands profit whose keys happen to be the
client's own thread's; with one thread that is all of them, and those about all keys (SCAN, DBSIZE).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.hashing import hash_key, plain_hash
from nogil_df.shard.lengthy import Lengthy

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Proactor

ELSEWHERE: Final = object()
"""What is returned instead of a value: not all is here, or it has to wait; nothing has happened."""

Group = list[tuple[int, bytes, int]]
"""Keys: (position among all, key, hash)."""


class Here:
    """The keys of one thread's shard, as its commands find them.

    Args:
        proactor: the thread's.
    """

    __slots__ = ("count", "hash_key", "index", "is_plain", "locks", "shard")

    def __init__(self, proactor: Proactor) -> None:
        self.shard: Shard = proactor.shard
        self.hash_key: Callable[[bytes], int] = proactor.shard.hash_key
        self.is_plain = self.hash_key is hash_key
        self.locks = proactor.engine.locks
        self.count = proactor.count
        self.index = proactor.index

    def has_everything(self) -> bool:
        """Whether all keys there are live here, and nobody holds an intent. O(1)."""
        return self.count == 1 and not self.locks

    def find(self, key: bytes) -> int:
        """The hash of a key that is here, with no intent on it; -1 if it is not like that. O(1)."""
        h = plain_hash(key) if self.is_plain else self.hash_key(key)
        if self.count > 1 and (h >> 32) % self.count != self.index:
            return -1
        return -1 if self.locks.is_wanted(h) else h

    def find_all(self, keys: list[bytes]) -> list[int] | None:
        """The hashes of keys that are all here, with no intent on them; else None. O(keys)."""
        found = []
        for key in keys:
            h = self.find(key)
            if h < 0:
                return None
            found.append(h)
        return found

    def group(self, keys: list[bytes]) -> Group | None:
        """As `find_all`, in the form in which shards get keys (`Context.by_shard`). O(keys)."""
        found: Group = []
        for key in keys:
            h = self.find(key)
            if h < 0:
                return None
            found.append((len(found), key, h))
        return found


def on_key(here: Here, db: Keyspace, op: Callable[..., Any], key: bytes, payload: Any) -> Any:
    """Run ``op(db, payload, h)`` on a key that may be here."""
    h = here.find(key)
    return ELSEWHERE if h < 0 else op(db, payload, h)


def run(
    run_at_once: Callable[..., Any], here: Here, session: Session, db: Keyspace, args: list[bytes]
) -> Any:
    """Run a command by its row's ``at_once``. Returns its value, `ELSEWHERE` if it is to go the long way.

    Raises:
        ReplyError: the command failed.
    """
    shard = here.shard
    hits, misses = shard.hits, shard.misses
    try:
        value = run_at_once(here, session, db, args)
    except Lengthy:
        value = ELSEWHERE
    if value is ELSEWHERE:
        # The long way counts them again.
        shard.hits, shard.misses = hits, misses
    return value
