"""CONFIG: changes reach every thread, all or nothing, in one order; what they steer follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from nogil_df.base import log
from nogil_df.base.flags import Options
from tests.commands.console import Console


def settings(console: Console, name: str) -> list[object]:
    """The value of a parameter on each thread."""
    return [getattr(thread.state.config, name) for thread in console.simulation.threads]


def test_a_change_reaches_every_thread() -> None:
    console = Console(shards=4)
    assert console("CONFIG SET maxclients 77 slowlog-log-slower-than 3").value == b"OK"
    assert settings(console, "maxclients") == [77] * 4
    assert [thread.state.slow_ns for thread in console.simulation.threads] == [3000] * 4


def test_all_or_nothing() -> None:
    console = Console()
    before = settings(console, "maxclients")
    assert console("CONFIG SET maxclients 5 hz abc").kind == "-"
    assert settings(console, "maxclients") == before
    console.simulation.verify()


@pytest.mark.parametrize("seed", range(20))
def test_simultaneous_changes_end_the_same_everywhere(seed: int) -> None:
    one = Console(seed=seed, shards=3, thread=0)
    two = one.another(thread=1)
    three = one.another(thread=2)
    for number, console in enumerate((one, two, three)):
        console.client.send(
            [b"CONFIG", b"SET", b"maxclients", b"%d" % (100 + number), b"timeout", b"%d" % number]
        )
    one.simulation.run()
    assert [console.replies()[0].value for console in (one, two, three)] == [b"OK"] * 3
    values = set(zip(settings(one, "maxclients"), settings(one, "timeout"), strict=True))
    assert values in ({(100, 0)}, {(101, 1)}, {(102, 2)})
    one.simulation.verify()


def test_inside_a_transaction() -> None:
    console = Console()
    console("MULTI")
    console("CONFIG SET timeout 9")
    console("CONFIG GET timeout")
    console("CONFIG SET timeout -1")
    replies = console("EXEC").value
    assert replies[0].value == b"OK"
    assert [item.value for item in replies[1].value] == [b"timeout", b"9"]
    assert replies[2].kind == "-"
    console.simulation.verify()


def test_notifications_are_switched_on_all_shards() -> None:
    console = Console(shards=3)
    listener = console.another()
    listener("PSUBSCRIBE __keyevent@0__:*")
    console("CONFIG SET notify-keyspace-events KEA")
    for number in range(10):
        console(f"SET key:{number} v")
    assert len([reply for reply in listener.replies() if reply.value[0].value == b"pmessage"]) == 10
    console('CONFIG SET notify-keyspace-events ""')
    console("SET k v")
    assert not listener.replies()


def test_password_is_asked_of_new_clients() -> None:
    console = Console()
    console("CONFIG SET requirepass secret")
    assert console("PING").value == b"PONG"
    newcomer = console.another()
    assert newcomer("PING").value.startswith(b"NOAUTH")
    assert newcomer("AUTH secret").value == b"OK"
    assert newcomer("PING").value == b"PONG"


def test_loglevel() -> None:
    level = log.LOG.level
    try:
        Console()("CONFIG SET loglevel debug")
        assert log.enabled(log.DEBUG)
    finally:
        log.LOG.level = level


def test_secret_and_immutable_parameters() -> None:
    console = Console()
    assert b"immutable" in console("CONFIG SET databases 3").value
    assert b"protected" in console("CONFIG SET dir /").value
    assert console.value("CONFIG GET requirepass") == [b"requirepass", b""]


def test_rewrite_without_a_file() -> None:
    assert Console()("CONFIG REWRITE").value == b"ERR The server is running without a config file"


def test_rewrite(tmp_path: Path) -> None:
    path = tmp_path / "flags"
    path.write_text("# mine\n--hz=10\n")
    console = Console(options=Options(flagfile=str(path), hz=10))
    console("CONFIG SET hz 20 timeout 7")
    assert console("CONFIG REWRITE").value == b"OK"
    lines = path.read_text().splitlines()
    assert lines[:2] == ["# mine", "--hz=20"]
    assert "--timeout=7" in lines
    console.simulation.verify()


def test_help_names_every_subcommand() -> None:
    text = b"\n".join(console_line.value for console_line in Console()("CONFIG HELP").value)
    for word in (b"GET", b"SET", b"RESETSTAT", b"REWRITE", b"HELP"):
        assert word in text
