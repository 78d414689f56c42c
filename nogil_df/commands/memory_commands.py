"""MEMORY: what the server holds in memory, and what a key costs.

Figures are the server's own account (`nogil_df.shard.memory`), summed over threads, beside what the operating
system says about the process. The interpreter and its modules, some 45 MB, are in the second and not in the
first, which is what `maxmemory` bounds. In Redis they are in both, so that an empty server there is not
said to be fragmented; here, too, both sides of such a ratio include what the process took when it started
(`ProcessMemory`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from nogil_df.base.errors import ReplyError
from nogil_df.base.machine import resident
from nogil_df.base.numbers import format_memory, parse_int
from nogil_df.base.system import page_bytes
from nogil_df.commands.help import help_row
from nogil_df.commands.spec import NOTHING, Row, container, multi
from nogil_df.commands.statistics import CLIENTS, Figures, gather
from nogil_df.shard.memory import record_size
from nogil_df.shard.table import give_memory_back
from nogil_df.wire.values import OK, Verbatim

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.vll.proactor import Proactor

Args = list[bytes]

SMALL = 5 << 20
"""Bytes below which MEMORY DOCTOR has nothing to say."""


class ProcessMemory(NamedTuple):
    """The process beside the account, bytes.

    Attributes:
        resident: of the process, now.
        private: those of them that do not come from files (code, libraries): what was allocated.
        accounted: what the process took when it started, and what its account has grown by since.
        allocated: as much of that as is private.
    """

    resident: int
    private: int
    accounted: int
    allocated: int

    @classmethod
    def of(cls, figures: Figures, used: int) -> ProcessMemory:
        """As of now. O(1)."""
        total, files = resident(), shared()
        accounted = figures["resident_at_start"] + used
        return cls(total, max(1, total - files), max(1, accounted), max(1, accounted - files))


# USAGE.


def cmd_usage(context: Context, args: Args) -> Steps:
    """MEMORY USAGE key [SAMPLES count]: null if there is no such key."""
    at = 3
    while at < len(args):
        if args[at].upper() != b"SAMPLES" or at + 1 == len(args):
            raise ReplyError("SYNTAX")
        count = parse_int(args[at + 1])
        if count is None:
            raise ReplyError("NOT_INTEGER")
        if count < 0:
            raise ReplyError("SYNTAX")
        at += 2
    # Nothing is sampled: every value knows its own size.
    return (yield from context.at(args[2], op_usage, args[2], last=True))


def op_usage(db: Keyspace, key: bytes, h: int) -> int | None:
    """Bytes that a key takes, its share of the table included. O(1)."""
    value = db.table.look(key, h)
    if value is None:
        return None
    return record_size(key, value) + db.table.record_bytes(key, h)


# STATS.


def cmd_stats(context: Context, args: Args) -> Steps:
    """MEMORY STATS: Redis's fields."""
    figures = yield from _figures(context)
    tables: dict[int, list[int]] = {}
    for found in (yield from context.everywhere(table_sizes)):
        for index, (main, expires) in found.items():
            sums = tables.setdefault(index, [0, 0])
            sums[0] += main
            sums[1] += expires
    return {**_accounted(figures), **_databases(tables), **_derived(figures)}


def _figures(context: Context) -> Steps:
    return Figures((yield from context.everywhere(gather, frozenset((CLIENTS,)))))


def table_sizes(proactor: Proactor, argument: Any) -> dict[int, tuple[int, int]]:
    """On every thread: of each database with keys the bytes of its table, and of its deadlines."""
    sizes: dict[int, tuple[int, int]] = {}
    for db in proactor.shard.dbs:
        if len(db):
            table = db.table
            expires = table.expiring * table.deadline_bytes
            sizes[db.index] = table.memory_usage() - table.payload() - expires, expires
    return sizes


def _used(figures: Figures) -> int:
    return figures["used"] + figures["client_memory"]


def _accounted(figures: Figures) -> dict[str, Any]:
    used = _used(figures)
    return {
        "peak.allocated": max(used, figures["peak"]),
        "total.allocated": used,
        "startup.allocated": min(used, figures["empty"]),
        "replication.backlog": 0,
        "clients.slaves": 0,
        "clients.normal": figures["client_memory"],
        "cluster.links": 0,
        "aof.buffer": 0,
        "lua.caches": figures["script_bytes"],
        "functions.caches": figures["function_bytes"],
    }


def _databases(tables: dict[int, list[int]]) -> dict[str, Any]:
    return {
        f"db.{index}": {
            "overhead.hashtable.main": main,
            "overhead.hashtable.expires": expires,
            "overhead.hashtable.slot-to-keys": 0,
        }
        for index, (main, expires) in sorted(tables.items())
    }


def _derived(figures: Figures) -> dict[str, Any]:
    used = _used(figures)
    startup = min(used, figures["empty"])
    net = used - startup
    keys = figures["keys"]
    dataset = figures["data"]
    process = ProcessMemory.of(figures, used)
    total, private, allocated = process.resident, process.private, process.allocated
    return {
        "overhead.total": used - dataset,
        "keys.count": keys,
        "keys.bytes-per-key": net // keys if keys else 0,
        "dataset.bytes": dataset,
        "dataset.percentage": 100 * dataset / net if net else 0.0,
        "peak.percentage": 100 * used / max(1, used, figures["peak"]),
        "allocator.allocated": allocated,
        "allocator.active": private,
        "allocator.resident": private,
        "allocator-fragmentation.ratio": private / allocated,
        "allocator-fragmentation.bytes": private - allocated,
        "allocator-rss.ratio": 1.0,
        "allocator-rss.bytes": 0,
        "rss-overhead.ratio": total / private,
        "rss-overhead.bytes": total - private,
        "fragmentation": total / process.accounted,
        "fragmentation.bytes": total - process.accounted,
    }


def shared() -> int:
    """Resident bytes of this process that come from files (code, libraries); 0 where /proc does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[2]) * page_bytes()
    except OSError:
        return 0


# DOCTOR, PURGE, MALLOC-STATS.


def cmd_doctor(context: Context, args: Args) -> Steps:
    """MEMORY DOCTOR."""
    figures = yield from _figures(context)
    total = resident() - figures["resident_at_start"]
    text = diagnose(_used(figures), figures["peak"], total, figures["client_memory"], figures["clients"])
    return Verbatim(b"txt", text.encode())


def diagnose(used: int, peak: int, total: int, client_memory: int, clients: int) -> str:
    """The report of MEMORY DOCTOR.

    Args:
        used, peak: bytes accounted for, now and at most.
        total: resident bytes that the process has grown by since its start.
        client_memory, clients: bytes of clients' buffers, and how many clients there are.
    """
    if used < SMALL:
        return f"There is next to no data here ({format_memory(used)}), so there is nothing to diagnose.\n"
    findings: list[str] = []
    if peak > used * 1.5:
        findings.append(
            f"Peak: the server once held {format_memory(peak)}, now {format_memory(used)}. What was freed is "
            "kept for new data; the process shrinks only where whole pages became empty."
        )
    if total > used * 1.4 and total - used > 100 << 20:
        findings.append(
            f"Resident memory: the process grew by {format_memory(total)} for {format_memory(used)} of data. "
            "Keys of very different sizes that come and go leave gaps; after mass deletion that is normal."
        )
    if clients and client_memory // clients > 200 << 10:
        findings.append(
            f"Clients: their buffers hold {format_memory(client_memory)}, of {clients} clients. Look in "
            "CLIENT LIST for those that send or ask for more than they take."
        )
    if not findings:
        return "Nothing unusual about the memory of this server.\n"
    return "What is unusual about the memory of this server:\n\n" + "".join(f"* {one}\n" for one in findings)


def cmd_purge(context: Context, args: Args) -> Steps:
    """MEMORY PURGE: give back what can be given back; what flushes left behind is freed on every thread."""
    yield from context.everywhere(purge)
    return OK


def purge(proactor: Proactor, argument: Any) -> None:
    """On every thread: free tables that a flush took out of service. O(keys flushed and not yet freed)."""
    shard = proactor.shard
    while shard.free_garbage(1 << 10):
        pass
    if shard.index == 0:
        give_memory_back()


def cmd_malloc_stats(context: Context, args: Args) -> Steps:
    """MEMORY MALLOC-STATS: what the interpreter and the system tell about the allocator."""
    figures = yield from _figures(context)
    blocks = yield from context.everywhere(allocated_blocks)
    lines = [
        "Process:",
        *(f"  {name}: {value}" for name, value in _process_status()),
        "Objects of the interpreter, by thread:",
        *(f"  shard-{index}: {count} blocks" for index, count in enumerate(blocks)),
        "Accounted for, by thread:",
        *(
            f"  shard-{index}: {thread.counts['used']} bytes, {thread.counts['data']} of them keys and values"
            for index, thread in enumerate(figures.threads)
        ),
    ]
    return Verbatim(b"txt", ("\n".join(lines) + "\n").encode())


def allocated_blocks(proactor: Proactor, argument: Any) -> int:
    """On every thread: memory blocks in use; a free-threaded interpreter counts those of this thread."""
    return sys.getallocatedblocks()


def _process_status() -> list[tuple[str, str]]:
    """The memory fields of /proc/self/status; the resident size alone where there is none."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            fields = [line.split(":", 1) for line in file if line.startswith(("Vm", "Rss"))]
    except OSError:
        return [("resident", f"{resident()} bytes")]
    return [(name, value.strip()) for name, value in fields]


_TIPS = "nondeterministic_output request_policy:all_shards response_policy:special"
_TIPS_OF_CHANGES = "request_policy:all_shards response_policy:all_succeeded"


def _row(name: str, run: Any, summary: str) -> Row:
    return multi(
        f"MEMORY {name}",
        2,
        "",
        run=run,
        scope=NOTHING,
        acl="@slow",
        since="4.0.0",
        group="server",
        summary=summary,
        tips=_TIPS_OF_CHANGES if name == "PURGE" else _TIPS,
    )


TABLE: tuple[Row, ...] = (
    container(
        "MEMORY",
        -2,
        "",
        _row("DOCTOR", cmd_doctor, "Says in words what is unusual about the memory in use."),
        _row("MALLOC-STATS", cmd_malloc_stats, "Shows what the memory allocator reports."),
        _row("PURGE", cmd_purge, "Frees memory that waits to be freed."),
        _row("STATS", cmd_stats, "Shows what memory is used for."),
        multi(
            "MEMORY USAGE",
            -3,
            "readonly",
            run=cmd_usage,
            keys=(2, 2, 1),
            key_flags="RO",
            acl="@read @slow",
            since="4.0.0",
            group="server",
            syntax="key [SAMPLES count]",
            summary="Estimates the bytes that a key takes.",
        ),
        help_row("MEMORY", since="4.0.0"),
        acl="@slow",
        since="4.0.0",
        group="server",
        summary="Commands that tell about memory.",
    ),
)
