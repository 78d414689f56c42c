"""Equal commands as columns: keys, hashes and values of a pipeline, an MSET or an EXEC go to shards as lists.

`nogil_df.vll.squash` packs commands of any kind, an object for each. Most pipelines are one command many
times, and MSET is nothing else: then what goes to a shard is three lists, and a function of the family
(``Row.many``) runs them in one loop of its own, with everything bound once.

``many(db, hashes, keys, values, foreign) -> results``: what ``op`` would return for each, in order, and a
ReplyError where ``op`` would raise one. ``values`` is None for commands that take none. ``foreign`` tells
that the byte strings are another thread's: what is stored has to be copied. Nobody observes the database: if
somebody does (WATCH, events, waiters), the commands run one by one through ``op``.

The lists cross threads as tuples. On 3.13t a thread that reads another one's list takes the list's lock for
each item that nobody has shared yet; a tuple can't change and needs none. Nor does the receiver drop the last
reference to what it was sent: that would hand item after item back to its owner, with a lock and a flag each.
Whole batches go back instead (see `nogil_df.vll.proactor`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nogil_df.vll.engine import call, deliver
from nogil_df.vll.handlers import begins_work
from nogil_df.vll.part import Part
from nogil_df.vll.squash import run_batch, run_items

if TYPE_CHECKING:
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Message, Proactor

_NO_KEYS: frozenset[int] = frozenset()

Columns = tuple[
    int,
    int,
    Callable[..., list[Any]],
    Callable[..., Any],
    bool,
    Sequence[int],
    Sequence[bytes],
    Sequence[bytes] | None,
]
"""Coordinator's thread, database, ``many``, ``op``, whether it writes, hashes, keys, values."""

Answer = tuple[tuple[Any, ...], int]
"""The results in the order of the keys, and how long they took, in nanoseconds."""


def run_columns(shard: Shard, argument: Columns) -> Answer:
    """A hop's work: the share that one shard has of a transaction. See `_run`."""
    return _run(shard, argument, run_items)


def run_columns_batch(shard: Shard, argument: Columns) -> Answer:
    """A hop's work: the share that one shard has of a pipeline, whose commands are not one transaction."""
    return _run(shard, argument, run_batch)


def _run(shard: Shard, argument: Columns, one_by_one: Callable[..., list[Any]]) -> Answer:
    started = shard.stopwatch()
    origin, index, many, op, is_write, hashes, keys, values = argument
    db = shard.dbs[index]
    if db.observed:
        payloads = (
            [[b"", key] for key in keys]
            if values is None
            else [[b"", key, value] for key, value in zip(keys, values, strict=True)]
        )
        items = [(op, payload, h, is_write) for payload, h in zip(payloads, hashes, strict=True)]
        *results, taken = one_by_one(shard, (origin, index, items))
        return tuple(results), taken
    results = many(db, hashes, keys, values, origin != shard.index)
    return tuple(results), shard.stopwatch() - started


@begins_work(lambda message: (message[3][0], message[1]))
def run_columns_alone(proactor: Proactor, message: Message) -> None:
    """Message handler on the owner's thread: commands that all live here; no transaction needed.

    ``(run_columns_alone, token, work, columns)``, ``work`` being one of the two above. Without a conflict it
    runs at once, holds nothing and the answer goes back; else it takes its place in the queue.
    """
    _, token, work, columns = message
    engine = proactor.engine
    origin = columns[0]
    if engine.locks:
        keys = {*columns[5]}
        part = Part(origin, token, _NO_KEYS, keys) if columns[4] else Part(origin, token, keys, _NO_KEYS)
        engine.schedule_run(part, (work, columns))
        return
    shard = proactor.shard
    result = call((work, columns), shard)
    proactor.outboxes[origin].append((deliver, token, proactor.index, result))
    if shard.ready:
        engine.blocking.serve(shard.ready)
