"""node-redis, ioredis and BullMQ: the scripts in `node`, each of which ends with status 0 if all was right.

Their packages are installed by npm on first use, beside the scripts. Without Node.js these tests are not
collected, and `conftest` says so at the end of the run.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.servers import NogilServer

DIRECTORY = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def packages() -> Path:
    """The directory with the scripts, their packages installed."""
    if not (DIRECTORY / "node_modules" / "bullmq").exists():
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=DIRECTORY, check=True, timeout=100, capture_output=True)
    return DIRECTORY


@pytest.mark.parametrize("script", ["node_redis", "ioredis", "bullmq"])
def test_a_client_of_node(script: str, packages: Path, server: NogilServer) -> None:
    done = subprocess.run(
        ["node", f"{script}.mjs", server.host, str(server.port)],
        cwd=packages,
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
