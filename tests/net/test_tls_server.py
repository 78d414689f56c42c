"""A server that speaks TLS on all its ports, seen by redis-cli, redis-py, Memcached and HTTP clients."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.net.certificates import Authority
from tests.patience import PATIENCE
from tests.resp import Connection, Reply, encode
from tests.servers import HOST, NogilServer, free_port


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority."""
    return Authority(tmp_path_factory.mktemp("certificates"))


class TlsServer(NogilServer):
    """nogil-df with TLS on its ports, and an admin port without."""

    def __init__(self, authority: Authority, *flags: str) -> None:
        super().__init__(*flags, threads=2)
        self.authority = authority
        pair = authority.issue("server")
        # Its own files, for they will be replaced.
        self.cert = authority.directory / "live.pem"
        self.key = authority.directory / "live.key"
        shutil.copy(pair.cert, self.cert)
        shutil.copy(pair.key, self.key)
        self.tls_port = 0
        self.memcached_port = 0

    def command_line(self) -> list[str]:
        # `port` is where the tests' own connections go, which know nothing of TLS.
        line = super().command_line()
        self.tls_port, self.memcached_port = free_port(), free_port()
        line[line.index("--port") + 1] = str(self.tls_port)
        return [
            *line,
            *["--tls", "--tls_cert_file", str(self.cert), "--tls_key_file", str(self.key)],
            *["--memcached_port", str(self.memcached_port)],
            *["--admin_port", str(self.port), "--no_tls_on_admin_port"],
        ]

    def context(self) -> ssl.SSLContext:
        """What clients trust."""
        return ssl.create_default_context(cafile=str(self.authority.pair.cert))

    def encrypted(self, port: int) -> ssl.SSLSocket:
        """A connection with TLS."""
        plain = socket.create_connection((HOST, port), PATIENCE)
        return self.context().wrap_socket(plain, server_hostname="localhost")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[TlsServer]:
    """A server."""
    with TlsServer(authority) as it:
        assert isinstance(it, TlsServer)
        yield it


def redis_cli(server: TlsServer, *words: str) -> str:
    """What redis-cli prints."""
    ca = ["--tls", "--cacert", str(server.authority.pair.cert)]
    command = ["redis-cli", "-h", HOST, "-p", str(server.tls_port), *ca, *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=True
    ).stdout.strip()


def test_redis_cli(server: TlsServer) -> None:
    assert redis_cli(server, "SET", "cli", "value") == "OK"
    assert redis_cli(server, "GET", "cli") == "value"


def test_redis_py(server: TlsServer) -> None:
    client = redis.Redis(
        port=server.tls_port, ssl=True, ssl_ca_certs=str(server.authority.pair.cert), ssl_check_hostname=False
    )
    big = b"x" * 3_000_000
    assert client.set("big", big)
    assert client.get("big") == big
    with client.pipeline(transaction=False) as pipeline:
        for number in range(5000):
            pipeline.set(f"k{number}", number)
        assert pipeline.execute() == [True] * 5000
    assert client.mget([f"k{number}" for number in range(5000)]) == [b"%d" % n for n in range(5000)]
    client.close()


def test_memcached(server: TlsServer) -> None:
    with server.encrypted(server.memcached_port) as client:
        client.sendall(b"set m 1 0 2\r\nhi\r\nget m\r\nquit\r\n")
        received = b""
        while data := client.recv(4096):
            received += data
    assert received == b"STORED\r\nVALUE m 1 2\r\nhi\r\nEND\r\n"


def test_http(server: TlsServer) -> None:
    url = f"https://localhost:{server.tls_port}/metrics"
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=server.context())
    )
    with opener.open(url, timeout=PATIENCE) as response:
        assert b"connected_clients" in response.read()


def test_a_long_pipeline_gets_its_replies(server: TlsServer) -> None:
    with server.encrypted(server.tls_port) as client:
        count = 3000
        client.sendall(encode((b"SET", b"half", b"y" * 1000)) + encode((b"GET", b"half")) * count)
        wanted = 5 + count * (7 + 1000 + 2)
        received = b""
        while len(received) < wanted:
            received += client.recv(1 << 16)
        assert received == b"+OK\r\n" + (b"$1000\r\n" + b"y" * 1000 + b"\r\n") * count


def test_a_slow_reader_gets_everything(server: TlsServer) -> None:
    with server.encrypted(server.tls_port) as client:
        client.sendall(encode((b"SET", b"slow", b"z" * 1_000_000)) + encode((b"GET", b"slow")) * 20)
        wanted = 5 + 20 * (10 + 1_000_000 + 2)
        received = 0
        # The server has long filled the kernel's buffers by now: others are served meanwhile.
        assert redis_cli(server, "PING") == "PONG"
        while received < wanted:
            received += len(client.recv(1 << 16))
        assert received == wanted


def test_who_speaks_in_clear_is_told(server: TlsServer) -> None:
    with Connection(HOST, server.tls_port, timeout=PATIENCE) as client:
        reply = client.execute("PING")
        assert reply.kind == "-"
        assert b"Bad TLS header" in reply.value


def serial(server: TlsServer) -> int:
    """The serial number of the certificate that new connections see."""
    with server.encrypted(server.tls_port) as client:
        shown = client.getpeercert()
        assert shown is not None
        return int(str(shown["serialNumber"]), 16)


def test_certificates_are_renewed_by_config_set(server: TlsServer) -> None:
    assert serial(server) == 1
    with server.encrypted(server.tls_port) as old, server.connect() as admin:
        pair = server.authority.issue("renewed", serial=77)
        shutil.copy(pair.cert, server.cert)
        shutil.copy(pair.key, server.key)
        names = ("tls-cert-file", str(server.cert), "tls_key_file", str(server.key))
        assert admin.execute("CONFIG", "SET", *names) == Reply("+", b"OK")
        assert serial(server) == 77
        old.sendall(b"PING\r\n")
        assert old.recv(100) == b"+PONG\r\n"
        # What can't be used changes nothing.
        refused = admin.execute("CONFIG", "SET", "tls-cert-file", "/nowhere")
        assert refused.kind == "-"
        assert b"Unable to update TLS configuration" in refused.value
        assert serial(server) == 77
        assert admin.execute("CONFIG", "GET", "tls-cert-file").value[1].value == str(server.cert).encode()


def test_clients_have_to_show_a_certificate_where_authorities_are_named(authority: Authority) -> None:
    flag = ("--tls_ca_cert_file", str(authority.pair.cert))
    with TlsServer(authority, *flag) as server:
        assert isinstance(server, TlsServer)
        with server.encrypted(server.tls_port) as stranger, pytest.raises((ssl.SSLError, ConnectionError)):
            # TLS 1.3 tells the client only after its own part of the handshake is done.
            stranger.recv(100)
        mine = authority.issue("client", serial=5)
        context = server.context()
        context.load_cert_chain(mine.cert, mine.key)
        plain = socket.create_connection((HOST, server.tls_port), PATIENCE)
        with context.wrap_socket(plain, server_hostname="localhost") as known:
            known.sendall(b"PING\r\n")
            assert known.recv(100) == b"+PONG\r\n"


def test_tls_beside_a_port_without(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("beside")
    port = free_port()
    flags = ("--tls_port", str(port), "--tls_cert_file", str(pair.cert), "--tls_key_file", str(pair.key))
    with NogilServer(*flags, threads=2) as server:
        with server.connect() as client:
            assert client.execute("PING") == Reply("+", b"PONG")
        plain = socket.create_connection((HOST, port), PATIENCE)
        context = ssl.create_default_context(cafile=str(authority.pair.cert))
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"


def test_a_certificate_that_is_not_there_is_one_line_and_no_start() -> None:
    server = NogilServer("--tls", "--tls_cert_file=/nowhere/cert.pem")
    server.port = free_port()
    server.directory = Path("/")
    ran = subprocess.run(
        server.command_line(), capture_output=True, text=True, env=server.environment(), timeout=PATIENCE
    )
    assert ran.returncode == 1
    assert "can't use certificate /nowhere/cert.pem" in ran.stderr
