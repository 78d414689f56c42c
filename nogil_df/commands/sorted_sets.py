"""The sorted set family: commands on members of one set. Ranges are in `sorted_sets_ranges`, what takes
several keys in `sorted_sets_multi`, what waits in `sorted_sets_blocking`.

Scores are parsed by the thread of the key, because it keeps the floats. An empty sorted set is none: whoever
takes the last member out removes the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import INT64_MAX, format_double, parse_float, parse_int
from nogil_df.commands.member_scan import Request, parse_request, traverse
from nogil_df.commands.sets import erase_if_empty, optional_count, repeated
from nogil_df.commands.spec import Row, single
from nogil_df.shard.sorted_sets import ENTRY_OVERHEAD, SortedSetValue
from nogil_df.wire.values import NULL_ARRAY, Rows

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

MOST_PAIRS: Final = INT64_MAX // 2
"""Most members that ZRANDMEMBER answers with their scores: both have to be counted."""

NX: Final = 1
XX: Final = 2
CH: Final = 4
INCR: Final = 8
GT: Final = 16
LT: Final = 32
ADD_OPTIONS: Final = {b"NX": NX, b"XX": XX, b"CH": CH, b"INCR": INCR, b"GT": GT, b"LT": LT}


def read_sorted_set(db: Keyspace, key: bytes, h: int) -> SortedSetValue | None:
    """The sorted set at a key as a command that serves a client sees it: counts a hit or a miss. O(1).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    found = db.table.get(key, h)
    if type(found) is SortedSetValue:
        db.shard.hits += 1
        return found
    if found is None:
        db.find(key, h)
        return None
    raise ReplyError("WRONGTYPE")


def sorted_set_to_change(db: Keyspace, key: bytes, h: int) -> SortedSetValue | None:
    """The sorted set at a key, which may be changed in place now; as `read_sorted_set`, uncounted."""
    table = db.table
    found = table.get(key, h)
    if found is None:
        return None
    if type(found) is not SortedSetValue:
        raise ReplyError("WRONGTYPE")
    if table.cut_version:
        table.before_change(key, h)
    return found


# Adding and removing.


def op_zadd(db: Keyspace, args: Args, h: int) -> Any:
    """Add members or change their scores; how many are new. O(log n) for each."""
    if len(args) == 4:
        score = parse_float(args[2])
        # What is 0 might be -0.
        if score:
            return add_one(db, args[1], h, args[3], score)
    return add_given(db, args, h, 0)


def add_one(db: Keyspace, key: bytes, h: int, member: bytes, score: float) -> int:
    """Give a member a score, which is not -0; 1 if it is new. O(log n).

    Raises:
        ReplyError WRONGTYPE.
    """
    table = db.table
    found = table.get(key, h)
    if found is None:
        limits = db.shard.limits
        value = SortedSetValue(limits)
        value.add(member, score, limits)
        db.put(key, h, value)
        db.changed(key, events.ZSET, b"zadd")
        return 1
    if type(found) is not SortedSetValue:
        raise ReplyError("WRONGTYPE")
    value = found
    scores = value.scores
    if member in scores:
        old = scores[member]
        if old == score:
            return 0
        if table.cut_version:
            table.before_change(key, h)
        value.move(member, old, score)
        added = 0
    else:
        if table.cut_version:
            table.before_change(key, h)
        size = len(member)
        if len(scores) < value.room and size <= value.longest:
            scores[member] = score
            value.order.insert(score, member)
            size += ENTRY_OVERHEAD
            value.memory += size
            db.used += size
        else:
            before = value.memory
            value.add(member, score, db.shard.limits)
            db.used += value.memory - before
        added = 1
    db.shard.dirty += 1
    if db.observed:
        db.tell(key, events.ZSET, b"zadd")
    return added


def op_zincrby(db: Keyspace, args: Args, h: int) -> float | None:
    """Add to the score of a member; one that is not there counts as 0. O(log n). The sum."""
    key = args[1]
    table = db.table
    found = table.get(key, h)
    increment = parse_float(args[2])
    if increment is None or type(found) is not SortedSetValue:
        return add_given(db, args, h, INCR)  # type: ignore[no-any-return]
    value: SortedSetValue = found
    member = args[3]
    scores = value.scores
    if member not in scores:
        if table.cut_version:
            table.before_change(key, h)
        before = value.memory
        value.add(member, increment, db.shard.limits)
        db.used += value.memory - before
        db.changed(key, events.ZSET, b"zincr")
        return increment
    old = scores[member]
    score: float = old + increment
    if score != score:
        raise ReplyError("SCORE_NAN")
    if score != old:
        if table.cut_version:
            table.before_change(key, h)
        value.move(member, old, score)
        db.changed(key, events.ZSET, b"zincr")
    return score


def add_given(db: Keyspace, args: Args, h: int, options: int) -> Any:
    """ZADD key [options] score member [score member ...], with options to begin with. O(log n) a member.

    Returns:
        How many are new, or changed with CH; with INCR the new score, None if nothing was done.

    Raises:
        ReplyError: the arguments are no such; WRONGTYPE; SCORE_NAN.
    """
    options, pairs = parse_pairs(args, options)
    return add_pairs(db, args[1], h, pairs, options)


def add_pairs(db: Keyspace, key: bytes, h: int, pairs: list[tuple[bytes, float]], options: int) -> Any:
    """`add_given` of members and scores that are parsed."""
    value = sorted_set_to_change(db, key, h)
    if value is None:
        if options & XX:
            return None if options & INCR else 0
        value = SortedSetValue(db.shard.limits)
    adding = Adding(db, key, h, value)
    value.expect(len(pairs), max([len(member) for member, _ in pairs]), db.shard.limits)
    try:
        for member, score in pairs:
            adding.give(member, score, options)
    finally:
        adding.conclude(b"zincr" if options & INCR else b"zadd")
    if options & INCR:
        return adding.score
    return adding.added + adding.updated if options & CH else adding.added


def parse_pairs(args: Args, options: int) -> tuple[int, list[tuple[bytes, float]]]:
    """The options of ZADD, and members with their scores. O(members).

    Raises:
        ReplyError: SYNTAX, options that exclude each other, NOT_FLOAT.
    """
    at = 2
    while at < len(args):
        word = args[at].upper()
        if word not in ADD_OPTIONS:
            break
        options |= ADD_OPTIONS[word]
        at += 1
    words = args[at:]
    if not words or len(words) % 2:
        raise ReplyError("SYNTAX")
    if options & NX and options & XX:
        raise ReplyError("ZADD_NX_XX")
    if (options & NX and options & (GT | LT)) or (options & GT and options & LT):
        raise ReplyError("ZADD_GT_LT_NX")
    if options & INCR and len(words) > 2:
        raise ReplyError("ZADD_INCR_ONE")
    scores = [parse_float(word) for word in words[::2]]
    if None in scores:
        raise ReplyError("NOT_FLOAT")
    return options, list(zip(words[1::2], scores, strict=True))  # type: ignore[arg-type]


class Adding:
    """One ZADD under way.

    Attributes:
        added, updated: members that are new, that have another score now.
        score: that of the last member that was given one; None if it was left alone.
    """

    __slots__ = ("added", "before", "db", "h", "key", "score", "updated", "value")

    def __init__(self, db: Keyspace, key: bytes, h: int, value: SortedSetValue) -> None:
        self.db = db
        self.key = key
        self.h = h
        self.value = value
        self.before = value.memory if len(value) else 0
        self.added = 0
        self.updated = 0
        self.score: float | None = None

    def give(self, member: bytes, score: float, options: int) -> None:
        """Give a member a score, as the options say. O(log n).

        Raises:
            ReplyError SCORE_NAN: INCR came to no number.
        """
        value = self.value
        self.score = None
        if member not in value.scores:
            if options & XX:
                return
            value.add(member, score, self.db.shard.limits)
            self.added += 1
            self.score = score
            return
        if options & NX:
            return
        old = value.scores[member]
        if options & INCR:
            score += old
            if score != score:
                raise ReplyError("SCORE_NAN")
        if (options & GT and score <= old) or (options & LT and score >= old):
            return
        if score != old:
            value.move(member, old, score)
            self.updated += 1
        self.score = score

    def conclude(self, event: bytes) -> None:
        """Account for what was done and tell of it. O(1)."""
        db, value = self.db, self.value
        if self.before:
            db.resized(self.before, value.memory)
        elif len(value):
            db.put(self.key, self.h, value)
        if self.added or self.updated:
            db.changed(self.key, events.ZSET, event)


def op_zrem(db: Keyspace, args: Args, h: int) -> int:
    """Remove members; how many were there. O(log n) for each."""
    key = args[1]
    value = sorted_set_to_change(db, key, h)
    if value is None:
        return 0
    before = value.memory
    removed = 0
    for member in args[2:]:
        removed += value.remove(member)
    db.resized(before, value.memory)
    if removed:
        db.changed(key, events.ZSET, b"zrem")
        erase_if_empty(db, key, h, value)
    return removed


# Reading.


def op_zscore(db: Keyspace, args: Args, h: int) -> float | None:
    """The score of a member, None if it is not there. O(1)."""
    value = read_sorted_set(db, args[1], h)
    if value is None:
        return None
    member = args[2]
    scores = value.scores
    return scores[member] if member in scores else None


def op_zmscore(db: Keyspace, args: Args, h: int) -> list[float | None]:
    """The score of each given member. O(members given)."""
    value = read_sorted_set(db, args[1], h)
    if value is None:
        return [None] * (len(args) - 2)
    scores = value.scores
    return [scores[member] if member in scores else None for member in args[2:]]


def op_zcard(db: Keyspace, args: Args, h: int) -> int:
    """The number of members. O(1)."""
    value = read_sorted_set(db, args[1], h)
    return 0 if value is None else len(value.scores)


def cmd_zrank(session: Session, args: Args) -> Args:
    """ZRANK key member [WITHSCORE]."""
    if len(args) > 4:
        raise ReplyError("WRONG_ARITY", args[0].lower())
    if len(args) == 4 and args[3].upper() != b"WITHSCORE":
        raise ReplyError("SYNTAX")
    return args


def op_zrank(db: Keyspace, args: Args, h: int) -> Any:
    """The rank of a member from the lowest score; null if it is not there. O(log n)."""
    return rank_of(db, args, h, reverse=False)


def op_zrevrank(db: Keyspace, args: Args, h: int) -> Any:
    """The rank of a member from the highest score; null if it is not there. O(log n)."""
    return rank_of(db, args, h, reverse=True)


def rank_of(db: Keyspace, args: Args, h: int, *, reverse: bool) -> Any:
    """What ZRANK and ZREVRANK answer: the rank, [rank, score] WITHSCORE. O(log n)."""
    value = read_sorted_set(db, args[1], h)
    member = args[2]
    if value is None or member not in value.scores:
        return None if len(args) == 3 else NULL_ARRAY
    score = value.scores[member]
    rank = value.rank(member, score)
    if reverse:
        rank = len(value) - 1 - rank
    return rank if len(args) == 3 else [rank, score]


# Popping.


def cmd_zpop(session: Session, args: Args) -> tuple[bytes, int | None]:
    """ZPOPMIN key [count], ZPOPMAX key [count]."""
    if len(args) == 2:
        return args[1], None
    if len(args) > 3:
        raise ReplyError("SYNTAX")
    count = parse_int(args[2])
    if count is None or count < 0:
        raise ReplyError("NOT_POSITIVE")
    return args[1], count


def op_zpopmin(db: Keyspace, payload: tuple[bytes, int | None], h: int) -> Any:
    """Take the members with the lowest scores out. O(log n + members)."""
    return pop(db, payload, h, False)


def op_zpopmax(db: Keyspace, payload: tuple[bytes, int | None], h: int) -> Any:
    """Take the members with the highest scores out. O(log n + members)."""
    return pop(db, payload, h, True)


def pop(db: Keyspace, payload: tuple[bytes, int | None], h: int, highest: bool) -> Any:
    """What ZPOPMIN and ZPOPMAX answer: [member, score], with a count pairs of them; or [] for nothing."""
    key, count = payload
    value = sorted_set_to_change(db, key, h)
    if value is None or count == 0:
        return []
    pairs = take(db, key, h, value, count or 1, highest)
    return list(pairs[0]) if count is None else Rows(pairs)


def take(
    db: Keyspace, key: bytes, h: int, value: SortedSetValue, count: int, highest: bool
) -> list[tuple[bytes, float]]:
    """Take so many members at most out of a set, from one end, and tell of it. O(log n + members)."""
    size = len(value)
    count = min(count, size)
    before = value.memory
    start = size - count if highest else 0
    members, scores = value.take(start, start + count)
    db.resized(before, value.memory)
    pairs = list(zip(members, scores, strict=True))
    if highest:
        pairs.reverse()
    db.changed(key, events.ZSET, b"zpopmax" if highest else b"zpopmin")
    erase_if_empty(db, key, h, value)
    return pairs


# Members at random, traversal.


def cmd_zrandmember(session: Session, args: Args) -> tuple[bytes, int | None, bool]:
    """ZRANDMEMBER key [count [WITHSCORES]]."""
    count = optional_count(args[:3])
    if len(args) > 4 or (len(args) == 4 and args[3].upper() != b"WITHSCORES"):
        raise ReplyError("SYNTAX")
    if len(args) == 4 and count is not None and abs(count) > MOST_PAIRS:
        raise ReplyError("OUT_OF_RANGE")
    return args[1], count, len(args) == 4


def op_zrandmember(db: Keyspace, payload: tuple[bytes, int | None, bool], h: int) -> Any:
    """A random member, None without a key; with a count a list of them, different ones if it is positive.

    O(log n) for each.
    """
    key, count, with_scores = payload
    value = read_sorted_set(db, key, h)
    if value is None:
        return None if count is None else []
    random = db.shard.random
    if count is None:
        return value.random(random)
    if count < 0:
        found = repeated(value, -count, random)
    elif count >= len(value):
        found = value.order.span(0, len(value))
    else:
        found = value.sample(count, random)
    if not with_scores:
        return found
    scores = value.scores
    return Rows([(member, scores[member]) for member in found])


def cmd_zscan(session: Session, args: Args) -> Request:
    """ZSCAN key cursor [MATCH pattern] [COUNT count]."""
    return parse_request(args)


def op_zscan(db: Keyspace, request: Request, h: int) -> list[Any]:
    """Some of the members with their scores, and where to go on. O(members asked for)."""
    value = read_sorted_set(db, request.key, h)
    if value is None:
        return [b"0", []]
    if request.error is not None:
        raise request.error
    before = value.memory
    cursor, found = traverse(request, value.scan)
    db.resized(before, value.memory)
    scores = value.scores
    return [b"%d" % cursor, [word for member in found for word in (member, format_double(scores[member]))]]


def row(
    name: str,
    arity: int,
    flags: str,
    op: object,
    since: str,
    syntax: str,
    summary: str,
    key_flags: str,
    **rest: Any,
) -> Row:
    """A row of a command on one sorted set; its ACL categories follow from its flags."""
    kind = "@write" if "write" in flags else "@read"
    speed = "@fast" if "fast" in flags else "@slow"
    return single(
        name,
        arity,
        flags,
        op=op,  # type: ignore[arg-type]
        acl=f"{kind} @sortedset {speed}",
        since=since,
        group="sorted-set",
        syntax=syntax,
        summary=summary,
        key_flags=key_flags,
        **rest,
    )


_LOG = "O(log(N)) where N is the size of the sorted set"
_EACH = "O(M*log(N)) where N is the size of the sorted set and M is the number of members given"
_POPPED = "O(log(N)+M) where N is the size of the sorted set and M is the number of members popped"

TABLE: tuple[Row, ...] = (
    row(
        "ZADD",
        -4,
        "write denyoom fast",
        op_zadd,
        "1.2.0",
        "key [<NX|XX>] [<GT|LT>] [CH] [INCR] score member [score member ...]",
        "Adds members to a sorted set or changes their scores; creates the set if need be.",
        "RW UPDATE",
        encode="number",
        complexity=_EACH,
    ),
    row(
        "ZINCRBY",
        4,
        "write denyoom fast",
        op_zincrby,
        "1.2.0",
        "key increment member",
        "Adds to the score of a member.",
        "RW ACCESS UPDATE",
        encode="double_or_null",
        complexity=_LOG,
    ),
    row(
        "ZREM",
        -3,
        "write fast",
        op_zrem,
        "1.2.0",
        "key member [member ...]",
        "Removes members from a sorted set; removes the key with the last one.",
        "RW DELETE",
        encode="number",
        complexity=_EACH,
    ),
    row(
        "ZSCORE",
        3,
        "readonly fast",
        op_zscore,
        "1.2.0",
        "key member",
        "Answers the score of a member.",
        "RO ACCESS",
        encode="double_or_null",
    ),
    row(
        "ZMSCORE",
        -3,
        "readonly fast",
        op_zmscore,
        "6.2.0",
        "key member [member ...]",
        "Answers the scores of several members.",
        "RO ACCESS",
        complexity="O(N) where N is the number of members given",
    ),
    row(
        "ZCARD",
        2,
        "readonly fast",
        op_zcard,
        "1.2.0",
        "key",
        "Answers how many members a sorted set has.",
        "RO",
        encode="number",
    ),
    row(
        "ZRANK",
        -3,
        "readonly fast",
        op_zrank,
        "2.0.0",
        "key member [WITHSCORE]",
        "Answers the rank of a member, counted from the lowest score.",
        "RO ACCESS",
        cmd=cmd_zrank,
        plain_with=3,
        encode="number",
        complexity=_LOG,
    ),
    row(
        "ZREVRANK",
        -3,
        "readonly fast",
        op_zrevrank,
        "2.0.0",
        "key member [WITHSCORE]",
        "Answers the rank of a member, counted from the highest score.",
        "RO ACCESS",
        cmd=cmd_zrank,
        plain_with=3,
        encode="number",
        complexity=_LOG,
    ),
    row(
        "ZPOPMIN",
        -2,
        "write fast",
        op_zpopmin,
        "5.0.0",
        "key [count]",
        "Takes the members with the lowest scores out; removes the key with the last one.",
        "RW ACCESS DELETE",
        cmd=cmd_zpop,
        complexity=_POPPED,
    ),
    row(
        "ZPOPMAX",
        -2,
        "write fast",
        op_zpopmax,
        "5.0.0",
        "key [count]",
        "Takes the members with the highest scores out; removes the key with the last one.",
        "RW ACCESS DELETE",
        cmd=cmd_zpop,
        complexity=_POPPED,
    ),
    row(
        "ZRANDMEMBER",
        -2,
        "readonly",
        op_zrandmember,
        "6.2.0",
        "key [count [WITHSCORES]]",
        "Answers random members of a sorted set.",
        "RO ACCESS",
        cmd=cmd_zrandmember,
        encode="bulk_or_null",
        complexity="O(M*log(N)) where N is the size of the sorted set and M the number of members answered",
        tips="nondeterministic_output",
    ),
    row(
        "ZSCAN",
        -3,
        "readonly",
        op_zscan,
        "2.8.0",
        "key cursor [MATCH pattern] [COUNT count]",
        "Goes through the members of a sorted set, some at each call.",
        "RO ACCESS",
        cmd=cmd_zscan,
        complexity="O(1) for a call, O(N) for all calls of a traversal of N members",
        tips="nondeterministic_output",
    ),
)
