"""nogil-df: a drop-in Redis and Memcached server for free-threaded CPython.

`Server` runs the server inside a Python process. It is imported when first asked for, so that importing the
package and `nogil-df --help` stay quick, and so that the entry point can settle the GIL before any C
extension is loaded.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nogil_df.server import Server

__version__ = "0.1.0"

__all__ = ["Server", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Server":
        from nogil_df.server import Server

        return Server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
