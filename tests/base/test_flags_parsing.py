"""Flags from the command line, the environment and flag files."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.base.flag_names import KINDS
from nogil_df.base.flag_parsing import help_text, parse_flags, version_text
from nogil_df.base.flags import FLAGS, FlagError, Options

EXAMPLES = {"bool": "true", "int": "1", "float": "0.5", "size": "64kb", "text": "x"}


def parse(line: str, **environment: str) -> Options:
    action, options = parse_flags(line.split(), environment)
    assert action == "run"
    return options


def error(line: str, **environment: str) -> str:
    with pytest.raises(FlagError) as caught:
        parse_flags(line.split(), environment)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "line",
    ["--port=7000", "--port 7000", "-port=7000", "-port 7000", "--port=1 --port 7000", "--port=+7000"],
)
def test_every_way_to_write_a_flag(line: str) -> None:
    assert parse(line).port == 7000


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("--multi_exec_squash", True),
        ("--multi-exec-squash", True),
        ("--nomulti_exec_squash", False),
        ("--no-multi-exec-squash", False),
        ("-nomulti_exec_squash", False),
        ("--multi_exec_squash=false", False),
        ("--multi_exec_squash False", False),
        ("--multi_exec_squash no", False),
        ("--multi_exec_squash 0", False),
        ("--multi_exec_squash 1", True),
        ("--multi_exec_squash=YES", True),
        ("--nomulti_exec_squash --multi_exec_squash --port 1", True),
    ],
)
def test_every_way_to_write_a_boolean(line: str, value: bool) -> None:
    assert parse(line).multi_exec_squash is value


def test_negative_numbers_are_values() -> None:
    options = parse("--port -1 --slowlog_log_slower_than -1")
    assert (options.port, options.slowlog_log_slower_than) == (-1, -1)


def test_dashes_and_underscores_are_the_same() -> None:
    assert parse("--slowlog-max-len 5").slowlog_max_len == 5
    assert parse("", **{"DFLY_slowlog-max-len": "5"}).slowlog_max_len == 5


def test_redis_spelling_of_flags() -> None:
    options = parse("--databases 4 --requirepass secret --bind 127.0.0.1 -::1 --protected-mode no --port 1")
    assert options.dbnum == 4
    assert options.requirepass == "secret"
    assert options.bind == ("127.0.0.1", "-::1")
    assert options.protected_mode is False
    assert options.port == 1
    assert parse("--proto-max-bulk-len 2mb").max_bulk_len == 2 << 20


def test_redis_parameters_that_are_no_flags() -> None:
    options = parse("--save 900 1 --save 300 10 --maxmemory-policy ALLKEYS-LRU --hash_max_ziplist_value 1kb")
    assert dict(options.config) == {
        "save": "900 1 300 10",
        "maxmemory-policy": "allkeys-lru",
        "hash-max-listpack-value": "1024",
    }
    assert options.ignored == ()
    assert parse_flags(["--save", "", "--appendonly", "no", "--daemonize", "no"], {})[1].ignored == ()
    limits = dict(parse("--client-output-buffer-limit normal 1mb 2mb 3 --hz 10").config)
    assert limits["client-output-buffer-limit"].startswith("normal 1048576 2097152 3 slave ")


def test_renaming_commands_the_two_ways() -> None:
    pairs = (("CONFIG", ""), ("KEYS", "LIST"), ("GET", "FETCH"))
    line = ["--rename-command", "CONFIG", "", "--rename_command=keys=list", "--rename_command", "get=fetch"]
    assert parse_flags(line, {})[1].rename_command == pairs


@pytest.mark.parametrize("name", sorted(KINDS))
def test_flags_of_dragonfly_are_taken_and_ignored(name: str) -> None:
    options = parse(f"--{name}={EXAMPLES[KINDS[name]]}")
    assert name in options.ignored or name.replace("_", "-") in dict(options.config)


def test_ignored_flags_are_named_once() -> None:
    options = parse("--force_epoll --force_epoll=false --noversion_check --uring_x=3 --port 1")
    assert options.ignored == ("force_epoll", "version_check", "uring_x")


def test_values_of_ignored_flags_are_checked() -> None:
    assert error("--force_epoll=7") == "bad value '7' for flag --force_epoll: it must be true or false"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--foo", "unknown flag --foo"),
        ("--portt 1", "unknown flag --portt; did you mean --port?"),
        ("--max-memory=1", "unknown flag --max-memory; did you mean --maxmemory?"),
        ("--noport", "unknown flag --noport; did you mean --port?"),
        ("--nomulti_exec_squash=1", "unknown flag --nomulti_exec_squash; did you mean --multi_exec_squash?"),
        ("--port", "flag --port needs a value"),
        ("--requirepass --port 1", "flag --requirepass needs a value"),
        ("--bind --port 1", "flag --bind needs a value"),
        ("--port 1 2", "unexpected argument '2'; flags are written --name=value"),
        ("-- x", "unexpected argument '--'; flags are written --name=value"),
        ("--maxmemory-policy lru", "bad value 'lru' for flag --maxmemory-policy: argument(s) must be one of"),
    ],
)
def test_mistakes_on_the_command_line(line: str, message: str) -> None:
    assert error(line).startswith(message)


def test_the_environment_and_who_wins(tmp_path: Path) -> None:
    file = tmp_path / "flags"
    file.write_text("port=1\ntimeout=1\nhz=1\n")
    options = parse(f"--port=3 --flagfile={file}", DFLY_port="2", DFLY_timeout="2", OTHER="x")
    assert (options.port, options.timeout, options.hz) == (3, 2, 1)
    assert options.flagfile == str(file)
    assert parse("", DFLY_flagfile=str(file)).hz == 1


def test_mistakes_in_the_environment() -> None:
    assert error("", DFLY_PORT="1").startswith("unknown flag --PORT")
    assert error("", DFLY_prot="1") == (
        "unknown flag --prot; did you mean --port? (environment variable DFLY_prot)"
    )
    assert error("", DFLY_port="x").endswith("it must be a whole number (environment variable DFLY_port)")


def test_the_syntax_of_flag_files(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.write_text("hz 20")
    file = tmp_path / "flags"
    file.write_text(
        "# a comment\n\n"
        "--port=7000\n"
        "  requirepass = a b # c \n"
        "-nomulti_exec_squash\n"
        "protected-mode\n"
        "timeout 30\n"
        "save 900 1\n"
        "save 60 2\n"
        "rename-command KEYS LIST\n"
        "dbfilename=\n"
        f"flagfile={inner}\n"
    )
    options = parse(f"--flagfile {file}")
    assert options.port == 7000
    assert options.requirepass == "a b # c"
    assert options.multi_exec_squash is False
    assert options.protected_mode is True
    assert options.timeout == 30
    assert options.hz == 20
    assert options.dbfilename == ""
    assert options.rename_command == (("KEYS", "LIST"),)
    assert dict(options.config)["save"] == "900 1 60 2"


def test_mistakes_in_flag_files(tmp_path: Path) -> None:
    file = tmp_path / "flags"
    line = f"--flagfile={file}"
    assert error(line) == f"cannot read flag file '{file}': No such file or directory"
    file.write_text("port=1\nfoo=2\n")
    assert error(line) == f"unknown flag --foo ({file}, line 2)"
    file.write_text("\nport=x")
    assert error(line) == f"bad value 'x' for flag --port: it must be a whole number ({file}, line 2)"
    file.write_text("port")
    assert error(line) == f"flag --port needs a value ({file}, line 1)"
    file.write_text(line)
    assert error(line) == f"flag file '{file}' includes itself"


def test_the_path_of_the_flag_file_is_absolute() -> None:
    _, options = parse_flags(["--flagfile=a"], {}, lambda path: "port=5")
    assert options.flagfile == os.path.abspath("a")
    assert options.port == 5


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("--help", "help"),
        ("-help", "help"),
        ("-h", "help"),
        ("--port=1 --help --foo", "help"),
        ("--helpfull", "helpfull"),
        ("--version", "version"),
        ("-v", "version"),
    ],
)
def test_questions(line: str, action: str) -> None:
    assert parse_flags(line.split(), {"DFLY_foo": "1"})[0] == action


def test_verbosity_is_still_a_flag() -> None:
    assert parse("-v 2").v == parse("--v=2").v == 2


def test_help_is_readable() -> None:
    text = help_text()
    assert all(len(line) <= 100 for line in text.splitlines())
    for name in FLAGS:
        assert f"  --{name}=" in text
    assert "force_epoll" not in text
    full = help_text(full=True)
    assert all(name in full.split() for name in KINDS)


def test_version() -> None:
    assert version_text().startswith("nogil-df 0.")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)))
def test_any_command_line_gives_options_or_one_line(argv: list[str]) -> None:
    with contextlib.suppress(FlagError):
        parse_flags(argv, {}, lambda path: "")
