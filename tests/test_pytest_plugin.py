"""The plugin for pytest: fresh servers, whatever a test does to them, and options from the configuration."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nogil_df import Server
from tests.patience import PATIENCE
from tests.resp import Connection, Reply

GIL = ["-X", "gil=1"] if "free-threading" in sys.version else []


def run(directory: Path, code: str, settings: str = "") -> subprocess.CompletedProcess[str]:
    """Run tests in a project of their own, by an interpreter whose GIL is on."""
    (directory / "pytest.ini").write_text(
        f"[pytest]\nasyncio_default_fixture_loop_scope = function\n{settings}"
    )
    (directory / "test_it.py").write_text(code)
    return subprocess.run(
        [sys.executable, *GIL, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("round", [1, 2])
def test_every_test_begins_with_nothing(nogil_df_server: Server, round: int) -> None:
    with Connection(nogil_df_server.host, nogil_df_server.port) as client:
        assert client.execute("DBSIZE") == Reply(":", 0)
        assert client.execute("FUNCTION", "LIST").value == ()
        assert (
            client.execute("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db").value[0].value == 0
        )
        client.execute("SELECT", "3")
        client.execute("SET", "a", "1")
        client.execute("SCRIPT", "LOAD", "return 1")


def test_there_is_one_server_for_each_process(nogil_df_server: Server) -> None:
    named = [thread for thread in threading.enumerate() if thread.name.startswith("shard-")]
    assert len(named) == nogil_df_server.threads == 1


@pytest.mark.parametrize("round", [1, 2])
def test_a_server_that_was_shut_down_is_started_again(nogil_df_server: Server, round: int) -> None:
    with Connection(nogil_df_server.host, nogil_df_server.port) as client:
        client.send("SHUTDOWN", "NOSAVE")
        assert client.receive().kind == "eof"
    assert not nogil_df_server.is_running


def test_the_options_come_from_the_configuration_and_the_gil_may_be_on(tmp_path: Path) -> None:
    code = (
        "def test_it(redis_client, nogil_df_server):\n"
        "    assert redis_client.config_get('maxmemory') == {'maxmemory': '1048576'}\n"
        "    assert nogil_df_server.threads == 1 and nogil_df_server.stats()['gil'] == 'on'\n"
    )
    done = run(tmp_path, code, "nogil_df_options =\n    maxmemory = 1mb\n    threads=4\n")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("maxmemory", "'maxmemory' is not of the form NAME=VALUE"),
        ("threads=x", "threads is a whole number"),
        ("nothing=1", "unknown flag --nothing"),
    ],
)
def test_a_bad_option_is_told(tmp_path: Path, line: str, message: str) -> None:
    code = "def test_it(nogil_df_server):\n    pass\n"
    done = run(tmp_path, code, f"nogil_df_options =\n    {line}\n")
    assert done.returncode != 0
    assert message in done.stdout
