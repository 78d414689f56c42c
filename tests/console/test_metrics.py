"""/metrics: what it holds, that it parses, that it says what INFO says."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.console.client import fetch
from tests.memcached.servers import NogilMemcached
from tests.patience import PATIENCE
from tests.servers import NogilServer, Server

OPENMETRICS = "application/openmetrics-text; version=1.0.0"

DASHBOARD = """
version uptime_in_seconds connected_clients memory_used_bytes memory_max_bytes used_memory_rss_bytes db_keys
db_keys_expiring db_capacity commands_total commands_duration_seconds keyspace_hits_total
keyspace_misses_total
keyspace_mutations_total expired_keys_total evicted_keys_total net_input_bytes_total net_output_bytes_total
net_read_yields_total reply_total reply_duration_seconds pipeline_queue_length pipeline_commands_total
pipeline_commands_duration_seconds pipeline_dispatch_calls_total pipeline_dispatch_commands_total
pipeline_dispatch_flush_duration_seconds pipeline_queue_wait_duration_seconds pipeline_latency_seconds
cmd_squash_commands_total cmd_squash_hop_total cmd_squash_hop_duration_seconds
replication_full_sync_bytes replication_streaming_bytes
""".split()
"""Names that dashboards made for Dragonfly ask for, without the prefix."""


@pytest.fixture(scope="module")
def loaded() -> Iterator[Server]:
    """A server with some history."""
    with NogilServer(threads=2) as server:
        with server.connect() as client:
            for at in range(50):
                client.execute("SET", f"k{at}", "v" * 100)
            client.execute("EXPIRE", "k1", "1000")
            client.execute("GET", "k1")
            client.execute("GET", "absent")
            client.execute("LPUSH", "k1", "x")
            client.execute("NONSENSE")
            client.execute("SELECT", "3")
            client.execute("SET", "in-three", "1")
        yield server


def samples(server: Server) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Name -> labels -> value, as lines of the text say it."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(fetch(server, "/metrics").text):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in found.setdefault(sample.name, {}), f"{sample.name}{labels} is there twice"
            found[sample.name][labels] = sample.value
    return found


def info(server: Server) -> dict[str, str]:
    """All of INFO."""
    with server.connect() as client:
        text = client.execute("INFO", "everything").value.decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def test_names_of_dashboards_are_there(loaded: Server) -> None:
    lines = fetch(loaded, "/metrics").text.splitlines()
    names = {line.partition(" ")[0].partition("{")[0] for line in lines if not line.startswith("#")}
    assert {f"dragonfly_{name}" for name in DASHBOARD} <= names
    assert 'dragonfly_db_keys{db="db3"} 1.0' in lines
    assert "# TYPE dragonfly_commands_duration_seconds counter" in lines
    assert any(line.startswith('dragonfly_db_capacity{db="db0",type="prime"} ') for line in lines)
    assert any(line.startswith('dragonfly_commands_total{cmd="set"} 51') for line in lines)


def test_it_says_what_info_says(loaded: Server) -> None:
    told = info(loaded)
    found = samples(loaded)

    def value(name: str, **labels: str) -> float:
        return found[name][tuple(sorted(labels.items()))]

    assert value("dragonfly_keyspace_hits_total") == float(told["keyspace_hits"])
    assert value("dragonfly_keyspace_misses_total") == float(told["keyspace_misses"])
    assert value("dragonfly_max_clients") == float(told["maxclients"])
    assert value("nogil_df_threads") == 2
    assert value("nogil_df_gil_enabled") == (told["gil"] == "on")
    assert value("dragonfly_db_keys", db="db0") == 50
    assert value("dragonfly_db_keys_expiring", db="db0") == 1
    assert sum(found["nogil_df_shard_keys"].values()) == 51
    assert value("nogil_df_error_replies_total", error="WRONGTYPE") == 1
    assert value("nogil_df_commands_failed_total", cmd="lpush") == 1
    assert value("nogil_df_last_save_ok") == 1
    assert value("process_resident_memory_bytes") > 1e6


def test_pipelines_are_timed_by_samples() -> None:
    with NogilServer(threads=2) as server:
        with server.connect() as client:
            commands = b"".join(b"SET key%d v\r\n" % at for at in range(10))
            for _ in range(64):
                client.send_raw(commands)
                for _ in range(10):
                    assert client.receive() == ("+", b"OK")
        found = samples(server)

        def value(name: str) -> float:
            return found[f"dragonfly_{name}"][()]

        # Ten lines may come in more than one piece.
        pipelines = value("pipeline_dispatch_calls_total")
        assert 64 <= pipelines <= 320
        assert 320 < value("pipeline_dispatch_commands_total") <= 640
        assert value("pipeline_commands_total") == value("pipeline_dispatch_commands_total")
        waited = value("pipeline_queue_wait_duration_seconds_total")
        assert 0 < waited < value("pipeline_commands_duration_seconds_total") < 640 * 10
        quantiles = found["dragonfly_pipeline_latency_seconds"]
        assert 1e-6 < quantiles[(("quantile", "0.5"),)] <= quantiles[(("quantile", "0.99"),)] < 10
        assert value("reply_total") >= pipelines
        assert 0 < value("reply_duration_seconds_total") < 10
        assert 0 < value("cmd_squash_hop_duration_seconds_total") < 640


def test_memcached_is_counted() -> None:
    with NogilMemcached(threads=2) as server:
        assert isinstance(server, NogilMemcached)
        with socket.create_connection((server.host, server.memcached_port), timeout=PATIENCE) as client:
            client.sendall(b"set a 0 0 1\r\nx\r\nget a\r\nget b\r\nquit\r\n")
            while client.recv(1 << 16):
                pass
        found = samples(server)["nogil_df_memcached_total"]
        assert [found[(("event", name),)] for name in ("cmd_set", "get_hits", "get_misses")] == [1, 1, 1]


def test_a_snapshot_is_told_of() -> None:
    with NogilServer("--dbfilename=dump", threads=2) as server:
        with server.connect() as client:
            client.execute("SET", "k", "v")
            before = samples(server)
            assert before["nogil_df_changes_since_last_save"][()] == 1
            assert client.execute("SAVE") == ("+", b"OK")
        after = samples(server)
        assert after["nogil_df_changes_since_last_save"][()] == 0
        assert after["nogil_df_saves_total"][()] == before["nogil_df_saves_total"][()] + 1
        assert after["nogil_df_last_save_ok"][()] == 1
        assert after["nogil_df_save_failures_total"][()] == 0
        assert after["nogil_df_last_save_bytes"][()] > 0
        assert after["nogil_df_last_save_age_seconds"][()] < 60


def test_histograms_add_up(loaded: Server) -> None:
    found = samples(loaded)
    buckets = {
        dict(labels)["le"]: count
        for labels, count in found["nogil_df_command_latency_seconds_bucket"].items()
        if dict(labels)["cmd"] == "set"
    }
    counts = list(buckets.values())
    assert counts == sorted(counts)
    assert buckets["+Inf"] == 51
    assert found["nogil_df_command_latency_seconds_count"][(("cmd", "set"),)] == 51
    taken = found["nogil_df_command_latency_seconds_sum"][(("cmd", "set"),)]
    assert 51 * 200e-9 < taken < 5


def test_openmetrics_is_strict_and_complete(loaded: Server) -> None:
    answer = fetch(loaded, "/metrics", Accept=OPENMETRICS)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = list(parse_openmetrics(answer.text))
    plain = {line for line in fetch(loaded, "/metrics").text.splitlines() if line.startswith("# TYPE")}
    assert len(families) == len(plain)


def test_gzip_on_request(loaded: Server) -> None:
    answer = fetch(loaded, "/metrics", Accept_Encoding="deflate, gzip;q=0.5")
    assert answer.headers["content-encoding"] == "gzip"
    assert b"dragonfly_version" in gzip.decompress(answer.body)
    assert "content-encoding" not in fetch(loaded, "/metrics", Accept_Encoding="gzip;q=0").headers
