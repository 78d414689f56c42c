"""INFO: sections, sums over threads, figures that can be checked by counting along."""

from __future__ import annotations

import pytest

from nogil_df import __version__
from nogil_df.base.flags import Options
from nogil_df.base.version import REDIS_VERSION
from nogil_df.commands.info import human
from nogil_df.commands.spec import BUCKETS
from nogil_df.commands.statistics import percentile
from nogil_df.simulation import Simulation
from tests.commands.console import Console


def info(console: Console, sections: str = "everything") -> dict[str, str]:
    """The fields of INFO."""
    text = console(f"INFO {sections}").value.decode()
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


def headings(console: Console, sections: str = "") -> list[str]:
    """The headings of INFO, in order."""
    text = console(f"INFO {sections}").value.decode()
    return [line[2:] for line in text.split("\r\n") if line.startswith("# ")]


def test_versions_and_threads() -> None:
    fields = info(Console(shards=4), "server")
    assert fields["redis_version"] == REDIS_VERSION
    assert fields["nogil_df_version"] == __version__
    assert fields["thread_count"] == "4"
    assert fields["gil"] in ("on", "off")
    assert fields["parser"] == "none"


def test_default_leaves_out_what_is_long() -> None:
    console = Console()
    default = headings(console)
    assert default == headings(console, "default")
    assert not {"Commandstats", "Latencystats", "Threads"} & set(default)
    assert headings(console, "all") == headings(console, "everything")
    assert set(default) < set(headings(console, "all"))


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ("cpu", ["CPU"]),
        ("KEYSPACE cpu", ["CPU", "Keyspace"]),
        ("module_list", ["Modules"]),
        ("nosuch", []),
        ("nosuch clients", ["Clients"]),
        ("threads default", ["Threads"]),
    ],
)
def test_sections(sections: str, expected: list[str]) -> None:
    found = headings(Console(), sections)
    assert found == expected if "default" not in sections else set(expected) < set(found)


def test_verbatim_text_under_resp3() -> None:
    reply = Console(protocol=3)("INFO cpu")
    assert reply.kind == "="
    assert reply.value.startswith(b"txt:# CPU\r\n")


def test_counts_are_sums_over_threads() -> None:
    console = Console(shards=3, thread=0)
    other = console.another(thread=2)
    for number in range(60):
        console(f"SET key:{number} v")
        other(f"GET key:{number}")
    other("GET nokey")
    other("GET")
    fields = info(console)
    assert fields["cmdstat_set"].startswith("calls=60,")
    assert fields["cmdstat_get"].startswith("calls=61,")
    assert "rejected_calls=1" in fields["cmdstat_get"]
    assert fields["keyspace_hits"] == "60"
    assert fields["keyspace_misses"] == "1"
    assert fields["connected_clients"] == "2"
    assert fields["db0"] == "keys=60,expires=0,avg_ttl=0"
    assert fields["errorstat_ERR"] == "count=1"
    assert fields["total_error_replies"] == "1"
    assert int(fields["hops_sent_total"]) > 0
    shards = [dict(word.split("=") for word in fields[f"thread{n}"].split(",")) for n in range(3)]
    assert sum(int(shard["keys"]) for shard in shards) == 60
    assert fields["rdb_changes_since_last_save"] == "60"


def test_memory_adds_up() -> None:
    console = Console()
    before = info(console, "memory")
    for number in range(200):
        console.run(b"SET", b"key:%d" % number, b"x" * 1000)
    after = info(console, "memory")
    used = sum(db.stored() for thread in console.simulation.threads for db in thread.proactor.shard.dbs)
    assert int(after["object_used_memory"]) == used > 200_000
    assert before["object_used_memory"] == "0"
    assert int(after["used_memory"]) - int(before["used_memory"]) >= used
    assert int(after["used_memory_dataset"]) + int(after["used_memory_overhead"]) == int(after["used_memory"])
    console("FLUSHALL")
    flushed = info(console, "memory")
    assert flushed["object_used_memory"] == "0"
    assert int(flushed["used_memory_peak"]) >= used
    assert int(flushed["lazyfree_pending_objects"]) + int(flushed["lazyfreed_objects"]) == 200


def test_keyspace_shows_times_to_live() -> None:
    console = Console()
    console("SET never v")
    for number in range(10):
        console(f"SET key:{number} v PX {1000 * (number + 1)}")
    assert info(console, "keyspace") == {"db0": "keys=11,expires=10,avg_ttl=5500"}
    console("SELECT 3")
    console("SET k v")
    assert list(info(console, "keyspace")) == ["db0", "db3"]


def test_clients_that_watch_and_listen() -> None:
    console = Console()
    watcher, listener = console.another(), console.another()
    watcher("WATCH a b")
    listener("SUBSCRIBE c1 c2")
    listener("PSUBSCRIBE p*")
    fields = info(console)
    assert fields["watching_clients"] == "1"
    assert fields["total_watched_keys"] == "2"
    assert fields["pubsub_clients"] == "1"
    assert fields["pubsub_channels"] == "2"
    assert fields["pubsub_patterns"] == "1"


def test_resetstat() -> None:
    console = Console()
    console("SET k v")
    console("GET k")
    console("NOSUCH")
    console("CONFIG RESETSTAT")
    fields = info(console)
    assert fields["keyspace_hits"] == "0"
    assert "cmdstat_get" not in fields
    assert not [name for name in fields if name.startswith("errorstat_")]
    assert fields["connected_clients"] == "1"
    assert fields["db0"].startswith("keys=1,")


def test_latency_percentiles_follow_the_setting() -> None:
    console = Console()
    console("SET k v")
    console('CONFIG SET latency-tracking-info-percentiles "50 99.9"')
    assert [part.split("=")[0] for part in info(console)["latency_percentiles_usec_set"].split(",")] == [
        "p50",
        "p99.9",
    ]
    console("CONFIG SET latency-tracking no")
    assert "latency_percentiles_usec_set" not in info(console)


def test_percentile_lies_in_its_bucket() -> None:
    histogram = [0] * BUCKETS
    assert percentile(histogram, 50) == 0
    histogram[10] = 90  # 512 to 1023 ns
    histogram[20] = 10
    assert 512 <= percentile(histogram, 50) <= 1024
    assert 1 << 19 <= percentile(histogram, 99) <= 1 << 20
    assert percentile(histogram, 100) == 1 << 20
    assert percentile(histogram, 0) == 512


def test_rates_follow_the_clock() -> None:
    console = Console(shards=1)
    for _ in range(3):
        for _ in range(50):
            console("PING")
        console.simulation.advance(1000)
    assert info(console, "stats")["instantaneous_ops_per_sec"] == "50"
    console.simulation.advance(1000)
    console.simulation.advance(1000)
    assert info(console, "stats")["instantaneous_ops_per_sec"] == "0"


def test_inside_a_transaction() -> None:
    console = Console()
    console("MULTI")
    console("SET k v")
    console("INFO keyspace")
    replies = console("EXEC").value
    assert replies[1].value.endswith(b"db0:keys=1,expires=0,avg_ttl=0\r\n")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1_039_944, "1015.57K"), (3 << 40, "3.00T")],
)
def test_human(size: int, text: str) -> None:
    assert human(size) == text


def test_queue_is_shown_on_every_seed() -> None:
    for seed in range(5):
        simulation = Simulation(seed, 3, Options())
        console = Console(simulation=simulation)
        console("MSET a 1 b 2 c 3 d 4")
        assert info(console, "transaction")["tx_queue_len"] == "0"
        simulation.verify()
