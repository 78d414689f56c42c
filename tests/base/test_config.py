"""CONFIG GET, SET and REWRITE on a thread's view."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nogil_df.base import errors
from nogil_df.base.config import BY_NAME, PARAMETERS, ConfigChange, ConfigView
from nogil_df.base.config_rewrite import rewrite, rewrite_file
from nogil_df.base.config_table import EFFECTIVE
from nogil_df.base.config_values import RULES, parse_value, show_value
from nogil_df.base.errors import ReplyError
from nogil_df.base.flag_parsing import parse_flags
from nogil_df.base.flags import FLAGS, Options


def set_on(view: ConfigView, *arguments: str | bytes) -> str:
    """CONFIG SET on one view; "OK" or the error."""
    change = view.prepare_set([a if isinstance(a, bytes) else a.encode() for a in arguments])
    if isinstance(change, ReplyError):
        return errors.text(change).decode()
    view.apply(change)
    return "OK"


def get_from(view: ConfigView, *patterns: str) -> dict[str, str]:
    return {
        name.decode(): value.decode()
        for name, value in view.get([pattern.encode() for pattern in patterns]).items()
    }


def failed(name: str, why: str) -> str:
    return f"ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"


# --- the table ---


def test_names_are_unique_lower_case_and_complete() -> None:
    names = [name for parameter in PARAMETERS for name in parameter.names]
    assert len(names) == len(set(names)) == len(BY_NAME)
    assert all(name == name.lower() for name in names)
    assert set(FLAGS) <= set(names)
    assert set(names) >= EFFECTIVE


def test_every_default_passes_its_own_rule() -> None:
    view = ConfigView()
    for parameter in PARAMETERS:
        assert parameter.kind in RULES
        shown = view.texts[parameter.name]
        assert show_value(parameter, parse_value(parameter, shown)) == shown
        assert hasattr(view, parameter.name.replace("-", "_"))


def test_the_declared_attributes_exist() -> None:
    view = ConfigView()
    for name in ConfigView.__annotations__:
        assert hasattr(view, name), name


# --- the start ---


def test_flags_are_the_first_values() -> None:
    options = parse_flags(
        "--port 7000 --requirepass s --tcp-keepalive 5 --bind a b --noprotected_mode --unixsocketperm 700"
        " --save 900 1 --maxmemory 12gb --notify_keyspace_events Ex --nomulti_exec_squash".split(),
        {},
    )[1]
    view = ConfigView(options)
    assert (view.port, view.requirepass, view.tcp_keepalive, view.bind) == (7000, b"s", 5, ("a", "b"))
    assert view.multi_exec_squash is False
    assert view.notify_keyspace_events == 256 | 2
    assert get_from(view, "bind", "protected-mode", "unixsocketperm", "save", "maxmemory", "port") == {
        "bind": "a b",
        "protected-mode": "no",
        "unixsocketperm": "700",
        "save": "900 1",
        "maxmemory": str(12 << 30),
        "port": "7000",
    }


def test_threads_do_not_share_what_they_read() -> None:
    options = Options(requirepass="a long password", maxclients=50000)
    first, second = ConfigView(options), ConfigView(options)
    for name in ("requirepass", "maxclients", "client_output_buffer_limit", "maxmemory_policy"):
        assert getattr(first, name) == getattr(second, name)
    assert first.requirepass is not second.requirepass
    assert first.maxclients is not second.maxclients
    assert first.maxmemory_policy is not second.maxmemory_policy
    change = first.prepare_set([b"maxclients", b"40000"])
    assert isinstance(change, ConfigChange)
    assert change.names == {"maxclients"}
    first.apply(change)
    second.apply(change)
    assert first.maxclients == second.maxclients == 40000
    assert first.maxclients is not second.maxclients


def test_the_directory_is_shown_in_full() -> None:
    assert get_from(ConfigView(), "dir") == {"dir": os.getcwd()}
    assert get_from(ConfigView(Options(dir="")), "dir") == {"dir": os.getcwd()}
    assert get_from(ConfigView(Options(dir="/")), "dir") == {"dir": "/"}


def test_facts_of_the_running_server() -> None:
    view = ConfigView(Options(port=-1))
    view.set_fact("port", "40001")
    assert view.port == 40001
    assert get_from(view, "port") == {"port": "40001"}
    assert "port" not in rewrite(view, "")


# --- GET ---


def test_get_by_name_glob_and_several() -> None:
    view = ConfigView()
    assert get_from(view, "maxmemory") == {"maxmemory": "0"}
    assert get_from(view, "MaxMemory", "maxmemory") == {"MaxMemory": "0"}
    assert get_from(view, "hash-max-*-value") == {
        "hash-max-listpack-value": "64",
        "hash-max-ziplist-value": "64",
    }
    assert get_from(view, "ma[x]memory", "maxmemory") == {"maxmemory": "0"}
    assert get_from(view, "MAXMEMORY-P*") == {"maxmemory-policy": "noeviction"}
    assert get_from(view, "no-such", "no*such") == {}


def test_get_by_the_name_of_a_flag() -> None:
    view = ConfigView()
    assert get_from(view, "tcp_keepalive", "tcp-keepalive", "dbnum", "keys-output-limit") == {
        "tcp_keepalive": "300",
        "tcp-keepalive": "300",
        "dbnum": "16",
        "keys-output-limit": "8192",
    }


def test_get_everything_has_all_names() -> None:
    assert set(get_from(ConfigView(), "*")) == set(BY_NAME)


# --- SET ---


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("maxmemory", "1GB", str(1 << 30)),
        ("maxmemory", "2g", "2000000000"),
        ("maxmemory", "", "0"),
        ("maxmemory", "99999999999999999999gb", str((1 << 64) - 1)),
        ("MAXMEMORY", "100mb", str(100 << 20)),
        ("maxmemory-policy", "ALLKEYS-LRU", "allkeys-lru"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "0%", "0"),
        ("maxmemory-clients", "10mb", str(10 << 20)),
        ("appendonly", "YES", "yes"),
        ("hz", "1000", "500"),
        ("hz", "0", "1"),
        ("repl-backlog-size", "10", "16384"),
        ("slave-priority", "10", "10"),
        ("save", "", ""),
        ("save", "900 1 300 10", "900 1 300 10"),
        (
            "client-output-buffer-limit",
            "",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        ),
        (
            "client-output-buffer-limit",
            "NORMAL 1mb 2mb 60 replica 1 2 3 normal 4 5 6",
            "normal 4 5 6 slave 1 2 3 pubsub 33554432 8388608 60",
        ),
        ("latency-tracking-info-percentiles", "0.0000001 100 50.50 1e1", "0 100 50.5 10"),
        ("latency-tracking-info-percentiles", "", ""),
        ("notify-keyspace-events", "KEg$lshzxetd", "AKE"),
        ("oom-score-adj-values", "1 -2 3", "1 -2 3"),
        ("shutdown-on-sigint", "now save force", "save now force"),
        ("cluster-announce-hostname", "a.b-c", "a.b-c"),
        ("proc-title-template", "{title} x", "{title} x"),
        ("requirepass", "secret", "secret"),
        ("list-max-listpack-size", "-5", "-5"),
        ("timeout", "0", "0"),
        ("keys_output_limit", "10", "10"),
        ("multi-exec-squash", "false", "no"),
        ("masterauth", "caf\u00e9", "caf\u00e9"),
    ],
)
def test_set_and_get(name: str, value: str, shown: str) -> None:
    view = ConfigView()
    assert set_on(view, name, value) == "OK"
    assert get_from(view, name) == {name: shown}


def test_values_need_not_be_utf8() -> None:
    view = ConfigView()
    assert set_on(view, "requirepass", b"a\xffb") == "OK"
    assert view.get([b"requirepass"]) == {b"requirepass": b"a\xffb"}
    assert view.requirepass == b"a\xffb"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("maxmemory", "xx", "argument must be a memory value"),
        ("maxmemory", "-5", "argument must be a memory value"),
        ("maxmemory", "1.5gb", "argument must be a memory value"),
        ("maxmemory", "5 ", "argument must be a memory value"),
        ("maxmemory", "1" * 400, "argument must be a memory value"),
        ("hash-max-listpack-value", "9" * 20, "argument must be between 0 and 9223372036854775807 inclusive"),
        ("proto-max-bulk-len", "1", "argument must be between 1048576 and 9223372036854775807 inclusive"),
        ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
        ("maxmemory-clients", "-1%", "argument must be a memory or percent value"),
        ("timeout", "10mb", "argument couldn't be parsed into an integer"),
        ("timeout", "", "argument couldn't be parsed into an integer"),
        ("timeout", " 5", "argument couldn't be parsed into an integer"),
        ("timeout", "05", "argument couldn't be parsed into an integer"),
        ("timeout", "-0", "argument couldn't be parsed into an integer"),
        ("timeout", "+5", "argument couldn't be parsed into an integer"),
        ("timeout", "9223372036854775808", "argument couldn't be parsed into an integer"),
        ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
        ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
        ("active-expire-effort", "11", "argument must be between 1 and 10 inclusive"),
        ("appendonly", "true", "argument must be 'yes' or 'no'"),
        ("protected-mode", "true", "argument must be 'yes' or 'no'"),
        ("appendfsync", "x", "argument(s) must be one of the following: everysec, always, no"),
        ("loglevel", "", "argument(s) must be one of the following: debug, verbose, notice, warning"),
        ("save", "900", "Invalid save parameters"),
        ("save", "a b", "Invalid save parameters"),
        ("save", "0 1", "Invalid save parameters"),
        ("save", "10 -1", "Invalid save parameters"),
        ("save", "10  1", "Invalid save parameters"),
        ("notify-keyspace-events", "KEQ", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        (
            "client-output-buffer-limit",
            "normal 1 2",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "master 1 2 3",
            "Invalid client class specified in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "normal x 2 3",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        (
            "latency-tracking-info-percentiles",
            "50x",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        (
            "latency-tracking-info-percentiles",
            "50 101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        ("oom-score-adj-values", "1 2", "wrong number of arguments"),
        (
            "oom-score-adj-values",
            "1 2 x",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ),
        (
            "shutdown-on-sigint",
            "nosave save",
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        (
            "shutdown-on-sigterm",
            "save foo",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        ("cluster-announce-hostname", "a" * 300, "Hostnames must be less than 256 characters"),
        (
            "cluster-announce-hostname",
            "a_b",
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ),
        ("proc-title-template", "", "template format is invalid or contains unknown variables"),
        ("proc-title-template", "{bad}", "template format is invalid or contains unknown variables"),
        ("proc-title-template", "{title", "template format is invalid or contains unknown variables"),
        ("daemonize", "yes", "can't set immutable config"),
        ("DAEMONIZE", "yes", "can't set immutable config"),
        ("databases", "4", "can't set immutable config"),
        ("dir", "/", "can't set protected config"),
        ("dbfilename", "x", "can't set protected config"),
    ],
)
def test_refused_values_in_the_words_of_redis(name: str, value: str, why: str) -> None:
    view = ConfigView()
    before = dict(view.texts)
    assert set_on(view, name, value) == failed(name, why)
    assert view.texts == before


def test_active_defragmentation_cannot_be_switched_on() -> None:
    assert "cannot be enabled" in set_on(ConfigView(), "activedefrag", "yes")
    assert set_on(ConfigView(), "activedefrag", "no") == "OK"


def test_several_are_set_together_or_not_at_all() -> None:
    view = ConfigView()
    assert set_on(view, "timeout", "5", "hz", "20", "masteruser", "me") == "OK"
    assert (view.timeout, view.hz) == (5, 20)
    assert set_on(view, "timeout", "6", "hz", "x") == failed(
        "hz", "argument couldn't be parsed into an integer"
    )
    assert (view.timeout, view.hz) == (5, 20)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("a", "1", "b"), "ERR syntax error"),
        (("foo", "1"), "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"),
        (("maxmemory", "x", "foo", "1"), "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"),
        (("foo", "1", "daemonize", "no"), "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"),
        (("daemonize", "no", "foo", "1"), failed("daemonize", "can't set immutable config")),
        (("a\r\nb", "1"), "ERR Unknown option or number of arguments for CONFIG SET - 'a  b'"),
        (("maxmemory", "1", "maxmemory", "2"), failed("maxmemory", "duplicate parameter")),
        (("timeout", "3", "TIMEOUT", "3"), failed("TIMEOUT", "duplicate parameter")),
        (("maxmemory", "x", "timeout", "y"), failed("maxmemory", "argument must be a memory value")),
        (("TimeOut", "x"), failed("timeout", "argument couldn't be parsed into an integer")),
    ],
)
def test_the_first_mistake_counts(arguments: tuple[str, ...], error: str) -> None:
    assert set_on(ConfigView(), *arguments) == error


def test_a_name_and_its_alias_together_are_no_duplicate() -> None:
    view = ConfigView()
    assert set_on(view, "slave-priority", "3", "replica-priority", "4") == "OK"
    assert get_from(view, "*-priority") == {"replica-priority": "4", "slave-priority": "4"}
    limits = "client-output-buffer-limit"
    assert set_on(view, limits, "normal 1 2 3") == "OK"
    assert set_on(view, limits, "pubsub 4 5 6") == "OK"
    assert view.client_output_buffer_limit["normal"] == (1, 2, 3)
    assert view.client_output_buffer_limit["pubsub"] == (4, 5, 6)


def test_protected_parameters(tmp_path: Path) -> None:
    local = ConfigView(Options(config=[("enable-protected-configs", "local")]))
    assert set_on(local, "dbfilename", "x") == failed("dbfilename", "can't set protected config")
    assert isinstance(local.prepare_set([b"dbfilename", b"x"], local=True), ConfigChange)
    anyone = ConfigView(Options(config=[("enable-protected-configs", "yes")]))
    for name in ("a/b", "/a", "..", ".", "a\0b"):
        assert set_on(anyone, "dbfilename", name) == failed(
            "dbfilename", "dbfilename can't be a path, just a filename"
        )
    assert set_on(anyone, "dir", "/no/such") == failed("dir", "No such file or directory")
    assert set_on(anyone, "dir", str(tmp_path), "dbfilename", "") == "OK"
    assert get_from(anyone, "dir", "dbfilename") == {"dir": str(tmp_path), "dbfilename": ""}


# --- REWRITE ---


def at(view: ConfigView, path: Path) -> ConfigView:
    """The view of a server that was started with that flag file."""
    view.set_fact("flagfile", str(path))
    return view


def test_rewrite_changes_only_what_is_wrong() -> None:
    text = (
        "# mine\n--port=7000\n\nmaxmemory 1gb  \nsome nonsense\n--force_epoll\nhz=10\nhz=20\n"
        "--noprotected_mode\n"
    )
    _, options = parse_flags(
        ["--flagfile=f", "--timeout=7"], {}, lambda path: text.replace("some nonsense\n", "")
    )
    view = ConfigView(options)
    assert rewrite(view, text) == (
        "# mine\n--port=7000\n\nmaxmemory 1gb  \nsome nonsense\n--force_epoll\n--hz=20\n--noprotected_mode\n"
        "# Written by CONFIG REWRITE\n--timeout=7\n"
    )
    assert set_on(view, "hz", "50", "maxmemory", "2gb", "protected-mode", "yes", "save", "60 1") == "OK"
    again = rewrite(view, rewrite(view, text))
    assert again == (
        "# mine\n--port=7000\n\n--maxmemory=2147483648\nsome nonsense\n--force_epoll\n--hz=50\n"
        "--protected_mode=yes\n# Written by CONFIG REWRITE\n--timeout=7\n--save=60 1\n"
    )


def test_what_was_rewritten_is_read_back() -> None:
    view = ConfigView()
    changes = {
        "maxmemory-policy": "allkeys-lfu",
        "requirepass": "a b=c #d",
        "client-output-buffer-limit": "normal 1 2 3",
        "latency-tracking-info-percentiles": "50 99.5",
        "notify-keyspace-events": "KEA",
        "appendonly": "yes",
        "slowlog-log-slower-than": "-1",
        "proto-max-bulk-len": "2mb",
        "tcp_keepalive": "9",
        "maxmemory-clients": "5%",
        "multi_exec_squash": "no",
    }
    assert set_on(view, *(word for pair in changes.items() for word in pair)) == "OK"
    text = rewrite(view, "")
    _, options = parse_flags(["--flagfile=f"], {}, lambda path: text)
    read_back = ConfigView(options)
    assert {**read_back.texts, "flagfile": ""} == {**view.texts, "flagfile": ""}


def test_rewrite_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "flags"
    view = ConfigView()
    assert rewrite_file(view) == ReplyError("CONFIG_NO_FILE")
    missing = rewrite_file(at(view, path))
    assert missing == ReplyError("CONFIG_REWRITE", "No such file or directory")
    path.write_text("# keep\nport=7000")
    path.chmod(0o600)
    assert set_on(view, "timeout", "9") == "OK"
    assert rewrite_file(at(view, path)) is None
    assert path.read_text() == "# keep\n--port=6379\n# Written by CONFIG REWRITE\n--timeout=9\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["flags"]


def test_a_value_that_fits_in_no_line_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "flags"
    path.write_text("# keep\n")
    view = ConfigView()
    assert set_on(view, "masterauth", "a\nport=1") == "OK"
    refused = rewrite_file(at(view, path))
    assert refused == ReplyError(
        "CONFIG_REWRITE", "the value of 'masterauth' cannot be written to a flag file"
    )
    assert path.read_text() == "# keep\n"
