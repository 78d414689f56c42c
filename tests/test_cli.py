"""The command: exit codes, what it prints, and how it sees to the GIL. Each run is a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nogil_df import __version__, cli
from nogil_df.base.flags import Options
from nogil_df.base.interpreter import is_free_threaded
from nogil_df.base.quoting import quote
from tests.patience import PATIENCE
from tests.resp import Reply
from tests.servers import NogilServer, RedisServer

ROOT = Path(__file__).resolve().parent.parent


def environment(**extra: str) -> dict[str, str]:
    """The environment without a word about the GIL."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    return {**env, "PYTHONPATH": str(ROOT), **extra}


def run(*arguments: str, options: tuple[str, ...] = (), **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-m", "nogil_df", *arguments],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def running(
    *arguments: str, options: tuple[str, ...] = ()
) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A server on a free port of loopback: the process, the port, and what it logged until it was ready."""
    process = subprocess.Popen(
        [sys.executable, *options, "-m", "nogil_df", "--port=-1", "--bind=127.0.0.1", *arguments],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    logged = ""
    try:
        while "listening on" not in logged:
            line = process.stderr.readline()
            assert line, logged
            logged += line
        yield process, int(logged.rstrip().rpartition(":")[2]), logged
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--foo"], "nogil-df: unknown flag --foo"),
        (["--portt=1"], "nogil-df: unknown flag --portt; did you mean --port?"),
        (["--port", "x"], "nogil-df: bad value 'x' for flag --port: it must be a whole number"),
        (["--dir=/no/such"], "nogil-df: bad value '/no/such' for flag --dir: there is no such directory"),
        (["--flagfile=/no/such"], "nogil-df: cannot read flag file '/no/such': No such file or directory"),
        (["--log_dir=/dev/null/logs"], "nogil-df: cannot log to '/dev/null/logs': Not a directory"),
        (["--port=70000"], "nogil-df: bad value '70000' for flag --port: it must be between -1 and 65535"),
        (["--hz=often"], "nogil-df: bad value 'often' for flag --hz: it must be a whole number"),
        (
            ["--port=-1", "--bind=192.0.2.1"],
            "nogil-df: can't listen on 192.0.2.1:0: Cannot assign requested address",
        ),
        (
            ["--port=0", "--unixsocket=/no/such/socket"],
            "nogil-df: can't listen on /no/such/socket: No such file or directory",
        ),
        (
            ["--port=0", "--unixsocket=/dev/null/socket"],
            "nogil-df: can't listen on /dev/null/socket: Not a directory",
        ),
        (
            ["--port=0", "--unixsocket=/dev/null"],
            "nogil-df: can't listen on /dev/null: the file exists and is no socket",
        ),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(arguments: list[str], line: str) -> None:
    assert one_line(run(*arguments)) == line


def test_an_unknown_name_in_the_environment_stops_the_start() -> None:
    assert "(environment variable DFLY_foo)" in one_line(run(DFLY_foo="1"))


def test_help_and_version() -> None:
    helped = run("--help")
    assert helped.returncode == 0
    assert helped.stderr == ""
    assert "Network:\n  --port=6379" in helped.stdout
    assert "force_epoll" in run("--helpfull").stdout
    version = run("--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert version.stdout.startswith(f"nogil-df {__version__} (Python 3.")


def test_help_loads_next_to_nothing() -> None:
    """What makes --help quick: no dataclasses, no typing, no server, no C extension of somebody else's."""
    code = (
        "import sys; from nogil_df.cli import main; main(['--help']);"
        "heavy = {'dataclasses', 'enum', 're', 'socket', 'threading', 'typing', 'nogil_df.server'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_leaves_early_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "nogil_df", "--help"],
        env=environment(),
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (0, "")


@pytest.mark.parametrize("options", [(), ("-X", "gil=0"), ("-X", "gil=1")])
def test_a_server_starts_without_the_gil_and_stops_with_exit_code_0(options: tuple[str, ...]) -> None:
    flags = ("--force_epoll", "--num_shards=3")
    with running(*flags, options=options if is_free_threaded() else ()) as (process, port, logged):
        assert "flag --force_epoll has no effect here and is ignored\n" in logged
        why = "each thread is a shard; see --proactor_threads"
        assert f"flag --num_shards has no effect here and is ignored: {why}\n" in logged
        assert ("GIL off" in logged) == is_free_threaded()
        assert ("running with one shard thread" in logged) != is_free_threaded()
        socket.create_connection(("127.0.0.1", port)).close()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_the_pid_file_is_there_while_the_server_runs(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with running(f"--pidfile={path}") as (process, _, _):
        assert path.read_text() == f"{process.pid}\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert not path.exists()


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = one_line(run(f"--port={port}", "--bind=127.0.0.1", options=("-W", "ignore")))
    assert line.startswith("nogil-df: ")
    assert str(port) in line


def test_a_unix_socket_that_may_not_be_made_is_one_line(tmp_path: Path) -> None:
    """A directory without permissions stops all but root; a path too long for a socket stops everybody."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    if os.geteuid():
        line = one_line(run("--port=0", f"--unixsocket={locked}/socket"))
        assert line == f"nogil-df: can't listen on {locked}/socket: Permission denied"
    long = f"{tmp_path}/{'s' * 120}"
    assert one_line(run("--port=0", f"--unixsocket={long}")).startswith(f"nogil-df: can't listen on {long}: ")


def test_an_interrupt_during_the_start_shows_no_traceback() -> None:
    code = (
        "import sys, nogil_df.cli as cli\n"
        "def interrupted(argv, *, may_replace): raise KeyboardInterrupt\n"
        "cli._main = interrupted\n"
        "sys.exit(cli.main([]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (130, "")


def test_a_free_threaded_interpreter_with_its_gil_on_is_refused() -> None:
    """A caller of main that passes arguments is not replaced, so all that is left is to say so."""
    code = "import sys; from nogil_df.cli import main; sys.exit(main(['--port=-1', '--bind=127.0.0.1']))"
    if is_free_threaded():
        result = subprocess.run(
            [sys.executable, "-X", "gil=1", "-c", code],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert one_line(result).startswith("nogil-df: the GIL is on")


def test_an_ordinary_interpreter_gets_one_shard_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options(proactor_threads=4, timeout=3)
    monkeypatch.setattr(cli, "is_free_threaded", lambda: False)
    limited = cli._for_interpreter(options)
    assert (limited.proactor_threads, limited.timeout) == (1, 3)
    monkeypatch.setattr(cli, "is_free_threaded", lambda: True)
    assert cli._for_interpreter(options) is options


@pytest.mark.parametrize("entry", ["-m", "-c"])
def test_the_process_is_replaced_but_its_arguments_stay(entry: str, tmp_path: Path) -> None:
    """The same process id, the same interpreter options, the same flags: a supervisor notices nothing."""
    if not is_free_threaded():
        return
    program = "nogil_df" if entry == "-m" else "import sys; from nogil_df.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-B", "-W", "error", entry, program, "--port=-1", "--bind=127.0.0.1"],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        first = process.stderr.readline()
        assert f"pid {process.pid}" in first, first
        line = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
        assert line[1:6] == ["-X", "gil=0", "-B", "-W", "error"]
        assert line[6:9] == [entry, program, "--port=-1"]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def quoted(value: str) -> str:
    return quote(value.encode()).decode()


def test_the_configuration_of_a_redis_server_is_taken(tmp_path: Path) -> None:
    """All that redis-server can be asked for, in a file; what is rewritten, redis-server takes back."""
    with RedisServer() as redis, redis.connect() as client:
        pairs = [item.value.decode() for item in client.execute("CONFIG", "GET", "*").value]
    conf = tmp_path / "redis.conf"
    left_out = "port dir bind unixsocket pidfile logfile aclfile slaveof replicaof".split()
    lines = [
        f"{name} {value if value.split() and '{' not in value else quoted(value)}"
        for name, value in zip(pairs[::2], pairs[1::2], strict=True)
        if name not in left_out
    ]
    conf.write_text("\n".join(["# all of it", *lines, 'logfile "server.txt"', "user alice on >pw ~* +@all"]))
    with NogilServer(before=[str(conf)]) as server, server.connect() as client:
        assert client.execute("CONFIG", "SET", "maxmemory", "100mb") == Reply("+", b"OK")
        assert client.execute("AUTH", "alice", "pw") == Reply("+", b"OK")
        assert client.execute("CONFIG", "REWRITE") == Reply("+", b"OK")
        assert f"config_file:{conf}".encode() in client.execute("INFO", "server").value
        assert "started" in (server.directory / "server.txt").read_text()
    # The directory is gone by now, and redis-server knows nothing of our own flags.
    kept = [
        line
        for line in conf.read_text().splitlines()
        if not line.startswith(("dir ", "logfile ")) and "_" not in line.partition(" ")[0]
    ]
    conf.write_text("\n".join(kept))
    with RedisServer(before=[str(conf)]) as redis, redis.connect() as client:
        assert client.execute("CONFIG", "GET", "maxmemory").value[1].value == b"104857600"
        assert client.execute("AUTH", "alice", "pw") == Reply("+", b"OK")


def test_a_configuration_file_with_a_mistake_ends_the_start(tmp_path: Path) -> None:
    conf = tmp_path / "redis.conf"
    conf.write_text("port 0\nmaxmemory much\n")
    done = run(str(conf))
    assert done.returncode == 1
    assert done.stderr.split("\n")[2:] == [
        "Reading the configuration file, at line 2",
        ">>> 'maxmemory much'",
        "argument must be a memory value",
        "",
    ]
    done = run(str(tmp_path / "none"))
    assert (done.returncode, done.stderr) == (
        1,
        f"nogil-df: Fatal error, can't open config file '{tmp_path}/none': No such file or directory\n",
    )
