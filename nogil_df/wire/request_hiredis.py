"""The quick twin of ``nogil_df.wire.request``: the same requests, most of them read by hiredis's C parser.

hiredis reads replies, not requests.  It takes what Redis refuses (an argument may be any RESP type), knows
no inline commands and no limits, and makes room for as many elements as a header claims.  So it only sees
stretches of whole, small multibulk commands that cannot mean anything else, and the strict parser reads all
the rest:

* A command that comes alone is read by hiredis and packed again: the bytes must be those that came.
* A longer stretch must not hold a byte that begins a type which hiredis would hand out as bytes, or make
  room for. That is asked of the bytes, not of the structure (hiredis, like Redis, does not look whether a
  CRLF follows an argument, so that a type can begin anywhere): a value may hold them, too.  Then it is
  taken apart by lines (`nogil_df.wire.request_lines`); if that does not work out, as in a value with line
  breaks, the commands are packed again and compared, or left to the strict parser, which is slower and
  never wrong.
* After every stretch comes a mark, the integer 0, which must come out of hiredis right behind it: the proof
  that the stretch ended with a command.  The reader of a thread is thus always between two commands when it
  is idle, and all connections of the thread share it.

Importing this module imports hiredis, which turns the GIL on unless the interpreter was told otherwise
(``-X gil=0``).
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import hiredis

from nogil_df.wire.request import MAX_ARGS, MAX_BULK, RequestEngine, RequestParser
from nogil_df.wire.request_lines import LineReader

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_ALONE: Final = (
    4096  # bytes of a command worth packing again; above, copies cost more than strict parsing
)
_MAX_STRETCH: Final = 64 * 1024
_FIRST_COMMAND: Final = 8192  # a stretch whose first command is longer is left to the strict parser
_MARK: Final = b":0\r\n"
# A '*' that does not begin a count which hiredis can well make room for.
_ODD_STAR: Final = re.compile(rb"\*(?![1-9]\d{0,3}\r\n)").search
# The types for whose elements hiredis makes room before they come, with a count to fear.
_HUGE_COUNT: Final = re.compile(rb"[*~>|]\d{5}").search


class _NotEnough:
    """Stands for "no whole reply there".  A class: free-threaded Python does not count references to it."""


class HiredisEngine(RequestEngine):
    """The engine of one thread: its hiredis reader, too."""

    __slots__ = ("feed", "gets", "lines", "pack")

    feed: Callable[[bytes], None]
    gets: Callable[[], Any]
    pack: Callable[..., Any]

    def __init__(self, max_bulk: int = MAX_BULK, max_args: int = MAX_ARGS) -> None:
        super().__init__(max_bulk, max_args)
        self.pack = hiredis.pack_command
        self.lines = LineReader()
        self.reset()

    def parser(self, authenticated: bool = True) -> HiredisParser:
        """A parser for a new connection of this thread."""
        return HiredisParser(self, authenticated)

    def reset(self) -> None:
        """Start with a new reader, after one was left in the middle of something."""
        reader = hiredis.Reader(notEnoughData=_NotEnough)
        self.feed = reader.feed
        self.gets = reader.gets

    def take(self, stretch: bytes) -> list[list[bytes]] | None:
        """The replies that ``stretch`` consists of; None if it is no whole number of them, or malformed."""
        try:
            self.feed(stretch)
            self.feed(_MARK)
            replies = list(iter(self.gets, _NotEnough))
        except (hiredis.HiredisError, TypeError):  # TypeError: a set inside a set
            replies = []
        if not replies or replies.pop() != 0:
            self.reset()
            return None
        return replies


class HiredisParser(RequestParser):
    """The requests of one connection; see :class:`RequestParser`."""

    __slots__ = ("_ready", "_ready_at", "_ready_bytes", "_refused")

    engine: HiredisEngine

    def __init__(self, engine: HiredisEngine, authenticated: bool = True) -> None:
        super().__init__(engine, authenticated)
        self.idle = True  # nothing buffered, nothing incomplete, no error
        self._refused = False  # what is in the buffer is for the strict parser
        self._ready: list[list[bytes]] = []  # parsed, and from _ready_at on not handed out
        self._ready_at = 0
        self._ready_bytes = 0

    @property
    def pending(self) -> int:
        """Bytes received of commands that were not handed out, rounded up to what was parsed at once."""
        return len(self._buf) - self._pos + self._held + self._ready_bytes

    def read(self, data: bytes, max_commands: int) -> list[list[bytes]]:
        """``feed`` and ``next_batch`` in one call: quicker if ``data`` is whole commands and none wait."""
        if self.idle and self.authenticated and data.startswith(b"*"):
            size = len(data)
            if size <= _MAX_ALONE and data[2:4] == b"\r\n" and data.find(b"\r\n*") < 0:
                command = self._read_alone(data)
                if command is not None:
                    return [command]
            elif size <= _FIRST_COMMAND or (
                size <= _MAX_STRETCH and data.find(b"\r\n*", 0, _FIRST_COMMAND) >= 0
            ):
                commands = self._take_checked(data) if data.endswith(b"\r\n") else None
                if commands is not None:
                    if len(commands) <= max_commands:
                        return commands
                    self._ready = commands
                    self._ready_bytes = size
                    return self.next_batch(max_commands)
        self.feed(data)
        return self.next_batch(max_commands)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        super().feed(data)
        self._refused = self.idle = False

    def _read_alone(self, data: bytes) -> list[bytes] | None:
        """The command that ``data`` is, if it is one of up to nine arguments, written as Redis wants it."""
        if (
            0x7E in data  # ~: integers, because b"~" in x costs ten times as much as 126 in x
            or 0x3E in data  # >
            or 0x7C in data  # |
            or data.find(b"*", 1) >= 0
        ):
            command: Any = self.engine.lines.command(data)
            if command is not None or _HUGE_COUNT(data):
                return command  # type: ignore[no-any-return]
        engine = self.engine
        engine.feed(data)
        try:
            command = engine.gets()
            if command.__class__ is list and engine.pack((*command,)) == data and command:
                return command
        except (hiredis.HiredisError, TypeError):
            pass
        engine.reset()
        return None

    def next_batch(self, max_commands: int) -> list[list[bytes]]:
        """Up to ``max_commands`` complete commands; see :meth:`RequestParser.next_batch`."""
        if not self.authenticated and not self._ready:
            max_commands = 1
        out: list[list[bytes]] = []
        while len(out) < max_commands:
            if self._ready:
                self._hand_out(out, max_commands - len(out))
            elif self._left == 0 and self.authenticated and not self._refused and self._read_stretch():
                continue
            else:
                before = len(out)
                # One command, when it is what keeps hiredis from the rest of the buffer.
                self._parse(out, max_commands if self._refused else before + 1)
                if len(out) == before:
                    break
        self.idle = not self._ready and not self._buf and not self._left and self.error is None
        return out

    def _hand_out(self, out: list[list[bytes]], room: int) -> None:
        """Move up to ``room`` commands from ``_ready`` to ``out``."""
        start = self._ready_at
        ready = self._ready
        if start == 0 and len(ready) <= room:
            out += ready
        else:
            out += ready[start : start + room]
            self._ready_at = start + room
            if self._ready_at < len(ready):
                return
        self._ready = []
        self._ready_at = self._ready_bytes = 0

    def _read_stretch(self) -> bool:
        """Let hiredis read the whole commands that come next; False if the strict parser has to read on."""
        buf = self._buf
        pos = self._pos
        if pos >= len(buf) or buf[pos] != 0x2A:
            return False
        if len(buf) - pos > _FIRST_COMMAND and buf.find(b"\r\n*", pos, pos + _FIRST_COMMAND) < 0:
            return False
        window = buf[pos : pos + _MAX_STRETCH]
        cut = len(window)
        last = window.rfind(b"\r\n*") + 2
        if not window.endswith(b"\r\n"):
            cut = last
        if cut < 2:
            return False
        commands = self._take_checked(window[:cut])
        if commands is None and 2 <= last < cut:
            cut = last
            commands = self._take_checked(window[:cut])
        if not commands:
            self._refused = True
            return False
        self._ready = commands
        self._ready_bytes = cut
        self._pos = pos + cut
        return True

    def _take_checked(self, stretch: bytes) -> list[list[bytes]] | None:
        """The commands of ``stretch``, if hiredis and Redis are sure to agree on them."""
        plain = not (
            0x2B in stretch  # +
            or 0x3D in stretch  # =
            or 0x28 in stretch  # (
            or 0x7E in stretch  # ~
            or 0x3E in stretch  # >
            or 0x7C in stretch  # |
            or 0x25 in stretch  # %
            or _ODD_STAR(stretch)
        )
        if not plain:
            commands = self.engine.lines.commands(stretch)
            if commands is not None or _HUGE_COUNT(stretch):
                return commands
        commands = self.engine.take(stretch)
        if commands is None:
            return None
        try:
            if plain:
                # Not one of them is null, a number, an error, or a nested array.
                good = {*map(type, chain.from_iterable(commands))} == {bytes} and all(commands)
            else:
                good = b"".join(map(self.engine.pack, map(tuple, commands))) == stretch and all(commands)
        except TypeError:
            return None
        return commands if good else None
