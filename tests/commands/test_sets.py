"""Commands on sets where redis-server is no judge: shards, ownership, chance, traversals, atomicity."""

from __future__ import annotations

import itertools
from collections import Counter
from random import Random

import pytest

from tests.commands.console import Console
from tests.resp import Reply

PLACES = list(itertools.product((0, 1, 2), repeat=2))
"""Shards of two keys; the coordinator is thread 0."""


def key_on(console: Console, shard: int, prefix: str = "key") -> str:
    """A key that a given shard owns."""
    hash_key = console.simulation.threads[0].proactor.shard.hash_key
    shards = len(console.simulation.threads)
    names = (f"{prefix}{number}" for number in itertools.count())
    return next(name for name in names if (hash_key(name.encode()) >> 32) % shards == shard)


def members(console: Console, key: str) -> set[bytes]:
    return set(console.value(f"SMEMBERS {key}"))


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console(thread=0)


@pytest.mark.parametrize(("source", "target"), PLACES)
def test_smove_wherever_the_sets_are(redis: Console, source: int, target: int) -> None:
    one, two = key_on(redis, source, "one"), key_on(redis, target, "two")
    redis(f"SADD {one} a b")
    assert redis.value(f"SMOVE {one} {two} a") == 1
    assert redis.value(f"SMOVE {one} {two} a") == 0
    assert redis.value(f"SMOVE {one} {two} b") == 1
    assert redis.value(f"EXISTS {one}") == 0
    assert members(redis, two) == {b"a", b"b"}
    assert redis.value(f"SMOVE {one} {two} b") == 0
    redis(f"SADD {one} b")
    assert redis.value(f"SMOVE {one} {two} b") == 1
    assert redis.value(f"SCARD {two}") == 2
    redis.simulation.verify()


@pytest.mark.parametrize(("source", "target"), PLACES)
def test_smove_judges_types_as_redis_does(redis: Console, source: int, target: int) -> None:
    one, two = key_on(redis, source, "one"), key_on(redis, target, "two")
    redis(f"SET {two} text")
    assert redis.value(f"SMOVE {one} {two} a") == 0
    redis(f"SADD {one} a")
    for member in ("a", "z"):
        assert redis(f"SMOVE {one} {two} {member}").kind == "-"
    assert redis(f"SMOVE {two} {one} a").kind == "-"
    assert redis.value(f"SISMEMBER {one} a") == 1
    redis.simulation.verify()


@pytest.mark.parametrize("thread", [0, 2])
def test_algebra_over_shards(thread: int) -> None:
    redis = Console(thread=thread)
    random = Random(3)
    keys = [key_on(redis, shard, prefix) for shard in range(3) for prefix in ("one", "two")]
    model: dict[str, set[bytes]] = {}
    for key in keys:
        model[key] = {b"%d" % random.randrange(40) for _ in range(25)}
        redis.run(b"SADD", key.encode(), *model[key])
    target = key_on(redis, 1, "target")
    for count in (1, 2, 3, 6):
        for _ in range(10):
            chosen = [random.choice(keys) for _ in range(count)]
            sets = [model[key] for key in chosen]
            results = {
                "SINTER": set.intersection(*sets),
                "SUNION": set.union(*sets),
                "SDIFF": sets[0].difference(*sets[1:]),
            }
            for name, expected in results.items():
                words = " ".join(chosen)
                assert set(redis.value(f"{name} {words}")) == expected
                assert redis.value(f"{name}STORE {target} {words}") == len(expected)
                assert members(redis, target) == expected
            assert redis.value(f"SINTERCARD {count} {words}") == len(results["SINTER"])
    redis.simulation.verify()


@pytest.mark.parametrize(("source", "target"), PLACES)
def test_what_a_store_leaves_belongs_to_its_shard(redis: Console, source: int, target: int) -> None:
    """Members that come from another shard are copied; the sources stay as they were."""
    one, two = key_on(redis, source, "one"), key_on(redis, target, "two")
    redis(f"SADD {one} some members here")
    redis(f"SUNIONSTORE {two} {one} none")
    if source != target:
        owned = {id(member) for member in redis.stored(one.encode()).members}
        assert not any(id(member) in owned for member in redis.stored(two.encode()).members)
    redis(f"SREM {two} some")
    assert redis.value(f"SCARD {one}") == 3
    redis.simulation.verify()


@pytest.mark.parametrize("shard", [1, 2])
def test_what_a_set_holds_belongs_to_its_shard(redis: Console, shard: int) -> None:
    """What came by a hop is copied."""
    here, there = key_on(redis, 0, "here"), key_on(redis, shard, "there")
    one, two = bytes(bytearray(b"one member")), bytes(bytearray(b"another member"))
    redis.run(b"SADD", there.encode(), one)
    redis.run(b"SADD", there.encode(), two, b"a third")
    assert not any(member is one or member is two for member in redis.stored(there.encode()).members)
    redis.run(b"SADD", here.encode(), one, two)
    moved = redis.stored(here.encode()).members
    redis("DEL " + there)
    redis.run(b"SMOVE", here.encode(), there.encode(), one)
    arrived = redis.stored(there.encode()).members
    assert arrived == {one}
    assert not any(member is one for member in arrived)
    assert not any(member is other for member in arrived for other in moved)


def test_commands_on_several_sets_inside_exec(redis: Console) -> None:
    one, two, three = (key_on(redis, shard) for shard in range(3))
    redis("MULTI")
    for line in (
        f"SADD {one} a b c",
        f"SMOVE {one} {two} a",
        f"SUNIONSTORE {three} {one} {two}",
        f"SINTERCARD 2 {three} {one}",
        f"SMOVE {one} {two} z",
        f"SDIFFSTORE {three} {one} {one}",
    ):
        assert redis(line).value == b"QUEUED"
    assert redis.value("EXEC") == [3, 1, 3, 2, 0, 0]
    assert redis.value(f"EXISTS {three}") == 0
    redis.simulation.verify()


@pytest.mark.parametrize("seed", range(8))
def test_no_member_is_lost_or_doubled_while_it_moves(seed: int) -> None:
    """Clients move members about and count them all in one transaction; there are always as many."""
    redis = Console(seed=seed)
    keys = [key_on(redis, shard, prefix) for shard in range(3) for prefix in ("one", "two")]
    names = [b"m%d" % number for number in range(12)]
    redis.run(b"SADD", keys[0].encode(), *names)
    random = Random(seed)
    movers = [redis.another(thread) for thread in (0, 1, 2, 0)]
    watcher = redis.another(1)
    for mover in movers:
        mover.client.send(
            *[
                [b"SMOVE", random.choice(keys).encode(), random.choice(keys).encode(), random.choice(names)]
                for _ in range(60)
            ]
        )
    for _ in range(30):
        watcher.client.send([b"SUNION", *[key.encode() for key in keys]])
        watcher.client.send([b"MULTI"], *[[b"SCARD", key.encode()] for key in keys], [b"EXEC"])
    redis.simulation.run()
    replies = watcher.replies()
    unions = [reply for reply in replies if reply.kind == "*" and len(reply.value) == len(names)]
    counts = [
        reply for reply in replies if reply.kind == "*" and all(item.kind == ":" for item in reply.value)
    ]
    assert len(counts) == 30
    assert len(unions) == 30
    assert all(sum(item.value for item in reply.value) == len(names) for reply in counts)
    redis.simulation.verify()


def test_spop_is_fair(redis: Console) -> None:
    chosen: Counter[bytes] = Counter()
    for _ in range(600):
        redis("SADD s a b c")
        chosen[redis.value("SPOP s")] += 1
    # 200 expected of each, standard deviation 11.5.
    assert all(140 < chosen[name] < 260 for name in (b"a", b"b", b"c"))


@pytest.mark.parametrize("count", [10, 65, 700])
def test_a_set_is_popped_empty(redis: Console, count: int) -> None:
    names = {b"m%d" % number for number in range(count)}
    redis.run(b"SADD", b"s", *names)
    popped = set(redis.value("SPOP s 5"))
    assert len(popped) == 5
    while redis.value("SCARD s"):
        popped.add(redis.value("SPOP s"))
    assert popped == names
    assert redis.value("EXISTS s") == 0
    redis.simulation.verify()


def test_srandmember_of_a_big_set(redis: Console) -> None:
    names = {b"m%d" % number for number in range(1000)}
    redis.run(b"SADD", b"s", *names)
    assert redis.value("SRANDMEMBER s") in names
    for count in (1, 10, 500, 999, 1000, 2000):
        found = redis.value(f"SRANDMEMBER s {count}")
        assert len(set(found)) == len(found) == min(count, 1000)
        assert set(found) <= names
    found = redis.value("SRANDMEMBER s -3000")
    assert len(found) == 3000
    assert len(set(found)) > 900
    redis.simulation.verify()


@pytest.mark.parametrize("seed", range(5))
def test_sscan_gives_whoever_is_there_all_the_time(seed: int) -> None:
    redis = Console(seed=seed)
    random = Random(seed)
    stay = {b"stay:%d" % number for number in range(400)}
    redis.run(b"SADD", b"s", *stay)
    others: list[bytes] = []
    found: set[bytes] = set()
    cursor = b"0"
    for _ in range(10_000):
        answer = redis(f"SSCAN s {cursor.decode()} COUNT {random.randrange(1, 40)}")
        cursor = answer.value[0].value
        found |= {item.value for item in answer.value[1].value}
        if cursor == b"0":
            break
        if random.random() < 0.6:
            some = [b"other:%d" % random.randrange(1 << 40) for _ in range(60)]
            others += some
            redis.run(b"SADD", b"s", *some)
        elif others:
            gone = random.sample(others, len(others) // 2)
            others = [name for name in others if name not in gone]
            if gone:
                redis.run(b"SREM", b"s", *gone)
    assert cursor == b"0"
    assert stay <= found
    redis.simulation.verify()


def test_sscan_answers_compact_sets_at_once(redis: Console) -> None:
    redis.run(b"SADD", b"s", *[b"%d" % number for number in range(500)])
    answer = redis("SSCAN s 0 COUNT 1")
    assert answer.value[0].value == b"0"
    assert len(answer.value[1].value) == 500


@pytest.mark.parametrize("fill", ["SADD", "HSET"])
def test_nobody_can_ask_for_a_reply_without_end(redis: Console, fill: str) -> None:
    redis(f"{fill} s a b")
    command = "SRANDMEMBER" if fill == "SADD" else "HRANDFIELD"
    assert redis(f"{command} s -9223372036854775807").value == b"ERR value is out of range"
    assert redis.value(f"{command} none -9223372036854775807") == []


def test_resp3_has_sets() -> None:
    redis = Console(protocol=3)
    redis("SADD s a")
    alone = Reply("~", (Reply("$", b"a"),))
    for line in ("SMEMBERS s", "SINTER s", "SUNION s none", "SDIFF s", "SPOP s 1"):
        assert redis(line) == alone
    for line in ("SMEMBERS s", "SINTER s", "SPOP s 1"):
        assert redis(line) == Reply("~", ())


def test_a_watched_set_is_spoiled_by_any_change(redis: Console) -> None:
    other = redis.another(2)
    for change, spoils in (
        ("SADD s a", False),
        ("SADD s b", True),
        ("SREM s z", False),
        ("SREM s a", True),
        ("SMOVE s t a", True),
        ("SPOP s", True),
        ("SUNIONSTORE s t", True),
        ("SMEMBERS s", False),
    ):
        redis("DEL s t")
        redis("SADD s a x")
        redis("SADD t y")
        redis("WATCH s")
        other(change)
        redis("MULTI")
        redis("PING")
        assert (redis("EXEC").value is None) == spoils, change


def test_limits_follow_the_configuration_on_every_thread(redis: Console) -> None:
    redis("CONFIG SET set-max-intset-entries 2")
    for shard in range(3):
        key = key_on(redis, shard)
        redis(f"SADD {key} 1 2")
        assert redis.value(f"OBJECT ENCODING {key}") == b"intset"
        redis(f"SADD {key} 3")
        assert redis.value(f"OBJECT ENCODING {key}") == b"hashtable"


@pytest.mark.parametrize("fill", ["SADD", "HSET"])
@pytest.mark.parametrize("removal", ["DEL big", "UNLINK big", "SINTERSTORE big none"])
def test_a_big_collection_is_freed_in_the_background(redis: Console, fill: str, removal: str) -> None:
    words = [b"member:%d" % number for number in range(20_000)]
    redis.run(fill.encode(), b"big", *words)
    redis(removal)
    assert redis.value("EXISTS big") == 0
    garbage = [thread.proactor.shard.garbage for thread in redis.simulation.threads]
    assert sum(map(len, garbage)) == 1
    assert redis.value("PING") == b"PONG"
    for _ in range(200):
        redis.simulation.advance(1000)
    assert not any(garbage)
    redis.simulation.verify()
