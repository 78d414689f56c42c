"""A client connection: a socket, a parser and a session, and the flow of bytes between them.

Reading stops while a command of this connection waits for another shard, and while commands that were read
wait for their turn (the kernel's buffer, and then the client, hold what comes next): a connection keeps at
most one chunk of parsed or unparsed commands, beside the one command that is not complete yet.

Writing: replies are sent as soon as a batch is done, in one call. What the kernel does not take is kept and
sent when the socket is writable. A client that sends and does not read is slowed down first: past its high
water of unsent bytes nothing more is read from it. But many clients write a whole pipeline before they read
the first reply, and to stop reading for good would leave both sides waiting for each other. So after STALL
seconds in which the client took nothing the high water is doubled, up to HARD_LIMIT; a client that has so
much unread and takes none of it is cut off. ``client-output-buffer-limit`` cuts off earlier. Messages that
nobody asked for (pub/sub, MONITOR) can't be slowed down: there HARD_LIMIT holds at once.
"""

from __future__ import annotations

import socket
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from nogil_df.base import log
from nogil_df.base.errors import ReplyError
from nogil_df.commands.session import REPLY_ON, Session
from nogil_df.net.loop import is_transient
from nogil_df.net.poller import READ, WRITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.net._single import Single
    from nogil_df.net.express import ShortCut
    from nogil_df.net.loop import Loop
    from nogil_df.wire.request import RequestParser

CHUNK = 64 * 1024
"""Bytes asked for in one recv. The call takes 1.7 us with 4 to 32 KB, 1.8 with 64, 2.1 with 256."""

BATCH = 256
"""Commands run in one turn for one connection: about half a millisecond."""

READ_AHEAD = 1 << 20
"""Unparsed bytes past which nothing more is read from a client whose command blocks."""

HIGH_WATER = 32 << 20
"""Unsent bytes past which nothing more is read from a client, at first."""

HARD_LIMIT = 1 << 30
"""Unsent bytes that a client may have at the very most, if no output buffer limit says less."""

STALL = 1.0
"""Seconds without progress after which a client that we don't read from may have more unsent bytes."""

GIVE_UP = 10.0
"""Seconds without progress after which a client is cut off that has HARD_LIMIT unread, or is to be closed."""

HTTP_INITIALS = frozenset(b"GHPDOTC")
"""The bytes that the methods of HTTP begin with; RESP does with one of them in inline commands only."""

SAMPLED = 15
"""One send, and one pipeline, of so many and one is timed: reading the clock twice takes 80 ns."""

PIECES = 64
"""Pieces handed to the kernel in one call; it takes up to 1024."""


class Connection:
    """One connection of ``loop``'s thread.

    Attributes:
        unsent, unsent_bytes: encoded replies that the kernel has not taken yet.
        aloft: what another thread may be about to answer to the client itself; see `nogil_df.net._single`.
        high_water: how many of them stop us from reading more.
        paused: READ is not watched.
        more: the parser may hold complete commands.
        queued: in the loop's list of connections that go on in the next turn.
        role: what the socket it came to is for, bits of `nogil_df.net.listener`.
        dirty: in the loop's list of connections with pushes to send.
        finishing: to be closed once everything is sent.
        timed: of the pipeline that runs: how many commands, and when it began; empty if nobody wants to know.

    Invariants: ``unsent`` is empty unless WRITE is watched; READ is watched unless ``paused`` or
    ``finishing``.
    """

    __slots__ = (
        "sock",
        "recv",
        "send",
        "read",
        "execute",
        "answer",
        "state",
        "proactor",
        "fd",
        "loop",
        "dispatcher",
        "session",
        "parser",
        "unsent",
        "unsent_bytes",
        "aloft",
        "high_water",
        "paused",
        "dirty",
        "more",
        "queued",
        "closed",
        "finishing",
        "progress_at",
        "soft_since",
        "timed",
        "bytes_in",
        "bytes_out",
        "role",
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
        may_speak_http: bool = False,
        role: int = 0,
    ) -> None:
        self.sock = sock
        self.role = role
        # Bound once: a look-up through the socket, the dispatcher or the parser costs 40 to 100 ns each time.
        self.recv = sock.recv
        self.send = sock.send
        self.read = parser.read
        self.execute = dispatcher.execute
        self.answer = dispatcher.lone.answer
        self.state = dispatcher.state
        self.proactor = loop.proactor
        self.fd = sock.fileno()
        self.loop = loop
        self.dispatcher = dispatcher
        self.parser = parser
        # A deque once there is something: an empty one takes 600 bytes, and most connections need none ever.
        self.unsent: deque[memoryview] | tuple[()] = ()
        self.unsent_bytes = 0
        self.aloft: Single | None = None
        self.high_water = HIGH_WATER
        self.paused = False
        self.more = False
        self.queued = False
        self.dirty = False
        self.closed = False
        self.finishing = False
        self.progress_at = 0.0
        self.soft_since = 0.0
        self.timed: tuple[int, ...] = ()
        self.bytes_in = 0
        self.bytes_out = 0
        self.session = Session(session_id, dispatcher, self)
        self.session.address = address
        self.session.local_address = local_address
        parser.authenticated = self.session.authenticated
        loop.watch(self.fd, READ, self.on_first if may_speak_http else self._reader())

    def _reader(self) -> Callable[[int], None]:
        """What serves this connection once it is known to speak RESP, or Memcached's protocol."""
        short_cut: ShortCut | None = self.state.extra.get("express")
        reader = None if short_cut is None else short_cut.reader(self)
        return reader or self.on_ready

    def on_first(self, mask: int) -> None:
        """The first bytes are here, if it is not the end: they tell which protocol the client speaks."""
        if mask != READ:
            self.loop.handlers[self.fd] = self._reader()
            self.on_ready(mask)
            return
        try:
            data = self.recv(CHUNK)
        except OSError as error:
            if not is_transient(error):
                self.drop()
            return
        if not data:
            self.finish()
            return
        self.count_read(len(data))
        if data[0] in HTTP_INITIALS:
            try:
                from nogil_df.net.http import FirstBytes
            except ImportError as error:
                log.warning(f"HTTP is not served: {error}")
                self.speak_resp(data)
                return
            FirstBytes(self, data)
        else:
            self.speak_resp(data)

    def speak_resp(self, data: bytes) -> None:
        """It is RESP: take the first bytes, and from now on whatever comes. O(bytes)."""
        self.loop.handlers[self.fd] = self._reader()
        self._execute(self.read(data, BATCH))

    def count_read(self, size: int) -> None:
        """Account for bytes received. O(1)."""
        self.bytes_in += size
        self.state.bytes_in += size
        self.state.reads += 1

    def on_ready(self, mask: int) -> None:
        """The socket is readable, writable or broken.

        Spelled out for the usual case: a client sends a whole command or a few, and reads its replies.
        """
        session = self.session
        if mask != READ or self.queued or self.paused or session.busy:
            self._on_unusual(mask)
            return
        try:
            data = self.recv(CHUNK)
        except OSError as error:
            if not is_transient(error):
                self.drop()
            return
        if not data:
            # The client sends no more, and may still want the replies it has coming.
            self.finish()
            return
        size = len(data)
        self.bytes_in += size
        state = self.state
        state.bytes_in += size
        state.reads += 1
        batch = self.read(data, BATCH)
        if len(batch) != 1 or not session.authenticated:
            self._execute(batch)
            return
        self.more = False
        if not (session.special or self.dispatcher.gated):
            reply = self.answer(session, batch[0])
            if reply:
                self._reply(reply)
                return
            if reply is not None:
                # It is under way to another shard; `ready` is called when the answer is there.
                return
        session.batch = batch
        session.position = 0
        self.execute(session)
        if not session.busy:
            self.ready()

    def _reply(self, reply: bytes) -> None:
        """Send the reply of a lone command: `ready` for when there is nothing else to send, nor to do."""
        session = self.session
        if session.sink or self.unsent or self.proactor.has_notices or not self.parser.idle:
            session.sink.append(reply)
            self.ready()
            return
        session.last_active = self.loop.now
        state = self.state
        started = 0 if state.writes & SAMPLED else state.stopwatch()
        try:
            sent = self.send(reply)
        except OSError:
            # Whatever it is, it will be so again, and `ready` knows what to do.
            sent = 0
        if started:
            state.send_ns += (SAMPLED + 1) * (state.stopwatch() - started)
        self.bytes_out += sent
        state.bytes_out += sent
        state.writes += 1
        if sent != len(reply):
            session.sink.append(reply[sent:])
            self.ready()

    def _on_unusual(self, mask: int) -> None:
        if mask & WRITE:
            self.send_unsent()
            if self.closed:
                return
        if mask & READ:
            if self.queued:
                # What was read before comes first; that is in this very turn.
                return
            session = self.session
            if not self.paused and (session.blocked is not None or session in self.state.pausing.parked):
                self._read_ahead()
                return
            if self.session.busy or self.paused:
                self.pause()
                return
            self.on_ready(READ)
        elif not mask & WRITE:
            # Neither readable nor writable: hang-up or error while nothing was being read.
            self.drop()

    def login_changed(self) -> None:
        """See `Transport`: strangers have narrower limits."""
        self.parser.authenticated = self.session.authenticated

    def watch_for_end(self) -> None:
        """See `Transport`."""
        if self.paused and self.unsent_bytes <= self.high_water and self.parser.pending < READ_AHEAD:
            self.paused = False
            self._watch()

    def _read_ahead(self) -> None:
        """Read while a command blocks: that is how one hears that the client has gone. What comes is kept."""
        try:
            data = self.recv(CHUNK)
        except OSError as error:
            if not is_transient(error):
                self.drop()
            return
        if not data:
            self.drop()
            return
        self.count_read(len(data))
        self.parser.feed(data)
        self.more = True
        if self.parser.pending >= READ_AHEAD:
            self.pause()

    def go_on(self) -> None:
        """Run the next batch of commands that were buffered when the last turn ended."""
        self.queued = False
        if self.closed or self.session.busy:
            return
        resume = getattr(self.loop.handlers.get(self.fd), "resume", None)
        if resume is None or not resume():
            self._execute(self.parser.next_batch(BATCH))

    def _execute(self, batch: list[list[bytes]], more: bool = False) -> None:
        """Run a batch of commands; whoever ends the last one calls `ready`.

        Args:
            more: the parser holds something that is to be run or refused.
        """
        session = self.session
        # Without a login commands are parsed one by one: the next one may come under other limits.
        size = len(batch)
        self.more = more or size == BATCH or (size > 0 and not session.authenticated)
        if size:
            if size > 1:
                state = self.state
                state.pipelined += size
                state.pipelines += 1
                if not state.pipelines & SAMPLED:
                    self.timed = (size, state.stopwatch())
            session.batch = batch
            session.position = 0
            self.execute(session)
        if not session.busy:
            self.ready()

    def ready(self) -> None:
        """The batch is done: send its replies, then see what else has arrived meanwhile."""
        session = self.session
        session.last_active = self.loop.now
        sink = session.sink
        if sink:
            self.flush()
        if self.timed:
            size, started = self.timed
            self.timed = ()
            self.state.note_pipeline(size, self.state.stopwatch() - started, SAMPLED + 1)
        parser = self.parser
        if parser.idle and not (session.closing or self.paused or self.unsent_bytes):
            # Nothing is left over anywhere: nearly always.
            return
        if self.closed:
            return
        if session.closing:
            self.finish()
        elif self.unsent_bytes > self.high_water:
            self.pause()
        elif self.more and parser.pending:
            # More than one turn's worth: let the others go first.
            if not self.queued:
                self.queued = True
                self.state.read_yields += 1
                self.loop.runnable.append(self)
        elif parser.error is not None:
            self._protocol_error(parser.error)
        elif parser.pending > self.dispatcher.config.client_query_buffer_limit:
            log.warning(f"Closing client that reached max query buffer length: {session.address}")
            self.dispatcher.state.query_limit_disconnects += 1
            self.drop()
        elif self.paused:
            self.paused = False
            self._watch()

    def send_soon(self) -> None:
        """See `Transport`."""
        if not self.dirty:
            self.dirty = True
            self.loop.dirty.append(self)

    def flush(self) -> None:
        """Send what there is to send; keep the rest and wait for the socket to be writable."""
        self.dirty = False
        sink = self.session.sink
        if not sink or self.closed:
            return
        self._ground()
        proactor = self.proactor
        if proactor.has_notices:
            proactor.hand_over_notices()
        data = b"".join(sink)
        sink.clear()
        if self.unsent:
            self.unsent.append(memoryview(data))
            self.unsent_bytes += len(data)
            self._check_limits(self.loop.proactor.clock.monotonic())
            return
        state = self.state
        started = 0 if state.writes & SAMPLED else state.stopwatch()
        try:
            sent = self.send(data)
        except OSError as error:
            if not is_transient(error):
                self.drop()
                return
            sent = 0
        if started:
            state.send_ns += (SAMPLED + 1) * (state.stopwatch() - started)
        self.bytes_out += sent
        state.bytes_out += sent
        state.writes += 1
        if sent < len(data):
            now = self.loop.proactor.clock.monotonic()
            self.unsent = deque((memoryview(data)[sent:],))
            self.unsent_bytes = len(data) - sent
            self.progress_at = now
            self._watch()
            state.watch_slow_reader(self.session)
            self._check_limits(now)

    def send_unsent(self) -> None:
        """The socket is writable: send what is left over. O(pieces)."""
        unsent = self.unsent
        while unsent:
            pieces = [unsent[0]] if len(unsent) == 1 else list(islice(unsent, PIECES))
            try:
                sent = self.sock.sendmsg(pieces)
            except OSError as error:
                if is_transient(error):
                    break
                self.drop()
                return
            self._sent(sent)
            self.unsent_bytes -= sent
            for piece in pieces:
                if sent < len(piece):
                    unsent[0] = piece[sent:]
                    break
                sent -= len(piece)
                unsent.popleft()
            else:
                continue
            break
        now = self.loop.proactor.clock.monotonic()
        self.progress_at = now
        if unsent:
            self._check_limits(now)
            return
        self.high_water = HIGH_WATER
        self.soft_since = 0.0
        self.dispatcher.state.slow_readers.pop(self.session, None)
        if self.finishing:
            self.drop()
            return
        self._watch()
        if self.paused and not self.session.busy:
            self.ready()

    def _sent(self, count: int) -> None:
        state = self.dispatcher.state
        self.bytes_out += count
        state.bytes_out += count
        state.writes += 1

    def _check_limits(self, now: float) -> None:
        """Cut the client off if it is past the output buffer limits of its class."""
        unsent = self.unsent_bytes
        session = self.session
        limits = self.dispatcher.config.client_output_buffer_limit
        hard, soft, seconds = limits["pubsub" if session.subscriptions else "normal"]
        if not hard and (session.subscriptions or session.monitor):
            hard = HARD_LIMIT
        if soft and unsent > soft:
            self.soft_since = self.soft_since or now
        else:
            self.soft_since = 0.0
        if (hard and unsent > hard) or (self.soft_since and now - self.soft_since > seconds):
            self._cut_off()

    def _cut_off(self) -> None:
        log.warning(f"Closing client {self.session.address}: {self.unsent_bytes} bytes of replies unread")
        self.dispatcher.state.output_limit_disconnects += 1
        self.drop()

    def check(self, now: float) -> None:
        """See `Transport`: the limits that depend on time; see the module's text."""
        self._check_limits(now)
        if self.closed:
            return
        stalled = now - self.progress_at
        if self.finishing:
            if stalled > GIVE_UP:
                self.drop()
        elif self.paused and self.unsent_bytes > self.high_water:
            if self.high_water >= HARD_LIMIT:
                if stalled > GIVE_UP:
                    self._cut_off()
            elif stalled > STALL:
                self.progress_at = now
                self.high_water = max(2 * self.high_water, self.unsent_bytes)
                if not self.session.busy:
                    self.ready()

    def pause(self) -> None:
        """Read nothing more from the client for now. O(1)."""
        if not self.paused:
            self.paused = True
            self._watch()

    def resume(self) -> None:
        """Undo `pause`. O(1)."""
        if self.paused:
            self.paused = False
            self._watch()

    def _watch(self) -> None:
        mask = (0 if self.paused or self.finishing else READ) | (WRITE if self.unsent else 0)
        self.loop.poller.modify(self.fd, mask)

    def _protocol_error(self, error: bytes) -> None:
        state = self.dispatcher.state
        session = self.session
        log.verbose(f"Protocol error from client {session.address}: {error!r}")
        reply = ReplyError("RAW", error)
        state.count_error(reply)
        if session.reply_mode == REPLY_ON:
            self.dispatcher.encoder.encode(reply, session.proto, session.sink)
        self.flush()
        self.finish()

    def finish(self) -> None:
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
        self._ground()
        self.session.closing = True
        if not after_replies:
            self.drop()
        elif not self.session.busy:
            self.flush()
            self.finish()

    def drop(self) -> None:
        """Close now; what the session has in flight ends by itself and is not answered. Idempotent."""
        if self.closed:
            return
        self._ground()
        self.closed = True
        self.loop.unwatch(self.fd)
        self.sock.close()
        self.unsent = ()
        self.unsent_bytes = 0
        self.dispatcher.state.forget(self.session)

    def _ground(self) -> None:
        """Have nobody but this thread send to the client, before it does so or closes the socket."""
        if self.aloft is not None:
            self.aloft.ground()

    def describe(self) -> dict[str, Any]:
        """See `Transport`."""
        return {
            "fd": self.fd,
            "qbuf": self.parser.pending,
            "oll": len(self.unsent),
            "omem": self.unsent_bytes,
            "events": ("" if self.paused or self.finishing else "r") + ("w" if self.unsent else ""),
            "tot_net_in": self.bytes_in,
            "tot_net_out": self.bytes_out,
        }
