"""Debian packages that the set-up or the tests need and that this machine may lack.

They are installed with apt-get where this user may do so (root, or sudo without a password); elsewhere one
line names what is missing and the command that installs it. Services that come with a package are not
started: they would take the ports that the server under test or the user's own server wants.

    python3 tools/packages.py redis-server redis-cli ...      installs what provides these commands
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from steps import Lacking, StepFailed, cache_dir, exit_code, run_step

# The package that provides a command.
COMMANDS = {
    "chromium": "chromium",
    "memcached": "memcached",
    "memccapable": "libmemcached-tools",
    "openssl": "openssl",
    "redis-benchmark": "redis-tools",
    "redis-cli": "redis-tools",
    "redis-server": "redis-server",
}
# The package that provides a header which CPython needs for a module that pip or a server needs.
HEADERS = {
    "ffi.h": "libffi-dev",
    "openssl/ssl.h": "libssl-dev",
    "zlib.h": "zlib1g-dev",
}
# Seconds; the first look at a package list may need one from the mirror.
_LIMIT = 300.0
# Debian asks this program before it starts a service: 101 stands for "not allowed".
_INSTALL = """
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\\nexit 101\\n' > "$policy" && chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -q --no-install-recommends "$@" ||
    { apt-get update -q && apt-get install -y -q --no-install-recommends "$@"; }
"""


def ensure_commands(names: Sequence[str]) -> None:
    """Have every command of `names` (keys of `COMMANDS`) on this machine. Raises `Lacking`."""
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    lacking = [name for name in names if not shutil.which(name, path=path)]
    _install(lacking, sorted({COMMANDS[name] for name in lacking}))


def ensure_headers() -> None:
    """Have every header of `HEADERS` where the C compiler finds it. Raises `Lacking`."""
    lacking = [header for header in HEADERS if not _compiles(header)]
    _install(lacking, sorted({HEADERS[header] for header in lacking}))


def _compiles(header: str) -> bool:
    compiler = shutil.which("cc") or shutil.which("gcc") or "cc"
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "probe.c"
        source.write_text(f"#include <stddef.h>\n#include <{header}>\n")
        ran = subprocess.run(
            [compiler, "-E", str(source)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60
        )
    return ran.returncode == 0


def _install(lacking: Sequence[str], packages: Sequence[str]) -> None:
    if not packages:
        return
    missing = f"missing here: {', '.join(lacking)}"
    remedy = f"apt-get install {' '.join(packages)}"
    become_root = _become_root()
    if become_root is None or not shutil.which("apt-get"):
        raise Lacking(f"{missing}: {remedy} (as root)")
    command = [*become_root, "sh", "-c", _INSTALL, "sh", *packages]
    try:
        run_step(f"{missing}: waiting for {remedy}", command, cache_dir() / "packages.log", _LIMIT)
    except StepFailed as failure:
        raise Lacking(str(failure)) from None


def _become_root() -> list[str] | None:
    """What to put before a command that needs root; None where this user cannot."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if sudo and subprocess.run([sudo, "-n", "true"], timeout=30, **quiet).returncode == 0:
        return [sudo, "-n"]
    return None


def main() -> None:
    """Install what provides the commands named as arguments."""
    unknown = [name for name in sys.argv[1:] if name not in COMMANDS]
    if unknown:
        raise Lacking(f"no package is known for {', '.join(unknown)}")
    ensure_commands(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(exit_code(main))
