"""What the other commands of each family cost beside redis-server: CPU time of the server's process.

    python -X gil=0 -m bench.families [--rounds N] [--scale X] [--only WORDS] [--docs]

The big benchmark (`python -m bench`) has the commands that its targets name; this one has their neighbours,
so that none of them falls behind unseen. Everything is as there: one shard thread, 50 clients of
redis-benchmark, pipelines of 16, the servers' samples interleaved. ``--docs`` writes the table into
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import sys
from hashlib import sha1

from bench.by_size import write
from bench.measure import Row, run_workload
from bench.report import spread
from bench.servers import OURS, REDIS, Server, ServerError, Session, fill
from bench.workloads import KEYSPACE, Workload

PIPELINE = 16
REQUESTS = 100_000
TARGET = 2.0
"""Highest CPU per request, as a multiple of redis-server's."""

ENTRIES = 1000
BATCH = 500

SCRIPT = "return(redis.call('GET',KEYS[1]))"
"""Without a blank, as redis-benchmark's command lines are split at those."""

KEY = "key:__rand_int__"

FAMILIES: dict[str, tuple[str, ...]] = {
    "connection": ("PING", "ECHO hello", "SELECT 0", "TIME"),
    "strings": (
        f"GET {KEY}",
        f"SET {KEY} value",
        "SETNX bench:new:__rand_int__ value",
        f"GETSET {KEY} value",
        f"GETEX {KEY} EX 10000",
        f"GETRANGE {KEY} 0 3",
        f"SETRANGE {KEY} 1 a",
        f"STRLEN {KEY}",
        "APPEND bench:text:__rand_int__ x",
        "INCR counter:__rand_int__",
        "DECR counter:__rand_int__",
        "INCRBY counter:__rand_int__ 5",
        "INCRBYFLOAT bench:float:__rand_int__ 1.5",
        f"SETEX {KEY} 10000 value",
        f"MGET {' '.join([KEY] * 10)}",
        f"MSET {' '.join([f'{KEY} value'] * 10)}",
        "MSETNX bench:none:__rand_int__ value bench:none:__rand_int__ value",
        "GETDEL bench:new:__rand_int__",
    ),
    "keys": (
        f"EXISTS {KEY}",
        f"EXISTS {KEY} {KEY} {KEY}",
        f"TOUCH {KEY}",
        f"TOUCH {KEY} {KEY} {KEY}",
        f"TYPE {KEY}",
        f"EXPIRE {KEY} 10000",
        f"PEXPIRE {KEY} 10000000",
        f"TTL {KEY}",
        f"PTTL {KEY}",
        f"PERSIST {KEY}",
        f"OBJECT ENCODING {KEY}",
        f"DUMP {KEY}",
        f"COPY {KEY} bench:copy:__rand_int__ REPLACE",
        "RENAME bench:name bench:name",
        "SCAN 0 COUNT 10",
        "RANDOMKEY",
        "DBSIZE",
        "SORT bench:numbers LIMIT 0 10",
        "SORT_RO bench:small ALPHA",
    ),
    "lists": (
        "LPUSH bench:queue element",
        "RPUSH bench:queue element",
        "RPUSH bench:fed element element element element",
        "LPUSHX bench:queue element",
        "LLEN bench:queue",
        "LINDEX bench:queue 0",
        "LSET bench:list 50 element",
        "LPOS bench:list element:030",
        "LINSERT bench:list BEFORE none element",
        "LREM bench:list 1 none",
        "LRANGE bench:list 0 9",
        "LTRIM bench:list 0 99",
        "LMOVE bench:ring bench:ring LEFT RIGHT",
        "LMOVE bench:fed bench:taken LEFT RIGHT",
        "RPOPLPUSH bench:ring bench:ring",
        "BLMOVE bench:ring bench:ring LEFT RIGHT 0",
        "BLPOP bench:fed 0",
        "BRPOP bench:none bench:fed 0",
        "LMPOP 1 bench:queue LEFT",
        "LPOP bench:queue",
        "RPOP bench:queue",
    ),
    "hashes": (
        "HSET bench:fields field:__rand_int__ value",
        "HGET bench:fields field:__rand_int__",
        "HMGET bench:fields field:__rand_int__ field:__rand_int__",
        "HSETNX bench:fields field:__rand_int__ value",
        "HEXISTS bench:fields field:__rand_int__",
        "HSTRLEN bench:fields field:__rand_int__",
        "HLEN bench:fields",
        "HINCRBY bench:counts field:__rand_int__ 1",
        "HINCRBYFLOAT bench:floats field:__rand_int__ 1.5",
        "HGETALL bench:object",
        "HKEYS bench:object",
        "HVALS bench:object",
        "HRANDFIELD bench:fields",
        "HSCAN bench:object 0",
        "HDEL bench:fields field:__rand_int__",
    ),
    "sets": (
        "SADD bench:members member:__rand_int__",
        "SISMEMBER bench:members member:__rand_int__",
        "SMISMEMBER bench:members member:__rand_int__ member:__rand_int__",
        "SCARD bench:members",
        "SRANDMEMBER bench:members",
        "SMEMBERS bench:small",
        "SSCAN bench:small 0",
        "SINTER bench:small bench:tiny",
        "SINTERCARD 2 bench:small bench:tiny",
        "SUNION bench:small bench:tiny",
        "SDIFF bench:small bench:tiny",
        "SINTERSTORE bench:result bench:small bench:tiny",
        "SMOVE bench:small bench:small element",
        "SREM bench:members member:__rand_int__",
        "SPOP bench:members",
    ),
    "sorted sets": (
        "ZADD bench:scores __rand_int__ member:__rand_int__",
        "ZSCORE bench:scores member:__rand_int__",
        "ZMSCORE bench:scores member:__rand_int__ member:__rand_int__",
        "ZINCRBY bench:scores 1 member:__rand_int__",
        "ZCARD bench:scores",
        "ZCOUNT bench:scores 1000 2000",
        "ZRANK bench:scores member:__rand_int__",
        "ZREVRANK bench:scores member:__rand_int__",
        "ZRANGE bench:scores 0 9",
        "ZRANGE bench:scores 0 9 WITHSCORES",
        "ZREVRANGE bench:scores 0 9 WITHSCORES",
        "ZRANGEBYSCORE bench:scores 1000 +inf LIMIT 0 10",
        "ZRANGE bench:scores 1000 +inf BYSCORE LIMIT 0 10",
        "ZREVRANGEBYSCORE bench:scores 90000 -inf LIMIT 0 10",
        "ZRANGEBYLEX bench:words [b + LIMIT 0 10",
        "ZRANDMEMBER bench:scores",
        "ZSCAN bench:words 0",
        "ZUNIONSTORE bench:result 2 bench:words bench:words",
        "ZREMRANGEBYRANK bench:none 0 1",
        "ZREMRANGEBYSCORE bench:scores 200000 300000",
        "ZREM bench:scores member:__rand_int__",
        "ZPOPMIN bench:scores",
    ),
    "streams": (
        "XADD bench:log * field value",
        "XADD bench:short MAXLEN ~ 1000 * field value",
        "XLEN bench:log",
        "XRANGE bench:log - + COUNT 10",
        "XREVRANGE bench:log + - COUNT 10",
        "XREAD COUNT 10 STREAMS bench:log 0",
        "XREAD COUNT 10 BLOCK 1 STREAMS bench:log bench:short 0 0",
        "XREADGROUP GROUP group consumer COUNT 1 STREAMS bench:log >",
        "XPENDING bench:log group - + 10",
        "XACK bench:log group 1-1",
        "XDEL bench:log 1-1",
        "XTRIM bench:log MAXLEN ~ 1000000",
        "XINFO STREAM bench:log",
    ),
    "others": (
        "GEOADD bench:places 13.361389 38.115556 member:__rand_int__",
        "GEOPOS bench:places member:__rand_int__",
        "GEODIST bench:cities city:1 city:2",
        "GEOSEARCH bench:cities FROMLONLAT 1.5 1.5 BYRADIUS 100 km COUNT 10",
        "SETBIT bench:bits 12345 1",
        "GETBIT bench:bits 12345",
        "BITCOUNT bench:bits",
        "BITPOS bench:bits 1",
        "BITFIELD bench:bits INCRBY u8 100 1",
        "BITOP AND bench:result bench:bits bench:bits",
        "PFADD bench:unique element:__rand_int__",
        "PFCOUNT bench:unique",
        "PFMERGE bench:merged bench:unique",
        "PUBLISH bench:channel message",
        f"EVAL {SCRIPT} 1 {KEY}",
        f"EVALSHA {sha1(SCRIPT.encode()).hexdigest()} 1 {KEY}",
    ),
    "deletions": (f"DEL {KEY}", f"DEL {KEY} {KEY} {KEY}", f"UNLINK {KEY} {KEY} {KEY}"),
}
"""In this order: what takes elements out comes after what reads them, and nothing ever waits."""

COMMANDS = tuple(words for lines in FAMILIES.values() for words in lines)


def label_of(words: str) -> str:
    """A command line without the data, as it stands in the table: what tells it from the others."""
    first, *rest = words.split()
    shown = [first]
    several = max(rest.count(KEY), rest.count("element"))
    if first in ("EVAL", "EVALSHA", "MSET"):
        return first
    if several > 1:
        return f"{first} of {several}"
    shown += [word for word in rest if word.isupper() and word.isalpha()]
    if first in ("LMOVE", "BRPOP") and len({word for word in rest if word.startswith("bench:")}) > 1:
        shown.append("of 2")
    return " ".join(shown)


def workload(words: str) -> Workload:
    """A command line of redis-benchmark as a workload."""
    return Workload(label_of(words), words.split()[0].lower(), PIPELINE, REQUESTS, words=words)


def prepare(server: Server) -> None:
    """Fill a server: what the big benchmark has, members of a set, and a stream with a group. O(KEYSPACE)."""
    fill(server.port)
    with Session(server.port) as session:
        session.call("XGROUP", "CREATE", "bench:log", "group", "$", "MKSTREAM")
        batch: list[tuple[str, ...]] = [("XADD", "bench:log", "*", "field", "value")] * ENTRIES
        batch += [("SADD", "bench:members", f"member:{n:012d}") for n in range(0, KEYSPACE, 2)]
        batch += [("RPUSH", "bench:numbers", str(n * 37 % 100)) for n in range(100)]
        batch += [("RPUSH", "bench:ring", f"element:{n:03d}") for n in range(100)]
        batch += [("SADD", "bench:small", f"element:{n:03d}") for n in range(20)]
        batch += [("SADD", "bench:tiny", f"element:{n:03d}") for n in range(0, 20, 2)]
        batch += [("HSET", "bench:object", f"field:{n:03d}", "value") for n in range(10)]
        batch += [("ZADD", "bench:words", "0", f"{letter}:{n}") for letter in "abc" for n in range(5)]
        batch += [
            ("GEOADD", "bench:cities", f"{n % 32 / 10}", f"{n / 320}", f"city:{n}") for n in range(ENTRIES)
        ]
        batch += [("SET", "bench:name", "value"), ("SCRIPT", "LOAD", SCRIPT)]
        for first in range(0, len(batch), BATCH):
            part = batch[first : first + BATCH]
            session.send(part)
            for _ in part:
                session.reply()


def table(rows: list[tuple[Row, Row]]) -> str:
    """The figures as Markdown."""
    lines = ["| Command | redis-server | nogil-df | ratio |", "|---|--:|--:|--:|"]
    for redis, ours in rows:
        assert ours.ratio is not None
        figures = f"{redis.cpu_us.median:.2f} | {ours.cpu_us.median:.2f} | {spread(ours.ratio, 2)}"
        lines.append(f"| {ours.command} | {figures} |")
    return "\n".join(lines)


def main() -> int:
    """Run what is asked for; exit status 1 if a server failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the number of requests")
    parser.add_argument("--only", default="", help="commands, as zrange,xadd; default all")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/benchmarks.md")
    args = parser.parse_args()
    only = set(args.only.upper().split(",")) if args.only else None
    rows: list[tuple[Row, Row]] = []
    try:
        with Server("redis", REDIS, 1) as redis, Server("ours", OURS, 1) as ours:
            prepare(redis)
            prepare(ours)
            for words in COMMANDS:
                if only is not None and words.split()[0] not in only:
                    continue
                found = run_workload((redis, ours), workload(words), args.rounds, args.scale, lambda _: None)
                rows.append((found[0], found[1]))
                ratio = found[1].ratio
                assert ratio is not None
                mark = "" if ratio.median <= TARGET else f"  above {TARGET:.1f}"
                figures = f"{found[0].cpu_us.median:6.2f} {found[1].cpu_us.median:6.2f} {spread(ratio, 2)}"
                print(f"{found[1].command:28} {figures}{mark}", flush=True)
    except (ServerError, OSError) as error:
        print(f"bench.families: {error}", file=sys.stderr)
        return 1
    if args.docs:
        write("families", table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
