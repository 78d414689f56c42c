"""TIME, LASTSAVE, ROLE, LOLWUT, SHUTDOWN; and that a server stops when it is told to, whoever runs it."""

from __future__ import annotations

import gc
import threading

import pytest

from nogil_df import Server
from nogil_df.commands.server_commands import dragon_curve
from tests.commands.console import Console
from tests.patience import PATIENCE
from tests.resp import Connection
from tests.servers import NogilServer


def test_time_is_that_of_the_clock() -> None:
    console = Console()
    now = console.simulation.clock.unix_us()
    assert console.value("TIME") == [b"%d" % (now // 1_000_000), b"%d" % (now % 1_000_000)]
    assert console.value("LASTSAVE") == now // 1_000_000


def test_role() -> None:
    assert console_values(Console()("ROLE").value) == [b"master", 0, ()]


def console_values(replies: object) -> list[object]:
    """The values of an array."""
    return [reply.value for reply in replies]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line", ["LOLWUT", "LOLWUT VERSION 5 3", "LOLWUT 2", "LOLWUT VERSION 99", "LOLWUT -1"]
)
def test_lolwut_ends_with_the_version(line: str) -> None:
    assert Console()(line).value.endswith(b" Redis ver. 8.0.2\n")
    assert Console(protocol=3)(line).kind == "="


def test_dragon_curve() -> None:
    assert dragon_curve(0) == "_\n"
    for folds in range(8):
        drawn = dragon_curve(folds)
        assert drawn.count("_") + drawn.count("|") == 2**folds


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("SHUTDOWN BOGUS", b"ERR syntax error"),
        ("SHUTDOWN SAVE NOSAVE", b"ERR syntax error"),
        ("SHUTDOWN ABORT NOW", b"ERR syntax error"),
        ("SHUTDOWN ABORT", b"ERR No shutdown in progress."),
    ],
)
def test_shutdown_errors(line: str, error: bytes) -> None:
    console = Console()
    assert console(line).value == error
    assert console.simulation.exit_code is None


@pytest.mark.parametrize("line", ["SHUTDOWN", "SHUTDOWN nosave now force"])
def test_shutdown_asks_for_a_stop(line: str) -> None:
    console = Console()
    console.client.send([word.encode() for word in line.split()])
    console.simulation.run()
    assert not console.replies()
    assert console.simulation.exit_code == 0


def test_shutdown_ends_the_process() -> None:
    with NogilServer(threads=2) as server:
        with server.connect() as connection:
            assert connection.execute("SET", "k", "v").value == b"OK"
            assert connection.execute("SHUTDOWN").kind == "eof"
        assert server.wait() == 0


def test_shutdown_stops_an_embedded_server() -> None:
    enabled = gc.isenabled()
    server = Server(threads=2).start()
    assert gc.isenabled() == enabled
    with Connection("127.0.0.1", server.port) as connection:
        assert connection.execute("SHUTDOWN").kind == "eof"
    for worker in threading.enumerate():
        if worker.name.startswith("shard-"):
            worker.join(PATIENCE)
            assert not worker.is_alive()
    server.stop()
