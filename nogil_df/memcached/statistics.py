"""stats: what Memcached's tools ask for, from the counters of all threads and the figures of database 0.

Each thread sends its share as a dict of numbers, which are added up; text is made once. There are no slabs
here: what the tools expect by slab class is told as one class, number 1, that holds every item.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from nogil_df import __version__
from nogil_df.base.system import cpu_seconds
from nogil_df.commands.spec import NOTHING, Row, multi
from nogil_df.memcached.replies import COUNTERS
from nogil_df.memcached.storage import complaint, is_string
from nogil_df.wire.memcached import parse_uint
from nogil_df.wire.values import Raw

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Proactor

Args = list[bytes]
Figures = dict[str, Any]

VERSION: Final = f"1.6.18 nogil-df-{__version__}"
"""The version of Memcached whose protocol this is, which some clients look at, then our own."""

DUMP_BYTES: Final = 2 << 20
"""At about so much ``stats cachedump`` ends, as Memcached's does."""

SCAN_STEPS: Final = 128
"""Buckets that one hop of a walk over all keys looks at: about 0.3 ms."""

_BREAKS_LINE: Final = re.compile(rb"[\x00-\x20\x7f]")


def lines(figures: Iterable[tuple[str, Any]]) -> Raw:
    """The reply of ``stats``."""
    return Raw(b"".join([f"STAT {name} {value}\r\n".encode() for name, value in figures]) + b"END")


def add_up(parts: Iterable[Figures]) -> Figures:
    """The sum of the threads' figures, by name. O(threads * figures)."""
    total: Figures = {}
    for part in parts:
        for name, number in part.items():
            total[name] = total.get(name, 0) + number
    return total


def figures_of(proactor: Proactor, argument: None) -> Figures:
    """On every thread: its share."""
    state = proactor.service
    shard = proactor.shard
    db = shard.dbs[0]
    return {
        **state.memcached.encoder.counters,
        "bytes_read": state.bytes_in,
        "bytes_written": state.bytes_out,
        "total_connections": state.connections_received,
        "curr_items": len(db),
        "bytes": db.used + db.table.memory_usage(),
        "evictions": shard.evicted,
        "expired": shard.expired,
    }


def cmd_stats(context: Context, args: Args) -> Steps:
    """``stats [what...]``."""
    if len(args) == 1:
        return lines(_general(context, add_up((yield from context.everywhere(figures_of)))))
    what = args[1]
    if what == b"reset":
        yield from context.everywhere(reset)
        return Raw(b"RESET")
    if what == b"settings":
        return lines(_settings(context))
    if what == b"items":
        return lines(_items(add_up((yield from context.everywhere(figures_of)))))
    if what == b"slabs":
        return lines(_slabs(add_up((yield from context.everywhere(figures_of)))))
    if what == b"sizes":
        # As a Memcached that was not told to keep a histogram of sizes.
        return lines([("sizes_status", "disabled")])
    if what == b"conns":
        found = yield from context.everywhere(connections_of)
        return Raw(b"".join(line for part in found for line in part) + b"END")
    if what == b"cachedump":
        return (yield from _cachedump(context, args))
    if what == b"detail":
        raise complaint(b"CLIENT_ERROR stats detail not allowed")
    raise complaint(b"ERROR")


def reset(proactor: Proactor, argument: None) -> None:
    """On every thread: begin to count anew."""
    proactor.service.memcached.encoder.reset()


def _general(context: Context, total: Figures) -> list[tuple[str, Any]]:
    server = context.dispatcher.state.server
    config = context.dispatcher.config
    clock = context.dispatcher.clock
    user, in_system = cpu_seconds()
    gets = total["get_hits"] + total["get_misses"]
    return [
        ("pid", os.getpid()),
        ("uptime", int(clock.monotonic() - server.started_at)),
        ("time", clock.unix_ms() // 1000),
        ("version", VERSION),
        ("pointer_size", struct.calcsize("P") * 8),
        ("rusage_user", f"{user:.6f}"),
        ("rusage_system", f"{in_system:.6f}"),
        ("max_connections", config.maxclients),
        ("curr_connections", server.connected_clients()),
        ("total_connections", total["total_connections"]),
        ("rejected_connections", server.connections_rejected),
        ("cmd_get", gets),
        *((name, total[name]) for name in COUNTERS),
        ("bytes_read", total["bytes_read"]),
        ("bytes_written", total["bytes_written"]),
        ("limit_maxbytes", config.maxmemory),
        ("accepting_conns", 1),
        ("threads", context.proactor.count),
        ("bytes", total["bytes"]),
        ("curr_items", total["curr_items"]),
        ("total_items", total["cmd_set"]),
        ("evictions", total["evictions"]),
        ("reclaimed", total["expired"]),
    ]


def _settings(context: Context) -> list[tuple[str, Any]]:
    config = context.dispatcher.config
    options = context.dispatcher.state.server.options
    level = {b"notice": 0, b"warning": 0, b"verbose": 1}
    log_level = next(iter(config.get([b"loglevel"]).values()), b"notice")
    return [
        ("maxbytes", config.maxmemory),
        ("maxconns", config.maxclients),
        ("tcpport", context.dispatcher.state.server.memcached_port),
        ("udpport", 0),
        ("inter", ",".join(word.lstrip("-") for word in options.bind)),
        ("verbosity", level.get(log_level, 2)),
        ("evictions", "off" if config.get([b"maxmemory-policy"]) == {} else "on"),
        ("num_threads", context.proactor.count),
        ("cas_enabled", "yes"),
        ("tcp_backlog", options.tcp_backlog),
        ("auth_enabled_ascii", "yes" if options.requirepass else "no"),
        ("item_size_max", config.memcached_max_item_size),
        ("maxconns_fast", "yes"),
        ("flush_enabled", "yes"),
        ("dump_enabled", "yes"),
        ("shutdown_command", "no"),
        ("detail_enabled", "no"),
        ("watch_enabled", "no"),
        ("hash_algorithm", "xxh3"),
        ("binding_protocol", "ascii"),
    ]


def _items(total: Figures) -> list[tuple[str, Any]]:
    if not total["curr_items"]:
        return []
    return [
        ("items:1:number", total["curr_items"]),
        ("items:1:mem_requested", total["bytes"]),
        ("items:1:evicted", total["evictions"]),
        ("items:1:reclaimed", total["expired"]),
    ]


def _slabs(total: Figures) -> list[tuple[str, Any]]:
    names = "get_hits cmd_set delete_hits incr_hits decr_hits cas_hits cas_badval touch_hits".split()
    return [
        ("1:used_chunks", total["curr_items"]),
        *((f"1:{name}", total[name]) for name in names),
        ("active_slabs", 1 if total["curr_items"] else 0),
        ("total_malloced", total["bytes"]),
    ]


def connections_of(proactor: Proactor, argument: None) -> list[bytes]:
    """On every thread: its clients, as ``stats conns`` tells of them."""
    state = proactor.service
    now = state.clock.monotonic()
    found = []
    for session in state.sessions.values():
        fd = session.transport.describe().get("fd", 0)
        busy = "conn_nread" if session.busy else "conn_read"
        found += [
            f"STAT {fd}:addr tcp:{session.address}\r\n".encode(),
            f"STAT {fd}:listen_addr tcp:{session.local_address}\r\n".encode(),
            f"STAT {fd}:state {busy}\r\n".encode(),
            f"STAT {fd}:secs_since_last_cmd {int(now - session.last_active)}\r\n".encode(),
        ]
    return found


def walk(shard: Shard, argument: tuple[int, int]) -> tuple[int, list[tuple[bytes, Any, int, int]]]:
    """A hop's work: some buckets of database 0 from a cursor on. O(buckets).

    Returns:
        The next cursor, and of each string its key, value, deadline (unix ms, 0 for none) and idle seconds.
    """
    cursor, steps = argument
    db = shard.dbs[0]
    hash_key = shard.hash_key
    found = []
    for _ in range(steps):
        cursor, keys = db.table.scan(cursor)
        for key in keys:
            h = hash_key(key)
            idle = db.table.idle_seconds(key, h)
            value = db.look(key, h)
            if is_string(value):
                found.append((key, value, db.deadline(key, h), idle))
        if not cursor:
            break
    return cursor, found


def _cachedump(context: Context, args: Args) -> Steps:
    """``stats cachedump <class> <limit>``: keys, lengths, deadlines."""
    if len(args) < 4:
        raise complaint(b"CLIENT_ERROR bad command line")
    group, limit = parse_uint(args[2], 32), parse_uint(args[3], 32)
    if group is None or limit is None:
        raise complaint(b"CLIENT_ERROR bad command line format")
    if group > 63:
        raise complaint(b"CLIENT_ERROR Illegal slab id")
    found: list[bytes] = []
    size = 0
    for shard in range(context.proactor.count if group == 1 else 0):
        cursor = 0
        while size < DUMP_BYTES and not (limit and len(found) >= limit):
            cursor, records = yield from context.alone(shard, walk, (cursor, SCAN_STEPS))
            for key, value, when, _ in records:
                if _BREAKS_LINE.search(key):
                    continue  # of a client of Redis; none of Memcached's could name it
                line = b"ITEM %b [%d b; %d s]\r\n" % (key, len(value), when // 1000)
                found.append(line)
                size += len(line)
            if not cursor:
                break
    return Raw(b"".join(found[: limit or None]) + b"END")


TABLE: tuple[Row, ...] = (multi("STATS", -1, "fast", run=cmd_stats, scope=NOTHING, acl="@admin @dangerous"),)
