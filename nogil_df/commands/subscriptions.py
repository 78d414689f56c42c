"""Pub/sub of one thread: who listens here, and how many listen where.

Every thread keeps two things. Its own subscribers, by name: nobody else touches those. And the audience: for
every name that anybody listens to, how many clients of which thread do. The audience is the same on all
threads, each has its own copy. So PUBLISH needs to ask nobody: it counts the receivers in its copy, sends one
message to each thread that has some, and none to the others; no lock, no round trip, and the messages of one
publisher arrive in the order they were published (messages between two threads keep theirs). Publications
are notices (`nogil_df.vll.proactor`): the same holds for two publishers if one acted on a reply of the other.

The price is paid by SUBSCRIBE, which is rare: it tells every thread and answers when all of them know
(`announce`). Whoever publishes after a subscriber has seen its confirmation reaches it, wherever he is
connected. A change of the audience is a difference, never a total: two clients of one thread may have their
changes under way at the same time. `verify` checks that the own subscribers are what the audience says.

There are three kinds of names, each a name space of its own: channels, patterns and the channels of sharded
pub/sub.

A message is encoded here, once for each protocol among those who get it. What it begins with is the same
for all messages of a name, so `Listeners` keep it. It goes to the end of a subscriber's replies, and what
one turn of the loop has put there is sent at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogil_df.base.glob import Matcher, compile_glob
from nogil_df.shard.memory import own

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.vll.proactor import Message, Proactor

CHANNEL, PATTERN, SHARD_CHANNEL = range(3)

Change = tuple[int, tuple[bytes, ...], int]
"""A change of the audience on its way: (kind, names, +1 or -1)."""


WORDS = (b"message", b"pmessage", b"smessage")
"""What messages begin with, by the kind of the name."""


class Listeners:
    """Who listens to one name.

    Attributes:
        threads: thread -> number of clients; never empty while it is kept.
        total: the number of clients on all threads.
        matches: the compiled pattern, if it is one.
        head: the first items of a message, encoded: its word, and the name.
    """

    __slots__ = ("head", "matches", "threads", "total")

    def __init__(self, kind: int, name: bytes) -> None:
        self.threads: dict[int, int] = {}
        self.total = 0
        self.matches: Matcher | None = compile_glob(name) if kind == PATTERN else None
        self.head = bulk(WORDS[kind]) + bulk(name)


def bulk(text: bytes) -> bytes:
    """A text as an item of a message. O(bytes)."""
    return b"".join((f"${len(text)}\r\n".encode(), text, b"\r\n"))


class Subscriptions:
    """Subscribers of one thread, and its copy of everybody's audience.

    Attributes:
        subscribers: by kind, name -> the sessions of this thread that listen to it.
        audience: by kind, name -> its listeners on all threads.
    """

    __slots__ = ("audience", "mail", "me", "proactor", "subscribers")

    def __init__(self, proactor: Proactor) -> None:
        self.proactor = proactor
        self.me = proactor.index
        self.mail = proactor.mail
        self.subscribers: tuple[dict[bytes, dict[Session, None]], ...] = ({}, {}, {})
        self.audience: tuple[dict[bytes, Listeners], ...] = ({}, {}, {})

    # This thread's subscribers.

    def add(self, session: Session, kind: int, name: bytes) -> None:
        """Let a session have what is published under a name; the audience must know already. O(1)."""
        session.subscribed[kind][name] = None
        self.subscribers[kind].setdefault(name, {})[session] = None

    def remove(self, session: Session, kind: int, name: bytes) -> None:
        """Undo `add`; the audience is to be told. O(1)."""
        session.subscribed[kind].pop(name, None)
        table = self.subscribers[kind]
        sessions = table.get(name)
        if sessions is not None:
            sessions.pop(session, None)
            if not sessions:
                del table[name]

    def forget(self, session: Session) -> None:
        """A client leaves all it listens to, and nobody waits for the others to know. O(its names)."""
        for kind, names in enumerate(session.subscribed):
            if names:
                left = tuple(names)
                for name in left:
                    self.remove(session, kind, name)
                self.withdraw(kind, left)

    def withdraw(self, kind: int, names: tuple[bytes, ...]) -> None:
        """Tell every thread that a client of this one does not listen any more. O(names)."""
        self.proactor.broadcast((note_audience, self.proactor.index, (kind, names, -1)))

    # Everybody's.

    def change_audience(self, thread: int, change: Change) -> None:
        """Take note that clients of a thread started or stopped to listen. O(names)."""
        kind, names, difference = change
        table = self.audience[kind]
        for name in names:
            listeners = table.get(name)
            if listeners is None:
                kept = own(name)
                listeners = table[kept] = Listeners(kind, kept)
            listeners.total += difference
            threads = listeners.threads
            count = threads.get(thread, 0) + difference
            if count:
                threads[thread] = count
            else:
                threads.pop(thread, None)
                if not threads:
                    del table[name]

    def names(self, kind: int, pattern: bytes | None = None) -> list[bytes]:
        """Names that somebody listens to; only those that match a glob, if one is given. O(names)."""
        if pattern is None:
            return list(self.audience[kind])
        return list(filter(compile_glob(pattern), self.audience[kind]))

    def count(self, kind: int, name: bytes) -> int:
        """How many clients of all threads listen to a name. O(1)."""
        listeners = self.audience[kind].get(name)
        return listeners.total if listeners is not None else 0

    # Publishing.

    def publish(self, channel: bytes, message: bytes, kind: int = CHANNEL) -> int:
        """Send a message to everybody who listens. Returns how many that are.

        Complexity: O(patterns + threads); the threads that have receivers do the rest.
        """
        audience = self.audience[kind]
        listeners = audience[channel] if channel in audience else None
        if kind == CHANNEL and self.audience[PATTERN]:
            return self._publish_widely(channel, message, listeners)
        if listeners is None:
            return 0
        for thread in listeners.threads:
            self._send(thread, kind, channel, message)
        return listeners.total

    def _publish_widely(self, channel: bytes, message: bytes, listeners: Listeners | None) -> int:
        """`publish` where patterns have to be looked at, too."""
        threads = dict(listeners.threads) if listeners is not None else {}
        for pattern in self.audience[PATTERN].values():
            if pattern.matches is not None and pattern.matches(channel):
                for thread, there in pattern.threads.items():
                    threads[thread] = threads.get(thread, 0) + there
        for thread in threads:
            self._send(thread, CHANNEL, channel, message)
        return sum(threads.values())

    def _send(self, thread: int, kind: int, channel: bytes, message: bytes) -> None:
        if thread != self.me:
            self.proactor.notify(thread, (deliver_message, kind, channel, message))
            return
        if self.mail:
            # What others published before comes first.
            self.proactor.read_mail()
        self.deliver(kind, channel, message)

    def deliver(self, kind: int, channel: bytes, message: bytes) -> None:
        """Hand a message to this thread's subscribers. O(subscribers + patterns)."""
        audience = self.audience[kind]
        table = self.subscribers[kind]
        if channel in table:
            listeners: Listeners = audience[channel]
            _push_all(table[channel], listeners.head, message, 3)
        if kind == CHANNEL and self.subscribers[PATTERN]:
            audience = self.audience[PATTERN]
            for pattern, listening in self.subscribers[PATTERN].items():
                listeners = audience[pattern]
                assert listeners.matches is not None
                if listeners.matches(channel):
                    _push_all(listening, listeners.head + bulk(channel), message, 4)

    def verify(self) -> None:
        """Check that the audience of this thread is its subscribers. Raises AssertionError. O(names).

        To be called while no change is under way.
        """
        me = self.proactor.index
        for there in (listeners for table in self.audience for listeners in table.values()):
            assert there.total == sum(there.threads.values())
        for mine, all_of_them in zip(self.subscribers, self.audience, strict=True):
            told = {name: there.threads[me] for name, there in all_of_them.items() if me in there.threads}
            assert told == {name: len(sessions) for name, sessions in mine.items()}


def _push_all(sessions: dict[Session, None], head: bytes, message: bytes, items: int) -> None:
    """Append a message of so many items to what sessions are sent. O(sessions)."""
    array = push = b""
    for session in sessions:
        if session.closed:
            continue
        if session.proto == 2:
            array = array or _packed(b"*3\r\n" if items == 3 else b"*4\r\n", head, message)
            session.sink.append(array)
        else:
            push = push or _packed(b">3\r\n" if items == 3 else b">4\r\n", head, message)
            session.sink.append(push)
        session.transport.send_soon()


def _packed(begin: bytes, head: bytes, message: bytes) -> bytes:
    return b"".join((begin, head, f"${len(message)}\r\n".encode(), message, b"\r\n"))


# Message handlers.


def note_audience(proactor: Proactor, message: Message) -> None:
    """On every thread: ``(note_audience, thread, change)``."""
    proactor.service.subscriptions.change_audience(message[1], message[2])


def announce(proactor: Proactor, argument: tuple[int, Change]) -> None:
    """On every thread, for `Context.everywhere`: as `note_audience`, and the caller knows when all know."""
    proactor.service.subscriptions.change_audience(*argument)


def deliver_message(proactor: Proactor, message: Message) -> None:
    """On a thread with subscribers: ``(deliver_message, kind, channel, message)``."""
    proactor.service.subscriptions.deliver(*message[1:])
