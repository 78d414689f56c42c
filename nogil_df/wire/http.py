"""HTTP/1.0 and 1.1 as a server sees it: bytes in, requests out, responses to bytes; no sockets.

The grammar is h11's, which is strict where leniency lets requests be smuggled: two lengths, a length beside
a transfer coding, spaces before a colon, bare line feeds inside of a head, a missing or second ``Host``. What
is decided here is what h11 leaves to its user: limits, which bodies are read, when the connection ends.

- A head is at most `MAX_HEAD` bytes.
- Nothing that is served needs a body. A small one is read and thrown away, so that the response gets to the
  client; a greater one is refused unread, and the connection closed.
- One request at a time: the next one is read when the response to this one has been written. A client may
  pipeline all the same; what it sent waits.

`looks_like_http` tells HTTP from RESP by the first line of a connection. An inline command of Redis's may
begin with the same word (``GET key``) but never ends like the first line of a request.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, unquote

import h11

from nogil_df.base.crash import forget_frames

MAX_HEAD: Final = 16 * 1024
"""Bytes of a request's first line and headers together."""

MAX_BODY: Final = 64 * 1024
"""Bytes of a body that is read and thrown away."""

NOT_MODIFIED: Final = 304
"""The one status here that never has a body."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Request:
    """A request; what is not ASCII in it has been taken as Latin-1.

    Attributes:
        method: upper case, as HTTP's methods are.
        target: path and query as they came.
        headers: names in lower case, in order.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        """The path, decoded. O(target)."""
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters of the query. O(target)."""
        return parse_qs(self.target.partition("?")[2])

    def header(self, name: str) -> str:
        """The values of a header, joined by commas; "" if there is none. O(headers).

        Args:
            name: in lower case.
        """
        return ", ".join(value for found, value in self.headers if found == name)


@dataclass(frozen=True, slots=True)
class Response:
    """A response.

    Attributes:
        headers: beside Date, Content-Length and Connection, which are added.
        close: end the connection after it.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the client sent is refused, and the connection can't go on. ``status`` says why."""

    status: int
    reason: str


class HttpProtocol:
    """The HTTP of one connection.

    Usage: `feed` what arrives; `next_request` until it gives None; `respond` to each request before the next.

    Attributes:
        closing: nothing more will be read or written after the response that is being made.
    """

    __slots__ = ("_body", "_connection", "_is_head", "_request", "closing")

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._request: Request | None = None
        self._body = 0
        self._is_head = False
        self.closing = False

    def feed(self, data: bytes) -> None:
        """Take what arrived; empty bytes stand for the end of the stream. O(bytes)."""
        self._connection.receive_data(data)

    def next_request(self) -> Request | Refusal | None:
        """The next request whose body has gone by; None if it has not all arrived.

        A refusal is to be answered, too, and is the last thing there is.
        """
        try:
            return self._next()
        except h11.RemoteProtocolError as error:
            refusal = Refusal(error.error_status_hint, str(error))
            forget_frames(error)
            return refusal

    def _next(self) -> Request | Refusal | None:
        while True:
            event = self._connection.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                if self._connection.they_are_waiting_for_100_continue:
                    # The body is not wanted: the client, which waits, gets its answer without it.
                    return self._take()
                return None
            if isinstance(event, h11.Request):
                # h11 bounds what is incomplete; this came as a whole.
                size = len(event.target) + sum(len(name) + len(value) for name, value in event.headers)
                if size > MAX_HEAD:
                    return Refusal(431, "the head is too large")
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._body += len(event.data)
                if self._body > MAX_BODY:
                    return Refusal(413, "the body is too large")
            elif isinstance(event, h11.EndOfMessage):
                return self._take()
            else:
                # The client has closed its side.
                self.closing = True
                return None

    def _begin(self, event: h11.Request) -> None:
        self._body = 0
        self._is_head = event.method == b"HEAD"
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
        self._request = Request(event.method.decode("latin-1"), event.target.decode("latin-1"), headers)

    def _take(self) -> Request | None:
        request, self._request = self._request, None
        return request

    def respond(self, response: Response, now: float) -> bytes:
        """The bytes of the response to the last request. O(body).

        A HEAD is answered by the same head as a GET, without the body.

        Args:
            now: unix seconds.
        """
        connection = self._connection
        status = response.status
        headers = [("Date", http_date(now)), *response.headers]
        if status != NOT_MODIFIED:
            headers.append(("Content-Length", str(len(response.body))))
        # A body that was not read would be taken for the next request.
        if response.close or connection.their_state is not h11.DONE:
            headers.append(("Connection", "close"))
        reason = HTTPStatus(status).phrase
        parts = [connection.send(h11.Response(status_code=status, headers=headers, reason=reason))]
        if response.body and not self._is_head and status != NOT_MODIFIED:
            parts.append(connection.send(h11.Data(data=response.body)))
        parts.append(connection.send(h11.EndOfMessage()))
        if connection.our_state is h11.DONE and connection.their_state is h11.DONE:
            connection.start_next_cycle()
        else:
            self.closing = True
        self._is_head = False
        return b"".join(part for part in parts if part)


def accepts_gzip(request: Request) -> bool:
    """Whether the client takes a compressed body. O(header)."""
    for word in request.header("accept-encoding").split(","):
        coding, _, weight = word.strip().partition(";")
        if coding.strip().lower() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def http_date(now: float) -> str:
    """Unix seconds as HTTP writes dates, in English whatever the locale."""
    year, month, day, hour, minute, second, weekday = time.gmtime(now)[:7]
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year} {hour:02}:{minute:02}:{second:02} GMT"


METHODS: Final = (
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"TRACE ",
    b"CONNECT ",
)

MAX_FIRST_LINE: Final = 8 * 1024
"""Bytes of a first line past which it is left to RESP, which refuses it in its turn."""


def looks_like_http(data: bytes) -> bool | None:
    """Whether a connection whose first bytes these are speaks HTTP; None if more is needed. O(bytes)."""
    if not any(data.startswith(method) or method.startswith(data) for method in METHODS):
        return False
    end = data.find(b"\n")
    if end < 0:
        return None if len(data) <= MAX_FIRST_LINE else False
    version = data[:end].rstrip(b"\r").rpartition(b" ")[2]
    return version in (b"HTTP/1.1", b"HTTP/1.0")
