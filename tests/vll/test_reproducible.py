"""One seed is one interleaving: in this process, in another one, whatever the hash seed or the load."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE
from tests.vll.scenario import Scenario, describe

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(12)


def fingerprint(seed: int) -> tuple[int, str]:
    """(number of steps, digest of everything that was sent and answered, and when)."""
    scenario = Scenario(seed, clients=6, pipelines=5)
    history = scenario.run(phases=3)
    return scenario.simulation.steps, hashlib.sha256(describe(history).encode()).hexdigest()


def test_twice_in_one_process() -> None:
    """Nothing is left over from an earlier run, and no wall clock or address matters."""
    assert [fingerprint(seed) for seed in SEEDS] == [fingerprint(seed) for seed in SEEDS]


def test_in_processes_with_other_hash_seeds() -> None:
    """The order of sets of bytes differs from process to process; it must not decide anything."""
    program = f"from tests.vll.test_reproducible import *\nfor seed in {SEEDS!r}: print(*fingerprint(seed))"
    expected = [f"{steps} {digest}" for steps, digest in map(fingerprint, SEEDS)]
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.stdout.splitlines() == expected, done.stderr
