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
    from nogil_df.base.errors import ReplyError
    from nogil_df.commands.blocking import Wait
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.hotkeys import Measured
    from nogil_df.commands.spec import Command
    from nogil_df.commands.tracking import Tracking
    from nogil_df.shard.keyspace import WatchToken

REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT, REPLY_SKIP = range(4)

LOOPBACK = ("127.", "[::1]:", "[::ffff:127.")
"""How addresses of this machine begin, as CLIENT LIST prints them."""


class Transport(Protocol):
    """What a session needs of whatever carries its bytes."""

    def ready(self) -> None:
        """The session finished what was in flight: send ``out``, go on reading."""

    def send_soon(self) -> None:
        """Something was appended to ``out`` out of turn (a push): send it in this turn of the loop."""

    def close(self, *, after_replies: bool) -> None:
        """End the connection, now or once the replies so far are sent."""

    def watch_for_end(self) -> None:
        """The command in flight may take for ever (it blocks): notice when the client goes away meanwhile."""

    def login_changed(self) -> None:
        """The session is logged in now, or is not any more."""

    def check(self, now: float) -> None:
        """The heartbeat: limits that depend on time. ``now`` is monotonic seconds."""

    def describe(self) -> dict[str, Any]:
        """Figures for CLIENT LIST: fd, qbuf, qbuf_free, oll, omem, events, tot_net_in, tot_net_out."""


class Session:
    """State of one client.

    Attributes:
        batch, position: commands parsed and not yet run.
        sink: encoded replies and pushes that the transport is to send.
        out: where the replies of commands go: ``sink``, or a list that is thrown away while CLIENT REPLY
            mutes them.
        address, local_address: of both ends, as CLIENT LIST prints them.
        tracking: how this client tracks keys, if it does.
        account: the user it is logged in as, or may be taken for.
        subscribed: names of channels, patterns and shard channels this client listens to, each in the order
            of subscription; see `nogil_df.commands.subscriptions`.
        shown: the command that monitors are to see when it is done, unless None, and what is measured of it.
        queue: commands queued since MULTI, None outside.
        queue_broken: a command was refused while queueing: EXEC will abort.
        executing: how many commands the EXEC under way runs; -1 if none is.
        watching: (db, key) -> token left on the key's shard.
        pending: the single command in flight on another shard.
        blocked: what the command in flight waits for, if it is a blocking one and asleep.
    """

    __slots__ = (
        "id",
        "dispatcher",
        "transport",
        "address",
        "local_address",
        "db",
        "proto",
        "out",
        "sink",
        "batch",
        "position",
        "busy",
        "closed",
        "special",
        "pending",
        "name",
        "lib_name",
        "lib_version",
        "account",
        "tracking",
        "authenticated",
        "created",
        "last_active",
        "last_command",
        "commands_run",
        "queue",
        "queue_broken",
        "executing",
        "watching",
        "queued_bytes",
        "subscribed",
        "reply_mode",
        "monitor",
        "no_evict",
        "no_touch",
        "admin",
        "unix_socket",
        "blocked",
        "task",
        "closing",
        "shown",
    )

    def __init__(self, session_id: int, dispatcher: Dispatcher, transport: Transport) -> None:
        self.id = session_id
        self.dispatcher = dispatcher
        self.transport = transport
        self.address = "127.0.0.1:0"
        self.local_address = "127.0.0.1:0"
        self.db = 0
        self.proto = 2
        self.sink: list[bytes] = []
        self.out = self.sink
        self.batch: list[list[bytes]] = []
        self.position = 0
        self.busy = False
        self.closed = False
        self.closing = False
        self.pending: Command | None = None
        self.name = b""
        self.lib_name = b""
        self.lib_version = b""
        self.account = dispatcher.state.users.default
        self.created = self.last_active = dispatcher.clock.monotonic()
        self.last_command = ""
        self.commands_run = 0
        self.queue: list[tuple[Command, list[bytes]]] | None = None
        self.queue_broken = False
        self.executing = -1
        self.watching: dict[tuple[int, bytes], WatchToken] = {}
        self.queued_bytes = 0
        self.subscribed: tuple[dict[bytes, None], ...] = ({}, {}, {})
        self.reply_mode = REPLY_ON
        self.monitor = False
        self.no_evict = False
        self.no_touch = False
        self.admin = False
        self.unix_socket = False
        self.blocked: Wait | None = None
        self.tracking: Tracking | None = None
        # The multi-hop command in flight, if any: what a disconnect or CLIENT UNBLOCK has to end.
        self.task: Any = None
        self.shown: tuple[list[bytes] | None, Measured | None] | None = None
        self.authenticated = self.account.enabled and self.account.no_password
        self.special = False
        self.refresh_special()

    def refresh_special(self) -> None:
        """Recompute ``special``; to be called by whoever changes one of its reasons. O(1)."""
        self.special = (
            not self.authenticated
            or self.queue is not None
            or self.reply_mode != REPLY_ON
            or self.monitor
            or not self.account.is_unrestricted
            or self.tracking is not None
            or self.no_touch
            or self.subscriptions > 0
        )

    def set_authenticated(self, authenticated: bool) -> None:
        """Log in, or out. O(1)."""
        self.authenticated = authenticated
        self.transport.login_changed()
        self.refresh_special()

    @property
    def user(self) -> bytes:
        """The name of the user that it is logged in as. O(1)."""
        return self.account.name

    @property
    def subscriptions(self) -> int:
        """How many names of any kind this client listens to. O(1)."""
        channels, patterns, shard_channels = self.subscribed
        return len(channels) + len(patterns) + len(shard_channels)

    @property
    def is_local(self) -> bool:
        """Whether the client is on this machine: a unix socket or the loopback interface. O(1)."""
        return self.unix_socket or self.address.startswith(LOOPBACK)

    def on_answer(self, shard: int, result: Any) -> None:
        """A shard answered the single command in flight."""
        self.dispatcher.finish_single(self, result)

    def end_multi(self) -> None:
        """Leave MULTI: drop what is queued and what is watched. O(watched keys)."""
        self.queue = None
        self.queue_broken = False
        self.refresh_special()
        self.dispatcher.state.drop_watches(self)

    def unblock(self, error: ReplyError | None) -> bool:
        """CLIENT UNBLOCK: end the wait of a blocking command with an error, or as if its time were up.

        Returns:
            False if no command of this session blocks, or not any more.
        """
        return self.blocked is not None and self.blocked.unblock(error)

    def push(self, value: Any) -> None:
        """Append an out-of-band message (pub/sub, invalidation, monitor line) and have it sent."""
        if not self.closed:
            self.dispatcher.encoder.encode(value, self.proto, self.sink)
            self.transport.send_soon()

    def mute(self) -> None:
        """Throw away the replies from here on; pushes go on."""
        if self.out is self.sink:
            self.out = []

    def unmute(self) -> None:
        """Undo `mute`. O(1)."""
        self.out = self.sink
