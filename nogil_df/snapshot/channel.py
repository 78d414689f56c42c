"""Blobs on their way from one shard to the thread that writes.

A deque, and two counts of bytes of which each side writes one, so that neither waits for the other. The shard
stops its slices while more than `ROOM` bytes wait. What a command forces out of it, because it is about to
change a record, can't wait for a better moment; past a limit the shard holds the command up, the longer the
farther the writer is behind, so that a slow disk slows the writes down and does not fill the memory. It does
so for `LONGEST_WAIT` at a time at most: the writer may be waiting for another shard, and that one for ours.
The limit is a share of what the shard holds, as the memory of a save is measured by that.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

ROOM: Final = 2 << 20
"""Bytes that may wait before a shard pauses its slices."""

LIMIT: Final = 8 << 20
"""Bytes that may wait before a shard holds up commands, at least."""

SHARE: Final = 32
"""If the shard holds so many times more, that is its limit: three hundredths of its memory."""

MOST: Final = 24 << 20
"""Bytes past the limit from which a command is held up for `LONGEST_WAIT`."""

LONGEST_WAIT: Final = 0.05
"""Seconds."""

WHOLE, PART, STRINGS = range(3)
"""What a blob is: a run of records; a part of one, which the next blob of this shard has to follow at once; a
run of strings of which none is compressed yet."""

Piece = tuple[bytes | bytearray, int]
"""A blob, and what it is."""


class Channel:
    """From one shard to the writer.

    Args:
        bell: rung when there is something to take; None where nobody sleeps (the simulation).

    Attributes:
        closed: nothing more will come. Set by the shard.
        broken: why the shard could not go on; "" if it could. Set by the shard.
        cancelled: nobody wants what comes. Set by the writer.
        given, taken: bytes, so far.
        keys: records that the shard has written down. For whoever wants to know.
        is_busy: the shard has other work (`nogil_df.snapshot.pace`). Set by the shard.
    """

    __slots__ = (
        "_bell",
        "_limit",
        "_pieces",
        "_room",
        "broken",
        "cancelled",
        "closed",
        "given",
        "is_busy",
        "keys",
        "taken",
    )

    def __init__(self, bell: threading.Event | None = None) -> None:
        self._bell = bell
        self._room = threading.Event() if bell is not None else None
        self._limit = LIMIT
        self._pieces: deque[Piece] = deque()
        self.closed = False
        self.broken = ""
        self.cancelled = False
        self.given = 0
        self.taken = 0
        self.keys = 0
        self.is_busy = False

    # The shard's side.

    def begin(self, used: int) -> None:
        """The shard holds so many bytes at the cut."""
        self._limit = max(LIMIT, used // SHARE)

    @property
    def is_full(self) -> bool:
        """Whether slices should pause."""
        return self._bell is not None and self.given - self.taken > ROOM

    def give(self, blob: bytes | bytearray, kind: int = WHOLE) -> None:
        """Hand a blob over. O(1), unless the writer is far behind.

        Args:
            kind: WHOLE, PART or STRINGS.
        """
        if self.cancelled:
            return
        self._pieces.append((blob, kind))
        self.given += len(blob)
        if self._bell is not None:
            self._bell.set()

    def hold_up(self) -> None:
        """Wait, for a moment at most, if the writer is far behind."""
        room = self._room
        over = self.given - self.taken - self._limit
        if room is None or over <= 0 or self.cancelled:
            return
        room.clear()
        if self.given - self.taken > self._limit:
            room.wait(LONGEST_WAIT * min(over / MOST, 1.0))

    def close(self) -> None:
        """Nothing more will come."""
        self.closed = True
        if self._bell is not None:
            self._bell.set()

    def break_off(self, reason: str) -> None:
        """Something is wrong here: nothing more will come, and what came is not all."""
        self.broken = reason
        self.close()

    # The writer's side.

    def take(self) -> Piece | None:
        """The next blob, None if there is none now. O(1)."""
        if not self._pieces:
            return None
        return self._pieces.popleft()

    def wrote(self, size: int) -> None:
        """So many bytes are dealt with."""
        self.taken += size
        if self._room is not None and self.given - self.taken <= self._limit and not self._room.is_set():
            self._room.set()

    @property
    def is_done(self) -> bool:
        """Whether it is closed and everything was taken."""
        return self.closed and not self._pieces

    def cancel(self) -> None:
        """Nobody wants what comes: let the shard go."""
        self.cancelled = True
        if self._room is not None:
            self._room.set()
        self._pieces.clear()
