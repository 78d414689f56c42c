"""Hit rates of cache mode beside those of other policies: ``python -m bench.hitrate``.

Cache mode is measured as it is: a table of the server with its evictor, filled up to a number of records. The
other policies are those of libcachesim, which does not install on a free-threaded interpreter: they run in an
ordinary one (``--peers PYTHON``, which must have libcachesim) on the same requests. Without one the columns
of the others are left out.

Requests come from seeded generators: Zipf with exponents from 0.7 to 1.1; Zipf 0.9 with scans of keys that
are used once (3 requests in 10); Zipf 0.9 with a loop over more keys than fit (3 in 10); Zipf 0.9 whose
favourites change. ``--traces DIRECTORY`` adds what was recorded of real ones: `src/libCacheSim/data` of
libcachesim's source distribution has blocks of a virtual machine's disk (CloudPhysics) and a cluster of
Twitter's caches. Prints a table in Markdown, in percent; ``--docs`` draws docs/img/hitrate.png as well.
"""

from __future__ import annotations

import argparse
import array
import bisect
import itertools
import json
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nogil_df.shard.eviction import CACHE
from nogil_df.shard.shard import Shard

POLICIES = ("LRU", "LFU", "TwoQ", "ARC", "WTinyLFU", "S3FIFO", "Sieve")

PLOT = Path(__file__).resolve().parent.parent / "docs" / "img" / "hitrate.png"

PEERS = """
import array, json, sys
import libcachesim
path, capacity, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
keys = array.array("q")
with open(path, "rb") as file:
    keys.frombytes(file.read())
request = libcachesim.Request()
request.obj_size = 1
rates = {}
for name in names:
    cache = getattr(libcachesim, name)(capacity)
    hits = 0
    for key in keys:
        request.obj_id = key
        hits += cache.get(request)
    rates[name] = hits / len(keys)
print(json.dumps(rates))
"""


def zipf(exponent: float, keys: int, requests: int, seed: int) -> list[int]:
    """Requests for keys of which the n-th is wanted n**-exponent as often as the first."""
    chance = random.Random(seed)
    sums = list(itertools.accumulate((rank + 1) ** -exponent for rank in range(keys)))
    return [bisect.bisect(sums, chance.random() * sums[-1]) for _ in range(requests)]


def traces(keys: int, requests: int, capacity: int) -> Iterator[tuple[str, list[int]]]:
    """The mixes by name."""
    for tenths in (7, 8, 9, 10, 11):
        yield f"Zipf {tenths / 10}", zipf(tenths / 10, keys, requests, tenths)
    base = zipf(0.9, keys, requests, 42)
    burst, once = capacity, itertools.count(10 * keys)
    scanned: list[int] = []
    for begin in range(0, requests, burst * 7 // 3):
        scanned += base[begin : begin + burst * 7 // 3]
        scanned += itertools.islice(once, burst)
    yield "scans", scanned[:requests]
    loop = itertools.cycle(range(10 * keys, 10 * keys + capacity * 7 // 5))
    chance = random.Random(3)
    yield "loop", [next(loop) if chance.random() < 0.3 else key for key in base]
    phase = requests // 10
    yield "favourites change", [(key + at // phase * keys // 50) % keys for at, key in enumerate(base)]


RECORDED = (("CloudPhysics, disk", "cloudPhysicsIO.csv", 4), ("Twitter, cache", "twitter_cluster52.csv", 1))
"""Name, file, column of the key."""


def recorded(directory: Path) -> Iterator[tuple[str, list[int]]]:
    """The mixes that somebody recorded, by name; their keys as numbers."""
    for name, file, column in RECORDED:
        numbers: dict[str, int] = {}
        with open(directory / file, encoding="ascii") as lines:
            next(lines)
            yield name, [numbers.setdefault(line.split(",")[column].strip(), len(numbers)) for line in lines]


def draw(names: list[str], rows: list[tuple[str, list[float]]], path: Path) -> None:
    """How far each policy is behind the best one on each mix; ImportError without matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(11, 4.5))
    for place, name in enumerate(names):
        behind = [100 * (rates[place] - max(rates)) for _, rates in rows]
        own = place == 0
        axes.plot(
            range(len(rows)),
            behind,
            marker="o",
            linewidth=2.5 if own else 1,
            color="#e07b39" if own else None,
            zorder=3 if own else 2,
            label=name,
        )
    axes.axhline(-2, color="#333333", linewidth=1, linestyle=":")
    axes.set_ylim(-12, 0.5)
    axes.set_xticks(range(len(rows)), [mix for mix, _ in rows], rotation=20)
    axes.set_ylabel("points behind the best")
    axes.set_title("Hit rates: points behind the best policy of each mix (dotted: 2)", loc="left")
    axes.legend(frameon=False, ncols=4, loc="lower left")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def own_rate(requests: list[int], capacity: int) -> float:
    """The hit rate of cache mode with so many records."""
    shard = Shard(0, 1, 1, 1_700_000_000_000)
    shard.evictor.follow(CACHE, 5, 10, 1)
    db = shard.dbs[0]
    hits = 0
    for number in requests:
        key = b"%d" % number
        h = shard.hash_key(key)
        if db.peek(key, h) is not None:
            hits += 1
            continue
        db.put(key, h, b"v")
        while len(db) > capacity:
            shard.evictor.evict(1, 1, None)
    return hits / len(requests)


def peers_rates(python: str, requests: list[int], capacity: int) -> dict[str, float]:
    """The hit rates of the other policies."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(array.array("q", requests).tobytes())
        file.flush()
        command = [python, "-c", PEERS, file.name, str(capacity), *POLICIES]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    rates: dict[str, float] = json.loads(done.stdout)
    return rates


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=50_000)
    parser.add_argument("--requests", type=int, default=500_000)
    parser.add_argument("--capacity", type=int, default=5_000, help="records that fit")
    parser.add_argument("--peers", default="", help="an interpreter that has libcachesim")
    parser.add_argument("--only", default="", help="mixes whose names contain this")
    parser.add_argument("--traces", type=Path, help="a directory with recorded mixes")
    parser.add_argument("--docs", action="store_true", help=f"draw {PLOT.name}")
    options = parser.parse_args()
    names = ["cache mode", *(POLICIES if options.peers else ())]
    mixes = traces(options.keys, options.requests, options.capacity)
    if options.traces:
        mixes = itertools.chain(mixes, recorded(options.traces))
    print("| |", " | ".join(names), "|")
    print("|---" * (len(names) + 1) + "|")
    rows: list[tuple[str, list[float]]] = []
    for name, requests in mixes:
        if options.only not in name:
            continue
        rates = peers_rates(options.peers, requests, options.capacity) if options.peers else {}
        rows.append((name, [own_rate(requests, options.capacity), *rates.values()]))
        print(f"| {name} |", " | ".join(f"{100 * rate:.1f}" for rate in rows[-1][1]), "|", flush=True)
    if options.docs:
        draw(names, rows, PLOT)


if __name__ == "__main__":
    main()
