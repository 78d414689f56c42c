"""Install lupa with the one Lua that the server uses, where it has to be built.

    .venv/bin/python tools/lua.py 'lupa>=2.8'

lupa's source holds every Lua from 5.1 on, and it compiles a module for each that it finds there, one after
the other; no option names one of them. So the others are taken out before it is built: a fifth of the time. A
wheel is installed as it is.

It runs on the interpreter that lupa is for. Cython and setuptools must be there, as nothing is got to build
it with.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

WANTED = "lua51"
_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
_ALONE = ["--no-deps", "--no-build-isolation"]


def install(requirement: str) -> None:
    """Get lupa, build it if need be, and install it."""
    with TemporaryDirectory() as room:
        subprocess.run(
            [*_PIP, "download", "--prefer-binary", *_ALONE, "--dest", room, requirement], check=True
        )
        (found,) = Path(room).iterdir()
        if found.suffix != ".whl":
            found = unpack(found, Path(room, "source"))
            keep_one_lua(found / "third-party")
        subprocess.run([*_PIP, "install", *_ALONE, str(found)], check=True)


def unpack(archive: Path, into: Path) -> Path:
    """The one directory of an archive."""
    with tarfile.open(archive) as file:
        file.extractall(into, filter="data")
    (directory,) = into.iterdir()
    return directory


def keep_one_lua(sources: Path) -> None:
    """Remove the other Luas; all of them stay if the wanted one is not there."""
    if (sources / WANTED).is_dir():
        for directory in sources.glob("lua*"):
            if directory.name != WANTED:
                shutil.rmtree(directory)


def main() -> None:
    """Install what the one argument asks for, unless some lupa is there."""
    try:
        print(f"lupa {version('lupa')} is here")
    except PackageNotFoundError:
        # A third of the compiler's time goes into what only debuggers read.
        os.environ["CFLAGS"] = f"{os.environ.get('CFLAGS', '')} -g0"
        install(sys.argv[1])


if __name__ == "__main__":
    main()
