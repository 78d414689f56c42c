"""The commands about snapshots, on the simulated server: replies, save points, the clock, the end."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from nogil_df.base.flags import FlagError, Options
from nogil_df.shard.flagged import Flagged, flags_of
from nogil_df.simulation import Simulation
from nogil_df.snapshot.names import NATIVE, RDB, Place, find_youngest, place_for
from nogil_df.snapshot.status import Persistence
from tests.commands.console import Console


@pytest.fixture
def console(tmp_path: Path) -> Console:
    """A client of a server that saves to `dump.rdb`."""
    return Console(options=Options(dir=str(tmp_path), dbfilename="dump.rdb"))


def info(console: Console) -> dict[str, str]:
    """INFO persistence."""
    lines = console("INFO persistence").value.decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def tick(console: Console, seconds: int) -> None:
    """Let time pass, a second at a time."""
    for _ in range(seconds):
        console.simulation.advance(1000)
        console.simulation.run()


def end(console: Console, line: str) -> None:
    """Run a command that is not answered if it succeeds."""
    console.client.send(line.encode().split())
    console.simulation.run()


def test_replies(console: Console, tmp_path: Path) -> None:
    assert console("SAVE").value == b"OK"
    assert console("BGSAVE").value == b"Background saving started"
    assert console("BGSAVE SCHEDULE").value == b"Background saving started"
    assert console("BGSAVE NOW").value == b"ERR syntax error"
    assert console("SAVE DF").value == b"OK"
    assert console("SAVE RDB other.rdb").value == b"OK"
    assert console("SAVE RDB ../other.rdb").value == b"ERR the name of a snapshot can't be a path"
    assert {path.name for path in tmp_path.glob("*") if "-0" not in path.name} == {
        "dump.rdb",
        "other.rdb",
        "dump-summary.dfs",
    }
    assert console("LASTSAVE").value == console.simulation.started_unix_ms // 1000
    assert console("BGREWRITEAOF").kind == "-"


def test_inside_multi(console: Console) -> None:
    console("MULTI")
    assert console("SAVE").value == b"ERR Command not allowed inside a transaction"
    console("DISCARD")
    console("MULTI")
    console("SET a 1")
    console("BGSAVE")
    assert console.value("EXEC") == [b"OK", b"Background saving scheduled"]
    assert info(console)["rdb_saves"] == "1"


def test_without_a_name_nothing_is_saved(tmp_path: Path) -> None:
    console = Console(options=Options(dir=str(tmp_path), dbfilename=""))
    console("SET a 1")
    assert console("SAVE").value == b"ERR There is nowhere to save to: dbfilename is empty"
    end(console, "SHUTDOWN")
    assert console.simulation.exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_one_save_at_a_time(console: Console) -> None:
    for at in range(200):
        console(f"SET k{at} v")
    other = console.another()
    console.client.send([b"BGSAVE"])
    for _ in range(40):
        console.simulation.step()
    assert other("BGSAVE").value == b"ERR Background save already in progress"
    console.simulation.run()
    assert info(other)["rdb_saves"] == "1"


def test_save_points(tmp_path: Path) -> None:
    options = Options(dir=str(tmp_path), dbfilename="dump.rdb", config=[("save", "5 3")])
    console = Console(options=options)
    console("MSET a 1 b 2")
    tick(console, 8)
    assert info(console)["rdb_saves"] == "0"
    console("SET c 3")
    tick(console, 8)
    figures = info(console)
    assert figures["rdb_saves"] == "1"
    assert figures["rdb_changes_since_last_save"] == "0"
    assert int(figures["rdb_last_save_time"]) > console.simulation.started_unix_ms // 1000
    tick(console, 20)
    assert info(console)["rdb_saves"] == "1"
    console("CONFIG SET save ''")
    console("MSET a 1 b 2 c 3")
    tick(console, 20)
    assert info(console)["rdb_saves"] == "1"
    console("CONFIG SET save '1 1'")
    tick(console, 4)
    assert info(console)["rdb_saves"] == "2"


def test_a_save_point_tries_again_after_a_failure(tmp_path: Path) -> None:
    directory = tmp_path / "comes and goes"
    directory.mkdir()
    options = Options(dir=str(directory), dbfilename="dump.rdb", config=[("save", "1 1")])
    console = Console(options=options)
    directory.rmdir()
    console("SET a 1")
    tick(console, 4)
    figures = info(console)
    assert figures["rdb_last_bgsave_status"] == "err"
    assert figures["snapshot_failures"] == "1"
    assert "No such file or directory" in figures["snapshot_last_error"]
    assert console("SET b 1").value.startswith(b"MISCONF")
    assert console("EVAL \"return redis.call('SET','b','1')\" 1 b").value.startswith(b"MISCONF")
    assert console("GET a").value == b"1"
    console("MULTI")
    assert console("SET a 2").value.startswith(b"MISCONF")
    assert console("EXEC").value.startswith(b"EXECABORT")
    directory.mkdir()
    tick(console, 7)
    assert info(console)["rdb_last_bgsave_status"] == "ok"
    assert console("SET b 1").value == b"OK"


def test_snapshot_cron(tmp_path: Path) -> None:
    name = "dump-{timestamp}.rdb"
    options = Options(dir=str(tmp_path), dbfilename=name, snapshot_cron="* * * * *")
    console = Console(options=options)
    console("SET a 1")
    tick(console, 130)
    assert info(console)["rdb_saves"] == "2"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    assert all(re.fullmatch(r"dump-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.rdb", one) for one in names)
    console("CONFIG SET snapshot_cron ''")
    tick(console, 130)
    assert info(console)["rdb_saves"] == "2"
    assert b"must be a cron expression" in console("CONFIG SET snapshot_cron 'never'").value


def test_a_run_that_comes_due_during_a_save_is_skipped_and_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(dir=str(tmp_path), dbfilename="dump.rdb", snapshot_cron="* * * * *")
    console = Console(options=options)
    for at in range(100):
        console(f"SET k{at} v")
    console.client.send([b"BGSAVE"])
    while not console.simulation.persistence.save:
        console.simulation.step()
    console.simulation.advance(61_000)
    console.simulation.advance(1_000)
    assert "is skipped, as a save is under way" in capsys.readouterr().err


def test_bad_flags() -> None:
    for flags, reason in (
        ({"dbfilename": "a/b"}, "plain name"),
        ({"dbfilename": ".."}, "plain name"),
        ({"snapshot_cron": "* * *"}, "cron expression"),
        ({"compression_mode": "best"}, "must be one of"),
    ):
        with pytest.raises(FlagError, match=reason):
            Options(**flags)


def test_the_end_saves_what_has_changed(console: Console, tmp_path: Path) -> None:
    console("SET a 1")
    end(console, "SHUTDOWN")
    assert console.simulation.exit_code == 0
    assert (tmp_path / "dump.rdb").exists()


def test_the_end_saves_nothing_where_nothing_has_changed(console: Console, tmp_path: Path) -> None:
    end(console, "SHUTDOWN")
    assert console.simulation.exit_code == 0
    assert not (tmp_path / "dump.rdb").exists()


@pytest.mark.parametrize(("word", "saves"), [("SAVE", True), ("NOSAVE", False)])
def test_the_end_as_one_asks_for(console: Console, tmp_path: Path, word: str, saves: bool) -> None:
    if not saves:
        console("SET a 1")
    end(console, f"SHUTDOWN {word}")
    assert console.simulation.exit_code == 0
    assert (tmp_path / "dump.rdb").exists() is saves


def test_a_last_save_that_fails_keeps_the_server(tmp_path: Path) -> None:
    directory = tmp_path / "goes"
    directory.mkdir()
    console = Console(options=Options(dir=str(directory), dbfilename="dump.rdb"))
    directory.rmdir()
    console("SET a 1")
    assert console("SHUTDOWN").value == b"ERR Errors trying to SHUTDOWN. Check logs."
    assert console.simulation.exit_code is None
    assert console("SET a 2").value == b"OK"
    end(console, "SHUTDOWN FORCE")
    assert console.simulation.exit_code == 0


def test_writes_wait_for_the_last_save(console: Console, tmp_path: Path) -> None:
    for at in range(200):
        console(f"SET k{at} v")
    other, third = console.another(), console.another()
    console.client.send([b"SHUTDOWN"])
    while not console.simulation.persistence.save:
        console.simulation.step()
    other.client.send([b"SET", b"late", b"1"])
    third.client.send([b"GET", b"k1"])
    console.simulation.run()
    assert other.replies() == []
    assert [reply.value for reply in third.replies()] == [b"v"]
    assert console.simulation.exit_code == 0
    loaded = Console(options=Options(dir=str(tmp_path), dbfilename="dump.rdb"))
    loaded("DFLY LOAD dump.rdb")
    assert loaded("DBSIZE").value == 200


def test_a_shutdown_is_given_up(console: Console) -> None:
    assert console("SHUTDOWN ABORT").value == b"ERR No shutdown in progress."
    for at in range(200):
        console(f"SET k{at} v")
    other, third = console.another(), console.another()
    console.client.send([b"SHUTDOWN"])
    while not console.simulation.persistence.save:
        console.simulation.step()
    other.client.send([b"SET", b"late", b"1"])
    assert third("SHUTDOWN ABORT").value == b"OK"
    console.simulation.run()
    assert [reply.value for reply in other.replies()] == [b"OK"]
    assert [reply.value for reply in console.replies()] == [b"ERR Errors trying to SHUTDOWN. Check logs."]
    assert console.simulation.exit_code is None
    assert info(console)["rdb_last_bgsave_status"] == "ok"


def test_debug_reload(console: Console, tmp_path: Path) -> None:
    console("SET a 1")
    console("RPUSH l 1 2 3")
    before = console("DEBUG DIGEST").value
    assert console("DEBUG RELOAD").value == b"OK"
    assert console("DEBUG DIGEST").value == before
    console("SET b 2")
    assert console("DEBUG RELOAD NOSAVE").value == b"OK"
    assert console("DEBUG DIGEST").value == before
    console("SET a 5")
    console("SET b 2")
    assert console("DEBUG RELOAD NOSAVE NOFLUSH MERGE").value == b"OK"
    assert console.value("MGET a b") == [b"1", b"2"]
    assert console("DEBUG RELOAD NOSAVE NOFLUSH").value == (
        b"ERR Error trying to load the RDB dump, check server logs."
    )
    assert console("DEBUG RELOAD EVERYTHING").kind == "-"
    console("CONFIG SET appendonly no")
    console.simulation.verify()


def test_debug_reload_without_a_name(tmp_path: Path) -> None:
    console = Console(options=Options(dir=str(tmp_path), dbfilename=""))
    console("SET a 1")
    assert console("DEBUG RELOAD").value == b"OK"
    assert console("GET a").value == b"1"
    assert list(tmp_path.iterdir()) == []


def test_loading_is_said_to_others(console: Console) -> None:
    console("SET a 1")
    console("SAVE")
    other = console.another()
    console.client.send([b"DFLY", b"LOAD", b"dump.rdb"])
    while "loading" not in other.client.thread.state.extra:
        console.simulation.step()
    other.client.send([b"GET", b"a"], [b"PING"], [b"INFO", b"persistence"], [b"MULTI"], [b"EXEC"])
    while not other.client.output:
        console.simulation.step()
    console.simulation.run()
    get, ping, told = other.replies()[:3]
    assert get.value == b"LOADING Redis is loading the dataset in memory"
    assert ping.value == get.value
    assert b"loading:1\r\n" in told.value
    assert b"loading_total_bytes:" in told.value
    assert other("GET a").value == b"1"


def test_append_loads_on_top(console: Console) -> None:
    console("MSET a 1 b 1")
    console("SAVE")
    console("MSET b 2 c 2")
    assert console("DFLY LOAD dump.rdb APPEND").value == b"OK"
    assert console.value("MGET a b c") == [b"1", b"1", b"2"]
    assert console("DFLY LOAD dump.rdb").value == b"OK"
    assert console.value("MGET a b c") == [b"1", b"1", None]
    assert console("DFLY LOAD missing.rdb").kind == "-"
    assert console.value("MGET a b c") == [b"1", b"1", None]


def test_functions_are_in_it(console: Console) -> None:
    code = "#!lua name=lib\nredis.register_function('f', function() return 42 end)"
    assert console.run(b"FUNCTION", b"LOAD", code.encode()).value == b"lib"
    console("SAVE")
    console("FUNCTION FLUSH")
    console("DFLY LOAD dump.rdb")
    for thread in range(3):
        assert console.another(thread)("FCALL f 0").value == 42


def test_memory_that_does_not_suffice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(options=Options(dir=str(tmp_path), dbfilename="dump"))
    for at in range(3_000):
        console.client.send([b"SET", b"k%d" % at, b"v" * 1_000])
    console.simulation.run()
    console.replies()
    assert console("SAVE").value == b"OK"
    small = Console(options=Options(dir=str(tmp_path), dbfilename="dump", maxmemory="2mb"))
    assert small("DFLY LOAD dump-summary.dfs").kind == "-"
    assert "it needs more than maxmemory" in capsys.readouterr().err
    cache = Console(options=Options(dir=str(tmp_path), dbfilename="dump", maxmemory="2mb", cache_mode=True))
    assert cache("DFLY LOAD dump-summary.dfs").value == b"OK"
    tick(cache, 3)
    assert 300 < cache("DBSIZE").value < 2_500
    cache.simulation.verify()


def test_flags_of_memcached_clients_are_in_native_snapshots(tmp_path: Path) -> None:
    console = Console(shards=2, options=Options(dir=str(tmp_path), dbfilename="dump"))
    console("SET a plain EX 1000")
    console("SET b other")
    for thread in console.simulation.threads:
        shard = thread.proactor.shard
        for key, value, deadline in list(shard.dbs[0].table.items()):
            shard.dbs[0].put(key, shard.hash_key(key), Flagged(value, 77), deadline)
    assert console("SAVE").value == b"OK"
    assert console("SAVE RDB").value == b"OK"
    for shards in (2, 3):
        loaded = Console(shards=shards, options=Options(dir=str(tmp_path), dbfilename="dump"))
        assert loaded("DFLY LOAD dump-summary.dfs").value == b"OK"
        assert flags_of(loaded.stored(b"a")) == 77
        assert loaded("GET b").value == b"other"
        assert loaded("DFLY LOAD dump.rdb").value == b"OK"
        assert flags_of(loaded.stored(b"a")) == 0
        assert loaded("GET a").value == b"plain"


def test_names(tmp_path: Path) -> None:
    at = 0.0
    assert place_for("/d", "dump", "", at) == Place(NATIVE, "/d/dump-summary.dfs")
    assert place_for("/d", "dump", RDB, at) == Place(RDB, "/d/dump.rdb")
    assert place_for("/d", "dump.rdb", "", at) == Place(RDB, "/d/dump.rdb")
    assert place_for("/d", "dump.rdb", NATIVE, at) == Place(NATIVE, "/d/dump-summary.dfs")
    assert place_for("/d", "x-{timestamp}", RDB, at).path.startswith("/d/x-19")
    assert find_youngest(str(tmp_path), "dump") is None
    for age, name in enumerate(
        ("dump.rdb", "dump-summary.dfs", "dump-2026-01-01T00:00:00.rdb", "dumper.rdb")
    ):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1_000 + age, 1_000 + age))
    assert find_youngest(str(tmp_path), "dump") == Place(NATIVE, str(tmp_path / "dump-summary.dfs"))
    found = find_youngest(str(tmp_path), "dump-{timestamp}")
    assert found == Place(RDB, str(tmp_path / "dump-2026-01-01T00:00:00.rdb"))


def test_the_simulation_begins_with_nothing_saved() -> None:
    simulation = Simulation(1, 1)
    assert isinstance(simulation.persistence, Persistence)
    assert simulation.persistence.last_save == simulation.started_unix_ms // 1000
