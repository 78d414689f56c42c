"""The commands that are about the server: flush_all, version, verbosity, cache_memlimit, lru_crawler, quit.

flush_all with a delay is a date: everything that was stored before it is gone when it comes, and what is
stored after it stays, which is to say that the database is emptied at that moment. One thread keeps the date,
and a later flush_all takes the place of an earlier one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_from_bytes

from nogil_df.base.errors import ReplyError
from nogil_df.commands.config_commands import cmd_set
from nogil_df.commands.connection import log_in
from nogil_df.commands.databases import flush, free_soon
from nogil_df.commands.session import Session
from nogil_df.commands.spec import ALL_EXCLUSIVE, NOTHING, Row, local, multi
from nogil_df.commands.strings_multi import MEMCACHED_ABSOLUTE
from nogil_df.commands.threadstate import GONE
from nogil_df.memcached.replies import DONE, SILENT
from nogil_df.memcached.statistics import SCAN_STEPS, VERSION, walk
from nogil_df.memcached.storage import BAD_EXPTIME, complaint
from nogil_df.shard.flagged import FETCHED, Flagged
from nogil_df.shard.memory import record_size
from nogil_df.wire.memcached import parse_int32, parse_uint
from nogil_df.wire.values import Raw

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.vll.proactor import Message, Proactor

Args = list[bytes]

KEEPER: Final = 0
"""The thread that keeps the date of a flush to come."""

DUMP_AHEAD: Final = 1 << 20
"""Bytes of a dump that the client has not taken, beyond which the walk waits."""

DUMP_PAUSE: Final = 0.01
"""Seconds between two looks whether it has."""

LEVELS: Final = (b"notice", b"verbose")
"""The log level that a verbosity stands for; "debug" for all above."""


def cmd_flush_all(context: Context, args: Args) -> Steps:
    """``flush_all [delay] [noreply]``."""
    quiet = args[-1] == b"noreply"
    words = args[1:-1] if quiet else args[1:]
    if len(args) > 3:
        raise ReplyError("WRONG_ARITY", "flush_all")
    context.dispatcher.encoder.counters["cmd_flush"] += 1  # type: ignore[attr-defined]
    delay = parse_int32(words[0]) if words else 0
    if delay is None:
        raise complaint(BAD_EXPTIME, quiet)
    if delay > MEMCACHED_ABSOLUTE:
        delay = max(0, delay - context.dispatcher.clock.unix_ms() // 1000)
    proactor = context.proactor
    message = (plan_flush, max(0, delay))
    if proactor.index == KEEPER:
        plan_flush(proactor, message)
    else:
        proactor.post(KEEPER, message)
    if delay <= 0:
        yield from context.all_shards(flush, (0, 1), last=True)
        proactor.broadcast((free_soon,))
    return DONE + (SILENT if quiet else 0)


def plan_flush(proactor: Proactor, message: Message) -> None:
    """On the keeper's thread: forget the date there is; flush in ``message[1]`` seconds unless that is 0."""
    state = proactor.service
    timer = state.extra.pop("memcached_flush", None)
    if timer is not None:
        timer.cancel()
    if message[1]:
        when = state.clock.monotonic() + message[1]
        state.extra["memcached_flush"] = state.timers.at(when, lambda: flush_now(state))


def flush_now(state: Any) -> None:
    """The date has come: flush, as a client without a connection."""
    session = Session(0, state.memcached, GONE)
    session.authenticated = True
    session.refresh_special()
    session.batch = [[b"flush_all"]]
    state.memcached.execute(session)


def run_version(session: Session, args: Args) -> Raw:
    """``version``."""
    return Raw(b"VERSION " + VERSION.encode())


def cmd_verbosity(context: Context, args: Args) -> Steps:
    """``verbosity <level> [noreply]``: 0 is the usual log, 1 more, 2 all of it."""
    quiet = args[-1] == b"noreply"
    if len(args) > 3:
        raise ReplyError("WRONG_ARITY", "verbosity")
    level = parse_uint(args[1], 32)
    if level is None:
        raise complaint(b"CLIENT_ERROR bad command line format", quiet)
    name = LEVELS[level] if level < len(LEVELS) else b"debug"
    yield from cmd_set(context, [b"config", b"set", b"loglevel", name])
    return DONE + (SILENT if quiet else 0)


def cmd_cache_memlimit(context: Context, args: Args) -> Steps:
    """``cache_memlimit <megabytes> [noreply]``: maxmemory."""
    quiet = args[-1] == b"noreply"
    if len(args) > 3:
        raise ReplyError("WRONG_ARITY", "cache_memlimit")
    megabytes = parse_uint(args[1], 32)
    if megabytes is None:
        raise complaint(b"ERROR", quiet)
    if megabytes < 8:
        raise complaint(b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m", quiet)
    if megabytes > 1_000_000_000:
        raise complaint(b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes", quiet)
    yield from cmd_set(context, [b"config", b"set", b"maxmemory", b"%dmb" % megabytes])
    return DONE + (SILENT if quiet else 0)


def run_quit(session: Session, args: Args) -> None:
    """``quit``: no reply, the connection ends when all that went before is answered."""
    session.closing = True


def run_shutdown(session: Session, args: Args) -> ReplyError:
    """``shutdown``: not from here, as with a Memcached that was not told to allow it."""
    return complaint(b"ERROR: shutdown not enabled")


def run_watch(session: Session, args: Args) -> ReplyError:
    """``watch``: there is no such log; Redis's MONITOR shows commands, also those of Memcached clients."""
    return complaint(b"CLIENT_ERROR watch commands not allowed")


def cmd_lru_crawler(context: Context, args: Args) -> Steps:
    """``lru_crawler metadump <all|classes>``, and what steers a crawler that is not needed here."""
    what = args[1]
    if what == b"metadump" and len(args) == 3:
        yield from _metadump(context)
        return Raw(b"END")
    if what in (b"enable", b"disable") and len(args) == 2:
        return DONE
    if what == b"crawl" and len(args) == 3:
        # Expired records are found by the heartbeat of every shard, at all times.
        return DONE
    if what in (b"tocrawl", b"sleep") and len(args) == 3:
        if parse_uint(args[2], 32) is None:
            raise complaint(b"CLIENT_ERROR bad command line format")
        return DONE
    raise complaint(b"ERROR")


def _metadump(context: Context) -> Steps:
    """One line for every string, written as the walk goes on; each hop is a moment of its own.

    The walk waits for a client that reads more slowly, so a dump of millions of keys takes no memory.
    """
    session = context.session
    for shard in range(context.proactor.count):
        cursor = 0
        while not session.closed:
            while session.transport.describe()["omem"] > DUMP_AHEAD and not session.closed:
                yield from context.outside(_wait)
            cursor, records = yield from context.alone(shard, walk, (cursor, SCAN_STEPS))
            now = context.dispatcher.clock.unix_ms() // 1000
            session.out.append(b"".join([_dumped(now, *record) for record in records]))
            session.transport.send_soon()
            yield from context.pause()
            if not cursor:
                break


def _wait(context: Context) -> None:
    timers, clock = context.dispatcher.state.timers, context.dispatcher.clock
    timers.at(clock.monotonic() + DUMP_PAUSE, lambda: context.on_outside(None))


def _dumped(now: int, key: bytes, value: Any, when: int, idle: int) -> bytes:
    flagged = value.__class__ is Flagged
    return b"key=%b exp=%d la=%d cas=%d fetch=%b cls=1 size=%d\n" % (
        quote_from_bytes(key, safe="").encode(),
        when // 1000 if when > 0 else -1,
        now - max(idle, 0),
        value.cas if flagged else 0,
        b"yes" if flagged and value.marks & FETCHED else b"no",
        record_size(key, value),
    )


def run_log_in(session: Session, args: Args) -> Any:
    """What a client that has to log in sends as the data of its first ``set``: user and password."""
    counters = session.dispatcher.encoder.counters  # type: ignore[attr-defined]
    words = args[1].split()
    if len(words) < 2:
        return complaint(b"CLIENT_ERROR bad authentication token format")
    counters["auth_cmds"] += 1
    try:
        log_in(session, b"set", words[0], words[1])
    except ReplyError:
        counters["auth_errors"] += 1
        return complaint(b"CLIENT_ERROR authentication failure")
    return Raw(b"STORED")


_LOCAL: Final = "fast loading stale"

TABLE: tuple[Row, ...] = (
    multi(
        "FLUSH_ALL", -1, "write", run=cmd_flush_all, scope=ALL_EXCLUSIVE, acl="@keyspace @write @dangerous"
    ),
    local("VERSION", -1, _LOCAL, run=run_version),
    multi("VERBOSITY", -2, "admin", run=cmd_verbosity, scope=ALL_EXCLUSIVE, acl="@admin @dangerous"),
    multi(
        "CACHE_MEMLIMIT", -2, "admin", run=cmd_cache_memlimit, scope=ALL_EXCLUSIVE, acl="@admin @dangerous"
    ),
    local("QUIT", -1, _LOCAL + " no_auth", run=run_quit),
    local("SHUTDOWN", -1, _LOCAL, run=run_shutdown),
    local("WATCH", -1, _LOCAL, run=run_watch),
    multi(
        "LRU_CRAWLER", -2, "readonly", run=cmd_lru_crawler, scope=NOTHING, acl="@keyspace @read @dangerous"
    ),
    local("LOG-IN", 2, _LOCAL + " no_auth skip_monitor skip_slowlog", run=run_log_in),
)
