"""Taking over what is pending for somebody else: XCLAIM and XAUTOCLAIM.

Both drop what is pending but has been deleted from the stream. XAUTOCLAIM looks at ten times as many pending
entries as it may return, and tells where to go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import INT64_MAX, parse_int
from nogil_df.commands.spec import Row, single
from nogil_df.commands.streams import held
from nogil_df.commands.streams_groups import consumer_of, group_of, resize
from nogil_df.commands.streams_ids import parse_id, parse_start, show
from nogil_df.shard.stream_groups import Delivery, Group
from nogil_df.shard.streams import LAST_ID, Body, StreamValue

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

ATTEMPTS: Final = 10
"""Pending entries that XAUTOCLAIM looks at for each one that it may return."""

MOST_COUNT: Final = INT64_MAX // 16

USUAL_COUNT: Final = 100


@dataclass(slots=True)
class Claim:
    """The options of XCLAIM.

    Attributes:
        idle: milliseconds that an entry must have been pending.
        at: when the entries count as delivered, unix ms; None for now.
        ago: the same as milliseconds before now.
        times: how often they count as delivered, -1 for once more than before.
        force: make entries pending that are not.
        just_ids: return ids only, and do not count this as a delivery.
        last_id: what the group was given at least.
    """

    idle: int
    at: int | None = None
    ago: int | None = None
    times: int = -1
    force: bool = False
    just_ids: bool = False
    last_id: int = 0

    def delivered_at(self, now: int) -> int:
        """When the entries count as delivered; a time that cannot be is taken for now."""
        at = self.at if self.at is not None else now - self.ago if self.ago is not None else -1
        return at if 0 <= at <= now else now


def op_xclaim(db: Keyspace, args: Args, h: int) -> list[Any]:
    """XCLAIM key group consumer min-idle-time id... [options]: the entries claimed. O(ids * log n).

    Raises:
        ReplyError.
    """
    key = args[1]
    value = held(db, key, h)
    group = group_of(value, args[2])
    if value is None or group is None:
        raise ReplyError("NOGROUP", key, args[2])
    ids, claim = _parse_xclaim(args)
    group.last_id = max(group.last_id, claim.last_id)
    claimer = _Claimer(db, key, value, group, args[3], claim)
    return [shown for entry_id in ids if (shown := claimer.claim(entry_id)) is not None]


class _Claimer:
    """Takes entries over for one consumer, which is made even if there is none to take."""

    __slots__ = ("at", "consumer", "db", "group", "now", "options", "value")

    def __init__(
        self, db: Keyspace, key: bytes, value: StreamValue, group: Group, name: bytes, claim: Claim
    ) -> None:
        self.db = db
        self.value = value
        self.group = group
        self.options = claim
        self.now = db.shard.tick.ms
        self.at = claim.delivered_at(self.now)
        self.consumer = consumer_of(db, key, value, group, name)

    def claim(self, entry_id: int) -> Any:
        """Claim an entry as XCLAIM does; as replies have it, None if it was not claimed. O(log n)."""
        pending = self.group.pending.entries
        delivery = pending[entry_id] if entry_id in pending else None
        body = self.value.get(entry_id)
        if body is None:
            if delivery is not None:
                self.drop(entry_id)
            return None
        if delivery is None and not self.options.force:
            return None
        if delivery is not None and not self.is_idle(delivery):
            return None
        return self.take(entry_id, delivery, body)

    def is_idle(self, delivery: Delivery) -> bool:
        """Whether it has been pending for long enough."""
        return not self.options.idle or self.now - delivery.at >= self.options.idle

    def drop(self, entry_id: int) -> None:
        """An entry that is pending was deleted: it is pending no more."""
        before = self.group.memory
        self.group.settle(entry_id)
        resize(self.db, self.value, self.group.memory - before)

    def take(self, entry_id: int, delivery: Delivery | None, body: Body) -> Any:
        """Give an entry to the consumer, whoever had it; as replies have it."""
        consumer = self.consumer
        consumer.active = self.now
        options = self.options
        if delivery is None:
            before = self.group.memory
            delivery = Delivery(consumer.name, self.at, 1)
            self.group.add(delivery, entry_id)
            resize(self.db, self.value, self.group.memory - before)
        else:
            self.group.hand_over(delivery, entry_id, consumer)
            delivery.at = self.at
        if options.times >= 0:
            delivery.times = options.times
        elif not options.just_ids:
            delivery.times += 1
        self.db.shard.dirty += 1
        return show(entry_id) if options.just_ids else [show(entry_id), body]


def _parse_xclaim(args: Args) -> tuple[list[int], Claim]:
    idle = parse_int(args[4])
    if idle is None:
        raise ReplyError("STREAM_IDLE", b"XCLAIM")
    claim = Claim(max(idle, 0))
    ids: list[int] = []
    at = 5
    while at < len(args):
        try:
            ids.append(parse_id(args[at]))
        except ReplyError:
            break
        at += 1
    while at < len(args):
        at = _claim_option(args, at, claim)
    return ids, claim


def _claim_option(args: Args, at: int, claim: Claim) -> int:
    """One option of XCLAIM; where the next one stands."""
    word = args[at].upper()
    if word == b"FORCE":
        claim.force = True
        return at + 1
    if word == b"JUSTID":
        claim.just_ids = True
        return at + 1
    if at + 1 == len(args) or word not in (b"IDLE", b"TIME", b"RETRYCOUNT", b"LASTID"):
        raise ReplyError("STREAM_CLAIM_OPTION", args[at])
    if word == b"LASTID":
        claim.last_id = parse_id(args[at + 1])
        return at + 2
    number = parse_int(args[at + 1])
    if number is None:
        raise ReplyError("STREAM_CLAIM_VALUE", word)
    if word == b"RETRYCOUNT":
        claim.times = number
    else:
        claim.at, claim.ago = (number, None) if word == b"TIME" else (None, number)
    return at + 2


# XAUTOCLAIM.


def cmd_xautoclaim(session: Session, args: Args) -> tuple[bytes, bytes, bytes, Claim, int, int]:
    """Parse XAUTOCLAIM: (key, group, consumer, options, where to start, how many)."""
    idle = parse_int(args[4])
    if idle is None:
        raise ReplyError("STREAM_IDLE", b"XAUTOCLAIM")
    claim = Claim(max(idle, 0))
    start = parse_start(args[5])
    count = USUAL_COUNT
    at = 6
    while at < len(args):
        word = args[at].upper()
        if word == b"COUNT" and at + 1 < len(args):
            number = parse_int(args[at + 1])
            if number is None or not 1 <= number <= MOST_COUNT:
                raise ReplyError("STREAM_AUTOCLAIM_COUNT")
            count = number
            at += 2
        elif word == b"JUSTID":
            claim.just_ids = True
            at += 1
        else:
            raise ReplyError("SYNTAX")
    return args[1], args[2], args[3], claim, start, count


def op_xautoclaim(db: Keyspace, payload: tuple[bytes, bytes, bytes, Claim, int, int], h: int) -> list[Any]:
    """Claim what has been pending for long: [where to go on, claimed, deleted]. O(entries looked at).

    Raises:
        ReplyError NOGROUP.
    """
    key, group_name, name, claim, start, count = payload
    value = held(db, key, h)
    group = group_of(value, group_name)
    if value is None or group is None:
        raise ReplyError("NOGROUP", key, group_name)
    claimer = _Claimer(db, key, value, group, name, claim)
    claimed: list[Any] = []
    deleted: list[bytes] = []
    ids = group.pending.span(start, LAST_ID, count * ATTEMPTS + 1)
    looked_at = 0
    for entry_id in ids[: count * ATTEMPTS]:
        if len(claimed) + len(deleted) == count:
            break
        looked_at += 1
        delivery = group.pending.entries[entry_id]
        body = value.get(entry_id)
        if body is None:
            claimer.drop(entry_id)
            deleted.append(show(entry_id))
        elif claimer.is_idle(delivery):
            claimed.append(claimer.take(entry_id, delivery, body))
    return [show(ids[looked_at] if looked_at < len(ids) else 0), claimed, deleted]


TABLE: tuple[Row, ...] = (
    single(
        "XCLAIM",
        -6,
        "write fast",
        op=op_xclaim,
        key_flags="RW UPDATE",
        acl="@write @stream @fast",
        since="5.0.0",
        group="stream",
        syntax=(
            "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] "
            "[RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]"
        ),
        summary="Gives pending entries to another consumer.",
        complexity="O(log(N)) for each id, where N is the number of entries",
        tips="nondeterministic_output",
    ),
    single(
        "XAUTOCLAIM",
        -6,
        "write fast",
        cmd=cmd_xautoclaim,
        op=op_xautoclaim,
        key_flags="RW ACCESS DELETE",
        acl="@write @stream @fast",
        since="6.2.0",
        group="stream",
        syntax="key group consumer min-idle-time start [COUNT count] [JUSTID]",
        summary="Gives entries that have been pending for long to another consumer.",
        complexity="O(N) where N is the count",
        tips="nondeterministic_output",
    ),
)
