"""One shard's part of a snapshot: its cut, written down in slices.

Records come from two sides. `step`, called between turns, asks the tables for the next bucket; and a table
hands a bucket over by itself, through the same callback, when a command is about to change it. Either way
each record of the moment of the cut comes exactly once. All databases share one row of blobs.

What a command waits for is the second side, so as little as possible is done there. In compiled tables the
strings of a bucket are only copied (`_strings`), into blobs of their own, which the writer compresses.

A big value that `step` comes across is read where it lies, in the steps to come. The table is told that it
has not handed that record out yet (`hold_back`), so it does so once more before a command changes it; then
what is left of the value is taken at once.

The tables are those of the moment of the cut, whatever becomes of the databases: FLUSHALL puts them aside and
SWAPDB exchanges them, and the cut goes on with what it began with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.rdb_strings import write_length
from nogil_df.shard.table import PACKED
from nogil_df.snapshot.big_values import LONG, big_form, is_big, slices
from nogil_df.snapshot.channel import PART, STRINGS
from nogil_df.snapshot.records import every_age, write_database, write_head, write_record

try:
    from nogil_df.snapshot._strings import StringTaker
except ImportError:
    StringTaker = None  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from nogil_df.rdb.live import Made
    from nogil_df.shard.dash_segment import AgedRecord
    from nogil_df.shard.shard import Shard
    from nogil_df.snapshot.channel import Channel
    from nogil_df.snapshot.pace import Pace
    from nogil_df.snapshot.records import Style

BLOB: Final = 64 << 10
"""Bytes from which a blob is handed over."""

HELD: Final = 1 << 20
"""Bytes of other records that may gather while a big value is half written. From then on every bucket that a
command forces out takes twice as much of the big value with it, so that this comes to an end."""

MORE, STALLED, DONE = range(3)
"""What a step may find: there is more to do; there is, but the writer has to catch up; that was all."""


class BigRecord:
    """A big value on its way.

    Attributes:
        begun: what is made of it and not handed over yet.
        pieces: makes the rest.
    """

    __slots__ = ("begun", "database", "key", "pieces")

    def __init__(self, database: int, key: bytes, begun: bytearray, pieces: Made[bytes | bytearray]) -> None:
        self.database = database
        self.key = key
        self.begun = begun
        self.pieces = pieces


class ShardCut:
    """A shard's part of one snapshot.

    Args:
        shard: its thread is the one that uses this.
        number: of the snapshot; greater than those before.
        style: how records are written.
        channel: where the blobs go.
        pace: when it takes its slices; None for without a pause.
    """

    __slots__ = (
        "_big",
        "_channel",
        "_database",
        "_found",
        "_held",
        "_is_between",
        "_is_stepping",
        "_live",
        "_number",
        "_out",
        "_position",
        "_style",
        "_tables",
        "pace",
        "shard",
    )

    def __init__(
        self, shard: Shard, number: int, style: Style, channel: Channel, pace: Pace | None = None
    ) -> None:
        self.shard = shard
        self.pace = pace
        self._number = number
        self._style = style
        self._channel = channel
        self._out = bytearray()
        self._database = -1
        self._position = 0
        # Big values on their way, in the order in which they are written.
        self._big: deque[BigRecord] = deque()
        # Those of them that are read where they lie, by database and key; and, while `step` is in a table,
        # those that it has come across there.
        self._live: dict[tuple[int, bytes], BigRecord] = {}
        self._found: list[BigRecord] = []
        self._is_stepping = False
        # A part of the first of them has been handed over, and its end has not; and how many bytes of other
        # records waited for that when it was last pushed.
        self._is_between = False
        self._held = 0
        # Tables, and what takes their strings.
        self._tables: deque[tuple[Any, StringTaker | None]] = deque()
        ages = every_age(style)
        for db in shard.dbs:
            if len(db.table):
                taker = self._taker(db.index, ages)
                db.table.cut(number, partial(self._take, db.index) if taker is None else taker)
                self._tables.append((db.table, taker))

    def _taker(self, database: int, ages: list[bytes] | None) -> StringTaker | None:
        """What takes the buckets of a compiled table."""
        if not PACKED or StringTaker is None:
            return None
        return StringTaker(
            write_database(database),
            ages,
            BLOB,
            partial(self._take, database),
            self._on_strings,
            self._break_off,
        )

    def must_rest(self, now: int) -> bool:
        """Whether to rest before the step that is due, as others want the shard. O(1)."""
        pace = self.pace
        if pace is None:
            return False
        rests = pace.must_rest(now)
        self._channel.is_busy = pace.is_busy
        return rests

    def step(self, budget: int, stopwatch: Callable[[], int]) -> int:
        """Write down some more.

        Args:
            budget: nanoseconds to stop after; at least one bucket or piece is written.

        Returns:
            MORE, STALLED or DONE.
        """
        outcome = self._step(stopwatch() + budget, stopwatch)
        if self.pace is not None:
            self.pace.end(stopwatch())
        return outcome

    def _step(self, until: int, stopwatch: Callable[[], int]) -> int:
        channel = self._channel
        while True:
            if channel.cancelled or channel.broken:
                self.end()
                return DONE
            if channel.is_full:
                return STALLED
            if self._big:
                self._write_big()
            elif self._tables:
                table, taker = self._tables[0]
                self._is_stepping = True
                self._position = table.cut_step(self._number, self._position)
                self._is_stepping = False
                if self._found:
                    self._hold_back(table)
                if self._position < 0:
                    table.end_cut(self._number)
                    self._tables.popleft()
                    self._position = 0
                    if taker is not None:
                        self._finish(taker)
            else:
                self._hand_over()
                channel.close()
                return DONE
            if stopwatch() >= until:
                return MORE

    def end(self) -> None:
        """Give up what is not written yet. Idempotent."""
        while self._tables:
            self._tables.popleft()[0].end_cut(self._number)
        self._big.clear()
        self._live.clear()
        self._channel.close()

    def _take(self, database: int, records: list[AgedRecord]) -> None:
        """A bucket as it was when the cut began, or what is in it beside strings."""
        channel = self._channel
        if channel.cancelled or channel.broken:
            return
        try:
            self._write(database, records)
        except Exception as error:
            self._break_off(error)
            return
        if len(self._out) >= BLOB and self._may_hand_over(len(self._out)):
            self._hand_over()
            channel.hold_up()

    def _break_off(self, error: Exception) -> None:
        """A bug in the writing of a value must not be one in the command that is about to change it."""
        self._channel.break_off(f"{type(error).__name__}: {error}")

    def _write(self, database: int, records: list[AgedRecord]) -> None:
        out = self._out
        if database != self._database:
            out += write_database(database)
            self._database = database
        limits, style = self.shard.limits, self._style
        for record in records:
            if not is_big(record[1]):
                write_record(out, record, limits, style)
            elif (live := self._live.pop((database, record[0]), None)) is not None:
                live.pieces.settle()
                self._channel.keys -= 1
            else:
                self._put_aside(database, record)
        self._channel.keys += len(records)

    def _on_strings(self) -> None:
        """The blob of a taker is full."""
        for _, taker in self._tables:
            if taker is not None and len(taker) >= BLOB and self._may_hand_over(len(taker)):
                self._hand_over_strings(taker)
                self._channel.hold_up()

    def _hand_over_strings(self, taker: StringTaker) -> None:
        self._channel.keys += taker.take_count()
        self._channel.give(taker.hand_over(), STRINGS)

    def _finish(self, taker: StringTaker) -> None:
        """The cut of its table is at its end. No big value is half written: `step` writes these first."""
        if len(taker):
            self._hand_over_strings(taker)

    def _put_aside(self, database: int, record: AgedRecord) -> None:
        """A big value, to be written in the steps to come."""
        head = bytearray(write_database(database))
        write_head(head, record, self._style)
        key, value = record[:2]
        head.append(big_form(value, self._style))
        head += write_length(len(key))
        head += key
        big = BigRecord(database, key, head, slices(value, self._style))
        self._big.append(big)
        if self._is_stepping:
            self._found.append(big)
        else:
            big.pieces.settle()

    def _hold_back(self, table: Any) -> None:
        """Have the table tell once more of the big values that a step has just found, before they change."""
        for big in self._found:
            if table.hold_back(self._number, big.key, self.shard.hash_key(big.key)):
                self._live[big.database, big.key] = big
            else:
                big.pieces.settle()
        self._found.clear()

    def _write_big(self) -> int:
        """A piece of the big value that is next; its bytes. Nothing of this shard may come between two."""
        channel = self._channel
        big = self._big[0]
        piece = next(big.pieces, None)
        if piece is None:
            channel.give(big.begun)
            self._big.popleft()
            if self._live.pop((big.database, big.key), None) is not None:
                # Only of the table that the steps are in: they leave none behind.
                self._tables[0][0].let_go(self._number, big.key, self.shard.hash_key(big.key))
            self._is_between = False
            self._held = 0
            return 0
        if len(piece) >= LONG:
            self._give_part(big.begun)
            channel.give(piece, PART)
        else:
            big.begun += piece
            if len(big.begun) >= BLOB:
                self._give_part(big.begun)
        return len(piece)

    def _give_part(self, begun: bytearray) -> None:
        """Hand over what there is of a big value."""
        self._channel.give(bytes(begun), PART)
        begun.clear()
        self._is_between = True

    def _may_hand_over(self, held: int) -> bool:
        """Whether a blob of so many bytes may go now. While a big value is half written it may not."""
        if self._is_between and held > HELD:
            push = max(BLOB, 2 * (held - max(self._held, HELD)))
            self._held = held
            while push > 0 and self._is_between:
                push -= self._write_big()
        return not self._is_between

    def _hand_over(self) -> None:
        """Hand the blob over. Not while a big value is half written."""
        if self._out:
            self._channel.give(self._out)
            self._out = bytearray()
            self._database = -1
