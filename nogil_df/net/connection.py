"""A client connection: a socket, a parser and a session, and the flow of bytes between them.

Reading stops while a command of this connection waits for another shard (the kernel's buffer, and then the
client, hold what comes next), so at most one batch of parsed commands is kept a connection.

Writing: replies are sent as soon as a batch is done, in one call. What the kernel does not take is kept and
sent when the socket is writable. A client that sends and does not read is slowed down first: past
HIGH_WATER unsent bytes nothing more is read from it. Many clients write a whole pipeline before they read
the first reply; to stop reading for good would leave both sides waiting for each other, so after STALL
seconds without progress reading goes on, and then ``client-output-buffer-limit`` decides, or, if that is
off, HARD_LIMIT.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from nogil_df.base import log
from nogil_df.base.errors import ReplyError
from nogil_df.commands.session import Session
from nogil_df.net.loop import is_transient
from nogil_df.net.poller import READ, WRITE

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.net.loop import Loop
    from nogil_df.wire.request import RequestParser

CHUNK = 64 * 1024
"""Bytes asked for in one recv. 16 KB to 256 KB measure alike; this holds a pipeline of 100 x 256 bytes."""

BATCH = 256
"""Commands run in one turn for one connection: about half a millisecond."""

HIGH_WATER = 32 << 20
STALL = 1.0
HARD_LIMIT = 1 << 30


class Connection:
    """One connection of ``loop``'s thread.

    Invariants: ``unsent`` is empty unless WRITE is watched; READ is watched unless ``paused``.
    """

    __slots__ = (
        "sock",
        "fd",
        "loop",
        "dispatcher",
        "session",
        "parser",
        "unsent",
        "unsent_bytes",
        "paused",
        "more",
        "queued",
        "closed",
        "finishing",
        "progress_at",
        "soft_since",
        "bytes_in",
        "bytes_out",
        "address",
        "local_address",
        "__weakref__",
    )

    def __init__(
        self,
        sock: socket.socket,
        loop: Loop,
        dispatcher: Dispatcher,
        parser: RequestParser,
        session_id: int,
        address: str,
        local_address: str,
    ) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.loop = loop
        self.dispatcher = dispatcher
        self.parser = parser
        self.unsent: list[memoryview] = []
        self.unsent_bytes = 0
        self.paused = False
        self.more = False
        self.queued = False
        self.closed = False
        self.finishing = False
        self.progress_at = 0.0
        self.soft_since = 0.0
        self.bytes_in = 0
        self.bytes_out = 0
        self.address = address
        self.local_address = local_address
        self.session = Session(session_id, dispatcher, self)
        parser.authenticated = self.session.authenticated
        loop.watch(self.fd, READ, self.on_ready)

    def on_ready(self, mask: int) -> None:
        """The socket is readable, writable or broken."""
        if mask & WRITE:
            self.flush()
            if self.closed:
                return
        if mask & READ:
            if self.session.busy or self.paused:
                self._pause()
                return
            self._read()
        elif not mask & WRITE:
            # Neither readable nor writable: hang-up or error while nothing was being read.
            self.drop()

    def _read(self) -> None:
        try:
            data = self.sock.recv(CHUNK)
        except OSError as error:
            if not is_transient(error):
                self.drop()
            return
        if not data:
            self.drop()
            return
        self.bytes_in += len(data)
        self.dispatcher.state.bytes_in += len(data)
        parser = self.parser
        parser.feed(data)
        session = self.session
        batch = parser.next_batch(BATCH)
        self.more = len(batch) == BATCH or not session.authenticated
        if batch:
            session.batch = batch
            session.position = 0
            self.dispatcher.execute(session)
            self.parser.authenticated = session.authenticated
        if not session.busy:
            self.ready()

    def ready(self) -> None:
        """The batch is done: send its replies, then see what else has arrived meanwhile."""
        session = self.session
        session.last_active = self.loop.proactor.clock.monotonic()
        if session.out:
            self.flush()
        if self.closed:
            return
        parser = self.parser
        if session.closing:
            self._finish()
        elif self.more and parser.pending and not self.queued:
            # More than one turn's worth: let the others go first.
            self.queued = True
            self.loop.runnable.append(self)
        elif parser.error is not None:
            self._protocol_error(parser.error)
        elif self.paused and self.unsent_bytes < HIGH_WATER:
            self._resume()
        elif parser.pending > self.dispatcher.config.client_query_buffer_limit:
            log.warning(f"Closing client that reached max query buffer length: {self.address}")
            self.dispatcher.state.query_limit_disconnects += 1
            self.drop()

    def go_on(self) -> None:
        """Run the next batch of commands that were buffered when the last turn ended."""
        self.queued = False
        session = self.session
        if self.closed or session.busy:
            return
        batch = self.parser.next_batch(BATCH)
        self.more = len(batch) == BATCH or not (session.authenticated or not batch)
        if batch:
            session.batch = batch
            session.position = 0
            self.dispatcher.execute(session)
            self.parser.authenticated = session.authenticated
        if not session.busy:
            self.ready()

    def send_soon(self) -> None:
        """See `Transport`."""
        self.loop.dirty.append(self)

    def flush(self) -> None:
        """Send what there is to send; keep the rest and wait for the socket to be writable."""
        if self.closed:
            return
        out = self.session.out
        if out:
            data = b"".join(out) if len(out) > 1 else out[0]
            out.clear()
            if self.unsent:
                self.unsent.append(memoryview(data))
                self.unsent_bytes += len(data)
            else:
                self._send(data)
                if self.closed or not self.unsent:
                    return
        while self.unsent:
            chunk = self.unsent[0]
            try:
                sent = self.sock.send(chunk)
            except OSError as error:
                if is_transient(error):
                    break
                self.drop()
                return
            self._sent(sent)
            self.unsent_bytes -= sent
            if sent < len(chunk):
                self.unsent[0] = chunk[sent:]
                break
            del self.unsent[0]
        self._after_send()

    def _send(self, data: bytes) -> None:
        try:
            sent = self.sock.send(data)
        except OSError as error:
            if not is_transient(error):
                self.drop()
                return
            sent = 0
        self._sent(sent)
        if sent < len(data):
            self.unsent.append(memoryview(data)[sent:])
            self.unsent_bytes = len(data) - sent
            self.progress_at = self.loop.proactor.clock.monotonic()
            self._watch()
            self._check_limits()

    def _sent(self, count: int) -> None:
        self.bytes_out += count
        self.dispatcher.state.bytes_out += count

    def _after_send(self) -> None:
        now = self.loop.proactor.clock.monotonic()
        self.progress_at = now
        if not self.unsent:
            if self.finishing:
                self.drop()
                return
            self._watch()
            if self.paused and not self.session.busy:
                self.ready()
        else:
            self._check_limits()

    def _check_limits(self) -> None:
        """Apply the output buffer limits of this client's class; pause reading past the high water."""
        unsent = self.unsent_bytes
        limits = self.dispatcher.config.client_output_buffer_limit
        session = self.session
        hard, soft, seconds = limits["pubsub" if session.subscriptions else "normal"]
        now = self.loop.proactor.clock.monotonic()
        if soft and unsent > soft:
            if not self.soft_since:
                self.soft_since = now
        else:
            self.soft_since = 0.0
        too_long = self.soft_since and now - self.soft_since > seconds
        if (hard and unsent > hard) or too_long or unsent > (hard or HARD_LIMIT):
            log.warning(
                f"Client {self.address} closed: {unsent} bytes of replies unread (output buffer limits)"
            )
            self.dispatcher.state.output_limit_disconnects += 1
            self.drop()
        elif unsent > HIGH_WATER and not session.subscriptions:
            self._pause()

    def check(self, now: float) -> None:
        """See `Transport`: break the tie with a client that only writes; see the module's text."""
        if self.unsent_bytes:
            self._check_limits()
            if not self.closed and self.paused and not self.session.busy and now - self.progress_at > STALL:
                self._resume()

    def _pause(self) -> None:
        if not self.paused:
            self.paused = True
            self._watch()

    def _resume(self) -> None:
        self.paused = False
        self._watch()

    def _watch(self) -> None:
        mask = (0 if self.paused or self.finishing else READ) | (WRITE if self.unsent else 0)
        self.loop.poller.modify(self.fd, mask)

    def _protocol_error(self, error: bytes) -> None:
        state = self.dispatcher.state
        log.verbose(f"Protocol error from client {self.address}: {error!r}")
        reply = ReplyError("RAW", error)
        state.count_error(reply)
        self.dispatcher.encoder.encode(reply, self.session.proto, self.session.out)
        self.flush()
        self._finish()

    def _finish(self) -> None:
        """Close once everything is sent."""
        if self.closed:
            return
        self.finishing = True
        if self.unsent:
            self._watch()
        else:
            self.drop()

    def close(self, *, after_replies: bool) -> None:
        """See `Transport`."""
        self.session.closing = True
        if not after_replies:
            self.drop()
        elif not self.session.busy:
            self.flush()
            self._finish()

    def drop(self) -> None:
        """Close now; what the session has in flight ends by itself and is not answered. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self.loop.unwatch(self.fd)
        self.sock.close()
        self.unsent.clear()
        self.unsent_bytes = 0
        self.dispatcher.state.forget(self.session)

    def describe(self) -> dict[str, Any]:
        """See `Transport`."""
        return {
            "addr": self.address,
            "laddr": self.local_address,
            "fd": self.fd,
            "qbuf": self.parser.pending,
            "obl": 0,
            "oll": len(self.unsent),
            "omem": self.unsent_bytes,
            "tot_net_in": self.bytes_in,
            "tot_net_out": self.bytes_out,
            "unsent": self.unsent_bytes,
        }
