"""`python -X gil=0 -m bench.limit`: servers that are full, one policy after the other.

redis-server and this server get `maxmemory`, and redis-benchmark sets random keys, a first time until
memory is full, a second time to measure. Meanwhile a watcher asks for `used_memory` and looks at the
resident memory of the process. Without a policy that evicts, SET must be refused, and must work again
after some keys were deleted.

Prints a table in Markdown: the most of `used_memory` and of resident memory (and what the latter grew by
since the start of the server), both in parts of `maxmemory`; evicted keys; CPU microseconds a request;
errors.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from dataclasses import dataclass

from bench.servers import OURS, REDIS, Server, ServerError, Session

KEYS = 5_000_000
EVERY = 0.1
"""Seconds between two looks."""

MOST_FILLS = 10_000
"""Batches of 100 keys after which a server that still takes them has no limit."""

POLICIES = ("allkeys-lru", "allkeys-lfu", "volatile-ttl")


@dataclass
class Most:
    """The greatest figures of a run, bytes."""

    used: int = 0
    resident: int = 0


def resident(pid: int) -> int:
    """Resident memory of a process, bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS:"))


def figure(session: Session, section: str, name: str) -> int:
    """A number of INFO; 0 where it is missing."""
    text = session.call("INFO", section).decode()
    return next((int(line.partition(":")[2]) for line in text.splitlines() if line.startswith(name + ":")), 0)


def load(port: int, requests: int, value: str, volatile: bool) -> None:
    """Set random keys, 50 clients, pipelines of 16."""
    common = ["redis-benchmark", "-p", str(port), "-r", str(KEYS), "-n", str(requests), "-P", "16", "-q"]
    # Twelve digits take the place of __rand_int__: deadlines some 30 years ahead, all different.
    deadline = ["PX", "1__rand_int__"] if volatile else []
    subprocess.run(
        [*common, "SET", "key:__rand_int__", value, *deadline],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def watch(server: Server, over: threading.Event, most: Most) -> None:
    """Look at the memory until it is over."""
    with Session(server.port) as session:
        while not over.wait(EVERY):
            most.used = max(most.used, figure(session, "memory", "used_memory"))
            most.resident = max(most.resident, resident(server.pid))


def measure(name: str, command: str, threads: int, limit: int, requests: int, value: str, policy: str) -> str:
    """One server with one policy: a row."""
    with Server(name, command, threads) as server, Session(server.port) as session:
        begun = resident(server.pid)
        load(server.port, requests // 2, value, policy == "volatile-ttl")
        most, over = Most(), threading.Event()
        watcher = threading.Thread(target=watch, args=(server, over, most))
        watcher.start()
        before = server.cpu_time()
        load(server.port, requests, value, policy == "volatile-ttl")
        took = server.cpu_time() - before
        over.set()
        watcher.join()
        evicted = figure(session, "stats", "evicted_keys")
        errors = figure(session, "stats", "total_error_replies")
        room = room_after_delete(session, value) if policy == "noeviction" else ""
    row = (
        policy if policy else "cache mode",
        name,
        f"{most.used / limit:.3f}",
        f"{most.resident / limit:.2f} ({(most.resident - begun) / limit:.2f})",
        f"{evicted:,}",
        # redis-benchmark gives up at the first error, so there is nothing to divide by.
        "" if errors else f"{took.total / requests * 1e6:.2f}",
        f"{errors:,}{room}",
    )
    return "| " + " | ".join(row) + " |"


def room_after_delete(session: Session, value: str) -> str:
    """At the limit: SET is refused; after deleting a tenth of the keys it works."""
    # The load ended at the first refusal, and its clients' buffers made room when they left.
    refused = b""
    for batch in range(MOST_FILLS):
        session.send([("SET", f"more:{batch}:{n}", value) for n in range(100)])
        replies = [session.reply() for _ in range(100)]
        refused = next((reply for reply in replies if reply != b"+OK"), b"")
        if refused:
            break
    count = int(session.call("DBSIZE")[1:])
    deleted = 0
    while deleted < count // 10:
        session.send([("RANDOMKEY",)] * 100)
        keys = {session.reply().decode() for _ in range(100)}
        deleted += int(session.call("DEL", *keys)[1:])
    accepted = session.call("SET", "one:more", value)
    if not refused.startswith(b"-OOM") or accepted != b"+OK":
        raise ServerError(f"at the limit {refused!r}, with room {accepted!r}")
    return ", OOM; after DEL accepted"


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -X gil=0 -m bench.limit", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--limit", type=int, default=100, help="maxmemory in MB")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--value", type=int, default=256, help="bytes")
    parser.add_argument("--threads", type=int, default=2, help="shard threads of ours")
    parser.add_argument("--servers", default="redis-server,nogil-df")
    parser.add_argument("--policies", default=",".join((*POLICIES, "cache", "noeviction")))
    options = parser.parse_args()
    print("| | | used_memory | resident (grown) | evicted | CPU µs a request | errors |")
    print("|---|---|--:|--:|--:|--:|---|")
    for policy in options.policies.split(","):
        flags = f" --maxmemory {options.limit}mb"
        rule = f" --maxmemory-policy {policy}"
        for name, command in (("redis-server", REDIS), ("nogil-df", OURS)):
            cache = policy == "cache"
            if name not in options.servers or (cache and name == "redis-server"):
                continue
            whole = command + flags + (" --cache_mode" if cache else rule)
            shown = "" if cache else policy
            row = measure(
                name,
                whole,
                options.threads,
                options.limit << 20,
                options.requests,
                "x" * options.value,
                shown,
            )
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
