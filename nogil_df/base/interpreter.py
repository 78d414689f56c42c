"""Which interpreter this is, and whether its GIL is off.

A free-threaded interpreter turns its GIL back on, with a warning only, as soon as a C extension is imported
that does not declare that it can do without; hiredis is one. It stays off for sure if the interpreter was
started with `-X gil=0` or `PYTHON_GIL=0`.
"""

from __future__ import annotations

import os
import sys


def is_free_threaded() -> bool:
    """True on a free-threaded build, whether or not its GIL is on at the moment."""
    return "t" in sys.abiflags


def is_gil_enabled() -> bool:
    """True if only one thread at a time runs Python code now."""
    return sys._is_gil_enabled()


def is_gil_forced_off() -> bool:
    """True if no import can turn the GIL on any more."""
    forced = getattr(sys.flags, "gil", None)
    if forced is None and not sys.flags.ignore_environment:
        forced = sys._xoptions.get("gil", os.environ.get("PYTHON_GIL"))
    return is_free_threaded() and not is_gil_enabled() and str(forced) == "0"


def may_import(extension: str) -> bool:
    """True if importing a C extension that does not declare free threading leaves the GIL as it is.

    It does where the GIL is on already or is forced off, and where the extension has been imported before.
    Where it does not, a server inside somebody's process must do without: its GIL is not ours to turn on.
    """
    return is_gil_enabled() or is_gil_forced_off() or extension in sys.modules


def describe() -> str:
    """The interpreter in a few words: "CPython 3.13.5 free-threaded, GIL off"."""
    name = sys.implementation.name.replace("cpython", "CPython")
    version = ".".join(map(str, sys.version_info[:3]))
    build = " free-threaded" if is_free_threaded() else ""
    return f"{name} {version}{build}, GIL {'on' if is_gil_enabled() else 'off'}"
