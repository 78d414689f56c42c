"""Waiting for lists on several shards: who is served, by what, what is left, and nobody waits for ever."""

from __future__ import annotations

import pytest

from tests.commands.console import Console
from tests.differential.case import words
from tests.resp import Reply

KEYS = [b"key:%d" % number for number in range(6)]
NULL_ARRAY = Reply("*", None)
WRONG_TYPE = Reply("-", b"WRONGTYPE Operation against a key holding the wrong kind of value")


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console()


def start(console: Console, line: str) -> None:
    """Send a command that waits; it must not be answered yet."""
    console.client.send(list(words(line)))
    console.simulation.run()
    assert console.replies() == []


def answers(console: Console) -> list[object]:
    """What came for a client that waited, as plain values."""
    console.simulation.run()
    return [plain(reply) for reply in console.replies()]


def plain(reply: Reply) -> object:
    """A reply without its types."""
    return [plain(item) for item in reply.value] if isinstance(reply.value, list | tuple) else reply.value


def elements(redis: Console, key: bytes) -> object:
    """What LRANGE 0 -1 answers."""
    return plain(redis.run(b"LRANGE", key, b"0", b"-1"))


def verify(redis: Console) -> None:
    """Every shard's invariants hold and nobody waits any more."""
    redis.simulation.run()
    redis.simulation.verify()
    for thread in redis.simulation.threads:
        shard = thread.proactor.shard
        assert not any(db.waiting for db in shard.dbs)
        assert not shard.ready


@pytest.mark.parametrize("thread", [0, 1, 2])
@pytest.mark.parametrize("key", KEYS)
def test_a_pop_waits_wherever_the_key_is(redis: Console, thread: int, key: bytes) -> None:
    other = redis.another(thread)
    start(other, f"BLPOP {b' '.join(KEYS).decode()} 0")
    assert redis.run(b"RPUSH", key, b"a", b"b") == Reply(":", 2)
    assert answers(other) == [[key, b"a"]]
    assert elements(redis, key) == [b"b"]
    assert redis.run(b"LLEN", key) == Reply(":", 1)
    verify(redis)


@pytest.mark.parametrize("thread", [0, 1, 2])
@pytest.mark.parametrize("target", KEYS[1:])
def test_a_move_waits_and_wakes_who_waits_for_its_target(redis: Console, thread: int, target: bytes) -> None:
    mover, taker = redis.another(thread), redis.another((thread + 1) % 3)
    start(taker, f"BRPOP {target.decode()} 0")
    start(mover, f"BLMOVE {KEYS[0].decode()} {target.decode()} RIGHT LEFT 0")
    redis.run(b"RPUSH", KEYS[0], b"a", b"b")
    assert answers(mover) == [b"b"]
    assert answers(taker) == [[target, b"b"]]
    assert elements(redis, KEYS[0]) == [b"a"]
    assert elements(redis, target) == []
    verify(redis)


@pytest.mark.parametrize("target", KEYS[1:])
def test_a_move_to_another_type_fails_and_takes_nothing(redis: Console, target: bytes) -> None:
    mover, taker = redis.another(1), redis.another(2)
    redis.run(b"SET", target, b"v")
    start(mover, f"BLMOVE {KEYS[0].decode()} {target.decode()} LEFT LEFT 0")
    start(taker, f"BLPOP {KEYS[0].decode()} 0")
    redis.run(b"RPUSH", KEYS[0], b"a")
    assert answers(mover) == [WRONG_TYPE.value]
    assert answers(taker) == [[KEYS[0], b"a"]]
    verify(redis)


def test_counts_are_served_in_order(redis: Console) -> None:
    first, second, third = (redis.another(thread) for thread in range(3))
    start(first, "BLMPOP 0 2 x l LEFT COUNT 2")
    start(second, "BLMPOP 0 2 l y RIGHT COUNT 2")
    start(third, "BLPOP l 0")
    redis("RPUSH l a b c")
    assert answers(first) == [[b"l", [b"a", b"b"]]]
    assert answers(second) == [[b"l", [b"c"]]]
    assert answers(third) == []
    redis("RPUSH l d")
    assert answers(third) == [[b"l", b"d"]]
    verify(redis)


def test_an_exec_is_seen_whole(redis: Console) -> None:
    """What EXEC pushed and took again was never there; what it left is served when it concludes."""
    other = redis.another(1)
    start(other, "BLPOP l 0")
    for line in ("MULTI", "RPUSH l a", "LPOP l", "EXEC"):
        redis(line)
    assert answers(other) == []
    for line in ("MULTI", "RPUSH l a b", "LSET l 0 z", "LPUSH l y", "EXEC"):
        redis(line)
    assert answers(other) == [[b"l", b"y"]]
    assert elements(redis, b"l") == [b"z", b"b"]
    verify(redis)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("BLPOP a b 1", NULL_ARRAY),
        ("BRPOP a b 1", NULL_ARRAY),
        ("BLMPOP 1 2 a b LEFT", NULL_ARRAY),
        ("BLMOVE a b LEFT LEFT 1", NULL_ARRAY),
        ("BRPOPLPUSH a b 1", NULL_ARRAY),
    ],
)
def test_time_is_up(redis: Console, line: str, answer: Reply) -> None:
    other = redis.another(1)
    start(other, line)
    redis.simulation.advance(900)
    assert other.replies() == []
    redis.simulation.advance(200)
    redis.simulation.run()
    assert other.replies() == [answer]
    redis("RPUSH a x")
    assert elements(redis, b"a") == [b"x"]
    verify(redis)


def test_who_went_away_takes_nothing(redis: Console) -> None:
    gone, there = redis.another(1), redis.another(2)
    start(gone, "BLPOP l m 0")
    start(there, "BLPOP m l 0")
    gone.client.close(after_replies=False)
    redis.simulation.run()
    redis("RPUSH l a")
    assert answers(there) == [[b"l", b"a"]]
    verify(redis)


@pytest.mark.parametrize("seed", range(15))
def test_no_element_is_lost_or_doubled(seed: int) -> None:
    """Producers push, consumers wait for two keys each, movers carry elements between keys of any shards."""
    redis = Console(seed=seed)
    consumers = [redis.another(thread % 3) for thread in range(4)]
    movers = [redis.another(thread % 3) for thread in range(3)]
    producers = [redis.another(thread) for thread in range(3)]
    total = 60
    for number, consumer in enumerate(consumers):
        one, two = KEYS[number], KEYS[(number + 1) % 4]
        for _ in range(total // 4):
            consumer.client.send([b"BLPOP", one, two, b"0"])
    for number, mover in enumerate(movers):
        for _ in range(8):
            mover.client.send([b"BLMOVE", KEYS[number], KEYS[number + 1], b"LEFT", b"RIGHT", b"0.001"])
    for number in range(total):
        producers[number % 3].client.send([b"RPUSH", KEYS[number % 4], b"%d" % number])
        if number % 7 == 0:
            redis.simulation.run()
            redis.simulation.advance(1)
    redis.simulation.run()
    redis.simulation.advance(100)
    redis.simulation.run()
    left = [element for key in KEYS for element in elements(redis, key)]  # type: ignore[attr-defined]
    taken = [answer[1] for consumer in consumers for answer in answers(consumer)]  # type: ignore[index]
    assert sorted(taken + left) == sorted(b"%d" % number for number in range(total))
    redis.simulation.verify()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("key", KEYS)
def test_a_pipeline_over_shards_can_not_take_back_what_somebody_waits_for(seed: int, key: bytes) -> None:
    """Each command of a pipeline is one of its own, also where several shards run it as one transaction."""
    redis = Console(seed=seed, thread=0)
    waiter = redis.another()
    start(waiter, f"BLPOP {key.decode()} 0")
    redis.client.send(
        [b"RPUSH", key, b"x"],
        *[[b"STRLEN", b"%b:" % other] for other in KEYS],
        [b"LPOP", key],
        [b"LLEN", key],
    )
    assert answers(waiter) == [[key, b"x"]]
    assert answers(redis) == [1, *[0] * len(KEYS), None, 0]
    verify(redis)
