"""The server inside a Python process: what it leaves alone, what it leaves behind, and how soon it is there.

What depends on the state of the GIL, or shows only when a process ends, runs in a process of its own.
"""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nogil_df import FlagError, Server, StartError
from nogil_df.base import compiled
from nogil_df.base.interpreter import is_free_threaded
from tests.net.certificates import Authority
from tests.patience import PATIENCE
from tests.resp import Connection, Reply

ROOT = Path(__file__).resolve().parent.parent
PONG = Reply("+", b"PONG")
PROMPT = 0.2
"""Seconds within which a server has to have started."""


def connect(server: Server) -> Connection:
    return Connection("127.0.0.1", server.port)


def descriptors() -> int:
    # What other tests left in cycles is not to go meanwhile.
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def python(code: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the package on its path and no word about the GIL but in `options` and `env`."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**kept, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_it_serves_on_a_free_port_of_loopback_and_leaves_nothing_behind() -> None:
    with Server() as warm:
        assert warm.port
    before = set(threading.enumerate()), descriptors()
    with Server(port=0, threads=2) as server:
        names = {thread.name for thread in set(threading.enumerate()) - before[0]}
        assert names == {f"shard-{index}" for index in range(server.threads)}
        client = connect(server)
        assert client.execute("SET", "key", "value") == Reply("+", b"OK")
        assert client.execute("CONFIG", "GET", "bind").value[1].value == b"127.0.0.1"
    assert client.receive().kind == "eof"
    client.close()
    assert (set(threading.enumerate()), descriptors()) == before


def test_it_stops_when_the_body_fails() -> None:
    server = Server()
    with pytest.raises(ZeroDivisionError), server:
        _ = 1 // 0
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.port


def test_it_can_be_started_again_and_is_empty_then() -> None:
    server = Server(threads=1)
    for _ in range(3):
        with server, connect(server) as client:
            assert client.execute("DBSIZE") == Reply(":", 0)
            client.execute("SET", "key", "value")
    server.stop()


def test_several_servers_in_one_process_share_nothing() -> None:
    with Server(threads=2) as one, Server(threads=1, requirepass="secret") as two, Server() as three:
        assert len({one.port, two.port, three.port}) == 3
        with connect(one) as first, connect(two) as second, connect(three) as third:
            first.execute("SET", "key", "value")
            assert second.execute("GET", "key") == Reply("-", b"NOAUTH Authentication required.")
            second.execute("AUTH", "secret")
            assert second.execute("GET", "key").value is None
            assert third.execute("DBSIZE") == Reply(":", 0)
            two.stop()
            assert second.receive().kind == "eof"
            assert first.execute("GET", "key").value == b"value"
            assert third.execute("PING") == PONG


def test_it_starts_promptly() -> None:
    """The CPU time of the quickest of several, as other tests run at the same time. Alone: 10 to 30 ms."""
    took = []
    for _ in range(10):
        begin = time.process_time()
        with Server() as server, connect(server) as client:
            assert client.execute("PING") == PONG
            took.append(time.process_time() - begin)
    assert min(took) < PROMPT, took


def test_a_port_in_use_is_an_error_that_leaves_nothing_open(tmp_path: Path) -> None:
    with Server() as first:
        before = descriptors(), set(threading.enumerate())
        with pytest.raises(
            StartError, match=f"can't listen on 127.0.0.1:{first.port}: Address already in use"
        ):
            Server(port=first.port).start()
        with pytest.raises(StartError, match=r"can't listen on .*: No such file or directory"):
            Server(unixsocket=str(tmp_path / "missing" / "socket")).start()
        assert (descriptors(), set(threading.enumerate())) == before


def test_a_unix_socket_serves_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with Server(unixsocket=str(path)), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        assert client.recv(100) == b"+PONG\r\n"
    assert not path.exists()


def test_options_are_those_of_the_command_line() -> None:
    with Server(dbnum=3, maxmemory="64mb") as server, connect(server) as client:
        assert client.execute("SELECT", 3).kind == "-"
        assert client.execute("CONFIG", "GET", "maxmemory").value[1].value == b"67108864"
    with pytest.raises(FlagError, match="nothing"):
        Server(nothing=1)


def test_it_can_be_on_a_unix_socket_alone() -> None:
    with Server(port=None, unixsocket=True) as server:
        path = server.unixsocket
        assert (server.port, server.url) == (0, f"unix://{path}?db=0")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
        assert server.stats()["tcp_port"] == 0
    assert not os.path.exists(os.path.dirname(path))
    with pytest.raises(FlagError, match="without a port"):
        Server(port=None)


def test_a_restart_keeps_the_port_and_the_directory() -> None:
    with Server(threads=1, unixsocket=True) as server:
        before = server.port, server.unixsocket, os.stat(os.path.dirname(server.unixsocket)).st_ino
        server.restart()
        after = server.port, server.unixsocket, os.stat(os.path.dirname(server.unixsocket)).st_ino
        assert before == after
        with connect(server) as client:
            assert client.execute("PING") == PONG
    with pytest.raises(RuntimeError, match="not running"):
        server.restart()


def test_it_says_where_it_is() -> None:
    with Server(password="a/b c", threads=1) as server:
        assert server.url == f"redis://:a%2Fb%20c@127.0.0.1:{server.port}/0"
        assert (server.host, server.password, server.is_running) == ("127.0.0.1", "a/b c", True)
        assert repr(server) == f"<nogil_df.Server {server.url}>"
        with connect(server) as client:
            assert client.execute("AUTH", "a/b c") == Reply("+", b"OK")
    assert (repr(server), server.is_running) == ("<nogil_df.Server stopped>", False)
    with pytest.raises(FlagError, match="are the same"):
        Server(password="a", requirepass="b")


def test_it_is_asked_from_inside_whatever_clients_may_do() -> None:
    """No password is needed, no connection is made, and nothing is left behind."""
    with Server(threads=2, requirepass="secret", maxclients=1) as server, connect(server) as client:
        client.execute("AUTH", "secret")
        client.execute("MSET", *[word for n in range(10) for word in (f"k{n}", "v")])
        client.execute("SELECT", "5")
        client.execute("SET", "a", "1", "EX", "100")
        stats = server.stats()
        assert (stats["db0"]["keys"], stats["db5"]["expires"], stats["connected_clients"]) == (10, 1, 1)
        assert stats["cmdstat_mset"]["calls"] == 1
        assert isinstance(stats["mem_fragmentation_ratio"], float)
        server.flush()
        assert client.execute("DBSIZE") == Reply(":", 0)
        assert server.stats()["total_connections_received"] == 1
    with pytest.raises(RuntimeError, match="not running"):
        server.stats()


def test_its_client_speaks_tls_where_the_server_does(tmp_path: Path) -> None:
    """In a process of its own, as redis-py may turn the GIL on."""
    pair = Authority(tmp_path).issue("server")
    code = (
        "from nogil_df import Server\n"
        f"files = dict(tls_cert_file={str(pair.cert)!r}, tls_key_file={str(pair.key)!r})\n"
        "with Server(tls=True, **files) as server:\n"
        "    client = server.client()\n"
        "    print(client.ping(), server.url.partition(':')[0])\n"
        "    client.close()\n"
    )
    ran = python(code, "-W", "ignore", PYTHON_GIL="0") if is_free_threaded() else python(code)
    assert ran.stdout.split() == ["True", "rediss"], ran.stderr


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FlagError, match="there is no such directory"):
        Server(dir=tmp_path / "missing")


def test_shutdown_stops_the_server_but_not_the_process() -> None:
    with Server() as server, connect(server) as client:
        client.send("SHUTDOWN", "NOSAVE")
        assert client.receive().kind == "eof"
    with server, connect(server) as client:
        assert client.execute("PING") == PONG


def test_a_process_that_ends_takes_its_server_along() -> None:
    """Not stopped, with a client connected: the exit code is the script's, and nothing is said."""
    code = (
        "import socket, sys; from nogil_df import Server; server = Server(threads=2).start();"
        "client = socket.create_connection(('127.0.0.1', server.port)); client.sendall(b'PING\\r\\n');"
        "print(client.recv(7)); sys.exit(3)"
    )
    ran = python(code)
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, "b'+PONG\\r\\n'\n", "")


REPORT = """
import sys
from nogil_df import Server
{before}
with Server(threads=2) as server:
    import socket
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(b"INFO server\\r\\n")
    text = b""
    while b"\\r\\nparser:" not in text or not text.endswith(b"\\r\\n"):
        text += client.recv(65536)
    fields = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
    print(server.threads, fields["gil"], fields["parser"], sys._is_gil_enabled())
"""
SAID_SO = "the GIL is on: running with one shard thread"


def parser_without_hiredis() -> str:
    return "python" if compiled.why_not() else "compiled"


def has_hiredis() -> bool:
    return python("import hiredis", "-W", "ignore").returncode == 0


def test_a_server_in_a_process_does_not_turn_the_gil_on() -> None:
    """Nobody forced it off: then hiredis is not imported, and every warning is an error."""
    if is_free_threaded():
        ran = python(REPORT.format(before=""), "-W", "error")
        assert (ran.stdout.split(), ran.stderr) == (["2", "off", parser_without_hiredis(), "False"], "")


def test_a_gil_that_is_forced_off_permits_hiredis() -> None:
    if is_free_threaded():
        ran = python(REPORT.format(before=""), "-X", "gil=0")
        parser = "hiredis" if has_hiredis() and compiled.why_not() else parser_without_hiredis()
        assert (ran.stdout.split(), ran.stderr) == (["2", "off", parser, "False"], "")


@pytest.mark.parametrize(
    ("options", "before"), [(("-X", "gil=1"), ""), (("-W", "ignore"), "import redis, hiredis")]
)
def test_with_the_gil_on_there_is_one_shard_thread(options: tuple[str, ...], before: str) -> None:
    """Forced on, or turned on by redis-py, which imports hiredis where that is installed."""
    parser = "hiredis" if has_hiredis() and compiled.why_not() else parser_without_hiredis()
    if has_hiredis() or not before:
        ran = python(REPORT.format(before=before), *(options if is_free_threaded() else ()))
        assert ran.stdout.split() == ["1", "on", parser, "True"], ran.stderr
        assert ran.stderr.count(SAID_SO) == 1
        asked_for_one = python(
            "from nogil_df import Server\nwith Server(threads=1): pass",
            *(["-X", "gil=1"] if is_free_threaded() else []),
        )
        assert (asked_for_one.returncode, asked_for_one.stderr) == (0, "")


def test_a_gil_turned_on_later_leaves_a_server_running() -> None:
    code = (
        "from nogil_df import Server\n"
        "with Server(threads=2) as server:\n"
        "    import redis\n"
        "    client = redis.Redis(port=server.port)\n"
        "    print(server.threads, all(client.set(str(i), i) for i in range(100)), client.dbsize())\n"
        "    client.close()\n"
    )
    ran = python(code, "-W", "ignore")
    threads = "2" if is_free_threaded() else "1"
    assert ran.stdout.split() == [threads, "True", "100"], ran.stderr
