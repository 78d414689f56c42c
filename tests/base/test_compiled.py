"""Which of its two forms a module is imported in, and that the compiled ones leave the GIL off."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nogil_df.base import compiled

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
