"""The examples of docs/python.md: each runs, those with tests under pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text("utf-8"), re.S)
TESTS = [block for block in BLOCKS if "def test_" in block]
SCRIPTS = [block for block in BLOCKS if "def test_" not in block]


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory of its own, where the package is on the path."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_there_are_examples() -> None:
    assert len(SCRIPTS) >= 5
    assert len(TESTS) >= 4


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_a_script(number: int, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(SCRIPTS[number])
    run(tmp_path, "example.py")


def run_tests(directory: Path, blocks: list[str], workers: str) -> None:
    """Run the tests of some examples in a project of their own; all have to pass."""
    (directory / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\nasyncio_default_fixture_loop_scope = "function"\n'
        'nogil_df_options = ["maxmemory=64mb", "password=secret"]\n'
    )
    for number, block in enumerate(blocks):
        (directory / f"test_{number}.py").write_text(block)
    done = run(directory, "-m", "pytest", "-q", "-n", workers, "-W", "error", "-p", "no:cacheprovider")
    count = sum(len(re.findall(r"^(?:async )?def test_", block, re.M)) for block in blocks)
    assert f"{count} passed" in done.stdout


@pytest.mark.parametrize("workers", ["0", "2"])
def test_tests_share_a_server(workers: str, tmp_path: Path) -> None:
    run_tests(tmp_path, [block for block in TESTS if "def nogil_df_options" not in block], workers)


def test_tests_with_options_of_their_own(tmp_path: Path) -> None:
    (block,) = (block for block in TESTS if "def nogil_df_options" in block)
    run_tests(tmp_path, [block], "0")
