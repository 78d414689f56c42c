"""What a value is, in a form that can be compared: more than the digest of DEBUG DIGEST tells."""

from __future__ import annotations

from typing import Any

from nogil_df.shard import digest
from nogil_df.shard.hashes import HashValue
from nogil_df.shard.shard import Shard
from nogil_df.shard.stream_groups import Group
from nogil_df.shard.streams import StreamValue

type Facts = tuple[object, ...]
type State = dict[int, dict[bytes, tuple[Facts, int]]]
"""Database -> key -> what the value is, and its deadline."""


def facts_of(value: Any) -> Facts:
    """The digest of a value, and what that leaves out: deadlines of fields, ids and groups of streams.

    Not when consumers were last given anything, which version 11 of the format was the first to tell.
    """
    found: Facts = (digest.of_value(value, 0),)
    if isinstance(value, HashValue) and value.deadlines is not None:
        deadlines = value.deadlines
        found += (frozenset((field, deadlines.of(field)) for field in value.fields),)
    if isinstance(value, StreamValue):
        groups = frozenset((name, _group(group)) for name, group in value.groups.items())
        found += (value.last_id, value.max_deleted, value.added, groups)
    return found


def _group(group: Group) -> Facts:
    pending = frozenset((at, one.owner, one.at, one.times) for at, one in group.pending.entries.items())
    consumers = frozenset(
        (one.name, one.seen, frozenset(one.pending.entries)) for one in group.consumers.values()
    )
    return group.last_id, group.entries_read, pending, consumers


def state_of(shards: list[Shard], now: int = 0) -> State:
    """What the databases hold, but for what has expired by then."""
    found: State = {}
    for shard in shards:
        for db in shard.dbs:
            for key, value, deadline in db.table.items():
                if not deadline or deadline >= now:
                    found.setdefault(db.index, {})[key] = facts_of(value), deadline
    return found
