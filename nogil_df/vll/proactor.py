"""One thread's core: its inbox, its outboxes to the peers, its shard and its engine; no sockets.

A proactor is what a thread runs. It owns a shard and everything that happens to it; nothing of a shard
is touched by another thread, so there are no mutexes. Threads talk through messages only:

- a message is a tuple ``(handler, ...)``; ``handler(proactor, message)`` runs on the receiving thread.
  Handlers are plain module functions: those are immortal on 3.13t, so handing one to another thread costs
  no contended reference count. Bound methods would (measured: 37 -> 130 ns from one thread to two);
- during one turn of the loop messages to a peer gather in a plain list, the outbox. ``finish_turn`` hands
  them over by ONE ``deque.append`` and wakes the peer only if it sleeps: a hop costs about 1 us of CPU a
  command when batched like this, where a wake-up for each would cost 8-10 us. What is handed over is a
  tuple: reading another thread's list takes its lock for each item. And whoever made the tuple frees it,
  and all that only it refers to: 3.13t gives an object back to its owner when another thread drops the last
  reference, at the price of a lock for each such object, which is one here;
- ``drain`` handles what was in the inbox when the turn began, and no more: a thread that is flooded by
  its peers still serves its sockets.

Messages from one thread to another arrive in the order they were sent (list and deque keep order). The
transaction framework relies on that: a cancel can't overtake the schedule it cancels.

Between three threads more is needed. A client that has seen a reply may act on it through another thread, and
a subscriber on a third must see what was published before that reply ahead of what was published because of
it. So publications travel apart, as notices: a thread hands its notices over before anything else leaves it
(a message or a reply), and reads those it was sent before it looks at anything that came later.

The same class runs under the selector loop (one proactor a thread) and under the simulated scheduler of
the tests (N proactors on one thread, a seeded choice of who drains next): a seam laid on purpose. What
differs is ``wake`` and ``doze``: the loop writes to an eventfd and polls it, the simulation does nothing and
turns somebody else.

Rejected: ``queue.Queue`` (a mutex and a condition variable on each put), futures (an object and a callback
a command), asyncio (a task switch costs more than the command it carries).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nogil_df.vll.engine import Engine

if TYPE_CHECKING:
    from nogil_df.base.clock import Clock
    from nogil_df.shard.shard import Shard

Message = tuple[Any, ...]


class Lanes(Protocol):
    """Another way of messages between threads than inboxes: see `nogil_df.net._lanes`."""

    def take_in(self) -> None:
        """Move what has come for this thread to its inbox."""

    def hand_over(self, wake: Callable[[int], None]) -> int:
        """Let go what is to leave; `wake` the threads it is for. How many messages that is."""


class Proactor:
    """The core of one shard thread.

    Invariants: only the owning thread touches anything here but ``inbox`` and ``mail`` (appended to by peers)
    and ``sleeping`` (read by peers).
    """

    __slots__ = (
        "index",
        "count",
        "clock",
        "shard",
        "engine",
        "inbox",
        "outboxes",
        "mail",
        "notices",
        "has_notices",
        "peers",
        "lanes",
        "sleeping",
        "wake",
        "bell",
        "doze",
        "may_handle",
        "put_off",
        "batch",
        "tx_clock",
        "service",
        "messages_handled",
        "hops_sent",
        "wakeups_sent",
    )

    def __init__(self, index: int, count: int, shard: Shard, clock: Clock) -> None:
        self.index = index
        self.count = count
        self.clock = clock
        self.shard = shard
        self.engine = Engine(self)
        self.inbox: deque[Sequence[Message]] = deque()
        self.outboxes: list[list[Message]] = [[] for _ in range(count)]
        # Notices received, and notices not yet handed over; see the module's text.
        self.mail: deque[list[Message]] = deque()
        self.notices: list[list[Message]] = [[] for _ in range(count)]
        self.has_notices = False
        self.peers: list[Proactor] = [self]
        # Another way of messages to this thread and from it, if there is one.
        self.lanes: Lanes | None = None
        self.sleeping = False
        self.wake: Callable[[], None] = _no_wake
        # An eventfd that does the same when it is written to; -1 if there is none.
        self.bell = -1
        # Returns when the inbox may hold something; the loop's, or the simulation's.
        self.doze: Callable[[], None] = _no_wake
        # While this thread waits on the spot: which messages it handles, and those that wait for the end.
        self.may_handle: Callable[[Message], bool] | None = None
        self.put_off: list[Message] = []
        # What is left of the batch that is being handled.
        self.batch: Iterator[Message] = iter(())
        # Lamport clock of transaction ids, see `next_tx_id`.
        self.tx_clock = 0
        # What the upper layers hang on a thread: the dispatcher with its tables, sessions, config view.
        self.service: Any = None
        self.messages_handled = 0
        self.hops_sent = 0
        self.wakeups_sent = 0

    def connect(self, peers: list[Proactor]) -> None:
        """Tell this proactor who the others are; ``peers[i].index == i``, itself included."""
        # Every thread gets a list of its own: a shared one would be a contended object.
        self.peers = list(peers)

    def post(self, dest: int, message: Message) -> None:
        """Send ``message`` to the thread ``dest`` (also to oneself) at the end of this turn. O(1)."""
        self.outboxes[dest].append(message)

    def send(self, dest: int, message: Message) -> None:
        """Have the thread ``dest`` handle ``message``: at once if that is this one, else as `post` does."""
        if dest == self.index:
            message[0](self, message)
        else:
            self.outboxes[dest].append(message)

    def broadcast(self, message: Message) -> None:
        """Send ``message`` to every thread, this one included. O(threads)."""
        for outbox in self.outboxes:
            outbox.append(message)

    def notify(self, dest: int, message: Message) -> None:
        """Send ``message`` to the thread ``dest`` ahead of everything that leaves this thread later. O(1)."""
        self.notices[dest].append(message)
        self.has_notices = True

    def tell(self, dest: int, message: Message) -> None:
        """Have the thread ``dest`` handle ``message``: at once if that is this one, else as a notice."""
        if dest == self.index:
            message[0](self, message)
        else:
            self.notify(dest, message)

    def hand_over_notices(self) -> None:
        """To be called while ``has_notices``, before a reply is sent. O(threads)."""
        self.has_notices = False
        notices = self.notices
        for dest, batch in enumerate(notices):
            if batch:
                notices[dest] = []
                peer = self.peers[dest]
                peer.mail.append(batch)
                self._wake(peer)

    def read_mail(self) -> None:
        """Handle the notices that are there. O(notices)."""
        mail = self.mail
        while mail:
            for message in mail.popleft():
                message[0](self, message)

    def next_tx_id(self) -> int:
        """Take a transaction id: greater than every id this thread has seen, unique over all threads.

        A Lamport clock with the thread's index in the low bits. A counter shared by all threads would do
        as well and would be the hottest cache line of the process.
        """
        self.tx_clock += 1
        return self.tx_clock * self.count + self.index

    def skip_tx_ids(self, count: int) -> None:
        """Leave out so many ids."""
        self.tx_clock += count

    def seen_tx_id(self) -> int:
        """An id that is at least as great as every one seen here; for a refused coordinator to go past."""
        return (self.tx_clock + 1) * self.count

    def observe_tx_id(self, tx_id: int) -> None:
        """Advance the Lamport clock past an id that came from elsewhere."""
        seen = tx_id // self.count
        if seen > self.tx_clock:
            self.tx_clock = seen

    def drain(self, most: int = 1 << 30) -> int:
        """Handle the batches that are in the inbox now; later ones wait for the next turn.

        Args:
            most: at most so many batches; the simulated scheduler takes one at a time.

        Returns:
            The number of messages handled.
        """
        inbox = self.inbox
        if self.lanes is not None:
            self.lanes.take_in()
        waiting = min(len(inbox), most)
        if not waiting:
            if self.mail:
                self.read_mail()
            return 0
        self.tick()
        take = inbox.popleft
        handled = 0
        for _ in range(waiting):
            if not inbox:
                # A handler that waited on the spot went on with them.
                break
            batch = take()
            # Looked at in this order, as the sender of a message had its notices handed over before it.
            if self.mail:
                self.read_mail()
            handled += len(batch)
            self.batch = rest = iter(batch)
            for message in rest:
                message[0](self, message)
        self.messages_handled += handled
        return handled

    def wait_on_spot(self, is_over: Callable[[], bool], may_handle: Callable[[Message], bool]) -> None:
        """Wait for messages in the middle of something that can't be suspended; sockets have to wait.

        Args:
            is_over: whether it has all come that is waited for.
            may_handle: which messages are handled meanwhile; all others are after that, in their order.
        """
        outer, self.may_handle = self.may_handle, may_handle
        put_off, self.put_off = self.put_off, []
        rest = list(self.batch)
        if rest:
            # We were called by a message; those that came with it come before all others.
            self.inbox.appendleft(rest)
        while not is_over():
            if self.shard.outgoing:
                # What the writes that we serve have to tell is on its way before their answers are.
                self.service.publish_events()
            self.finish_turn()
            if self.lanes is not None:
                self.lanes.take_in()
            if self.inbox:
                self.serve_peers()
            else:
                self.doze()
        self.may_handle = outer
        if self.put_off:
            self.inbox.appendleft(self.put_off)
        self.put_off = put_off

    def serve_peers(self) -> None:
        """Handle one batch of the inbox while this thread waits on the spot."""
        may_handle = self.may_handle
        assert may_handle is not None
        # Kept like that of `drain`: a handler that waits on the spot itself goes on with them.
        self.batch = rest = iter(self.inbox.popleft())
        for message in rest:
            if may_handle(message):
                message[0](self, message)
            else:
                self.put_off.append(message)

    def tick(self) -> None:
        """Read the clock once for the whole turn: expiry and time-outs of a turn see one time."""
        shard = self.shard
        shard.tick.ms = self.clock.unix_ms()
        if shard.frequencies is not None:
            shard.frequencies.step()

    def finish_turn(self) -> None:
        """Hand the notices and every non-empty outbox over. O(threads)."""
        if self.has_notices:
            self.hand_over_notices()
        index = self.index
        outboxes = self.outboxes
        for dest, outbox in enumerate(outboxes):
            if not outbox:
                continue
            outboxes[dest] = []
            peer = self.peers[dest]
            peer.inbox.append((*outbox,))
            if dest != index:
                self.hops_sent += len(outbox)
                self._wake(peer)
        if self.lanes is not None:
            self.hops_sent += self.lanes.hand_over(self._wake_by_index)

    def _wake_by_index(self, dest: int) -> None:
        self._wake(self.peers[dest])

    def _wake(self, peer: Proactor) -> None:
        """Wake a peer that something was appended for, if it sleeps. O(1).

        The append is a locked read-modify-write, so on x86 this load can't pass it; the sleeper sets the flag
        before its last look at the inbox. On weaker machines a wake-up that got lost all the same costs one
        heartbeat of the sleeper's poll, never a hang.
        """
        if peer.sleeping:
            peer.sleeping = False
            self.wakeups_sent += 1
            peer.wake()


def _no_wake() -> None:
    """The simulated scheduler needs no waking."""
