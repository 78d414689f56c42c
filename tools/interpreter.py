"""Find or get a free-threaded CPython 3.13 or newer, and print the path of its executable.

    python3 tools/interpreter.py

Looked at in this order: `$NOGIL_DF_PYTHON` (taken or refused, nothing else is tried), `python3.13t` or
newer on PATH, pyenv's versions, what an earlier run left in the cache, then `uv python install 3.13t`, then
a build from CPython's source as the Debian mirror of this machine ships it. Every candidate is run before
it is believed: Python 3.13 or newer, built without the GIL, with the modules that pip and a server need.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cpython_source
import uv_python
from steps import Lacking, cache_dir, exit_code, say

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "NOGIL_DF_PYTHON"
OLDEST_MINOR = 13
_NAME = re.compile(r"python3\.(\d+)(?:t|-nogil)$")
_CHECK = """
import sys, sysconfig
if sys.version_info < (3, 13): sys.exit("it is Python %d.%d, older than 3.13" % sys.version_info[:2])
if not sysconfig.get_config_var("Py_GIL_DISABLED"): sys.exit("it is built with the GIL")
import ctypes, ssl, venv, zlib
print("CPython %d.%d.%d" % sys.version_info[:3])
"""


def examine(executable: str) -> tuple[str, str]:
    """What `executable` is, e.g. `CPython 3.13.5`, and why it will not do; one of the two is empty."""
    try:
        ran = subprocess.run(
            [executable, "-I", "-c", _CHECK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"it does not run ({error})"
    if ran.returncode == 0:
        return ran.stdout.decode().strip(), ""
    words = ran.stderr.decode(errors="replace").strip().splitlines()
    return "", words[-1] if words else f"it ended with status {ran.returncode}"


def find() -> str:
    """The path of a free-threaded interpreter, got or built if there is none. Raises `Lacking`."""
    asked = asked_for()
    if asked:
        return _believe(asked)
    for where, executable in _present():
        version, objection = examine(executable)
        if version:
            say(f"interpreter: free-threaded {version} at {executable} ({where})")
            return executable
        say(f"passed over {executable} ({where}): {objection}")
    return _got()


def asked_for() -> str:
    """The path of the interpreter that the environment asks for, or an empty text. Raises `Lacking`."""
    asked = os.environ.get(VARIABLE)
    if not asked:
        return ""
    executable = shutil.which(os.path.expanduser(asked))
    if executable is None:
        raise Lacking(f"{VARIABLE}={asked} is not an executable file")
    return os.path.abspath(executable)


def _believe(executable: str) -> str:
    version, objection = examine(executable)
    if not version:
        raise Lacking(f"{VARIABLE}={executable} is no free-threaded Python 3.13 or newer: {objection}")
    say(f"interpreter: free-threaded {version} at {executable} ({VARIABLE})")
    return executable


def _present() -> Iterator[tuple[str, str]]:
    """The interpreters this machine has already; in each place the reference, 3.13, before newer ones."""
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        # pyenv's shims only run what is selected; its versions come next.
        if Path(directory).name != "shims":
            yield from (("PATH", path) for path in _free_threaded_in(Path(directory)))
    pyenv = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))
    for version in sorted(pyenv.glob("versions/*t/bin")):
        yield from (("pyenv", path) for path in _free_threaded_in(version))
    for build in cpython_source.builds(cache_dir()):
        yield "built earlier", str(build)
    for installed in uv_python.installed(cache_dir()):
        yield "got by uv earlier", installed


def _free_threaded_in(directory: Path) -> list[str]:
    try:
        names = os.listdir(str(directory))
    except OSError:
        return []
    found = []
    for name in names:
        match = _NAME.match(name)
        if match and int(match.group(1)) >= OLDEST_MINOR:
            found.append((int(match.group(1)), str(directory / name)))
    return [path for _, path in sorted(found)]


def _got() -> str:
    """Get an interpreter with uv, or else build one."""
    say("no free-threaded Python 3.13 or newer on this machine: getting one (once for this user)")
    for get in (uv_python.install, cpython_source.build):
        try:
            executable = get(cache_dir())
        except Lacking as lacking:
            say(str(lacking))
            continue
        version, objection = examine(executable)
        if version:
            say(f"interpreter: free-threaded {version} at {executable}")
            return executable
        say(f"passed over {executable}: {objection}")
    raise Lacking(
        "no free-threaded Python could be found, downloaded or built: install python3.13t "
        f"(https://py-free-threading.github.io/installing-cpython/) or set {VARIABLE} to one"
    )


def main() -> None:
    """Print the path on stdout."""
    print(find())


if __name__ == "__main__":
    sys.exit(exit_code(main))
