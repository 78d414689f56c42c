"""The thread that writes: from the shards' channels to files that are whole or not there.

One RDB file takes the blobs of all shards as they come. A native set has a file for each shard, and a thread
for each file, so that checksums and compression do not wait for each other. Whatever goes wrong (the disk is
full, the directory is gone) ends the save, lets the shards go, and leaves what was there before.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.crc64 import crc64
from nogil_df.base.rdb_strings import RdbError
from nogil_df.base.system import step_back
from nogil_df.snapshot import native
from nogil_df.snapshot.aside import AsideFile, is_left
from nogil_df.snapshot.channel import PART, STRINGS, Channel, Piece
from nogil_df.snapshot.names import NATIVE, SUMMARY, Place, leftovers
from nogil_df.snapshot.pace import nap
from nogil_df.snapshot.rdb_file import CHECKSUM_SIZE, write_beginning, write_end

try:
    from nogil_df.snapshot._strings import pack_strings
except ImportError:
    pack_strings = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from nogil_df.snapshot.records import Style

NAP: Final = 1.0
"""Seconds that a writer sleeps at a stretch, should a ring of the bell get lost."""

BACK: Final = 5
"""Steps of priority that writers stay behind the threads that answer clients: a third as much CPU time as one
of these, where there is not enough for all."""

SLICE: Final = 100_000
"""Nanoseconds that a writer runs at a stretch where others want the CPU. A thread that answers clients sleeps
and wakes all the time, and with the system's 3 ms the p99 of its clients was twice as high during a save."""

CANCELLED: Final = "cancelled"


@dataclass(slots=True)
class Save:
    """One snapshot on its way.

    Attributes:
        number: of the snapshot; greater than those before.
        place: where it goes.
        name: the `dbfilename` it is made under.
        style: how records are written.
        codec: of the frames of a native set.
        checksum: let the RDB file have one.
        created: unix seconds of the cut.
        started: monotonic seconds.
        channels: one a shard.
        bell: rung when a channel has something.
        paced: go slowly while there is other work.
        sizes: at the cut: database -> (keys, those that expire).
        libraries: codes of functions, at the cut.
        dirty: changes of all shards until the cut.
        probe: what `hashing.probe` makes of `native.PROBE` on these shards.
        used: bytes of memory in use at the cut.
        error: why it failed; "" if it did not.
        written: bytes written so far.
        done: it is over.
        owners: who waits for it: called with it, on the thread that keeps the snapshots.
    """

    number: int
    place: Place
    name: str
    style: Style
    codec: native.Codec
    checksum: bool
    created: int
    started: float
    channels: list[Channel]
    bell: threading.Event | None
    paced: bool = True
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    libraries: list[bytes] = field(default_factory=list)
    dirty: int = 0
    probe: int = 0
    used: int = 0
    error: str = ""
    written: int = 0
    done: bool = False
    owners: list[Callable[[Save], None]] = field(default_factory=list)

    @property
    def keys(self) -> int:
        """Records at the cut."""
        return sum(keys for keys, _ in self.sizes.values())

    def fail(self, reason: str) -> None:
        """Note why it fails, the first reason only, and let the shards go."""
        self.error = self.error or reason
        for channel in self.channels:
            channel.cancel()
        if self.bell is not None:
            self.bell.set()


def describe(error: BaseException) -> str:
    """An error in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f' ({error.filename})' if error.filename else ''}"
    return str(error) or type(error).__name__


def write(save: Save) -> None:
    """Write a snapshot; returns when it is in its place, or has failed and says so. It may wait."""
    try:
        if save.place.kind == NATIVE:
            _write_set(save)
        else:
            _write_rdb(save)
    except Exception as error:
        # A bug here must not leave the shards with a cut that nobody ends, either.
        save.fail(describe(error))
    if not save.error:
        remove_leftovers(save.place, save.name)
    save.done = True


def pieces(save: Save, channels: list[Channel]) -> Iterator[tuple[bytes | bytearray, bool, Channel]]:
    """What comes out of channels, until all are done: blob, whether it goes on, and which channel gave it.

    Raises:
        InterruptedError: the save has failed, or was cancelled.
    """
    bell = save.bell
    rest = list(channels)
    while rest:
        if bell is not None:
            bell.clear()
        idle = True
        for channel in list(rest):
            for blob, kind in _run(save, channel):
                idle = False
                begun = perf_counter()
                packed = _packed(save, blob) if kind == STRINGS else blob
                yield packed, kind == PART, channel
                channel.wrote(len(blob))
                save.written += len(packed)
                if channel.is_busy and not channel.is_full:
                    sleep(nap(perf_counter() - begun))
            if channel.broken:
                save.fail(channel.broken)
            if channel.is_done:
                rest.remove(channel)
        if save.error:
            raise InterruptedError(save.error)
        if idle and rest:
            if bell is None:
                raise InterruptedError("nothing to write")
            bell.wait(NAP)


def _packed(save: Save, blob: bytes | bytearray) -> bytes | bytearray:
    """A blob of strings, compressed if that is wanted. Raises RdbError: a bug."""
    if not save.style.compress or pack_strings is None:
        return blob
    assert isinstance(blob, bytearray)
    packed = pack_strings(blob)
    if packed is None:
        raise RdbError("a blob of strings is none")
    return packed


def _run(save: Save, channel: Channel) -> Iterator[Piece]:
    """One piece of what a channel has; and if that ends within a record, also the rest of that.

    Not all that it has, or a shard that is as fast as the writer would keep it until its cut is at its end,
    and commands of the other shards would wait meanwhile.
    """
    more = False
    while not save.error:
        piece = channel.take()
        if piece is not None:
            more = piece[1] == PART
            yield piece
            if not more:
                return
        elif not more or save.bell is None or channel.is_done:
            return
        else:
            save.bell.wait(NAP)
            save.bell.clear()


def _write_rdb(save: Save) -> None:
    file = AsideFile(save.place.path)
    try:
        checksum = 0
        facts = {"ctime": str(save.created), "used-mem": str(save.used), "aof-base": "0"}
        beginning = write_beginning(save.style.version, facts, save.libraries, save.sizes)
        file.write(beginning)
        checksum = crc64(beginning)
        for blob, _, _ in pieces(save, save.channels):
            file.write(blob)
            if save.checksum:
                checksum = crc64(blob, checksum)
        end = write_end()
        file.write(end + (crc64(end, checksum) if save.checksum else 0).to_bytes(CHECKSUM_SIZE, "little"))
        file.commit()
        save.written = file.size
    except BaseException:
        file.abandon()
        raise


# The native set.


def _write_set(save: Save) -> None:
    """All files, then the summary; then the files of the set that it took the place of are removed."""
    set_id = secrets.token_bytes(native.ID_SIZE)
    count = len(save.channels)
    sizes = [0] * count
    directory, stem = save.place.directory, save.place.stem
    names = [native.file_name(stem, shard, set_id) for shard in range(count)]

    def write_one(shard: int) -> None:
        try:
            head = native.Head(set_id, shard, count, save.probe)
            sizes[shard] = _write_file(save, os.path.join(directory, names[shard]), head)
        except Exception as error:
            save.fail(describe(error))

    if save.bell is None:
        for shard in range(count):
            write_one(shard)
    else:
        threads = [
            threading.Thread(target=write_one, args=(shard,), name=f"snapshot-{shard}", daemon=True)
            for shard in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    try:
        if save.error:
            raise InterruptedError(save.error)
        summary = native.Summary(
            set_id, save.created, list(zip(names, sizes, strict=True)), save.sizes, save.libraries
        )
        _commit_summary(save, native.write_summary(summary))
    except BaseException:
        for name in names:
            _remove(os.path.join(directory, name))
        raise
    save.written = sum(sizes)


def _write_file(save: Save, path: str, head: native.Head) -> int:
    """One file of the set; its size."""
    file = AsideFile(path)
    try:
        file.write(native.write_head(head))
        writer = native.FrameWriter(save.codec)
        for blob, more, _ in pieces(save, [save.channels[head.shard]]):
            for part in writer.frame(blob, more):
                file.write(part)
        file.write(writer.end())
        file.commit()
    except BaseException:
        file.abandon()
        raise
    return file.size


def _commit_summary(save: Save, text: bytes) -> None:
    file = AsideFile(save.place.path)
    try:
        file.write(text)
        file.commit()
    except BaseException:
        file.abandon()
        raise


def remove_leftovers(place: Place, name: str) -> None:
    """Remove what is no part of any snapshot: files of sets that were replaced, and what crashes left.

    Args:
        place: of the save that has just ended well.
        name: the `dbfilename` it was made under.

    Complexity: O(names in the directory).
    """
    pattern = leftovers(name)
    directory = place.directory or "."
    sets: dict[str, bytes] = {}
    with contextlib.suppress(OSError):
        for entry in os.listdir(directory):
            match = pattern.fullmatch(entry)
            if match is None:
                continue
            stem, set_id, pid = match.groups()
            path = os.path.join(directory, entry)
            if pid is not None:
                if is_left(int(pid)):
                    _remove(path)
            elif set_id is not None:
                if stem not in sets:
                    sets[stem] = _set_id_of(os.path.join(directory, stem + SUMMARY))
                if sets[stem] != bytes.fromhex(set_id):
                    _remove(path)


def _set_id_of(path: str) -> bytes:
    """The id of the set that a summary names, b"" if there is none. Raises OSError if that is unclear."""
    try:
        with open(path, "rb") as file:
            return native.read_summary(file.read()).set_id
    except FileNotFoundError:
        return b""
    except RdbError:
        raise OSError(f"{path} is damaged") from None


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def start(save: Save, on_end: Callable[[Save], Any]) -> threading.Thread:
    """Write a snapshot on a thread of its own, which calls ``on_end`` at its end."""

    def work() -> None:
        step_back(BACK, SLICE)
        write(save)
        on_end(save)

    thread = threading.Thread(target=work, name="snapshot", daemon=True)
    thread.start()
    return thread
