"""`TlsSocket` between two ends of a socket pair: bytes in pieces, a full kernel, farewells, bad clients."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from nogil_df.commands.timers import Timers
from nogil_df.net.tls import HANDSHAKE_SECONDS, TlsError, TlsSocket, make_context
from tests.net.certificates import Authority

SETTINGS = dict.fromkeys(
    "tls-cert-file tls-key-file tls-key-file-pass tls-ca-cert-file tls-ca-cert-dir tls-ciphers".split(), ""
)
SETTINGS |= {"tls-protocols": "", "tls-auth-clients": "yes"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def settings(authority: Authority) -> dict[str, str]:
    """Settings of a server with a certificate of that authority."""
    pair = authority.issue("server")
    return {**SETTINGS, "tls-cert-file": str(pair.cert), "tls-key-file": str(pair.key)}


class Pair:
    """A server's `TlsSocket`, and a client that is driven by hand, too: no thread waits for the other."""

    def __init__(self, authority: Authority, settings: dict[str, str]) -> None:
        server, self.wire = socket.socketpair()
        server.setblocking(False)
        self.wire.setblocking(False)
        self.server = TlsSocket(server, make_context(settings), b"not TLS\r\n")
        context = ssl.create_default_context(cafile=str(authority.pair.cert))
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def to_server(self, piece: int = 1 << 20) -> list[bytes]:
        """Hand over what the client has to send, in pieces; what the server reads of each."""
        data = self.outgoing.read()
        found = []
        for at in range(0, len(data), piece):
            self.wire.sendall(data[at : at + piece])
            with contextlib.suppress(BlockingIOError):
                found.append(self.server.recv(1 << 16))
        return found

    def to_client(self) -> None:
        """Hand over what the server has sent."""
        try:
            while data := self.wire.recv(1 << 16):
                self.incoming.write(data)
        except BlockingIOError:
            pass

    def shake_hands(self, piece: int = 1 << 20) -> None:
        """Until both are content."""
        for _ in range(4):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.client.do_handshake()
            self.to_server(piece)
            self.to_client()
        assert self.server.established

    def read(self) -> bytes:
        """All that the client can read now."""
        self.to_client()
        found = b""
        try:
            while data := self.client.read(1 << 16):
                found += data
        except ssl.SSLWantReadError:
            pass
        return found


@pytest.fixture
def pair(authority: Authority, settings: dict[str, str]) -> Iterator[Pair]:
    """Both ends."""
    it = Pair(authority, settings)
    yield it
    it.server.close()
    it.wire.close()


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_requests_come_through_however_the_stream_is_cut(pair: Pair, piece: int) -> None:
    pair.shake_hands(piece)
    pair.client.write(b"PING\r\n")
    pair.client.write(b"x" * 40_000)
    assert b"".join(pair.to_server(piece)) == b"PING\r\n" + b"x" * 40_000


def test_several_records_that_came_together_are_all_given_at_once(pair: Pair) -> None:
    pair.shake_hands()
    for number in range(100):
        pair.client.write(b"%d," % number)
    assert pair.to_server() == [b"".join([b"%d," % number for number in range(100)])]


def test_what_the_kernel_does_not_take_is_sent_once_and_in_order(pair: Pair) -> None:
    pair.shake_hands()
    data = b"".join([b"%07d," % number for number in range(200_000)])
    sent = 0
    refused = 0
    received = b""
    while sent < len(data):
        try:
            # As a connection does: what is left over, with more behind it.
            sent += pair.server.send(data[sent:])
        except BlockingIOError:
            refused += 1
            received += pair.read()
    received += pair.read()
    assert refused
    assert received == data


def test_pieces_are_sent_as_one(pair: Pair) -> None:
    pair.shake_hands()
    assert pair.server.sendmsg([memoryview(b"ab"), memoryview(b"cd")]) == 4
    assert pair.read() == b"abcd"


def test_a_farewell_is_an_end_and_replies_may_follow(pair: Pair) -> None:
    pair.shake_hands()
    pair.client.write(b"last")
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.unwrap()
    assert pair.to_server() == [b"last"]
    assert pair.server.recv(100) == b""
    assert pair.server.send(b"reply") == 5
    pair.to_client()
    assert pair.incoming.pending


def test_an_end_without_farewell_is_an_end(pair: Pair) -> None:
    pair.shake_hands()
    pair.wire.shutdown(socket.SHUT_WR)
    assert pair.server.recv(100) == b""


def test_who_does_not_speak_tls_is_told_so_in_clear(pair: Pair) -> None:
    pair.wire.sendall(b"PING\r\n")
    with pytest.raises(ConnectionAbortedError):
        pair.server.recv(100)
    assert pair.wire.recv(100) == b"not TLS\r\n"


def test_a_broken_record_ends_the_connection(pair: Pair) -> None:
    pair.shake_hands()
    pair.wire.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(ConnectionAbortedError):
        pair.server.recv(100)


def test_a_handshake_has_its_time(pair: Pair) -> None:
    timers = Timers()
    given_up: list[str] = []
    pair.server.limit_handshake(timers, 100.0, lambda: given_up.append("too long"))
    assert timers.run_due(100.0 + HANDSHAKE_SECONDS - 0.1) == 0
    assert timers.run_due(100.0 + HANDSHAKE_SECONDS) == 1
    assert given_up == ["too long"]


def test_a_handshake_in_time_is_left_alone(pair: Pair) -> None:
    timers = Timers()
    pair.server.limit_handshake(timers, 100.0, lambda: pytest.fail("it was in time"))
    pair.shake_hands()
    assert timers.run_due(1000.0) == 0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"tls-cert-file": ""}, "tls_cert_file is not set"),
        ({"tls-cert-file": "/nowhere/cert"}, "No such file or directory"),
        ({"tls-ca-cert-file": "/nowhere/ca"}, "No such file or directory"),
        ({"tls-ciphers": "nonsense"}, "bad tls_ciphers 'nonsense'"),
        ({"tls-protocols": "TLSv9"}, "bad tls-protocols 'TLSv9'"),
    ],
)
def test_settings_that_cannot_be_used_are_one_line(
    settings: dict[str, str], changed: dict[str, str], reason: str
) -> None:
    with pytest.raises(TlsError, match=reason):
        make_context({**settings, **changed})


def test_a_key_that_does_not_fit_is_no_key(
    settings: dict[str, str], authority: Authority, tmp_path: Path
) -> None:
    other = authority.issue("other")
    with pytest.raises(TlsError, match="key values mismatch"):
        make_context({**settings, "tls-key-file": str(other.key)})


def test_protocols_are_those_that_are_named(settings: dict[str, str]) -> None:
    context = make_context({**settings, "tls-protocols": "TLSv1.3"})
    assert context.minimum_version == context.maximum_version == ssl.TLSVersion.TLSv1_3
    assert make_context(settings).minimum_version == ssl.TLSVersion.TLSv1_2
    assert make_context(settings).options & ssl.OP_NO_RENEGOTIATION
