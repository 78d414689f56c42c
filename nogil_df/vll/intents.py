"""The intent locks that this process uses: those in C where they were built, else the reference.

Both have the same interface and pass the same tests. All others import them from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nogil_df.vll.locks import IntentLocks
else:
    try:
        from nogil_df.vll._intents import IntentLocks
    except ImportError:
        from nogil_df.vll.locks import IntentLocks

__all__ = ["IntentLocks"]
