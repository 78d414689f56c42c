"""What is newer than redis-server 7.0.15 answers as Redis 8.0.2's documentation says; asked of the subject
alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.differential.case import words
from tests.differential.cases_newer import CLIENT_FIELDS, NEWER
from tests.differential.cases_newer_bits import NEWER_BITS
from tests.differential.cases_newer_collections import NEWER_COLLECTIONS
from tests.differential.cases_newer_streams import NEWER_STREAMS
from tests.resp import Reply
from tests.servers import Server

_WORDS = re.compile(r"[()]|[^ ()]+")


def _reply(line: str) -> Reply:
    """The reply that a line stands for; an array in an array is in brackets."""
    if line == "*-1":
        return Reply("*", None)
    if line[0] == "*":
        return Reply("*", _elements(iter(_WORDS.findall(line[1:]))))
    kind, rest = line[0], line[1:].encode()
    if kind == ":":
        return Reply(kind, int(rest))
    return Reply(kind, rest or None)


def _elements(words: Iterator[str]) -> tuple[Reply, ...]:
    found: list[Reply] = []
    for word in words:
        if word == ")":
            break
        if word == "(":
            assert next(words) == "*"
            found.append(Reply("*", _elements(words)))
        else:
            found.append(_reply(word))
    return tuple(found)


@pytest.mark.parametrize("name", [*NEWER, *NEWER_BITS, *NEWER_COLLECTIONS, *NEWER_STREAMS])
def test_newer_commands(name: str, subject: Server) -> None:
    subject.flush()
    with subject.connect() as connection:
        for line, expected in {**NEWER, **NEWER_BITS, **NEWER_COLLECTIONS, **NEWER_STREAMS}[name]:
            assert connection.execute(*words(line)) == _reply(expected), line


@pytest.mark.parametrize("protocol", [2, 3])
def test_client_info_tells_the_library(protocol: int, subject: Server) -> None:
    with subject.connect(protocol) as connection:
        for name, value in CLIENT_FIELDS.items():
            connection.execute("CLIENT", "SETINFO", name, value)
        line = dict(re.findall(rb"([\w-]+)=(\S*)", connection.execute("CLIENT", "INFO").value))
        connection.execute("RESET")
        after = dict(re.findall(rb"([\w-]+)=(\S*)", connection.execute("CLIENT", "INFO").value))
    for name, value in CLIENT_FIELDS.items():
        assert line[name.encode()] == value.encode()
        assert after[name.encode()] == value.encode()
