"""HTTP as tests speak it: raw bytes over a socket, or one request by the standard library's client."""

from __future__ import annotations

import base64
import http.client
import socket
from dataclasses import dataclass

from tests.patience import PATIENCE
from tests.servers import Server


@dataclass(frozen=True)
class Answer:
    """A response; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode()


def fetch(
    server: Server, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str
) -> Answer:
    """One request on a connection of its own; underscores in names of headers stand for dashes."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


def basic(password: str, user: str = "default") -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def exchange(server: Server, *pieces: bytes) -> bytes:
    """Send pieces one by one, and read until the server closes."""
    with socket.create_connection((server.host, server.port), timeout=PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
        received = b""
        while data := sock.recv(1 << 16):
            received += data
        return received
