"""What holds for every test: the GIL is off where it can be, and one commit gets one verdict.

Property tests draw the same examples every time, and a busy machine fails none of them. New examples are
drawn with `--hypothesis-profile=explore`; that is for whoever looks for bugs.
"""

from __future__ import annotations

import sys
import sysconfig

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is; `print_blob` tells how to repeat a failing one.
settings.register_profile(
    "explore", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("repeatable", settings.get_profile("explore"), derandomize=True)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Refuse to run where a C extension turned the GIL on (redis-py imports hiredis, which does)."""
    if sysconfig.get_config_var("Py_GIL_DISABLED") and sys._is_gil_enabled():
        pytest.exit("the GIL is on: run `make test`, or pytest with PYTHON_GIL=0 in the environment", 3)
