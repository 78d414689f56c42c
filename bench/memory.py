"""What keys cost in memory: resident bytes a key by size of value, beside redis-server; what deletion frees.

    python -X gil=0 -m bench.memory [keys]         1,000,000 of 16 bytes unless told, fewer of bigger ones

For each size a server is started and filled by DEBUG POPULATE with keys `key:N`: what its resident memory has
grown by, divided by the keys, is the figure. Then half of the keys are deleted at random, and what is left is
compared with what a fresh server with as many keys takes. redis-server takes the same course. Last come five
million values of 16 bytes, timed.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.environment import observe
from bench.servers import OURS, REDIS, Server, Session

REDIS_DEBUG = REDIS + " --enable-debug-command local"
SIZES = (16, 64, 256, 1024, 4096)
POPULATED = 5_000_000
BATCH = 1000
THREADS = 2
SETTLE_SECONDS = 3.0
"""What a server gets for what it does when nobody asks for anything: two sweeps take the last garbage out."""


def resident(server: Server) -> int:
    """Bytes."""
    with open(f"/proc/{server.pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))


@contextmanager
def filled(name: str, command: str, keys: int, size: int) -> Iterator[tuple[Server, Session, int, float]]:
    """A server with so many keys; the bytes that it has grown by, and the seconds that filling took."""
    with Server(name, command, THREADS) as server, Session(server.port) as session:
        time.sleep(SETTLE_SECONDS)
        before, begun = resident(server), time.perf_counter()
        reply = session.call("DEBUG", "POPULATE", str(keys), "key", str(size))
        seconds = time.perf_counter() - begun
        if reply != b"+OK":
            raise SystemExit(f"{name}: {reply.decode(errors='replace')}")
        yield server, session, resident(server) - before, seconds


def delete_half(session: Session, keys: int) -> int:
    """Delete keys drawn at random; how many are left."""
    chance = random.Random(1)
    going = [f"key:{number}" for number in range(keys) if chance.random() < 0.5]
    for at in range(0, len(going), BATCH):
        session.send([("DEL", *going[at : at + BATCH])])
        session.reply()
    return keys - len(going)


def measure(name: str, command: str, keys: int, size: int) -> tuple[float, float, float]:
    """Bytes a key; bytes a key that is left after half was deleted; that, of what a fresh server takes."""
    with filled(name, command, keys, size) as (server, session, grown, _):
        base = resident(server) - grown
        left = delete_half(session, keys)
        time.sleep(SETTLE_SECONDS)
        rest = resident(server) - base
    with filled(name, command, left, size) as (_, _, fresh, _):
        pass
    return grown / keys, rest / left, rest / fresh


def main() -> None:
    """Print the tables as Markdown."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    here = observe()
    print(f"CPython {here.python} ({here.build}), {here.redis}, {THREADS} shard threads")
    print()
    print("| value | keys | redis-server | nogil-df | ratio | half deleted: redis-server | nogil-df |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for size in SIZES:
        keys = max(most // 20, most * 16 // max(16, size // 4))
        redis, redis_rest, redis_fresh = measure("redis-server", REDIS_DEBUG, keys, size)
        ours, rest, fresh = measure("nogil-df", OURS, keys, size)
        print(
            f"| {size} | {keys:,} | {redis:.0f} | {ours:.0f} | {ours / redis:.2f} "
            f"| {redis_rest:.0f} ({redis_fresh:.2f} of fresh) | {rest:.0f} ({fresh:.2f} of fresh) |",
            flush=True,
        )
    print()
    for name, command in (("redis-server", REDIS_DEBUG), ("nogil-df", OURS)):
        with filled(name, command, POPULATED, 16) as (server, session, grown, seconds):
            begun = server.cpu_time()
            print(
                f"{name}: DEBUG POPULATE {POPULATED:,} of 16 bytes: {seconds:.1f} s, "
                f"{begun.total:.1f} s of CPU, {grown / POPULATED:.1f} bytes a key"
            )
            session.call("FLUSHALL")
            time.sleep(SETTLE_SECONDS)
            print(f"    after FLUSHALL {resident(server) >> 20} MB are resident")


if __name__ == "__main__":
    main()
