"""SLOWLOG where redis-server is no judge: one log of several threads, order and ids, what must not get in."""

from __future__ import annotations

import pytest

from nogil_df.commands.slowlog import SlowLog, shorten
from tests.commands.console import Console
from tests.resp import Reply


@pytest.fixture
def redis() -> Console:
    """A console of thread 1 of three, with everything slow and room for it."""
    console = Console(thread=1)
    console("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 128")
    console("SLOWLOG RESET")
    return console


def entries(console: Console, line: str = "SLOWLOG GET -1") -> list[tuple[int, list[bytes]]]:
    """Ids and arguments, as SLOWLOG GET tells them."""
    return [(entry[0].value, [arg.value for arg in entry[3].value]) for entry in console.value(line)]


def test_commands_of_all_threads_are_in_one_log_in_the_order_they_ended(redis: Console) -> None:
    """Ids are unique and fall; newest first."""
    others = [redis.another(thread) for thread in (0, 1, 2)]
    for turn in range(3):
        for number, other in enumerate(others):
            other(f"ECHO {turn}-{number}")
    found = entries(redis)
    said = [args[1] for _, args in found if args[0] == b"ECHO"]
    assert said == [b"%d-%d" % (turn, number) for turn in (2, 1, 0) for number in (2, 1, 0)]
    ids = [number for number, _ in found]
    assert ids == sorted(set(ids), reverse=True)
    assert ids[0] - ids[-1] == len(ids) - 1


def test_a_client_finds_its_own_last_command(redis: Console) -> None:
    """Whichever thread it is on."""
    for thread in (0, 1, 2):
        client = redis.another(thread)
        client(f"GET on:{thread}")
        assert entries(client, "SLOWLOG GET 1")[0][1] == [b"GET", b"on:%d" % thread]


def test_every_command_of_a_pipeline_is_noted(redis: Console) -> None:
    """Those that ran in one go, those that went to other shards, and runs of another command in between."""
    commands = [[b"SET", b"k%d" % number, b"v"] for number in range(20)]
    commands[7:7] = [[b"PING"], [b"GET", b"k1"]]
    redis.client.send(*commands)
    redis.simulation.run()
    redis.replies()
    found = [args for _, args in reversed(entries(redis))]
    assert [args for args in found if args[0] in (b"SET", b"PING", b"GET")] == commands


def test_an_entry_tells_time_client_and_duration(redis: Console) -> None:
    """Six fields."""
    redis("CLIENT SETNAME me")
    redis("PING")
    identity, when, micros, args, address, name = redis("SLOWLOG GET 1").value[0].value
    assert identity.kind == micros.kind == ":"
    assert micros.value >= 0
    assert when.value == redis.simulation.clock.unix_ms() // 1000
    assert args.value == (Reply("$", b"PING"),)
    assert address.value == redis.client.session.address.encode()
    assert name.value == b"me"


def test_the_limit_holds_for_all_threads_together(redis: Console) -> None:
    """Also when it is lowered."""
    redis("CONFIG SET slowlog-max-len 5")
    for thread in (0, 1, 2):
        client = redis.another(thread)
        for _ in range(4):
            client("PING")
    assert redis.value("SLOWLOG LEN") == 5
    redis("CONFIG SET slowlog-max-len 2")
    assert redis.value("SLOWLOG LEN") == 2
    redis("CONFIG SET slowlog-max-len 0")
    redis("PING")
    assert redis.value("SLOWLOG LEN") == 0


def test_reset_forgets_entries_and_goes_on_counting(redis: Console) -> None:
    """As in Redis."""
    redis("PING")
    before = entries(redis)[0][0]
    redis("SLOWLOG RESET")
    assert entries(redis)[0][0] > before


def test_nothing_is_slow_below_the_threshold(redis: Console) -> None:
    """And nothing at all with a negative one."""
    redis("CONFIG SET slowlog-log-slower-than 10000000")
    redis("SLOWLOG RESET")
    redis("PING")
    assert redis.value("SLOWLOG LEN") == 0
    redis("CONFIG SET slowlog-log-slower-than -1")
    redis("PING")
    assert redis.value("SLOWLOG GET") == []


def test_transactions_are_not_noted_as_a_whole(redis: Console) -> None:
    """EXEC has the flag skip_slowlog."""
    for line in ("MULTI", "SET k v", "EXEC"):
        redis(line)
    assert b"EXEC" not in [args[0] for _, args in entries(redis)]


@pytest.mark.parametrize("line", ["GET abc", "GET -2", "GET 9223372036854775808"])
def test_a_bad_count(redis: Console, line: str) -> None:
    """One error for all."""
    assert redis(f"SLOWLOG {line}") == Reply("-", b"ERR count should be greater than or equal to -1")


def test_too_many_arguments(redis: Console) -> None:
    """Redis's odd wording."""
    wanted = b"ERR unknown subcommand or wrong number of arguments for 'GeT'. Try SLOWLOG HELP."
    assert redis("SLOWLOG GeT 1 2") == Reply("-", wanted)


def test_long_commands_are_cut() -> None:
    """Redis's limits: 32 arguments of 128 bytes."""
    cut = shorten([b"SET", b"k", b"x" * 129])
    assert cut == [b"SET", b"k", b"x" * 128 + b"... (1 more bytes)"]
    assert shorten([b"DEL"] + [b"k"] * 31) == [b"DEL"] + [b"k"] * 31
    assert shorten([b"DEL"] + [b"k"] * 32) == [b"DEL"] + [b"k"] * 30 + [b"... (2 more arguments)"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"AUTH secret", b"AUTH (redacted)"),
        (b"auth user secret", b"auth (redacted) (redacted)"),
        (b"HELLO 3 AUTH user secret SETNAME x", b"HELLO 3 AUTH (redacted) (redacted) SETNAME x"),
        (b"CONFIG SET maxmemory 1 requirepass secret", b"CONFIG SET maxmemory 1 requirepass (redacted)"),
        (b"CONFIG SET requirepass", b"CONFIG SET requirepass"),
        (b"SET AUTH secret", b"SET AUTH secret"),
    ],
)
def test_secrets_are_not_shown(line: bytes, shown: bytes) -> None:
    """Those of logins and of the configuration."""
    assert shorten(line.split()) == shown.split()


def test_what_is_kept_is_not_what_was_sent() -> None:
    """The keeper's thread makes its own bytes."""
    console = Console(thread=2)
    console("CONFIG SET slowlog-log-slower-than 0")
    arg = b"x" * 50
    console.run(b"ECHO", arg)
    log: SlowLog = console.simulation.threads[0].state.slow_log
    kept = next(entry.args[1] for entry in log.newest(5) if entry.args[0] == b"ECHO")
    assert kept == arg
    assert kept is not arg
    assert not any(len(thread.state.slow_log) for thread in console.simulation.threads[1:])
