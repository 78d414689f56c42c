"""HTTP on a port of Redis's protocol: who gets what, and what RESP is like beside it."""

from __future__ import annotations

import socket

import pytest

from tests.console.client import basic, exchange, fetch
from tests.patience import PATIENCE
from tests.resp import Connection
from tests.servers import NogilServer, Server

GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def test_metrics_are_served(server: Server) -> None:
    answer = fetch(server, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "dragonfly_uptime_in_seconds " in answer.text
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_every_byte_may_come_alone(server: Server) -> None:
    received = exchange(server, *[LAST[at : at + 1] for at in range(len(LAST))])
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\n")


def test_a_connection_serves_many_requests(server: Server) -> None:
    # More than one turn of the loop answers, and more than one read takes.
    received = exchange(server, (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400) + GET * 2 + LAST)
    assert received.count(b"HTTP/1.1 404 Not Found\r\n") == 400
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 3


def test_head_is_get_without_the_body(server: Server) -> None:
    answer = fetch(server, "/metrics", "HEAD")
    assert answer.status == 200
    assert int(answer.headers["content-length"]) > 1000
    assert answer.body == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_but_get_and_head(server: Server, method: str) -> None:
    answer = fetch(server, "/metrics", method, b"FLUSHALL\r\n" * 100)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_body_is_not_run(server: Server) -> None:
    with server.connect() as client:
        client.execute("SET", "precious", "1")
        body = b"\r\nFLUSHALL\r\n*1\r\n$8\r\nFLUSHALL\r\n"
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        received = exchange(server, head % len(body) + body)
        assert received.startswith(b"HTTP/1.1 405 ")
        assert client.execute("GET", "precious") == ("$", b"1")


def test_every_response_tells_browsers_to_keep_others_out(server: Server) -> None:
    for answer in (
        fetch(server, "/"),
        fetch(server, "/metrics"),
        fetch(server, "/x"),
        fetch(server, "/", "POST"),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_other_sites_are_refused(server: Server) -> None:
    assert fetch(server, "/metrics", Origin="http://evil.example").status == 403
    assert fetch(server, "/metrics", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403
    assert fetch(server, "/metrics", Sec_Fetch_Site="same-origin").status == 200
    own = f"{server.host}:{server.port}"
    assert fetch(server, "/metrics", Origin=f"http://{own}").status == 200


def test_a_rebound_name_gets_no_console(server: Server) -> None:
    for host in ("evil.example", "evil.example:6379", "127.0.0.1.evil.example"):
        assert fetch(server, "/", Host=host).status == 403
        # Prometheus calls a server by whatever name it has.
        assert fetch(server, "/metrics", Host=host).status == 200


def test_malformed_requests_are_answered_and_closed(server: Server) -> None:
    received = exchange(server, b"GET / HTTP/1.1\r\nno colon\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert received.count(b"HTTP/1.1") == 1
    assert b"Connection: close\r\n" in received


def test_resp_goes_on_beside_it(server: Server) -> None:
    with server.connect() as client:
        assert client.execute("SET", "k", "v") == ("+", b"OK")
    for data in (b"GET k\r\n", b"G", b"GE"):
        with socket.create_connection((server.host, server.port), timeout=PATIENCE) as sock:
            sock.sendall(data)
            sock.sendall(b"GET k\r\n"[len(data) :])
            assert sock.recv(100) == b"$1\r\nv\r\n"
            sock.sendall(b"*1\r\n$4\r\nPING\r\n")
            assert sock.recv(100) == b"+PONG\r\n"


def test_an_http_client_is_a_client(server: Server) -> None:
    with (
        server.connect() as redis,
        socket.create_connection((server.host, server.port), timeout=PATIENCE) as sock,
    ):
        sock.sendall(GET)
        assert sock.recv(15) == b"HTTP/1.1 200 OK"
        address = "{}:{}".format(*sock.getsockname())
        line = next(
            line for line in redis.execute("CLIENT", "LIST").value.decode().splitlines() if address in line
        )
        assert " cmd=http " in line
        assert redis.execute("CLIENT", "KILL", address) == ("+", b"OK")
        while sock.recv(1 << 16):
            pass


class TestPassword:
    """A server with a password."""

    def test_metrics_need_none(self, guarded: Server) -> None:
        assert fetch(guarded, "/metrics").status == 200

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "Basic",
            "Basic !!!",
            "Bearer sesame",
            basic(""),
            basic("wrong"),
            basic("sesame", "admin"),
            basic("sesame", ""),
        ],
    )
    def test_the_console_does(self, guarded: Server, header: str | None) -> None:
        answer = fetch(guarded, "/", **({} if header is None else {"Authorization": header}))
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")

    def test_paths_are_not_told_to_strangers(self, guarded: Server) -> None:
        assert fetch(guarded, "/nothing").status == 401
        assert fetch(guarded, "/nothing", Authorization=basic("sesame")).status == 404

    def test_failed_logins_are_logged(self, guarded: Server) -> None:
        fetch(guarded, "/", Authorization=basic("guess", "root"))
        with guarded.connect() as client:
            client.execute("AUTH", "sesame")
            entries = client.execute("ACL", "LOG").value
            assert any(b"root" in repr(entry).encode() for entry in entries)


def test_without_http_browsers_are_hung_up_on() -> None:
    with NogilServer("--noprimary_port_http_enabled") as server:
        assert exchange(server, b"POST / HTTP/1.1\r\nHost: x\r\n\r\nFLUSHALL\r\n") == b""
        # GET is a command; what follows it gives the browser away.
        assert exchange(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"-ERR wrong number")
        assert server.log_tail().count("Possible SECURITY ATTACK") == 2


def test_without_a_console_there_are_metrics() -> None:
    with NogilServer("--nohttp_admin_console") as server:
        assert fetch(server, "/").status == 404
        assert fetch(server, "/metrics").status == 200


def test_a_stop_does_not_wait_for_http_clients() -> None:
    with NogilServer(threads=2) as server:
        idle = socket.create_connection((server.host, server.port), timeout=PATIENCE)
        idle.sendall(GET)
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        with Connection(server.host, server.port) as client:
            client.execute("SHUTDOWN", "NOSAVE")
        assert server.wait() == 0
        idle.close()
