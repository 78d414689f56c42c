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
from stress.scaling.servers import KINDS, OURS_KIND, Candidate, Kind, installed

SIZES = (16, 64, 256, 1024)
FILL_BATCH = 500
SETTLE_SECONDS = 0.4
"""How long resident memory has to be the same."""
PATIENCE_SECONDS = 5.0
FIRST_KEYS = 100


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
        # What the first command of a kind makes a server load or allocate belongs to no key.
        add = populate if kind.populates else store
        add(server, FIRST_KEYS, 1, "first")
        before = settled(server)
        add(server, keys, value_bytes, "key")
        return Footprint(kind.name, value_bytes, keys, (settled(server) - before) / keys)


def settled(server: Server) -> int:
    """Resident bytes, once they have not changed for a while, or PATIENCE_SECONDS after."""
    size, until = resident(server), time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        time.sleep(SETTLE_SECONDS)
        before, size = size, resident(server)
        if size == before:
            break
    return size


def populate(server: Server, keys: int, value_bytes: int, prefix: str) -> None:
    """DEBUG POPULATE; SystemExit if it is refused."""
    with Session(server.port) as session:
        reply = session.call("DEBUG", "POPULATE", str(keys), prefix, str(value_bytes))
        if reply != b"+OK":
            raise SystemExit(f"{server.name}: {reply.decode(errors='replace')}")


def store(server: Server, keys: int, value_bytes: int, prefix: str) -> None:
    """The same keys and sizes by Memcached's `set`."""
    name, value = prefix.encode(), b"x" * value_bytes
    with connect(server.port) as made:
        for first in range(0, keys, FILL_BATCH):
            numbers = range(first, min(keys, first + FILL_BATCH))
            requests = b"".join(
                b"set %b:%d 0 0 %d\r\n%b\r\n" % (name, at, value_bytes, value) for at in numbers
            )
            exchange(made, (requests, len(b"STORED\r\n") * len(numbers)))


@dataclass(frozen=True, slots=True)
class Filling:
    """How long DEBUG POPULATE took, and the CPU time of all threads."""

    server: str
    threads: int
    keys: int
    value_bytes: int
    seconds: float
    cpu_seconds: float


def fillings(keys: int, step: Step) -> list[Filling]:
    """Every server that has DEBUG POPULATE, with as many small values."""
    found = []
    for kind in KINDS:
        if not (kind.populates and installed(kind)):
            continue
        step(f"DEBUG POPULATE {keys:,}, {kind.name}")
        threads = min(2, cores()) if kind is OURS_KIND else 1
        with Candidate(kind, threads).start() as server:
            populate(server, FIRST_KEYS, 1, "first")
            begun, used = time.perf_counter(), server.cpu_time()
            populate(server, keys, SIZES[0], "key")
            seconds, cpu = time.perf_counter() - begun, server.cpu_time() - used
            found.append(Filling(kind.name, threads, keys, SIZES[0], seconds, cpu.total))
    return found


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
