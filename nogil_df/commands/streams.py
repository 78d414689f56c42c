"""The stream family: what adds, reads and removes the entries of one stream.

A stream lives on when its last entry has gone: it still knows its last id. Groups are in `streams_groups`,
reading that may wait is in `streams_read`, XINFO in `streams_info`.

XADD with an id of the server's choice and no options is what streams are for: its arguments go to the shard
as they came, and an entry of one field that has the name of the one before is added on the spot.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.arguments import integer
from nogil_df.commands.spec import Row, single
from nogil_df.commands.streams_ids import id_of, parse_end, parse_id, parse_new_id, parse_start, show, written
from nogil_df.shard.lengthy import Lengthy, Slices
from nogil_df.shard.streams import LAST_ID, SEQUENCE, Entry, StreamValue
from nogil_df.wire.values import NULL_ARRAY, OK, Chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.limits import EncodingLimits

Args = list[bytes]

USUAL_LIMIT: Final = 10_000
LARGEST_LIMIT: Final = 1_000_000
"""Entries that an approximate trim removes at most: where blocks have no bound, and in any case."""


# What all stream commands share.


def read(db: Keyspace, key: bytes, h: int) -> StreamValue | None:
    """The stream at a key as a command that reads for a client sees it: counts a hit or a miss. O(1).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    found = db.find(key, h)
    if found is None or type(found) is StreamValue:
        return found
    raise ReplyError("WRONGTYPE")


def held(db: Keyspace, key: bytes, h: int) -> StreamValue | None:
    """The stream at a key that is about to be changed in place; not counted as a read. O(1).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    table = db.table
    found = table.get(key, h)
    if type(found) is StreamValue:
        if table.cut_version:
            table.before_change(key, h)
        return found
    if found is None:
        return None
    raise ReplyError("WRONGTYPE")


def shown(entries: list[Entry]) -> list[list[Any]]:
    """Entries as replies have them: [id, [field, value, ...]]. O(entries)."""
    return [[show(entry_id), body] for entry_id, body in entries]


def tell(db: Keyspace, key: bytes, event: bytes) -> None:
    """A change that WATCH does not see, as none of groups: count it, publish the event. O(1)."""
    shard = db.shard
    shard.dirty += 1
    if shard.notify_mask & events.STREAM:
        shard.notify(events.STREAM, event, key, db.index)


# Trimming.

KEEP: Final = b"KEEPREF"
DROP: Final = b"DELREF"
ACKED: Final = b"ACKED"
"""What becomes of groups' references to an entry that goes: they stay, they go as well, or the entry stays
as long as a group has it pending or ahead (Redis documentation of XADD and XDELEX, 8.2)."""


class Trim:
    """What MAXLEN or MINID ask for.

    Attributes:
        by_length: by the number of entries, or by the least id.
        threshold: that number or id.
        approximate: whole blocks only.
        limit: entries removed at most; -1 if the command does not say.
        references: `KEEP`, `DROP` or `ACKED`.
    """

    __slots__ = ("approximate", "by_length", "limit", "references", "threshold")

    def __init__(self, by_length: bool, threshold: int, approximate: bool) -> None:
        self.by_length = by_length
        self.threshold = threshold
        self.approximate = approximate
        self.limit = -1
        self.references: bytes = KEEP

    def apply(self, value: StreamValue, limits: EncodingLimits) -> int:
        """Trim a stream; how many entries were removed. O(removed), with `ACKED` O(entries looked at)."""
        limit = 0
        if self.approximate:
            limit = usual_limit(limits) if self.limit < 0 else self.limit
        if self.references == ACKED and value.groups:
            most, least = (self.threshold, LAST_ID) if self.by_length else (0, self.threshold)
            return value.trim_settled(most, least, self.approximate, limit)
        gone: list[int] | None = [] if self.references == DROP and value.groups else None
        trim = value.trim_to_length if self.by_length else value.trim_below
        removed = trim(self.threshold, self.approximate, limit, gone)
        if gone:
            value.settle_everywhere(gone)
        return removed


def usual_limit(limits: EncodingLimits) -> int:
    """Entries an approximate trim removes at most if it is not told: those of 100 blocks. O(1)."""
    return min(100 * limits.stream_node_max_entries or USUAL_LIMIT, LARGEST_LIMIT)


def trim_at(db: Keyspace, key: bytes, value: StreamValue, trim: Trim) -> int:
    """Trim the stream at a key, and tell of it; how many entries were removed. O(removed)."""
    if trim.by_length and value.added - value.gone <= trim.threshold:
        return 0
    before = value.memory
    removed = trim.apply(value, db.shard.limits)
    if removed:
        db.used += value.memory - before
        db.shard.dirty += removed - 1
        db.changed(key, events.STREAM, b"xtrim")
    return removed


class _Options:
    """The options of XADD and XTRIM, and where they end."""

    __slots__ = ("adding", "at", "limit", "make", "references", "trim")

    def __init__(self, args: Args, adding: bool) -> None:
        self.adding = adding
        self.trim: Trim | None = None
        self.limit = -1
        self.references = b""
        self.make = True
        self.at = 2
        while self.at < len(args):
            word = args[self.at].upper()
            is_last = self.at + 1 == len(args)
            if word in (b"MAXLEN", b"MINID") and not is_last:
                self._threshold(args, word == b"MAXLEN")
            elif word == b"LIMIT" and not is_last:
                self.limit = integer(args[self.at + 1])
                if self.limit < 0:
                    raise ReplyError("STREAM_LIMIT")
                self.at += 2
            elif adding and word == b"NOMKSTREAM":
                self.make = False
                self.at += 1
            elif word in (KEEP, DROP, ACKED) and not self.references:
                self.references = word
                self.at += 1
            elif adding:
                return
            else:
                raise ReplyError("SYNTAX")

    def _threshold(self, args: Args, by_length: bool) -> None:
        if self.trim is not None:
            raise ReplyError("STREAM_TWO_TRIMS")
        at = self.at + 1
        approximate = False
        if at + 1 < len(args) and args[at] in (b"~", b"="):
            approximate = args[at] == b"~"
            at += 1
        threshold = integer(args[at]) if by_length else parse_id(args[at])
        if threshold < 0:
            raise ReplyError("STREAM_MAXLEN")
        self.trim = Trim(by_length, threshold, approximate)
        self.at = at + 1

    def check(self) -> None:
        """Look at what options say together.

        Raises:
            ReplyError: LIMIT where it cannot be, XTRIM without anything to trim by.
        """
        if self.trim is None and self.limit > 0:
            raise ReplyError("STREAM_LIMIT_ALONE")
        if self.trim is None and not self.adding:
            raise ReplyError("STREAM_NO_TRIM")
        if self.limit >= 0:
            if self.trim is None or not self.trim.approximate:
                raise ReplyError("STREAM_LIMIT_EXACT")
            self.trim.limit = self.limit
        if self.trim is not None and self.references:
            self.trim.references = self.references


# XADD.


def cmd_xadd(session: Session, args: Args) -> Any:
    """Parse XADD; without options, or with MAXLEN as the first, its arguments go through as they came.

    Returns:
        The arguments, or (key, id or None, whether its sequence is given, whether a stream is made, trim,
        fields and values).
    """
    if len(args) == 5 or (args[2] == b"*" and len(args) % 2) or args[2] == b"MAXLEN":
        return args
    return _parse_xadd(args)


def _parse_xadd(args: Args) -> tuple[Any, ...]:
    options = _Options(args, adding=True)
    at = options.at
    # Redis takes what comes last for an id even where an option expects more.
    entry_id, is_whole = None, True
    if at < len(args) and args[at] != b"*":
        entry_id, is_whole = parse_new_id(args[at])
    options.check()
    flat = args[at + 1 :]
    if not flat or len(flat) % 2:
        raise ReplyError("WRONG_ARITY", b"xadd")
    if entry_id == 0 and is_whole:
        raise ReplyError("STREAM_ID_ZERO")
    return args[1], entry_id, is_whole, options.make, options.trim, flat


def op_xadd(db: Keyspace, payload: Any, h: int) -> bytes | None:
    """Add an entry; its id, null if there is no stream and none shall be made. O(fields + trimmed).

    Raises:
        ReplyError: WRONGTYPE, or the id is not greater than the last.
    """
    if type(payload) is tuple:
        return _add_with_options(db, payload, h)
    args: Args = payload
    at = 3
    most = -1
    approximate = False
    if args[2] == b"MAXLEN" and len(args) > 6:
        # What nearly all others are, without looking at every option: MAXLEN [~] threshold *.
        if args[3] == b"~" or args[3] == b"=":
            approximate = args[3] == b"~"
            at = 4
        bound = parse_int(args[at])
        at += 2
        if bound is None or bound < 0 or args[at - 1] != b"*" or (len(args) - at) % 2:
            return _add_with_options(db, _parse_xadd(args), h)
        most = bound
    elif args[2] != b"*":
        return _add_with_options(db, _parse_xadd(args), h)
    key = args[1]
    table = db.table
    found = table.get(key, h)
    if type(found) is not StreamValue:
        found = _made(db, key, h, found)
    elif table.cut_version:
        table.before_change(key, h)
    value: StreamValue = found
    shard = db.shard
    last = value.last_id
    if value.seen is not last and not value.split_last():
        return _add_with_options(db, _parse_xadd(args), h)
    ms = shard.tick.ms
    sequence = 0
    if ms > value.ms:
        entry_id = id_of(ms, 0)
    else:
        ms = value.ms
        sequence = value.sequence + 1
        entry_id = last + 1
    block = value.tail
    text = args[at + 1]
    # An entry like those before it, written out; the rest of them goes through the value's own method.
    if (
        block is not None
        and len(args) == at + 2
        and block.width == 1
        and args[at] == block.fields[0]
        and block.left
        and len(text) + block.names_size < block.room
    ):
        block.ids.append(entry_id)
        block.bodies.append((block.fields[0], text))
        size = len(text)
        block.left -= 1
        block.room -= size + 12
        size += block.usual
        value.memory += size
        value.added += 1
        value.last_id = entry_id
        db.used += size
    else:
        limits = shard.limits
        before = value.memory
        value.append(entry_id, args[at:], limits.stream_node_max_entries, limits.stream_node_max_bytes)
        db.used += value.memory - before
    value.seen = entry_id
    value.ms = ms
    value.sequence = sequence
    shard.dirty += 1
    if db.observed:
        db.tell(key, events.STREAM, b"xadd")
    if most >= 0:
        over = value.added - value.gone - most
        if over > 0:
            # Whole blocks only: mostly the first one has to stay.
            first = value.blocks[0]
            if not approximate or over >= len(first.ids):
                trim_at(db, key, value, Trim(True, most, approximate))
    return written(ms, sequence)


def _made(db: Keyspace, key: bytes, h: int, found: Any) -> StreamValue:
    """A new stream where there was nothing."""
    if found is not None:
        raise ReplyError("WRONGTYPE")
    value = StreamValue()
    db.put(key, h, value)
    return value


def following(last: int) -> int:
    """The id after a stream's last.

    Raises:
        ReplyError STREAM_FULL: there is none.
    """
    if last == LAST_ID:
        raise ReplyError("STREAM_FULL")
    return last + 1


def _add_with_options(db: Keyspace, payload: tuple[Any, ...], h: int) -> bytes | None:
    key, entry_id, is_whole, make, trim, flat = payload
    value = held(db, key, h)
    if value is None and not make:
        return None
    last = 0 if value is None else value.last_id
    entry_id = next_id(db, last, entry_id, is_whole)
    if value is None:
        value = _made(db, key, h, None)
    before = value.memory
    limits = db.shard.limits
    value.append(entry_id, flat, limits.stream_node_max_entries, limits.stream_node_max_bytes)
    db.used += value.memory - before
    db.changed(key, events.STREAM, b"xadd")
    if trim is not None:
        trim_at(db, key, value, trim)
    return show(entry_id)


def next_id(db: Keyspace, last: int, wanted: int | None, is_whole: bool) -> int:
    """The id that a new entry gets. O(1).

    Args:
        last: the greatest so far.
        wanted: the id asked for, None for any; only its milliseconds count if not ``is_whole``.

    Raises:
        ReplyError: it would not be greater than the last.
    """
    least = following(last)
    if wanted is None:
        return max(id_of(db.shard.tick.ms, 0), least)
    if not is_whole and last >> 64 == wanted >> 64:
        if last & SEQUENCE == SEQUENCE:
            raise ReplyError("STREAM_ID_SMALL")
        return last + 1
    if wanted <= last:
        raise ReplyError("STREAM_ID_SMALL")
    return wanted


# Reads.


def op_xlen(db: Keyspace, args: Args, h: int) -> int:
    """The number of entries, 0 without a stream. O(1)."""
    value = read(db, args[1], h)
    return 0 if value is None else value.length


def cmd_xrange(session: Session, args: Args) -> tuple[bytes, int, int, int]:
    """XRANGE key start end [COUNT count]: (key, start, end, count: -1 for all)."""
    start, end = parse_start(args[2]), parse_end(args[3])
    return args[1], start, end, _count(args)


def cmd_xrevrange(session: Session, args: Args) -> tuple[bytes, int, int, int]:
    """XREVRANGE key end start [COUNT count]: (key, start, end, count: -1 for all)."""
    # Redis looks at the start first, wherever it stands.
    start, end = parse_start(args[3]), parse_end(args[2])
    return args[1], start, end, _count(args)


def _count(args: Args) -> int:
    count = -1
    at = 4
    while at < len(args):
        if args[at].upper() != b"COUNT" or at + 1 == len(args):
            raise ReplyError("SYNTAX")
        count = max(integer(args[at + 1]), 0)
        at += 2
    return count


def op_xrange(db: Keyspace, payload: tuple[bytes, int, int, int], h: int) -> Any:
    """Entries in the order of their ids. O(log n + found)."""
    key, start, end, count = payload
    value = read(db, key, h)
    if value is None:
        return []
    return _entries(db, value, value.span, (start, end, count), 1) if count else NULL_ARRAY


def _entries(
    db: Keyspace,
    value: StreamValue,
    span: Callable[..., list[Entry]],
    bounds: tuple[int, int, int],
    step: int,
) -> Any:
    """Entries from one id to the other, as replies have them. O(log n + found).

    Args:
        span: what finds them: ``span(first, last, most)``.
        bounds: first, last, most; negative for all.
        step: 1 or -1: which way the ids go.

    Raises:
        Lengthy: they are very many.
    """
    first, last, count = bounds
    # An entry is a list of its own, and takes about as long as eight plain elements.
    size = max(db.shard.slice // 8, 1)
    if len(value) <= size or 0 < count <= size:
        return shown(span(first, last, max(count, 0)))
    found = span(first, last, size)
    if len(found) < size:
        return shown(found)
    left = (count if count > 0 else len(value)) - size
    raise Lengthy(_entries_in_slices(span, found, last, left, step), value)


def _entries_in_slices(
    span: Callable[..., list[Entry]], found: list[Entry], last: int, left: int, step: int
) -> Slices:
    """``found``, and up to ``left`` entries that follow, as many in each slice."""
    parts: deque[Any] = deque()
    size = len(found)
    while found:
        parts.append(shown(found))
        yield
        following = found[-1][0] + step
        found = span(following, last, min(size, left)) if left > 0 else []
        left -= len(found)
    return Chunks(parts)


def op_xrevrange(db: Keyspace, payload: tuple[bytes, int, int, int], h: int) -> Any:
    """Entries from the last id to the first. O(log n + found)."""
    key, start, end, count = payload
    value = read(db, key, h)
    if value is None:
        return []
    return _entries(db, value, value.span_back, (end, start, count), -1) if count else NULL_ARRAY


# Removing.


def op_xdel(db: Keyspace, args: Args, h: int) -> int:
    """Delete entries by id; how many there were. O(ids * log n)."""
    key = args[1]
    value = held(db, key, h)
    if value is None:
        return 0
    ids = [parse_id(text) for text in args[2:]]
    return delete(db, key, value, ids)


def delete(db: Keyspace, key: bytes, value: StreamValue, ids: Iterable[int]) -> int:
    """Delete entries, and tell of it; how many there were. O(ids * log n).

    Args:
        ids: of the entries; may be a generator, which finds those before deleted already.
    """
    before = value.memory
    deleted = [entry_id for entry_id in ids if value.remove(entry_id)]
    if deleted:
        value.max_deleted = max(value.max_deleted, *deleted)
        db.used += value.memory - before
        db.shard.dirty += len(deleted) - 1
        db.changed(key, events.STREAM, b"xdel")
    return len(deleted)


def cmd_xtrim(session: Session, args: Args) -> tuple[bytes, Trim]:
    """Parse XTRIM's options."""
    options = _Options(args, adding=False)
    options.check()
    assert options.trim is not None
    return args[1], options.trim


def op_xtrim(db: Keyspace, payload: tuple[bytes, Trim], h: int) -> int:
    """Remove entries from the front; how many. O(removed)."""
    key, trim = payload
    value = held(db, key, h)
    return 0 if value is None else trim_at(db, key, value, trim)


# XSETID.


def cmd_xsetid(session: Session, args: Args) -> tuple[bytes, int, int, int]:
    """XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]: (key, last id, added or -1, deleted or 0)."""
    last = parse_id(args[2])
    added, deleted = -1, 0
    at = 3
    while at < len(args):
        word = args[at].upper()
        if at + 1 == len(args) or word not in (b"ENTRIESADDED", b"MAXDELETEDID"):
            raise ReplyError("SYNTAX")
        if word == b"ENTRIESADDED":
            added = integer(args[at + 1])
            if added < 0:
                raise ReplyError("STREAM_ADDED")
        else:
            deleted = parse_id(args[at + 1])
            if last < deleted:
                raise ReplyError("STREAM_SETID_GIVEN")
        at += 2
    return args[1], last, added, deleted


def op_xsetid(db: Keyspace, payload: tuple[bytes, int, int, int], h: int) -> Any:
    """Set what a stream knows of its past. O(1).

    Raises:
        ReplyError: there is no stream, or its entries say otherwise.
    """
    key, last, added, deleted = payload
    value = held(db, key, h)
    if value is None:
        raise ReplyError("NO_SUCH_KEY")
    if last < value.max_deleted:
        raise ReplyError("STREAM_SETID_DELETED")
    if value.length:
        if last < value.last_entry_id:
            raise ReplyError("STREAM_SETID_TOP")
        if 0 <= added < value.length:
            raise ReplyError("STREAM_SETID_LENGTH")
    value.last_id = last
    if added >= 0:
        value.set_added(added)
    if deleted:
        value.max_deleted = deleted
    tell(db, key, b"xsetid")
    return OK


def _row(name: str, arity: int, flags: str, *, syntax: str, since: str = "5.0.0", **rest: Any) -> Row:
    """The row of a command on one stream; categories follow from the flags."""
    access = "@write" if "write" in flags else "@read"
    speed = "@fast" if "fast" in flags else "@slow"
    return single(
        name,
        arity,
        flags,
        syntax=syntax,
        since=since,
        group="stream",
        acl=f"{access} @stream {speed}",
        **rest,
    )


_TRIM = "[<MAXLEN | MINID> [= | ~] threshold [LIMIT count]]"

TABLE: tuple[Row, ...] = (
    _row(
        "XADD",
        -5,
        "write denyoom fast",
        cmd=cmd_xadd,
        op=op_xadd,
        plain_with=5,
        encode="bulk_or_null",
        key_flags="RW UPDATE",
        syntax=f"key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] {_TRIM} <* | id> field value [field value ...]",
        summary="Adds an entry at the end of a stream; creates it if need be.",
        complexity="O(1) to add an entry, O(N) to trim N of them",
        tips="nondeterministic_output",
    ),
    _row(
        "XLEN",
        2,
        "readonly fast",
        op=op_xlen,
        encode="number",
        key_flags="RO",
        syntax="key",
        summary="Counts the entries of a stream.",
    ),
    _row(
        "XRANGE",
        -4,
        "readonly",
        cmd=cmd_xrange,
        op=op_xrange,
        key_flags="RO ACCESS",
        syntax="key start end [COUNT count]",
        summary="Returns the entries whose ids are within a range.",
        complexity="O(log(N)+M) where N is the number of entries and M the number of those returned",
    ),
    _row(
        "XREVRANGE",
        -4,
        "readonly",
        cmd=cmd_xrevrange,
        op=op_xrevrange,
        key_flags="RO ACCESS",
        syntax="key end start [COUNT count]",
        summary="Returns the entries whose ids are within a range, the last first.",
        complexity="O(log(N)+M) where N is the number of entries and M the number of those returned",
    ),
    _row(
        "XDEL",
        -3,
        "write fast",
        op=op_xdel,
        encode="number",
        key_flags="RW DELETE",
        syntax="key id [id ...]",
        summary="Deletes entries by their ids.",
        complexity="O(log(N)) for each entry",
    ),
    _row(
        "XTRIM",
        -4,
        "write",
        cmd=cmd_xtrim,
        op=op_xtrim,
        encode="number",
        key_flags="RW DELETE",
        syntax="key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]",
        summary="Removes entries from the front of a stream.",
        complexity="O(N) where N is the number of entries removed",
        tips="nondeterministic_output",
    ),
    _row(
        "XSETID",
        -3,
        "write denyoom fast",
        cmd=cmd_xsetid,
        op=op_xsetid,
        key_flags="RW UPDATE",
        syntax="key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
        summary="Sets the last id of a stream, and what it knows of its past.",
    ),
)
