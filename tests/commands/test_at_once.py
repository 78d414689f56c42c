"""What is done at once, where all data is here, is what the transaction does: replies, data, figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nogil_df.commands import at_once
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.registry import all_rows
from nogil_df.commands.spec import Command, Row
from tests.commands.console import Console

PREPARED = (
    "MSET s text t other n 5 w_1 3 w_2 1 w_3 2",
    "RPUSH l 3 1 2",
    "RPUSH m x y z",
    "HSET h f v",
    "SADD a 1 2 3 4",
    "SADD b 3 4 5",
    "ZADD z 1 one 2 two 3 three",
    "ZADD y 5 two 7 four",
    "GEOADD g 13.361389 38.115556 palermo 15.087269 37.502669 catania",
    "SETBIT bits 7 1",
    "PFADD p1 a b c",
    "PFADD p2 c d",
    "XADD x 1-1 f v",
    "XADD x 2-1 f v",
    "XADD x2 3-1 f v",
    "XGROUP CREATE x group 0",
    "SET gone v PX 1",
)

LINES = (
    "EXISTS s nokey s gone",
    "TOUCH s l nokey",
    "DEL t nokey gone",
    "UNLINK n nokey h",
    "RENAME s s2",
    "RENAME nokey s",
    "RENAME s2 s",
    "RENAMENX s l",
    "RENAMENX s s3",
    "COPY s3 s",
    "COPY s3 s REPLACE",
    "COPY s3 s DB 3",
    "COPY s3 s3",
    "COPY l copied NONSENSE",
    "COPY nokey s",
    "SCAN 0 COUNT 5",
    "SCAN 0 MATCH l* TYPE list COUNT 2000",
    "SCAN x",
    "SCAN 0 COUNT 0",
    "DBSIZE",
    "OBJECT ENCODING l",
    "OBJECT encoding nokey",
    "OBJECT REFCOUNT s",
    "OBJECT ENCODING",
    "OBJECT HELP",
    "SORT l",
    "SORT l DESC LIMIT 1 1",
    "SORT m",
    "SORT m ALPHA STORE sorted",
    "SORT a BY w_* GET # GET w_*",
    "SORT l BY nosort GET h->f",
    "SORT s",
    "SORT nokey STORE sorted",
    "SORT_RO l ALPHA",
    "SORT_RO l STORE x",
    "LMOVE l m LEFT RIGHT",
    "LMOVE l l LEFT RIGHT",
    "LMOVE nokey l LEFT LEFT",
    "LMOVE l s LEFT LEFT",
    "LMOVE l m LEFT UP",
    "RPOPLPUSH m l",
    "RPOPLPUSH s l",
    "LMPOP 2 nokey l LEFT COUNT 2",
    "LMPOP 1 nokey LEFT",
    "LMPOP 1 s LEFT",
    "LMPOP 0 s LEFT",
    "BLPOP nokey l 1",
    "BRPOP m 0",
    "BLPOP s l 1",
    "BLPOP l x",
    "BLMPOP 1 2 nokey m RIGHT COUNT 5",
    "RPUSH q 1 2 3 4 5",
    "BLMOVE q q2 LEFT RIGHT 1",
    "BLMOVE q s LEFT RIGHT 1",
    "BRPOPLPUSH q q2 1",
    "BLPOP nokey 0.001",
    "SINTER a b",
    "SINTER a nokey",
    "SINTER a s",
    "SUNION b a nokey",
    "SDIFF a b",
    "SINTERCARD 2 a b LIMIT 1",
    "SINTERCARD 3 a b",
    "SINTERSTORE i a b",
    "SUNIONSTORE i a b",
    "SDIFFSTORE i a a",
    "SMOVE a b 1",
    "SMOVE a b nomember",
    "SMOVE a s 2",
    "SMOVE nokey s 2",
    "ZUNION 2 z y WITHSCORES",
    "ZUNION 2 z s WEIGHTS x",
    "ZUNION 2 z y WEIGHTS 1",
    "ZINTER 2 z y AGGREGATE MAX WITHSCORES",
    "ZDIFF 2 z y",
    "ZINTERCARD 2 z y",
    "ZINTERCARD 2 z y LIMIT -1",
    "ZUNIONSTORE zs 2 z a WEIGHTS 2 3",
    "ZINTERSTORE zs 2 z y",
    "ZDIFFSTORE zs 2 z y",
    "ZDIFFSTORE zs 2 z z",
    "ZRANGESTORE zs z 0 1",
    "ZRANGESTORE zs nokey 0 1",
    "ZMPOP 2 nokey z MAX",
    "ZMPOP 1 nokey MIN",
    "BZPOPMIN nokey z 1",
    "BZPOPMAX y 1",
    "BZPOPMIN s 1",
    "BZMPOP 1 1 y MIN COUNT 3",
    "BZMPOP 0.001 1 y MIN",
    "BZPOPMAX y 0.001",
    "GEOSEARCHSTORE near g FROMMEMBER palermo BYRADIUS 200 km STOREDIST",
    "GEOSEARCHSTORE near g FROMMEMBER nobody BYRADIUS 200 km",
    "GEORADIUS g 15 37 200 km ASC WITHDIST",
    "GEORADIUS g 15 37 200 km STORE near",
    "GEORADIUSBYMEMBER g palermo 100 km",
    "BITOP NOT bits2 bits",
    "BITOP OR bits2 bits s",
    "BITOP OR bits2 bits l",
    "BITOP NOT bits2 bits s",
    "PFCOUNT p1 p2",
    "PFCOUNT p1 s",
    "PFMERGE p3 p1 p2",
    "MSETNX new1 v new2 v",
    "MSETNX new2 v new3 v",
    "MSETNX new3 v new4",
    "XREAD COUNT 1 STREAMS x x2 0 0",
    "XREAD STREAMS x $",
    "XREAD BLOCK 1 STREAMS x $",
    "XREAD STREAMS s 0",
    "XREAD STREAMS x nonsense",
    "XREADGROUP GROUP group c COUNT 1 STREAMS x >",
    "XREADGROUP GROUP group c STREAMS x 0",
    "XREADGROUP GROUP group d NOACK STREAMS x >",
    "XREADGROUP GROUP group d BLOCK 1 STREAMS x >",
    "XREADGROUP GROUP nogroup d STREAMS x >",
    "XREADGROUP GROUP group c CLAIM 0 STREAMS x >",
    "XINFO STREAM x",
    "XINFO STREAM nokey",
    "XINFO GROUPS x",
    "XINFO CONSUMERS x group",
    "XINFO CONSUMERS x nogroup",
    "RANDOMKEY",
)
UNLIKE = ("RANDOMKEY",)
"""Lines whose replies nobody can foretell."""


def rows_at_once() -> Iterator[Row]:
    """All rows that have it, subcommands included."""
    for row in all_rows():
        yield from (each for each in (row, *row.subcommands) if each.at_once is not None)


def commands(console: Console) -> Iterator[Command]:
    """All commands of the console's thread, subcommands included."""
    for command in console.client.thread.dispatcher.table.values():
        yield command
        yield from command.subcommands.values()


def run(console: Console, line: str) -> Any:
    """The reply, in bytes; of a command that waits, once its time is up."""
    console.client.send([word.encode() for word in line.split()])
    console.simulation.run()
    if not console.client.output:
        console.simulation.advance(1)
        console.simulation.run()
    answered = bytes(console.client.output)
    console.client.output.clear()
    return answered


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("shards", [1, 2])
def test_at_once_or_not_makes_no_difference(shards: int, protocol: int) -> None:
    one, other = (Console(shards=shards, protocol=protocol, thread=0) for _ in range(2))
    for command in commands(other):
        command.at_once = None
    for console in (one, other):
        for line in PREPARED:
            assert not run(console, line).startswith(b"-"), line
        console.simulation.advance(5)
    for line in LINES:
        mine, theirs = run(one, line), run(other, line)
        assert mine == theirs or line in UNLIKE, line
        assert run(one, "DEBUG DIGEST") == run(other, "DEBUG DIGEST"), line
    one.simulation.verify()
    for thread, twin in zip(one.simulation.threads, other.simulation.threads, strict=True):
        shard, theirs = thread.proactor.shard, twin.proactor.shard
        assert (shard.hits, shard.misses, shard.dirty) == (theirs.hits, theirs.misses, theirs.dirty)
        assert thread.state.errors == twin.state.errors
    for command, twin in zip(commands(one), commands(other), strict=True):
        counted = command.calls, command.failed, command.rejected
        assert counted == (twin.calls, twin.failed, twin.rejected), command.full_name


def test_every_command_that_can_be_done_at_once_is(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(shards=1)
    done: set[str] = set()

    def noting(command: Command) -> Any:
        run_it = command.at_once
        assert run_it is not None

        def noted(*given: Any) -> Any:
            value = run_it(*given)
            if value is not ELSEWHERE:
                done.add(command.row.name)
            return value

        return noted

    for command in commands(console):
        if command.at_once is not None:
            command.at_once = noting(command)
    for line in (*PREPARED, *LINES):
        run(console, line)
    assert done == {row.name for row in rows_at_once()}


def test_what_somebody_holds_is_left_to_a_transaction() -> None:
    console = Console(shards=1)
    here = console.client.thread.dispatcher.here
    locks = console.client.thread.proactor.engine.locks
    h = here.hash_key(b"held")
    assert here.find(b"held") == h
    assert here.find_all([b"free", b"held"]) is not None
    locks.acquire({h}, set())
    assert here.find(b"held") == -1
    assert here.find(b"free") >= 0
    assert here.find_all([b"free", b"held"]) is None
    assert here.group([b"held"]) is None
    assert not here.has_everything()
    locks.release({h}, set())
    locks.acquire_everything(False)
    assert here.find(b"free") == -1
    locks.release_everything(False)
    assert here.has_everything()


def test_keys_of_other_threads_are_elsewhere() -> None:
    console = Console(shards=2, thread=0)
    here = console.client.thread.dispatcher.here
    keys = [b"%d" % number for number in range(50)]
    for key in keys:
        mine = here.hash_key(key) >> 32 & 1 == 0
        assert (here.find(key) >= 0) is mine
    assert not here.has_everything()


def test_what_was_looked_at_in_vain_is_not_counted_twice() -> None:
    console = Console(shards=1)
    shard = console.client.thread.proactor.shard
    dispatcher = console.client.thread.dispatcher
    db = shard.dbs[0]

    def look(here: Any, session: Any, db: Any, args: list[bytes]) -> Any:
        db.find(b"nokey", shard.hash_key(b"nokey"))
        return ELSEWHERE

    assert at_once.run(look, dispatcher.here, console.client.session, db, []) is ELSEWHERE
    assert (shard.hits, shard.misses) == (0, 0)
