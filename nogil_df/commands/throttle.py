"""CL.THROTTLE: a rate limit for each key, by the generic cell rate algorithm.

What is kept of a key is one moment: when it would be at rest if nothing more came (the "theoretical arrival
time"). A request moves it on by the time that one request is worth; it is refused if that would be further
from now than a whole burst is worth. So a limit takes one small string with a deadline, however high it is,
and nothing has to be done when time passes.

The moment is stored as a decimal string of microseconds since 1970, which SAVE, COPY, DUMP and MIGRATE carry
like any other string. Arguments and reply are those of the module redis-cell and of Dragonfly; seconds are
rounded up, so that who waits for as long as told is let in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.spec import Row, single

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

SECOND = 1_000_000
"""Microseconds, the unit of all times here."""

MOST = (1 << 63) - 1


class Limit(NamedTuple):
    """A request and the limit that it has to keep.

    Attributes:
        interval: what one request is worth, in microseconds.
        burst: requests that may come at once, from rest.
        quantity: how many this one counts as; 0 only asks.
    """

    key: bytes
    interval: int
    burst: int
    quantity: int


def cmd_throttle(session: Session, args: Args) -> Limit:
    """CL.THROTTLE key max_burst count period [quantity]: ``count`` requests in ``period`` seconds."""
    if len(args) > 6:
        raise ReplyError("SYNTAX")
    numbers = [parse_int(word) for word in args[2:]]
    if None in numbers:
        raise ReplyError("NOT_INTEGER")
    burst, count, period, *rest = (number or 0 for number in numbers)
    quantity = rest[0] if rest else 1
    if burst < 0 or count < 1 or period < 1 or quantity < 0:
        raise ReplyError("ERR", "rate limits are positive numbers")
    # Rounded up: a rate of more than a million a second is one of a million.
    interval = -(-period * SECOND // count)
    if interval * (burst + 1 + quantity) > MOST // 2:
        raise ReplyError("NOT_INTEGER")
    return Limit(args[1], interval, burst + 1, quantity)


def op_throttle(db: Keyspace, limit: Limit, h: int) -> list[int]:
    """Ask, and count the request if it keeps the limit. O(1).

    Returns:
        0 if it does and 1 if not; the burst; what is left of it; seconds until a request of this size would
        be let in, -1 if this one was; seconds until the key is at rest.
    """
    key, interval, burst, quantity = limit
    now = db.shard.tick.ms * 1000
    rest_at = max(now, _moment(db, key, h, now))
    tolerance = interval * burst
    next_at = rest_at + interval * quantity
    excess = next_at - tolerance - now
    if excess > 0:
        # A request that is greater than a burst is never let in.
        wait = _seconds(excess) if interval * quantity <= tolerance else -1
        return [1, burst, _left(tolerance, rest_at - now, interval), wait, _seconds(rest_at - now)]
    if quantity:
        db.put(key, h, b"%d" % next_at, -(-next_at // 1000))
        db.changed(key, events.STRING, b"set")
    return [0, burst, _left(tolerance, next_at - now, interval), -1, _seconds(next_at - now)]


def _moment(db: Keyspace, key: bytes, h: int, now: int) -> int:
    """When the key is at rest; ``now`` if nothing is known of it.

    Raises:
        ReplyError: the key holds something else.
    """
    value = db.string(key, h)
    if value is None:
        return now
    moment = parse_int(bytes(value))
    if moment is None:
        raise ReplyError("NOT_INTEGER")
    return moment


def _left(tolerance: int, used: int, interval: int) -> int:
    return max(0, (tolerance - used) // interval)


def _seconds(microseconds: int) -> int:
    return -(-microseconds // SECOND)


TABLE: tuple[Row, ...] = (
    single(
        "CL.THROTTLE",
        -5,
        "write denyoom fast",
        cmd=cmd_throttle,
        op=op_throttle,
        acl="@write @string @fast",
        since="1.0.0",
        group="string",
        syntax="key max_burst count_per_period period [quantity]",
        summary="Counts a request, or refuses it if there are more than a rate and a burst allow.",
        key_flags="RW ACCESS UPDATE",
    ),
)
