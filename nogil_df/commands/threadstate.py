"""What one thread knows beside its shard: its clients, its configuration view, its figures.

Every thread has one; nobody else touches it. Whoever needs the whole picture (INFO, CLIENT LIST, SLOWLOG)
asks every thread by message and merges the answers; whoever changes something for all (CONFIG SET, CLIENT
PAUSE, SUBSCRIBE of the first listener) tells every thread by message.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from nogil_df.base import keyspace_events as events
from nogil_df.base import log
from nogil_df.base.errors import ReplyError, prefix
from nogil_df.commands import latency, saver, slowlog, tracking
from nogil_df.commands.access import AclLog
from nogil_df.commands.latency import COMMAND, EXPIRE_CYCLE, FAST_COMMAND, LatencyMonitor
from nogil_df.commands.memory_guard import MemoryGuard
from nogil_df.commands.monitors import Monitors
from nogil_df.commands.pausing import Pausing
from nogil_df.commands.session import Session
from nogil_df.commands.slowlog import SlowLog, shorten
from nogil_df.commands.spec import BUCKETS
from nogil_df.commands.subscriptions import CHANNEL, Subscriptions
from nogil_df.commands.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogil_df.acl.user import Users
    from nogil_df.base.config import ConfigView
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.hotkeys import HotKeys
    from nogil_df.commands.spec import Command
    from nogil_df.shard.keyspace import WatchToken
    from nogil_df.vll.proactor import Message, Proactor


def _nothing() -> None:
    """What there is to settle where nobody counts apart."""


IDLE_BEAT = 1.0
"""Seconds between heartbeats of a thread that has nothing to expire and nobody connected."""

BUSY_BEAT = 0.1
"""Seconds between heartbeats of a thread with clients: the rate at which Redis samples its figures too.

So it is with one whose keys have deadlines, all of them far off as it seems: `hz` steps a second past
segments in which nothing is due took 3.5 % of a CPU from a server of two threads that had nothing to do.
Where a step finds something, the next ones come at the rate of `hz`."""

IDLE_SWEEP = 1.0
"""Seconds between looks for idle clients, while `timeout` is set."""

QUEUE_WARNING = 1.0
"""Seconds between two warnings of a long transaction queue."""

SAMPLES = 16
"""Samples that the instantaneous figures are averaged over, as in Redis."""

EXPIRE_SEGMENTS = 4
"""Segments looked at in one step of active expiry: about 0.2 ms when nothing in them has expired."""

EXPIRE_AT_ONCE = 64
"""Records that one step must find for the next one to follow at once: 2 to 3 % of what it looked at. A step
looks at all records of its segments, so with fewer to find, each costs more than leaving it for a while."""

FREE_SEGMENTS = 2
"""Segments of a flushed table freed in one turn: 1,680 slots, about 0.2 ms."""

AGE_SEGMENTS = 2560
"""Segments a second that the sweep for OBJECT IDLETIME passes while commands run: up to 0.3 % of a CPU."""

ERROR_KINDS = 128
"""Distinct error prefixes counted, as Redis bounds them."""


class ThreadState:
    """State of one thread.

    Attributes:
        sessions: live clients of this thread by id.
        slow_ns: commands at least this long concern the slow log or the latency monitor (a huge number if
            both are off).
        slow_log, latency, acl_log: what those hold; empty on all threads but the one that keeps them.
        users: who may log in, and what they may do.
        monitors, subscriptions, pausing: MONITOR, pub/sub, CLIENT PAUSE.
        hot_keys: what HOTKEYS counts here, or has counted; None if it was not asked to.
        memory: holds this thread to its share of `maxmemory`.
        memory_at_start, memory_peak: bytes that the empty shard holds, and the most it was seen to hold.
        pipelined, pipelines: commands that came together with others, and how often that was.
        pipeline_ns, pipeline_wait_ns, pipeline_latencies: see `note_pipeline`.
        read_yields: how often a client had more commands than one turn may run.
        send_ns: time spent in sending, by samples.
        reads, writes: successful calls of recv and send.
        expire_ns: time spent on active expiry.
        slow_readers: clients that have not taken all of their replies yet.
        settle: adds what the compiled short cut has counted to the figures; for whoever is to read them.
        next_beat: when `beat` is due, monotonic seconds.
        has_more_work: the last beat left something to be done in the next turn.
    """

    __slots__ = (
        "proactor",
        "config",
        "dispatcher",
        "dispatchers",
        "memcached",
        "admin",
        "clock",
        "sessions",
        "timers",
        "memory",
        "errors",
        "slow_ns",
        "settle",
        "slow_log",
        "latency",
        "users",
        "acl_log",
        "monitors",
        "subscriptions",
        "pausing",
        "hot_keys",
        "slow_readers",
        "next_beat",
        "has_more_work",
        "started_at",
        "bytes_in",
        "bytes_out",
        "connections_received",
        "connections_closed",
        "admin_connections",
        "query_limit_disconnects",
        "output_limit_disconnects",
        "timeout_disconnects",
        "server",
        "reads",
        "writes",
        "pipelined",
        "pipelines",
        "pipeline_ns",
        "pipeline_wait_ns",
        "pipeline_latencies",
        "read_yields",
        "send_ns",
        "stopwatch",
        "expire_ns",
        "memory_at_start",
        "memory_peak",
        "samples",
        "sampled",
        "extra",
        "_expired",
        "_last_idle_sweep",
        "_last_sweep",
        "_next_warning",
        "_password",
    )

    def __init__(self, proactor: Proactor, config: ConfigView, server: Any) -> None:
        self.proactor = proactor
        self.config = config
        self.server = server
        self.dispatcher: Dispatcher = None  # type: ignore[assignment]
        # That of Memcached's clients, if they are served; and all there are.
        self.memcached: Dispatcher | None = None
        # That of the admin port's clients: another one only if it knows commands that the others do not.
        self.admin: Dispatcher = None  # type: ignore[assignment]
        self.dispatchers: tuple[Dispatcher, ...] = ()
        self.clock = proactor.clock
        self.sessions: dict[int, Session] = {}
        self.timers = Timers()
        self.errors: dict[str, int] = {}
        self.slow_ns = 1 << 62
        self.settle: Callable[[], None] = _nothing
        self.slow_log = SlowLog(config.slowlog_max_len)
        self.latency = LatencyMonitor()
        # Made once the command table is there, see `set_users`.
        self.users: Users = None  # type: ignore[assignment]
        self.acl_log = AclLog(config.acllog_max_len)
        self.monitors = Monitors(proactor)
        self.hot_keys: HotKeys | None = None
        self.subscriptions = Subscriptions(proactor)
        self.pausing = Pausing(self)
        self.slow_readers: dict[Session, None] = {}
        self.started_at = self.clock.monotonic()
        self.next_beat = 0.0
        self.has_more_work = False
        self.bytes_in = 0
        self.bytes_out = 0
        self.reads = 0
        self.writes = 0
        self.pipelined = 0
        self.pipelines = 0
        self.pipeline_ns = 0
        self.pipeline_wait_ns = 0
        self.pipeline_latencies = [0] * BUCKETS
        self.read_yields = 0
        self.send_ns = 0
        self.stopwatch = self.clock.stopwatch_ns
        self.expire_ns = 0
        self.memory_at_start = self.memory_peak = proactor.shard.used
        self.connections_received = 0
        self.connections_closed = 0
        # Those of the admin port now: `maxclients` is not about them.
        self.admin_connections = 0
        self.query_limit_disconnects = 0
        self.output_limit_disconnects = 0
        self.timeout_disconnects = 0
        # Rates: (commands, bytes in, bytes out) a second, the last SAMPLES of them.
        self.samples: deque[tuple[float, float, float]] = deque(maxlen=SAMPLES)
        self.sampled = (self.started_at, 0, 0, 0)
        # Room for the state of command families, by name.
        self.extra: dict[str, Any] = {}
        self._last_sweep = self._last_idle_sweep = self.started_at
        # Records that the last step of active expiry found.
        self._expired = 0
        self._next_warning = self.started_at
        self.memory = MemoryGuard(self)
        self.reconfigure()

    def reconfigure(self) -> None:
        """Take over what the configuration says; after every CONFIG SET."""
        config = self.config
        thresholds = [1 << 62]
        if config.slowlog_log_slower_than >= 0 and config.slowlog_max_len:
            thresholds.append(config.slowlog_log_slower_than * 1000)
        if config.latency_monitor_threshold:
            thresholds.append(config.latency_monitor_threshold * 1_000_000)
        self.slow_ns = min(thresholds)
        self.slow_log.set_limit(config.slowlog_max_len)
        self.acl_log.limit = config.acllog_max_len
        self.proactor.shard.tracking.limit = config.tracking_table_max_keys
        if self.users is not None:
            self._follow_configuration()
        if self.dispatcher is not None:
            self.refresh_gated()
            if self.proactor.index == saver.KEEPER:
                saver.saver_of(self).follow()
        self.proactor.shard.set_notify_mask(config.notify_keyspace_events)
        self.proactor.shard.limits.follow(config)
        self.proactor.shard.slice = config.slice_elements
        self.memory.follow()

    def set_users(self, users: Users) -> None:
        """Take the users over that this thread goes by, and what the configuration says of one of them."""
        self.users = users
        self._password = b""
        self._follow_configuration()

    def _follow_configuration(self) -> None:
        """`requirepass` sets the default user's password whenever it changes, as in Redis."""
        users, config = self.users, self.config
        users.all_channels = config.acl_pubsub_default == "allchannels"
        if config.requirepass != self._password:
            self._password = config.requirepass
            users.default.apply(b"resetpass")
            users.default.apply(b">" + self._password if self._password else b"nopass")

    # Clients.

    def forget(self, session: Session) -> None:
        """A client is gone: leave no trace of it on any shard or list."""
        session.closed = True
        session.transport = GONE
        self.connections_closed += 1
        if session.admin:
            self.admin_connections -= 1
        self.sessions.pop(session.id, None)
        self.slow_readers.pop(session, None)
        self.monitors.remove(session)
        self.subscriptions.forget(session)
        self.pausing.forget(session)
        tracking.forget(session)
        self.drop_watches(session)
        session.queue = None
        session.unblock(None)

    def drop_watches(self, session: Session) -> None:
        """Forget what a session watches."""
        watching, session.watching = session.watching, {}
        self.unwatch(watching)

    def unwatch(self, watching: dict[tuple[int, bytes], WatchToken]) -> None:
        """Take WATCH tokens, by (database, key), back from the shards that hold them. O(tokens)."""
        proactor = self.proactor
        hash_key = proactor.shard.hash_key
        groups: dict[int, list[Any]] = {}
        for (db, key), token in watching.items():
            h = hash_key(key)
            groups.setdefault((h >> 32) % proactor.count, []).append((db, key, token))
        for shard, entries in groups.items():
            message = (unwatch_keys, entries)
            proactor.send(shard, message)

    # Errors, the slow log, the latency monitor.

    def count_error(self, error: ReplyError) -> None:
        """Count an error reply under its prefix. O(1)."""
        name = prefix(error)
        errors = self.errors
        if name in errors:
            errors[name] += 1
        elif len(errors) < ERROR_KINDS:
            errors[name] = 1

    def note_slow(self, session: Session, command: Command, args: list[bytes], nanoseconds: int) -> None:
        """A command took at least `slow_ns`: tell whoever keeps a record of it. O(arguments shown)."""
        config = self.config
        micros = nanoseconds // 1000
        if 0 <= config.slowlog_log_slower_than <= micros and "skip_slowlog" not in command.flags:
            self.proactor.tell(
                slowlog.KEEPER,
                (
                    slowlog.keep,
                    self.clock.unix_ms() // 1000,
                    micros,
                    shorten(args),
                    session.address.encode("utf-8", "surrogateescape"),
                    session.name,
                ),
            )
        self.note_latency(FAST_COMMAND if "fast" in command.flags else COMMAND, nanoseconds)

    def note_latency(self, event: bytes, nanoseconds: int) -> None:
        """Tell the latency monitor of an event, if it took long enough to be noted. O(1)."""
        millis = nanoseconds // 1_000_000
        if 0 < self.config.latency_monitor_threshold <= millis:
            now = self.clock.unix_ms() // 1000
            self.proactor.tell(latency.KEEPER, (latency.keep, event, now, millis))

    def note_pipeline(self, size: int, nanoseconds: int, weight: int) -> None:
        """Commands that came together are done, their replies sent. O(1).

        Each of them took as long as all did, as its reply comes with the others; it waited for those before
        it, which is half of that on average.

        Args:
            weight: how many pipelines this one stands for.
        """
        count = size * weight
        self.pipeline_ns += count * nanoseconds
        self.pipeline_wait_ns += (count - weight) * nanoseconds // 2
        self.pipeline_latencies[nanoseconds.bit_length()] += count

    def refresh_gated(self) -> None:
        """Recompute whether commands of this thread must be looked at one by one."""
        gated = (
            self.pausing.until > 0
            or bool(self.monitors.threads)
            or "busy_script" in self.extra
            or self.is_disturbed
            or self.memory.short
        )
        measured = self.hot_keys is not None and self.hot_keys.active
        for dispatcher in self.dispatchers:
            dispatcher.gated = gated or measured
            dispatcher.only_measured = measured and not gated

    @property
    def refuses_writes(self) -> bool:
        """Whether writes are refused because what they write could not be saved (MISCONF)."""
        config = self.config
        return (
            bool(self.extra.get("save_failed"))
            and config.stop_writes_on_bgsave_error
            and bool(config.save or config.snapshot_cron)
        )

    @property
    def is_disturbed(self) -> bool:
        """Whether a snapshot keeps some commands from running: one is loading, or could not be saved."""
        return "loading" in self.extra or self.refuses_writes

    def publish_events(self) -> None:
        """Publish the keyspace events that the shard left behind, and the invalidations. O(events)."""
        shard = self.proactor.shard
        found, shard.outgoing = shard.outgoing, []
        subscriptions = self.subscriptions
        heard = any(subscriptions.audience)
        mask = self.config.notify_keyspace_events
        flushed = False
        for kind, event, key, db in found:
            if kind == events.INVALIDATED:
                tracking.spread_invalidation(self.proactor, event, key, db)
            elif kind == events.FLUSHED and not flushed:
                # FLUSHALL empties every database; once is enough.
                flushed = True
                tracking.invalidate_everything(self.proactor)
            if kind < 0:
                continue
            if not heard:
                continue
            if mask & events.KEYSPACE:
                subscriptions.publish(b"__keyspace@%d__:%b" % (db, key), event, CHANNEL)
            if mask & events.KEYEVENT:
                subscriptions.publish(b"__keyevent@%d__:%b" % (db, event), key, CHANNEL)

    # The heartbeat.

    def beat(self, now: float) -> None:
        """Periodic work, bounded: expiry, freeing, time-outs, samples. Called when `next_beat` is due."""
        shard = self.proactor.shard
        self.has_more_work = more = False
        if shard.expire_enabled and shard.has_deadlines and not self.pausing.until:
            started = self.clock.stopwatch_ns()
            self._expired = shard.expire_step(EXPIRE_SEGMENTS)
            more = self._expired > EXPIRE_AT_ONCE
            took = self.clock.stopwatch_ns() - started
            self.expire_ns += took
            self.note_latency(EXPIRE_CYCLE, took)
            if shard.ready:
                shard.blocking.serve(shard.ready)
        if shard.garbage:
            more = shard.free_garbage(FREE_SEGMENTS) or more
        if shard.outgoing:
            self.publish_events()
        if now - self._last_sweep >= BUSY_BEAT:
            self._last_sweep = now
            self._sample(now)
            self.memory.beat(now)
            more = more or self.has_more_work
            for session in list(self.slow_readers):
                session.transport.check(now)
            self._look_at_queue(now)
        if self.config.timeout and now - self._last_idle_sweep >= IDLE_SWEEP:
            self._last_idle_sweep = now
            self._close_idle(now - self.config.timeout)
        self.has_more_work = more
        self.next_beat = now + self._beat_interval(more)

    def _look_at_queue(self, now: float) -> None:
        """Warn of a transaction queue that grows: much conflict, or a transaction that does not end. O(1)."""
        queue = self.proactor.engine.queue
        limit = self.config.tx_queue_warning_len
        if limit and len(queue) > limit and now >= self._next_warning:
            self._next_warning = now + QUEUE_WARNING
            head = queue.parts[0]
            log.warning(
                f"The transaction queue of shard {self.proactor.index} is long: {len(queue)} wait; its head"
                f" is {head.tx_id} of thread {head.origin}, {'granted' if head.granted else 'waiting'}"
            )

    def _beat_interval(self, more: bool) -> float:
        if more:
            return 0.0
        shard = self.proactor.shard
        if shard.expire_enabled and shard.has_deadlines:
            step = 1.0 / max(1, self.config.hz)
            return step if self._expired else max(step, BUSY_BEAT)
        rates = self.samples[-1] if self.samples else (0.0, 0.0, 0.0)
        return BUSY_BEAT if rates[0] or self.slow_readers else IDLE_BEAT

    def _sample(self, now: float) -> None:
        self.settle()
        self.memory_peak = max(self.memory_peak, self.proactor.shard.used)
        then, commands, got, sent = self.sampled
        total = sum(command.calls for dispatcher in self.dispatchers for command in dispatcher.table.values())
        elapsed = max(now - then, 1e-6)
        sweep = int(min(elapsed, 1.0) * AGE_SEGMENTS) + 1
        self.proactor.shard.age_step(sweep, total + self.proactor.messages_handled)
        rates = (
            (total - commands) / elapsed,
            (self.bytes_in - got) / elapsed,
            (self.bytes_out - sent) / elapsed,
        )
        # A thread that is idle samples less often: its samples count for as long as they took.
        self.samples.extend([rates] * min(SAMPLES, max(1, round(elapsed / BUSY_BEAT))))
        self.sampled = (now, total, self.bytes_in, self.bytes_out)

    def _close_idle(self, since: float) -> None:
        """Disconnect clients that have been silent since ``since``. O(clients), once a second."""
        for session in list(self.sessions.values()):
            if (
                session.last_active < since
                and not session.busy
                and not session.subscriptions
                and not session.monitor
            ):
                self.timeout_disconnects += 1
                session.transport.close(after_replies=False)

    def watch_slow_reader(self, session: Session) -> None:
        """A client did not take all of its replies: look at it in every sweep until it has. O(1)."""
        self.slow_readers[session] = None
        self.next_beat = min(self.next_beat, self.clock.monotonic() + BUSY_BEAT)

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

    def watch_for_end(self) -> None:
        """It has ended."""

    def login_changed(self) -> None:
        """Nothing more will be read."""

    def check(self, now: float) -> None:
        """Nothing to check."""

    def describe(self) -> dict[str, Any]:
        """Nothing to tell."""
        return {}


GONE = _Gone()


# Message handlers.


def unwatch_keys(proactor: Proactor, message: Message) -> None:
    """On a shard's thread: take WATCH tokens back."""
    for db, key, token in message[1]:
        proactor.shard.dbs[db].unwatch(key, token)
