"""A string with what only Memcached knows of it: client flags, a cas unique, marks of the meta commands.

Most strings have none of that and stay plain `bytes` or `bytearray`, also those that a Memcached client
stored: flags 0 and "no cas unique was ever asked for" are what a plain value means, so records that need
nothing more pay nothing. A `Flagged` is a `bytearray`, so that whatever reads or changes strings in place
works on it as it is (and keeps its flags, as Memcached's append does), and a write that puts another value in
its place leaves nothing of it behind: there is no second table to keep in step.

A cas unique is given to a record when somebody first asks for it. A record without one has therefore changed
since any unique that a client may hold was given out, and `cas` fails, as it must.

Invariant: whoever changes the bytes in place sets ``cas`` and ``marks`` to 0 (`strings.in_place` does).
"""

from __future__ import annotations

from typing import Any

FETCHED, STALE, WON = 1, 2, 4
"""Marks: read since it was stored; marked stale; a client has been told to recache it."""


class Flagged(bytearray):
    """The bytes, and beside them:

    Attributes:
        flags: 32 bits that belong to the client.
        cas: the unique, 0 if nobody has asked for one since the last change.
        marks: FETCHED, STALE, WON.
    """

    __slots__ = ("cas", "flags", "marks")

    def __init__(self, data: bytes | bytearray, flags: int = 0, cas: int = 0, marks: int = 0) -> None:
        super().__init__(data)
        self.flags = flags
        self.cas = cas
        self.marks = marks

    def copy(self) -> Flagged:
        """The same bytes and flags, as a value of its own that has no cas unique yet. O(size)."""
        return Flagged(self, self.flags)


def flags_of(value: Any) -> int:
    """The client flags of a stored string. O(1)."""
    return value.flags if value.__class__ is Flagged else 0
