"""MIGRATE on the simulated server: what it holds, for how long, and what is left when the target fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nogil_df.commands.migrate import DIALER, find_migrate_keys
from tests.commands.console import Console
from tests.resp import Decoder, Reply

OK = Reply("+", b"OK")


class Target:
    """A target that answers when the test says so; every thread's dialer."""

    def __init__(self, redis: Console) -> None:
        self.asked: list[tuple[list[Reply], int, Callable[[list[bytes], str], None]]] = []
        for thread in redis.simulation.threads:
            thread.state.extra[DIALER] = self

    def ask(self, host: bytes, port: int, request: bytes, replies: int, timeout: float, done: Any) -> None:
        decoder = Decoder()
        decoder.feed(request)
        self.asked.append((list(iter(decoder.next, None)), replies, done))

    def answer(self, redis: Console, *lines: bytes, failure: str = "") -> None:
        _, _, done = self.asked.pop(0)
        done(list(lines), failure)
        for thread in redis.simulation.threads:
            thread.proactor.finish_turn()
        redis.simulation.run()


@pytest.fixture(params=[1, 3])
def redis(request: pytest.FixtureRequest) -> Console:
    return Console(shards=request.param)


def begin(redis: Console, line: str) -> Console:
    client = redis.another()
    client.client.send(line.encode().split())
    redis.simulation.run()
    return client


def test_the_keys_are_held_until_the_target_has_them(redis: Console) -> None:
    target = Target(redis)
    for key in "abcdef":
        redis(f"SET {key} {key}")
    moving = begin(redis, "MIGRATE host 1 a 0 1000 REPLACE AUTH secret")
    (commands, replies, _) = target.asked[0]
    assert replies == 3
    assert [command.value[0].value for command in commands] == [b"AUTH", b"SELECT", b"RESTORE"]
    waiting = begin(redis, "APPEND a x")
    keys = begin(redis, "DBSIZE")
    assert [redis.value(f"GET {key}") for key in "bcdef"] == [b"b", b"c", b"d", b"e", b"f"]
    assert waiting.replies() == keys.replies() == moving.replies() == []
    target.answer(redis, b"+OK", b"+OK", b"+OK")
    assert moving.replies() == [OK]
    assert waiting.replies() == [Reply(":", 1)]
    assert keys.replies()[0].kind == ":"
    redis.simulation.verify()


def test_what_was_acknowledged_before_the_connection_broke_is_gone(redis: Console) -> None:
    target = Target(redis)
    for key in "abc":
        redis(f"SET {key} {key}")
    moving = redis.another()
    moving.client.send([b"MIGRATE", b"host", b"1", b"", b"0", b"1000", b"KEYS", b"a", b"b", b"none", b"c"])
    redis.simulation.run()
    target.answer(redis, b"+OK", b"+OK", b"-BUSYKEY there", failure="reading")
    assert moving.replies() == [Reply("-", b"IOERR error or timeout reading to target instance")]
    assert [redis.value(f"EXISTS {key}") for key in "abc"] == [0, 1, 1]
    redis.simulation.verify()


def test_a_database_that_the_target_has_not_moves_nothing(redis: Console) -> None:
    target = Target(redis)
    redis("SET a 1")
    moving = begin(redis, "MIGRATE host 1 a 99 1000")
    target.answer(redis, b"-ERR DB index is out of range", b"+OK")
    assert (
        moving.replies()[0].value == b"ERR Target instance replied with error: ERR DB index is out of range"
    )
    assert redis.value("EXISTS a") == 1


def test_a_client_that_leaves_does_not_matter_to_the_move(redis: Console) -> None:
    target = Target(redis)
    redis("SET a 1")
    moving = begin(redis, "MIGRATE host 1 a 0 1000")
    moving.client.close(after_replies=False)
    target.answer(redis, b"+OK", b"+OK")
    assert redis.value("EXISTS a") == 0
    redis.simulation.verify()


def test_nobody_gets_between_the_commands_of_an_exec_that_migrates(redis: Console) -> None:
    target = Target(redis)
    redis("SET a 1")
    moving = redis.another()
    words = ["MULTI", "INCR a", "MIGRATE host 1 a 0 1000 COPY", "INCR a", "EXEC"]
    moving.client.send(*[line.encode().split() for line in words])
    redis.simulation.run()
    other = begin(redis, "INCR a")
    assert other.replies() == []
    target.answer(redis, b"+OK", b"+OK")
    assert moving.replies()[-1].value == (Reply(":", 2), OK, Reply(":", 3))
    assert other.replies() == [Reply(":", 4)]
    redis.simulation.verify()


@pytest.mark.parametrize("asks", ["CLIENT LIST", "INFO", "SLOWLOG LEN", "CONFIG RESETSTAT"])
def test_nor_between_those_of_one_that_asks_all_threads(asks: str) -> None:
    for seed in range(30):
        redis = Console(seed=seed, shards=2)
        first, second = redis.another(0), redis.another(1)
        for line in ("MULTI", "INCR a", asks, "INCR a", "EXEC"):
            first.client.send(line.encode().split())
        second.client.send(*[[b"INCR", b"a"]] * 3)
        redis.simulation.run()
        _, one, _, two = (None, *first.replies()[-1].value)
        assert two.value == one.value + 1, f"seed {seed}"
        redis.simulation.verify()


def test_not_from_a_script(redis: Console) -> None:
    Target(redis)
    redis("SET a 1")
    text = b"return redis.call('migrate', 'host', 1, 'a', 0, 1000)"
    assert redis.run(b"EVAL", text, b"0").value.startswith(
        b"ERR This Redis command is not allowed from script"
    )
    redis.simulation.verify()


def test_a_script_that_gives_its_thread_away_can_wait_for_a_move() -> None:
    """One over several shards, suspended at each call elsewhere: the key is held till the target has it."""
    redis = Console(shards=3, thread=0)
    target = Target(redis)
    hash_key = redis.simulation.threads[0].proactor.shard.hash_key
    keys: dict[int, bytes] = {}
    for number in range(100):
        key = b"k%d" % number
        keys.setdefault((hash_key(key) >> 32) % 3, key)
    text = (
        b"redis.call('SET', KEYS[1], 'x') redis.call('SET', KEYS[2], 'y') "
        b"redis.call('MIGRATE', 'host', 1, KEYS[2], 0, 1000) "
        b"return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}"
    )
    moving = redis.another()
    moving.client.send([b"EVAL", text, b"2", keys[1], keys[2]])
    waiting = redis.another()
    redis.simulation.run()
    waiting.client.send([b"GET", keys[2]])
    redis.simulation.run()
    assert len(target.asked) == 1
    assert moving.replies() == waiting.replies() == []
    target.answer(redis, b"+OK", b"+OK")
    assert moving.replies() == [Reply("*", (Reply("$", b"x"), Reply("$", None)))]
    assert waiting.replies() == [Reply("$", None)]
    redis.simulation.verify()


def test_which_words_are_keys() -> None:
    def keys(line: str) -> list[bytes]:
        words = [b"" if word == "''" else word.encode() for word in line.split()]
        return [words[at] for at in find_migrate_keys(words)]

    assert keys("MIGRATE h 1 a 0 9 COPY") == [b"a"]
    assert keys("MIGRATE h 1 '' 0 9 COPY AUTH KEYS KEYS a b") == [b"a", b"b"]
    assert keys("MIGRATE h 1 '' 0 9 AUTH2 KEYS KEYS REPLACE KEYS a") == [b"a"]


def test_no_password_is_shown(redis: Console) -> None:
    target = Target(redis)
    monitor = begin(redis, "MONITOR")
    monitor.replies()
    redis("SET a 1")
    begin(redis, "MIGRATE host 1 a 0 1000 AUTH2 me secret")
    target.answer(redis, b"+OK", b"+OK", b"+OK")
    assert b'"AUTH2" "(redacted)" "(redacted)"' in monitor.replies()[-1].value
