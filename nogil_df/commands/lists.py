"""The list family: pushes, pops, and what reads or changes a list in place.

A list lives only while it has elements: whoever takes the last one erases the key. What concerns two keys or
any number of them (LMOVE, LMPOP) is in `lists_multi`.

LPUSH, RPUSH, LPOP and RPOP of one element are what queues are made of: they are written out, with the
account of memory done in place, where the rest goes through the methods of `ListValue`.

Elements leave the shard as they are; nobody changes bytes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import INT64_MAX, parse_int
from nogil_df.commands.arguments import integer
from nogil_df.commands.spec import Row, single
from nogil_df.shard.lengthy import Lengthy, Slices
from nogil_df.shard.lists import ELEMENT_OVERHEAD, SHORT, ListValue
from nogil_df.wire.values import NULL_ARRAY, OK, Chunks

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

POP_EVENTS = (b"rpop", b"lpop")
"""Names of the events of a pop, by whether it was on the left."""

PUSH_EVENTS = (b"rpush", b"lpush")
"""Names of the events of a push, by whether it was on the left."""


MOST_SPANS: Final = 256
"""Slices in which a list is read at most: each has its way from an end of the list."""


# What all list commands share.


def read(db: Keyspace, key: bytes, h: int) -> ListValue | None:
    """The list at a key as a command that reads for a client sees it: counts a hit or a miss. O(1).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    found = db.find(key, h)
    if found is None or type(found) is ListValue:
        return found
    raise ReplyError("WRONGTYPE")


def held(db: Keyspace, key: bytes, h: int) -> ListValue | None:
    """The list at a key that is about to be changed in place; not counted as a read. O(1).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    table = db.table
    found = table.get(key, h)
    if type(found) is ListValue:
        if table.cut_version:
            table.before_change(key, h)
        return found
    if found is None:
        return None
    raise ReplyError("WRONGTYPE")


def integer_from(text: bytes, least: int, complaint: ReplyError) -> int:
    """An argument that must be an integer from ``least`` up.

    Raises:
        ReplyError: ``complaint``, whatever it is instead.
    """
    number = parse_int(text)
    if number is None or number < least:
        raise complaint
    return number


def is_left(word: bytes) -> bool:
    """Which end of a list LEFT or RIGHT names.

    Raises:
        ReplyError SYNTAX: neither.
    """
    upper = word.upper()
    if upper == b"LEFT":
        return True
    if upper == b"RIGHT":
        return False
    raise ReplyError("SYNTAX")


def erase_if_empty(db: Keyspace, key: bytes, h: int, value: ListValue) -> None:
    """End a list that has no elements left, after the event of the command that took them. O(1)."""
    if not value.items:
        db.erase(key, h)
        if db.observed:
            db.tell(key, events.GENERIC, b"del")


def push(db: Keyspace, key: bytes, h: int, elements: list[bytes], left: bool) -> int:
    """Add elements at an end, to a new list if need be; the length. O(elements added).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    value = held(db, key, h)
    if value is None:
        value = ListValue([])
        value.push(elements, left)
        db.put(key, h, value)
    else:
        before = value.memory
        value.push(elements, left)
        db.used += value.memory - before
    db.shard.dirty += len(elements) - 1
    db.changed(key, events.LIST, PUSH_EVENTS[left])
    return len(value.items)


def take(db: Keyspace, key: bytes, h: int, value: ListValue, count: int, left: bool) -> list[bytes]:
    """Pop up to ``count`` elements, at least one, of the list at a key; an empty list goes. O(count)."""
    before = value.memory
    taken = value.pop(count, left)
    db.used += value.memory - before
    db.shard.dirty += len(taken) - 1
    db.changed(key, events.LIST, POP_EVENTS[left])
    erase_if_empty(db, key, h, value)
    return taken


# Pushes.


def op_lpush(db: Keyspace, args: Args, h: int) -> int:
    """Add elements at the left, one after the other; the length. O(elements added)."""
    key = args[1]
    table = db.table
    found = table.get(key, h)
    if type(found) is not ListValue or len(args) != 3:
        if found is None and len(args) == 3:
            return begin(db, key, h, args[2], True)
        return push(db, key, h, args[2:], True)
    value: ListValue = found
    if table.cut_version:
        table.before_change(key, h)
    element = args[2]
    items = value.items
    items.insert(0, element)
    size = len(element) + ELEMENT_OVERHEAD
    value.memory += size
    db.used += size
    db.shard.dirty += 1
    if db.observed:
        db.tell(key, events.LIST, b"lpush")
    length = len(items)
    if length > SHORT and type(items) is list:
        lengthen(db, value)
    return length


def op_rpush(db: Keyspace, args: Args, h: int) -> int:
    """Add elements at the right; the length. O(elements added)."""
    key = args[1]
    table = db.table
    found = table.get(key, h)
    if type(found) is not ListValue or len(args) != 3:
        if found is None and len(args) == 3:
            return begin(db, key, h, args[2], False)
        return push(db, key, h, args[2:], False)
    value: ListValue = found
    if table.cut_version:
        table.before_change(key, h)
    element = args[2]
    items = value.items
    items.append(element)
    size = len(element) + ELEMENT_OVERHEAD
    value.memory += size
    db.used += size
    db.shard.dirty += 1
    if db.observed:
        db.tell(key, events.LIST, b"rpush")
    length = len(items)
    if length > SHORT and type(items) is list:
        lengthen(db, value)
    return length


def begin(db: Keyspace, key: bytes, h: int, element: bytes, left: bool) -> int:
    """Store a list of one element, as a queue that is mostly empty has it done all the time; 1. O(1)."""
    value = ListValue([element], len(element) + ELEMENT_OVERHEAD)
    db.table.put(key, h, value, 0)
    db.account_put(key, value, None)
    db.changed(key, events.LIST, PUSH_EVENTS[left])
    return 1


def lengthen(db: Keyspace, value: ListValue) -> None:
    """Move a list that grew too long for a Python list into a deque. O(length)."""
    before = value.memory
    value.lengthen()
    db.used += value.memory - before


def op_lpushx(db: Keyspace, args: Args, h: int) -> int:
    """As LPUSH if there is a list; the length, 0 without one. O(elements added)."""
    return 0 if held(db, args[1], h) is None else op_lpush(db, args, h)


def op_rpushx(db: Keyspace, args: Args, h: int) -> int:
    """As RPUSH if there is a list; the length, 0 without one. O(elements added)."""
    return 0 if held(db, args[1], h) is None else op_rpush(db, args, h)


# Pops.


def cmd_pop(session: Session, args: Args) -> Any:
    """Parse the count; without one the arguments go through as they came."""
    if len(args) == 2:
        return args
    if len(args) > 3:
        raise ReplyError("WRONG_ARITY", args[0].lower())
    return args[1], integer_from(args[2], 0, ReplyError("NOT_POSITIVE"))


def op_lpop(db: Keyspace, args: Any, h: int) -> Any:
    """Take the leftmost element, null without a list; with a count an array of them. O(elements taken)."""
    if type(args) is tuple:
        return _pop_several(db, args, h, True)
    key = args[1]
    table = db.table
    found = table.get(key, h)
    if type(found) is not ListValue:
        return nothing(found)
    value: ListValue = found
    if table.cut_version:
        table.before_change(key, h)
    items = value.items
    element = items[0]
    del items[0]
    size = len(element) + ELEMENT_OVERHEAD
    value.memory -= size
    db.used -= size
    db.shard.dirty += 1
    if db.observed:
        db.tell(key, events.LIST, b"lpop")
    if not items:
        erase_if_empty(db, key, h, value)
    return element


def op_rpop(db: Keyspace, args: Any, h: int) -> Any:
    """Take the rightmost element, null without a list; with a count an array of them. O(elements taken)."""
    if type(args) is tuple:
        return _pop_several(db, args, h, False)
    key = args[1]
    table = db.table
    found = table.get(key, h)
    if type(found) is not ListValue:
        return nothing(found)
    value: ListValue = found
    if table.cut_version:
        table.before_change(key, h)
    items = value.items
    element = items.pop()
    size = len(element) + ELEMENT_OVERHEAD
    value.memory -= size
    db.used -= size
    db.shard.dirty += 1
    if db.observed:
        db.tell(key, events.LIST, b"rpop")
    if not items:
        erase_if_empty(db, key, h, value)
    return element


def nothing(value: Any) -> None:
    """What is popped where there is no list.

    Raises:
        ReplyError WRONGTYPE: there is a value of another type.
    """
    if value is not None:
        raise ReplyError("WRONGTYPE")


def _pop_several(db: Keyspace, payload: tuple[bytes, int], h: int, left: bool) -> Any:
    key, count = payload
    value = held(db, key, h)
    if value is None:
        return NULL_ARRAY
    return take(db, key, h, value, count, left) if count else []


# Reads.


def op_llen(db: Keyspace, args: Args, h: int) -> int:
    """The length, 0 without a list. O(1)."""
    value = read(db, args[1], h)
    return 0 if value is None else len(value.items)


def op_lindex(db: Keyspace, args: Args, h: int) -> bytes | None:
    """The element at an index, negative from the end; null beyond. O(1) near the ends."""
    value = read(db, args[1], h)
    if value is None:
        return None
    index = integer(args[2])
    items = value.items
    return items[index] if -len(items) <= index < len(items) else None


def cmd_range(session: Session, args: Args) -> tuple[bytes, int, int]:
    """Parse the bounds of LRANGE and LTRIM."""
    return args[1], integer(args[2]), integer(args[3])


def bounds(start: int, end: int, length: int) -> tuple[int, int]:
    """Where elements ``start`` to ``end``, both included, negative from the end, are: (first, last + 1).

    Both are from 0 to ``length``. No sum here is beyond 64 bits, whatever is asked for.
    """
    start = max(start + length, 0) if start < 0 else min(start, length)
    end = max(end + length, -1) if end < 0 else min(end, length - 1)
    return start, end + 1


def op_lrange(db: Keyspace, payload: tuple[bytes, int, int], h: int) -> list[bytes]:
    """Elements from ``start`` to ``end``, both included, negative from the end. O(elements, and the way)."""
    key, start, end = payload
    value = read(db, key, h)
    if value is None:
        return []
    length = len(value.items)
    start, stop = bounds(start, end, length)
    if stop - start > db.shard.slice:
        raise Lengthy(_spans(value, start, stop, max(db.shard.slice, length // MOST_SPANS)), value)
    return value.span(start, stop) if start < stop else []


def _spans(value: ListValue, start: int, stop: int, size: int) -> Slices:
    """`ListValue.span` in slices. O(elements), and for each slice the way to it."""
    parts: deque[Any] = deque()
    for at in range(start, stop, size):
        parts.append(value.span(at, min(at + size, stop)))
        yield
    return Chunks(parts)


def cmd_lpos(session: Session, args: Args) -> tuple[bytes, bytes, int, int, int]:
    """Parse LPOS's options.

    Returns:
        (key, element, rank, how many to find: 0 for all and -1 for one without an array, how many to look
        at).
    """
    rank, count, longest = 1, -1, 0
    at = 3
    while at < len(args):
        word = args[at].upper()
        if at + 1 == len(args):
            raise ReplyError("SYNTAX")
        text = args[at + 1]
        if word == b"RANK":
            rank = integer(text)
            if rank < -INT64_MAX:
                raise ReplyError("NOT_IN_RANGE", -INT64_MAX, INT64_MAX)
            if rank == 0:
                raise ReplyError("LPOS_RANK")
        elif word == b"COUNT":
            count = integer_from(text, 0, ReplyError("LPOS_COUNT"))
        elif word == b"MAXLEN":
            longest = integer_from(text, 0, ReplyError("LPOS_MAXLEN"))
        else:
            raise ReplyError("SYNTAX")
        at += 2
    return args[1], args[2], rank, count, longest


def op_lpos(db: Keyspace, payload: tuple[bytes, bytes, int, int, int], h: int) -> Any:
    """Where an element is, or an array of all the places if a count was given. O(length)."""
    key, element, rank, count, longest = payload
    value = read(db, key, h)
    if value is None:
        return None if count < 0 else []
    found = value.positions(element, abs(rank) - 1, abs(count), longest, rank < 0)
    if count >= 0:
        return found
    return found[0] if found else None


# Changes in place.


def op_lset(db: Keyspace, args: Args, h: int) -> Any:
    """Replace the element at an index. O(1) near the ends.

    Raises:
        ReplyError: there is no list, or no such index.
    """
    key = args[1]
    value = held(db, key, h)
    if value is None:
        raise ReplyError("NO_SUCH_KEY")
    index = integer(args[2])
    length = len(value.items)
    if not -length <= index < length:
        raise ReplyError("INDEX_OUT_OF_RANGE")
    before = value.memory
    value.set(index, args[3])
    db.used += value.memory - before
    db.changed(key, events.LIST, b"lset")
    return OK


def cmd_linsert(session: Session, args: Args) -> tuple[bytes, bool, bytes, bytes]:
    """Parse BEFORE or AFTER."""
    word = args[2].upper()
    if word not in (b"BEFORE", b"AFTER"):
        raise ReplyError("SYNTAX")
    return args[1], word == b"AFTER", args[3], args[4]


def op_linsert(db: Keyspace, payload: tuple[bytes, bool, bytes, bytes], h: int) -> int:
    """Insert beside the first element equal to the pivot. O(length).

    Returns:
        The length, -1 if there is no such element, 0 without a list.
    """
    key, after, pivot, element = payload
    value = held(db, key, h)
    if value is None:
        return 0
    before = value.memory
    if not value.insert(pivot, element, after):
        return -1
    db.used += value.memory - before
    db.changed(key, events.LIST, b"linsert")
    return len(value.items)


def cmd_lrem(session: Session, args: Args) -> tuple[bytes, int, bytes]:
    """Parse the count."""
    return args[1], integer(args[2]), args[3]


def op_lrem(db: Keyspace, payload: tuple[bytes, int, bytes], h: int) -> int:
    """Remove elements by value: the first so many, the last if negative, all if 0; how many. O(length)."""
    key, count, element = payload
    value = held(db, key, h)
    if value is None:
        return 0
    before = value.memory
    removed = value.remove(element, count)
    if removed:
        db.used += value.memory - before
        db.shard.dirty += removed - 1
        db.changed(key, events.LIST, b"lrem")
        erase_if_empty(db, key, h, value)
    return removed


def op_ltrim(db: Keyspace, payload: tuple[bytes, int, int], h: int) -> Any:
    """Keep only elements from ``start`` to ``end``, both included. O(elements removed)."""
    key, start, end = payload
    value = held(db, key, h)
    if value is None:
        return OK
    before = value.memory
    start, stop = bounds(start, end, len(value.items))
    value.trim(start, stop)
    db.used += value.memory - before
    db.changed(key, events.LIST, b"ltrim")
    erase_if_empty(db, key, h, value)
    return OK


def _row(name: str, arity: int, flags: str, *, syntax: str, since: str = "1.0.0", **rest: Any) -> Row:
    """The row of a command on one list; categories follow from the flags."""
    access = "@write" if "write" in flags else "@read"
    speed = "@fast" if "fast" in flags else "@slow"
    return single(
        name, arity, flags, syntax=syntax, since=since, group="list", acl=f"{access} @list {speed}", **rest
    )


_PUSH = "O(N) where N is the number of elements added"
_POP = "O(N) where N is the number of elements returned"
_WALK = "O(N) where N is the length of the list"
_FAR = "O(N) where N is the distance from the nearer end; O(1) at the ends"

TABLE: tuple[Row, ...] = (
    _row(
        "LPUSH",
        -3,
        "write denyoom fast",
        op=op_lpush,
        encode="number",
        key_flags="RW INSERT",
        syntax="key element [element ...]",
        summary="Adds elements at the left end of a list; creates it if need be.",
        complexity=_PUSH,
    ),
    _row(
        "RPUSH",
        -3,
        "write denyoom fast",
        op=op_rpush,
        encode="number",
        key_flags="RW INSERT",
        syntax="key element [element ...]",
        summary="Adds elements at the right end of a list; creates it if need be.",
        complexity=_PUSH,
    ),
    _row(
        "LPUSHX",
        -3,
        "write denyoom fast",
        op=op_lpushx,
        encode="number",
        key_flags="RW INSERT",
        since="2.2.0",
        syntax="key element [element ...]",
        summary="Adds elements at the left end of a list if it exists.",
        complexity=_PUSH,
    ),
    _row(
        "RPUSHX",
        -3,
        "write denyoom fast",
        op=op_rpushx,
        encode="number",
        key_flags="RW INSERT",
        since="2.2.0",
        syntax="key element [element ...]",
        summary="Adds elements at the right end of a list if it exists.",
        complexity=_PUSH,
    ),
    _row(
        "LPOP",
        -2,
        "write fast",
        cmd=cmd_pop,
        plain_with=2,
        op=op_lpop,
        encode="bulk_or_null",
        key_flags="RW ACCESS DELETE",
        syntax="key [count]",
        summary="Takes elements from the left end of a list.",
        complexity=_POP,
    ),
    _row(
        "RPOP",
        -2,
        "write fast",
        cmd=cmd_pop,
        plain_with=2,
        op=op_rpop,
        encode="bulk_or_null",
        key_flags="RW ACCESS DELETE",
        syntax="key [count]",
        summary="Takes elements from the right end of a list.",
        complexity=_POP,
    ),
    _row(
        "LLEN",
        2,
        "readonly fast",
        op=op_llen,
        encode="number",
        key_flags="RO",
        syntax="key",
        summary="Answers the length of a list.",
    ),
    _row(
        "LRANGE",
        4,
        "readonly",
        cmd=cmd_range,
        op=op_lrange,
        encode="array_of_bulks",
        key_flags="RO ACCESS",
        syntax="key start stop",
        summary="Answers a stretch of a list.",
        complexity="O(S+N) where S is the distance from the nearer end and N the number of elements returned",
    ),
    _row(
        "LINDEX",
        3,
        "readonly",
        op=op_lindex,
        encode="bulk_or_null",
        key_flags="RO ACCESS",
        syntax="key index",
        summary="Answers one element of a list, by its place.",
        complexity=_FAR,
    ),
    _row(
        "LPOS",
        -3,
        "readonly",
        cmd=cmd_lpos,
        op=op_lpos,
        key_flags="RO ACCESS",
        since="6.0.6",
        syntax="key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
        summary="Finds the places of an element in a list.",
        complexity=_WALK,
    ),
    _row(
        "LSET",
        4,
        "write denyoom",
        op=op_lset,
        key_flags="RW UPDATE",
        syntax="key index element",
        summary="Replaces one element of a list, by its place.",
        complexity=_FAR,
    ),
    _row(
        "LINSERT",
        5,
        "write denyoom",
        cmd=cmd_linsert,
        op=op_linsert,
        encode="number",
        key_flags="RW INSERT",
        since="2.2.0",
        syntax="key <BEFORE | AFTER> pivot element",
        summary="Inserts an element beside another one.",
        complexity=_WALK,
    ),
    _row(
        "LREM",
        4,
        "write",
        cmd=cmd_lrem,
        op=op_lrem,
        encode="number",
        key_flags="RW DELETE",
        syntax="key count element",
        summary="Removes elements from a list by value; the list with its last one.",
        complexity=_WALK,
    ),
    _row(
        "LTRIM",
        4,
        "write",
        cmd=cmd_range,
        op=op_ltrim,
        key_flags="RW DELETE",
        syntax="key start stop",
        summary="Removes all elements outside a stretch of a list.",
        complexity="O(N) where N is the number of elements removed",
    ),
)
