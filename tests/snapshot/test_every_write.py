"""Every command that writes, during a save: what it changes is in the file as it was.

The test of the moment (`test_point_in_time`) plays random commands; this one plays each of them, by each of
its ways to a value, while a cut is under way that has not come to any record yet. No row that is marked as
writing may be missing here.
"""

from __future__ import annotations

import pytest

from nogil_df.commands.registry import all_rows
from nogil_df.shard.shard import Shard
from nogil_df.snapshot.channel import Channel
from nogil_df.snapshot.cut import DONE, ShardCut
from nogil_df.snapshot.records import NO_AGES, Loaded, Style, load_blob
from tests.commands.console import Console
from tests.snapshot.state import State, state_of

NEVER = 4_000_000_000_000

RECORDS = f"""
SET string hello
SET number 10
SET float 1.5
SETRANGE changed 5 abc
SET timed x PXAT {NEVER}
SET bits \\xff\\x0f
SET hll\\x00 x
PFADD hyper a b c
PFADD other-hyper d e
RPUSH list c a b d
RPUSH other-list x y
SADD set 1 2 x y
SADD other-set 2 y z
HSET hash f v g 7 h 1.5
HSET expiring f v g w
HPEXPIREAT expiring {NEVER} FIELDS 1 f
ZADD zset 1 a 2 b 3 c
ZADD other-zset 5 b 6 d
ZADD same 0 a 0 b 0 c
GEOADD geo 13.4 52.5 berlin 2.35 48.86 paris
XADD stream 1-1 f v
XADD stream 2-1 f v
XADD stream 3-1 f v
XADD stream 4-1 g w
XGROUP CREATE stream group 0
XGROUP CREATECONSUMER stream group idle
XREADGROUP GROUP group me COUNT 2 STREAMS stream >
VADD vectors VALUES 2 1 2 one
VADD vectors VALUES 2 3 4 two
"""

WRITES = """
SET string new | SET timed new KEEPTTL | SET list new | SET string new PX 100000 | SET string new GET
SET number 5 XX | SET timed new
SETNX fresh x
SETEX string 100 x
PSETEX zset 100000 x
GETSET string x
GETDEL string | GETDEL timed
GETEX timed PERSIST | GETEX string PX 100000
SETRANGE string 3 xyz | SETRANGE changed 1 x | SETRANGE changed 100 x
APPEND string x | APPEND changed x | APPEND number 3
PREPEND string x
DELEX string | DELEX string IFEQ hello
INCR number
DECR number
INCRBY number 5
DECRBY number 5
INCRBYFLOAT float 1.5
MSET string a list b fresh c
MSETNX fresh a fresher b
MSETEX 2 string a list b EX 100
GAT 100 string
CL.THROTTLE fresh 5 10 60
SETBIT bits 3 0 | SETBIT changed 3 1 | SETBIT bits 900 1
BITOP AND string string bits | BITOP NOT bits string
BITFIELD bits SET u8 0 7 | BITFIELD changed INCRBY u4 2 3
PFADD hyper z zz zzz
PFMERGE hyper other-hyper
PFDEBUG TODENSE hyper
LPUSH list x | LPUSH list x y
RPUSH list x | RPUSH list x y
LPUSHX list x
RPUSHX list x
LPOP list | LPOP list 2 | LPOP list 9
RPOP list | RPOP list 2
LSET list 1 x
LINSERT list BEFORE a x
LREM list 0 a
LTRIM list 1 2 | LTRIM list 5 9
LMOVE list other-list LEFT RIGHT | LMOVE list list LEFT RIGHT
RPOPLPUSH list other-list
LMPOP 1 list LEFT COUNT 2
BLPOP list 1
BRPOP list 1
BLMPOP 1 1 list RIGHT
BLMOVE list other-list LEFT LEFT 1
BRPOPLPUSH list other-list 1
SADD set new | SADD set 3 4
SREM set x | SREM set 1 2 x y
SPOP set | SPOP set 2 | SPOP set 9
SMOVE set other-set x
SINTERSTORE set set other-set
SUNIONSTORE set set other-set
SDIFFSTORE other-set set other-set
HSET hash f new | HSET hash new x | HSET expiring f new | HSET hash a 1 b 2
HSETNX hash new x
HMSET hash f x new y
HDEL hash f | HDEL hash f g h | HDEL expiring f
HINCRBY hash g 3
HINCRBYFLOAT hash h 1.5
FIELDEXPIRE hash 100 f
HEXPIRE hash 100 FIELDS 1 f | HEXPIRE expiring 0 FIELDS 1 f
HPEXPIRE hash 100000 FIELDS 1 f
HEXPIREAT hash 4000000000 FIELDS 1 f
HPEXPIREAT expiring 4000000000001 FIELDS 1 f
HPERSIST expiring FIELDS 1 f
HGETDEL hash FIELDS 1 f
HGETEX expiring PERSIST FIELDS 1 f | HGETEX hash EX 100 FIELDS 1 f
HSETEX hash EX 100 FIELDS 1 f x
ZADD zset 9 a | ZADD zset 9 new | ZADD zset XX 9 a | ZADD zset INCR 4 a | ZADD zset 1 x 2 y 3 z
ZINCRBY zset 4 a | ZINCRBY zset 4 new
ZREM zset a | ZREM zset a b c
ZPOPMIN zset | ZPOPMIN zset 2
ZPOPMAX zset | ZPOPMAX zset 9
ZREMRANGEBYRANK zset 0 1
ZREMRANGEBYSCORE zset 1 2
ZREMRANGEBYLEX same [a [b
ZRANGESTORE zset zset 0 1
ZUNIONSTORE zset 2 zset other-zset
ZINTERSTORE zset 2 zset other-zset
ZDIFFSTORE zset 2 zset other-zset
ZMPOP 1 zset MIN
BZPOPMIN zset 1
BZPOPMAX zset 1
BZMPOP 1 1 zset MAX
XADD stream * f v | XADD stream 9-9 f v | XADD stream MAXLEN 2 * f v | XADD stream NOMKSTREAM * h w
XDEL stream 2-1
XTRIM stream MAXLEN 1 | XTRIM stream MINID 3-1
XSETID stream 9-9
XREADGROUP GROUP group me STREAMS stream > | XREADGROUP GROUP group other COUNT 1 STREAMS stream >
XDELEX stream IDS 1 2-1
XACKDEL stream group IDS 1 1-1
XACK stream group 1-1
XCLAIM stream group other 0 1-1
XAUTOCLAIM stream group other 0 0
XGROUP CREATE stream fresh 0 | XGROUP SETID stream group 1-1 | XGROUP DESTROY stream group
XGROUP CREATECONSUMER stream group fresh | XGROUP DELCONSUMER stream group me
GEOADD geo 1 2 new | GEOADD geo 1 2 paris
GEOSEARCHSTORE geo geo FROMMEMBER paris BYRADIUS 10 km
GEORADIUS geo 13.4 52.5 10 km STORE geo
GEORADIUSBYMEMBER geo paris 10 km STORE zset
VADD vectors VALUES 2 5 6 three | VADD vectors VALUES 2 5 6 one
VREM vectors one
VSETATTR vectors one {}
DEL string | DEL list set hash | DEL vectors
UNLINK zset stream
RENAME list zset | RENAME string fresh
RENAMENX hash fresh
COPY list fresh | COPY list set REPLACE
SORT list BY nosort ALPHA STORE set | SORT set ALPHA STORE list
EXPIRE string 100 | EXPIRE list -1
PEXPIRE timed 100000
EXPIREAT zset 4000000000
PEXPIREAT timed 4000000000001
PERSIST timed
MOVE string 1 | MOVE list 1
FLUSHDB | FLUSHDB SYNC
FLUSHALL | FLUSHALL ASYNC
SWAPDB 0 1
"""

ELSEWHERE = {"MIGRATE", "RESTORE", "RESTORE-ASKING"}
"""What takes another server, or a payload; they write as DEL and SET do."""

LINES = [line.strip() for row in WRITES.strip().splitlines() for line in row.split("|")]


def filled() -> tuple[Console, Shard]:
    """A server of one shard with values of all types."""
    console = Console(shards=1)
    for line in RECORDS.strip().splitlines():
        assert console(line).kind != "-", line
    return console, console.simulation.threads[0].proactor.shard


def cut(shard: Shard) -> tuple[ShardCut, Channel]:
    """A cut that has not begun to write."""
    channel = Channel()
    return ShardCut(shard, 1, Style(12, compress=False), channel), channel


def written(part: ShardCut, channel: Channel) -> State:
    """What is in the snapshot, once it is whole."""
    while part.step(0, lambda: 0) != DONE:
        pass
    assert not channel.broken
    shard = Shard(0, 1, 16, 0)
    loaded = Loaded()
    for blob, _ in iter(channel.take, None):
        load_blob(shard, bytes(blob), loaded, override=False, use_ages=NO_AGES)
    return state_of([shard])


def test_no_command_is_missing() -> None:
    writing = {row.name for row in all_rows() if "write" in row.flags.split()}
    played = {line.split()[0] for line in LINES} | ELSEWHERE
    assert writing - played == set()


@pytest.mark.parametrize("how", ["alone", "transaction", "script"])
@pytest.mark.parametrize("line", LINES)
def test_what_it_changes_is_written_as_it_was(line: str, how: str) -> None:
    console, shard = filled()
    before = state_of([shard])
    part, channel = cut(shard)
    if how == "alone":
        reply = console(line)
    elif how == "transaction":
        console("MULTI")
        console(line)
        reply = console("EXEC")
    else:
        words = ", ".join(f"'{word}'" for word in line.split())
        console("CONFIG SET lua-allow-undeclared-keys yes")
        reply = console.run(b"EVAL", b"return redis.pcall(%s)" % words.encode(), b"0")
    assert reply.kind != "-", reply
    assert state_of([shard]) != before, "it changes nothing"
    assert written(part, channel) == before
    shard.verify()


@pytest.mark.parametrize("ms", [60, 1_000], ids=["found", "collected"])
@pytest.mark.parametrize(
    "line", ["HGET passing f", "HLEN passing", "HSET passing h x", "GET gone", "SET gone y"]
)
def test_what_time_takes_away_is_written_as_it_was(line: str, ms: int) -> None:
    console, shard = filled()
    console("HSET passing f v g w")
    console("HPEXPIRE passing 50 FIELDS 1 f")
    console("SET gone x PX 50")
    before = state_of([shard])
    part, channel = cut(shard)
    console.simulation.advance(ms)
    assert console(line).kind != "-"
    assert state_of([shard]) != before
    assert written(part, channel) == before
    shard.verify()
