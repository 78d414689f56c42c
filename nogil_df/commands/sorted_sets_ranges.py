"""Ranges of sorted sets: ZRANGE in all its forms and old names, ZRANGESTORE, ZCOUNT, ZLEXCOUNT, ZREMRANGEBY*.

What a command asks for is a `Range`, parsed by the client's thread; a range of a set is always two ranks,
so that reading, counting and removing are the same whichever way it was named.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_bound
from nogil_df.commands.arguments import integer
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.sorted_sets import read_sorted_set, row, sorted_set_to_change
from nogil_df.commands.spec import Row, multi
from nogil_df.shard.copying import own_scores_in_slices, sorted_set_in_slices
from nogil_df.shard.lengthy import Lengthy, Slices
from nogil_df.shard.memory import own
from nogil_df.shard.sorted_sets import MemberBounds, ScoreBounds, SortedSetValue, own_scores
from nogil_df.wire.values import Chunks, Rows

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard

Args = list[bytes]
Place = tuple[int, bytes, int]
"""Where a sorted set is on its shard: database, key, hash of the key."""

MOST_PASSED: Final = 10_000
"""Members that LIMIT passes over one bucket after the other; for more, ranks find the place at once."""

ANY: Final = ""
RANK: Final = "rank"
SCORE: Final = "score"
MEMBER: Final = "lex"
"""By what a range is given; `ANY`: ranks unless an option says otherwise."""


class Range:
    """What part of a sorted set a command asks for.

    Attributes:
        key: where the set is.
        by: `RANK`, `SCORE` or `MEMBER`, and accordingly
        bounds: first and last rank, or bounds on scores, or bounds on members.
        reverse: highest first; ranks count from there.
        offset, limit: members to pass over and the most to answer, negative for all.
        with_scores: whether the scores are wanted as well.
    """

    __slots__ = ("bounds", "by", "key", "limit", "offset", "reverse", "with_scores")

    def __init__(
        self,
        key: bytes,
        by: str,
        bounds: Any,
        reverse: bool = False,
        offset: int = 0,
        limit: int = -1,
        with_scores: bool = False,
    ) -> None:
        self.key = key
        self.by = by
        self.bounds = bounds
        self.reverse = reverse
        self.offset = offset
        self.limit = limit
        self.with_scores = with_scores


# Parsing.


def parse_range(
    args: Args, at: int, by: str = ANY, reverse: bool | None = None, stored: bool = False
) -> Range:
    """Parse ``key min max [options]`` from the argument ``at`` on. O(options).

    Args:
        by, reverse: what the command's name says already; `ANY` and None if an option may say it.
        stored: for ZRANGESTORE, which has no WITHSCORES.

    Raises:
        ReplyError: they are no such arguments.
    """
    rest = at + 3
    if rest == len(args) and (by is RANK or by is ANY):
        return Range(args[at], RANK, (integer(args[at + 1]), integer(args[at + 2])), bool(reverse))
    offset, limit, with_scores = 0, -1, False
    fixed, directed = by, reverse is not None
    while rest < len(args):
        word = args[rest].upper()
        if word == b"WITHSCORES" and not stored:
            with_scores = True
        elif word == b"LIMIT" and rest + 2 < len(args):
            offset, limit = integer(args[rest + 1]), integer(args[rest + 2])
            rest += 2
        elif word == b"REV" and not directed:
            reverse = directed = True
        elif word in (b"BYLEX", b"BYSCORE") and not fixed:
            by = fixed = MEMBER if word == b"BYLEX" else SCORE
        else:
            raise ReplyError("SYNTAX")
        rest += 1
    by = by or RANK
    if limit != -1 and by is RANK:
        raise ReplyError("ZRANGE_LIMIT")
    if with_scores and by is MEMBER:
        raise ReplyError("ZRANGE_WITHSCORES")
    low, high = args[at + 1], args[at + 2]
    if reverse and by is not RANK:
        low, high = high, low
    return Range(args[at], by, parse_bounds(by, low, high), bool(reverse), offset, limit, with_scores)


def parse_bounds(by: str, low: bytes, high: bytes) -> Any:
    """The bounds of a range, by what it is given.

    Raises:
        ReplyError: they are none.
    """
    if by is RANK:
        return integer(low), integer(high)
    return score_bounds(low, high) if by is SCORE else member_bounds(low, high)


def score_bounds(low: bytes, high: bytes) -> ScoreBounds:
    """Bounds on scores; a bracket before one, ``(``, leaves what is equal to it out.

    Raises:
        ReplyError BAD_SCORE_RANGE.
    """
    above, below = low[:1] == b"(", high[:1] == b"("
    lowest = parse_bound(low[1:] if above else low)
    highest = parse_bound(high[1:] if below else high)
    if lowest is None or highest is None:
        raise ReplyError("BAD_SCORE_RANGE")
    return lowest, highest, above, below


def member_bounds(low: bytes, high: bytes) -> MemberBounds:
    """Bounds on members: ``[a`` with a, ``(a`` without, ``-`` and ``+`` before and behind all.

    Raises:
        ReplyError BAD_LEX_RANGE.
    """
    for text in (low, high):
        if text[:1] not in (b"[", b"(") and text.partition(b"\0")[0] not in (b"-", b"+"):
            raise ReplyError("BAD_LEX_RANGE")
    is_empty = low[:1] == b"+" or high[:1] == b"-"
    least = low[1:] if low[:1] in (b"[", b"(") else None
    most = high[1:] if high[:1] in (b"[", b"(") else None
    return MemberBounds(least, low[:1] == b"(", most, high[:1] == b"(", is_empty=is_empty)


# The part of a set that is asked for.


def ranks(value: SortedSetValue, wanted: Range) -> tuple[int, int]:
    """The ranks, from the lowest score, that a range comes to: from the first up to the second. O(log n)."""
    if wanted.by is RANK:
        start, stop = value.by_rank(wanted.bounds[0], wanted.bounds[1])
        return (len(value) - stop, len(value) - start) if wanted.reverse else (start, stop)
    start, stop = bounded(value, wanted.by, wanted.bounds)
    offset, limit = wanted.offset, wanted.limit
    if offset < 0:
        return 0, 0
    if wanted.reverse:
        stop = max(start, stop - offset)
        return (start if limit < 0 else max(start, stop - limit)), stop
    start = min(stop, start + offset)
    return start, (stop if limit < 0 else min(stop, start + limit))


def bounded(value: SortedSetValue, by: str, bounds: Any) -> tuple[int, int]:
    """The ranks within bounds. O(log n)."""
    if by is RANK:
        return value.by_rank(bounds[0], bounds[1])
    return value.by_score(bounds) if by is SCORE else value.by_member(bounds)


def _in_slices(value: SortedSetValue, start: int, stop: int, wanted: Range, size: int) -> Slices:
    """`read_range` of the ranks from ``start`` up to ``stop``, so many at a time."""
    parts: deque[Any] = deque()
    for done in range(0, stop - start, size):
        low, high = start + done, min(start + done + size, stop)
        if wanted.reverse:
            low, high = max(stop - done - size, start), stop - done
        parts.append(_rows(value, low, high, wanted))
        yield
    return Chunks(parts)


def _rows(value: SortedSetValue, start: int, stop: int, wanted: Range) -> Any:
    members = value.order.span(start, stop)
    if wanted.reverse:
        members.reverse()
    if not wanted.with_scores:
        return members
    scores = value.order.scores_of(start, stop)
    if wanted.reverse:
        scores.reverse()
    return Rows(list(zip(members, scores, strict=True)))


def read_range(value: SortedSetValue, wanted: Range) -> Any:
    """The members, or `Rows` of members and scores. O(log n + members)."""
    if wanted.by is SCORE and 0 <= wanted.offset <= MOST_PASSED:
        # Not what was asked for: the place of the last one is a sum.
        limit = min(wanted.limit, len(value)) if wanted.limit >= 0 else len(value)
        members, scores = value.between(wanted.bounds, wanted.offset, limit, wanted.reverse)
        return Rows(list(zip(members, scores, strict=True))) if wanted.with_scores else members
    return _rows(value, *ranks(value, wanted), wanted)


def op_range(db: Keyspace, wanted: Range, h: int) -> Any:
    """What ZRANGE and its older names answer. O(log n + members)."""
    value = read_sorted_set(db, wanted.key, h)
    if value is not None:
        if len(value) > db.shard.slice:
            start, stop = ranks(value, wanted)
            if stop - start > db.shard.slice:
                raise Lengthy(_in_slices(value, start, stop, wanted, db.shard.slice), value)
        return read_range(value, wanted)
    return []


def cmd_zrange(session: Session, args: Args) -> Range:
    """ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]."""
    return parse_range(args, 1)


def cmd_zrevrange(session: Session, args: Args) -> Range:
    """ZREVRANGE key start stop [WITHSCORES]."""
    return parse_range(args, 1, RANK, True)


def cmd_zrangebyscore(session: Session, args: Args) -> Range:
    """ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]."""
    return parse_range(args, 1, SCORE, False)


def cmd_zrevrangebyscore(session: Session, args: Args) -> Range:
    """ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]."""
    return parse_range(args, 1, SCORE, True)


def cmd_zrangebylex(session: Session, args: Args) -> Range:
    """ZRANGEBYLEX key min max [LIMIT offset count]."""
    return parse_range(args, 1, MEMBER, False)


def cmd_zrevrangebylex(session: Session, args: Args) -> Range:
    """ZREVRANGEBYLEX key max min [LIMIT offset count]."""
    return parse_range(args, 1, MEMBER, True)


# Counting and removing.


def cmd_zcount(session: Session, args: Args) -> Range:
    """ZCOUNT key min max, ZREMRANGEBYSCORE key min max."""
    return Range(args[1], SCORE, score_bounds(args[2], args[3]))


def cmd_zlexcount(session: Session, args: Args) -> Range:
    """ZLEXCOUNT key min max, ZREMRANGEBYLEX key min max."""
    return Range(args[1], MEMBER, member_bounds(args[2], args[3]))


def cmd_zremrangebyrank(session: Session, args: Args) -> Range:
    """ZREMRANGEBYRANK key start stop."""
    return Range(args[1], RANK, (integer(args[2]), integer(args[3])))


def op_count(db: Keyspace, wanted: Range, h: int) -> int:
    """How many members are in a range. O(log n)."""
    value = read_sorted_set(db, wanted.key, h)
    if value is None:
        return 0
    start, stop = bounded(value, wanted.by, wanted.bounds)
    return stop - start


def op_remove_range(db: Keyspace, wanted: Range, h: int) -> int:
    """Remove the members in a range; how many they were. O(log n + members)."""
    key = wanted.key
    value = sorted_set_to_change(db, key, h)
    if value is None:
        return 0
    start, stop = bounded(value, wanted.by, wanted.bounds)
    if start >= stop:
        return 0
    event = b"zremrangeby%b" % wanted.by.encode()
    if stop - start == len(value):
        db.erase(key, h)
        db.changed(key, events.ZSET, event)
        db.changed(key, events.GENERIC, b"del")
        db.shard.dispose(value)
        return stop
    before = value.memory
    value.take(start, stop)
    db.resized(before, value.memory)
    db.changed(key, events.ZSET, event)
    return stop - start


# ZRANGESTORE.


def cmd_zrangestore(context: Context, args: Args) -> Steps:
    """ZRANGESTORE dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]: the size of the result.

    One hop if both keys are on one shard, else one that reads and one that writes.
    """
    wanted = parse_range(args, 2, stored=True)
    hash_key = context.proactor.shard.hash_key
    source = context.db, args[2], hash_key(args[2])
    target = context.db, args[1], hash_key(args[1])
    at, to = context.shard_of(source[2]), context.shard_of(target[2])
    if at == to:
        work = (store_here, (source, wanted, target))
        return (yield from context.hop({at: work}, last=True))[at]
    found = (yield from context.hop({at: (read_scores, (source, wanted))}))[at]
    yield from context.hop({to: (settle_copy, (target, b"zrangestore", found))}, last=True)
    return len(found)


def zrangestore_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """ZRANGESTORE of keys that are here. O(log n + members)."""
    wanted = parse_range(args, 2, stored=True)
    h, to = here.find(args[2]), here.find(args[1])
    if h < 0 or to < 0:
        return ELSEWHERE
    return store_here(here.shard, ((db.index, args[2], h), wanted, (db.index, args[1], to)))


def read_scores(shard: Shard, argument: tuple[Place, Range]) -> dict[bytes, float]:
    """The members in a range with their scores, as a dict made for the journey. O(log n + members).

    Raises:
        ReplyError WRONGTYPE.
    """
    (index, key, h), wanted = argument
    value = read_sorted_set(shard.dbs[index], key, h)
    if value is None:
        return {}
    start, stop = ranks(value, wanted)
    order = value.order
    return dict(zip(order.span(start, stop), order.scores_of(start, stop), strict=True))


def store_here(shard: Shard, argument: tuple[Place, Range, Place]) -> int:
    """ZRANGESTORE within one shard. O(log n + members)."""
    source, wanted, target = argument
    found = read_scores(shard, (source, wanted))
    settle(shard, target, b"zrangestore", found)
    return len(found)


def settle_copy(shard: Shard, argument: tuple[Place, bytes, dict[bytes, float]]) -> None:
    """Store a result that comes from another shard. O(members)."""
    target, event, scores = argument
    if len(scores) > shard.slice:
        copying = own_scores_in_slices(scores, shard.slice)
        raise Lengthy(settle_in_slices(shard, target, event, copying))
    settle(shard, target, event, own_scores(scores))


def settle_in_slices(shard: Shard, target: Place, event: bytes, computing: Slices) -> Slices:
    """Compute members with scores, and put them in place of what the key holds; how many they are."""
    scores = yield from computing
    if len(scores) <= shard.slice:
        settle(shard, target, event, scores)
        return len(scores)
    value = yield from sorted_set_in_slices(scores, shard.limits, shard.slice)
    index, key, h = target
    db = shard.dbs[index]
    db.put(own(key), h, value)
    db.changed(key, events.ZSET, event)
    return len(scores)


def settle(shard: Shard, target: Place, event: bytes, scores: dict[bytes, float]) -> None:
    """Put a result in place of whatever the key holds; an empty one removes the key. O(n log n)."""
    index, key, h = target
    db = shard.dbs[index]
    if scores:
        db.put(own(key), h, SortedSetValue.of(scores, shard.limits))
        db.changed(key, events.ZSET, event)
    elif db.drop(key, h):
        db.changed(key, events.GENERIC, b"del")


_RANGE = "O(log(N)+M) where N is the size of the sorted set and M is the number of members answered"
_COUNT = "O(log(N)) where N is the size of the sorted set"
_REMOVED = "O(log(N)+M) where N is the size of the sorted set and M is the number of members removed"


def _range(name: str, cmd: object, since: str, syntax: str, summary: str) -> Row:
    """The row of a command that answers a range."""
    return row(
        name,
        -4,
        "readonly",
        op_range,
        since,
        syntax,
        summary,
        "RO ACCESS",
        cmd=cmd,
        encode="scored_bulks",
        complexity=_RANGE,
    )


def _count(name: str, cmd: object, since: str, summary: str) -> Row:
    """The row of a command that counts a range."""
    return row(
        name,
        4,
        "readonly fast",
        op_count,
        since,
        "key min max",
        summary,
        "RO ACCESS",
        cmd=cmd,
        encode="number",
        complexity=_COUNT,
    )


def _removal(name: str, cmd: object, since: str, syntax: str, summary: str) -> Row:
    """The row of a command that removes a range."""
    return row(
        name,
        4,
        "write",
        op_remove_range,
        since,
        syntax,
        summary,
        "RW DELETE",
        cmd=cmd,
        encode="number",
        complexity=_REMOVED,
    )


TABLE: tuple[Row, ...] = (
    _range(
        "ZRANGE",
        cmd_zrange,
        "1.2.0",
        "key start stop [<BYSCORE|BYLEX>] [REV] [LIMIT offset count] [WITHSCORES]",
        "Answers members of a sorted set in a range of ranks, scores or members.",
    ),
    _range(
        "ZREVRANGE",
        cmd_zrevrange,
        "1.2.0",
        "key start stop [WITHSCORES]",
        "Answers members in a range of ranks, highest score first.",
    ),
    _range(
        "ZRANGEBYSCORE",
        cmd_zrangebyscore,
        "1.0.5",
        "key min max [WITHSCORES] [LIMIT offset count]",
        "Answers members in a range of scores.",
    ),
    _range(
        "ZREVRANGEBYSCORE",
        cmd_zrevrangebyscore,
        "2.2.0",
        "key max min [WITHSCORES] [LIMIT offset count]",
        "Answers members in a range of scores, highest score first.",
    ),
    _range(
        "ZRANGEBYLEX",
        cmd_zrangebylex,
        "2.8.9",
        "key min max [LIMIT offset count]",
        "Answers members in a lexicographical range, where all scores are the same.",
    ),
    _range(
        "ZREVRANGEBYLEX",
        cmd_zrevrangebylex,
        "2.8.9",
        "key max min [LIMIT offset count]",
        "Answers members in a lexicographical range, last one first, where all scores are the same.",
    ),
    _count("ZCOUNT", cmd_zcount, "2.0.0", "Counts the members in a range of scores."),
    _count("ZLEXCOUNT", cmd_zlexcount, "2.8.9", "Counts the members in a lexicographical range."),
    _removal(
        "ZREMRANGEBYRANK",
        cmd_zremrangebyrank,
        "2.0.0",
        "key start stop",
        "Removes members in a range of ranks.",
    ),
    _removal("ZREMRANGEBYSCORE", cmd_zcount, "1.2.0", "key min max", "Removes a range of scores."),
    _removal(
        "ZREMRANGEBYLEX", cmd_zlexcount, "2.8.9", "key min max", "Removes a lexicographical range of members."
    ),
    multi(
        "ZRANGESTORE",
        -5,
        "write denyoom",
        run=cmd_zrangestore,
        at_once=zrangestore_at_once,
        encode="number",
        keys=(1, 2, 1),
        key_flags="OW UPDATE; RO ACCESS",
        acl="@write @sortedset @slow",
        since="6.2.0",
        group="sorted-set",
        syntax="dst src min max [<BYSCORE|BYLEX>] [REV] [LIMIT offset count]",
        summary="Stores members in a range of ranks, scores or members.",
        complexity="O(log(N)+M) where N is the size of the sorted set and M is the number of members stored",
    ),
)
