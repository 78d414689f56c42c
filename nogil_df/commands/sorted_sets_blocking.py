"""Sorted set commands that wait for a member: BZPOPMIN, BZPOPMAX, BZMPOP.

How a command waits is told by `nogil_df.commands.blocking`; here is what it waits for, a sorted set at one of
its keys, and how it is served: as the command without the B would be, by the thread of the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.blocking import Demand, block, parse_timeout
from nogil_df.commands.lists_multi import counted_keys
from nogil_df.commands.sorted_sets import sorted_set_to_change, take
from nogil_df.commands.sorted_sets_multi import parse_zmpop, pop_here
from nogil_df.commands.spec import Row, multi
from nogil_df.shard.sorted_sets import SortedSetValue
from nogil_df.wire.values import NULL_ARRAY

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]


def is_sorted_set(value: Any, payload: Any) -> bool:
    """Whether a stored value serves: a sorted set always does, for there are no empty ones.

    Raises:
        ReplyError WRONGTYPE: it has another type.
    """
    if value.__class__ is not SortedSetValue:
        raise ReplyError("WRONGTYPE")
    return True


def serve_pop(db: Keyspace, payload: tuple[bool, int], key: bytes, h: int) -> list[tuple[bytes, float]]:
    """Pop of a sorted set that is there: so many members at most. O(log n + members)."""
    highest, count = payload
    value = sorted_set_to_change(db, key, h)
    assert value is not None, "it was there when it was looked at, on this thread"
    return take(db, key, h, value, count, highest)


def cmd_bzpopmin(context: Context, args: Args) -> Steps:
    """BZPOPMIN key [key ...] timeout: [key, member, score], the null array if the time is up."""
    return (yield from _pop(context, args, highest=False))


def cmd_bzpopmax(context: Context, args: Args) -> Steps:
    """BZPOPMAX key [key ...] timeout: [key, member, score], the null array if the time is up."""
    return (yield from _pop(context, args, highest=True))


def bzpopmin_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """BZPOPMIN of a sorted set that is here. O(keys + log n)."""
    return _pop_at_once(here, db, args, False)


def bzpopmax_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """BZPOPMAX of a sorted set that is here. O(keys + log n)."""
    return _pop_at_once(here, db, args, True)


def _pop_at_once(here: Here, db: Keyspace, args: Args, highest: bool) -> Any:
    parse_timeout(args[-1])
    group = here.group(args[1:-1])
    found: Any = NULL_ARRAY if group is None else pop_here(here.shard, (db.index, group, highest, 1))
    if found is NULL_ARRAY:
        return ELSEWHERE
    key, ((member, score),) = found
    return [key, member, score]


def _pop(context: Context, args: Args, *, highest: bool) -> Steps:
    seconds = parse_timeout(args[-1])
    demand = Demand(args[1:-1], is_sorted_set, serve_pop, (highest, 1))
    found = yield from block(context, demand, seconds)
    if found is None:
        return NULL_ARRAY
    key, ((member, score),) = found
    return [key, member, score]


def cmd_bzmpop(context: Context, args: Args) -> Steps:
    """BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count]: [key, pairs] or the null array."""
    keys, highest, count = parse_zmpop(args, 2)
    seconds = parse_timeout(args[1])
    found = yield from block(context, Demand(keys, is_sorted_set, serve_pop, (highest, count)), seconds)
    if found is None:
        return NULL_ARRAY
    key, pairs = found
    return [key, [list(pair) for pair in pairs]]


def bzmpop_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """BZMPOP of a sorted set that is here. O(keys + log n + members)."""
    keys, highest, count = parse_zmpop(args, 2)
    parse_timeout(args[1])
    group = here.group(keys)
    found = NULL_ARRAY if group is None else pop_here(here.shard, (db.index, group, highest, count))
    return ELSEWHERE if found is NULL_ARRAY else found


def find_bzmpop_keys(args: Sequence[bytes]) -> list[int]:
    """Where BZMPOP's keys are. O(keys)."""
    return counted_keys(args, 2)


def _row(name: str, arity: int, flags: str, since: str, syntax: str, summary: str, **rest: Any) -> Row:
    """The row of a sorted set command that waits."""
    speed = "@fast" if "fast" in flags else "@slow"
    return multi(
        name,
        arity,
        flags,
        since=since,
        syntax=syntax,
        summary=summary,
        group="sorted-set",
        acl=f"@write @sortedset {speed} @blocking",
        key_flags="RW ACCESS DELETE",
        **rest,
    )


_POPPED = "O(log(N)) where N is the size of the sorted set"

TABLE: tuple[Row, ...] = (
    _row(
        "BZPOPMIN",
        -3,
        "write fast blocking",
        "5.0.0",
        "key [key ...] timeout",
        "Takes the lowest member of the first sorted set that is not empty; waits for one.",
        run=cmd_bzpopmin,
        at_once=bzpopmin_at_once,
        keys=(1, -2, 1),
        complexity=_POPPED,
    ),
    _row(
        "BZPOPMAX",
        -3,
        "write fast blocking",
        "5.0.0",
        "key [key ...] timeout",
        "Takes the highest member of the first sorted set that is not empty; waits for one.",
        run=cmd_bzpopmax,
        at_once=bzpopmax_at_once,
        keys=(1, -2, 1),
        complexity=_POPPED,
    ),
    _row(
        "BZMPOP",
        -5,
        "write blocking movablekeys",
        "7.0.0",
        "timeout numkeys key [key ...] <MIN|MAX> [COUNT count]",
        "Takes members out of the first of several sorted sets that is not empty; waits for one.",
        run=cmd_bzmpop,
        at_once=bzmpop_at_once,
        find_keys=find_bzmpop_keys,
        complexity="O(K+M*log(N)) where K is the number of keys and M the number of members popped",
    ),
)
