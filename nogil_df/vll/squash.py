"""Squashing: many single-key commands run as one hop a shard.

A pipeline keeps program order: nobody may see the effect of a later command of a connection without that of
an earlier one. Running the commands one hop after the other would keep it and cost a round trip each.
Instead a batch of single-key commands becomes one implicit transaction over all its shards: each shard runs
its share, in order, in one hop. EXEC does the same with the commands it queued.

An item is a plain tuple, ``(op, database, payload, h, is_write)``: functions are immortal and ints are
small, so nothing in it but the payload is counted by two threads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.shard.memory import own
from nogil_df.vll.engine import call, deliver
from nogil_df.vll.part import Part

if TYPE_CHECKING:
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Message, Proactor

_NO_KEYS: frozenset[int] = frozenset()

Item = tuple[Callable[..., Any], int, Any, int, bool]


def run_items(shard: Shard, argument: tuple[int, list[Item]]) -> list[Any]:
    """A hop's work: run items in order.

    Args:
        argument: (index of the coordinator's thread, items).

    Returns:
        One result an item; a ReplyError where one failed, the others run all the same.
    """
    origin, items = argument
    foreign = origin != shard.index
    dbs = shard.dbs
    results: list[Any] = []
    append = results.append
    for op, db, payload, h, is_write in items:
        try:
            if foreign and is_write:
                payload = own(payload)
            append(op(dbs[db], payload, h))
        except ReplyError as error:
            append(error.with_traceback(None))
        except Exception:
            append(log_crash(op.__qualname__, sys.exc_info()))
    return results


def fingerprints(items: Iterable[Item]) -> tuple[set[int], set[int]]:
    """The (read, written) fingerprints of items; one that is written is not in the first set. O(items)."""
    reads: set[int] = set()
    writes: set[int] = set()
    for item in items:
        (writes if item[4] else reads).add(item[3])
    return reads - writes, writes


def run_alone(proactor: Proactor, message: Message) -> None:
    """Message handler on the owner's thread: items that all live here, no transaction needed.

    ``(run_alone, origin, token, items)``. Without a conflict they run at once, hold nothing and the answer
    goes back; else they take their place in the queue.
    """
    _, origin, token, items = message
    engine = proactor.engine
    if not engine.locks.table:
        result = call((run_items, (origin, items)), proactor.shard)
        proactor.outboxes[origin].append((deliver, token, proactor.index, result))
        return
    reads, writes = fingerprints(items)
    part = Part(origin, token, reads, writes)
    engine.schedule_run(part, (run_items, (origin, items)))


def run_one(proactor: Proactor, message: Message) -> None:
    """Message handler on the owner's thread: `run_alone` for one item, spelled out because it is the hottest.

    ``(run_one, origin, token, op, db, payload, h, is_write)``.
    """
    _, origin, token, op, db, payload, h, is_write = message
    if proactor.engine.locks.table:
        part = Part(origin, token, _NO_KEYS if is_write else {h}, {h} if is_write else _NO_KEYS)
        proactor.engine.schedule_run(part, (_run_item, (origin, (op, db, payload, h, is_write))))
        return
    try:
        result = op(proactor.shard.dbs[db], own(payload) if is_write else payload, h)
    except ReplyError as error:
        result = error.with_traceback(None)
    except Exception:
        result = log_crash(op.__qualname__, sys.exc_info())
    proactor.outboxes[origin].append((deliver, token, proactor.index, result))


def _run_item(shard: Shard, argument: tuple[int, Item]) -> Any:
    origin, item = argument
    return run_items(shard, (origin, [item]))[0]
