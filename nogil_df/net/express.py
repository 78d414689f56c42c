"""The compiled short cut from socket to reply, where there is one: see `_express.pyx`.

It is for sockets that speak RESP, with TLS or without, and for plain ones of Memcached's clients, under the
loop's own poller. Every other connection, and every one where modules are not compiled, is served by
`Connection.on_ready`, which does the same, step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogil_df.net.connection import Connection
from nogil_df.net.listener import TLS
from nogil_df.net.poller import Poller, is_portable, make_poller
from nogil_df.wire.request import RequestParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.net.loop import Loop


class ShortCut:
    """The short cut of one thread, and who may take it.

    Args:
        dispatcher, memcached: the thread's, of Redis's and of Memcached's commands; the latter may be None.
        loop: the thread's.
    """

    def __init__(self, dispatcher: Dispatcher, memcached: Dispatcher | None, loop: Loop) -> None:
        from nogil_df.net._batches import Squasher
        from nogil_df.net._express import Express
        from nogil_df.net._memcached_reader import MemcachedReaders
        from nogil_df.net._tls_reader import tls_reader
        from nogil_df.net._turn import turns_of

        self._dispatcher = dispatcher
        self._memcached = memcached
        onward = Squasher()
        self._express = express = Express(dispatcher, loop, Connection, RequestParser, onward)
        self._tls_reader = tls_reader
        self._memcached_readers = (
            MemcachedReaders(express, memcached)
            if memcached is not None and memcached.table["GET"].op and memcached.table["SET"].op
            else None  # where one of the two is restricted there is no short way
        )
        dispatcher.state.settle = express.settle
        loop.turns = turns_of(loop, express)

    def reader(self, connection: Connection) -> Callable[[int], None] | None:
        """What is to stand in the loop for a connection; None if the short cut is not for it. O(1)."""
        dispatcher = connection.dispatcher
        if dispatcher is self._dispatcher:
            if connection.role & TLS:
                return self._tls_reader(self._express, connection)
            return self._express.reader(connection)
        if (
            dispatcher is self._memcached
            and self._memcached_readers is not None
            and not connection.role & TLS
        ):
            return self._memcached_readers.reader(connection)
        return None


def make_short_cut(dispatcher: Dispatcher, memcached: Dispatcher | None, loop: Loop) -> ShortCut | None:
    """The short cut of one thread; None where modules are not compiled. O(commands)."""
    return ShortCut(dispatcher, memcached, loop) if is_there() else None


def make_quickest_poller() -> Poller:
    """The compiled poller, else the best of this platform."""
    if is_portable():
        return make_poller()
    try:
        from nogil_df.net._poller import EpollPoller
    except ImportError:
        return make_poller()
    return EpollPoller()


def is_there() -> bool:
    """Whether the short cut can be used; it needs the parser in Python."""
    try:
        import nogil_df.net._batches  # noqa: F401
    except ImportError:
        return False
    return True
