"""The data behind the console, and its files."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.console.client import Answer, basic, fetch
from tests.servers import NogilServer, Server

PATHS = ("/api/stats", "/api/clients", "/api/slowlog", "/api/config")


def told(server: Server, path: str, **headers: str) -> Any:
    """What a path tells."""
    answer = fetch(server, path, **headers)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return json.loads(answer.body)


def test_stats_are_info_and_more(server: Server) -> None:
    with server.connect() as client:
        client.execute("FLUSHALL")
        client.execute("CONFIG", "RESETSTAT")
        for at in range(100):
            client.execute("SET", f"k{at}", "v")
        client.execute("GET", "k1")
        stats = told(server, "/api/stats")
        info = client.execute("INFO").value.decode()
    assert stats["info"]["Server"]["run_id"] in info
    assert stats["info"]["Stats"]["keyspace_hits"] == 1
    assert stats["databases"] == [
        {"db": 0, "keys": 100, "expires": 0, "avg_ttl": 0, "capacity": stats["databases"][0]["capacity"]}
    ]
    assert [sum(thread[name] for thread in stats["threads"]) for name in ("keys", "hits")] == [100, 1]
    calls = stats["commands"]["set"]
    assert calls["calls"] == sum(calls["histogram"].values()) == 100
    assert calls["ns"] > 0


def test_clients_come_with_all_fields(server: Server) -> None:
    with server.connect() as client:
        client.execute("CLIENT", "SETNAME", "<b>me</b>")
        found = told(server, "/api/clients")
        mine = next(one for one in found["clients"] if one["name"] == "<b>me</b>")
        assert mine["cmd"] == "client|setname"
        assert found["total"] >= 2
        # The asker was active last.
        assert found["clients"][0]["cmd"] == "http"


def test_the_slow_log_shows_any_bytes(server: Server) -> None:
    with server.connect() as client:
        client.execute("CONFIG", "SET", "slowlog-log-slower-than", "0")
        client.execute("SET", b"\xff\x00", "ä")
        client.execute("CONFIG", "SET", "requirepass", "")
        client.execute("CONFIG", "SET", "slowlog-log-slower-than", "-1")
        entries = told(server, "/api/slowlog")
    texts = [entry["args"] for entry in entries]
    assert ["SET", "\\xff\x00", "ä"] in texts
    assert ["CONFIG", "SET", "requirepass", "(redacted)"] in texts
    assert [entry["id"] for entry in entries] == sorted((entry["id"] for entry in entries), reverse=True)


def test_configuration_without_secrets(guarded: Server) -> None:
    with guarded.connect() as client:
        client.execute("AUTH", "sesame")
        client.execute("CONFIG", "SET", "masterauth", "hidden-word", "hz", "50")
    answer = fetch(guarded, "/api/config", Authorization=basic("sesame"))
    assert b"sesame" not in answer.body
    assert b"hidden-word" not in answer.body
    found = {row["name"]: row for row in json.loads(answer.body)}
    assert found["requirepass"] == {"name": "requirepass", "value": "(set)", "changed": True}
    assert found["masterauth"]["value"] == "(set)"
    assert found["hz"] == {"name": "hz", "value": "50", "changed": True}
    assert found["dbfilename"]["value"] != "(set)"


def test_strangers_get_none_of_it(guarded: Server) -> None:
    for path in (*PATHS, "/console.js", "/index.html"):
        assert fetch(guarded, path).status == 401
        assert fetch(guarded, path, Authorization=basic("sesame")).status == 200


def test_what_is_restricted_is_not_shown_either() -> None:
    with NogilServer(
        "--restricted_commands=INFO,CONFIG", "--rename_command=SLOWLOG=", "--admin_port=-1", threads=2
    ) as server:
        assert [fetch(server, path).status for path in PATHS] == [403, 200, 403, 403]
        assert fetch(server, "/metrics").status == 200


def test_a_user_sees_what_it_may_ask_for() -> None:
    with NogilServer(threads=2) as server:
        with server.connect() as client:
            client.execute("ACL", "SETUSER", "default", "-config", "-slowlog|get", "-client|list")
        assert [fetch(server, path).status for path in PATHS] == [200, 403, 403, 403]
        assert fetch(server, "/").status == 200
        with server.connect() as client:
            client.execute("ACL", "SETUSER", "other", "on", ">pw", "allcommands", "allkeys")
            client.execute("AUTH", "other", "pw")
            client.execute("ACL", "SETUSER", "default", "off")
            assert fetch(server, "/").status == 401
            client.execute("ACL", "SETUSER", "default", "on", "allcommands")


class TestFiles:
    """The files of the page."""

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("/", "text/html"),
            ("/console.css", "text/css"),
            ("/console.js", "text/javascript"),
            ("/icon.svg", "image/svg+xml"),
        ],
    )
    def test_they_are_served(self, server: Server, path: str, kind: str) -> None:
        plain = fetch(server, path)
        assert plain.status == 200
        assert plain.headers["content-type"].startswith(kind)
        packed = fetch(server, path, Accept_Encoding="gzip")
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body

    def test_a_browser_need_not_fetch_them_twice(self, server: Server) -> None:
        first = fetch(server, "/console.js")
        again: Answer = fetch(server, "/console.js", If_None_Match=first.headers["etag"])
        assert (again.status, again.body) == (304, b"")

    @pytest.mark.parametrize(
        "path", ["/../api.py", "/static/console.js", "/%2e%2e/api.py", "/console.js/", "/api", "/.."]
    )
    def test_nothing_else_is(self, server: Server, path: str) -> None:
        assert fetch(server, path).status == 404

    def test_the_page_loads_nothing_from_elsewhere(self, server: Server) -> None:
        for path in (
            "/",
            "/console.css",
            "/console.js",
            "/chart.js",
            "/page.js",
            "/samples.js",
            "/format.js",
        ):
            text = fetch(server, path).text
            assert "http://" not in text
            assert "https://" not in text
            assert "innerHTML" not in text
