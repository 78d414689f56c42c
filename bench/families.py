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

COMMANDS = (
    "PING",
    "EXISTS key:__rand_int__",
    "TTL key:__rand_int__",
    "EXPIRE key:__rand_int__ 10000",
    "MGET " + " ".join(["key:__rand_int__"] * 10),
    "RPUSH bench:queue element",
    "LLEN bench:queue",
    "LINDEX bench:queue 0",
    "LPOP bench:queue",
    "HMGET bench:fields field:__rand_int__ field:__rand_int__",
    "HEXISTS bench:fields field:__rand_int__",
    "HINCRBY bench:counts field:__rand_int__ 1",
    "HDEL bench:fields field:__rand_int__",
    "SISMEMBER bench:members member:__rand_int__",
    "SREM bench:members member:__rand_int__",
    "ZINCRBY bench:scores 1 member:__rand_int__",
    "ZRANK bench:scores member:__rand_int__",
    "ZRANGE bench:scores 0 9",
    "ZRANGEBYSCORE bench:scores 1000 +inf LIMIT 0 10",
    "ZREM bench:scores member:__rand_int__",
    "XADD bench:log * field value",
    "XRANGE bench:log - + COUNT 10",
    "XREADGROUP GROUP group consumer COUNT 1 STREAMS bench:log >",
    "XACK bench:log group 1-1",
    "DEL key:__rand_int__",
)
"""In this order: what takes elements out comes after what reads them."""


def workload(words: str) -> Workload:
    """A command line of redis-benchmark as a workload."""
    return Workload(words.split()[0], words.split()[0].lower(), PIPELINE, REQUESTS, words=words)


def prepare(server: Server) -> None:
    """Fill a server: what the big benchmark has, members of a set, and a stream with a group. O(KEYSPACE)."""
    fill(server.port)
    with Session(server.port) as session:
        session.call("XGROUP", "CREATE", "bench:log", "group", "$", "MKSTREAM")
        batch: list[tuple[str, ...]] = [("XADD", "bench:log", "*", "field", "value")] * ENTRIES
        batch += [("SADD", "bench:members", f"member:{n:012d}") for n in range(0, KEYSPACE, 2)]
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
                print(f"{found[1].command:14} {figures}{mark}", flush=True)
    except (ServerError, OSError) as error:
        print(f"bench.families: {error}", file=sys.stderr)
        return 1
    if args.docs:
        write("families", table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
