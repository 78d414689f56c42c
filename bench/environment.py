"""What a figure depends on: interpreter build, processor, load, versions."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
import sysconfig
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Environment:
    """The circumstances of a run; `load_before` and `load_after` are the one-minute load averages."""

    date: str
    python: str
    compiler: str
    config_args: str
    pgo: bool
    lto: bool
    free_threaded: bool
    gil_enabled: bool
    cpu: str
    cpus: int
    kernel: str
    redis: str
    load_before: float
    load_after: float = 0.0

    @property
    def build(self) -> str:
        """The interpreter's build in words, e.g. `PGO, LTO, free-threaded, GIL off`."""
        threading = "free-threaded" if self.free_threaded else "with a GIL"
        gil = "GIL on" if self.gil_enabled else "GIL off"
        return ", ".join(["PGO" if self.pgo else "no PGO", "LTO" if self.lto else "no LTO", threading, gil])

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)


def observe() -> Environment:
    """Look at this interpreter and this machine."""
    config = sysconfig.get_config_var("CONFIG_ARGS") or ""
    gil = getattr(sys, "_is_gil_enabled", None)
    return Environment(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        python=platform.python_version(),
        compiler=platform.python_compiler(),
        config_args=config,
        pgo="--enable-optimizations" in config,
        lto="--with-lto" in config and "--with-lto=no" not in config,
        free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        gil_enabled=True if gil is None else gil(),
        cpu=cpu_model(),
        cpus=len(os.sched_getaffinity(0)),
        kernel=platform.release(),
        redis=redis_version(),
        load_before=os.getloadavg()[0],
    )


def cpu_model() -> str:
    """The processor's name as the kernel tells it."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def redis_version() -> str:
    """The version of redis-server on PATH; FileNotFoundError when there is none."""
    text = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    return next((word[2:] for word in text.split() if word.startswith("v=")), text.strip())
