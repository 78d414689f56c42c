"""Runs of equal commands, and commands of many keys, by columns.

A pipeline is mostly one command many times, and MSET and MGET are SET and GET many times: their keys, hashes
and values become lists, each shard gets its share (`nogil_df.vll.columns`), and the answers are encoded
together. What that spares is everything that is paid for each command otherwise: look-ups, calls, tuples.
A run that is all on this thread, with nobody holding an intent, is one call.

A pipeline's share is one implicit transaction as in `nogil_df.vll.squash`, so nobody sees a later command
without an earlier one. An MSET is one transaction; if it needs no more than its own thread it needs none.
"""

from __future__ import annotations

from itertools import chain, compress, repeat
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.errors import ReplyError
from nogil_df.commands import gate
from nogil_df.vll.columns import Answer, Columns, run_columns, run_columns_alone, run_columns_batch
from nogil_df.vll.engine import call
from nogil_df.vll.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.vll.part import Work

SHORTEST: Final = 4
"""Commands from which a run is worth its lists."""

_NO_KEYS: Final[frozenset[int]] = frozenset()


class Spread:
    """Keys in columns, and where they live.

    Attributes:
        owners: the shard of each key, in order.
        shares: what to run on each shard.
    """

    __slots__ = ("owners", "shares")

    def __init__(
        self,
        dispatcher: Dispatcher,
        db: int,
        command: Command,
        keys: list[bytes],
        values: list[bytes] | None,
    ) -> None:
        count = dispatcher.proactor.count
        me = dispatcher.proactor.index
        many: Any = command.many
        op: Any = command.op
        writes = command.is_write
        hashes = list(map(dispatcher.proactor.shard.hash_key, keys))
        self.shares: dict[int, Columns] = {}
        if count == 1:
            self.owners = [0] * len(keys)
            self.shares[0] = (me, db, many, op, writes, hashes, keys, values)
            return
        owners = self.owners = [(h >> 32) % count for h in hashes]
        for shard in {*owners}:
            theirs = list(map(shard.__eq__, owners))
            self.shares[shard] = (
                me,
                db,
                many,
                op,
                writes,
                tuple(compress(hashes, theirs)),
                tuple(compress(keys, theirs)),
                None if values is None else tuple(compress(values, theirs)),
            )

    def in_order(self, results: dict[int, Any]) -> Sequence[Any]:
        """The results of the shards in the order of the keys. O(keys)."""
        owners = self.owners
        if len(results) == 1:
            (found,) = results.values()
            return [found] * len(owners) if found.__class__ is ReplyError else found[0]
        # A shard whose work broke as a whole answers one error for all.
        answers: dict[int, Iterator[Any]] = {
            shard: repeat(found) if found.__class__ is ReplyError else iter(found[0])
            for shard, found in results.items()
        }
        return list(map(next, map(answers.__getitem__, owners)))


def locks_of(columns: Columns) -> tuple[AbstractSet[int], AbstractSet[int]]:
    """The fingerprints that a share needs: (only read, written). O(keys)."""
    keys = {*columns[5]}
    return (_NO_KEYS, keys) if columns[4] else (keys, _NO_KEYS)


class Run:
    """Equal commands, or a command of many keys, in flight.

    Attributes:
        work: what runs on the shards: `run_columns` or `run_columns_batch`.
        finish: ``finish(run, values, nanoseconds)`` writes the replies and accounts for the commands.
    """

    __slots__ = ("command", "dispatcher", "finish", "session", "spread", "tx", "work")

    def __init__(
        self,
        dispatcher: Dispatcher,
        session: Session,
        command: Command,
        spread: Spread,
        work: Callable[..., Answer],
        finish: Callable[[Run, Sequence[Any], int], None],
    ) -> None:
        self.dispatcher = dispatcher
        self.session = session
        self.command = command
        self.spread = spread
        self.work = work
        self.finish = finish
        self.tx: Transaction | None = None

    def start(self) -> None:
        """Run what can be run at once, and answer; send off what can't."""
        dispatcher = self.dispatcher
        proactor = dispatcher.proactor
        me = proactor.index
        spread = self.spread
        shares = spread.shares
        if len(shares) == 1 and me in shares and not proactor.engine.locks:
            self._answer_now({me: call((self.work, shares[me]), proactor.shard)})
            return
        dispatcher.squashed_hops += len(shares)
        dispatcher.squashed_commands += len(spread.owners)
        self.session.busy = True
        if len(shares) == 1:
            # The shard takes the place in its queue itself, if it needs one.
            for shard, columns in shares.items():
                message = (run_columns_alone, self, self.work, columns)
                if shard == me:
                    run_columns_alone(proactor, message)
                else:
                    proactor.outboxes[shard].append(message)
            return
        self.tx = tx = Transaction(proactor, self)
        works: dict[int, Work] = {}
        for shard, columns in shares.items():
            tx.lock_part(shard, *locks_of(columns))
            works[shard] = (self.work, columns)
        results = tx.hop(works, True)
        if results is not None:
            self._forget_transaction()
            self.session.busy = False
            self._answer_now(results)

    def _answer_now(self, results: dict[int, Any]) -> None:
        """It ran inline: those who wait for its keys are ours to serve."""
        shard = self.dispatcher.proactor.shard
        if shard.ready:
            shard.blocking.serve(shard.ready)
        self._answer(results)

    def _forget_transaction(self) -> None:
        """The two refer to each other, and nothing collects cycles here."""
        if self.tx is not None:
            self.tx.release()
            self.tx = None

    def on_hop(self, results: dict[int, Any]) -> None:
        """The transaction brings the results of all shards."""
        self._forget_transaction()
        session = self.session
        session.busy = False
        if session.closed:
            return
        self.dispatcher.squashed_ns += self._answer(results)
        if session.special or session.shown is not None:
            gate.after_reply(session)
        self.dispatcher.go_on(session)

    def on_answer(self, shard: int, result: Any) -> None:
        """One shard had everything and ran it without a transaction."""
        self.on_hop({shard: result})

    def _answer(self, results: dict[int, Any]) -> int:
        """Returns the nanoseconds that the shards took."""
        # What the shards needed, not what the client waited: that is mostly other clients' work.
        taken: int = sum([found[1] for found in results.values() if found.__class__ is tuple])
        values = self.spread.in_order(results)
        self.finish(self, values, taken)
        return taken


# Pipelines.


def run_pipeline(dispatcher: Dispatcher, session: Session) -> bool:
    """Run the equal commands at ``session.position`` if they are many and their row knows how. False if not.

    O(commands left) to find out.
    """
    batch = session.batch
    position = session.position
    first = batch[position]
    command: Any = dispatcher.commands[first[0]]
    argc = len(first)
    if command is None or command.many_with != argc or dispatcher.movers:
        return False
    several = dispatcher.proactor.count > 1
    end = position + dispatcher.squash_limit if several else len(batch)
    run = batch[position:end] if position or end < len(batch) else batch
    name = first[0]
    size = len(run)
    if [args[0] for args in run].count(name) != size or list(map(len, run)).count(argc) != size:
        size = next(at for at, args in enumerate(run) if args[0] != name or len(args) != argc)
        run = run[:size]
    if size < SHORTEST or (several and size < dispatcher.squash_from):
        return False
    session.commands_run += size
    session.last_command = command.full_name
    spread = spread_calls(dispatcher, session, command, run)
    Run(dispatcher, session, command, spread, run_columns_batch, _reply_to_run).start()
    return True


def spread_calls(
    dispatcher: Dispatcher, session: Session, command: Command, calls: Sequence[list[bytes]]
) -> Spread:
    """Calls of one command with as many arguments as its ``many_with``, by shard. O(calls)."""
    keys = [args[1] for args in calls]
    values = None if command.many_with == 2 else [args[2] for args in calls]
    return Spread(dispatcher, session.db, command, keys, values)


def _reply_to_run(run: Run, values: Sequence[Any], nanoseconds: int) -> None:
    session = run.session
    calls = len(values)
    begin = session.position
    session.position = end = begin + calls
    dispatcher = run.dispatcher
    state = dispatcher.state
    if nanoseconds >= state.slow_ns * calls:
        for args in session.batch[begin:end]:
            state.note_slow(session, run.command, args, nanoseconds // calls)
    reply_equal(dispatcher, session, run.command, values, nanoseconds)


def reply_equal(
    dispatcher: Dispatcher, session: Session, command: Command, values: Sequence[Any], nanoseconds: int
) -> None:
    """Encode the replies of equal commands and count them. O(size of the values)."""
    calls = len(values)
    if _encode_equal(values, dispatcher.encoder.bulk_header, command.plain_ok, session.out):
        command.record(calls, nanoseconds)
    else:
        answers = {0: iter(values)}
        dispatcher.encode_batch(session, [command] * calls, [0] * calls, answers, nanoseconds // calls)


# Commands of many keys.


def run_keys(dispatcher: Dispatcher, session: Session, command: Command, args: list[bytes]) -> bool:
    """Run a command of many keys, whose row has ``many``. False if its arguments are not whole steps."""
    step = command.key_step
    if (len(args) - 1) % step:
        return False
    session.last_command = command.full_name
    spread = Spread(dispatcher, session.db, command, args[1::step], args[2::2] if step == 2 else None)
    Run(dispatcher, session, command, spread, run_columns, _reply_to_keys).start()
    return True


def _reply_to_keys(run: Run, values: Sequence[Any], nanoseconds: int) -> None:
    dispatcher = run.dispatcher
    session = run.session
    args = session.batch[session.position]
    session.position += 1
    reply: Any = values
    if ReplyError in map(type, values):
        reply = next(value for value in values if value.__class__ is ReplyError)
    elif run.command.gather is not None:
        reply = run.command.gather(values)
    dispatcher.reply(session, run.command, reply, nanoseconds, args)


# EXEC.


def run_exec(dispatcher: Dispatcher, session: Session, command: Command, args: list[bytes]) -> bool:
    """Run an EXEC of equal commands. False if it is another, or anything about it is unusual. O(commands)."""
    queue = session.queue
    if not queue or session.queue_broken or session.watching or dispatcher.state.monitors.threads:
        return False
    if not session.account.is_unrestricted:
        # Its rights may have changed since the commands were queued.
        return False
    inner, first = queue[0]
    argc = len(first)
    if inner.many_with != argc or not dispatcher.config.multi_exec_squash:
        return False
    commands, calls = zip(*queue, strict=True)
    size = len(calls)
    if commands.count(inner) != size or list(map(len, calls)).count(argc) != size:
        return False
    session.queue = None
    session.refresh_special()
    session.executing = size
    session.last_command = command.full_name
    spread = spread_calls(dispatcher, session, inner, calls)
    Run(dispatcher, session, inner, spread, run_columns, _reply_to_exec).start()
    return True


def _reply_to_exec(run: Run, values: Sequence[Any], nanoseconds: int) -> None:
    dispatcher = run.dispatcher
    session = run.session
    session.position += 1
    session.executing = -1
    dispatcher.table["EXEC"].record(1, nanoseconds)
    session.out.append(b"*%d\r\n" % len(values))
    reply_equal(dispatcher, session, run.command, values, nanoseconds)


def _encode_equal(values: Sequence[Any], headers: list[bytes], plain_ok: bool, out: list[bytes]) -> bool:
    """Append the replies of equal commands, if all are of one usual kind; nothing if not, and False."""
    kinds = {*map(type, values)}
    if kinds == {bytes}:
        try:
            lengths = list(map(headers.__getitem__, map(len, values)))
        except IndexError:
            return False
        out.extend(chain.from_iterable(zip(lengths, values, repeat(b"\r\n"))))
        return True
    if kinds == {bool} and plain_ok:
        # An op of such a row returns True or None.
        out.append(b"+OK\r\n" * len(values))
        return True
    if kinds == {int}:
        out.append(b":%d\r\n" * len(values) % tuple(values))
        return True
    return False
