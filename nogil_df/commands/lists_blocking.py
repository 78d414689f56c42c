"""List commands that wait for an element: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH.

How a command waits is told by `nogil_df.commands.blocking`; here is what it waits for, a list at one of its
keys, and how it is served: as the command without the B would be, by the thread of the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.blocking import Demand, block, parse_timeout
from nogil_df.commands.lists import held, is_left, take
from nogil_df.commands.lists_multi import (
    counted_keys,
    move,
    move_at_once,
    move_between,
    parse_lmpop,
    pop_at_once,
)
from nogil_df.commands.spec import Row, multi
from nogil_df.shard.lists import ListValue
from nogil_df.wire.values import NULL_ARRAY

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]


def is_list(value: Any, payload: Any) -> bool:
    """Whether a stored value serves a list command: a list always does, for there are no empty ones.

    Raises:
        ReplyError WRONGTYPE: it has another type.
    """
    if value.__class__ is not ListValue:
        raise ReplyError("WRONGTYPE")
    return True


def served_list(db: Keyspace, key: bytes, h: int) -> ListValue:
    """The list of a key that was found to have one a moment ago, about to be changed. O(1)."""
    value = held(db, key, h)
    assert value is not None, "it was there when it was looked at, on this thread"
    return value


# BLPOP, BRPOP, BLMPOP.


def cmd_blpop(context: Context, args: Args) -> Steps:
    """BLPOP key [key ...] timeout: [key, element], the null array if the time is up."""
    return (yield from _pop(context, args, left=True))


def cmd_brpop(context: Context, args: Args) -> Steps:
    """BRPOP key [key ...] timeout: [key, element], the null array if the time is up."""
    return (yield from _pop(context, args, left=False))


def blpop_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """BLPOP of a list that is here. O(keys)."""
    return _pop_at_once(here, db, args, True)


def brpop_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """BRPOP of a list that is here. O(keys)."""
    return _pop_at_once(here, db, args, False)


def _pop_at_once(here: Here, db: Keyspace, args: Args, left: bool) -> Any:
    parse_timeout(args[-1])
    found = pop_at_once(here, db, args[1:-1], left, 1)
    if found is None or found is ELSEWHERE:
        return ELSEWHERE
    key, (element,) = found
    return [key, element]


def _pop(context: Context, args: Args, *, left: bool) -> Steps:
    seconds = parse_timeout(args[-1])
    demand = Demand(args[1:-1], is_list, serve_pop, (left, 1))
    found = yield from block(context, demand, seconds)
    if found is None:
        return NULL_ARRAY
    key, (element,) = found
    return [key, element]


def cmd_blmpop(context: Context, args: Args) -> Steps:
    """BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]: [key, elements] or the null array."""
    keys, left, count = parse_lmpop(args, 2)
    seconds = parse_timeout(args[1])
    found = yield from block(context, Demand(keys, is_list, serve_pop, (left, count)), seconds)
    return NULL_ARRAY if found is None else list(found)


def blmpop_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """BLMPOP of a list that is here. O(keys + count)."""
    keys, left, count = parse_lmpop(args, 2)
    parse_timeout(args[1])
    found = pop_at_once(here, db, keys, left, count)
    return ELSEWHERE if found is None or found is ELSEWHERE else list(found)


def find_blmpop_keys(args: Sequence[bytes]) -> list[int]:
    """Where BLMPOP's keys are. O(keys)."""
    return counted_keys(args, 2)


def serve_pop(db: Keyspace, payload: tuple[bool, int], key: bytes, h: int) -> list[bytes]:
    """Pop of a list that is there: so many elements at most. O(elements popped)."""
    left, count = payload
    return take(db, key, h, served_list(db, key, h), count, left)


# BLMOVE, BRPOPLPUSH.


def cmd_blmove(context: Context, args: Args) -> Steps:
    """BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout: the element, null if the time is up."""
    from_left, to_left = is_left(args[3]), is_left(args[4])
    return (yield from _move(context, args[1], args[2], from_left, to_left, parse_timeout(args[5])))


def cmd_brpoplpush(context: Context, args: Args) -> Steps:
    """BRPOPLPUSH source destination timeout: BLMOVE RIGHT LEFT."""
    return (yield from _move(context, args[1], args[2], False, True, parse_timeout(args[3])))


def blmove_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """BLMOVE of an element that is there, between lists that are here. O(1)."""
    from_left, to_left = is_left(args[3]), is_left(args[4])
    parse_timeout(args[5])
    found = move_at_once(here, db, args[1], args[2], from_left, to_left)
    return ELSEWHERE if found is None else found


def brpoplpush_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """BRPOPLPUSH of an element that is there, between lists that are here. O(1)."""
    parse_timeout(args[3])
    found = move_at_once(here, db, args[1], args[2], False, True)
    return ELSEWHERE if found is None else found


def _move(
    context: Context, source: bytes, target: bytes, from_left: bool, to_left: bool, seconds: float
) -> Steps:
    # Not a function in here: compiled, it would hold all that is local, the demand too, which holds it.
    across = partial(_across, target, from_left, to_left)
    demand = Demand([source], is_list, serve_move, (from_left, target, to_left), target, across)
    found = yield from block(context, demand, seconds)
    if found is not None:
        return found[1]
    # Redis answers a wait that came to nothing as it does for BLPOP, and one that was not allowed as LMOVE.
    return None if context.nested else NULL_ARRAY


def _across(target: bytes, from_left: bool, to_left: bool, within: Context, key: bytes) -> Steps:
    """The move where the two lists are on different shards."""
    return move(within, key, target, from_left, to_left)


def serve_move(db: Keyspace, payload: tuple[bool, bytes, bool], key: bytes, h: int) -> bytes:
    """Move an element from a list that is there to a key on the same shard. O(1).

    Raises:
        ReplyError WRONGTYPE: what it would move to is no list.
    """
    from_left, target, to_left = payload
    to = db.shard.hash_key(target)
    held(db, target, to)
    return move_between(db, (key, h, served_list(db, key, h), from_left), (target, to, to_left))


def _row(name: str, arity: int, flags: str, *, run: Any, since: str, syntax: str, **rest: Any) -> Row:
    """The row of a list command that waits."""
    return multi(
        name,
        arity,
        flags,
        run=run,
        since=since,
        syntax=syntax,
        group="list",
        acl="@write @list @slow @blocking",
        **rest,
    )


_KEYS = "O(N) where N is the number of keys"

TABLE: tuple[Row, ...] = (
    _row(
        "BLPOP",
        -3,
        "write blocking",
        run=cmd_blpop,
        at_once=blpop_at_once,
        keys=(1, -2, 1),
        key_flags="RW ACCESS DELETE",
        since="2.0.0",
        syntax="key [key ...] timeout",
        summary="Takes the first element of the first list that is not empty; waits for one.",
        complexity=_KEYS,
    ),
    _row(
        "BRPOP",
        -3,
        "write blocking",
        run=cmd_brpop,
        at_once=brpop_at_once,
        keys=(1, -2, 1),
        key_flags="RW ACCESS DELETE",
        since="2.0.0",
        syntax="key [key ...] timeout",
        summary="Takes the last element of the first list that is not empty; waits for one.",
        complexity=_KEYS,
    ),
    _row(
        "BLMPOP",
        -5,
        "write blocking movablekeys",
        run=cmd_blmpop,
        at_once=blmpop_at_once,
        find_keys=find_blmpop_keys,
        key_flags="RW ACCESS DELETE",
        since="7.0.0",
        syntax="timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        summary="Takes elements from the first of several lists that is not empty; waits for one.",
        complexity="O(N+M) where N is the number of keys and M the number of elements returned",
    ),
    _row(
        "BLMOVE",
        6,
        "write denyoom blocking",
        run=cmd_blmove,
        at_once=blmove_at_once,
        encode="bulk_or_null",
        keys=(1, 2, 1),
        key_flags="RW ACCESS DELETE; RW INSERT",
        since="6.2.0",
        syntax="source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
        summary="Moves an element from an end of a list to an end of another; waits for one.",
    ),
    _row(
        "BRPOPLPUSH",
        4,
        "write denyoom blocking",
        run=cmd_brpoplpush,
        at_once=brpoplpush_at_once,
        encode="bulk_or_null",
        keys=(1, 2, 1),
        key_flags="RW ACCESS DELETE; RW INSERT",
        since="2.2.0",
        syntax="source destination timeout",
        summary="Moves the last element of a list to the front of another; waits for one.",
    ),
)
