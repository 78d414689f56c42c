"""What INFO, the console and LASTSAVE tell of snapshots.

One object a server. Everything here is written by the thread that keeps the snapshots (the first one), but
for the progress of a loading, which its own thread writes, and read by all, now and then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nogil_df.snapshot.reading import Loading
    from nogil_df.snapshot.writing import Save


class Persistence:
    """The state of saving and loading.

    Attributes:
        save: the one under way.
        loading: the one under way.
        last_save: unix seconds of the last good save; of the start, or of the loading, before there is one.
        last_try: monotonic seconds at which the last save ended or failed.
        is_good: the last save went well.
        last_error: why it did not.
        last_seconds: how long it took; -1 if there was none.
        last_bytes: of its files.
        saves, failures: counted since the start.
        saved_dirty: changes of all shards until the last good save.
        loaded_keys, loaded_expired: of the last loading.
    """

    __slots__ = (
        "failures",
        "is_good",
        "last_bytes",
        "last_error",
        "last_save",
        "last_seconds",
        "last_try",
        "loaded_expired",
        "loaded_keys",
        "loading",
        "save",
        "saved_dirty",
        "saves",
    )

    def __init__(self, started: int) -> None:
        self.save: Save | None = None
        self.loading: Loading | None = None
        self.last_save = started
        self.last_try = 0.0
        self.is_good = True
        self.last_error = ""
        self.last_seconds = -1
        self.last_bytes = 0
        self.saves = 0
        self.failures = 0
        self.saved_dirty = 0
        self.loaded_keys = 0
        self.loaded_expired = 0
