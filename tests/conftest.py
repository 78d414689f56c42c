"""What holds for every test: on a free-threaded interpreter the GIL is off, or nothing is worth testing."""

from __future__ import annotations

import sys
import sysconfig

import pytest


def pytest_configure() -> None:
    """Refuse to run where a C extension turned the GIL on (redis-py imports hiredis, which does)."""
    if sysconfig.get_config_var("Py_GIL_DISABLED") and sys._is_gil_enabled():
        pytest.exit("the GIL is on: run `make test`, or pytest with PYTHON_GIL=0 in the environment", 3)
