"""INFO: the state of the server in sections of ``name:value`` lines.

Sections, names and their order are Redis's, so that tools read what they know; names that only this server
has follow in each section, and in sections of its own (Transaction, Threads). Where a name stands for
machinery that there is none of here, its value says so: 0, or what Redis shows when the thing is off.

Figures are gathered on all threads (`nogil_df.commands.statistics`); the sections only word them.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nogil_df import __version__
from nogil_df.base import compiled, interpreter, system
from nogil_df.base.machine import system_memory
from nogil_df.base.version import REDIS_VERSION
from nogil_df.commands.cluster import is_cluster
from nogil_df.commands.memory_commands import ProcessMemory
from nogil_df.commands.spec import NOTHING, Row, multi
from nogil_df.commands.statistics import CLIENTS, COMMANDS, KEYSPACE, TYPES, Figures, gather, percentile
from nogil_df.commands.subscriptions import CHANNEL, PATTERN, SHARD_CHANNEL
from nogil_df.wire.values import Verbatim

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.snapshot.reading import Loading

Args = list[bytes]
Lines = Iterator[tuple[str, Any]]


@dataclass(slots=True)
class Report:
    """What sections are made of: the figures, and the state of the thread that answers."""

    figures: Figures
    state: ThreadState

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return float(self.state.clock.monotonic() - self.state.server.started_at)


def human(size: float) -> str:
    """Bytes as Redis words them for people: ``1015.57K``."""
    if size < 1024:
        return f"{int(size)}B"
    for unit in "KMGTP":
        size /= 1024
        if size < 1024 or unit == "P":
            break
    return f"{size:.2f}{unit}"


def parser_name(state: ThreadState) -> str:
    """What parses requests: ``compiled``, ``hiredis`` or ``python``; ``none`` where there are no sockets."""
    if state.extra.get("express") is not None:
        return "compiled"
    engine = state.extra.get("engine")
    if engine is None:
        return "none"
    return "hiredis" if type(engine).__module__.endswith("hiredis") else "python"


def multiplexer(state: ThreadState) -> str:
    """What waits for sockets."""
    loop = state.extra.get("loop")
    if loop is None:
        return "none"
    name: str = type(loop.poller).__name__
    return name.removesuffix("Poller").lower()


# --- sections ---


def server(report: Report) -> Lines:
    """# Server"""
    state = report.state
    config = state.config
    whole = state.server
    now_us = state.clock.unix_us()
    yield "redis_version", REDIS_VERSION
    yield "nogil_df_version", __version__
    yield "redis_git_sha1", "00000000"
    yield "redis_git_dirty", 0
    yield "redis_build_id", f"nogil-df-{__version__}"
    yield "redis_mode", "cluster" if is_cluster(config) else "standalone"
    yield "os", system.system_name()
    yield "arch_bits", 64 if sys.maxsize > 1 << 32 else 32
    yield "monotonic_clock", "POSIX clock_gettime"
    yield "multiplexing_api", multiplexer(state)
    yield "atomicvar_api", "cpython"
    yield "gcc_version", platform.python_compiler().removeprefix("GCC ")
    yield "process_id", os.getpid()
    yield "process_supervised", "no"
    yield "run_id", whole.run_id
    yield "tcp_port", whole.port
    yield "server_time_usec", now_us
    yield "uptime_in_seconds", int(report.uptime)
    yield "uptime_in_days", int(report.uptime) // 86400
    yield "hz", config.hz
    yield "configured_hz", config.hz
    yield "lru_clock", now_us // 1_000_000 & 0xFFFFFF
    yield "executable", sys.executable
    yield (
        "config_file",
        config.config_file or config.texts["flagfile"],
    )
    yield "io_threads_active", int(len(report.figures.threads) > 1)
    if whole.port:
        hosts = "".join(f"bind={word.lstrip('-')}," for word in config.bind)
        yield "listener0", f"name=tcp,{hosts}port={whole.port}"
    yield "thread_count", len(report.figures.threads)
    yield "interpreter", interpreter.describe()
    yield "free_threaded", int(interpreter.is_free_threaded())
    yield "gil", "on" if interpreter.is_gil_enabled() else "off"
    yield "parser", parser_name(state)
    yield "compiled", "yes" if compiled.in_use() else "no"
    yield "compiled_modules", ",".join(compiled.in_use())


def clients(report: Report) -> Lines:
    """# Clients"""
    figures = report.figures
    yield "connected_clients", figures["clients"]
    yield "cluster_connections", 0
    yield "maxclients", report.state.config.maxclients
    yield "client_recent_max_input_buffer", figures.greatest("input_buffer")
    yield "client_recent_max_output_buffer", figures.greatest("output_buffer")
    yield "blocked_clients", figures["blocked"]
    yield "tracking_clients", figures["tracking"]
    yield "pubsub_clients", figures["subscribed"]
    yield "watching_clients", figures["watching"]
    yield "clients_in_timeout_table", figures["timeouts"]
    yield "total_watched_keys", figures["watched"]
    yield "total_blocking_keys", figures["blocking_keys"]
    yield "total_blocking_keys_on_nokey", 0


def memory(report: Report) -> Lines:
    """# Memory"""
    figures = report.figures
    config = report.state.config
    used = figures["used"] + figures["client_memory"]
    peak = max(used, figures["peak"])
    overhead = used - figures["data"]
    startup = min(figures["empty"], used)
    process = ProcessMemory.of(figures, used)
    total = system_memory()
    dataset = figures["data"]
    yield from _sized("used_memory", used)
    yield from _sized("used_memory_rss", process.resident)
    yield from _sized("used_memory_peak", peak)
    yield "used_memory_peak_perc", _percent(used, peak)
    yield "used_memory_overhead", overhead
    yield "used_memory_startup", startup
    yield "used_memory_dataset", dataset
    yield "used_memory_dataset_perc", _percent(dataset, used - startup)
    yield "allocator_allocated", process.allocated
    yield "allocator_active", process.private
    yield "allocator_resident", process.private
    yield from _sized("total_system_memory", total)
    yield from _scripts(figures)
    guard = report.state.memory
    yield from _sized("maxmemory", guard.limit)
    yield "maxmemory_policy", "eviction" if config.cache_mode else config.maxmemory_policy
    yield "cache_mode", "cache" if config.cache_mode else "store"
    yield from _fragmentation(process)
    for name in (
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
    ):
        yield name, 0
    yield "mem_clients_normal", figures["client_memory"]
    yield "mem_cluster_links", 0
    yield "mem_aof_buffer", 0
    yield "mem_allocator", "mimalloc" if interpreter.is_free_threaded() else "pymalloc"
    yield "active_defrag_running", 0
    yield "lazyfree_pending_objects", figures["pending_free"]
    yield "lazyfreed_objects", figures["discarded"] - figures["pending_free"]
    yield "object_used_memory", dataset
    for name in TYPES:
        yield f"type_used_memory_{name}", int(figures[f"bytes_{name}"])
    yield "table_used_memory", figures["used"] - dataset
    yield "num_buckets_slots", figures["capacity"]
    yield "num_entries", figures["keys"]


def _sized(name: str, size: int) -> Lines:
    yield name, size
    yield f"{name}_human", human(size)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole if whole > 0 else 0:.2f}%"


def _scripts(figures: Figures) -> Lines:
    """Memory of scripts and functions. Both run in one Lua a thread, which counts as that of scripts."""
    lua = figures["lua_memory"]
    scripts, functions = figures["script_bytes"], figures["function_bytes"]
    yield "used_memory_lua", lua
    yield "used_memory_vm_eval", lua
    yield "used_memory_lua_human", human(lua)
    yield "used_memory_scripts_eval", scripts
    yield "number_of_cached_scripts", figures["scripts"]
    yield "number_of_functions", figures["functions"]
    yield "number_of_libraries", figures["libraries"]
    yield "used_memory_vm_functions", 0
    yield from _sized("used_memory_vm_total", lua)
    yield "used_memory_functions", functions
    yield from _sized("used_memory_scripts", scripts + functions)


def _fragmentation(process: ProcessMemory) -> Lines:
    yield "allocator_frag_ratio", f"{process.private / process.allocated:.2f}"
    yield "allocator_frag_bytes", process.private - process.allocated
    yield "allocator_rss_ratio", "1.00"
    yield "allocator_rss_bytes", 0
    yield "rss_overhead_ratio", f"{process.resident / process.private:.2f}"
    yield "rss_overhead_bytes", process.resident - process.private
    yield "mem_fragmentation_ratio", f"{process.resident / process.accounted:.2f}"
    yield "mem_fragmentation_bytes", process.resident - process.accounted


def persistence(report: Report) -> Lines:
    """# Persistence. There is no fork, so nothing is copied because of one."""
    state = report.state
    status = state.server.persistence
    save, loading = status.save, status.loading
    now = state.clock.monotonic()
    yield "loading", int(loading is not None)
    for name in ("async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"):
        yield name, 0
    yield "current_fork_perc", "0.00"
    yield "current_save_keys_processed", sum(channel.keys for channel in save.channels) if save else 0
    yield "current_save_keys_total", save.keys if save else 0
    yield "rdb_changes_since_last_save", report.figures["dirty"] - status.saved_dirty
    yield "rdb_bgsave_in_progress", int(save is not None)
    yield "rdb_last_save_time", status.last_save
    yield "rdb_last_bgsave_status", "ok" if status.is_good else "err"
    yield "rdb_last_bgsave_time_sec", status.last_seconds
    yield "rdb_current_bgsave_time_sec", int(now - save.started) if save else -1
    yield "rdb_saves", status.saves
    yield "rdb_last_cow_size", 0
    yield "rdb_last_load_keys_expired", status.loaded_expired
    yield "rdb_last_load_keys_loaded", status.loaded_keys
    yield "aof_enabled", 0
    yield "aof_rewrite_in_progress", 0
    yield "aof_rewrite_scheduled", 0
    yield "aof_last_rewrite_time_sec", -1
    yield "aof_current_rewrite_time_sec", -1
    yield "aof_last_bgrewrite_status", "ok"
    yield "aof_rewrites", 0
    yield "aof_rewrites_consecutive_failures", 0
    yield "aof_last_write_status", "ok"
    yield "aof_last_cow_size", 0
    yield "module_fork_in_progress", 0
    yield "module_fork_last_cow_size", 0
    if loading is not None:
        yield from _loading(loading, state)
    yield "snapshot_failures", status.failures
    yield "snapshot_last_bytes", status.last_bytes
    yield "snapshot_last_error", status.last_error.replace("\r", " ").replace("\n", " ")


def _loading(loading: Loading, state: ThreadState) -> Lines:
    """How far a loading is."""
    elapsed = state.clock.monotonic() - loading.started
    done = loading.fraction
    yield "loading_start_time", state.clock.unix_ms() // 1000 - int(elapsed)
    yield "loading_total_bytes", loading.total
    yield "loading_rdb_used_mem", 0
    yield "loading_loaded_bytes", loading.read
    yield "loading_loaded_perc", f"{100 * done:.2f}"
    yield "loading_eta_seconds", int(elapsed / done - elapsed) if done else 1


def stats(report: Report) -> Lines:
    """# Stats"""
    figures = report.figures
    state = report.state
    yield "total_connections_received", figures["connections_received"]
    yield "total_commands_processed", figures["calls"]
    yield "instantaneous_ops_per_sec", round(figures.rate("commands_per_second"))
    yield "total_net_input_bytes", figures["bytes_in"]
    yield "total_net_output_bytes", figures["bytes_out"]
    yield "total_net_repl_input_bytes", 0
    yield "total_net_repl_output_bytes", 0
    yield "instantaneous_input_kbps", f"{figures.rate('bytes_in_per_second') / 1024:.2f}"
    yield "instantaneous_output_kbps", f"{figures.rate('bytes_out_per_second') / 1024:.2f}"
    yield "instantaneous_input_repl_kbps", "0.00"
    yield "instantaneous_output_repl_kbps", "0.00"
    yield "rejected_connections", state.server.connections_rejected
    yield "sync_full", 0
    yield "sync_partial_ok", 0
    yield "sync_partial_err", 0
    yield "expired_subkeys", figures["expired_fields"]
    yield "expired_keys", figures["expired"]
    yield "expired_stale_perc", "0.00"
    yield "expired_time_cap_reached_count", 0
    yield "expire_cycle_cpu_milliseconds", figures["expire_ns"] // 1_000_000
    yield "evicted_keys", figures["evicted"]
    yield "evicted_clients", figures["evicted_clients"]
    yield "total_eviction_exceeded_time", figures["evict_ns"] // 1_000_000
    yield "current_eviction_exceeded_time", 0
    yield "keyspace_hits", figures["hits"]
    yield "keyspace_misses", figures["misses"]
    audience = state.subscriptions.audience
    yield "pubsub_channels", len(audience[CHANNEL])
    yield "pubsub_patterns", len(audience[PATTERN])
    yield "pubsubshard_channels", len(audience[SHARD_CHANNEL])
    yield from ((name, 0) for name in _STATS_OF_NOTHING)
    yield "tracking_total_keys", figures["tracking_keys"]
    yield "tracking_total_items", figures["tracking_items"]
    yield "tracking_total_prefixes", figures["tracking_prefixes"]
    yield "total_error_replies", sum(figures.errors.values())
    yield "dump_payload_sanitizations", 0
    yield "total_reads_processed", figures["reads"]
    yield "total_writes_processed", figures["writes"]
    yield "io_threaded_reads_processed", 0
    yield "io_threaded_writes_processed", 0
    yield "client_query_buffer_limit_disconnections", figures["query_limit_disconnects"]
    yield "client_output_buffer_limit_disconnections", figures["output_limit_disconnects"]
    yield "timeout_disconnects", figures["timeout_disconnects"]
    yield "reply_buffer_shrinks", 0
    yield "reply_buffer_expands", 0
    yield "keyspace_mutations", figures["dirty"]
    yield "total_pipelined_commands", figures["pipelined"]
    yield "total_pipelined_squashed_commands", figures["squashed_commands"]


_STATS_OF_NOTHING = (
    "latest_fork_usec",
    "total_forks",
    "migrate_cached_sockets",
    "slave_expires_tracked_keys",
    "active_defrag_hits",
    "active_defrag_misses",
    "active_defrag_key_hits",
    "active_defrag_key_misses",
    "total_active_defrag_time",
    "current_active_defrag_time",
    "unexpected_error_replies",
)
"""Redis's names for machinery that does not exist here: forks, defragmentation."""


def replication(report: Report) -> Lines:
    """# Replication: a master that nobody follows."""
    yield "role", "master"
    yield "connected_slaves", 0
    yield "master_failover_state", "no-failover"
    yield "master_replid", report.state.server.replication_id
    yield "master_replid2", "0" * 40
    yield "master_repl_offset", 0
    yield "second_repl_offset", -1
    yield "repl_backlog_active", 0
    yield "repl_backlog_size", report.state.config.texts["repl-backlog-size"]
    yield "repl_backlog_first_byte_offset", 0
    yield "repl_backlog_histlen", 0


def cpu(report: Report) -> Lines:
    """# CPU, in seconds. Redis's main thread is the first shard thread; ours serves nobody."""
    user, in_system = system.cpu_seconds()
    children_user, children_sys = system.cpu_seconds_of_children()
    first = report.figures.threads[0].counts
    yield "used_cpu_sys", f"{in_system:.6f}"
    yield "used_cpu_user", f"{user:.6f}"
    yield "used_cpu_sys_children", f"{children_sys:.6f}"
    yield "used_cpu_user_children", f"{children_user:.6f}"
    yield "used_cpu_sys_main_thread", f"{first['cpu_sys']:.6f}"
    yield "used_cpu_user_main_thread", f"{first['cpu_user']:.6f}"


def modules(report: Report) -> Lines:
    """# Modules: there are none."""
    return iter(())


def commandstats(report: Report) -> Lines:
    """# Commandstats"""
    for name, command in report.figures.commands.items():
        calls = command.calls
        micros = command.nanoseconds // 1000
        yield (
            f"cmdstat_{name}",
            f"calls={calls},usec={micros},usec_per_call={micros / calls if calls else 0:.2f},"
            f"rejected_calls={command.rejected},failed_calls={command.failed}",
        )


def errorstats(report: Report) -> Lines:
    """# Errorstats"""
    for name, count in sorted(report.figures.errors.items()):
        yield f"errorstat_{name}", f"count={count}"


def latencystats(report: Report) -> Lines:
    """# Latencystats, in microseconds"""
    config = report.state.config
    if not config.latency_tracking:
        return
    wanted = config.latency_tracking_info_percentiles
    for name, command in report.figures.commands.items():
        if command.calls:
            shown = ",".join(
                f"p{_plain(percent)}={percentile(command.histogram, percent) / 1000:.3f}"
                for percent in wanted
            )
            yield f"latency_percentiles_usec_{name}", shown


def _plain(number: float) -> str:
    return f"{number:f}".rstrip("0").rstrip(".")


def cluster(report: Report) -> Lines:
    """# Cluster"""
    yield "cluster_enabled", int(is_cluster(report.state.config))


def keyspace(report: Report) -> Lines:
    """# Keyspace: databases that hold keys."""
    for index, db in enumerate(report.figures.databases):
        if db.keys:
            yield f"db{index}", f"keys={db.keys},expires={db.expires},avg_ttl={db.average_ttl}"


def transaction(report: Report) -> Lines:
    """# Transaction: hops, intents, queues, squashing; sums over threads."""
    figures = report.figures
    yield "tx_queue_len", figures["tx_queue_len"]
    yield "tx_queue_longest", figures.greatest("tx_queue_longest")
    yield "tx_scheduled_total", figures["tx_scheduled"]
    yield "tx_schedule_refused_total", figures["tx_refused"]
    yield "tx_out_of_order_total", figures["tx_out_of_order"]
    yield "waiters_served_total", figures["waiters_served"]
    yield "squashed_hops_total", figures["squashed_hops"]
    yield "squashed_commands_total", figures["squashed_commands"]
    yield "hops_sent_total", figures["hops_sent"]
    yield "wakeups_sent_total", figures["wakeups_sent"]
    yield "messages_handled_total", figures["messages_handled"]


def threads(report: Report) -> Lines:
    """# Threads: one line each."""
    for index, thread in enumerate(report.figures.threads):
        counts = thread.counts
        words = [f"{name}={int(counts[name])}" for name in _SHOWN_OF_THREADS]
        words += [f"{name}={counts[name]:.6f}" for name in ("cpu_sys", "cpu_user")]
        yield f"thread{index}", ",".join(words)


_SHOWN_OF_THREADS = (
    "clients",
    "keys",
    "used",
    "calls",
    "hops_sent",
    "messages_handled",
    "wakeups_sent",
    "tx_queue_len",
)

SECTIONS: dict[str, Callable[[Report], Lines]] = {
    "Server": server,
    "Clients": clients,
    "Memory": memory,
    "Persistence": persistence,
    "Stats": stats,
    "Replication": replication,
    "CPU": cpu,
    "Modules": modules,
    "Commandstats": commandstats,
    "Errorstats": errorstats,
    "Latencystats": latencystats,
    "Cluster": cluster,
    "Keyspace": keyspace,
    "Transaction": transaction,
    "Threads": threads,
}
"""Heading -> what makes the lines, in the order in which sections are shown."""

_ON_REQUEST = frozenset(("commandstats", "latencystats", "transaction", "threads"))
_DEFAULT = frozenset(heading.lower() for heading in SECTIONS) - _ON_REQUEST
_EVERY = frozenset(heading.lower() for heading in SECTIONS)

_NEEDS = {
    "clients": CLIENTS,
    "memory": CLIENTS,
    "commandstats": COMMANDS,
    "latencystats": COMMANDS,
    "keyspace": KEYSPACE,
}


def chosen_sections(words: Args) -> frozenset[str]:
    """The sections that the arguments of INFO ask for, in lower case. Unknown ones are passed over."""
    if not words:
        return _DEFAULT
    chosen: set[str] = set()
    for word in words:
        name = word.decode("latin-1").lower()
        if name in ("all", "everything"):
            chosen |= _EVERY
        elif name == "default":
            chosen |= _DEFAULT
        else:
            chosen.add("modules" if name == "module_list" else name)
    return frozenset(chosen & _EVERY)


def cmd_info(context: Context, args: Args) -> Steps:
    """INFO [section...]."""
    chosen = chosen_sections(args[1:])
    wanted = frozenset(_NEEDS[name] for name in chosen if name in _NEEDS)
    answers = yield from context.everywhere(gather, wanted)
    report = Report(Figures(answers), context.dispatcher.state)
    parts = [
        f"# {heading}\r\n" + "".join([f"{name}:{value}\r\n" for name, value in section(report)])
        for heading, section in SECTIONS.items()
        if heading.lower() in chosen
    ]
    return Verbatim(b"txt", "\r\n".join(parts).encode("utf-8", "surrogateescape"))


TABLE: tuple[Row, ...] = (
    multi(
        "INFO",
        -1,
        "loading stale",
        run=cmd_info,
        scope=NOTHING,
        acl="@slow @dangerous",
        since="1.0.0",
        group="server",
        syntax="[section [section ...]]",
        summary="Describes the state of the server.",
        complexity="O(N) where N is the number of clients",
        tips="nondeterministic_output request_policy:all_shards response_policy:special",
    ),
)
