"""Damaged files: thousands of truncations and flipped bits, in either format.

Each is either refused with an `RdbError` that says why, or, where a flipped bit means nothing, loads what was
saved. Nothing else is ever raised, and nothing else is ever loaded. All in this process, so that it is quick.
"""

from __future__ import annotations

import importlib.util
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nogil_df.base.flags import Options
from nogil_df.shard import digest
from nogil_df.shard.shard import Shard
from nogil_df.simulation import Simulation
from nogil_df.snapshot import native
from nogil_df.snapshot.names import NATIVE, RDB, Place, find_youngest
from nogil_df.snapshot.rdb_scan import RdbScanner
from nogil_df.snapshot.reading import LoadError, Loading
from tests.commands.console import Console
from tests.patience import PATIENCE
from tests.servers import free_port

CASES = 500


def make(directory: Path, name: str, mode: str) -> None:
    """A small snapshot with a value of every type."""
    console = Console(shards=2, options=Options(dir=str(directory), dbfilename=name, compression_mode=mode))
    for line in (
        "SET string hello",
        "SET number 12345",
        "SET repeated " + "a" * 400,
        "SET expiring x PXAT 4000000000000",
        "RPUSH list a b 1 2 300 " + "long" * 30,
        "SADD ints 1 2 3",
        "SADD words a b c",
        "HSET hash f v g w",
        "HSET timed f v g w",
        "HPEXPIREAT timed 4000000000000 FIELDS 1 f",
        "ZADD zset 1 a 2.5 b -inf c",
        "XADD stream 1-1 f v",
        "XADD stream 2-1 f w",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group me STREAMS stream >",
        "SELECT 3",
        "RPUSH big " + " ".join(map(str, range(3_000))),
        "SET other database",
    ):
        assert console(line).kind != "-", line
    assert console("SAVE").value == b"OK"


class Target:
    """Two shards to load into, without the rest of a server."""

    def __init__(self, now_ms: int) -> None:
        self.shards = [Shard(index, 2, 16, now_ms) for index in range(2)]

    def load(self, place: Place, *, waits: bool = False) -> None:
        """Load. Raises LoadError."""
        hash_key = self.shards[0].hash_key
        loading = Loading(place, 2, 16, hash_key, self._submit, waits=waits)
        loading.run()

    def _submit(self, shard: int, message: tuple[object, ...]) -> None:
        _, loading, blob = message
        loading.take(self.shards[shard], blob)  # type: ignore[attr-defined]

    def state(self) -> dict[tuple[int, bytes], tuple[bytes, int]]:
        """What there is."""
        return {
            (db.index, key): (digest.of_value(value, 0), deadline)
            for shard in self.shards
            for db in shard.dbs
            for key, value, deadline in db.table.items()
        }


def attempt(place: Place) -> dict[tuple[int, bytes], tuple[bytes, int]] | None:
    """What a file loads; None if it is refused."""
    target = Target(1_700_000_000_000)
    try:
        target.load(place)
    except LoadError:
        # Whatever is there by then keeps its invariants.
        for shard in target.shards:
            shard.verify()
        return None
    return target.state()


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Some bits flipped, something cut off, or something put in the place of something else."""
    kind = rng.randrange(4)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    piece = bytearray(data)
    if kind == 1:
        piece[rng.randrange(len(piece))] ^= 1 << rng.randrange(8)
    elif kind == 2:
        for _ in range(rng.randrange(1, 5)):
            piece[rng.randrange(len(piece))] = rng.randrange(256)
    else:
        at = rng.randrange(len(piece))
        del piece[at : at + rng.randrange(1, 40)]
    return bytes(piece)


@pytest.mark.parametrize("seed", range(2))
def test_a_damaged_rdb_file_is_refused(tmp_path: Path, seed: int) -> None:
    make(tmp_path, "dump.rdb", "none")
    file = tmp_path / "dump.rdb"
    place = Place(RDB, str(file))
    data = file.read_bytes()
    whole = attempt(place)
    assert whole is not None
    assert len(whole) == 13
    rng = random.Random(seed)
    for _ in range(CASES):
        changed = damaged(rng, data)
        if changed != data:
            file.write_bytes(changed)
            assert attempt(place) is None


@pytest.mark.parametrize("seed", range(2))
def test_values_are_checked_where_there_is_no_checksum(tmp_path: Path, seed: int) -> None:
    """`rdbchecksum no` leaves 0 in its place: then what loads is sound, though it may be something else."""
    make(tmp_path, "dump.rdb", "none")
    file = tmp_path / "dump.rdb"
    data = file.read_bytes()[:-8]
    rng = random.Random(seed)
    refused = 0
    for _ in range(CASES):
        file.write_bytes(damaged(rng, data) + bytes(8))
        target = Target(1_700_000_000_000)
        try:
            target.load(Place(RDB, str(file)))
        except LoadError:
            refused += 1
        for shard in target.shards:
            shard.verify()
    assert refused > CASES // 2


@pytest.mark.parametrize("mode", ["none", "multi_entry_lz4", "multi_entry_zstd"])
def test_a_damaged_native_set_is_refused(tmp_path: Path, mode: str) -> None:
    make(tmp_path, "dump", mode)
    place = Place(NATIVE, str(tmp_path / "dump-summary.dfs"))
    whole = attempt(place)
    assert whole is not None
    assert len(whole) == 13
    rng = random.Random(mode)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    for _ in range(CASES):
        file = rng.choice(files)
        data = file.read_bytes()
        changed = damaged(rng, data)
        if changed == data:
            continue
        file.write_bytes(changed)
        assert attempt(place) in (None, whole)
        file.write_bytes(data)


@pytest.mark.parametrize(
    ("mode", "module", "number"),
    [("multi_entry_lz4", "lz4", native.LZ4), ("multi_entry_zstd", "backports.zstd", native.ZSTD)],
)
def test_frames_are_compressed_by_what_is_installed(
    tmp_path: Path, mode: str, module: str, number: int
) -> None:
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    make(tmp_path, "dump", mode)
    codecs = set()
    for path in tmp_path.glob("dump-0*"):
        data = path.read_bytes()
        at = native.HEAD_SIZE
        while at < len(data):
            stored, _, flags, _ = native._FRAME.unpack_from(data, at)
            codecs.add(flags & native._CODEC)
            at += native._FRAME.size + stored
    # The last frame, and one that does not shrink, are as they are.
    assert codecs == ({native.PLAIN, number} if found else {native.PLAIN})


def test_files_of_two_sets_are_never_mixed(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for directory in (one, two):
        directory.mkdir()
        make(directory, "dump", "none")
    place = Place(NATIVE, str(one / "dump-summary.dfs"))
    assert attempt(place) is not None
    (mine,) = one.glob("dump-0000-*")
    (other,) = two.glob("dump-0000-*")
    mine.write_bytes(other.read_bytes())
    with pytest.raises(LoadError, match="belongs to another snapshot"):
        Target(0).load(place)
    mine.unlink()
    with pytest.raises(LoadError, match="No such file"):
        Target(0).load(place)


def test_a_set_loads_with_any_number_of_shards(tmp_path: Path) -> None:
    make(tmp_path, "dump", "none")
    states = []
    for shards in (1, 2, 3, 5):
        simulation = Simulation(1, shards, Options(dir=str(tmp_path), dbfilename="dump"))
        console = Console(simulation=simulation, thread=0)
        assert console("DFLY LOAD dump-summary.dfs").value == b"OK"
        simulation.verify()
        states.append(console("DEBUG DIGEST").value)
    assert len(set(states)) == 1


@pytest.mark.parametrize("name", ["dump", "dump.rdb"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (IndexError("a bug"), "IndexError: a bug"),
        (MemoryError(), "out of memory"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
    ids=["bug", "memory", "disk"],
)
@pytest.mark.parametrize("waits", [False, True])
def test_whatever_a_reader_runs_into_ends_the_loading(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    error: Exception,
    reason: str,
    waits: bool,
) -> None:
    """Not a thread that is gone, a server that serves the part that came before, and a save of that."""
    make(tmp_path, name, "none")
    before = contents(tmp_path)

    def fail(scanner: object) -> None:
        raise error

    monkeypatch.setattr(RdbScanner, "end", fail)
    monkeypatch.setattr(native.FrameReader, "end", fail)
    target = Target(1_700_000_000_000)
    place = find_youngest(str(tmp_path), name)
    assert place is not None
    with pytest.raises(LoadError, match=f"cannot load {re.escape(place.path)}: .*{reason}"):
        target.load(place, waits=waits)
    assert contents(tmp_path) == before


FAILING = """
import sys
from nogil_df import server
from nogil_df.base.flags import Options
from nogil_df.snapshot.reading import Loading

def fail(*arguments):
    raise IndexError("a bug")

setattr(Loading, sys.argv[3], fail)
sys.exit(server.run(Options(dir=sys.argv[1], dbfilename=sys.argv[2], port=0, proactor_threads=2)))
"""


@pytest.mark.parametrize("where", ["_read_frames", "_tell", "take"])
def test_a_server_ends_with_one_line_then(tmp_path: Path, where: str) -> None:
    make(tmp_path, "dump", "none")
    before = contents(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-X", "gil=0", "-c", FAILING, str(tmp_path), "dump", where],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("nogil-df: ")]
    assert line == f"nogil-df: cannot load {tmp_path}/dump-summary.dfs: IndexError: a bug"
    assert "Traceback" not in ran.stderr
    assert contents(tmp_path) == before


INTERRUPTED = """
import os, signal, sys, time
from nogil_df import server
from nogil_df.base.flags import Options
from nogil_df.snapshot.reading import Loading

def end(loading):
    os.kill(os.getpid(), signal.SIGTERM)
    while not loading.stopped():
        time.sleep(0.001)

Loading._tell = end
options = Options(dir=sys.argv[1], dbfilename=sys.argv[2], port=0, start_without_snapshot=True)
sys.exit(server.run(options))
"""

EARLY = """
import socket, sys
from nogil_df import server
from nogil_df.base.flags import Options

def shut_down():
    with socket.create_connection(("127.0.0.1", int(sys.argv[3]))) as client:
        client.sendall(b"INFO persistence\\r\\nSHUTDOWN SAVE\\r\\n")
        reply = b""
        while b"loading:" not in reply:
            reply += client.recv(65536)
    assert b"\\nloading:1\\r\\n" in reply, reply

server.leave_garbage_alone = shut_down
sys.exit(server.run(Options(dir=sys.argv[1], dbfilename=sys.argv[2], port=int(sys.argv[3]))))
"""


@pytest.mark.parametrize("name", ["dump", "dump.rdb"])
@pytest.mark.parametrize("script", [INTERRUPTED, EARLY], ids=["interrupted", "early"])
def test_an_end_before_all_is_loaded_saves_nothing(tmp_path: Path, name: str, script: str) -> None:
    """Not even where an unloadable snapshot may be replaced, or where somebody asks for a save."""
    make(tmp_path, name, "none")
    before = contents(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-X", "gil=0", "-c", script, str(tmp_path), name, str(free_port())],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stderr
    assert "Ready to accept" not in ran.stderr
    assert contents(tmp_path) == before


def contents(directory: Path) -> dict[str, bytes]:
    """All files of a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}
