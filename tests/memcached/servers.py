"""A real memcached, and nogil-df with a port for Memcached clients; and how one talks to them."""

from __future__ import annotations

import shutil
import socket

from tests.patience import PATIENCE
from tests.servers import HOST, NogilServer, Server, ServerFailure, free_port


class MemcachedServer(Server):
    """A real memcached with one thread."""

    name = "memcached"

    def command_line(self) -> list[str]:
        program = shutil.which("memcached")
        if program is None:
            raise ServerFailure("memcached is not installed (Debian: apt-get install memcached)")
        line = [program, "-p", str(self.port), "-U", "0", "-l", HOST, "-t", "1", "-u", "root"]
        return [*line, *self.flags]

    @property
    def memcached_port(self) -> int:
        """Where Memcached's protocol is spoken."""
        return self.port

    def _wait_until_ready(self) -> str:
        process = self.process
        assert process is not None
        while process.poll() is None:
            try:
                answer = exchange(self.port, b"version\r\n")
            except ConnectionError:
                continue
            return "" if answer.startswith(b"VERSION") else f"it answered {answer!r}"
        return f"it ended with status {process.returncode}"

    def stop(self) -> None:
        """It has nothing to say when it ends."""
        self.kill()

    def flush(self) -> None:
        """Forget everything."""
        assert exchange(self.port, b"flush_all\r\n") == b"OK\r\n"


class NogilMemcached(NogilServer):
    """nogil-df with a port for Memcached clients."""

    memcached_port = 0

    def command_line(self) -> list[str]:
        # Asked for again at every attempt to start, as the other port is.
        self.memcached_port = free_port()
        return [*super().command_line(), "--memcached_port", str(self.memcached_port)]


def exchange(port: int, *pieces: bytes) -> bytes:
    """All that a server answers to ``pieces`` on a connection of its own, up to its end.

    Between two pieces another client is answered, so that the server has most likely read the first by then.
    """
    with socket.create_connection((HOST, port), PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces[:-1]:
            connection.sendall(piece)
            exchange(port, b"version\r\n")
        connection.sendall(pieces[-1] + b"quit\r\n")
        received = b""
        while piece := connection.recv(1 << 16):
            received += piece
        return received
