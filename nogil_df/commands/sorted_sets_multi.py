"""Sorted sets at several keys: ZUNION, ZINTER, ZDIFF, their STORE forms, ZINTERCARD, ZMPOP.

Plain sets count as sorted sets whose scores are all 1. Where all sources are on one shard, that shard
computes the result. Else each shard contributes its sources, cut down to what can matter, and the
coordinator puts them together. Floating-point sums depend on their order: as in Redis, sources are added up
from the smallest to the largest one, wherever they are, so a result does not depend on the number of
shards.

A STORE form has a second hop, which writes; if all its keys are on one shard, reading and writing are one
hop. What travels between shards is made for the journey, and the shard that stores it makes copies of its
own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_float, parse_int
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.lists import integer_from
from nogil_df.commands.lists_multi import counted_keys
from nogil_df.commands.sorted_sets import sorted_set_to_change, take
from nogil_df.commands.sorted_sets_ranges import Place, settle, settle_copy, settle_in_slices
from nogil_df.commands.spec import Row, multi
from nogil_df.shard.copying import sorted_members
from nogil_df.shard.lengthy import Lengthy, Slices, drained
from nogil_df.shard.sets import SetValue
from nogil_df.shard.sorted_sets import SortedSetValue
from nogil_df.wire.values import NULL_ARRAY, Chunks, Rows

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.part import Work

Args = list[bytes]
ByMember = dict[bytes, float]
Pairs = list[tuple[bytes, float]]

Group = list[tuple[int, bytes, int]]
"""Keys of one shard: (position among all, key, hash)."""

INTER: Final = "inter"
UNION: Final = "union"
DIFF: Final = "diff"

EVENTS: Final = {INTER: b"zinterstore", UNION: b"zunionstore", DIFF: b"zdiffstore"}
"""Of the commands that store."""

SUM, LEAST, GREATEST = range(3)
AGGREGATES: Final = {b"SUM": SUM, b"MIN": LEAST, b"MAX": GREATEST}


class Source:
    """One set that an operation reads.

    Attributes:
        position: among the keys of the command.
        size: members of the whole set.
        scores: its members, or those of them that matter.
    """

    __slots__ = ("position", "scores", "size")

    def __init__(self, position: int, size: int, scores: ByMember) -> None:
        self.position = position
        self.size = size
        self.scores = scores


class Algebra:
    """What to make of some sets.

    Attributes:
        operation: `INTER`, `UNION` or `DIFF`.
        weights: what each set's scores are multiplied by, by position; empty for 1.
        aggregate: `SUM`, `LEAST` or `GREATEST`: what becomes of the scores of a member of several sets.
        with_scores: whether the scores are wanted in the answer.
        limit: members after which ZINTERCARD stops counting; 0 for none.
    """

    __slots__ = ("aggregate", "limit", "operation", "weights", "with_scores")

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.weights: list[float] = []
        self.aggregate = SUM
        self.with_scores = False
        self.limit = 0


# Parsing.


def _keys_behind(args: Sequence[bytes], at: int) -> int:
    """How many keys there are behind the argument ``at``, which says it. O(1).

    Raises:
        ReplyError: it is no such number.
    """
    number = parse_int(args[at])
    if number is None:
        raise ReplyError("NOT_INTEGER")
    if number < 1:
        raise ReplyError("NO_INPUT_KEY", args[0].lower())
    if number > len(args) - at - 1:
        raise ReplyError("SYNTAX")
    return number


def find_read_keys(args: Sequence[bytes]) -> list[int]:
    """Where the keys of ZUNION and its like are. O(keys)."""
    return list(range(2, 2 + _keys_behind(args, 1)))


def find_store_keys(args: Sequence[bytes]) -> list[int]:
    """Where the keys of ZUNIONSTORE and its like are, the destination first. O(keys)."""
    return [1, *range(3, 3 + _keys_behind(args, 2))]


def parse_algebra(operation: str, words: Args, keys: int, *, stored: bool) -> Algebra:
    """Parse what follows the keys. O(words).

    Args:
        keys: how many there are.
        stored: for a STORE form, which has no WITHSCORES.

    Raises:
        ReplyError: SYNTAX, BAD_WEIGHT.
    """
    wanted = Algebra(operation)
    at = 0
    while at < len(words):
        word = words[at].upper()
        left = len(words) - at - 1
        at += 1
        if word == b"WEIGHTS" and operation != DIFF and left >= keys:
            weights = [parse_float(text) for text in words[at : at + keys]]
            if None in weights:
                raise ReplyError("BAD_WEIGHT")
            wanted.weights = weights  # type: ignore[assignment]
            at += keys
        elif word == b"AGGREGATE" and operation != DIFF and left:
            if words[at].upper() not in AGGREGATES:
                raise ReplyError("SYNTAX")
            wanted.aggregate = AGGREGATES[words[at].upper()]
            at += 1
        elif word == b"WITHSCORES" and not stored:
            wanted.with_scores = True
        else:
            raise ReplyError("SYNTAX")
    return wanted


def parse_limit(words: Args) -> Algebra:
    """Parse what follows ZINTERCARD's keys.

    Raises:
        ReplyError: SYNTAX, LIMIT_NEGATIVE.
    """
    wanted = Algebra(INTER)
    for at in range(0, len(words), 2):
        if words[at].upper() != b"LIMIT" or at + 1 == len(words):
            raise ReplyError("SYNTAX")
        wanted.limit = integer_from(words[at + 1], 0, ReplyError("LIMIT_NEGATIVE"))
    return wanted


# The commands.


def cmd_zunion(context: Context, args: Args) -> Steps:
    """ZUNION numkeys key [key ...] [WEIGHTS ...] [AGGREGATE ...] [WITHSCORES]: what is in any of the sets."""
    return (yield from _answer(context, UNION, args))


def cmd_zinter(context: Context, args: Args) -> Steps:
    """ZINTER numkeys key [key ...] [WEIGHTS ...] [AGGREGATE ...] [WITHSCORES]: what all have in common."""
    return (yield from _answer(context, INTER, args))


def cmd_zdiff(context: Context, args: Args) -> Steps:
    """ZDIFF numkeys key [key ...] [WITHSCORES]: what is in the first set and in none of the others."""
    return (yield from _answer(context, DIFF, args))


def _answer(context: Context, operation: str, args: Args) -> Steps:
    keys = [args[index] for index in find_read_keys(args)]
    words = args[2 + len(keys) :]
    wanted = yield from _wanted(
        context, keys, lambda: parse_algebra(operation, words, len(keys), stored=False)
    )
    scores = yield from _read(context, wanted, keys, last=True)
    size = context.proactor.shard.slice
    if len(scores) > size and not context.nested:
        return (yield from context.in_slices(_ranked_in_slices(scores, wanted.with_scores, size)))
    pairs = ranked(scores)
    return Rows(pairs) if wanted.with_scores else [member for member, _ in pairs]


def ranked(scores: ByMember) -> Pairs:
    """Members with their scores, in the order of a sorted set. O(n log n)."""
    members = sorted(scores)
    members.sort(key=scores.__getitem__)
    return [(member, scores[member]) for member in members]


def _ranked_in_slices(scores: ByMember, with_scores: bool, size: int) -> Slices:
    """The reply made of very many members."""
    members = yield from sorted_members(scores, size)
    parts = (yield from drained(members, size)).parts
    if with_scores:
        for at, part in enumerate(parts):
            parts[at] = Rows([(member, scores[member]) for member in part])
            yield
    return Chunks(parts)


def cmd_zintercard(context: Context, args: Args) -> Steps:
    """ZINTERCARD numkeys key [key ...] [LIMIT limit]: the size of the intersection."""
    keys = [args[index] for index in find_read_keys(args)]
    wanted = yield from _wanted(context, keys, lambda: parse_limit(args[2 + len(keys) :]))
    found = yield from _read(context, wanted, keys, last=True)
    return min(len(found), wanted.limit) if wanted.limit else len(found)


def cmd_zunionstore(context: Context, args: Args) -> Steps:
    """ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS ...] [AGGREGATE ...]: the size of the result."""
    return (yield from _store(context, UNION, args))


def cmd_zinterstore(context: Context, args: Args) -> Steps:
    """ZINTERSTORE destination numkeys key [key ...] [WEIGHTS ...] [AGGREGATE ...]: the size of the result."""
    return (yield from _store(context, INTER, args))


def cmd_zdiffstore(context: Context, args: Args) -> Steps:
    """ZDIFFSTORE destination numkeys key [key ...]: the size of the result."""
    return (yield from _store(context, DIFF, args))


def _store(context: Context, operation: str, args: Args) -> Steps:
    _, *indexes = find_store_keys(args)
    keys = [args[index] for index in indexes]
    words = args[3 + len(keys) :]
    wanted = yield from _wanted(
        context, keys, lambda: parse_algebra(operation, words, len(keys), stored=True)
    )
    h = context.proactor.shard.hash_key(args[1])
    to = context.shard_of(h)
    target = context.db, args[1], h
    event = EVENTS[operation]
    groups = context.by_shard(keys)
    if list(groups) == [to]:
        work = (compute_and_settle, (wanted, target, event, groups[to]))
        return (yield from context.hop({to: work}, last=True))[to]
    found = yield from _read(context, wanted, keys)
    yield from context.hop({to: (settle_copy, (target, event, found))}, last=True)
    return len(found)


def zunion_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """ZUNION of sets that are here."""
    return _answer_at_once(here, db, UNION, args)


def zinter_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """ZINTER of sets that are here."""
    return _answer_at_once(here, db, INTER, args)


def zdiff_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """ZDIFF of sets that are here."""
    return _answer_at_once(here, db, DIFF, args)


def zunionstore_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """ZUNIONSTORE of sets that are here."""
    return _store_at_once(here, db, UNION, args)


def zinterstore_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """ZINTERSTORE of sets that are here."""
    return _store_at_once(here, db, INTER, args)


def zdiffstore_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """ZDIFFSTORE of sets that are here."""
    return _store_at_once(here, db, DIFF, args)


def zintercard_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """ZINTERCARD of sets that are here."""
    behind = 2 + _keys_behind(args, 1)
    group = here.group(args[2:behind])
    if group is None:
        return ELSEWHERE
    try:
        wanted = parse_limit(args[behind:])
    except ReplyError:
        return ELSEWHERE
    found = compute_here(here.shard, (db.index, wanted, group))
    return min(len(found), wanted.limit) if wanted.limit else len(found)


def _answer_at_once(here: Here, db: Keyspace, operation: str, args: Args) -> Any:
    """`_answer` of sets that are here."""
    number = _keys_behind(args, 1)
    group = here.group(args[2 : 2 + number])
    wanted = _wanted_or_none(operation, args[2 + number :], number, stored=False)
    if group is None or wanted is None:
        return ELSEWHERE
    pairs = ranked(compute_here(here.shard, (db.index, wanted, group)))
    return Rows(pairs) if wanted.with_scores else [member for member, _ in pairs]


def _store_at_once(here: Here, db: Keyspace, operation: str, args: Args) -> Any:
    """`_store` of sets that are here."""
    number = _keys_behind(args, 2)
    group, h = here.group(args[3 : 3 + number]), here.find(args[1])
    wanted = _wanted_or_none(operation, args[3 + number :], number, stored=True)
    if group is None or h < 0 or wanted is None:
        return ELSEWHERE
    return compute_and_settle(here.shard, (wanted, (db.index, args[1], h), EVENTS[operation], group))


def _wanted_or_none(operation: str, words: Args, keys: int, *, stored: bool) -> Algebra | None:
    """`parse_algebra`; None if the options are wrong, and `_wanted` is to say so."""
    try:
        return parse_algebra(operation, words, keys, stored=stored)
    except ReplyError:
        return None


def _wanted(context: Context, keys: Args, parse: Callable[[], Algebra]) -> Steps:
    """What the options ask for. As in Redis a key of another type is complained of before a bad option."""
    try:
        return parse()
    except ReplyError as error:
        problem = error.bare()
    yield from context.each_key(keys, op_check, last=True)
    raise problem


def op_check(db: Keyspace, key: bytes, h: int) -> None:
    """Nothing, if a key can be a source. O(1).

    Raises:
        ReplyError WRONGTYPE.
    """
    value = db.find(key, h)
    if value is not None and value.__class__ is not SortedSetValue and value.__class__ is not SetValue:
        raise ReplyError("WRONGTYPE")


# Reading and computing.


def _read(context: Context, wanted: Algebra, keys: Args, *, last: bool = False) -> Steps:
    """One hop: the result of an operation, as a dict of this command's own."""
    groups = context.by_shard(keys)
    if len(groups) == 1:
        ((shard, group),) = groups.items()
        work = (compute_here, (context.db, wanted, group))
        return (yield from context.hop({shard: work}, last))[shard]
    works: dict[int, Work] = {
        shard: (contribute, (context.db, wanted, group)) for shard, group in groups.items()
    }
    parts = yield from context.hop(works, last)
    found = [source for part in parts.values() for source in part]
    found.sort(key=_POSITION)
    size = context.proactor.shard.slice
    if not context.nested and sum(len(source.scores) for source in found) > size:
        return (yield from context.in_slices(compute_in_slices(wanted, found, size)))
    return compute(wanted, found)


def sources(db: Keyspace, group: Group) -> list[Source]:
    """The sets of this shard, as they are stored; an empty one for a key that is not there. O(keys).

    O(members) for a plain set.

    Raises:
        ReplyError WRONGTYPE.
    """
    found: list[Source] = []
    for position, key, h in group:
        value = db.find(key, h)
        if value is None:
            scores: ByMember = {}
        elif value.__class__ is SortedSetValue:
            scores = value.scores
        elif value.__class__ is SetValue:
            scores = dict.fromkeys(value.members, 1.0)
        else:
            raise ReplyError("WRONGTYPE")
        found.append(Source(position, len(scores), scores))
    return found


def contribute(shard: Shard, argument: tuple[int, Algebra, Group]) -> list[Source]:
    """This shard's sources, cut down to what can matter, in dicts made for the journey. O(members of all)."""
    index, wanted, group = argument
    found = sources(shard.dbs[index], group)
    if wanted.operation == UNION:
        return [Source(source.position, source.size, dict(source.scores)) for source in found]
    if wanted.operation == INTER:
        common = _common([source.scores for source in found])
        return [
            Source(source.position, source.size, {member: source.scores[member] for member in common})
            for source in found
        ]
    if group[0][0] == 0:
        first, *others = found
        return [Source(0, first.size, _without(first.scores, others))]
    return [Source(source.position, source.size, dict.fromkeys(source.scores, 0.0)) for source in found]


def compute_here(shard: Shard, argument: tuple[int, Algebra, Group]) -> ByMember:
    """The result of an operation on sets of this shard alone, in a dict of its own. O(members of all)."""
    index, wanted, group = argument
    db = shard.dbs[index]
    found = sources(db, group)
    if sum([source.size for source in found]) > shard.slice:
        read = [value for _, key, h in group if (value := db.peek(key, h)) is not None]
        raise Lengthy(compute_in_slices(wanted, found, shard.slice), *read)
    return compute(wanted, found)


def compute_and_settle(shard: Shard, argument: tuple[Algebra, Place, bytes, Group]) -> int:
    """A STORE form whose keys are all on this shard; the size of the result."""
    wanted, target, event, group = argument
    try:
        found = compute_here(shard, (target[0], wanted, group))
    except Lengthy as lengthy:
        steps = settle_in_slices(shard, target, event, lengthy.steps)
        raise Lengthy(steps, *lengthy.pinned) from None
    settle(shard, target, event, found)
    return len(found)


def compute(wanted: Algebra, found: list[Source]) -> ByMember:
    """What an operation makes of all its sources, by position, in a new dict. O(members of all)."""
    if wanted.operation is DIFF:
        first, *others = found
        return _without(first.scores, others)
    result: ByMember = {}
    weighted = _weighted(wanted, found)
    if wanted.operation is UNION:
        for scores, weight in weighted:
            _unite_into(result, scores, weight, wanted.aggregate)
    else:
        common = _common([scores for scores, _ in weighted])
        _intersect_into(result, common, weighted, wanted.aggregate)
    return result


Weighted = list[tuple[ByMember, float]]


def _weighted(wanted: Algebra, found: list[Source]) -> Weighted:
    """The sources in the order in which they are added up, with their weights. O(n log n) for n sources."""
    weights = wanted.weights or [1.0] * len(found)
    return [(source.scores, weights[source.position]) for source in sorted(found, key=_SIZE)]


def _unite_into(result: ByMember, scores: ByMember, weight: float, aggregate: int) -> None:
    """Add one more source, or a part of it, to a union. O(members)."""
    if weight == 1.0 and not result:
        result.update(scores)
        return
    for member, score in scores.items():
        term = score * weight
        if term != term:
            term = 0.0
        result[member] = _aggregated(aggregate, result[member], term) if member in result else term


def _intersect_into(result: ByMember, common: list[bytes], weighted: Weighted, aggregate: int) -> None:
    for member in common:
        scores, weight = weighted[0]
        total = scores[member] * weight
        if total != total:
            total = 0.0
        for scores, weight in weighted[1:]:
            total = _aggregated(aggregate, total, scores[member] * weight)
        result[member] = total


def _aggregated(aggregate: int, one: float, two: float) -> float:
    """What becomes of the scores of a member of two sets. O(1)."""
    if aggregate == SUM:
        total = one + two
        # Of two infinities of different signs it is 0.
        return total if total == total else 0.0
    if aggregate == LEAST:
        return two if two < one else one
    return two if two > one else one


_POSITION = attrgetter("position")
_SIZE = attrgetter("size")


def compute_in_slices(wanted: Algebra, found: list[Source], size: int) -> Slices:
    """`compute` for very many members."""
    result: ByMember = {}
    if wanted.operation == DIFF:
        first, *others = found
        pairs = iter(first.scores.items())
        while chunk := dict(islice(pairs, size)):
            result.update(_without(chunk, others))
            yield
        return result
    weighted = _weighted(wanted, found)
    if wanted.operation == UNION:
        for scores, weight in weighted:
            pairs = iter(scores.items())
            while some := dict(islice(pairs, size)):
                _unite_into(result, some, weight, wanted.aggregate)
                yield
        return result
    every = [scores for scores, _ in weighted]
    smallest: ByMember = min(every, key=len)
    members = iter(smallest)
    while part := list(islice(members, size)):
        common = [member for member in part if all(member in scores for scores in every)]
        _intersect_into(result, common, weighted, wanted.aggregate)
        yield
    return result


def _common(sets: list[ByMember]) -> list[bytes]:
    """The members that all have. O(smallest * sets)."""
    smallest, *others = sorted(sets, key=len)
    found = list(smallest)
    for other in others:
        found = [member for member in found if member in other]
    return found


def _without(scores: ByMember, others: list[Source]) -> ByMember:
    gone = [other.scores for other in others]
    return {member: score for member, score in scores.items() if not any(member in other for other in gone)}


# ZMPOP.


def cmd_zmpop(context: Context, args: Args) -> Steps:
    """ZMPOP numkeys key [key ...] MIN|MAX [COUNT count]: [key, pairs]; null if no key has a sorted set.

    One hop if all keys are on one shard, else one that looks and one that pops.
    """
    keys, highest, count = parse_zmpop(args, 1)
    groups = context.by_shard(keys)
    if len(groups) == 1:
        ((shard, group),) = groups.items()
        work = (pop_here, (context.db, group, highest, count))
        return (yield from context.hop({shard: work}, last=True))[shard]
    kinds = yield from context.each_key(keys, op_kind)
    for key, kind in zip(keys, kinds, strict=True):
        if kind is False:
            raise ReplyError("WRONGTYPE")
        if kind:
            return (yield from context.at(key, op_pop, (key, highest, count), last=True))
    yield from context.conclude()
    return NULL_ARRAY


def zmpop_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """ZMPOP of sorted sets that are here. O(keys + log n + members)."""
    keys, highest, count = parse_zmpop(args, 1)
    group = here.group(keys)
    return ELSEWHERE if group is None else pop_here(here.shard, (db.index, group, highest, count))


def parse_zmpop(args: Args, at: int) -> tuple[Args, bool, int]:
    """The arguments of ZMPOP and BZMPOP from the number of keys on: keys, whether highest, count.

    Raises:
        ReplyError: they are no such arguments.
    """
    indexes = counted_keys(args, at)
    end = indexes[-1] + 1
    where = args[end].upper()
    if where not in (b"MIN", b"MAX"):
        raise ReplyError("SYNTAX")
    count = 0
    for option in range(end + 1, len(args), 2):
        if count or args[option].upper() != b"COUNT" or option + 1 == len(args):
            raise ReplyError("SYNTAX")
        count = integer_from(args[option + 1], 1, ReplyError("COUNT_NOT_POSITIVE"))
    return args[at + 1 : end], where == b"MAX", count or 1


def find_zmpop_keys(args: Sequence[bytes]) -> list[int]:
    """Where ZMPOP's keys are. O(keys)."""
    return counted_keys(args, 1)


def op_kind(db: Keyspace, key: bytes, h: int) -> bool | None:
    """None without a key, True if it has a sorted set, False if it has another type. O(1)."""
    value = db.peek(key, h)
    return None if value is None else value.__class__ is SortedSetValue


def op_pop(db: Keyspace, payload: tuple[bytes, bool, int], h: int) -> list[Any]:
    """Pop of a key that has a sorted set: [key, pairs]. O(log n + members)."""
    key, highest, count = payload
    value = sorted_set_to_change(db, key, h)
    assert value is not None, "the key is locked, and was there when it was looked at"
    return [key, [list(pair) for pair in take(db, key, h, value, count, highest)]]


def pop_here(shard: Shard, argument: tuple[int, Group, bool, int]) -> Any:
    """ZMPOP within one shard. O(keys + log n + members).

    Raises:
        ReplyError WRONGTYPE: there is a key of another type before the first sorted set.
    """
    index, group, highest, count = argument
    db = shard.dbs[index]
    for _, key, h in group:
        if sorted_set_to_change(db, key, h) is not None:
            return op_pop(db, (key, highest, count), h)
    return NULL_ARRAY


def _row(name: str, arity: int, flags: str, since: str, syntax: str, summary: str, **rest: Any) -> Row:
    """The row of a command on several sorted sets; keys and ACL categories follow from its flags."""
    kind = "@write" if "write" in flags else "@read"
    return multi(
        name,
        arity,
        flags + " movablekeys",
        since=since,
        syntax=syntax,
        summary=summary,
        acl=f"{kind} @sortedset @slow",
        group="sorted-set",
        **rest,
    )


_READ: Final[dict[str, Any]] = {"find_keys": find_read_keys, "key_flags": "RO ACCESS"}
_STORE: Final[dict[str, Any]] = {
    "keys": (1, 1, 1),
    "find_keys": find_store_keys,
    "key_flags": "OW UPDATE; RO ACCESS",
    "encode": "number",
}
_OPTIONS = "[WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>]"
_OF_ALL = "O(N+M*log(M)) where N is the number of members of all sets and M is the number in the result"
_OF_SMALLEST = "O(N*K+M*log(M)) where N is the size of the smallest of K sets and M the size of the result"

TABLE: tuple[Row, ...] = (
    _row(
        "ZUNION",
        -3,
        "readonly",
        "6.2.0",
        f"numkeys key [key ...] {_OPTIONS} [WITHSCORES]",
        "Answers what is in any of some sorted sets.",
        run=cmd_zunion,
        at_once=zunion_at_once,
        complexity=_OF_ALL,
        **_READ,
    ),
    _row(
        "ZINTER",
        -3,
        "readonly",
        "6.2.0",
        f"numkeys key [key ...] {_OPTIONS} [WITHSCORES]",
        "Answers what all of some sorted sets have in common.",
        run=cmd_zinter,
        at_once=zinter_at_once,
        complexity=_OF_SMALLEST,
        **_READ,
    ),
    _row(
        "ZDIFF",
        -3,
        "readonly",
        "6.2.0",
        "numkeys key [key ...] [WITHSCORES]",
        "Answers what is in the first sorted set and in none of the others.",
        run=cmd_zdiff,
        at_once=zdiff_at_once,
        complexity=_OF_ALL,
        **_READ,
    ),
    _row(
        "ZINTERCARD",
        -3,
        "readonly",
        "7.0.0",
        "numkeys key [key ...] [LIMIT limit]",
        "Counts what all of some sorted sets have in common.",
        run=cmd_zintercard,
        at_once=zintercard_at_once,
        encode="number",
        complexity=_OF_SMALLEST,
        **_READ,
    ),
    _row(
        "ZUNIONSTORE",
        -4,
        "write denyoom",
        "2.0.0",
        f"destination numkeys key [key ...] {_OPTIONS}",
        "Stores what is in any of some sorted sets.",
        run=cmd_zunionstore,
        at_once=zunionstore_at_once,
        complexity=_OF_ALL,
        **_STORE,
    ),
    _row(
        "ZINTERSTORE",
        -4,
        "write denyoom",
        "2.0.0",
        f"destination numkeys key [key ...] {_OPTIONS}",
        "Stores what all of some sorted sets have in common.",
        run=cmd_zinterstore,
        at_once=zinterstore_at_once,
        complexity=_OF_SMALLEST,
        **_STORE,
    ),
    _row(
        "ZDIFFSTORE",
        -4,
        "write denyoom",
        "6.2.0",
        "destination numkeys key [key ...]",
        "Stores what is in the first sorted set and in none of the others.",
        run=cmd_zdiffstore,
        at_once=zdiffstore_at_once,
        complexity=_OF_ALL,
        **_STORE,
    ),
    _row(
        "ZMPOP",
        -4,
        "write",
        "7.0.0",
        "numkeys key [key ...] <MIN|MAX> [COUNT count]",
        "Takes members out of the first of several sorted sets that is not empty.",
        run=cmd_zmpop,
        at_once=zmpop_at_once,
        find_keys=find_zmpop_keys,
        key_flags="RW ACCESS DELETE",
        complexity="O(K+M*log(N)) where K is the number of keys and M the number of members popped",
    ),
)
