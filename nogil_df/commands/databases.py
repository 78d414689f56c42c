"""Commands on whole databases: FLUSHDB, FLUSHALL, SWAPDB, DBSIZE; and MOVE, which takes a key to another one.

A key lives on the same shard in every database, so MOVE is a single-key command. The others are global
transactions: nobody sees a database half emptied or half swapped. A flush puts new tables in place of the old
ones, and each thread takes the old ones apart in slices between its turns; for the caller the keys are gone
when the reply comes, so SYNC and ASYNC mean the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.cluster import refuse_in_cluster
from nogil_df.commands.spec import ALL_EXCLUSIVE, ALL_SHARED, Row, multi, single
from nogil_df.shard.memory import own
from nogil_df.wire.values import OK

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Message, Proactor

Args = list[bytes]

INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1


def parse_database(session: Session, word: bytes) -> int:
    """The index of a database.

    Raises:
        ReplyError: not an integer, or there is no such database.
    """
    number = parse_int(word)
    if number is None:
        raise ReplyError("NOT_INTEGER")
    if not INT_MIN <= number <= INT_MAX:
        raise ReplyError("NOT_IN_RANGE", INT_MIN, INT_MAX)
    if not 0 <= number < len(session.dispatcher.proactor.shard.dbs):
        raise ReplyError("DB_INDEX")
    return number


def cmd_move(session: Session, args: Args) -> tuple[bytes, int]:
    """MOVE key db."""
    refuse_in_cluster(session, "MOVE")
    database = parse_database(session, args[2])
    if database == session.db:
        raise ReplyError("SAME_OBJECT")
    return args[1], database


def op_move(db: Keyspace, payload: tuple[bytes, int], h: int) -> int:
    """Take a record to another database of this shard; 0 if it is not here, or one is there. O(1)."""
    key, database = payload
    other = db.shard.dbs[database]
    value = db.peek(key, h)
    if value is None or other.peek(key, h) is not None:
        return 0
    deadline = db.deadline(key, h)
    db.erase(key, h)
    other.put(own(key), h, value, deadline)
    db.changed(key, events.GENERIC, b"move_from")
    if other.observed:
        other.tell(key, events.GENERIC, b"move_to")
    return 1


def cmd_flushdb(context: Context, args: Args) -> Steps:
    """FLUSHDB [ASYNC | SYNC]."""
    _check_flush_mode(args)
    yield from context.all_shards(flush, (context.db, context.db + 1), last=True)
    context.proactor.broadcast((free_soon,))
    return OK


def cmd_flushall(context: Context, args: Args) -> Steps:
    """FLUSHALL [ASYNC | SYNC]."""
    _check_flush_mode(args)
    yield from context.all_shards(flush, (0, len(context.proactor.shard.dbs)), last=True)
    context.proactor.broadcast((free_soon,))
    return OK


def _check_flush_mode(args: Args) -> None:
    if len(args) > 2 or (len(args) == 2 and args[1].upper() not in (b"SYNC", b"ASYNC")):
        raise ReplyError("SYNTAX")


def flush(shard: Shard, databases: tuple[int, int]) -> None:
    """Empty the databases from the first index up to the second. O(databases + watched keys)."""
    for db in shard.dbs[slice(*databases)]:
        shard.dirty += db.flush()


def free_soon(proactor: Proactor, message: Message) -> None:
    """Message handler on every thread: begin to take flushed tables apart in this turn."""
    proactor.service.kick()


def cmd_swapdb(context: Context, args: Args) -> Steps:
    """SWAPDB index index."""
    refuse_in_cluster(context.session, "SWAPDB")
    one = _swapped(args[1], "DB_FIRST_INDEX")
    two = _swapped(args[2], "DB_SECOND_INDEX")
    databases = len(context.proactor.shard.dbs)
    if not (0 <= one < databases and 0 <= two < databases):
        raise ReplyError("DB_INDEX")
    yield from context.all_shards(swap, (one, two), last=True)
    return OK


def _swapped(word: bytes, error: str) -> int:
    number = parse_int(word)
    if number is None or not INT_MIN <= number <= INT_MAX:
        raise ReplyError(error)
    return number


def swap(shard: Shard, databases: tuple[int, int]) -> None:
    """Exchange two databases. O(watched keys)."""
    one, two = databases
    if one != two:
        shard.dbs[one].swap(shard.dbs[two])
    shard.dirty += 1


def cmd_dbsize(context: Context, args: Args) -> Steps:
    """DBSIZE: keys of the database, those included that have expired and that nobody came across."""
    return sum((yield from context.all_shards(size, context.db, last=True)))


def dbsize_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """DBSIZE where there is one thread. O(1)."""
    return len(db) if here.has_everything() else ELSEWHERE


def size(shard: Shard, database: int) -> int:
    """Keys of a database on this shard. O(1)."""
    return len(shard.dbs[database])


TABLE: tuple[Row, ...] = (
    single(
        "MOVE",
        3,
        "write fast",
        cmd=cmd_move,
        op=op_move,
        encode="number",
        key_flags="RW ACCESS UPDATE",
        acl="@keyspace @write @fast",
        since="1.0.0",
        group="generic",
        syntax="key db",
        summary="Takes a key to another database, unless it is there already.",
    ),
    multi(
        "FLUSHDB",
        -1,
        "write",
        run=cmd_flushdb,
        scope=ALL_EXCLUSIVE,
        acl="@keyspace @write @slow @dangerous",
        since="1.0.0",
        group="server",
        syntax="[<ASYNC|SYNC>]",
        summary="Removes every key of the database.",
        complexity="O(N) where N is the number of shards; the keys are freed later, in slices",
        tips="request_policy:all_shards response_policy:all_succeeded",
    ),
    multi(
        "FLUSHALL",
        -1,
        "write",
        run=cmd_flushall,
        scope=ALL_EXCLUSIVE,
        acl="@keyspace @write @slow @dangerous",
        since="1.0.0",
        group="server",
        syntax="[<ASYNC|SYNC>]",
        summary="Removes every key of every database.",
        complexity="O(N) where N is the number of shards; the keys are freed later, in slices",
        tips="request_policy:all_shards response_policy:all_succeeded",
    ),
    multi(
        "SWAPDB",
        3,
        "write fast",
        run=cmd_swapdb,
        scope=ALL_EXCLUSIVE,
        acl="@keyspace @write @fast @dangerous",
        since="4.0.0",
        group="server",
        syntax="index1 index2",
        summary="Exchanges two databases, for all clients at once.",
        complexity="O(N) where N is the number of watched keys",
    ),
    multi(
        "DBSIZE",
        1,
        "readonly fast",
        run=cmd_dbsize,
        at_once=dbsize_at_once,
        encode="number",
        scope=ALL_SHARED,
        acl="@keyspace @read @fast",
        since="1.0.0",
        group="server",
        summary="Counts the keys of the database.",
        complexity="O(N) where N is the number of shards",
        tips="request_policy:all_shards response_policy:agg_sum",
    ),
)
