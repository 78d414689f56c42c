"""The machine's disk, and threads to use it: what the simulation has a stand-in for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from nogil_df.snapshot import writing
from nogil_df.snapshot.pace import REST, SLICE
from nogil_df.snapshot.reading import LoadError, Loading


class Disk:
    """Writes and reads snapshots on threads of their own."""

    slice_ns = SLICE
    rest = REST
    waits = True

    def bell(self) -> threading.Event | None:
        """What wakes the writer of one save."""
        return threading.Event()

    def write(self, save: writing.Save, on_end: Callable[[writing.Save], Any]) -> None:
        """Begin to write; ``on_end`` is called on the writer's thread."""
        writing.start(save, on_end)

    def load(self, loading: Loading, on_end: Callable[[Loading], Any]) -> None:
        """Begin to load; ``on_end`` is called on the reader's thread, with what went wrong in `error`."""

        def work() -> None:
            try:
                loading.run()
            except LoadError as error:
                loading.error = str(error)
            on_end(loading)

        threading.Thread(target=work, name="load", daemon=True).start()
