"""Memcached's text protocol: bytes in, commands out, no sockets.

A request is a line of words, and for the commands that store something a block of data after it, whose length
the line tells. Out come commands as lists of byte strings, name first and key second, as everything above
expects them:

    get a b                        [b"get", b"a", b"b"]
    set a 1 60 5 noreply + hello   [b"set", b"a", b"hello", b"1", b"60", b"", b"noreply"]
    ms a 5 T60 + hello             [b"ms", b"a", b"hello", b"T60"]

The line of a command that stores is checked here, because where the next command begins depends on it. What
is wrong with it becomes a command of its own, ``REFUSE``, whose reply is the error: so it takes its place
among the replies. The other commands check their words themselves.

The class has the face of `nogil_df.wire.request.RequestParser`; a connection does not know which it has.

Invariants: commands come out in the order they came in; no byte of a block of data is looked at twice; of a
block that is too big nothing is kept.
"""

from __future__ import annotations

import binascii
from io import BytesIO
from typing import Final

MAX_KEY: Final = 250
MAX_LINE: Final = 2048  # bytes without a line end, unless it is a "get" of many keys
MAX_LEADING: Final = 100  # blanks before that "get"
MAX_GETS: Final = 4 << 20  # bytes of such a "get" without a line end; memcached takes all there is memory for
ITEM_OVERHEAD: Final = 59  # what memcached 1.6 adds to key and data to tell whether an item is too large
MAX_LENGTH: Final = 2**31 - 3
MAX_META_WORDS: Final = 19
UNAUTHENTICATED_DATA: Final = 2048

REFUSE: Final = b"refuse"
"""The command that answers its second argument; a third says whose name it was, for the statistics."""
TOO_LARGE: Final = b"too-large"
"""The command that takes the place of one whose data is too big: key, name, whether to be silent."""
LOG_IN: Final = b"log-in"
"""What the first "set" of a client that has to log in becomes: its data."""

_BAD_LINE: Final = b"CLIENT_ERROR bad command line format"
_BAD_DATA: Final = b"CLIENT_ERROR bad data chunk"
_NO_BINARY: Final = b"ERROR the binary protocol is not spoken here"
_BINARY: Final = 0x80  # what every request of the binary protocol begins with
_UNKNOWN: Final = b"?"
_HTTP: Final = frozenset((b"POST", b"HOST:"))
_STORES: Final = {b"set": 5, b"add": 5, b"replace": 5, b"append": 5, b"prepend": 5, b"cas": 6}
_META: Final = frozenset((b"mg", b"ms", b"md", b"ma", b"me"))
_GETS: Final = (b"get ", b"gets ")


def parse_uint(word: bytes, bits: int = 64) -> int | None:
    """An unsigned number of so many bits as memcached reads it, None if it is none. O(length)."""
    digits = word[1:] if word[:1] == b"+" else word
    if not digits.isdigit() or len(digits) > 20:
        return None
    number = int(digits)
    return number if number >> bits == 0 else None


def parse_int32(word: bytes) -> int | None:
    """A signed number of 32 bits as memcached reads it, None if it is none. O(length)."""
    negative = word[:1] == b"-"
    number = parse_uint(word[1:] if negative else word, 32)
    if number is None or (negative and word[1:2] == b"+"):
        return None
    number = -number if negative else number
    return number if -(1 << 31) <= number < 1 << 31 else None


class MemcachedEngine:
    """What the parsers of one thread share.

    Attributes:
        max_item: bytes of the largest item, counted as memcached counts them; may change at any time.
    """

    __slots__ = ("max_bulk", "max_item")

    def __init__(self, max_item: int) -> None:
        self.max_item = max_item

    def parser(self, authenticated: bool = True) -> MemcachedParser:
        """A parser for a new connection of this thread."""
        return MemcachedParser(self, authenticated)


class MemcachedParser:
    """The requests of one connection; for the attributes see `RequestParser`."""

    __slots__ = (
        "_buf",
        "_command",
        "_held",
        "_missing",
        "_pos",
        "_scanned",
        "_skip",
        "_stream",
        "authenticated",
        "engine",
        "error",
        "idle",
    )

    def __init__(self, engine: MemcachedEngine, authenticated: bool = True) -> None:
        self.engine = engine
        self.authenticated = authenticated
        self.error: bytes | None = None
        self.idle = True
        self._buf = b""  # what is not parsed begins at _pos
        self._pos = 0
        self._scanned = 0  # up to here _buf holds no line end
        self._command: list[bytes] | None = None  # whose data is still to come
        self._missing = 0  # bytes that its data and their CRLF still lack
        self._held = 0  # bytes of its line and its data that have left _buf
        self._stream: BytesIO | None = None
        self._skip = 0  # bytes of data to be thrown away

    @property
    def pending(self) -> int:
        """Bytes received of commands that have not been handed out."""
        return len(self._buf) - self._pos + self._held

    def read(self, data: bytes, max_commands: int) -> list[list[bytes]]:
        """``feed`` and ``next_batch`` in one call."""
        self.feed(data)
        return self.next_batch(max_commands)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection. O(1) when all before was parsed, which is usual."""
        if self.error is not None:
            return
        if self._buf:
            pos = self._pos
            self._buf = self._buf[pos:] + data
            self._scanned = max(self._scanned - pos, 0)
        else:
            self._buf = data
            self._scanned = 0
        self._pos = 0

    def next_batch(self, max_commands: int) -> list[list[bytes]]:
        """Up to ``max_commands`` complete commands. O(bytes of the commands)."""
        out: list[list[bytes]] = []
        most = max_commands if self.authenticated else 1
        buf = self._buf
        while len(out) < most and self.error is None and self._pos < len(buf):
            if self._skip:
                self._throw_away()
                continue
            if self._command is not None:
                if not self._fill(out):
                    break
                continue
            pos = self._pos
            line_end = buf.find(b"\n", max(pos, self._scanned))
            if line_end < 0:
                self._scanned = len(buf)
                self._look_at_incomplete_line()
                break
            line = buf[pos : line_end - 1 if buf[line_end - 1] == 13 and line_end > pos else line_end]
            self._pos = line_end + 1
            self._take_line(line, out)
        if self._pos >= len(buf):
            self._buf = b""
            self._pos = self._scanned = 0
        self.idle = not self._buf and self._command is None and not self._skip and self.error is None
        return out

    def _take_line(self, line: bytes, out: list[list[bytes]]) -> None:
        """A line: a command, or the beginning of one that has data."""
        if 0 in line:
            line = line[: line.index(0)]
        words = line.split(b" ")
        if b"" in words:
            words = [word for word in words if word]
        if not words:
            out.append([_UNKNOWN])
            return
        name = words[0]
        if not self.authenticated:
            self._take_login(words, out)
        elif name in _STORES:
            self._take_store(words, out)
        elif name in _META:
            self._take_meta(words, out)
        elif name[0] == _BINARY:
            self._stop(_NO_BINARY)
        elif not name.islower():
            # Names are in lower case here. A browser that was led to this port is known by these words.
            out.append([name] if name.upper() in _HTTP else [_UNKNOWN])
        elif len(line) > MAX_KEY and name[:2] != b"st" and any(len(word) > MAX_KEY for word in words[1:]):
            out.append([REFUSE, _BAD_LINE])
        else:
            out.append(words)

    def _take_store(self, words: list[bytes], out: list[list[bytes]]) -> None:
        name = words[0]
        wanted = _STORES[name]
        given = len(words)
        if given != wanted and given != wanted + 1:
            out.append([_UNKNOWN])
            return
        quiet = words[-1] if words[-1] == b"noreply" else b""
        key, flags, expires, size = words[1:5]
        length = int(size) if len(size) < 10 and size.isdigit() else parse_int32(size)
        cas = words[5] if name == b"cas" else b""
        wrong = (
            len(key) > MAX_KEY
            or length is None
            or not 0 <= length <= MAX_LENGTH
            or (flags != b"0" and parse_uint(flags, 32) is None)
            or (expires != b"0" and parse_int32(expires) is None)
            or (cas != b"" and parse_uint(cas) is None)
        )
        if wrong or length is None:
            out.append([REFUSE, b"" if quiet else _BAD_LINE])
            return
        self._expect([name, key, b"", flags, expires, cas, quiet], length, flags != b"0", out)

    def _expect(self, command: list[bytes], length: int, flagged: bool, out: list[list[bytes]]) -> None:
        """The command needs data: wait for them, or throw them away if they are too big."""
        size = ITEM_OVERHEAD + len(command[1]) + length + (4 if flagged else 0)
        if size > self.engine.max_item:
            quiet = command[-1] if command[0] in _STORES else b""
            out.append([TOO_LARGE, command[1], command[0], quiet])
            self._skip = length + 2
            return
        begin = self._pos
        end = begin + length
        buf = self._buf
        if buf[end : end + 2] == b"\r\n":
            # All of it is here, as it mostly is.
            command[2] = buf[begin:end]
            out.append(command)
            self._pos = self._scanned = end + 2
            return
        self._command = command
        self._missing = length + 2
        self._held = 0

    def _fill(self, out: list[list[bytes]]) -> bool:
        """Take what has come of the data that the command needs. Whether it is complete."""
        buf = self._buf
        pos = self._pos
        missing = self._missing
        there = len(buf) - pos
        if there < missing:
            if self._stream is None:
                self._stream = BytesIO()
            self._stream.write(buf[pos:])
            self._missing -= there
            self._held += there
            self._pos = len(buf)
            return False
        if self._stream is None:
            data = buf[pos : pos + missing - 2]
            ending = buf[pos + missing - 2 : pos + missing]
        else:
            self._stream.write(buf[pos : pos + missing])
            whole = self._stream.getvalue()
            data, ending = whole[:-2], whole[-2:]
            self._stream = None
        self._pos = self._scanned = pos + missing
        command = self._command
        assert command is not None
        self._command = None
        self._held = 0
        if ending != b"\r\n":
            quiet = command[0] in _STORES and command[-1] == b"noreply"
            out.append([REFUSE, b"" if quiet else _BAD_DATA])
        elif command[0] == LOG_IN:
            out.append([LOG_IN, data])
        else:
            command[2] = data
            out.append(command)
        return True

    def _throw_away(self) -> None:
        there = len(self._buf) - self._pos
        gone = min(there, self._skip)
        self._skip -= gone
        self._pos += gone
        self._scanned = self._pos

    def _look_at_incomplete_line(self) -> None:
        """A line without an end: only a "get" of many keys may be long, and none of a stranger."""
        length = len(self._buf) - self._pos
        if self._buf[self._pos] == _BINARY:
            self._stop(_NO_BINARY)
        elif length > MAX_LINE and not (self.authenticated and length <= MAX_GETS and self._is_get()):
            # As memcached: the connection ends without a word.
            self._stop(b"")

    def _is_get(self) -> bool:
        """Whether the line begins like a "get" of many keys. O(1)."""
        begin = self._buf[self._pos : self._pos + MAX_LEADING + 8]
        words = begin.lstrip(b" ")
        return len(begin) - len(words) <= MAX_LEADING and words.startswith(_GETS)

    def _stop(self, error: bytes) -> None:
        """Read nothing more."""
        self.error = error
        self._buf = b""
        self._pos = 0

    def _take_meta(self, words: list[bytes], out: list[list[bytes]]) -> None:
        """A meta command: the key in clear, for it decides where the command runs; its flags as they came."""
        name = words[0]
        storing = name == b"ms"
        if len(words) < 2:
            out.append([_UNKNOWN] if name != b"me" else [REFUSE, _BAD_LINE])
            return
        if len(words[1]) > MAX_KEY or (storing and len(words) < 3):
            out.append([REFUSE, _BAD_LINE])
            return
        if len(words) + 1 > MAX_META_WORDS + 1:
            kind = b"are too long" if name == b"mg" else b"too long"
            out.append([REFUSE, b"CLIENT_ERROR options flags " + kind])
            return
        key = words[1]
        flags = words[3:] if storing else words[2:]
        length = 0
        if storing:
            number = parse_int32(words[2])
            if number is None or not 0 <= number <= MAX_LENGTH:
                out.append([REFUSE, _BAD_LINE])
                return
            length = number
        if b"b" in flags:
            try:
                key = binascii.a2b_base64(key, strict_mode=True)
            except binascii.Error:
                key = b""
            if not key:
                out.append([REFUSE, b"CLIENT_ERROR error decoding key" if name != b"me" else _BAD_LINE])
                self._skip = length + 2 if storing else 0
                return
        if storing:
            self._expect([name, key, b"", *flags], length, any(word[:1] == b"F" for word in flags), out)
        else:
            out.append([name, key, *flags])

    def _take_login(self, words: list[bytes], out: list[list[bytes]]) -> None:
        """Before the login only ``set <any> 0 0 <length>`` means anything: its data are user and password."""
        if words[0] == b"quit":
            out.append(words)
            return
        length = parse_uint(words[4], 31) if len(words) >= 5 and words[0] == b"set" else None
        if length is None or length > UNAUTHENTICATED_DATA:
            out.append([REFUSE, b"CLIENT_ERROR unauthenticated"])
            return
        self._command = [LOG_IN, b"", b""]
        self._missing = length + 2
        self._held = 0
