"""Big values in slices: the replies of one go, one moment for each command, and others served between."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from nogil_df.base.flags import Options
from nogil_df.shard.lengthy import Lengthy, sort_in_slices
from nogil_df.vll import slices
from tests.commands.console import Console

ELEMENTS = [b"element:%d" % number for number in range(18)]
SLICED = Options(slice_elements=3)


def filled(options: Options, seed: int, shards: int) -> Console:
    """A server with a big value of each type."""
    console = Console(seed=seed, shards=shards, options=options)
    console.run(b"RPUSH", b"list", *ELEMENTS)
    console.run(b"RPUSH", b"numbers", *(b"%d" % (number * 7919 % 101) for number in range(60)))
    console.run(b"SADD", b"set", *ELEMENTS)
    console.run(b"SADD", b"other", *ELEMENTS[20:], b"x", b"y")
    console.run(b"SADD", b"{set}beside", *ELEMENTS[5:30])
    console.run(b"HSET", b"hash", *(word for element in ELEMENTS for word in (element, element)))
    scored = (word for at, element in enumerate(ELEMENTS) for word in (b"%d" % (at % 7), element))
    console.run(b"ZADD", b"zset", *scored)
    console.run(b"ZADD", b"{zset}beside", *(word for e in ELEMENTS[30:] for word in (b"2.5", e)))
    for number in range(1, 25):
        console.run(b"XADD", b"stream", b"%d-1" % number, b"field", b"%d" % number)
    for number in range(35):
        console.run(b"SET", b"weight_element:%d" % number, b"%d" % (number * 31 % 17))
    return console


IN_ORDER = """
LRANGE list 0 -1; LRANGE list 7 31; LRANGE list 60 -1; LRANGE none 0 -1
ZRANGE zset 0 -1; ZRANGE zset 0 -1 WITHSCORES; ZREVRANGE zset 2 -3 WITHSCORES
ZRANGEBYSCORE zset 1 5 LIMIT 2 20; ZRANGEBYLEX zset - +; ZREVRANGEBYSCORE zset +inf (1 WITHSCORES
XRANGE stream - +; XREVRANGE stream + -; XRANGE stream 3 17 COUNT 9; XREVRANGE stream 9 9; XRANGE stream 5 2
SORT list ALPHA; SORT list ALPHA DESC LIMIT 3 22; SORT numbers; SORT numbers DESC LIMIT 1 40; SORT list
SORT list BY weight_*; SORT set BY weight_* GET # GET weight_* DESC; SORT list BY nosort GET weight_*
SORT set BY nosort STORE sorted; LRANGE sorted 0 -1; SORT list BY weight_* STORE sorted; LRANGE sorted 0 -1
ZUNION 2 zset set WITHSCORES; ZINTER 2 zset set WEIGHTS 2 3 WITHSCORES; ZDIFF 2 zset other WITHSCORES
ZUNION 2 zset {zset}beside AGGREGATE MAX; ZUNIONSTORE ranked 2 zset set; ZRANGE ranked 0 -1 WITHSCORES
ZINTERSTORE ranked 2 zset other WEIGHTS 1 5; ZRANGE ranked 0 -1 WITHSCORES; ZDIFFSTORE ranked 2 zset other
ZRANGE ranked 0 -1 WITHSCORES; ZUNIONSTORE {zset}all 2 zset {zset}beside WEIGHTS 1 2
ZRANGE {zset}all 0 -1 WITHSCORES
ZRANGESTORE ranked zset 3 30; ZRANGE ranked 0 -1 WITHSCORES; ZINTERCARD 2 zset set; OBJECT ENCODING ranked
COPY list copied REPLACE; LRANGE copied 0 -1; COPY list {list}copied; LRANGE {list}copied 0 -1
COPY list {list}copied; COPY zset copied REPLACE; ZRANGE copied 0 -1 WITHSCORES; COPY zset {zset}copied
ZRANGE {zset}copied 0 -1 WITHSCORES
RENAME {zset}copied moved; ZRANGE moved 0 -1 WITHSCORES; COPY none copied REPLACE; DBSIZE; DEBUG DIGEST
SORT numbers STORE sorted; LRANGE sorted 0 -1; SORT none STORE sorted; TYPE sorted; SORT zset ALPHA DESC
"""
IN_ANY_ORDER = """
SMEMBERS set; HGETALL hash; HKEYS hash; HVALS hash; KEYS *; KEYS weight*1*; SUNION set other
SINTER set other; SDIFF set other; SUNION set {set}beside; SINTER set {set}beside; SDIFF set {set}beside
SUNION none set; SINTER set none; SDIFF other {set}beside set; SINTER set other {set}beside
SORT set BY nosort
SUNIONSTORE stored set other; SMEMBERS stored; SINTERSTORE stored set other; SMEMBERS stored
SDIFFSTORE stored set {set}beside; SMEMBERS stored
SUNIONSTORE {set}stored set {set}beside; SMEMBERS {set}stored
COPY set copied REPLACE; SMEMBERS copied; COPY set {set}copied; SMEMBERS {set}copied; TYPE copied
COPY hash copied REPLACE; HGETALL copied; COPY hash {hash}copied; HGETALL {hash}copied; DEBUG DIGEST
SINTERSTORE {set}stored set {set}beside; OBJECT ENCODING {set}stored; SDIFFSTORE set none; EXISTS set
"""


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace("\n", ";").split(";") if line.strip()]


def sortable(value: Any) -> Any:
    """A reply as something that does not depend on the order of its elements."""
    return sorted(map(repr, value)) if value.__class__ in (list, tuple, set, dict) else value


@pytest.mark.parametrize("shards", [1, 2, 3])
@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_are_those_of_one_go(shards: int, protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Lengthy] = []
    begin = slices.begin

    def counted(engine: Any, part: Any, lengthy: Lengthy, last: bool) -> None:
        begun.append(lengthy)
        begin(engine, part, lengthy, last)

    monkeypatch.setattr("nogil_df.vll.engine.begin", counted)
    one_go = filled(Options(), 1, shards)
    in_slices = filled(SLICED, 2, shards)
    for console in (one_go, in_slices):
        console.run(b"HELLO", b"%d" % protocol)
    for line in lines(IN_ORDER):
        assert in_slices(line) == one_go(line), line
    for line in lines(IN_ANY_ORDER):
        assert sortable(in_slices(line).value) == sortable(one_go(line).value), line
    in_slices.simulation.verify()
    assert not any(thread.proactor.shard.pinned for thread in in_slices.simulation.threads)
    assert len(begun) > len(lines(IN_ORDER))


@pytest.mark.parametrize("wrap", ["pipeline", "multi", "script", "no_touch", "tracking"])
def test_where_nobody_may_get_in_between_it_is_one_go(wrap: str) -> None:
    """Or at least the same replies: a pipeline whose commands are not squashed goes on in slices."""
    consoles = filled(Options(), 1, 2), filled(SLICED, 2, 2)
    reads = [line for line in lines(IN_ORDER) if not line.startswith("SORT") or "STORE" not in line]
    answers = []
    for console in consoles:
        if wrap == "script":
            found = [
                console.run(b"EVAL", b"return redis.call(unpack(ARGV))", b"0", *line.encode().split())
                for line in reads
            ]
            answers.append([reply.value for reply in found])
            continue
        before = {"multi": [b"MULTI"], "no_touch": [b"CLIENT", b"NO-TOUCH", b"ON"]}
        before["tracking"] = [b"CLIENT", b"TRACKING", b"ON"]
        if wrap == "tracking":
            console.run(b"HELLO", b"3")
        commands = [before[wrap]] if wrap in before else []
        commands += [line.encode().split() for line in reads]
        if wrap == "multi":
            commands.append([b"EXEC"])
        console.client.send(*commands)
        console.simulation.run()
        console.simulation.verify()
        # When a client is told of its own writes is not the point.
        answers.append([reply.value for reply in console.replies() if reply.kind != ">"])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("seed", range(40))
def test_a_value_is_read_as_it_was_at_one_moment(seed: int) -> None:
    """Writers replace all elements at a time; whoever reads sees one generation, and never an older one."""
    shards = 1 + seed % 3
    writer = Console(seed=seed, shards=shards, options=SLICED)
    readers = [writer.another() for _ in range(3)]
    source = random.Random(seed)

    def generation(number: int) -> list[list[bytes]]:
        words = [b"%d:%d" % (number, at) for at in range(20)]
        pairs = [word for at in range(20) for word in (b"field:%d" % at, b"%d:" % number)]
        scored = [word for at in range(20) for word in (b"%d" % number, b"m%d" % at)]
        return [
            [b"MULTI"], [b"DEL", b"list", b"set"], [b"RPUSH", b"list", *words], [b"SADD", b"set", *words],
            [b"HSET", b"hash", *pairs], [b"ZADD", b"zset", *scored], [b"EXEC"],
        ]  # fmt: skip

    reads: list[tuple[list[bytes], Callable[[Any], set[bytes]]]] = [
        ([b"LRANGE", b"list", b"0", b"-1"], first_parts),
        ([b"SMEMBERS", b"set"], first_parts),
        ([b"SUNION", b"set", b"set2"], first_parts),
        ([b"SORT", b"list", b"ALPHA"], first_parts),
        ([b"HVALS", b"hash"], first_parts),
        ([b"ZRANGE", b"zset", b"0", b"-1", b"WITHSCORES"], lambda found: {*map(bytes, found[1::2])}),
        ([b"SUNIONSTORE", b"copy", b"set"], lambda found: set()),
        ([b"SMEMBERS", b"copy"], first_parts),
    ]
    writer.client.send(*generation(0))
    writer.simulation.run()
    for number in range(1, 8):
        writer.client.send(*generation(number))
    asked = []
    for reader in readers:
        mine = [source.choice(reads) for _ in range(10)]
        asked.append(mine)
        for command, _ in mine:
            reader.client.send(command)
    writer.simulation.run()
    writer.simulation.verify()
    for reader, mine in zip(readers, asked, strict=True):
        newest = 0
        replies = reader.replies()
        assert len(replies) == len(mine)
        for reply, (command, parts) in zip(replies, mine, strict=True):
            if reply.kind == ":":
                continue
            found = parts([item.value for item in reply.value])
            if command[1] == b"copy":
                assert len(found) <= 1, (seed, command)
                continue
            assert len(found) == 1, (seed, command, found)
            (seen,) = map(int, found)
            assert seen >= newest, (seed, command)
            newest = seen


def run_all(console: Console) -> None:
    """Run on after commands that the test handed over itself."""
    for thread in console.simulation.threads:
        thread.proactor.finish_turn()
    console.simulation.run()


def first_parts(found: list[bytes]) -> set[bytes]:
    return {element.partition(b":")[0] for element in found}


def test_other_keys_are_served_meanwhile() -> None:
    """A GET that comes after a big read is answered before it."""
    console = filled(SLICED, 3, 1)
    other = console.another()
    order: list[str] = []
    console.client.on_reply = lambda client: order.append("big")
    other.client.on_reply = lambda client: order.append("small")
    for command in (b"SMEMBERS set", b"KEYS *", b"SORT list ALPHA", b"SUNIONSTORE stored set other"):
        order.clear()
        console.client.send(command.split())
        console.client.hand_over()
        other.client.send([b"GET", b"weight_element:1"])
        other.client.hand_over()
        run_all(console)
        assert order == ["small", "big"], command


def test_what_expires_while_it_is_read_is_read_to_its_end() -> None:
    console = filled(SLICED, 4, 1)
    console("PEXPIRE set 10")
    console.client.send([b"SMEMBERS", b"set"])
    console.client.hand_over()
    shard = console.simulation.threads[0].proactor.shard
    console.simulation.clock.advance(1000)
    other = console.another()
    other.client.send([b"EXISTS", b"set"])
    other.client.hand_over()
    value = shard.pinned[0]
    shard.garbage.append(value)
    assert shard.free_garbage(10)
    assert len(value) == len(ELEMENTS)
    run_all(console)
    assert len(console.replies()[0].value) == len(ELEMENTS)
    assert not shard.free_garbage(100)
    assert not len(value)


def test_a_client_that_leaves_leaves_nothing_behind() -> None:
    console = filled(SLICED, 5, 2)
    leaving = console.another()
    for line in ("SMEMBERS set", "SORT list ALPHA STORE sorted", "KEYS *", "SUNION set other"):
        leaving.client.closed = leaving.client.session.closed = False
        leaving.client.send([word.encode() for word in line.split()])
        leaving.client.hand_over()
        leaving.client.close(after_replies=False)
        run_all(console)
        console.simulation.verify()
    assert console.value("LLEN sorted") == len(ELEMENTS)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_in_slices_is_sorting(seed: int, descending: bool) -> None:
    source = random.Random(seed)
    elements = [(source.randrange(1 + 3 * seed), source.randrange(50)) for _ in range(source.randrange(400))]

    steps = sort_in_slices(len(elements), lambda a, b: elements[a:b], 8, descending=descending)
    most = 0
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found = stop.value
            break
        most += 1
    assert found == [rank[-1] for rank in sorted(elements, reverse=descending)]
    assert most >= len(elements) // 8
