"""The Dash table that this process uses: the compiled one where it was built, else the reference.

Both have the same interface and pass the same tests. All others import the table from here, except for tests
that want a certain one.

`PACKED` tells which it is, for the account of memory: the compiled table packs keys and strings into its
segments and counts them itself; the reference holds objects, which whoever stores them has to count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nogil_df.shard.dash import DashTable
    from nogil_df.shard.dash_many import get_many, put_many, revise_many

    PACKED: bool
else:
    try:
        from nogil_df.shard._dash import DashTable, get_many, put_many, revise_many

        PACKED = True
    except ImportError:
        from nogil_df.shard.dash import DashTable
        from nogil_df.shard.dash_many import get_many, put_many, revise_many

        PACKED = False

__all__ = ["PACKED", "DashTable", "get_many", "put_many", "revise_many"]
