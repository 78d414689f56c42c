"""The sans-IO HTTP: any split of the bytes, limits, and what smugglers send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.wire.http import (
    MAX_BODY,
    MAX_FIRST_LINE,
    MAX_HEAD,
    HttpProtocol,
    Refusal,
    Request,
    Response,
    http_date,
    looks_like_http,
)

NOW = 1_700_000_000.0
PIPELINE = (
    b"GET /metrics?a=1&a=2 HTTP/1.1\r\nHost: x:1\r\nAccept: text/plain\r\nAccept: a/b\r\n\r\n"
    b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    b"POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    b"GET /%C3%A4%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
)


def talk(data: bytes, sizes: list[int]) -> tuple[list[Request], bytes, bool]:
    """What a server makes of ``data`` that comes in pieces: requests, what it sends, whether it closes."""
    protocol = HttpProtocol()
    requests = []
    sent = b""
    position = 0
    for size in [*sizes, len(data)]:
        protocol.feed(data[position : position + size])
        position += size
        while not protocol.closing and (request := protocol.next_request()) is not None:
            assert isinstance(request, Request)
            requests.append(request)
            sent += protocol.respond(Response(200, b"body of %d" % len(requests)), NOW)
        if position >= len(data):
            break
    return requests, sent, protocol.closing


@given(st.lists(st.integers(1, 60), max_size=40))
def test_any_split_gives_the_same_requests_and_responses(sizes: list[int]) -> None:
    requests, sent, closing = talk(PIPELINE, sizes)
    assert [(one.method, one.target) for one in requests] == [
        ("GET", "/metrics?a=1&a=2"),
        ("HEAD", "/"),
        ("POST", "/api"),
        ("GET", "/%C3%A4%20b"),
    ]
    assert closing
    assert sent == talk(PIPELINE, [])[1]
    # The HEAD has the head of a GET and no body.
    assert sent.count(b"HTTP/1.1 200 OK\r\n") == 4
    assert [b"body of %d" % n in sent for n in (1, 2, 3, 4)] == [True, False, True, True]
    assert sent.count(b"Content-Length: 9\r\n") == 4


def test_a_request_can_be_asked_for_its_parts() -> None:
    first, _, _, last = talk(PIPELINE, [])[0]
    assert first.path == "/metrics"
    assert first.query == {"a": ["1", "2"]}
    assert first.header("accept") == "text/plain, a/b"
    assert first.header("absent") == ""
    assert last.path == "/ä b"


def test_http_1_0_ends_after_a_response() -> None:
    requests, sent, closing = talk(b"GET / HTTP/1.0\r\n\r\n", [])
    assert len(requests) == 1
    assert b"Connection: close\r\n" in sent
    assert closing


def test_a_not_modified_has_neither_body_nor_length() -> None:
    protocol = HttpProtocol()
    protocol.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert protocol.next_request() is not None
    sent = protocol.respond(Response(304, b"x", (("ETag", '"1"'),)), NOW)
    assert sent == b'HTTP/1.1 304 Not Modified\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nETag: "1"\r\n\r\n'
    assert not protocol.closing


def test_dates_are_english() -> None:
    assert http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"x" * MAX_HEAD + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 8000, 431),
        (b"GET /" + b"x" * 2 * MAX_HEAD, 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (MAX_BODY + 1), 413),
    ],
)
def test_what_is_refused(data: bytes, status: int) -> None:
    for size in (7, len(data)):
        protocol = HttpProtocol()
        refusal = None
        for position in range(0, len(data), size):
            protocol.feed(data[position : position + size])
            refusal = protocol.next_request()
            if refusal is not None:
                break
        assert isinstance(refusal, Refusal)
        assert refusal.status == status
        # The refusal can be said, and is the last word.
        sent = protocol.respond(Response(status, b"no", close=True), NOW)
        assert sent.startswith(b"HTTP/1.1 %d " % status)
        assert protocol.closing


def test_a_length_beside_chunks_does_not_count() -> None:
    """RFC 9112, 6.3: the coding wins, and what follows the chunks is the next request."""
    data = (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    requests, _, _ = talk(data, [])
    assert [one.target for one in requests] == ["/", "/next"]


def test_who_waits_for_a_100_gets_the_answer_and_the_end() -> None:
    protocol = HttpProtocol()
    protocol.feed(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert protocol.next_request() is not None
    sent = protocol.respond(Response(405), NOW)
    assert sent.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert b"Connection: close\r\n" in sent
    assert protocol.closing


def test_the_client_may_leave() -> None:
    protocol = HttpProtocol()
    protocol.feed(b"")
    assert protocol.next_request() is None
    assert protocol.closing


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"GET / HTTP/1.1\r\n", True),
        (b"HEAD /metrics HTTP/1.0\n", True),
        (b"DELETE / HTTP/1.1\r\nHost", True),
        (b"G", None),
        (b"GET", None),
        (b"GET / HTT", None),
        (b"GET " + b"x" * (MAX_FIRST_LINE - 4), None),
        (b"GET " + b"x" * MAX_FIRST_LINE, False),
        (b"GET key\r\n", False),
        (b"GET HTTP/1.1x\r\n", False),
        (b"GET / HTTP/2.0\r\n", False),
        (b"GETEX k\r\n", False),
        (b"get / HTTP/1.1\r\n", False),
        (b"Host: x\r\n", False),
        (b"*1\r\n$4\r\nPING\r\n", False),
        (b"PING\r\n", False),
    ],
)
def test_first_lines(data: bytes, verdict: bool | None) -> None:
    assert looks_like_http(data) is verdict
