"""Squashing: many single-key commands run as one hop a shard.

A pipeline keeps program order: nobody may see the effect of a later command of a connection without that of
an earlier one. Running the commands one hop after the other would keep it and cost a round trip each.
Instead a batch of single-key commands becomes one implicit transaction over all its shards: each shard runs
its share, in order, in one hop. EXEC does the same with the commands it queued.

An item is a plain tuple, ``(op, payload, h, is_write)``: functions are immortal and ints are small, so
nothing in it but the payload is counted by two threads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.shard.lengthy import Lengthy
from nogil_df.shard.memory import own
from nogil_df.vll.engine import call, deliver
from nogil_df.vll.handlers import begins_work
from nogil_df.vll.part import Part

if TYPE_CHECKING:
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Message, Proactor

_NO_KEYS: frozenset[int] = frozenset()
_NEVER = ()

Item = tuple[Callable[..., Any], Any, int, bool]


def run_items(shard: Shard, argument: tuple[int, int, list[Item]]) -> list[Any]:
    """A hop's work: run items of one transaction, in order. For arguments and result see `run_batch`."""
    return _run_items(shard, argument, _NEVER)


def run_batch(shard: Shard, argument: tuple[int, int, list[Item]]) -> list[Any]:
    """A hop's work: run items that are commands of their own, in order; each of them may serve waiters.

    Args:
        argument: (index of the coordinator's thread, database, items).

    Returns:
        One result an item; a ReplyError where one failed, the others run all the same. Then how long all of
        them ran, in nanoseconds: what the coordinator could measure itself would be mostly waiting.
    """
    return _run_items(shard, argument, shard.ready)


def _run_items(shard: Shard, argument: tuple[int, int, list[Item]], ready: Any) -> list[Any]:
    started = shard.stopwatch()
    origin, index, items = argument
    foreign = origin != shard.index
    db = shard.dbs[index]
    results: list[Any] = []
    append = results.append
    for op, payload, h, is_write in items:
        try:
            if foreign and is_write:
                payload = [b"%b" % arg for arg in payload] if payload.__class__ is list else own(payload)
            append(op(db, payload, h))
        except ReplyError as error:
            append(error.bare())
        except Lengthy as lengthy:
            # Those that follow must come after it, and before them nobody else.
            append(lengthy.finish())
        except Exception:
            append(log_crash(op.__qualname__, sys.exc_info()))
        if ready:
            shard.blocking.serve_between()
    append(shard.stopwatch() - started)
    return results


def run_item(shard: Shard, argument: tuple[int, int, Item]) -> list[Any]:
    """A hop's work: one item, which may take long; arguments and result as of `run_items`.

    Raises:
        Lengthy: it does.
    """
    origin, index, (op, payload, h, is_write) = argument
    started = shard.stopwatch()
    try:
        if is_write and origin != shard.index:
            payload = [b"%b" % arg for arg in payload] if payload.__class__ is list else own(payload)
        result = op(shard.dbs[index], payload, h)
    except ReplyError as error:
        result = error.bare()
    except Lengthy as lengthy:
        lengthy.timed = True
        raise
    except Exception:
        result = log_crash(op.__qualname__, sys.exc_info())
    return [result, shard.stopwatch() - started]


def begin_single(proactor: Proactor, origin: int, token: Any, h: int, lengthy: Lengthy) -> None:
    """Begin the work of a lone command that reads a key of this thread's, and takes long."""
    lengthy.timed = True
    proactor.engine.begin_free(Part(origin, token, {h}, _NO_KEYS), lengthy.bare(), True)


def fingerprints(items: list[Item]) -> tuple[Set[int], Set[int]]:
    """The (only read, written) fingerprints of items. O(items)."""
    writes = {item[2] for item in items if item[3]}
    if len(writes) == len(items):
        return _NO_KEYS, writes
    reads = {item[2] for item in items if not item[3]}
    return (reads - writes, writes) if writes else (reads, _NO_KEYS)


def _asked_by(message: Message) -> tuple[int, Any]:
    return message[1], message[2]


@begins_work(_asked_by)
def run_alone(proactor: Proactor, message: Message) -> None:
    """Message handler on the owner's thread: items that all live here, no transaction needed.

    ``(run_alone, origin, token, db, items)``. Without a conflict they run at once, hold nothing and the
    answer goes back; else they take their place in the queue.
    """
    _, origin, token, db, items = message
    engine = proactor.engine
    if not engine.locks:
        result = call((run_batch, (origin, db, items)), proactor.shard)
        proactor.outboxes[origin].append((deliver, token, proactor.index, result))
        if proactor.shard.ready:
            engine.blocking.serve(proactor.shard.ready)
        return
    part = Part(origin, token, *fingerprints(items))
    engine.schedule_run(part, (run_batch, (origin, db, items)))


@begins_work(_asked_by)
def run_one(proactor: Proactor, message: Message) -> None:
    """Message handler on the owner's thread: `run_alone` for one item, spelled out because it is the hottest.

    ``(run_one, origin, token, op, db, payload, h, is_write)``. It answers what `run_items` does for one item.
    """
    _, origin, token, op, db, payload, h, is_write = message
    engine = proactor.engine
    if engine.locks and engine.locks.conflicts(h, is_write):
        part = Part(origin, token, _NO_KEYS if is_write else {h}, {h} if is_write else _NO_KEYS)
        engine.schedule_run(part, (run_item, (origin, db, (op, payload, h, is_write))))
        return
    shard = proactor.shard
    started = shard.stopwatch()
    try:
        if is_write and origin != proactor.index:
            payload = [b"%b" % arg for arg in payload] if payload.__class__ is list else own(payload)
        result = op(shard.dbs[db], payload, h)
    except ReplyError as error:
        result = error.bare()
    except Lengthy as lengthy:
        begin_single(proactor, origin, token, h, lengthy)
        return
    except Exception:
        result = log_crash(op.__qualname__, sys.exc_info())
    if shard.ready:
        engine.blocking.serve(shard.ready)
    answer = [result, shard.stopwatch() - started]
    proactor.outboxes[origin].append((deliver, token, proactor.index, answer))
