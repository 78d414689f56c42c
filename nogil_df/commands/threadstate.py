"""What one thread knows beside its shard: its clients, its configuration view, its figures.

Every thread has one; nobody else touches it. Whoever needs the whole picture (INFO, CLIENT LIST, SLOWLOG)
asks every thread by message and merges the answers; whoever changes something for all (CONFIG SET, CLIENT
PAUSE, SUBSCRIBE of the first listener) tells every thread by message.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError, prefix
from nogil_df.base.glob import glob_match
from nogil_df.commands.session import Session
from nogil_df.commands.slow import SlowEntry, quote_for_slowlog
from nogil_df.commands.spec import Command
from nogil_df.commands.timers import Timer, Timers
from nogil_df.wire.values import Push, Simple

if TYPE_CHECKING:
    from nogil_df.base.config import ConfigView
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.vll.proactor import Message, Proactor

IDLE_BEAT = 1.0
"""Seconds between heartbeats of a thread that has nothing to expire and nobody connected."""

BUSY_BEAT = 0.1
"""Seconds between heartbeats of a thread with clients: the rate at which Redis samples its figures too."""

SAMPLES = 16
"""Samples that the instantaneous figures are averaged over, as in Redis."""

EXPIRE_SEGMENTS = 4
"""Segments looked at in one step of active expiry: about 0.2 ms when nothing in them has expired."""

FREE_SEGMENTS = 2
"""Segments of a flushed table freed in one turn: 1,680 slots, about 0.2 ms."""

ERROR_KINDS = 128
"""Distinct error prefixes counted, as Redis bounds them."""


class ThreadState:
    """State of one thread.

    Attributes:
        sessions: live clients of this thread by id.
        slow_ns: commands at least this long go to the slow log (a huge number if it is off).
        monitored: somebody, on any thread, runs MONITOR.
        listening: indexes of threads that have subscribers at all.
        next_beat: when `beat` is due, monotonic seconds.
        has_more_work: the last beat left something to be done in the next turn.
    """

    __slots__ = (
        "proactor",
        "config",
        "dispatcher",
        "clock",
        "sessions",
        "timers",
        "errors",
        "slow_ns",
        "slow_log",
        "slow_limit",
        "slow_next_id",
        "monitored",
        "monitors",
        "channels",
        "patterns",
        "listening",
        "pause_until",
        "pause_writes_only",
        "pause_timer",
        "parked",
        "next_beat",
        "has_more_work",
        "started_at",
        "bytes_in",
        "bytes_out",
        "connections_received",
        "connections_closed",
        "query_limit_disconnects",
        "output_limit_disconnects",
        "timeout_disconnects",
        "server",
        "samples",
        "sampled",
        "extra",
        "_last_sweep",
    )

    def __init__(self, proactor: Proactor, config: ConfigView, server: Any) -> None:
        self.proactor = proactor
        self.config = config
        self.server = server
        self.dispatcher: Dispatcher = None  # type: ignore[assignment]
        self.clock = proactor.clock
        self.sessions: dict[int, Session] = {}
        self.timers = Timers()
        self.errors: dict[str, int] = {}
        self.slow_ns = 1 << 62
        self.slow_limit = 128
        self.slow_log: deque[SlowEntry] = deque()
        self.slow_next_id = 0
        self.monitored = False
        self.monitors: dict[Session, None] = {}
        self.channels: dict[bytes, dict[Session, None]] = {}
        self.patterns: dict[bytes, dict[Session, None]] = {}
        self.listening: set[int] = set()
        self.pause_until = 0.0
        self.pause_writes_only = False
        self.pause_timer: Timer | None = None
        self.parked: list[Session] = []
        self.started_at = self.clock.monotonic()
        self.next_beat = 0.0
        self.has_more_work = False
        self.bytes_in = 0
        self.bytes_out = 0
        self.connections_received = 0
        self.connections_closed = 0
        self.query_limit_disconnects = 0
        self.output_limit_disconnects = 0
        self.timeout_disconnects = 0
        # Rates: (commands, bytes in, bytes out) a second, the last SAMPLES of them.
        self.samples: deque[tuple[float, float, float]] = deque(maxlen=SAMPLES)
        self.sampled = (self.started_at, 0, 0, 0)
        # Room for the state of command families, by name.
        self.extra: dict[str, Any] = {}
        self._last_sweep = self.started_at
        self.reconfigure()

    def reconfigure(self) -> None:
        """Take over what the configuration says; after every CONFIG SET."""
        config = self.config
        threshold = config.slowlog_log_slower_than
        self.slow_ns = threshold * 1000 if threshold >= 0 else 1 << 62
        self.slow_limit = config.slowlog_max_len
        while len(self.slow_log) > self.slow_limit:
            self.slow_log.pop()
        self.proactor.shard.set_notify_mask(config.notify_keyspace_events)

    # Clients.

    def forget(self, session: Session) -> None:
        """A client is gone: leave no trace of it on any shard or list."""
        session.closed = True
        session.transport = GONE
        self.connections_closed += 1
        self.sessions.pop(session.id, None)
        self.monitors.pop(session, None)
        if session.monitor:
            self.tell_monitoring()
        for channel in list(session.channels):
            self.unsubscribe(session, channel)
        for pattern in list(session.patterns):
            self.punsubscribe(session, pattern)
        self.drop_watches(session)
        session.queue = None

    def drop_watches(self, session: Session) -> None:
        """Take a session's WATCH tokens back from the shards that hold them."""
        watching = session.watching
        if not watching:
            return
        session.watching = {}
        proactor = self.proactor
        hash_key = proactor.shard.hash_key
        groups: dict[int, list[Any]] = {}
        for (db, key), token in watching.items():
            h = hash_key(key)
            groups.setdefault((h >> 32) % proactor.count, []).append((db, key, token))
        for shard, entries in groups.items():
            message = (unwatch_keys, entries)
            if shard == proactor.index:
                unwatch_keys(proactor, message)
            else:
                proactor.post(shard, message)

    # Errors and the slow log.

    def count_error(self, error: ReplyError) -> None:
        """Count an error reply under its prefix. O(1)."""
        name = prefix(error)
        errors = self.errors
        if name in errors:
            errors[name] += 1
        elif len(errors) < ERROR_KINDS:
            errors[name] = 1

    def log_slow(self, session: Session, args: list[bytes], nanoseconds: int) -> None:
        """Note a slow command. O(arguments shown)."""
        if self.slow_limit <= 0:
            return
        # Ids of all threads interleave, so that they are unique and grow on each thread.
        self.slow_next_id += 1
        entry = SlowEntry(
            self.slow_next_id * self.proactor.count + self.proactor.index,
            self.clock.unix_ms() // 1000,
            nanoseconds // 1000,
            quote_for_slowlog(args),
            str(session.transport.describe().get("addr", "")).encode(),
            session.name,
        )
        self.slow_log.appendleft(entry)
        if len(self.slow_log) > self.slow_limit:
            self.slow_log.pop()

    # MONITOR.

    def tell_monitoring(self) -> None:
        """Let every thread know whether this one has monitors."""
        self.proactor.broadcast((note_monitors, self.proactor.index, bool(self.monitors)))

    def feed_monitors(self, session: Session, args: list[bytes]) -> None:
        """Send a command to whoever monitors, on any thread."""
        us = self.clock.unix_us()
        info = session.transport.describe()
        line = b"%d.%06d [%d %b] " % (
            us // 1_000_000,
            us % 1_000_000,
            session.db,
            str(info.get("addr", "")).encode() if not session.unix_socket else b"unix:" + str(info.get("laddr", "")).encode(),
        )
        hidden = args[0].upper() in (b"AUTH",)
        words = [args[0], *([b"(redacted)"] * (len(args) - 1) if hidden else args[1:])]
        line += b" ".join(_quoted(word) for word in words)
        for thread in self.extra.get("monitoring", ()):
            if thread == self.proactor.index:
                show_monitor(self.proactor, (show_monitor, line))
            else:
                self.proactor.post(thread, (show_monitor, line))

    # CLIENT PAUSE.

    def paused(self, command: Command) -> bool:
        """Whether ``command`` has to wait for the end of a CLIENT PAUSE."""
        if not self.pause_until or command.name in ("CLIENT UNPAUSE", "CLIENT PAUSE"):
            return False
        if self.clock.monotonic() >= self.pause_until:
            self.unpause()
            return False
        return not self.pause_writes_only or command.is_write or "may_replicate" in command.flags

    def pause(self, until: float, writes_only: bool) -> None:
        """Hold clients back until the clock's monotonic ``until``."""
        self.pause_until = until
        self.pause_writes_only = writes_only
        if self.pause_timer is not None:
            self.pause_timer.cancel()
        self.pause_timer = self.timers.at(until, self.unpause)
        self.refresh_gated()

    def unpause(self) -> None:
        """Let waiting clients go on."""
        self.pause_until = 0.0
        if self.pause_timer is not None:
            self.pause_timer.cancel()
            self.pause_timer = None
        self.refresh_gated()
        parked, self.parked = self.parked, []
        for session in parked:
            if not session.closed:
                session.busy = False
                self.dispatcher.go_on(session)

    def wait_for_unpause(self, session: Session) -> None:
        """Keep a session from running on until `unpause`."""
        session.busy = True
        self.parked.append(session)

    def refresh_gated(self) -> None:
        """Recompute whether commands of this thread must be looked at one by one."""
        self.dispatcher.gated = bool(self.pause_until) or self.monitored

    # Pub/sub: the part of it that keyspace events need on every thread.

    def subscribe(self, session: Session, channel: bytes) -> None:
        """Add a session to a channel. O(1)."""
        session.channels.add(channel)
        self.channels.setdefault(channel, {})[session] = None
        self._tell_listening()

    def unsubscribe(self, session: Session, channel: bytes) -> None:
        """Undo `subscribe`. O(1)."""
        session.channels.discard(channel)
        _remove(self.channels, channel, session)
        self._tell_listening()

    def psubscribe(self, session: Session, pattern: bytes) -> None:
        """Add a session to a pattern. O(1)."""
        session.patterns.add(pattern)
        self.patterns.setdefault(pattern, {})[session] = None
        self._tell_listening()

    def punsubscribe(self, session: Session, pattern: bytes) -> None:
        """Undo `psubscribe`. O(1)."""
        session.patterns.discard(pattern)
        _remove(self.patterns, pattern, session)
        self._tell_listening()

    def _tell_listening(self) -> None:
        listens = bool(self.channels or self.patterns)
        if listens != (self.proactor.index in self.listening):
            self.proactor.broadcast((note_listening, self.proactor.index, listens))
            note_listening(self.proactor, (note_listening, self.proactor.index, listens))

    def deliver(self, channel: bytes, message: bytes) -> int:
        """Hand a published message to this thread's subscribers. Returns how many there were.

        Complexity: O(subscribers of the channel + patterns).
        """
        count = 0
        sessions = self.channels.get(channel)
        if sessions:
            value = Push([b"message", channel, message])
            for session in sessions:
                session.push(value)
            count += len(sessions)
        if self.patterns:
            matches = glob_match
            for pattern, sessions in self.patterns.items():
                if matches(pattern, channel):
                    value = Push([b"pmessage", pattern, channel, message])
                    for session in sessions:
                        session.push(value)
                    count += len(sessions)
        return count

    def publish_events(self) -> None:
        """Publish the keyspace events that the shard left behind. O(events)."""
        shard = self.proactor.shard
        found, shard.outgoing = shard.outgoing, []
        if not self.listening:
            return
        mask = self.config.notify_keyspace_events
        messages: list[tuple[bytes, bytes]] = []
        for _, event, key, db in found:
            if mask & events.KEYSPACE:
                messages.append((b"__keyspace@%d__:%b" % (db, key), event))
            if mask & events.KEYEVENT:
                messages.append((b"__keyevent@%d__:%b" % (db, event), key))
        for thread in self.listening:
            if thread == self.proactor.index:
                show_messages(self.proactor, (show_messages, messages))
            else:
                self.proactor.post(thread, (show_messages, messages))

    # The heartbeat.

    def beat(self, now: float) -> None:
        """Periodic work, bounded: expiry, freeing, time-outs, samples. Called when `next_beat` is due."""
        shard = self.proactor.shard
        more = False
        if shard.expire_enabled and shard.has_deadlines:
            more = shard.expire_step(EXPIRE_SEGMENTS) > 16
        if shard.garbage:
            more = shard.free_garbage(FREE_SEGMENTS) or more
        if shard.outgoing:
            self.publish_events()
        if now - self._last_sweep >= BUSY_BEAT:
            self._last_sweep = now
            self._sample(now)
            self._sweep(now)
        self.has_more_work = more
        self.next_beat = now + self._beat_interval(more)

    def _beat_interval(self, more: bool) -> float:
        if more:
            return 0.0
        shard = self.proactor.shard
        if shard.expire_enabled and shard.has_deadlines:
            return 1.0 / max(1, self.config.hz)
        rates = self.samples[-1] if self.samples else (0.0, 0.0, 0.0)
        return BUSY_BEAT if rates[0] else IDLE_BEAT

    def _sample(self, now: float) -> None:
        then, commands, got, sent = self.sampled
        total = sum(command.calls for command in self.dispatcher.table.values())
        elapsed = max(now - then, 1e-6)
        self.samples.append(
            ((total - commands) / elapsed, (self.bytes_in - got) / elapsed, (self.bytes_out - sent) / elapsed)
        )
        self.sampled = (now, total, self.bytes_in, self.bytes_out)

    def _sweep(self, now: float) -> None:
        """Idle clients and clients that do not read. O(clients), ten times a second at most."""
        timeout = self.config.timeout
        for session in list(self.sessions.values()):
            session.transport.check(now)
            if (
                timeout
                and not session.busy
                and not session.subscriptions
                and not session.monitor
                and now - session.last_active > timeout
            ):
                self.timeout_disconnects += 1
                session.transport.close(after_replies=False)

    def kick(self) -> None:
        """Ask for a heartbeat in the next turn: something for it to do came up."""
        self.next_beat = 0.0


class _Gone:
    """The transport of a session whose connection is closed."""

    def ready(self) -> None:
        """Nobody is there."""

    def send_soon(self) -> None:
        """Nobody is there."""

    def close(self, *, after_replies: bool) -> None:
        """Closed already."""

    def check(self, now: float) -> None:
        """Nothing to check."""

    def describe(self) -> dict[str, Any]:
        """Nothing to tell."""
        return {}


GONE = _Gone()


def _remove(table: dict[bytes, dict[Session, None]], name: bytes, session: Session) -> None:
    sessions = table.get(name)
    if sessions is not None:
        sessions.pop(session, None)
        if not sessions:
            del table[name]


def _quoted(word: bytes) -> bytes:
    """A word as MONITOR prints it: in double quotes, what is not printable escaped."""
    out = bytearray(b'"')
    for byte in word:
        if byte in b'"\\':
            out += b"\\%c" % byte
        elif 32 <= byte < 127:
            out.append(byte)
        else:
            out += _ESCAPES.get(byte) or b"\\x%02x" % byte
    out += b'"'
    return bytes(out)


_ESCAPES = {10: b"\\n", 13: b"\\r", 9: b"\\t", 7: b"\\a", 8: b"\\b"}


# Message handlers.


def unwatch_keys(proactor: Proactor, message: Message) -> None:
    """On a shard's thread: take WATCH tokens back."""
    for db, key, token in message[1]:
        proactor.shard.dbs[db].unwatch(key, token)


def note_monitors(proactor: Proactor, message: Message) -> None:
    """On every thread: a thread has monitors, or none any more."""
    state: ThreadState = proactor.service
    threads: set[int] = state.extra.setdefault("monitoring", set())
    (threads.add if message[2] else threads.discard)(message[1])
    state.monitored = bool(threads)
    state.refresh_gated()


def show_monitor(proactor: Proactor, message: Message) -> None:
    """On a thread with monitors: pass a line on."""
    for session in proactor.service.monitors:
        session.push(Simple(message[1]))


def note_listening(proactor: Proactor, message: Message) -> None:
    """On every thread: a thread has subscribers, or none any more."""
    listening = proactor.service.listening
    (listening.add if message[2] else listening.discard)(message[1])


def show_messages(proactor: Proactor, message: Message) -> None:
    """On a thread with subscribers: deliver published messages in order."""
    deliver = proactor.service.deliver
    for channel, payload in message[1]:
        deliver(channel, payload)
