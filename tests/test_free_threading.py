"""The GIL is off where it counts: after all imports, and in a server as its users start it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig

import pytest

from tests.servers import NogilServer

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

IMPORT_ALL = """
import importlib, pkgutil, sys
import nogil_df
for module in pkgutil.walk_packages(nogil_df.__path__, "nogil_df."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(sys._is_gil_enabled())
"""


class PlainlyStarted(NogilServer):
    """`python -m nogil_df` without any word about the GIL: the entry point has to see to it."""

    def command_line(self) -> list[str]:
        line = super().command_line()
        return [part for at, part in enumerate(line) if "-X" not in line[max(0, at - 1) : at + 1]]

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in super().environment().items() if name != "PYTHON_GIL"}


def test_importing_everything_leaves_the_gil_as_the_interpreter_has_it() -> None:
    """No module of the package turns the GIL on behind the switch that keeps it off."""
    environment = {**os.environ, "PYTHON_GIL": "0"} if FREE_THREADED else None
    ran = subprocess.run([sys.executable, "-c", IMPORT_ALL], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str(not FREE_THREADED)


@pytest.mark.parametrize("server_type", [NogilServer, PlainlyStarted])
def test_a_server_runs_without_the_gil_however_it_is_started(server_type: type[NogilServer]) -> None:
    """INFO tells the state after all imports, hiredis among them."""
    with server_type(threads=1) as server, server.connect() as client:
        info = bytes(client.execute("INFO", "server").value).decode()
    assert f"gil:{'off' if FREE_THREADED else 'on'}" in info.splitlines()
