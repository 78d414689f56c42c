"""The Dash table that this process uses: the compiled one where it was built, else the reference.

Both have the same interface and pass the same tests. All others import the table from here, except for tests
that want a certain one.

`PACKED` tells which it is, for the account of memory: the compiled table packs keys and strings into its
segments and counts them itself; the reference holds objects, which whoever stores them has to count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogil_df.shard.choice import visit
    from nogil_df.shard.dash import DashTable
    from nogil_df.shard.dash_many import get_many, put_many, revise_many

    PACKED: bool
    fill_numbered: Callable[[DashTable, bytes, int, int, int, int, int, int], tuple[int, int]] | None

    def prepare_process() -> None: ...
    def give_memory_back() -> None: ...
else:
    try:
        from nogil_df.shard._choice import visit
        from nogil_df.shard._dash import DashTable
        from nogil_df.shard._dash_many import (
            fill_numbered,
            get_many,
            give_memory_back,
            prepare_process,
            put_many,
            revise_many,
        )

        PACKED = True
    except ImportError:
        from nogil_df.shard.choice import visit
        from nogil_df.shard.dash import DashTable
        from nogil_df.shard.dash_many import get_many, put_many, revise_many

        PACKED = False
        fill_numbered = None

        def prepare_process():
            """Nothing: memory is the interpreter's."""

        give_memory_back = prepare_process

__all__ = [
    "PACKED",
    "DashTable",
    "fill_numbered",
    "get_many",
    "give_memory_back",
    "prepare_process",
    "put_many",
    "revise_many",
    "visit",
]
