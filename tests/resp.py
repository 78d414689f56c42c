"""A raw RESP client for tests: what a server sent, byte for byte of type, nothing converted.

Client libraries hide what differential tests are about: that `+OK` is not `$2 OK`, that `$-1` is not `*-1`,
that `(1` is not `:1`. Here a reply is a pair of its type byte and its payload:

    Reply("+", b"OK")   Reply("-", b"ERR ...")   Reply(":", 3)   Reply("$", b"x")   Reply("$", None)
    Reply("*", (Reply, ...))   Reply("*", None)   Reply("%", ((key, value), ...))   Reply("~", (...))
    Reply(",", b"3.14")   Reply("#", True)   Reply("_", None)   Reply("(", b"123")   Reply("=", b"txt:...")
    Reply(">", (...))   Reply("eof", None): the server closed the connection

Invariants: doubles keep their text (so `1` and `1.0` differ), order is the order on the wire, and a
malformed stream raises `ProtocolViolation` instead of being guessed at.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any, NamedTuple

from tests.patience import PATIENCE


class ProtocolViolation(Exception):
    """The server sent bytes that are not RESP."""


class Reply(NamedTuple):
    """One reply: `kind` is its type byte (or "eof"), `value` its payload (see the module's docstring)."""

    kind: str
    value: Any

    def __repr__(self) -> str:
        return f"{self.kind} {self.value!r}"


EOF_REPLY = Reply("eof", None)

_AGGREGATES = frozenset("*~>")
_BLOBS = frozenset("$=!")


class _Incomplete(Exception):
    """The buffer ends inside a reply."""


class Decoder:
    """Sans-IO RESP2/RESP3 decoder: `feed` bytes, `next` replies. Attributes (`|`) are replies too."""

    __slots__ = ("_buffer", "_needed", "_position")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._position = 0
        self._needed = 0

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        self._buffer += data

    def next(self) -> Reply | None:
        """The next complete reply, None when the buffer ends before. Raises `ProtocolViolation`."""
        if len(self._buffer) < self._needed:
            return None
        self._position = self._needed = 0
        try:
            reply = self._reply()
        except _Incomplete:
            return None
        del self._buffer[: self._position]
        return reply

    def pending(self) -> bytes:
        """Bytes fed but not yet part of a reply."""
        return bytes(self._buffer)

    def _line(self) -> bytes:
        end = self._buffer.find(b"\r\n", self._position)
        if end < 0:
            raise _Incomplete
        line = bytes(self._buffer[self._position : end])
        self._position = end + 2
        return line

    def _blob(self, length: int) -> bytes:
        end = self._position + length
        if len(self._buffer) < end + 2:
            self._needed = end + 2
            raise _Incomplete
        if self._buffer[end : end + 2] != b"\r\n":
            raise ProtocolViolation(f"a blob of {length} bytes does not end in CRLF")
        blob = bytes(self._buffer[self._position : end])
        self._position = end + 2
        return blob

    def _reply(self) -> Reply:
        line = self._line()
        kind, rest = chr(line[0]) if line else "", line[1:]
        if kind in "+-," or kind == "(":
            if not kind:
                raise ProtocolViolation("an empty line where a reply was due")
            return Reply(kind, rest)
        if kind == ":":
            return Reply(kind, _integer(rest))
        if kind in _BLOBS:
            length = _integer(rest)
            return Reply(kind, None if length == -1 else self._blob(length))
        if kind in _AGGREGATES:
            count = _integer(rest)
            return Reply(kind, None if count == -1 else tuple(self._reply() for _ in range(count)))
        if kind in "%|":
            return Reply(kind, tuple((self._reply(), self._reply()) for _ in range(_integer(rest))))
        if kind == "#" and rest in (b"t", b"f"):
            return Reply(kind, rest == b"t")
        if kind == "_" and not rest:
            return Reply(kind, None)
        raise ProtocolViolation(f"not a reply: {line[:80]!r}")


def _integer(text: bytes) -> int:
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit():
        raise ProtocolViolation(f"not an integer: {text[:80]!r}")
    return int(text)


def encode(args: tuple[bytes, ...]) -> bytes:
    """One command as an array of bulks."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        parts.append(b"$%d\r\n%b\r\n" % (len(arg), arg))
    return b"".join(parts)


def as_bytes(arg: bytes | str | int | float) -> bytes:
    """An argument as clients send it."""
    return arg if isinstance(arg, bytes) else str(arg).encode()


class Connection:
    """A blocking connection to a server, to one thread of a test.

    Args: `host`, `port`, `protocol` (2, or 3 which sends HELLO 3), `timeout` in seconds for every wait.
    """

    __slots__ = ("decoder", "protocol", "socket", "timeout")

    def __init__(self, host: str, port: int, protocol: int = 2, timeout: float = PATIENCE) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.decoder = Decoder()
        self.protocol = protocol
        self.timeout = timeout
        if protocol == 3:
            reply = self.execute("HELLO", 3)
            if reply.kind != "%":
                self.close()
                raise ProtocolViolation(f"HELLO 3 answered {reply!r}")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; may be called twice."""
        self.socket.close()

    def local_address(self) -> bytes:
        """`ip:port` of this end, as CLIENT LIST calls it addr."""
        host, port = self.socket.getsockname()[:2]
        return f"{host}:{port}".encode()

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are; a peer that closed meanwhile is noticed by the next `receive`."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def send(self, *args: bytes | str | int | float) -> None:
        """Send one command without waiting for its reply."""
        self.send_raw(encode(tuple(map(as_bytes, args))))

    def receive(self, timeout: float | None = None) -> Reply:
        """The next reply or push, `EOF_REPLY` when closed. Raises `TimeoutError` after `timeout` s."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while (reply := self.decoder.next()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no reply; pending bytes {self.decoder.pending()[:200]!r}")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionResetError:
                return EOF_REPLY
            if not data:
                return EOF_REPLY
            self.decoder.feed(data)
        return reply

    def execute(self, *args: bytes | str | int | float) -> Reply:
        """Send one command and wait for its reply."""
        self.send(*args)
        return self.receive()

    def pipeline(self, commands: list[tuple[bytes, ...]]) -> list[Reply]:
        """Send all commands in one write, then read as many replies."""
        self.send_raw(b"".join(map(encode, commands)))
        return [self.receive() for _ in commands]

    def read_until_close(self) -> bytes:
        """Every byte until the server closes; a reset counts as closing."""
        data = bytearray(self.decoder.pending())
        self.socket.settimeout(self.timeout)
        try:
            while chunk := self.socket.recv(1 << 18):
                data += chunk
        except ConnectionResetError:
            pass
        return bytes(data)
