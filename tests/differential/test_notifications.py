"""Keyspace notifications: the events of every command, on both channels, are those of redis-server, in order.

A second connection subscribes to every keyspace and keyevent channel. Behind every step a marker key is
set, whose own event ends what belongs to the step; so an event that comes after the reply of a later
command is a failure. The events of a step are compared in order; of steps on several keys, without, as
their shards need no order. A step that waits for time to pass goes together with the one before it: which of
the two sees the event is a matter of luck.
"""

from __future__ import annotations

import pytest

from tests.differential.capabilities import NEEDS, available
from tests.differential.case import Step, step, until
from tests.differential.runner import Player
from tests.resp import Connection
from tests.servers import Server

Event = tuple[bytes, bytes]

_SEVERAL_KEYS = frozenset(
    b"MSET MSETNX DEL UNLINK RENAME RENAMENX EXEC MGET COPY LMOVE RPOPLPUSH BLMOVE BRPOPLPUSH SMOVE "
    b"ZMPOP BITOP PFCOUNT PFMERGE".split()
)
_MARKER = b"__marker__"

# One script a line of events; steps are numbered in what is compared.
SCRIPTS: dict[str, list[str | Step]] = {
    "set": ["SET k v", "SET k w", "SET k v NX", "SET j v XX", "SET k v XX"],
    "set with ttl": [
        "SET k v EX 100",
        "SET k v KEEPTTL",
        "SET k v PX 100000 GET",
        "SETEX k 100 v",
        "PSETEX k 100000 v",
    ],
    "set in the past": ["SET k v", "SET k v EXAT 1", "SET j v PXAT 1"],
    "setnx": ["SETNX k v", "SETNX k v"],
    "getset": ["GETSET k v", "GETSET k w"],
    "getdel": ["GETDEL k", "SET k v", "GETDEL k"],
    "getex": [
        "GETEX k EX 10",
        "SET k v",
        "GETEX k",
        "GETEX k EX 10",
        "GETEX k PERSIST",
        "GETEX k PERSIST",
        "GETEX k PXAT 1",
    ],
    "append": ["APPEND k v", "APPEND k v", 'APPEND k ""'],
    "setrange": ["SETRANGE k 3 v", 'SETRANGE k 3 ""', "SETRANGE k 0 xyz"],
    "counters": ["INCR k", "DECR k", "INCRBY k 5", "DECRBY k 5", "INCRBYFLOAT k 1.5", "INCR k"],
    "reads": [
        "SET k v",
        "GET k",
        "GET nokey",
        "STRLEN k",
        "EXISTS k nokey",
        "TTL k",
        "TYPE k",
        "TOUCH k",
        "MGET k x",
    ],
    "mset": ["MSET a 1 b 2 c 3", "MSETNX a 1 d 2", "MSETNX e 1 f 2", "MSET a 1 a 2"],
    "del": ["MSET a 1 b 2 c 3", "DEL a nokey", "UNLINK b nokey", "DEL c c"],
    "rename": [
        "SET a 1",
        "RENAME a b",
        "RENAME nokey x",
        "SET c 1",
        "RENAMENX b c",
        "RENAMENX b d",
        "RENAME d c",
        "RENAME c c",
    ],
    "copy": ["SET a 1", "COPY a b", "COPY a b", "COPY a b REPLACE", "COPY nokey c", "COPY a a DB 1"],
    "move": ["SET a 1", "MOVE a 1", "MOVE a 1"],
    "databases": ["SELECT 2", "SET k v", "DEL k"],
    "expire": [
        "EXPIRE k 10",
        "SET k v",
        "EXPIRE k 100",
        "EXPIRE k 10 NX",
        "PEXPIRE k 100000",
        "EXPIREAT k 4102444800",
    ],
    "expire in the past": ["SET k v", "EXPIRE k -1", "SET k v", "PEXPIREAT k 1"],
    "persist": ["SET k v EX 100", "PERSIST k", "PERSIST k"],
    "expired": ["SET k v PX 20", until("EXISTS k", ":0")],
    "flush and swap": ["MSET a 1 b 2", "SWAPDB 0 1", "FLUSHDB", "FLUSHALL"],
    "multi": ["MULTI", "SET k v", "INCR n", "DEL k", "EXEC"],
    "discard": ["MULTI", "SET k v", "DISCARD"],
    "errors": ["INCRBY k abc", "SET k v EX 0", "SET s x", "INCR s", "SETRANGE s -1 x", "EXPIRE s x"],
    "binary key": [r'SET "\x00\xff" v', r'DEL "\x00\xff"'],
    "list ends": [
        "RPUSH l a",
        "LPUSH l b c",
        "RPUSHX l d",
        "LPUSHX l e",
        "LPUSHX none e",
        "LPOP l",
        "RPOP l",
        "LPOP l 2",
        "LPOP l 0",
        "RPOP l 10",
        "RPOP l",
        "RPUSH l a",
        "LPOP l",
        "RPUSH l a b",
        "LPOP l 2",
    ],
    "lists in place": [
        "RPUSH l a b c a b c",
        "LSET l 0 x",
        "LSET l 10 x",
        "LINSERT l BEFORE b y",
        "LINSERT l BEFORE none y",
        "LREM l 1 none",
        "LREM l 1 b",
        "LTRIM l 0 -1",
        "LTRIM l 1 0",
        "LTRIM l 0 -1",
        "RPUSH l a a",
        "LREM l 0 a",
    ],
    "lists read": [
        "RPUSH l a",
        "LLEN l",
        "LRANGE l 0 -1",
        "LINDEX l 0",
        "LPOS l a",
        "LLEN none",
        "LPOS none a",
    ],
    "list moves": [
        "RPUSH l a b c",
        "LMOVE l m LEFT RIGHT",
        "RPOPLPUSH l m",
        "LMOVE l l LEFT RIGHT",
        "LMOVE l m RIGHT RIGHT",
        "LMOVE l m LEFT LEFT",
        "RPOPLPUSH none m",
        "LMPOP 2 none m LEFT COUNT 2",
        "LMPOP 2 none m RIGHT COUNT 2",
        "LMPOP 2 none m RIGHT COUNT 2",
    ],
    "lists there at once": [
        "RPUSH l a b c d e f",
        "BLPOP l 0",
        "BRPOP none l 0",
        "BLMPOP 0 2 none l LEFT COUNT 2",
        "BLMOVE l m LEFT RIGHT 0",
        "BRPOPLPUSH l m 0",
        "BLPOP l 0.01",
        "BLMPOP 0 1 m LEFT COUNT 5",
    ],
    "streams": [
        "XADD x 1 f v",
        "XADD x MAXLEN 1 2 f v",
        "XADD x MAXLEN ~ 1 3 f v",
        "XADD x NOMKSTREAM 4 f v",
        "XADD nokey NOMKSTREAM 4 f v",
        "XADD x 4 f v",
        "XDEL x 4 5",
        "XDEL x 4",
        "XTRIM x MAXLEN 1",
        "XTRIM x MAXLEN 1",
        "XTRIM x MINID 100",
        "XSETID x 200",
        "XSETID nokey 1",
    ],
    "streams read": [
        "XADD x 1 f v",
        "XLEN x",
        "XRANGE x - +",
        "XREAD STREAMS x 0",
        "XINFO STREAM x",
        "XLEN nokey",
    ],
    "streams' groups": [
        "XGROUP CREATE x g 0 MKSTREAM",
        "XGROUP CREATE x g 0",
        "XADD x 1 f v",
        "XADD x 2 f v",
        "XGROUP CREATECONSUMER x g c",
        "XGROUP CREATECONSUMER x g c",
        "XREADGROUP GROUP g c COUNT 1 STREAMS x >",
        "XREADGROUP GROUP g new STREAMS x >",
        "XREADGROUP GROUP g new NOACK STREAMS x 0",
        "XACK x g 1",
        "XCLAIM x g other 0 2",
        "XAUTOCLAIM x g another 0 0",
        "XPENDING x g",
        "XGROUP SETID x g 0",
        "XGROUP DELCONSUMER x g c",
        "XGROUP DELCONSUMER x g c",
        "XGROUP DESTROY x g",
        "XGROUP DESTROY x g",
    ],
    "streams under other names": ["XADD x 1 f v", "COPY x y", "RENAME x z", "MOVE z 1", "DEL y"],
    "lists under other names": ["RPUSH l a", "COPY l m", "RENAME l n", "MOVE n 1", "DEL m"],
    "bitmaps": [
        "SETBIT k 7 0",
        "SETBIT k 7 0",
        "SETBIT k 7 1",
        "SETBIT k 70 0",
        "GETBIT k 7",
        "GETBIT none 7",
        "BITCOUNT none",
        "BITPOS none 1",
        "BITFIELD none GET u8 0",
        "BITFIELD_RO none GET u8 0",
        "BITFIELD k SET u8 0 1",
        "BITFIELD k SET u8 0 1",
        "BITFIELD k SET u8 0 2 INCRBY u8 8 1",
        "BITFIELD new OVERFLOW FAIL INCRBY u2 0 9",
        "BITFIELD new SET u2 0 0",
        "BITOP OR r k new",
        "BITOP NOT r k",
        "BITOP AND r none",
        "BITOP AND r none",
    ],
    "HyperLogLogs": [
        "PFADD p",
        "PFADD p",
        "PFADD p a b",
        "PFADD p a b",
        "PFCOUNT p",
        "PFCOUNT none",
        "PFADD q c",
        "PFCOUNT p q",
        "PFMERGE r p q",
        "PFMERGE r p q",
        "PFMERGE s none",
        "PFDEBUG TODENSE p",
    ],
    "sets": [
        "SADD s a b c",
        "SADD s a",
        "SADD s a d",
        "SREM s z",
        "SREM s a z",
        "SPOP s",
        "SPOP s 0",
        "SPOP s 1",
        "SPOP s",
        "SPOP s",
        "SADD s a b",
        "SPOP s 5",
        "SADD s a",
        "SREM s a b",
    ],
    "sets read": [
        "SADD s a",
        "SMEMBERS s",
        "SCARD none",
        "SISMEMBER none a",
        "SINTER s none",
        "SSCAN none 0",
    ],
    "set moves": ["SADD s a b", "SMOVE s t a", "SMOVE s t z", "SMOVE s s b", "SADD t b", "SMOVE s t b"],
    "set algebra": [
        "SADD a 1 2",
        "SADD b 2 3",
        "SINTERSTORE r a b",
        "SUNIONSTORE r a b",
        "SDIFFSTORE r a b",
        "SDIFFSTORE r a a",
        "SDIFFSTORE r a a",
        "SUNIONSTORE a a b",
    ],
    "hashes": [
        "HSET h a 1 b 2",
        "HSET h a 1",
        "HMSET h c 3",
        "HSETNX h a 1",
        "HSETNX h d 1",
        "HINCRBY h a 1",
        "HINCRBYFLOAT h a 0.5",
        "HDEL h z",
        "HDEL h a z",
        "HDEL h b c d",
        "HINCRBY h new 1",
    ],
    "hashes read": ["HSET h a 1", "HGET h a", "HGETALL h", "HGET none a", "HLEN none", "HSCAN none 0"],
    "sort": [
        "RPUSH l 3 1 2",
        "SORT l STORE d",
        "SORT l STORE d",
        "SET s v",
        "SORT l STORE s",
        "SORT l STORE l",
        "SORT nokey STORE d",
        "SORT nokey STORE d",
    ],
    "sorted sets": [
        "ZADD z 1 a 2 b 3 c",
        "ZADD z 1 a",
        "ZADD z 5 a 6 d",
        "ZADD z XX 1 none",
        "ZADD z INCR 0 a",
        "ZADD z INCR 1 a",
        "ZADD z GT INCR -1 a",
        "ZINCRBY z 0 a",
        "ZINCRBY z 1 a",
        "ZINCRBY z 1 new",
        "ZADD none XX 1 a",
        "ZREM z none",
        "ZREM z a none",
        "ZREM z b c d new",
        "ZINCRBY z 5 a",
        "ZADD z nan b",
    ],
    "sorted sets read": [
        "ZADD z 1 a",
        "ZSCORE z a",
        "ZCARD none",
        "ZRANK none a",
        "ZRANGE none 0 -1",
        "ZCOUNT none 0 1",
        "ZUNION 2 z none",
        "ZSCAN none 0",
        "ZRANDMEMBER none",
    ],
    "sorted sets popped": [
        "ZADD z 1 a 2 b 3 c 4 d 5 e",
        "ZPOPMIN z",
        "ZPOPMAX z 0",
        "ZPOPMAX z 1",
        "ZMPOP 2 none z MIN COUNT 1",
        "BZPOPMIN none z 0",
        "BZPOPMAX z 0",
        "ZADD z 1 a 2 b",
        "BZMPOP 0 1 z MAX COUNT 9",
        "ZADD z 1 a",
        "ZPOPMIN z 7",
        "ZPOPMIN z",
        "BZPOPMIN z 0.01",
    ],
    "sorted set ranges": [
        "ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g",
        "ZREMRANGEBYRANK z 9 9",
        "ZREMRANGEBYRANK z 0 1",
        "ZREMRANGEBYSCORE z 100 200",
        "ZREMRANGEBYSCORE z 3 4",
        "ZREMRANGEBYLEX z (z +",
        "ZREMRANGEBYLEX z - [e",
        "ZRANGESTORE y z 0 -1",
        "ZRANGESTORE y z 5 5",
        "ZRANGESTORE y z 5 5",
        "ZREMRANGEBYSCORE z -inf inf",
        "ZADD z 1 a",
        "ZREMRANGEBYLEX z - +",
    ],
    "sorted set algebra": [
        "ZADD a 1 m 2 n",
        "ZADD b 1 n 2 o",
        "ZUNIONSTORE r 2 a b",
        "ZINTERSTORE r 2 a b",
        "ZDIFFSTORE r 2 a b",
        "ZDIFFSTORE r 2 a a",
        "ZDIFFSTORE r 2 a a",
        "ZUNIONSTORE a 2 a b",
    ],
    "collections": ["RPUSH l a", "SET l v", "HSET h f v", "DEL h", "SADD s m", "RENAME s l", "COPY l m"],
}
CLASSES = (
    "KEA",
    "KA",
    "EA",
    "KEg",
    "K$",
    "KEx",
    "E$g",
    "KEAnm",
    "KEm",
    "KEn",
    "A",
    "KEl",
    "KEs",
    "KEh",
    "KEz",
)


def _allowed(steps: list[Step]) -> bool:
    return {NEEDS.get(s.args[0].decode("latin-1").upper(), "core") for s in steps} <= available()


def _events(listener: Connection) -> list[Event]:
    """What was published up to the marker's last event, as (channel, message)."""
    events: list[Event] = []
    while True:
        words = [part.value for part in listener.receive().value]
        channel, message = words[2], words[3]
        if channel == b"end":
            return events
        if _MARKER not in (channel.partition(b":")[2], message):
            events.append((channel, message))


def _play(server: Server, steps: list[Step], classes: str, protocol: int) -> list[list[Event]]:
    """The events of every step."""
    server.flush()
    groups = []
    with (
        server.connect() as admin,
        server.connect(protocol) as listener,
        Player(server, protocol, 0.0) as player,
    ):
        admin.execute("CONFIG", "SET", "notify-keyspace-events", classes)
        for number, pattern in enumerate((b"__key*__:*", b"end")):
            confirmed = listener.execute("PSUBSCRIBE", pattern)
            assert [part.value for part in confirmed.value] == [b"psubscribe", pattern, number + 1]
        try:
            for each, following in zip(steps, [*steps[1:], None], strict=True):
                player.play(each)
                if following is not None and following.wait == "until":
                    groups.append([])
                    continue
                admin.execute("SET", _MARKER, "x")
                admin.execute("PUBLISH", "end", "x")
                groups.append(_events(listener))
        finally:
            admin.execute("CONFIG", "SET", "notify-keyspace-events", "")
    return groups


def _ordered(each: Step, events: list[Event]) -> list[Event]:
    return sorted(events) if each.args[0].upper() in _SEVERAL_KEYS else events


def _compare(script: str, classes: str, protocol: int, reference: Server, subject: Server) -> None:
    steps = [step(line) for line in SCRIPTS[script]]
    expected, actual = (_play(server, steps, classes, protocol) for server in (reference, subject))
    for each, want, got in zip(steps, expected, actual, strict=True):
        assert _ordered(each, got) == _ordered(each, want), f"{script} under {classes}: {each.text()}"


_NAMES = [name for name, lines in SCRIPTS.items() if _allowed([step(line) for line in lines])]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("script", _NAMES)
def test_events_of_everything(script: str, protocol: int, reference: Server, subject: Server) -> None:
    _compare(script, "KEA", protocol, reference, subject)


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize(
    "script", ["set with ttl", "getex", "counters", "reads", "rename", "copy", "del", "expired", "lists read"]
)
def test_events_of_chosen_classes(script: str, classes: str, reference: Server, subject: Server) -> None:
    _compare(script, classes, 2, reference, subject)


def test_no_events_by_default(reference: Server, subject: Server) -> None:
    for server in (reference, subject):
        with server.connect() as admin:
            assert admin.execute("CONFIG", "GET", "notify-keyspace-events").value[1].value == b""
