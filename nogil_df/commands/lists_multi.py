"""List commands on two keys or on any number of them: LMOVE, RPOPLPUSH, LMPOP.

Where all keys are on one shard, each is one hop. Else it is two, as in `generic`: the first looks (at the
element that will move and at the type of what it moves to; at which key has a list), the second does it. The
keys are locked all the while, so what the first hop saw holds in the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.lists import (
    POP_EVENTS,
    erase_if_empty,
    held,
    integer_from,
    is_left,
    op_lpush,
    op_rpush,
    push,
    take,
)
from nogil_df.commands.spec import Row, multi
from nogil_df.shard.lists import ELEMENT_OVERHEAD, ListValue
from nogil_df.shard.memory import own
from nogil_df.wire.values import NULL_ARRAY

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard

Args = list[bytes]
Place = tuple[int, bytes, int]
"""Where a list is on its shard: database, key, hash of the key."""

Popped = tuple[bytes, list[bytes]]
"""What LMPOP answers: the key, and its elements."""


# LMOVE, RPOPLPUSH.


def cmd_lmove(context: Context, args: Args) -> Steps:
    """LMOVE source destination LEFT|RIGHT LEFT|RIGHT: the element, null without a source."""
    return (yield from move(context, args[1], args[2], is_left(args[3]), is_left(args[4])))


def cmd_rpoplpush(context: Context, args: Args) -> Steps:
    """RPOPLPUSH source destination: LMOVE RIGHT LEFT."""
    return (yield from move(context, args[1], args[2], False, True))


def lmove_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """LMOVE between lists that are here. O(1)."""
    return move_at_once(here, db, args[1], args[2], is_left(args[3]), is_left(args[4]))


def rpoplpush_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """RPOPLPUSH between lists that are here. O(1)."""
    return move_at_once(here, db, args[1], args[2], False, True)


def move_at_once(
    here: Here, db: Keyspace, source: bytes, target: bytes, from_left: bool, to_left: bool
) -> Any:
    """`move` between lists that are here. O(1)."""
    h, to = here.find(source), here.find(target)
    if h < 0 or to < 0:
        return ELSEWHERE
    value = held(db, source, h)
    if value is None:
        return None
    if target != source:
        held(db, target, to)
    return move_between(db, (source, h, value, from_left), (target, to, to_left))


def move(context: Context, source: bytes, target: bytes, from_left: bool, to_left: bool) -> Steps:
    """Take an element from an end of one list to an end of another, in one transaction, which this concludes.

    Returns:
        The element; None if there is no source.

    Raises:
        ReplyError WRONGTYPE: one of them is no list.
    """
    hash_key = context.proactor.shard.hash_key
    here, there = (context.db, source, hash_key(source)), (context.db, target, hash_key(target))
    at, to = context.shard_of(here[2]), context.shard_of(there[2])
    if at == to:
        work = (move_here, (here, there, from_left, to_left))
        return (yield from context.hop({at: work}, last=True))[at]
    found = yield from context.hop({at: (look_at_end, (here, from_left)), to: (may_hold_list, there)})
    element = found[at]
    if element is None:
        yield from context.conclude()
        return None
    if not found[to]:
        raise ReplyError("WRONGTYPE")
    arrival = (there, element, to_left)
    yield from context.hop({at: (give, (here, from_left)), to: (receive, arrival)}, last=True)
    return element


def move_here(shard: Shard, argument: tuple[Place, Place, bool, bool]) -> bytes | None:
    """Work of a move within one shard: the element, None if there is no source. O(1).

    Raises:
        ReplyError WRONGTYPE: one of them is no list.
    """
    (index, source, h), (_, target, to), from_left, to_left = argument
    db = shard.dbs[index]
    value = held(db, source, h)
    if value is None:
        return None
    if target != source:
        held(db, target, to)
    return move_between(db, (source, h, value, from_left), (target, to, to_left))


def move_between(
    db: Keyspace, origin: tuple[bytes, int, ListValue, bool], target: tuple[bytes, int, bool]
) -> bytes:
    """Move an element between two lists of one database, or between the ends of one. O(1).

    Args:
        origin: key, its hash, its list, which is not empty, whether to take at the left.
        target: key, its hash, whether to add at the left. It holds a list or nothing.
    """
    source, h, value, from_left = origin
    key, to, to_left = target
    items = value.items
    if from_left:
        element = items[0]
        del items[0]
    else:
        element = items.pop()
    size = len(element) + ELEMENT_OVERHEAD
    value.memory -= size
    db.used -= size
    if to_left:
        op_lpush(db, [b"", own(key), element], to)
    else:
        op_rpush(db, [b"", own(key), element], to)
    if db.observed:
        db.tell(source, events.LIST, POP_EVENTS[from_left])
    if not items:
        erase_if_empty(db, source, h, value)
    return element


def look_at_end(shard: Shard, argument: tuple[Place, bool]) -> bytes | None:
    """The element at an end of a list, None if there is no list. O(1).

    Raises:
        ReplyError WRONGTYPE.
    """
    (index, key, h), left = argument
    value = held(shard.dbs[index], key, h)
    return None if value is None else value.items[0 if left else -1]


def may_hold_list(shard: Shard, place: Place) -> bool:
    """Whether an element can be added to a key: it is not there, or holds a list. O(1)."""
    index, key, h = place
    value = shard.dbs[index].peek(key, h)
    return value is None or value.__class__ is ListValue


def give(shard: Shard, argument: tuple[Place, bool]) -> None:
    """The source's half of a move between shards. O(1)."""
    (index, key, h), left = argument
    db = shard.dbs[index]
    value = held(db, key, h)
    assert value is not None, "the key is locked, and was there in the hop before"
    take(db, key, h, value, 1, left)


def receive(shard: Shard, argument: tuple[Place, bytes, bool]) -> None:
    """The target's half of a move between shards. O(1)."""
    (index, key, h), element, left = argument
    push(shard.dbs[index], own(key), h, [own(element)], left)


# LMPOP.


def cmd_lmpop(context: Context, args: Args) -> Steps:
    """LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]: null if no key has a list."""
    keys, left, count = parse_lmpop(args, 1)
    return (yield from pop_first(context, keys, left, count))


def lmpop_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """LMPOP of lists that are here. O(keys + count)."""
    keys, left, count = parse_lmpop(args, 1)
    found = pop_at_once(here, db, keys, left, count)
    return NULL_ARRAY if found is None else found if found is ELSEWHERE else list(found)


def pop_at_once(here: Here, db: Keyspace, keys: list[bytes], left: bool, count: int) -> Any:
    """`pop_here` of keys that are here. O(keys + count)."""
    hashes = here.find_all(keys)
    if hashes is None:
        return ELSEWHERE
    for i, key in enumerate(keys):
        value = held(db, key, hashes[i])
        if value is not None:
            return key, take(db, key, hashes[i], value, count, left)
    return None


def parse_lmpop(args: Args, at: int) -> tuple[list[bytes], bool, int]:
    """The arguments of LMPOP and BLMPOP from the number of keys on: keys, whether left, count.

    Raises:
        ReplyError: they are no such arguments.
    """
    indexes = counted_keys(args, at)
    end = indexes[-1] + 1
    left = is_left(args[end])
    count = 0
    for option in range(end + 1, len(args), 2):
        if count or args[option].upper() != b"COUNT" or option + 1 == len(args):
            raise ReplyError("SYNTAX")
        count = integer_from(args[option + 1], 1, ReplyError("COUNT_NOT_POSITIVE"))
    return args[at + 1 : end], left, count or 1


def find_lmpop_keys(args: Sequence[bytes]) -> list[int]:
    """Where LMPOP's keys are. O(keys)."""
    return counted_keys(args, 1)


def counted_keys(args: Sequence[bytes], at: int) -> list[int]:
    """Positions of the keys whose number is the argument ``at``. O(keys).

    Raises:
        ReplyError: the arguments do not tell them.
    """
    number = integer_from(args[at], 1, ReplyError("NUMKEYS_NOT_POSITIVE"))
    if at + 1 + number >= len(args):
        raise ReplyError("SYNTAX")
    return list(range(at + 1, at + 1 + number))


def pop_first(context: Context, keys: list[bytes], left: bool, count: int) -> Steps:
    """Pop of the first of the keys that has a list: [key, elements], the null array if there is none.

    Concludes the transaction. O(keys + count).

    Raises:
        ReplyError WRONGTYPE: there is a key of another type before it.
    """
    groups = context.by_shard(keys)
    if len(groups) == 1:
        (shard,) = groups
        places = [(context.db, key, h) for _, key, h in groups[shard]]
        popped = (yield from context.hop({shard: (pop_here, (places, left, count))}, last=True))[shard]
    else:
        kinds = yield from context.each_key(keys, op_kind)
        popped = None
        for key, kind in zip(keys, kinds, strict=True):
            if kind is False:
                raise ReplyError("WRONGTYPE")
            if kind:
                popped = key, (yield from context.at(key, op_take, (key, count, left), last=True))
                break
        else:
            yield from context.conclude()
    return NULL_ARRAY if popped is None else list(popped)


def op_kind(db: Keyspace, key: bytes, h: int) -> bool | None:
    """None without a key, True if it has a list, False if it has another type. O(1)."""
    value = db.peek(key, h)
    return None if value is None else value.__class__ is ListValue


def op_take(db: Keyspace, payload: tuple[bytes, int, bool], h: int) -> list[bytes]:
    """Pop of a key that has a list. O(count)."""
    key, count, left = payload
    value = held(db, key, h)
    assert value is not None, "the key is locked, and was there in the hop before"
    return take(db, key, h, value, count, left)


def pop_here(shard: Shard, argument: tuple[list[Place], bool, int]) -> Popped | None:
    """Work of LMPOP within one shard. O(keys + count).

    Raises:
        ReplyError WRONGTYPE: there is a key of another type before the first list.
    """
    places, left, count = argument
    for index, key, h in places:
        db = shard.dbs[index]
        value = held(db, key, h)
        if value is not None:
            return key, take(db, key, h, value, count, left)
    return None


def _row(name: str, arity: int, flags: str, *, run: Any, since: str, syntax: str, **rest: Any) -> Row:
    """The row of a command on several lists."""
    return multi(
        name,
        arity,
        flags,
        run=run,
        since=since,
        syntax=syntax,
        group="list",
        acl="@write @list @slow",
        **rest,
    )


TABLE: tuple[Row, ...] = (
    _row(
        "LMOVE",
        5,
        "write denyoom",
        run=cmd_lmove,
        at_once=lmove_at_once,
        encode="bulk_or_null",
        keys=(1, 2, 1),
        key_flags="RW ACCESS DELETE; RW INSERT",
        since="6.2.0",
        syntax="source destination <LEFT | RIGHT> <LEFT | RIGHT>",
        summary="Moves an element from an end of a list to an end of another, or of the same one.",
    ),
    _row(
        "RPOPLPUSH",
        3,
        "write denyoom",
        run=cmd_rpoplpush,
        at_once=rpoplpush_at_once,
        encode="bulk_or_null",
        keys=(1, 2, 1),
        key_flags="RW ACCESS DELETE; RW INSERT",
        since="1.2.0",
        syntax="source destination",
        summary="Moves the last element of a list to the front of another: LMOVE RIGHT LEFT.",
    ),
    _row(
        "LMPOP",
        -4,
        "write movablekeys",
        run=cmd_lmpop,
        at_once=lmpop_at_once,
        find_keys=find_lmpop_keys,
        key_flags="RW ACCESS DELETE",
        since="7.0.0",
        syntax="numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        summary="Takes elements from the first of several lists that is not empty.",
        complexity="O(N+M) where N is the number of keys and M the number of elements returned",
    ),
)
