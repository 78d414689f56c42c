"""RESP requests: bytes in, commands out, no sockets.

A request is a multibulk (``*2 CRLF $3 CRLF GET CRLF $1 CRLF k CRLF``) or an inline command (a line of
words). :class:`RequestParser` holds what one connection has sent and not yet run; :class:`RequestEngine`
holds what all the parsers of one thread share (limits, look-up tables), so that threads share no mutable or
counted object.

This is the reference: strict, in pure Python, byte for byte as Redis reads, accepts and refuses requests.
``nogil_df.wire.request_hiredis`` is its quick twin.  They are told apart by name in :func:`make_engine`,
because importing hiredis would turn the GIL on where the interpreter was not told to keep it off.

Invariants:

* Commands come out in the order and with the bytes they came in, however the stream was cut into pieces.
* No byte of an argument is looked at twice: an argument that is not complete streams into a buffer of its
  own, and the search for the end of a line goes on where it stopped.
* After an error nothing more is read: ``error`` is set once all commands before it have been handed out.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

from nogil_df.base.errors import ReplyError, text
from nogil_df.base.numbers import parse_int
from nogil_df.base.quoting import split_line

MAX_LINE: Final = 64 * 1024  # bytes of an inline command, or of the line of a count or a length
MAX_ARGS: Final = 2**31 - 1
LEAST_MAX_ARGS: Final = 16384  # below this a limit on arguments is not held: quicker parsers take that many
MAX_BULK: Final = 512 * 1024 * 1024  # the default of proto-max-bulk-len
UNAUTHENTICATED_ARGS: Final = 10
UNAUTHENTICATED_BULK: Final = 16384
_KNOWN_NUMBERS: Final = 1024  # counts and lengths below it are looked up instead of converted
_STAR: Final = 0x2A
_DOLLAR: Final = 0x24


class RequestEngine:
    """What the parsers of one thread share.  Make one a thread.

    Args:
        max_bulk: the longest argument accepted, in bytes (``proto-max-bulk-len``, 1 MB or more).
        max_args: the most arguments of a command (``max_multi_bulk_len``), at least LEAST_MAX_ARGS.

    Both may be changed at any time, by `limit`.
    """

    __slots__ = ("counts", "lengths", "max_args", "max_bulk")

    def __init__(self, max_bulk: int = MAX_BULK, max_args: int = MAX_ARGS) -> None:
        self.limit(max_bulk, max_args)
        # The runtime-made keys are this thread's own.
        self.counts = {b"*%d" % n: n for n in range(1, _KNOWN_NUMBERS)}
        self.lengths = {b"$%d" % n: n for n in range(_KNOWN_NUMBERS)}

    def limit(self, max_bulk: int, max_args: int) -> None:
        """Change the limits, of the connections that are there too. O(1)."""
        self.max_bulk = max_bulk
        self.max_args = max(max_args, LEAST_MAX_ARGS)

    def parser(self, authenticated: bool = True) -> RequestParser:
        """A parser for a new connection of this thread."""
        return RequestParser(self, authenticated)


def make_engine(kind: str = "python", max_bulk: int = MAX_BULK, max_args: int = MAX_ARGS) -> RequestEngine:
    """The engine called ``kind``: ``"python"`` or ``"hiredis"``; the latter imports hiredis."""
    if kind == "python":
        return RequestEngine(max_bulk, max_args)
    if kind == "hiredis":
        from nogil_df.wire.request_hiredis import HiredisEngine

        return HiredisEngine(max_bulk, max_args)
    raise ValueError(f"unknown request engine {kind!r}")


class RequestParser:
    """The requests of one connection.

    Attributes:
        engine: of the thread that owns the connection; assign another when the connection moves.
        authenticated: False puts Redis's limits for strangers on, and hands out one command at a time,
            because that command may be the AUTH that lifts them.  The session assigns it.
        error: the text of a protocol error, in the form of ``nogil_df.base.errors.text``, or None.  Set
            when the commands before it have been handed out; reply with it and close.
    """

    __slots__ = (
        "_args",
        "_buf",
        "_held",
        "_left",
        "_missing",
        "_pos",
        "_scanned",
        "_stream",
        "authenticated",
        "engine",
        "error",
        "idle",
    )

    engine: RequestEngine

    def __init__(self, engine: RequestEngine, authenticated: bool = True) -> None:
        self.engine = engine
        self.authenticated = authenticated
        self.error: bytes | None = None
        self.idle = True  # all that came has been handed out, nothing is wrong
        self._buf = b""  # what is not parsed begins at _pos
        self._pos = 0
        self._scanned = 0  # up to here _buf holds no end of the line that begins at _pos
        self._args: list[bytes] = []  # of the command that is not complete
        self._left = 0  # arguments it still lacks; 0: between commands
        self._stream: BytesIO | None = None  # the argument of which a part has come
        self._missing = 0  # bytes that _stream and its CRLF still lack
        self._held = 0  # bytes of the incomplete command that have left _buf

    @property
    def pending(self) -> int:
        """Bytes received of commands that have not been handed out: what the query buffer limit is about."""
        return len(self._buf) - self._pos + self._held

    def read(self, data: bytes, max_commands: int) -> list[list[bytes]]:
        """``feed`` and ``next_batch`` in one call."""
        self.feed(data)
        return self.next_batch(max_commands)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection.  Cost: O(1) when all before was parsed, which is usual."""
        if self.error is not None:
            return
        self.idle = False
        if self._buf:
            pos = self._pos
            self._buf = self._buf[pos:] + data
            self._scanned = max(self._scanned - pos, 0)
            self._pos = 0
        else:
            self._buf = data
            self._scanned = 0

    def take_back(self, most: int) -> bytes | None:
        """What is left over, if that is the untouched beginning of a command of at most ``most`` bytes.

        For a reader that parses for itself what it can; the parser is then as if that had never come.  None,
        and nothing happens, if it is more, or has been looked at.  O(``most``).
        """
        size = len(self._buf) - self._pos
        if self._left or self.error is not None or size > most:
            return None
        data = self._buf[self._pos :]
        self._buf = b""
        self._pos = 0
        self.idle = True
        return data

    def next_batch(self, max_commands: int) -> list[list[bytes]]:
        """Up to ``max_commands`` complete commands, each a list of one argument or more.

        Fewer only if no more are complete, or a protocol error comes next (see ``error``), or the client is
        not authenticated.  Cost: O(bytes of the commands).
        """
        out: list[list[bytes]] = []
        self._parse(out, max_commands if self.authenticated else 1)
        return out

    def _parse(self, out: list[list[bytes]], max_commands: int) -> None:
        """Append complete commands to ``out`` until it holds ``max_commands``."""
        mark = self._pos  # where the command began, or what of it is in this buffer
        while len(out) < max_commands:
            if self._left == 0:
                if self._pos >= len(self._buf):
                    break
                if self._buf[self._pos] != _STAR:
                    args = self._read_inline()
                    if args is None:
                        break
                    mark = self._pos
                    if args:
                        out.append(args)
                    continue
                count = self._read_count()
                if count < 0:
                    break
                if count == 0:
                    mark = self._pos
                    continue
                self._left = count
            if not self._read_args():
                break
            out.append(self._args)
            self._args = []
            self._held = 0
            mark = self._pos
        if self._left:
            self._held += self._pos - mark
        if self._pos == len(self._buf):
            self._buf = b""  # idle connections hold no memory
            self._pos = 0
            self.idle = self._left == 0 and self.error is None

    # --- multibulk ---

    def _read_args(self) -> bool:
        """Read arguments until the command is complete (True), or the bytes run out or are wrong (False)."""
        if self._stream is not None and not self._fill_stream():
            return False
        buf = self._buf
        pos = self._pos
        end = len(buf)
        left = self._left
        find = buf.find
        known = self.engine.lengths.get
        append = self._args.append
        while left:
            line_end = find(b"\r", pos)
            length = known(buf[pos:line_end])
            body = line_end + 2
            if length is None or body > end or line_end < 0:
                self._pos, self._left = pos, left
                length = self._read_length()
                if length < 0:
                    return False
                body = self._pos
            pos = body + length + 2
            if pos > end:
                self._pos, self._left = body, left
                self._stream = BytesIO()
                self._missing = length + 2
                self._fill_stream()
                return False
            append(buf[body : body + length])
            left -= 1
        self._pos = pos
        self._left = 0
        return True

    def _fill_stream(self) -> bool:
        """Move bytes to the argument that is not complete; True when it now is, and its CRLF has gone by."""
        stream = self._stream
        assert stream is not None
        buf = self._buf
        pos = self._pos
        missing = self._missing
        taken = min(missing, len(buf) - pos)
        if missing > 2:
            stream.write(buf[pos : pos + min(taken, missing - 2)])
        self._pos = pos + taken
        self._missing = missing - taken
        if taken < missing:
            return False
        self._args.append(stream.getvalue())
        self._stream = None
        self._left -= 1
        return True

    def _read_count(self) -> int:
        """The n of the ``*n`` line at ``_pos``; 0: a command to be ignored; -1: incomplete or wrong."""
        buf = self._buf
        line_end = self._find_line(b"\r", "too big mbulk count string")
        if line_end < 0:
            return -1
        line = buf[self._pos : line_end]
        count = self.engine.counts.get(line)
        if count is None:
            count = parse_int(line[1:])
            if count is None or count > self.engine.max_args:
                return self._fail("invalid multibulk length")
        if count > UNAUTHENTICATED_ARGS and not self.authenticated:
            return self._fail("unauthenticated multibulk length")
        self._pos = line_end + 2
        return max(count, 0)

    def _read_length(self) -> int:
        """The n of the ``$n`` line at ``_pos``, -1: incomplete or wrong."""
        buf = self._buf
        pos = self._pos
        line_end = self._find_line(b"\r", "too big bulk count string")
        if line_end < 0:
            return -1
        if buf[pos] != _DOLLAR:
            return self._fail(b"expected '$', got '%b'" % buf[pos : pos + 1])
        length = parse_int(buf[pos + 1 : line_end])
        if length is None or length < 0 or length > self.engine.max_bulk:
            return self._fail("invalid bulk length")
        if length > UNAUTHENTICATED_BULK and not self.authenticated:
            return self._fail("unauthenticated bulk length")
        self._pos = line_end + 2
        return length

    # --- lines ---

    def _read_inline(self) -> list[bytes] | None:
        """The words of the line at ``_pos``, perhaps none; None: incomplete or wrong."""
        line_end = self._find_line(b"\n", "too big inline request")
        if line_end < 0:
            return None
        line = self._buf[self._pos : line_end]
        words = split_line(line[:-1] if line.endswith(b"\r") else line)
        if words is None:
            self._fail("unbalanced quotes in request")
            return None
        self._pos = line_end + 1
        return words

    def _find_line(self, terminator: bytes, too_big: str) -> int:
        """Where the line at ``_pos`` ends; -1: incomplete or wrong.

        After a CR one more byte, its LF, must be there.  As Redis searches C strings, a line that holds a
        NUL has no end, and grows until it is too long.
        """
        buf = self._buf
        pos = self._pos
        end = len(buf)
        line_end = buf.find(terminator, max(pos, self._scanned))
        stop = line_end if line_end >= 0 else end
        if buf.find(b"\0", pos, stop) >= 0:
            line_end, stop = -1, end
        if stop - pos > MAX_LINE:
            return self._fail(too_big)
        if line_end < 0:
            self._scanned = end
            return -1
        if terminator == b"\r" and line_end + 2 > end:
            self._scanned = line_end
            return -1
        return line_end

    def _fail(self, what: str | bytes) -> int:
        """Stop for good with a protocol error; returns -1."""
        self.error = text(ReplyError("PROTOCOL", what))
        self._buf = b""
        self._pos = self._left = self._held = self._missing = 0
        self._args = []
        self._stream = None
        return -1
