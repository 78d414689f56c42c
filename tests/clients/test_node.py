"""node-redis, ioredis and BullMQ: the scripts in `node`, each of which ends with status 0 if all was right.

Their packages are installed by `make test`, beside the scripts. Where that can't be done these tests are not
collected, and `conftest` says so at the end of the run.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.servers import NogilServer

DIRECTORY = Path(__file__).parent / "node"


def run(script: str, server: NogilServer) -> None:
    """Run one of the scripts against a server."""
    done = subprocess.run(
        ["node", f"{script}.mjs", server.host, str(server.port)],
        cwd=DIRECTORY,
        timeout=PATIENCE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", ["node_redis", "ioredis", "bullmq"])
def test_a_client_of_node(script: str, server: NogilServer) -> None:
    run(script, server)


@pytest.mark.parametrize("script", ["ioredis_cluster", "bullmq"])
def test_a_client_of_node_in_a_cluster(script: str, cluster: NogilServer) -> None:
    run(script, cluster)
