"""Which of its two forms a module is imported in, and that the compiled ones leave the GIL off."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from setuptools import Distribution, Extension

from nogil_df.base import compiled
from tests.patience import PATIENCE

ROOT = Path(compiled.PACKAGE)

SHOW = """
import sys
import nogil_df.server, nogil_df.wire.reply
from nogil_df.base import compiled
print(nogil_df.wire.reply.__file__.rpartition(".")[2], len(compiled.in_use()) > 0, sys._is_gil_enabled())
"""


def shown(where: Path, **environment: str) -> list[str]:
    command = [sys.executable, "-c", SHOW]
    kept = {name: value for name, value in os.environ.items() if name != "NOGIL_DF_PURE"}
    result = subprocess.run(
        command, env={**kept, **environment}, cwd=where, check=True, capture_output=True, text=True
    )
    return result.stdout.split()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the package with whatever is compiled, to be changed."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT, tmp_path / "nogil_df", ignore=ignore)
    return tmp_path


def test_the_environment_asks_for_sources() -> None:
    assert shown(ROOT.parent, NOGIL_DF_PURE="1") == ["py", "False", str(sys._is_gil_enabled())]


def test_a_changed_source_is_what_runs(checkout: Path) -> None:
    kind = "so" if not compiled.why_not() or os.environ.get("NOGIL_DF_PURE") else "py"
    if not (ROOT / "compiled.txt").exists():
        kind = "py"
    assert shown(checkout)[0] == kind
    path = checkout / "nogil_df" / "wire" / "reply.py"
    path.write_text(path.read_text() + "\n")
    assert shown(checkout)[0] == "py"


def test_compiled_modules_leave_the_gil_off() -> None:
    environment = {"PYTHON_GIL": ""}
    kind, used, gil = shown(ROOT.parent, **environment)
    assert (kind == "so") == (used == "True")
    if "t" in sys.abiflags:
        assert gil == "False"


def test_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOGIL_DF_PURE", "1")
    assert compiled.why_not() == "NOGIL_DF_PURE is set"
    monkeypatch.delenv("NOGIL_DF_PURE")
    monkeypatch.setattr(compiled, "MANIFEST", str(ROOT / "absent"))
    assert "not built" in compiled.why_not()


CONVERSATION = """
import socket
from nogil_df import Server
from nogil_df.base import compiled

def packed(*words):
    words = [str(word).encode() for word in words]
    return b"*%d\\r\\n" % len(words) + b"".join(b"$%d\\r\\n%b\\r\\n" % (len(word), word) for word in words)

commands = [packed("SET", f"key:{n}", "v" * n) for n in range(60)]
commands += [packed("GET", f"key:{n}") for n in range(70)]
for n in range(40):
    commands += [packed("INCR", f"counter:{n % 7}"), packed("lpush", "list", n), packed("GET", f"key:{n}")]
    commands += [packed("SET", f"key:{n}", n, "NX"), packed("INCR", "list"), packed("MGET", "key:1", "key:2")]
commands += [packed("LRANGE", "list", 0, -1), packed("NOSUCH"), packed("GET"), packed("MULTI")]
commands += [packed("GET", "key:1"), packed("INCR", "counter:1"), packed("EXEC")]
commands += [b"PING\\r\\n", packed("ECHO", "the end")]
with Server(threads=2) as server:
    replies = []
    for cut in (0, 1, 7, 4096):
        client = socket.create_connection(("127.0.0.1", server.port))
        client.settimeout(120)
        client.sendall(packed("FLUSHALL"))
        stream = b"".join(commands)
        for begin in range(0, len(stream), cut or len(stream)):
            client.sendall(stream[begin : begin + (cut or len(stream))])
        heard = b""
        while not heard.endswith(b"the end\\r\\n"):
            heard += client.recv(65536)
        replies.append(heard)
        client.close()
    assert len(set(replies)) == 1
    print(bool(compiled.in_use()), hash(replies[0]))
"""


def test_both_forms_answer_the_same() -> None:
    """Pipelines over two shards, cut anywhere, errors and transactions among them."""
    heard = {}
    for pure in ("", "1"):
        environment = {**os.environ, "NOGIL_DF_PURE": pure, "PYTHONHASHSEED": "1"}
        command = [sys.executable, "-c", CONVERSATION]
        ran = subprocess.run(
            command, env=environment, cwd=ROOT.parent, check=True, capture_output=True, text=True
        )
        used, digest = ran.stdout.split()
        assert used == str(not pure and (ROOT / "compiled.txt").exists())
        heard[pure] = digest
    assert heard[""] == heard["1"]


def test_without_a_compiler_nothing_is_built_and_a_line_says_why(tmp_path: Path) -> None:
    built = tmp_path / "built"
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--build-lib", str(built)],
        cwd=ROOT.parent,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("NOGIL_DF")},
            "CC": "/bin/false",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert not done.returncode, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("nogil-df: ")]
    assert len(said) == 1
    assert "no C compiler" in said[0]
    assert not list(built.rglob("*"))


def test_what_was_compiled_of_modules_that_are_gone_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extension that lies beside a source is imported in its place, however old it is."""
    package = tmp_path / "nogil_df" / "vll"
    package.mkdir(parents=True)
    for name in ("kept.cpython-313t-x86_64-linux-gnu.so", "gone.cpython-313t-x86_64-linux-gnu.so", "gone.py"):
        (package / name).touch()
    monkeypatch.setattr("setuptools.setup", lambda **_: None)
    monkeypatch.chdir(ROOT.parent)
    build = runpy.run_path(str(ROOT.parent / "setup.py"))["BuildCompiled"](Distribution())
    build.inplace, build.build_lib = False, str(tmp_path)
    build.extensions = [Extension("nogil_df.vll.kept", [])]
    build._remove_leftovers()
    assert sorted(path.name for path in package.iterdir()) == [
        "gone.py",
        "kept.cpython-313t-x86_64-linux-gnu.so",
    ]


COUNTED = """
import sys
from types import FunctionType
import nogil_df.server
from nogil_df.base import compiled
from nogil_df.net import listener

compiled.prepare_for_threads()
functions = [*vars(listener).values(), *vars(listener.Listener).values()]
functions = [value for value in functions if type(value) is FunctionType]
constants = [value for function in functions for value in function.__code__.co_consts]
print(len(constants), *(value for value in constants if sys.getrefcount(value) < 1 << 30))
"""


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED") or bool(compiled.why_not()),
    reason="where threads take turns counts are not atomic, and without a compiler nothing helps",
)
def test_threads_count_no_references_to_constants() -> None:
    command = [sys.executable, "-X", "gil=0", "-c", COUNTED]
    done = subprocess.run(command, cwd=ROOT.parent, check=True, capture_output=True, text=True)
    seen, *counted = done.stdout.split()
    assert int(seen) > 50
    assert not counted
