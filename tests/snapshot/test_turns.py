"""The writer of one file takes from the shards by turns, and a shard waits for it by what it holds."""

from __future__ import annotations

import threading
from pathlib import Path

from nogil_df.rdb import forms
from nogil_df.snapshot import native
from nogil_df.snapshot.channel import LIMIT, PART, SHARE, WHOLE, Channel
from nogil_df.snapshot.names import RDB, Place
from nogil_df.snapshot.records import Style
from nogil_df.snapshot.writing import Save, pieces


def made(count: int, directory: Path) -> Save:
    """A save of so many shards, of which nothing is written yet."""
    bell = threading.Event()
    return Save(
        number=1,
        place=Place(RDB, str(directory / "dump.rdb")),
        name="dump.rdb",
        style=Style(forms.WIDELY_READ, False),
        codec=native.Codec(native.PLAIN, None),
        checksum=False,
        created=0,
        started=0.0,
        channels=[Channel(bell) for _ in range(count)],
        bell=bell,
    )


def test_no_shard_keeps_the_writer(tmp_path: Path) -> None:
    save = made(2, tmp_path)
    first, second = save.channels
    for number in range(3):
        first.give(b"first %d" % number)
        second.give(b"second %d" % number)
    first.close()
    second.close()
    assert [bytes(blob) for blob, _, _ in pieces(save, save.channels)] == [
        *(b"first 0", b"second 0", b"first 1", b"second 1", b"first 2", b"second 2"),
    ]


def test_nothing_comes_between_the_parts_of_a_record(tmp_path: Path) -> None:
    save = made(2, tmp_path)
    first, second = save.channels
    for blob, kind in ((b"head", PART), (b"middle", PART), (b"end", WHOLE), (b"next", WHOLE)):
        first.give(blob, kind)
    second.give(b"other")
    first.close()
    second.close()
    assert [bytes(blob) for blob, _, _ in pieces(save, save.channels)] == [
        *(b"head", b"middle", b"end", b"other", b"next"),
    ]


def test_a_command_waits_only_past_a_share_of_what_its_shard_holds() -> None:
    """Nobody takes: a wait would last some milliseconds."""
    channel = Channel(threading.Event())
    waited: list[float | None] = []

    class Room(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            return False

    channel._room = Room()
    channel.begin(SHARE * 3 * LIMIT)
    channel.give(bytes(2 * LIMIT))
    channel.hold_up()
    assert not waited
    channel.give(bytes(2 * LIMIT))
    channel.hold_up()
    assert len(waited) == 1
