"""What the suites of the Dash table run on."""

from __future__ import annotations

import pytest

from nogil_df.shard import dash_many, table
from tests.shard.dash_support import TABLES


@pytest.fixture(scope="module", params=sorted(TABLES))
def each_table(request: pytest.FixtureRequest) -> None:
    """Runs a module's tests once for each implementation, put under the names that it imported."""
    module = request.module
    module.DashTable = TABLES[request.param]
    for name in ("get_many", "put_many", "revise_many"):
        if hasattr(module, name):
            setattr(module, name, getattr(table if request.param == "compiled" else dash_many, name))
