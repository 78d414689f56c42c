"""Compiled modules: whether they are used, and the one place that decides it.

Some modules come twice, as Python source and as an extension module made from it (see `setup.py`), and a few
have a twin in Cython with a name of its own. They are used all or none, decided when the package is first
imported, because compiled modules know each other's classes by their C layout. None are used

- with `NOGIL_DF_PURE=1` in the environment;
- where they were never made: no C compiler;
- where a source has changed since they were made: in a checkout, until the next `make run` or `make test`.

Where they are not used a finder in front of Python's own ones finds sources alone, so that an extension
module left over in the directory can't be imported, neither in place of a source nor as a twin. Whoever wants
a twin tries to import it and takes the reference after an ImportError.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from importlib.util import source_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MANIFEST = os.path.join(PACKAGE, "compiled.txt")
"""A line for each source: its hash, a space, its path below the package."""


class SourceFinder:
    """Finds the modules below `nogil_df` by their sources alone."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if path is None or not name.startswith("nogil_df."):
            return None
        for entry in path:
            spec = FileFinder(entry, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name)
            if spec is not None and spec.loader is not None:
                return spec
        raise ModuleNotFoundError(f"No module named {name!r} in source", name=name)


def why_not() -> str:
    """Why no compiled modules are used, in a few words; "" if they are. O(size of their sources)."""
    if os.environ.get("NOGIL_DF_PURE", "") not in ("", "0"):
        return "NOGIL_DF_PURE is set"
    try:
        with open(MANIFEST, encoding="ascii") as file:
            made_from = file.read().splitlines()
    except OSError:
        return "they were not built; that needs a C compiler and Python's headers"
    for line in made_from:
        digest, _, name = line.partition(" ")
        try:
            with open(os.path.join(PACKAGE, name), "rb") as source:
                current = source_hash(source.read()).hex()
        except OSError:
            return f"{name} is gone"
        if current != digest:
            return f"{name} has changed since they were built"
    return ""


def settle() -> None:
    """Decide whether compiled modules are used; to be called before any of them is imported."""
    if why_not():
        sys.meta_path.insert(0, SourceFinder())


def in_use() -> list[str]:
    """The names, without the package's, of the compiled modules that have been imported."""
    return sorted(
        name.removeprefix("nogil_df.")
        for name, module in list(sys.modules.items())
        if name.startswith("nogil_df.") and not str(getattr(module, "__file__", ".py")).endswith(".py")
    )


def prepare_for_threads() -> None:
    """Let threads share functions and constants; to be called once all is imported, before threads start.

    Functions made by `def` in Python source are immortal on free-threaded CPython, so that any number of
    threads calls them without counting references; those of extension modules are not, nor are all constants.
    (Measured: a handler of messages that two threads call costs 40 ns more each time, a method that is handed
    such a constant 100 ns.)
    """
    if not in_use():
        return
    from nogil_df.base._immortal import make_immortal

    for name, module in list(sys.modules.items()):
        if name.startswith("nogil_df."):
            make_immortal(module)
