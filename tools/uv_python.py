"""Free-threaded CPython by uv: the quickest way where its downloads can be reached, given up soon where not.

uv is taken from PATH, or installed with pip into the cache directory. What it downloads goes to the cache
directory too and leaves the user's own uv installations alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from steps import Lacking, StepFailed, run_step

VERSION = "3.13t"
# Seconds: without any byte that arrives, and in all.
_SILENCE = 20.0
_PIP_LIMIT = 60.0
_LIMIT = 600.0


def installed(cache: Path) -> list[str]:
    """Interpreters that uv put into `cache` in an earlier run."""
    return sorted(str(path) for path in _python_dir(cache).glob("cpython-*/bin/python3.*t"))


def install(cache: Path) -> str:
    """Download a free-threaded interpreter with uv; the path of its executable. Raises `Lacking`."""
    executable = _uv(cache)
    try:
        run_step(
            f"waiting for uv to download Python {VERSION} (given up after {_SILENCE:.0f} s of silence)",
            [executable, "python", "install", VERSION],
            cache / "uv.log",
            limit=_LIMIT,
            env={
                "UV_PYTHON_INSTALL_DIR": str(_python_dir(cache)),
                "UV_PYTHON_INSTALL_BIN": "0",
                "UV_HTTP_TIMEOUT": "10",
                "UV_HTTP_CONNECT_TIMEOUT": "5",
                "UV_HTTP_RETRIES": "1",
            },
            quiet_limit=_SILENCE,
            progress=lambda: _size(_python_dir(cache)),
        )
    except StepFailed:
        raise Lacking(
            f"uv cannot download Python here ({cache / 'uv.log'} tells why): going on without"
        ) from None
    for path in installed(cache):
        return path
    raise Lacking("uv installed no free-threaded interpreter: going on without")


def _python_dir(cache: Path) -> Path:
    return cache / "uv-python"


def _uv(cache: Path) -> str:
    """The path of uv, installed into `cache` if there is none on PATH. Raises `Lacking`."""
    found = shutil.which("uv")
    if found:
        return found
    own = cache / "uv"
    executable = own / "bin" / "uv"
    if not os.access(str(executable), os.X_OK):
        _install_uv(own, cache / "uv.log")
    return str(executable)


def _install_uv(target: Path, log: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--timeout", "10", "--retries", "1"]
    if subprocess.run([*pip, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        raise Lacking("there is no uv here, and no pip to install it with: going on without")
    command = [*pip, "install", "--upgrade", "--target", str(target), "--only-binary", ":all:", "uv"]
    try:
        run_step("waiting for pip to install uv", command, log, limit=_PIP_LIMIT)
    except StepFailed:
        raise Lacking(f"pip cannot install uv here ({log} tells why): going on without") from None


def _size(directory: Path) -> int:
    """Bytes in all files below `directory`; files that vanish meanwhile count as nothing."""
    total = 0
    for parent, _, names in os.walk(str(directory)):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(parent, name)).st_size
    return total
