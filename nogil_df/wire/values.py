"""Reply values that plain Python types cannot tell apart.

A command returns Python values, and ``nogil_df.wire.reply`` says how each type is written in RESP2 and
RESP3.  The types here are for the rest: a status is not a bulk string, a push is not an array.

:data:`OK` and its like are classes, not instances: what they stand for is returned millions of times by
every thread, and on free-threaded CPython an instance that threads share is slowed down by its reference
count, a class is not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final


class Constant(type):
    """The type of the constants: each is a class with its two encodings."""

    resp2: bytes
    resp3: bytes


class Ok(metaclass=Constant):
    """``+OK``."""

    resp2 = resp3 = b"+OK\r\n"


class Queued(metaclass=Constant):
    """``+QUEUED``: the answer to a command inside MULTI."""

    resp2 = resp3 = b"+QUEUED\r\n"


class Pong(metaclass=Constant):
    """``+PONG``."""

    resp2 = resp3 = b"+PONG\r\n"


class NullArray(metaclass=Constant):
    """The null that RESP2 writes as an array: EXEC that did not run, a blocking pop that timed out."""

    resp2 = b"*-1\r\n"
    resp3 = b"_\r\n"


class NoReply(metaclass=Constant):
    """Nothing at all: the command has answered already, or never will."""

    resp2 = resp3 = b""


OK: Final = Ok
QUEUED: Final = Queued
PONG: Final = Pong
NULL_ARRAY: Final = NullArray
NO_REPLY: Final = NoReply
CONSTANTS: Final[tuple[Constant, ...]] = (Ok, Queued, Pong, NullArray, NoReply)


class Simple:
    """A status: one line, ``+text``.  Line breaks in it are written as spaces."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text


class Verbatim:
    """Text with its format, three letters: ``txt`` or ``mkd``.  RESP2 knows no formats: a bulk string."""

    __slots__ = ("format", "text")

    def __init__(self, format: bytes, text: bytes) -> None:
        self.format = format
        self.text = text


class BigNumber:
    """An integer of any size.  RESP2 has none beyond 64 bits: a bulk string."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Push:
    """An out-of-band message; for RESP2 an array."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[object]) -> None:
        self.items = items


class Pairs:
    """A map given as pairs: for keys that cannot be hashed, or that may repeat.  RESP2: a flat array."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[tuple[object, object]]) -> None:
        self.items = items


class Rows:
    """Pairs that RESP3 shows as arrays of two; RESP2: a flat array."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[tuple[object, object]]) -> None:
        self.items = items


class Members:
    """A set given as a sequence: for members that cannot be hashed, or whose order says something."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[object]) -> None:
        self.items = items


class Raw:
    """A reply that is encoded already, for the protocol of the client that gets it."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Chunks:
    """A long list, or `Rows`, in parts of a bounded size; who consumes it part by part frees it so, too.

    Attributes:
        parts: what it consists of, each of the type that the whole would have.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: deque[Any]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        """Elements of all parts. O(parts)."""
        return sum(len(part.items) if part.__class__ is Rows else len(part) for part in self.parts)

    def whole(self) -> Any:
        """All parts as one; an empty list if there is none. O(elements)."""
        if self.parts and self.parts[0].__class__ is Rows:
            return Rows([pair for part in self.parts for pair in part.items])
        return [element for part in self.parts for element in part]
