"""The set family: commands on one set. What takes several is in `sets_multi`.

A set never leaves its shard: what is answered is a list made for the reply. An empty set is no set: whoever
takes the last member out removes the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import INT64_MAX, parse_int
from nogil_df.commands.member_scan import Request, parse_request, traverse
from nogil_df.commands.spec import Row, single
from nogil_df.shard.lengthy import Lengthy, in_chunks
from nogil_df.shard.memory import BYTES_OVERHEAD
from nogil_df.shard.sets import INTSET, SetValue
from nogil_df.wire.values import Members

if TYPE_CHECKING:
    from random import Random

    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

MOST_REPEATED: Final = 1 << 24
"""Members, repeated or not, that one command answers at most: some seconds, and some GB of replies."""


def read_set(db: Keyspace, key: bytes, h: int) -> SetValue | None:
    """The set at a key as a command that serves a client sees it: counts a hit or a miss. O(1).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    found = db.table.get(key, h)
    if type(found) is SetValue:
        db.shard.hits += 1
        return found
    if found is None:
        db.find(key, h)
        return None
    raise ReplyError("WRONGTYPE")


def set_to_change(db: Keyspace, key: bytes, h: int) -> SetValue | None:
    """The set at a key, which may be changed in place now; as `read_set`, but counts nothing. O(1)."""
    table = db.table
    found = table.get(key, h)
    if found is None:
        return None
    if type(found) is not SetValue:
        raise ReplyError("WRONGTYPE")
    if table.cut_version:
        table.before_change(key, h)
    return found


# Adding and removing.


def op_sadd(db: Keyspace, args: Args, h: int) -> int:
    """Add members; how many are new. O(members given)."""
    key = args[1]
    table = db.table
    found = table.get(key, h)
    if found is None:
        return _begin_set(db, key, h, args[2:])
    if len(args) == 3 and type(found) is SetValue:
        value: SetValue = found
        member = args[2]
        members = value.members
        if member in members:
            return 0
        if table.cut_version:
            table.before_change(key, h)
        size = len(member)
        if len(members) < value.room and size <= value.longest:
            members.add(member)
            size += BYTES_OVERHEAD
            value.memory += size
            db.used += size
        else:
            before = value.memory
            value.add(member, db.shard.limits)
            db.used += value.memory - before
        db.shard.dirty += 1
        if db.observed:
            db.tell(key, events.SET, b"sadd")
        return 1
    return add_members(db, key, h, args[2:])


def _begin_set(db: Keyspace, key: bytes, h: int, given: Args) -> int:
    """Make a set of members at a key that is not there; how many there are. O(members given)."""
    limits = db.shard.limits
    value = SetValue.begin(given[0], len(given), limits)
    members = value.members
    if len(given) > 1:
        for member in given:
            if member not in members:
                value.add(member, limits)
    db.put(key, h, value)
    db.changed(key, events.SET, b"sadd")
    return len(members)


def add_members(db: Keyspace, key: bytes, h: int, given: Args) -> int:
    """Add members to the set at a key, which is made if need be; how many are new. O(members given).

    Raises:
        ReplyError WRONGTYPE.
    """
    value = set_to_change(db, key, h)
    if value is None:
        return _begin_set(db, key, h, given)
    limits = db.shard.limits
    members = value.members
    before = value.memory
    size = len(members)
    value.expect(len(given), limits)
    for member in given:
        if member not in members:
            value.add(member, limits)
    added = len(members) - size
    db.resized(before, value.memory)
    if added:
        db.changed(key, events.SET, b"sadd")
    return added


def op_srem(db: Keyspace, args: Args, h: int) -> int:
    """Remove members; how many were there. O(members given)."""
    key = args[1]
    value = set_to_change(db, key, h)
    if value is None:
        return 0
    before = value.memory
    removed = 0
    for member in args[2:]:
        removed += value.discard(member)
    db.resized(before, value.memory)
    if removed:
        db.changed(key, events.SET, b"srem")
        erase_if_empty(db, key, h, value)
    return removed


def erase_if_empty(db: Keyspace, key: bytes, h: int, value: Any) -> None:
    """Remove the key of a collection that has lost its last member. O(1)."""
    if not len(value):
        db.erase(key, h)
        db.changed(key, events.GENERIC, b"del")


# Reading.


def op_smembers(db: Keyspace, args: Args, h: int) -> list[bytes]:
    """All members. O(members)."""
    value = read_set(db, args[1], h)
    if value is None:
        return []
    if len(value.members) > db.shard.slice and value.encoding is not INTSET:
        raise Lengthy(in_chunks(value.members, db.shard.slice), value)
    return value.ordered()


def op_sismember(db: Keyspace, args: Args, h: int) -> int:
    """1 if it is a member. O(1)."""
    value = read_set(db, args[1], h)
    return 1 if value is not None and args[2] in value.members else 0


def op_smismember(db: Keyspace, args: Args, h: int) -> list[int]:
    """1 or 0 for each given member. O(members given)."""
    value = read_set(db, args[1], h)
    if value is None:
        return [0] * (len(args) - 2)
    members = value.members
    return [1 if member in members else 0 for member in args[2:]]


def op_scard(db: Keyspace, args: Args, h: int) -> int:
    """The number of members. O(1)."""
    value = read_set(db, args[1], h)
    return 0 if value is None else len(value.members)


def cmd_sscan(session: Session, args: Args) -> Request:
    """SSCAN key cursor [MATCH pattern] [COUNT count]."""
    return parse_request(args)


def op_sscan(db: Keyspace, request: Request, h: int) -> list[Any]:
    """Some of the members, and where to go on. O(members asked for)."""
    value = read_set(db, request.key, h)
    if value is None:
        return [b"0", []]
    if request.error is not None:
        raise request.error
    before = value.memory
    cursor, found = traverse(request, value.scan)
    db.resized(before, value.memory)
    return [b"%d" % cursor, found]


# Members at random.


def cmd_srandmember(session: Session, args: Args) -> tuple[bytes, int | None]:
    """SRANDMEMBER key [count]."""
    return args[1], optional_count(args)


def optional_count(args: Args) -> int | None:
    """The count that SRANDMEMBER and its like may be given; None for none.

    Raises:
        ReplyError: SYNTAX, NOT_INTEGER, NOT_IN_RANGE for a count that could not be negated.
    """
    if len(args) == 2:
        return None
    if len(args) > 3:
        raise ReplyError("SYNTAX")
    count = parse_int(args[2])
    if count is None:
        raise ReplyError("NOT_INTEGER")
    if count < -INT64_MAX:
        raise ReplyError("NOT_IN_RANGE", -INT64_MAX, INT64_MAX)
    return count


def op_srandmember(db: Keyspace, payload: tuple[bytes, int | None], h: int) -> Any:
    """A random member, None without a key; with a count a list of them, different ones if it is positive.

    O(members answered), amortised: see `SetValue.random`.
    """
    key, count = payload
    value = read_set(db, key, h)
    if value is None:
        return None if count is None else []
    before = value.memory
    random = db.shard.random
    answer: Any
    if count is None:
        answer = value.random(random)
    elif count < 0:
        answer = repeated(value, -count, random)
    elif count >= len(value):
        answer = value.ordered()
    else:
        answer = value.sample(count, random)
    db.resized(before, value.memory)
    return answer


def repeated(value: Any, count: int, source: Random) -> list[bytes]:
    """So many random members of a set or fields of a hash, each drawn from all of them. O(count).

    Raises:
        ReplyError OUT_OF_RANGE: more than anybody can want.
    """
    if count > MOST_REPEATED:
        raise ReplyError("OUT_OF_RANGE")
    draw = value.random
    return [draw(source) for _ in range(count)]


def cmd_spop(session: Session, args: Args) -> tuple[bytes, int | None]:
    """SPOP key [count]."""
    if len(args) == 2:
        return args[1], None
    if len(args) > 3:
        raise ReplyError("SYNTAX")
    count = parse_int(args[2])
    if count is None or count < 0:
        raise ReplyError("NOT_POSITIVE")
    return args[1], count


def op_spop(db: Keyspace, payload: tuple[bytes, int | None], h: int) -> Any:
    """Take a random member out, None without a key; with a count so many, all if there are no more.

    O(members answered), amortised: see `SetValue.random`.
    """
    key, count = payload
    value = set_to_change(db, key, h)
    if value is None:
        return None if count is None else Members([])
    if count == 0:
        return Members([])
    before = value.memory
    if count is None:
        member = value.random(db.shard.random)
        value.discard(member)
        answer: Any = member
    elif count >= len(value):
        taken = value.ordered()
        db.erase(key, h)
        db.changed(key, events.SET, b"spop")
        db.changed(key, events.GENERIC, b"del")
        return Members(taken)
    else:
        taken = value.sample(count, db.shard.random)
        for member in taken:
            value.discard(member)
        answer = Members(taken)
    db.resized(before, value.memory)
    db.changed(key, events.SET, b"spop")
    erase_if_empty(db, key, h, value)
    return answer


TABLE: tuple[Row, ...] = (
    single(
        "SADD",
        -3,
        "write denyoom fast",
        op=op_sadd,
        encode="number",
        acl="@write @set @fast",
        since="1.0.0",
        group="set",
        syntax="key member [member ...]",
        summary="Adds members to a set; creates the set if need be.",
        key_flags="RW INSERT",
        complexity="O(N) where N is the number of members given",
    ),
    single(
        "SREM",
        -3,
        "write fast",
        op=op_srem,
        encode="number",
        acl="@write @set @fast",
        since="1.0.0",
        group="set",
        syntax="key member [member ...]",
        summary="Removes members from a set; removes the key with the last one.",
        key_flags="RW DELETE",
        complexity="O(N) where N is the number of members given",
    ),
    single(
        "SMEMBERS",
        2,
        "readonly",
        op=op_smembers,
        encode="set_of_bulks",
        acl="@read @set @slow",
        since="1.0.0",
        group="set",
        syntax="key",
        summary="Answers all members of a set.",
        key_flags="RO ACCESS",
        complexity="O(N) where N is the size of the set",
        tips="nondeterministic_output_order",
    ),
    single(
        "SISMEMBER",
        3,
        "readonly fast",
        op=op_sismember,
        encode="number",
        acl="@read @set @fast",
        since="1.0.0",
        group="set",
        syntax="key member",
        summary="Tells whether a set has a member.",
        key_flags="RO",
    ),
    single(
        "SMISMEMBER",
        -3,
        "readonly fast",
        op=op_smismember,
        acl="@read @set @fast",
        since="6.2.0",
        group="set",
        syntax="key member [member ...]",
        summary="Tells for each of several members whether a set has it.",
        key_flags="RO",
        complexity="O(N) where N is the number of members given",
    ),
    single(
        "SCARD",
        2,
        "readonly fast",
        op=op_scard,
        encode="number",
        acl="@read @set @fast",
        since="1.0.0",
        group="set",
        syntax="key",
        summary="Answers how many members a set has.",
        key_flags="RO",
    ),
    single(
        "SPOP",
        -2,
        "write fast",
        cmd=cmd_spop,
        op=op_spop,
        encode="bulk_or_null",
        acl="@write @set @fast",
        since="1.0.0",
        group="set",
        syntax="key [count]",
        summary="Takes random members out of a set; removes the key with the last one.",
        key_flags="RW ACCESS DELETE",
        complexity="O(N) where N is the number of members answered",
        tips="nondeterministic_output",
    ),
    single(
        "SRANDMEMBER",
        -2,
        "readonly",
        cmd=cmd_srandmember,
        op=op_srandmember,
        encode="bulk_or_null",
        acl="@read @set @slow",
        since="1.0.0",
        group="set",
        syntax="key [count]",
        summary="Answers random members of a set.",
        key_flags="RO ACCESS",
        complexity="O(N) where N is the number of members answered",
        tips="nondeterministic_output",
    ),
    single(
        "SSCAN",
        -3,
        "readonly",
        cmd=cmd_sscan,
        op=op_sscan,
        acl="@read @set @slow",
        since="2.8.0",
        group="set",
        syntax="key cursor [MATCH pattern] [COUNT count]",
        summary="Goes through the members of a set, some at each call.",
        key_flags="RO ACCESS",
        complexity="O(1) for a call, O(N) for all calls of a traversal of N members",
        tips="nondeterministic_output",
    ),
)
