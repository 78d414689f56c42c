"""A free-threaded CPython built from the source package that the Debian mirror of this machine ships.

apt's own configuration tells the mirror and the keys, and apt checks the signatures; it works in a private
directory, so that the machine's lists and sources stay as they are and no root is needed. The build takes
some 3 minutes on 2 CPUs (no profile-guided optimisation, which would take 20) and is kept in the cache
directory; it counts only once its `.complete` is there, and an interrupted one is built afresh.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from packages import ensure_headers
from steps import Lacking, StepFailed, cpus, run_step, say

PACKAGE = "python3.13"
# The Debian release that ships CPython 3.13.
SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_COMPLETE = ".complete"
# Seconds.
_DOWNLOAD_LIMIT = 300.0
_BUILD_LIMIT = 1500.0


def builds(cache: Path) -> list[Path]:
    """The executables of finished builds in `cache`."""
    return [mark.parent / "bin" / "python3.13t" for mark in sorted(cache.glob("cpython-*/" + _COMPLETE))]


def build(cache: Path) -> str:
    """Download, configure, make and install; the path of the executable. Raises `Lacking`."""
    if not shutil.which("apt-get"):
        raise Lacking("no apt-get here to fetch CPython's source with")
    if not shutil.which("make") or not (shutil.which("cc") or shutil.which("gcc")):
        raise Lacking("no C compiler or make here to build CPython with: apt-get install build-essential")
    ensure_headers()
    work = cache / "build"
    shutil.rmtree(str(work), ignore_errors=True)
    work.mkdir()
    log = cache / "build.log"
    log.write_bytes(b"")
    try:
        tree = _unpack(_download(work, log), work)
        prefix = cache / f"cpython-{tree.name.split('-')[-1]}t"
        shutil.rmtree(str(prefix), ignore_errors=True)
        _compile(tree, prefix, log)
    except StepFailed as failure:
        raise Lacking(f"CPython could not be built: {failure}") from None
    (prefix / _COMPLETE).touch()
    shutil.rmtree(str(work))
    return str(prefix / "bin" / "python3.13t")


def mirrors() -> list[tuple[str, str]]:
    """The Debian mirrors that apt is configured with, each with its `signed-by` or an empty text."""
    asked = ["apt-get", "indextargets", "--format", "$(COMPONENT)\t$(REPO_URI)\t$(SIGNED_BY)"]
    listed = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    found = []
    for line in listed.stdout.decode().splitlines():
        component, uri, signed_by = line.split("\t")
        if component == "main" and re.search(r"debian/?$", uri) and (uri, signed_by) not in found:
            found.append((uri, signed_by))
    return [(uri, _keyring(signed_by)) for uri, signed_by in found]


def _keyring(signed_by: str) -> str:
    """The key file a source names, else Debian's if it is here, else none: apt's trusted keys count."""
    if signed_by.startswith("/"):
        return signed_by
    return KEYRING if os.path.exists(KEYRING) else ""


def _download(work: Path, log: Path) -> Path:
    """Fetch the source package from the first mirror that has it; the path of CPython's own archive."""
    found = mirrors()
    if not found:
        raise Lacking("apt is configured with no Debian mirror to fetch CPython's source from")
    problem = ""
    for uri, keyring in found:
        apt = _private_apt(work / "apt", uri, keyring)
        try:
            what = f"waiting for {uri} to list the sources of Debian {SUITE} (11 MB)"
            run_step(what, [*apt, "update"], log, _DOWNLOAD_LIMIT)
            what = f"waiting for {uri} to send {PACKAGE} (23 MB)"
            run_step(what, [*apt, "source", "--download-only", PACKAGE], log, _DOWNLOAD_LIMIT, cwd=work)
        except StepFailed as failure:
            problem = str(failure)
            say(f"{uri} does not give the source of {PACKAGE}")
            continue
        for archive in work.glob("*.orig.tar.*z"):
            return archive
    raise StepFailed(problem or f"no mirror gave the source of {PACKAGE}")


def _private_apt(root: Path, uri: str, keyring: str) -> list[str]:
    """An apt-get command with one source and with its state below `root`."""
    for directory in ("lists/partial", "archives/partial"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    sources = root / "sources.list"
    options = f"[signed-by={keyring}] " if keyring else ""
    sources.write_text(f"deb-src {options}{uri} {SUITE} main\n")
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State": root,
        "Dir::State::lists": root / "lists",
        "Dir::Cache": root,
        "Acquire::http::Timeout": 15,
        "Acquire::https::Timeout": 15,
        "Acquire::Retries": 1,
        "APT::Update::Error-Mode": "any",
    }
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # apt would drop to a user who may not enter root's home directory.
        settings["APT::Sandbox::User"] = "root"
    command = ["apt-get", "-q"]
    for name, value in settings.items():
        command += ["-o", f"{name}={value}"]
    return command


def _unpack(archive: Path, work: Path) -> Path:
    say(f"unpacking {archive.name}")
    shutil.unpack_archive(str(archive), str(work), "xztar" if archive.suffix == ".xz" else None)
    for tree in work.glob("Python-3.*"):
        return tree
    raise StepFailed(f"{archive.name} holds no source tree of CPython")


def _compile(tree: Path, prefix: Path, log: Path) -> None:
    jobs = cpus()
    configure = ["./configure", "--quiet", f"--prefix={prefix}", "--disable-gil", "--with-ensurepip=install"]
    configure.append("--disable-test-modules")
    run_step("configuring CPython (about 30 s)", configure, log, _BUILD_LIMIT, cwd=tree)
    what = f"compiling CPython with {jobs} jobs (about 3 minutes on 2 CPUs, less on more)"
    run_step(what, ["make", "-s", f"-j{jobs}"], log, _BUILD_LIMIT, cwd=tree)
    run_step("installing CPython (about 20 s)", ["make", "-s", "install"], log, _BUILD_LIMIT, cwd=tree)
