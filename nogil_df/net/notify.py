"""Telling systemd how the server is: a unit with ``Type=notify`` is up when the server says so.

systemd names a datagram socket in the environment; a line such as ``READY=1`` sent there is all there is to
it, so no library is needed. Where nobody asks, nothing is sent. Source: sd_notify(3).
"""

from __future__ import annotations

import contextlib
import os
import socket


def tell_systemd(state: str) -> None:
    """Send a line, ``READY=1`` or ``STOPPING=1``, to whoever started the server, if they want to know."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path or not hasattr(socket, "AF_UNIX"):
        return
    # A leading @ stands for a name that is no file.
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), address)
