"""COMMAND: everything derived from the rows, in both protocols; syntaxes read into trees."""

from __future__ import annotations

from typing import Any

import pytest

from nogil_df.commands.command import key_specs
from nogil_df.commands.registry import all_rows
from nogil_df.commands.syntax import Argument, parse_syntax
from tests.commands.console import Console

ROWS = all_rows()


def tree(arguments: list[Argument]) -> list[Any]:
    """Arguments as nested tuples: name, type, token, flags, children."""
    return [
        (
            argument.name,
            argument.kind,
            argument.token,
            "o" * argument.optional + "m" * argument.multiple,
            *([tree(argument.children)] if argument.children else []),
        )
        for argument in arguments
    ]


@pytest.mark.parametrize(
    ("syntax", "expected"),
    [
        ("key", [("key", "key", "", "")]),
        ("key [key ...]", [("key", "key", "", "m")]),
        ("[COUNT count]", [("count", "integer", "COUNT", "o")]),
        ("[NOW] [FORCE]", [("now", "pure-token", "NOW", "o"), ("force", "pure-token", "FORCE", "o")]),
        (
            "key value [key value ...]",
            [("key", "block", "", "m", [("key", "key", "", ""), ("value", "string", "", "")])],
        ),
        (
            "[NX | XX]",
            [("nx", "oneof", "", "o", [("nx", "pure-token", "NX", ""), ("xx", "pure-token", "XX", "")])],
        ),
        (
            "<EX seconds|KEEPTTL>",
            [
                (
                    "seconds",
                    "oneof",
                    "",
                    "",
                    [("seconds", "integer", "EX", ""), ("keepttl", "pure-token", "KEEPTTL", "")],
                )
            ],
        ),
        (
            "[LIMIT offset count]",
            [
                (
                    "offset",
                    "block",
                    "LIMIT",
                    "o",
                    [("offset", "integer", "", ""), ("count", "integer", "", "")],
                )
            ],
        ),
        ("[ID client-id [client-id ...]]", [("client-id", "integer", "ID", "om")]),
        ("[command [command ...]]", [("command", "string", "", "om")]),
    ],
)
def test_syntax(syntax: str, expected: list[Any]) -> None:
    assert tree(parse_syntax(syntax)) == expected


def _every_argument(arguments: list[Argument]) -> list[Argument]:
    return [node for argument in arguments for node in (argument, *_every_argument(argument.children))]


@pytest.mark.parametrize(
    "row", [*ROWS, *(child for row in ROWS for child in row.subcommands)], ids=lambda r: r.name
)
def test_every_row_tells_all(row: Any) -> None:
    assert row.arity
    assert row.since
    assert row.group
    assert row.summary.endswith(".")
    assert {"@slow", "@fast"} & set(row.acl.split())
    assert not any(node.kind == "repeat" for node in _every_argument(parse_syntax(row.syntax)))
    if row.keys[0]:
        assert row.key_flags


def test_count_and_list() -> None:
    console = Console()
    assert console("COMMAND COUNT").value == len(ROWS) == len(console("COMMAND").value)
    names = console.value("COMMAND LIST")
    assert b"get" in names
    assert b"config|set" in names
    assert console.value("COMMAND LIST FILTERBY PATTERN config|s*") == [b"config|set"]
    assert set(console.value("COMMAND LIST FILTERBY ACLCAT transaction")) == {
        b"multi",
        b"exec",
        b"discard",
        b"watch",
        b"unwatch",
    }


def test_row_of_get() -> None:
    row = Console(protocol=3)("COMMAND INFO get").value[0].value
    assert [part.kind for part in row] == ["$", ":", "~", ":", ":", ":", "~", "~", "~", "*"]
    assert [flag.kind for flag in row[2].value] == ["+", "+"]
    assert {flag.value for flag in row[2].value} == {b"readonly", b"fast"}


@pytest.mark.parametrize(
    ("name", "places"),
    [("RENAME", [(1, 0, 1), (2, 0, 1)]), ("BITOP", [(2, 0, 1), (3, -1, 1)]), ("PFCOUNT", [(1, -1, 1)])],
)
def test_where_keys_with_flags_of_their_own_are(name: str, places: list[tuple[int, int, int]]) -> None:
    row = next(row for row in all_rows() if row.name == name)
    assert [place for _, place in key_specs(row)] == places


def test_subcommand_by_name() -> None:
    row = Console()("COMMAND INFO CONFIG|GET nosuch config|nosuch").value
    assert row[0].value[0].value == b"config|get"
    assert [row[1].value, row[2].value] == [None, None]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SET k v", [(b"k", {b"OW", b"update"})]),
        ("SET k v EX 5 get", [(b"k", {b"RW", b"access", b"update"})]),
        ("SET k get", [(b"k", {b"OW", b"update"})]),
        ("RENAME a b", [(b"a", {b"RW", b"access", b"delete"}), (b"b", {b"OW", b"update"})]),
        ("MSET a 1 b 2", [(b"a", {b"OW", b"update"}), (b"b", {b"OW", b"update"})]),
        ("OBJECT ENCODING k", [(b"k", {b"RO"})]),
    ],
)
def test_getkeysandflags(line: str, expected: list[Any]) -> None:
    found = Console()(f"COMMAND GETKEYSANDFLAGS {line}").value
    assert [
        (key.value, {flag.value for flag in flags.value}) for key, flags in (x.value for x in found)
    ] == expected
    assert Console().value(f"COMMAND GETKEYS {line}") == [key for key, _ in expected]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("nosuch k", b"ERR Invalid command specified"),
        ("CONFIG NOSUCH k", b"ERR Invalid command specified"),
        ("PING", b"ERR The command has no key arguments"),
        ("OBJECT", b"ERR The command has no key arguments"),
        ("GET", b"ERR Invalid number of arguments specified for command"),
        ("MSETEX 9 k v", b"ERR Invalid arguments specified for command"),
    ],
)
def test_getkeys_errors(line: str, error: bytes) -> None:
    assert Console()(f"COMMAND GETKEYS {line}").value == error


def test_docs() -> None:
    reply = Console(protocol=3)("COMMAND DOCS set config nosuch")
    docs = {name.value: {key.value: value for key, value in doc.value} for name, doc in reply.value}
    assert list(docs) == [b"set", b"config"]
    assert docs[b"set"][b"group"].value == b"string"
    assert docs[b"set"][b"complexity"].value == b"O(1)"
    first = {key.value: value.value for key, value in docs[b"set"][b"arguments"].value[0].value}
    assert first[b"type"] == b"key"
    assert first[b"key_spec_index"] == 0
    names = [name.value for name, _ in docs[b"config"][b"subcommands"].value]
    assert b"config|get" in names


def test_alone_inside_a_transaction() -> None:
    console = Console()
    console("MULTI")
    console("COMMAND")
    console("COMMAND COUNT")
    replies = console("EXEC").value
    assert len(replies[0].value) == replies[1].value
