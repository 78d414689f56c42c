"""Memory: bytes a key by size of value, and what a process holds over time while it saves a snapshot."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import snapshot
from bench.memory import resident
from bench.servers import Server, Session
from stress.scaling.generator import connect, exchange
from stress.scaling.profiles import cores
from stress.scaling.sampling import Step
from stress.scaling.servers import KINDS, Candidate, Kind, installed

SIZES = (16, 64, 256, 1024)
FILL_BATCH = 500
SETTLE_SECONDS = 0.4
"""What a server gets for what it does when nobody asks for anything."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Resident bytes a key that a server has grown by."""

    server: str
    value_bytes: int
    keys: int
    bytes_a_key: float


def bytes_a_key(kind: Kind, value_bytes: int, keys: int) -> Footprint:
    """Fill a server anew and look at its resident memory: by DEBUG POPULATE, memcached by `set`."""
    threads = min(2, cores())
    with Candidate(kind, threads).start() as server:
        time.sleep(SETTLE_SECONDS)
        before = resident(server)
        if kind.populates:
            populate(server, keys, value_bytes)
        else:
            store(server, keys, value_bytes)
        time.sleep(SETTLE_SECONDS)
        return Footprint(kind.name, value_bytes, keys, (resident(server) - before) / keys)


def populate(server: Server, keys: int, value_bytes: int) -> None:
    """DEBUG POPULATE; SystemExit if it is refused."""
    with Session(server.port) as session:
        reply = session.call("DEBUG", "POPULATE", str(keys), "key", str(value_bytes))
        if reply != b"+OK":
            raise SystemExit(f"{server.name}: {reply.decode(errors='replace')}")


def store(server: Server, keys: int, value_bytes: int) -> None:
    """The same keys and sizes by Memcached's `set`."""
    value = b"x" * value_bytes
    with connect(server.port) as made:
        for first in range(0, keys, FILL_BATCH):
            numbers = range(first, min(keys, first + FILL_BATCH))
            made_ahead = b"".join(b"set key:%d 0 0 %d\r\n%b\r\n" % (at, value_bytes, value) for at in numbers)
            exchange(made, (made_ahead, len(b"STORED\r\n") * len(numbers)))


def keys_for(value_bytes: int, most: int) -> int:
    """As many as fit into about the memory that `most` keys of 64 bytes take."""
    return max(most // 10, min(most, most * 64 // value_bytes))


def footprints(most: int, sizes: Sequence[int], step: Step) -> list[Footprint]:
    """Every server that is installed, every size."""
    found = []
    for kind in KINDS:
        if not installed(kind):
            continue
        for size in sizes:
            step(f"bytes a key of {size} bytes, {kind.name}")
            found.append(bytes_a_key(kind, size, keys_for(size, most)))
    return found


def snapshots(keys: int, step: Step) -> list[snapshot.Run]:
    """`bench.snapshot` with fewer keys: what processes hold over time, around a BGSAVE under writes."""
    runs = []
    for name in snapshot.COMMANDS:
        step(f"memory while saving {keys:,} keys, {name}")
        runs.append(snapshot.measure(name, keys, min(2, cores())))
    return runs


def draw_snapshots(runs: Sequence[snapshot.Run], path: Path) -> None:
    """The plot of `bench.snapshot`."""
    snapshot.draw(list(runs), path)
