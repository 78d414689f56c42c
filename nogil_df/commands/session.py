"""One client as the commands see it: its state, its replies so far, no socket.

The session is the seam between protocol and commands. Below it a ``Transport`` moves bytes: a connection of
the selector loop, or a pair of lists in the simulated server of the tests. A session belongs to one thread,
the coordinator of all its commands, for life.

Invariants: at most one command (or one squashed batch) is in flight (``busy``); replies are appended to
``out`` in the order of the commands; ``special`` is true whenever a command of this session needs more than
a look-up and a call (not logged in, in MULTI, subscribed, replies switched off...).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.spec import Command
    from nogil_df.shard.keyspace import WatchToken

REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT, REPLY_SKIP = range(4)


class Transport(Protocol):
    """What a session needs of whatever carries its bytes."""

    def ready(self) -> None:
        """The session finished what was in flight: send ``out``, go on reading."""

    def send_soon(self) -> None:
        """Something was appended to ``out`` out of turn (a push): send it in this turn of the loop."""

    def close(self, *, after_replies: bool) -> None:
        """End the connection, now or once the replies so far are sent."""

    def check(self, now: float) -> None:
        """The heartbeat: limits that depend on time. ``now`` is monotonic seconds."""

    def describe(self) -> dict[str, Any]:
        """Figures for CLIENT LIST: addr, laddr, fd, qbuf, qbuf_free, obl, oll, omem, tot_net_in, tot_net_out."""


class Session:
    """State of one client.

    Attributes:
        batch, position: commands parsed and not yet run.
        out: encoded replies not yet handed to the transport.
        queue: commands queued since MULTI, None outside.
        queue_broken: a command was refused while queueing: EXEC will abort.
        watching: (db, key) -> token left on the key's shard.
        pending, started: the single command in flight on another shard, and when it began (ns).
    """

    __slots__ = (
        "id",
        "dispatcher",
        "transport",
        "db",
        "proto",
        "out",
        "batch",
        "position",
        "busy",
        "closed",
        "special",
        "pending",
        "started",
        "name",
        "lib_name",
        "lib_version",
        "user",
        "authenticated",
        "created",
        "last_active",
        "last_command",
        "commands_run",
        "queue",
        "queue_broken",
        "watching",
        "channels",
        "patterns",
        "reply_mode",
        "monitor",
        "no_evict",
        "no_touch",
        "admin",
        "unix_socket",
        "blocked",
        "task",
        "closing",
        "skipped",
        "kept",
    )

    def __init__(self, session_id: int, dispatcher: Dispatcher, transport: Transport) -> None:
        self.id = session_id
        self.dispatcher = dispatcher
        self.transport = transport
        self.db = 0
        self.proto = 2
        self.out: list[bytes] = []
        self.batch: list[list[bytes]] = []
        self.position = 0
        self.busy = False
        self.closed = False
        self.closing = False
        self.pending: Command | None = None
        self.started = 0
        self.name = b""
        self.lib_name = b""
        self.lib_version = b""
        self.user = b"default"
        self.created = self.last_active = dispatcher.clock.monotonic()
        self.last_command = ""
        self.commands_run = 0
        self.queue: list[tuple[Command, list[bytes]]] | None = None
        self.queue_broken = False
        self.watching: dict[tuple[int, bytes], WatchToken] = {}
        self.channels: set[bytes] = set()
        self.patterns: set[bytes] = set()
        self.reply_mode = REPLY_ON
        self.monitor = False
        self.no_evict = False
        self.no_touch = False
        self.admin = False
        self.unix_socket = False
        self.blocked = False
        # The multi-hop command in flight, if any: what a disconnect or CLIENT UNBLOCK has to end.
        self.task: Any = None
        # Where replies go while CLIENT REPLY mutes them, and the list that waits meanwhile.
        self.skipped: list[bytes] = []
        self.kept: list[bytes] = []
        self.authenticated = not dispatcher.config.requirepass
        self.special = False
        self.refresh_special()

    def refresh_special(self) -> None:
        """Recompute ``special``; to be called by whoever changes one of its reasons. O(1)."""
        self.special = (
            not self.authenticated
            or self.queue is not None
            or self.reply_mode != REPLY_ON
            or self.monitor
            or (self.proto == 2 and self.subscriptions > 0)
        )

    @property
    def subscriptions(self) -> int:
        """Channels and patterns this client listens to."""
        return len(self.channels) + len(self.patterns)

    def on_answer(self, shard: int, result: Any) -> None:
        """A shard answered the single command in flight."""
        self.dispatcher.finish_single(self, result)

    def push(self, value: Any) -> None:
        """Append an out-of-band message (pub/sub, invalidation, monitor line) and have it sent."""
        if self.closed:
            return
        self.dispatcher.encoder.encode(value, self.proto, self.out)
        self.transport.send_soon()
