"""What holds for every test: the GIL is off where it can be, and a busy machine fails no property test."""

from __future__ import annotations

import sys
import sysconfig

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is; `print_blob` tells how to repeat a failing one.
settings.register_profile(
    "nogil_df", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("nogil_df")


def pytest_configure() -> None:
    """Refuse to run where a C extension turned the GIL on (redis-py imports hiredis, which does)."""
    if sysconfig.get_config_var("Py_GIL_DISABLED") and sys._is_gil_enabled():
        pytest.exit("the GIL is on: run `make test`, or pytest with PYTHON_GIL=0 in the environment", 3)
