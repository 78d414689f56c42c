"""The compiled short cut from socket to reply, where there is one: see `_express.pyx`.

It is for plain sockets that speak RESP, under the loop's own poller. Without compiled modules every
connection is served by `Connection.on_ready`, which does the same, step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogil_df.net.connection import Connection
from nogil_df.net.poller import Poller, is_portable, make_poller
from nogil_df.wire.request import RequestParser

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.net._express import Express
    from nogil_df.net.loop import Loop


def make_express(dispatcher: Dispatcher, loop: Loop) -> Express | None:
    """The short cut of one thread; None where modules are not compiled. O(commands)."""
    try:
        from nogil_df.net._batches import Squasher
        from nogil_df.net._express import Express
        from nogil_df.net._poller import EpollPoller
    except ImportError:
        return None
    express = Express(dispatcher, loop, Connection, RequestParser, Squasher())
    dispatcher.state.settle = express.settle
    if isinstance(loop.poller, EpollPoller):
        loop.dispatch = express.dispatch
    return express


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
