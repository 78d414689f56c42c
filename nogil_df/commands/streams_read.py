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
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.spec import Row, multi
from nogil_df.commands.streams import integer, read, shown
from nogil_df.commands.streams_ids import parse_id
from nogil_df.shard.streams import LAST_ID, StreamValue
from nogil_df.wire.values import NULL_ARRAY, Pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nogil_df.commands.context import Context, Steps
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

LONGEST_WAIT_MS: Final = (1 << 63) - 1


@dataclass(slots=True)
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
    """

    keys: list[bytes]
    after: list[int | ReplyError]
    count: int = 0
    wait: float | None = None
    group: bytes | None = None
    consumer: bytes = b""
    keep: bool = True


class _Parser:
    """Reads the options of XREAD and XREADGROUP."""

    __slots__ = ("args", "in_group", "reading")

    def __init__(self, args: Args) -> None:
        self.args = args
        self.in_group = len(args[0]) == len(b"XREADGROUP")
        self.reading = Reading([], [])

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
        raise ReplyError("SYNTAX")

    def _streams(self, first: int) -> None:
        rest = self.args[first:]
        if len(rest) % 2:
            name, example = ("xreadgroup", ">") if self.in_group else ("xread", "$")
            raise ReplyError("STREAM_UNBALANCED", name, example)
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
            return error.with_traceback(None)


def parse_milliseconds(text: bytes) -> float:
    """How long BLOCK waits, in seconds; 0 for ever.

    Raises:
        ReplyError: not an integer, negative, or out of range.
    """
    milliseconds = parse_int(text)
    if milliseconds is None:
        raise ReplyError("TIMEOUT_NOT_INTEGER")
    if milliseconds < 0:
        raise ReplyError("TIMEOUT_NEGATIVE")
    return milliseconds / 1000


def find_xread_keys(args: Sequence[bytes]) -> list[int]:
    """Where the keys of XREAD and XREADGROUP are: the first half of what follows STREAMS. O(keys).

    Raises:
        ReplyError: what the command would say of such arguments.
    """
    half = len(_Parser(list(args)).parse().keys)
    return list(range(len(args) - 2 * half, len(args) - half))


def cmd_xread(context: Context, args: Args) -> Steps:
    """XREAD: what is new in several streams; the null array if nothing is."""
    reading = _Parser(args).parse()
    return (yield from _read_now(context, reading))


def _read_now(context: Context, reading: Reading) -> Steps:
    """The first try of XREAD."""
    places = context.by_shard(reading.keys)
    found = yield from _hop(context, places, look, reading)
    entries = [(position, part) for parts in found.values() for position, part in parts.items() if part]
    if not entries:
        return NULL_ARRAY
    entries.sort(key=_position)
    return reply(context, [(reading.keys[position], shown(part)) for position, part in entries])


def _position(found: tuple[int, Any]) -> int:
    return found[0]


def _hop(context: Context, places: dict[int, Places], work: Any, reading: Reading) -> Steps:
    """Run work on every shard that has a key. Returns {shard: result}.

    Raises:
        ReplyError: of the first key that is wrong.
    """
    answers = yield from context.hop(
        {shard: (work, (context.db, keys, reading)) for shard, keys in places.items()}
    )
    wrong = [answer for answer in answers.values() if answer.__class__ is tuple]
    if wrong:
        raise min(wrong, key=_position)[1]
    return answers


def reply(context: Context, streams: list[tuple[bytes, Any]]) -> Any:
    """Streams and their entries: RESP3 has a map of them, RESP2 an array of pairs."""
    if context.session.proto == 3:
        return Pairs(streams)
    return [list(pair) for pair in streams]


def look(shard: Shard, argument: tuple[int, Places, Reading]) -> Any:
    """XREAD on one shard: {position: entries}, or (position, error) of the first key that is wrong."""
    index, keys, reading = argument
    db = shard.dbs[index]
    streams: list[tuple[int, StreamValue, int]] = []
    for position, key, h in keys:
        try:
            value = read(db, key, h)
        except ReplyError as error:
            return position, error.with_traceback(None)
        after = reading.after[position]
        if isinstance(after, ReplyError):
            return position, after
        if value is not None:
            streams.append((position, value, after))
    return {position: entries_after(value, after, reading.count) for position, value, after in streams}


def entries_after(value: StreamValue, after: int, count: int) -> Any:
    """Entries that follow an id, or what stands in place of one. O(log n + found)."""
    if after == FROM_NOW:
        return []
    if after == LAST_ONE:
        return value.span_back(LAST_ID, 0, 1)
    return value.span(after + 1, LAST_ID, count)


def _row(name: str, arity: int, flags: str, *, run: Any, syntax: str, **rest: Any) -> Row:
    """The row of a command that reads several streams."""
    return multi(
        name,
        arity,
        flags,
        run=run,
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
)
