"""Requests leave no reference cycles behind: the cycle collector of a server is off."""

from __future__ import annotations

import gc
import http.client
import socket
import subprocess
import sys
from collections import Counter

from nogil_df import Server
from tests.patience import PATIENCE

PATHS = (
    "/metrics",
    "/api/stats",
    "/api/clients",
    "/api/slowlog",
    "/api/config",
    "/",
    "/console.js",
    "/nothing",
)
RAW = (
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 40_000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
)
LEFT_ALONE = (b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
OURS = ("nogil_df", "h11", "prometheus_client", "socket", "traceback", "frame")


def visit(port: int) -> None:
    """Ask for everything, in every way."""
    for path in PATHS:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        client.request("GET", path)
        client.getresponse().read()
        client.close()
    for data in RAW:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            sock.sendall(data)
            while sock.recv(1 << 16):
                pass
    for data in LEFT_ALONE:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            sock.sendall(data)


def test_requests_leave_no_cycles() -> None:
    """In a process of its own: servers of other tests may end meanwhile, with all that they were."""
    code = "from tests.console.test_no_cycles import look_for_cycles; look_for_cycles()"
    ran = subprocess.run([sys.executable, "-X", "gil=0", "-c", code], capture_output=True, timeout=PATIENCE)
    assert ran.returncode == 0, ran.stderr.decode()


def look_for_cycles() -> None:
    """Raises AssertionError if requests leave any."""
    server = Server(threads=2)
    with server:
        # What is imported and made once is not meant.
        visit(server.port)
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                visit(server.port)
            # What refers to itself by design, the threads' own state, stays in use for as long as this does.
            running = server._running
            assert running is not None
        except BaseException:
            gc.enable()
            raise
    # Not before the threads have ended: what one made and another let go of last waits for the first to run
    # again, and the collector would find it meanwhile.
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kinds = Counter(
            f"{type(one).__module__}.{type(one).__qualname__}"
            for one in gc.garbage
            if type(one).__module__.startswith(OURS) or type(one).__name__ in OURS
        )
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert running.threads
    assert not kinds
