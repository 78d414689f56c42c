"""DEBUG: what tests and developers need to look into a running server or to make it do odd things.

DEBUG is one command and not a container of subcommands, as in Redis: COMMAND lists no subcommands of it, and
an unknown one and a wrong number of arguments are the same error. The table of them is `SUBCOMMANDS`.

Who may use it is said by ``enable-debug-command``: ``yes``, ``no``, or ``local`` for clients of this machine.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from types import GeneratorType
from typing import TYPE_CHECKING, Any, NoReturn

from nogil_df.base import log
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_float, parse_int
from nogil_df.base.sizes import parse_size
from nogil_df.commands import populate
from nogil_df.commands.persistence import cmd_reload
from nogil_df.commands.spec import ALL_EXCLUSIVE, Row, multi
from nogil_df.shard import digest
from nogil_df.shard.values import LONGEST_INTEGER, encoding, reference_count
from nogil_df.vll.part import GLOBAL_SHARED
from nogil_df.wire.values import OK, BigNumber, Raw, Simple, Verbatim

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Proactor
    from nogil_df.vll.transaction import Transaction
    from nogil_df.wire.values import Constant

Args = list[bytes]

NOTHING, FIRST, ALL, EVERYTHING = range(4)
"""Which keys a subcommand reads, and so locks: none, its first argument, all of them, the whole data set."""

PACKED_LIMIT = 4 << 30
"""QUICKLIST-PACKED-THRESHOLD must be less, bytes."""

LONGEST_SLEEP = 1e6
"""Seconds."""

LRU_BITS = 0xFFFFFF
"""Redis keeps the time of a key's last use in so many bits, in seconds."""


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One of DEBUG's subcommands; bounds count the arguments after its name.

    ``run`` gives the reply, or, where that takes hops, is a generator like every multi-hop command.
    """

    name: str
    syntax: str
    summary: str
    least: int
    most: int
    run: Callable[[Context, Args], Any]
    reads: int = NOTHING


def find(args: Args) -> Subcommand:
    """The subcommand that ``args`` name.

    Raises:
        ReplyError: there is none, or it takes another number of arguments.
    """
    word = args[1].upper()
    for one in SUBCOMMANDS:
        if one.name.encode() == word and one.least <= len(args) - 2 <= one.most:
            return one
    raise ReplyError("SUBCOMMAND_SYNTAX", args[1], "DEBUG")


def lock_debug(context: Context, tx: Transaction, args: Args) -> None:
    """Lock the keys that the subcommand reads."""
    try:
        reads = find(args).reads
    except ReplyError:
        # `cmd_debug` answers it, after the question whether this client may know.
        return
    if reads == EVERYTHING:
        tx.lock_everything(GLOBAL_SHARED)
    elif reads != NOTHING:
        keys = args[2:3] if reads == FIRST else args[2:]
        shared = {shard: {h for _, _, h in group} for shard, group in context.by_shard(keys).items()}
        tx.lock_keys(shared, {})


def cmd_debug(context: Context, args: Args) -> Steps:
    """DEBUG subcommand [argument ...]."""
    allowed = context.dispatcher.config.enable_debug_command
    if allowed != "yes" and not (allowed == "local" and context.session.is_local):
        raise ReplyError("COMMAND_DISABLED", "DEBUG", "enable-debug-command")
    outcome = find(args).run(context, args)
    return (yield from outcome) if isinstance(outcome, GeneratorType) else outcome


# About keys.


def cmd_object(context: Context, args: Args) -> Steps:
    """OBJECT key."""
    return Simple((yield from context.at(args[2], op_object, args[2], last=True)))


def op_object(db: Keyspace, key: bytes, h: int) -> bytes:
    """What Redis tells about a value, with the same names. O(1).

    Raises:
        ReplyError NO_SUCH_KEY.
    """
    value = db.table.look(key, h)
    if value is None:
        raise ReplyError("NO_SUCH_KEY")
    idle = db.table.idle_seconds(key, h)
    used = db.shard.tick.ms // 1000 - idle & LRU_BITS
    return b"Value at:0x%x refcount:%d encoding:%b serializedlength:%d lru:%d lru_seconds_idle:%d" % (
        id(value),
        reference_count(value),
        encoding(value, db.shard.limits),
        serialized_length(value),
        used,
        idle,
    )


def serialized_length(value: Any) -> int:
    """Bytes of a value in an RDB file, not compressed. O(1) for strings, O(size) for other types.

    Source: the RDB format's string encoding.
    """
    if value.__class__ is not bytes and not isinstance(value, bytearray):
        length: int = value.serialized_length
        return length
    number = parse_int(value) if len(value) <= LONGEST_INTEGER else None
    if number is not None and value.__class__ is bytes:
        for size in (1, 2, 4):
            if -(1 << 8 * size - 1) <= number < 1 << 8 * size - 1:
                return 1 + size
    size = len(value)
    return size + (1 if size < 1 << 6 else 2 if size < 1 << 14 else 5)


def cmd_sdslen(context: Context, args: Args) -> Steps:
    """SDSLEN key."""
    return Simple((yield from context.at(args[2], op_sdslen, args[2], last=True)))


def op_sdslen(db: Keyspace, key: bytes, h: int) -> bytes:
    """Lengths of key and value, room to grow, and bytes allocated. O(1).

    Raises:
        ReplyError: there is no such key, or its value is no string or one that Redis keeps as an integer.
    """
    value = db.table.look(key, h)
    if value is None:
        raise ReplyError("NO_SUCH_KEY")
    if not isinstance(value, bytes | bytearray) or encoding(value, db.shard.limits) == b"int":
        raise ReplyError("NOT_SDS")
    # A bytearray may own more than it shows; what its allocation has beyond that is in none of the figures.
    allocated = value.__sizeof__()
    room = (
        max(0, allocated - bytearray().__sizeof__() - len(value) - 1) if isinstance(value, bytearray) else 0
    )
    return (
        b"key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, val_sds_len:%d, val_sds_avail:%d, val_zmalloc: %d"
        % (
            len(key),
            key.__sizeof__(),
            len(value),
            room,
            allocated,
        )
    )


def cmd_digest(context: Context, args: Args) -> Steps:
    """DIGEST: the signature of the data set, equal to Redis's."""
    merged: dict[int, bytes] = {}
    for found in (yield from context.all_shards(digest_shard, None, last=True)):
        for index, one in found.items():
            merged[index] = digest.xor(merged.get(index, digest.ZEROS), one)
    return Simple(digest.of_databases(merged).hex().encode())


def digest_shard(shard: Shard, argument: None) -> dict[int, bytes]:
    """The digests of the databases that have keys here. O(n)."""
    return {db.index: digest.of_database(db) for db in shard.dbs if len(db)}


def cmd_digest_value(context: Context, args: Args) -> Steps:
    """DIGEST-VALUE key [key ...]: zeros for a key that is not there."""
    digests = yield from context.each_key(args[2:], op_digest, last=True)
    return [Simple(one.hex().encode()) for one in digests]


def op_digest(db: Keyspace, key: bytes, h: int) -> bytes:
    """The digest of a value. O(size)."""
    value = db.table.look(key, h)
    return digest.ZEROS if value is None else digest.of_value(value, db.table.deadline(key, h))


def cmd_populate(context: Context, args: Args) -> Steps:
    """POPULATE: see `nogil_df.commands.populate`."""
    yield from populate.run(context, args)
    return OK


# About the server.


def cmd_sleep(context: Context, args: Args) -> Steps:
    """SLEEP seconds: hold up every thread. What is no number counts as 0, as in Redis."""
    seconds = parse_float(args[2]) or 0.0
    yield from context.everywhere(sleep, min(max(0.0, seconds), LONGEST_SLEEP))
    return OK


def sleep(proactor: Proactor, seconds: float) -> None:
    """On every thread: do nothing for so long."""
    proactor.clock.sleep(seconds)


def cmd_set_active_expire(context: Context, args: Args) -> Steps:
    """SET-ACTIVE-EXPIRE 0|1."""
    yield from context.everywhere(set_active_expire, (parse_int(args[2]) or 0) != 0)
    return OK


def set_active_expire(proactor: Proactor, enabled: bool) -> None:
    """On every thread: let keys expire by themselves, or only when somebody comes across them."""
    proactor.shard.expire_enabled = enabled
    proactor.service.kick()


def run_packed_threshold(context: Context, args: Args) -> Constant:
    """QUICKLIST-PACKED-THRESHOLD size: checked; elements of lists are objects here, whatever their size."""
    size = parse_size(args[2].decode("latin-1"))
    if size is None or not 0 <= size < PACKED_LIMIT:
        raise ReplyError("ERR", "argument must be a memory value bigger than 1 and smaller than 4gb")
    return OK


def run_change_repl_id(context: Context, args: Args) -> Constant:
    """CHANGE-REPL-ID."""
    context.dispatcher.state.server.replication_id = secrets.token_hex(20)
    return OK


def run_log(context: Context, args: Args) -> Constant:
    """LOG message."""
    log.warning("DEBUG LOG: " + args[2].decode("utf-8", "backslashreplace"))
    return OK


def run_error(context: Context, args: Args) -> NoReturn:
    """ERROR text: the text is the error."""
    raise ReplyError("RAW", args[2])


def cmd_tx(context: Context, args: Args) -> Steps:
    """TX: of every shard its transaction queue and intents."""
    return (yield from context.everywhere(describe_transactions))


def describe_transactions(proactor: Proactor, argument: Any) -> dict[str, Any]:
    """On every thread: the queue and what it has seen. O(queue)."""
    engine = proactor.engine
    parts = engine.queue.parts
    return {
        "shard": proactor.index,
        "queue-length": len(parts),
        "queue-longest": engine.queue.longest,
        "queue-ids": [part.tx_id for part in parts],
        "granted": sum(part.granted for part in parts),
        "running": sum(part.work is None for part in parts),
        "global": sum(not (part.shared or part.exclusive) for part in parts),
        "intents": len(engine.locks),
        "scheduled": engine.scheduled_total,
        "refused": engine.refused_total,
        "out-of-order": engine.out_of_order_total,
    }


def cmd_verify(context: Context, args: Args) -> Steps:
    """VERIFY: check the invariants of every structure on every shard; an error tells what is broken."""
    for broken in (yield from context.everywhere(verify)):
        if broken:
            raise ReplyError("ERR", broken)
    return OK


def verify(proactor: Proactor, argument: Any) -> str:
    """On every thread: what is broken here, "" if nothing is. O(n)."""
    try:
        proactor.shard.verify()
        proactor.engine.verify()
    except AssertionError as error:
        message = f"shard {proactor.index}: {error}"
        log.warning(f"DEBUG VERIFY: {message}")
        return message
    return ""


# PROTOCOL.

_ATTRIBUTE = (
    b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n",
    b"Some real reply following the attribute",
)
_PUSH = (
    b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n",
    b"Some real reply following the push reply",
)


def run_protocol(context: Context, args: Args) -> Any:
    """PROTOCOL type: the value of each type that Redis answers, for tests of clients."""
    word = args[2].lower()
    if word in (b"attrib", b"push"):
        return _with_prelude(word, context.session.proto)
    samples: dict[bytes, Any] = {
        b"string": b"Hello World",
        b"integer": 12345,
        b"double": 3.141,
        b"bignum": BigNumber(1234567999999999999999999999999999999),
        b"null": None,
        b"array": [0, 1, 2],
        b"set": {0, 1, 2},
        b"map": {0: False, 1: True, 2: False},
        b"verbatim": Verbatim(b"txt", b"This is a verbatim\nstring"),
        b"true": True,
        b"false": False,
    }
    if word not in samples:
        names = "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
        raise ReplyError("ERR", f"Wrong protocol type name. Please use one of the following: {names}")
    return samples[word]


def _with_prelude(word: bytes, proto: int) -> Any:
    """What comes before a reply: attributes, which RESP2 leaves out, and pushes, which it does not know."""
    if proto == 2 and word == b"push":
        raise ReplyError("ERR", "RESP2 is not supported by this command")
    prelude, text = _ATTRIBUTE if word == b"attrib" else _PUSH
    return text if proto == 2 else Raw(b"%b$%d\r\n%b\r\n" % (prelude, len(text), text))


def cmd_table_statistics(context: Context, args: Args) -> Steps:
    """HTSTATS dbid: how full the tables of a database are.

    Raises:
        ReplyError.
    """
    index = parse_int(args[2])
    if index is None:
        raise ReplyError("NOT_INTEGER")
    if not 0 <= index < len(context.proactor.shard.dbs):
        raise ReplyError("ERR", "Out of range database")
    found = yield from context.all_shards(op_table_statistics, index, last=True)
    lines = [f"[Table of shard {shard}]\n{text}" for shard, text in enumerate(found)]
    return Verbatim(b"txt", "".join(lines).encode())


def op_table_statistics(shard: Shard, index: int) -> str:
    """On every shard: keys, keys with a deadline, bytes of a database's table. O(1)."""
    table = shard.dbs[index].table
    return f" keys: {len(table)}\n expiring: {table.expiring}\n table bytes: {table.memory_usage()}\n"


def cmd_listpack(context: Context, args: Args) -> Steps:
    """LISTPACK key: whether the value is one that Redis would keep as a listpack; it is not shown."""
    name = yield from context.at(args[2], op_encoding, args[2], last=True)
    if name != b"listpack":
        raise ReplyError("ERR", "Not a listpack encoded object.")
    return Simple(b"Listpack structure printed on stdout")


def cmd_quicklist(context: Context, args: Args) -> Steps:
    """QUICKLIST key [0|1]: the same of a quicklist."""
    name = yield from context.at(args[2], op_encoding, args[2], last=True)
    if name != b"quicklist":
        raise ReplyError("ERR", "Not a quicklist encoded object.")
    return Simple(b"Quicklist structure printed on stdout")


def op_encoding(db: Keyspace, key: bytes, h: int) -> bytes:
    """The encoding of a value. O(1).

    Raises:
        ReplyError NO_SUCH_KEY.
    """
    value = db.table.look(key, h)
    if value is None:
        raise ReplyError("NO_SUCH_KEY")
    return encoding(value, db.shard.limits)


def run_accepted(context: Context, args: Args) -> Constant:
    """What tests of Redis set, and there is nothing here that it would change: +OK."""
    return OK


def run_help(context: Context, args: Args) -> list[Simple]:
    """HELP."""
    lines = ["DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for one in SUBCOMMANDS:
        lines += [f"{one.name} {one.syntax}".rstrip(), f"    {one.summary}"]
    return [Simple(line.encode()) for line in lines]


MANY = 1 << 30

SUBCOMMANDS = (
    Subcommand("CHANGE-REPL-ID", "", "Gives this server another replication id.", 0, 0, run_change_repl_id),
    Subcommand(
        "DIGEST", "", "Shows a signature of all data, as Redis computes it.", 0, 0, cmd_digest, EVERYTHING
    ),
    Subcommand(
        "DIGEST-VALUE",
        "key [key ...]",
        "Shows signatures of values, without their keys.",
        0,
        MANY,
        cmd_digest_value,
        ALL,
    ),
    Subcommand("ERROR", "text", "Answers with an error of that text.", 1, 1, run_error),
    Subcommand(
        "HTSTATS",
        "dbid",
        "Tells how full the tables of a database are.",
        1,
        1,
        cmd_table_statistics,
        EVERYTHING,
    ),
    Subcommand(
        "LISTPACK", "key", "Whether Redis would keep a value as a listpack.", 1, 1, cmd_listpack, FIRST
    ),
    Subcommand("LOG", "message", "Writes a message to the server's log.", 1, 1, run_log),
    Subcommand("OBJECT", "key", "Tells how a value is stored.", 1, 1, cmd_object, FIRST),
    Subcommand(
        "POPULATE",
        "count [prefix [size]] [RAND] [TYPE type] [ELEMENTS n] [EXPIRE from to] [SLOTS from to]",
        "Makes keys prefix:0, prefix:1, ... that are not there yet, on all shards at the same time.",
        1,
        MANY,
        cmd_populate,
    ),
    Subcommand("DICT-RESIZING", "<0|1>", "Accepted for tests of Redis.", 1, 1, run_accepted),
    Subcommand("PAUSE-CRON", "<0|1>", "Accepted for tests of Redis.", 1, 1, run_accepted),
    Subcommand(
        "REPLICATE", "what ...", "Accepted for tests of Redis: there are no replicas.", 1, MANY, run_accepted
    ),
    Subcommand("REPLYBUFFER", "what value", "Accepted for tests of Redis.", 2, 2, run_accepted),
    Subcommand(
        "QUICKLIST",
        "key [0|1]",
        "Whether Redis would keep a value as a quicklist.",
        1,
        2,
        cmd_quicklist,
        FIRST,
    ),
    Subcommand("PROTOCOL", "type", "Answers with a value of that type of the protocol.", 1, 1, run_protocol),
    Subcommand(
        "QUICKLIST-PACKED-THRESHOLD", "size", "Accepted for tests of Redis.", 1, 1, run_packed_threshold
    ),
    Subcommand(
        "RELOAD",
        "[NOSAVE] [NOFLUSH] [MERGE]",
        "Saves the data set and loads it again.",
        0,
        MANY,
        cmd_reload,
    ),
    Subcommand("SDSLEN", "key", "Shows the lengths of a key and its string.", 1, 1, cmd_sdslen, FIRST),
    Subcommand(
        "SET-ACTIVE-EXPIRE",
        "<0|1>",
        "Whether keys expire by themselves, or only when they are used.",
        1,
        1,
        cmd_set_active_expire,
    ),
    Subcommand("SLEEP", "seconds", "Holds up every thread of the server.", 1, 1, cmd_sleep),
    Subcommand("TX", "", "Shows the transaction queue of every shard.", 0, 0, cmd_tx),
    Subcommand("VERIFY", "", "Checks the invariants of every structure.", 0, 0, cmd_verify),
    Subcommand("HELP", "", "Lists the subcommands.", 0, 0, run_help),
)

TABLE: tuple[Row, ...] = (
    multi(
        "DEBUG",
        -2,
        "admin loading noscript stale",
        run=cmd_debug,
        scope=ALL_EXCLUSIVE,
        lock=lock_debug,
        acl="@admin @dangerous @slow",
        since="1.0.0",
        group="server",
        summary="Commands for tests and developers.",
    ),
)
