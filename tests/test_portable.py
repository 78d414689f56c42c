"""Without what only Linux has: everything can be imported, and a server serves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.resp import Reply
from tests.servers import NogilServer

ROOT = Path(__file__).resolve().parent.parent

LESS = """
import builtins, os, select, signal, socket, sys

HIDDEN = {"resource", "fcntl", "termios", "pwd", "grp", "pty", "syslog"}
for name in HIDDEN:
    sys.modules[name] = None
for module, names in {
    os: "eventfd eventfd_read eventfd_write EFD_NONBLOCK EFD_CLOEXEC fdatasync sysconf uname fork getloadavg "
        "sched_getaffinity O_DIRECTORY O_CLOEXEC getuid geteuid chown mkfifo memfd_create",
    select: "epoll poll kqueue",
    socket: "AF_UNIX SO_REUSEPORT TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT MSG_NOSIGNAL TCP_DEFER_ACCEPT",
    signal: "SIGHUP SIGUSR1 SIGUSR2 SIGKILL SIGPIPE pthread_kill pthread_sigmask",
}.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)

# What Windows has.
socket.socketpair = socket._fallback_socketpair
really_open = builtins.open
def open_without_proc(file, *args, **options):
    if str(file).startswith(("/proc", "/sys")):
        raise FileNotFoundError(2, "No such file or directory", file)
    return really_open(file, *args, **options)
builtins.open = open_without_proc
"""

IMPORT_ALL = """
import importlib, pkgutil, nogil_df
for found in pkgutil.walk_packages(nogil_df.__path__, "nogil_df."):
    # Twins that are compiled can't be imported where sources are to be used.
    is_twin = found.name.rpartition(".")[2].startswith("_")
    if found.name != "nogil_df.pytest_plugin" and not is_twin:
        importlib.import_module(found.name)
"""

SERVE = """
import os, tempfile
from nogil_df import Server, StartError
with tempfile.TemporaryDirectory() as place:
    with Server(threads=2, dir=place, dbfilename="dump.rdb") as server:
        stats = server.stats()
        assert stats["multiplexing_api"] == "selector", stats["multiplexing_api"]
        assert stats["used_cpu_user"] > 0
        peer = socket.create_connection((server.host, server.port))
        words = peer.makefile("rwb")
        def ask(line):
            words.write(line + b"\\r\\n")
            words.flush()
            return words.readline()
        assert ask(b"PING") == b"+PONG\\r\\n"
        for number in range(100):
            assert ask(b"SET key:%d v" % number) == b"+OK\\r\\n"
        assert ask(b"DBSIZE") == b":100\\r\\n"
        assert ask(b"SAVE") == b"+OK\\r\\n"
        assert ask(b"MEMORY DOCTOR").startswith(b"$")
        peer.close()
        server.restart()
        assert server.stats()["db0"]["keys"] == 100
    try:
        Server(unixsocket=os.path.join(place, "s")).start()
    except StartError as error:
        assert "no unix sockets" in str(error)
    else:
        raise AssertionError("a unix socket was opened")
print("served")
"""


def python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("pure", ["0", "1"])
def test_everything_can_be_imported(pure: str) -> None:
    done = python(LESS + IMPORT_ALL, NOGIL_DF_PURE=pure)
    assert done.returncode == 0, done.stderr


def test_a_server_serves_and_saves() -> None:
    # The compiled poller, which only Linux has, does not ask Python for epoll.
    done = python(LESS + SERVE, NOGIL_DF_PORTABLE="1")
    assert done.stdout == "served\n", done.stderr


@pytest.fixture(scope="module")
def server() -> Iterator[NogilServer]:
    """A server that waits for its sockets by `select`, and wakes its threads by sockets."""
    with NogilServer(threads=2, env={"NOGIL_DF_PORTABLE": "1"}) as server:
        yield server


def test_what_it_waits_with_is_told(server: NogilServer) -> None:
    with server.connect() as client:
        assert b"multiplexing_api:selector" in client.execute("INFO", "server").value


def test_pipelines_over_threads_and_long_replies(server: NogilServer) -> None:
    """More than the kernel takes at once: the server stops reading, and goes on when the client reads."""
    with server.connect() as client:
        client.execute("FLUSHALL")
        for number in range(1000):
            client.send("SET", f"key:{number}", "v" * 1000)
        assert [client.receive() for _ in range(1000)] == [Reply("+", b"OK")] * 1000
        keys = [f"key:{number}" for number in range(1000)]
        for _ in range(30):
            client.send("MGET", *keys)
        for _ in range(30):
            assert len(client.receive().value) == 1000


def test_clients_wait_for_each_other_over_threads(server: NogilServer) -> None:
    clients = [server.connect() for _ in range(20)]
    for number, client in enumerate(clients):
        client.send("BLPOP", f"list:{number}", "30")
    with server.connect() as pusher:
        for number in range(20):
            pusher.execute("RPUSH", f"list:{number}", "x")
    for number, client in enumerate(clients):
        assert client.receive().value[0].value == b"list:%d" % number
        client.close()


def test_a_client_that_leaves_while_it_waits_is_noticed(server: NogilServer) -> None:
    with server.connect() as witness:
        leaver = server.connect()
        leaver.send("BLPOP", "nothing", "0")
        while b"blocked_clients:1" not in witness.execute("INFO", "clients").value:
            pass
        leaver.close()
        while b"blocked_clients:0" not in witness.execute("INFO", "clients").value:
            pass
