"""A server that is killed at a random moment while it saves without a pause, over and over, in both formats.

One client saves all the time, another one writes generations: an MSET of all marked keys, so that a snapshot
has all of one generation or is no snapshot of one moment. After each kill the next server must come up with
what the last save that was confirmed held, or with something newer; with all of the ballast, which makes a
save long enough to be hit in its midst; and nothing that crashes left may stay once it has saved. The next
server may have another number of threads.
"""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from stress.conftest import Note
from tests.patience import PATIENCE
from tests.resp import Reply
from tests.servers import NogilServer

MARKED = 40
"""Keys that a generation writes."""

BALLAST = 20_000
BALLAST_BYTES = 1_000
SAVES = 3
"""A kill comes within so many times the length of a save."""

OK = Reply("+", b"OK")


class Saving:
    """A client that saves without a pause, and one that writes generations.

    Attributes:
        sent: the last generation that was sent.
        safe: the last one that a confirmed save must hold.
        saves: confirmed.
        has_saved: set by the first of them.
    """

    def __init__(self, server: NogilServer, generation: int) -> None:
        self.sent = self.safe = generation
        self.saves = 0
        self.has_saved = threading.Event()
        self._acknowledged = generation
        self._server = server
        self._threads = [threading.Thread(target=one) for one in (self._write, self._save)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """The server is dead."""
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        with contextlib.suppress(OSError, EOFError), self._server.connect() as connection:
            while True:
                self.sent += 1
                words = [word for at in range(MARKED) for word in (b"marked%d" % at, b"%d" % self.sent)]
                if connection.execute("MSET", *words) != OK:
                    return
                self._acknowledged = self.sent
                # What is forced out of the cut, too: ballast with the same bytes.
                connection.execute("APPEND", f"key:{self.sent % BALLAST}", "")

    def _save(self) -> None:
        with contextlib.suppress(OSError, EOFError), self._server.connect() as connection:
            while True:
                generation = self._acknowledged
                if connection.execute("SAVE") != OK:
                    return
                self.safe = generation
                self.saves += 1
                self.has_saved.set()


def generation_of(server: NogilServer) -> int:
    """The generation that a server came up with, which has to be whole."""
    with server.connect() as connection:
        found = {
            reply.value
            for reply in connection.execute("MGET", *(f"marked{at}" for at in range(MARKED))).value
        }
        assert len(found) == 1, f"several generations: {found}"
        assert connection.execute("DBSIZE").value == MARKED + BALLAST
        for at in random.sample(range(BALLAST), 100):
            assert connection.execute("STRLEN", f"key:{at}").value == BALLAST_BYTES
        return int(found.pop())


@pytest.mark.parametrize("counts", [(1,), (2,), (1, 2, 3)], ids=str)
@pytest.mark.parametrize("name", ["dump.rdb", "dump"])
def test_it_comes_up_with_the_last_good_snapshot(
    tmp_path: Path, name: str, counts: tuple[int, ...], kills: int, note: Note
) -> None:
    rng = random.Random(f"{name} {counts}")
    figures: Counter[str] = Counter()
    flags = ("--dir", str(tmp_path), f"--dbfilename={name}", "--compression_mode=single_entry")
    server = NogilServer(*flags, threads=counts[0])
    server.start()
    with server.connect() as connection:
        connection.execute("DEBUG", "POPULATE", str(BALLAST), "key", str(BALLAST_BYTES))
        connection.execute("MSET", *(word for at in range(MARKED) for word in (f"marked{at}", "0")))
    saving = Saving(server, 0)
    begun = time.monotonic()
    saving.start()
    assert saving.has_saved.wait(PATIENCE)
    lasts = time.monotonic() - begun
    server.kill()
    saving.join()
    safe = saving.safe
    for _ in range(kills):
        server = NogilServer(*flags, threads=rng.choice(counts))
        server.start()
        generation = generation_of(server)
        assert generation >= safe, "older than the last save that was confirmed"
        saving = Saving(server, generation)
        saving.start()
        time.sleep(rng.random() * SAVES * lasts)
        server.kill()
        saving.join()
        safe = max(generation, saving.safe)
        aside = sum(".tmp-" in path.name for path in tmp_path.iterdir())
        figures += Counter(kills=1, kills_within_a_save=bool(aside), saves=saving.saves)
        figures["generations"] = saving.sent
    threads = counts[-1]
    with NogilServer(*flags, threads=threads) as server, server.connect() as connection:
        assert safe <= generation_of(server) <= figures["generations"]
        assert connection.execute("SAVE") == OK
        files = {path.name for path in tmp_path.iterdir()}
        expected = 1 if name == "dump.rdb" else threads + 1
        assert len(files) == expected, f"left behind: {files}"
        assert all(
            re.fullmatch(r"dump(\.rdb|-summary\.dfs|-\d{4}-[0-9a-f]{16}\.dfs)", file) for file in files
        )
    note(f"kills, {name}, threads {counts}", figures)
