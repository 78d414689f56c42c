"""nogil-df: a drop-in Redis and Memcached server for free-threaded CPython.

`Server` runs the server inside a Python process. It is imported when first asked for, so that importing the
package and `nogil-df --help` stay quick, and so that the entry point can settle the GIL before any C
extension is loaded. Whether compiled modules are used is settled here.
"""

from __future__ import annotations

from nogil_df.base import compiled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nogil_df.base.flags import FlagError
    from nogil_df.embedded import Server
    from nogil_df.server import StartError

__version__ = "0.1.0"

# Before anything else of the package is imported.
compiled.settle()

__all__ = ["FlagError", "Server", "StartError", "__version__"]

_HOMES = {"FlagError": "base.flags", "Server": "embedded", "StartError": "server"}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
