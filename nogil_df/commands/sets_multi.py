"""Sets at several keys: SMOVE, SINTER, SUNION, SDIFF, their STORE forms, SINTERCARD.

The algebra is read in one hop: every shard brings its keys down to one set, and the coordinator puts those
together. A STORE form has a second hop, which writes; if all its keys are on one shard, reading and writing
are one hop.

What travels between shards is a set made for the journey, and the shard that stores it makes its own copies
of the members. Where a result is stored on the shard that it was made on, its members are the same objects
as those of its sources.

SMOVE of two keys on two shards is two hops: one that looks, one that takes the member here and puts it there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import INT64_MAX, parse_int
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.sets import add_members, erase_if_empty, read_set, set_to_change
from nogil_df.commands.spec import Row, multi
from nogil_df.shard.lengthy import Lengthy, Slices
from nogil_df.shard.memory import own
from nogil_df.shard.sets import SetValue

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard

Args = list[bytes]
Place = tuple[int, bytes, int]
"""Where a set is on its shard: database, key, hash of the key."""

Group = list[tuple[int, bytes, int]]
"""Keys of one shard: (position among all, key, hash)."""

INTER: Final = "sinter"
UNION: Final = "sunion"
DIFF: Final = "sdiff"

STORING: Final = {INTER: b"sinterstore", UNION: b"sunionstore", DIFF: b"sdiffstore"}
"""The events of the commands that store."""


# SMOVE.


def cmd_smove(context: Context, args: Args) -> Steps:
    """SMOVE source destination member: 1 if the member was moved, 0 if it was not there.

    Raises:
        ReplyError WRONGTYPE: one of the keys holds another type, and there is a source.
    """
    hash_key = context.proactor.shard.hash_key
    source = context.db, args[1], hash_key(args[1])
    target = context.db, args[2], hash_key(args[2])
    member = args[3]
    at, to = context.shard_of(source[2]), context.shard_of(target[2])
    if at == to:
        return (yield from context.hop({at: (move_here, (source, target, member))}, last=True))[at]
    found = yield from context.hop({at: (has_member, (source, member)), to: (takes_members, target)})
    if found[at] is None:
        yield from context.conclude()
        return 0
    if not found[to]:
        raise ReplyError("WRONGTYPE")
    if not found[at]:
        yield from context.conclude()
        return 0
    yield from context.hop({at: (take, (source, member)), to: (place, (target, member))}, last=True)
    return 1


def smove_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SMOVE between sets that are here. O(1)."""
    h, to = here.find(args[1]), here.find(args[2])
    if h < 0 or to < 0:
        return ELSEWHERE
    return move_here(here.shard, ((db.index, args[1], h), (db.index, args[2], to), args[3]))


def has_member(shard: Shard, argument: tuple[Place, bytes]) -> bool | None:
    """Whether a set has a member; None if there is no set. O(1).

    Raises:
        ReplyError WRONGTYPE.
    """
    (index, key, h), member = argument
    value = set_to_change(shard.dbs[index], key, h)
    return None if value is None else member in value.members


def takes_members(shard: Shard, target: Place) -> bool:
    """Whether a key holds a set or nothing. O(1)."""
    index, key, h = target
    value = shard.dbs[index].peek(key, h)
    return value is None or value.__class__ is SetValue


def take(shard: Shard, argument: tuple[Place, bytes]) -> None:
    """Take a member that is there out of a set. O(1)."""
    (index, key, h), member = argument
    db = shard.dbs[index]
    value = set_to_change(db, key, h)
    assert value is not None
    before = value.memory
    value.discard(member)
    db.resized(before, value.memory)
    db.changed(key, events.SET, b"srem")
    erase_if_empty(db, key, h, value)


def place(shard: Shard, argument: tuple[Place, bytes]) -> None:
    """Add a member that comes from another set. O(1)."""
    (index, key, h), member = argument
    db = shard.dbs[index]
    value = set_to_change(db, key, h)
    if value is None or member not in value.members:
        add_members(db, own(key), h, [own(member)])


def move_here(shard: Shard, argument: tuple[Place, Place, bytes]) -> int:
    """The whole of SMOVE between two sets of one shard. O(1)."""
    source, target, member = argument
    index, key, h = source
    value = set_to_change(shard.dbs[index], key, h)
    if value is None:
        return 0
    if not takes_members(shard, target):
        raise ReplyError("WRONGTYPE")
    if member not in value.members:
        return 0
    if source != target:
        take(shard, (source, member))
        place(shard, (target, member))
    return 1


# Set algebra.


def cmd_sinter(context: Context, args: Args) -> Steps:
    """SINTER key [key ...]: what all sets have in common."""
    return (yield from context.answer_slowly((yield from _read(context, INTER, args[1:], last=True))))


def cmd_sunion(context: Context, args: Args) -> Steps:
    """SUNION key [key ...]: what is in any of the sets."""
    return (yield from context.answer_slowly((yield from _read(context, UNION, args[1:], last=True))))


def cmd_sdiff(context: Context, args: Args) -> Steps:
    """SDIFF key [key ...]: what is in the first set and in none of the others."""
    return (yield from context.answer_slowly((yield from _read(context, DIFF, args[1:], last=True))))


def cmd_sinterstore(context: Context, args: Args) -> Steps:
    """SINTERSTORE destination key [key ...]: the size of the result."""
    return (yield from _store(context, INTER, args[1], args[2:]))


def cmd_sunionstore(context: Context, args: Args) -> Steps:
    """SUNIONSTORE destination key [key ...]: the size of the result."""
    return (yield from _store(context, UNION, args[1], args[2:]))


def cmd_sdiffstore(context: Context, args: Args) -> Steps:
    """SDIFFSTORE destination key [key ...]: the size of the result."""
    return (yield from _store(context, DIFF, args[1], args[2:]))


def cmd_sintercard(context: Context, args: Args) -> Steps:
    """SINTERCARD numkeys key [key ...] [LIMIT limit]: the size of the intersection."""
    behind = 2 + _count_keys(args)
    limit = _limit(args[behind:])
    found = yield from _read(context, INTER, args[2:behind], last=True)
    return min(len(found), limit) if limit else len(found)


def find_sintercard_keys(args: Sequence[bytes]) -> list[int]:
    """Where SINTERCARD's keys are: as many as it says. O(keys)."""
    return list(range(2, 2 + _count_keys(args)))


def _count_keys(args: Sequence[bytes]) -> int:
    """How many keys a SINTERCARD has.

    Raises:
        ReplyError: the number is none, or there are fewer arguments than it says.
    """
    number = parse_int(args[1])
    if number is None or not 0 < number <= INT64_MAX:
        raise ReplyError("NUMKEYS_NOT_POSITIVE")
    if number > len(args) - 2:
        raise ReplyError("TOO_MANY_KEYS")
    return number


def _limit(words: Args) -> int:
    """The last LIMIT given; 0 for none."""
    limit: int | None = 0
    for at in range(0, len(words), 2):
        if words[at].upper() != b"LIMIT" or at + 1 == len(words):
            raise ReplyError("SYNTAX")
        limit = parse_int(words[at + 1])
        if limit is None or limit < 0:
            raise ReplyError("LIMIT_NEGATIVE")
    return limit or 0


def sinter_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SINTER of sets that are here."""
    found = _read_at_once(here, db, INTER, args[1:])
    return found if found is ELSEWHERE else list(found)


def sunion_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SUNION of sets that are here."""
    found = _read_at_once(here, db, UNION, args[1:])
    return found if found is ELSEWHERE else list(found)


def sdiff_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SDIFF of sets that are here."""
    found = _read_at_once(here, db, DIFF, args[1:])
    return found if found is ELSEWHERE else list(found)


def sinterstore_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SINTERSTORE of sets that are here."""
    return _store_at_once(here, db, INTER, args[1], args[2:])


def sunionstore_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SUNIONSTORE of sets that are here."""
    return _store_at_once(here, db, UNION, args[1], args[2:])


def sdiffstore_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SDIFFSTORE of sets that are here."""
    return _store_at_once(here, db, DIFF, args[1], args[2:])


def sintercard_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SINTERCARD of sets that are here."""
    behind = 2 + _count_keys(args)
    limit = _limit(args[behind:]) if behind < len(args) else 0
    found = _read_at_once(here, db, INTER, args[2:behind])
    if found is ELSEWHERE:
        return found
    return min(len(found), limit) if limit else len(found)


def _read_at_once(here: Here, db: Keyspace, operation: str, keys: Args) -> Any:
    """`_read` of sets that are here."""
    group = here.group(keys)
    return ELSEWHERE if group is None else reduced(here.shard, operation, db.index, group)


def reduced(shard: Shard, operation: str, index: int, group: Group) -> set[bytes]:
    """What an operation makes of sets of one shard, as a new set."""
    if operation is INTER:
        return intersect(shard, (index, group))
    return unite(shard, (index, group)) if operation is UNION else subtract(shard, (index, group))


def _store_at_once(here: Here, db: Keyspace, operation: str, target: bytes, keys: Args) -> Any:
    """`_store` of sets that are here."""
    group, h = here.group(keys), here.find(target)
    if group is None or h < 0:
        return ELSEWHERE
    return reduce_and_settle(here.shard, (operation, (db.index, target, h), group))


def _read(context: Context, operation: str, keys: Args, *, last: bool = False) -> Steps:
    """One hop: the result of an operation on sets, as a set of this command's own."""
    groups = context.by_shard(keys)
    reduce = REDUCERS[operation]
    works = {shard: (reduce, (context.db, group)) for shard, group in groups.items()}
    parts = yield from context.hop(works, last)
    home = next(shard for shard, group in groups.items() if group[0][0] == 0)
    others = [part for shard, part in parts.items() if shard != home]
    size = context.proactor.shard.slice
    if others and not context.nested and max(map(len, parts.values())) > size:
        return (yield from context.in_slices(SLICED[operation]([parts[home], *others], size)))
    return COMBINERS[operation](parts[home], others)


def _store(context: Context, operation: str, target: bytes, keys: Args) -> Steps:
    h = context.proactor.shard.hash_key(target)
    to = context.shard_of(h)
    destination = context.db, target, h
    groups = context.by_shard(keys)
    if list(groups) == [to]:
        request = operation, destination, groups[to]
        return (yield from context.hop({to: (reduce_and_settle, request)}, last=True))[to]
    members = yield from _read(context, operation, keys)
    count = len(members)
    arrival = destination, operation, members
    yield from context.hop({to: (settle_copy, arrival)}, last=True)
    return count


def sources(db: Keyspace, group: Group) -> list[set[bytes]]:
    """The members of each set; an empty set for a key that is not there. O(keys).

    Raises:
        ReplyError WRONGTYPE.
    """
    found: list[set[bytes]] = []
    for _, key, h in group:
        value = read_set(db, key, h)
        found.append(set() if value is None else value.members)
    return found


def _values(shard: Shard, index: int, group: Group) -> list[Any]:
    """The values whose members are read in slices. O(keys)."""
    db = shard.dbs[index]
    return [value for _, key, h in group if (value := db.peek(key, h)) is not None]


def intersect(shard: Shard, argument: tuple[int, Group]) -> set[bytes]:
    """The intersection of sets of one shard, as a new set. O(smallest * keys)."""
    index, group = argument
    found = sources(shard.dbs[index], group)
    smallest = min(found, key=len)
    if len(smallest) > shard.slice:
        raise Lengthy(intersect_in_slices(found, shard.slice), *_values(shard, index, group))
    if len(found) == 2:
        return found[0] & found[1]
    return smallest.intersection(*found)


def unite(shard: Shard, argument: tuple[int, Group]) -> set[bytes]:
    """The union of sets of one shard, as a new set. O(members of all)."""
    index, group = argument
    found = sources(shard.dbs[index], group)
    if sum(map(len, found)) > shard.slice:
        raise Lengthy(unite_in_slices(found, shard.slice), *_values(shard, index, group))
    return set().union(*found)


def subtract(shard: Shard, argument: tuple[int, Group]) -> set[bytes]:
    """This shard's share of SDIFF, as a new set. O(members of all).

    Where the first set is, what is in it and in no other set here; elsewhere all that is to be taken away.
    """
    index, group = argument
    found = sources(shard.dbs[index], group)
    if sum(map(len, found)) > shard.slice:
        in_slices = subtract_in_slices if group[0][0] == 0 else unite_in_slices
        raise Lengthy(in_slices(found, shard.slice), *_values(shard, index, group))
    if group[0][0] != 0:
        return set().union(*found)
    return found[0].difference(*found[1:])


def _all_in_common(first: set[bytes], others: list[set[bytes]]) -> set[bytes]:
    smallest, *rest = sorted([first, *others], key=len)
    return smallest.intersection(*rest)


REDUCERS: Final[dict[str, Callable[[Any, Any], set[bytes]]]] = {
    INTER: intersect,
    UNION: unite,
    DIFF: subtract,
}
COMBINERS: Final[dict[str, Callable[[set[bytes], list[set[bytes]]], set[bytes]]]] = {
    INTER: _all_in_common,
    UNION: lambda first, others: first.union(*others),
    DIFF: lambda first, others: first.difference(*others),
}


def reduce_and_settle(shard: Shard, argument: tuple[str, Place, Group]) -> int:
    """A STORE command whose keys are all on this shard; the size of the result."""
    operation, target, group = argument
    try:
        members = reduced(shard, operation, target[0], group)
    except Lengthy as lengthy:
        steps = _then_settle(shard, target, operation, lengthy.steps)
        raise Lengthy(steps, *lengthy.pinned) from None
    settle(shard, target, operation, members)
    return len(members)


def _then_settle(shard: Shard, target: Place, operation: str, reducing: Slices) -> Slices:
    """Reduce, and store what comes out of it, in slices; the size of the result."""
    members = yield from reducing
    if len(members) <= shard.slice:
        settle(shard, target, operation, members)
        return len(members)
    _put(shard, target, operation, (yield from SetValue.of_many(members, shard.limits, shard.slice)))
    return len(members)


def settle_copy(shard: Shard, argument: tuple[Place, str, set[bytes]]) -> None:
    """Store a result that comes from elsewhere. O(members)."""
    target, operation, members = argument
    if len(members) > shard.slice:
        raise Lengthy(_then_settle(shard, target, operation, _copied(members, shard.slice)))
    settle(shard, target, operation, {b"%b" % member for member in members})


def _copied(members: set[bytes], size: int) -> Slices:
    """A copy of a set made by this thread; the set is empty then."""
    copied: set[bytes] = set()
    while members:
        copied.update([b"%b" % members.pop() for _ in range(min(size, len(members)))])
        yield
    return copied


def settle(shard: Shard, target: Place, operation: str, members: set[bytes]) -> None:
    """Put a result in place of whatever the key holds; an empty one removes the key. O(members)."""
    index, key, h = target
    db = shard.dbs[index]
    if members:
        _put(shard, target, operation, SetValue.of(members, shard.limits))
    elif db.drop(key, h):
        db.changed(key, events.GENERIC, b"del")


def _put(shard: Shard, target: Place, operation: str, value: SetValue) -> None:
    index, key, h = target
    db = shard.dbs[index]
    db.put(own(key), h, value)
    db.changed(key, events.SET, STORING[operation])


# The same in slices; each takes the sets as they are and gives a new one.


def intersect_in_slices(found: list[set[bytes]], size: int) -> Slices:
    """What all have in common."""
    smallest, *others = sorted(found, key=len)
    members = iter(smallest)
    common: set[bytes] = set()
    while chunk := set(islice(members, size)):
        common |= chunk.intersection(*others)
        yield
    return common


def unite_in_slices(found: list[set[bytes]], size: int) -> Slices:
    """What is in any of them."""
    united: set[bytes] = set()
    for one in found:
        yield from _add(united, one, size)
    return united


def subtract_in_slices(found: list[set[bytes]], size: int) -> Slices:
    """What is in the first and in no other."""
    first, *others = found
    members = iter(first)
    left: set[bytes] = set()
    while chunk := set(islice(members, size)):
        left |= {member for member in chunk if not any(member in other for other in others)}
        yield
    return left


def _add(united: set[bytes], more: set[bytes], size: int) -> Slices:
    members = iter(more)
    while chunk := list(islice(members, size)):
        united.update(chunk)
        yield


SLICED: Final[dict[str, Callable[[list[set[bytes]], int], Slices]]] = {
    INTER: intersect_in_slices,
    UNION: unite_in_slices,
    DIFF: subtract_in_slices,
}


def _algebra(name: str, run: object, at_once: Any, summary: str, complexity: str) -> Row:
    """The row of a command that answers what becomes of some sets."""
    return multi(
        name,
        -2,
        "readonly",
        run=run,  # type: ignore[arg-type]
        at_once=at_once,
        encode="set_of_bulks",
        keys=(1, -1, 1),
        key_flags="RO ACCESS",
        acl="@read @set @slow",
        since="1.0.0",
        group="set",
        syntax="key [key ...]",
        summary=summary,
        complexity=complexity,
        tips="nondeterministic_output_order",
    )


def _storing(name: str, run: object, at_once: Any, summary: str, complexity: str) -> Row:
    """The row of a command that stores what becomes of some sets."""
    return multi(
        name,
        -3,
        "write denyoom",
        run=run,  # type: ignore[arg-type]
        at_once=at_once,
        encode="number",
        keys=(1, -1, 1),
        key_flags="OW UPDATE; RO ACCESS",
        acl="@write @set @slow",
        since="1.0.0",
        group="set",
        syntax="destination key [key ...]",
        summary=summary,
        complexity=complexity,
    )


_OF_SMALLEST = "O(N*M) where N is the size of the smallest set and M is the number of sets"
_OF_ALL = "O(N) where N is the number of members of all sets"

TABLE: tuple[Row, ...] = (
    multi(
        "SMOVE",
        4,
        "write fast",
        run=cmd_smove,
        at_once=smove_at_once,
        encode="number",
        keys=(1, 2, 1),
        key_flags="RW ACCESS DELETE; RW INSERT",
        acl="@write @set @fast",
        since="1.0.0",
        group="set",
        syntax="source destination member",
        summary="Moves a member from one set to another.",
    ),
    _algebra(
        "SINTER", cmd_sinter, sinter_at_once, "Answers what all of some sets have in common.", _OF_SMALLEST
    ),
    _algebra("SUNION", cmd_sunion, sunion_at_once, "Answers what is in any of some sets.", _OF_ALL),
    _algebra(
        "SDIFF",
        cmd_sdiff,
        sdiff_at_once,
        "Answers what is in the first set and in none of the others.",
        _OF_ALL,
    ),
    _storing(
        "SINTERSTORE",
        cmd_sinterstore,
        sinterstore_at_once,
        "Stores what all of some sets have in common.",
        _OF_SMALLEST,
    ),
    _storing(
        "SUNIONSTORE", cmd_sunionstore, sunionstore_at_once, "Stores what is in any of some sets.", _OF_ALL
    ),
    _storing(
        "SDIFFSTORE",
        cmd_sdiffstore,
        sdiffstore_at_once,
        "Stores what is in the first set and in none of the others.",
        _OF_ALL,
    ),
    multi(
        "SINTERCARD",
        -3,
        "readonly movablekeys",
        run=cmd_sintercard,
        at_once=sintercard_at_once,
        encode="number",
        find_keys=find_sintercard_keys,
        key_flags="RO ACCESS",
        acl="@read @set @slow",
        since="7.0.0",
        group="set",
        syntax="numkeys key [key ...] [LIMIT limit]",
        summary="Counts what all of some sets have in common.",
        complexity=_OF_SMALLEST,
    ),
)
