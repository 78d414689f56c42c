"""MULTI, EXEC, DISCARD, WATCH, UNWATCH: several commands as one atomic step.

MULTI only collects. EXEC is a multi-hop command whose transaction takes the keys of every queued command and
of every watched one ahead, so whatever the commands do, they do it under locks; then it runs them in order.
Consecutive single-key commands are squashed into one hop a shard, and if nothing follows them that hop is
the last one, so a typical EXEC over several shards costs what one MSET costs.

WATCH leaves a token on the key's shard. The shard marks it when the key changes (`Keyspace.changed`); EXEC
reads the tokens when its locks are held everywhere: whoever comes later waits, whoever came earlier has
marked them.

A command with unknown keys or one that concerns all keys (FLUSHALL, KEYS) makes the whole EXEC a global
transaction.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.commands.access import check_queued
from nogil_df.commands.bulk import run_exec
from nogil_df.commands.context import Context, Steps
from nogil_df.commands.dispatch import add_keys
from nogil_df.commands.spec import (
    ALL_EXCLUSIVE,
    ALL_SHARED,
    KEYS,
    LOCAL,
    MULTI,
    NOTHING,
    Command,
    Row,
    local,
    multi,
)
from nogil_df.shard.keyspace import WatchToken
from nogil_df.vll.part import GLOBAL_EXCLUSIVE, GLOBAL_SHARED, Work
from nogil_df.vll.squash import Item, run_items
from nogil_df.wire.values import NULL_ARRAY, OK, Raw

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.transaction import Transaction

Args = list[bytes]
Queued = tuple[Command, Args]


def cmd_multi(session: Session, args: Args) -> Any:
    """Start queueing."""
    if session.queue is not None:
        raise ReplyError("MULTI_NESTED")
    session.queue = []
    session.queue_broken = False
    session.refresh_special()
    return OK


def cmd_discard(session: Session, args: Args) -> Any:
    """Forget what was queued and watched."""
    if session.queue is None:
        raise ReplyError("DISCARD_WITHOUT_MULTI")
    session.end_multi()
    return OK


def cmd_unwatch(session: Session, args: Args) -> Any:
    """Forget what is watched."""
    session.dispatcher.state.drop_watches(session)
    return OK


def cmd_watch(context: Context, args: Args) -> Steps:
    """Leave tokens on the keys' shards, in one hop."""
    session = context.session
    if session.queue is not None:
        raise ReplyError("WATCH_IN_MULTI")
    fresh = [key for key in dict.fromkeys(args[1:]) if (context.db, key) not in session.watching]
    tokens = [WatchToken() for _ in fresh]
    yield from context.each_key(fresh, op_watch, list(zip(fresh, tokens, strict=True)), last=True)
    watching = {(context.db, key): token for key, token in zip(fresh, tokens, strict=True)}
    if session.closed:
        session.dispatcher.state.unwatch(watching)
    else:
        session.watching.update(watching)
    return OK


def op_watch(db: Any, payload: tuple[bytes, WatchToken], h: int) -> None:
    """Register a token. The key is looked up first, so that one which has expired already is gone before."""
    key, token = payload
    token.existed = db.peek(key, h) is not None
    db.watch(key, token)


def lock_exec(context: Context, tx: Transaction, args: Args) -> None:
    """Lock the keys of all queued commands and all watched keys; everything if one of them needs that.

    Raises:
        ReplyError: EXEC can't run at all; MULTI is over then.
    """
    session = context.session
    queue = session.queue
    if queue is None:
        raise ReplyError("EXEC_WITHOUT_MULTI")
    if session.queue_broken:
        session.end_multi()
        raise ReplyError("EXECABORT")
    shared: dict[int, set[int]] = {}
    exclusive: dict[int, set[int]] = {}
    scope = 0
    for command, queued in queue:
        if command.kind == MULTI and (command.row.scope == NOTHING or command.row.waits):
            # It asks other threads, or other servers, and meanwhile the loop turns.
            tx.keep_intents()
        try:
            if command.row.lock_in_exec is not None:
                scope = max(scope, command.row.lock_in_exec(context, command, queued, shared, exclusive))
                continue
            scope = max(scope, _scope_of(command))
            add_keys(context, command, queued, shared, exclusive)
        except ReplyError:
            # The command's own parser will answer the same error in its place.
            continue
    if scope:
        written = any(command.is_write for command, _ in queue)
        tx.lock_everything(GLOBAL_EXCLUSIVE if written else scope)
        return
    hash_key = context.proactor.shard.hash_key
    for _, key in session.watching:
        h = hash_key(key)
        shared.setdefault(context.shard_of(h), set()).add(h)
    tx.lock_keys(shared, exclusive)


def _scope_of(command: Command) -> int:
    if command.row.scope == ALL_EXCLUSIVE:
        return GLOBAL_EXCLUSIVE
    if command.row.scope == ALL_SHARED:
        return GLOBAL_SHARED
    return 0


def cmd_exec(context: Context, args: Args) -> Steps:
    """Run what was queued."""
    session = context.session
    queue = session.queue or []
    session.queue = None
    session.refresh_special()
    # Ours from here on: a client that leaves now must not take the tokens away before they are asked.
    watching, session.watching = session.watching, {}
    if watching:
        try:
            dirty = yield from _watched_changed(context, watching)
        finally:
            session.dispatcher.state.unwatch(watching)
        if dirty:
            return NULL_ARRAY
    session.executing = len(queue)
    try:
        return (yield from _run_queue(context, queue))
    finally:
        session.executing = -1


def _run_queue(context: Context, queue: list[Queued]) -> Steps:
    """Run the commands in order; their replies in one."""
    session = context.session
    run = _Run(context, len(queue))
    monitors = session.dispatcher.state.monitors
    position = 0
    squash = session.dispatcher.config.multi_exec_squash
    while position < len(queue):
        end = _end_of_squashable(queue, position)
        if end > position and not squash:
            end = position + 1
        if end > position:
            yield from run.squashed(queue[position:end], last=end == len(queue))
        else:
            end = position + 1
            yield from run.one(*queue[position])
        if monitors.threads:
            for command, queued in queue[position:end]:
                if monitors.shows(command):
                    monitors.feed(session, queued)
        position = end
    return Raw(b"".join(run.out))


def _end_of_squashable(queue: list[Queued], position: int) -> int:
    while position < len(queue) and queue[position][0].is_single(queue[position][1]):
        position += 1
    return position


class _Run:
    """The replies of one EXEC as they come.

    Attributes:
        restricted: the user may not do everything: its rights may have changed since a command was queued.
    """

    __slots__ = ("context", "out", "restricted")

    def __init__(self, context: Context, commands: int) -> None:
        self.context = context
        self.restricted = not context.session.account.is_unrestricted
        self.out: list[bytes] = [b"*%d\r\n" % commands]

    def reply(self, command: Command, value: Any) -> None:
        """Encode one command's reply."""
        dispatcher = self.context.dispatcher
        command.record(1, 0)
        if value.__class__ is ReplyError:
            command.failed += 1
            dispatcher.state.count_error(value)
            dispatcher.encoder.encode(value, self.context.session.proto, self.out)
        else:
            assert command.encode is not None
            command.encode(value, self.context.session.proto, self.out)

    def squashed(self, queued: list[Queued], *, last: bool) -> Steps:
        """Single-key commands: one hop to each shard."""
        context = self.context
        session = context.session
        hash_key = context.proactor.shard.hash_key
        groups: dict[int, list[Item]] = {}
        places: list[tuple[int, Any]] = []
        for command, args in queued:
            try:
                if self.restricted:
                    check_queued(session, command, args)
                payload = args if command.cmd is None else command.cmd(session, args)
            except ReplyError as error:
                places.append((-1, error.bare()))
                continue
            h = hash_key(args[1])
            shard = context.shard_of(h)
            group = groups.setdefault(shard, [])
            places.append((shard, len(group)))
            group.append((command.op, payload, h, command.is_write))  # type: ignore[arg-type]
        origin = context.proactor.index
        works: dict[int, Work] = {
            shard: (run_items, (origin, session.db, items)) for shard, items in groups.items()
        }
        dispatcher = context.dispatcher
        dispatcher.squashed_hops += len(works)
        dispatcher.squashed_commands += len(queued)
        results = (yield context.signed(works), last) if works or last else {}
        for (command, _), (shard, at) in zip(queued, places, strict=True):
            found = at if shard < 0 else results[shard]
            self.reply(command, found if shard < 0 or found.__class__ is ReplyError else found[at])

    def one(self, command: Command, args: Args) -> Steps:
        """A command of any other kind, inside this transaction."""
        context = self.context
        try:
            if self.restricted:
                check_queued(context.session, command, args)
            if command.kind == LOCAL:
                value = command.run(context.session, args)  # type: ignore[misc]
            else:
                value = yield from command.run(_nested(context, command, args), args)  # type: ignore[misc]
        except ReplyError as error:
            value = error.bare()
        except Exception:
            value = log_crash(command.full_name, sys.exc_info())
        self.reply(command, value)


def _nested(context: Context, command: Command, args: Args) -> Context:
    child = Context(context.dispatcher, context.session, command, args)
    child.tx = context.tx
    child.nested = True
    return child


def _watched_changed(context: Context, watching: dict[tuple[int, bytes], WatchToken]) -> Steps:
    """Whether a watched key changed; asked on its shard, under the locks, so that expiry counts too."""
    hash_key = context.proactor.shard.hash_key
    groups: dict[int, list[tuple[int, bytes, int, WatchToken]]] = {}
    for (db, key), token in watching.items():
        h = hash_key(key)
        groups.setdefault(context.shard_of(h), []).append((db, key, h, token))
    works: dict[int, Work] = {shard: (op_any_changed, group) for shard, group in groups.items()}
    answers = yield from context.hop(works)
    return any(answers.values())


def op_any_changed(shard: Shard, entries: list[tuple[int, bytes, int, WatchToken]]) -> bool:
    """Whether one of the tokens is marked, or its key has expired since WATCH. O(entries)."""
    for db, key, h, token in entries:
        if token.existed and not token.dirty and shard.dbs[db].peek(key, h) is None:
            return True
    return any(token.dirty for _, _, _, token in entries)


TABLE: tuple[Row, ...] = (
    local(
        "MULTI",
        1,
        "noscript loading stale fast allow_busy",
        run=cmd_multi,
        acl="@fast @transaction",
        since="1.2.0",
        group="transactions",
        summary="Starts queueing commands for EXEC.",
    ),
    multi(
        "EXEC",
        1,
        "noscript loading stale skip_slowlog",
        run=cmd_exec,
        quick=run_exec,
        scope=KEYS,
        lock=lock_exec,
        acl="@slow @transaction",
        since="1.2.0",
        group="transactions",
        summary="Runs the queued commands as one atomic step.",
        complexity="That of the queued commands",
    ),
    local(
        "DISCARD",
        1,
        "noscript loading stale fast allow_busy",
        run=cmd_discard,
        acl="@fast @transaction",
        since="2.0.0",
        group="transactions",
        summary="Forgets the queued commands and the watched keys.",
        complexity="O(N) where N is the number of queued commands",
    ),
    multi(
        "WATCH",
        -2,
        "noscript loading stale fast allow_busy",
        run=cmd_watch,
        keys=(1, -1, 1),
        key_flags="RO",
        acl="@fast @transaction",
        since="2.2.0",
        group="transactions",
        syntax="key [key ...]",
        summary="Makes the next EXEC fail if one of the keys changes first.",
        complexity="O(N) where N is the number of keys",
    ),
    local(
        "UNWATCH",
        1,
        "noscript loading stale fast allow_busy",
        run=cmd_unwatch,
        acl="@fast @transaction",
        since="2.2.0",
        group="transactions",
        summary="Forgets the watched keys.",
        complexity="O(N) where N is the number of watched keys",
    ),
)
