"""What describes the server: INFO, CONFIG GET, COMMAND, CLIENT INFO, MEMORY STATS have all that redis-
server's have.

Tools read these by name, so every name redis-server 7.0.15 gives must be there; more may be. COMMAND's rows
must be equal. Whatever is knowingly otherwise stands in a table here, with its reason.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.differential.capabilities import SUBJECT_IS_REDIS
from tests.resp import Connection, Reply
from tests.servers import Server

GROUPS = ("string", "generic", "connection", "transactions", "server")

# Commands of these groups that belong to families of their own: sorting, dumps, replication, ACL, modules...
ELSEWHERE = frozenset(
    b"sort sort_ro migrate wait acl module failover role".split()
    + b"bgsave bgrewriteaof save psync sync replconf replicaof slaveof".split()
    + b"client|caching client|tracking client|trackinginfo".split()
)

# Newer than 7.0.15: COMMAND GETKEYS takes a command without arguments, so its arity went from -4 to -3.
ARITY_SINCE = {b"command|getkeys": -3, b"command|getkeysandflags": -3}

# Fields of INFO that tell of machinery nogil-df does not have. Empty: every field is given.
INFO_WITHOUT: frozenset[bytes] = frozenset()

# Settings of machinery nogil-df does not have. Empty: every name is known.
CONFIG_WITHOUT: frozenset[bytes] = frozenset()

SECTIONS = (
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "modules",
    "cluster",
    "keyspace",
)


def _text(reply: Reply) -> bytes:
    value: bytes = reply.value
    return value.removeprefix(b"txt:") if reply.kind == "=" else value


def _info(server: Server, *sections: str) -> bytes:
    with server.connect() as connection:
        connection.execute("SET", "k", "v")
        return _text(connection.execute("INFO", *sections))


def _fields(text: bytes) -> set[bytes]:
    return set(re.findall(rb"^([a-z][\w]*):", text, re.M))


@pytest.mark.parametrize("section", SECTIONS)
def test_info_has_every_field_of_the_section(section: str, reference: Server, subject: Server) -> None:
    wanted, got = _info(reference, section), _info(subject, section)
    assert not _fields(wanted) - _fields(got) - INFO_WITHOUT
    assert wanted.splitlines()[0] == got.splitlines()[0]


@pytest.mark.parametrize("which", ["default", "all", "everything"])
def test_info_has_every_section(which: str, reference: Server, subject: Server) -> None:
    headings = [
        re.findall(rb"^# .*$", _info(server, which).replace(b"\r", b""), re.M)
        for server in (reference, subject)
    ]
    assert not set(headings[0]) - set(headings[1])
    shared = [heading for heading in headings[1] if heading in headings[0]]
    assert shared == headings[0]


def test_info_says_no_more_than_its_section(reference: Server, subject: Server) -> None:
    for server in (reference, subject):
        text = _info(server, "cpu").replace(b"\r", b"")
        assert re.findall(rb"^# .*$", text, re.M) == [b"# CPU"]


def _values(server: Server, section: str) -> dict[bytes, bytes]:
    return dict(re.findall(rb"^([a-z][\w]*):([^\r\n]*)", _info(server, section), re.M))


_NUMBER = re.compile(rb"-?\d+(\.\d+)?%?$")


@pytest.mark.parametrize("section", SECTIONS)
def test_info_values_are_numbers_where_redis_has_numbers(
    section: str, reference: Server, subject: Server
) -> None:
    wanted, got = _values(reference, section), _values(subject, section)
    for name in wanted.keys() & got.keys():
        assert bool(_NUMBER.match(wanted[name])) == bool(_NUMBER.match(got[name])), (
            name,
            wanted[name],
            got[name],
        )


def _statistics(server: Server, section: str) -> dict[bytes, bytes]:
    with server.connect() as connection:
        connection.execute("CONFIG", "RESETSTAT")
        for _ in range(3):
            connection.execute("SET", "k", "v")
        connection.execute("GET", "k", "too many")
        connection.execute("INCR", "k")
        connection.execute("OBJECT", "ENCODING", "k")
        text = _text(connection.execute("INFO", section))
    return dict(re.findall(rb"^(\w[^:]*):([^\r\n]*)", text, re.M))


def test_commandstats(reference: Server, subject: Server) -> None:
    wanted, got = _statistics(reference, "commandstats"), _statistics(subject, "commandstats")
    assert wanted.keys() == got.keys()
    counts = re.compile(rb"(calls|rejected_calls|failed_calls)=(\d+)")
    for name in wanted:
        assert counts.findall(wanted[name]) == counts.findall(got[name]), name
        assert re.findall(rb"(\w+)=", wanted[name]) == re.findall(rb"(\w+)=", got[name])


def test_errorstats(reference: Server, subject: Server) -> None:
    assert _statistics(reference, "errorstats") == _statistics(subject, "errorstats")


def test_latencystats(reference: Server, subject: Server) -> None:
    wanted, got = _statistics(reference, "latencystats"), _statistics(subject, "latencystats")
    assert wanted.keys() == got.keys()
    for name in wanted:
        assert re.findall(rb"(p[\d.]+)=", wanted[name]) == re.findall(rb"(p[\d.]+)=", got[name])


def _settings(server: Server) -> set[bytes]:
    with server.connect() as connection:
        return {name.value for name in connection.execute("CONFIG", "GET", "*").value[::2]}


def test_config_get_knows_every_name(reference: Server, subject: Server) -> None:
    assert not _settings(reference) - _settings(subject) - CONFIG_WITHOUT


def _pairs(reply: Reply) -> dict[bytes, Reply]:
    items = reply.value if reply.kind == "%" else zip(reply.value[::2], reply.value[1::2], strict=True)
    return {key.value: value for key, value in items}


def _elsewhere(name: bytes) -> bool:
    return name in ELSEWHERE or name.partition(b"|")[0] in ELSEWHERE


def _docs(connection: Connection) -> dict[bytes, dict[bytes, Reply]]:
    return {name: _pairs(doc) for name, doc in _pairs(connection.execute("COMMAND", "DOCS")).items()}


def _names(server: Server) -> list[bytes]:
    with server.connect() as connection:
        docs = _docs(connection)
    groups = {group.encode() for group in GROUPS}
    return sorted(
        name for name, doc in docs.items() if doc[b"group"].value in groups and name not in ELSEWHERE
    )


def _unordered(reply: Reply) -> Reply:
    return Reply("set", tuple(sorted(member.value for member in reply.value)))


def _without_notes(specs: Reply) -> list[list[tuple[Reply, Reply]]]:
    """Key specifications without the remarks that Redis adds to some of them for people."""
    return [
        [
            (name, value)
            for name, value in zip(spec.value[::2], spec.value[1::2], strict=True)
            if name.value != b"notes"
        ]
        for spec in specs.value
    ]


def _rows(reply: Reply) -> dict[bytes, list[Any]]:
    """Rows by name, subcommands' too: arity, flags, keys, ACL categories, tips, key specifications."""
    rows = {}
    for row in reply.value:
        name, arity, flags, first, last, key_step, categories, tips, specs, subcommands = row.value
        known = Reply(":", ARITY_SINCE.get(name.value, arity.value))
        rows[name.value] = [known, _unordered(flags), first, last, key_step]
        rows[name.value] += [_unordered(categories), _unordered(tips), _without_notes(specs)]
        rows.update(_rows(subcommands))
    return rows


def test_command_rows(reference: Server, subject: Server) -> None:
    names = _names(reference)
    assert len(names) > 70
    rows = []
    for server in (reference, subject):
        with server.connect() as connection:
            rows.append(_rows(connection.execute("COMMAND", "INFO", *names)))
    wanted, got = rows
    wanted = {name: row for name, row in wanted.items() if not _elsewhere(name)}
    assert not wanted.keys() - got.keys()
    parts = ("arity", "flags", "first key", "last key", "step", "categories", "tips", "key specifications")
    different = [
        f"{name.decode()}: {part}: {theirs} / {ours}"
        for name, row in wanted.items()
        for part, theirs, ours in zip(parts, row, got[name], strict=True)
        if theirs != ours
    ]
    assert not different, "\n".join(different)


def test_command_docs(reference: Server, subject: Server) -> None:
    docs = []
    for server in (reference, subject):
        with server.connect() as connection:
            docs.append(_docs(connection))
    for name in _names(reference):
        wanted, got = docs[0][name], docs[1][name]
        assert wanted[b"group"] == got[b"group"], name
        assert wanted[b"since"] == got[b"since"], name
        assert (
            not wanted.keys() - got.keys() - {b"history", b"doc_flags", b"deprecated_since", b"replaced_by"}
        ), name


def test_command_list_and_count(reference: Server, subject: Server) -> None:
    with subject.connect() as connection:
        listed = {name.value for name in connection.execute("COMMAND", "LIST").value}
        assert connection.execute("COMMAND", "COUNT").value == len(connection.execute("COMMAND").value)
    assert set(_names(reference)) <= listed


@pytest.mark.parametrize("category", ["string", "keyspace", "connection", "transaction", "fast", "dangerous"])
def test_command_list_of_a_category(category: str, reference: Server, subject: Server) -> None:
    names = set(_names(reference))
    listed = []
    for server in (reference, subject):
        with server.connect() as connection:
            reply = connection.execute("COMMAND", "LIST", "FILTERBY", "ACLCAT", category)
            found = {name.value for name in reply.value if name.value.partition(b"|")[0] in names}
            listed.append({name for name in found if not _elsewhere(name)})
    assert listed[0] <= listed[1]


def test_memory_stats(reference: Server, subject: Server) -> None:
    wanted, got = [], []
    for server, found in ((reference, wanted), (subject, got)):
        with server.connect(3) as connection:
            connection.execute("SET", "k", "v")
            found += connection.execute("MEMORY", "STATS").value
    assert not {key.value for key, _ in wanted} - {key.value for key, _ in got}
    kinds = {key.value: value.kind for key, value in got}
    for key, value in wanted:
        assert kinds[key.value] == value.kind, key


def _client_line(server: Server, protocol: int) -> dict[bytes, bytes]:
    with server.connect(protocol) as connection:
        connection.execute("CLIENT", "SETNAME", "me")
        connection.execute("SELECT", "2")
        connection.execute("MULTI")
        connection.execute("PING")
        connection.execute("CLIENT", "INFO")
        return dict(re.findall(rb"([\w-]+)=(\S*)", _text(connection.execute("EXEC").value[1])))


@pytest.mark.parametrize("protocol", [2, 3])
def test_client_info(protocol: int, reference: Server, subject: Server) -> None:
    wanted, got = _client_line(reference, protocol), _client_line(subject, protocol)
    assert not wanted.keys() - got.keys()
    for name in (
        b"name",
        b"db",
        b"sub",
        b"psub",
        b"ssub",
        b"multi",
        b"cmd",
        b"user",
        b"redir",
        b"resp",
        b"flags",
    ):
        assert wanted[name] == got[name], name


def test_hello_fields(reference: Server, subject: Server) -> None:
    maps = []
    for server in (reference, subject):
        with server.connect() as connection:
            maps.append(_pairs(connection.execute("HELLO", "3")))
    assert list(maps[0]) == list(maps[1])
    expected = maps[0][b"version"].value if SUBJECT_IS_REDIS else b"8.0.2"
    assert maps[1][b"version"].value == expected
