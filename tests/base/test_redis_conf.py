"""redis.conf: its lines, its errors, and what CONFIG REWRITE makes of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from nogil_df.base.config import ConfigView
from nogil_df.base.config_rewrite import REDIS_CONF, rewrite, rewrite_file
from nogil_df.base.flag_parsing import parse_flags
from nogil_df.base.flags import FlagError, Options
from nogil_df.commands.registry import all_rows
from nogil_df.commands.spec import Command
from nogil_df.runtime import make_users
from tests.base.test_config import set_on

COMMANDS = [Command(row) for row in all_rows()]


def load(text: str, *flags: str, files: Mapping[str, str] | None = None, **environ: str) -> Options:
    """The options of a configuration file and flags; further files are those that it includes."""
    found = {"redis.conf": text, **(files or {})}

    def read(path: str) -> str:
        if path not in found:
            raise FileNotFoundError(2, os.strerror(2))
        return found[path]

    action, options = parse_flags(["redis.conf", *flags], environ, read)
    assert action == "run"
    return options


def error(text: str, *flags: str, files: Mapping[str, str] | None = None) -> str:
    """What is said of a configuration file that can't be used."""
    with pytest.raises(FlagError) as caught:
        make_users(COMMANDS, load(text, *flags, files=files))
    return str(caught.value)


def test_directives_are_flags_and_parameters() -> None:
    options = load(
        "# a comment\n\nport 7000\nbind 127.0.0.1 -::1\n\tMAXMEMORY 100mb\ndatabases 4\n"
        'maxmemory-policy allkeys-lru\nsave 900 1\nsave 300 10\nrequirepass "a\\"b c"\ntimeout \'7\'\n'
        "client-output-buffer-limit normal 1mb 2mb 3\nclient-output-buffer-limit pubsub 4 5 6\n"
        'rename-command CONFIG ""\nrename-command get fetch\ntcp-keepalive 60\r\n'
        'notify-keyspace-events ""\nproactor-threads 3\nunixsocketperm 700\ndir /tmp\n'
    )
    assert (options.port, options.bind, options.dbnum) == (7000, ("127.0.0.1", "-::1"), 4)
    assert (options.maxmemory, options.requirepass, options.timeout) == (100 << 20, 'a"b c', 7)
    assert options.rename_command == (("CONFIG", ""), ("GET", "FETCH"))
    assert (options.tcp_keepalive, options.proactor_threads, options.unixsocketperm) == (60, 3, 0o700)
    view = ConfigView(options)
    assert view.texts["save"] == "900 1 300 10"
    assert view.maxmemory_policy == "allkeys-lru"
    assert view.client_output_buffer_limit["normal"] == (1 << 20, 2 << 20, 3)
    assert view.client_output_buffer_limit["pubsub"] == (4, 5, 6)


def test_an_empty_save_takes_back_those_before() -> None:
    assert ConfigView(load('save 900 1\nsave ""\nsave 60 5\n')).texts["save"] == "60 5"


def test_who_wins() -> None:
    text = "port 1\ntimeout 1\nhz 1\ntcp-backlog 1\n"
    options = load(
        text, "--port=4", "--flagfile=f", files={"f": "hz=2\ntimeout=2\nport=2\n"}, DFLY_timeout="3"
    )
    assert (options.port, options.timeout, options.hz, options.tcp_backlog) == (4, 3, 2, 1)


def test_stdin_comes_after_the_file() -> None:
    options = load("port 1\ntimeout 1\n", "--hz", "7", "-", files={"-": "timeout 2\n"})
    assert (options.port, options.timeout, options.hz) == (1, 2, 7)
    assert options.config_file == os.path.abspath("redis.conf")
    action, alone = parse_flags(["-"], {}, {"-": "port 9\n"}.__getitem__)
    assert (action, alone.port, alone.config_file) == ("run", 9, "")


def test_a_file_may_include_others(tmp_path: Path) -> None:
    for name, line in (("a.conf", "port 1"), ("b.conf", "hz 7"), ("c.txt", "hz 9")):
        (tmp_path / name).write_text(line)
    files = {str(path): path.read_text() for path in tmp_path.iterdir()}
    options = load(f"port 5\ninclude {tmp_path}/*.conf\ntimeout 3\ninclude {tmp_path}/*.none\n", files=files)
    assert (options.port, options.hz, options.timeout) == (1, 7, 3)
    assert error("include /no/such.conf") == (
        "Fatal error, can't open config file '/no/such.conf': No such file or directory"
    )
    assert "at line 1 of x.conf" in error("port 1\ninclude x.conf", files={"x.conf": "port y"})
    assert error("include redis.conf").endswith("Too many files include each other")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense 1", "Bad directive or wrong number of arguments"),
        ("port", "wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        ("port abc", "argument couldn't be parsed into an integer"),
        ("port 99999", "argument must be between -1 and 65535 inclusive"),
        ('maxmemory "1', "Unbalanced quotes in configuration line"),
        ("maxmemory-policy lru", "argument(s) must be one of the following: volatile-lru, volatile-lfu, "),
        ("appendonly maybe", "argument must be 'yes' or 'no'"),
        ("save 1", "Invalid save parameters"),
        (
            "client-output-buffer-limit x 1 2 3",
            "Invalid client class specified in buffer limit configuration.",
        ),
        ("rename-command get", "wrong number of arguments"),
        ("user alice on nonsense", "Error in user declaration 'alice': Syntax error"),
        (
            "user alice on\nuser alice off",
            "Error in user declaration 'alice': Duplicate user found. A user can",
        ),
    ],
)
def test_errors_name_the_line(line: str, why: str) -> None:
    text = error("# first\n" + line + "\n")
    head, place, shown, reason = text.lstrip("\n").split("\n")
    last = line.split("\n")[-1]
    assert head.startswith("*** FATAL CONFIG FILE ERROR (nogil-df ")
    assert place == f"Reading the configuration file, at line {2 + line.count(chr(10))}"
    assert shown == f">>> '{last}'"
    assert reason.startswith(why)


def test_what_has_no_effect_is_named_and_what_is_default_is_not() -> None:
    options = load(
        'appendonly yes\nappendfsync everysec\nio-threads 4\nloadmodule /x.so a b\nlocale-collate ""\n'
        "daemonize no\ntls-cluster no\nreplica-priority 100\n"
    )
    assert sorted(options.ignored) == ["appendonly", "io_threads", "loadmodule", "locale-collate"]


def test_users_of_the_file() -> None:
    options = load("user alice on >secret ~a:* +get\nuser default off\n")
    users = make_users(COMMANDS, options)
    assert sorted(users.by_name) == [b"alice", b"default"]
    assert users.log_in(b"alice", b"secret") is users.by_name[b"alice"]
    assert not users.default.enabled
    assert "only one of them can be used" in error("user alice on\naclfile /x.acl")


def test_a_cluster_and_tls() -> None:
    assert load("cluster-enabled yes\n").cluster_mode == "emulated"
    options = load("port 0\ntls-port 7000\ntls-cert-file /a\ntls-key-file /b\n")
    assert (options.port, options.tls_port, options.tls_cert_file) == (0, 7000, "/a")


# --- REWRITE ---


def view_of(text: str, **files: str) -> ConfigView:
    return ConfigView(load(text, files=files))


def test_rewrite_keeps_what_is_right() -> None:
    text = (
        '# mine\nport 7000\n\n  maxmemory 100mb\nrequirepass "a b"\nsave 900 1\nsave 300 10\n'
        "client-output-buffer-limit pubsub 4 5 6\nrename-command GET FETCH\nloadmodule x\n# end\n"
    )
    view = view_of(text)
    assert rewrite(view, text, REDIS_CONF) == text
    set_on(view, "save", "60 1 30 2", "maxmemory", "1gb", "requirepass", "", "appendfsync", "always")
    assert rewrite(view, text, REDIS_CONF) == (
        '# mine\nport 7000\n\nmaxmemory 1gb\nrequirepass ""\nsave 60 1\nsave 30 2\n'
        "client-output-buffer-limit pubsub 4 5 6\nrename-command GET FETCH\nloadmodule x\n# end\n"
        "# Generated by CONFIG REWRITE\nappendfsync always\n"
    )


def test_users_are_rewritten() -> None:
    text = "user a on\nport 1\nuser b on\n"
    users = ["user default on", "user a off"]
    assert rewrite(view_of(text), text, REDIS_CONF, users) == "user default on\nuser a off\nport 1\n"
    assert rewrite(view_of("port 1\n"), "port 1\n", REDIS_CONF, users) == (
        "port 1\n# Generated by CONFIG REWRITE\nuser default on\nuser a off\n"
    )


def test_what_was_rewritten_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    path.write_text("# keep\n")
    options = parse_flags([str(path)], {})[1]
    view = ConfigView(options)
    changes = {
        "requirepass": "a \"b' \\ \x01 é\n",
        "client-output-buffer-limit": "normal 1024 2 3",
        "latency-tracking-info-percentiles": "50 99.5",
        "notify-keyspace-events": "KEA",
        "save": "60 1 3 4",
        "maxmemory": "1536kb",
        "maxmemory-clients": "5%",
        "proc-title-template": "{title} x",
        "slowlog-log-slower-than": "-1",
        "oom-score-adj-values": "1 2 3",
        "multi_exec_squash": "no",
    }
    assert set_on(view, *(word for pair in changes.items() for word in pair)) == "OK"
    assert rewrite_file(view) is None
    assert path.read_text().startswith("# keep\n# Generated by CONFIG REWRITE\n")
    assert ConfigView(parse_flags([str(path)], {})[1]).texts == view.texts
