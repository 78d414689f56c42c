"""Reading several streams, and waiting for what is added to them: XREAD and XREADGROUP.

The first try is one transaction over all the streams. XREAD needs one hop: each shard looks at its keys and
returns what is there. XREADGROUP writes (what it delivers is pending), and must not have begun where a later
key turns out to be wrong: its first hop only looks, unless all keys are on one shard, which then does both.
Redis reports the first key or id that is wrong, in the order of the arguments; so every shard reports its
first, with the position.

If there was nothing, that same transaction leaves a waiter on every key (`nogil_df.commands.blocking`). A
stream that gets an entry serves all readers that wait for it, for reading consumes nothing; of the readers
of a group the first in line is given the entry, and the others wait on. Readers of a group are also woken
when there is nothing to wait for any more: the group was destroyed, the key deleted or given another type.

XREADGROUP with CLAIM also takes over what has been pending for somebody for long. No write tells when that
is so: while it waits, it comes again when the entry that has been pending longest will have been so for long
enough, or else after the shortest time in which an entry that is not pending yet could have been.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.arguments import integer, milliseconds
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.blocking import TIME_UP, Demand, start_over, wait_for
from nogil_df.commands.spec import Row, multi
from nogil_df.commands.streams import held, read, shown
from nogil_df.commands.streams_groups import consumer_of, group_of, resize
from nogil_df.commands.streams_ids import parse_id, show
from nogil_df.shard.memory import own
from nogil_df.shard.stream_groups import Consumer, Group
from nogil_df.shard.streams import LAST_ID, StreamValue
from nogil_df.wire.values import NULL_ARRAY, Pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard

Args = list[bytes]
Places = list[tuple[int, bytes, int]]
"""Keys of one shard: (position among all, key, hash)."""

NEW: Final = LAST_ID
"""In place of an id: what nobody of the group was given yet (``>``)."""

FROM_NOW: Final = -1
"""In place of an id: what comes after this command (``$``)."""

LAST_ONE: Final = -2
"""In place of an id: the last entry there is (``+``)."""

NO_CLAIM: Final = -1

SHORTEST_WAIT_MS: Final = 10
"""Between two looks for entries to claim."""


class Reading:
    """What XREAD or XREADGROUP ask for.

    Attributes:
        keys: of the streams.
        after: for each stream the id whose followers are wanted, or `NEW`, `FROM_NOW`, `LAST_ONE`; or the
            error that its text is.
        count: entries of each stream at most, 0 for all.
        wait: seconds to wait, 0 for ever; None not to wait.
        group, consumer: of XREADGROUP; empty for XREAD.
        keep: whether what is delivered is pending.
        claim: milliseconds from which entries that are pending are taken over, `NO_CLAIM` for never.
    """

    __slots__ = ("after", "claim", "consumer", "count", "group", "keep", "keys", "wait")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.after: list[int | ReplyError] = []
        self.count = 0
        self.wait: float | None = None
        self.group: bytes | None = None
        self.consumer = b""
        self.keep = True
        self.claim = NO_CLAIM


class _Parser:
    """Reads the options of XREAD and XREADGROUP."""

    __slots__ = ("args", "in_group", "reading")

    def __init__(self, args: Args) -> None:
        self.args = args
        self.in_group = len(args[0]) == len(b"XREADGROUP")
        self.reading = Reading()

    def parse(self) -> Reading:
        """Everything.

        Raises:
            ReplyError.
        """
        args = self.args
        at = 1
        while at < len(args):
            word = args[at].upper()
            more = len(args) - at - 1
            if word == b"STREAMS" and more:
                self._streams(at + 1)
                break
            at = self._option(word, at, more)
        reading = self.reading
        if not reading.keys:
            raise ReplyError("SYNTAX")
        if self.in_group and reading.group is None:
            raise ReplyError("STREAM_MISSING_GROUP")
        return reading

    def _option(self, word: bytes, at: int, more: int) -> int:
        """One option; where the next one stands."""
        reading = self.reading
        args = self.args
        if word == b"BLOCK" and more:
            reading.wait = parse_milliseconds(args[at + 1])
            return at + 2
        if word == b"COUNT" and more:
            reading.count = max(integer(args[at + 1]), 0)
            return at + 2
        if word == b"GROUP" and more >= 2:
            if not self.in_group:
                raise ReplyError("STREAM_XREAD_GROUP")
            reading.group, reading.consumer = args[at + 1], args[at + 2]
            return at + 3
        if word == b"NOACK":
            if not self.in_group:
                raise ReplyError("STREAM_XREAD_NOACK")
            reading.keep = False
            return at + 1
        if word == b"CLAIM" and more:
            if not self.in_group:
                raise ReplyError("STREAM_XREAD_CLAIM")
            idle = parse_int(args[at + 1])
            if idle is None:
                raise ReplyError("STREAM_CLAIM_IDLE_NOT_INTEGER")
            if idle < 0:
                raise ReplyError("STREAM_CLAIM_IDLE_NEGATIVE")
            reading.claim = idle
            return at + 2
        raise ReplyError("SYNTAX")

    def _streams(self, first: int) -> None:
        rest = self.args[first:]
        if len(rest) % 2:
            raise ReplyError("STREAM_UNBALANCED")
        half = len(rest) // 2
        self.reading.keys = rest[:half]
        self.reading.after = [self._after(text) for text in rest[half:]]

    def _after(self, text: bytes) -> int | ReplyError:
        if text == b"$":
            return ReplyError("STREAM_DOLLAR") if self.in_group else FROM_NOW
        if text == b"+":
            return ReplyError("STREAM_PLUS") if self.in_group else LAST_ONE
        if text == b">":
            return NEW if self.in_group else ReplyError("STREAM_NEW_ONLY")
        try:
            return parse_id(text)
        except ReplyError as error:
            return error.bare()


def parse_milliseconds(text: bytes) -> float:
    """How long BLOCK waits, in seconds; 0 for ever.

    Raises:
        ReplyError: not an integer, negative, or out of range.
    """
    return milliseconds(text) / 1000


def find_xread_keys(args: Sequence[bytes]) -> list[int]:
    """Where the keys of XREAD and XREADGROUP are: the first half of what follows STREAMS. O(keys).

    Raises:
        ReplyError: what the command would say of such arguments.
    """
    half = len(_Parser(list(args)).parse().keys)
    return list(range(len(args) - 2 * half, len(args) - half))


def cmd_xread(context: Context, args: Args) -> Steps:
    """XREAD: what is new in several streams; the null array if nothing is, however long it waited."""
    reading = _Parser(args).parse()
    places = context.by_shard(reading.keys)
    found = yield from _hop(context, places, look, reading)
    entries = {position: part for position, (part, _) in found.items() if part}
    if entries:
        yield from context.conclude()
        return _reply(context.session, reading, entries)
    # What `$` means is known now.
    after: dict[bytes, int] = {}
    for position, key in enumerate(reading.keys):
        after.setdefault(key, found[position][1] if position in found else 0)
    wanted = after, reading.count
    reply = yield from _wait(context, reading, reading.wait, has_after, serve_reader, wanted)
    return NULL_ARRAY if reply is TIME_UP else reply


def cmd_xreadgroup(context: Context, args: Args) -> Steps:
    """XREADGROUP: as XREAD, what nobody of the group was given yet, or what is pending for the consumer."""
    reading = _Parser(args).parse()
    places = context.by_shard(reading.keys)
    if len(places) > 1:
        yield from _hop(context, places, check_groups, reading)
    clock = context.dispatcher.clock
    until = clock.monotonic() + (reading.wait or 0)
    payload = reading.group, reading.consumer, reading.count, reading.keep, reading.claim
    while True:
        found = yield from _hop(context, places, deliver, reading)
        entries = {position: part for position, part in found.items() if part.__class__ is list}
        if entries:
            yield from context.conclude()
            return _reply(context.session, reading, entries)
        wait = reading.wait
        if reading.claim != NO_CLAIM and wait is not None:
            left = until - clock.monotonic() if wait else 0.0
            if left < 0:
                yield from context.conclude()
                return NULL_ARRAY
            wait = max(min(found.values()), SHORTEST_WAIT_MS) / 1000
            if reading.wait:
                wait = min(wait, left)
        reply = yield from _wait(context, reading, wait, ends_wait, serve_member, payload)
        if reply is not TIME_UP or context.session.closed:
            return reply
        if reading.claim == NO_CLAIM or (reading.wait and clock.monotonic() >= until):
            return NULL_ARRAY
        start_over(context, reading.keys)


def read_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """XREAD and XREADGROUP of streams that are here, if nothing is to be waited for. O(entries)."""
    reading = _Parser(args).parse()
    keys = reading.keys
    hashes = here.find_all(keys)
    if hashes is None or reading.claim != NO_CLAIM:
        return ELSEWHERE
    places = list(zip(range(len(keys)), keys, hashes, strict=True))
    work: Any = look if reading.group is None else deliver
    found = work(here.shard, (db.index, places, reading))
    if found.__class__ is tuple:
        raise found[1]
    if reading.group is None:
        entries = {position: part for position, (part, _) in found.items() if part}
    else:
        entries = {position: part for position, part in found.items() if part.__class__ is list}
    if entries:
        return _reply(session, reading, entries)
    return NULL_ARRAY if reading.wait is None else ELSEWHERE


def _hop(context: Context, places: dict[int, Places], work: Any, reading: Reading) -> Steps:
    """Run work on every shard that has a key. Returns what the shards found, by position.

    Raises:
        ReplyError: of the first key that is wrong.
    """
    works = {shard: (work, (context.db, keys, reading)) for shard, keys in places.items()}
    answers = yield from context.hop(works)
    wrong = [answer for answer in answers.values() if answer.__class__ is tuple]
    if wrong:
        raise min(wrong, key=_position)[1]
    return {position: part for parts in answers.values() for position, part in parts.items()}


def _position(found: tuple[int, Any]) -> int:
    return found[0]


def _reply(session: Session, reading: Reading, entries: dict[int, Any]) -> Any:
    """Streams and their entries: RESP3 has a map of them, RESP2 an array of pairs."""
    streams = [(reading.keys[position], part) for position, part in sorted(entries.items(), key=_position)]
    return Pairs(streams) if session.proto == 3 else [list(pair) for pair in streams]


def _wait(
    context: Context, reading: Reading, seconds: float | None, wants: Any, serve: Any, payload: Any
) -> Steps:
    """There was nothing: wait for it, if the command is to. Returns the reply, or `TIME_UP`."""
    if seconds is None or context.nested:
        yield from context.conclude()
        return NULL_ARRAY
    demand = Demand(reading.keys, wants, serve, payload, keyed=True)
    found = yield from wait_for(context, demand, seconds)
    if found is None or found is TIME_UP:
        return found or NULL_ARRAY
    key, entries = found
    return Pairs([(key, entries)]) if context.session.proto == 3 else [[key, entries]]


# XREAD on a shard.


def look(shard: Shard, argument: tuple[int, Places, Reading]) -> Any:
    """XREAD on one shard.

    Returns:
        {position: (entries, the id whose followers are wanted)} of the keys that have a stream; or
        (position, error) of the first key that is wrong.
    """
    index, keys, reading = argument
    db = shard.dbs[index]
    found: dict[int, tuple[list[Any], int]] = {}
    for position, key, h in keys:
        try:
            value = read(db, key, h)
        except ReplyError as error:
            return position, error.bare()
        after = reading.after[position]
        if isinstance(after, ReplyError):
            return position, after
        if value is not None:
            if after < 0:
                entries = value.span_back(LAST_ID, 0, 1) if after == LAST_ONE else []
                after = value.last_id
            else:
                entries = value.span(after + 1, LAST_ID, reading.count)
            found[position] = shown(entries), after
        elif after > 0:
            found[position] = [], after
    return found


def has_after(value: Any, payload: tuple[dict[bytes, int], int], key: bytes) -> bool:
    """Whether a stream has what a reader waits for. O(1)."""
    return value.__class__ is StreamValue and value.last_entry_id > payload[0][key]


def serve_reader(db: Keyspace, payload: tuple[dict[bytes, int], int], key: bytes, h: int) -> list[Any]:
    """The entries that a reader waited for. O(entries)."""
    after, count = payload
    value = read(db, key, h)
    assert value is not None
    return shown(value.span(after[key] + 1, LAST_ID, count))


# XREADGROUP on a shard.


def check_groups(shard: Shard, argument: tuple[int, Places, Reading]) -> Any:
    """Whether all keys have the group: {}, or (position, error) of the first key that is wrong. O(keys)."""
    index, keys, reading = argument
    db = shard.dbs[index]
    assert reading.group is not None
    for position, key, h in keys:
        try:
            value = read(db, key, h)
            if group_of(value, reading.group) is None:
                raise ReplyError("NOGROUP_READ", key, reading.group)
        except ReplyError as error:
            return position, error.bare()
        after = reading.after[position]
        if isinstance(after, ReplyError):
            return position, after
    return {}


def deliver(shard: Shard, argument: tuple[int, Places, Reading]) -> Any:
    """XREADGROUP on one shard.

    Returns:
        {position: entries, or how many ms to wait if there are none}; or (position, error) of the first key
        that is wrong, and then nothing has happened.
    """
    wrong = check_groups(shard, argument)
    if wrong:
        return wrong
    index, keys, reading = argument
    db = shard.dbs[index]
    found: dict[int, list[Any] | int] = {}
    for position, key, h in keys:
        value = held(db, key, h)
        assert value is not None
        assert reading.group is not None
        group = value.groups[reading.group]
        consumer = consumer_of(db, key, value, group, own(reading.consumer))
        after = reading.after[position]
        assert isinstance(after, int)
        if after != NEW:
            found[position] = history(db, value, consumer, after, reading.count)
        elif reading.claim != NO_CLAIM:
            entries = claim(db, value, group, consumer, reading.count, reading.keep, reading.claim)
            found[position] = entries or until_claimable(db, group, reading.claim)
        elif value.last_entry_id > group.last_id:
            found[position] = give(db, value, group, consumer, reading.count, reading.keep)
        else:
            found[position] = 0
    return found


def claim(
    db: Keyspace, value: StreamValue, group: Group, consumer: Consumer, count: int, keep: bool, idle: int
) -> list[Any]:
    """Deliver what has been pending for ``idle`` ms, longest first, then what is new. O(pending + entries).

    Returns:
        Entries with the time since they were delivered last, ms, and how often they were.
    """
    now = db.shard.tick.ms
    deliveries = group.pending.entries
    old = ((delivery.at, entry_id) for entry_id, delivery in deliveries.items() if now - delivery.at >= idle)
    found: list[Any] = []
    for at, entry_id in nsmallest(count, old) if count else sorted(old):
        body = value.get(entry_id)
        if body is None:
            continue
        delivery = deliveries[entry_id]
        found.append([show(entry_id), body, now - at, delivery.times])
        group.hand_over(delivery, entry_id, consumer)
        delivery.at = now
        delivery.times += 1
    if found:
        consumer.active = now
        db.shard.dirty += len(found)
    if (not count or len(found) < count) and value.last_entry_id > group.last_id:
        new = give(db, value, group, consumer, count and count - len(found), keep)
        found += [[*entry, 0, 0] for entry in new]
    return found


def until_claimable(db: Keyspace, group: Group, idle: int) -> int:
    """Milliseconds until an entry can have been pending for ``idle`` of them. O(pending)."""
    first = min((delivery.at for delivery in group.pending.entries.values()), default=None)
    return idle if first is None else min(idle, max(first + idle - db.shard.tick.ms, 0))


def give(
    db: Keyspace, value: StreamValue, group: Group, consumer: Consumer, count: int, keep: bool
) -> list[Any]:
    """Deliver what nobody of the group was given yet to a consumer. O(entries).

    Args:
        count: entries at most, 0 for all.
        keep: whether they are pending then.
    """
    entries = value.span(group.last_id + 1, LAST_ID, count)
    value.advance(group, [entry_id for entry_id, _ in entries])
    now = db.shard.tick.ms
    consumer.active = now
    if keep:
        before = group.memory
        for entry_id, _ in entries:
            group.give(consumer, entry_id, now)
        resize(db, value, group.memory - before)
    db.shard.dirty += 1
    return shown(entries)


def history(db: Keyspace, value: StreamValue, consumer: Consumer, after: int, count: int) -> list[Any]:
    """What is pending for a consumer, which is delivered once more; null for what was deleted. O(entries)."""
    pending = consumer.pending
    now = db.shard.tick.ms
    found: list[Any] = []
    for entry_id in pending.span(after + 1, LAST_ID, count or len(pending)):
        body = value.get(entry_id)
        if body is None:
            found.append([show(entry_id), NULL_ARRAY])
            continue
        delivery = pending.entries[entry_id]
        delivery.at = now
        delivery.times += 1
        found.append([show(entry_id), body])
    db.shard.dirty += 1
    return found


def ends_wait(value: Any, payload: tuple[bytes, bytes, int, bool, int], key: bytes) -> bool:
    """Whether there is something new for a group, or no such group any more. O(1)."""
    if value.__class__ is not StreamValue or payload[0] not in value.groups:
        return True
    return value.last_entry_id > value.groups[payload[0]].last_id


def serve_member(db: Keyspace, payload: tuple[bytes, bytes, int, bool, int], key: bytes, h: int) -> list[Any]:
    """Deliver what a member of a group waited for. O(entries).

    Raises:
        ReplyError: the stream has gone, or the group.
    """
    name, consumer_name, count, keep, idle = payload
    found = db.peek(key, h)
    if found.__class__ is not StreamValue:
        raise ReplyError("UNBLOCKED_STREAM")
    value = held(db, key, h)
    assert value is not None
    group = group_of(value, name)
    if group is None:
        raise ReplyError("NOGROUP_BLOCKED")
    consumer = consumer_of(db, key, value, group, own(consumer_name))
    if idle != NO_CLAIM:
        return claim(db, value, group, consumer, count, keep, idle)
    return give(db, value, group, consumer, count, keep)


def _row(name: str, arity: int, flags: str, *, run: Any, syntax: str, **rest: Any) -> Row:
    """The row of a command that reads several streams."""
    return multi(
        name,
        arity,
        flags,
        run=run,
        at_once=read_at_once,
        find_keys=find_xread_keys,
        syntax=syntax,
        since="5.0.0",
        group="stream",
        **rest,
    )


TABLE: tuple[Row, ...] = (
    _row(
        "XREAD",
        -4,
        "readonly blocking movablekeys",
        run=cmd_xread,
        key_flags="RO ACCESS",
        acl="@read @stream @slow @blocking",
        syntax="[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
        summary="Returns what follows given ids in several streams; may wait for it.",
        complexity="O(log(N)+M) for each stream of N entries, of which M are returned",
    ),
    _row(
        "XREADGROUP",
        -7,
        "write blocking movablekeys",
        run=cmd_xreadgroup,
        key_flags="RO ACCESS",
        acl="@write @stream @slow @blocking",
        syntax=(
            "GROUP group consumer [COUNT count] [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] "
            "STREAMS key [key ...] id [id ...]"
        ),
        summary="Returns what is new in several streams to a member of a consumer group; may wait for it.",
        complexity="O(log(N)+M) for each stream of N entries, of which M are returned",
    ),
)
