"""Connections that the server makes itself: a request to another server, and its replies of one line each.

The loop of the thread that asked drives it, so nothing waits on a socket. Names are resolved in a thread of
their own, because the system's resolver blocks; what came of it is posted to the thread that asked. The
time-out is one on progress, as that of Redis's synchronous sockets: it starts anew whenever bytes moved.

Each exchange is a connection of its own. Redis keeps such connections for ten seconds, in case more
follows; a connection over a data centre's network costs less than the keys that travel over it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nogil_df.net.loop import is_transient
from nogil_df.net.poller import READ, WRITE

if TYPE_CHECKING:
    from nogil_df.commands.timers import Timer
    from nogil_df.net.loop import Loop
    from nogil_df.vll.proactor import Message, Proactor

CONNECTING: Final = "connecting"
WRITING: Final = "writing"
READING: Final = "reading"
"""What was under way when an exchange failed."""

CHUNK: Final = 256 * 1024
"""Bytes offered to the kernel, or taken from it, at once."""

LONGEST_LINE: Final = 64 * 1024
"""Bytes of a reply that is not one of ours: whoever sends more on one line is no Redis server."""

Done = Callable[[list[bytes], str], None]
Address = tuple[int, Any]
"""Family, and the address as `socket.connect` takes it."""


class Exchange:
    """One request and its replies.

    Args:
        loop: of the thread that asks.
        host, port: whom to ask.
        request: bytes to send.
        replies: how many lines come back.
        timeout: seconds without progress after which it fails.
        done: ``done(lines, failure)`` is called once, on this thread, after `begin` has returned: what came
            back, without line ends; and what was under way if not all did, "" otherwise.
    """

    __slots__ = (
        "addresses",
        "done",
        "host",
        "lines",
        "loop",
        "phase",
        "port",
        "received",
        "replies",
        "rest",
        "sock",
        "timeout",
        "timer",
    )

    def __init__(
        self,
        loop: Loop,
        host: bytes,
        port: int,
        request: bytes,
        replies: int,
        timeout: float,
        done: Done,
    ) -> None:
        self.loop = loop
        self.host = host
        self.port = port
        self.rest = memoryview(request)
        self.replies = replies
        self.timeout = timeout
        self.done: Done | None = done
        self.addresses: list[Address] = []
        self.lines: list[bytes] = []
        self.received = bytearray()
        self.phase = CONNECTING
        self.sock: socket.socket | None = None
        self.timer: Timer | None = None

    def begin(self) -> None:
        """Start; returns at once."""
        self._progress()
        try:
            found = _addresses(self.host, self.port, socket.AI_NUMERICHOST)
        except OSError:
            name = "resolver"
            threading.Thread(target=_resolve, args=(self.loop.proactor, self), name=name, daemon=True).start()
            return
        self.resolved(found)

    def resolved(self, addresses: list[Address]) -> None:
        """The addresses of the host are known; none if it has no such name."""
        if self.done is None:
            return
        self.addresses = addresses
        # A connection may be refused on the spot, and the answer has to come later than the question.
        self.loop.proactor.post(self.loop.proactor.index, (_connect, self))

    def connect(self, failure: str = CONNECTING) -> None:
        """Try the next address; if there is none the exchange fails."""
        while self.addresses:
            family, address = self.addresses.pop(0)
            try:
                self.sock = sock = socket.socket(family, socket.SOCK_STREAM)
                sock.setblocking(False)
                if family in (socket.AF_INET, socket.AF_INET6):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address)
            except BlockingIOError:
                pass
            except OSError:
                self._hang_up()
                continue
            self.loop.watch(sock.fileno(), WRITE, self.on_ready)
            return
        self._finish(failure)

    def on_ready(self, mask: int) -> None:
        """The socket can be written to, or read from."""
        sock = self.sock
        assert sock is not None
        try:
            if self.phase == CONNECTING:
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    self._hang_up()
                    # A refusal is what Redis finds out when it writes.
                    self.connect(WRITING)
                    return
                self.phase = WRITING
            if self.phase == WRITING:
                self._send(sock)
            else:
                self._receive(sock)
        except OSError as error:
            if not is_transient(error):
                self._finish(self.phase)

    def _send(self, sock: socket.socket) -> None:
        sent = sock.send(self.rest[:CHUNK])
        self.rest = self.rest[sent:]
        self._progress()
        if not self.rest:
            self.phase = READING
            self.loop.poller.modify(sock.fileno(), READ)

    def _receive(self, sock: socket.socket) -> None:
        data = sock.recv(CHUNK)
        if not data:
            self._finish(READING)
            return
        self._progress()
        self.received += data
        *lines, rest = self.received.split(b"\r\n")
        self.received = rest
        self.lines += map(bytes, lines)
        if len(self.lines) >= self.replies:
            self._finish("")
        elif len(rest) > LONGEST_LINE:
            self._finish(READING)

    def _progress(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        state = self.loop.state
        self.timer = state.timers.at(state.clock.monotonic() + self.timeout, self._time_up)

    def _time_up(self) -> None:
        self._finish(self.phase)

    def _hang_up(self) -> None:
        if self.sock is not None:
            self.loop.unwatch(self.sock.fileno())
            self.sock.close()
            self.sock = None

    def _finish(self, failure: str) -> None:
        done, self.done = self.done, None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self._hang_up()
        if done is not None:
            done(self.lines[: self.replies], failure)


def _addresses(host: bytes, port: int, flags: int = 0) -> list[Address]:
    """Where a host listens. Blocks, unless ``flags`` has AI_NUMERICHOST.

    Raises:
        OSError: it is no address, or there is no such name.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


def _resolve(proactor: Proactor, exchange: Exchange) -> None:
    """In a thread of its own: look a name up, and tell the thread that asked."""
    try:
        found = _addresses(exchange.host, exchange.port)
    except (OSError, UnicodeError):
        found = []
    proactor.inbox.append(((_resolved, exchange, found),))
    proactor.wake()


def _resolved(proactor: Proactor, message: Message) -> None:
    message[1].resolved(message[2])


def _connect(proactor: Proactor, message: Message) -> None:
    message[1].connect()


class Dialer:
    """What commands of one thread ask other servers with; they know nothing of sockets."""

    __slots__ = ("loop",)

    def __init__(self, loop: Loop) -> None:
        self.loop = loop

    def ask(self, host: bytes, port: int, request: bytes, replies: int, timeout: float, done: Done) -> None:
        """Begin an `Exchange`; the arguments are its."""
        Exchange(self.loop, host, port, request, replies, timeout, done).begin()
