"""Loading a snapshot: threads that read and split, shards that make the values.

A file is read by one thread, the files of a native set by one each. What it splits off for a shard is sent
there as a message; no more than `MOST` messages are on their way, so memory does not grow with the file. A
shard goes on serving between two of them, which is how clients get their LOADING.

Nothing is touched on disk. An error, wherever it turns up, ends the loading; what to do about a shard that
holds half of a snapshot then is up to the caller.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.hashing import probe
from nogil_df.base.rdb_strings import RdbError
from nogil_df.snapshot import native
from nogil_df.snapshot.names import NATIVE, Place
from nogil_df.snapshot.rdb_scan import RdbScanner, RecordScanner
from nogil_df.snapshot.records import NO_AGES, Loaded, load_blob
from nogil_df.snapshot.writing import describe

if TYPE_CHECKING:
    from nogil_df.shard.shard import Shard

PIECE: Final = 1 << 20
"""Bytes that are read at a time; more when a record is longer than that."""

MOST: Final = 32
"""Messages on their way to shards."""

TOLERANCE: Final = 1.05
"""A data set may be that much greater than `maxmemory` where nothing is evicted: what was there before the
restart must not keep the server from starting for a few bytes of another sum."""

NAP: Final = 0.01
"""Seconds that a reader sleeps at a stretch while the shards are behind."""

Submit = Callable[[int, tuple[Any, ...]], None]


class LoadError(Exception):
    """A snapshot can't be loaded; the text is one line that says which and why."""


class Loading:
    """One loading.

    Args:
        place: what to load.
        count: shards.
        databases: of each.
        hash_key: of the shards.
        submit: sends a message to a shard's thread.
        override: records may take the place of ones that are there.
        use_ages: which of idle times and frequencies are taken over.
        check: hold checksums of RDB files against the bytes.
        waits: whether this runs on a thread of its own, which may wait.
        dry: only look whether the files are whole; nothing is sent to the shards.

    Attributes:
        total, read: bytes of the files, and read so far.
        keys: how many the snapshot says that it has; 0 if it does not.
        loaded: what became of the records, by shard; each is written by that shard's thread.
        libraries: codes of functions.
        started: monotonic seconds, for whoever asks how long it takes.
        error: what went wrong; "" if nothing did.
        stopped: asks, whenever it can, whether to give up.
    """

    def __init__(
        self,
        place: Place,
        count: int,
        databases: int,
        hash_key: Callable[[bytes], int],
        submit: Submit,
        *,
        override: bool = False,
        use_ages: int = NO_AGES,
        check: bool = True,
        waits: bool = True,
        dry: bool = False,
        started: float = 0.0,
    ) -> None:
        self.place = place
        self.count = count
        self.databases = databases
        self.hash_key = hash_key
        self.override = override
        self.use_ages = use_ages
        self.check = check
        self.started = started
        self.loaded = [Loaded() for _ in range(count)]
        self.libraries: list[bytes] = []
        self.total = 0
        self.keys = 0
        self.error = ""
        self.stopped: Callable[[], bool] = bool
        self.on_progress: Callable[[Loading], None] | None = None
        self._submit = submit
        self._waits = waits
        self._dry = dry
        self._bell = threading.Event()
        # Messages sent, by the file that they are of; messages dealt with, by shard. One writer each.
        self._sent: list[int] = []
        self._done = [0] * count
        self._read: list[int] = []

    @property
    def read(self) -> int:
        """Bytes read so far."""
        return sum(self._read)

    @property
    def records(self) -> int:
        """Records dealt with so far."""
        return sum(one.keys + one.expired for one in self.loaded)

    @property
    def fraction(self) -> float:
        """How far it is, from 0 to 1."""
        return self.read / self.total if self.total else 0.0

    def fail(self, reason: str) -> None:
        """Something is wrong; the first reason counts."""
        self.error = self.error or reason
        self._bell.set()

    # The readers' side.

    def run(self) -> None:
        """Load everything.

        Raises:
            LoadError: it can't be loaded. Some of its records may be in the shards.
        """
        path = self.place.path
        try:
            if self.place.kind == NATIVE:
                self._read_set()
            else:
                self._begin([path])
                self._read_rdb(path, 0)
            self._wait_until(0)
        except Exception as error:
            self.fail(reason_of(error))
        if self.error:
            raise LoadError(f"cannot load {path}: {self.error}")

    def _begin(self, paths: list[str]) -> None:
        self.total = sum(os.stat(path).st_size for path in paths)
        self._sent = [0] * len(paths)
        self._read = [0] * len(paths)

    def _give(self, file: int) -> Callable[[int, bytes], None]:
        def give(owner: int, blob: bytes) -> None:
            if self._dry:
                self._check()
                return
            self._sent[file] += 1
            self._submit(owner, (load_here, self, blob))
            if self._waits:
                self._wait_until(MOST)

        return give

    def _wait_until(self, most: int) -> None:
        """Wait until at most so many messages are on their way."""
        while self._waits and sum(self._sent) - sum(self._done) > most:
            self._check()
            self._bell.clear()
            if sum(self._sent) - sum(self._done) > most:
                self._bell.wait(NAP)
        self._check()

    def _check(self) -> None:
        if self.error or self.stopped():
            raise InterruptedLoading

    def _read_rdb(self, path: str, file: int) -> None:
        records = RecordScanner(self.hash_key, self.count, self._give(file))
        scanner = RdbScanner(records, self.databases, check=self.check)
        with open(path, "rb", buffering=0) as source:
            while data := source.read(max(PIECE, scanner.waiting)):
                scanner.feed(data)
                self._read[file] += len(data)
                self.keys = scanner.keys
                self._tell()
        scanner.end()
        self.libraries += scanner.libraries

    def _read_set(self) -> None:
        with open(self.place.path, "rb") as source:
            summary = native.read_summary(source.read())
        self.keys = sum(keys for keys, _ in summary.sizes.values())
        self.libraries += summary.libraries
        directory = self.place.directory
        paths = [os.path.join(directory, os.path.basename(name)) for name, _ in summary.files]
        self._begin(paths)
        for path, (_, size) in zip(paths, summary.files, strict=True):
            if os.stat(path).st_size != size:
                raise RdbError(f"{os.path.basename(path)} has another size than the summary says")
        threads = [
            threading.Thread(target=self._read_file, args=(path, at, summary.set_id), name=f"load-{at}")
            for at, path in enumerate(paths)
        ]
        if not self._waits:
            for at, path in enumerate(paths):
                self._read_file(path, at, summary.set_id)
            return
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _read_file(self, path: str, file: int, set_id: bytes) -> None:
        try:
            self._read_frames(path, file, set_id)
        except RdbError as error:
            self.fail(f"{os.path.basename(path)}: {error}")
        except Exception as error:
            self.fail(reason_of(error))

    def _read_frames(self, path: str, file: int, set_id: bytes) -> None:
        give = self._give(file)
        with open(path, "rb", buffering=0) as source:
            head = native.read_head(source.read(native.HEAD_SIZE))
            if head.set_id != set_id:
                raise RdbError("it belongs to another snapshot")
            # Divided as these shards are: each of its blobs goes to one shard as it is.
            direct = head.shards == self.count and head.probe == probe(self.hash_key, native.PROBE)
            records = RecordScanner(self.hash_key, self.count, give)
            frames = native.FrameReader()
            while data := source.read(max(PIECE, frames.waiting)):
                for blob in frames.feed(data):
                    if direct:
                        give(head.shard, blob)
                    else:
                        split(blob, records)
                self._read[file] += len(data)
                self._tell()
            frames.end()
            records.flush()

    def _tell(self) -> None:
        if self.on_progress is not None:
            self.on_progress(self)

    # The shards' side.

    def take(self, shard: Shard, blob: bytes) -> None:
        """On a shard's thread: store records. Raises what is wrong with them."""
        if not self.error:
            load_blob(shard, blob, self.loaded[shard.index], override=self.override, use_ages=self.use_ages)
        self._done[shard.index] += 1
        self._bell.set()


class InterruptedLoading(Exception):
    """The loading is given up."""


def reason_of(error: Exception) -> str:
    """Why a loading fails, in a few words.

    Whatever it is, a bug included, it ends the loading: a reader that went without a word would leave the
    server loading for ever, or serving a part of its data, which the next save would put in the place of all.
    """
    if isinstance(error, RdbError):
        return str(error)
    if isinstance(error, OSError):
        return describe(error)
    if isinstance(error, InterruptedLoading):
        return "interrupted"
    if isinstance(error, MemoryError):
        return "out of memory"
    return f"{type(error).__name__}: {error}"


def split(blob: bytes, records: RecordScanner) -> None:
    """Divide a run of whole records. Raises RdbError."""
    at, end = 0, len(blob)
    try:
        while at < end:
            at = records.step(blob, at)
    except IndexError:
        raise RdbError("a frame ends within a record") from None


def load_here(proactor: Any, message: tuple[Any, ...]) -> None:
    """Message handler on a shard's thread: ``(load_here, loading, blob)``."""
    _, loading, blob = message
    guard = proactor.service.memory
    try:
        loading.take(proactor.shard, blob)
        guard.make_room()
    except Exception as error:
        loading.fail(reason_of(error))
        return
    # Not `short`, which it is also while resident memory is over.
    if guard.limit and guard.may_not_evict and guard.total > guard.deny_from * TOLERANCE:
        loading.fail(f"it needs more than maxmemory ({guard.limit} bytes), and nothing may be evicted")
