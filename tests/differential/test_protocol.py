"""Raw bytes that are not, or barely, the protocol: both servers answer and close alike, byte for byte.

An input either leaves the connection in step, which an ECHO behind it shows, or makes the server close it.
Every input is sent in one piece and, where it is short, byte by byte. Left out: a NUL in an inline command
or where `$` is due, at which redis-server's search for the end of the line stops, so that it waits for
ever.
"""

from __future__ import annotations

import pytest

from tests.servers import Server

MARK = b"*2\r\n$4\r\nECHO\r\n$3\r\nend\r\n"
MARK_REPLY = b"$3\r\nend\r\n"
# Longer inputs are not sent byte by byte.
_SHORT = 200

STAYS_OPEN = {
    "inline beginning like HTTP": b"GET k\r\nPUT / HTTP\r\nGET HTTP/1.1x\r\n",
    "first line of HTTP behind a command": b"PING\r\nGET / HTTP/1.1\r\n",
    "inline ping": b"PING\r\n",
    "inline without CR": b"PING\n",
    "inline with blanks": b"   PING   \r\n",
    "inline with tabs": b"\tPING\thello\t\r\n",
    "inline empty lines": b"\r\n\r\n\n\r\n",
    "inline blank line": b"    \r\n",
    "inline set and get": b"SET k v\r\nGET k\r\n",
    "inline double quotes": b'SET k "a b"\r\nGET k\r\n',
    "inline single quotes": b"SET k 'a b'\r\nGET k\r\n",
    "inline escapes": b'ECHO "\\x41\\n\\r\\t\\b\\a\\\\\\"\\q"\r\n',
    "inline hex of one digit": b'ECHO "\\x4"\r\n',
    "inline single quote escape": b"ECHO 'it\\'s \\n'\r\n",
    "inline empty argument": b'ECHO ""\r\n',
    "inline unknown command": b"NOSUCH a b\r\n",
    "inline high bytes": b"ECHO \xff\xfe\r\n",
    "inline CR in the middle": b"ECHO a\rb\r\n",
    "inline number": b"123\r\n",
    "inline quoted command": b'"PING"\r\n',
    "inline then multibulk": b"PING\r\n*1\r\n$4\r\nPING\r\n",
    "empty array": b"*0\r\n",
    "empty arrays and a command": b"*0\r\n*0\r\n*1\r\n$4\r\nPING\r\n",
    "null array": b"*-1\r\n",
    "negative array": b"*-100\r\n",
    "empty command name": b"*1\r\n$0\r\n\r\n",
    "empty argument": b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    "array with leading zeros is refused or not": b"*1\r\n$4\r\nPING\r\n",
    "bulk without its CRLF is not checked": b"*1\r\n$4\r\nPINGxx",
    "two commands in one write": b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n",
    "lower case name": b"*1\r\n$4\r\npInG\r\n",
    "a pipeline of errors": b"*1\r\n$3\r\nFOO\r\n*1\r\n$3\r\nGET\r\n*1\r\n$4\r\nPING\r\n",
    "error with newlines in it": b"*2\r\n$8\r\nFOO\r\nBAR\r\n$5\r\na\r\nb\n\r\n",
    "error with NUL in it": b"*2\r\n$3\r\nF\x00O\r\n$3\r\na\x00b\r\n",
    "error with high bytes": b"*2\r\n$3\r\nF\xffO\r\n$3\r\na\xfeb\r\n",
    "hello 3": b"*2\r\n$5\r\nHELLO\r\n$1\r\n9\r\n",
    "large inline": b"ECHO " + b"x" * 60_000 + b"\r\n",
    "value that looks like protocol": b"*2\r\n$4\r\nECHO\r\n$12\r\n*1\r\n$4\r\nPING\r\n",
}

CLOSES = {
    "unbalanced double quote": b'SET k "abc\r\n',
    "unbalanced single quote": b"SET k 'abc\r\n",
    "closing quote in a word": b'SET k "a"b\r\n',
    "closing single quote in a word": b"SET k 'a'b\r\n",
    "quote behind commands": b'PING\r\nPING\r\nSET k "a\r\nPING\r\n',
    "count is a word": b"*abc\r\n",
    "count is empty": b"*\r\n",
    "count has a blank": b"* 1\r\n",
    "count is a float": b"*1.5\r\n",
    "count has a plus": b"*+1\r\n",
    "count has leading zeros": b"*01\r\n$4\r\nPING\r\n",
    "count is huge": b"*2147483648\r\n",
    "count beyond 64 bits": b"*99999999999999999999\r\n",
    "count one above the limit": b"*2147483649\r\n",
    "no dollar": b"*1\r\nPING\r\n",
    "plus for dollar": b"*1\r\n+PING\r\n",
    "colon for dollar": b"*1\r\n:4\r\nPING\r\n",
    "empty line for dollar": b"*1\r\n\r\n",
    "high byte for dollar": b"*1\r\n\xff\r\n",
    "nested array": b"*1\r\n*1\r\n$4\r\nPING\r\n",
    "length is negative": b"*1\r\n$-1\r\n",
    "length is a word": b"*1\r\n$abc\r\n",
    "length is empty": b"*1\r\n$\r\n",
    "length has a blank": b"*1\r\n$ 4\r\n",
    "length has leading zeros": b"*1\r\n$04\r\nPING\r\n",
    "length above 512 MB": b"*2\r\n$4\r\nECHO\r\n$536870913\r\n",
    "length beyond 64 bits": b"*1\r\n$99999999999999999999\r\n",
    "bad length behind good commands": b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$x\r\n",
    "bad count behind good commands": b"*1\r\n$4\r\nPING\r\n*x\r\n",
    "count line too long": b"*" + b"1" * 65_537,
    "length line too long": b"*1\r\n$" + b"1" * 65_537,
    "inline too long": b"x" * 65_537,
    "quit then more": b"QUIT\r\nPING\r\n",
    "quit in a pipeline": b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n",
    "http host header": b"Host: example.org\r\nPING\r\n",
}

_WHOLE_OR_BYTES = ("whole", "bytewise")


def _params(inputs: dict[str, bytes]) -> list[object]:
    return [
        pytest.param(data, how, id=f"{name}-{how}")
        for name, data in inputs.items()
        for how in _WHOLE_OR_BYTES
        if how == "whole" or len(data) <= _SHORT
    ]


def _pieces(data: bytes, how: str) -> list[bytes]:
    return [data] if how == "whole" else [data[i : i + 1] for i in range(len(data))]


def _open_reply(server: Server, data: bytes, how: str) -> bytes:
    """Everything answered up to the reply to the mark."""
    server.flush()
    received = bytearray()
    with server.connect() as connection:
        for piece in _pieces(data + MARK, how):
            connection.send_raw(piece)
        while not received.endswith(MARK_REPLY):
            chunk = connection.socket.recv(1 << 16)
            if not chunk:
                return bytes(received) + b"<closed>"
            received += chunk
    return bytes(received)


def _closing_reply(server: Server, data: bytes, how: str) -> bytes:
    """Everything answered until the server closes."""
    server.flush()
    with server.connect() as connection:
        for piece in _pieces(data, how):
            connection.send_raw(piece)
        return connection.read_until_close()


@pytest.mark.parametrize(("data", "how"), _params(STAYS_OPEN))
def test_odd_input_is_answered_alike(data: bytes, how: str, reference: Server, subject: Server) -> None:
    expected = _open_reply(reference, data, how)
    assert _open_reply(subject, data, how) == expected
    assert not expected.endswith(b"<closed>")


@pytest.mark.parametrize(("data", "how"), _params(CLOSES))
def test_malformed_input_is_answered_and_closed_alike(
    data: bytes, how: str, reference: Server, subject: Server
) -> None:
    expected = _closing_reply(reference, data, how)
    assert _closing_reply(subject, data, how) == expected


def test_an_unfinished_command_does_nothing(reference: Server, subject: Server) -> None:
    for server in (reference, subject):
        server.flush()
        with server.connect() as connection:
            connection.send_raw(b"*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhel")
            assert connection.receive() == ("+", b"PONG")
        with server.connect() as connection:
            assert connection.execute("EXISTS", "k") == (":", 0)


_LIMITED = {
    "ten arguments": b"*11\r\n",
    "long argument": b"*2\r\n$4\r\nAUTH\r\n$16385\r\n",
    "at the limits": b"*1\r\n$4\r\nPING\r\n",
}


@pytest.mark.parametrize("data", _LIMITED.values(), ids=_LIMITED)
def test_limits_before_authentication(data: bytes, reference: Server, subject: Server) -> None:
    replies = []
    for server in (reference, subject):
        with server.connect() as admin:
            assert admin.execute("CONFIG", "SET", "requirepass", "secret") == ("+", b"OK")
            try:
                with server.connect() as connection:
                    connection.send_raw(data)
                    replies.append(connection.receive())
            finally:
                admin.execute("CONFIG", "SET", "requirepass", "")
    assert replies[0] == replies[1]
