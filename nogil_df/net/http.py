"""HTTP on a connection whose first line says so: the bytes of a `Connection`, another protocol.

Reading, sending what the kernel did not take, and closing stay with the connection, and so does whatever its
socket is (TCP, unix, TLS). The session stays as well, so that an HTTP client counts against `maxclients`, is
listed by CLIENT LIST and ends when the server stops; it runs no commands.

`FirstBytes` waits for the line that tells the protocols apart. It is a connection's handler for its first
bytes only: afterwards the loop calls the handler of the protocol, so RESP pays nothing for being one of
two.

One request of a connection is answered at a time, and nothing is read from it meanwhile.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nogil_df.base import log
from nogil_df.base.crash import log_crash
from nogil_df.console.application import Application
from nogil_df.net.loop import is_transient
from nogil_df.net.poller import READ, WRITE
from nogil_df.wire.http import HttpProtocol, Refusal, Response, looks_like_http

if TYPE_CHECKING:
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.net.connection import Connection
    from nogil_df.wire.http import Request

CHUNK = 16 * 1024
"""Bytes asked for in one recv."""

KEEP_ALIVE = 75.0
"""Seconds without a request, or without progress of one, after which a connection is closed."""

SWEEP = 5.0
"""Seconds between looks for such connections."""

TURN = 16
"""Requests answered in one turn of the loop."""


class FirstBytes:
    """The handler of a connection that may speak HTTP, until its first line is there."""

    __slots__ = ("connection", "data")

    def __init__(self, connection: Connection, data: bytes) -> None:
        self.connection = connection
        self.data = data
        self._decide()

    def on_ready(self, mask: int) -> None:
        """The socket is ready: read on."""
        connection = self.connection
        if not mask & READ:
            connection.drop()
            return
        try:
            data = connection.recv(CHUNK)
        except OSError as error:
            if not is_transient(error):
                connection.drop()
            return
        if not data:
            connection.drop()
            return
        connection.count_read(len(data))
        self.data += data
        self._decide()

    def _decide(self) -> None:
        connection = self.connection
        is_http = looks_like_http(self.data)
        if is_http is None:
            connection.loop.handlers[connection.fd] = self.on_ready
        elif is_http:
            HttpConnection(connection, self.data)
        else:
            connection.speak_resp(self.data)


class HttpClients:
    """The HTTP connections of one thread; looked at now and then, as long as there are any."""

    __slots__ = ("connections", "state")

    def __init__(self, state: ThreadState) -> None:
        self.state = state
        self.connections: set[HttpConnection] = set()

    def add(self, connection: HttpConnection) -> None:
        """Look after a connection. O(1)."""
        if not self.connections:
            self._look_again()
        self.connections.add(connection)

    def _look_again(self) -> None:
        self.state.timers.at(self.state.clock.monotonic() + SWEEP, self._sweep)

    def _sweep(self) -> None:
        """Close those that have been silent for too long, forget those that are closed. O(connections)."""
        since = self.state.clock.monotonic() - KEEP_ALIVE
        for one in list(self.connections):
            if one.active < since:
                one.connection.drop()
            if one.connection.closed:
                self.connections.discard(one)
        if self.connections:
            self._look_again()


class HttpConnection:
    """One client that speaks HTTP.

    Attributes:
        active: monotonic seconds of the last request, or response.
        queued: in the loop's list of connections that go on in the next turn.
    """

    __slots__ = ("active", "application", "connection", "protocol", "queued", "session")

    def __init__(self, connection: Connection, data: bytes) -> None:
        extra = connection.state.extra
        if "console" not in extra:
            extra["console"] = Application(connection.proactor), HttpClients(connection.state)
        self.application, clients = extra["console"]
        self.connection = connection
        self.session = connection.session
        self.session.last_command = "http"
        self.protocol = HttpProtocol()
        self.active = connection.loop.now
        self.queued = False
        clients.add(self)
        connection.loop.handlers[connection.fd] = self.on_ready
        self.protocol.feed(data)
        self.go_on()

    def on_ready(self, mask: int) -> None:
        """The socket is readable, writable or broken."""
        connection = self.connection
        if mask & WRITE:
            connection.send_unsent()
            self.go_on()
        elif not mask & READ:
            connection.drop()
        if not mask & READ or connection.closed:
            return
        if self.session.busy or self.queued or connection.unsent:
            connection.pause()
            return
        try:
            data = connection.recv(CHUNK)
        except OSError as error:
            if not is_transient(error):
                connection.drop()
            return
        connection.count_read(len(data))
        self.protocol.feed(data)
        self.go_on()

    def go_on(self) -> None:
        """Answer what has arrived. A crash of ours ends this connection, and nothing else."""
        self.queued = False
        try:
            self._serve()
        except Exception:
            log_crash("http", sys.exc_info())
            self.connection.drop()

    def _serve(self) -> None:
        """Answer the requests that are there, as long as answers come at once and the client takes them."""
        connection = self.connection
        session = self.session
        for _ in range(TURN):
            if connection.closed or connection.finishing or session.busy or connection.unsent:
                return
            request = self.protocol.next_request()
            if isinstance(request, Refusal):
                log.verbose(f"Bad HTTP request from {session.address}: {request.reason}")
                self.answer(self.application.refuse(request.status, request.reason, close=True))
                return
            if request is None:
                if self.protocol.closing:
                    connection.finish()
                else:
                    connection.resume()
                return
            self._begin(request)
        # More than one turn's worth: let the others go first.
        if not connection.closed and not session.busy:
            self.queued = True
            connection.loop.runnable.append(self)

    def _begin(self, request: Request) -> None:
        self.active = self.connection.loop.now
        session = self.session
        session.last_active = self.active
        session.commands_run += 1
        # Until the answer is there: the server waits for it when it stops.
        session.busy = True
        self.application.handle(request, session, self)

    def answer(self, response: Response) -> None:
        """See `Client`."""
        connection = self.connection
        session = self.session
        session.busy = False
        if connection.closed:
            return
        self.active = connection.loop.monotonic()
        session.sink.append(self.protocol.respond(response, connection.state.clock.unix_ms() / 1000))
        connection.flush()
        if self.protocol.closing or session.closing:
            connection.finish()

    def answer_later(self, response: Response) -> None:
        """See `Client`."""
        try:
            self.answer(response)
        except Exception:
            log_crash("http", sys.exc_info())
            self.connection.drop()
        # What came meanwhile is next.
        self.go_on()
