"""The figures of the server: gathered on every thread, merged for whoever asks.

Threads count on their own and share nothing, so a figure of the server is a sum over threads. ``gather`` runs
on each thread and returns plain values; ``Figures`` adds them up. A figure is exact for each thread at the
moment it was asked; threads are asked at moments that lie microseconds apart.

What costs more than a look at some counters is gathered on demand: clients one by one, commands with their
latencies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from nogil_df.base.system import cpu_seconds_of_thread
from nogil_df.commands.client_list import CLIENT_BYTES
from nogil_df.commands.functions import counts as function_counts
from nogil_df.commands.scripting import Scripting
from nogil_df.commands.spec import BUCKETS, Command
from nogil_df.shard.memory import record_size
from nogil_df.shard.values import type_name

if TYPE_CHECKING:
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.vll.proactor import Proactor

CLIENTS, COMMANDS, KEYSPACE = "clients", "commands", "keyspace"
"""What `gather` may be asked for beside the counters."""

TYPES = ("string", "list", "set", "zset", "hash", "stream")
"""Names of the types, as TYPE answers them."""

TYPE_SAMPLE = 1000
"""Records of a database that the shares of the types in its memory are estimated from: up to so many they are
exact. 0.3 ms."""

TTL_SAMPLE = 512
"""Records of a database that its average time to live is estimated from."""


@dataclass(slots=True)
class CommandFigures:
    """What one command did: calls, nanoseconds, refusals before and failures after it ran, latencies."""

    calls: int = 0
    nanoseconds: int = 0
    rejected: int = 0
    failed: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def add(self, other: CommandFigures) -> None:
        """Add another thread's figures. O(buckets)."""
        self.calls += other.calls
        self.nanoseconds += other.nanoseconds
        self.rejected += other.rejected
        self.failed += other.failed
        self.histogram = [one + two for one, two in zip(self.histogram, other.histogram, strict=True)]


@dataclass(slots=True)
class DatabaseFigures:
    """One database: keys, those that expire, a sample of their times to live in milliseconds, slots."""

    keys: int = 0
    expires: int = 0
    ttl_sum: int = 0
    ttl_count: int = 0
    capacity: int = 0

    def add(self, other: DatabaseFigures) -> None:
        """Add another shard's figures."""
        self.keys += other.keys
        self.expires += other.expires
        self.ttl_sum += other.ttl_sum
        self.ttl_count += other.ttl_count
        self.capacity += other.capacity

    @property
    def average_ttl(self) -> int:
        """Estimated mean time to live of the keys that expire, in milliseconds; 0 if there is none."""
        return self.ttl_sum // self.ttl_count if self.ttl_count else 0


@dataclass(slots=True)
class ThreadFigures:
    """The figures of one thread.

    Attributes:
        counts: figures of which the server's is the sum.
        greatest: figures of which the server's is the maximum.
        errors: error replies by prefix.
        pipeline_latencies: see `ThreadState.note_pipeline`.
        commands, databases: on demand, see `gather`.
    """

    counts: dict[str, float]
    greatest: dict[str, int]
    errors: dict[str, int]
    pipeline_latencies: list[int]
    commands: dict[str, CommandFigures] = field(default_factory=dict)
    databases: list[DatabaseFigures] = field(default_factory=list)


class Figures:
    """The figures of all threads together.

    Attributes:
        threads: those of each.
    """

    def __init__(self, threads: Iterable[ThreadFigures]) -> None:
        self.threads = list(threads)
        self._counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.databases: list[DatabaseFigures] = []
        for thread in self.threads:
            self._counts.update(thread.counts)
            self.errors.update(thread.errors)
            self.databases = self.databases or [DatabaseFigures() for _ in thread.databases]
            for sum_of, one in zip(self.databases, thread.databases, strict=True):
                sum_of.add(one)

    @cached_property
    def commands(self) -> dict[str, CommandFigures]:
        """What each command did on all threads. O(threads * commands * buckets), once."""
        merged: dict[str, CommandFigures] = {}
        for thread in self.threads:
            for name, figures in thread.commands.items():
                merged.setdefault(name, CommandFigures()).add(figures)
        return merged

    def __getitem__(self, name: str) -> int:
        """A count, summed over threads."""
        return self._counts[name]

    def rate(self, name: str) -> float:
        """A count that is not a whole number, summed over threads."""
        return float(self._counts[name])

    def pipeline_latencies(self) -> list[int]:
        """Latencies of pipelined commands, summed over threads. O(threads * buckets)."""
        return [sum(counts) for counts in zip(*(one.pipeline_latencies for one in self.threads), strict=True)]

    def greatest(self, name: str) -> int:
        """A figure of which the greatest of all threads counts."""
        return max(thread.greatest[name] for thread in self.threads)


def gather(proactor: Proactor, wanted: frozenset[str]) -> ThreadFigures:
    """The figures of this thread. O(commands), and O(clients) where clients are wanted.

    Args:
        wanted: what is needed beside the counters: CLIENTS, COMMANDS, KEYSPACE.
    """
    state: ThreadState = proactor.service
    state.settle()
    counts = {**_counters(state), **_rates(state), **_core_counters(proactor), **_script_counters(state)}
    greatest = {"input_buffer": 0, "output_buffer": 0, "tx_queue_longest": proactor.engine.queue.longest}
    if CLIENTS in wanted:
        _look_at_clients(state, counts, greatest)
        counts.update(_bytes_by_type(proactor))
    figures = ThreadFigures(counts, greatest, dict(state.errors), list(state.pipeline_latencies))
    if COMMANDS in wanted:
        figures.commands = dict(_commands(state))
    if KEYSPACE in wanted:
        now = proactor.shard.tick.ms
        figures.databases = [_database(db, now) for db in proactor.shard.dbs]
    return figures


def _counters(state: ThreadState) -> dict[str, float]:
    shard = state.proactor.shard
    used = shard.used
    state.memory_peak = max(state.memory_peak, used)
    commands = list(_all_commands(state))
    return {
        "connections_received": state.connections_received,
        "clients": len(state.sessions),
        "calls": sum(command.calls for command in commands),
        "nanoseconds": sum(command.nanoseconds for command in commands),
        "bytes_in": state.bytes_in,
        "bytes_out": state.bytes_out,
        "reads": state.reads,
        "writes": state.writes,
        "pipelined": state.pipelined,
        "pipelines": state.pipelines,
        "pipeline_ns": state.pipeline_ns,
        "pipeline_wait_ns": state.pipeline_wait_ns,
        "read_yields": state.read_yields,
        "send_ns": state.send_ns,
        "query_limit_disconnects": state.query_limit_disconnects,
        "output_limit_disconnects": state.output_limit_disconnects,
        "timeout_disconnects": state.timeout_disconnects,
        "expire_ns": state.expire_ns,
        "used": used,
        "peak": state.memory_peak,
        "empty": state.memory_at_start,
        # Of the process: counted once.
        "resident_at_start": 0 if state.proactor.index else state.memory.resident_at_start,
        "data": sum(db.used + db.table.payload() for db in shard.dbs),
        "keys": sum(len(db) for db in shard.dbs),
        "dirty": shard.dirty,
        "hits": shard.hits,
        "misses": shard.misses,
        "expired": shard.expired,
        "expired_fields": shard.expired_fields,
        "evicted": shard.evicted,
        "evicted_clients": state.memory.evicted_clients,
        "evict_ns": state.memory.visits_ns,
        "pending_free": sum(len(table) for table in shard.garbage),
        "discarded": shard.discarded,
        "capacity": sum(db.table.capacity for db in shard.dbs),
    }


def _rates(state: ThreadState) -> dict[str, float]:
    """What happens in a second, averaged over the last samples."""
    samples = list(state.samples)
    names = ("commands_per_second", "bytes_in_per_second", "bytes_out_per_second")
    return {
        name: sum(sample[at] for sample in samples) / max(1, len(samples)) for at, name in enumerate(names)
    }


def _core_counters(proactor: Proactor) -> dict[str, float]:
    engine = proactor.engine
    dispatcher = proactor.service.dispatcher
    user, in_system = cpu_seconds_of_thread()
    return {
        "hops_sent": proactor.hops_sent,
        "messages_handled": proactor.messages_handled,
        "wakeups_sent": proactor.wakeups_sent,
        "tx_queue_len": len(engine.queue),
        "tx_scheduled": engine.scheduled_total,
        "tx_refused": engine.refused_total,
        "tx_out_of_order": engine.out_of_order_total,
        "waiters_served": engine.blocking.served_total,
        "squashed_hops": dispatcher.squashed_hops,
        "squashed_commands": dispatcher.squashed_commands,
        "squashed_ns": dispatcher.squashed_ns,
        "cpu_user": user,
        "cpu_sys": in_system,
    }


def _look_at_clients(state: ThreadState, counts: dict[str, float], greatest: dict[str, int]) -> None:
    blocked = len(state.pausing.parked)
    queued_commands = 0
    buffers = watching = watched = subscribed = timeouts = tracking = 0
    for session in state.sessions.values():
        figures = session.transport.describe()
        queued = figures.get("qbuf", 0)
        unsent = figures.get("omem", 0)
        greatest["input_buffer"] = max(greatest["input_buffer"], queued)
        greatest["output_buffer"] = max(greatest["output_buffer"], unsent)
        buffers += queued + unsent
        if session.blocked is not None:
            blocked += 1
            timeouts += session.blocked.timer is not None
        tracking += session.tracking is not None
        queued_commands += max(0, len(session.batch) - session.position)
        watching += bool(session.watching)
        watched += len(session.watching)
        subscribed += session.subscriptions > 0
    counts["client_memory"] = buffers + CLIENT_BYTES * len(state.sessions)
    counts["blocked"] = blocked
    counts["queued_commands"] = queued_commands
    counts["timeouts"] = timeouts
    counts["blocking_keys"] = sum(len(db.waiting) for db in state.proactor.shard.dbs)
    counts["tracking"] = tracking
    notes = state.proactor.shard.tracking
    counts["tracking_keys"] = len(notes.keys)
    counts["tracking_items"] = sum(map(len, notes.keys.values()))
    # The same on every thread: counted once.
    counts["tracking_prefixes"] = 0 if state.proactor.index else len(notes.prefixes)
    counts["watching"] = watching
    counts["watched"] = watched
    counts["subscribed"] = subscribed


def _script_counters(state: ThreadState) -> dict[str, float]:
    """Scripts and functions: every thread has all of them, so they are counted once; their bytes are not."""
    scripting = Scripting.of(state)
    libraries, functions, function_bytes = function_counts(state)
    first = state.proactor.index == 0
    return {
        "lua_memory": scripting.runtime.memory if scripting.runtime is not None else 0,
        "scripts": len(scripting.cache) if first else 0,
        "script_bytes": scripting.cache.size,
        "libraries": libraries if first else 0,
        "functions": functions if first else 0,
        "function_bytes": function_bytes,
    }


def _all_commands(state: ThreadState) -> Iterator[Command]:
    for command in state.dispatcher.table.values():
        yield command
        yield from command.subcommands.values()


def _commands(state: ThreadState) -> Iterator[tuple[str, CommandFigures]]:
    for command in _all_commands(state):
        if command.calls or command.rejected or command.failed:
            histogram = list(command.histogram) if command.histogram else [0] * BUCKETS
            yield (
                command.full_name,
                CommandFigures(
                    command.calls, command.nanoseconds, command.rejected, command.failed, histogram
                ),
            )


def _bytes_by_type(proactor: Proactor) -> dict[str, float]:
    """How the bytes of keys and values are divided among types, see TYPE_SAMPLE."""
    found = dict.fromkeys((f"bytes_{name}" for name in TYPES), 0.0)
    for db in proactor.shard.dbs:
        if not len(db):
            continue
        sizes: Counter[str] = Counter()
        # Records lie in the order of their hashes, so the first ones are as good a sample as any.
        for key, value, _ in islice(db.table.items(), TYPE_SAMPLE):
            sizes[type_name(value).decode()] += record_size(key, value)
        # What a packed table holds itself, all keys among it, counts as strings.
        found["bytes_string"] += db.table.payload()
        total = sum(sizes.values()) or 1
        for name, size in sizes.items():
            found[f"bytes_{name}"] += db.used * size / total
    return found


def _database(db: Keyspace, now: int) -> DatabaseFigures:
    expires = db.table.expiring
    figures = DatabaseFigures(len(db), expires, capacity=db.table.capacity)
    if expires:
        # Records lie in the order of their hashes, so the first ones are as good a sample as any.
        sample = islice(db.table.items(), TTL_SAMPLE)
        left = [max(0, deadline - now) for _, _, deadline in sample if deadline]
        figures.ttl_sum = sum(left)
        figures.ttl_count = len(left)
    return figures


def percentile(histogram: list[int], percent: float) -> float:
    """The latency, in nanoseconds, that ``percent`` of the calls did not exceed.

    Within a bucket calls are taken to be spread evenly, so the figure is within a factor of 2. O(buckets).
    """
    rank = sum(histogram) * percent / 100
    passed = 0
    for bucket, count in enumerate(histogram):
        if count and passed + count >= rank:
            low = (1 << bucket) >> 1
            return low + (low or 1) * max(0.0, rank - passed) / count
        passed += count
    return 0.0


def reset_statistics(proactor: Proactor, argument: None) -> None:
    """On every thread: CONFIG RESETSTAT. O(commands)."""
    state: ThreadState = proactor.service
    state.settle()
    shard = proactor.shard
    shard.hits = shard.misses = shard.expired = shard.expired_fields = shard.evicted = 0
    shard.discarded = sum(len(table) for table in shard.garbage)
    for dispatcher in state.dispatchers:
        for command in dispatcher.table.values():
            command.reset_stats()
    state.errors.clear()
    state.bytes_in = state.bytes_out = state.reads = state.writes = state.pipelined = 0
    state.connections_received = state.expire_ns = 0
    state.memory.evicted_clients = state.memory.visits_ns = 0
    state.query_limit_disconnects = state.output_limit_disconnects = state.timeout_disconnects = 0
    state.pipelines = state.pipeline_ns = state.pipeline_wait_ns = state.read_yields = state.send_ns = 0
    state.pipeline_latencies = [0] * BUCKETS
    state.samples.clear()
    state.sampled = (state.clock.monotonic(), 0, 0, 0)
    state.dispatcher.squashed_hops = state.dispatcher.squashed_commands = state.dispatcher.squashed_ns = 0
    proactor.hops_sent = proactor.messages_handled = proactor.wakeups_sent = 0
    engine = proactor.engine
    engine.scheduled_total = engine.refused_total = engine.out_of_order_total = 0
    engine.queue.longest = len(engine.queue)
