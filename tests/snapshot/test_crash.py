"""Whatever moment the process dies at, and whatever the disk does: the last good snapshot is there.

The first test kills a process that does nothing but save, at moments that a seed spreads over a save;
another one kills whole servers. SNAPSHOT_KILLS and SNAPSHOT_SERVER_KILLS in the environment say how often;
150 of the first take some minutes.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nogil_df.base.flags import Options
from nogil_df.simulation import Simulation
from nogil_df.snapshot.names import find_youngest
from tests.commands.console import Console
from tests.resp import Reply
from tests.servers import NogilServer
from tests.snapshot.test_damage import Target

OK = Reply("+", b"OK")
NOBODY = 65534
KILLS = int(os.environ.get("SNAPSHOT_KILLS", "20"))
"""Of each format; hundreds take minutes."""
SERVER_KILLS = int(os.environ.get("SNAPSHOT_SERVER_KILLS", "3"))


def save_for_ever(directory: Path, name: str, report: int) -> None:
    """In a child: save generation after generation, and tell of each that is safe."""
    options = Options(dir=str(directory), dbfilename=name, compression_mode="none")
    console = Console(shards=3, options=options, thread=0)
    place = find_youngest(str(directory), name)
    if place is not None:
        assert console(f"DFLY LOAD {os.path.basename(place.path)}").value == b"OK"
    generation = int(console.value("GET g") or 0)
    while True:
        generation += 1
        console(f"SET g {generation}")
        for at in range(30):
            console(f"SET k{at} {generation}")
        assert console("SAVE").value == b"OK"
        os.write(report, generation.to_bytes(4, "little"))


@pytest.mark.parametrize("name", ["dump.rdb", "dump"])
def test_a_process_that_is_killed_while_it_saves(tmp_path: Path, name: str) -> None:
    rng = random.Random(name)
    safe = 0
    for _ in range(KILLS):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 2)
                save_for_ever(tmp_path, name, writer)
            finally:
                os._exit(1)
        os.close(writer)
        # The first save of the child tells that it is past its start; the moment lies in one of the next.
        first = os.read(reader, 4)
        assert len(first) == 4
        safe = int.from_bytes(first, "little")
        time.sleep(rng.random() * 0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while told := os.read(reader, 4):
            safe = int.from_bytes(told, "little")
        os.close(reader)
        generation = generation_in(tmp_path, name)
        assert safe <= generation <= safe + 1


def generation_in(directory: Path, name: str) -> int:
    """The generation that the youngest snapshot holds, which has to be whole."""
    place = find_youngest(str(directory), name)
    assert place is not None
    target = Target(1_700_000_000_000)
    target.load(place)
    found = {key: int(value) for shard in target.shards for key, value, _ in shard.dbs[0].table.items()}
    generation = found.pop(b"g")
    assert set(found.values()) == {generation}
    assert len(found) == 30
    return generation


def test_what_a_crash_left_is_swept_away_by_the_next_save(tmp_path: Path) -> None:
    options = Options(dir=str(tmp_path), dbfilename="dump", compression_mode="none")
    left = [
        "dump.rdb.tmp-999999999",
        "dump-summary.dfs.tmp-999999999",
        "dump-0000-0123456789abcdef.dfs",
        "dump-0001-0123456789abcdef.dfs.tmp-999999999",
    ]
    others = ["dump2.rdb.tmp-999999999", "dump-0000-notes.dfs", "dump.txt", f"dump.rdb.tmp-{os.getppid()}"]
    for file in (*left, *others):
        (tmp_path / file).write_bytes(b"x")
    console = Console(shards=2, options=options)
    console("SET a 1")
    assert console("SAVE").value == b"OK"
    names = {path.name for path in tmp_path.iterdir()}
    assert names.isdisjoint(left)
    assert names.issuperset(others)
    first = {name for name in names if name.startswith("dump-000")} - set(others)
    assert len(first) == 2
    assert console("SAVE").value == b"OK"
    assert first.isdisjoint(path.name for path in tmp_path.iterdir())


def test_disk_full_is_reported_and_the_old_snapshot_stays(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    with (
        NogilServer(
            *("--dir", str(tmp_path), "--dbfilename=dump.rdb", "--save=3600 1000000"), threads=2
        ) as server,
        server.connect() as connection,
    ):
        connection.execute("SET", "a", "1")
        assert connection.execute("SAVE") == OK
        before = (tmp_path / "dump.rdb").read_bytes()
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
        for at in range(400):
            connection.execute("SET", f"k{at}", os.urandom(500))
        reply = connection.execute("SAVE")
        assert reply.kind == "-"
        assert b"File too large" in reply.value
        info = connection.execute("INFO", "persistence").value
        assert b"rdb_last_bgsave_status:err\r\n" in info
        assert b"snapshot_failures:1\r\n" in info
        # There are save points, so writes stop; reads do not.
        assert connection.execute("SET", "b", "2").value.startswith(b"MISCONF")
        assert connection.execute("PING").value.startswith(b"MISCONF")
        assert connection.execute("GET", "a").value == b"1"
        assert connection.execute("CONFIG", "SET", "stop-writes-on-bgsave-error", "no") == OK
        assert connection.execute("SET", "b", "2") == OK
        assert connection.execute("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes") == OK
        assert connection.execute("SET", "b", "2").value.startswith(b"MISCONF")
        assert (tmp_path / "dump.rdb").read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == ["dump.rdb"]
        # A last save that fails keeps the server.
        assert connection.execute("SHUTDOWN").value == b"ERR Errors trying to SHUTDOWN. Check logs."
        connection.execute("FLUSHALL")
        assert connection.execute("CONFIG", "SET", "save", "") == OK
        connection.execute("FLUSHALL")
        assert connection.execute("SAVE") == OK
        assert b"rdb_last_bgsave_status:ok\r\n" in connection.execute("INFO", "persistence").value
        assert connection.execute("SET", "b", "2") == OK


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    directory = tmp_path / "there"
    directory.mkdir()
    console = Console(options=Options(dir=str(directory), dbfilename="dump"))
    console("SET a 1")
    directory.rmdir()
    assert b"No such file or directory" in console("SAVE").value
    assert b"rdb_last_bgsave_status:err" in console("INFO persistence").value
    directory.mkdir()
    assert console("BGSAVE").value == b"Background saving started"
    assert b"rdb_last_bgsave_status:ok" in console("INFO persistence").value


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Modes of files mean nothing to root; if we are root, be somebody else meanwhile."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", ["dump.rdb", "dump"])
def test_a_directory_that_may_not_be_written(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    # Not below a directory that only its owner may enter.
    with tempfile.TemporaryDirectory(dir="/tmp") as text:
        directory = Path(text)
        console = Console(options=Options(dir=text, dbfilename=name, compression_mode="none"))
        assert console.run(b"CONFIG", b"SET", b"save", b"3600 1000000").value == b"OK"
        console("SET a 1")
        assert console("SAVE").value == b"OK"
        before = {path.name: path.read_bytes() for path in directory.iterdir()}
        console("SET a 2")
        directory.chmod(0o555)
        with as_nobody():
            assert b"Permission denied" in console("SAVE").value
            assert console("BGSAVE").value == b"Background saving started"
            assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
        assert "failed: Permission denied" in capsys.readouterr().err
        info = console("INFO persistence").value
        assert b"rdb_last_bgsave_status:err\r\n" in info
        assert b"snapshot_failures:2\r\n" in info
        assert console("SET a 3").value.startswith(b"MISCONF")
        directory.chmod(0o755)
        assert console("SAVE").value == b"OK"
        assert console("SET a 3").value == b"OK"


@pytest.mark.parametrize("name", ["dump.rdb", "dump"])
def test_a_server_that_is_killed_while_it_saves(tmp_path: Path, name: str) -> None:
    rng = random.Random(7)
    flags = ("--dir", str(tmp_path), f"--dbfilename={name}")
    safe = 0
    for _ in range(SERVER_KILLS):
        server = NogilServer(*flags, threads=2)
        server.start()
        with server.connect() as connection:
            found = {connection.execute("GET", f"k{at}").value for at in range(50)}
            assert len(found) == 1
            generation = int(found.pop() or 0)
            assert generation in (safe, safe + 1)
            connection.pipeline([(b"SET", b"k%d" % at, b"%d" % (generation + 1)) for at in range(50)])
            assert connection.execute("SAVE") == OK
            safe = generation + 1
            connection.pipeline([(b"SET", b"k%d" % at, b"%d" % (safe + 1)) for at in range(50)])
            assert connection.execute("BGSAVE").value == b"Background saving started"
            time.sleep(rng.random() * 0.02)
            server.kill()


def test_a_snapshot_on_the_simulated_server_leaves_no_cut_behind(tmp_path: Path) -> None:
    """A save that fails lets every table go."""
    directory = tmp_path / "goes"
    directory.mkdir()
    simulation = Simulation(3, 2, Options(dir=str(directory), dbfilename="dump.rdb"))
    directory.rmdir()
    console = Console(simulation=simulation)
    for at in range(100):
        console(f"SET k{at} v")
    assert console("SAVE").kind == "-"
    for thread in simulation.threads:
        for db in thread.proactor.shard.dbs:
            assert db.table.cut_version == 0
