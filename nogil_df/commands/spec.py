"""Commands as data: one row a command, from which everything else is derived.

Dispatch, COMMAND and its subcommands, ACL categories, key extraction, docs and tests all read these rows.
A row stands at the end of the module of its family, next to the functions it names:

``cmd_x``  runs on the coordinator: checks and parses arguments. Never touches shard data.
``op_x``   runs on the thread that owns the key: data in, status or value out. Never touches a connection.

There are three ways to run a command, by what it needs:

``LOCAL``   ``run(session, args) -> reply``: concerns the connection or this thread only (PING, HELLO).
``SINGLE``  one key: ``cmd(session, args) -> payload`` (optional), then ``op(db, payload, h) -> value`` on the
            key's shard, then ``encode`` of the value. The squasher packs runs of these into one hop a shard.
``MULTI``   ``run(context, args)``: a generator on the coordinator, one ``yield`` a hop, for everything that
            touches several keys, several shards, or all of them.

A MULTI command that takes any number of keys (DEL, MGET) mostly comes with one. Its row may say so
(``single_with``) and name ``cmd`` and ``op`` beside ``run``: with that many arguments it runs as SINGLE,
inline and squashed like any other, with more of them as MULTI.

A row is immutable; `Command` is one thread's copy of it with counters, because an object that all threads
touch on every command would be contended (DESIGN figures: 90 ns with a copy each, 195 ns shared, two
threads).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

LOCAL, SINGLE, MULTI = 0, 1, 2

# How a MULTI command locks: its keys, nothing, or everything.
KEYS, NOTHING, ALL_SHARED, ALL_EXCLUSIVE = "keys", "nothing", "all-shared", "all-exclusive"

NOT_QUEUED = frozenset("EXEC DISCARD MULTI WATCH QUIT RESET".split())
"""What is carried out at once inside MULTI."""

NO_KEYS = (0, 0, 0)
BUCKETS = 64
"""Latency histogram: bucket i counts commands of 2^(i-1) to 2^i - 1 nanoseconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """The declaration of one command or subcommand.

    Attributes:
        name: upper case; a subcommand's is "PARENT CHILD".
        arity: Redis's: number of arguments with the name(s), negative for "at least".
        flags: Redis's flags, space separated.
        keys: first, last, step as Redis counts them; (0, 0, 0) for none.
        acl: categories, space separated, with the @.
        kind: LOCAL, SINGLE or MULTI.
        cmd, op, run, encode: see the module's text. ``encode`` names a method of the reply encoder that is
            quicker than the generic one; "" for generic.
        scope: how a MULTI command locks.
        plain_with: with exactly so many arguments ``cmd`` would return them as they are, so it is not called.
        single_with: the number of arguments, name included, with which a MULTI command has one key and runs
            by ``cmd`` and ``op`` as SINGLE; 0 for never.
        many, many_with: ``op`` for many keys at once (see `nogil_df.vll.columns`). Of a SINGLE command: for a
            run of calls with exactly ``many_with`` arguments, name included. Of a MULTI command: for all its
            keys; ``op`` is then what runs for one of them.
        quick: a shorter way to run a MULTI command, for what it mostly is:
            ``quick(dispatcher, session, command, args)`` does it all, or nothing and returns False.
        at_once: how a MULTI command runs where all its data is on the client's thread; see
            `nogil_df.commands.at_once`.
        gather: the reply of a MULTI command with ``many``, made of the results by key; None: their list.
        find_keys: positions of keys where they can't be told by first/last/step (movable keys):
            ``find_keys(args) -> indexes``.
        key_flags: Redis's key-spec flags, for COMMAND INFO and GETKEYSANDFLAGS, such as "RW ACCESS UPDATE".
        complexity, tips: for COMMAND DOCS and INFO: the cost, and hints for clients and proxies.
        lock: names what a MULTI command's own transaction locks where that is not what `scope` says:
            ``lock(context, tx, args)``. Inside EXEC `scope` counts, or
        lock_in_exec: ``lock_in_exec(context, command, args, shared, exclusive)``, which adds fingerprints by
            shard and returns NOT_GLOBAL or a scope; for commands whose arguments decide.
        waits: between two hops it waits for something that is in no shard, with its keys held.
    """

    name: str
    arity: int
    flags: str = ""
    keys: tuple[int, int, int] = NO_KEYS
    acl: str = ""
    since: str = ""
    group: str = ""
    syntax: str = ""
    summary: str = ""
    complexity: str = "O(1)"
    tips: str = ""
    kind: int = LOCAL
    cmd: Callable[..., Any] | None = None
    op: Callable[..., Any] | None = None
    run: Callable[..., Any] | None = None
    encode: str = ""
    scope: str = KEYS
    single_with: int = 0
    plain_with: int = 0
    many: Callable[..., list[Any]] | None = None
    many_with: int = 0
    quick: Callable[..., bool] | None = None
    at_once: Callable[..., Any] | None = None
    gather: Callable[[Sequence[Any]], Any] | None = None
    find_keys: Callable[[Sequence[bytes]], list[int]] | None = None
    key_flags: str = ""
    lock: Callable[..., None] | None = None
    lock_in_exec: Callable[..., int] | None = None
    waits: bool = False
    subcommands: tuple[Row, ...] = field(default=())

    @property
    def flag_set(self) -> frozenset[str]:
        """The flags as a set."""
        return frozenset(self.flags.split())


def single(
    name: str,
    arity: int,
    flags: str,
    *,
    op: Callable[..., Any],
    cmd: Callable[..., Any] | None = None,
    encode: str = "",
    keys: tuple[int, int, int] = (1, 1, 1),
    **rest: Any,
) -> Row:
    """A command on one key; see `Row` for the arguments."""
    return Row(name, arity, flags, keys, kind=SINGLE, op=op, cmd=cmd, encode=encode, **rest)


def multi(
    name: str,
    arity: int,
    flags: str,
    *,
    run: Callable[..., Any],
    keys: tuple[int, int, int] = NO_KEYS,
    scope: str = KEYS,
    **rest: Any,
) -> Row:
    """A command written as a generator of hops; see `Row` for the arguments."""
    return Row(name, arity, flags, keys, kind=MULTI, run=run, scope=scope, **rest)


def local(name: str, arity: int, flags: str, *, run: Callable[..., Any], **rest: Any) -> Row:
    """A command that touches no shard's data; see `Row` for the arguments."""
    return Row(name, arity, flags, kind=LOCAL, run=run, **rest)


def container(name: str, arity: int, flags: str, *subcommands: Row, **rest: Any) -> Row:
    """A command that is only a name for its subcommands, such as CLIENT or CONFIG."""
    return Row(name, arity, flags, kind=LOCAL, subcommands=subcommands, **rest)


class Command:
    """One thread's copy of a row: what dispatch reads, and this thread's counters.

    Attributes:
        least, most: bounds on the number of arguments, name included.
        queueable: inside MULTI it is queued, whatever its arguments are.
        is_write: may change data (flag ``write``): takes exclusive intents, copies what it stores.
        gated: must not run when the session or the thread is in an unusual state without being looked at
            first; see `nogil_df.commands.dispatch`.
        calls, nanoseconds, rejected, failed: as INFO commandstats shows them.
        histogram: latencies in powers of two of nanoseconds, allocated at the first call.
    """

    __slots__ = (
        "row",
        "name",
        "full_name",
        "kind",
        "single_with",
        "plain_with",
        "arity",
        "least",
        "most",
        "cmd",
        "op",
        "run",
        "many",
        "many_with",
        "quick",
        "at_once",
        "gather",
        "queueable",
        "encode",
        "plain_ok",
        "is_write",
        "deny_oom",
        "flags",
        "first_key",
        "last_key",
        "key_step",
        "subcommands",
        "parent",
        "calls",
        "nanoseconds",
        "rejected",
        "failed",
        "histogram",
    )

    def __init__(self, row: Row, parent: Command | None = None) -> None:
        self.row = row
        self.name = row.name
        self.full_name = row.name.lower().replace(" ", "|")
        self.kind = row.kind
        self.single_with = row.single_with
        self.plain_with = row.plain_with
        self.arity = row.arity
        self.least = abs(row.arity)
        self.most = row.arity if row.arity > 0 else 1 << 62
        self.cmd = row.cmd
        self.op = row.op
        self.run = row.run
        self.many = row.many
        self.many_with = row.many_with
        self.quick = row.quick
        self.at_once = row.at_once
        self.gather = row.gather
        self.encode: Callable[..., None] | None = None
        # True means +OK, so that the dispatcher can write it without a call.
        self.plain_ok = row.encode == "ok_or_null"
        self.flags = row.flag_set
        self.is_write = "write" in self.flags
        self.deny_oom = "denyoom" in self.flags
        self.first_key, self.last_key, self.key_step = row.keys
        self.parent = parent
        self.subcommands = {
            child.name.split(" ", 1)[1].encode(): Command(child, self) for child in row.subcommands
        }
        self.queueable = not (row.subcommands or row.name in NOT_QUEUED or "no_multi" in self.flags)
        self.calls = 0
        self.nanoseconds = 0
        self.rejected = 0
        self.failed = 0
        self.histogram: list[int] | None = None

    def is_single(self, args: Sequence[bytes]) -> bool:
        """Whether these arguments run by ``cmd`` and ``op`` on the shard of ``args[1]``. O(1)."""
        return self.kind == SINGLE or len(args) == self.single_with

    def record(self, calls: int, nanoseconds: int) -> None:
        """Count ``calls`` executions that took ``nanoseconds`` together. O(1)."""
        self.calls += calls
        self.nanoseconds += nanoseconds
        histogram = self.histogram
        if histogram is None:
            histogram = self.histogram = [0] * BUCKETS
        histogram[(nanoseconds // calls).bit_length()] += calls

    def key_indexes(self, args: Sequence[bytes]) -> list[int]:
        """Positions of the keys in ``args``. O(keys).

        Raises:
            ReplyError: what the command's own parser says of arguments that name keys wrongly.
        """
        find = self.row.find_keys
        if find is not None:
            return find(args)
        first = self.first_key
        if not first:
            return []
        last = self.last_key
        return list(range(first, (last if last >= 0 else len(args) + last) + 1, self.key_step))

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""
        self.calls = self.nanoseconds = self.rejected = self.failed = 0
        self.histogram = None
        for child in self.subcommands.values():
            child.reset_stats()
