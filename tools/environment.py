"""The virtual environments of a checkout: made when missing, renewed when what they depend on changed.

    python3 tools/environment.py run       .venv with the package and what it runs with
    python3 tools/environment.py lint      the same and .venv-tools
    python3 tools/environment.py test      the same with the extra `test` and the servers to compare with
    python3 tools/environment.py bench     .venv with the extra `bench`, and redis-server

`.venv` is on the free-threaded interpreter and holds the package as an editable install. `.venv-tools`
holds the linters and type checker, which have no builds for free-threaded Pythons, on an ordinary Python
where there is one. The modules that have a compiled form are compiled in place where there is a C compiler;
NOGIL_DF_PURE=1 leaves that out. It takes most of the time, so the rest is got and built beside it. Stamps
tell what all this was made from (the hash of its requirements, the interpreter, the extras, the compiled
sources), so that everything after the first time costs a few milliseconds and no network.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import interpreter
from packages import ensure_commands
from steps import Lacking, StepFailed, cpus, exit_code, run_step, say, side_by_side

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
TOOLS = ROOT / ".venv-tools"
PIP_LOG = ROOT / ".venv.log"
NODE = ROOT / "tests" / "clients" / "node"
NODE_LOG = ROOT / ".venv-node.log"
STAMP = "made-from.json"
COMPILED_STAMP = "compiled-from.json"
COMPILE_LOG = ROOT / ".venv-compile.log"
# Extras of pyproject.toml, then whether the tools are needed, then commands, by what the environment is for.
EXTRAS: dict[str, list[str]] = {"run": [], "lint": [], "test": ["test"], "bench": ["bench"]}
NEEDS_TOOLS = ("lint", "test")
NEEDS_COMMANDS = {
    "test": ("redis-server", "redis-cli", "redis-benchmark", "memcached", "memccapable", "openssl"),
    "bench": ("redis-server", "redis-benchmark"),
}
# What the compiled modules are made with.
ALWAYS = ("build",)
# Any of these is a browser to test with; the first one is installed where there is none.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Extras that may have to be built from source.
BUILT = ("fast", "scripting")
# LuaJIT is not used. Our own modules are compiled in a step of their own, which can be repeated.
PIP_ENVIRONMENT = {"LUPA_NO_LUAJIT": "true", "NOGIL_DF_PURE": "1"}
# Seconds. Building hiredis takes a few, lupa with all its Luas 150; a first download of everything some ten.
_PIP_LIMIT = 1200.0
_VENV_LIMIT = 120.0
_NPM_LIMIT = 90.0
_COMPILE_LIMIT = 1800.0
_OLDEST_TOOLS_PYTHON = (3, 10)


def prepare(purpose: str) -> None:
    """Make everything that `purpose`, a key of `EXTRAS`, needs. Raises `Lacking`."""
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _prepare_venv(EXTRAS[purpose])
        side_by_side(_prepare_compiled, lambda: _prepare_the_rest(purpose))


def _prepare_the_rest(purpose: str) -> None:
    """What can be had while the modules are compiled."""
    _prepare_package(EXTRAS[purpose])
    if purpose in NEEDS_TOOLS:
        _prepare_tools()
    ensure_commands(NEEDS_COMMANDS.get(purpose, ()))
    if purpose == "test":
        _prepare_browser()
        _prepare_node()


def _prepare_browser() -> None:
    """The browser that the console is tested in, where it can be had: 20 seconds, once."""
    if any(map(shutil.which, BROWSERS)):
        return
    try:
        ensure_commands(BROWSERS[:1])
    except Lacking as lacking:
        say(f"the console will not be tested in a browser: {lacking}")


def _prepare_node() -> None:
    """The clients written for Node.js, where there is Node.js and its registry can be reached."""
    if (NODE / "node_modules" / "bullmq").exists() or not shutil.which("npm"):
        return
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        run_step("installing clients for Node.js", command, NODE_LOG, _NPM_LIMIT, cwd=NODE)
    except StepFailed as failure:
        shutil.rmtree(NODE / "node_modules", ignore_errors=True)
        say(f"they will not be tested: {failure}")


def _prepare_venv(extras: Sequence[str]) -> None:
    """Make `.venv`, if need be, and see that what compiles the modules is in it."""
    stamp = _stamp(VENV)
    asked = interpreter.asked_for()
    known = stamp.get("interpreter", "")
    if not os.access(str(PYTHON), os.X_OK) or not known or (asked and asked != known):
        known = interpreter.find()
        _make_venv(known, VENV)
        stamp = {}
    elif _is_complete(stamp, extras):
        return
    _pip(PYTHON, "installing what compiling needs", _requirements_of("build"))
    _write_stamp(VENV, {"interpreter": known, "extras": stamp.get("extras", [])})


def _is_complete(stamp: dict[str, object], extras: Sequence[str]) -> bool:
    """Whether the package is installed as it is now, and the extras."""
    return _holds(stamp, _wanted()) and set(extras) <= set(stamp["extras"])


def _wanted() -> dict[str, str]:
    return {"requirements": _hash(ROOT / "pyproject.toml"), "checkout": str(ROOT)}


def _prepare_package(extras: Sequence[str]) -> None:
    stamp = _stamp(VENV)
    if _is_complete(stamp, extras):
        return
    installed = sorted({*extras, *stamp["extras"]})
    _install_lua()
    _install_package(installed)
    _write_stamp(VENV, {**stamp, **_wanted(), "extras": installed})


def _install_lua() -> None:
    """Build lupa by a shorter way than pip's, if it has to be built."""
    command = [str(PYTHON), str(ROOT / "tools" / "lua.py"), *_requirements_of("scripting")]
    try:
        run_step("building Lua", command, PIP_LOG, _PIP_LIMIT, env=PIP_ENVIRONMENT)
    except StepFailed:
        # If there is no other way either, the next step says so.
        say(f"building Lua failed, see {PIP_LOG}")


def _requirements_of(extra: str) -> list[str]:
    """What an extra of pyproject.toml consists of, read by an interpreter that can."""
    read = "import json, sys, tomllib; print(json.dumps(tomllib.load(sys.stdin.buffer)))"
    text = (ROOT / "pyproject.toml").read_bytes()
    found = subprocess.run([str(PYTHON), "-c", read], input=text, stdout=subprocess.PIPE, check=True)
    return json.loads(found.stdout)["project"]["optional-dependencies"][extra]


def _prepare_compiled() -> None:
    """Compile what of the package can be compiled, if its sources changed; go on without where that fails."""
    if os.environ.get("NOGIL_DF_PURE", "") not in ("", "0"):
        return
    wanted = {"sources": _hash_of_compiled()}
    if _holds(_stamp(VENV, COMPILED_STAMP), wanted):
        return
    command = [str(PYTHON), "setup.py", "build_ext", "--inplace", f"--parallel={cpus()}"]
    what = "compiling the hot path (the first time takes minutes; NOGIL_DF_PURE=1 does without)"
    # Unbuffered, so that what is told of it is not old.
    env = {"NOGIL_DF_MUST_COMPILE": "1", "PYTHONUNBUFFERED": "1"}
    try:
        run_step(what, command, COMPILE_LOG, _COMPILE_LIMIT, cwd=ROOT, env=env, counts=True)
    except StepFailed:
        say(f"compiling failed, see {COMPILE_LOG}")
        say("the server runs from Python source: slower, otherwise the same")
    # Also after a failure, which would be the same the next time. Hashed again: now it is known what is used.
    _write_stamp(VENV, {"sources": _hash_of_compiled()}, COMPILED_STAMP)


def _hash_of_compiled() -> str:
    """A hash of everything that the compiled modules are made from."""
    package = ROOT / "nogil_df"
    manifest = package / "compiled.txt"
    named = manifest.read_text().splitlines() if manifest.exists() else []
    paths = {package / line.split(" ", 1)[1] for line in named}
    paths.update(package.rglob("*.pyx"), package.rglob("*.pxd"), [ROOT / "setup.py"])
    hashes = [f"{path} {_hash(path) if path.exists() else ''}" for path in sorted(paths)]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _install_package(extras: Sequence[str]) -> None:
    """Install the checkout with `extras`, and with hiredis and lupa where they can be built."""
    try:
        _pip(PYTHON, "installing nogil-df and what it needs", ["-e", _requirement([*BUILT, *extras])])
    except StepFailed:
        _pip(
            PYTHON,
            "hiredis or Lua can't be installed; installing nogil-df without them",
            ["-e", _requirement(extras)],
        )
        say(
            "without hiredis requests are parsed in Python: slower, otherwise the same; without lupa EVAL and"
        )
        say("FUNCTION answer with an error, and everything else works")
        say(f"(they need a C compiler, {PIP_LOG} tells what failed; `make clean` to try again)")


def _requirement(extras: Sequence[str]) -> str:
    return f"{ROOT}[{','.join([*ALWAYS, *extras])}]"


def _prepare_tools() -> None:
    python = TOOLS / "bin" / "python"
    stamp = _stamp(TOOLS)
    requirements = Path(stamp.get("file", "absent"))
    made = os.access(str(python), os.X_OK) and requirements.exists()
    if made and stamp["requirements"] == _hash(requirements):
        return
    ordinary = _ordinary_python()
    requirements = ROOT / "tools" / ("requirements.txt" if ordinary else "requirements-free-threaded.txt")
    # pip of the other environment installs into this one: Debian's Python may come without ensurepip.
    _make_venv(ordinary or str(PYTHON), TOOLS, "--without-pip")
    _pip(PYTHON, "installing the linters and the type checker", ["-r", str(requirements)], python)
    _write_stamp(TOOLS, {"file": str(requirements), "requirements": _hash(requirements)})


def _ordinary_python() -> str:
    """A Python of `_OLDEST_TOOLS_PYTHON` or newer with a GIL, or an empty text."""
    check = f"import sys; sys.exit(sys.version_info < {_OLDEST_TOOLS_PYTHON} or 't' in sys.abiflags)"
    newest_first = [f"python3.{minor}" for minor in range(14, _OLDEST_TOOLS_PYTHON[1] - 1, -1)]
    for name in (sys.executable, "python3", "/usr/bin/python3", *newest_first):
        found = shutil.which(name)
        if found and subprocess.run([found, "-c", check], stderr=subprocess.DEVNULL).returncode == 0:
            return found
    return ""


def _make_venv(python: str, where: Path, *options: str) -> None:
    shutil.rmtree(str(where), ignore_errors=True)
    command = [python, "-m", "venv", *options, str(where)]
    try:
        run_step(f"making {where.name} with {python}", command, ROOT / f"{where.name}.log", _VENV_LIMIT)
    except StepFailed as failure:
        raise Lacking(
            f"{failure}\n    (Debian's own Pythons need the package python3-venv for this)"
        ) from None


def _pip(python: Path, what: str, arguments: Sequence[str], target: Path | None = None) -> None:
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    if target:
        pip += ["--python", str(target)]
    # An older wheel is better than a newer source that needs a compiler or Rust.
    command = [*pip, "install", "--prefer-binary", *arguments]
    run_step(what, command, PIP_LOG, _PIP_LIMIT, env=PIP_ENVIRONMENT)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _holds(stamp: dict[str, object], wanted: dict[str, str]) -> bool:
    return all(stamp.get(name) == value for name, value in wanted.items())


def _stamp(where: Path, name: str = STAMP) -> dict:
    try:
        return json.loads((where / name).read_text())
    except (OSError, ValueError):
        return {}


def _write_stamp(where: Path, stamp: dict[str, object], name: str = STAMP) -> None:
    (where / name).write_text(json.dumps(stamp, indent=1) + "\n")


def main() -> None:
    """Prepare what the one argument names."""
    purpose = sys.argv[1] if len(sys.argv) == 2 else ""
    if purpose not in EXTRAS:
        raise Lacking(f"usage: {sys.argv[0]} {'|'.join(EXTRAS)}")
    prepare(purpose)


if __name__ == "__main__":
    sys.exit(exit_code(main))
