"""/metrics: what Prometheus collects, in its text format or as OpenMetrics, whichever it asks for.

Names that begin with ``dragonfly_`` have the meaning that Dragonfly gives them, so that dashboards and
alerts made for it work here. What only this server has begins with ``nogil_df_``; the figures of the
process are called as Prometheus's own clients call them.

What INFO shows, too, is taken from INFO's sections, so that the two can't tell different stories. The rest
comes from the same `ThreadFigures`.

A counter of Dragonfly's is not always called ``_total``. OpenMetrics does not allow that, so it gets those
without a type.
"""

from __future__ import annotations

import gc
import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from nogil_df import __version__
from nogil_df.base import interpreter
from nogil_df.commands import info
from nogil_df.commands.statistics import (
    CLIENTS,
    COMMANDS,
    KEYSPACE,
    CommandFigures,
    Figures,
    ThreadFigures,
    gather,
    percentile,
)
from nogil_df.wire.http import Request, Response, accepts_gzip

if TYPE_CHECKING:
    from prometheus_client import Metric

    from nogil_df.commands.threadstate import ThreadState

WANTED = frozenset((CLIENTS, COMMANDS, KEYSPACE))

Facts = dict[str, dict[str, Any]]
"""Section of INFO -> name -> value; "process" holds what INFO has no section for."""

SECTIONS = ("Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "Transaction")

GAUGE, COUNTER, UNTYPED = "gauge", "counter", "unknown"

OF_INFO: tuple[tuple[str, str, str, str, str], ...] = (
    # name, type, section of INFO, name there, help
    ("dragonfly_uptime_in_seconds", GAUGE, "Server", "uptime_in_seconds", "Seconds since the start"),
    ("dragonfly_connected_clients", GAUGE, "Clients", "connected_clients", "Connections of all kinds"),
    ("dragonfly_max_clients", GAUGE, "Clients", "maxclients", "Most connections allowed"),
    ("dragonfly_blocked_clients", GAUGE, "Clients", "blocked_clients", "Clients that wait in a command"),
    ("nogil_df_tracking_clients", GAUGE, "Clients", "tracking_clients", "Clients with CLIENT TRACKING on"),
    ("nogil_df_pubsub_clients", GAUGE, "Clients", "pubsub_clients", "Clients that subscribe to anything"),
    ("nogil_df_watching_clients", GAUGE, "Clients", "watching_clients", "Clients that WATCH keys"),
    ("dragonfly_memory_used_bytes", GAUGE, "Memory", "used_memory", "Memory of the data and clients"),
    ("dragonfly_memory_used_peak_bytes", GAUGE, "Memory", "used_memory_peak", "The most of it so far"),
    ("dragonfly_memory_max_bytes", GAUGE, "Memory", "maxmemory", "Limit of it; 0 if there is none"),
    ("dragonfly_used_memory_rss_bytes", GAUGE, "Memory", "used_memory_rss", "Memory of the process"),
    ("nogil_df_dataset_bytes", GAUGE, "Memory", "used_memory_dataset", "Memory of keys and values"),
    ("nogil_df_clients_bytes", GAUGE, "Memory", "mem_clients_normal", "Memory of clients and their buffers"),
    ("nogil_df_lua_bytes", GAUGE, "Memory", "used_memory_vm_total", "Memory of the Lua interpreters"),
    ("nogil_df_cached_scripts", GAUGE, "Memory", "number_of_cached_scripts", "Scripts that EVALSHA knows"),
    ("nogil_df_functions", GAUGE, "Memory", "number_of_functions", "Functions loaded"),
    ("nogil_df_libraries", GAUGE, "Memory", "number_of_libraries", "Libraries of functions loaded"),
    ("nogil_df_lazyfree_pending_objects", GAUGE, "Memory", "lazyfree_pending_objects", "Records to be freed"),
    ("dragonfly_connections_received_total", COUNTER, "Stats", "total_connections_received", "Connections"),
    ("nogil_df_connections_rejected_total", COUNTER, "Stats", "rejected_connections", "Connections refused"),
    ("dragonfly_keyspace_hits_total", COUNTER, "Stats", "keyspace_hits", "Reads that found their key"),
    ("dragonfly_keyspace_misses_total", COUNTER, "Stats", "keyspace_misses", "Reads that did not"),
    ("dragonfly_keyspace_mutations_total", COUNTER, "Stats", "keyspace_mutations", "Changes of keys"),
    ("dragonfly_expired_keys_total", COUNTER, "Stats", "expired_keys", "Keys whose time was up"),
    ("nogil_df_expired_fields_total", COUNTER, "Stats", "expired_subkeys", "Fields whose time was up"),
    ("dragonfly_evicted_keys_total", COUNTER, "Stats", "evicted_keys", "Keys evicted for lack of memory"),
    ("dragonfly_net_input_bytes_total", COUNTER, "Stats", "total_net_input_bytes", "Bytes received"),
    ("dragonfly_net_output_bytes_total", COUNTER, "Stats", "total_net_output_bytes", "Bytes sent"),
    ("nogil_df_pubsub_channels", GAUGE, "Stats", "pubsub_channels", "Channels with subscribers"),
    ("nogil_df_pubsub_patterns", GAUGE, "Stats", "pubsub_patterns", "Patterns with subscribers"),
    ("nogil_df_pubsub_shard_channels", GAUGE, "Stats", "pubsubshard_channels", "The same, sharded"),
    ("dragonfly_pipeline_commands_total", COUNTER, "Stats", "total_pipelined_commands", "Pipelined commands"),
    (
        "nogil_df_changes_since_last_save",
        GAUGE,
        "Persistence",
        "rdb_changes_since_last_save",
        "Changes that no snapshot holds yet",
    ),
    ("nogil_df_save_in_progress", GAUGE, "Persistence", "rdb_bgsave_in_progress", "1 while one is written"),
    ("nogil_df_saves_total", COUNTER, "Persistence", "rdb_saves", "Snapshots written"),
    (
        "nogil_df_last_save_timestamp_seconds",
        GAUGE,
        "Persistence",
        "rdb_last_save_time",
        "When the last snapshot was begun; the start of the server if there is none",
    ),
    (
        "nogil_df_last_save_duration_seconds",
        GAUGE,
        "Persistence",
        "rdb_last_bgsave_time_sec",
        "How long the last snapshot took; -1 if there is none",
    ),
    ("nogil_df_save_failures_total", COUNTER, "Persistence", "snapshot_failures", "Snapshots that failed"),
    ("nogil_df_last_save_bytes", GAUGE, "Persistence", "snapshot_last_bytes", "Size of the last snapshot"),
    ("nogil_df_loading", GAUGE, "Persistence", "loading", "1 while a snapshot is read"),
    ("nogil_df_connected_replicas", GAUGE, "Replication", "connected_slaves", "Replicas that follow"),
    ("nogil_df_transactions_scheduled_total", COUNTER, "Transaction", "tx_scheduled_total", "Parts queued"),
    (
        "nogil_df_transactions_refused_total",
        COUNTER,
        "Transaction",
        "tx_schedule_refused_total",
        "Parts that had to come again with a greater id",
    ),
    (
        "nogil_df_transactions_out_of_order_total",
        COUNTER,
        "Transaction",
        "tx_out_of_order_total",
        "Parts that ran ahead of the queue, as nobody wanted their keys",
    ),
    ("nogil_df_waiters_served_total", COUNTER, "Transaction", "waiters_served_total", "Waits that ended"),
    ("nogil_df_tx_queue_length", GAUGE, "Transaction", "tx_queue_len", "Parts queued now"),
    (
        "dragonfly_cmd_squash_commands_total",
        COUNTER,
        "Transaction",
        "squashed_commands_total",
        "Commands that went to other shards together",
    ),
    ("dragonfly_cmd_squash_hop_total", COUNTER, "Transaction", "squashed_hops_total", "Hops they took"),
)
"""What INFO shows as well."""

OF_SHARDS: tuple[tuple[str, str, str, str], ...] = (
    # name, type, count of the thread, help
    ("nogil_df_shard_keys", GAUGE, "keys", "Keys"),
    ("nogil_df_shard_memory_bytes", GAUGE, "used", "Memory of the shard"),
    ("nogil_df_shard_clients", GAUGE, "clients", "Connections of the thread"),
    ("nogil_df_shard_commands_total", COUNTER, "calls", "Commands of the thread's clients"),
    ("nogil_df_shard_hops_total", COUNTER, "hops_sent", "Messages sent to other threads"),
    ("nogil_df_shard_messages_total", COUNTER, "messages_handled", "Messages handled"),
    ("nogil_df_shard_wakeups_total", COUNTER, "wakeups_sent", "Other threads woken"),
    ("nogil_df_shard_tx_queue_length", GAUGE, "tx_queue_len", "Parts of transactions queued"),
    ("nogil_df_shard_hits_total", COUNTER, "hits", "Reads that found their key"),
    ("nogil_df_shard_misses_total", COUNTER, "misses", "Reads that did not"),
    ("nogil_df_shard_expired_keys_total", COUNTER, "expired", "Keys whose time was up"),
    ("nogil_df_shard_evicted_keys_total", COUNTER, "evicted", "Keys evicted"),
)
"""Figures of each thread and its shard, by the label ``shard``."""

OF_THREADS: tuple[tuple[str, str, str, float, str], ...] = (
    # name, type, count, unit of it, help
    ("dragonfly_net_read_yields_total", COUNTER, "read_yields", 1, "Turns too short for a client's commands"),
    ("dragonfly_reply_total", COUNTER, "writes", 1, "Sends of replies"),
    ("dragonfly_reply_duration_seconds", UNTYPED, "send_ns", 1e9, "Time they took, by samples"),
    ("dragonfly_pipeline_queue_length", GAUGE, "queued_commands", 1, "Commands read that have not run"),
    (
        "dragonfly_pipeline_commands_duration_seconds",
        UNTYPED,
        "pipeline_ns",
        1e9,
        "Time from reading pipelined commands to sending their replies, summed over commands, by samples",
    ),
    ("dragonfly_pipeline_dispatch_calls_total", COUNTER, "pipelines", 1, "Pipelines"),
    ("dragonfly_pipeline_dispatch_commands_total", COUNTER, "pipelined", 1, "Commands in them"),
    (
        "dragonfly_pipeline_dispatch_flush_duration_seconds",
        UNTYPED,
        "send_ns",
        1e9,
        "Time that sending took, by samples",
    ),
    (
        "dragonfly_pipeline_queue_wait_duration_seconds",
        UNTYPED,
        "pipeline_wait_ns",
        1e9,
        "The part of it that commands waited for those before them",
    ),
    (
        "dragonfly_cmd_squash_hop_duration_seconds",
        UNTYPED,
        "squashed_ns",
        1e9,
        "Time that commands which went to other shards together took there",
    ),
)
"""Sums of figures of the threads that INFO does not show."""

FIRST_BUCKET, LAST_BUCKET = 10, 31
"""Bounds of the latency histograms: 2^10 ns, a microsecond, and 2^30 ns, a second."""

QUANTILES = (0.5, 0.75, 0.95, 0.99, 0.999)
"""Of the latencies of pipelined commands."""

_BARE_COUNTER = re.compile(rb"^(# TYPE dragonfly_\w+_seconds) untyped$", re.MULTILINE)


MEMCACHED = "memcached_"
"""What names of counts begin with that come from Memcached's clients."""


def gather_all(proactor: Any, wanted: frozenset[str]) -> ThreadFigures:
    """On every thread: its figures. O(commands + clients)."""
    figures = gather(proactor, wanted)
    memcached = proactor.service.memcached
    if memcached is not None:
        figures.counts |= {MEMCACHED + name: count for name, count in memcached.encoder.counters.items()}
    return figures


def facts(state: ThreadState, request: Request, answers: list[ThreadFigures]) -> Facts:
    """What INFO's sections say, and what else the client's thread knows. O(threads)."""
    report = info.Report(Figures(answers), state)
    found: Facts = {name: dict(info.SECTIONS[name](report)) for name in SECTIONS}
    found["process"] = {
        "now": state.clock.unix_ms() / 1000,
        "gil": interpreter.is_gil_enabled(),
        "gc": gc.isenabled(),
        "gc_stats": gc.get_stats(),
        "disconnects": {
            "idle": report.figures["timeout_disconnects"],
            "query buffer": report.figures["query_limit_disconnects"],
            "output buffer": report.figures["output_limit_disconnects"],
        },
    }
    return found


def render(task: tuple[list[ThreadFigures], Facts, Request]) -> Response:
    """The page, in the format and coding that the request asks for. O(commands * buckets + threads)."""
    from prometheus_client.exposition import choose_encoder

    answers, known, request = task
    encode, content_type = choose_encoder(request.header("accept"))
    body = encode(Collector(Figures(answers), known))
    if not content_type.startswith("application/openmetrics"):
        body = _BARE_COUNTER.sub(rb"\1 counter", body)
    headers = [("Content-Type", content_type), ("Vary", "Accept, Accept-Encoding")]
    if accepts_gzip(request):
        body = gzip.compress(body, 4, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    return Response(200, body, tuple(headers))


class Collector:
    """The figures of one moment as prometheus-client takes them."""

    def __init__(self, figures: Figures, known: Facts) -> None:
        self.figures = figures
        self.known = known

    def collect(self) -> Iterator[Metric]:
        """Every family of metrics once."""
        from prometheus_client import ProcessCollector

        for name, kind, section, field, text in OF_INFO:
            yield _family(name, kind, text, [({}, float(self.known[section][field]))])
        for name, kind, count, unit, text in OF_THREADS:
            yield _family(name, kind, text, [({}, self.figures.rate(count) / unit)])
        yield from self._server()
        yield from self._databases()
        yield from self._commands()
        yield from self._shards()
        yield from self._persistence()
        yield from self._memcached()
        # Takes what /proc tells; registered nowhere, so that there is one page for each server of a process.
        yield from ProcessCollector(registry=None).collect()

    def _server(self) -> Iterator[Metric]:
        server, process = self.known["Server"], self.known["process"]
        yield _family("dragonfly_version", GAUGE, "The version", [({"version": __version__}, 1.0)])
        labels = {
            "version": __version__,
            "redis_version": server["redis_version"],
            "interpreter": server["interpreter"],
            "parser": server["parser"],
            "multiplexer": server["multiplexing_api"],
        }
        yield _family("nogil_df_build", GAUGE, "What this server is made of", [(labels, 1.0)])
        yield _family("nogil_df_threads", GAUGE, "Shard threads", [({}, float(server["thread_count"]))])
        yield _family("nogil_df_gil_enabled", GAUGE, "1 if the GIL is on", [({}, float(process["gil"]))])
        yield _family(
            "nogil_df_gc_enabled", GAUGE, "1 if the cycle collector is on", [({}, float(process["gc"]))]
        )
        for field, text in (
            ("collections", "Runs of the cycle collector"),
            ("collected", "Objects it freed"),
        ):
            yield _family(
                f"nogil_df_gc_{field}_total",
                COUNTER,
                text,
                [({"generation": str(at)}, float(one[field])) for at, one in enumerate(process["gc_stats"])],
            )
        yield _by_label(
            "nogil_df_disconnects_total", COUNTER, "Clients disconnected", "reason", process["disconnects"]
        )
        yield _by_label(
            "nogil_df_error_replies_total", COUNTER, "Error replies", "error", dict(self.figures.errors)
        )
        # There is no replication, so nothing is ever sent for it.
        for name in ("full_sync", "streaming"):
            yield _family(f"dragonfly_replication_{name}_bytes", GAUGE, "Bytes for replicas", [({}, 0.0)])

    def _databases(self) -> Iterator[Metric]:
        databases = [(f"db{at}", db) for at, db in enumerate(self.figures.databases) if db.keys or at == 0]
        yield _family(
            "dragonfly_db_keys", GAUGE, "Keys", [({"db": name}, float(db.keys)) for name, db in databases]
        )
        yield _family(
            "dragonfly_db_keys_expiring",
            GAUGE,
            "Keys that expire",
            [({"db": name}, float(db.expires)) for name, db in databases],
        )
        yield _family(
            "dragonfly_db_capacity",
            GAUGE,
            "Slots for keys",
            [({"db": name, "type": "prime"}, float(db.capacity)) for name, db in databases],
        )

    def _commands(self) -> Iterator[Metric]:
        commands = dict(sorted(self.figures.commands.items()))

        def each(value: Callable[[CommandFigures], float]) -> list[tuple[dict[str, str], float]]:
            return [({"cmd": name}, value(one)) for name, one in commands.items()]

        yield _family("dragonfly_commands_total", COUNTER, "Calls", each(lambda one: float(one.calls)))
        yield _family(
            "dragonfly_commands_duration_seconds",
            UNTYPED,
            "Time they took",
            each(lambda one: one.nanoseconds / 1e9),
        )
        yield _family(
            "nogil_df_commands_rejected_total",
            COUNTER,
            "Calls that were refused before they ran",
            each(lambda one: float(one.rejected)),
        )
        yield _family(
            "nogil_df_commands_failed_total",
            COUNTER,
            "Calls that answered an error",
            each(lambda one: float(one.failed)),
        )
        latencies = self.figures.pipeline_latencies()
        yield _family(
            "dragonfly_pipeline_latency_seconds",
            GAUGE,
            "Latencies of pipelined commands since the start, by samples",
            [({"quantile": str(part)}, percentile(latencies, 100 * part) / 1e9) for part in QUANTILES],
        )
        yield _histogram("nogil_df_command_latency_seconds", "How long commands took", commands)

    def _shards(self) -> Iterator[Metric]:
        threads = [(str(at), thread.counts) for at, thread in enumerate(self.figures.threads)]
        for name, kind, field, text in OF_SHARDS:
            yield _family(name, kind, text, [({"shard": at}, float(counts[field])) for at, counts in threads])
        yield _family(
            "nogil_df_shard_cpu_seconds_total",
            COUNTER,
            "CPU time of the thread",
            [
                ({"shard": at, "mode": mode}, counts[f"cpu_{mode}"])
                for at, counts in threads
                for mode in ("user", "sys")
            ],
        )

    def _persistence(self) -> Iterator[Metric]:
        persistence = self.known["Persistence"]
        age = self.known["process"]["now"] - float(persistence["rdb_last_save_time"])
        yield _family(
            "nogil_df_last_save_age_seconds",
            GAUGE,
            "Seconds since the last snapshot was begun, or since the start",
            [({}, max(0.0, age))],
        )
        yield _family(
            "nogil_df_last_save_ok",
            GAUGE,
            "0 if the last snapshot failed",
            [({}, float(persistence["rdb_last_bgsave_status"] == "ok"))],
        )

    def _memcached(self) -> Iterator[Metric]:
        counts: Counter[str] = Counter()
        for thread in self.figures.threads:
            for name, count in thread.counts.items():
                if name.startswith(MEMCACHED):
                    counts[name.removeprefix(MEMCACHED)] += int(count)
        yield _by_label(
            "nogil_df_memcached_total",
            COUNTER,
            "What Memcached's clients did, as `stats` calls it",
            "event",
            counts,
        )


Samples = Iterable[tuple[dict[str, str], float]]


def _family(name: str, kind: str, text: str, samples: Samples) -> Metric:
    """A family of one name and kind; the names of counters that are not ``_total`` have no kind."""
    from prometheus_client import Metric

    metric = Metric(name.removesuffix("_total") if kind == COUNTER else name, text, kind)
    for labels, value in samples:
        metric.add_sample(name, labels, value)
    return metric


def _by_label(name: str, kind: str, text: str, label: str, values: dict[str, int]) -> Metric:
    return _family(name, kind, text, [({label: key}, float(value)) for key, value in values.items()])


def _histogram(name: str, text: str, commands: dict[str, CommandFigures]) -> Metric:
    """Latencies by command; bucket i of ours holds what took less than 2^i ns."""
    from prometheus_client import Metric

    bounds = [(at, repr((1 << at) / 1e9)) for at in range(FIRST_BUCKET, LAST_BUCKET)]
    metric = Metric(name, text, "histogram")
    for command, one in commands.items():
        labels = {"cmd": command}
        counts = one.histogram
        below = sum(counts[:FIRST_BUCKET])
        for at, bound in bounds:
            below += counts[at]
            metric.add_sample(f"{name}_bucket", {**labels, "le": bound}, float(below))
        total = float(sum(counts))
        metric.add_sample(f"{name}_bucket", {**labels, "le": "+Inf"}, total)
        metric.add_sample(f"{name}_sum", labels, one.nanoseconds / 1e9)
        metric.add_sample(f"{name}_count", labels, total)
    return metric
